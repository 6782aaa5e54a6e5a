"""Forms of line orders."""

import secrets
from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields import HiddenField, SelectChoice
from wtforms.validators import Length, Optional

from sms.core.text import N_
from sms.core.web.forms import Filled, FilterForm, Form, IntField, MoneyField
from sms.core.web.i18n import language
from sms.lines.documents.forms import choices
from sms.lines.documents.rules import HOLDER_LABELS, Holder
from sms.lines.formats.rules.tiers import TIER_LABELS, Tier
from sms.lines.orders.queries import OrderFilter
from sms.lines.orders.rules import (
    FOR_STAFF,
    OPEN,
    ORDER_LABELS,
    REASON_LENGTH,
    USUAL_QUOTE_DAYS,
    WISH_LENGTH,
    OrderState,
    Wanted,
)

_LARGEST_MRIAL_DIGITS = 18


class _PlaceForm(Form):
    """What every order is made of; `key` makes the same form sent twice one order, `shown` is the price on the page."""

    holder = SelectField(
        N_("In whose name"),
        choices=choices(HOLDER_LABELS),
        description=N_("The operator writes the number in this name; it says which documents are needed."),
    )
    wish = TextAreaField(
        N_("Your wish"),
        [Optional(), Length(max=WISH_LENGTH)],
        render_kw={"rows": 3},
        description=N_("In your own words; our staff read it."),
    )
    key = HiddenField()
    shown = HiddenField()
    news = ""  # what is told at the head of the form: no mistake, but it has to be sent once more

    def begin(self, price_mrial: int | None) -> None:
        """A form that was not sent yet: a key of its own, and the price beside it."""
        self.key.data = secrets.token_urlsafe(12)
        self.show(price_mrial)

    def show(self, price_mrial: int | None) -> None:
        """State the price that is paid when it is sent the next time."""
        self.shown.data = "" if price_mrial is None else str(price_mrial)

    @property
    def shown_mrial(self) -> int | None:
        """The price that stood on the page."""
        text = (self.shown.data or "").strip()
        is_amount = text.isascii() and text.isdecimal() and len(text) <= _LARGEST_MRIAL_DIGITS
        return int(text) if is_amount else None


class NumberForm(_PlaceForm):
    """Order a number of the shop."""

    def wanted(self, number_id: int) -> Wanted:
        """What is ordered."""
        return Wanted(
            number_id=number_id,
            wish=self.wish.data or "",
            holder=Holder(self.holder.data),
            shown_mrial=self.shown_mrial,
        )


class InquiryForm(_PlaceForm):
    """Describe the number one wants."""

    operator_id = SelectField(N_("Operator"), coerce=int)
    digits = IntField(N_("How many digits"), [Filled()], description=N_("The operator's prefix counts."))
    tier = SelectField(N_("How round"), choices=choices(TIER_LABELS))
    number = StringField(
        N_("Which number"),
        [Optional()],
        render_kw={"inputmode": "numeric"},
        description=N_("If you want a certain one: all its digits. Leave it empty and the operator assigns one."),
    )

    def offer(self, sellers: Sequence[Any]) -> None:
        """Offer these operators."""
        self.operator_id.choices = [
            SelectChoice(each.id, f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
            for each in sellers
        ]

    @property
    def wanted(self) -> Wanted:
        """What is asked for."""
        return Wanted(
            operator_id=self.operator_id.data,
            digits=self.digits.data,
            tier=Tier(self.tier.data),
            number=self.number.data or "",
            wish=self.wish.data or "",
            holder=Holder(self.holder.data),
            shown_mrial=self.shown_mrial,
        )


class ApproveForm(Form):
    """Accept a quote; the price that is on the page goes with it."""

    price = HiddenField()

    @property
    def shown_mrial(self) -> int | None:
        """The price that stood on the page."""
        text = (self.price.data or "").strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LARGEST_MRIAL_DIGITS else None


class CancelForm(Form):
    """Take an order back."""

    reason = StringField(N_("Why"), [Optional(), Length(max=REASON_LENGTH)])


# Staff


class QuoteForm(Form):
    """What the number costs the customer, and for how long that holds."""

    price = MoneyField(N_("Price for the customer"), [Filled()])
    days = IntField(N_("Holds for days"), [Filled()], default=USUAL_QUOTE_DAYS)
    note = StringField(N_("A word to the customer"), [Optional(), Length(max=REASON_LENGTH)])


class RejectForm(Form):
    """Why an order is turned down."""

    reason = TextAreaField(
        N_("Why it is turned down"),
        [Filled(), Length(max=REASON_LENGTH)],
        render_kw={"rows": 2},
        description=N_("The customer reads this; what was set aside goes back to them."),
    )


class PurchaseForm(Form):
    """The number was bought at the operator."""

    cost = MoneyField(
        N_("What the operator takes"), [Filled()], description=N_("For our own books; the customer does not see it.")
    )
    number = StringField(
        N_("Number the operator assigned"), [Optional()], render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )
    is_without_documents = BooleanField(
        N_("Buy although documents are missing"), description=N_("It is written into the steps of this order.")
    )
    note = StringField(N_("A word to the customer"), [Optional(), Length(max=REASON_LENGTH)])


class HandOverForm(Form):
    """Over which gateway the line sends."""

    gateway_id = SelectField(N_("Gateway"), coerce=int)
    note = StringField(N_("A word to the customer"), [Optional(), Length(max=REASON_LENGTH)])

    def offer(self, gateways: Sequence[Any]) -> None:
        """Offer these gateways."""
        self.gateway_id.choices = [SelectChoice(each.id, each.name) for each in gateways]


_WAITING, _OPEN, _ALL = "", "open", "all"


class OrdersFilterForm(FilterForm):
    """What the staff's list is narrowed to."""

    state = SelectField(
        N_("State"),
        choices=[
            SelectChoice(_WAITING, N_("Waiting for us")),
            SelectChoice(_OPEN, N_("Under way")),
            SelectChoice(_ALL, N_("All")),
            *choices(ORDER_LABELS),
        ],
    )
    operator = SelectField(N_("Operator"), validate_choice=True)

    @classmethod
    def over(cls, operators: Sequence[Any]) -> "OrdersFilterForm":
        """The form as the address fills it, with these operators to choose from."""
        offered = [SelectChoice("", N_("All"))] + [
            SelectChoice(str(each.id), f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
            for each in operators
        ]
        made = type("OrdersFilterForm", (cls,), {"operator": SelectField(N_("Operator"), choices=offered)})
        return made.read()  # type: ignore[no-any-return, attr-defined]

    @property
    def is_queue(self) -> bool:
        """Whether it is what waits: the oldest first."""
        return not self.state.data

    @property
    def wanted(self) -> OrderFilter:
        """The filter."""
        state = self.state.data or _WAITING
        states = {_WAITING: FOR_STAFF, _OPEN: tuple(OPEN), _ALL: tuple(OrderState)}.get(state, (state,))
        return OrderFilter(
            states=tuple(map(str, states)), operator_id=int(self.operator.data) if self.operator.data else None
        )
