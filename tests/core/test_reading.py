"""How a page that only reads ends: the server keeps what it has planned, and nothing half done is kept."""

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from sms.core import db as database
from sms.core.db import db, execute, release, scalar
from tests.guards.world import World, make_world

_OFTEN = 8  # psycopg prepares what it is asked for the sixth time


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def _prepared() -> int:
    found = int(scalar("SELECT count(*) FROM pg_prepared_statements"))
    release()
    return found


def test_statements_of_pages_stay_prepared(world: World) -> None:
    browser: FlaskClient = world.browser("customer")
    release()
    db.engine.dispose()  # from here on there is one connection, which has prepared nothing
    assert _prepared() == 0
    for _ in range(_OFTEN):
        assert browser.get("/outbox").status_code == 200
    assert _prepared() > 0


@pytest.mark.parametrize(("method", "status"), [("POST", 200), ("GET", 404), ("GET", 500), ("PUT", 303)])
def test_what_was_not_meant_to_be_kept_is_not(method: str, status: int, app: Flask) -> None:
    with app.test_request_context("/", method=method):
        execute("INSERT INTO core_tick (job, due_at) VALUES ('half done', now())")
        database._note_reading(Response(status=status))
        database._end_reading()
        release()
    assert scalar("SELECT count(*) FROM core_tick WHERE job = 'half done'") == 0


def test_a_transaction_that_has_failed_does_not_spoil_the_page(app: Flask) -> None:
    with app.test_request_context("/"):
        with pytest.raises(Exception, match="nowhere"):
            execute("SELECT * FROM nowhere")
        database._note_reading(Response("ok"))
        database._end_reading()
    assert scalar("SELECT 1") == 1
