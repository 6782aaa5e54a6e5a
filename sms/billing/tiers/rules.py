"""Which discount an account's top-ups earn, until when, and why. Plain Python: amounts in milli-rial."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.text import N_

WHOLE = 1000
MOST_DAYS = 3660
LONGEST_REASON = 300


class TierAudience(StrEnum):
    """Whose step it is: the kinds of accounts that stand under the installation."""

    CUSTOMER = "customer"
    RESELLER = "reseller"


class Basis(StrEnum):
    """What is compared with the step's amount."""

    SINGLE = "single"
    SUM = "sum"


AUDIENCE_LABELS: dict[str, str] = {TierAudience.CUSTOMER: N_("Customers"), TierAudience.RESELLER: N_("Resellers")}
BASIS_LABELS: dict[str, str] = {
    Basis.SINGLE: N_("One top-up of the last days"),
    Basis.SUM: N_("All top-ups of the last days together"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """From `from_mrial` on, so many thousandths less than the tariff."""

    id: int
    basis: Basis
    days: int
    from_mrial: int
    discount_permille: int


@dataclass(frozen=True, slots=True)
class PaidIn:
    """A top-up that was paid and not taken back."""

    amount_mrial: int
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class Earned:
    """A step that is reached: by how much, and until when if nothing more is paid in."""

    step: Step
    counted_mrial: int
    valid_until: datetime


def earned(steps: Iterable[Step], paid: Sequence[PaidIn], *, at: datetime) -> list[Earned]:
    """The steps that top-ups (the newest first) reach at a moment.

    A step of a single top-up lasts as long as the newest that is large enough counts; one of a sum until so many of the
    oldest have dropped out that the rest no longer reaches it.
    """
    reached = (_reached(step, paid, at) for step in steps)
    return [each for each in reached if each is not None]


def _reached(step: Step, paid: Sequence[PaidIn], at: datetime) -> Earned | None:
    lasts = timedelta(days=step.days)
    counting = [each for each in paid if at - lasts < each.paid_at <= at]
    if step.basis is Basis.SINGLE:
        large = next((each for each in counting if each.amount_mrial >= step.from_mrial), None)
        return Earned(step, large.amount_mrial, large.paid_at + lasts) if large is not None else None
    so_far_mrial = 0
    for each in counting:
        so_far_mrial += each.amount_mrial
        if so_far_mrial >= step.from_mrial:
            whole_mrial = sum(other.amount_mrial for other in counting)
            return Earned(step, whole_mrial, each.paid_at + lasts)
    return None


def discounted(price_mrial: int, *, permille: int) -> int:
    """A price less its discount; what does not come out whole stays with the price."""
    return price_mrial - price_mrial * permille // WHOLE


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands: its discount, the step or the reason behind it, and the next step (both may be None)."""

    discount_permille: int = 0
    step: Step | None = None
    counted_mrial: int = 0
    reason: str = ""
    valid_until: datetime | None = None
    following: Step | None = None
    missing_mrial: int = 0

    @property
    def is_by_hand(self) -> bool:
        """Whether staff have set it."""
        return bool(self.reason)

    @property
    def why(self) -> str:
        """Why, as a message id with places for percent, counted, days, from, until and reason."""
        if self.is_by_hand:
            return N_("Our staff set %(percent)s percent off for you: %(reason)s")
        if self.step is None:
            return N_("You pay the usual prices: no tier is reached yet.")
        if self.step.basis is Basis.SINGLE:
            return N_(
                "You pay %(percent)s percent less because of one top-up of %(counted)s: this tier begins at %(from)s"
                " and lasts %(days)s days from such a top-up, so until %(until)s."
            )
        return N_(
            "You pay %(percent)s percent less because you topped up %(counted)s within %(days)s days: this tier begins"
            " at %(from)s and lasts until %(until)s if you top up no more."
        )


def next_step(
    steps: Sequence[Step], paid: Sequence[PaidIn], *, above_permille: int, at: datetime
) -> tuple[Step, int] | None:
    """The step above a discount that is nearest, and how much more one top-up must bring to reach it."""
    missing = [
        (step, step.from_mrial - _counted(step, paid, at)) for step in steps if step.discount_permille > above_permille
    ]
    return min(missing, key=lambda pair: (pair[1], -pair[0].discount_permille), default=None)


def _counted(step: Step, paid: Sequence[PaidIn], at: datetime) -> int:
    """What counts already towards a step; of single top-ups nothing does."""
    if step.basis is Basis.SINGLE:
        return 0
    return sum(each.amount_mrial for each in paid if at - timedelta(days=step.days) < each.paid_at <= at)
