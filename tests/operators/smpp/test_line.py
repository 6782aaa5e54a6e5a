"""A line to a small SMSC: what is sent, what comes back, and what is known when something breaks."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sms.core.errors import SmsError
from sms.operators.contract import (
    Access,
    AnswerKind,
    Arrivals,
    BadCredentials,
    BoundOperator,
    Envelope,
    Line,
    OutOfCredit,
    Refused,
    Settled,
    Submission,
    Unanswered,
    Unreachable,
)
from sms.operators.protocols.smpp.pdus import tlv
from sms.operators.registry import build
from sms.operators.rules import Outcome
from tests.operators.smpp.smsc import Knobs, Smsc, deliver_body, packed

FIRST = 989120000000
LONG = "سلام " * 30


def adapter(
    smsc: Smsc, *, password: str = Knobs.password, timeout: float = 5, scheme: str = "smpp", **own: Any
) -> BoundOperator:
    access = Access(
        f"{scheme}://127.0.0.1:{smsc.port}",
        {"username": "payamgah", "password": password},
        timeout_seconds=timeout,
        settings={"id_style": "exact", **own},
    )
    return cast(BoundOperator, build("smpp", access))


@contextmanager
def running(smsc: Smsc, *, seconds: float = 60, **settings: Any) -> Iterator[Line]:
    line = adapter(smsc, **settings).line()
    line.start()
    line.allow(seconds)
    try:
        wait_for(lambda: line.is_ready or line.state.trouble_count)
        yield line
    finally:
        line.stop()


def wait_for(is_there: Callable[[], object], seconds: float = 8) -> None:
    deadline = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def submission(size: int, body: str = "salam") -> Submission:
    envelopes = [Envelope(70_000 + place, FIRST + place) for place in range(size)]
    return Submission("1000505", body, not body.isascii(), envelopes, reference=7)


def settled(line: Line) -> Settled:
    found: list[Settled] = []
    wait_for(lambda: found.extend(line.settled()) or found)
    assert len(found) == 1
    return found[0]


def arrived(line: Line, count: int) -> Arrivals:
    found = Arrivals([], [], [], [])

    def look() -> bool:
        for all_of, new in zip(found, line.arrivals(), strict=True):
            all_of.extend(new)  # type: ignore[arg-type]
        return len(found.handles) + len(found.receipts) >= count

    wait_for(look)
    return found


@pytest.mark.parametrize("tail", ["", "x" * 300], ids=["one part", "parts"])
def test_each_recipient_may_have_a_text_of_his_own(tail: str) -> None:
    envelopes = [Envelope(70_000 + place, FIRST + place, f"for {place:04} {tail}") for place in range(120)]
    with Smsc() as smsc, running(smsc) as line:
        line.submit(Submission("1000505", f"for .... {tail}", False, envelopes, reference=7), "ticket")
        found = settled(line)
        first = {each.recipient: each.text for each in smsc.received if b"for " in each.text}
        assert {number: text[text.index(b"for ") :][:8] for number, text in first.items()} == {
            str(FIRST + place): b"for %04d" % place for place in range(120)
        }
        assert len(found.answers) == 120


def test_texts_that_differ_in_parts_are_no_submission() -> None:
    envelopes = [Envelope(1, FIRST, "short"), Envelope(2, FIRST + 1, "long" * 100)]
    with Smsc() as smsc, running(smsc) as line, pytest.raises(ValueError, match="differ in parts"):
        line.submit(Submission("1000505", "short", False, envelopes), "ticket")


def test_what_is_submitted_arrives_and_is_answered() -> None:
    with Smsc() as smsc, running(smsc) as line:
        line.submit(submission(200), "ticket")
        found = settled(line)
        assert [received.recipient for received in smsc.received] == [str(FIRST + place) for place in range(200)]
        assert {received.text for received in smsc.received} == {b"salam"}
        assert {received.source for received in smsc.received} == {"1000505"}
        assert found.ticket == "ticket"
        assert {message_id: answer.operator_ref for message_id, answer in found.answers.items()} == {
            70_000 + place: f"{1001 + place:08x}" for place in range(200)
        }
        assert smsc.most_unanswered == 50
    assert smsc.unbinds == 1


@pytest.mark.parametrize(
    ("own", "binds"),
    [
        ({"binds": 3}, ["transceiver"] * 3),
        ({"bind_kind": "separate"}, ["receiver", "transmitter"]),
        ({"bind_kind": "separate", "binds": 2}, ["receiver", "receiver", "transmitter", "transmitter"]),
    ],
)
def test_several_binds_share_the_work(own: dict[str, Any], binds: list[str]) -> None:
    knobs = Knobs(answer_seconds=0.05, receipts_seconds=0.0)
    with Smsc(knobs) as smsc, running(smsc, window=10, **own) as line:
        wait_for(lambda: sorted(smsc.binds) == binds)
        wait_for(lambda: line.state.bound_count == len(binds))
        line.submit(submission(60), "")
        assert len(settled(line).answers) == 60
        assert len(arrived(line, 60).receipts) == 60
        assert smsc.most_unanswered == 10
        assert line.window == 10 * (len(binds) if "bind_kind" not in own else len(binds) // 2)


def test_answers_in_any_order_find_their_messages() -> None:
    with Smsc(Knobs(shuffles=True)) as smsc, running(smsc) as line:
        line.submit(submission(50), "")
        for message_id, answer in settled(line).answers.items():
            assert answer.operator_ref == f"{1001 + message_id - 70_000:08x}"


def test_a_status_is_a_refusal_with_its_code() -> None:
    knobs = Knobs(status_of=lambda recipient: {"1": 0x0B, "2": 0x61}.get(recipient[-1], 0))
    with Smsc(knobs) as smsc, running(smsc) as line:
        line.submit(submission(3), "")
        answers = settled(line).answers
        assert [(str(each.kind), each.code, each.outcome) for _, each in sorted(answers.items())] == [
            ("accepted", "", None),
            ("refused", "0x0B", Outcome.REFUSED),
            ("refused", "0x61", Outcome.OUT_OF_HOURS),
        ]


def test_a_nack_proves_that_nothing_was_taken() -> None:
    with Smsc(Knobs(nacks=True)) as smsc, running(smsc) as line:
        line.submit(submission(2), "")
        assert {answer.code for answer in settled(line).answers.values()} == {"0x02"}


def test_a_nack_of_an_acknowledgement_says_nothing_of_the_submit_with_that_number() -> None:
    with Smsc(Knobs(answer_seconds=0.3)) as smsc, running(smsc) as line:
        for number in range(1, 5):  # ours of the bind is 1: the submits below are 2 to 4
            smsc.deliver(deliver_body("989120000000", "1000", b"hi"), sequence=number)
        line.acknowledge(arrived(line, 4).handles)
        wait_for(lambda: len(smsc.acknowledged) == 4)
        line.submit(submission(3), "")
        wait_for(lambda: len(smsc.received) == 3)
        smsc.send(b"".join(packed(0x80000000, 3, number) for number in range(1, 5)))
        assert {answer.kind for answer in settled(line).answers.values()} == {AnswerKind.ACCEPTED}


def test_answers_in_front_of_an_unbind_make_no_room_for_more() -> None:
    with Smsc(Knobs(answer_seconds=0.3)) as smsc, running(smsc, window=200) as line:
        smsc.knobs.is_silent = True
        line.submit(submission(300), "")
        wait_for(lambda: len(smsc.received) == 200)
        smsc.send(
            b"".join(packed(0x80000004, 0, number, b"%d\0" % number) for number in range(2, 202)) + packed(0x06, 0, 5)
        )
        smsc.knobs.is_silent = False
        found = settled(line)
        assert (len(found.answers), len(found.unsent), len(smsc.received)) == (300, 0, 300)


def test_a_throttled_message_is_sent_until_it_is_taken_and_only_once() -> None:
    with Smsc(Knobs(per_second=60)) as smsc, running(smsc) as line:
        line.submit(submission(120), "")
        found: list[Settled] = []
        wait_for(lambda: found.extend(line.settled()) or found, seconds=20)
        assert len(found[0].answers) == 120
        assert smsc.statuses[0x58] > 0
        taken = [received.recipient for received in smsc.accepted]
        assert len(taken) == len(set(taken)) == 120


def test_the_agreed_pace_is_kept() -> None:
    with Smsc(Knobs(per_second=60)) as smsc, running(smsc, per_second=50) as line:
        line.submit(submission(75), "")
        assert len(settled(line).answers) == 75
        assert smsc.statuses[0x58] == 0


def test_the_window_of_a_slow_operator_is_what_leaves_in_a_second() -> None:
    with Smsc() as smsc, running(smsc, window=50) as line:
        assert line.window == 50
    with Smsc() as smsc, running(smsc, window=50, per_second=10) as line:
        assert line.window == 10


def test_what_was_unanswered_when_the_link_broke_is_of_unknown_fate_and_the_rest_goes_on() -> None:
    with Smsc(Knobs(is_silent=True)) as smsc, running(smsc, window=10) as line:
        line.submit(submission(30), "")
        wait_for(lambda: len(smsc.received) == 10)
        smsc.knobs.is_silent = False
        smsc.cut()
        found = settled(line)
        assert sorted(found.answers) == list(range(70_010, 70_030))
        assert found.unsent == []
        assert [received.recipient for received in smsc.received] == [str(FIRST + place) for place in range(30)]


def test_what_never_left_is_given_back() -> None:
    with Smsc(Knobs(is_silent=True)) as smsc, running(smsc, window=10) as line:
        line.submit(submission(30), "")
        wait_for(lambda: len(smsc.received) == 10)
        smsc.shut()
        wait_for(lambda: not line.is_ready)
        line.take_back()
        found = settled(line)
        assert (found.answers, sorted(found.unsent)) == ({}, list(range(70_010, 70_030)))
        smsc.open()
        wait_for(lambda: line.is_ready)
        time.sleep(0.05)
        assert len(smsc.received) == 10


def test_an_answer_that_does_not_come_ends_the_link() -> None:
    with Smsc(Knobs(is_silent=True)) as smsc, running(smsc, timeout=0.3) as line:
        line.submit(submission(1), "")
        assert settled(line).answers == {}
        wait_for(lambda: isinstance(line.state.trouble, Unreachable))
        wait_for(lambda: len(smsc.binds) == 2)


def test_a_link_that_has_worked_is_made_again_at_once_and_without_a_complaint() -> None:
    with Smsc() as smsc, running(smsc) as line:
        for ended in range(1, 9):  # with growing pauses this would take a minute
            line.submit(submission(20), "")
            assert len(settled(line).answers) == 20
            smsc.cut()
            wait_for(lambda: len(smsc.binds) == ended + 1, seconds=3)  # noqa: B023 - waited for here
            wait_for(lambda: line.is_ready)
        assert line.state.trouble_count == 0


def test_silence_is_measured_from_the_last_answer() -> None:
    with Smsc() as smsc, running(smsc) as line:
        line.submit(submission(5), "")
        settled(line)
        assert line.silent_seconds == 0
        smsc.knobs.is_silent = True
        line.submit(submission(5), "")
        wait_for(lambda: line.silent_seconds > 0.4)
        smsc.cut()


def test_an_operator_that_unbinds_us_may_answer_what_it_has_first() -> None:
    with Smsc(Knobs(answer_seconds=0.5)) as smsc, running(smsc, window=10) as line:
        line.submit(submission(10), "")
        wait_for(lambda: len(smsc.received) == 10)
        smsc.send(packed(0x06, 0, 5))
        wait_for(lambda: not line.is_ready)
        assert len(settled(line).answers) == 10
        wait_for(lambda: len(smsc.binds) == 2)


def test_over_tls_only_a_certificate_that_holds_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, context = _certificate(tmp_path)
    with Smsc(tls=context) as smsc:
        with running(smsc, scheme="smpps") as line:
            assert isinstance(line.state.trouble, Unreachable)
            assert smsc.binds == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with running(smsc, scheme="smpps") as line:
            line.submit(submission(3), "")
            assert len(settled(line).answers) == 3


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """For 127.0.0.1, signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smsc")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "smsc.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


def test_a_quiet_link_is_checked_and_a_dead_one_is_replaced() -> None:
    with Smsc() as smsc, running(smsc, enquire_seconds=1, timeout=1) as line:
        wait_for(lambda: smsc.checks >= 1)
        assert line.state.trouble_count == 0
        smsc.knobs.answers_checks = False
        wait_for(lambda: len(smsc.binds) == 2)
        assert line.state.trouble_count == 1


def test_their_checks_are_answered_and_what_we_do_not_know_is_refused() -> None:
    with Smsc() as smsc, running(smsc) as line:
        smsc.send(packed(0x15, 0, 9) + packed(0x102, 0, 10) + packed(0x999, 0, 11) + packed(0x80000999, 0, 12))
        line.submit(submission(1), "")
        assert settled(line).answers


def test_garbage_ends_the_link_and_it_comes_back() -> None:
    with Smsc() as smsc, running(smsc) as line:
        smsc.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wait_for(lambda: len(smsc.binds) == 2)
        line.submit(submission(1), "")
        assert settled(line).answers


def test_an_operator_that_unbinds_us_is_bound_again() -> None:
    with Smsc() as smsc, running(smsc) as line:
        smsc.send(packed(0x06, 0, 5))
        wait_for(lambda: len(smsc.binds) == 2)
        assert line.state.trouble_count == 1


def test_a_wrong_password_is_tried_once() -> None:
    with Smsc() as smsc, running(smsc, password="wrong") as line:
        assert isinstance(line.state.trouble, BadCredentials)
        assert smsc.binds == []
        time.sleep(1.2)
        assert line.state.trouble_count == 1


def test_a_refused_bind_is_tried_again() -> None:
    with Smsc(Knobs(bind_status=0x0D)) as smsc, running(smsc) as line:
        assert isinstance(line.state.trouble, Refused)
        smsc.knobs.bind_status = 0
        wait_for(lambda: line.is_ready)
        assert line.state.trouble is None


def test_an_empty_account_stops_the_line_and_nothing_is_refused() -> None:
    with Smsc(Knobs(status_of=lambda _recipient: 0x401)) as smsc, running(smsc, credit_codes="0x0401") as line:
        line.submit(submission(80), "")
        wait_for(lambda: isinstance(line.state.trouble, OutOfCredit))
        time.sleep(0.05)
        line.take_back()
        found = settled(line)
        assert (found.answers, len(found.unsent)) == ({}, 80)
        assert len(smsc.received) == 50


def test_without_permission_nothing_is_sent() -> None:
    with Smsc() as smsc, running(smsc, seconds=0) as line:
        line.submit(submission(5), "")
        time.sleep(0.1)
        assert smsc.received == []
        line.allow(10)
        assert len(settled(line).answers) == 5


def test_a_single_message_overtakes_a_long_list_and_no_other_single_one() -> None:
    with Smsc() as smsc, running(smsc, seconds=-1) as line:
        line.submit(submission(100), "list")
        for number in (1, 2):
            line.submit(Submission("1000505", "code", False, [Envelope(number, FIRST - number)]), number)
        line.allow(60)
        wait_for(lambda: len(smsc.accepted) == 102)
    recipients = [int(submit.recipient) for submit in smsc.accepted]
    assert recipients == [FIRST - 1, FIRST - 2, *range(FIRST, FIRST + 100)]


def test_stopping_waits_for_answers_and_gives_the_rest_back() -> None:
    with Smsc(Knobs(answer_seconds=0.2)) as smsc, running(smsc, window=10) as line:
        line.submit(submission(30), "")
        wait_for(lambda: len(smsc.received) == 10)
        line.stop()
        found = settled(line)
        assert (sorted(found.answers), sorted(found.unsent)) == (
            list(range(70_000, 70_010)),
            list(range(70_010, 70_030)),
        )
        assert smsc.unbinds == 1


@pytest.mark.parametrize(
    ("own", "esm_class", "tags", "registered"),
    [
        ({}, 0x40, [], [1, 1, 1]),
        ({"reports": "last"}, 0x40, [], [0, 0, 1]),
        ({"reports": "first"}, 0x40, [], [1, 0, 0]),
        ({"joining": "sar"}, 0, [0x20C, 0x20E, 0x20F], [1, 1, 1]),
        ({"joining": "payload"}, 0, [0x424], [1]),
    ],
)
def test_a_long_text_goes_as_the_operator_wants_it(
    own: dict[str, Any], esm_class: int, tags: list[int], registered: list[int]
) -> None:
    with Smsc() as smsc, running(smsc, own_reference=False, **own) as line:
        line.submit(submission(2, LONG), "")
        found = settled(line)
        assert len(found.answers) == 2
        assert {received.esm_class for received in smsc.received} == {esm_class}
        assert {tuple(received.tlvs) for received in smsc.received} == {tuple(tags)}
        assert [received.registered for received in smsc.received] == registered * 2
        is_reported_part_by_part = len(registered) > 1 and not own.get("reports")
        assert len(found.parts) == (6 if is_reported_part_by_part else 0)


def test_a_text_of_more_parts_than_the_window_goes_too() -> None:
    with Smsc(Knobs(answer_seconds=0.01)) as smsc, running(smsc, window=2) as line:
        line.submit(submission(2, LONG), "")
        assert len(settled(line).answers) == 2
        assert smsc.most_unanswered == 2


def test_a_text_that_cannot_be_counted_is_refused() -> None:
    with Smsc() as smsc, running(smsc) as line:
        line.submit(submission(1, "a" * 153 * 256), "")
        assert settled(line).answers[70_000].code == "too long"


def test_our_reference_goes_along_and_comes_back() -> None:
    with Smsc(Knobs(receipts_seconds=0.0, echoes_reference=True)) as smsc, running(smsc) as line:
        line.submit(submission(1), "")
        (receipt,) = arrived(line, 1).receipts
        assert receipt.user_reference == 70_000 & 0xFFFF
        assert (receipt.recipient, receipt.line_number) == (FIRST, "1000505")
        assert receipt.report.outcome is Outcome.DELIVERED


def test_arrivals_are_acknowledged_only_when_we_say_so() -> None:
    with Smsc() as smsc, running(smsc) as line:
        first = smsc.receipt("77", "989121234567")
        found = arrived(line, 1)
        time.sleep(0.05)
        assert smsc.acknowledged == []
        line.acknowledge([receipt.handle for receipt in found.receipts])
        wait_for(lambda: smsc.acknowledged == [(first, 0)])


def test_what_cannot_be_read_is_not_sent_again_and_again() -> None:
    with Smsc() as smsc, running(smsc) as line:
        number = smsc.deliver(b"\0")
        wait_for(lambda: line.arrivals() and smsc.acknowledged == [(number, 0x65)])


def test_a_data_sm_is_read_and_acknowledged_as_one() -> None:
    with Smsc() as smsc, running(smsc) as line:
        body = b"\0\1\x01989121234567\0\0\x001000\0" + bytes((0, 0, 0)) + tlv(0x0424, b"salam")
        smsc.send(packed(0x103, 0, 44, body))
        assert arrived(line, 1).texts[0].body == "salam"


def test_inbound_texts_come_whole_or_as_parts() -> None:
    header = bytes((5, 0, 3, 9, 2, 1))
    sar = tlv(0x20C, b"\0\5") + tlv(0x20E, b"\3") + tlv(0x20F, b"\2")
    with Smsc() as smsc, running(smsc) as line:
        smsc.deliver(deliver_body("989121234567", "1000505", "سلام".encode("utf-16-be"), coding=8))
        smsc.deliver(deliver_body("989121234567", "1000505", header + b"part", esm_class=0x40))
        smsc.deliver(deliver_body("989121234567", "1000505", b"two", tlvs=sar))
        found = arrived(line, 3)
        assert [(text.sender, text.line_number, text.body) for text in found.texts] == [
            ("989121234567", "1000505", "سلام")
        ]
        assert [(part.reference, part.total, part.place, part.content) for part in found.parts] == [
            (9, 2, 1, b"part"),
            (5, 3, 2, b"two"),
        ]


def test_ids_are_learnt() -> None:
    knobs = Knobs(
        receipts_seconds=0.0, answered_ref=lambda number: f"{number:X}", reported_ref=lambda number: f"{number:010d}"
    )
    with Smsc(knobs) as smsc, running(smsc, id_style="learn") as line:
        line.submit(submission(250), "")
        refs = {answer.operator_ref for answer in settled(line).answers.values()}
        for receipt in arrived(line, 250).receipts:
            (ref,) = [ref for ref in receipt.refs if ref in refs]
            line.matched(receipt, ref)
        assert line.state.learnt == {"id_style": "decimal_to_hex"}


# Asking whether we are let in


def test_a_knock_binds_and_unbinds() -> None:
    with Smsc() as smsc:
        assert adapter(smsc).balance() is None
        wait_for(lambda: smsc.unbinds == 1)


@pytest.mark.parametrize(
    ("knobs", "password", "error"),
    [
        (Knobs(), "wrong", BadCredentials),
        (Knobs(bind_status=0x0F), "secret", BadCredentials),
        (Knobs(bind_status=0x0D), "secret", Refused),
    ],
)
def test_a_knock_that_is_refused(knobs: Knobs, password: str, error: type[SmsError]) -> None:
    with Smsc(knobs) as smsc, pytest.raises(error):
        adapter(smsc, password=password).balance()


def test_a_knock_at_a_closed_door() -> None:
    with Smsc() as smsc:
        smsc.shut()
        with pytest.raises(Unreachable):
            adapter(smsc).balance()


def test_a_knock_that_nobody_answers() -> None:
    with Smsc() as smsc, pytest.raises((Unreachable, Unanswered)):
        adapter(smsc, timeout=0.5, scheme="smpps").balance()  # it does not speak TLS


def test_an_address_that_is_none() -> None:
    with pytest.raises(Unreachable):
        build("smpp", Access("http://127.0.0.1:1", {}))
