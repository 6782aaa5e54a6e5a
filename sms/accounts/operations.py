"""Writes of accounts, users, sessions and the audit. Callers state who acts and when, and commit."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Row

from sms.accounts import queries, rules
from sms.accounts.queries import token_hash
from sms.accounts.rules import AccountKind, Action, By, NewUser, SignedIn
from sms.core import phone
from sms.core.config import settings
from sms.core.db import db, execute, scalar
from sms.core.errors import Refusal
from sms.core.text import N_

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's floor: 19 MiB, two passes
_TOKEN_BYTES = 32
_LOOK = "look_id"  # on the database session, which lives as long as its request
_AGENT_LENGTH = 300
_ONE_TIME_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else

# The id is drawn first because the path holds it.
_INSERT_ACCOUNT = """
WITH next AS (SELECT nextval(pg_get_serial_sequence('accounts_account', 'id')) AS id)
INSERT INTO accounts_account (id, parent_id, path, kind, name, state, created_at)
SELECT id, :parent_id, :parent_path || id || '.', :kind, :name, 'active', :at FROM next RETURNING id
"""

_INSERT_USER = """
INSERT INTO accounts_user (account_id, username, password_hash, full_name, mobile, role, language, created_at,
                           password_changed_at, password_expires_at)
VALUES (:account_id, :username, :password_hash, :full_name, :mobile, :role, :language, :at, :at, :expires_at)
ON CONFLICT (username) DO NOTHING RETURNING id
"""

# Audit


def note_look(look_id: int | None) -> None:
    """Whatever this request does is done in a look, and its lines of the audit say so."""
    db.session().info[_LOOK] = look_id


def record(
    *,
    actor_id: int | None,
    account_id: int | None,
    action: str,
    subject: str = "",
    details: Mapping[str, object] | None = None,
    at: datetime,
    address: str = "",
) -> None:
    """Write one line into the audit: who (None: a command) did what to which account; never a secret in `details`.
    While somebody is signed in as somebody else, the line names both, whatever the caller knows of it."""
    execute(
        "INSERT INTO accounts_audit (at, actor_id, account_id, action, subject, details, address, look_id)"
        " VALUES (:at, :actor_id, :account_id, :action, :subject, CAST(:details AS jsonb), :address, :look_id)",
        look_id=db.session().info.get(_LOOK),
        at=at,
        actor_id=actor_id,
        account_id=account_id,
        action=str(action),
        subject=subject,
        details=json.dumps(details or {}, ensure_ascii=False, default=str),
        address=address,
    )


def _note(
    by: By, account_id: int, action: Action, subject: str = "", details: Mapping[str, object] | None = None
) -> None:
    record(
        actor_id=by.actor_id,
        account_id=account_id,
        action=action,
        subject=subject,
        details=details,
        at=by.at,
        address=by.address,
    )


# Accounts and users


def create_account(
    *,
    parent_id: int | None,
    kind: str,
    name: str,
    username: str,
    password: str,
    full_name: str,
    mobile: int | None,
    actor_id: int | None,
    at: datetime,
) -> tuple[int, int]:
    """`open_account` in plain words, for commands and sample data."""
    owner = NewUser(username=username, password=password, full_name=full_name, mobile=mobile)
    return open_account(
        parent_id=parent_id, kind=AccountKind(kind), name=name, owner=owner, by=By(actor_id=actor_id, at=at)
    )


def open_account(*, parent_id: int | None, kind: AccountKind, name: str, owner: NewUser, by: By) -> tuple[int, int]:
    """(account id, user id) of a new account and its owner; without a parent it stands right below the installation.

    Raises Refusal, UnusableName, UsernameTaken or UnusablePassword; then the caller's transaction must not be kept.
    """
    account_id = _insert_account(parent_id=parent_id, kind=kind, name=name.strip(), at=by.at)
    _note(by, account_id, Action.ACCOUNT_CREATED, name.strip(), {"kind": str(kind)})
    return account_id, add_user(account_id=account_id, user=owner, by=by)


def _insert_account(*, parent_id: int | None, kind: AccountKind, name: str, at: datetime) -> int:
    parent_path = ""
    if not name:
        raise Refusal(N_("An account needs a name."))
    if kind == AccountKind.INSTALLATION:
        scalar("SELECT pg_advisory_xact_lock(hashtext('accounts_account root'))")
        if parent_id is not None or queries.find_root() is not None:
            raise Refusal(N_("There is one installation, and it is the root of all accounts."))
    else:
        parent = queries.account(parent_id or queries.root_id())
        if kind not in rules.BELOW[AccountKind(parent.kind)]:
            raise Refusal(N_("An account of this kind cannot stand below that one."))
        if not parent.is_open:
            raise Refusal(N_("Nothing can be opened below an account that is suspended or closed."))
        parent_id, parent_path = parent.id, parent.path
    return int(scalar(_INSERT_ACCOUNT, parent_id=parent_id, parent_path=parent_path, kind=str(kind), name=name, at=at))


def add_user(*, account_id: int, user: NewUser, by: By) -> int:
    """The id of a new user of an account; raises UnusableName, UsernameTaken or UnusablePassword."""
    username = rules.username_of(user.username)
    _check_password(user.password, (username, queries.account(account_id).name), user.mobile)
    user_id = scalar(
        _INSERT_USER,
        account_id=account_id,
        username=username,
        password_hash=_HASHER.hash(user.password),
        full_name=user.full_name.strip(),
        mobile=user.mobile,
        role=str(user.role),
        language=user.language,
        at=by.at,
        expires_at=by.at + rules.ONE_TIME_PASSWORD_LASTS if user.is_one_time else None,
    )
    if user_id is None:
        raise rules.UsernameTaken(N_("The username “%(username)s” is taken."), username=username)
    _note(by, account_id, Action.USER_CREATED, username, {"role": str(user.role)})
    return int(user_id)


def sign_up(*, account_name: str, user: NewUser, by: By, parent_id: int | None = None) -> SignedIn:
    """A new customer below a reseller or the installation itself, signed in at once; raises like `open_account`."""
    account_id, user_id = open_account(
        parent_id=parent_id, kind=AccountKind.CUSTOMER, name=account_name, owner=user, by=by
    )
    token = _start_session(user_id, AccountKind.CUSTOMER, by)
    return SignedIn(user_id=user_id, account_id=account_id, language=user.language, token=token)


def change_account(*, account_id: int, name: str, money_unit: str, by: By) -> None:
    """Rename an account, or show its money in another unit (rial or toman)."""
    before = queries.account(account_id)
    execute(
        "UPDATE accounts_account SET name = :name, money_unit = :unit WHERE id = :id",
        name=name.strip(),
        unit=money_unit,
        id=account_id,
    )
    if changes := _changes(before, name=name.strip(), money_unit=money_unit):
        _note(by, account_id, Action.ACCOUNT_CHANGED, details=changes)


def change_profile(*, account_id: int, user_id: int, full_name: str, mobile: int | None, language: str, by: By) -> None:
    """Change what a user says of themselves."""
    before = queries.user(account_id, user_id)
    execute(
        "UPDATE accounts_user SET full_name = :full_name, mobile = :mobile, language = :language WHERE id = :id",
        full_name=full_name.strip(),
        mobile=mobile,
        language=language,
        id=user_id,
    )
    changes = _changes(before, full_name=full_name.strip(), mobile=mobile, language=language)
    if "mobile" in changes:
        told = [phone.masked(number) if number else "" for number in (before.mobile, mobile)]
        changes["mobile"] = {"before": told[0], "after": told[1]}
    if changes:
        _note(by, account_id, Action.USER_CHANGED, before.username, changes)


def _changes(before: object, **after: object) -> dict[str, object]:
    was = {name: getattr(before, name) for name in after}
    return {name: {"before": was[name], "after": value} for name, value in after.items() if was[name] != value}


def set_language(*, user_id: int, language: str) -> None:
    """Remember the language a user reads."""
    execute("UPDATE accounts_user SET language = :language WHERE id = :id", language=language, id=user_id)


def switch_user(*, account_id: int, user_id: int, is_active: bool, by: By) -> None:
    """Shut one user out at once, or let them in again; nobody shuts themselves out."""
    user = queries.user(account_id, user_id)
    if user_id == by.actor_id:
        raise Refusal(N_("You cannot deactivate yourself."))
    execute("UPDATE accounts_user SET is_active = :is_active WHERE id = :id", is_active=is_active, id=user_id)
    if not is_active:
        end_sessions(user_id=user_id)
    _note(by, account_id, Action.USER_ENABLED if is_active else Action.USER_DISABLED, user.username)


# Passwords


def change_password(*, account_id: int, user_id: int, current: str, new: str, token: str, by: By) -> None:
    """Choose a new password and end every other session; raises WrongCredentials or UnusablePassword."""
    user = queries.user(account_id, user_id)
    if not _is_right(user.password_hash, current):
        raise rules.WrongCredentials
    if new == current:
        raise Refusal(N_("That is the password you have now."))
    _store_password(user, new, by=by)
    end_sessions(user_id=user_id, but=token)
    _note(by, account_id, Action.PASSWORD_CHANGED, user.username)


def set_password(*, account_id: int, user_id: int, password: str, by: By, is_one_time: bool = False) -> None:
    """Give a user a password somebody else knows too; every session of theirs ends."""
    user = queries.user(account_id, user_id)
    _store_password(user, password, by=by, is_one_time=is_one_time)
    end_sessions(user_id=user_id)
    _note(by, account_id, Action.PASSWORD_RESET, user.username)


def reset_password(*, account_id: int, user_id: int, by: By) -> str:
    """A random password to hand over, to be changed at the first sign-in; returned once and kept nowhere, so that
    staff can neither choose it nor look it up."""
    password = one_time_password()
    set_password(account_id=account_id, user_id=user_id, password=password, by=by, is_one_time=True)
    return password


def one_time_password() -> str:
    """Twenty random letters and digits in groups, about 99 bits, easy to read out."""
    return "-".join("".join(secrets.choice(_ONE_TIME_ALPHABET) for _ in range(5)) for _ in range(4))


def _store_password(user: Row[Any], password: str, *, by: By, is_one_time: bool = False) -> None:
    _check_password(password, (user.username, queries.account(user.account_id).name), user.mobile)
    execute(
        "UPDATE accounts_user SET password_hash = :hash, password_changed_at = :at, password_expires_at = :expires_at"
        " WHERE id = :id",
        hash=_HASHER.hash(password),
        at=by.at,
        expires_at=by.at + rules.ONE_TIME_PASSWORD_LASTS if is_one_time else None,
        id=user.id,
    )


def _check_password(password: str, names: tuple[str, ...], mobile: int | None) -> None:
    number = (phone.local(mobile),) if mobile else ()
    rules.check_password(password, names=(*names, *number), is_sample_allowed=not settings().is_production)


@cache
def _nobodys_hash() -> str:
    """A hash to try against when there is no such user, so that the work and the wait are the same."""
    return _HASHER.hash(secrets.token_urlsafe())


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return len(password) <= rules.LONGEST_PASSWORD and _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


# Sessions


def sign_in(*, username: str, password: str, by: By, within: str = "") -> SignedIn:
    """Start a session; raises WrongCredentials (no such user and wrong password alike, and whose account does not stand
    in the tree with the path `within`) or Suspended."""
    user = queries.credentials(rules.username_of(username)) if rules.is_username(username) else None
    is_right = _is_right(user.password_hash if user else _nobodys_hash(), password)
    if user is None or not is_right or (user.password_expires_at is not None and user.password_expires_at <= by.at):
        raise rules.WrongCredentials
    if not user.path.startswith(within):
        raise rules.WrongCredentials
    if password == rules.SAMPLE_PASSWORD and settings().is_production:
        raise rules.WrongCredentials
    if not user.is_active or not user.is_open:
        raise rules.Suspended(N_("This account is suspended. Ask the staff of the panel."))
    token = _start_session(user.id, user.account_kind, by)
    _note(replace(by, actor_id=user.id), user.account_id, Action.SIGNED_IN)
    return SignedIn(user_id=user.id, account_id=user.account_id, language=user.language, token=token)


def note_throttled(*, username: str, by: By) -> None:
    """Tell the audit of an account that somebody tries one of its users' passwords too often."""
    user = queries.credentials(rules.username_of(username)) if rules.is_username(username) else None
    if user is not None:
        _note(by, user.account_id, Action.SIGN_IN_THROTTLED, rules.username_of(username))


def _start_session(user_id: int, kind: str, by: By) -> str:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    execute(
        "INSERT INTO accounts_session (token_hash, user_id, created_at, seen_at, expires_at, address, agent)"
        " VALUES (:hash, :user_id, :at, :at, :expires_at, :address, :agent)",
        hash=token_hash(token),
        user_id=user_id,
        at=by.at,
        expires_at=rules.session_end(kind=kind, created_at=by.at, seen_at=by.at),
        address=by.address,
        agent=by.agent[:_AGENT_LENGTH],
    )
    return token


def touch_session(*, token: str, kind: str, created_at: datetime, at: datetime) -> None:
    """Note that a session is used: it lives on from here, within its longest life."""
    execute(
        "UPDATE accounts_session SET seen_at = :at, expires_at = :expires_at WHERE token_hash = :hash",
        at=at,
        expires_at=rules.session_end(kind=kind, created_at=created_at, seen_at=at),
        hash=token_hash(token),
    )


def sign_out(*, token: str, account_id: int, by: By) -> None:
    """End a session: whoever kept its cookie has nothing any more."""
    execute("DELETE FROM accounts_session WHERE token_hash = :hash", hash=token_hash(token))
    _note(by, account_id, Action.SIGNED_OUT)


def end_session(*, user_id: int, ref: str) -> int:
    """End one of a user's own sessions, named as the list names it; returns how many that were."""
    return execute(
        "DELETE FROM accounts_session WHERE user_id = :id AND left(encode(token_hash, 'hex'), 16) = :ref",
        id=user_id,
        ref=ref,
    )


def end_sessions(*, user_id: int, but: str = "") -> int:
    """End all of a user's sessions, or all but the one with the token `but`; returns how many."""
    return execute(
        "DELETE FROM accounts_session WHERE user_id = :id AND token_hash <> :hash", id=user_id, hash=token_hash(but)
    )


def end_all_sessions() -> int:
    """Sign everybody out; returns how many sessions that were."""
    return execute("DELETE FROM accounts_session")


def end_expired(*, most: int, at: datetime) -> int:
    """Delete up to `most` sessions whose time is over; returns how many."""
    return execute(
        "DELETE FROM accounts_session WHERE token_hash IN (SELECT token_hash FROM accounts_session"
        " WHERE expires_at <= :at LIMIT :most)",
        at=at,
        most=most,
    )
