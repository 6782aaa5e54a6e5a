"""A browser without scripts for pages of the inbox: opens addresses and posts fields, whatever is answered."""

import re
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.outbox.visits import signed_in

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer: its status and its page."""

    status: int
    page: BeautifulSoup


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    browser: FlaskClient
    token: str

    def go(self, address: str) -> Seen:
        """Open an address."""
        return _seen(self.browser.get(address))

    def send(self, address: str, fields: dict[str, Any]) -> Seen:
        """Post these fields; where it leads is not followed."""
        return _seen(self.browser.post(address, data={"csrf_token": self.token, **fields}))


def visiting(app: Flask, account_id: int) -> Visitor:
    """A browser of a new owner of this account."""
    browser = signed_in(app, account_id).browser
    found = _TOKEN.search(browser.get("/account").get_data(as_text=True))
    assert found is not None
    return Visitor(browser, found.group(1))


def _seen(answer: TestResponse) -> Seen:
    return Seen(answer.status_code, BeautifulSoup(answer.get_data(as_text=True), "html.parser"))
