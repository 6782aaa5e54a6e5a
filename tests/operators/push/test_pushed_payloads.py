"""What operators push, however they name and wrap it; what cannot be read is no report, and never half of one."""

import json

import pytest

from sms.operators.adapters.kavenegar.adapter import Kavenegar
from sms.operators.adapters.magfa.adapter import Magfa
from sms.operators.contract import Payload, Report
from sms.operators.protocols.pushed import reports_of
from sms.operators.rules import Outcome

OUTCOMES = {1: Outcome.DELIVERED, 8: None, 27: Outcome.BLOCKED}
DELIVERED, BLOCKED = Report("7", "1", Outcome.DELIVERED), Report("8", "27", Outcome.BLOCKED)


def told(payload: object) -> list[Report]:
    """What is read of a form (a dict of lists) or of anything else as JSON."""
    is_form = isinstance(payload, dict) and all(isinstance(value, list) for value in payload.values()) and payload
    ready: Payload = payload if is_form else json.dumps(payload).encode()  # type: ignore[assignment]
    return reports_of(ready, OUTCOMES)


@pytest.mark.parametrize(
    "payload",
    [
        {"messageid": ["7"], "status": ["1"]},
        {"MessageID": ["7"], "Status": [" 1 "], "cost": ["9"]},
        {"mid": ["7"], "state": ["1"]},
        {"id": ["7"], "messageid": ["7"], "delivery": ["1"]},
        {"messageid": 7, "status": 1},
        {"messageId": "7", "status": "1", "date": None},
        [{"id": 7, "status": 1}],
        {"status": 0, "dlrs": [{"mid": 7, "status": 1, "date": "x"}]},
    ],
)
def test_one_report(payload: object) -> None:
    assert told(payload) == [DELIVERED]


@pytest.mark.parametrize(
    "payload",
    [
        {"messageid": ["7", "8"], "status": ["1", "27"]},
        {"messageid": ["7,8"], "status": ["1,27"]},
        [{"id": 7, "status": 1}, {"id": "8", "status": 27}],
        {"reports": [{"id": 7, "status": 1}, {"id": 8, "status": 27}], "count": 2, "tags": []},
        [{"id": 7, "status": 1}, None, 5, [], {}, {"id": 9}, {"status": 1}, {"id": 8, "status": 27}],
    ],
)
def test_several_reports(payload: object) -> None:
    assert told(payload) == [DELIVERED, BLOCKED]


@pytest.mark.parametrize(
    "payload",
    [
        {"messageid": ["7", "8"], "status": ["1"]},
        {"messageid": ["7,8"], "status": ["1"]},
        {"messageid": ["7"]},
        {"status": ["1"]},
        {"messageid": [""], "status": ["1"]},
        {"messageid": ["7"], "status": [""]},
        {"messageid": ["7 8"], "status": ["1"]},
        {"messageid": ["۷"], "status": ["1"]},
        {"messageid": ["7\x00"], "status": ["1"]},
        {"messageid": ["7" * 101], "status": ["1"]},
        {"messageid": ["7"], "status": ["1" * 41]},
        {"messageid": True, "status": 1},
        {"messageid": 7.0, "status": 1},
        {"messageid": [7], "status": {"code": 1}},
        {"messageid": "\ud83d", "status": 1},
        {"messageid": None, "status": None},
        {"one": [{"id": 7, "status": 1}], "two": [{"id": 8, "status": 27}]},
        [[{"id": 7, "status": 1}]],
        7,
        "7",
        None,
        {},
        [],
    ],
)
def test_what_cannot_be_read_is_no_report(payload: object) -> None:
    assert told(payload) == []


GARBAGE = (
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"id": 7, "status": 1',
    b'{"id": ' + b"7" * 5000 + b', "status": 1}',
)


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_no_report(body: bytes) -> None:
    assert reports_of(body, OUTCOMES) == []


@pytest.mark.parametrize("code", ["0", "4711", "-1", "DELIVRD", "delivered to handset", "999999999999"])
def test_a_code_nobody_knows_is_kept_and_decides_nothing(code: str) -> None:
    assert told({"id": ["7"], "status": [code]}) == [Report("7", code, None, is_known=False)]


def test_a_code_that_is_not_final_is_known() -> None:
    assert told({"id": ["7"], "status": ["8"]}) == [Report("7", "8", None)]


def test_each_operator_has_its_own_codes() -> None:
    form = {"messageid": ["7"], "status": ["10"]}
    assert Kavenegar.parse_reports(form) == [Report("7", "10", Outcome.DELIVERED)]
    assert Magfa.parse_reports(form) == [Report("7", "10", None, is_known=False)]
    assert Magfa.parse_reports(b'[{"mid": 7, "status": 27}]') == [Report("7", "27", Outcome.BLOCKED)]
