"""What a statement is narrowed to, and what the staff type into an account's money."""

from collections.abc import Callable, Iterable
from typing import Any

from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Regexp, ValidationError

from sms.core.calendar import next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, FilterForm, Form, IntField, MoneyField
from sms.core.web.i18n import _
from sms.ledger.queries import StatementFilter
from sms.ledger.rules import CUSTOMER_KINDS, DIRECTION_LABELS, LONGEST_REASON, MOST_MRIAL, TRANSFER_LABELS, TransferKind

_ANY = SelectChoice("", N_("Any"))
_REASON = [
    Filled(),
    Length(max=LONGEST_REASON, message=N_("The reason is too long.")),
]
CREDIT, DEBIT = "credit", "debit"


def within(low: int, high: int, message: str) -> Callable[[Form, Any], None]:
    """The number lies between two others; what could not be read has said so already."""

    def check(_form: Form, field: Any) -> None:
        if field.data is not None and not low <= field.data <= high:
            raise ValidationError(_(message))

    return check


def _kinds(kinds: Iterable[TransferKind]) -> list[SelectChoice]:
    return [SelectChoice(str(kind), TRANSFER_LABELS[kind]) for kind in kinds]


class StatementForm(FilterForm):
    """Kind, direction, the send it is about, and period."""

    kind = SelectField(N_("Kind"), choices=[_ANY, *_kinds(CUSTOMER_KINDS)], default="")
    direction = SelectField(
        N_("Direction"),
        choices=[_ANY, *(SelectChoice(str(way), label) for way, label in DIRECTION_LABELS.items())],
        default="",
    )
    campaign = IntField(N_("Number of the send"), [within(1, 2**62, N_("There is no such send."))])
    since = DayField(N_("From day"))
    until = DayField(N_("To day"))

    @property
    def is_partial(self) -> bool:
        """Whether lines in between are left out, so that the balances do not follow from each other."""
        return bool(self.kind.data or self.direction.data or self.campaign.data)

    @property
    def narrowed(self) -> StatementFilter:
        """As the queries take it: both days belong to the period."""
        return StatementFilter(
            kind=self.kind.data or "",
            direction=self.direction.data or "",
            subject=f"campaign:{self.campaign.data}" if self.campaign.data else "",
            since=start_of_day(self.since.data) if self.since.data else None,
            until=start_of_day(next_day(self.until.data)) if self.until.data else None,
        )


class TransferForm(FilterForm):
    """What the list of all transfers is narrowed to."""

    kind = SelectField(N_("Kind"), choices=[_ANY, *_kinds(TransferKind)])


class AdjustForm(Form):
    """Money given or taken by hand. The nonce names this one act: sent twice, it has one effect."""

    nonce = HiddenField(validators=[Regexp(r"^[A-Za-z0-9_-]{16,64}$")])
    direction = RadioField(
        N_("What is done"),
        choices=[SelectChoice(CREDIT, N_("Add to the balance")), SelectChoice(DEBIT, N_("Take from the balance"))],
        default=CREDIT,
    )
    amount = MoneyField(N_("Amount"), [Filled(), within(1, MOST_MRIAL, N_("State an amount above zero."))])
    reason = StringField(
        N_("Reason"),
        _REASON,
        description=N_("The customer reads it in the statement."),
    )

    @property
    def amount_mrial(self) -> int:
        """Signed as the ledger takes it."""
        return (self.amount.data or 0) * (1 if self.direction.data == CREDIT else -1)


class LimitForm(Form):
    """How far below zero an account may go."""

    limit = MoneyField(
        N_("Credit limit"),
        [Filled(), within(0, MOST_MRIAL, N_("A credit limit is an amount of zero or more."))],
        description=N_("How far below zero the balance may go; zero means only what was paid can be spent."),
    )


class ReverseForm(Form):
    """Why a transfer is taken back."""

    reason = StringField(N_("Reason"), _REASON, description=N_("The customer reads it in the statement."))
