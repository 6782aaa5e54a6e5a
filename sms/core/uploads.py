"""Files that people upload: under random names, in a folder of the data that no web server serves."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO

from sms.core.config import settings
from sms.core.errors import Refusal
from sms.core.text import N_

_BLOCK = 64 * 1024


def folder() -> Path:
    """The folder of uploads; only this user may look into it."""
    found = settings().var_dir / "uploads"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def keep(stream: BinaryIO, *, most_bytes: int) -> tuple[str, int]:
    """Store a stream; returns its random name and its size. Raises Refusal when it is empty or too large."""
    name = secrets.token_hex(16)
    size = 0
    try:
        with os.fdopen(os.open(folder() / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > most_bytes:
                    raise Refusal(N_("This file is too large: %(most)s MB at most."), most=most_bytes // 10**6)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if not size:
            raise Refusal(N_("This file is empty."))
    except BaseException:
        remove(name)
        raise
    return name, size


def remove(name: str) -> None:
    """Throw one away; one that is gone already, or was never stored, is no matter."""
    if name:
        (folder() / name).unlink(missing_ok=True)
