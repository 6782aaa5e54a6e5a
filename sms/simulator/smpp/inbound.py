"""A text from a person to a line, as the bodies of deliver_sm."""

from sms.simulator.texts import gsm

_UCS2 = 8
_PARTS_AT_MOST = 255


def bodies(sender: int, line: str, text: str, *, reference: int) -> list[bytes]:
    """One body, or one for each part when the text is long; raises ValueError when it has too many parts."""
    septets = gsm(text)
    coding, octets, single, joined = (
        (_UCS2, text.encode("utf-16-be"), 140, 134) if septets is None else (0, septets, 160, 153)
    )
    if len(octets) <= single:
        return [_body(sender, line, coding, octets, esm_class=0)]
    pieces = _pieces(octets, joined, is_ucs2=coding == _UCS2)
    if len(pieces) > _PARTS_AT_MOST:
        raise ValueError("the text is too long")
    return [
        _body(sender, line, coding, bytes((5, 0, 3, reference, len(pieces), number)) + piece, esm_class=0x40)
        for number, piece in enumerate(pieces, start=1)
    ]


def _pieces(octets: bytes, room: int, *, is_ucs2: bool) -> list[bytes]:
    """The text cut into parts, never inside a surrogate pair or an escape."""
    pieces = []
    at = 0
    while at < len(octets):
        stop = at + room
        if stop < len(octets):
            if is_ucs2 and octets[stop - 2] & 0xFC == 0xD8:  # noqa: PLR2004 - the first half of a pair
                stop -= 2
            elif not is_ucs2 and octets[stop - 1] == 0x1B:  # noqa: PLR2004 - the escape
                stop -= 1
        pieces.append(octets[at:stop])
        at = stop
    return pieces


def _body(sender: int, line: str, coding: int, octets: bytes, *, esm_class: int) -> bytes:
    addresses = b"\0\x01\x01%d\0\x01\x01%b\0" % (sender, line.encode())
    return addresses + bytes((esm_class, 0, 0, 0, 0, 0, 0, coding, 0, len(octets))) + octets
