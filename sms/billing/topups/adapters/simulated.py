"""A payment page of the simulator: Zarinpal's protocol at an address of our own, where nobody pays real money."""

from typing import ClassVar

from sms.billing.topups.adapters.zarinpal import Zarinpal
from sms.core.text import N_


class Simulated(Zarinpal):
    """The same talk, another address, which has to be given."""

    code: ClassVar[str] = "simulated"
    label: ClassVar[str] = N_("Simulated payment page")
    needs_address: ClassVar[bool] = True
