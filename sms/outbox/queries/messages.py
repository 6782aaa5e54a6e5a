"""Reads about messages: keyset pages by id, a period is a range of ids, nothing is counted at page time.

A page is found first (its ids) and read afterwards. What is rare is not searched for among millions of messages: the
counts on campaigns and batches say where it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.ids import first_id_at
from sms.operators.rules import Outcome
from sms.outbox.rules import COUNT_COLUMNS, Progress

_MAX_ID = 2**62
_MOST_BY_FATE = 2_000  # what one look for a fate brings: it goes through no more campaigns and batches than that
_NEVER_SENT = (Outcome.INVALID, Outcome.DUPLICATE, Outcome.OPTED_OUT)  # may be known before anything is sent

_COLUMNS = """
SELECT m.id, m.campaign_id, m.row_number, m.recipient, m.given, m.network_id, m.line_id, m.parts, m.price_mrial,
       m.outcome::text AS outcome, m.code, m.final_at, l.number AS line_number, o.code AS operator_code, o.colour,
       left(c.body, 120) AS body, c.title, c.accepted_at,
       b.id AS batch_id, b.state AS batch_state, b.attempt, b.is_pinned, b.submitted_at, b.wire_at, b.gateway_id,
       u.message_id IS NOT NULL AS is_unknown, u.wire_at AS unknown_since, u.attempt AS unknown_attempt,
       EXISTS (SELECT FROM outbox_submission s WHERE s.message_id = m.id) AS is_charged,
       r.amount_mrial AS refund_mrial, r.due_at AS refund_due_at, r.transfer_id AS refund_transfer_id
FROM outbox_message m
JOIN lines_line l ON l.id = m.line_id
JOIN operators_operator o ON o.id = l.operator_id
JOIN outbox_campaign c ON c.id = m.campaign_id
LEFT JOIN outbox_batch b ON b.id = m.batch_id
LEFT JOIN outbox_unknown u ON u.message_id = m.id
LEFT JOIN outbox_refund r ON r.message_id = m.id
"""

# Joined to the ids and not narrowed by them: so one plan is kept, where for each list of ids a new one would be made.
_WANTED = "FROM unnest(CAST(:ids AS bigint[])) AS wanted (id) JOIN outbox_message m ON m.id = wanted.id"
_READ = _COLUMNS.replace("FROM outbox_message m", _WANTED) + "ORDER BY m.id DESC"

_NEWEST = """
SELECT id FROM outbox_message WHERE account_id = :account_id AND id >= :low AND id < :high
ORDER BY id DESC LIMIT :most
"""

_BY_RECIPIENT = """
SELECT m.id FROM outbox_message m LEFT JOIN outbox_batch b ON b.id = m.batch_id
WHERE m.account_id = :account_id AND m.recipient = :recipient AND m.id >= :low AND m.id < :high {and_more}
ORDER BY m.id DESC LIMIT :most
"""

# Campaigns do not overlap: of those that begin at or below `low`, only the last one can reach above it.
_CAMPAIGNS = """
SELECT c.id, c.first_id, c.last_id, {count} AS found FROM {of}
WHERE {of_account} AND {first_id} < :high AND c.last_id >= :low {and_more}
  AND {first_id} >= coalesce(
      (SELECT max(first_id) FROM outbox_campaign WHERE account_id = :account_id AND first_id <= :low), 0)
ORDER BY {first_id} DESC LIMIT :most
"""
_ALL = {"of": "outbox_campaign c", "of_account": "c.account_id = :account_id", "first_id": "c.first_id"}
_WITH_OUTCOME = {
    "of": "outbox_campaign_outcome o JOIN outbox_campaign c ON c.id = o.campaign_id",
    "of_account": "o.account_id = :account_id AND o.outcome = :outcome",
    "first_id": "o.first_id",
}

_OF_CAMPAIGNS = """
SELECT found.id FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) AS c (first_id, last_id)
CROSS JOIN LATERAL (
    SELECT x.id FROM outbox_message x
    WHERE x.account_id = :account_id AND x.id BETWEEN greatest(c.first_id, :low) AND least(c.last_id, :high - 1)
    ORDER BY x.id DESC LIMIT :most
) found ORDER BY found.id DESC LIMIT :most
"""

# The batches that hold the newest `most` of what is looked for, and the lowest id down to which that is so. Batches
# overlap where messages were sent again in a batch of their own, so all that reach above that id are taken.
_BATCHES = """
WITH newest AS (
    SELECT fit.first_id, fit.last_id, fit.found
    FROM unnest(CAST(:campaign_ids AS bigint[])) AS c (id) CROSS JOIN LATERAL (
        SELECT b.first_id, b.last_id, {count} AS found FROM outbox_batch b
        WHERE b.campaign_id = c.id AND {count} > 0 AND b.last_id >= :low AND b.last_id < :high {and_more}
        ORDER BY b.last_id DESC LIMIT :most
    ) fit ORDER BY fit.last_id DESC LIMIT :most
), reached AS (
    SELECT min(first_id) OVER down AS lowest_id, sum(found) OVER down AS together FROM newest
    WINDOW down AS (ORDER BY last_id DESC)
), lowest AS MATERIALIZED (
    SELECT coalesce(max(lowest_id), :low) AS lowest_id FROM reached WHERE together >= :most
)
SELECT b.id, b.first_id, b.last_id, lowest_id
FROM lowest CROSS JOIN unnest(CAST(:campaign_ids AS bigint[])) AS c (id)
JOIN outbox_batch b ON b.campaign_id = c.id
WHERE {count} > 0 AND b.first_id < :high AND b.last_id >= greatest(lowest_id, :low) {and_more}
"""

_OF_BATCHES = """
SELECT found.id FROM unnest(CAST(:batches AS bigint[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
    AS b (id, first_id, last_id)
CROSS JOIN LATERAL (
    SELECT m.id FROM outbox_message m
    WHERE m.id BETWEEN greatest(b.first_id, :low) AND least(b.last_id, :high - 1) AND m.batch_id = b.id AND {fits}
    ORDER BY m.id DESC LIMIT :most
) found ORDER BY found.id DESC LIMIT :most
"""

_NEVER_SENT_ONES = """
SELECT found.id FROM unnest(CAST(:campaign_ids AS bigint[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
    AS c (id, first_id, last_id)
CROSS JOIN LATERAL (
    SELECT m.id FROM outbox_message m
    WHERE m.campaign_id = c.id AND m.batch_id IS NULL AND {fits}
      AND m.id BETWEEN greatest(c.first_id, :low) AND least(c.last_id, :high - 1)
    ORDER BY m.id DESC LIMIT :most
) found ORDER BY found.id DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """What a list of messages is narrowed to; moments are half-open, [since, until). `state` is a Progress, `outcome`
    an Outcome; no message has both."""

    campaign_id: int | None = None
    state: str = ""
    outcome: str = ""
    line_id: int | None = None
    recipient: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A fate put as SQL: how a batch counts it, which batches to look at, which of their messages fit."""

    count: str
    fits: str
    and_batch: str = ""


_ENDED = " + ".join(f"b.{column}" for column in COUNT_COLUMNS.values())
_UNKNOWN = "EXISTS (SELECT FROM outbox_unknown u WHERE u.message_id = m.id)"
_BY_STATE: dict[str, _Wanted] = {
    Progress.QUEUED: _Wanted(
        "b.size",
        "m.outcome IS NULL",
        "AND (b.state IN ('queued', 'paused') OR (b.state = 'cancelled' AND b.cancelled_count = 0))",
    ),
    Progress.SENDING: _Wanted("b.size", "m.outcome IS NULL", "AND b.state = 'submitting'"),
    Progress.UNKNOWN: _Wanted("b.unknown_count", f"m.outcome IS NULL AND {_UNKNOWN}"),
    Progress.WAITING: _Wanted(
        f"(b.size - b.unknown_count - ({_ENDED}))",
        f"m.outcome IS NULL AND NOT {_UNKNOWN}",
        "AND b.state = 'submitted'",
    ),
}
# A campaign that was not settled yet has no counts: all of it is queued. Counts may be a second old.
_STATE_COUNTS: dict[str, str] = {
    progress: f"coalesce(CAST(c.counts->>'{progress}' AS int), "
    f"{'c.sendable_count' if progress is Progress.QUEUED else 0})"
    for progress in Progress
}
_BY_OUTCOME: dict[str, _Wanted] = {
    outcome: _Wanted(f"b.{column}", f"m.outcome = '{outcome}'") for outcome, column in COUNT_COLUMNS.items()
}


@dataclass(frozen=True, slots=True)
class _Place:
    """A campaign in which to look: its ids."""

    id: int
    first_id: int
    last_id: int


@dataclass(frozen=True, slots=True)
class _Look:
    """One look for the newest messages of a filter, within [low, high)."""

    account_id: int
    narrowed: MessageFilter
    low: int
    high: int
    most: int

    @property
    def bounds(self) -> dict[str, int]:
        """What every statement is given."""
        return {"low": self.low, "high": self.high, "most": self.most}

    def ids(self) -> list[int]:
        """The ids, newest first."""
        narrowed = self.narrowed
        if narrowed.state and narrowed.outcome:
            return []
        if narrowed.recipient is not None:
            return self._by_recipient()
        if narrowed.state or narrowed.outcome:
            return self._by_fate()
        if narrowed.line_id is not None:
            return self._by_line()
        return _ids(_NEWEST, account_id=self.account_id, **self.bounds)

    def _by_recipient(self) -> list[int]:
        narrowed = self.narrowed
        more = "AND m.line_id = :line_id " if narrowed.line_id is not None else ""
        if narrowed.outcome:
            more += f"AND m.outcome = '{Outcome(narrowed.outcome)}'"
        if narrowed.state:
            wanted = _BY_STATE[narrowed.state]
            more += f"AND {wanted.fits} {wanted.and_batch} AND b.id IS NOT NULL"
        params: dict[str, object] = {"recipient": narrowed.recipient, **self._line()}
        return _ids(_BY_RECIPIENT.format(and_more=more), account_id=self.account_id, **params, **self.bounds)

    def _by_line(self) -> list[int]:
        found = self._campaigns("c.total_count")
        return self._of(_OF_CAMPAIGNS, found, account_id=self.account_id)

    def _by_fate(self) -> list[int]:
        narrowed = self.narrowed
        if narrowed.state:
            count = _STATE_COUNTS[narrowed.state]
            campaigns = self._campaigns(count, f"AND c.closed_at IS NULL AND {count} > 0")
            return self._in_batches(_BY_STATE[narrowed.state], campaigns)
        outcome = Outcome(narrowed.outcome)  # from our own list, so it may stand in a statement
        campaigns = self._campaigns(f"CAST(c.counts->>'{outcome}' AS int)", f"AND c.counts ? '{outcome}'", outcome)
        found: list[int] = []
        if outcome in _BY_OUTCOME:
            found += self._in_batches(_BY_OUTCOME[outcome], campaigns)
        if outcome in _NEVER_SENT:
            statement = _NEVER_SENT_ONES.format(fits=f"m.outcome = '{outcome}'")
            found += self._of(statement, campaigns, campaign_ids=[place.id for place in campaigns])
        return sorted(found, reverse=True)[: self.most]

    def _campaigns(self, count: str, and_more: str = "", outcome: str = "") -> list[_Place]:
        """The newest campaigns that together hold `most` of what is looked for; the one named, when one is."""
        narrowed = self.narrowed
        if narrowed.campaign_id is not None:
            return [_Place(narrowed.campaign_id, self.low, self.high - 1)]
        and_line = "AND c.line_id = :line_id" if narrowed.line_id is not None else ""
        places = _WITH_OUTCOME if outcome else _ALL
        statement = _CAMPAIGNS.format(count=count, and_more=f"{and_more} {and_line}", **places)
        params = self._line() | ({"outcome": outcome} if outcome else {})
        bounds = self.bounds | {"most": self.most + 1}  # one may be cut by `high` and hold nothing below it
        enough: list[_Place] = []
        reached = 0
        for campaign in rows(statement, account_id=self.account_id, **params, **bounds):
            enough.append(_Place(campaign.id, campaign.first_id, campaign.last_id))
            reached += campaign.found if campaign.last_id < self.high else 0
            if reached >= self.most:
                break
        return enough

    def _in_batches(self, wanted: _Wanted, campaigns: Sequence[_Place]) -> list[int]:
        if not campaigns:
            return []
        statement = _BATCHES.format(count=wanted.count, and_more=wanted.and_batch)
        batches = rows(statement, campaign_ids=[place.id for place in campaigns], **self.bounds)
        look = replace(self, low=max(self.low, batches[0].lowest_id)) if batches else self
        return look._of(_OF_BATCHES.format(fits=wanted.fits), batches, batches=[batch.id for batch in batches])

    def _of(self, statement: str, places: Sequence[Any], **params: object) -> list[int]:
        if not places:
            return []
        firsts, lasts = [place.first_id for place in places], [place.last_id for place in places]
        return _ids(statement, firsts=firsts, lasts=lasts, **params, **self.bounds)

    def _line(self) -> dict[str, object]:
        return {} if self.narrowed.line_id is None else {"line_id": self.narrowed.line_id}


def _ids(statement: str, **params: object) -> list[int]:
    return [found.id for found in rows(statement, **params)]


def message_ids(*, account_id: int, narrowed: MessageFilter, before: int | None = None, most: int = 51) -> list[int]:
    """The ids of a page of messages, newest first, below the id `before`.

    A look for a fate brings `_MOST_BY_FATE` at most; none come only when there are none."""
    low = first_id_at(narrowed.since) if narrowed.since else 0
    high = first_id_at(narrowed.until) if narrowed.until else _MAX_ID
    if narrowed.campaign_id is not None:
        campaign = row(
            "SELECT first_id, last_id FROM outbox_campaign WHERE id = :id AND account_id = :account_id",
            id=narrowed.campaign_id,
            account_id=account_id,
        )
        if campaign is None:
            return []
        low, high = max(low, campaign.first_id), min(high, campaign.last_id + 1)
    high = min(high, before) if before is not None else high
    most = min(most, _MOST_BY_FATE) if narrowed.state or narrowed.outcome else most
    return _Look(account_id, narrowed, low, high, most).ids() if low < high else []


def messages(
    *, account_id: int, narrowed: MessageFilter, before: int | None = None, most: int = 51
) -> Sequence[Row[Any]]:
    """A page of messages, newest first, below the id `before`."""
    ids = message_ids(account_id=account_id, narrowed=narrowed, before=before, most=most)
    return rows(_READ, ids=ids) if ids else []


def progress_of(message: Any) -> Progress | None:
    """Where a message without an outcome stands; None when it has one."""
    if message.outcome:
        return None
    if message.is_unknown:
        return Progress.UNKNOWN
    waits = dict.fromkeys(("queued", "paused", "cancelled"), Progress.QUEUED)
    return (waits | {"submitting": Progress.SENDING}).get(message.batch_state, Progress.WAITING)


def message(*, account_id: int, message_id: int) -> Row[Any] | None:
    """One message of an account, as in the lists but with its whole text."""
    columns = _COLUMNS.replace("left(c.body, 120)", "c.body || coalesce(b.suffix, '')")
    return row(columns + "WHERE m.id = :id AND m.account_id = :account_id", id=message_id, account_id=account_id)


def submissions(*, message_id: int) -> Sequence[Row[Any]]:
    """Every time the operator took a message from us."""
    return rows(
        """SELECT s.attempt, s.operator_ref, s.submitted_at, s.gateway_id, o.name_fa, o.name_en
           FROM outbox_submission s JOIN operators_gateway g ON g.id = s.gateway_id
           JOIN operators_operator o ON o.id = g.operator_id WHERE s.message_id = :id ORDER BY s.attempt""",
        id=message_id,
    )


def reports(*, message_id: int, final_at: datetime) -> Sequence[Row[Any]]:
    """The raw reports that gave a message its outcome: those that arrived within the minute before it. One that was
    pushed names no message, and is known by the operator's reference."""
    return rows(
        """WITH taken AS (SELECT gateway_id, operator_ref FROM outbox_submission WHERE message_id = :id),
           near AS (
               SELECT id, gateway_id, received_at, source FROM outbox_report_set
               WHERE gateway_id IN (SELECT gateway_id FROM taken)
                 AND received_at BETWEEN CAST(:final_at AS timestamptz) - interval '1 minute' AND :final_at
               ORDER BY received_at DESC LIMIT 20
           )
           SELECT r.code, r.outcome::text AS outcome, r.reported_at, near.received_at, near.source
           FROM near CROSS JOIN LATERAL (
               SELECT code, outcome, reported_at FROM outbox_report WHERE set_id = near.id AND message_id = :id
               UNION ALL
               SELECT p.code, p.outcome, p.reported_at FROM outbox_report p
               WHERE p.set_id = near.id AND p.message_id IS NULL
                 AND p.operator_ref IN (SELECT operator_ref FROM taken WHERE gateway_id = near.gateway_id)
           ) r ORDER BY near.received_at""",
        id=message_id,
        final_at=final_at,
    )


def refund(*, message_id: int) -> Row[Any] | None:
    """The refund of a message with the rule it stands on."""
    return row(
        """SELECT r.amount_mrial, r.due_at, r.transfer_id, r.outcome::text AS outcome, b.percent, b.delay_seconds,
               b.note, t.posted_at
           FROM outbox_refund r JOIN billing_refund_rule b ON b.id = r.rule_id
           LEFT JOIN ledger_transfer t ON t.id = r.transfer_id WHERE r.message_id = :id""",
        id=message_id,
    )
