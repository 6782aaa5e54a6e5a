"""What papers there are, what a file of one may be, and which national codes can exist. Plain Python."""

from collections.abc import Sequence
from enum import StrEnum

from sms.core.text import N_
from sms.lines.rules import UnusableLine


class Holder(StrEnum):
    """In whose name a line is."""

    PERSON = "person"
    COMPANY = "company"
    GOVERNMENT = "government"


HOLDER_LABELS: dict[Holder, str] = {
    Holder.PERSON: N_("A person"),
    Holder.COMPANY: N_("A company"),
    Holder.GOVERNMENT: N_("A public body"),
}


class DocumentKind(StrEnum):
    """Which paper it is."""

    NATIONAL_CARD = "national_card"
    BIRTH_CERTIFICATE = "birth_certificate"
    GAZETTE = "gazette"
    LETTER = "letter"
    COMMITMENT = "commitment"
    BILL = "bill"
    LICENCE = "licence"
    OTHER = "other"


DOCUMENT_LABELS: dict[DocumentKind, str] = {
    DocumentKind.NATIONAL_CARD: N_("National card, both sides"),
    DocumentKind.BIRTH_CERTIFICATE: N_("Birth certificate, first page"),
    DocumentKind.GAZETTE: N_("Official gazette with the signatories"),
    DocumentKind.LETTER: N_("Letter of introduction"),
    DocumentKind.COMMITMENT: N_("Signed commitment"),
    DocumentKind.BILL: N_("Telephone bill or deed"),
    DocumentKind.LICENCE: N_("Licence or e-namad"),
    DocumentKind.OTHER: N_("Another document"),
}


class DocumentState(StrEnum):
    """Whether staff have looked at it, and what they found."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


STATE_LABELS: dict[DocumentState, str] = {
    DocumentState.PENDING: N_("Waits for review"),
    DocumentState.APPROVED: N_("Accepted"),
    DocumentState.REJECTED: N_("Turned down"),
}

MOST_BYTES = 5_000_000
MOST_A_DAY = 40
NAME_LENGTH = 100
REASON_LENGTH = 300
NEEDS_CODE = frozenset({DocumentKind.NATIONAL_CARD})

JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"
_BEGINNINGS = ((b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", PNG), (b"%PDF-1.", PDF), (b"%PDF-2.", PDF))
_ENDINGS = {JPEG: b"\xff\xd9", PNG: b"IEND", PDF: b"%%EOF"}
LOOK_BYTES = 1024


def media_type(beginning: bytes, ending: bytes) -> str:
    """What a file is by its first and last bytes, whatever its name says; raises UnusableLine for anything but a whole
    JPEG, PNG or PDF."""
    found = next((kind for mark, kind in _BEGINNINGS if beginning.startswith(mark)), None)
    if found is None:
        raise UnusableLine("file", N_("Upload a photo (JPEG or PNG) or a PDF; this file is neither."))
    if _ENDINGS[found] not in ending[-LOOK_BYTES:]:
        raise UnusableLine("file", N_("This file is cut off or damaged; save it anew and upload it again."))
    return found


def shown_name(name: str | None) -> str:
    """The name a file came with, fit to be shown: no folders, no control characters, not too long."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(mark for mark in last if mark.isprintable()).strip()[-NAME_LENGTH:] or "document"


# National codes

_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_PERSON_DIGITS, _COMPANY_DIGITS = 10, 11
_COMPANY_WEIGHTS = (29, 27, 23, 19, 17, 29, 27, 23, 19, 17)
_SHOWN_FIRST, _SHOWN_LAST = 3, 2


def national_code(text: str) -> str:
    """The digits of a national code as somebody wrote them: ten of a person, eleven of a company, with the check digit
    that the Civil Registration and the company register put at the end. Raises UnusableLine."""
    code = "".join(mark for mark in text.translate(_FOLD) if mark not in " -‌")
    if not (code.isascii() and code.isdecimal() and len(code) in {_PERSON_DIGITS, _COMPANY_DIGITS}):
        raise UnusableLine(
            "national_code", N_("A national code has 10 digits, the national identifier of a company has 11.")
        )
    holds = _is_persons(code) if len(code) == _PERSON_DIGITS else _is_companys(code)
    if not holds:
        raise UnusableLine("national_code", N_("There is no such national code: look at its digits once more."))
    return code


def _is_persons(code: str) -> bool:
    if len(set(code)) == 1:
        return False
    rest = sum(int(digit) * (_PERSON_DIGITS - place) for place, digit in enumerate(code[:-1])) % 11
    return int(code[-1]) == (rest if rest < 2 else 11 - rest)  # noqa: PLR2004 - the rule itself


def _is_companys(code: str) -> bool:
    if len(set(code)) == 1:
        return False
    shift = int(code[-2]) + 2
    rest = sum((int(digit) + shift) * weight for digit, weight in zip(code[:-1], _COMPANY_WEIGHTS, strict=True)) % 11
    return int(code[-1]) == rest % 10


def masked(code: str) -> str:
    """A national code as pages show it: enough to recognise it, not enough to use it."""
    hidden = len(code) - _SHOWN_FIRST - _SHOWN_LAST
    return code[:_SHOWN_FIRST] + "•" * hidden + code[-_SHOWN_LAST:]


def check_reason(reason: str) -> str:
    """Why a document is turned down, trimmed; raises UnusableLine when nothing is said."""
    stated = " ".join(reason.split())
    if not stated:
        raise UnusableLine("reason", N_("Say what is wrong with it: the customer reads this."))
    return stated[:REASON_LENGTH]


def kinds_of(found: Sequence[str]) -> tuple[DocumentKind, ...]:
    """Stored kinds, in the order in which people are asked for them."""
    return tuple(kind for kind in DocumentKind if kind in found)
