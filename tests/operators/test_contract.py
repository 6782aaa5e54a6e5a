"""What every adapter must do, whoever the operator is: one suite over the whole registry."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from sms.core.errors import NotFound
from sms.operators.contract import (
    Access,
    AnswerKind,
    BadCredentials,
    Envelope,
    InboundText,
    Operator,
    OperatorError,
    OutOfCredit,
    RawInbound,
    Refused,
    Submission,
    Unanswered,
    Unreachable,
)
from sms.operators.registry import ADAPTERS, build
from sms.operators.rules import Outcome
from tests.operators.conftest import ASKED, SIMULATED, build_operator
from tests.simulator.running import RunningSimulator

TEXT = "سلام، تخفیف امروز"
DELIVERED, BLOCKED, NOT_IN_NETWORK, UNDELIVERED = 989120000001, 989120000090, 989120000094, 989120000096
REFUSED, NEVER, CUT = 989120000097, 989120000098, 989120000099


@dataclass(frozen=True, slots=True)
class Facts:
    """In what the operators differ, as they may."""

    tells_dates: bool
    longest: int
    busy_codes: tuple[int, ...]
    send: str  # what the simulator calls a submission
    not_in_network: Outcome
    tells_again: bool  # texts that were asked for once


FACTS = {
    "magfa": Facts(
        tells_dates=True,
        longest=3000,
        busy_codes=(15, 23),
        send="send",
        not_in_network=Outcome.NOT_IN_NETWORK,
        tells_again=False,
    ),
    "kavenegar": Facts(
        tells_dates=False,
        longest=900,
        busy_codes=(409, 429, 451),
        send="sms/sendarray",
        not_in_network=Outcome.UNDELIVERED,
        tells_again=True,
    ),
}


def submission(*recipients: int, first_id: int = 1000, body: str = TEXT) -> Submission:
    envelopes = [Envelope(first_id + place, recipient) for place, recipient in enumerate(recipients)]
    return Submission("30001234", body, is_unicode=True, envelopes=envelopes)


def operator_of(adapter: Operator) -> str:
    return SIMULATED[adapter.code]


def accepted(simulator: RunningSimulator, adapter: Operator) -> dict[int, int]:
    """Recipient by our id, as the far side tells it."""
    rows = simulator.truth(f"?operator={operator_of(adapter)}")[operator_of(adapter)]
    return {row["uid"]: row["recipient"] for row in rows}


def test_every_adapter_says_what_it_can_do(adapter: Operator) -> None:
    assert ADAPTERS[adapter.code] is type(adapter)
    assert adapter.label
    assert adapter.max_batch > 0
    assert adapter.max_statuses > 0
    assert adapter.credential_fields


def test_an_unknown_adapter_is_not_found() -> None:
    with pytest.raises(NotFound):
        build("carrier-pigeon", Access("http://127.0.0.1/", {}))


def test_a_full_batch_is_accepted_and_every_answer_is_about_the_right_message(
    simulator: RunningSimulator, adapter: Operator
) -> None:
    sent = submission(*(989120001000 + place * 100 for place in range(adapter.max_batch)))
    answers = adapter.submit(sent)
    assert {answer.kind for answer in answers} == {AnswerKind.ACCEPTED}
    assert sorted(answer.message_id for answer in answers) == [envelope.message_id for envelope in sent.envelopes]
    assert accepted(simulator, adapter) == {envelope.message_id: envelope.recipient for envelope in sent.envelopes}
    for answer in answers[::17]:
        assert adapter.lookup(answer.message_id) == answer.operator_ref


def test_refused_recipients_are_named_and_the_rest_goes(adapter: Operator) -> None:
    answers = {answer.message_id: answer for answer in adapter.submit(submission(DELIVERED, REFUSED, BLOCKED))}
    assert [answers[message_id].kind for message_id in (1000, 1001, 1002)] == ["accepted", "refused", "accepted"]
    assert answers[1001].outcome is Outcome.REFUSED
    assert answers[1001].code
    assert answers[1001].operator_ref == ""


def test_reports_by_reference(adapter: Operator) -> None:
    recipients = [DELIVERED, BLOCKED, NOT_IN_NETWORK, UNDELIVERED, NEVER]
    refs = {a.message_id - 1000: a.operator_ref for a in adapter.submit(submission(*recipients))}
    reports = {report.operator_ref: report for report in adapter.statuses([*refs.values(), "77"])}
    assert [reports[refs[place]].outcome for place in range(5)] == [
        Outcome.DELIVERED,
        Outcome.BLOCKED,
        FACTS[adapter.code].not_in_network,
        Outcome.UNDELIVERED,
        None,
    ]
    assert all(reports[ref].is_known for ref in refs.values())
    reported_at = reports[refs[0]].reported_at
    assert (reported_at is not None) == FACTS[adapter.code].tells_dates
    assert reported_at is None or abs(reported_at.timestamp() - time.time()) < 60
    assert reports["77"].outcome is None
    assert not reports["77"].is_known


def test_a_full_ask_of_statuses(adapter: Operator) -> None:
    refs: list[str] = []
    for start in range(0, adapter.max_statuses, adapter.max_batch):
        count = min(adapter.max_batch, adapter.max_statuses - start)
        recipients = [DELIVERED + 100 * (start + place) for place in range(count)]
        answers = adapter.submit(submission(*recipients, first_id=5000 + start))
        refs += [answer.operator_ref for answer in answers]
    assert {report.operator_ref for report in adapter.statuses(refs)} == set(refs)
    assert adapter.statuses([]) == []


def test_a_cut_reply_leaves_the_whole_answers_and_the_rest_to_be_looked_up(
    simulator: RunningSimulator, adapter: Operator
) -> None:
    sent = submission(CUT, DELIVERED, CUT + 100, BLOCKED, REFUSED)
    with pytest.raises(Unanswered) as caught:
        adapter.submit(sent)
    kinds = {answer.message_id: answer.kind for answer in caught.value.answers}
    assert kinds == {1001: "accepted", 1003: "accepted", 1004: "refused"}
    assert sorted(accepted(simulator, adapter)) == [1000, 1001, 1002, 1003]
    assert adapter.lookup(1000)
    assert adapter.lookup(1002)
    assert adapter.lookup(1004) is None
    assert simulator.truth("summary")[operator_of(adapter)]["requests"][FACTS[adapter.code].send] == 1


def test_a_reply_cut_before_its_first_word(simulator: RunningSimulator, adapter: Operator) -> None:
    simulator.control(operator_of(adapter), cut_reply_share=1)
    with pytest.raises(Unanswered) as caught:
        adapter.submit(submission(DELIVERED))
    assert caught.value.answers == []
    assert adapter.lookup(1000)


def test_silence_ends_at_the_time_limit_and_the_fate_is_unknown(simulator: RunningSimulator, adapter: Operator) -> None:
    simulator.control(operator_of(adapter), is_silent=True)
    hasty = build_operator(adapter.code, simulator.access(operator_of(adapter), timeout_seconds=0.3))
    with pytest.raises(Unanswered):
        hasty.submit(submission(DELIVERED))
    hasty.close()
    assert accepted(simulator, adapter) == {1000: DELIVERED}


def test_a_refused_connection_proves_that_nothing_was_sent(simulator: RunningSimulator, adapter: Operator) -> None:
    simulator.control(operator_of(adapter), is_cut_off=True)
    with pytest.raises(Unreachable):
        adapter.submit(submission(DELIVERED))
    with pytest.raises(Unreachable):
        adapter.balance()
    simulator.control(operator_of(adapter), is_cut_off=False)
    assert accepted(simulator, adapter) == {}
    assert len(adapter.submit(submission(DELIVERED))) == 1


def test_credentials_are_not_shown_with_the_access() -> None:
    assert "sesame" not in repr(Access("http://127.0.0.1/", {"password": "sesame"}))


@pytest.mark.parametrize("is_http_401", [False, True])
def test_wrong_credentials(simulator: RunningSimulator, adapter: Operator, is_http_401: bool) -> None:
    if is_http_401:
        if adapter.code != "magfa":
            pytest.skip("always answers so")
        simulator.control(operator_of(adapter), is_http_401=True)
    access = simulator.access(operator_of(adapter))
    stranger = build_operator(
        adapter.code, replace(access, credentials=dict.fromkeys(adapter.credential_fields, "sesame"))
    )
    for ask in (lambda: stranger.submit(submission(DELIVERED)), stranger.balance):
        with pytest.raises(BadCredentials) as caught:
            ask()
        assert "sesame" not in f"{caught.value!r} {caught.value} {caught.value.params} {caught.value.__cause__!r}"
    stranger.close()
    assert accepted(simulator, adapter) == {}


def test_no_credit(simulator: RunningSimulator, adapter: Operator) -> None:
    simulator.control(operator_of(adapter), credit_mrial=800_000)
    with pytest.raises(OutOfCredit):
        adapter.submit(submission(DELIVERED))
    assert adapter.balance() == 800_000


def test_a_busy_operator_is_asked_again_later(simulator: RunningSimulator, adapter: Operator) -> None:
    for code in FACTS[adapter.code].busy_codes:
        simulator.control(operator_of(adapter), refuse_status=code)
        with pytest.raises(Refused) as caught:
            adapter.submit(submission(DELIVERED))
        assert (caught.value.code, caught.value.retry_after_seconds) == (str(code), 5)


LINE = "30001234"


def people_write(simulator: RunningSimulator, code: str, *texts: str) -> None:
    for text in texts:
        body = f'{{"from": "989120000001", "to": "{LINE}", "body": {json.dumps(text)}}}'
        simulator.call(f"/control/{SIMULATED[code]}/inbound", body.encode())


def read(adapter: Operator, **asked: bool) -> list[InboundText]:
    parse = type(adapter).parse_inbound  # type: ignore[attr-defined]
    return [text for raw in adapter.inbound(50, [LINE], **asked) for text in parse(raw)]


@pytest.mark.parametrize("code", ASKED)
def test_inbound_texts(simulator: RunningSimulator, code: str) -> None:
    adapter = build_operator(code, simulator.access(SIMULATED[code]))
    texts = ["لغو", 'line\nbreak "quoted" 😀']
    people_write(simulator, code, *texts)
    got = read(adapter)
    assert [(text.sender[-10:], text.line_number, text.body) for text in got] == [
        ("9120000001", LINE, text) for text in texts
    ]
    assert all(text.sent_at for text in got)
    assert read(adapter) == []
    again = read(adapter, again=True)
    assert again in ([], got)  # who can tell them again tells the same
    assert FACTS[code].tells_again == bool(again)
    adapter.close()


@pytest.mark.parametrize("code", ASKED)
def test_a_torn_answer_is_given_as_it_came_and_its_whole_texts_are_read(simulator: RunningSimulator, code: str) -> None:
    adapter = build_operator(code, simulator.access(SIMULATED[code]))
    parse = type(adapter).parse_inbound  # type: ignore[attr-defined]
    people_write(simulator, code, "whole", "torn away")
    (raw,) = adapter.inbound(50, [LINE])
    end = raw.content.index(b"torn away") + 4
    assert [text.body for text in parse(raw._replace(content=raw.content[:end], is_whole=False))] == ["whole"]
    for garbage in (b"", b"<html>", b"[1]", b'{"messages": 3, "entries": [[]]}'):
        assert parse(RawInbound(garbage, LINE)) == []
    adapter.close()


@pytest.mark.parametrize("code", ASKED)
def test_an_answer_nobody_understands_is_given_before_it_is_complained_about(
    simulator: RunningSimulator, code: str
) -> None:
    adapter = build_operator(code, simulator.access(SIMULATED[code]))
    simulator.control(SIMULATED[code], garbage_share=1, garbage_kinds=["html"])
    people_write(simulator, code, "lost in a page")
    answers = iter(adapter.inbound(50, [LINE]))
    came = next(answers)
    assert came.content[:6] == b"<html>"
    assert type(adapter).parse_inbound(came) == []  # type: ignore[attr-defined]
    with pytest.raises(OperatorError):
        next(answers)
    simulator.control(SIMULATED[code], is_cut_off=True, garbage_share=0)
    with pytest.raises(OperatorError):
        list(adapter.inbound(50, [LINE]))
    adapter.close()


@pytest.mark.parametrize("body", ["{}[]^~\\|€", "👨‍👩‍👧‍👦 سلام", "\ud83d", "a" * 3000, '"},{"', "\x00\x07"])
def test_any_text_is_taken_as_it_is(adapter: Operator, body: str) -> None:
    (answer,) = adapter.submit(submission(DELIVERED, body=body[: FACTS[adapter.code].longest]))
    assert answer.kind is AnswerKind.ACCEPTED


GARBAGE_AS_A_RULE: dict[str, Callable[[OperatorError | None, int], bool]] = {
    # kind: what is right, given the error and the number of whole answers out of 6
    **dict.fromkeys(
        ("error_500", "html", "empty", "wrong_charset", "redirect", "huge", "other_ids", "shifted_ids"),
        lambda error, whole: isinstance(error, Unanswered) and whole == 0,
    ),
    "truncated": lambda error, whole: isinstance(error, Unanswered) and 0 < whole < 6,
    "wrong_count": lambda error, whole: isinstance(error, Unanswered) and whole == 4,
    "reordered": lambda error, whole: error is None and whole == 6,
}


def _turn_to_garbage(simulator: RunningSimulator, adapter: Operator, kind: str) -> None:
    if kind not in simulator.control(operator_of(adapter))["garbage_kinds"]:
        pytest.skip("nobody could notice it in this operator's answers")
    simulator.control(operator_of(adapter), garbage_share=1, garbage_kinds=[kind])


@pytest.mark.parametrize("kind", GARBAGE_AS_A_RULE)
def test_garbage_never_puts_a_reference_on_the_wrong_message(
    simulator: RunningSimulator, adapter: Operator, kind: str
) -> None:
    _turn_to_garbage(simulator, adapter, kind)
    error: Unanswered | None = None
    try:
        answers = adapter.submit(submission(*(DELIVERED + place * 100 for place in range(6))))
    except Unanswered as caught:
        error, answers = caught, caught.answers
    simulator.control(operator_of(adapter), garbage_share=0)
    assert GARBAGE_AS_A_RULE[kind](error, len(answers))
    assert all(adapter.lookup(answer.message_id) == answer.operator_ref for answer in answers)
    assert simulator.truth("summary")[operator_of(adapter)]["requests"][FACTS[adapter.code].send] == 1
    assert len(accepted(simulator, adapter)) == 6


@pytest.mark.parametrize("kind", sorted(GARBAGE_AS_A_RULE))
def test_garbage_instead_of_reports_is_never_believed(
    simulator: RunningSimulator, adapter: Operator, kind: str
) -> None:
    recipients = [DELIVERED + place * 100 for place in range(6)]
    refs = [answer.operator_ref for answer in adapter.submit(submission(*recipients))]
    _turn_to_garbage(simulator, adapter, kind)
    try:
        reports = adapter.statuses(refs)
    except OperatorError:
        return
    assert {report.operator_ref for report in reports} <= set(refs)
    assert all(report.outcome is Outcome.DELIVERED for report in reports)
