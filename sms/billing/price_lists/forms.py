"""What a reseller types into its prices."""

from datetime import datetime
from typing import Any

from wtforms import BooleanField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Optional

from sms.billing.forms import ScopeForm
from sms.billing.price_lists.queries.sheets import sub_accounts
from sms.billing.price_lists.rules import NewAsked, permille_of
from sms.billing.rules import LANGUAGE_LABELS, PHASE_LABELS, Language
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web.forms import FilterForm, MoneyField
from sms.core.web.i18n import say

_BOTH = SelectChoice("", N_("Both"))
_ALL = SelectChoice("", N_("All sub-accounts"))
_ANY = SelectChoice("", N_("Any"))


class PercentField(StringField):  # type: ignore[misc]
    """A percentage with one digit after the point; its data are permille."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read it; empty is None."""
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = permille_of(text)
            except SmsError as error:
                raise ValueError(say(error)) from None

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else ""


class AskedForm(ScopeForm):
    """A price for sub-accounts: for whom, for what, how much."""

    account_id = SelectField(
        N_("For"), description=N_("What is meant for one sub-account goes before what is meant for all.")
    )
    language = SelectField(
        N_("Language"), choices=[_BOTH, *(SelectChoice(str(each), label) for each, label in LANGUAGE_LABELS.items())]
    )
    markup = PercentField(
        N_("Markup in percent"),
        [Optional()],
        description=N_("On what you pay yourself; it moves along when that changes."),
    )
    price = MoneyField(
        N_("Or a fixed price a part"),
        [Optional()],
        description=N_("When your own price rises above it, your own price is asked."),
    )
    confirm_below_cost = BooleanField(
        N_("I want to sell this below my own price, and pay the difference from my wallet.")
    )

    def __init__(self, *args: Any, owner_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account_id.choices = [_ALL, *(SelectChoice(str(each.id), each.name) for each in sub_accounts(owner_id))]

    def asked(self, at: datetime) -> NewAsked:
        """The row to add; raises NotFound for a line that is not there."""
        return NewAsked(
            scope=self.scope(),
            account_id=int(self.account_id.data) if self.account_id.data else None,
            language=Language(self.language.data) if self.language.data else None,
            markup_permille=self.markup.data,
            price_mrial=self.price.data,
            valid_from=self.begins(at),
        )


class HistoryForm(FilterForm):
    """What the list of all rows is narrowed to, and whose prices the table shows."""

    phase = SelectField(
        N_("State"), choices=[_ANY, *(SelectChoice(str(phase), label) for phase, label in PHASE_LABELS.items())]
    )
    account = SelectField(N_("Prices of"))

    def __init__(self, *args: Any, owner_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account.choices = [_ALL, *(SelectChoice(str(each.id), each.name) for each in sub_accounts(owner_id))]
