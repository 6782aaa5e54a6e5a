"""The inside of an XLSX file, opened warily: sizes from the zip's directory, no document types, the first visible
sheet."""

import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from posixpath import join, normpath
from typing import BinaryIO
from xml.parsers import expat

from sms.core.sheets import limits

_END = b"PK\x05\x06"
_END_BYTES = 22
_COMMENT_BYTES = 65_535
_DIRECTORY_BYTES = 4_000_000
_BLOCK = 1 << 16
_MAX_TOKEN = 1 << 20  # a tag or an attribute longer than this is no spreadsheet's
_SMALL = 1_000_000  # the shrinking of small parts says nothing
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCKED = 0x1
_RELATIONS = "xl/_rels/workbook.xml.rels"
_WORKBOOK = "xl/workbook.xml"
_STRINGS = "xl/sharedStrings.xml"


def opened(stream: BinaryIO) -> zipfile.ZipFile:
    """The zip, when it holds a workbook that is no bomb; raises UnreadableList."""
    _refuse_long_directory(stream)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise limits.damaged() from None
    parts = archive.infolist()
    if any(part.flag_bits & _LOCKED for part in parts):
        raise limits.locked()
    if sum(part.file_size for part in parts) > limits.MAX_UNPACKED_BYTES or any(map(_is_bomb, parts)):
        raise limits.bomb()
    if _WORKBOOK not in archive.namelist():
        raise limits.no_list()
    return archive


def _refuse_long_directory(stream: BinaryIO) -> None:
    """A directory of a million names would fill the memory before a single part is read."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _COMMENT_BYTES - _END_BYTES))
    tail = stream.read()
    stream.seek(0)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise limits.damaged()
    if int.from_bytes(tail[place + 12 : place + 16], "little") > _DIRECTORY_BYTES:
        raise limits.bomb()


def _is_bomb(part: zipfile.ZipInfo) -> bool:
    return part.file_size > _SMALL and part.file_size > limits.MAX_RATIO * max(part.compress_size, 1)


@dataclass(slots=True)
class Handlers:
    """What is done with a part's elements: local names, attributes as a flat list, and texts in pieces."""

    start: Callable[[str, list[str]], None]
    end: Callable[[str], None]
    text: Callable[[str], None] | None = None
    is_done: Callable[[], bool] = field(default=lambda: False)


def parse(archive: zipfile.ZipFile, name: str, handlers: Handlers, *, most: int = limits.MAX_UNPACKED_BYTES) -> None:
    """Stream one XML part through its handlers; raises UnreadableList when it is damaged or more than `most` bytes."""
    for _ in _parsing(archive, name, handlers, most=most):
        if handlers.is_done():
            return


def parsing(archive: zipfile.ZipFile, name: str, handlers: Handlers) -> Iterator[None]:
    """The same in steps, so that what was collected can be taken away in between."""
    return _parsing(archive, name, handlers, most=limits.MAX_UNPACKED_BYTES)


def _parsing(archive: zipfile.ZipFile, name: str, handlers: Handlers, *, most: int) -> Iterator[None]:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = _Prefixed(parser, handlers).start
    if handlers.text is not None:
        parser.CharacterDataHandler = handlers.text
    fed = 0
    try:
        part = archive.getinfo(name)
        if part.compress_type not in _METHODS:
            raise limits.damaged()
        with archive.open(part) as stream:
            while block := stream.read(_BLOCK):
                fed += len(block)
                if fed > most:
                    raise limits.bomb()
                parser.Parse(block, False)
                if fed - parser.CurrentByteIndex > _MAX_TOKEN:
                    raise limits.damaged()
                yield
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
            raise limits.out_of_memory() from None
        raise limits.damaged() from None
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError, zlib.error):
        raise limits.damaged() from None
    yield


def _refuse_doctype(*_declared: object) -> None:
    """Entities, outer ones and those that multiply, need a document type; a spreadsheet has none."""
    raise limits.damaged()


class _Prefixed:
    """Some writers give every element a prefix. The first element tells; then it costs nothing when there is none."""

    def __init__(self, parser: expat.XMLParserType, handlers: Handlers) -> None:
        self.parser, self.handlers = parser, handlers

    def start(self, name: str, attributes: list[str]) -> None:
        parser, handlers = self.parser, self.handlers
        prefix, colon, local = name.rpartition(":")
        if colon:
            cut = len(prefix) + 1
            parser.StartElementHandler = lambda found, rest: handlers.start(found[cut:], rest)
            parser.EndElementHandler = lambda found: handlers.end(found[cut:])
        else:
            parser.StartElementHandler = handlers.start
            parser.EndElementHandler = handlers.end
        handlers.start(local, attributes)


def first_visible_sheet(archive: zipfile.ZipFile) -> str:
    """The name of its part; raises UnreadableList when every sheet is hidden."""
    relations: dict[str, str] = {}
    visible: list[str] = []

    def relation(name: str, attributes: list[str]) -> None:
        if name == "Relationship":
            known = _named(attributes)
            relations[known.get("Id", "")] = known.get("Target", "")

    def sheet(name: str, attributes: list[str]) -> None:
        if name == "sheet":
            known = _named(attributes)
            if known.get("state", "visible") == "visible":
                visible.append(next((value for key, value in known.items() if key.endswith(":id")), ""))

    parse(archive, _RELATIONS, Handlers(relation, _nothing))
    parse(archive, _WORKBOOK, Handlers(sheet, _nothing))
    if not visible:
        raise limits.no_sheet()
    target = relations.get(visible[0])
    if not target:
        raise limits.damaged()
    return target[1:] if target.startswith("/") else normpath(join("xl", target))


def _named(attributes: list[str]) -> dict[str, str]:
    return dict(zip(attributes[0::2], attributes[1::2], strict=True))


def _nothing(_name: str) -> None:
    return


class Strings:
    """The workbook's shared strings, kept as one run of bytes: a million of them take little more than their
    letters."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Read all of them; raises UnreadableList."""
        self._bytes = bytearray()
        self._ends = array("I", [0])
        self._pieces: list[str] = []
        self._length = 0
        self._is_text = self._is_phonetic = False
        if _STRINGS in archive.namelist():
            handlers = Handlers(self._start, self._end, self._text)
            parse(archive, _STRINGS, handlers, most=limits.MAX_STRINGS_BYTES)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> str:
        """The string at a place."""
        return self._bytes[self._ends[place] : self._ends[place + 1]].decode()

    def _start(self, name: str, _attributes: list[str]) -> None:
        if name == "t":
            self._is_text = not self._is_phonetic
        elif name == "rPh":
            self._is_phonetic = True

    def _end(self, name: str) -> None:
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "si":
            self._bytes += "".join(self._pieces).encode("utf-8", "replace")
            self._ends.append(len(self._bytes))
            self._pieces.clear()
            self._length = 0

    def _text(self, piece: str) -> None:
        if self._is_text:
            self._length += len(piece)
            if self._length <= limits.MAX_CELL + 1:  # longer ones are refused where a row shows them
                self._pieces.append(piece)
