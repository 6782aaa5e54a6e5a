"""Reads Magfa's answers, whole or torn, and trusts a row only when it names the recipient we asked about."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sms.operators.adapters.magfa import codes
from sms.operators.contract import Answer, AnswerKind, Envelope
from sms.operators.protocols.http import HttpReply
from sms.operators.protocols.replies import Row, mrial_of, rows_of, torn_rows, whole_of

_MAX_REF = 2**63
MAX_PARTS = 265


def answers_of(reply: HttpReply, envelopes: Sequence[Envelope]) -> list[Answer]:
    """What `send` said of our recipients: found by our own id, confirmed by their number, never by position."""
    answer = whole_of(reply)
    rows = rows_of(answer, "messages") if answer is not None else torn_rows(reply.body, "messages")
    asked = {envelope.message_id: envelope.recipient for envelope in envelopes}
    ours = [row for row in rows if _is_ours(row, asked)]
    # Two rows about one recipient, or one reference given to two, cannot both be true: neither is believed.
    times = Counter(row["userId"] for row in ours)
    refs = Counter(row.get("id") for row in ours if row["status"] == codes.OK)
    answers = [_answer(row) for row in ours if times[row["userId"]] == 1 and refs[row.get("id")] <= 1]
    return [answer for answer in answers if answer is not None]


def _is_ours(row: Row, asked: Mapping[int, int]) -> bool:
    user_id = row.get("userId")
    if type(user_id) is not int or type(row.get("status")) is not int or user_id not in asked:
        return False
    if not isinstance(row.get("id"), int | None):
        return False
    # The number is repeated in their spelling; the last ten digits are the same in all of them.
    recipient = str(row.get("recipient") or "")
    return not recipient or recipient[-10:] == str(asked[user_id])[-10:]


def _answer(row: Row) -> Answer | None:
    user_id, status, ref = row["userId"], row["status"], row.get("id")
    if type(user_id) is not int or type(status) is not int:
        return None
    has_ref = type(ref) is int and 0 < ref < _MAX_REF
    if status == codes.OK:
        if not has_ref:
            return None  # accepted without a reference: to be looked up
        parts = row.get("parts")
        if type(parts) is not int or not 0 < parts <= MAX_PARTS:
            return Answer(user_id, AnswerKind.ACCEPTED, operator_ref=str(ref), code=str(status))
        tariff_mrial = mrial_of(row.get("tariff"))  # of one part
        cost_mrial = None if tariff_mrial is None else tariff_mrial * parts
        return Answer(
            user_id, AnswerKind.ACCEPTED, operator_ref=str(ref), code=str(status), parts=parts, cost_mrial=cost_mrial
        )
    outcome = codes.REFUSALS.get(status)
    if outcome is None or has_ref:
        return None  # an unknown word, or a refusal with a reference, proves nothing
    return Answer(user_id, AnswerKind.REFUSED, code=str(status), outcome=outcome)
