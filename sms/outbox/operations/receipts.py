"""Reports that an operator sends over a line: matched from memory, else from the database, and kept raw; a job applies
them, as those that are pushed over HTTP. On parts of texts they are applied at once.

One that nobody knows waits with what it says of recipient and line: it may have overtaken its answer, or tell what
became of a message of unknown fate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sms.core.db import execute, rows
from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.operators.contract import Receipt
from sms.operators.rules import Outcome
from sms.outbox.operations import unknown
from sms.outbox.operations.lost import resolved
from sms.outbox.operations.outcomes import Final, apply, overrule
from sms.outbox.operations.parts import Known, PartReport, judge
from sms.outbox.operations.reports import store

_FIND = """
SELECT p.operator_ref, p.message_id, m.recipient, p.attempt, p.part
FROM outbox_part p JOIN outbox_message m ON m.id = p.message_id
WHERE p.gateway_id = :gateway_id AND p.operator_ref = ANY(:refs)
UNION ALL
SELECT s.operator_ref, s.message_id, m.recipient, s.attempt, 0
FROM outbox_submission s JOIN outbox_message m ON m.id = s.message_id
WHERE s.gateway_id = :gateway_id AND s.operator_ref = ANY(:refs)
"""

_UNMATCHED = """
SELECT operator_ref, code, outcome::text AS outcome, recipient, line_number, user_reference, received_at
FROM outbox_report_unmatched
WHERE gateway_id = :gateway_id AND received_at > :since ORDER BY received_at DESC LIMIT :most FOR UPDATE SKIP LOCKED
"""

_FORGET = """
DELETE FROM outbox_report_unmatched u
USING unnest(CAST(:refs AS text[]), CAST(:codes AS text[])) AS n (operator_ref, code)
WHERE u.gateway_id = :gateway_id AND u.operator_ref = n.operator_ref AND u.code = n.code
"""

_KEEP = """
INSERT INTO outbox_report_unmatched (gateway_id, operator_ref, code, outcome, reported_at, received_at, next_at,
    recipient, line_number, user_reference)
SELECT :gateway_id, n.ref, n.code, CAST(n.outcome AS outbox_outcome), n.reported_at, :at, :at, n.recipient, n.line,
       n.reference
FROM unnest(CAST(:refs AS text[]), CAST(:codes AS text[]), CAST(:outcomes AS text[]), CAST(:moments AS timestamptz[]),
            CAST(:recipients AS bigint[]), CAST(:lines AS text[]), CAST(:references AS int[]))
    AS n (ref, code, outcome, reported_at, recipient, line, reference)
ON CONFLICT DO NOTHING
"""


_Pair = tuple[Receipt, tuple[Known, str] | None]  # a receipt, and the message it is about with the reference it goes by


class Taken(NamedTuple):
    """What became of some receipts: each that was matched with its reference, and how many nobody knows."""

    matched: list[tuple[Receipt, str]]
    unmatched_count: int


def take(receipts: Sequence[Receipt], *, gateway_id: int, known: Mapping[str, Known], at: datetime) -> Taken:
    """Keep these raw, with the messages they are about, in the caller's transaction."""
    if not receipts:
        return Taken([], 0)
    found = [first_known(receipt.refs, known, receipt.recipient) for receipt in receipts]
    missing = [place for place, match in enumerate(found) if match is None and receipts[place].refs]
    if missing:
        stored = _find((ref for place in missing for ref in receipts[place].refs), gateway_id=gateway_id)
        for place in missing:
            found[place] = first_known(receipts[place].refs, stored, receipts[place].recipient)
    pairs = list(zip(receipts, found, strict=True))
    whole = [pair for pair in pairs if pair[1] is not None and not pair[1][0].part]
    if whole:
        _keep_raw(whole, gateway_id=gateway_id, at=at)
        ring(Job.APPLY_REPORTS, queue=GENERAL_QUEUE)
    strangers = _apply_others(pairs, gateway_id=gateway_id, at=at) if len(whole) < len(pairs) else 0
    return Taken([(receipt, match[1]) for receipt, match in pairs if match is not None], strangers)


def _apply_others(pairs: Sequence[_Pair], *, gateway_id: int, at: datetime) -> int:
    """On parts of texts, and on what nobody knows; returns how many of these there were."""
    others = [pair for pair in pairs if pair[1] is None or pair[1][0].part]
    set_id = _keep_raw(others, gateway_id=gateway_id, at=at)
    execute(
        "UPDATE outbox_report_set SET applied_at = :at, applied_count = :n WHERE id = :id",
        at=at,
        n=len(others),
        id=set_id,
    )
    said = [(*match, receipt.report.outcome, receipt.report.code) for receipt, match in others if match is not None]
    _apply(said, gateway_id=gateway_id, at=at)
    strangers = [receipt for receipt, match in others if match is None and receipt.report.outcome]
    _keep_unmatched(strangers, gateway_id=gateway_id, at=at)
    return len(strangers)


def first_known(refs: Sequence[str], known: Mapping[str, Known], recipient: int | None) -> tuple[Known, str] | None:
    """The first reference that is known. One of several readings must also be of the right recipient."""
    if len(refs) == 1:  # nearly always
        match = known.get(refs[0])
        return None if match is None else (match, refs[0])
    for ref in refs:
        match = known.get(ref)
        if match is not None and recipient in {None, match.recipient}:
            return match, ref
    return None


def _find(refs: Iterable[str], *, gateway_id: int) -> dict[str, Known]:
    """What the database knows; of a reference that came back, the latest message, and a part before its whole."""
    wanted = sorted({ref for ref in refs if ref})
    found = rows(_FIND, gateway_id=gateway_id, refs=wanted) if wanted else []
    return {each[0]: Known._make(each[1:]) for each in sorted(found, key=lambda each: (each.message_id, each.part))}


def _keep_raw(pairs: Sequence[_Pair], *, gateway_id: int, at: datetime) -> int | None:
    return store(
        [receipt.report for receipt, _ in pairs],
        gateway_id=gateway_id,
        source="push",
        message_ids=[match[0].message_id if match else None for _, match in pairs],
        at=at,
    )


def _apply(said: Sequence[tuple[Known, str, Outcome | None, str]], *, gateway_id: int, at: datetime) -> None:
    final = [(known, ref, outcome, code) for known, ref, outcome, code in said if outcome is not None]
    parts = [each for each in final if each[0].part]
    if parts:
        # A part that was taken tells that its message was, when the fate of the rest was unknown.
        unknown.found({known.message_id: ref for known, ref, _, _ in parts}, gateway_id=gateway_id, at=at)
    finals = [Final(known.message_id, outcome, code) for known, _, outcome, code in final if not known.part]
    finals += judge(
        [PartReport(known.message_id, known.attempt, known.part, outcome, code) for known, _, outcome, code in parts]
    )
    ended = set(apply(finals, at=at))
    overrule([each for each in finals if each.message_id not in ended], at=at)


def _keep_unmatched(receipts: Sequence[Receipt], *, gateway_id: int, at: datetime) -> None:
    if receipts:
        execute(
            _KEEP,
            gateway_id=gateway_id,
            refs=[_name(receipt) for receipt in receipts],
            codes=[receipt.report.code for receipt in receipts],
            outcomes=[str(receipt.report.outcome) for receipt in receipts],
            moments=[receipt.report.reported_at for receipt in receipts],
            recipients=[receipt.recipient for receipt in receipts],
            lines=[receipt.line_number for receipt in receipts],
            references=[receipt.user_reference for receipt in receipts],
            at=at,
        )


def _name(receipt: Receipt) -> str:
    """Without an id, recipient and reference tell receipts apart; no operator's id looks like that."""
    return receipt.refs[0] if receipt.refs else f"~{receipt.recipient or ''}~{receipt.user_reference or ''}"


def match_again(
    *,
    gateway_id: int,
    candidates: Callable[[str], Sequence[str]],
    is_by_part: bool,
    since: datetime,
    most: int,
    at: datetime,
) -> int:
    """Look again at what nobody knew: its message may be stored by now, or be one of unknown fate. Returns how many
    found their message; `candidates` are the references a receipt's id may stand for, `is_by_part` whether each part
    of a text is reported."""
    waiting = rows(_UNMATCHED, gateway_id=gateway_id, since=since, most=most)
    if not waiting:
        return 0
    refs = {each.operator_ref: tuple(candidates(each.operator_ref)) for each in waiting}
    stored = _find((ref for each in refs.values() for ref in each), gateway_id=gateway_id)
    known: list[tuple[Any, Known, str]] = []
    strangers = []
    for each in waiting:
        match = first_known(refs[each.operator_ref], stored, each.recipient)
        if match is not None:
            known.append((each, *match))
        else:
            strangers.append(each)
    known += resolved(strangers, gateway_id=gateway_id, is_by_part=is_by_part, at=at)
    found = [each for each, _, _ in known]
    _apply([(match, ref, Outcome(each.outcome), each.code) for each, match, ref in known], gateway_id=gateway_id, at=at)
    if found:
        execute(
            _FORGET,
            gateway_id=gateway_id,
            refs=[each.operator_ref for each in found],
            codes=[each.code for each in found],
        )
    return len(found)
