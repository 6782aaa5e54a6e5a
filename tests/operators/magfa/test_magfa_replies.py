"""Sound answers and malformed ones: none may put a reference on the wrong message, none is asked for twice."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from sms.operators.adapters.magfa.adapter import Magfa
from sms.operators.contract import (
    Access,
    Answer,
    AnswerKind,
    BadCredentials,
    Envelope,
    OperatorError,
    OutOfCredit,
    Refused,
    Report,
    Submission,
    Unanswered,
)
from sms.operators.rules import Outcome
from tests.operators.far_side import FarSide, http

CREDENTIALS = {"username": "u", "domain": "d", "password": "p"}
ENVELOPES = [Envelope(900 + place, 989120000000 + place) for place in range(6)]
SUBMISSION = Submission("30001", "hi", is_unicode=False, envelopes=ENVELOPES)
TRUE_REFS = {envelope.message_id: str(5000 + place) for place, envelope in enumerate(ENVELOPES)}

Rows = list[dict[str, Any]]


def rows() -> Rows:
    """What a sound operator would answer."""
    return [
        {
            "status": 0,
            "id": 5000 + place,
            "userId": envelope.message_id,
            "parts": 2,
            "tariff": 95.75,
            "alphabet": "DEFAULT",
            "recipient": str(envelope.recipient),
        }
        for place, envelope in enumerate(ENVELOPES)
    ]


def body(messages: object, status: object = 0) -> bytes:
    return json.dumps({"status": status, "messages": messages}).encode()


@contextmanager
def magfa(*pieces: bytes) -> Iterator[tuple[Magfa, FarSide]]:
    with FarSide(*pieces) as far_side:
        adapter = Magfa(Access(far_side.url, CREDENTIALS, timeout_seconds=5))
        yield adapter, far_side
        adapter.close()


def submit(*pieces: bytes) -> tuple[OperatorError | None, list[Answer]]:
    """What comes of one submit; never more than one request for it."""
    with magfa(*pieces) as (adapter, far_side):
        try:
            error, answers = None, adapter.submit(SUBMISSION)
        except Unanswered as caught:
            error, answers = caught, caught.answers
        except OperatorError as caught:
            error, answers = caught, []
        assert len(far_side.requests) == 1
    return error, answers


def with_rows(change: Callable[[Rows], object]) -> bytes:
    changed = rows()
    result = change(changed)
    return http(body(changed if result is None else result))


def set_all(**values: object) -> Callable[[Rows], object]:
    return lambda found: [row | values for row in found]


def rotate(name: str) -> Callable[[Rows], object]:
    return lambda found: [row | {name: found[place - 1][name]} for place, row in enumerate(found)]


WHOLE = body(rows())
MALFORMED: dict[str, tuple[bytes, int]] = {
    # name: the bytes, and how many answers may be believed
    "nothing at all": (b"", 0),
    "no HTTP": (b"220 mail ready\r\n", 0),
    "head breaks off": (b"HTTP/1.1 200 OK\r\nContent-Le", 0),
    "500 after accepting": (http(WHOLE, status=500), 0),
    "502 of a proxy": (http(b"<h1>Bad Gateway</h1>", status=502), 0),
    "redirect": (http(b"", status=302, more="Location: https://example.com/\r\n"), 0),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 0),
    "HTML in a 200": (http(b'<html>"messages":[]</html>'), 0),
    "empty body": (http(b""), 0),
    "UTF-16": (http(WHOLE.decode().encode("utf-16")), 0),
    "a list": (http(json.dumps(rows()).encode()), 0),
    "null": (http(b"null"), 0),
    "a number": (http(b"0"), 0),
    "messages is an object": (http(body({"0": rows()[0]})), 0),
    "messages is null": (http(body(None)), 0),
    "rows are lists": (http(body([[0, 5000, 900]] * 6)), 0),
    "only the status": (http(b'{"status":0}'), 0),
    "deeply nested": (http(b'{"messages":' + b"[" * 200_000), 0),
    "3 MB of blanks first": (http(b" " * 3_000_000 + WHOLE), 0),
    "torn in the third row": (http(WHOLE[: WHOLE.find(b'"id": 5002')]), 2),
    "torn in the third row, longer promised": (http(WHOLE[: WHOLE.find(b'"id": 5002')], length=len(WHOLE)), 2),
    "torn right after a row": (http(WHOLE[: WHOLE.find(b', {"status": 0, "id": 5003')], length=len(WHOLE)), 3),
    "last bracket missing": (http(WHOLE[:-2]), 6),
    "a row missing": (with_rows(lambda found: found[:2] + found[3:]), 5),
    "rows of others only": (with_rows(set_all(userId=1)), 0),
    "userIds moved by one": (with_rows(rotate("userId")), 0),
    "recipients moved by one": (with_rows(rotate("recipient")), 0),
    "no userId": (with_rows(set_all(userId=None)), 0),
    "userId true": (with_rows(set_all(userId=True)), 0),
    "one reference for all": (with_rows(set_all(id=7)), 0),
    "no references": (with_rows(set_all(id=None)), 0),
    "references are texts": (with_rows(set_all(id="5000")), 0),
    "references are lists": (with_rows(set_all(id=[5000])), 0),
    "reference 0": (with_rows(set_all(id=0)), 0),
    "reference too great": (with_rows(set_all(id=10**40)), 0),
    "status missing": (with_rows(set_all(status=None)), 0),
    "status a text": (with_rows(set_all(status="0")), 0),
    "unknown status": (with_rows(set_all(status=77, id=None)), 0),
    "refused with a reference": (with_rows(set_all(status=27)), 0),
    "one recipient twice": (with_rows(lambda found: [*found[:5], found[4] | {"id": 6000}]), 4),
    "a stranger among us": (with_rows(lambda found: [*found[:5], found[5] | {"userId": 12345}]), 5),
    "nulls among the rows": (with_rows(lambda found: [*found[:4], None, 7, "x"]), 4),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    raw, believed = MALFORMED[name]
    error, answers = submit(raw)
    assert {answer.message_id: answer.operator_ref for answer in answers}.items() <= TRUE_REFS.items()
    assert len(answers) == len({answer.message_id for answer in answers}) == believed
    assert isinstance(error, Unanswered) == (believed < len(ENVELOPES))


def test_a_sound_answer_in_any_order_and_spelling_of_numbers() -> None:
    turned = [row | {"recipient": "0" + row["recipient"][2:]} for row in reversed(rows())]
    error, answers = submit(http(body(turned)))
    assert error is None
    assert {answer.message_id: answer.operator_ref for answer in answers} == TRUE_REFS


@pytest.mark.parametrize("change", [{"tariff": None}, {"tariff": "free"}, {"parts": None}, {"parts": 10**9}])
def test_an_answer_without_a_credible_size_is_still_an_answer(change: dict[str, object]) -> None:
    error, answers = submit(with_rows(set_all(**change)))
    assert error is None
    assert {answer.message_id: answer.operator_ref for answer in answers} == TRUE_REFS


@pytest.mark.parametrize("tariff", [b"1e999999999", b"1e-999999999", b"NaN"])
def test_a_tariff_with_a_billion_digits_is_not_worked_out(tariff: bytes) -> None:
    error, answers = submit(http(body(rows()).replace(b"95.75", tariff)))
    assert error is None
    assert {answer.message_id: answer.operator_ref for answer in answers} == TRUE_REFS


@pytest.mark.parametrize(
    ("raw", "expected", "code", "retry_after_seconds"),
    [
        (http(b'{"status":14}'), OutOfCredit, "14", None),
        (http(b'{"status":14,"messages":[]}'), OutOfCredit, "14", None),
        (with_rows(set_all(status=14, id=None)), OutOfCredit, "14", None),
        (with_rows(set_all(status=15, id=None)), Refused, "15", 5),
        *[(http(b'{"status":%d}' % code), BadCredentials, str(code), None) for code in (16, 17, 18, 19, 22, 25, 29)],
        *[(http(b'{"status":%d}' % code), Refused, str(code), 5) for code in (15, 23)],
        *[(http(b'{"status":%d}' % code), Refused, str(code), None) for code in (20, 31, 101, 107, 999)],
        *[(http(b"", status=status), BadCredentials, str(status), None) for status in (401, 403, 404)],
        (http(b"", status=429), Refused, "429", 5),
    ],
)
def test_whole_requests_refused(
    raw: bytes, expected: type[Refused], code: str, retry_after_seconds: float | None
) -> None:
    error, answers = submit(raw)
    assert type(error) is expected
    assert isinstance(error, Refused)
    assert (error.code, error.retry_after_seconds) == (code, retry_after_seconds)
    assert code in str(error)
    assert answers == []


@pytest.mark.parametrize("status", [-5, True, "18", None, 0])
def test_a_strange_status_of_the_whole_is_no_refusal(status: object) -> None:
    error, _ = submit(http(json.dumps({"status": status}).encode()))
    assert isinstance(error, Unanswered)


def test_some_refused_and_some_accepted() -> None:
    mixed = rows()
    mixed[1] |= {"status": 27, "id": None}
    mixed[2] |= {"status": 33, "id": None}
    mixed[3] |= {"status": 8, "id": None}
    mixed[4] = {"status": 1, "userId": 904}
    error, answers = submit(http(body(mixed)))
    assert error is None
    assert [answer.outcome for answer in answers] == [
        None,
        Outcome.BLOCKED,
        Outcome.OPTED_OUT,
        Outcome.OUT_OF_HOURS,
        Outcome.REFUSED,
        None,
    ]
    assert [answer.kind is AnswerKind.ACCEPTED for answer in answers] == [True, False, False, False, False, True]


def test_the_request_carries_our_ids_and_leaves_once() -> None:
    submission = Submission("30001", 'سلام "تو"', is_unicode=True, envelopes=ENVELOPES[:2])
    with magfa(http(body(rows()[:2]))) as (adapter, far_side):
        adapter.submit(submission)
    assert json.loads(far_side.requests[0].partition(b"\r\n\r\n")[2]) == {
        "senders": ["30001"] * 2,
        "recipients": ["989120000000", "989120000001"],
        "messages": ['سلام "تو"'] * 2,
        "encodings": [2, 2],
        "uids": [900, 901],
    }


def test_each_recipient_may_have_a_text_of_his_own() -> None:
    envelopes = [each._replace(body=f'تو "{each.message_id}"') for each in ENVELOPES[:2]]
    with magfa(http(body(rows()[:2]))) as (adapter, far_side):
        adapter.submit(Submission("30001", "تو", is_unicode=True, envelopes=envelopes))
    asked = json.loads(far_side.requests[0].partition(b"\r\n\r\n")[2])
    assert dict(zip(asked["uids"], asked["messages"], strict=True)) == {
        each.message_id: each.body for each in envelopes
    }


def statuses(answer: object) -> list[Report]:
    with magfa(http(json.dumps(answer).encode())) as (adapter, far_side):
        reports = adapter.statuses(["1", "2"])
        assert far_side.requests[0].startswith(b"GET /v2/statuses/1,2 ")
    return reports


def test_reports_with_and_without_dates() -> None:
    first, second = statuses(
        {
            "status": 0,
            "dlrs": [
                {"mid": 1, "status": 1, "date": "2025-11-23 12:30:00"},
                {"mid": 2, "status": 16, "date": "1404/09/02"},
            ],
        }
    )
    assert first == Report("1", "1", Outcome.DELIVERED, datetime(2025, 11, 23, 9, 0, tzinfo=UTC))
    assert second == Report("2", "16", Outcome.NOT_IN_NETWORK, None)


@pytest.mark.parametrize("code", [-1, 3, 35, 100])
def test_a_code_we_do_not_know_decides_nothing(code: int) -> None:
    (report,) = statuses({"status": 0, "dlrs": [{"mid": 1, "status": code, "date": None}]})
    assert report == Report("1", str(code), None, None, is_known=False)


def test_ids_too_old_to_ask_for_decide_nothing() -> None:
    assert statuses({"status": 24}) == [Report(ref, "24", None, is_known=False) for ref in ("1", "2")]


@pytest.mark.parametrize(
    "dlrs",
    [None, {}, [None], [{}], [{"mid": 3, "status": 1}], [{"mid": "1", "status": 1}], [{"mid": 1, "status": "1"}]],
)
def test_reports_nobody_asked_for_or_can_read_are_dropped(dlrs: object) -> None:
    assert statuses({"status": 0, "dlrs": dlrs}) == []


@pytest.mark.parametrize(
    ("answer", "ref"),
    [
        ({"status": 0, "mid": 77}, "77"),
        *[({"status": 0, "mid": mid}, None) for mid in (-1, 0, None, "x", True)],
        ({"status": 24}, None),
    ],
)
def test_lookup(answer: object, ref: str | None) -> None:
    with magfa(http(json.dumps(answer).encode())) as (adapter, far_side):
        assert adapter.lookup(900) == ref
        assert far_side.requests[0].startswith(b"GET /v2/mid/900 ")


@pytest.mark.parametrize(("balance", "mrial"), [("12", 12_000), ("12.345", 12_345), ("-3", -3_000)])
def test_balance_is_rial_there_and_milli_rial_here(balance: str, mrial: int) -> None:
    with magfa(http(b'{"status":0,"balance":%s}' % balance.encode())) as (adapter, _):
        assert adapter.balance() == mrial


@pytest.mark.parametrize("balance", [b"null", b'"12"', b"true", b"1e99", b"NaN"])
def test_a_balance_that_is_no_amount(balance: bytes) -> None:
    with magfa(http(b'{"status":0,"balance":%s}' % balance)) as (adapter, _), pytest.raises(Unanswered):
        adapter.balance()
