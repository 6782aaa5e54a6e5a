"""Denied until a guard says otherwise; every failure is a page in the reader's language."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Blueprint, Flask, request
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from app import create_app
from sms.core.config import Settings
from sms.core.errors import NotFound, Refusal
from sms.core.web.guards import public, require, signed_in


@pytest.fixture
def probe(settings: Settings) -> Iterator[FlaskClient]:
    """A browser at an app with a few more addresses."""
    app = create_app(settings)
    app.register_blueprint(_addresses())
    app.testing = False
    with app.app_context():
        yield app.test_client()


def _addresses() -> Blueprint:
    bp = Blueprint("probe", __name__)

    @bp.get("/probe/forgotten")
    def forgotten() -> str:
        return "seen"

    @bp.get("/probe/public")
    @public
    def open_to_all() -> str:
        return "seen"

    @bp.get("/probe/members")
    @signed_in
    def members() -> str:
        return "seen"

    @bp.get("/probe/staff")
    @require("operators.manage")
    def staff() -> str:
        return "seen"

    failures = {
        "not-there": NotFound("There is no such draft."),
        "refused": Refusal("The text is empty."),
        "database": OperationalError("SELECT 1", {}, Exception("gone")),
        "bug": ZeroDivisionError("secret detail 09121234567"),
    }

    @bp.get("/probe/fails/<string:how>")
    @public
    def fails(how: str) -> str:
        raise failures[how]

    return bp


@pytest.mark.parametrize("path", ["/probe/forgotten", "/probe/members", "/probe/staff"])
def test_a_stranger_is_sent_to_sign_in(probe: FlaskClient, path: str) -> None:
    answer = probe.get(path)

    assert answer.status_code == 303
    assert (
        answer.headers["Location"] == f"/sign-in?next={path.replace('/', '%2F')}" or path in answer.headers["Location"]
    )


def test_a_stranger_in_a_fragment_is_sent_there_by_header(probe: FlaskClient) -> None:
    answer = probe.get("/probe/members", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/sign-in")


def test_a_public_address_is_open(probe: FlaskClient) -> None:
    assert probe.get("/probe/public").text == "seen"


@pytest.mark.parametrize(("how", "status"), [("not-there", 404), ("refused", 422), ("database", 503), ("bug", 500)])
def test_every_failure_is_a_page_with_its_status(probe: FlaskClient, how: str, status: int) -> None:
    answer = probe.get(f"/probe/fails/{how}")

    assert answer.status_code == status
    assert '<html lang="fa"' in answer.text
    assert "09121234567" not in answer.text
    assert "Traceback" not in answer.text


def test_a_refusal_says_its_sentence(probe: FlaskClient) -> None:
    probe.set_cookie("language", "en")

    assert "The text is empty." in probe.get("/probe/fails/refused").text


def test_a_failure_in_a_fragment_is_a_fragment(probe: FlaskClient) -> None:
    answer = probe.get("/probe/fails/refused", headers={"HX-Request": "true"})

    assert answer.status_code == 422
    assert "<html" not in answer.text


def test_a_database_that_is_away_asks_to_come_back(probe: FlaskClient) -> None:
    assert probe.get("/probe/fails/database").headers["Retry-After"] == "5"


def test_no_such_address_is_404_for_everybody(app: Flask, client: FlaskClient) -> None:
    answer = client.get("/no/such/page")

    assert answer.status_code == 404
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"


def test_who_asks_is_told_by_exactly_as_many_proxies_as_are_ours(settings: Settings) -> None:
    bp = Blueprint("whoami", __name__)

    @bp.get("/probe/address")
    @public
    def address() -> str:
        return request.remote_addr or ""

    told = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    for hops, expected in ((0, "127.0.0.1"), (1, "198.51.100.7")):
        app = create_app(replace(settings, proxy_hops=hops))
        app.register_blueprint(bp)
        with app.app_context():
            assert app.test_client().get("/probe/address", headers=told).text == expected
