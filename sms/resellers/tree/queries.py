"""Reads of a sub-account that look across capabilities: its money, its lines, its sends by their counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.ledger.queries import CustomerWallet
from sms.outbox.rules import CampaignState
from sms.resellers.tree.rules import StillOpen


@dataclass(frozen=True, slots=True)
class Sends:
    """An account's sends of some days by their counters."""

    messages: int
    delivered: int
    blocked: int


def wallets(account_ids: Sequence[int]) -> dict[int, CustomerWallet]:
    """The wallets of accounts; who never had money has none."""
    found = rows(
        "SELECT account_id, id, balance_mrial, credit_limit_mrial FROM ledger_wallet"
        " WHERE account_id = ANY(:ids) AND kind = 'customer'",
        ids=list(account_ids),
    )
    return {each.account_id: CustomerWallet(each.id, each.balance_mrial, each.credit_limit_mrial) for each in found}


def sends(account_id: int, *, since: date) -> Sends:
    """What an account sent since a day, from the totals that are kept by day."""
    found = row(
        """SELECT coalesce(sum(messages), 0)::bigint AS messages, coalesce(sum(delivered_count), 0)::bigint
                      AS delivered,
                  coalesce(sum(blocked_count), 0)::bigint AS blocked
           FROM outbox_day WHERE account_id = :id AND day >= :since""",
        id=account_id,
        since=since,
    )
    return Sends(**found._mapping) if found else Sends(0, 0, 0)


def latest_sends(account_id: int, *, most: int = 5) -> Sequence[Row[Any]]:
    """An account's latest sends by their counters, without their words and without a recipient."""
    return rows(
        """SELECT c.id, c.state, c.accepted_at, c.scheduled_at, c.paused_at, c.sendable_count, c.counts, l.number
           FROM outbox_campaign c JOIN lines_line l ON l.id = c.line_id
           WHERE c.account_id = :id ORDER BY c.id DESC LIMIT :most""",
        id=account_id,
        most=most,
    )


def still_open(account_id: int) -> StillOpen:
    """What an account would lose were it closed now."""
    found = row(
        """SELECT coalesce((SELECT balance_mrial FROM ledger_wallet
                            WHERE account_id = :id AND kind = 'customer'), 0)::bigint AS balance_mrial,
                  (SELECT coalesce(sum(balance_mrial), 0) FROM ledger_wallet
                   WHERE account_id = :id AND kind = 'escrow' AND balance_mrial <> 0)::bigint AS held_mrial,
                  (SELECT count(*) FROM outbox_campaign
                   WHERE account_id = :id AND closed_at IS NULL AND state <> :closed) AS campaigns,
                  (SELECT count(*) FROM lines_order WHERE account_id = :id
                   AND state IN ('inquiry', 'quoted', 'approved', 'purchased')) AS orders,
                  (SELECT count(*) FROM lines_line WHERE account_id = :id) AS lines""",
        id=account_id,
        closed=str(CampaignState.CLOSED),
    )
    if found is None:
        raise LookupError(account_id)
    return StillOpen(**found._mapping)
