"""Kavenegar's codes: every documented one has a meaning, and money never moves on an undocumented one."""

import pytest

from sms.operators.adapters.kavenegar import codes
from sms.operators.rules import Outcome
from sms.outbox.rules import RELEASED

# As Kavenegar's own description of its web service lists them.
DOCUMENTED = {
    *(200, 400, 401, 402, 403, 404, 405, 406, 407, 409, 411, 412, 413, 414, 415, 416, 417, 418, 419, 420, 422, 424),
    *(426, 427, 428, 429, 431, 432, 451, 501, 604, 607),
}
OF_OTHER_METHODS = {
    415,  # the start of a page
    424,  # templates
    428,  # calls
    432,  # templates
    604,  # the line's own list of blocked numbers
}
DECIDES_NOTHING = {402}
KINDS = (codes.OUT_OF_CREDIT, codes.NOT_KNOWN_THERE, codes.BUSY, set(codes.REFUSALS))


def test_every_documented_code_has_one_place() -> None:
    placed = [code for kind in KINDS for code in kind]
    assert sorted([*placed, codes.OK, *OF_OTHER_METHODS, *DECIDES_NOTHING]) == sorted(DOCUMENTED)


def test_what_divides_a_request_refuses_one_recipient() -> None:
    assert set(codes.REFUSALS) >= codes.DIVIDED


def test_reports() -> None:
    assert codes.REPORTS == {
        1: None,
        2: None,
        4: None,
        5: None,
        6: Outcome.UNDELIVERED,
        10: Outcome.DELIVERED,
        11: Outcome.UNDELIVERED,
        13: Outcome.FILTERED,
        14: Outcome.BLOCKED,
    }
    assert codes.UNKNOWN_ID not in codes.REPORTS


@pytest.mark.parametrize("outcome", sorted({outcome for outcome in codes.REPORTS.values() if outcome}))
def test_what_was_charged_is_never_called_unsent(outcome: Outcome) -> None:
    assert outcome not in RELEASED
