"""A submission on its way: what is known of each of its messages, whatever happens to its PDUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.operators.contract import Answer, AnswerKind, Envelope, Submission
from sms.operators.protocols.smpp.parcel import Parcel, Reported
from sms.operators.protocols.smpp.pdus import Address, Part, SubmitTemplate
from sms.operators.rules import Outcome

NO = Answer(0, AnswerKind.REFUSED, code="0x0B", outcome=Outcome.REFUSED)


def parcel(size: int, parts: int = 1, reported: Reported = Reported.ALL) -> Parcel:
    one = SubmitTemplate(source=Address("1000"), recipient=Address(""), part=Part(content=b"x", data_coding=0))
    submission = Submission("1000", "x", False, [Envelope(100 + place, 989120000000 + place) for place in range(size)])
    return Parcel(submission, "t", templates=[one] * parts, reported=reported, keep=str.lower, tells_reference=False)


def test_what_is_accepted_refused_lost_and_unsent_is_told_apart() -> None:
    made = parcel(5)
    assert made.take(4, may_cut=False) == [0, 1, 2, 3]
    made.accepted(0, "REF0")
    made.refused(1, NO)
    made.lost(2)
    made.not_taken(3)
    assert not made.is_settled
    made.take_back()

    settled = made.settled()
    assert made.is_settled
    assert settled.answers == {100: Answer(100, AnswerKind.ACCEPTED, "ref0"), 101: NO._replace(message_id=101)}
    assert (sorted(settled.unsent), settled.parts, settled.ticket) == ([103, 104], [], "t")


def test_what_was_not_taken_goes_first() -> None:
    made = parcel(4)
    made.take(3, may_cut=False)
    made.not_taken(1)
    made.not_taken(0)
    assert made.waiting_count == 3
    assert made.take(3, may_cut=False) == [1, 0, 3]


def test_a_text_in_parts_is_handed_out_whole() -> None:
    made = parcel(3, parts=3)
    assert made.take(2, may_cut=False) == []
    assert made.take(5, may_cut=False) == [0, 1, 2]
    assert made.take(2, may_cut=True) == [3, 4]
    assert made.take(3, may_cut=False) == [5]
    assert made.take(99, may_cut=False) == [6, 7, 8]


@pytest.mark.parametrize(
    ("words", "answer", "refs"),
    [
        (("a", "b"), ("accepted", "a,b"), ["a", "b"]),
        ((None, None), ("refused", ""), []),
        (("a", None), ("accepted", "a,"), ["a", ""]),  # half of it went out: never sent again, never given back
        (("a", "lost"), None, ["a", ""]),
        (("lost", "lost"), None, []),
        ((None, "lost"), None, []),
    ],
)
def test_a_text_in_parts_is_one_message(
    words: tuple[str | None, ...], answer: tuple[str, str] | None, refs: list[str]
) -> None:
    made = parcel(1, parts=2)
    for position in made.take(2, may_cut=False):
        word = words[position]
        if word is None:
            made.refused(position, NO)
        elif word == "lost":
            made.lost(position)
        else:
            made.accepted(position, word)
    settled = made.settled()
    found = settled.answers.get(100)
    assert (found and (str(found.kind), found.operator_ref)) == answer
    assert [(part.part, part.total, part.operator_ref) for part in settled.parts] == [
        (place, 2, ref) for place, ref in enumerate(refs, start=1)
    ]
    assert settled.unsent == []


@pytest.mark.parametrize(("reported", "ref"), [(Reported.FIRST, "a"), (Reported.LAST, "b"), (Reported.ALL, "a,b")])
def test_the_part_that_is_reported_names_the_message(reported: Reported, ref: str) -> None:
    made = parcel(1, parts=2, reported=reported)
    made.take(2, may_cut=False)
    made.accepted(1, "b")
    made.accepted(0, "a")
    settled = made.settled()
    assert settled.answers[100].operator_ref == ref
    assert bool(settled.parts) is (reported is Reported.ALL)


def test_a_half_sent_text_is_of_unknown_fate_and_not_unsent() -> None:
    made = parcel(2, parts=2)
    made.take(1, may_cut=True)
    made.accepted(0, "a")
    made.take_back()
    settled = made.settled()
    assert made.is_settled
    assert (settled.answers, settled.unsent) == ({}, [101])


def test_a_half_sent_text_may_be_completed_while_the_rest_is_unsent() -> None:
    made = parcel(3, parts=2)
    made.take(4, may_cut=False)
    for position in (0, 2):
        made.accepted(position, f"ref{position}")
        made.not_taken(position + 1)
    made.take_back(completes=True)
    assert (made.is_settled, made.waiting_count) == (False, 2)
    assert made.take(1, may_cut=False) == [1]
    made.accepted(1, "ref1")
    made.take_back()
    settled = made.settled()
    assert made.is_settled
    assert (list(settled.answers), settled.unsent) == ([100], [102])


@given(
    st.integers(1, 8), st.integers(1, 4), st.lists(st.tuples(st.integers(0, 6), st.sampled_from("arnl")), max_size=60)
)
def test_every_message_has_one_fate(size: int, parts: int, steps: list[tuple[int, str]]) -> None:
    made = parcel(size, parts)
    flying: list[int] = []
    for room, word in steps:
        flying += made.take(room, may_cut=False)
        if flying:
            position = flying.pop(0)
            match word:
                case "a":
                    made.accepted(position, f"ref{position}")
                case "r":
                    made.refused(position, NO)
                case "n":
                    made.not_taken(position)
                case _:
                    made.lost(position)
    made.take_back(completes=True)
    made.take_back()
    for position in flying:
        made.lost(position)
    settled = made.settled()
    assert made.is_settled
    assert set(settled.answers) & set(settled.unsent) == set()
    assert set(settled.answers) | set(settled.unsent) <= {100 + place for place in range(size)}
    assert len(settled.unsent) == len(set(settled.unsent))
