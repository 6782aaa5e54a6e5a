"""Reads of the ledger: wallets, statements, transfers, totals, and the invariants I1 to I3 as SQL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.core import clock
from sms.core.db import row, rows, scalar
from sms.ledger.credit.queries import I3_COVER
from sms.ledger.rules import AUTHORISING, MANUAL, Subject, TransferKind, WalletKind, subject_of, why

# A long acceptance states its time at its beginning and posts at its end, so lines of a statement may stand a little
# out of the order of their times; the search for a day's first line looks this much further.
_SLACK = timedelta(hours=1)
_NO_END = 2**62  # above every line's number


@dataclass(frozen=True, slots=True)
class CustomerWallet:
    """An account's own money: what is there, and how far below zero it may go."""

    id: int
    balance_mrial: int
    credit_limit_mrial: int


_WALLET = """
SELECT id, balance_mrial, credit_limit_mrial FROM ledger_wallet WHERE account_id = :account_id AND kind = 'customer'
"""

_OPEN_CUSTOMER = """
INSERT INTO ledger_wallet (code, kind, account_id, created_at)
VALUES ('account:' || CAST(:account_id AS bigint), 'customer', :account_id, :at) ON CONFLICT (code) DO NOTHING
"""


def customer_wallet(account_id: int) -> CustomerWallet:
    """The wallet of an account, opened at its first use, so that nobody who reads it has to ask whether it is there."""
    found = row(_WALLET, account_id=account_id)
    if found is None:
        scalar(_OPEN_CUSTOMER + "RETURNING id", account_id=account_id, at=clock.now())
        found = row(_WALLET, account_id=account_id)
    if found is None:
        raise LookupError(account_id)
    return CustomerWallet(**found._mapping)


def balance(account_id: int) -> int:
    """An account's balance in milli-rial; 0 before its first money."""
    return wallet_of(account_id).balance_mrial


def wallet_of(account_id: int) -> CustomerWallet:
    """What `customer_wallet` tells, for pages that only read: id 0 and no money where there is no wallet yet."""
    found = row(_WALLET, account_id=account_id)
    return CustomerWallet(**found._mapping) if found else CustomerWallet(0, 0, 0)


def set_aside(account_id: int) -> int:
    """What is held for an account's campaigns and not yet charged or given back, in milli-rial."""
    return int(
        scalar(
            "SELECT coalesce(sum(balance_mrial), 0)::bigint FROM ledger_wallet"
            " WHERE account_id = :account_id AND kind = 'escrow' AND balance_mrial <> 0",
            account_id=account_id,
        )
    )


# Statements


@dataclass(frozen=True, slots=True)
class StatementFilter:
    """What a statement is narrowed to; moments are half-open, [since, until); a subject is such as `campaign:12`."""

    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    subject: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement of a customer's wallet; `number` counts the wallet's movements from 1 without gaps."""

    number: int
    transfer_id: int
    kind: TransferKind
    subject: Subject
    reason: str
    amount_mrial: int
    balance_after_mrial: int
    posted_at: datetime
    reverses_id: int | None
    reversed_by: int | None

    @property
    def why(self) -> str:
        """Why, as a message id with a place for the subject's %(number)s."""
        return why(kind=self.kind, amount_mrial=self.amount_mrial, subject=self.subject)

    @property
    def is_reversible(self) -> bool:
        """Whether the staff may take it back."""
        return self.kind in MANUAL and self.reversed_by is None


_STATEMENT = """
SELECT e.wallet_version AS number, t.id AS transfer_id, t.kind, t.subject, t.reason, e.amount_mrial,
       e.balance_after_mrial, t.posted_at, t.reverses_id, r.id AS reversed_by
FROM {of} LEFT JOIN ledger_transfer r ON r.reverses_id = t.id
WHERE e.wallet_id = :wallet_id AND e.wallet_version >= :low AND e.wallet_version < :high
  AND (:kind = '' OR t.kind = :kind)
  AND (CAST(:since AS timestamptz) IS NULL OR t.posted_at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR t.posted_at < :until)
  AND (:direction = '' OR (e.amount_mrial > 0) = (:direction = 'in'))
ORDER BY e.wallet_version DESC LIMIT :most
"""
_ALL = "ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id"
# Found by its subject and not by its wallet, which may have a million lines about other things.
_ABOUT = """
(SELECT * FROM ledger_transfer WHERE subject = :subject OFFSET 0) t JOIN LATERAL (
    SELECT * FROM ledger_entry x WHERE x.transfer_id = t.id OFFSET 0) e ON true
"""


def statement(
    *, account_id: int, narrowed: StatementFilter, before: int | None = None, most: int = 26
) -> list[StatementLine]:
    """A page of an account's movements, newest first, below the line number `before`."""
    wallet_id = wallet_of(account_id).id
    low, high = _bounds(wallet_id, narrowed)
    return _lines(wallet_id, narrowed, low=low, high=min(high, before) if before is not None else high, most=most)


def whole_statement(*, account_id: int, narrowed: StatementFilter, page: int = 1000) -> Iterator[StatementLine]:
    """All of an account's movements, newest first, read page by page so that memory stays small."""
    wallet_id = wallet_of(account_id).id
    low, high = _bounds(wallet_id, narrowed)
    while lines := _lines(wallet_id, narrowed, low=low, high=high, most=page):
        yield from lines
        high = lines[-1].number


def _lines(wallet_id: int, narrowed: StatementFilter, *, low: int, high: int, most: int) -> list[StatementLine]:
    about = {"subject": narrowed.subject} if narrowed.subject else {}
    place = {"wallet_id": wallet_id, "low": low, "high": high, "most": most}
    wanted = {"kind": narrowed.kind, "direction": narrowed.direction, "since": narrowed.since, "until": narrowed.until}
    found = rows(_STATEMENT.format(of=_ABOUT if about else _ALL), **place, **wanted, **about)
    return [_line(line) for line in found]


def _line(found: Row[Any]) -> StatementLine:
    values = dict(found._mapping)
    return StatementLine(**values | {"kind": TransferKind(found.kind), "subject": subject_of(found.subject)})


# Both ends of a period at once, each by halving the wallet's lines. OFFSET 0: the line in the middle is read but once.
_ENDS = """
WITH RECURSIVE halving AS (
    SELECT e.side, e.moment, CAST(1 AS bigint) AS low, coalesce(n.newest, 0) + 1 AS high
    FROM (VALUES ('since', CAST(:since AS timestamptz)), ('until', CAST(:until AS timestamptz))) AS e (side, moment),
         (SELECT max(wallet_version) AS newest FROM ledger_entry WHERE wallet_id = :wallet_id) n
    WHERE e.moment IS NOT NULL
    UNION ALL
    SELECT side, moment, CASE WHEN posted_at < moment THEN middle + 1 ELSE low END,
           CASE WHEN posted_at < moment THEN high ELSE middle END
    FROM (SELECT h.*, (h.low + h.high) / 2 AS middle, (
                  SELECT t.posted_at FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id
                  WHERE e.wallet_id = :wallet_id AND e.wallet_version = (h.low + h.high) / 2) AS posted_at
          FROM halving h WHERE h.low < h.high OFFSET 0) halved
)
SELECT side, low AS number FROM halving WHERE low = high
"""


def _bounds(wallet_id: int, narrowed: StatementFilter) -> tuple[int, int]:
    """The line numbers [low, high) that can lie in the filter's days: found by halving, not by reading all lines."""
    if narrowed.since is None and narrowed.until is None:
        return 1, _NO_END
    since, until = narrowed.since and narrowed.since - _SLACK, narrowed.until and narrowed.until + _SLACK
    found = rows(_ENDS, wallet_id=wallet_id, since=since, until=until)
    ends = {end.side: int(end.number) for end in found}
    return ends.get("since", 1), ends.get("until", _NO_END)


def totals(*, account_id: int, since: datetime | None = None, until: datetime | None = None) -> dict[TransferKind, int]:
    """What entered (positive) and left an account's wallet in a period, by kind, in milli-rial."""
    narrowed = StatementFilter(since=since, until=until)
    wallet_id = wallet_of(account_id).id
    low, high = _bounds(wallet_id, narrowed)
    found = rows(
        """SELECT t.kind, sum(e.amount_mrial)::bigint AS amount_mrial
           FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id
           WHERE e.wallet_id = :wallet_id AND e.wallet_version >= :low AND e.wallet_version < :high
             AND (CAST(:since AS timestamptz) IS NULL OR t.posted_at >= :since)
             AND (CAST(:until AS timestamptz) IS NULL OR t.posted_at < :until)
           GROUP BY t.kind""",
        wallet_id=wallet_id,
        low=low,
        high=high,
        since=since,
        until=until,
    )
    return {TransferKind(total.kind): total.amount_mrial for total in found}


# For the staff


@dataclass(frozen=True, slots=True)
class WalletSum:
    """All wallets of a kind together."""

    kind: WalletKind
    count: int
    balance_mrial: int


def overview() -> list[WalletSum]:
    """How much lies in each kind of wallet, together zero; recording wallets are summed from their entries."""
    found = rows(
        """SELECT w.kind, count(*) AS wallets,
               sum(CASE WHEN w.kind = ANY(:authorising) THEN w.balance_mrial ELSE coalesce(e.sum_mrial, 0) END)::bigint
                   AS balance_mrial
           FROM ledger_wallet w LEFT JOIN LATERAL (
               SELECT sum(amount_mrial) AS sum_mrial FROM ledger_entry
               WHERE wallet_id = w.id AND NOT w.kind = ANY(:authorising)) e ON true
           GROUP BY w.kind""",
        authorising=[str(kind) for kind in AUTHORISING],
    )
    sums = {total.kind: WalletSum(WalletKind(total.kind), total.wallets, total.balance_mrial) for total in found}
    return [sums.get(kind, WalletSum(kind, 0, 0)) for kind in WalletKind]


def recording_wallets() -> Sequence[Row[Any]]:
    """The wallets of the house itself, each with the sum of its entries: code, kind, balance_mrial."""
    return rows(
        """SELECT w.id, w.code, w.kind, coalesce(sum(e.amount_mrial), 0)::bigint AS balance_mrial
           FROM ledger_wallet w LEFT JOIN ledger_entry e ON e.wallet_id = w.id
           WHERE w.account_id IS NULL AND NOT w.kind = ANY(:authorising) GROUP BY w.id ORDER BY w.kind, w.code""",
        authorising=[str(kind) for kind in AUTHORISING],
    )


_TRANSFERS = """
SELECT t.id, t.kind, t.subject, t.reason, t.posted_at, t.reverses_id, u.username AS actor,
       (SELECT sum(e.amount_mrial) FROM ledger_entry e WHERE e.transfer_id = t.id AND e.amount_mrial > 0)::bigint
           AS amount_mrial,
       owner.id AS account_id, owner.name AS account_name
FROM ledger_transfer t LEFT JOIN accounts_user u ON u.id = t.actor_id
LEFT JOIN LATERAL (
    SELECT a.id, a.name FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id
    JOIN accounts_account a ON a.id = w.account_id WHERE e.transfer_id = t.id
    ORDER BY w.kind NOT IN ('customer', 'escrow'), e.id LIMIT 1) owner ON true
WHERE (CAST(:before AS bigint) IS NULL OR t.id < :before) AND (:kind = '' OR t.kind = :kind)
ORDER BY t.id DESC LIMIT :most
"""


def transfers(*, kind: str = "", before: int | None = None, most: int = 26) -> Sequence[Row[Any]]:
    """A page of all transfers, newest first, below the id `before`; of every account, so for the staff only."""
    return rows(_TRANSFERS, kind=kind, before=before, most=most)


@dataclass(frozen=True, slots=True)
class TransferView:
    """One transfer with its entries, for the staff."""

    id: int
    kind: TransferKind
    subject: Subject
    reason: str
    key: str
    posted_at: datetime
    actor: str | None
    reverses_id: int | None
    reversed_by: int | None
    entries: Sequence[Row[Any]]

    @property
    def is_reversible(self) -> bool:
        """Whether the staff may take it back."""
        return self.kind in MANUAL and self.reversed_by is None


def transfer(transfer_id: int) -> TransferView | None:
    """One transfer of whatever account; for the staff only."""
    found = row(
        """SELECT t.id, t.kind, t.subject, t.reason, t.key, t.posted_at, u.username AS actor, t.reverses_id,
               r.id AS reversed_by
           FROM ledger_transfer t LEFT JOIN accounts_user u ON u.id = t.actor_id
           LEFT JOIN ledger_transfer r ON r.reverses_id = t.id WHERE t.id = :id""",
        id=transfer_id,
    )
    if found is None:
        return None
    entries = rows(
        """SELECT e.id, e.amount_mrial, e.balance_after_mrial, w.code, w.kind, w.id AS wallet_id, w.account_id,
               a.name AS account_name
           FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id
           LEFT JOIN accounts_account a ON a.id = w.account_id WHERE e.transfer_id = :id ORDER BY e.id""",
        id=transfer_id,
    )
    values = dict(found._mapping) | {"kind": TransferKind(found.kind), "subject": subject_of(found.subject)}
    return TransferView(**values, entries=entries)


def transfer_of_key(key: str) -> int | None:
    """The id of the transfer that an idempotency key stands for."""
    found = scalar("SELECT id FROM ledger_transfer WHERE key = :key", key=key)
    return int(found) if found else None


# What must always hold (design §9)

I1_TOTAL = """
SELECT sum(amount_mrial)::bigint AS sum_mrial, 'all entries together do not make zero' AS problem
FROM ledger_entry HAVING sum(amount_mrial) <> 0
"""

I1_TRANSFERS = """
SELECT t.id AS transfer_id, t.kind, count(e.id) AS entries, coalesce(sum(e.amount_mrial), 0)::bigint AS sum_mrial,
       CASE WHEN count(e.id) < 2 THEN 'fewer than two entries' ELSE 'its entries do not make zero' END AS problem
FROM ledger_transfer t LEFT JOIN ledger_entry e ON e.transfer_id = t.id
GROUP BY t.id HAVING count(e.id) < 2 OR sum(e.amount_mrial) <> 0 ORDER BY t.id LIMIT 20
"""

I2_BALANCES = """
SELECT w.id AS wallet_id, w.code, w.balance_mrial, coalesce(e.sum_mrial, 0)::bigint AS entries_mrial,
       w.version, coalesce(e.entries, 0) AS entries, 'the balance is not the sum of its entries' AS problem
FROM ledger_wallet w LEFT JOIN (
    SELECT wallet_id, sum(amount_mrial) AS sum_mrial, count(*) AS entries FROM ledger_entry GROUP BY wallet_id
) e ON e.wallet_id = w.id
WHERE w.kind = ANY(:authorising)
  AND (w.balance_mrial <> coalesce(e.sum_mrial, 0) OR w.version <> coalesce(e.entries, 0))
ORDER BY w.id LIMIT 20
"""

I2_CHAINS = """
SELECT * FROM (
    SELECT e.id AS entry_id, w.code, e.wallet_version, e.amount_mrial, e.balance_after_mrial,
           lag(e.balance_after_mrial, 1, 0) OVER chain AS balance_before_mrial,
           lag(e.wallet_version, 1, 0) OVER chain AS version_before,
           'does not follow the entry before it' AS problem
    FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id WHERE w.kind = ANY(:authorising)
    WINDOW chain AS (PARTITION BY e.wallet_id ORDER BY e.wallet_version NULLS FIRST, e.id)
) chained
WHERE wallet_version IS DISTINCT FROM version_before + 1
   OR balance_after_mrial IS DISTINCT FROM balance_before_mrial + amount_mrial
ORDER BY entry_id LIMIT 20
"""

I2_RECORDING = """
SELECT e.id AS entry_id, w.code, e.wallet_version, 'a recording wallet keeps no balance' AS problem
FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id
WHERE NOT w.kind = ANY(:authorising) AND e.wallet_version IS NOT NULL ORDER BY e.id LIMIT 20
"""

# Money that enters a wallet is welcome also where a lowered limit has left it too deep.
I3_LIMITS = """
SELECT e.id AS entry_id, w.code, e.amount_mrial, e.balance_after_mrial, e.credit_limit_mrial,
       'spent below its limit' AS problem
FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id
WHERE w.kind = ANY(:authorising) AND e.amount_mrial < 0
  AND (e.credit_limit_mrial IS NULL OR e.balance_after_mrial < -e.credit_limit_mrial)
ORDER BY e.id LIMIT 20
"""

INVARIANTS: Mapping[str, Sequence[str]] = {
    "I1": (I1_TOTAL, I1_TRANSFERS),
    "I2": (I2_BALANCES, I2_CHAINS, I2_RECORDING),
    "I3": (I3_LIMITS, I3_COVER),
}


def broken() -> dict[str, list[dict[str, Any]]]:
    """The offending rows of each invariant of the ledger, 20 of a kind at most; an empty list where it holds.

    Reads every entry.
    """
    authorising = [str(kind) for kind in AUTHORISING]
    return {
        name: [
            dict(found._mapping)
            for statement_sql in statements
            for found in (
                rows(statement_sql, authorising=authorising) if ":authorising" in statement_sql else rows(statement_sql)
            )
        ]
        for name, statements in INVARIANTS.items()
    }
