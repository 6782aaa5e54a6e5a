"""Reads of what comes back by rule: what is due and when, what was posted, and of which sends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows

_RULE = """
       x.percent, x.delay_seconds, x.note, x.network_id, coalesce(x.operator_id, rl.operator_id) AS operator_id,
       o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en
"""
_JOIN_RULE = """
JOIN billing_refund_rule x ON x.id = r.rule_id LEFT JOIN lines_line rl ON rl.id = x.line_id
JOIN operators_operator o ON o.id = coalesce(x.operator_id, rl.operator_id)
"""


@dataclass(frozen=True, slots=True)
class RefundFilter:
    """What refunds are narrowed to; `account_id` None is for the staff only, and means everybody's."""

    account_id: int | None
    operator_id: int | None = None
    rule_id: int | None = None

    @property
    def params(self) -> dict[str, object]:
        """For the statement."""
        values = {"account_id": self.account_id, "operator_id": self.operator_id, "rule_id": self.rule_id}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def sql(self) -> str:
        """What the rows of `r` and their rule `x` must be, besides."""
        conditions = {
            "account_id": "AND r.account_id = :account_id",
            "operator_id": "AND coalesce(x.operator_id, rl.operator_id) = :operator_id",
            "rule_id": "AND r.rule_id = :rule_id",
        }
        return " ".join(conditions[name] for name in self.params)


# Due

_DUE = """
SELECT r.message_id, r.campaign_id, r.account_id, a.name AS account_name, r.rule_id, r.outcome::text AS outcome,
       r.amount_mrial, r.due_at, m.recipient, {rule}
FROM outbox_refund r {join_rule} JOIN accounts_account a ON a.id = r.account_id
CROSS JOIN LATERAL (SELECT recipient FROM outbox_message WHERE id = r.message_id OFFSET 0) m
WHERE r.transfer_id IS NULL {narrowed} {after}
ORDER BY r.due_at, r.message_id LIMIT :most
"""

_DUE_SUMS = """
SELECT r.rule_id, x.outcome, r.count, r.amount_mrial, r.first_at, r.last_at, {rule}
FROM (
    SELECT rule_id, count(*) AS count, sum(amount_mrial)::bigint AS amount_mrial, min(due_at) AS first_at,
           max(due_at) AS last_at
    FROM outbox_refund WHERE transfer_id IS NULL {of_account} GROUP BY rule_id
) r {join_rule} WHERE true {narrowed}
ORDER BY o.code, x.outcome, r.rule_id
"""


def due(narrowed: RefundFilter, *, after: tuple[datetime, int] | None = None, most: int = 51) -> Sequence[Row[Any]]:
    """A page of the refunds that are due, the next first, behind (due moment, message id)."""
    place = {"due_at": after[0], "message_id": after[1]} if after else {}
    sql = _DUE.format(
        rule=_RULE,
        join_rule=_JOIN_RULE,
        narrowed=narrowed.sql,
        after="AND (r.due_at, r.message_id) > (:due_at, :message_id)" if after else "",
    )
    return rows(sql, most=most, **narrowed.params, **place)


def due_sums(narrowed: RefundFilter) -> Sequence[Row[Any]]:
    """What is due by each rule: how many, how much, from when to when. Read from an index of what is due only."""
    of_account = "AND account_id = :account_id" if narrowed.account_id is not None else ""
    rest = RefundFilter(None, narrowed.operator_id, narrowed.rule_id)
    sql = _DUE_SUMS.format(rule=_RULE, join_rule=_JOIN_RULE, of_account=of_account, narrowed=rest.sql)
    return rows(sql, **narrowed.params)


# Posted

_POSTED = """
SELECT r.id, r.transfer_id, r.campaign_id, r.account_id, a.name AS account_name, r.rule_id, r.outcome::text AS outcome,
       r.refund_count AS count, r.amount_mrial, r.cost_mrial, r.posted_at, r.first_id, {rule}
FROM outbox_refund_posted r {join_rule} JOIN accounts_account a ON a.id = r.account_id
WHERE r.posted_at >= :since AND r.posted_at < :until {narrowed} {before}
ORDER BY r.posted_at DESC, r.id DESC LIMIT :most
"""

_POSTED_SUMS = """
SELECT r.rule_id, x.outcome, sum(r.refund_count)::bigint AS count, sum(r.amount_mrial)::bigint AS amount_mrial,
       sum(r.cost_mrial)::bigint AS cost_mrial, {rule}
FROM outbox_refund_posted r {join_rule}
WHERE r.posted_at >= :since AND r.posted_at < :until {narrowed}
GROUP BY r.rule_id, x.id, rl.operator_id, o.id ORDER BY o.code, x.outcome, r.rule_id
"""


def posted(
    narrowed: RefundFilter,
    *,
    since: datetime,
    until: datetime,
    before: tuple[datetime, int] | None = None,
    most: int = 51,
) -> Sequence[Row[Any]]:
    """A page of what was paid back within [since, until), the latest first, below (posting, id): a row for each
    transfer, send and rule."""
    place = {"posted_at": before[0], "id": before[1]} if before else {}
    sql = _POSTED.format(
        rule=_RULE,
        join_rule=_JOIN_RULE,
        narrowed=narrowed.sql,
        before="AND (r.posted_at, r.id) < (:posted_at, :id)" if before else "",
    )
    return rows(sql, since=since, until=until, most=most, **narrowed.params, **place)


def posted_sums(narrowed: RefundFilter, *, since: datetime, until: datetime) -> Sequence[Row[Any]]:
    """What was paid back within [since, until) by each rule: how many, how much, and how much of our cost."""
    sql = _POSTED_SUMS.format(rule=_RULE, join_rule=_JOIN_RULE, narrowed=narrowed.sql)
    return rows(sql, since=since, until=until, **narrowed.params)


# Causes, for the statement


def named(*, account_id: int, campaign_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """The account's own of these sends, by id: title, first words, line, and its message where it is one."""
    found = rows(
        """SELECT c.id, c.title, left(c.body, 60) AS body, c.total_count, c.first_id, m.recipient
           FROM outbox_campaign c LEFT JOIN outbox_message m ON c.total_count = 1 AND m.id = c.first_id
           WHERE c.id = ANY(:ids) AND c.account_id = :account_id""",
        ids=sorted(set(campaign_ids)),
        account_id=account_id,
    )
    return {each.id: each for each in found}


def rules_of(*, account_id: int, transfer_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """By which rules these transfers paid back, and for how many messages: transfer_id, outcome, count and the rule."""
    return rows(
        f"""SELECT r.transfer_id, r.outcome::text AS outcome, r.refund_count AS count, {_RULE}
            FROM outbox_refund_posted r {_JOIN_RULE}
            WHERE r.transfer_id = ANY(:ids) AND r.account_id = :account_id
            ORDER BY r.transfer_id, r.refund_count DESC, r.id""",  # noqa: S608 - the words put in are our own
        ids=sorted(set(transfer_ids)),
        account_id=account_id,
    )
