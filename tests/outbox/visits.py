"""Browsers for the tests of the outbox's pages, and sends made through them."""

from itertools import count

from flask import Flask

from sms.accounts import operations
from sms.accounts.rules import By, NewUser, Role
from sms.core import clock
from sms.core.db import transaction
from tests.factories import make_root
from tests.journeys.walker import Walker

PASSWORD = "a walk by the Zayandeh"
_numbers = count(1)


def signed_in(app: Flask, account_id: int, *, language: str = "en") -> Walker:
    """A browser of a new owner of this account."""
    username = f"sender{next(_numbers)}"
    with transaction():
        operations.add_user(
            account_id=account_id,
            user=NewUser(username=username, password=PASSWORD, role=Role.OWNER),
            by=By(actor_id=None, at=clock.now()),
        )
    walker = Walker(app.test_client(), language=language)
    return walker.go("/sign-in").submit("/sign-in", username=username, password=PASSWORD)


def staff(app: Flask) -> Walker:
    """A browser of the installation's staff."""
    return signed_in(app, make_root())


def numbers(count_of: int, *, ending: str = "") -> str:
    """A list of as many recipients, one a line."""
    width = 7 - len(ending)
    return "\n".join(f"0912{place:0{width}}{ending}" for place in range(count_of))


def composed(walker: Walker, line_id: int, *, recipients: str, body: str = "hello", title: str = "") -> int:
    """A draft composed on the page and looked at; returns its id."""
    walker.go("/compose").submit("/compose", line_id=str(line_id), body=body, recipients=recipients, title=title)
    assert walker.address.startswith("/drafts/")
    return int(walker.address.rsplit("/", 1)[1])


def sent(walker: Walker, line_id: int, *, recipients: str, body: str = "hello", title: str = "") -> int:
    """A send composed and confirmed on the pages; returns the campaign's id."""
    composed(walker, line_id, recipients=recipients, body=body, title=title)
    walker.submit("/confirm")
    assert walker.address.startswith("/campaigns/")
    return int(walker.address.rsplit("/", 1)[1])
