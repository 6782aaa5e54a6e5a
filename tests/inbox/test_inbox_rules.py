"""What is a repeat, how senders are written, what is searched for."""

from datetime import UTC, datetime, timedelta

import pytest

from sms.inbox.rules import Arrived, Receiver, is_mobile, keys_of, line_of, once_each, sender_of, words_of

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
TEXT = Arrived(1, "3000", "09121234567", "30001234", "yes", None, "", 0, NOON)


@pytest.mark.parametrize(
    ("changes", "is_repeat"),
    [
        ({}, True),
        ({"sender": "+98 912 123 4567"}, True),
        ({"received_at": NOON + timedelta(seconds=119)}, True),
        ({"received_at": NOON + timedelta(seconds=121)}, True),  # the stretch before its own
        ({"received_at": NOON + timedelta(minutes=5)}, False),
        ({"body": "yes "}, False),
        ({"sender": "09121234568"}, False),
        ({"line_number": "30001235"}, False),
        ({"gateway_id": 2}, False),
        ({"missing": 1}, False),
        ({"operator_ref": "7"}, False),
        ({"sent_at": NOON}, False),
    ],
)
def test_without_an_id_the_same_words_close_together_are_one_text(changes: dict[str, object], is_repeat: bool) -> None:
    kept = once_each([TEXT, TEXT._replace(**changes)], frozenset())  # type: ignore[arg-type]
    assert [each.times for each in kept] == ([2] if is_repeat else [1, 1])


def test_an_id_or_a_moment_of_the_operator_decides() -> None:
    later = {"received_at": NOON + timedelta(days=1)}
    for known in ({"operator_ref": "7"}, {"sent_at": NOON}):
        text = TEXT._replace(**known)  # type: ignore[arg-type]
        assert keys_of(text) == keys_of(text._replace(**later))  # type: ignore[arg-type]
        assert len(once_each([text, text._replace(**later)], frozenset())) == 1  # type: ignore[arg-type]
    assert keys_of(TEXT._replace(operator_ref="7")) != keys_of(TEXT._replace(operator_ref="8"))
    assert keys_of(TEXT._replace(sent_at=NOON)) != keys_of(TEXT._replace(sent_at=NOON + timedelta(seconds=1)))


def test_what_is_there_already_is_known() -> None:
    before = TEXT._replace(received_at=NOON - timedelta(seconds=60))
    (kept,) = once_each([before], frozenset())
    (again,) = once_each([TEXT], frozenset({(1, kept.key)}))
    assert again.key == kept.key


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("09121234567", "989121234567"),
        ("+989121234567", "989121234567"),
        ("۰۹۱۲۱۲۳۴۵۶۷", "989121234567"),
        ("BANK/x", "BANK x"),
        (" 1000 ", "1000"),
        ("", "?"),
        ("..", "?"),
        ("a\u202eb\u2066", "ab"),
        ("a" * 300, "a" * 100),
    ],
)
def test_a_sender_is_written_one_way(text: str, sender: str) -> None:
    assert sender_of(text) == sender
    assert is_mobile(sender) == (sender == "989121234567")


@pytest.mark.parametrize(
    ("text", "line"), [("30001234", "30001234"), ("+9830001234", "30001234"), ("009830001234", "30001234"), ("x", "x")]
)
def test_a_line_is_written_as_it_is_stored(text: str, line: str) -> None:
    assert line_of(text, operator_code="3000") == line


@pytest.mark.parametrize(
    ("receiver", "owner"),
    [
        (Receiver(1, "3000", "dedicated", 5, None), 5),
        (Receiver(1, "3000", "dedicated", 5, NOON), 5),
        (Receiver(1, "3000", "dedicated", 5, NOON + timedelta(seconds=1)), None),
        (Receiver(1, "3000", "dedicated", None, None), None),
        (Receiver(1, "3000", "public", None, None), None),
    ],
)
def test_a_text_is_of_who_owned_the_line_when_it_came(receiver: Receiver, owner: int | None) -> None:
    assert receiver.owner_at(NOON) == owner


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("", ""),
        ("  ", ""),
        ("سلام", "'سلام':*"),
        ("كد ۱۲", "'کد' & '12':*"),
        ("a & b | !c:* '", "'a' & 'b' & 'c':*"),
        ("<img onerror>", "'img' & 'onerror':*"),
    ],
)
def test_words_are_searched_for_and_nothing_else(search: str, words: str) -> None:
    assert words_of(search) == words
