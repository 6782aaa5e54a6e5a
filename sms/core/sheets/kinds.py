"""What a file is: told by its first bytes, never by its name."""

from typing import BinaryIO

from sms.core.sheets import limits

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


def is_workbook(stream: BinaryIO) -> bool:
    """Whether it is a zip, as XLSX files are, rather than a text; raises UnreadableList for what is neither."""
    start = stream.read(1 << 16)
    stream.seek(0)
    if start.startswith(_OLE):
        raise limits.locked() if _is_encrypted(stream) else limits.old_excel()
    if start.startswith(_ZIP):
        return True
    if start.lstrip(b"\xef\xbb\xbf \r\n").startswith(_OTHERS):
        raise limits.no_list()
    return False


def _is_encrypted(stream: BinaryIO) -> bool:
    """The container's directory may stand anywhere in it."""
    before = b""
    while block := stream.read(1 << 20):
        if _ENCRYPTED in before + block:
            return True
        before = block[-len(_ENCRYPTED) :]
    return False
