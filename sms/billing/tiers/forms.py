"""What the staff type into tiers."""

from datetime import datetime

from wtforms import SelectField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from sms.billing.taxes.forms import PercentField
from sms.billing.tiers.operations import NewStep
from sms.billing.tiers.rules import AUDIENCE_LABELS, BASIS_LABELS, LONGEST_REASON, Basis, TierAudience
from sms.core.calendar import day_of, next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, Form, IntField, MoneyField


class StepForm(Form):
    """A step: whose, by what, from how much, and how much less."""

    audience = SelectField(
        N_("For"), choices=[SelectChoice(str(code), label) for code, label in AUDIENCE_LABELS.items()]
    )
    basis = SelectField(
        N_("What counts"), choices=[SelectChoice(str(code), label) for code, label in BASIS_LABELS.items()]
    )
    days = IntField(N_("Days it looks back"), [Filled()], default=90)
    from_amount = MoneyField(N_("From the amount"), [Filled()])
    discount = PercentField(N_("Percent less than the tariff"), [Filled()])
    valid_from = DayField(N_("Begins on"), [Optional()], description=N_("Empty: at once."))

    def step(self, at: datetime) -> NewStep:
        """The row to add; today means now."""
        day = self.valid_from.data
        return NewStep(
            audience=TierAudience(self.audience.data),
            basis=Basis(self.basis.data),
            days=self.days.data or 0,
            from_mrial=self.from_amount.data or 0,
            discount_permille=self.discount.data or 0,
            valid_from=None if day is None or day == day_of(at) else start_of_day(day),
        )


class ByHandForm(Form):
    """A discount that staff give, and why."""

    discount = PercentField(
        N_("Percent less than the tariff"),
        [Optional()],
        description=N_("Empty: what the account topped up decides again."),
    )
    reason = TextAreaField(
        N_("Reason"),
        [Filled(), Length(max=LONGEST_REASON, message=N_("The reason is too long."))],
        render_kw={"rows": 2},
        description=N_("The customer reads this."),
    )
    until = DayField(N_("Until"), [Optional()], description=N_("The last day; empty: for good."))

    @property
    def valid_until(self) -> datetime | None:
        """The first moment after its last day."""
        return start_of_day(next_day(self.until.data)) if self.until.data else None
