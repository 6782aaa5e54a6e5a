"""Somebody signed in, with a browser that carries the token of the page it looks at."""

import re
import secrets
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sms.accounts.queries import token_hash
from sms.core import clock
from sms.core.db import execute, scalar, transaction
from tests.factories import make_root

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user and the browser they use."""

    user_id: int
    browser: FlaskClient

    def get(self, url: str, **headers: str) -> TestResponse:
        """Look at a page."""
        return self.browser.get(url, headers=headers)

    def post(self, url: str, data: dict[str, Any] | None = None, *, from_page: str) -> TestResponse:
        """Send a form of `from_page`."""
        found = _TOKEN.search(self.browser.get(from_page).text)
        assert found is not None, f"{from_page} has no form"
        return self.browser.post(url, data={"csrf_token": found.group(1)} | (data or {}))


def sign_in(app: Flask, user_id: int) -> Person:
    """A browser in which this user is signed in."""
    token = secrets.token_urlsafe(32)
    with transaction():
        execute(
            "INSERT INTO accounts_session (token_hash, user_id, created_at, seen_at, expires_at)"
            " VALUES (:hash, :user, :at, :at, CAST(:at AS timestamptz) + interval '20 minutes')",
            hash=token_hash(token),
            user=user_id,
            at=clock.now(),
        )
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["_user_id"], session["_fresh"] = token, True
    return Person(user_id, browser)


def make_staff(app: Flask) -> Person:
    """One of the installation's own people, signed in."""
    with transaction():
        user_id = scalar(
            "INSERT INTO accounts_user (account_id, username, password_hash, role, created_at, password_changed_at)"
            " VALUES (:account, 'staff', 'x', 'owner', now(), now()) RETURNING id",
            account=make_root(),
        )
    return sign_in(app, int(user_id))


def text_of(answer: TestResponse) -> str:
    """What a reader sees of a page's main part."""
    main = BeautifulSoup(answer.text, "html.parser").find("main")
    assert main is not None
    return " ".join(main.get_text(" ").split())
