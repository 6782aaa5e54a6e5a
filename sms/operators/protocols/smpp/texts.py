"""Texts as SMPP carries them: the GSM alphabet unpacked, one septet a byte, or UCS-2; long ones in parts with a header.

3GPP TS 23.038 (alphabets) and TS 23.040 §9.2.3.24.1/.8 (concatenation, 8- and 16-bit reference)."""

from collections.abc import Sequence
from enum import StrEnum

from sms.core.parts import GSM_BASIC, GSM_EXTENSION, STANDARD, Encoding, Profile, encoding_of, split
from sms.operators.protocols.smpp.pdus import Part, Tag, tlv

GSM_CODING, LATIN1_CODING, UCS2_CODING = 0, 3, 8
MOST_PARTS = 255  # their number is one byte of the header
_ESCAPE = 0x1B
_EXTENSION_CODES = (0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65)
# The basic table in the order of its codes; place 0x1B is the escape, and escaped itself it stands for a space.
_BASIC = GSM_BASIC[:_ESCAPE] + " " + GSM_BASIC[_ESCAPE:]
_TO_GSM = {character: bytes((code,)) for code, character in enumerate(_BASIC) if code != _ESCAPE} | {
    character: bytes((_ESCAPE, code)) for character, code in zip(GSM_EXTENSION, _EXTENSION_CODES, strict=True)
}
_FROM_EXTENSION = dict(zip(_EXTENSION_CODES, GSM_EXTENSION, strict=True))


class Joining(StrEnum):
    """How a gateway wants long texts: parts with a user data header, parts with SAR parameters, or one payload."""

    UDH = "udh"
    SAR = "sar"
    PAYLOAD = "payload"


class TooLong(ValueError):
    """A text that has more parts than this way of joining can count."""


def to_gsm(text: str) -> bytes:
    """One septet a byte; the text must be GSM."""
    return b"".join(_TO_GSM[character] for character in text)


def from_gsm(raw: bytes) -> str:
    """The text of unpacked septets; an unknown extension reads as its basic character, as the standard says."""
    text: list[str] = []
    escaped = False
    for code in raw:
        if code == _ESCAPE and not escaped:
            escaped = True
            continue
        if escaped and code in _FROM_EXTENSION:
            text.append(_FROM_EXTENSION[code])
        else:
            text.append(_BASIC[code & 0x7F])
        escaped = False
    return "".join(text)


def encoded(text: str, encoding: Encoding) -> bytes:
    """The bytes of a text."""
    return to_gsm(text) if encoding is Encoding.GSM else text.encode("utf-16-be", "surrogatepass")


def decoded(raw: bytes, data_coding: int) -> str:
    """The text of an inbound message; what cannot be read is shown by a mark, never dropped."""
    alphabet = data_coding & 0x0F
    if alphabet == UCS2_CODING:
        return raw.decode("utf-16-be", "replace")
    if alphabet == LATIN1_CODING:
        return raw.decode("latin-1")
    return from_gsm(raw)


def parts_of(
    text: str, *, is_unicode: bool, reference: int, joining: Joining, profile: Profile = STANDARD
) -> list[Part]:
    """The parts of a text, ready for the wire, split exactly as they were priced; `reference` tells texts apart.

    Raises TooLong.
    """
    encoding = Encoding.UCS2 if is_unicode else encoding_of(text)
    coding = UCS2_CODING if encoding is Encoding.UCS2 else GSM_CODING
    texts = split(text, profile)
    if len(texts) > MOST_PARTS and joining is not Joining.PAYLOAD:
        raise TooLong(f"{len(texts)} parts")
    if joining is Joining.PAYLOAD and len(texts) > 1:
        return [Part(content=encoded(text, encoding), data_coding=coding, is_payload=True)]
    if len(texts) == 1:
        return [Part(content=encoded(texts[0], encoding), data_coding=coding)]
    is_wide = profile is not STANDARD
    return [
        _joined(encoded(piece, encoding), coding, (reference, len(texts), place), joining=joining, is_wide=is_wide)
        for place, piece in enumerate(texts, start=1)
    ]


def _joined(content: bytes, coding: int, place_of: tuple[int, int, int], *, joining: Joining, is_wide: bool) -> Part:
    reference, total, place = place_of
    if joining is Joining.SAR:
        tlvs = (
            tlv(Tag.SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2))
            + tlv(Tag.SAR_TOTAL_SEGMENTS, bytes((total,)))
            + tlv(Tag.SAR_SEGMENT_SEQNUM, bytes((place,)))
        )
        return Part(content=content, data_coding=coding, tlvs=tlvs)
    if is_wide:
        header = bytes((6, 8, 4)) + (reference & 0xFFFF).to_bytes(2) + bytes((total, place))
    else:
        header = bytes((5, 0, 3, reference & 0xFF, total, place))
    return Part(content=header + content, data_coding=coding, has_udh=True)


def concatenation(elements: Sequence[tuple[int, bytes]]) -> tuple[int, int, int] | None:
    """(reference, total, place) of a part by its header, or None when it stands alone."""
    for identifier, value in elements:
        if identifier == 0 and len(value) == 3:  # noqa: PLR2004 - 8-bit reference, total, place
            return value[0], value[1], value[2]
        if identifier == 8 and len(value) == 4:  # noqa: PLR2004 - 16-bit reference, total, place
            return int.from_bytes(value[:2]), value[2], value[3]
    return None
