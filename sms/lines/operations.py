"""Writes of lines: added, changed, handed to an account and taken back. Every change is in the audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.core.actor import Actor
from sms.core.db import execute, row, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines import queries
from sms.lines.links.rules import LinkPolicy
from sms.lines.queries import NO_SUCH_LINE, LineView
from sms.lines.rules import (
    LineKind,
    ServiceClass,
    UnusableLine,
    canonical_number,
    check_alias,
    check_joined_units,
    check_owner,
    check_per_second,
    check_window,
)
from sms.operators.queries import gateway, operator


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """What may change on a line."""

    alias: str = ""
    service_class: ServiceClass = ServiceClass.ADVERTISING
    joined_units: int = 67
    is_active: bool = True
    opens_at: time | None = None
    closes_at: time | None = None
    per_second: int | None = None
    links: LinkPolicy = LinkPolicy.ALLOWED
    demands_suffix: bool | None = None  # None: as the operator says


def add_line(
    *,
    number: str,
    operator_id: int,
    gateway_id: int,
    kind: LineKind,
    account_id: int | None,
    settings: LineSettings,
    by: Actor,
    at: datetime,
) -> int:
    """Add a sender number in any spelling; returns its id. Raises NotFound or UnusableLine."""
    digits = canonical_number(number, operator_code=operator(operator_id).code)
    if gateway(gateway_id).operator_id != operator_id:
        raise UnusableLine("gateway", N_("This gateway belongs to another operator."))
    check_owner(kind, account_id)
    if account_id is not None:
        _check_account(account_id)
    made = scalar(
        """INSERT INTO lines_line (operator_id, gateway_id, number, kind, service_class, account_id, alias, is_active,
               joined_units, opens_at, closes_at, per_second, links, demands_suffix,
               created_at)
           VALUES (:operator_id, :gateway_id, :number, :kind, :service_class, :account_id, :alias, :is_active,
               :joined_units, :opens_at, :closes_at, :per_second, :links, :demands_suffix, :at)
           ON CONFLICT (number) DO NOTHING RETURNING id""",
        operator_id=operator_id,
        gateway_id=gateway_id,
        number=digits,
        kind=str(kind),
        account_id=account_id,
        at=at,
        **_columns(settings),
    )
    if made is None:
        raise UnusableLine("number", N_("There is a line %(number)s already."), number=digits)
    _audit("line.added", made, {"number": digits, "kind": str(kind)}, account_id=account_id, by=by, at=at)
    return int(made)


def change_line(*, line_id: int, settings: LineSettings, by: Actor, at: datetime) -> None:
    """Change name, class, part length, links and whether it is on; number, operator, gateway and kind stay. Switched
    off, what is queued on it waits."""
    before = _locked(line_id)
    columns = _columns(settings)
    changes = {name: value for name, value in columns.items() if getattr(before, name) != value}
    if changes:
        execute(
            "UPDATE lines_line SET alias = :alias, service_class = :service_class, joined_units = :joined_units,"
            " is_active = :is_active, opens_at = :opens_at, closes_at = :closes_at, per_second = :per_second,"
            " links = :links, demands_suffix = :demands_suffix WHERE id = :id",
            id=line_id,
            **columns,
        )
        _audit("line.changed", line_id, changes, account_id=before.account_id, by=by, at=at)


def assign_line(*, line_id: int, account_id: int, by: Actor, at: datetime) -> None:
    """Hand a free dedicated line to an account; its name starts anew. Raises NotFound or Refusal."""
    before = _locked(line_id)
    check_owner(LineKind(before.kind), account_id)
    if before.account_id == account_id:
        return
    if before.account_id is not None:
        raise Refusal(N_("This line belongs to %(name)s; take it back first."), name=before.account_name)
    _check_account(account_id)
    execute(
        "UPDATE lines_line SET account_id = :account_id, alias = '' WHERE id = :id", account_id=account_id, id=line_id
    )
    _audit("line.assigned", line_id, {"number": before.number}, account_id=account_id, by=by, at=at)


def take_back(*, line_id: int, by: Actor, at: datetime) -> None:
    """Take a dedicated line from its account and from those it was shared with; it is free again and nameless. Raises
    NotFound or Refusal."""
    before = _locked(line_id)
    if before.account_id is None:
        raise Refusal(N_("This line belongs to nobody."))
    execute(  # what was paid for it and until when were its owner's
        "UPDATE lines_line SET account_id = NULL, alias = '', colour = '', bought_at = NULL, bought_mrial = NULL,"
        " expires_at = NULL, suspended_at = NULL WHERE id = :id",
        id=line_id,
    )
    execute("DELETE FROM lines_share WHERE line_id = :id", id=line_id)
    execute("DELETE FROM lines_plan WHERE line_id = :id", id=line_id)
    _audit("line.taken_back", line_id, {"number": before.number}, account_id=before.account_id, by=by, at=at)


def _locked(line_id: int) -> LineView:
    if row("SELECT id FROM lines_line WHERE id = :id FOR NO KEY UPDATE", id=line_id) is None:
        raise NotFound(NO_SUCH_LINE)
    return queries.line(line_id)


def _check_account(account_id: int) -> None:
    """Lines are for those who send: an open reseller or customer."""
    found = account(account_id)
    if found.kind == "installation" or found.state == "closed":
        raise UnusableLine("account", N_("A line can be given to an open account of a customer or reseller only."))


def _columns(settings: LineSettings) -> dict[str, object]:
    check_window(settings.opens_at, settings.closes_at)
    return {
        "alias": check_alias(settings.alias),
        "service_class": str(settings.service_class),
        "joined_units": check_joined_units(settings.joined_units),
        "is_active": settings.is_active,
        "opens_at": settings.opens_at,
        "closes_at": settings.closes_at,
        "per_second": check_per_second(settings.per_second),
        "links": str(settings.links),
        "demands_suffix": settings.demands_suffix,
    }


def _audit(
    action: str, line_id: int, details: Mapping[str, object], *, account_id: int | None, by: Actor, at: datetime
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=f"line:{line_id}",
        details=details,
        at=at,
        address=by.address,
    )
