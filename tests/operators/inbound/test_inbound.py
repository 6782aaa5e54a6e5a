"""Texts on their way in: kept raw before they are read, joined from parts whatever is told again, asked for in time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from sms.core.db import rows, scalar, transaction
from sms.operators.contract import InboundPart, InboundText, RawInbound
from sms.operators.inbound import operations, queries
from sms.operators.inbound.rules import Piece, Way, pause, runs, with_gaps
from sms.operators.protocols.pushed import packed, texts_of
from tests.factories import AT, make_gateway

LINE = "30001234"


@pytest.mark.parametrize(
    ("every", "failures", "seconds"),
    [(15, 0, 15), (15, 1, 30), (15, 4, 240), (15, 9, 300), (15, 500, 300), (900, 3, 900)],
)
def test_an_operator_that_fails_is_asked_ever_more_rarely(every: int, failures: int, seconds: int) -> None:
    assert pause(every, failures) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("places", "total", "shown"),
    [
        ([1, 2], 3, "ab […]"),
        ([2], 3, "[…] b […]"),
        ([1, 3], 3, "a […] c"),
        ([3, 1], 4, "a […] c […]"),
        ([2, 3], 3, "[…] bc"),
    ],
)
def test_a_text_with_gaps_says_where_they_are(places: Sequence[int], total: int, shown: str) -> None:
    found = runs([Piece(place, b"abcd"[place - 1 : place], 0) for place in places])
    texts = ["".join(piece.content.decode() for piece in run) for run in found]
    assert with_gaps(texts, found[0][0].place, found[-1][-1].place, total) == shown


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"from": ["09120000001"], "to": ["x"], "text": ["سلام"]}, [("09120000001", LINE, "سلام", "")]),
        ({"FROM": ["98912"], "Message": ["a\nb"], "MessageId": ["7"]}, [("98912", LINE, "a\nb", "7")]),
        (b'{"sender": 989120000001, "body": "hi", "id": 9}', [("989120000001", LINE, "hi", "9")]),
        (b'[{"from": "1", "text": ""}, {"from": "2", "text": "b"}]', [("1", LINE, "", ""), ("2", LINE, "b", "")]),
        (b'{"messages": [{"senderNumber": "3", "body": "c"}]}', [("3", LINE, "c", "")]),
        ({"from": ["09120000001"]}, []),
        ({"text": ["nobody"]}, []),
        (b"\xff\x00", []),
        (b"[[[1]]]", []),
        (b'{"from": {"a": 1}, "text": "x"}', []),
    ],
)
def test_what_is_pushed_is_read_however_it_is_named(payload: Any, told: list[tuple[str, str, str, str]]) -> None:
    found = texts_of(RawInbound(packed(payload), LINE))
    assert [(text.sender, text.line_number, text.body, text.operator_ref) for text in found] == told


# Parts


def _part(place: int, content: bytes, *, reference: int = 7, total: int = 3) -> InboundPart:
    return InboundPart("989120000001", LINE, reference, total, place, content, 0)


def _bodies() -> list[tuple[str, int]]:
    return [(found.body, found.missing) for found in rows("SELECT body, missing FROM operators_inbound ORDER BY id")]


@pytest.fixture
def gateway_id(app: Flask) -> int:
    return make_gateway()[1]


def _keep(gateway_id: int, *parts: InboundPart, after_minutes: float = 0) -> None:
    with transaction():
        operations.keep([], parts, gateway_id=gateway_id, at=AT + timedelta(minutes=after_minutes))


def test_parts_are_joined_in_any_order_and_told_again_they_are_no_other_text(gateway_id: int) -> None:
    parts = [_part(1, b"one "), _part(2, b"two "), _part(3, b"three")]
    _keep(gateway_id, parts[2], parts[0])
    assert _bodies() == []
    _keep(gateway_id, parts[1])
    _keep(gateway_id, *parts, after_minutes=5)
    assert _bodies() == [("one two three", 0)]
    with transaction():
        assert operations.give_up_waiting(at=AT + timedelta(hours=1)) == 0


def test_a_reference_that_is_used_again_is_another_text(gateway_id: int) -> None:
    _keep(gateway_id, _part(1, b"one ", total=2), _part(2, b"two", total=2))
    _keep(gateway_id, _part(1, b"other ", total=2), after_minutes=2)
    _keep(gateway_id, _part(2, b"words", total=2), after_minutes=3)
    assert _bodies() == [("one two", 0), ("other words", 0)]


def test_what_never_comes_is_waited_for_and_then_shown_as_missing_once(gateway_id: int) -> None:
    _keep(gateway_id, _part(1, b"one "), _part(3, b"three"))
    with transaction():
        assert operations.give_up_waiting(at=AT + timedelta(minutes=14)) == 0
        assert operations.give_up_waiting(at=AT + timedelta(minutes=16)) == 1
        assert operations.give_up_waiting(at=AT + timedelta(minutes=40)) == 0
    assert _bodies() == [("one  […] three", 1)]
    _keep(gateway_id, _part(1, b"one "), after_minutes=20)  # told again
    with transaction():
        operations.forget(at=AT + timedelta(hours=3))
    assert _bodies() == [("one  […] three", 1)]
    assert scalar("SELECT count(*) FROM operators_inbound_part") == 0


# Raw answers


def test_raw_answers_are_read_once_and_what_cannot_be_read_stays(gateway_id: int) -> None:
    good = RawInbound(b'{"status":0,"messages":[{"body":"a\\u0000b","senderNumber":"1","recipientNumber":"3"}]}')
    raws = [good, RawInbound(b"<html>"), RawInbound(packed({"from": ["1"], "text": ["c"]}), LINE)]
    with transaction():
        operations.keep_raw(raws[:2], gateway_id=gateway_id, way=Way.ASKED, at=AT)
        operations.keep_raw(raws[2:], gateway_id=gateway_id, way=Way.PUSHED, at=AT)
    assert queries.has_arrived()
    with transaction():
        assert operations.read_raw(queries.reader_of, most=10, at=AT) == 3
        assert operations.read_raw(queries.reader_of, most=10, at=AT) == 0
    assert _bodies() == [("ab", 0), ("c", 0)]
    assert [raw.shown for raw in queries.unreadable(most=5)] == ["<html>"]
    with transaction():
        operations.forget(at=AT + timedelta(days=8))
    assert scalar("SELECT count(*) FROM operators_inbound_raw") == 1


def test_an_answer_that_breaks_its_reader_or_off_stays_for_a_person_and_stops_nothing(gateway_id: int) -> None:
    def breaking(raw: RawInbound) -> list[InboundText]:
        if raw.content == b"poison":
            raise OverflowError
        return [InboundText("1", "3", raw.content.decode(), None)]

    raws = [RawInbound(b"poison"), RawInbound(b"torn", is_whole=False), RawInbound(b"whole")]
    with transaction():
        operations.keep_raw(raws, gateway_id=gateway_id, way=Way.ASKED, at=AT)
        assert operations.read_raw(lambda *_: breaking, most=10, at=AT) == 3
        operations.forget(at=AT + timedelta(days=8))
    assert _bodies() == [("torn", 0), ("whole", 0)]
    assert [raw.shown for raw in queries.unreadable(most=5)] == ["torn", "poison"]


# Asking


def test_the_turn_of_asking_is_one_at_a_time_and_knows_of_a_death(gateway_id: int) -> None:
    assert queries.due_gateways(at=AT) == [gateway_id]

    def claim(after_seconds: float) -> bool | None:
        with transaction():
            poll = operations.claim_poll(
                gateway_id=gateway_id, lease_seconds=60, at=AT + timedelta(seconds=after_seconds)
            )
        return None if poll is None else poll.is_again

    assert claim(0) is False
    assert claim(30) is None
    assert claim(61) is True  # whoever asked first died
    with transaction():
        operations.end_poll(gateway_id=gateway_id, has_failed=True, at=AT + timedelta(seconds=62))
    assert queries.due_gateways(at=AT + timedelta(seconds=80)) == []
    assert claim(100) is True  # failed: what was told may not have arrived
    with transaction():
        operations.end_poll(gateway_id=gateway_id, has_failed=False, at=AT + timedelta(seconds=101))
    assert claim(110) is None
    assert claim(120) is False


def test_a_text_of_any_kind_can_be_kept(gateway_id: int) -> None:
    with transaction():
        operations.keep([InboundText("\0", "\ud83d", "a\0\ud83d{{7*7}}", AT, "r\0")], gateway_id=gateway_id, at=AT)
    assert _bodies() == [("a?{{7*7}}", 0)]
