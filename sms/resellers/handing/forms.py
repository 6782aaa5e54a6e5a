"""What is typed when a line is handed to a sub-account."""

from collections.abc import Sequence
from typing import Any

from wtforms import RadioField, SelectField
from wtforms.fields import SelectChoice

from sms.core.text import N_
from sms.core.web.forms import Form
from sms.lines.own.queries import MyLine

SEND_ONLY, TWO_WAY = "send_only", "two_way"
WAYS: dict[str, str] = {
    SEND_ONLY: N_("Send-only: replies stay with you"),
    TWO_WAY: N_("Two-way: replies reach this account"),
}


class HandOutForm(Form):
    """One of one's lines, and whether replies go with it."""

    line = SelectField(N_("Line"), coerce=int)
    way = RadioField(N_("How"), choices=[SelectChoice(way, label) for way, label in WAYS.items()], default=SEND_ONLY)

    def __init__(self, *args: Any, lines: Sequence[MyLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.line.choices = [
            SelectChoice(line.id, f"{line.number} · {line.alias}" if line.alias else line.number) for line in lines
        ]
