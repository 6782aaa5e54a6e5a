"""Static files: an address changes with the contents, so browsers keep them for a year; texts travel compressed."""

import gzip
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, request

_TEXTS = ("text/", "application/javascript", "image/svg+xml")
_YEAR_SECONDS = 365 * 86_400
KEPT = f"private, max-age={_YEAR_SECONDS}, immutable"  # what is not static, but asked for by its contents' mark


def init_app(app: Flask) -> None:
    """Version the addresses, and answer with what the browser takes."""
    folder = Path(app.static_folder or "static")

    @app.url_defaults
    def version(endpoint: str, values: dict[str, object]) -> None:
        """Put the contents' fingerprint behind the name."""
        if endpoint == "static" and "v" not in values:
            values["v"] = fingerprint(folder / str(values.get("filename", "")))

    app.after_request(serve)


@lru_cache(maxsize=256)
def fingerprint(file: Path) -> str:
    """Eight characters that change with the contents; empty for a file that is not there."""
    return sha256(file.read_bytes()).hexdigest()[:8] if file.is_file() else ""


def serve(response: Response) -> Response:
    """Let a versioned file be kept, and compress what is text."""
    if request.endpoint != "static" or response.status_code != 200:  # noqa: PLR2004 - a whole file
        return response
    if request.args.get("v"):
        response.headers["Cache-Control"] = f"public, max-age={_YEAR_SECONDS}, immutable"
    if (response.mimetype or "").startswith(_TEXTS):
        response.vary.add("Accept-Encoding")
        if request.accept_encodings["gzip"]:
            response.direct_passthrough = False
            response.set_data(_compressed(response.get_data()))
            response.headers["Content-Encoding"] = "gzip"
            response.headers.pop("ETag", None)  # it names the bytes of the other form
    return response


@lru_cache(maxsize=64)
def _compressed(contents: bytes) -> bytes:
    return gzip.compress(contents, compresslevel=9, mtime=0)
