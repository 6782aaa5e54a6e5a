"""A customer with money and a line whose gateway leads to the simulator: what every measurement sends from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO

from sms.accounts.operations import create_account
from sms.core import clock
from sms.core.config import settings
from sms.core.db import scalar, transaction
from sms.core.seal import seal
from sms.ledger.operations import adjust, customer_wallet_id
from sms.outbox.intake.operations.drafts import draft_from_file
from sms.outbox.intake.operations.reading import read_draft
from sms.outbox.operations.accept import accept_draft

USERNAME = "bench1"
PASSWORD = "a bench needs no secrets"  # noqa: S105 - of a database that is thrown away
PRICE_MRIAL, COST_MRIAL = 1_390_000, 1_050_000
BODY = "فروش ویژه پاییزه آغاز شد؛ تا پایان هفته منتظر شما هستیم. لغو ۱۱"
MONEY_MRIAL = 10**15
_HEADS = (98912, 98935, 98921)  # three networks
_LASTS = (*range(36), *range(90, 94))  # of forty numbers the simulator blocks four and delivers the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one simulated operator is reached; `code` is its name there."""

    code: str
    adapter: str
    url: str
    credentials: Mapping[str, str]
    batch_size: int
    own: Mapping[str, object] = field(default_factory=dict)  # settings of the adapter


def magfa(simulator_url: str = "http://127.0.0.1:9") -> Way:
    """Over HTTP, answered after 20 ms; without an address, nowhere."""
    return Way(
        code="3000",
        adapter="magfa",
        url=f"{simulator_url}/3000/api/http/sms/v2/",
        credentials={"username": "payamgah", "domain": "sample", "password": "sample-3000"},
        batch_size=100,
    )


def smpp(simulator_url: str, *, window: int = 500) -> Way:
    """Over one bind, answered after 2 ms unless told otherwise."""
    return Way(
        code="1000",
        adapter="smpp",
        url=simulator_url,
        credentials={"username": "payamgah", "password": "smpp1000"},
        batch_size=min(500, window),
        own={"window": window, "id_style": "exact", "error_outcomes": "027=blocked 016=not_in_network"},
    )


@dataclass(frozen=True, slots=True)
class Shop:
    """Ids of the customer, of its line, and of customers beside it; `operator_code` is the simulator's."""

    operator_code: str
    account_id: int
    user_id: int
    wallet_id: int
    operator_id: int
    gateway_id: int
    line_id: int
    others: tuple[tuple[int, int], ...]  # account and user

    @property
    def other_account_ids(self) -> tuple[int, ...]:
        """The accounts of the customers beside it."""
        return tuple(account_id for account_id, _ in self.others)

    def as_other(self, place: int) -> "Shop":
        """The same line, used by a customer beside it."""
        account_id, user_id = self.others[place]
        return replace(self, account_id=account_id, user_id=user_id, wallet_id=0)


def open_shop(way: Way | None = None, *, others: int = 0) -> Shop:
    """A customer with money and a line that leads `way`, and `others` more customers."""
    way = way or magfa()
    with transaction():
        root_id = scalar(
            "INSERT INTO accounts_account (path, kind, name, created_at) VALUES ('1.', 'installation', 'bench', :at)"
            " RETURNING id",
            at=clock.now(),
        )
        (account_id, user_id), *more = [_customer(root_id, number + 1) for number in range(others + 1)]
        operator_id = scalar(
            "INSERT INTO operators_operator (code, name_fa, name_en, created_at) VALUES (:code, :code, :code, :at)"
            " RETURNING id",
            code=way.code,
            at=clock.now(),
        )
        gateway_id = _gateway(operator_id, way)
        _prices(operator_id)
        return Shop(
            operator_code=way.code,
            account_id=account_id,
            user_id=user_id,
            wallet_id=customer_wallet_id(account_id=account_id, at=clock.now()),
            operator_id=operator_id,
            gateway_id=gateway_id,
            line_id=_line(operator_id, gateway_id, way),
            others=tuple(more),
        )


def _customer(root_id: int, number: int) -> tuple[int, int]:
    account_id, user_id = create_account(
        parent_id=root_id,
        kind="customer",
        name=f"Bench {number}",
        username=f"bench{number}",
        password=PASSWORD,
        full_name="",
        mobile=None,
        actor_id=None,
        at=clock.now(),
    )
    customer_wallet_id(account_id=account_id, at=clock.now())
    adjust(
        account_id=account_id,
        amount_mrial=MONEY_MRIAL,
        key=f"bench:{account_id}",
        reason="bench",
        actor_id=None,
        at=clock.now(),
    )
    return account_id, user_id


def _gateway(operator_id: int, way: Way) -> int:
    return int(
        scalar(
            """INSERT INTO operators_gateway (operator_id, name, adapter, base_url, credentials_sealed, batch_size,
                   concurrency, timeout_seconds, slowest_accept_seconds, lease_seconds, polling_plan_seconds,
                   report_horizon_seconds, lookup_after_seconds, settings, created_at)
               VALUES (:operator_id, 'bench', :adapter, :url, :sealed, :batch_size, 16, 30, 5, 60, '{1, 2, 4, 8, 16}',
                   600, 5, CAST(:own AS jsonb), :at) RETURNING id""",
            operator_id=operator_id,
            adapter=way.adapter,
            url=way.url,
            sealed=seal(way.credentials, seal_key=settings().seal_key),
            batch_size=way.batch_size,
            own=json.dumps(dict(way.own)),
            at=clock.now(),
        )
    )


def _line(operator_id: int, gateway_id: int, way: Way) -> int:
    return int(
        scalar(
            "INSERT INTO lines_line (operator_id, gateway_id, number, kind, created_at)"
            " VALUES (:operator_id, :gateway_id, :number, 'public', :at) RETURNING id",
            operator_id=operator_id,
            gateway_id=gateway_id,
            number=f"{way.code}505",
            at=clock.now(),
        )
    )


def _prices(operator_id: int) -> None:
    """One price for all networks; blocked recipients are paid back at once, as every operator does."""
    scalar(
        "INSERT INTO billing_tariff (operator_id, language, price_mrial, cost_mrial, valid_from)"
        " SELECT :operator_id, language, :price, :cost, '2020-01-01' FROM unnest(ARRAY['persian', 'latin']) AS language"
        " RETURNING id",
        operator_id=operator_id,
        price=PRICE_MRIAL,
        cost=COST_MRIAL,
    )
    scalar(
        "INSERT INTO billing_refund_rule (operator_id, outcome, percent, valid_from)"
        " VALUES (:operator_id, 'blocked', 100, '2020-01-01') RETURNING id",
        operator_id=operator_id,
    )


def recipients(size: int, *, skip: int = 0) -> Iterator[int]:
    """Different numbers of three networks, all but the first `skip`; the simulator blocks one in ten of them."""
    lasts = len(_LASTS)
    for place in range(skip, skip + size):
        group = place // lasts
        yield _HEADS[group % 3] * 10**7 + group // 3 * 100 + _LASTS[place % lasts]


def draft(shop: Shop, size: int, *, skip: int = 0) -> int:
    """A draft whose list of `size` recipients, all but the first `skip`, has been read."""
    listed = BytesIO("\n".join(f"0{number - 98 * 10**10}" for number in recipients(size, skip=skip)).encode())
    with transaction():
        draft_id = draft_from_file(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="bench",
            body=BODY,
            file_name="bench.csv",
            stream=listed,
            at=clock.now(),
        )
    with transaction():
        read_draft(draft_id=draft_id, at=clock.now())
    return draft_id


def accept(shop: Shop, draft_id: int) -> int:
    """Confirm it, as the page does; returns the campaign's id."""
    with transaction():
        return accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=clock.now())
