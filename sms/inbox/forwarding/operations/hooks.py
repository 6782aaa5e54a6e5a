"""Addresses that texts go on to: made, changed, switched, taken away; each change has its line in the audit."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.config import settings
from sms.core.db import execute, scalar
from sms.core.errors import NotFound
from sms.core.outward import PUBLIC, Fence, UnusableUrl, place_of
from sms.core.seal import seal, unseal
from sms.core.text import N_
from sms.inbox.forwarding.queries import NO_SUCH_HOOK, Hook, hook, hooks
from sms.inbox.forwarding.rules import MOST_HOOKS, NAME_LENGTH, UnusableHook
from sms.lines.queries import account_line

_SECRET_BYTES = 24


def fence() -> Fence:
    """Where texts may go: the open internet, and never this installation itself."""
    own = (urlsplit(settings().public_url).hostname or "").lower()
    return Fence(PUBLIC.schemes, PUBLIC.ports, PUBLIC.allows, frozenset({own} - {""}))


def add(
    *, account_id: int, line_id: int, name: str, url: str, takes_all: bool, seal_key: str, by: Actor, at: datetime
) -> tuple[int, str]:
    """Let the texts of a line go on to an address; returns its id and the secret it is signed with, which can be looked
    up by the owner. Raises NotFound or UnusableHook."""
    account_line(account_id, line_id)
    if len(hooks(account_id, line_id)) >= MOST_HOOKS:
        raise UnusableHook("url", N_("A line has at most %(most)s addresses."), most=MOST_HOOKS)
    host = _checked(name, url)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    made = scalar(
        """INSERT INTO inbox_hook (account_id, line_id, name, url, host, secret_sealed, takes_all, created_at)
           VALUES (:account_id, :line_id, :name, :url, :host, :sealed, :takes_all, :at) RETURNING id""",
        account_id=account_id,
        line_id=line_id,
        name=name.strip(),
        url=url,
        host=host,
        sealed=seal({"secret": secret}, seal_key=seal_key),
        takes_all=takes_all,
        at=at,
    )
    _audit("added", account_id, int(made), {"host": host, "line": line_id}, by=by, at=at)
    return int(made), secret


def change(*, account_id: int, hook_id: int, name: str, url: str, takes_all: bool, by: Actor, at: datetime) -> None:
    """Give it another name, address or purpose; what waits goes to the new address. Raises NotFound or UnusableHook."""
    hook(account_id, hook_id)
    host = _checked(name, url)
    execute(
        """UPDATE inbox_hook SET name = :name, url = :url, host = :host, takes_all = :takes_all WHERE id = :id""",
        id=hook_id,
        name=name.strip(),
        url=url,
        host=host,
        takes_all=takes_all,
    )
    _audit("changed", account_id, hook_id, {"host": host, "takes_all": takes_all}, by=by, at=at)


def _checked(name: str, url: str) -> str:
    if not name.strip() or len(name) > NAME_LENGTH:
        raise UnusableHook("name", N_("Give it a name."))
    try:
        return place_of(url, fence()).host
    except UnusableUrl as error:
        raise UnusableHook("url", error.message, **error.params) from None


def switch(*, account_id: int, hook_id: int, is_on: bool, by: Actor, at: datetime) -> None:
    """Switch it off, so that what waits stays and nothing is added, or on again. Raises NotFound."""
    hook(account_id, hook_id)
    execute("UPDATE inbox_hook SET is_on = :is_on WHERE id = :id", id=hook_id, is_on=is_on)
    _audit("switched_on" if is_on else "switched_off", account_id, hook_id, {}, by=by, at=at)


def renew_secret(*, account_id: int, hook_id: int, seal_key: str, by: Actor, at: datetime) -> str:
    """Sign with another secret from now on; returns it. Raises NotFound."""
    hook(account_id, hook_id)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    sealed = seal({"secret": secret}, seal_key=seal_key)
    execute("UPDATE inbox_hook SET secret_sealed = :sealed WHERE id = :id", id=hook_id, sealed=sealed)
    _audit("secret_renewed", account_id, hook_id, {}, by=by, at=at)
    return secret


def remove(*, account_id: int, hook_id: int, by: Actor, at: datetime) -> None:
    """Take it away; what waits is given up, what was done stays readable nowhere but in the audit. Raises NotFound."""
    hook(account_id, hook_id)
    execute("UPDATE inbox_hook SET removed_at = :at, is_on = false WHERE id = :id", id=hook_id, at=at)
    execute("UPDATE inbox_automation SET hook_id = NULL WHERE hook_id = :id", id=hook_id)
    execute(
        """UPDATE inbox_delivery SET state = 'given_up', ended_at = :at, lease_until = NULL
           WHERE hook_id = :id AND state = 'waiting'""",
        id=hook_id,
        at=at,
    )
    _audit("removed", account_id, hook_id, {}, by=by, at=at)


def know(*, account_id: int, hook_id: int, at: datetime) -> None:
    """The owner knows that an address takes nothing; he is told again when it has worked in between. Raises
    NotFound."""
    if not execute(
        "UPDATE inbox_hook SET told_at = :at WHERE id = :id AND account_id = :account_id AND removed_at IS NULL",
        id=hook_id,
        account_id=account_id,
        at=at,
    ):
        raise NotFound(NO_SUCH_HOOK)


def secret_of(found: Hook, *, seal_key: str) -> str:
    """The secret that deliveries are signed with; raises CannotUnseal."""
    return unseal(found.secret_sealed, seal_key=seal_key)["secret"]


def _audit(what: str, account_id: int, hook_id: int, details: Mapping[str, object], *, by: Actor, at: datetime) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=f"texts.address_{what}",
        subject=f"hook:{hook_id}",
        details=dict(details),
        at=at,
        address=by.address,
    )
