"""Campaigns as they stand after years of sending, written by the server itself in sets: messages, batches,
submissions, reports, refunds and every posting, so that all invariants hold over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import psycopg

from bench.shop import BODY, COST_MRIAL, PRICE_MRIAL, Shop
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.ids import EPOCH, SEQUENCE_BITS, first_id_at
from sms.outbox.operations import days

_STEP = 1_000_000  # messages a transaction


class Stage(StrEnum):
    """How far the campaigns have come."""

    WAITING = "waiting"  # submitted, no report yet
    DUE = "due"  # all blocked, nothing refunded yet
    CLOSED = "closed"  # nine of ten delivered, one blocked and refunded


@dataclass(frozen=True, slots=True)
class Planned:
    """One campaign to be written."""

    account_id: int
    size: int
    at: datetime


_PLAN = """
CREATE TEMP TABLE IF NOT EXISTS plan (n int, account_id bigint, size int, at timestamptz, first_id bigint,
    id bigint, first_batch bigint, customer_id bigint, escrow_id bigint);
TRUNCATE plan
"""

_NUMBERS = """
WITH base AS MATERIALIZED (SELECT nextval(pg_get_serial_sequence('outbox_batch', 'id')) AS batch),
numbers AS (
    SELECT n, nextval(pg_get_serial_sequence('outbox_campaign', 'id')) AS id,
           sum((size + 99) / 100) OVER (ORDER BY n) - (size + 99) / 100 AS batches_before
    FROM (SELECT n, size FROM plan ORDER BY n) AS p
)
UPDATE plan p SET id = n.id, first_batch = base.batch + n.batches_before, customer_id = w.id
FROM numbers n, base, ledger_wallet w WHERE p.n = n.n AND w.account_id = p.account_id AND w.kind = 'customer';
SELECT setval(pg_get_serial_sequence('outbox_batch', 'id'), (SELECT max(first_batch + (size + 99) / 100) FROM plan));
INSERT INTO ledger_wallet (code, kind, account_id, version, created_at)
    SELECT 'campaign:' || id, 'escrow', account_id, 1 + (size + 99) / 100, at FROM plan ORDER BY n;
UPDATE plan SET escrow_id = w.id FROM ledger_wallet w WHERE w.code = 'campaign:' || plan.id;
INSERT INTO ledger_wallet (code, kind, created_at) SELECT kind || ':' || %(operator)s, kind, now()
    FROM unnest(ARRAY['revenue', 'operator_cost']) AS kind ON CONFLICT DO NOTHING;
ANALYZE plan
"""

# How many of the first `n` messages of a campaign were blocked: all of them, every tenth, or none.
_BLOCKED = {Stage.WAITING: "0 * ({})", Stage.DUE: "({})", Stage.CLOSED: "(({}) / 10)"}
_OUTCOME = {
    Stage.WAITING: "NULL",
    Stage.DUE: "'blocked'",
    Stage.CLOSED: "CASE WHEN i % 10 = 9 THEN 'blocked' ELSE 'delivered' END",
}

_CAMPAIGNS = """
INSERT INTO outbox_campaign (id, account_id, user_id, key, body_hash, line_id, escrow_wallet_id, title, body,
    is_unicode, parts, state, priority, total_count, sendable_count, held_mrial, first_id, last_id, counts, is_dirty,
    charged_mrial, refunded_mrial, refunded_count, refund_due_mrial, refund_due_count, accepted_at, submitted_at,
    closed_at)
SELECT id, account_id, %(user)s, 'bench:' || id, 'x', %(line)s, escrow_id, 'campaign ' || id, %(body)s, true, 1,
    '{state}', CASE WHEN size = 1 THEN 1 ELSE 2 END, size, size, size * price, first_id, first_id + size - 1,
    {counts}, {state_is_open}, size * price,
    {posted} * price, {posted}, {due} * price, {due}, at, at, {closed_at}
FROM plan, (SELECT %(price)s::bigint AS price) AS p ORDER BY n
"""

_BATCHES = """
INSERT INTO outbox_batch (id, campaign_id, account_id, line_id, gateway_id, state, priority, turn, attempt, wire_at,
    submitted_at, first_id, last_id, size, submitted_count, delivered_count, blocked_count, charged_mrial)
SELECT first_batch + b, id, account_id, %(line)s, %(gateway)s, 'submitted', 2, b, 1, at, at, first_id + b * 100,
    first_id + b * 100 + part - 1, part, part, {delivered}, {blocked}, part * %(price)s
FROM plan CROSS JOIN LATERAL generate_series(0, (size - 1) / 100) AS b
CROSS JOIN LATERAL (SELECT least(100, size - b * 100) AS part) AS s ORDER BY n, b
"""

# 61 has no common divisor with two million: no recipient twice in a campaign, and most of them in several campaigns.
_MESSAGES = """
INSERT INTO outbox_message (id, account_id, campaign_id, batch_id, price_mrial, cost_mrial, final_at, recipient,
    line_id, row_number, network_id, parts, outcome, code)
SELECT first_id + i, account_id, id, first_batch + i / 100, %(price)s, %(cost)s, {final_at},
    989120000000 + (i * 61 + n * 10007) % 2000000, %(line)s, i + 1, 1, 1, CAST({outcome} AS outbox_outcome), {code}
FROM plan CROSS JOIN LATERAL generate_series(0, size - 1) AS i ORDER BY n, i
"""

_SUBMISSIONS = """
INSERT INTO outbox_submission (message_id, attempt, gateway_id, operator_ref, submitted_at)
SELECT first_id + i, 1, %(gateway)s, (first_id + i)::text, at
FROM plan CROSS JOIN LATERAL generate_series(0, size - 1) AS i ORDER BY n, i
"""

_REPORTS = """
INSERT INTO outbox_report_set (id, gateway_id, source, received_at, report_count, applied_at, applied_count)
SELECT first_id + s, %(gateway)s, 'poll', at + interval '3 s', least(5000, size - s), at + interval '3 s', 0
FROM plan CROSS JOIN LATERAL generate_series(0, size - 1, 5000) AS s;
INSERT INTO outbox_report (set_id, gateway_id, operator_ref, message_id, code, outcome, reported_at)
SELECT first_id + i / 5000 * 5000, %(gateway)s, (first_id + i)::text, first_id + i, {code},
    CAST({outcome} AS outbox_outcome), at
FROM plan CROSS JOIN LATERAL generate_series(0, size - 1) AS i ORDER BY n, i
"""

_TRANSFERS = """
INSERT INTO ledger_transfer (kind, key, body_hash, subject, posted_at)
SELECT kind, kind || ':' || key, 'x', 'campaign:' || id, at + pause FROM (
    SELECT n, 0 AS place, id, at, interval '0' AS pause, 'hold' AS kind, id::text AS key FROM plan
    UNION ALL
    SELECT n, 1 + b, id, at, interval '1 s', 'charge', first_batch + b || ':1'
    FROM plan CROSS JOIN LATERAL generate_series(0, (size - 1) / 100) AS b
    UNION ALL
    SELECT n, 2 + size, id, at, interval '4 s', 'refund', id || ':' || first_id FROM plan WHERE {posted} > 0
) AS t ORDER BY n, place
"""

# What a customer's wallet sees: a hold and a refund a campaign, each with the balance after it.
_CUSTOMER_ENTRIES = """
INSERT INTO ledger_entry (transfer_id, wallet_id, amount_mrial, balance_after_mrial, credit_limit_mrial, wallet_version)
SELECT t.id, m.customer_id, m.amount, w.balance_mrial + sum(m.amount) OVER line, 0, w.version + row_number() OVER line
FROM (SELECT n, 0 AS place, customer_id, 'hold:' || id AS key, -size * %(price)s::bigint AS amount FROM plan
      UNION ALL
      SELECT n, 1, customer_id, 'refund:' || id || ':' || first_id, {posted} * %(price)s::bigint FROM plan
      WHERE {posted} > 0) AS m
JOIN ledger_transfer t ON t.key = m.key JOIN ledger_wallet w ON w.id = m.customer_id
WINDOW line AS (PARTITION BY m.customer_id ORDER BY m.n, m.place);
UPDATE ledger_wallet w SET balance_mrial = last.balance_after_mrial, version = last.wallet_version
FROM (SELECT DISTINCT ON (wallet_id) wallet_id, balance_after_mrial, wallet_version FROM ledger_entry
      WHERE wallet_id IN (SELECT customer_id FROM plan) ORDER BY wallet_id, wallet_version DESC) AS last
WHERE w.id = last.wallet_id
"""

_ESCROW_ENTRIES = """
INSERT INTO ledger_entry (transfer_id, wallet_id, amount_mrial, balance_after_mrial, credit_limit_mrial, wallet_version)
SELECT t.id, m.escrow_id, m.amount, sum(m.amount) OVER line, 0, row_number() OVER line
FROM (SELECT n, -1 AS place, escrow_id, 'hold:' || id AS key, size * %(price)s::bigint AS amount FROM plan
      UNION ALL
      SELECT n, b, escrow_id, 'charge:' || first_batch + b || ':1', -least(100, size - b * 100) * %(price)s::bigint
      FROM plan CROSS JOIN LATERAL generate_series(0, (size - 1) / 100) AS b) AS m
JOIN ledger_transfer t ON t.key = m.key WINDOW line AS (PARTITION BY m.escrow_id ORDER BY m.place)
"""

_HOUSE_ENTRIES = """
INSERT INTO ledger_entry (transfer_id, wallet_id, amount_mrial)
SELECT t.id, w.id, m.count * CASE w.kind WHEN 'revenue' THEN %(price)s::bigint - %(cost)s ELSE %(cost)s END
FROM (SELECT 'charge:' || first_batch + b || ':1' AS key, least(100, size - b * 100) AS count
      FROM plan CROSS JOIN LATERAL generate_series(0, (size - 1) / 100) AS b
      UNION ALL
      SELECT 'refund:' || id || ':' || first_id, -{posted} FROM plan WHERE {posted} > 0) AS m
JOIN ledger_transfer t ON t.key = m.key JOIN ledger_wallet w ON w.kind IN ('revenue', 'operator_cost')
"""

_REFUNDS = """
INSERT INTO outbox_refund (message_id, account_id, campaign_id, rule_id, outcome, amount_mrial, cost_mrial, due_at,
    transfer_id)
SELECT m.id, m.account_id, m.campaign_id, (SELECT min(id) FROM billing_refund_rule), 'blocked', m.price_mrial,
    m.cost_mrial, p.at + interval '4 s', t.id
FROM plan p JOIN outbox_message m ON m.id BETWEEN p.first_id AND p.first_id + p.size - 1 AND m.outcome = 'blocked'
LEFT JOIN ledger_transfer t ON t.key = 'refund:' || p.id || ':' || p.first_id ORDER BY m.id
"""

_ALL = (
    *(_CAMPAIGNS, _BATCHES, _MESSAGES, _SUBMISSIONS, _REPORTS),
    *(_TRANSFERS, _CUSTOMER_ENTRIES, _ESCROW_ENTRIES, _HOUSE_ENTRIES, _REFUNDS),
)


def write(shop: Shop, planned: Sequence[Planned], *, stage: Stage, lane: int = 0) -> None:
    """Write campaigns of a stage, the oldest first; each takes ids of its own second, or follows the one before.

    Two writings whose campaigns share seconds take different lanes, 0 or 1.
    """
    statements = [_filled(sql, stage) for sql in _ALL if stage is not Stage.WAITING or sql is not _REPORTS]
    values = {
        "user": shop.user_id,
        "line": shop.line_id,
        "gateway": shop.gateway_id,
        "operator": shop.operator_code,
        "body": BODY,
        "price": PRICE_MRIAL,
        "cost": COST_MRIAL,
    }
    # Months that are past have no partitions of their own, so this is done as the owner; and all in the server.
    with psycopg.connect(settings().database_url, autocommit=True) as owner, psycopg.ClientCursor(owner) as cursor:
        _make_months(owner, planned[0].at)
        free_id = 0
        for some in _steps(planned):
            with owner.transaction():
                free_id = _plan(owner, some, free_id, lane << (SEQUENCE_BITS - 1))
                for sql in (_NUMBERS, *statements):
                    cursor.execute(sql, values)
    with transaction():
        days.fold()
    with psycopg.connect(settings().database_url, autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE)")


def _filled(sql: str, stage: Stage) -> str:
    blocked = _BLOCKED[stage]
    is_open = stage is Stage.WAITING
    counts = (
        "jsonb_build_object('waiting', size, 'submitted', size)"
        if is_open
        else f"jsonb_build_object('delivered', size - {blocked.format('size')}, 'blocked', {blocked.format('size')},"
        " 'submitted', size)"
    )
    places = {
        "state": "reporting" if is_open else "closed",
        "state_is_open": str(is_open).lower(),
        "closed_at": "NULL" if is_open else "at + interval '4 s'",
        "final_at": "NULL" if is_open else "at + interval '3 s'",
        "counts": counts,
        "outcome": _OUTCOME[stage],
        "code": "NULL" if is_open else "CASE WHEN i % 10 = 9 THEN '27' ELSE '1' END",
        "blocked": blocked.format("part"),
        "delivered": "0" if is_open else f"part - {blocked.format('part')}",
        "posted": blocked.format("size") if stage is Stage.CLOSED else "0",
        "due": blocked.format("size") if stage is Stage.DUE else "0",
    }
    for name, text in places.items():
        sql = sql.replace("{" + name + "}", text)
    # What psycopg would take for places of its own.
    return sql.replace("i % 10", "i %% 10").replace(") % 2000000", ") %% 2000000")


def _steps(planned: Sequence[Planned]) -> list[list[Planned]]:
    steps: list[list[Planned]] = [[]]
    for campaign in planned:
        if sum(each.size for each in steps[-1]) >= _STEP:
            steps.append([])
        steps[-1].append(campaign)
    return steps


def _plan(owner: "psycopg.Connection[tuple[object, ...]]", planned: Sequence[Planned], free_id: int, above: int) -> int:
    """Note the campaigns with their first message's id; returns the first id that is free after them."""
    owner.execute(_PLAN)
    with owner.cursor().copy("COPY plan (n, account_id, size, at, first_id) FROM STDIN") as copy:
        for number, campaign in enumerate(planned):
            first_id = max(free_id, first_id_at(campaign.at) + above)
            copy.write_row((number, campaign.account_id, campaign.size, campaign.at, first_id))
            free_id = first_id + campaign.size
    return free_id


def _make_months(owner: "psycopg.Connection[tuple[object, ...]]", since: datetime) -> None:
    month = since.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < clock.now():
        coming = (month + timedelta(days=32)).replace(day=1)
        low, high = (int((each - EPOCH).total_seconds()) << SEQUENCE_BITS for each in (month, coming))
        for table in ("outbox_message", "outbox_submission", "outbox_report"):
            options = "WITH (fillfactor = 50)" if table == "outbox_message" else ""
            owner.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{month:%Y%m} PARTITION OF {table}"
                f" FOR VALUES FROM ({low}) TO ({high}) {options}"
            )
        month = coming
