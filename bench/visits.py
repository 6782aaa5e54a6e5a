"""A signed-in reader of pages, and what each page costs: time in the server, and the SQL in it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from bench.shop import PASSWORD, USERNAME
from sms.core.db import db


@dataclass
class Sql:
    """The statements of one request."""

    count: int = 0
    seconds: float = 0.0
    _started: float = 0.0

    def before(self, *_: object) -> None:
        """One begins."""
        self._started = time.perf_counter()

    def after(self, *_: object) -> None:
        """It is answered."""
        self.count += 1
        self.seconds += time.perf_counter() - self._started


@dataclass
class Visits:
    """All visits to one page, in milliseconds."""

    server_ms: list[float] = field(default_factory=list)
    sql_ms: list[float] = field(default_factory=list)
    statements: int = 0


class Reader:
    """A browser that asks the app itself, without a network between."""

    def __init__(self, app: Flask) -> None:
        app.config["WTF_CSRF_ENABLED"] = False  # forms are posted without having been shown
        self.client: FlaskClient = app.test_client()
        response = self.open("/sign-in", method="POST", data={"username": USERNAME, "password": PASSWORD})
        if response.status_code != 303:
            raise RuntimeError(f"signing in answered {response.status_code}")

    def open(self, path: str, **options: Any) -> Any:
        """One request, in a context of its own as in the world."""
        return Context().run(lambda: self.client.open(path, **options))

    def confirm(self, draft_id: int) -> int:
        """Press the button that sends; returns the campaign's id."""
        response = self.open(f"/drafts/{draft_id}/confirm", method="POST")
        if response.status_code != 303:
            raise RuntimeError(f"confirming answered {response.status_code}")
        return int(response.headers["Location"].rpartition("/")[2])

    def visit(self, path: str, visits: Visits) -> None:
        """Ask for a page and note what it cost; raises RuntimeError when it is not there."""
        with _sql() as sql:
            started = time.perf_counter()
            response = self.open(path, buffered=True)
            seconds = time.perf_counter() - started
        if response.status_code != 200:
            raise RuntimeError(f"{path} answered {response.status_code}")
        visits.server_ms.append(seconds * 1000)
        visits.sql_ms.append(sql.seconds * 1000)
        visits.statements = sql.count


@contextmanager
def _sql() -> Iterator[Sql]:
    sql = Sql()
    hooks = (("before_cursor_execute", sql.before), ("after_cursor_execute", sql.after))
    for name, hook in hooks:
        event.listen(db.engine, name, hook)
    try:
        yield sql
    finally:
        for name, hook in hooks:
            event.remove(db.engine, name, hook)
