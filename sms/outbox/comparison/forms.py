"""Forms of comparisons and of the numbers they go to."""

from wtforms import StringField, TextAreaField

from sms.core.text import N_
from sms.core.web.forms import Filled, Form, PhoneField

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


class CompareForm(Form):
    """The text that goes over every line; to whom is ticked beside it."""

    body = TextAreaField(N_("Text"), [Filled()], render_kw={"data-count-parts": "", "rows": 3})


class NumberForm(Form):
    """A number that is to be verified."""

    mobile = PhoneField(N_("Mobile number"), [Filled()])


class CodeForm(Form):
    """The code that was sent to a number."""

    mobile = PhoneField(N_("Mobile number"), [Filled()])
    code = StringField(N_("Code"), [Filled()])

    @property
    def digits(self) -> str:
        """The code in Latin digits, without what was put between them."""
        return "".join((self.code.data or "").translate(_DIGITS).split())
