"""Accounts as the product makes them, and browsers that sign in by the door."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sms.accounts import operations, queries
from sms.accounts.rules import AccountKind, By, NewUser, Role
from sms.core import clock
from sms.core.db import transaction
from tests.factories import make_root

PASSWORD = "a walk by the Zayandeh"
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Person:
    """A user and the account they belong to; the password is PASSWORD."""

    account_id: int
    user_id: int
    username: str


Make = Callable[..., Person]
Enter = Callable[..., "Browser"]


class Browser:
    """A browser without scripts that fills in forms as they stand on the page."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: object) -> TestResponse:
        """Open a page."""
        return self.client.get(path, **options)

    def token(self, page: str = "/sign-in") -> str:
        """The token on a page of this browser."""
        found = _TOKEN.search(self.client.get(page, follow_redirects=True).get_data(as_text=True))
        assert found is not None
        return found.group(1)

    def post(self, path: str, page: str = "/sign-in", **fields: object) -> TestResponse:
        """Send a form, with the token that stands on `page`."""
        return self.client.post(path, data={"csrf_token": self.token(page), **fields})

    def sign_in(self, username: str, password: str = PASSWORD, **fields: object) -> TestResponse:
        """Through the door."""
        return self.post("/sign-in", username=username, password=password, **fields)

    def is_in(self) -> bool:
        """Whether somebody is signed in here."""
        return self.client.get("/account").status_code == 200


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    """A fresh one."""
    return Browser(client)


@pytest.fixture
def make(app: Flask) -> Make:
    """Makes a person with an account of their own, or in an account that is there."""

    def make_person(username: str, *, kind: str = "customer", account_id: int | None = None, **user: object) -> Person:
        new = NewUser(username=username, password=PASSWORD, **user)  # type: ignore[arg-type]
        who = By(actor_id=None, at=clock.now())
        with transaction():
            root = make_root()
            if kind == "installation":
                account_id = root
            if account_id is not None:
                return Person(account_id, operations.add_user(account_id=account_id, user=new, by=who), username)
            made = operations.open_account(
                parent_id=None, kind=AccountKind(kind), name=f"The shop of {username}", owner=new, by=who
            )
        return Person(*made, username)

    return make_person


@pytest.fixture
def enter(app: Flask) -> Enter:
    """Opens another browser and signs somebody in."""

    def enter_as(person: Person, password: str = PASSWORD) -> Browser:
        browser = Browser(app.test_client())
        assert browser.sign_in(person.username, password).status_code == 303
        return browser

    return enter_as


@pytest.fixture
def staff(make: Make, enter: Enter) -> Browser:
    """A browser of the installation's staff."""
    return enter(make("keeper", kind="installation", role=Role.OWNER))


def actions(account_id: int) -> list[str]:
    """What the audit holds of an account, oldest first."""
    return [line.action for line in reversed(queries.audit_page(before=None, most=100, account_id=account_id))]
