"""Formats, prices and numbers to begin with: what resellers have published at various dates (domain reference §1.2 to
§1.5). Editable sample data, never official prices. Amounts are thousands of rial."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sms.core.money import MRIAL_PER_RIAL
from sms.lines.formats.rules.offers import INQUIRY, Cell, Format, Offer, priced
from sms.lines.formats.rules.sheet import Column
from sms.lines.formats.rules.tiers import TIERS, Audience, Choice, Tier
from sms.operators.rules import SaleMode

DISCOUNT_PERCENT: Mapping[Audience, int] = {Audience.RESELLER: 10, Audience.SPECIAL_RESELLER: 20}
STEP_RIAL = 10_000

_PLAIN, _SEMI, _ROUND, _VERY = Tier
_ASSIGNED, _CUSTOM = Choice
_ASKED = None  # by inquiry


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """A format with the customers' prices in thousands of rial; None is by inquiry."""

    format: Format
    thousands: Mapping[Column, int | None]

    def offers(self, operator_id: int) -> Iterator[tuple[Cell, Offer]]:
        """The cells it fills."""
        for (tier, choice), amount in self.thousands.items():
            offer = INQUIRY if amount is None else priced(amount * 1000 * MRIAL_PER_RIAL)
            yield Cell(operator_id, self.format.digits, tier, choice, Audience.CUSTOMER), offer


def _two(digits: int, assigned: int | None, custom: int | None, **more: object) -> SampleFormat:
    """Two prices, assigned and chosen; very round ones by inquiry."""
    wanted = Format(digits=digits, tiers=(_PLAIN, _VERY), **more)  # type: ignore[arg-type]
    thousands: dict[Column, int | None] = {(_PLAIN, _ASSIGNED): assigned, (_VERY, _ASSIGNED): _ASKED}
    if wanted.choosable_digits:
        thousands |= {(_PLAIN, _CUSTOM): custom, (_VERY, _CUSTOM): _ASKED}
    return SampleFormat(wanted, thousands)


def _four(digits: int, assigned: tuple[int, int, int, int | None], custom: int) -> SampleFormat:
    """Four tiers; what the customer chooses costs the same whatever comes of it."""
    wanted = Format(
        digits=digits, tiers=TIERS, choosable_digits=digits - 4, renewal_percent=60, renewal_months=12, grace_days=30
    )
    thousands: dict[Column, int | None] = {
        **{(tier, _ASSIGNED): amount for tier, amount in zip(TIERS, assigned, strict=True)},
        **dict.fromkeys(((_PLAIN, _CUSTOM), (_SEMI, _CUSTOM), (_ROUND, _CUSTOM)), custom),
        (_VERY, _CUSTOM): _ASKED,
    }
    return SampleFormat(wanted, thousands)


def _one(digits: int, assigned: int | None, custom: int | None = None, **more: object) -> SampleFormat:
    """One price a length, whatever the number looks like."""
    wanted = Format(digits=digits, renewal_percent=20, **more)  # type: ignore[arg-type]
    thousands: dict[Column, int | None] = {(_PLAIN, _ASSIGNED): assigned}
    if wanted.choosable_digits:
        thousands[_PLAIN, _CUSTOM] = custom
    return SampleFormat(wanted, thousands)


FORMATS: Mapping[str, tuple[SampleFormat, ...]] = {
    "1000": (
        _two(6, _ASKED, _ASKED, choosable_digits=2),
        _two(7, _ASKED, _ASKED, choosable_digits=3),
        _two(8, 26_000, 65_000, choosable_digits=4),
        _two(9, 8_500, 17_000, choosable_digits=5),
        _two(10, 5_200, 11_320, choosable_digits=6),
        _two(11, 2_480, 4_960, choosable_digits=7),
        _two(12, 1_760, 3_540, choosable_digits=8),
        _two(13, 700, 1_400, choosable_digits=9),
        _two(14, 500, 1_000, choosable_digits=10),
    ),
    "2000": (
        _four(8, (12_000, 14_000, 16_000, 60_000), 25_000),
        _four(9, (7_000, 8_000, 10_000, 50_000), 15_000),
        _four(10, (4_000, 5_000, 7_000, _ASKED), 10_000),
        _four(12, (1_500, 2_500, 3_000, _ASKED), 3_500),
    ),
    # No 9 digits, as the founding text says; the owner of 8 comes first for the longer ones under them.
    "3000": (
        _one(8, _ASKED, gives_priority=True),
        _one(10, 1_200),
        _one(12, 1_000),
        _one(14, 130, 250, choosable_digits=6),
    ),
    "5000": (
        _two(7, _ASKED, _ASKED, renewal_percent=20),
        _two(8, _ASKED, _ASKED, renewal_percent=20),
        _two(9, 2_100, _ASKED, choosable_digits=4, renewal_percent=20),
        _two(10, 1_750, _ASKED, choosable_digits=5, renewal_percent=20),
        _two(11, 1_350, 2_700, choosable_digits=6, renewal_percent=20),
        _two(12, 600, 1_200, choosable_digits=7, renewal_percent=20),
        _two(13, 260, 520, choosable_digits=8, renewal_percent=20),
        _two(14, 150, 300, choosable_digits=9, renewal_percent=20),
        _one(15, 750, sale_mode=SaleMode.RANGE, range_digits=1),
    ),
}
_PLAIN_NUMBERS = 5
_SPECIAL_ENDS = ("1404", "1405", "5050")


def sample_numbers(code: str) -> Iterator[str]:
    """Free numbers of an operator, of every length it sells and of all tiers; the same ones every time."""
    for each in FORMATS.get(code, ()):
        free = each.format.digits - len(code) - (each.format.range_digits or 0)
        end = "x" * (each.format.range_digits or 0)
        tails = dict.fromkeys([*_round_tails(free), *_plain_tails(code, free)])
        yield from (f"{code}{tail}{end}" for tail in tails)


def _round_tails(free: int) -> Iterator[str]:
    yield ("1234567890" * 2)[:free]
    yield "7" + "0" * (free - 1)
    yield ("25" * free)[:free]
    yield "".join(pair * 2 for pair in "1827364509")[:free]
    half = ("31482" * 2)[: (free + 1) // 2]
    yield half + half[: free // 2][::-1]


def _plain_tails(code: str, free: int) -> Iterator[str]:
    chance = random.Random(f"{code}-{free}")
    for _ in range(_PLAIN_NUMBERS):
        yield "".join(chance.choices("0123456789", k=free))
    for end in _SPECIAL_ENDS:
        if free > len(end):
            yield "".join(chance.choices("123456789", k=free - len(end))) + end
