"""Writes of the ledger. Callers state the time and commit."""

from collections.abc import Sequence
from datetime import datetime

from sms.core.db import row, rows, scalar
from sms.ledger.rules import (
    AUTHORISING,
    InsufficientBalance,
    KeyReused,
    Posting,
    TransferKind,
    WalletKind,
    missing,
)

_OPEN = """
INSERT INTO ledger_wallet (code, kind, account_id, credit_limit_mrial, created_at)
VALUES (:code, :kind, :account_id, :credit_limit_mrial, :at)
ON CONFLICT (code) DO NOTHING RETURNING id
"""

_INSERT_TRANSFERS = """
INSERT INTO ledger_transfer (kind, key, body_hash, subject, reason, actor_id, reverses_id, posted_at)
SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:hashes AS bytea[]), CAST(:subjects AS text[]),
                     CAST(:reasons AS text[]), CAST(:actors AS bigint[]), CAST(:reverses AS bigint[])),
                     (SELECT CAST(:at AS timestamptz)) AS t
ON CONFLICT (key) DO NOTHING RETURNING key, id
"""

_INSERT_ENTRIES = """
INSERT INTO ledger_entry (transfer_id, wallet_id, amount_mrial, balance_after_mrial, credit_limit_mrial, wallet_version)
SELECT * FROM unnest(CAST(:transfers AS bigint[]), CAST(:wallets AS bigint[]), CAST(:amounts AS bigint[]),
                     CAST(:balances AS bigint[]), CAST(:limits AS bigint[]), CAST(:versions AS bigint[]))
"""

# The balance check stands in the UPDATE itself: whoever is second sees the row as the first one left it.
_UPDATE_WALLETS = """
UPDATE ledger_wallet w SET balance_mrial = balance_mrial + n.delta, version = version + n.steps
FROM unnest(CAST(:ids AS bigint[]), CAST(:deltas AS bigint[]), CAST(:steps AS bigint[])) AS n (id, delta, steps)
WHERE w.id = n.id AND (n.delta >= 0 OR w.balance_mrial + n.delta >= -w.credit_limit_mrial)
"""


def open_wallet(
    *, code: str, kind: WalletKind, at: datetime, account_id: int | None = None, credit_limit_mrial: int = 0
) -> int:
    """The id of the wallet called `code`, made when it is not there yet."""
    made = scalar(_OPEN, code=code, kind=kind, account_id=account_id, credit_limit_mrial=credit_limit_mrial, at=at)
    return int(made or scalar("SELECT id FROM ledger_wallet WHERE code = :code", code=code))


def set_credit_limit(*, wallet_id: int, credit_limit_mrial: int) -> None:
    """Change how far below zero a wallet may go; a lower limit than the debt only stops new spending."""
    scalar(
        "UPDATE ledger_wallet SET credit_limit_mrial = :limit WHERE id = :id RETURNING id",
        limit=credit_limit_mrial,
        id=wallet_id,
    )


def post(postings: Sequence[Posting], *, at: datetime) -> dict[str, int]:
    """Make the transfers that are not made yet, all or none; returns the transfer id of each new key.

    Raises InsufficientBalance when a wallet would fall below its limit, KeyReused when a key returns with another body.
    """
    if not postings:
        return {}
    made = _insert_transfers(postings, at)
    fresh = [posting for posting in postings if posting.key in made]
    if fresh:
        _move(fresh, made)
    return made


def _insert_transfers(postings: Sequence[Posting], at: datetime) -> dict[str, int]:
    made = {
        found.key: found.id
        for found in rows(
            _INSERT_TRANSFERS,
            kinds=[str(posting.kind) for posting in postings],
            keys=[posting.key for posting in postings],
            hashes=[posting.body_hash for posting in postings],
            subjects=[posting.subject for posting in postings],
            reasons=[posting.reason for posting in postings],
            actors=[posting.actor_id for posting in postings],
            reverses=[posting.reverses_id for posting in postings],
            at=at,
        )
    }
    _refuse_other_bodies([posting for posting in postings if posting.key not in made])
    return made


def _refuse_other_bodies(repeated: Sequence[Posting]) -> None:
    if not repeated:
        return
    known = rows(
        "SELECT key, body_hash FROM ledger_transfer WHERE key = ANY(:keys)", keys=[posting.key for posting in repeated]
    )
    hashes = {found.key: bytes(found.body_hash) for found in known}
    for posting in repeated:
        if hashes[posting.key] != posting.body_hash:
            raise KeyReused("This request was made before with other contents.")


def _move(postings: Sequence[Posting], transfer_ids: dict[str, int]) -> None:
    touched = sorted({wallet_id for posting in postings for wallet_id in posting.moved})
    # Locked in the order of their ids, so that two postings over the same wallets cannot wait for each other.
    wallets = {
        wallet.id: wallet
        for wallet in rows(
            "SELECT id, kind, balance_mrial, credit_limit_mrial, version FROM ledger_wallet"
            " WHERE id = ANY(:ids) AND kind IN ('customer', 'escrow') ORDER BY id FOR NO KEY UPDATE",
            ids=touched,
        )
    }
    balances = {wallet_id: wallet.balance_mrial for wallet_id, wallet in wallets.items()}
    versions = {wallet_id: wallet.version for wallet_id, wallet in wallets.items()}
    lines: list[tuple[int, int, int, int | None, int | None, int | None]] = []
    for posting in postings:
        for wallet_id, amount in sorted(posting.moved.items()):
            if wallet_id not in wallets:
                lines.append((transfer_ids[posting.key], wallet_id, amount, None, None, None))
                continue
            limit = wallets[wallet_id].credit_limit_mrial
            if amount < 0 and (
                lack := missing(balance_mrial=balances[wallet_id], credit_limit_mrial=limit, amount_mrial=-amount)
            ):
                raise InsufficientBalance(missing_mrial=lack)
            balances[wallet_id] += amount
            versions[wallet_id] += 1
            lines.append(
                (transfer_ids[posting.key], wallet_id, amount, balances[wallet_id], limit, versions[wallet_id])
            )
    _write(
        lines, wallets={key: (balances[key] - w.balance_mrial, versions[key] - w.version) for key, w in wallets.items()}
    )


def _write(
    lines: Sequence[tuple[int, int, int, int | None, int | None, int | None]], *, wallets: dict[int, tuple[int, int]]
) -> None:
    columns = list(zip(*lines, strict=True))
    names = ("transfers", "wallets", "amounts", "balances", "limits", "versions")
    rows(_INSERT_ENTRIES + " RETURNING id", **{name: list(column) for name, column in zip(names, columns, strict=True)})
    if wallets:
        ids = sorted(wallets)
        updated = rows(
            _UPDATE_WALLETS + " RETURNING w.id",
            ids=ids,
            deltas=[wallets[wallet_id][0] for wallet_id in ids],
            steps=[wallets[wallet_id][1] for wallet_id in ids],
        )
        if len(updated) != len(ids):
            raise InsufficientBalance(missing_mrial=0)


def adjust(
    *, account_id: int, amount_mrial: int, key: str, reason: str, actor_id: int | None, at: datetime
) -> dict[str, int]:
    """Credit (or, with a negative amount, debit) an account by hand; the reason stays on the transfer for ever."""
    wallet = row("SELECT id FROM ledger_wallet WHERE account_id = :id AND kind = 'customer'", id=account_id)
    if wallet is None:
        raise KeyError(account_id)
    other = open_wallet(code="adjustment", kind=WalletKind.ADJUSTMENT, at=at)
    posting = Posting(
        kind=TransferKind.ADJUSTMENT,
        key=key,
        subject=f"account:{account_id}",
        amounts_mrial={wallet.id: amount_mrial, other: -amount_mrial},
        reason=reason,
        actor_id=actor_id,
    )
    return post([posting], at=at)


__all__ = ["AUTHORISING", "adjust", "open_wallet", "post", "set_credit_limit"]
