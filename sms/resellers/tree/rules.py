"""What keeps an account from being closed. Plain Python."""

from dataclasses import dataclass

from sms.core.errors import Refusal
from sms.core.text import N_


@dataclass(frozen=True, slots=True)
class StillOpen:
    """What an account still has; all of it is empty before it can be closed. Amounts in milli-rial."""

    balance_mrial: int
    held_mrial: int
    campaigns: int
    orders: int
    lines: int

    def check(self) -> None:
        """Raise Refusal naming the first thing that is open."""
        if self.campaigns:
            raise Refusal(N_("%(count)s sends of this account are not closed yet."), count=self.campaigns)
        if self.orders:
            raise Refusal(N_("%(count)s line orders of this account are open."), count=self.orders)
        if self.held_mrial:
            raise Refusal(N_("%(held)s of this account is still set aside."), held_mrial=self.held_mrial)
        if self.balance_mrial > 0:
            raise Refusal(N_("This account still has %(rest)s; take it back first."), rest_mrial=self.balance_mrial)
        if self.balance_mrial < 0:
            raise Refusal(N_("This account still owes %(debt)s; settle it first."), debt_mrial=-self.balance_mrial)
        if self.lines:
            raise Refusal(
                N_("%(count)s lines belong to this account; they have to be taken back first."), count=self.lines
            )
