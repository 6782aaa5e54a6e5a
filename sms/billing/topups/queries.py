"""Reads of top-ups: an account's own, the staff's, those a gateway is to be asked about; gateways and the policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.billing.topups.rules import hash_of
from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_TOPUP = N_("There is no such payment.")


@dataclass(frozen=True, slots=True)
class Topup:
    """An attempt to pay in, with its account and its gateway."""

    id: int
    account_id: int
    account_name: str
    user_id: int
    username: str
    gateway_id: int
    gateway_name: str
    state: str
    amount_mrial: int
    vat_permille: int
    vat_mrial: int
    authority: str | None
    reference: str | None
    card: str
    code: str
    started_at: datetime
    answered_at: datetime | None
    paid_at: datetime | None
    next_look_at: datetime | None
    look_count: int
    transfer_id: int | None

    @property
    def total_mrial(self) -> int:
        """What the payer pays."""
        return self.amount_mrial + self.vat_mrial


_TOPUP = """
SELECT t.id, t.account_id, a.name AS account_name, t.user_id, u.username, t.gateway_id, g.name AS gateway_name, t.state,
       t.amount_mrial, t.vat_permille, t.vat_mrial, t.authority, t.reference, t.card, t.code, t.started_at,
       t.answered_at, t.paid_at, t.next_look_at, t.look_count, t.transfer_id
FROM billing_topup t JOIN accounts_account a ON a.id = t.account_id JOIN accounts_user u ON u.id = t.user_id
JOIN billing_payment_gateway g ON g.id = t.gateway_id
"""


def account_topup(account_id: int, topup_id: int) -> Topup:
    """One of an account's own; raises NotFound, also for somebody else's."""
    found = row(f"{_TOPUP} WHERE t.id = :id AND t.account_id = :account_id", id=topup_id, account_id=account_id)
    return _one(found)


def account_topups(account_id: int, *, before: int | None = None, most: int = 26) -> list[Topup]:
    """A page of an account's own, the newest first, below the id `before`."""
    found = rows(
        f"{_TOPUP} WHERE t.account_id = :account_id AND (CAST(:before AS bigint) IS NULL OR t.id < :before)"
        " ORDER BY t.id DESC LIMIT :most",
        account_id=account_id,
        before=before,
        most=most,
    )
    return [Topup(**each._mapping) for each in found]


def by_token(token: str) -> Topup:
    """The attempt whose payer is sent back to this address; raises NotFound."""
    return _one(row(f"{_TOPUP} WHERE t.token_hash = :hash", hash=hash_of(token)))


def topup(topup_id: int) -> Topup:
    """Anybody's, for the staff and the jobs; raises NotFound."""
    return _one(row(f"{_TOPUP} WHERE t.id = :id", id=topup_id))


def topups(
    *, state: str = "", gateway_id: int | None = None, account: str = "", before: int | None = None, most: int = 26
) -> list[Topup]:
    """A page of everybody's, the newest first, below the id `before`; for the staff."""
    found = rows(
        f"""{_TOPUP} WHERE (:state = '' OR t.state = :state)
            AND (CAST(:gateway_id AS int) IS NULL OR t.gateway_id = :gateway_id)
            AND (:account = '' OR position(lower(:account) IN lower(a.name)) > 0)
            AND (CAST(:before AS bigint) IS NULL OR t.id < :before) ORDER BY t.id DESC LIMIT :most""",
        state=state,
        gateway_id=gateway_id,
        account=account,
        before=before,
        most=most,
    )
    return [Topup(**each._mapping) for each in found]


def _one(found: Row[Any] | None) -> Topup:
    if found is None:
        raise NotFound(NO_SUCH_TOPUP)
    return Topup(**found._mapping)


# Gateways and the policy


def gateways(*, is_active: bool | None = None) -> Sequence[Row[Any]]:
    """The payment gateways by name: all, or those in use (or not)."""
    return rows(
        """SELECT id, adapter, name, base_url, is_sandbox, is_active, least_mrial, most_mrial
           FROM billing_payment_gateway WHERE CAST(:is_active AS boolean) IS NULL OR is_active = :is_active
           ORDER BY name, id""",
        is_active=is_active,
    )


def gateway(gateway_id: int) -> Row[Any]:
    """One payment gateway with its sealed credentials; raises NotFound."""
    found = row("SELECT * FROM billing_payment_gateway WHERE id = :id", id=gateway_id)
    if found is None:
        raise NotFound(N_("There is no such payment gateway."))
    return found


@dataclass(frozen=True, slots=True)
class Policy:
    """How often an account may try, and what one younger than `new_days` may pay in within 24 hours."""

    tries_an_hour: int
    new_days: int
    new_day_most_mrial: int


def policy(at: datetime) -> Policy:
    """What holds at a moment."""
    found = row(
        "SELECT tries_an_hour, new_days, new_day_most_mrial FROM billing_topup_policy WHERE valid_from <= :at"
        " ORDER BY valid_from DESC, id DESC LIMIT 1",
        at=at,
    )
    if found is None:
        raise LookupError("no policy of top-ups")
    return Policy(**found._mapping)
