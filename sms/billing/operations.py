"""Writes of tariffs and refund rules: rows are added and ended, never edited, so the past stays as it was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sms.accounts.operations import record
from sms.billing.rules import (
    FULL,
    LONGEST_DELAY_SECONDS,
    LONGEST_NOTE,
    MOST_PRICE_MRIAL,
    REFUNDABLE,
    Language,
    Scope,
    make_room,
)
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.operators.queries import operator
from sms.operators.rules import Outcome

NOT_IN_NETWORK_DELAY_SECONDS = 48 * 3_600

_PAST = N_("It can begin now or later, not in the past: what was accepted keeps its price and its rule.")


class Ended(Refusal):
    """The row has ended before: somebody was faster."""


@dataclass(frozen=True, slots=True)
class NewTariff:
    """A tariff to add: milli-rial a part; `valid_from` None means at once."""

    scope: Scope
    language: Language
    price_mrial: int
    cost_mrial: int
    valid_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewRefundRule:
    """A refund rule to add; `valid_from` None means at once."""

    scope: Scope
    outcome: str
    percent: int = FULL
    delay_seconds: int = 0
    note: str = ""
    valid_from: datetime | None = None


def add_tariff(tariff: NewTariff, *, actor_id: int | None, at: datetime) -> int:
    """Add a price; the row of the same scope that is in force then ends at that moment. Returns the new row's id.

    Raises Refusal for an impossible price, scope or beginning.
    """
    for amount in (tariff.price_mrial, tariff.cost_mrial):
        if not 0 <= amount <= MOST_PRICE_MRIAL:
            raise Refusal(N_("A price is an amount from zero to a million rial."))
    begins = begins_at(tariff.valid_from, at)
    scope = checked_scope(tariff.scope)
    where = {**scope, "language": str(tariff.language)}
    until = end_neighbours("billing_tariff", where, begins)
    made = scalar(
        """INSERT INTO billing_tariff (operator_id, line_id, network_id, language, price_mrial, cost_mrial, valid_from,
               valid_until, created_by)
           VALUES (:operator_id, :line_id, :network_id, :language, :price, :cost, :begins, :until, :actor)
           RETURNING id""",
        **where,
        price=tariff.price_mrial,
        cost=tariff.cost_mrial,
        begins=begins,
        until=until,
        actor=actor_id,
    )
    details = {
        **where,
        "price_mrial": tariff.price_mrial,
        "cost_mrial": tariff.cost_mrial,
        "valid_from": begins.isoformat(),
    }
    _audit("tariff.added", f"tariff:{made}", details, actor_id=actor_id, at=at)
    return int(made)


def end_tariff(*, tariff_id: int, actor_id: int | None, at: datetime, ends_at: datetime | None = None) -> None:
    """End a price now or at a later moment; one that has not begun is withdrawn. Raises NotFound, Refusal."""
    end_dated("billing_tariff", tariff_id, ends_at=ends_at, at=at)
    _audit("tariff.ended", f"tariff:{tariff_id}", {"at": (ends_at or at).isoformat()}, actor_id=actor_id, at=at)


def add_refund_rule(rule: NewRefundRule, *, actor_id: int | None, at: datetime) -> int:
    """Add a refund rule; the rule of the same scope and outcome that is in force then ends at that moment.

    Returns the new row's id. Raises Refusal for an outcome nothing can come back for, an impossible share, delay or
    beginning.
    """
    _check_rule(rule)
    begins = begins_at(rule.valid_from, at)
    where = {**checked_scope(rule.scope), "outcome": str(rule.outcome)}
    until = end_neighbours("billing_refund_rule", where, begins)
    made = scalar(
        """INSERT INTO billing_refund_rule (operator_id, line_id, network_id, outcome, percent, delay_seconds, note,
               valid_from, valid_until, created_by)
           VALUES (:operator_id, :line_id, :network_id, :outcome, :percent, :delay_seconds, :note, :begins, :until,
               :actor)
           RETURNING id""",
        **where,
        percent=rule.percent,
        delay_seconds=rule.delay_seconds,
        note=rule.note.strip(),
        begins=begins,
        until=until,
        actor=actor_id,
    )
    details = {
        **where,
        "percent": rule.percent,
        "delay_seconds": rule.delay_seconds,
        "valid_from": begins.isoformat(),
    }
    _audit("refund_rule.added", f"refund_rule:{made}", details, actor_id=actor_id, at=at)
    return int(made)


def end_refund_rule(*, rule_id: int, actor_id: int | None, at: datetime, ends_at: datetime | None = None) -> None:
    """End a refund rule now or at a later moment; what was accepted before keeps it. Raises NotFound, Refusal."""
    end_dated("billing_refund_rule", rule_id, ends_at=ends_at, at=at)
    _audit("refund_rule.ended", f"refund_rule:{rule_id}", {"at": (ends_at or at).isoformat()}, actor_id=actor_id, at=at)


def add_default_refund_rules(
    *, operator_id: int, refunds_not_in_network: bool, actor_id: int | None, at: datetime
) -> list[int]:
    """What the operators do by themselves: recipients who blocked advertising, or who opted out after all and were
    charged, come back in full at once; numbers not in the network only where asked, 48 hours after sending.
    """
    operator(operator_id)
    scope = Scope(operator_id=operator_id)
    usual = [NewRefundRule(scope, Outcome.BLOCKED), NewRefundRule(scope, Outcome.OPTED_OUT)]
    if refunds_not_in_network:
        usual.append(NewRefundRule(scope, Outcome.NOT_IN_NETWORK, delay_seconds=NOT_IN_NETWORK_DELAY_SECONDS))
    return [add_refund_rule(rule, actor_id=actor_id, at=at) for rule in usual]


def _check_rule(rule: NewRefundRule) -> None:
    if rule.outcome == Outcome.DELIVERED:
        raise Refusal(N_("A delivered message is never refunded."))
    if rule.outcome not in REFUNDABLE:
        raise Refusal(N_("Messages that end so are not charged; there is nothing to refund."))
    if not 0 <= rule.percent <= FULL:
        raise Refusal(N_("A refund is from 0 to 100 percent of the price."))
    if not 0 <= rule.delay_seconds <= LONGEST_DELAY_SECONDS:
        raise Refusal(N_("A refund can wait 90 days at most."))
    if len(rule.note) > LONGEST_NOTE:
        raise Refusal(N_("The note is too long."))


def begins_at(valid_from: datetime | None, at: datetime) -> datetime:
    """When a new row begins; raises Refusal for the past."""
    if valid_from is not None and valid_from < at:
        raise Refusal(_PAST)
    return valid_from or at


def checked_scope(scope: Scope) -> dict[str, int | None]:
    """A scope as columns; raises Refusal unless it is one operator or one line."""
    if (scope.operator_id is None) == (scope.line_id is None):
        raise Refusal(N_("Choose an operator, or one of its lines."))
    return {"operator_id": scope.operator_id, "line_id": scope.line_id, "network_id": scope.network_id}


def end_neighbours(table: str, where: dict[str, Any], begins: datetime) -> datetime | None:
    """End the rows of the same scope that the new one replaces; returns when the new one is replaced itself."""
    # Two people who add to the same table at once wait for each other, or both rows would be in force.
    scalar("SELECT pg_advisory_xact_lock(hashtext(:table))", table=table)
    same = " AND ".join(f"{column} IS NOT DISTINCT FROM :{column}" for column in where)
    existing = rows(f"SELECT id, valid_from, valid_until FROM {table} WHERE {same}", **where)  # noqa: S608 - our own names
    room = make_room([(found.id, found.valid_from, found.valid_until) for found in existing], valid_from=begins)
    for row_id, until in room.ends:
        execute(f"UPDATE {table} SET valid_until = :until WHERE id = :id", until=until, id=row_id)  # noqa: S608
    return room.valid_until


def end_dated(table: str, row_id: int, *, ends_at: datetime | None, at: datetime) -> None:
    """End a row of a dated table now or at a later moment; raises NotFound, Refusal, Ended."""
    if ends_at is not None and ends_at < at:
        raise Refusal(_PAST)
    found = row(f"SELECT valid_from, valid_until FROM {table} WHERE id = :id FOR UPDATE", id=row_id)  # noqa: S608
    if found is None:
        raise NotFound(N_("There is no such row."))
    until = max(ends_at or at, found.valid_from)
    if found.valid_until is not None and found.valid_until <= until:
        raise Ended(N_("It has ended already."))
    execute(f"UPDATE {table} SET valid_until = :until WHERE id = :id", until=until, id=row_id)  # noqa: S608


def _audit(action: str, subject: str, details: dict[str, Any], *, actor_id: int | None, at: datetime) -> None:
    record(actor_id=actor_id, account_id=None, action=action, subject=subject, details=details, at=at)
