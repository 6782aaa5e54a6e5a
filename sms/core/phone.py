"""Iranian mobile numbers in every spelling people use (rules: domain reference §8)."""

from collections.abc import Mapping

_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
# What people and spreadsheets put between and around digits: blanks, dashes, brackets, dots, joiners and direction
# marks.
_NOISE = dict.fromkeys(
    [
        *map(ord, " \t\r\n-()[]{}./_'\"\u00a0\u00ad\u066b"),
        *range(0x2000, 0x2016),  # spaces, joiners, direction marks, dashes
        *range(0x202A, 0x2030),
        *range(0x2066, 0x206A),
        0x2212,
        0xFEFF,
    ]
)
_TABLE = {**_FOLD, **_NOISE}
_NATIONAL_LENGTH = 10
_PREFIXES = ("0098", "098", "98", "0")  # what may stand before the ten national digits


def normalise(text: str) -> int | None:
    """The number as 98 and ten digits, e.g. 989121234567; None when it is no Iranian mobile number."""
    if len(text) == 11 and text.isascii() and text.isdigit():  # noqa: PLR2004 - the common spelling, first
        return int("98" + text[1:]) if text.startswith("09") else None
    digits = text.translate(_TABLE)
    if digits.lower().startswith("tel:"):
        digits = digits[4:]
    if digits.startswith("+"):
        digits = digits[1:]
        if not digits.startswith("98"):
            return None
    return _national(digits)


def _national(digits: str) -> int | None:
    if not (digits.isascii() and digits.isdigit()):
        return None
    for prefix in _PREFIXES:
        rest = digits.removeprefix(prefix)
        if len(rest) == _NATIONAL_LENGTH and rest.startswith("9") and rest != digits:
            return int("98" + rest)
    if len(digits) == _NATIONAL_LENGTH and digits.startswith("9"):
        return int("98" + digits)
    return None


def local(number: int) -> str:
    """The way people write it: 09121234567."""
    return "0" + str(number)[2:]


def masked(number: int) -> str:
    """For logs and screens that must not show it whole: 0912***4567."""
    text = local(number)
    return f"{text[:4]}***{text[-4:]}"


class NetworkGuess:
    """Guesses a number's network by its longest known prefix; after porting it is only a guess (domain reference
    §8)."""

    def __init__(self, prefixes: Mapping[str, int]) -> None:
        """`prefixes` maps national prefixes such as "912" to network ids."""
        self._prefixes = prefixes
        self._lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
        self._by_head: dict[int, int] = {}

    def of(self, number: int) -> int:
        """The network id, or 0 when no prefix matches."""
        head = number // 100_000  # 98 and five more digits: no known prefix is longer
        found = self._by_head.get(head)
        if found is None:
            found = self._by_head[head] = self._search(str(head)[2:])
        return found

    def _search(self, national: str) -> int:
        for length in self._lengths:
            found = self._prefixes.get(national[:length])
            if found is not None:
                return found
        return 0
