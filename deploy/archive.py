"""The file of a backup: a gzipped tar that is written and read as a stream, whatever its size.

    manifest.json          what it is: format, moment, migration, tables with their columns, partitions, sequences
    secrets.json           the installation's keys, only where they were asked for
    uploads/NAME/000001    lists that waited to be read
    tables/NAME/000001     rows in COPY's text format, some megabytes a piece
    totals.json            rows of each table, and the digest of everything before: without it the file is not whole

Only the standard library: the launcher looks into it before anything is installed.
"""

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from deploy.problems import Problem

FORMAT = 1
MANIFEST, SECRETS, TOTALS = "manifest.json", "secrets.json", "totals.json"
UPLOADS, TABLES = "uploads", "tables"
PIECE_BYTES = 4 * 1024 * 1024
_MOST_BYTES = 16 * PIECE_BYTES  # of one piece; the memory a restore needs is bounded whatever stands in the file
_LEVEL = 2  # five times as fast as the usual level, and the file is a tenth larger


class Unusable(Problem):
    """The file is no backup of the panel, or is not whole; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup is of."""

    format: int
    taken_at: str  # by the database's clock, before anything of it was read
    migration: str
    mode: str
    version: str
    sealed_with: str  # a value sealed with the installation's key, in hex; empty where nothing is sealed
    has_secrets: bool
    tables: dict[str, list[str]]
    partitions: list[dict[str, Any]]
    sequences: dict[str, list[Any]]


@dataclass(kw_only=True)
class Totals:
    """What the file holds, told at its end."""

    rows: dict[str, int] = field(default_factory=dict)
    missing_uploads: int = 0
    sha256: str = ""


class Writer:
    """Writes a backup piece by piece; only a finished one is usable."""

    def __init__(self, file: BinaryIO) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="wb", filename="", compresslevel=_LEVEL)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - `finish` closes
        self._digest = sha256()

    def add(self, name: str, data: bytes | bytearray) -> None:
        """One piece."""
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        entry.mode = 0o600
        self._tar.addfile(entry, io.BytesIO(data))
        _count(self._digest, name, data)

    def add_json(self, name: str, content: object) -> None:
        """One piece that people may read."""
        self.add(name, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())

    def finish(self, totals: Totals) -> None:
        """The end: from here on the file is whole."""
        totals.sha256 = self._digest.hexdigest()
        self.add_json(TOTALS, asdict(totals))
        self._tar.close()
        self._gzip.close()


def _count(digest: Any, name: str, data: bytes | bytearray) -> None:
    digest.update(f"{name}\0{len(data)}\0".encode())
    digest.update(data)


class Pieces:
    """Collects bytes and hands them on in pieces of some megabytes, each ending where `add` ended."""

    def __init__(self, write: Callable[[str, bytearray], None], folder: str) -> None:
        self._write, self._folder = write, folder
        self._waiting = bytearray()
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None and (self._waiting or not self._number):
            self._hand_on()

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Some bytes more."""
        self._waiting += data
        if len(self._waiting) >= PIECE_BYTES:
            self._hand_on()

    def _hand_on(self) -> None:
        self._number += 1
        self._write(f"{self._folder}/{self._number:06}", self._waiting)
        self._waiting = bytearray()


# Reading


def pieces(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every piece of a backup in its order, the totals last; raises Unusable where the file is damaged or cut off."""
    digest = sha256()
    told = None
    try:
        with gzip.open(path, "rb") as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for entry in tar:
                    data = _content(tar, entry)
                    if entry.name == TOTALS:
                        told = json.loads(data)["sha256"]
                    else:
                        _count(digest, entry.name, data)
                    yield entry.name, data
            while stream.read(PIECE_BYTES):  # to its end, where gzip's own check stands
                pass
    except OSError as error:
        if error.errno is not None:
            raise Unusable(f"{path} cannot be read: {error.strerror}.") from error
        raise Unusable(_damaged(path)) from error
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise Unusable(_damaged(path)) from error
    if told != digest.hexdigest():
        raise Unusable(_damaged(path))


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry) if entry.isreg() and entry.size <= _MOST_BYTES else None
    if file is None:
        raise ValueError(entry.name)
    return file.read()


def _damaged(path: Path) -> str:
    return f"{path} is no whole backup of the panel: it is damaged, was cut off, or is another file."


@dataclass(frozen=True)
class Opened:
    """The beginning of a backup."""

    manifest: Manifest
    secrets: dict[str, str]


def opened(path: Path) -> Opened:
    """Read the beginning of a backup only; raises Unusable."""
    if not path.is_file():
        raise Unusable(f"There is no file {path}.")
    found = pieces(path)
    name, data = next(found, ("", b""))
    if name != MANIFEST:
        raise Unusable(_damaged(path))
    manifest = _manifest(path, data)
    name, data = next(found, ("", b"")) if manifest.has_secrets else ("", b"")
    secrets = json.loads(data) if name == SECRETS else {}
    return Opened(manifest, {str(key): str(value) for key, value in secrets.items()})


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        content = json.loads(data)
        if content["format"] > FORMAT:
            raise Unusable(f"{path} was written by a newer version of the panel; update this one first.")
        return Manifest(**content)
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable(_damaged(path)) from error


def checked(path: Path) -> tuple[Opened, Totals]:
    """Read a backup from its beginning to its end; raises Unusable unless every byte is as it was written."""
    beginning = opened(path)
    totals: Totals | None = None
    for name, data in pieces(path):
        if name == TOTALS:
            totals = Totals(**json.loads(data))
    if totals is None:
        raise Unusable(_damaged(path))
    return beginning, totals
