"""Forms of the inventory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask_wtf.file import FileField
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice

from sms.core import calendar
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, FilterForm, Form, IntField
from sms.core.web.i18n import language
from sms.lines.formats.rules.tiers import TIER_LABELS, Tier
from sms.lines.stock.queries import StockFilter
from sms.lines.stock.rules import STATE_LABELS

ALL = SelectChoice("", N_("All"))
_TIERS = [SelectChoice(str(tier), label) for tier, label in TIER_LABELS.items()]
_STATES = [SelectChoice(str(state), label) for state, label in STATE_LABELS.items()]
_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


def digits_of(text: str | None) -> str:
    """The digits of what somebody typed, in Latin script."""
    return "".join(each for each in (text or "").translate(_FOLD) if each.isdecimal())[:20]


class StockFilterForm(FilterForm):
    """What the staff's list of numbers is narrowed to."""

    operator = SelectField(N_("Operator"))
    digits = IntField(N_("Digits"))
    tier = SelectField(N_("Roundness"), choices=[ALL, *_TIERS], default="")
    state = SelectField(N_("State"), choices=[ALL, *_STATES], default="")
    begins = StringField(N_("Number begins with"))
    ends = StringField(N_("Number ends with"))

    @classmethod
    def over(cls, operators: Sequence[Any]) -> "StockFilterForm":
        """The form as the address fills it, with these operators to choose from."""
        choices = [ALL] + [
            SelectChoice(str(each.id), f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
            for each in operators
        ]
        made = type("StockFilterForm", (cls,), {"operator": SelectField(N_("Operator"), choices=choices, default="")})
        return made.read()  # type: ignore[no-any-return, attr-defined]

    @property
    def wanted(self) -> StockFilter:
        """The filter."""
        return StockFilter(
            operator_id=int(self.operator.data) if self.operator.data else None,
            digits=self.digits.data if self.digits.data is not None and 0 < self.digits.data < 100 else None,  # noqa: PLR2004
            tier=self.tier.data or "",
            state=self.state.data or "",
            begins=digits_of(self.begins.data),
            ends=digits_of(self.ends.data),
        )


class AddForm(Form):
    """Numbers that are typed, pasted, or come as a file."""

    numbers = TextAreaField(
        N_("Numbers, one a line"),
        description=N_("With their prefix. A range is written 3000123x, or 30001230-30001239."),
        render_kw={"rows": 6, "dir": "ltr"},
    )
    file = FileField(
        N_("Or an XLSX or CSV file"),
        description=N_("Columns: number, and perhaps tier and note."),
        render_kw={"data-dropzone": "", "accept": ".xlsx,.csv,.txt"},
    )


class NumberForm(Form):
    """What staff decide of a number."""

    tier = SelectField(
        N_("Sold as"),
        choices=[SelectChoice("", N_("as its digits come to")), *_TIERS],
        description=N_("Overrides the score where the market sees the number otherwise."),
    )
    note = StringField(N_("Note"))

    @property
    def override(self) -> Tier | None:
        """The tier that was chosen; None for the scored one."""
        return Tier(self.tier.data) if self.tier.data else None


class ReserveForm(Form):
    """For whom a number is kept, and until when."""

    account = StringField(N_("User name of the customer"), [Filled()])
    until = DayField(N_("Reserved up to, and with, the day"), [Filled()])
    reason = StringField(N_("Reason"))

    @property
    def ends(self) -> datetime | None:
        """The moment the reservation ends: with the end of that day."""
        if self.until.data is None:
            return None
        return calendar.start_of_day(calendar.next_day(self.until.data))
