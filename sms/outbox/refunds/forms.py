"""What the lists of refunds are narrowed to."""

from datetime import date, datetime
from typing import Any

from wtforms import SelectField
from wtforms.fields import SelectChoice

from sms.billing.forms import operator_choices
from sms.core.calendar import day_of, next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, FilterForm, IntField
from sms.outbox.refunds.queries import RefundFilter


class PostedForm(FilterForm):
    """The day on which refunds were posted; today when none is named."""

    day = DayField(N_("Day"))

    def chosen(self, at: datetime) -> date:
        """The day."""
        return self.day.data or day_of(at)

    def bounds(self, at: datetime) -> dict[str, datetime]:
        """The moments it lies between."""
        day = self.chosen(at)
        return {"since": start_of_day(day), "until": start_of_day(next_day(day))}


class _OfStaff(FilterForm):
    """By operator, by rule, by account."""

    operator_id = SelectField(N_("Operator"), default="")
    rule_id = IntField(N_("Rule"))
    account_id = IntField(N_("Account"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator_id.choices = operator_choices(SelectChoice("", N_("Any")))

    @property
    def narrowed(self) -> RefundFilter:
        """As the queries take it."""
        operator_id = int(self.operator_id.data) if self.operator_id.data else None
        return RefundFilter(self.account_id.data, operator_id=operator_id, rule_id=self.rule_id.data)


class StaffDueForm(_OfStaff):
    """What is due."""


class StaffPostedForm(_OfStaff, PostedForm):
    """What was posted on a day."""
