"""Forms of invoices."""

from collections.abc import Sequence
from typing import Any

from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from sms.billing.invoices.queries import IssuedFilter
from sms.billing.invoices.rules import KIND_LABELS, LONGEST_FIELD, PARTY_LABELS, Party
from sms.core.calendar import next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, FilterForm, Form

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_ANY = SelectChoice("", N_("Any"))
_KINDS = [_ANY, *(SelectChoice(code, label) for code, label in KIND_LABELS.items())]
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

    kind = SelectField(N_("Kind"), choices=_KINDS)
    account = StringField(N_("Account"), filters=[lambda text: (text or "").strip()])


class IssuedListForm(FilterForm):
    """What a seller's list is narrowed to."""

    account_id = SelectField(N_("Sub-account"), default="")
    kind = SelectField(N_("Kind"), choices=_KINDS, default="")
    since = DayField(N_("From day"))
    until = DayField(N_("To day"))

    def __init__(self, *args: Any, accounts: Sequence[Any] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account_id.choices = [_ANY, *(SelectChoice(str(each.id), each.name) for each in accounts)]

    @property
    def narrowed(self) -> IssuedFilter:
        """As the queries take it: both days belong to the period."""
        first, last = self.since.data, self.until.data
        return IssuedFilter(
            account_id=int(self.account_id.data) if self.account_id.data else None,
            kind=self.kind.data or "",
            since=start_of_day(first) if first else None,
            until=start_of_day(next_day(last)) if last else None,
        )


class CorrectForm(Form):
    """Why an invoice is taken back."""

    reason = TextAreaField(
        N_("Reason"), [Filled()], render_kw={"rows": 2}, description=N_("It stands on the credit note.")
    )
