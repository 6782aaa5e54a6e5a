"""What a report is narrowed to, and how it is grouped."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice

from sms.billing.forms import named, operator_choices
from sms.core.text import N_
from sms.core.web.forms import DayField, FilterForm
from sms.dashboard.reports.queries import ReportFilter, line_numbered
from sms.dashboard.reports.rules import GROUP_LABELS, Group, Whose, period
from sms.operators.queries import networks

_ANY = SelectChoice("", N_("Any"))
_NO_LINE = 0  # no line has this id: a number nobody has leads to an empty report, not to everybody's


class ReportForm(FilterForm):
    """Days, grouping, and what else narrows it; sub-accounts are offered to whoever has some."""

    since = DayField(N_("From day"))
    until = DayField(N_("To day"))
    group = SelectField(N_("Rows by"), default=str(Group.DAY))
    operator_id = SelectField(N_("Operator"), default="")
    network_id = SelectField(N_("Network"), default="")
    line = StringField(N_("Line"))
    account_id = SelectField(N_("Sub-account"), default="")

    def __init__(self, *args: Any, whose: Whose, accounts: Sequence[Any] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [group for group in Group if group is not Group.ACCOUNT or whose is not Whose.OWN]
        self.group.choices = [SelectChoice(str(group), GROUP_LABELS[group]) for group in groups]
        self.operator_id.choices = operator_choices(_ANY)
        self.network_id.choices = [_ANY, *(SelectChoice(str(each.id), named(each)) for each in networks())]
        self.account_id.choices = [_ANY, *(SelectChoice(str(each.id), each.name) for each in accounts)]

    @property
    def grouped(self) -> Group:
        """What a row stands for."""
        return Group(self.group.data) if self.group.data in set(Group) else Group.DAY

    @property
    def chosen_account(self) -> int | None:
        """The sub-account whose tree is looked at."""
        return int(self.account_id.data) if self.account_id.data else None

    def narrowed(self, *, today: date) -> ReportFilter:
        """As the queries take it."""
        first, last = period(self.since.data, self.until.data, today=today)
        number = (self.line.data or "").strip()
        return ReportFilter(
            first,
            last,
            operator_id=int(self.operator_id.data) if self.operator_id.data else None,
            network_id=int(self.network_id.data) if self.network_id.data else None,
            line_id=(line_numbered(number) or _NO_LINE) if number else None,
        )
