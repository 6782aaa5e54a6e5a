"""Forms of top-ups: what a customer pays in, and the staff's gateways and policy."""

from typing import Any

from wtforms import BooleanField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Optional

from sms.billing.topups import queries
from sms.billing.topups.operations.settings import GatewaySettings
from sms.billing.topups.queries import Policy
from sms.billing.topups.registry import ADAPTERS
from sms.billing.topups.rules import STATE_LABELS
from sms.core.text import N_
from sms.core.web.forms import Filled, FilterForm, Form, IntField, MoneyField

_ANY = SelectChoice("", N_("Any"))


class TopupForm(Form):
    """How much, and where it is paid."""

    amount = MoneyField(N_("Amount"), [Filled()], description=N_("What is to enter the balance; VAT comes on top."))
    gateway_id = SelectField(N_("Payment gateway"), coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gateways = queries.gateways(is_active=True)
        self.gateway_id.choices = [SelectChoice(each.id, each.name) for each in self.gateways]


class TopupListForm(FilterForm):
    """What the staff's list is narrowed to."""

    state = SelectField(
        N_("State"), choices=[_ANY, *(SelectChoice(code, label) for code, label in STATE_LABELS.items())]
    )
    gateway_id = SelectField(N_("Payment gateway"))
    account = StringField(N_("Account"), filters=[lambda text: (text or "").strip()])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gateway_id.choices = [_ANY, *(SelectChoice(str(each.id), each.name) for each in queries.gateways())]

    @property
    def narrowed(self) -> dict[str, Any]:
        """As the query takes it."""
        gateway_id = int(self.gateway_id.data) if self.gateway_id.data else None
        return {"state": self.state.data or "", "gateway_id": gateway_id, "account": self.account.data or ""}


class GatewayForm(Form):
    """A payment gateway; the merchant's id is written and never shown again."""

    adapter = SelectField(N_("Kind"), choices=[SelectChoice(code, adapter.label) for code, adapter in ADAPTERS.items()])
    name = StringField(N_("Name"), [Filled()], description=N_("Customers read it where they choose how to pay."))
    merchant_id = StringField(
        N_("Merchant’s id"),
        render_kw={"autocomplete": "off"},
        description=N_("Sealed; empty leaves the one that is kept."),
    )
    base_url = StringField(
        N_("Address"), [Optional()], description=N_("Empty: the usual one. The simulated page needs one.")
    )
    is_sandbox = BooleanField(N_("Sandbox: nothing is really paid"))
    is_active = BooleanField(N_("In use"))
    least = MoneyField(N_("Least amount"), [Filled()], default=100_000_000)
    most = MoneyField(N_("Most at once"), [Filled()], default=500_000_000_000)

    @property
    def settings(self) -> GatewaySettings:
        """What was decided."""
        return GatewaySettings(
            name=self.name.data or "",
            base_url=(self.base_url.data or "").strip().rstrip("/"),
            is_sandbox=bool(self.is_sandbox.data),
            is_active=bool(self.is_active.data),
            least_mrial=self.least.data or 0,
            most_mrial=self.most.data or 0,
        )

    @property
    def credentials(self) -> dict[str, str]:
        """What was typed, to be sealed."""
        merchant_id = (self.merchant_id.data or "").strip()
        return {"merchant_id": merchant_id} if merchant_id else {}


class PolicyForm(Form):
    """How often, and what new accounts may pay in."""

    tries = IntField(N_("Tries an hour"), [Filled()])
    new_days = IntField(N_("An account is new for so many days"), [Filled()])
    new_most = MoneyField(N_("A new account pays in at most, within 24 hours"), [Filled()])

    @property
    def policy(self) -> Policy:
        """What was decided."""
        return Policy(self.tries.data or 0, self.new_days.data or 0, self.new_most.data or 0)
