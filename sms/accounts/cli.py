"""Commands for scripts: the same operations as the pages."""

from typing import TextIO

import click
from flask.cli import with_appcontext

from sms.accounts import operations, queries
from sms.accounts.rules import AccountKind, By, NewUser, Role
from sms.core import clock, phone
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.core.errors import Refusal
from sms.core.text import N_

_password = click.option("--password", help="The password; better in a file, where no list of processes shows it.")
_password_file = click.option("--password-file", type=click.File(), help="Its first line is the password; - reads it.")


def _chosen(password: str | None, password_file: TextIO | None) -> str:
    """The password that was given, or an empty text."""
    if password and password_file:
        raise Refusal(N_("Give the password or its file, not both."))
    return password or (password_file.readline().rstrip("\r\n") if password_file else "")


def _mobile(text: str | None) -> int | None:
    number = phone.normalise(text) if text else None
    if text and number is None:
        raise Refusal(N_("“%(text)s” is not an Iranian mobile number."), text=text)
    return number


@click.command("account-create")
@click.option("--kind", type=click.Choice([str(kind) for kind in AccountKind]), default="customer", show_default=True)
@click.option("--name", required=True, help="What the account is called.")
@click.option("--username", required=True, help="Its owner's name at the sign-in.")
@click.option("--full-name", default="", help="The owner's own name.")
@click.option("--mobile", help="The owner's mobile number.")
@click.option("--parent", type=int, help="The account it stands below; without it, the installation.")
@_password
@_password_file
@json_option
@with_appcontext
def account_create(
    *,
    kind: str,
    name: str,
    username: str,
    full_name: str,
    mobile: str | None,
    parent: int | None,
    password: str | None,
    password_file: TextIO | None,
    as_json: bool,
) -> None:
    """Open an account with its owner. Without a password one is made, told here, and to be changed at sign-in."""
    with refusals():
        given = _chosen(password, password_file)
        owner = NewUser(
            username=username,
            password=given or operations.one_time_password(),
            full_name=full_name,
            mobile=_mobile(mobile),
            is_one_time=not given,
        )
        with transaction():
            account_id, user_id = operations.open_account(
                parent_id=parent, kind=AccountKind(kind), name=name, owner=owner, by=_by()
            )
    answer: dict[str, object] = {"account_id": account_id, "user_id": user_id, "username": username}
    tell(answer if given else answer | {"password": owner.password}, as_json)


@click.command("user-create")
@click.option("--account", "account_id", type=int, required=True, help="The account's number.")
@click.option("--username", required=True)
@click.option("--full-name", default="")
@click.option("--role", type=click.Choice([str(role) for role in Role]), default="member", show_default=True)
@_password
@_password_file
@json_option
@with_appcontext
def user_create(
    *,
    account_id: int,
    username: str,
    full_name: str,
    role: str,
    password: str | None,
    password_file: TextIO | None,
    as_json: bool,
) -> None:
    """Add a user to an account. Without a password one is made, told here, and to be changed at sign-in."""
    with refusals():
        given = _chosen(password, password_file)
        user = NewUser(
            username=username,
            password=given or operations.one_time_password(),
            full_name=full_name,
            role=Role(role),
            is_one_time=not given,
        )
        with transaction():
            user_id = operations.add_user(account_id=account_id, user=user, by=_by())
    answer: dict[str, object] = {"account_id": account_id, "user_id": user_id, "username": username}
    tell(answer if given else answer | {"password": user.password}, as_json)


@click.command("user-password")
@click.option("--username", required=True)
@_password
@_password_file
@json_option
@with_appcontext
def user_password(*, username: str, password: str | None, password_file: TextIO | None, as_json: bool) -> None:
    """Give a user another password and end their sessions. Without one, a password for one sign-in is made and told."""
    with refusals():
        given = _chosen(password, password_file)
        user = queries.user_by_name(username)
        made = ""
        with transaction():
            if given:
                operations.set_password(account_id=user.account_id, user_id=user.id, password=given, by=_by())
            else:
                made = operations.reset_password(account_id=user.account_id, user_id=user.id, by=_by())
    answer: dict[str, object] = {"user_id": user.id, "username": user.username}
    tell(answer if given else answer | {"password": made}, as_json)


def _by() -> By:
    return By(actor_id=None, at=clock.now())


COMMANDS: tuple[click.Command, ...] = (account_create, user_create, user_password)
