"""The secret addresses that texts are pushed to, one for each line; each change has its line in the audit."""

from collections.abc import Mapping
from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import execute
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.inbox.queries import LinePush, line_push
from sms.lines.queries import NO_SUCH_LINE
from sms.operators.push.rules import hash_of, networks_of, new_token


def renew(*, line_id: int, by: Actor, at: datetime) -> str:
    """Make a line's address, or another in place of the one there is, which then leads nowhere. Returns its secret, of
    which only the hash is kept. Raises NotFound."""
    before = _line(line_id)
    secret = new_token()
    execute(
        """INSERT INTO inbox_push (line_id, token_hash, made_at) VALUES (:id, :hash, :at)
           ON CONFLICT (line_id) DO UPDATE SET token_hash = excluded.token_hash, made_at = excluded.made_at""",
        id=line_id,
        hash=hash_of(secret),
        at=at,
    )
    _audit("renewed" if before.is_open else "made", line_id, {}, by=by, at=at)
    return secret


def close(*, line_id: int, by: Actor, at: datetime) -> None:
    """Take the address away. Raises NotFound, or Refusal when there is none."""
    if not _line(line_id).is_open:
        raise Refusal(N_("There is no address to close."))
    execute("DELETE FROM inbox_push WHERE line_id = :id", id=line_id)
    _audit("closed", line_id, {}, by=by, at=at)


def bind(*, line_id: int, addresses: str, by: Actor, at: datetime) -> None:
    """Take texts only from these IP addresses and networks; from anywhere when the text is empty.

    Raises NotFound, Refusal when there is no address yet, or UnusableSetting.
    """
    before = _line(line_id)
    if not before.is_open:
        raise Refusal(N_("Make an address first."))
    networks = networks_of(addresses)
    if networks != list(before.addresses):
        execute("UPDATE inbox_push SET addresses = :networks WHERE line_id = :id", networks=networks, id=line_id)
        _audit("bound", line_id, {"addresses": networks}, by=by, at=at)


def _line(line_id: int) -> LinePush:
    found = line_push(line_id)
    if found is None:
        raise NotFound(NO_SUCH_LINE)
    return found


def _audit(what: str, line_id: int, details: Mapping[str, object], *, by: Actor, at: datetime) -> None:
    record(
        actor_id=by.id,
        account_id=None,
        action=f"line.texts_push_{what}",
        subject=f"line:{line_id}",
        details=dict(details),
        at=at,
        address=by.address,
    )
