"""Texts in several parts on which an operator reports one by one: what is said of parts, without touching messages."""

from collections.abc import Sequence
from typing import NamedTuple

from sms.core.db import copy_in, copy_text, execute, rows
from sms.operators.contract import PartRef
from sms.operators.rules import Outcome
from sms.outbox.operations.outcomes import Final

# Locked before anything is said of one of them: two reports about two parts must see each other.
_LOCK = """
SELECT 1 AS one FROM outbox_part WHERE message_id = ANY(:ids) AND message_id BETWEEN :low AND :high
ORDER BY message_id, attempt, part FOR NO KEY UPDATE
"""

# Delivered stands over a failure, never the other way.
_SAY = """
UPDATE outbox_part p SET outcome = CAST(n.outcome AS outbox_outcome), code = n.code
FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS smallint[]), CAST(:parts AS smallint[]),
            CAST(:outcomes AS text[]), CAST(:codes AS text[])) AS n (id, attempt, part, outcome, code)
WHERE p.message_id = n.id AND p.message_id BETWEEN :low AND :high AND p.attempt = n.attempt AND p.part = n.part
  AND (p.outcome IS NULL OR (n.outcome = 'delivered' AND p.outcome <> 'delivered'))
"""

_COUNT = """
SELECT message_id, max(total) AS total, count(outcome) AS ended,
       count(*) FILTER (WHERE outcome = 'delivered') AS delivered,
       min(outcome)::text AS least, max(outcome)::text AS most, max(code) AS code
FROM outbox_part WHERE message_id = ANY(:ids) AND message_id BETWEEN :low AND :high
GROUP BY message_id, attempt
"""


class Known(NamedTuple):
    """What a reference stands for: a message, or one part of it when `part` is not 0."""

    message_id: int
    recipient: int
    attempt: int
    part: int


class PartReport(NamedTuple):
    """The outcome a report states for one part of a message."""

    message_id: int
    attempt: int
    part: int
    outcome: Outcome
    code: str


def add_parts(parts: Sequence[tuple[int, PartRef]], *, gateway_id: int) -> None:
    """Append (attempt, the operator's reference of a part): a report on a part finds its message here."""
    if parts:
        copy_in(
            "outbox_part",
            ("message_id", "attempt", "part", "total", "gateway_id", "operator_ref"),
            [
                "".join(
                    f"{part.message_id}\t{attempt}\t{part.part}\t{part.total}\t{gateway_id}"
                    f"\t{copy_text(part.operator_ref)}\n"
                    for attempt, part in parts
                )
            ],
        )


def judge(reports: Sequence[PartReport]) -> list[Final]:
    """Note what was said of parts; returns what it means for messages of which all parts are known.

    Delivered when all parts are; a failure when all are final and none is delivered; otherwise nothing yet.
    """
    if not reports:
        return []
    once = {(each.message_id, each.attempt, each.part): each for each in sorted(reports, key=_delivered_last)}
    ids = sorted({each.message_id for each in reports})
    span = {"ids": ids, "low": ids[0], "high": ids[-1]}
    rows(_LOCK, **span)
    execute(
        _SAY,
        ids=[each.message_id for each in once.values()],
        attempts=[each.attempt for each in once.values()],
        parts=[each.part for each in once.values()],
        outcomes=[str(each.outcome) for each in once.values()],
        codes=[each.code for each in once.values()],
        low=span["low"],
        high=span["high"],
    )
    finals = []
    for found in rows(_COUNT, **span):
        if found.delivered == found.total:
            finals.append(Final(found.message_id, Outcome.DELIVERED, found.code or ""))
        elif found.ended == found.total and not found.delivered:
            outcome = Outcome(found.least) if found.least == found.most else Outcome.UNDELIVERED
            finals.append(Final(found.message_id, outcome, found.code or ""))
    return finals


def _delivered_last(report: PartReport) -> bool:
    return report.outcome is Outcome.DELIVERED
