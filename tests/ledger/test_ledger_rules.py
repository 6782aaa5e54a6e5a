"""What a transfer is about, and how it is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.money import parse_rial
from sms.ledger.rules import Subject, TransferKind, csv_text, missing, rial_text, subject_of, why


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("campaign:12", Subject("campaign", 12)),
        ("account:7", Subject("account", 7)),
        ("campaign:", Subject("", None)),
        ("campaign", Subject("", None)),
        (":12", Subject("", None)),
        ("campaign:-1", Subject("", None)),
        ("campaign:۱۲", Subject("", None)),
        ("", Subject("", None)),
    ],
)
def test_a_subject_is_read_into_kind_and_id(text, subject):
    assert subject_of(text) == subject


CAMPAIGN = Subject("campaign", 12)


@pytest.mark.parametrize(
    ("kind", "amount", "subject", "sentence"),
    [
        (TransferKind.HOLD, -1, CAMPAIGN, "Set aside for campaign 12"),
        (TransferKind.REPRICE, 1, CAMPAIGN, "Back from campaign 12: it goes on over a cheaper line"),
        (TransferKind.REPRICE, -1, CAMPAIGN, "More set aside for campaign 12: it goes on over a dearer line"),
        (TransferKind.RELEASE, 1, CAMPAIGN, "Back from campaign 12: these messages were not sent"),
        (TransferKind.REFUND, 1, CAMPAIGN, "Refunded by the operator’s rule, campaign 12"),
        (TransferKind.REFUND, 1, Subject("", None), "Refund"),
        (TransferKind.ADJUSTMENT, 1, Subject("account", 1), "Credited by our staff"),
        (TransferKind.ADJUSTMENT, -1, Subject("account", 1), "Debited by our staff"),
        (TransferKind.TOPUP, 1, Subject("account", 1), "Top-up"),
        (TransferKind.REVERSAL, 1, Subject("transfer", 1), "Reversal"),
    ],
)
def test_a_movement_is_said_in_words(kind, amount, subject, sentence):
    assert why(kind=kind, amount_mrial=amount, subject=subject) % {"number": subject.id} == sentence


@pytest.mark.parametrize("kind", list(TransferKind))
def test_every_kind_has_words(kind):
    assert why(kind=kind, amount_mrial=1, subject=CAMPAIGN)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+98", "'+98"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("hello", "hello"),
        ("سلام = 1", "سلام = 1"),
        ("", ""),
    ],
)
def test_a_text_is_never_read_as_a_formula(text, cell):
    assert csv_text(text) == cell


@pytest.mark.parametrize(
    ("mrial", "text"),
    [(0, "0"), (1000, "1"), (1500, "1.5"), (-1390, "-1.39"), (1, "0.001"), (-1, "-0.001"), (10**15, "1000000000000")],
)
def test_amounts_are_written_in_rial_for_programs(mrial, text):
    assert rial_text(mrial) == text


@given(st.integers(-(10**16), 10**16))
def test_what_is_written_reads_back_as_the_same_amount(mrial):
    assert parse_rial(rial_text(mrial)) == mrial


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_missing_is_exactly_what_makes_it_enough(balance, limit, amount):
    lack = missing(balance_mrial=balance, credit_limit_mrial=limit, amount_mrial=amount)
    assert lack >= 0
    assert balance + lack - amount >= -limit
    if lack:
        assert balance + lack - 1 - amount < -limit
