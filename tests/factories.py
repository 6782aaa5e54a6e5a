"""Builders with defaults: rows as the product would have written them, for tests of what comes after."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sms.core.db import scalar, transaction
from sms.ledger import operations as ledger
from sms.ledger.rules import Posting, TransferKind, WalletKind

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Shop:
    """An account with money, and a line of an operator to send from."""

    account_id: int
    user_id: int
    wallet_id: int
    operator_id: int
    gateway_id: int
    line_id: int
    operator_code: str


def make_root() -> int:
    """The installation's own account."""
    found = scalar("SELECT id FROM accounts_account WHERE kind = 'installation'")
    return int(
        found
        or scalar(
            "INSERT INTO accounts_account (path, kind, name, created_at) VALUES ('root.', 'installation', "
            "'Payamgah', :at)"
            " RETURNING id",
            at=AT,
        )
    )


def make_account(
    *, money_mrial: int = 10**12, kind: str = "customer", parent_id: int | None = None
) -> tuple[int, int, int]:
    """(account id, user id, wallet id) of an account that holds `money_mrial`."""
    number = next(_numbers)
    with transaction():
        root = parent_id or make_root()
        account_id = scalar(
            "INSERT INTO accounts_account (parent_id, path, kind, name, created_at)"
            " SELECT id, path || :n || '.', :kind, 'Shop ' || :n, :at FROM accounts_account WHERE id = :root "
            "RETURNING id",
            n=f"t{number}",
            kind=kind,
            at=AT,
            root=root,
        )
        user_id = scalar(
            "INSERT INTO accounts_user (account_id, username, password_hash, role, created_at, password_changed_at)"
            " VALUES (:account, :name, 'x', 'owner', :at, :at) RETURNING id",
            account=account_id,
            name=f"user{number}",
            at=AT,
        )
        wallet_id = ledger.open_wallet(
            code=f"account:{account_id}", kind=WalletKind.CUSTOMER, account_id=account_id, at=AT
        )
        if money_mrial:
            adjustment = ledger.open_wallet(code="adjustment", kind=WalletKind.ADJUSTMENT, at=AT)
            ledger.post(
                [
                    Posting(
                        TransferKind.ADJUSTMENT,
                        key=f"test:{number}",
                        subject=f"account:{account_id}",
                        amounts_mrial={wallet_id: money_mrial, adjustment: -money_mrial},
                    )
                ],
                at=AT,
            )
    return account_id, user_id, wallet_id


def make_gateway(*, operator_code: str = "3000", **changes: Any) -> tuple[int, int]:
    """(operator id, gateway id); `changes` are columns of the gateway."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "adapter": "magfa",
        "base_url": "http://127.0.0.1:9/",
        "credentials_sealed": b"",
        "batch_size": 100,
        "concurrency": 4,
        "timeout_seconds": 5,
        "slowest_accept_seconds": 1,
        "lease_seconds": 15,
        "polling_plan_seconds": [1, 2, 5],
        "report_horizon_seconds": 60,
        "lookup_after_seconds": 1,
        "on_absent": "resend",
    } | changes
    with transaction():
        operator_id = scalar(
            "INSERT INTO operators_operator (code, name_fa, name_en, created_at) VALUES (:code, :code, :code, :at)"
            " ON CONFLICT (code) DO UPDATE SET name_en = excluded.name_en RETURNING id",
            code=operator_code,
            at=AT,
        )
        columns = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        gateway_id = scalar(
            f"INSERT INTO operators_gateway (operator_id, name, created_at, {columns})"  # noqa: S608 - names are our own
            f" VALUES (:operator_id, :name, :at, {places}) RETURNING id",
            operator_id=operator_id,
            name=f"gateway {number}",
            at=AT,
            **values,
        )
    return int(operator_id), int(gateway_id)


def make_line(*, operator_id: int, gateway_id: int, account_id: int | None = None, number: str | None = None) -> int:
    """A public line, or a dedicated one of `account_id`."""
    with transaction():
        return int(
            scalar(
                "INSERT INTO lines_line (operator_id, gateway_id, number, kind, account_id, created_at)"
                " VALUES (:operator_id, :gateway_id, :number, :kind, :account_id, :at) RETURNING id",
                operator_id=operator_id,
                gateway_id=gateway_id,
                number=number or f"3000{next(_numbers):06}",
                kind="dedicated" if account_id else "public",
                account_id=account_id,
                at=AT,
            )
        )


def make_tariff(*, operator_id: int, price_mrial: int = 1_000_000, cost_mrial: int = 600_000) -> None:
    """One price for both languages and all networks of an operator."""
    with transaction():
        for language in ("persian", "latin"):
            scalar(
                "INSERT INTO billing_tariff (operator_id, language, price_mrial, cost_mrial, valid_from)"
                " VALUES (:operator_id, :language, :price, :cost, '2020-01-01') RETURNING id",
                operator_id=operator_id,
                language=language,
                price=price_mrial,
                cost=cost_mrial,
            )


def make_refund_rule(*, operator_id: int, outcome: str = "blocked", percent: int = 100, delay_seconds: int = 0) -> int:
    """A refund rule of an operator, valid since long ago."""
    with transaction():
        return int(
            scalar(
                "INSERT INTO billing_refund_rule (operator_id, outcome, percent, delay_seconds, valid_from)"
                " VALUES (:operator_id, :outcome, :percent, :delay, '2020-01-01') RETURNING id",
                operator_id=operator_id,
                outcome=outcome,
                percent=percent,
                delay=delay_seconds,
            )
        )


def make_asked(
    *,
    owner_id: int,
    operator_id: int,
    account_id: int | None = None,
    network_id: int | None = None,
    language: str | None = None,
    markup_permille: int | None = None,
    price_mrial: int | None = None,
    is_confirmed: bool = False,
) -> int:
    """A row of a reseller's price list, valid since long ago."""
    with transaction():
        return int(
            scalar(
                "INSERT INTO billing_price_list (owner_id, account_id, operator_id, network_id, language,"
                " markup_permille, price_mrial, is_below_cost_confirmed, valid_from)"
                " VALUES (:owner, :account, :operator, :network, :language, :markup, :price, :confirmed, '2020-01-01')"
                " RETURNING id",
                owner=owner_id,
                account=account_id,
                operator=operator_id,
                network=network_id,
                language=language,
                markup=markup_permille,
                price=price_mrial,
                confirmed=is_confirmed,
            )
        )


@dataclass(frozen=True, slots=True)
class Tree:
    """A customer's shop and the two resellers above it, nearest first: (account, user, wallet)."""

    shop: Shop
    sub: tuple[int, int, int]
    top: tuple[int, int, int]

    @property
    def payers(self) -> tuple[int, int]:
        """Their accounts, nearest first."""
        return self.sub[0], self.top[0]


def make_tree(*, money_mrial: int = 10**12, **gateway: Any) -> Tree:
    """Three levels: the reseller asks a tenth more than the tariff of a million, the sub-reseller a quarter more than
    what it pays itself."""
    top = make_account(kind="reseller")
    sub = make_account(kind="reseller", parent_id=top[0])
    shop = make_shop(money_mrial=money_mrial, parent_id=sub[0], **gateway)
    make_asked(owner_id=top[0], operator_id=shop.operator_id, markup_permille=100)
    make_asked(owner_id=sub[0], operator_id=shop.operator_id, markup_permille=250)
    return Tree(shop, sub, top)


def make_shop(
    *, money_mrial: int = 10**12, operator_code: str = "3000", parent_id: int | None = None, **gateway: Any
) -> Shop:
    """Everything a send needs: money, gateway, line, tariff, and the refund of blocked recipients."""
    account_id, user_id, wallet_id = make_account(money_mrial=money_mrial, parent_id=parent_id)
    operator_id, gateway_id = make_gateway(operator_code=operator_code, **gateway)
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    make_tariff(operator_id=operator_id)
    make_refund_rule(operator_id=operator_id)
    return Shop(account_id, user_id, wallet_id, operator_id, gateway_id, line_id, operator_code)


def make_campaign(
    shop: Shop, *, size: int = 10, batch_size: int = 5, price_mrial: int = 1_000_000, cost_mrial: int = 600_000
) -> int:
    """A held campaign of `size` messages in batches, ready to be dispatched; returns its id."""
    number = next(_numbers)
    with transaction():
        escrow = ledger.open_wallet(
            code=f"campaign:test{number}", kind=WalletKind.ESCROW, account_id=shop.account_id, at=AT
        )
        first = scalar("SELECT outbox_reserve_ids(:n)", n=size)
        campaign_id = scalar(
            "INSERT INTO outbox_campaign (account_id, user_id, key, body_hash, line_id, escrow_wallet_id, body, "
            "is_unicode, parts,"
            " state, priority, total_count, sendable_count, held_mrial, first_id, last_id, accepted_at)"
            " VALUES (:account, :user, :key, 'x', :line, :escrow, 'hello', false, 1, 'queued', 2, :n, :n, :held, "
            ":first, :last, :at)"
            " RETURNING id",
            account=shop.account_id,
            user=shop.user_id,
            key=f"test:{number}",
            line=shop.line_id,
            escrow=escrow,
            n=size,
            held=size * price_mrial,
            first=first,
            last=first + size - 1,
            at=AT,
        )
        amounts = {shop.wallet_id: -size * price_mrial, escrow: size * price_mrial}
        subject = f"campaign:{campaign_id}"
        ledger.post(
            [Posting(TransferKind.HOLD, key=f"hold:{campaign_id}", subject=subject, amounts_mrial=amounts)], at=AT
        )
        for place, low in enumerate(range(0, size, batch_size)):
            count_here = min(batch_size, size - low)
            batch_id = scalar(
                "INSERT INTO outbox_batch (campaign_id, account_id, line_id, gateway_id, state, priority, turn, "
                "first_id,"
                " last_id, size) VALUES (:campaign, :account, :line, :gateway, 'queued', 2, :turn, :first, :last, "
                ":size)"
                " RETURNING id",
                campaign=campaign_id,
                account=shop.account_id,
                line=shop.line_id,
                gateway=shop.gateway_id,
                turn=place,
                first=first + low,
                last=first + low + count_here - 1,
                size=count_here,
            )
            scalar(
                "WITH made AS (INSERT INTO outbox_message (id, account_id, campaign_id, batch_id, line_id, "
                "row_number, recipient,"
                " network_id, parts, price_mrial, cost_mrial)"
                " SELECT :first + i, :account, :campaign, :batch, :line, :low + i + 1, 989120000000 + :low + i, 1, "
                "1, :price, :cost"
                " FROM generate_series(0, :n - 1) AS i RETURNING id) SELECT count(*) FROM made",
                first=first + low,
                account=shop.account_id,
                campaign=campaign_id,
                batch=batch_id,
                line=shop.line_id,
                low=low,
                price=price_mrial,
                cost=cost_mrial,
                n=count_here,
            )
    return int(campaign_id)
