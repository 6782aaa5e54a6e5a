"""Writes of the addresses that reports are pushed to, each with its line in the audit."""

from collections.abc import Mapping
from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import execute
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.operators.push.queries import Push, push
from sms.operators.push.rules import hash_of, networks_of, new_token
from sms.operators.queries import NO_SUCH_GATEWAY

NOTHING_PUSHED = N_("This protocol has no reports that are pushed over HTTP.")


def renew(*, gateway_id: int, by: Actor, at: datetime) -> str:
    """Make a gateway's address, or another in place of the one there is, which then leads nowhere. Returns its token,
    of which only the hash is kept. Raises NotFound or Refusal."""
    before = _pushable(gateway_id)
    token = new_token()
    execute(
        "UPDATE operators_gateway SET push_token_hash = :hash, push_made_at = :at WHERE id = :id",
        hash=hash_of(token),
        at=at,
        id=gateway_id,
    )
    _audit("renewed" if before.is_open else "made", gateway_id, {}, by=by, at=at)
    return token


def close(*, gateway_id: int, by: Actor, at: datetime) -> None:
    """Take the address away. Raises NotFound, or Refusal when there is none."""
    if not _pushable(gateway_id).is_open:
        raise Refusal(N_("There is no address to close."))
    execute(
        "UPDATE operators_gateway SET push_token_hash = NULL, push_made_at = NULL WHERE id = :id",
        id=gateway_id,
    )
    _audit("closed", gateway_id, {}, by=by, at=at)


def bind(*, gateway_id: int, addresses: str, by: Actor, at: datetime) -> None:
    """Take reports only from these IP addresses and networks; from anywhere when the text is empty.

    Raises NotFound or UnusableSetting.
    """
    before = _pushable(gateway_id)
    networks = networks_of(addresses)
    if networks != list(before.addresses):
        execute(
            "UPDATE operators_gateway SET push_addresses = :networks WHERE id = :id", networks=networks, id=gateway_id
        )
        _audit("bound", gateway_id, {"addresses": networks}, by=by, at=at)


def _pushable(gateway_id: int) -> Push:
    found = push(gateway_id)
    if found is None:
        raise NotFound(NO_SUCH_GATEWAY)
    if found.parse is None:
        raise Refusal(NOTHING_PUSHED)
    return found


def _audit(what: str, gateway_id: int, details: Mapping[str, object], *, by: Actor, at: datetime) -> None:
    record(
        actor_id=by.id,
        account_id=None,
        action=f"gateway.push_{what}",
        subject=f"gateway:{gateway_id}",
        details=dict(details),
        at=at,
        address=by.address,
    )
