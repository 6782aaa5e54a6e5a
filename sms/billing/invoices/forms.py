"""Forms of invoices."""

from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from sms.billing.invoices.rules import KIND_LABELS, LONGEST_FIELD, PARTY_LABELS, Party
from sms.core.text import N_
from sms.core.web.forms import Filled, FilterForm, Form

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_NOT_LONG = [Optional(), Length(max=LONGEST_FIELD, message=N_("This is too long."))]


def _latin(text: str | None) -> str:
    return (text or "").translate(_DIGITS).strip()


class PartyForm(Form):
    """Whose name stands on invoices."""

    legal_name = StringField(PARTY_LABELS["legal_name"], [Filled(), *_NOT_LONG[1:]])
    economic_code = StringField(PARTY_LABELS["economic_code"], _NOT_LONG, filters=[_latin])
    national_id = StringField(PARTY_LABELS["national_id"], _NOT_LONG, filters=[_latin])
    registration_number = StringField(PARTY_LABELS["registration_number"], _NOT_LONG, filters=[_latin])
    address = TextAreaField(PARTY_LABELS["address"], _NOT_LONG, render_kw={"rows": 2})
    postal_code = StringField(PARTY_LABELS["postal_code"], _NOT_LONG, filters=[_latin])
    phone = StringField(PARTY_LABELS["phone"], _NOT_LONG, filters=[_latin])

    @property
    def party(self) -> Party:
        """What was typed."""
        return Party(**{name: self._fields[name].data or "" for name in PARTY_LABELS})


class InvoiceListForm(FilterForm):
    """What the staff's list is narrowed to."""

    kind = SelectField(
        N_("Kind"),
        choices=[SelectChoice("", N_("Any")), *(SelectChoice(code, label) for code, label in KIND_LABELS.items())],
    )
    account = StringField(N_("Account"), filters=[lambda text: (text or "").strip()])


class CorrectForm(Form):
    """Why an invoice is taken back."""

    reason = TextAreaField(
        N_("Reason"), [Filled()], render_kw={"rows": 2}, description=N_("It stands on the credit note.")
    )
