"""Reads Kavenegar's answers: a record is ours when it names our id or our recipient, whatever its place in the list."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sms.operators.adapters.kavenegar import codes
from sms.operators.contract import Answer, AnswerKind, Envelope
from sms.operators.protocols.http import HttpReply
from sms.operators.protocols.replies import Row, rows_of, torn_rows, whole_of

HTTP_OK = 200
ENTRIES = "entries"
_MAX_NUMBER = 2**63
_NATIONAL_DIGITS = 10  # the last ten digits of a mobile number are the same in all its spellings


def code_of(reply: HttpReply) -> int | None:
    """What `return.status` says of the whole request; None where it cannot be trusted.

    Kavenegar repeats the code as the status of HTTP, or says 200 there. Where the two differ in any other way, somebody
    on the road between has spoken.
    """
    answer = whole_of(reply)
    head = answer.get("return") if answer is not None else None
    code = head.get("status") if isinstance(head, dict) else None
    return code if type(code) is int and reply.status in {HTTP_OK, code} else None


def answers_of(reply: HttpReply, envelopes: Sequence[Envelope]) -> list[Answer]:
    """What `sendarray` said of our recipients, as far as it came whole; nothing where the request was refused."""
    answer = whole_of(reply)
    if reply.status != HTTP_OK or (answer is not None and code_of(reply) != codes.OK):
        return []
    rows = rows_of(answer, ENTRIES) if answer is not None else torn_rows(reply.body, ENTRIES)
    named = _named(rows, envelopes)
    # Two records of one message, or one reference on two of them, cannot both be true: neither is believed.
    times = Counter(message_id for message_id, _ in named)
    refs = Counter(ref for _, row in named if (ref := number_of(row.get("messageid"))))
    twice = {ref for ref, count in refs.items() if count > 1}
    answers = [
        _answer(message_id, row)
        for message_id, row in named
        if times[message_id] == 1 and number_of(row.get("messageid")) not in twice
    ]
    return [answer for answer in answers if answer is not None]


def _named(rows: Iterable[Row], envelopes: Sequence[Envelope]) -> list[tuple[int, Row]]:
    """The records that are about us, each with our id: by `localid`, else by a recipient there is one of."""
    recipients = {envelope.message_id: _national(envelope.recipient) for envelope in envelopes}
    times = Counter(recipients.values())
    ids = {number: message_id for message_id, number in recipients.items() if times[number] == 1}
    found: list[tuple[int, Row]] = []
    for row in rows:
        receptor = _national(row.get("receptor") or "")
        if row.get("localid") in (None, ""):
            message_id = ids.get(receptor)
        else:
            message_id = number_of(row["localid"])
            if message_id not in recipients or receptor not in {"", recipients[message_id]}:
                message_id = None
        if message_id is not None:
            found.append((message_id, row))
    return found


def _answer(message_id: int, row: Row) -> Answer | None:
    """A record with a reference is a message they have, now or since an earlier submission of it."""
    ref, status = number_of(row.get("messageid")), number_of(row.get("status"))
    if status is None:
        return None
    if ref and status in codes.REPORTS:
        return Answer(message_id, AnswerKind.ACCEPTED, operator_ref=str(ref), code=str(status))
    if not row.get("messageid") and status in codes.ROW_REFUSALS:
        return Answer(message_id, AnswerKind.REFUSED, code=str(status), outcome=codes.ROW_REFUSALS[status])
    return None  # an unknown word, or a refusal with a reference, proves nothing


def reference_of(answer: Row, message_id: int) -> tuple[bool, str | None]:
    """What a look-up by our id came to: whether it was told, and the reference if they have the message."""
    rows = [row for row in rows_of(answer, ENTRIES) if number_of(row.get("localid")) == message_id]
    if not rows and answer.get(ENTRIES) in ([], None):
        return True, None
    refs = {number_of(row.get("messageid")) for row in rows if number_of(row.get("status")) in codes.REPORTS}
    if len(refs) == 1 and (ref := refs.pop()):
        return True, str(ref)
    is_absent = bool(rows) and all(number_of(row.get("status")) == codes.UNKNOWN_ID for row in rows)
    return is_absent, None


def number_of(value: object) -> int | None:
    """A whole number that is not negative, as a number or in digits; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < len(str(_MAX_NUMBER)):
        value = int(value)
    return value if type(value) is int and 0 <= value < _MAX_NUMBER else None


def _national(number: object) -> str:
    return str(number)[-_NATIONAL_DIGITS:]
