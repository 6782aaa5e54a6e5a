"""What each simulated operator is like, and what becomes of a recipient by its last two digits."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from math import inf

_SPREAD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: neighbours in, far apart out
_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Speech(StrEnum):
    """The protocol an operator speaks."""

    MAGFA = "magfa"
    SMPP = "smpp"
    KAVENEGAR = "kavenegar"


class Status(IntEnum):
    """Magfa's delivery statuses, which stand for the fates at the others too."""

    UNKNOWN_ID = -1
    NONE_YET = 0
    DELIVERED = 1
    UNDELIVERED = 2
    REACHED_TELECOM = 8
    NOT_IN_NETWORK = 16
    BLOCKED = 27


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one recipient; `status` is what the report says in the end."""

    name: str
    status: int
    is_refused: bool = False  # at submit, with a status of its own: never accepted
    is_cut: bool = False  # accepted, but the reply breaks off
    is_reported: bool = True


_DELIVERED = Fate("delivered", Status.DELIVERED)
_SPECIAL: dict[range, Fate] = {
    range(90, 94): Fate("blocked", Status.BLOCKED),
    range(94, 96): Fate("not in network", Status.NOT_IN_NETWORK),
    range(96, 97): Fate("undelivered", Status.UNDELIVERED),
    range(97, 98): Fate("refused at submit", Status.UNKNOWN_ID, is_refused=True),
    range(98, 99): Fate("never reported", Status.REACHED_TELECOM, is_reported=False),
    range(99, 100): Fate("accepted, reply cut", Status.DELIVERED, is_cut=True),
}
FATES: tuple[Fate, ...] = tuple(
    next((fate for digits, fate in _SPECIAL.items() if last in digits), _DELIVERED) for last in range(100)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """One operator as it is when nobody has touched its controls."""

    code: str
    speech: Speech
    username: str = "payamgah"
    domain: str = "sample"
    password: str
    accept_delay_ms: float
    report_delay_seconds: tuple[float, float]
    tariff_mrial: dict[str, int]  # a part, by alphabet
    credit_mrial: int = 10**15
    duplicates: str = "accept"  # a uid seen before: accepted again, or told its first id
    told_at_once: frozenset[int] = frozenset()  # statuses that do not wait for the report delay
    horizon_seconds: float = 24 * 3600  # older messages are forgotten, as at the real one
    uid_horizon_seconds: float = 24 * 3600  # and sooner by our own id


CHARACTERS: dict[str, Character] = {
    character.code: character
    for character in (
        Character(
            code="1000",
            speech=Speech.SMPP,
            password="smpp1000",  # noqa: S106 - opens nothing but this toy; SMPP has room for eight characters
            accept_delay_ms=2,
            report_delay_seconds=(1, 3),
            tariff_mrial={"UCS2": 1_120_000, "DEFAULT": 2_240_000},
        ),
        Character(
            code="2000",
            speech=Speech.MAGFA,
            password="sample-2000",  # noqa: S106 - opens nothing but this toy
            accept_delay_ms=40,
            report_delay_seconds=(15, 40),
            tariff_mrial={"UCS2": 1_260_000, "DEFAULT": 2_520_000},
            told_at_once=frozenset({Status.NOT_IN_NETWORK}),
        ),
        Character(
            code="3000",
            speech=Speech.MAGFA,
            password="sample-3000",  # noqa: S106 - opens nothing but this toy
            accept_delay_ms=20,
            report_delay_seconds=(1, 3),
            tariff_mrial={"UCS2": 1_050_000, "DEFAULT": 2_100_000},
        ),
        Character(
            code="5000",
            speech=Speech.KAVENEGAR,
            password="sample-5000",  # noqa: S106 - opens nothing but this toy; the key in the address
            accept_delay_ms=60,
            report_delay_seconds=(15, 40),
            tariff_mrial={"UCS2": 900_000, "DEFAULT": 1_800_000},
            duplicates="same",
            horizon_seconds=48 * 3600,
            uid_horizon_seconds=12 * 3600,
        ),
    )
}


def report_delay(fate: Fate, recipient: int, *, between: tuple[float, float], character: Character, seed: int) -> float:
    """Seconds until the report: the same for the same seed and recipient, whatever the order of arrival."""
    if not fate.is_reported:
        return inf
    if fate.status in character.told_at_once:
        return 0.0
    low, high = between
    return low + (high - low) * ((recipient + seed) * _SPREAD & _MASK) / (_MASK + 1)
