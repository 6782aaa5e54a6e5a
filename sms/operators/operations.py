"""Writes of operators and gateways: what staff set, and what the talks with an operator teach about its health."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.operations import record
from sms.core.actor import PANEL, Actor
from sms.core.db import execute, row, scalar
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.queue import Job, ring, sending_queue
from sms.core.seal import CannotUnseal, seal, unseal
from sms.core.text import N_
from sms.operators import queries
from sms.operators.contract import Adapter, BadCredentials, OutOfCredit, Refused, checked_settings
from sms.operators.queries import NO_SUCH_GATEWAY, GatewayWay, any_adapter
from sms.operators.rules import (
    COLOUR_LABELS,
    NAME_LENGTH,
    GatewaySettings,
    Health,
    SaleMode,
    StopReason,
    UnusableSetting,
    after_failure,
    after_success,
    check_settings,
    has_new_credit,
    is_same_place,
    remembered,
)

log = logging.getLogger(__name__)

MISSING_CREDENTIAL = N_("Give %(name)s: this adapter needs %(names)s.")
UNKNOWN_CREDENTIAL = N_("This adapter knows no %(name)s; it needs %(names)s.")
NAME_TAKEN = N_("Another gateway has this name.")
OTHER_PLACE = N_("The address leads to another host: give all credentials again, those kept belong to the old one.")
ADAPTER_FAILED = N_("The adapter failed (%(kind)s); the log of the workers has more.")
_CODE = re.compile(r"[0-9]{3,6}")
_MAX_CREDENTIAL = 500


# Operators


def add_operator(
    *, code: str, names: tuple[str, str], colour: str, sale_mode: SaleMode, by: Actor, at: datetime
) -> int:
    """Add a seller of lines, known by its prefix; `names` are Persian and English. Returns its id; raises Refusal."""
    if not _CODE.fullmatch(code):
        raise UnusableSetting("code", N_("The prefix of an operator is 3 to 6 digits, such as 3000 or 021."))
    _check_operator(names, colour)
    made = scalar(
        "INSERT INTO operators_operator (code, name_fa, name_en, colour, sale_mode, created_at)"
        " VALUES (:code, :name_fa, :name_en, :colour, :sale_mode, :at) ON CONFLICT (code) DO NOTHING RETURNING id",
        code=code,
        name_fa=names[0].strip(),
        name_en=names[1].strip(),
        colour=colour,
        sale_mode=str(sale_mode),
        at=at,
    )
    if made is None:
        raise UnusableSetting("code", N_("There is an operator %(code)s already."), code=code)
    _audit("operator.added", f"operator:{made}", {"code": code}, by=by, at=at)
    return int(made)


def change_operator(
    *, operator_id: int, names: tuple[str, str], colour: str, sale_mode: SaleMode, by: Actor, at: datetime
) -> None:
    """Change what an operator is called and how it sells; its prefix stays. Raises NotFound or Refusal."""
    before = queries.operator(operator_id)
    _check_operator(names, colour)
    wanted = {
        "name_fa": names[0].strip(),
        "name_en": names[1].strip(),
        "colour": colour,
        "sale_mode": str(sale_mode),
    }
    changes = {name: value for name, value in wanted.items() if getattr(before, name) != value}
    if changes:
        execute(
            "UPDATE operators_operator SET name_fa = :name_fa, name_en = :name_en, colour = :colour,"
            " sale_mode = :sale_mode WHERE id = :id",
            id=operator_id,
            **wanted,
        )
        _audit("operator.changed", f"operator:{operator_id}", changes, by=by, at=at)


def _check_operator(names: tuple[str, str], colour: str) -> None:
    for field, name in zip(("name_fa", "name_en"), names, strict=True):
        if not 0 < len(name.strip()) <= NAME_LENGTH:
            raise UnusableSetting(field, N_("A name has 1 to %(most)s characters."), most=NAME_LENGTH)
    if colour not in COLOUR_LABELS:
        raise UnusableSetting("colour", N_("Choose one of the colours."))


# Gateways


def add_gateway(
    *,
    operator_id: int,
    adapter: str,
    settings: GatewaySettings,
    credentials: Mapping[str, str],
    seal_key: str,
    by: Actor,
    at: datetime,
) -> int:
    """Add an account of ours at an operator; its credentials are sealed. Returns its id; raises Refusal or NotFound."""
    queries.operator(operator_id)
    offered = queries.adapter_class(adapter)
    settings = _checked(settings, offered, kept={})
    given = {name: value for name, value in credentials.items() if value}
    _check_credentials(given, offered.credential_fields)
    made = scalar(
        """INSERT INTO operators_gateway (operator_id, adapter, credentials_sealed, created_at, name, base_url,
               batch_size, concurrency, timeout_seconds, slowest_accept_seconds, lease_seconds, polling_plan_seconds,
               report_horizon_seconds, lookup_after_seconds, on_absent, inbound_every_seconds, settings)
           VALUES (:operator_id, :adapter, :sealed, :at, :name, :base_url, :batch_size, :concurrency, :timeout_seconds,
               :slowest_accept_seconds, :lease_seconds, :polling_plan_seconds, :report_horizon_seconds,
               :lookup_after_seconds, :on_absent, :inbound_every_seconds, CAST(:settings AS jsonb))
           ON CONFLICT (name) DO NOTHING RETURNING id""",
        operator_id=operator_id,
        adapter=adapter,
        sealed=seal(given, seal_key=seal_key),
        at=at,
        **_columns(settings),
    )
    if made is None:
        raise UnusableSetting("name", NAME_TAKEN)
    details = {"name": settings.name.strip(), "adapter": adapter, "base_url": settings.base_url}
    _audit("gateway.added", f"gateway:{made}", details, by=by, at=at)
    return int(made)


def change_gateway(
    *,
    gateway_id: int,
    settings: GatewaySettings,
    credentials: Mapping[str, str],
    seal_key: str,
    by: Actor,
    at: datetime,
) -> None:
    """Change settings and credentials; an empty credential keeps the one there is. Raises NotFound or Refusal.

    Credentials are never sent to another host than the one they were entered for.
    """
    before = _locked(gateway_id)
    offered = queries.adapter_class(before.adapter)
    settings = _checked(settings, offered, kept=before.settings)
    if scalar("SELECT 1 FROM operators_gateway WHERE name = :n AND id <> :id", n=settings.name.strip(), id=gateway_id):
        raise UnusableSetting("name", NAME_TAKEN)
    given = {name: value for name, value in credentials.items() if value}
    sealed = bytes(before.credentials_sealed)
    is_complete = all(given.get(name) for name in offered.credential_fields)
    if not is_complete and not is_same_place(before.base_url, settings.base_url):
        raise UnusableSetting("base_url", OTHER_PLACE)
    if given:
        kept = {} if is_complete else unseal(sealed, seal_key=seal_key)
        _check_credentials(kept | given, offered.credential_fields)
        sealed = seal(kept | given, seal_key=seal_key)
    columns = _columns(settings)
    changes = {name: value for name, value in columns.items() if getattr(before, name) != value}
    changes.pop("settings", None)
    changes |= {name: value for name, value in (settings.own or {}).items() if before.settings.get(name) != value}
    if given:
        changes["credentials"] = sorted(given)
    if changes:
        places = ", ".join(f"{name} = :{name}" for name in columns if name != "settings")
        execute(
            f"UPDATE operators_gateway SET credentials_sealed = :sealed, settings = CAST(:settings AS jsonb), {places}"  # noqa: S608 - names are our own
            " WHERE id = :id",
            id=gateway_id,
            sealed=sealed,
            **columns,
        )
        _audit("gateway.changed", f"gateway:{gateway_id}", changes, by=by, at=at)


def _checked(settings: GatewaySettings, offered: type[Adapter], *, kept: Mapping[str, object]) -> GatewaySettings:
    """The settings with the adapter's own among them, those not given as they were; raises UnusableSetting."""
    check_settings(settings, capability=offered.capability, max_batch=offered.max_batch, schemes=tuple(offered.schemes))
    return replace(settings, own=checked_settings(offered.setting_fields, {**kept, **(settings.own or {})}))


def _columns(settings: GatewaySettings) -> dict[str, object]:
    columns = asdict(settings)
    own = columns.pop("own")
    return columns | {
        "settings": json.dumps(own or {}),
        "name": settings.name.strip(),
        "polling_plan_seconds": list(settings.polling_plan_seconds),
        "on_absent": str(settings.on_absent),
    }


def _check_credentials(given: Mapping[str, str], names: Sequence[str]) -> None:
    told = ", ".join(names)
    for name, value in given.items():
        if name not in names:
            raise UnusableSetting("credentials", UNKNOWN_CREDENTIAL, name=name, names=told)
        if len(value) > _MAX_CREDENTIAL or not value.isprintable():
            raise UnusableSetting("credentials", N_("%(name)s is too long or holds a line break."), name=name)
    for name in names:
        if not given.get(name):
            raise UnusableSetting("credentials", MISSING_CREDENTIAL, name=name, names=told)


def learn(*, gateway_id: int, found_out: Mapping[str, object], at: datetime) -> None:
    """Keep what a gateway's line has found out about its operator by itself, in place of the setting that said so."""
    execute(
        "UPDATE operators_gateway SET settings = settings || CAST(:found AS jsonb) WHERE id = :id",
        id=gateway_id,
        found=json.dumps(dict(found_out)),
    )
    _audit("gateway.learnt", f"gateway:{gateway_id}", found_out, by=PANEL, at=at)


def switch(*, gateway_id: int, is_on: bool, by: Actor, at: datetime) -> None:
    """Switch a gateway on or off; what waits for it then goes, or waits. Reports are still asked for."""
    before = _locked(gateway_id)
    if before.is_on == is_on:
        return
    execute("UPDATE operators_gateway SET is_on = :is_on WHERE id = :id", is_on=is_on, id=gateway_id)
    if is_on:
        _ring(gateway_id)
    _audit(f"gateway.switched_{'on' if is_on else 'off'}", f"gateway:{gateway_id}", {}, by=by, at=at)


def resume(*, gateway_id: int, by: Actor, at: datetime) -> None:
    """Let a stopped or failing gateway, or one whose breaker is open, try again at once. Raises Refusal when there is
    nothing to resume."""
    before = _locked(gateway_id)
    has_trial = execute(
        "UPDATE operators_health SET trial_at = :at WHERE gateway_id = :id AND breaker = 'open'", id=gateway_id, at=at
    )
    if not before.stopped_reason and before.failing_since is None and not has_trial:
        raise Refusal(N_("This gateway is not stopped."))
    _store(gateway_id, Health(last_ok_at=before.last_ok_at))
    _ring(gateway_id)
    details = {"stopped_reason": before.stopped_reason}
    _audit("gateway.resumed", f"gateway:{gateway_id}", details, by=by, at=at)


# Health


def note_success(*, gateway_id: int, at: datetime) -> None:
    """The operator answered a send: nothing is failing."""
    found = _locked(gateway_id)
    _store(gateway_id, after_success(_health(found), at=at))


def note_failure(*, gateway_id: int, error: SmsError, at: datetime) -> None:
    """A talk with the operator failed: wrong credentials or no credit stop the gateway, anything else is tried again
    soon."""
    found = _locked(gateway_id)
    stop = stop_reason(error)
    wait_seconds = error.retry_after_seconds if isinstance(error, Refused) else None
    health = after_failure(_health(found), error=remembered(error), stop=stop, wait_seconds=wait_seconds, at=at)
    _store(gateway_id, health)
    if stop and not found.stopped_reason:
        log.error("gateway %s stopped: %s", gateway_id, stop)
        if stop is StopReason.CREDIT:  # what was known of the credit is wrong; the next look begins anew
            execute("UPDATE operators_gateway SET credit_mrial = NULL WHERE id = :id", id=gateway_id)
        _audit("gateway.stopped", f"gateway:{gateway_id}", {"stopped_reason": str(stop)}, by=PANEL, at=at)


def stop_reason(error: SmsError) -> StopReason | None:
    """Why this error stops a gateway for good, or None when trying again is harmless."""
    if isinstance(error, BadCredentials | CannotUnseal):
        return StopReason.CREDENTIALS
    return StopReason.CREDIT if isinstance(error, OutOfCredit) else None


@dataclass(frozen=True, slots=True)
class Checked:
    """What asking a gateway for its balance came to: an amount in milli-rial (None where the operator accepts us and
    does not tell), or an error."""

    gateway_id: int
    balance_mrial: int | None = None
    error: SmsError | None = None


def ask_balance(way: GatewayWay, *, seal_key: str, at_most_seconds: float | None = None) -> Checked:
    """Ask the operator for our balance: proves address, credentials and network, and sends nothing. Touches no
    database, so that no transaction waits for an operator."""
    if at_most_seconds is not None:
        way = replace(way, timeout_seconds=min(way.timeout_seconds, at_most_seconds))
    try:
        adapter = any_adapter(way, seal_key)
        try:
            return Checked(way.id, balance_mrial=adapter.balance())
        finally:
            adapter.close()
    except SmsError as error:
        return Checked(way.id, error=error)
    except Exception as error:
        log.exception("adapter of gateway %s failed", way.id)
        return Checked(way.id, error=SmsError(ADAPTER_FAILED, kind=type(error).__name__))


def note_checked(checked: Checked, *, by: Actor = PANEL, at: datetime) -> None:
    """Store what a look at a gateway came to. Credentials that are accepted again, and new credit, end a stop."""
    if checked.error is not None:
        note_failure(gateway_id=checked.gateway_id, error=checked.error, at=at)
        return
    found = _locked(checked.gateway_id)
    balance_mrial = checked.balance_mrial
    health = after_success(_health(found), at=at)
    is_healed = found.stopped_reason == StopReason.CREDENTIALS or (
        found.stopped_reason == StopReason.CREDIT
        and has_new_credit(before_mrial=found.credit_mrial, balance_mrial=balance_mrial or 0)
    )
    _store(checked.gateway_id, replace(health, stopped_reason="") if is_healed else health)
    execute(
        "UPDATE operators_gateway SET credit_mrial = :credit, credit_checked_at = :at WHERE id = :id",
        credit=balance_mrial,
        at=at,
        id=checked.gateway_id,
    )
    if is_healed:
        _ring(checked.gateway_id)
        details = {"stopped_reason": found.stopped_reason}
        _audit("gateway.resumed", f"gateway:{checked.gateway_id}", details, by=by, at=at)


def _locked(gateway_id: int) -> Row[Any]:
    found = row("SELECT * FROM operators_gateway WHERE id = :id FOR NO KEY UPDATE", id=gateway_id)
    if found is None:
        raise NotFound(NO_SUCH_GATEWAY)
    return found


def _health(found: Row[Any]) -> Health:
    return Health(
        stopped_reason=found.stopped_reason,
        failing_since=found.failing_since,
        failure_count=found.failure_count,
        retry_at=found.retry_at,
        last_error=found.last_error,
        last_ok_at=found.last_ok_at,
    )


def _store(gateway_id: int, health: Health) -> None:
    execute(
        "UPDATE operators_gateway SET stopped_reason = :stopped_reason, failing_since = :failing_since,"
        " failure_count = :failure_count, retry_at = :retry_at, last_error = :last_error, last_ok_at = :last_ok_at"
        " WHERE id = :id",
        id=gateway_id,
        **asdict(health),
    )


def _ring(gateway_id: int) -> None:
    ring(Job.DISPATCH, queue=sending_queue(gateway_id), gateway_id=gateway_id)


def _audit(action: str, subject: str, details: Mapping[str, object], *, by: Actor, at: datetime) -> None:
    record(
        actor_id=by.id,
        account_id=None,
        action=action,
        subject=subject,
        details=dict(details),
        at=at,
        address=by.address,
    )
