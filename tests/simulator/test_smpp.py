"""What the simulated message centre says, asked over its own port by a client written by hand."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.esme import (
    ANSWER,
    DELIVER,
    ENQUIRE,
    HEADER,
    LINE,
    MANY,
    NACK,
    RECEIVER,
    SUBMIT,
    TRANSCEIVER,
    TRANSMITTER,
    UNBIND,
    Esme,
    Gone,
    submit_body,
)
from tests.simulator.running import RunningSimulator

REFERENCE, PAYLOAD, STATE, RECEIPTED = 0x0204, 0x0424, 0x0427, 0x001E


def accepted(simulator: RunningSimulator) -> int:
    return int(simulator.truth("summary")["1000"]["accepted"])


def rows(simulator: RunningSimulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = simulator.truth("?operator=1000")["1000"]
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Links


@pytest.mark.parametrize("kind", [RECEIVER, TRANSMITTER, TRANSCEIVER])
def test_three_kinds_of_bind_and_a_polite_end(simulator: RunningSimulator, kind: int) -> None:
    with Esme(simulator.smpp_port, kind) as link:
        assert (link.bound.command, link.bound.status) == (kind | ANSWER, 0)
        link.send(UNBIND)
        assert link.read().command == UNBIND | ANSWER
        with pytest.raises(Gone):
            link.read()


@pytest.mark.parametrize(
    ("who", "knobs", "status"),
    [
        ({"password": "wrong"}, {}, 0x0E),
        ({"name": "nobody"}, {}, 0x0F),
        ({}, {"bind_status": 0x0D}, 0x0D),
    ],
)
def test_a_bind_that_is_refused_ends_the_link(
    simulator: RunningSimulator, who: dict[str, str], knobs: dict[str, int], status: int
) -> None:
    simulator.control("1000", **knobs)
    with Esme(simulator.smpp_port, **who) as link:  # type: ignore[arg-type]
        assert link.bound.status == status
        with pytest.raises(Gone):
            link.read()


def test_more_binds_than_allowed(simulator: RunningSimulator) -> None:
    simulator.control("1000", most_binds=1)
    with Esme(simulator.smpp_port) as first, Esme(simulator.smpp_port) as second:
        assert (first.bound.status, second.bound.status) == (0, 0x0D)


def test_who_may_submit(simulator: RunningSimulator) -> None:
    with Esme(simulator.smpp_port, 0) as nobody, Esme(simulator.smpp_port, RECEIVER) as receiver:
        for link in (nobody, receiver):
            link.submit("989120000001")
            assert link.read().status == 0x04
        receiver.send(RECEIVER, b"payamgah\0smpp1000\0\0\x34\0\0\0")
        assert receiver.read().status == 0x05
    assert accepted(simulator) == 0


def test_it_answers_and_asks_whether_somebody_is_there(simulator: RunningSimulator, esme: Esme) -> None:
    esme.send(ENQUIRE)
    assert esme.read().command == ENQUIRE | ANSWER
    simulator.control("1000", enquire_seconds=0.1)
    asked = esme.read()
    assert asked.command == ENQUIRE
    esme.send(ENQUIRE | ANSWER, sequence=asked.sequence)
    simulator.control("1000", is_enquire_ignored=True)
    esme.send(ENQUIRE)
    esme.submit("989120000001")
    assert next(pdu.command for pdu in iter(esme.read, None) if pdu.command != ENQUIRE) == SUBMIT | ANSWER


def test_what_is_no_pdu_and_what_is_no_command(esme: Esme) -> None:
    esme.send(0x03, b"1\0")
    nack = esme.read()
    assert (nack.command, nack.status) == (NACK, 0x03)
    esme.raw(HEADER.pack(2**31, SUBMIT, 0, 9))
    nack = esme.read()
    assert (nack.command, nack.status, nack.sequence) == (NACK, 0x02, 9)
    with pytest.raises(Gone):
        esme.read()


def test_a_pdu_may_come_in_pieces(simulator: RunningSimulator, esme: Esme) -> None:
    whole = esme.pdu(SUBMIT, submit_body("989120000001")) + esme.pdu(SUBMIT, submit_body("989120000002"))
    for at in range(0, len(whole), 7):
        esme.raw(whole[at : at + 7])
    assert [pdu.status for pdu in esme.answers(2)] == [0, 0]
    assert accepted(simulator) == 2


def test_cut_off_drops_the_links_and_refuses_new_ones(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", is_cut_off=True)
    with pytest.raises(Gone):
        esme.read()
    with pytest.raises(ConnectionRefusedError):
        Esme(simulator.smpp_port)
    simulator.control("1000", is_cut_off=False)
    with Esme(simulator.smpp_port) as again:
        assert again.bound.status == 0


def test_silence_accepts_and_says_nothing(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", is_silent=True)
    esme.submit("989120000001")
    until(lambda: accepted(simulator) == 1)
    with pytest.raises(TimeoutError):
        esme.read(timeout=0.2)


def test_a_deaf_one_reads_nothing_until_it_hears_again(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", is_deaf=True)
    esme.submit("989120000001")
    with pytest.raises(TimeoutError):
        esme.read(timeout=0.3)
    assert accepted(simulator) == 0
    simulator.control("1000", is_deaf=False)
    assert esme.read().status == 0


# What is taken


def test_97_is_refused_and_98_is_never_reported(simulator: RunningSimulator, esme: Esme) -> None:
    esme.submit("989120000097", "989120000098", "989120000001")
    assert [pdu.status for pdu in esme.answers(3)] == [0x0B, 0, 0]
    assert esme.delivery().source == "989120000001"
    shown = simulator.call("/control/1000")
    assert (shown["receipts_due"], shown["receipts_waiting"], accepted(simulator)) == (0, 0, 2)


@pytest.mark.parametrize(
    ("last_two", "stat", "error", "state"),
    [
        *[(n, "DELIVRD", "000", 2) for n in (0, 57, 89)],
        *[(n, "REJECTD", "027", 8) for n in (90, 93)],
        (94, "UNDELIV", "016", 5),
        (96, "UNDELIV", "002", 5),
    ],
)
def test_the_last_two_digits_choose_the_receipt(esme: Esme, last_two: int, stat: str, error: str, state: int) -> None:
    esme.submit(f"9891200000{last_two:02}")
    (answer,) = esme.answers(1)
    receipt = esme.delivery()
    assert (receipt.source, receipt.destination, receipt.esm_class) == (f"9891200000{last_two:02}", LINE, 4)
    fields = receipt.fields
    assert (fields["id"], fields["stat"], fields["err"]) == (answer.id, stat, error)
    assert len(fields["submit_date"]) == len(fields["done_date"]) == 10
    assert (receipt.tlvs[RECEIPTED], receipt.tlvs[STATE]) == (answer.id.encode() + b"\0", bytes((state,)))


@pytest.mark.parametrize(
    ("registered", "last_two", "is_reported"), [(0, 1, False), (1, 1, True), (2, 1, False), (2, 96, True)]
)
def test_receipts_come_to_those_who_want_them(
    simulator: RunningSimulator, esme: Esme, registered: int, last_two: int, is_reported: bool
) -> None:
    simulator.control("1000", report_delay_seconds=[60, 60])
    esme.submit(f"9891200000{last_two:02}", registered=registered)
    esme.answers(1)
    assert simulator.call("/control/1000")["receipts_due"] == is_reported


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"text": b"\0" * 142}, 0x01),
        ({"text": b"\0" * 139}, 0x01),
        ({"text": b"a" * 161, "coding": 0}, 0x01),
        ({"text": b"\5\0\3\1\2\1" + b"\0" * 136, "esm_class": 0x40}, 0x01),
        ({"text": b"\5\0\3\1\2\3" + b"\0" * 10, "esm_class": 0x40}, 0xC0),
        ({"text": b"\x60\0\3\1\2\1", "esm_class": 0x40}, 0x43),
        ({"tlvs": {PAYLOAD: b"\0a"}}, 0x01),
        ({"line": "Bank"}, 0x0A),
    ],
)
def test_a_submit_that_fits_nowhere_is_refused(
    simulator: RunningSimulator, esme: Esme, change: dict[str, Any], status: int
) -> None:
    esme.submit("989120000001", **change)
    assert esme.read().status == status
    assert accepted(simulator) == 0


def test_every_spelling_of_a_number_and_nothing_else(simulator: RunningSimulator, esme: Esme) -> None:
    esme.submit("+989120000001", "00989120000001", "09120000001", "9120000001", "12", "98912000000x")
    assert [pdu.status for pdu in esme.answers(6)] == [0, 0, 0, 0, 0x0B, 0x0B]
    assert simulator.truth("recipients?operator=1000")["1000"] == {"989120000001": 4}


PARTS = {
    "udh": lambda n: {"text": bytes((5, 0, 3, 77, 3, n)) + b"\0a" * 60, "esm_class": 0x40},
    "udh16": lambda n: {"text": bytes((6, 8, 4, 1, 77, 3, n)) + b"\0a" * 60, "esm_class": 0x40},
    "sar": lambda n: {"text": b"\0a" * 60, "tlvs": {0x020C: b"\1\1", 0x020E: b"\3", 0x020F: bytes((n,))}},
}


@pytest.mark.parametrize("joining", PARTS)
def test_parts_are_one_message_in_the_truth(simulator: RunningSimulator, esme: Esme, joining: str) -> None:
    for number in (2, 1, 3):
        esme.submit("989120000001", **PARTS[joining](number))
    assert len({pdu.id for pdu in esme.answers(3)}) == 3
    (row,) = rows(simulator)
    assert (row["parts"], row["of"]) == (3, 3)
    assert simulator.truth("summary")["1000"]["incomplete"] == 0
    assert simulator.truth("recipients?operator=1000")["1000"] == {}


def test_a_payload_is_one_message_of_several_parts(simulator: RunningSimulator, esme: Esme) -> None:
    esme.submit("989120000001", text=b"", tlvs={PAYLOAD: b"\0a" * 135})
    esme.answers(1)
    assert [(row["parts"], row["of"]) for row in rows(simulator)] == [(3, 3)]


def test_a_part_that_comes_again_begins_another_message(simulator: RunningSimulator, esme: Esme) -> None:
    for number in (1, 2, 1):
        esme.submit("989120000001", **PARTS["udh"](number))
    esme.answers(3)
    assert [(row["parts"], row["of"]) for row in rows(simulator)] == [(2, 3), (1, 3)]
    assert simulator.truth("summary")["1000"]["incomplete"] == 2
    assert simulator.truth("recipients?operator=1000")["1000"] == {"989120000001": 2}


@pytest.mark.parametrize(("which", "told"), [("all", [1, 2, 3]), ("first", [1]), ("last", [3])])
def test_which_parts_are_reported(simulator: RunningSimulator, esme: Esme, which: str, told: list[int]) -> None:
    simulator.control("1000", receipts_for=which)
    for number in (1, 2, 3):
        esme.submit("989120000001", **PARTS["udh"](number))
    esme.submit("989120000002")
    pdus, receipts = [], []
    while len(pdus) < 4 or len(receipts) < len(told) + 1:
        pdu = esme.read()
        if pdu.command == DELIVER:
            esme.acknowledge(pdu)
            receipts.append(pdu.body)
        else:
            pdus.append(pdu)
    ids = [pdu.id for pdu in pdus]
    assert [n for n in (1, 2, 3, 4) if any(ids[n - 1].encode() in body for body in receipts)] == [*told, 4]


@pytest.mark.parametrize("is_echoed", [True, False])
def test_our_reference_is_kept_and_comes_back(simulator: RunningSimulator, esme: Esme, is_echoed: bool) -> None:
    simulator.control("1000", is_reference_echoed=is_echoed)
    esme.submit("989120000001", tlvs={REFERENCE: b"\x12\x34"})
    assert esme.delivery().tlvs.get(REFERENCE) == (b"\x12\x34" if is_echoed else None)
    assert rows(simulator)[0]["reference"] == 0x1234


# Receipts


def test_receipts_are_spread_over_the_receiving_links(simulator: RunningSimulator) -> None:
    simulator.control("1000", report_delay_seconds=[0.2, 0.2])
    with (
        Esme(simulator.smpp_port, TRANSMITTER) as sender,
        Esme(simulator.smpp_port, RECEIVER) as one,
        Esme(simulator.smpp_port, RECEIVER) as other,
    ):
        sender.submit(*MANY[:100])
        assert {pdu.command for pdu in sender.answers(100)} == {SUBMIT | ANSWER}
        told = [link.delivery().source for link in (one, other) for _ in range(40)]
        with pytest.raises(TimeoutError):
            sender.read(timeout=0.1)
    assert len(set(told)) == 80


def test_a_receipt_is_repeated_until_it_is_acknowledged(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", receipt_repeat_seconds=0.2)
    esme.submit("989120000001")
    for status in (None, 0x64, 0):
        while (pdu := esme.read()).command != DELIVER:
            pass
        if status is not None:
            esme.acknowledge(pdu, status=status)
    until(lambda: simulator.call("/control/1000")["acknowledged"] == 1)
    with pytest.raises(TimeoutError):
        esme.delivery(timeout=1.2)


def test_what_a_lost_link_did_not_acknowledge_goes_to_another(simulator: RunningSimulator) -> None:
    with Esme(simulator.smpp_port) as lost:
        lost.submit("989120000001")
        lost.delivery(is_acknowledged=False)
    with Esme(simulator.smpp_port) as next_one:
        assert next_one.delivery().source == "989120000001"


def test_no_more_are_sent_than_the_link_has_room_for(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", receipt_window=5)
    esme.submit(*MANY[:20])
    seen = [esme.delivery(is_acknowledged=False) for _ in range(5)]
    with pytest.raises(TimeoutError):
        esme.delivery(timeout=0.3)
    assert len(seen) == 5
    assert simulator.call("/control/1000")["receipts_waiting"] == 15


@pytest.mark.parametrize(
    ("style", "reported"),
    [
        ("exact", lambda told: told),
        ("hex_reported", lambda told: f"{int(told):x}"),
        ("decimal_reported", lambda told: str(int(told, 16))),
        ("padded", lambda told: told.zfill(20)),
        ("upper", lambda told: told.upper()),
    ],
)
def test_ids_are_spelt_one_way_in_answers_and_another_in_receipts(
    simulator: RunningSimulator, esme: Esme, style: str, reported: Callable[[str], str]
) -> None:
    simulator.control("1000", id_style=style)
    esme.submit("989120000001")
    (answer,) = esme.answers(1)
    receipt = esme.delivery()
    assert receipt.fields["id"] == receipt.tlvs[RECEIPTED].rstrip(b"\0").decode() == reported(answer.id)


def test_ids_may_be_spelt_in_every_way_at_once(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", id_style="mixed", report_delay_seconds=[0.2, 0.2])
    esme.submit(*MANY[:50])
    told = [pdu.id for pdu in esme.answers(50)]
    reported = [esme.delivery().fields["id"] for _ in range(50)]
    assert 0 < sum(a == b for a, b in zip(told, reported, strict=True)) < 50
    assert any(text.startswith("000") for text in reported)


@pytest.mark.parametrize(("style", "has_text", "has_tlvs"), [("both", 1, 1), ("text", 1, 0), ("tlv", 0, 1)])
def test_a_receipt_is_told_by_text_or_by_parameters(
    simulator: RunningSimulator, esme: Esme, style: str, has_text: bool, has_tlvs: bool
) -> None:
    simulator.control("1000", receipt_style=style)
    esme.submit("989120000001")
    receipt = esme.delivery()
    assert (bool(receipt.text), RECEIPTED in receipt.tlvs) == (has_text, has_tlvs)


@pytest.mark.parametrize("kind", ["missing", "reordered", "non_ascii"])
def test_odd_receipts_still_tell_id_and_state(simulator: RunningSimulator, esme: Esme, kind: str) -> None:
    simulator.control("1000", odd_receipt_share=1, odd_receipt_kinds=[kind], receipt_style="text")
    esme.submit("989120000001")
    (answer,) = esme.answers(1)
    receipt = esme.delivery()
    assert (receipt.fields["id"], receipt.fields["stat"]) == (answer.id, "DELIVRD")
    assert (b"sub:" in receipt.text) == (kind != "missing")
    assert receipt.text.startswith(b"id:") == (kind != "reordered")
    assert receipt.text.isascii() == (kind != "non_ascii")


def test_a_receipt_can_overtake_the_answer(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", early_receipt_share=1, report_delay_seconds=[60, 60])
    esme.submit("989120000001")
    first, second = esme.read(), esme.read()
    assert (first.command, second.command) == (DELIVER, SUBMIT | ANSWER)
    assert second.id.encode() in first.body


def test_receipts_twice_flipped_and_of_strangers(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", twice_receipt_share=1, flipped_receipt_share=1, stranger_receipt_share=1)
    esme.submit("989120000001")
    (answer,) = esme.answers(1)
    told = [esme.delivery().fields for _ in range(4)]
    assert [fields["stat"] for fields in told] == ["UNDELIV", "DELIVRD", "DELIVRD", "DELIVRD"]
    assert [fields["id"] == answer.id for fields in told] == [True, True, True, False]


def test_what_was_not_delivered_is_not_flipped(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", flipped_receipt_share=1, stranger_receipt_share=1)
    esme.submit("989120000096")
    esme.answers(1)
    assert [esme.delivery().fields["err"] for _ in range(2)] == ["002", "002"]


def test_a_reset_forgets_what_waits(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", report_delay_seconds=[0.2, 0.2])
    esme.submit("989120000001")
    esme.answers(1)
    simulator.control("1000", reset=True)
    with pytest.raises(TimeoutError):
        esme.delivery(timeout=0.6)
    assert accepted(simulator) == 0


# Texts from people


@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [("Yes @ [home]", 0, 1), ("سلام", 8, 1), ("س" * 71, 8, 2), ("😀" * 40, 8, 2), ("€" * 81, 0, 2), ("a" * 307, 0, 3)],
)
def test_a_text_to_a_line_arrives_in_its_parts(
    simulator: RunningSimulator, esme: Esme, text: str, coding: int, parts: int
) -> None:
    simulator.call("/control/1000/inbound", (f'{{"from": "09120000001", "to": "{LINE}", "body": "{text}"}}').encode())
    got = [esme.delivery() for _ in range(parts)]
    assert {(part.source, part.destination, part.coding) for part in got} == {("989120000001", LINE, coding)}
    if parts > 1:
        assert [part.text[:6][-2:] for part in got] == [bytes((parts, n + 1)) for n in range(parts)]
        assert len({part.text[3] for part in got}) == 1
    pieces = [part.text[6:] if part.esm_class == 0x40 else part.text for part in got]
    if coding == 8:
        assert "".join(piece.decode("utf-16-be") for piece in pieces) == text
    else:
        codes = b"".join(pieces)
        spelt = codes.replace(b"\x1be", "€".encode()).replace(b"\x1b\x3c", b"[").replace(b"\x1b\x3e", b"]")
        assert spelt.replace(b"\0", b"@").decode() == text
        assert all(not piece.endswith(b"\x1b") for piece in pieces)
