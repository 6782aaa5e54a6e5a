"""Messages of unknown fate that a report tells of: those were taken after all, and are charged.

A report finds them by our own reference, or because there is only one message that it can be about."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sms.core.db import execute, rows
from sms.operators.contract import PartRef
from sms.outbox.operations import unknown
from sms.outbox.operations.parts import Known, add_parts

UNIQUE_AFTER_SECONDS = 5.0  # until then the answer to its own submit may still come
ALL_PARTS_SECONDS = 60.0  # so long the reports on all parts of a text are waited for

_LOST = """
SELECT u.message_id, m.recipient, m.parts, u.attempt, l.number AS line_number, u.wire_at
FROM outbox_unknown u JOIN outbox_message m ON m.id = u.message_id JOIN lines_line l ON l.id = m.line_id
WHERE u.gateway_id = :gateway_id AND m.recipient = ANY(:recipients)
  AND NOT EXISTS (SELECT FROM outbox_part p WHERE p.message_id = u.message_id AND p.attempt = u.attempt)
"""

# Of texts of which other parts were answered.
_LOST_PARTS = """
SELECT p.message_id, m.recipient, p.attempt, p.part FROM outbox_part p JOIN outbox_message m ON m.id = p.message_id
WHERE p.gateway_id = :gateway_id AND p.operator_ref = '' AND p.outcome IS NULL AND m.recipient = ANY(:recipients)
ORDER BY p.message_id, p.part
"""

_NAME_PARTS = """
UPDATE outbox_part p SET operator_ref = n.ref
FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS smallint[]), CAST(:parts AS smallint[]), CAST(:refs AS text[]))
    AS n (id, attempt, part, ref)
WHERE p.message_id = n.id AND p.attempt = n.attempt AND p.part = n.part
"""

_REFERENCE = 0xFFFF  # what user_message_reference has room for
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
Match = tuple[Any, Known, str]  # a report, what it is about, the reference of that


def resolved(reports: Sequence[Any], *, gateway_id: int, is_by_part: bool, at: datetime) -> list[Match]:
    """Those of these unmatched reports that tell of a lost message or a lost part, which are noted as taken.

    Where the operator reports on each part of a text (`is_by_part`), its parts are told apart by the order of their
    references: which is which means nothing.
    """
    recipients = sorted({each.recipient for each in reports if each.recipient is not None})
    if not recipients:
        return []
    found = _parts(reports, rows(_LOST_PARTS, gateway_id=gateway_id, recipients=recipients))
    told = {id(report) for report, _, _ in found}
    rest = [report for report in reports if id(report) not in told]
    lost = rows(_LOST, gateway_id=gateway_id, recipients=recipients)
    return found + _messages(rest, lost, gateway_id=gateway_id, is_by_part=is_by_part, at=at)


def _parts(reports: Sequence[Any], lost: Sequence[Any]) -> list[Match]:
    """By our own reference only: recipient and line do not tell parts from other texts."""
    of_message = _grouped((part.message_id, part) for part in lost)
    of_reference = _grouped(((each.recipient, each.user_reference), each) for each in reports)
    named: list[tuple[Any, str]] = []
    found: list[Match] = []
    for message_id, parts in of_message.items():
        mine = of_reference.get((parts[0].recipient, message_id & _REFERENCE), [])
        refs = sorted({each.operator_ref for each in mine})
        if len(refs) > len(parts):
            continue
        part_of = dict(zip(refs, parts, strict=False))
        named += [(part, ref) for ref, part in part_of.items()]
        for each in mine:
            part = part_of[each.operator_ref]
            found.append((each, Known(message_id, part.recipient, part.attempt, part.part), each.operator_ref))
    if named:
        execute(
            _NAME_PARTS,
            ids=[part.message_id for part, _ in named],
            attempts=[part.attempt for part, _ in named],
            parts=[part.part for part, _ in named],
            refs=[ref for _, ref in named],
        )
    return found


def _messages(
    reports: Sequence[Any], lost: Sequence[Any], *, gateway_id: int, is_by_part: bool, at: datetime
) -> list[Match]:
    of_recipient = _grouped((message.recipient, message) for message in lost)
    pairs = [
        (each, message)
        for each in reports
        for message in of_recipient.get(each.recipient, ())
        if _may_be(each, message, at=at)
    ]
    of_message = _grouped((message.message_id, each) for each, message in pairs)
    messages_of = _grouped((each.operator_ref, message.message_id) for each, message in pairs)
    found: list[Match] = []
    parts: list[tuple[int, PartRef]] = []
    taken: dict[int, str] = {}
    for message in lost:
        mine = of_message.get(message.message_id, [])
        refs = sorted({each.operator_ref for each in mine})
        total = message.parts if is_by_part else 1
        if any(len(set(messages_of[ref])) > 1 for ref in refs) or not _are_enough(mine, len(refs), total, at=at):
            continue
        taken[message.message_id] = refs[0]
        part_of = {ref: part for part, ref in enumerate(refs, start=1)} if total > 1 else {}
        if part_of:  # those that were not told of may still be
            refs += [""] * (total - len(refs))
            parts += [(message.attempt, PartRef(message.message_id, n, total, ref)) for n, ref in enumerate(refs, 1)]
        for each in mine:
            known = Known(message.message_id, message.recipient, message.attempt, part_of.get(each.operator_ref, 0))
            found.append((each, known, each.operator_ref))
    unknown.found(taken, gateway_id=gateway_id, at=at)
    add_parts(parts, gateway_id=gateway_id)
    return found


def _are_enough(reports: Sequence[Any], refs: int, total: int, *, at: datetime) -> bool:
    """All parts are told of; or, surely by our own reference, some were, and the others have been waited for."""
    if not refs or refs >= total:
        return refs == total
    is_late = max(each.received_at for each in reports) <= at - timedelta(seconds=ALL_PARTS_SECONDS)
    return is_late and all(each.user_reference is not None for each in reports)


def _may_be(report: Any, message: Any, *, at: datetime) -> bool:
    """Whether a report may be about this lost message to its recipient."""
    if message.wire_at > report.received_at + timedelta(seconds=1):
        return False
    if report.user_reference is not None:
        return bool(report.user_reference == message.message_id & _REFERENCE)
    is_old = report.received_at <= at - timedelta(seconds=UNIQUE_AFTER_SECONDS)
    return is_old and _is_same_line(message.line_number, report.line_number)


def _is_same_line(ours: str, told: str) -> bool:
    """Operators write a line with and without the country."""
    bare = told.lstrip("+0")
    return ours.endswith(bare) or bare.endswith(ours)


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, list[_Value]]:
    found: dict[_Key, list[_Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
