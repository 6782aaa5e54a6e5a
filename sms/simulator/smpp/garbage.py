"""What may come instead of the answer to a submit that was accepted."""

import random

from sms.simulator.faults import FOREIGN
from sms.simulator.smpp.pdu import HEADER, Command, Status, pdu

HONEST = ("bytes", "huge", "truncated", "no_id", "other_ids", "wrong_sequence", "twice")
LIES = ("nack", "system_error")  # it was accepted all the same
KINDS = HONEST + LIES
_FAR = 0x3000_0000
_NOISE_BYTES = 64


def instead_of(kind: str, answer: bytes, *, sequence: int, source: random.Random) -> tuple[bytes, bool]:
    """What leaves, and whether the link is closed after it; `answer` is the whole submit_sm_resp."""
    if kind == "bytes":
        return source.randbytes(_NOISE_BYTES), False
    if kind == "huge":
        return HEADER.pack(0x7FFF_FFFF, Command.SUBMIT_SM_RESP, 0, sequence), False
    if kind == "truncated":
        return answer[: len(answer) * 2 // 3], True
    answers = {
        "no_id": pdu(Command.SUBMIT_SM_RESP, sequence),
        "other_ids": pdu(Command.SUBMIT_SM_RESP, sequence, b"%d\0" % (FOREIGN + source.randrange(FOREIGN))),
        "wrong_sequence": HEADER.pack(len(answer), Command.SUBMIT_SM_RESP, 0, (sequence + _FAR) & 0x7FFF_FFFF)
        + answer[16:],
        "twice": answer + answer,
        "nack": pdu(Command.GENERIC_NACK, sequence, status=Status.COMMAND_ID),
        "system_error": pdu(Command.SUBMIT_SM_RESP, sequence, status=Status.SYSTEM_ERROR),
    }
    return answers[kind], False
