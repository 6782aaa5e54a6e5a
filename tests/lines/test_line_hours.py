"""Hours and rates of lines: the table of a window, and the staff's page that sets them."""

from datetime import UTC, date, datetime, time

import pytest
from flask import Flask

from sms.core.calendar import TEHRAN
from sms.core.db import execute, row, scalar, transaction
from sms.lines.queries import usable_line
from sms.lines.rules import UnusableLine, Window, check_per_second, check_window
from tests.factories import make_shop
from tests.outbox.visits import staff

DAY = Window(time(8), time(22))
NIGHT = Window(time(22), time(6))
TO_MIDNIGHT = Window(time(8), time(0))


def tehran(clock: str, day: int = 24) -> datetime:
    """A moment in Tehran."""
    return datetime.combine(date(2026, 11, day), time.fromisoformat(clock), tzinfo=TEHRAN)


@pytest.mark.parametrize(
    ("window", "clock", "is_open", "next_opening", "next_closing"),
    [
        (DAY, "07:59:59", False, "08:00", "22:00"),
        (DAY, "08:00", True, "08:00", "22:00"),
        (DAY, "21:59:59", True, "21:59:59", "22:00"),
        (DAY, "22:00", False, "+08:00", "+22:00"),
        (DAY, "23:30", False, "+08:00", "+22:00"),
        (NIGHT, "21:59:59", False, "22:00", "+06:00"),
        (NIGHT, "22:00", True, "22:00", "+06:00"),
        (NIGHT, "23:59:59", True, "23:59:59", "+06:00"),
        (NIGHT, "00:00", True, "00:00", "06:00"),
        (NIGHT, "05:59:59", True, "05:59:59", "06:00"),
        (NIGHT, "06:00", False, "22:00", "+06:00"),
        (TO_MIDNIGHT, "23:59:59", True, "23:59:59", "+00:00"),
        (TO_MIDNIGHT, "00:00", False, "08:00", "+00:00"),
    ],
)
def test_a_window_on_tehrans_clock(
    window: Window, clock: str, is_open: bool, next_opening: str, next_closing: str
) -> None:
    def moment(text: str) -> datetime:
        return tehran(text.removeprefix("+"), day=25 if text.startswith("+") else 24)

    at = tehran(clock).astimezone(UTC)
    assert window.is_open(at) is is_open
    assert window.next_opening(at) == moment(next_opening)
    assert window.next_closing(at) == moment(next_closing)


@pytest.mark.parametrize(
    ("opens_at", "closes_at", "field"),
    [(time(8), None, "closes_at"), (None, time(8), "opens_at"), (time(8), time(8), "closes_at")],
)
def test_half_a_window_is_none(opens_at: time | None, closes_at: time | None, field: str) -> None:
    with pytest.raises(UnusableLine) as refusal:
        check_window(opens_at, closes_at)
    assert refusal.value.field == field


@pytest.mark.parametrize("per_second", [0, -1, 100_001])
def test_a_rate_has_bounds(per_second: int) -> None:
    with pytest.raises(UnusableLine):
        check_per_second(per_second)


@pytest.mark.parametrize(
    ("service_class", "is_single", "is_held"),
    [("advertising", True, True), ("advertising", False, True), ("service", False, True), ("service", True, False)],
)
def test_only_a_single_text_of_a_service_line_does_not_wait(
    app: Flask, service_class: str, is_single: bool, is_held: bool
) -> None:
    shop = make_shop()
    with transaction():
        execute(
            "UPDATE lines_line SET opens_at = '08:00', closes_at = '22:00', service_class = :service_class",
            service_class=service_class,
        )
    line = usable_line(shop.account_id, shop.line_id)
    assert line is not None
    assert line.is_held(tehran("23:00"), is_single=is_single) is is_held
    assert not line.is_held(tehran("12:00"), is_single=is_single)


def test_staff_set_hours_and_rate_and_customers_see_the_hours(app: Flask) -> None:
    shop = make_shop()
    walker = staff(app).go(f"/admin/lines/{shop.line_id}")
    walker.submit(f"/admin/lines/{shop.line_id}", opens_at="۸", closes_at="22:30", per_second="۵۰")
    found = row("SELECT opens_at, closes_at, per_second FROM lines_line WHERE id = :id", id=shop.line_id)
    assert found is not None
    assert tuple(found) == (time(8), time(22, 30), 50)
    assert "from 08:00 to 22:30" in walker.text
    assert scalar("SELECT details->>'per_second' FROM accounts_audit WHERE action = 'line.changed'") == "50"

    walker.submit(f"/admin/lines/{shop.line_id}", closes_at="", allowed=422)
    assert "State both when the line opens and when it closes, or neither." in walker.text
    walker.submit(f"/admin/lines/{shop.line_id}", opens_at="25", allowed=422)
    assert "“25” is not a time; write it like 08:30." in walker.text


def test_batches_of_a_line_with_a_rate_are_no_larger_than_its_second(app: Flask) -> None:
    shop = make_shop(batch_size=100)
    with transaction():
        execute("UPDATE lines_line SET per_second = 30")
    line = usable_line(shop.account_id, shop.line_id)
    assert line is not None
    assert line.batch_size == 30
