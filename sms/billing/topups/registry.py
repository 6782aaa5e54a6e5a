"""The one list of payment gateways: a new one is a module beside the others and a line here."""

from sms.billing.topups.adapters.simulated import Simulated
from sms.billing.topups.adapters.zarinpal import Zarinpal
from sms.billing.topups.contract import Access, PaymentGateway
from sms.core.errors import NotFound
from sms.core.text import N_

ADAPTERS: dict[str, type[PaymentGateway]] = {adapter.code: adapter for adapter in (Zarinpal, Simulated)}


def build(code: str, access: Access) -> PaymentGateway:
    """A gateway ready to talk; close it after use. Raises NotFound, or Unreachable for an unusable address."""
    if code not in ADAPTERS:
        raise NotFound(N_("There is no payment gateway of this kind."))
    return ADAPTERS[code](access)
