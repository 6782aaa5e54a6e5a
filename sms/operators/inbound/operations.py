"""Texts to our lines, kept before anything else: what an operator answered or pushed, as it came, and then read; what
arrives over a line that stays bound, kept before it is acknowledged, and joined from parts."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sms.core.db import execute, row, rows
from sms.operators.contract import InboundPart, InboundText, RawInbound
from sms.operators.inbound.rules import Piece, Way, pause, runs, with_gaps
from sms.operators.protocols.smpp.texts import decoded

log = logging.getLogger(__name__)
PARTS_WAIT = timedelta(minutes=15)  # then a text is shown without the parts that did not come
_JOINED_KEPT = timedelta(hours=1)  # so long a part that is told again is known
_RAW_KEPT = timedelta(days=7)  # what was read is looked at only when something is in doubt

_KEEP = """
INSERT INTO operators_inbound (gateway_id, sender, line_number, body, sent_at, operator_ref, missing, received_at)
SELECT :gateway_id, * FROM unnest(CAST(:senders AS text[]), CAST(:lines AS text[]), CAST(:bodies AS text[]),
    CAST(:moments AS timestamptz[]), CAST(:refs AS text[]), CAST(:missing AS smallint[]),
    CAST(:received AS timestamptz[]))
"""

_OF_TEXT = """
WHERE gateway_id = :gateway_id AND sender = :sender AND line_number = :line_number AND reference = :reference
  AND total = :total
"""
_IS_REPEAT = f"SELECT 1 AS one FROM operators_inbound_part {_OF_TEXT} AND place = :place AND content = :content" \
    " AND joined_at > :since"  # fmt: skip  # noqa: S608 - our own words
_BEGIN_ANEW = f"DELETE FROM operators_inbound_part {_OF_TEXT} AND joined_at IS NOT NULL"  # noqa: S608 - the same
_KEEP_PART = """
INSERT INTO operators_inbound_part (gateway_id, sender, line_number, reference, total, place, content, data_coding,
    received_at)
VALUES (:gateway_id, :sender, :line_number, :reference, :total, :place, :content, :data_coding, :at)
ON CONFLICT (gateway_id, sender, line_number, reference, total, place) DO UPDATE
SET content = excluded.content, data_coding = excluded.data_coding, received_at = excluded.received_at
"""
_PARTS = f"SELECT place, content, data_coding FROM operators_inbound_part {_OF_TEXT} ORDER BY place FOR UPDATE"  # noqa: S608 - the same
_JOINED = f"UPDATE operators_inbound_part SET joined_at = :at {_OF_TEXT}"  # noqa: S608 - the same


def keep(texts: Sequence[InboundText], parts: Sequence[InboundPart] = (), *, gateway_id: int, at: datetime) -> None:
    """Store these for the inbox; a text whose last part has come is stored whole."""
    joined = [text for part in parts if (text := _joined(part, gateway_id=gateway_id, at=at)) is not None]
    _store([*texts, *joined], gateway_id=gateway_id, at=at)


def _store(texts: Sequence[InboundText], *, gateway_id: int, at: datetime) -> None:
    if not texts:
        return
    execute(
        _KEEP,
        gateway_id=gateway_id,
        senders=[_storable(text.sender) for text in texts],
        lines=[_storable(text.line_number) for text in texts],
        bodies=[_storable(text.body) for text in texts],
        moments=[text.sent_at for text in texts],
        refs=[_storable(text.operator_ref) for text in texts],
        missing=[text.missing for text in texts],
        received=[at for _ in texts],
    )


def _joined(part: InboundPart, *, gateway_id: int, at: datetime) -> InboundText | None:
    key = {
        "gateway_id": gateway_id,
        "sender": _storable(part.sender),
        "line_number": _storable(part.line_number),
        "reference": part.reference,
        "total": part.total,
    }
    if row(_IS_REPEAT, **key, place=part.place, content=part.content, since=at - _JOINED_KEPT):
        return None
    execute(_BEGIN_ANEW, **key)  # the reference stands for another text now
    execute(_KEEP_PART, **key, place=part.place, content=part.content, data_coding=part.data_coding, at=at)
    there = rows(_PARTS, **key)
    if len(there) < part.total:
        return None
    execute(_JOINED, **key, at=at)
    # Joined before it is read: a character may be cut in two by the end of a part.
    body = decoded(b"".join(bytes(each.content) for each in there), there[0].data_coding)
    return InboundText(part.sender, part.line_number, body, sent_at=None)


def give_up_waiting(*, at: datetime) -> int:
    """Store what there is of texts whose other parts did not come; returns how many such texts that were."""
    late = rows(
        """UPDATE operators_inbound_part p SET joined_at = :at
           FROM (SELECT gateway_id, sender, line_number, reference, total FROM operators_inbound_part
                 WHERE joined_at IS NULL GROUP BY 1, 2, 3, 4, 5 HAVING max(received_at) <= :before) AS w
           WHERE p.joined_at IS NULL AND p.gateway_id = w.gateway_id AND p.sender = w.sender
             AND p.line_number = w.line_number AND p.reference = w.reference AND p.total = w.total
           RETURNING p.gateway_id, p.sender, p.line_number, p.reference, p.total, p.place, p.content, p.data_coding,
               p.received_at""",
        at=at,
        before=at - PARTS_WAIT,
    )
    texts: dict[tuple[int, str, str, int, int], list[Piece]] = defaultdict(list)
    for each in late:
        key = (each.gateway_id, each.sender, each.line_number, each.reference, each.total)
        texts[key].append(Piece(each.place, bytes(each.content), each.data_coding))
    for (gateway_id, sender, line_number, _, total), pieces in texts.items():
        text = InboundText(sender, line_number, _torn(pieces, total), None, missing=total - len(pieces))
        _store([text], gateway_id=gateway_id, at=at)
    return len(texts)


def _torn(pieces: Sequence[Piece], total: int) -> str:
    found = runs(pieces)
    read = [decoded(b"".join(piece.content for piece in run), run[0].data_coding) for run in found]
    return with_gaps(read, found[0][0].place, found[-1][-1].place, total)


def forget(*, at: datetime) -> None:
    """Delete what was read long ago: parts that were joined, and raw answers out of which every text was taken."""
    execute("DELETE FROM operators_inbound_part WHERE joined_at <= :before", before=at - _JOINED_KEPT)
    execute(
        "DELETE FROM operators_inbound_raw"
        " WHERE received_at <= :before AND read_at IS NOT NULL AND text_count > 0 AND is_whole",
        before=at - _RAW_KEPT,
    )


# Raw answers


def keep_raw(raws: Iterable[RawInbound], *, gateway_id: int, way: Way, at: datetime) -> None:
    """Store answers as they came; commit before anything else is done with them."""
    for raw in raws:
        execute(
            """INSERT INTO operators_inbound_raw (gateway_id, way, line_number, content, is_whole, received_at)
               VALUES (:gateway_id, :way, :line_number, :content, :is_whole, :at)""",
            gateway_id=gateway_id,
            way=str(way),
            line_number=raw.line_number,
            content=raw.content,
            is_whole=raw.is_whole,
            at=at,
        )


_UNREAD = """
SELECT r.id, r.gateway_id, g.adapter, r.way, r.line_number, r.content, r.is_whole, r.received_at
FROM operators_inbound_raw r JOIN operators_gateway g ON g.id = r.gateway_id
WHERE r.read_at IS NULL ORDER BY r.id LIMIT :most FOR UPDATE OF r SKIP LOCKED
"""

Reader = Callable[[RawInbound], list[InboundText]]


def read_raw(readers: Callable[[str, Way], Reader | None], *, most: int, at: datetime) -> int:
    """Read raw answers that nobody has read, with the reader of their adapter and way; returns how many. What cannot be
    read stays, for a person to look at."""
    found = rows(_UNREAD, most=most)
    for each in found:
        raw = RawInbound(bytes(each.content), each.line_number, each.is_whole)
        texts = _read(readers(each.adapter, Way(each.way)), raw)
        _store(texts, gateway_id=each.gateway_id, at=each.received_at)
        execute(
            "UPDATE operators_inbound_raw SET read_at = :at, text_count = :count WHERE id = :id",
            at=at,
            count=len(texts),
            id=each.id,
        )
    return len(found)


def _read(reader: Reader | None, raw: RawInbound) -> list[InboundText]:
    if reader is None:
        return []
    try:
        return reader(raw)
    except Exception:
        # Whatever an operator thinks of, what came after it is read too; this one stays for a person to look at.
        log.exception("an answer with texts could not be read")
        return []


# Asking


@dataclass(frozen=True, slots=True)
class Poll:
    """Leave to ask an operator for texts; `is_again` when somebody died over the last question."""

    gateway_id: int
    is_again: bool


def claim_poll(*, gateway_id: int, lease_seconds: float, at: datetime) -> Poll | None:
    """Take the turn of asking a gateway for texts, if it is due and nobody else has it. Commit before asking: that
    something is asked for outlives whoever asks."""
    found = row(
        """INSERT INTO operators_inbound_poll AS p (gateway_id, due_at, lease_until, asking_since)
           VALUES (:id, :at, CAST(:at AS timestamptz) + make_interval(secs => :lease), :at)
           ON CONFLICT (gateway_id) DO UPDATE SET lease_until = excluded.lease_until,
               asking_since = coalesce(p.asking_since, excluded.asking_since)
           WHERE p.due_at <= :at AND (p.lease_until IS NULL OR p.lease_until <= :at)
           RETURNING asking_since < :at AS is_again""",
        id=gateway_id,
        lease=lease_seconds,
        at=at,
    )
    return Poll(gateway_id, bool(found.is_again)) if found else None


def end_poll(*, gateway_id: int, has_failed: bool, at: datetime) -> None:
    """All that was answered is stored. After a failure `asking_since` stays, so that what was told and did not arrive
    is asked for once more where it can be."""
    execute(
        """UPDATE operators_inbound_poll SET lease_until = NULL,
               asking_since = CASE WHEN :failed THEN asking_since END,
               failure_count = CASE WHEN :failed THEN failure_count + 1 ELSE 0 END
           WHERE gateway_id = :id""",
        id=gateway_id,
        failed=has_failed,
    )
    found = row(
        """SELECT g.inbound_every_seconds, p.failure_count FROM operators_gateway g
           JOIN operators_inbound_poll p ON p.gateway_id = g.id WHERE g.id = :id""",
        id=gateway_id,
    )
    if found is not None:
        execute(
            "UPDATE operators_inbound_poll SET due_at = :due WHERE gateway_id = :id",
            due=at + pause(found.inbound_every_seconds, found.failure_count),
            id=gateway_id,
        )


def _storable(text: str) -> str:
    """PostgreSQL keeps no zero character, and no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
