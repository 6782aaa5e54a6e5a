"""What is asked of Kavenegar, and how: forms that are posted, the key in the address and nowhere else."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from sms.operators.adapters.kavenegar.adapter import Kavenegar
from sms.operators.contract import (
    Access,
    BadCredentials,
    Envelope,
    OperatorError,
    Refused,
    Report,
    Submission,
    Unanswered,
)
from sms.operators.rules import Outcome
from tests.operators.far_side import HEAD_END, FarSide, http
from tests.operators.kavenegar.test_kavenegar_replies import ENVELOPES, SUBMISSION, body, kavenegar, rows, whole

KEY = "sesame/0123?&%"
CLOSE = "Connection: close\r\n"  # the far side closes after each answer, and says so where a second question follows
SPELT = "sesame%2F0123%3F%26%25"


def form_of(request: bytes) -> dict[str, str]:
    head, _, content = request.partition(HEAD_END)
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in head + b"\r\n"
    return {name: values[0] for name, values in parse_qs(content.decode(), strict_parsing=bool(content)).items()}


def test_a_submission_carries_our_ids_and_leaves_once() -> None:
    text = 'سلام & "تو"\n+=😀'
    with kavenegar(http(body(rows()[:2]))) as (adapter, far_side):
        adapter.submit(Submission("30001", text, is_unicode=True, envelopes=ENVELOPES[:2]))
    (request,) = far_side.requests
    assert request.startswith(b"POST /v2/K/sms/sendarray.json HTTP/1.1\r\n")
    assert {name: json.loads(value) for name, value in form_of(request).items()} == {
        "receptor": ["09120000000", "09120000001"],
        "sender": ["30001"] * 2,
        "message": [text] * 2,
        "localmessageids": [900, 901],
    }


def test_each_recipient_may_have_a_text_of_his_own_also_when_a_request_is_divided() -> None:
    envelopes = [each._replace(body=f"برای تو {each.message_id} & +") for each in ENVELOPES[:4]]
    far_side = Choosy("09120000002")
    with far_side:
        choosy(far_side).submit(Submission("30001", "برای تو", is_unicode=True, envelopes=envelopes))
    told = {}
    for request in far_side.requests:
        asked = {name: json.loads(value) for name, value in form_of(request).items()}
        told |= dict(zip(asked["localmessageids"], asked["message"], strict=True))
    assert told == {each.message_id: each.body for each in envelopes}


class Choosy(FarSide):
    """A Kavenegar to whom some numbers are wrong: then it takes nothing of the whole request."""

    def __init__(self, *wrong: str, most: int = 200, busy_after: int = 10**6) -> None:
        super().__init__()
        self.wrong, self.most, self.busy_after = set(wrong), most, busy_after
        self.taken: list[int] = []

    def answer(self, request: bytes) -> tuple[bytes, ...]:
        asked = {name: json.loads(value) for name, value in form_of(request).items()}
        if len(self.requests) > self.busy_after:
            return (whole(451, more=CLOSE),)
        if len(asked["receptor"]) > self.most:
            return (whole(414, more=CLOSE),)
        if self.wrong & set(asked["receptor"]):
            return (whole(411, more=CLOSE),)
        self.taken += asked["localmessageids"]
        return (http(body([rows()[number - 900] for number in asked["localmessageids"]]), more=CLOSE),)


def choosy(far_side: Choosy) -> Kavenegar:
    return Kavenegar(Access(far_side.url, {"api_key": "K"}, timeout_seconds=5))


def test_a_wrong_number_is_found_and_the_others_go() -> None:
    with Choosy("09120000002", "09120000005") as far_side:
        answers = {answer.message_id: answer for answer in choosy(far_side).submit(SUBMISSION)}
    assert sorted(far_side.taken) == [900, 901, 903, 904]
    assert [answers[number].kind for number in range(900, 906)] == [
        *("accepted", "accepted", "refused", "accepted", "accepted", "refused")
    ]
    assert (answers[902].code, answers[902].outcome) == ("411", Outcome.REFUSED)


def test_too_many_recipients_go_in_smaller_requests() -> None:
    with Choosy(most=2) as far_side:
        assert len(choosy(far_side).submit(SUBMISSION)) == 6
    assert sorted(far_side.taken) == [900, 901, 902, 903, 904, 905]


def test_a_refusal_in_the_midst_of_a_divided_request_is_not_told_of_the_whole() -> None:
    with Choosy("09120000005", busy_after=2) as far_side, pytest.raises(Unanswered) as caught:
        choosy(far_side).submit(SUBMISSION)
    assert sorted(answer.message_id for answer in caught.value.answers) == far_side.taken == [900, 901, 902]


class CutAfterDividing(FarSide):
    """Wants smaller requests, takes the first of them and breaks off, then is busy."""

    def answer(self, request: bytes) -> tuple[bytes, ...]:
        return ((whole(411, more=CLOSE),), (b"",), (whole(451, more=CLOSE),))[len(self.requests) - 1]


def test_after_a_cut_in_the_midst_nothing_is_called_unsent() -> None:
    with CutAfterDividing() as far_side, pytest.raises(Unanswered):
        Kavenegar(Access(far_side.url, {"api_key": "K"}, timeout_seconds=5)).submit(SUBMISSION)
    assert len(far_side.requests) == 3


def test_a_refusal_before_anything_was_taken_is_one_of_the_whole() -> None:
    with Choosy("09120000000", busy_after=1) as far_side, pytest.raises(Refused) as caught:
        choosy(far_side).submit(SUBMISSION)
    assert (caught.value.code, caught.value.retry_after_seconds) == ("451", 5)


def test_dividing_ends_with_the_time_limit() -> None:
    with FarSide(whole(411, more=CLOSE), pause_seconds=0.2) as far_side, pytest.raises(Unanswered):
        Kavenegar(Access(far_side.url, {"api_key": "K"}, timeout_seconds=0.3)).submit(SUBMISSION)
    assert len(far_side.requests) == 2


# Reports, look-ups, balance


def statuses(entries: object) -> list[Report]:
    with kavenegar(http(body(entries))) as (adapter, far_side):
        reports = adapter.statuses(["2", "1", "x"])
        assert far_side.requests[0].startswith(b"POST /v2/K/sms/status.json ")
        assert form_of(far_side.requests[0]) == {"messageid": "1,2"}
    return reports


def test_reports() -> None:
    told = [{"messageid": 1, "status": 10, "statustext": "x"}, {"messageid": "2", "status": 14}]
    assert statuses(told) == [Report("1", "10", Outcome.DELIVERED), Report("2", "14", Outcome.BLOCKED)]


@pytest.mark.parametrize("code", [0, 3, 12, 100, 400])
def test_a_status_we_do_not_know_decides_nothing(code: int) -> None:
    assert statuses([{"messageid": 1, "status": code}]) == [Report("1", str(code), None, is_known=False)]


@pytest.mark.parametrize(
    "entries",
    [
        None,
        {},
        [None],
        [{}],
        *[[{"messageid": ref, "status": 10}] for ref in (3, -1, None, [1], 1.5)],
        *[[{"messageid": 1, "status": code}] for code in (None, [10], "x", True, -1)],
    ],
)
def test_reports_nobody_asked_for_or_can_read_are_dropped(entries: object) -> None:
    assert statuses(entries) == []


def test_no_reference_is_no_question() -> None:
    with kavenegar(http(b"")) as (adapter, far_side):
        assert adapter.statuses([]) == adapter.statuses(["x"]) == []
    assert far_side.requests == []


@pytest.mark.parametrize(
    ("entries", "ref"),
    [
        *[([{"messageid": 77, "localid": local_id, "status": 1}], "77") for local_id in ("900", 900)],
        ([{"messageid": 77, "localid": "900", "status": 14}], "77"),
        ([{"messageid": 0, "localid": "900", "status": 100}], None),
        ([{"messageid": 77, "localid": "900", "status": 100}], None),
        ([{"messageid": None, "localid": "900", "status": 100}], None),
        ([], None),
        (None, None),
    ],
)
def test_lookup(entries: object, ref: str | None) -> None:
    with kavenegar(http(body(entries))) as (adapter, far_side):
        assert adapter.lookup(900) == ref
        assert far_side.requests[0].startswith(b"POST /v2/K/sms/statuslocalmessageid.json ")
        assert form_of(far_side.requests[0]) == {"localid": "900"}


@pytest.mark.parametrize(
    "entries",
    [
        {},
        "x",
        [None],
        [{}],
        [{"messageid": 77, "localid": "901", "status": 1}],
        [{"messageid": 77, "localid": "900", "status": 77}],
        [{"messageid": 77, "status": 1}],
        [{"messageid": 0, "localid": "900", "status": 1}],
        [{"messageid": 77, "localid": "900", "status": 1}, {"messageid": 78, "localid": "900", "status": 1}],
    ],
)
def test_a_look_up_that_cannot_be_read_does_not_say_absent(entries: object) -> None:
    with kavenegar(http(body(entries))) as (adapter, _), pytest.raises(Unanswered):
        adapter.lookup(900)


@pytest.mark.parametrize(("credit", "mrial"), [("1500", 1_500_000), ("12.345", 12_345), ("-3", -3_000)])
def test_credit_is_rial_there_and_milli_rial_here(credit: str, mrial: int) -> None:
    entries = b'{"remaincredit":%s,"expiredate":1,"type":"master"}' % credit.encode()
    with kavenegar(http(b'{"return":{"status":200,"message":""},"entries":%s}' % entries)) as (adapter, far_side):
        assert adapter.balance() == mrial
    assert far_side.requests[0].startswith(b"POST /v2/K/account/info.json ")


@pytest.mark.parametrize("entries", [None, [], {}, {"remaincredit": "12"}, {"remaincredit": True}])
def test_a_credit_that_is_no_amount(entries: object) -> None:
    with kavenegar(http(body(entries))) as (adapter, _), pytest.raises(Unanswered):
        adapter.balance()


# Inbound


class Inbox(FarSide):
    """Texts to each line; asked for one that has none named here, it is cut off. Some lines are not theirs."""

    def __init__(self, *, refused: str = "", **texts: list[dict[str, object]]) -> None:
        super().__init__()
        self.texts = texts
        self.refused = refused.split()

    def answer(self, request: bytes) -> tuple[bytes, ...]:
        asked = form_of(request)
        assert asked["isread"] == "0"
        if asked["linenumber"] in self.refused:
            return (http(b'{"return":{"status":412,"message":""},"entries":null}', more=CLOSE),)
        found = self.texts.get(f"line{asked['linenumber']}")
        return (b"",) if found is None else (http(body(found), more=CLOSE),)


def inbound(far_side: FarSide, lines: str) -> list[tuple[str, str, str, datetime | None]]:
    settings = {"inbound_lines": lines}
    adapter = Kavenegar(Access(far_side.url, {"api_key": "K"}, timeout_seconds=5, settings=settings))
    texts: list[tuple[str, str, str, datetime | None]] = []
    try:
        for raw in adapter.inbound(50, ["30001"] if lines else []):
            texts += [(text.sender, text.line_number, text.body, text.sent_at) for text in Kavenegar.parse_inbound(raw)]
    except Unanswered:
        if not texts:
            raise
    return texts


TEXT = {"messageid": 1, "message": "لغو", "sender": "09120000001", "receptor": "30001", "date": 1_764_000_000}


def test_inbound_texts_of_every_line_named() -> None:
    with Inbox(line30001=[TEXT], line30002=[TEXT | {"receptor": None, "date": "x"}]) as far_side:
        found = inbound(far_side, "30001  30002")
    assert found == [
        ("09120000001", "30001", "لغو", datetime(2025, 11, 24, 16, 0, tzinfo=UTC)),
        ("09120000001", "30002", "لغو", None),
    ]


def test_without_lines_nothing_is_fetched() -> None:
    with Inbox() as far_side:
        assert inbound(far_side, "") == []
    assert far_side.requests == []


def test_texts_that_are_marked_as_read_are_kept_when_the_next_line_fails() -> None:
    with Inbox(line30001=[TEXT]) as far_side:
        assert len(inbound(far_side, "30002")) == 1
    with Inbox() as far_side, pytest.raises(Unanswered):
        inbound(far_side, "30002")


def test_a_line_that_is_refused_keeps_nobody_from_the_others() -> None:
    with Inbox(line30002=[TEXT], refused="30001") as far_side:
        assert len(inbound(far_side, "30002")) == 1
    with Inbox(refused="30001 30002") as far_side, pytest.raises(Refused):
        inbound(far_side, "30002")


# The key


ASKS: dict[str, Callable[[Kavenegar], object]] = {
    "submit": lambda adapter: adapter.submit(SUBMISSION),
    "statuses": lambda adapter: adapter.statuses(["1"]),
    "lookup": lambda adapter: adapter.lookup(900),
    "balance": lambda adapter: adapter.balance(),
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    "raw",
    [
        whole(403),
        whole(418),
        http(b"", status=500),
        b"",
        b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 9\r\n\r\n{}",
        http(b"", status=302, more="Location: /x\r\n"),
        None,  # nobody listens
    ],
)
def test_the_key_is_in_no_error_and_in_no_log(raw: bytes | None, ask: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FarSide(raw or b"") as far_side:
        url = far_side.url if raw is not None else "http://127.0.0.1:9/v2/"
        adapter = Kavenegar(Access(url, {"api_key": KEY}, timeout_seconds=5))
        with pytest.raises(OperatorError) as caught:
            ASKS[ask](adapter)
        adapter.close()
    assert all(request.startswith(b"POST /v2/" + SPELT.encode() + b"/") for request in far_side.requests)
    error: BaseException | None = caught.value
    told = caplog.text
    while error is not None:
        told += f"{error!r} {error} {getattr(error, 'params', '')}"
        error = error.__cause__ or error.__context__
    assert "sesame" not in told


def test_the_key_is_shown_by_nothing_that_holds_it() -> None:
    access = Access("http://127.0.0.1:9/", {"api_key": KEY})
    assert "sesame" not in f"{access!r} {access} {Kavenegar(access)!r}"


def test_a_wrong_key_stops_the_gateway() -> None:
    with kavenegar(whole(403)) as (adapter, _), pytest.raises(BadCredentials):
        adapter.submit(SUBMISSION)


def test_two_hundred_recipients_stay_one_request() -> None:
    envelopes = [Envelope(10**14 + place, 989120000000 + place) for place in range(200)]
    told = [
        {"messageid": place + 1, "status": 1, "receptor": f"0{envelope.recipient % 10**10}", "message": "ب" * 900}
        for place, envelope in enumerate(envelopes)
    ]
    with kavenegar(http(body(told))) as (adapter, far_side):
        answers = adapter.submit(Submission("30001", "ب" * 900, is_unicode=True, envelopes=envelopes))
    assert (len(answers), len(far_side.requests)) == (200, 1)
