"""Ids carry their time and survive JavaScript."""

from datetime import UTC, datetime

from sms.core.ids import first_id_at, moment_of


def test_an_id_says_when_it_was_made() -> None:
    moment = datetime(2026, 11, 23, 8, 30, 15, tzinfo=UTC)

    assert moment == moment_of(first_id_at(moment))
    assert moment == moment_of(first_id_at(moment) + 2**20 - 1)


def test_ids_stay_exact_in_javascript_until_2290() -> None:
    assert first_id_at(datetime(2290, 1, 1, tzinfo=UTC)) < 2**53
