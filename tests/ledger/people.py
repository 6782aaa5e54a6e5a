"""Browsers of people who are signed in, for the tests of money's pages."""

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
    username = f"visitor{next(_numbers)}"
    with transaction():
        operations.add_user(
            account_id=account_id,
            user=NewUser(username=username, password=PASSWORD, role=Role.OWNER),
            by=By(actor_id=None, at=clock.now()),
        )
    walker = Walker(app.test_client(), language=language)
    walker.go("/sign-in").submit("/sign-in", username=username, password=PASSWORD)
    return walker


def staff(app: Flask, *, language: str = "en") -> Walker:
    """A browser of the installation's staff."""
    return signed_in(app, make_root(), language=language)
