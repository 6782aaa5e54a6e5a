"""Writes of the ledger. Callers state the time and commit."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.core.db import execute, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.ledger.queries import transfer, wallet_of
from sms.ledger.rules import (
    LONGEST_REASON,
    MANUAL,
    MOST_MRIAL,
    InsufficientBalance,
    KeyReused,
    Posting,
    TransferKind,
    WalletKind,
    missing,
)

_REUSED = N_("This was done before with other contents; load the page again.")
_REVERSED = N_("This transfer has been reversed already.")

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


def recording_wallets(operator_codes: Collection[str], *, at: datetime) -> dict[tuple[WalletKind, str], int]:
    """The ids of the wallets that record revenue and cost, by kind and operator; made when they are not there yet."""
    names = {
        f"{kind}:{code}": (kind, code)
        for kind in (WalletKind.REVENUE, WalletKind.OPERATOR_COST)
        for code in sorted(operator_codes)
    }
    found: dict[str, int] = {}
    if names:
        known = rows("SELECT code, id FROM ledger_wallet WHERE code = ANY(:codes)", codes=list(names))
        found = {wallet.code: wallet.id for wallet in known}
    return {name: found.get(code) or open_wallet(code=code, kind=name[0], at=at) for code, name in names.items()}


def profit_wallets(account_ids: Sequence[int], *, at: datetime) -> list[int]:
    """The ids of the wallets that record what these accounts earn, in their order; made at their first use."""
    codes = {f"profit:{account_id}": account_id for account_id in account_ids}
    known = rows("SELECT code, id FROM ledger_wallet WHERE code = ANY(:codes)", codes=list(codes))
    found = {wallet.code: int(wallet.id) for wallet in known}
    for code in sorted(codes.keys() - found.keys()):  # in one order, so that nobody waits for each other
        found[code] = open_wallet(code=code, kind=WalletKind.PROFIT, account_id=codes[code], at=at)
    return [found[code] for code in codes]


def post(postings: Sequence[Posting], *, at: datetime) -> dict[str, int]:
    """Make the transfers that are not made yet, all or none; returns the transfer id of each new key.

    Raises InsufficientBalance when a wallet would fall below its limit, KeyReused when a key returns with another body.
    """
    asked = _once_each(postings)
    if not asked:
        return {}
    made = _insert_transfers(asked, at)
    fresh = [posting for posting in asked if posting.key in made]
    if fresh:
        _move(fresh, made)
    return made


def _once_each(postings: Sequence[Posting]) -> list[Posting]:
    """The postings without those that repeat a key within this very call."""
    by_key: dict[str, Posting] = {}
    for posting in postings:
        if by_key.setdefault(posting.key, posting).body_hash != posting.body_hash:
            raise KeyReused(_REUSED)
    return list(by_key.values())


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
            raise KeyReused(_REUSED)


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
            usable = limit if posting.spends_credit else 0
            if amount < 0 and (
                lack := missing(balance_mrial=balances[wallet_id], credit_limit_mrial=usable, amount_mrial=-amount)
            ):
                raise InsufficientBalance(missing_mrial=lack, wallet_id=wallet_id)
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


def customer_wallet_id(*, account_id: int, at: datetime) -> int:
    """The id of an account's own wallet, opened at its first use; raises NotFound without such an account."""
    found = wallet_of(account_id)
    if found.id:
        return found.id
    account(account_id)
    return open_wallet(code=f"account:{account_id}", kind=WalletKind.CUSTOMER, account_id=account_id, at=at)


def check_limit(credit_limit_mrial: int) -> None:
    """Raise Refusal for what cannot be a credit limit."""
    if not 0 <= credit_limit_mrial <= MOST_MRIAL:
        raise Refusal(N_("A credit limit is an amount of zero or more."))


def change_credit_limit(*, account_id: int, credit_limit_mrial: int, actor_id: int | None, at: datetime) -> None:
    """Change how far below zero an account may go, uncovered (for what a reseller grants see `credit`); a lower limit
    than its debt only stops new spending.

    Raises Refusal for a limit below zero, NotFound without such an account.
    """
    check_limit(credit_limit_mrial)
    wallet_id = customer_wallet_id(account_id=account_id, at=at)
    before = scalar("SELECT credit_limit_mrial FROM ledger_wallet WHERE id = :id FOR NO KEY UPDATE", id=wallet_id)
    if before == credit_limit_mrial:
        return
    execute(
        "UPDATE ledger_wallet SET credit_limit_mrial = :limit WHERE id = :id", limit=credit_limit_mrial, id=wallet_id
    )
    record(
        actor_id=actor_id,
        account_id=account_id,
        action="money.limit_changed",
        subject=f"account:{account_id}",
        details={"before_mrial": before, "after_mrial": credit_limit_mrial},
        at=at,
    )


def adjust(
    *, account_id: int, amount_mrial: int, key: str, reason: str, actor_id: int | None, at: datetime
) -> dict[str, int]:
    """Credit (or, with a negative amount, debit) an account by hand; the reason stays on the transfer for ever.

    Returns the transfer's id by its key, or nothing when this key was posted before. Raises Refusal without an amount
    or a reason, InsufficientBalance, KeyReused, NotFound.
    """
    reason = stated(reason)
    if not 0 < abs(amount_mrial) <= MOST_MRIAL:
        raise Refusal(N_("State an amount other than zero."))
    wallet_id = customer_wallet_id(account_id=account_id, at=at)
    other = open_wallet(code="adjustment", kind=WalletKind.ADJUSTMENT, at=at)
    posting = Posting(
        kind=TransferKind.ADJUSTMENT,
        key=key,
        subject=f"account:{account_id}",
        amounts_mrial={wallet_id: amount_mrial, other: -amount_mrial},
        reason=reason,
        actor_id=actor_id,
    )
    made = post([posting], at=at)
    if made:
        record(
            actor_id=actor_id,
            account_id=account_id,
            action="money.adjusted",
            subject=f"transfer:{made[key]}",
            details={"amount_mrial": amount_mrial, "reason": reason},
            at=at,
        )
    return made


def give(
    *,
    from_account_id: int,
    to_account_id: int,
    amount_mrial: int,
    key: str,
    reason: str,
    actor_id: int | None,
    at: datetime,
) -> dict[str, int]:
    """Move credit from an account to one below it; only money that is there, never what a credit limit would allow.
    Who stands above whom is for the caller to know.

    Returns the transfer's id by its key, or nothing when this key was posted before for the same account. Raises
    Refusal without an amount or a reason, InsufficientBalance, KeyReused, NotFound.
    """
    reason = stated(reason)
    amounts = _credit(from_account_id, to_account_id, amount_mrial, at=at)
    return _move_credit(amounts, "money.given", below=to_account_id, key=key, reason=reason, actor_id=actor_id, at=at)


def take(
    *,
    from_account_id: int,
    to_account_id: int,
    amount_mrial: int,
    key: str,
    reason: str,
    actor_id: int | None,
    at: datetime,
) -> dict[str, int]:
    """Move credit from an account to the one above it; else as `give`."""
    reason = stated(reason)
    amounts = _credit(from_account_id, to_account_id, amount_mrial, at=at)
    return _move_credit(amounts, "money.taken", below=from_account_id, key=key, reason=reason, actor_id=actor_id, at=at)


def _credit(from_account_id: int, to_account_id: int, amount_mrial: int, *, at: datetime) -> dict[int, int]:
    if from_account_id == to_account_id or not 0 < amount_mrial <= MOST_MRIAL:
        raise Refusal(N_("State an amount above zero."))
    return {
        customer_wallet_id(account_id=from_account_id, at=at): -amount_mrial,
        customer_wallet_id(account_id=to_account_id, at=at): amount_mrial,
    }


def _move_credit(
    amounts_mrial: dict[int, int], action: str, *, below: int, key: str, reason: str, actor_id: int | None, at: datetime
) -> dict[str, int]:
    named = f"credit:{below}:{key}"  # whoever makes keys up can stand in nobody else's way
    posting = Posting(
        kind=TransferKind.CREDIT,
        key=named,
        subject=f"account:{below}",
        amounts_mrial=amounts_mrial,
        reason=reason,
        actor_id=actor_id,
        spends_credit=False,
    )
    made = post([posting], at=at)
    if made:
        record(
            actor_id=actor_id,
            account_id=below,
            action=action,
            subject=f"transfer:{made[named]}",
            details={"amount_mrial": max(amounts_mrial.values()), "reason": reason},
            at=at,
        )
    return {key: made[named]} if made else {}


def reverse(*, transfer_id: int, reason: str, actor_id: int | None, at: datetime) -> int:
    """Take back what somebody moved by hand, once, by the opposite transfer; returns that transfer's id.

    Raises NotFound, InsufficientBalance when the money is spent, and Refusal for a second time or for a transfer that
    belongs to a send: its money follows the send's own rules.
    """
    reason = stated(reason)
    # One after the other: two at once would meet at the index of what is reversed before they meet at the key.
    execute("SELECT pg_advisory_xact_lock(hashtextextended('ledger_reverse', :id))", id=transfer_id)
    found = transfer(transfer_id)
    if found is None:
        raise NotFound(N_("There is no such transfer."))
    if found.kind not in MANUAL:
        raise Refusal(N_("Only what was moved by hand can be reversed; the money of a send follows the send."))
    if found.reversed_by is not None:
        raise Refusal(_REVERSED)
    posting = Posting(
        kind=TransferKind.REVERSAL,
        key=f"reverse:{transfer_id}",
        subject=f"transfer:{transfer_id}",
        amounts_mrial={entry.wallet_id: -entry.amount_mrial for entry in found.entries},
        reason=reason,
        actor_id=actor_id,
        reverses_id=transfer_id,
    )
    try:
        made = post([posting], at=at)
    except KeyReused:
        raise Refusal(_REVERSED) from None
    if not made:
        raise Refusal(_REVERSED)
    record(
        actor_id=actor_id,
        account_id=next((entry.account_id for entry in found.entries if entry.account_id), None),
        action="money.reversed",
        subject=f"transfer:{transfer_id}",
        details={"reversal": made[posting.key], "reason": reason},
        at=at,
    )
    return made[posting.key]


def stated(reason: str) -> str:
    """The reason somebody gave, tidied; raises Refusal without one."""
    stated = " ".join(reason.split())
    if not stated:
        raise Refusal(N_("Say why: the reason stays in the statement."))
    return stated[:LONGEST_REASON]
