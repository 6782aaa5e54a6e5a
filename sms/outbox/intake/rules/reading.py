"""Any list of recipients: what it is is told by its first bytes, never by its name."""

from collections.abc import Iterator
from typing import BinaryIO

from sms.outbox.intake.rules import limits
from sms.outbox.intake.rules.text_reader import Batch, read_text
from sms.outbox.intake.rules.xlsx_reader import read_xlsx

_ZIP = b"PK\x03\x04"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OTHERS = (
    b"%PDF",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"BZh",
    b"{\\rtf",
    b"<!DOCTYPE",
)


def read_list(stream: BinaryIO, *, is_typed: bool = False) -> Iterator[Batch]:
    """The cells of a list with their row numbers, as a stream; raises UnreadableList."""
    start = stream.read(1 << 16)
    stream.seek(0)
    if is_typed:
        return read_text(stream, is_typed=True)
    if start.startswith(_OLE):
        raise limits.locked() if _is_encrypted(stream) else limits.old_excel()
    if start.startswith(_ZIP):
        return read_xlsx(stream)
    if start.lstrip(b"\xef\xbb\xbf \r\n").startswith(_OTHERS):
        raise limits.no_list()
    return read_text(stream)


def _is_encrypted(stream: BinaryIO) -> bool:
    """The container's directory may stand anywhere in it."""
    before = b""
    while block := stream.read(1 << 20):
        if _ENCRYPTED in before + block:
            return True
        before = block[-len(_ENCRYPTED) :]
    return False
