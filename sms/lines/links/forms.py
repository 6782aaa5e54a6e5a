"""Form of a permission to send links."""

from datetime import datetime

from wtforms import StringField
from wtforms.validators import Optional

from sms.core.calendar import next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, Form

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


class PermissionForm(Form):
    """Whom, where, why and how long."""

    account = StringField(N_("User name of the customer"), [Filled()])
    line = StringField(N_("Line"), description=N_("Its number; empty: every line the customer may use."))
    reason = StringField(N_("Reason"), [Filled()], description=N_("Such as the number of the operator's letter."))
    last_day = DayField(N_("Last day"), [Optional()], description=N_("Empty: until it is taken back."))

    @property
    def line_number(self) -> str:
        """The digits that were typed."""
        return "".join((self.line.data or "").translate(_DIGITS).split())

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day."""
        return start_of_day(next_day(self.last_day.data)) if self.last_day.data else None
