"""Reads Magfa's answers, whole or torn, and trusts a row only when it names the recipient we asked about."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sms.operators.adapters.magfa import codes
from sms.operators.contract import Answer, AnswerKind, Envelope
from sms.operators.protocols.http import HttpReply
from sms.operators.protocols.replies import Row, rows_of, torn_rows, whole_of

_MAX_REF = 2**63


def answers_of(reply: HttpReply, envelopes: Sequence[Envelope]) -> list[Answer]:
    """What `send` said of our recipients: found by our own id, confirmed by their number, never by position."""
    answer = whole_of(reply)
    rows = rows_of(answer, "messages") if answer is not None else torn_rows(reply.body, "messages")
    asked = {envelope.message_id: envelope.recipient for envelope in envelopes}
    ours = [told for row in rows if (told := _told(row, asked)) is not None]
    # Two rows about one recipient, or one reference given to two, cannot both be true: neither is believed.
    times = Counter([told.message_id for told in ours])
    refs = Counter([told.ref for told in ours if told.status == codes.OK])
    answers = [_answer(*told) for told in ours if times[told.message_id] == 1 and refs[told.ref] <= 1]
    return [answer for answer in answers if answer is not None]


class _Told(NamedTuple):
    """One row of an answer that is ours."""

    message_id: int
    status: int
    ref: int | None


def _told(row: Row, asked: Mapping[int, int]) -> _Told | None:
    user_id, status, ref, recipient = row.get("userId"), row.get("status"), row.get("id"), row.get("recipient")
    if type(user_id) is not int or type(status) is not int or not (ref is None or isinstance(ref, int)):
        return None
    ours = asked.get(user_id)
    # The number is repeated in their spelling; the last ten digits are the same in all of them.
    if ours is None or (recipient and str(recipient)[-10:] != str(ours)[-10:]):
        return None
    return _Told(user_id, status, ref)


def _answer(message_id: int, status: int, ref: int | None) -> Answer | None:
    has_ref = type(ref) is int and 0 < ref < _MAX_REF
    if status == codes.OK:  # accepted without a reference: to be looked up
        return Answer(message_id, AnswerKind.ACCEPTED, str(ref), str(status)) if has_ref else None
    outcome = codes.REFUSALS.get(status)
    if outcome is None or has_ref:
        return None  # an unknown word, or a refusal with a reference, proves nothing
    return Answer(message_id, AnswerKind.REFUSED, code=str(status), outcome=outcome)
