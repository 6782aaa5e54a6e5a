"""Sound answers and malformed ones: none may put a reference on the wrong message, none is asked for twice."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sms.operators.adapters.kavenegar.adapter import Kavenegar
from sms.operators.contract import (
    Access,
    Answer,
    BadCredentials,
    Envelope,
    OperatorError,
    OutOfCredit,
    Refused,
    Submission,
    Unanswered,
)
from sms.operators.rules import Outcome
from tests.operators.far_side import FarSide, http

ENVELOPES = [Envelope(900 + place, 989120000000 + place) for place in range(6)]
SUBMISSION = Submission("30001", "hi", is_unicode=False, envelopes=ENVELOPES)
TRUE_REFS = {envelope.message_id: str(5000 + place) for place, envelope in enumerate(ENVELOPES)}

Rows = list[dict[str, Any]]


def rows() -> Rows:
    """What a sound operator would answer; it does not repeat our ids."""
    return [
        {
            "messageid": 5000 + place,
            "message": "hi",
            "status": 1,
            "statustext": "در صف ارسال",
            "sender": "30001",
            "receptor": f"0{envelope.recipient - 980_000_000_000}",
            "date": 1_764_000_000,
            "cost": 191,
        }
        for place, envelope in enumerate(ENVELOPES)
    ]


def body(entries: object, status: object = 200) -> bytes:
    return json.dumps({"return": {"status": status, "message": "تایید شد"}, "entries": entries}).encode()


@contextmanager
def kavenegar(*pieces: bytes) -> Iterator[tuple[Kavenegar, FarSide]]:
    with FarSide(*pieces) as far_side:
        adapter = Kavenegar(Access(far_side.url, {"api_key": "K"}, timeout_seconds=5))
        yield adapter, far_side
        adapter.close()


def submit(*pieces: bytes, requests: int | None = 1) -> tuple[OperatorError | None, list[Answer]]:
    """What comes of one submit; never more than one request for it, unless it is divided."""
    with kavenegar(*pieces) as (adapter, far_side):
        try:
            error, answers = None, adapter.submit(SUBMISSION)
        except Unanswered as caught:
            error, answers = caught, caught.answers
        except OperatorError as caught:
            error, answers = caught, []
        assert requests is None or len(far_side.requests) == requests
    return error, answers


def with_rows(change: Callable[[Rows], object]) -> bytes:
    changed = rows()
    result = change(changed)
    return http(body(changed if result is None else result))


def set_all(**values: object) -> Callable[[Rows], object]:
    return lambda found: [row | values for row in found]


def echoed(*, turn: int = 0, spelled: Callable[[int], object] = str) -> Callable[[Rows], object]:
    """With our ids in the records, moved by `turn`."""
    ids = [envelope.message_id for envelope in ENVELOPES]
    return lambda found: [row | {"localid": spelled(ids[(place + turn) % len(ids)])} for place, row in enumerate(found)]


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
    "HTML in a 200": (http(b'<html>"entries":[]</html>'), 0),
    "empty body": (http(b""), 0),
    "UTF-16": (http(WHOLE.decode().encode("utf-16")), 0),
    "a list": (http(json.dumps(rows()).encode()), 0),
    "null": (http(b"null"), 0),
    "a number": (http(b"200"), 0),
    "no return": (http(json.dumps({"entries": rows()}).encode()), 0),
    "return is a number": (http(json.dumps({"return": 200, "entries": rows()}).encode()), 0),
    "return status is a text": (http(body(rows(), status="200")), 0),
    "402 says nothing": (http(body(None, status=402), status=402), 0),
    "a code nobody knows": (http(body(None, status=499), status=499), 0),
    "500 that speaks of 403": (http(body(None, status=403), status=500), 0),
    "entries is an object": (http(body({"0": rows()[0]})), 0),
    "entries is null": (http(body(None)), 0),
    "records are lists": (http(body([[5000, "hi", 1]] * 6)), 0),
    "only the status": (http(b'{"return":{"status":200}}'), 0),
    "deeply nested": (http(b'{"entries":' + b"[" * 200_000), 0),
    "9 MB of blanks first": (http(b" " * 9_000_000 + WHOLE), 0),
    "torn in the third record": (http(WHOLE[: WHOLE.find(b'"messageid": 5002') + 30]), 2),
    "torn, longer promised": (http(WHOLE[: WHOLE.find(b'"messageid": 5002') + 30], length=len(WHOLE)), 2),
    "torn right after a record": (http(WHOLE[: WHOLE.find(b', {"messageid": 5003')], length=len(WHOLE)), 3),
    "last bracket missing": (http(WHOLE[:-2]), 6),
    "a record missing": (with_rows(lambda found: found[:2] + found[3:]), 5),
    "records of others only": (with_rows(set_all(receptor="09350000000")), 0),
    "no receptors": (with_rows(set_all(receptor=None)), 0),
    "receptors are lists": (with_rows(set_all(receptor=["09120000000"])), 0),
    "our ids moved by one": (with_rows(echoed(turn=1)), 0),
    "ids of others": (with_rows(set_all(localid=1)), 0),
    "ids are lists": (with_rows(set_all(localid=[900])), 0),
    "ids are true": (with_rows(set_all(localid=True)), 0),
    "one reference for all": (with_rows(set_all(messageid=7)), 0),
    "no references": (with_rows(set_all(messageid=None)), 0),
    "references are words": (with_rows(set_all(messageid="x")), 0),
    "references are lists": (with_rows(set_all(messageid=[5000])), 0),
    "reference 0": (with_rows(set_all(messageid=0)), 0),
    "reference below 0": (with_rows(set_all(messageid=-5)), 0),
    "reference too great": (with_rows(set_all(messageid=10**40)), 0),
    "status missing": (with_rows(set_all(status=None)), 0),
    "unknown status": (with_rows(set_all(status=77)), 0),
    "status 100": (with_rows(set_all(status=100)), 0),
    "refused with a reference": (with_rows(set_all(status=411)), 0),
    "unknown refusal": (with_rows(set_all(status=77, messageid=0)), 0),
    "one recipient twice": (with_rows(lambda found: [*found[:5], found[4] | {"messageid": 6000}]), 4),
    "a stranger among us": (with_rows(lambda found: [*found[:5], found[5] | {"receptor": "09350000000"}]), 5),
    "nulls among the records": (with_rows(lambda found: [*found[:4], None, 7, "x"]), 4),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    raw, believed = MALFORMED[name]
    error, answers = submit(raw)
    assert {answer.message_id: answer.operator_ref for answer in answers}.items() <= TRUE_REFS.items()
    assert len(answers) == len({answer.message_id for answer in answers}) == believed
    assert isinstance(error, Unanswered) == (believed < len(ENVELOPES))


@pytest.mark.parametrize("spelling", ["0{}", "{}", "+98{}", "0098{}", "98{}"])
def test_a_sound_answer_in_any_order_and_spelling_of_numbers(spelling: str) -> None:
    turned = [row | {"receptor": spelling.format(row["receptor"][1:])} for row in reversed(rows())]
    error, answers = submit(http(body(turned)))
    assert error is None
    assert {answer.message_id: answer.operator_ref for answer in answers} == TRUE_REFS


@pytest.mark.parametrize("spelled", [str, int])
def test_an_answer_that_repeats_our_ids(spelled: Callable[[int], object]) -> None:
    error, answers = submit(with_rows(echoed(spelled=spelled)))
    assert error is None
    assert {answer.message_id: answer.operator_ref for answer in answers} == TRUE_REFS


def test_one_recipient_written_to_twice_is_told_apart_by_our_ids_only() -> None:
    envelopes = [Envelope(900, 989120000000), Envelope(901, 989120000000)]
    twice = Submission("30001", "hi", is_unicode=False, envelopes=envelopes)
    told = [row | {"receptor": "09120000000"} for row in rows()[:2]]
    with kavenegar(http(body(told))) as (adapter, _), pytest.raises(Unanswered) as caught:
        adapter.submit(twice)
    assert caught.value.answers == []

    named = [row | {"localid": str(901 - place)} for place, row in enumerate(told)]
    with kavenegar(http(body(named))) as (adapter, _):
        assert {answer.message_id: answer.operator_ref for answer in adapter.submit(twice)} == {
            901: "5000",
            900: "5001",
        }


@pytest.mark.parametrize("status", [1, 2, 4, 5, 6, 10, 11, 13, 14])
def test_the_record_of_an_earlier_submission_is_an_acceptance(status: int) -> None:
    error, answers = submit(with_rows(set_all(status=status)))
    assert error is None
    assert {answer.kind for answer in answers} == {"accepted"}
    assert {answer.code for answer in answers} == {str(status)}


@pytest.mark.parametrize("cost", [None, "free", True, -(10**20)])
def test_an_answer_without_a_credible_cost_is_still_an_answer(cost: object) -> None:
    error, answers = submit(with_rows(set_all(cost=cost)))
    assert error is None
    assert {answer.message_id: answer.operator_ref for answer in answers} == TRUE_REFS


def whole(code: int, *, status: int | None = None, more: str = "") -> bytes:
    return http(body(None, status=code), status=code if status is None else status, more=more)


@pytest.mark.parametrize("status", [None, 200])
@pytest.mark.parametrize(
    ("code", "expected", "retry_after_seconds"),
    [
        (418, OutOfCredit, None),
        *[(code, BadCredentials, None) for code in (401, 403, 404, 407, 416, 426)],
        *[(code, Refused, 5) for code in (409, 429, 451)],
    ],
)
def test_whole_requests_refused(
    code: int, status: int | None, expected: type[Refused], retry_after_seconds: float | None
) -> None:
    error, answers = submit(whole(code, status=status))
    assert type(error) is expected
    assert isinstance(error, Refused)
    assert (error.code, error.retry_after_seconds) == (str(code), retry_after_seconds)
    assert answers == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        *[(http(b"", status=status), BadCredentials) for status in (401, 403, 404)],
        (http(b"<html>slow down</html>", status=429), Refused),
        (http(b"", status=503), Unanswered),
    ],
)
def test_what_a_server_before_theirs_says(raw: bytes, expected: type[OperatorError]) -> None:
    error, _ = submit(raw)
    assert type(error) is expected


@pytest.mark.parametrize(
    ("code", "outcome"),
    [*[(code, Outcome.REFUSED) for code in (412, 413, 422, 501)], (420, Outcome.FILTERED)],
)
def test_a_text_or_line_they_do_not_take_is_refused_for_every_recipient(code: int, outcome: Outcome) -> None:
    error, answers = submit(whole(code))
    assert error is None
    assert [(answer.kind, answer.code, answer.outcome) for answer in answers] == [("refused", str(code), outcome)] * 6


def test_some_refused_and_some_accepted() -> None:
    mixed = rows()
    mixed[1] |= {"status": 6, "messageid": 0}
    mixed[2] |= {"status": 411, "messageid": None}
    mixed[3] |= {"status": 14}
    error, answers = submit(http(body(mixed)))
    assert error is None
    assert [answer.outcome for answer in answers] == [None, Outcome.REFUSED, Outcome.REFUSED, None, None, None]
    assert [answer.kind == "accepted" for answer in answers] == [True, False, False, True, True, True]
