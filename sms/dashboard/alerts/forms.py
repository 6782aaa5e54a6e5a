"""The policy of alerts, and what is said when one is acknowledged."""

from typing import Any

from wtforms import BooleanField, StringField
from wtforms.validators import Length, ValidationError

from sms.core.text import N_
from sms.core.web.forms import Filled, Form, IntField, MoneyField
from sms.core.web.i18n import _
from sms.dashboard.alerts.rules import LONGEST_NOTE, Policy

_MOST_MRIAL = 10**16
_HUNDREDTHS = 100


class Between:
    """A number from one to another."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, _form: Form, field: Any) -> None:
        if field.data is not None and not self._low <= field.data <= self._high:
            raise ValidationError(_("From %(low)s to %(high)s.", low=self._low, high=self._high))


class AcknowledgeForm(Form):
    """Somebody has seen it."""

    note = StringField(N_("Note"), [Length(max=LONGEST_NOTE, message=N_("The note is too long."))])


class PolicyForm(Form):
    """When something is told."""

    least_margin_percent = IntField(
        N_("Least margin of a price, in percent of its cost"),
        [Filled(), Between(-100, 1000)],
        description=N_("0: told when a part is sold for less than it costs us."),
    )
    spend_hours = IntField(
        N_("Hours that are looked at together"),
        [Filled(), Between(1, 24)],
        description=N_("The last full hours of today, beside the same hours of earlier days."),
    )
    spend_weeks = IntField(N_("Weeks to compare with"), [Filled(), Between(1, 12)])
    spend_least_days = IntField(
        N_("Fewest days of an account"),
        [Filled(), Between(1, 84)],
        description=N_("A younger account has no habit yet."),
    )
    spend_factor = IntField(
        N_("Deviations from what is usual"),
        [Filled(), Between(1, 1000)],
        description=N_("So many times its usual spread (robust: single days do not move it)."),
    )
    spend_floor = MoneyField(
        N_("Least amount"),
        [Filled(), Between(0, _MOST_MRIAL)],
        description=N_("What is off by less than this is not told, however unusual."),
    )
    is_asked_told = BooleanField(N_("Tell resellers of fixed prices of theirs that are below what they pay"))
    asked_ahead_days = IntField(
        N_("Days ahead"),
        [Filled(), Between(0, 90)],
        description=N_("A dated price that will bring this about is told so early; 0: once it holds."),
    )

    @property
    def policy(self) -> Policy:
        """As the operations take it, once the form holds: then nothing is missing."""
        return Policy(
            least_margin_percent=self.least_margin_percent.data or 0,
            spend_hours=self.spend_hours.data or 1,
            spend_weeks=self.spend_weeks.data or 1,
            spend_least_days=self.spend_least_days.data or 1,
            spend_factor_percent=(self.spend_factor.data or 1) * _HUNDREDTHS,
            spend_floor_mrial=self.spend_floor.data or 0,
            is_asked_told=bool(self.is_asked_told.data),
            asked_ahead_days=self.asked_ahead_days.data or 0,
        )

    @classmethod
    def of(cls, policy: Policy) -> "PolicyForm":
        """The form as this policy fills it."""
        return cls(
            least_margin_percent=policy.least_margin_percent,
            spend_hours=policy.spend_hours,
            spend_weeks=policy.spend_weeks,
            spend_least_days=policy.spend_least_days,
            spend_factor=policy.spend_factor_percent // _HUNDREDTHS,
            spend_floor=policy.spend_floor_mrial,
            is_asked_told=policy.is_asked_told,
            asked_ahead_days=policy.asked_ahead_days,
        )
