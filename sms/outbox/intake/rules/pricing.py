"""What a draft comes to: used alike by the preview and by the acceptance, so that they cannot differ."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from sms.core.errors import Refusal
from sms.core.parts import Encoding, Measure, measure, profile_of
from sms.core.text import N_
from sms.outbox.rules import MAX_PARTS

EVERY_LINE = "*"
AnyShared = TypeVar("AnyShared", bound="Shared")


def measured(body: str, *, joined_units: int) -> Measure:
    """The text measured for a line; raises Refusal when it cannot be sent at all."""
    found = measure(body, profile_of(joined_units))
    if not found.parts:
        raise Refusal(N_("The text is empty."))
    if found.parts > MAX_PARTS:
        raise Refusal(
            N_("The text has %(parts)s parts; an operator takes %(most)s at most."), parts=found.parts, most=MAX_PARTS
        )
    return found


def language_of(encoding: Encoding) -> str:
    """The tariff's language: GSM texts are priced as Latin, all others as Persian."""
    return "latin" if encoding is Encoding.GSM else "persian"


def sendable(
    networks: Mapping[str, int], suppressed: Mapping[str, Mapping[str, int]], *, line_id: int | None
) -> dict[int, int]:
    """How many recipients of each network a line would send to, by the opt-outs known when the list was read."""
    taken = suppressed.get(str(line_id), suppressed.get(EVERY_LINE, {}))
    return {int(network): count - taken.get(network, 0) for network, count in networks.items()}


def total_mrial(counts: Mapping[int, int], prices_mrial: Mapping[int, int], *, parts: int) -> int:
    """The price of all of them."""
    return parts * sum(count * prices_mrial[network] for network, count in counts.items() if count)


class Shared(Protocol):
    """A price of a part with what each level above earns of it."""

    @property
    def shares_mrial(self) -> Sequence[int]:
        """Nearest first; below zero where that level loses."""


def losses_mrial(sold: Mapping[AnyShared, int], *, levels: int, parts: int) -> list[int]:
    """What each level loses of so many messages at each price, where it sells below its own: nearest first."""
    return [
        parts * sum(count * max(0, -price.shares_mrial[level]) for price, count in sold.items())
        for level in range(levels)
    ]
