"""Lines that near their end: reminders, grace, suspension, and renewing with money."""

from datetime import datetime, timedelta

import pytest
from flask import Flask

from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.ledger.rules import InsufficientBalance
from sms.lines.orders.rules import OrderState, PriceChanged
from sms.lines.queries import usable_lines
from sms.lines.renewals import operations, queries
from sms.lines.renewals.rules import Stage, check_open, price, stage
from sms.outbox.operations.claiming import pick
from tests.factories import AT, Shop, make_account, make_campaign, make_refund_rule, make_tariff
from tests.lines.orders.desk import PRICE, Desk, make_format, make_number

DAY = timedelta(days=1)
END = AT + timedelta(days=365)
GRACE = 10


@pytest.fixture
def desk(app: Flask) -> Desk:
    found = Desk.open()
    make_format(found.operator_id, renewal_percent=20, renewal_months=12, grace_days=GRACE)
    return found


@pytest.fixture
def line_id(desk: Desk) -> int:
    """A line that was bought at AT and ends a year later."""
    make_number(desk.operator_id, "30001404")
    found = desk.order(desk.order_in(OrderState.ACTIVE)).line_id
    assert found is not None
    return found


STAGES = [
    (-31 * DAY, None),
    (-30 * DAY - timedelta(seconds=1), None),
    (-30 * DAY, Stage.BEFORE_30),
    (-7 * DAY, Stage.BEFORE_7),
    (-1 * DAY, Stage.BEFORE_1),
    (-timedelta(seconds=1), Stage.BEFORE_1),
    (0 * DAY, Stage.EXPIRED),
    (GRACE * DAY - timedelta(seconds=1), Stage.EXPIRED),
    (GRACE * DAY, Stage.SUSPENDED),
    (1000 * DAY, Stage.SUSPENDED),
]


@pytest.mark.parametrize(("after_end", "expected"), STAGES)
def test_a_reminder_is_the_stage_of_its_moment(
    desk: Desk, line_id: int, after_end: timedelta, expected: Stage | None
) -> None:
    at = END + after_end
    assert stage(expires_at=END, grace_days=GRACE, at=at) == expected
    for _ in range(2):  # the timetable comes often; each is told once
        with transaction():
            operations.remind(at=at)
    assert [each.kind for each in rows("SELECT kind FROM lines_reminder")] == ([expected] if expected else [])
    told = queries.ending(account_id=desk.account_id, at=at)
    assert [found for found, _ in told] == ([expected] if expected else [])


def test_each_stage_is_told_once(desk: Desk, line_id: int) -> None:
    for days in range(-40, 20):
        with transaction():
            operations.remind(at=END + days * DAY)
    assert [each.kind for each in rows("SELECT kind FROM lines_reminder ORDER BY reminded_at")] == list(Stage)


def _suspend(at: datetime) -> int:
    with transaction():
        return operations.suspend(at=at)


def test_after_its_grace_a_line_stops_sending_and_stays_its_owners(desk: Desk, line_id: int) -> None:
    assert _suspend(END + GRACE * DAY - timedelta(seconds=1)) == 0
    assert [line.id for line in usable_lines(desk.account_id)] == [line_id]
    assert _suspend(END + GRACE * DAY) == 1
    assert _suspend(END + 1000 * DAY) == 0

    assert usable_lines(desk.account_id) == []
    line = row("SELECT account_id, suspended_at, is_active FROM lines_line WHERE id = :id", id=line_id)
    assert line is not None
    assert tuple(line) == (desk.account_id, END + GRACE * DAY, True)
    number = row("SELECT state, account_id FROM lines_number WHERE line_id = :id", id=line_id)
    assert number is not None
    assert tuple(number) == ("suspended", desk.account_id)
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'line.suspended'") == 1


def test_what_is_queued_on_a_suspended_line_waits(desk: Desk, line_id: int) -> None:
    make_tariff(operator_id=desk.operator_id)
    make_refund_rule(operator_id=desk.operator_id)
    wallet = scalar("SELECT id FROM ledger_wallet WHERE account_id = :id AND kind = 'customer'", id=desk.account_id)
    make_campaign(
        Shop(desk.account_id, desk.user_id, wallet, desk.operator_id, desk.gateway_id, line_id, "3000"), size=2
    )

    def picked() -> int:
        with transaction():
            return len(pick(gateway_id=desk.gateway_id, most=9, lease_seconds=1, epoch=None, at=None))

    _suspend(END + GRACE * DAY)
    assert picked() == 0
    with transaction():
        execute("UPDATE lines_line SET suspended_at = NULL")
    assert picked() == 1


# Renewing


def _renew(
    desk: Desk, line_id: int, *, at: datetime, end: datetime = END, account_id: int = 0, **changes: int
) -> datetime:
    with transaction():
        return operations.renew(
            account_id=account_id or desk.account_id,
            line_id=line_id,
            expires_at=end.isoformat(),
            shown_mrial=changes.get("shown_mrial", PRICE // 5),
            by=desk.customer,
            at=at,
        )


def test_a_period_is_paid_once_and_counts_from_the_old_end(desk: Desk, line_id: int) -> None:
    money = desk.balance()
    late = END + GRACE * DAY
    _suspend(late)
    assert _renew(desk, line_id, at=late) == END.replace(year=END.year + 1)
    with pytest.raises(Refusal):
        _renew(desk, line_id, at=late)  # the same form once more

    assert desk.balance() == money - PRICE // 5
    assert [line.id for line in usable_lines(desk.account_id)] == [line_id]
    assert scalar("SELECT state FROM lines_number WHERE line_id = :id", id=line_id) == "active"
    (kind,) = rows("SELECT kind, subject FROM ledger_transfer WHERE key LIKE 'renewal:%'")
    assert tuple(kind) == ("renewal", f"line:{line_id}")
    desk.verify()


def test_who_comes_years_late_pays_each_period_before_the_line_sends_again(desk: Desk, line_id: int) -> None:
    late = END + timedelta(days=800)
    _suspend(late)
    end = END
    for is_sending in (False, False, True):
        end = _renew(desk, line_id, at=late, end=end)
        assert bool(usable_lines(desk.account_id)) is is_sending
    desk.verify()


@pytest.mark.parametrize("shown", [0, PRICE])
def test_no_other_price_is_paid_than_was_shown(desk: Desk, line_id: int, shown: int) -> None:
    money = desk.balance()
    with pytest.raises(PriceChanged):
        _renew(desk, line_id, at=END, shown_mrial=shown)
    assert desk.balance() == money


def test_it_can_be_too_early_and_too_dear(desk: Desk, line_id: int) -> None:
    with pytest.raises(Refusal):
        _renew(desk, line_id, at=END - 61 * DAY)
    with transaction():
        execute("UPDATE lines_line SET bought_mrial = 10 * :money", money=desk.balance())
    with pytest.raises(InsufficientBalance):
        _renew(desk, line_id, at=END, shown_mrial=2 * desk.balance())
    assert scalar("SELECT count(*) FROM lines_renewal") == 0
    with pytest.raises(Refusal):
        check_open(expires_at=None, at=END)
    assert price(999, percent=20) == 199


def test_nobody_renews_a_line_of_others(desk: Desk, line_id: int) -> None:
    stranger, *_ = make_account()
    with pytest.raises(NotFound):
        _renew(desk, line_id, at=END, account_id=stranger)
    with pytest.raises(NotFound):
        queries.lease(account_id=stranger, line_id=line_id, at=END)
    assert queries.ending(account_id=stranger, at=END) == []
