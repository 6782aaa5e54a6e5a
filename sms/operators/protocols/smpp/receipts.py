"""Delivery receipts: by their parameters first, by their text second (SMPP 3.4 appendix B, and what became of it).

Fields may be missing, in another order, in other cases, glued, or followed by text in any alphabet."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from sms.operators.protocols.smpp.pdus import Delivered, Tag
from sms.operators.protocols.smpp.texts import UCS2_CODING
from sms.operators.rules import Outcome

# 5.2.28 message_state, and the words of appendix B.
_STATES: Mapping[int, str] = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
# A state that is not final has no outcome.
OUTCOMES: Mapping[str, Outcome | None] = {
    "ENROUTE": None,
    "ACCEPTD": None,  # taken by a machine or a person in its place, not on the handset
    "UNKNOWN": None,  # nobody knows: never a reason to pay back
    "DELIVRD": Outcome.DELIVERED,
    "EXPIRED": Outcome.UNDELIVERED,  # its validity ran out at the operator
    "DELETED": Outcome.UNDELIVERED,
    "UNDELIV": Outcome.UNDELIVERED,
    "REJECTD": Outcome.UNDELIVERED,
}
_ALIASES: Mapping[str, str] = {
    "DELIVERED": "DELIVRD",
    "DELIVERD": "DELIVRD",
    "UNDELIVERED": "UNDELIV",
    "UNDELIVERABLE": "UNDELIV",
    "UNDELIVRD": "UNDELIV",
    "FAILED": "UNDELIV",
    "REJECTED": "REJECTD",
    "ACCEPTED": "ACCEPTD",
}
# As the standard writes it, which is how nearly all arrive; anything else is read field by field.
_USUAL = re.compile(rb"id:(\S+) sub:\S* dlvrd:\S* submit date:\d* done date:(\d*) stat:([A-Z]+) err:(\w*)(?:\s|$)")
_NAME = rb"(?:sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err)"
_FIELD = re.compile(rb"(?i)(\bid|%b)\s*:\s*([^\s,;:]*?)(?=[\s,;]|$|%b\s*:)" % (_NAME, _NAME))
_TEXT = re.compile(rb"(?i)text\s*:")
_DATE = re.compile(r"(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?")
_TEHRAN_STANDARD = timezone(timedelta(hours=3, minutes=30))
_RECEIPTED, _STATE, _REFERENCE, _ERROR = (
    int(tag)
    for tag in (
        Tag.RECEIPTED_MESSAGE_ID,
        Tag.MESSAGE_STATE,
        Tag.USER_MESSAGE_REFERENCE,
        Tag.NETWORK_ERROR_CODE,
    )
)
_LONGEST = 100  # of an id or a word
_ERROR_BYTES = 3  # the kind of network and a number


class Told(NamedTuple):
    """What a receipt says: the operator's id as it wrote it, the state's word, its error code, when it was done, and
    our own reference; empty or None where it says nothing."""

    ref: str
    state: str
    error: str
    done_at: datetime | None
    user_reference: int | None


def read_receipt(delivered: Delivered) -> Told:
    """The receipt in a `deliver_sm`."""
    tlvs = delivered.tlvs
    ref, done, state, error = _fields(_plain(delivered))
    receipted = tlvs.get(_RECEIPTED)
    if receipted:
        ref = receipted.partition(b"\0")[0].strip() or ref
    reference = tlvs.get(_REFERENCE)
    word, error_code, done_at = _said(done, state, error, tlvs.get(_STATE), tlvs.get(_ERROR))
    return Told(
        _kept(ref.decode("latin-1")), word, error_code, done_at, int.from_bytes(reference) if reference else None
    )


@lru_cache(maxsize=4096)  # the receipts of a second say few different things
def _said(
    done: bytes, state: bytes, error: bytes, stated: bytes | None, error_told: bytes | None
) -> tuple[str, str, datetime | None]:
    """State, error code and moment, from the text and the two parameters that say them too."""
    word = _kept(state.decode("latin-1")).upper()
    word = _STATES[stated[0]] if stated and stated[0] in _STATES else _ALIASES.get(word, word)
    code = _kept(error.decode("latin-1"))
    if not code and error_told is not None and len(error_told) == _ERROR_BYTES:
        code = str(int.from_bytes(error_told[1:]))
    return word, code, _moment(done.decode("latin-1"))


def _kept(text: str) -> str:
    """What an operator wrote, as far as it is text."""
    return "".join(filter(str.isprintable, text))[:_LONGEST] if not text.isprintable() or len(text) > _LONGEST else text


def code_of(told: Told) -> str:
    """State and error as they are kept for people."""
    return f"{told.state}:{told.error}" if told.error.strip("0") else told.state


def _plain(delivered: Delivered) -> bytes:
    content = delivered.content
    if delivered.data_coding & 0x0F == UCS2_CODING or content[:1] == b"\0":
        return content.decode("utf-16-be", "replace").encode("latin-1", "replace")
    return content


def _fields(text: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Id, done date, state and error, as they are written."""
    usual = _USUAL.match(text)
    if usual is not None:
        return usual.groups()  # type: ignore[return-value]
    # What follows "text:" was written by a customer and is never read.
    found: dict[str, bytes] = {}
    for name, value in _FIELD.findall(_TEXT.split(text, maxsplit=1)[0]):
        found.setdefault(re.sub("[ _]", "", name.decode().lower()), value)
    return found.get("id", b""), found.get("donedate", b""), found.get("stat", b""), found.get("err", b"")


def _moment(text: str) -> datetime | None:
    """YYMMDDhhmm with or without seconds, Tehran's clock; only shown, so a nonsensical one is no moment."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(group or 0) for group in found.groups())
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=_TEHRAN_STANDARD).astimezone(UTC)
    except ValueError:
        return None
