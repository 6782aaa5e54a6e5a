"""Reads of operators, gateways and networks. What jobs need comes as plain values that outlive any transaction."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound, SmsError
from sms.core.phone import NetworkGuess
from sms.core.seal import unseal
from sms.core.text import N_
from sms.operators.contract import Access, Adapter, BoundOperator, Operator
from sms.operators.health.rules.breaker import Breaker, BreakerState, Override, Permit, permit
from sms.operators.registry import ADAPTERS, NO_SUCH_ADAPTER, build
from sms.operators.rules import GatewayState, recalled, state_of

NO_SUCH_GATEWAY = N_("There is no such gateway.")
NO_SUCH_OPERATOR = N_("There is no such operator.")
_GUESS_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class GatewayWay:
    """All that is needed to talk through a gateway; its credentials stay sealed until `open_adapter`."""

    id: int
    name: str
    adapter: str
    base_url: str
    credentials_sealed: bytes = field(repr=False)
    batch_size: int
    concurrency: int
    timeout_seconds: float
    lease_seconds: float
    polling_plan_seconds: Sequence[int]
    report_horizon_seconds: int
    lookup_after_seconds: float
    on_absent: str
    failure_count: int
    settings: Mapping[str, object] = field(default_factory=dict)
    per_second: float | None = None  # requests, sends and questions together
    is_trial: bool = False  # its breaker is not closed: one small batch, and more only when that was answered


_WAY = """
SELECT id, name, adapter, base_url, credentials_sealed, batch_size, concurrency, timeout_seconds, lease_seconds,
       polling_plan_seconds, report_horizon_seconds, lookup_after_seconds, on_absent, failure_count, settings,
       per_second
FROM operators_gateway
"""


def gateway_ids() -> list[int]:
    """Every gateway there is, on or off: each has its queues."""
    return [found.id for found in rows("SELECT id FROM operators_gateway ORDER BY id")]


def sendable_gateway(gateway_id: int, at: datetime) -> GatewayWay | None:
    """The gateway if it may send now: switched on, not stopped, not left alone after a failure, and its breaker not
    open. With `is_trial` only the one trial of a breaker that is not closed may be begun."""
    way = _way(
        _WAY + "WHERE id = :id AND is_on AND stopped_reason = '' AND (retry_at IS NULL OR retry_at <= :at)",
        id=gateway_id,
        at=at,
    )
    allowed = _permit(gateway_id, at) if way is not None else Permit.NOTHING
    if way is None or allowed is Permit.NOTHING:
        return None
    return replace(way, is_trial=True) if allowed is Permit.TRIAL else way


def _permit(gateway_id: int, at: datetime) -> Permit:
    found = row(
        "SELECT breaker, trial_at, override, override_until FROM operators_health WHERE gateway_id = :id", id=gateway_id
    )
    if found is None:
        return Permit.ALL
    decided = Override(BreakerState(found.override) if found.override else None, found.override_until)
    return permit(Breaker(state=BreakerState(found.breaker), trial_at=found.trial_at), decided, at=at)


def reachable_gateway(gateway_id: int) -> GatewayWay | None:
    """The gateway if its operator may be asked: even switched off, what was sent is still reported. Not when it does
    not know us: asking on would lock the account there."""
    return _way(_WAY + "WHERE id = :id AND stopped_reason <> 'credentials'", id=gateway_id)


def any_gateway(gateway_id: int) -> GatewayWay:
    """The gateway whatever its state, for a person who wants to try it; raises NotFound."""
    found = _way(_WAY + "WHERE id = :id", id=gateway_id)
    if found is None:
        raise NotFound(NO_SUCH_GATEWAY)
    return found


def is_switched_on(gateway_id: int) -> bool:
    """Whether staff let it send."""
    return bool(row("SELECT 1 AS one FROM operators_gateway WHERE id = :id AND is_on", id=gateway_id))


def gateways_to_check() -> list[GatewayWay]:
    """The gateways whose credit and health are looked at every minute; of one that stays bound, its line tells."""
    found = rows(
        _WAY + "WHERE is_on AND stopped_reason <> 'credentials' AND adapter <> ALL(:bound) ORDER BY id",
        bound=bound_adapters(),
    )
    return [GatewayWay(**gateway._mapping) for gateway in found]


def _way(sql: str, **params: object) -> GatewayWay | None:
    found = row(sql, **params)
    return GatewayWay(**found._mapping) if found else None


def bound_adapters() -> list[str]:
    """The codes of the adapters that stay connected to their operator."""
    return sorted(code for code, adapter in ADAPTERS.items() if adapter.is_bound)


def is_bound_gateway(gateway_id: int) -> bool:
    """Whether this gateway stays connected to its operator."""
    found = row("SELECT adapter FROM operators_gateway WHERE id = :id", id=gateway_id)
    return found is not None and found.adapter in bound_adapters()


def is_bound(way: GatewayWay) -> bool:
    """Whether a gateway stays connected to its operator, instead of asking it request by request."""
    return way.adapter in ADAPTERS and ADAPTERS[way.adapter].is_bound


def any_adapter(way: GatewayWay, seal_key: str) -> Adapter:
    """The adapter of a gateway, ready to talk; close it after use.

    Raises CannotUnseal, Unreachable for an unusable address, or NotFound when its adapter is gone.
    """
    credentials = unseal(way.credentials_sealed, seal_key=seal_key)
    access = Access(
        way.base_url,
        credentials,
        way.timeout_seconds,
        way.concurrency,
        settings=way.settings,
        per_second=way.per_second,
    )
    return build(way.adapter, access)


def open_adapter(way: GatewayWay, seal_key: str) -> Operator:
    """The adapter of a gateway that is asked request by request; as `any_adapter`."""
    return cast(Operator, any_adapter(way, seal_key))


def open_bound(way: GatewayWay, seal_key: str) -> BoundOperator:
    """The adapter of a gateway that stays connected; as `any_adapter`."""
    return cast(BoundOperator, any_adapter(way, seal_key))


_guess: tuple[float, NetworkGuess] | None = None


def network_guess() -> NetworkGuess:
    """Guesses a recipient's network by prefix; the prefixes are read anew every minute."""
    global _guess  # noqa: PLW0603 - one cache a process
    if _guess is None or time.monotonic() - _guess[0] > _GUESS_SECONDS:
        prefixes = {found.prefix: found.network_id for found in rows("SELECT prefix, network_id FROM operators_prefix")}
        _guess = (time.monotonic(), NetworkGuess(prefixes))
    return _guess[1]


def networks() -> Sequence[Row[Any]]:
    """Mobile networks (id, code, name_fa, name_en), the unknown one (0) last."""
    return rows("SELECT id, code, name_fa, name_en FROM operators_network ORDER BY id = 0, id")


_OPERATORS = """
SELECT o.id, o.code, o.name_fa, o.name_en, o.colour, o.sale_mode, o.created_at,
       (SELECT count(*) FROM operators_gateway g WHERE g.operator_id = o.id) AS gateway_count
FROM operators_operator o
"""


def operators() -> Sequence[Row[Any]]:
    """All operators by code, each with the number of our gateways there."""
    return rows(_OPERATORS + "ORDER BY o.code")


def operator(operator_id: int) -> Row[Any]:
    """One operator; raises NotFound."""
    found = row(_OPERATORS + "WHERE o.id = :id", id=operator_id)
    if found is None:
        raise NotFound(NO_SUCH_OPERATOR)
    return found


def operator_by_code(code: str) -> Row[Any]:
    """One operator by its prefix, such as 3000; raises NotFound."""
    found = row(_OPERATORS + "WHERE o.code = :code", code=code)
    if found is None:
        raise NotFound(N_("There is no operator %(code)s."), code=code)
    return found


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway as its page shows it: settings and health, nothing secret."""

    id: int
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    colour: str
    name: str
    adapter: str
    base_url: str
    is_on: bool
    batch_size: int
    concurrency: int
    timeout_seconds: float
    slowest_accept_seconds: float
    lease_seconds: float
    polling_plan_seconds: Sequence[int]
    report_horizon_seconds: int
    lookup_after_seconds: float
    on_absent: str
    inbound_every_seconds: int
    settings: Mapping[str, object]
    stopped_reason: str
    failing_since: datetime | None
    failure_count: int
    last_error: str
    last_ok_at: datetime | None
    retry_at: datetime | None
    credit_mrial: int | None
    credit_checked_at: datetime | None
    created_at: datetime
    is_held: bool

    @property
    def state(self) -> GatewayState:
        """How it stands, in one word."""
        return state_of(
            is_on=self.is_on,
            stopped_reason=self.stopped_reason,
            failing_since=self.failing_since,
            is_held=self.is_held,
        )

    @property
    def trouble(self) -> SmsError | None:
        """What went wrong last, ready to be said; None when nothing has since it last answered."""
        return recalled(self.last_error)


_VIEW = """
SELECT g.id, g.operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en,
       o.colour, g.name, g.adapter, g.base_url, g.is_on, g.batch_size, g.concurrency, g.timeout_seconds,
       g.slowest_accept_seconds, g.lease_seconds, g.polling_plan_seconds, g.report_horizon_seconds,
       g.lookup_after_seconds, g.on_absent, g.inbound_every_seconds, g.settings, g.stopped_reason,
       coalesce(g.failing_since, CASE WHEN h.breaker <> 'closed' THEN h.since END) AS failing_since, g.failure_count,
       g.last_error, g.last_ok_at, g.retry_at, g.credit_mrial, g.credit_checked_at, g.created_at,
       coalesce(h.override = 'open' AND h.override_until > now(), false) AS is_held
FROM operators_gateway g JOIN operators_operator o ON o.id = g.operator_id
LEFT JOIN operators_health h ON h.gateway_id = g.id
"""


def gateways() -> list[GatewayView]:
    """All gateways, by operator and name."""
    return [GatewayView(**found._mapping) for found in rows(_VIEW + "ORDER BY o.code, g.name")]


def gateway(gateway_id: int) -> GatewayView:
    """One gateway; raises NotFound."""
    found = row(_VIEW + "WHERE g.id = :id", id=gateway_id)
    if found is None:
        raise NotFound(NO_SUCH_GATEWAY)
    return GatewayView(**found._mapping)


@dataclass(frozen=True, slots=True)
class BindView:
    """The process that keeps a gateway bound, and how its line stands."""

    holder: str
    since: datetime
    bound_count: int
    is_alive: bool
    trouble_text: str

    @property
    def trouble(self) -> SmsError | None:
        """Why it is not bound, ready to be said."""
        return recalled(self.trouble_text)


def bind(gateway_id: int) -> BindView | None:
    """Who keeps a gateway bound, or did last; None for one that was never bound."""
    found = row(
        "SELECT holder, since, bound_count, lease_until > clock_timestamp() AS is_alive, trouble AS trouble_text"
        " FROM operators_bind WHERE gateway_id = :id AND slot = 0",
        id=gateway_id,
    )
    return BindView(**found._mapping) if found else None


def gateway_by_name(name: str) -> GatewayView:
    """One gateway by its name; raises NotFound."""
    found = row(_VIEW + "WHERE g.name = :name", name=name)
    if found is None:
        raise NotFound(N_("There is no gateway called %(name)s."), name=name)
    return GatewayView(**found._mapping)


def adapter_class(code: str) -> type[Adapter]:
    """What an adapter can do; raises NotFound."""
    if code not in ADAPTERS:
        raise NotFound(NO_SUCH_ADAPTER, code=code)
    return ADAPTERS[code]


def adapters() -> dict[str, type[Adapter]]:
    """Every adapter by its code, the most usual first."""
    return dict(ADAPTERS)


def batch_size_of(adapter: str, wanted: int) -> int:
    """How many recipients a batch through this adapter holds: never more than its operator takes at once."""
    return min(wanted, ADAPTERS[adapter].max_batch) if adapter in ADAPTERS else wanted
