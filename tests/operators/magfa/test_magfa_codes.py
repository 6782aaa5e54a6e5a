"""Magfa's codes: every documented one has a meaning, and money never moves on an undocumented one."""

import pytest
from magfa.error_codes import errors as documented

from sms.operators.adapters.magfa import codes
from sms.operators.rules import Outcome

PER_REQUEST_ONLY = codes.NOT_KNOWN_THERE | {codes.NO_SUCH_ID, 31} | set(range(101, 111))


def test_every_documented_error_has_its_place() -> None:
    assert set(documented) == set(codes.REFUSALS) | PER_REQUEST_ONLY


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (27, Outcome.BLOCKED),
        (33, Outcome.OPTED_OUT),
        (8, Outcome.OUT_OF_HOURS),
        (1, Outcome.REFUSED),
        (34, Outcome.REFUSED),
    ],
)
def test_refusals(code: int, outcome: Outcome) -> None:
    assert codes.REFUSALS[code] is outcome


def test_reports() -> None:
    assert codes.REPORTS == {
        0: None,
        1: Outcome.DELIVERED,
        2: Outcome.UNDELIVERED,
        8: None,
        16: Outcome.NOT_IN_NETWORK,
        27: Outcome.BLOCKED,
        33: Outcome.OPTED_OUT,
    }
    assert codes.UNKNOWN_ID not in codes.REPORTS
