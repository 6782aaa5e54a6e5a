"""What the staff type into tariffs and refund rules, and what their lists are narrowed to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional, ValidationError

from sms.billing.operations import NewRefundRule, NewTariff
from sms.billing.queries import Listed, line_called
from sms.billing.rules import (
    FULL,
    LONGEST_DELAY_SECONDS,
    LONGEST_NOTE,
    MOST_PRICE_MRIAL,
    PHASE_LABELS,
    REFUNDABLE,
    Language,
    Scope,
)
from sms.core.calendar import day_of, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, FilterForm, Form, IntField, MoneyField
from sms.core.web.i18n import _, language
from sms.operators.queries import networks, operators
from sms.operators.rules import OUTCOME_LABELS

_HOUR = 3_600
_ANY = SelectChoice("", N_("Any"))


def _within(low: int, high: int, message: str) -> Callable[[Form, Any], None]:
    """The number lies between two others; what could not be read has said so already."""

    def check(_form: Form, field: Any) -> None:
        if field.data is not None and not low <= field.data <= high:
            raise ValidationError(_(message))

    return check


_PRICE = [Optional(), _within(0, MOST_PRICE_MRIAL, N_("A price is an amount from zero to a million rial."))]


def _number(text: str | None) -> str:
    """A line's number in Latin digits."""
    return "".join(str(int(character)) if character.isdecimal() else character for character in (text or "").strip())


def named(row: Any) -> str:
    """The name of an operator or a network in the reader's language."""
    return str(row.name_fa if language() == "fa" else row.name_en)


def operator_choices(first: SelectChoice) -> list[SelectChoice]:
    """All operators to choose from."""
    return [first, *(SelectChoice(str(each.id), f"{each.code} · {named(each)}") for each in operators())]


class ListForm(FilterForm):
    """What a list of dated rows is narrowed to."""

    phase = SelectField(
        N_("State"), choices=[_ANY, *(SelectChoice(str(phase), label) for phase, label in PHASE_LABELS.items())]
    )
    operator_id = SelectField(N_("Operator"))
    line = StringField(N_("Line"), filters=[_number])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator_id.choices = operator_choices(_ANY)

    def narrowed(self, at: datetime) -> Listed:
        """As the queries take it."""
        operator_id = int(self.operator_id.data) if self.operator_id.data else None
        return Listed(at=at, phase=self.phase.data or "", operator_id=operator_id, line_number=self.line.data or "")


class ScopeForm(Form):
    """What a new row is for, and when it begins."""

    operator_id = SelectField(N_("Operator"))
    line = StringField(
        N_("Only for the line"),
        filters=[_number],
        description=N_(
            "The number of one line, instead of an operator: what holds for a line goes before its operator."
        ),
    )
    network_id = SelectField(
        N_("Network"), description=N_("What holds for one network goes before what holds for any.")
    )
    valid_from = DayField(
        N_("Begins on"),
        [Optional()],
        description=N_("Empty: at once. What is in force until then ends by itself."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator_id.choices = operator_choices(SelectChoice("", "—"))
        self.network_id.choices = [_ANY, *(SelectChoice(str(each.id), named(each)) for each in networks())]

    def validate_line(self, field: StringField) -> None:
        """One of the two, not both."""
        if bool(field.data) == bool(self.operator_id.data):
            raise ValidationError(_("Choose an operator, or one of its lines."))

    def scope(self) -> Scope:
        """What it is for; raises NotFound for a line that is not there."""
        network_id = int(self.network_id.data) if self.network_id.data else None
        if self.line.data:
            return Scope(line_id=line_called(self.line.data), network_id=network_id)
        return Scope(operator_id=int(self.operator_id.data), network_id=network_id)

    def begins(self, at: datetime) -> datetime | None:
        """The day's first moment; today means now."""
        if self.valid_from.data is None or self.valid_from.data == day_of(at):
            return None
        return start_of_day(self.valid_from.data)


class TariffForm(ScopeForm):
    """Prices and costs of a part, in rial."""

    price_persian = MoneyField(N_("Price of a Persian part"), _PRICE)
    cost_persian = MoneyField(N_("What it costs us"), _PRICE)
    price_latin = MoneyField(N_("Price of a Latin part"), _PRICE)
    cost_latin = MoneyField(N_("What it costs us"), _PRICE)

    def _pair(self, spoken: Language) -> tuple[MoneyField, MoneyField]:
        if spoken is Language.PERSIAN:
            return self.price_persian, self.cost_persian
        return self.price_latin, self.cost_latin

    def validate(self, extra_validators: Any = None) -> bool:
        """At least one language, each with its price and its cost."""
        is_valid = bool(super().validate(extra_validators))
        pairs = [self._pair(spoken) for spoken in Language]
        if all(price.data is None and not price.errors for price, _cost in pairs):
            self.price_persian.errors = [_("State the price of a part in at least one language.")]
            return False
        for price, cost in pairs:
            if (price.data is None) != (cost.data is None) and not (price.errors or cost.errors):
                empty = price if price.data is None else cost
                empty.errors = [_("State both the price and the cost.")]
                is_valid = False
        return is_valid

    def tariffs(self, at: datetime) -> list[NewTariff]:
        """The rows to add, one a language."""
        scope, begins = self.scope(), self.begins(at)
        return [
            NewTariff(scope, spoken, price.data, cost.data or 0, begins)
            for spoken in Language
            for price, cost in [self._pair(spoken)]
            if price.data is not None
        ]


class RefundRuleForm(ScopeForm):
    """What comes back when a message ends so."""

    outcome = SelectField(
        N_("When a message ends as"), choices=[SelectChoice(str(end), OUTCOME_LABELS[end]) for end in REFUNDABLE]
    )
    percent = IntField(
        N_("Percent of the price"),
        [Filled(), _within(0, FULL, N_("A refund is from 0 to 100 percent of the price."))],
        default=FULL,
    )
    delay_hours = IntField(
        N_("Hours after sending"),
        [
            Filled(),
            _within(0, LONGEST_DELAY_SECONDS // _HOUR, N_("A refund can wait 90 days at most.")),
        ],
        default=0,
        description=N_("Zero: as soon as the operator reports it."),
    )
    note = StringField(
        N_("Note"),
        [Optional(), Length(max=LONGEST_NOTE, message=N_("The note is too long."))],
        description=N_("Customers read it beside the rule."),
    )

    def rule(self, at: datetime) -> NewRefundRule:
        """The row to add."""
        return NewRefundRule(
            scope=self.scope(),
            outcome=self.outcome.data,
            percent=self.percent.data or 0,
            delay_seconds=(self.delay_hours.data or 0) * _HOUR,
            note=self.note.data or "",
            valid_from=self.begins(at),
        )


class DefaultsForm(Form):
    """The operator that gets the usual refund rules."""

    operator_id = IntField(N_("Operator"), [Filled()])
