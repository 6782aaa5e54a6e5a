"""Forms: CSRF by default, labels and messages are message ids, Persian digits and Jalali days are understood."""

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Self

from flask import Flask, request
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFProtect
from werkzeug.datastructures import MultiDict
from wtforms import Field, IntegerField, StringField
from wtforms.validators import ValidationError
from wtforms.widgets import TextInput

from sms.core import calendar, phone
from sms.core.errors import SmsError
from sms.core.money import MRIAL_PER_RIAL, parse_rial
from sms.core.text import N_
from sms.core.web.i18n import _, language, say

csrf = CSRFProtect()
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


class _Translations:
    """WTForms' own messages go through our catalogue."""

    def gettext(self, text: str) -> str:
        """One sentence."""
        return _(text)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """One of two sentences; Persian has one."""
        return _(singular if n == 1 else plural)


class Form(FlaskForm):  # type: ignore[misc]
    """A form that is posted."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """Our translations in place of WTForms' own."""

        def get_translations(self, _form: object) -> _Translations:
            """The reader's language."""
            return _Translations()


class FilterForm(Form):
    """What a list is narrowed to, read from the address; what cannot be read is marked and otherwise ignored."""

    class Meta(Form.Meta):
        """A GET form carries no token: it changes nothing."""

        csrf = False

    @classmethod
    def read(cls, **kwargs: Any) -> Self:
        """The form as the address fills it; a field that does not hold has no data."""
        form = cls(formdata=MultiDict(request.args), **kwargs)
        if request.args and not form.validate():
            for name in form.errors:
                if name in form._fields:
                    form._fields[name].data = form._fields[name].default
        return form

    def address(self, **changes: object) -> dict[str, Any]:
        """The address's parameters that lead to this form again, with changes; empty ones are left out."""
        kept = {name: request.args.get(name, "") for name in self._fields}
        return {name: value for name, value in (kept | changes).items() if value not in {"", None}}


def init_app(app: Flask) -> None:
    """Refuse every unsafe request without its token."""
    csrf.init_app(app)


def refuse(form: Form, error: SmsError, field: Field | None = None) -> None:
    """Put an operation's refusal on the form, beside a field or at its head."""
    target = list((field.errors if field is not None else form.form_errors) or [])
    target.append(say(error))
    if field is not None:
        field.errors = target
    else:
        form.form_errors = target


def _first(valuelist: Sequence[str]) -> str:
    return valuelist[0].strip() if valuelist else ""


class IntField(IntegerField):  # type: ignore[misc]
    """A whole number in any digits; empty is None."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read it."""
        text = _first(valuelist).translate(_DIGITS).replace(",", "").replace("٬", "")
        self.data = None
        if not text:
            return
        try:
            self.data = int(text)
        except ValueError:
            raise ValueError(_("This is not a whole number.")) from None


class _TypedField(StringField):  # type: ignore[misc]
    """A field whose text is read into a value, and shown again as it was typed when that fails."""

    widget = TextInput()

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read it; empty is None."""
        text = _first(valuelist)
        self.data = None
        if text:
            try:
                self.data = self.read(text)
            except SmsError as error:
                raise ValueError(say(error)) from None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return self.show(self.data) if self.data is not None else ""

    def read(self, text: str) -> Any:
        """The value of a text; raises SmsError."""
        raise NotImplementedError

    def show(self, value: Any) -> str:
        """A value as its text."""
        return str(value)


class MoneyField(_TypedField):
    """Rial typed by a person; its data are milli-rial."""

    def read(self, text: str) -> int:
        """Milli-rial."""
        return parse_rial(text)

    def show(self, value: int) -> str:
        """Rial, without grouping, so that it can be edited."""
        rial = Decimal(value) / MRIAL_PER_RIAL
        return f"{rial.normalize():f}"


class DayField(_TypedField):
    """A day in the reader's calendar."""

    def read(self, text: str) -> date:
        """The day."""
        return calendar.parse_day(text, language())

    def show(self, value: date) -> str:
        """As the reader writes it."""
        return calendar.day_text(value, language())


class ClockField(_TypedField):
    """A time of the day on Tehran's clock, hours and minutes."""

    def read(self, text: str) -> time:
        """The time."""
        return calendar.parse_clock(text)

    def show(self, value: time) -> str:
        """As the reader writes it."""
        return calendar.time_text(value, language())


class NotAPhone(SmsError):
    """The text is no Iranian mobile number."""


class PhoneField(_TypedField):
    """A mobile number in any spelling; its data is the number, 98 and ten digits."""

    def read(self, text: str) -> int:
        """The number."""
        number = phone.normalise(text)
        if number is None:
            raise NotAPhone(N_("This is not an Iranian mobile number, such as 0912 345 6789."))
        return number

    def show(self, value: int) -> str:
        """0912…"""
        return phone.local(value)


class Filled:
    """The field must be filled; unlike WTForms' own, blanks alone do not fill it and no HTML attribute is set."""

    field_flags = {"required": True}  # noqa: RUF012 - WTForms reads it from the class

    def __call__(self, _form: Form, field: Field) -> None:
        is_empty = field.data is None or (isinstance(field.data, str) and not field.data.strip())
        if is_empty and not field.errors:
            raise ValidationError(_("This must be filled in."))
