"""What the staff type to change a tax."""

from datetime import datetime
from typing import Any

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from sms.billing.taxes.operations import NewTax
from sms.billing.taxes.rules import LONGEST_NOTE, TAX_LABELS, TaxKind, percent_text
from sms.core.calendar import day_of, start_of_day
from sms.core.errors import SmsError
from sms.core.money import parse_rial
from sms.core.text import N_
from sms.core.web.forms import DayField, Form, MoneyField
from sms.core.web.i18n import _

_THOUSANDTHS_OF_A_PERMILLE = 100  # "12.5" is read as 12,500


class NotAPercentage(SmsError):
    """Finer than a tenth of a percent."""


class PercentField(MoneyField):
    """A percentage with one digit after the point at most; its data are thousandths."""

    def read(self, text: str) -> int:
        """Thousandths."""
        permille, rest = divmod(parse_rial(text), _THOUSANDTHS_OF_A_PERMILLE)
        if rest:
            raise NotAPercentage(N_("A percentage has at most one digit after the point."))
        return permille

    def show(self, value: int) -> str:
        """As it is typed."""
        return percent_text(value)


class TaxForm(Form):
    """A rate and the day from which it holds."""

    kind = SelectField(N_("Tax"), choices=[SelectChoice(str(kind), label) for kind, label in TAX_LABELS.items()])
    percent = PercentField(
        N_("VAT in percent"), [Optional()], description=N_("On top of what is paid in; zero ends it.")
    )
    part = MoneyField(N_("Levy a part"), [Optional()], description=N_("Part of the price of each part; zero ends it."))
    note = StringField(N_("Note"), [Optional(), Length(max=LONGEST_NOTE, message=N_("The note is too long."))])
    valid_from = DayField(N_("Begins on"), [Optional()], description=N_("Empty: at once."))

    def validate(self, extra_validators: Any = None) -> bool:
        """The rate of the chosen tax must be there."""
        is_valid = bool(super().validate(extra_validators))
        field = self.percent if self.kind.data == TaxKind.VAT else self.part
        if field.data is None and not field.errors:
            field.errors = [_("This must be filled in.")]
            return False
        return is_valid

    def tax(self, at: datetime) -> NewTax:
        """The row to add; today means now."""
        kind = TaxKind(self.kind.data)
        day = self.valid_from.data
        begins = None if day is None or day == day_of(at) else start_of_day(day)
        rate = self.percent.data if kind is TaxKind.VAT else self.part.data
        return NewTax(kind, rate or 0, self.note.data or "", begins)
