"""Short addresses: what stands behind /l/. Plain Python.

A link has a code of its own. For a send it is given to a run of ids, its *use*, and each id has an address of its own
there: the use's code, the id's place in the run, and a word that proves it was not made up. So no row is written for a
recipient, all addresses of a use are of one length, and who knows his own does not know another's.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from sms.core.errors import Refusal
from sms.core.text import N_

PATH = "/l/"
PLACE = "{link}"  # in a text: here the address of each recipient stands
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LINK_LENGTH = 7
USE_LENGTH = 5
_PLACE_LENGTH, _PROOF_LENGTH = 4, 5
TAG_LENGTH = _PLACE_LENGTH + _PROOF_LENGTH
OWN_LENGTH = USE_LENGTH + TAG_LENGTH
MOST_IDS = len(ALPHABET) ** _PLACE_LENGTH  # 14,776,336 ids of one use
KEY_BYTES = 16
STAND_IN = "x"  # as wide as any character of a code, and it runs as an address does in right-to-left text
_BASE = len(ALPHABET)
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def written(number: int, length: int) -> str:
    """A number in letters and digits, padded to a length."""
    found = []
    for _ in range(length):
        number, rest = divmod(number, _BASE)
        found.append(ALPHABET[rest])
    return "".join(reversed(found))


def read(text: str) -> int:
    """The number that letters and digits write; raises KeyError for anything else."""
    number = 0
    for character in text:
        number = number * _BASE + _VALUES[character]
    return number


def new_code(length: int, draw: Sequence[int]) -> str:
    """A code of `length` characters from as many random numbers."""
    return "".join(ALPHABET[number % _BASE] for number in draw[:length])


def _proof(key: bytes, place: int) -> str:
    digest = blake2b(place.to_bytes(4), key=key, digest_size=8).digest()
    return written(int.from_bytes(digest), _PROOF_LENGTH)


def tag(key: bytes, place: int) -> str:
    """What stands behind the code of a use for the id at a place of its run."""
    return written(place, _PLACE_LENGTH) + _proof(key, place)


def place_of(key: bytes, tagged: str) -> int | None:
    """The place that a tag names; None when it was not made by us."""
    try:
        place = read(tagged[:_PLACE_LENGTH])
    except KeyError:
        return None
    return place if len(tagged) == TAG_LENGTH and tagged == tag(key, place) else None


@dataclass(frozen=True, slots=True)
class PlainCode:
    """The address of a link itself."""

    code: str


@dataclass(frozen=True, slots=True)
class OwnCode:
    """The address of one id of a use."""

    code: str
    tag: str


def read_code(text: str) -> PlainCode | OwnCode | None:
    """What stands behind /l/, by its length; None for what no code of ours looks like."""
    if not text.isascii() or not text.isalnum():
        return None
    if len(text) == LINK_LENGTH:
        return PlainCode(text)
    if len(text) == OWN_LENGTH:
        return OwnCode(text[:USE_LENGTH], text[USE_LENGTH:])
    return None


# In texts


def with_address(body: str, base: str) -> str:
    """A text before it is sent, with a stand-in for each recipient's address that is exactly as long and as wide."""
    return body.replace(PLACE, f"{base}{PATH}{STAND_IN * OWN_LENGTH}")


def check_place(body: str, *, has_link: bool) -> None:
    """Raises Refusal when a link was chosen and has no place in the text, or the other way round."""
    has_place = PLACE in body
    if has_link and not has_place:
        raise Refusal(N_("Write %(place)s where the link should stand in the text."), place=PLACE)
    if has_place and not has_link:
        raise Refusal(N_("The text has a place for a link, %(place)s: choose the link too."), place=PLACE)


@dataclass(frozen=True, slots=True)
class Use:
    """A link as it was given to a run of `count` ids from `first_id` on; its addresses begin with `base`."""

    base: str
    code: str
    first_id: int
    count: int
    key: bytes = field(repr=False)

    @property
    def stand_in(self) -> str:
        """What stands in the common text instead of each one's own address."""
        return f"{self.base}{PATH}{self.code}{STAND_IN * TAG_LENGTH}"

    def address(self, message_id: int) -> str:
        """The address of one id."""
        return f"{self.base}{PATH}{self.code}{tag(self.key, message_id - self.first_id)}"

    def text(self, body: str, message_id: int) -> str:
        """The common text with the id's own address in it."""
        return body.replace(self.stand_in, self.address(message_id))

    def id_of(self, tagged: str) -> int | None:
        """The id that a tag stands for; None when it was not made by us."""
        place = place_of(self.key, tagged)
        return self.first_id + place if place is not None and place < self.count else None
