"""The simulated message centre on a bad day: refusals, cuts, garbage, disorder."""

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.esme import ANSWER, ENQUIRE, HEADER, MANY, NACK, SUBMIT, UNBIND, Esme, Gone
from tests.simulator.running import RunningSimulator


def accepted(simulator: RunningSimulator) -> int:
    return int(simulator.truth("summary")["1000"]["accepted"])


def test_99_closes_the_link_instead_of_an_answer_and_only_once(simulator: RunningSimulator) -> None:
    with Esme(simulator.smpp_port) as link:
        link.submit("989120000001", "989120000099", "989120000002")
        assert [pdu.sequence for pdu in link.answers(2)] == [2, 4]
        assert link.answers(1)[0].command == UNBIND  # none is sent into the void
        with pytest.raises(Gone):
            link.answers(1)
    with Esme(simulator.smpp_port) as link:
        assert {link.delivery().source for _ in range(3)} == {"989120000001", "989120000099", "989120000002"}
        link.submit("989120000099")
        assert link.answers(1)[0].status == 0
    assert simulator.truth("recipients?operator=1000")["1000"] == {"989120000099": 2}


def test_all_but_a_99_are_answered_however_many_are_on_the_way(simulator: RunningSimulator) -> None:
    with Esme(simulator.smpp_port) as link:
        link.submit("989120000099")
        for number in range(20):
            link.submit(f"9891200001{number:02}")
        assert [pdu.sequence for pdu in link.answers(20)] == list(range(3, 23))


def test_99_can_be_an_ordinary_number(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", is_cut_by_digits=False)
    esme.submit("989120000099")
    assert esme.answers(1)[0].status == 0


@pytest.mark.parametrize(
    ("knobs", "command", "status"),
    [
        ({"refuse_status": 0x45}, SUBMIT | ANSWER, 0x45),
        ({"queue_full_share": 1}, SUBMIT | ANSWER, 0x14),
        ({"nack_share": 1}, NACK, 0x03),
    ],
)
def test_a_refusal_accepts_nothing(
    simulator: RunningSimulator, esme: Esme, knobs: dict[str, int], command: int, status: int
) -> None:
    simulator.control("1000", **knobs)
    esme.submit("989120000001")
    pdu = esme.read()
    assert (pdu.command, pdu.status) == (command, status)
    assert accepted(simulator) == 0


def test_more_than_it_takes_in_a_second_is_throttled(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", max_per_second=5)
    esme.submit(*MANY[:100])
    statuses = [pdu.status for pdu in esme.answers(100)]
    assert set(statuses) == {0, 0x58}
    assert 5 <= statuses.count(0) == accepted(simulator) <= 15


def test_a_full_window_is_throttled(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", window=10, accept_delay_ms=300)
    esme.submit(*MANY[:15])
    assert [pdu.status for pdu in esme.answers(15)].count(0x58) == 5
    esme.submit(MANY[20])
    assert esme.answers(1)[0].status == 0


def test_the_link_is_closed_with_so_many_unanswered_once(simulator: RunningSimulator) -> None:
    simulator.control("1000", close_with_unanswered=20, report_delay_seconds=[60, 60])
    with Esme(simulator.smpp_port) as link:
        link.submit(*MANY[:20])
        with pytest.raises(Gone):
            link.read()
    assert accepted(simulator) == 20
    with Esme(simulator.smpp_port) as link:
        link.submit(MANY[30])
        assert link.read().status == 0


def test_answers_are_held_while_they_are_fewer(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", close_with_unanswered=20, report_delay_seconds=[60, 60])
    esme.submit(*MANY[:5])
    with pytest.raises(TimeoutError):
        esme.read(timeout=0.2)
    simulator.control("1000", close_with_unanswered=0)
    assert [pdu.status for pdu in esme.answers(5)] == [0] * 5


def test_answers_may_come_in_any_order_and_late(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", out_of_order_share=1, report_delay_seconds=[60, 60])
    esme.submit(*MANY[:10])
    order = [pdu.sequence for pdu in esme.answers(10)]
    assert order == sorted(order, reverse=True)
    simulator.control("1000", out_of_order_share=0, late_share=1, late_seconds=0.3)
    esme.submit(MANY[10])
    esme.send(ENQUIRE)
    assert [esme.read().command for _ in range(2)] == [ENQUIRE | ANSWER, SUBMIT | ANSWER]


def test_an_id_is_given_twice(simulator: RunningSimulator, esme: Esme) -> None:
    esme.submit("989120000001")
    (first,) = esme.answers(1)
    simulator.control("1000", same_id_share=1)
    esme.submit("989120000002")
    assert esme.answers(1)[0].id == first.id
    assert accepted(simulator) == 2


def test_replies_cut_by_share_are_accepted(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", cut_reply_share=1, report_delay_seconds=[60, 60])
    esme.submit("989120000001")
    with pytest.raises(Gone):
        esme.read()
    assert accepted(simulator) == 1


@pytest.mark.parametrize(
    ("kind", "is_seen"),
    [
        ("bytes", lambda link: len(link.read_bytes(64)) == 64),
        ("huge", lambda link: HEADER.unpack(link.read_bytes(16))[0] == 0x7FFFFFFF),
        ("no_id", lambda link: link.read()[:2] == (SUBMIT | ANSWER, 0)),
        ("other_ids", lambda link: int(link.read().id) > 7 * 10**15),
        ("wrong_sequence", lambda link: link.read().sequence > 2**29),
        ("twice", lambda link: link.read() == link.read()),
        ("nack", lambda link: link.read()[:2] == (NACK, 3)),
        ("system_error", lambda link: link.read()[:2] == (SUBMIT | ANSWER, 8)),
    ],
)
def test_each_kind_of_garbage(
    simulator: RunningSimulator, esme: Esme, kind: str, is_seen: Callable[[Esme], bool]
) -> None:
    simulator.control("1000", garbage_share=1, garbage_kinds=[kind], report_delay_seconds=[60, 60])
    esme.submit("989120000001")
    assert is_seen(esme)
    assert accepted(simulator) == 1


def test_an_answer_may_break_off(simulator: RunningSimulator, esme: Esme) -> None:
    simulator.control("1000", garbage_share=1, garbage_kinds=["truncated"], report_delay_seconds=[60, 60])
    esme.submit("989120000001")
    (promised,) = struct.unpack(">I", esme.read_bytes(4))
    esme.read_bytes(10)
    with pytest.raises(Gone):
        esme.read_bytes(promised - 14)


def test_the_same_seed_brings_the_same_faults(simulator: RunningSimulator) -> None:
    seen = []
    for _ in range(2):
        simulator.control("1000", reset=True, accept_delay_ms=0, queue_full_share=0.3)
        with Esme(simulator.smpp_port) as link:
            link.submit(*MANY[:60])
            seen.append([pdu.status for pdu in link.answers(60)])
    assert seen[0] == seen[1]
    assert set(seen[0]) == {0, 0x14}


@pytest.mark.parametrize("knobs", [{"id_style": "roman"}, {"duplicates": "same"}, {"credit_mrial": 5}, {"window": -1}])
def test_a_control_that_makes_no_sense_changes_nothing(simulator: RunningSimulator, knobs: dict[str, Any]) -> None:
    before = simulator.call("/control/1000")
    with pytest.raises(OSError, match="400"):
        simulator.control("1000", garbage_share=0.5, **knobs)
    assert simulator.call("/control/1000") == before


def test_its_address_is_told(simulator: RunningSimulator) -> None:
    assert simulator.call("/control/1000")["address"] == f"smpp://127.0.0.1:{simulator.smpp_port}"
    assert simulator.base_url("1000") == f"smpp://127.0.0.1:{simulator.smpp_port}"


@pytest.mark.parametrize("seed", range(5))
def test_noise_on_one_link_harms_no_other(simulator: RunningSimulator, esme: Esme, seed: int) -> None:
    noise = random.Random(seed)
    for _ in range(20):
        body = noise.randbytes(noise.randrange(80))
        command = noise.choice((0x01, 0x02, 0x04, 0x05, 0x09, 0x15, 0x8000_0005, noise.getrandbits(32)))
        with Esme(simulator.smpp_port, noise.choice((0, 9))) as noisy:
            noisy.send(command, body)
            noisy.raw(noise.randbytes(40))
    esme.submit("989120000001")
    assert esme.answers(1)[0].status == 0
