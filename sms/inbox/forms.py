"""Forms of the inbox: what a list is narrowed to, and where pushed texts may come from."""

from collections.abc import Sequence
from typing import Any

from wtforms import SelectChoice, SelectField, StringField

from sms.core import phone
from sms.core.calendar import next_day, start_of_day
from sms.core.text import N_
from sms.core.web.filters import digits
from sms.core.web.forms import DayField, FilterForm, Form
from sms.inbox.labels.queries import Label
from sms.inbox.queries import InboxFilter
from sms.inbox.rules import SEARCH_LENGTH, Box, sender_of

BOX_LABELS: dict[str, str] = {Box.ALL: N_("Inbox"), Box.UNREAD: N_("Unread"), Box.ARCHIVED: N_("Archived")}


class InboxFilterForm(FilterForm):
    """What the inbox is narrowed to: a number searched for is a sender, everything else are words of the text."""

    q = StringField(N_("Sender or words"), filters=[lambda text: (text or "").strip()[:SEARCH_LENGTH]])
    line_id = SelectField(N_("Line"))
    label_id = SelectField(N_("Label"))
    day = DayField(N_("Day"))
    box = SelectField(N_("Shown"), choices=[SelectChoice(code, label) for code, label in BOX_LABELS.items()])

    def __init__(self, *args: Any, lines: Sequence[Any] = (), labels: Sequence[Label] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.line_id.choices = [SelectChoice("", N_("All"))]
        self.line_id.choices += [
            SelectChoice(str(line.id), f"{digits(line.number)} {line.alias}".strip()) for line in lines
        ]
        self.label_id.choices = [SelectChoice("", N_("All"))]
        self.label_id.choices += [SelectChoice(str(label.id), label.name) for label in labels]

    @property
    def narrowed(self) -> InboxFilter:
        """As the queries take it."""
        wanted = self.q.data or ""
        is_number = phone.normalise(wanted) is not None
        since = start_of_day(self.day.data) if self.day.data else None
        return InboxFilter(
            box=Box(self.box.data or ""),
            line_id=int(self.line_id.data) if self.line_id.data else None,
            label_id=int(self.label_id.data) if self.label_id.data else None,
            sender=sender_of(wanted) if is_number else "",
            words="" if is_number else wanted,
            since=since,
            until=start_of_day(next_day(self.day.data)) if self.day.data else None,
        )


class LinePushForm(Form):
    """The networks pushed texts are taken from."""

    addresses = StringField(
        N_("IP addresses the texts come from"),
        description=N_("Addresses and networks separated by blanks; empty: from anywhere. The secret stays needed."),
    )
