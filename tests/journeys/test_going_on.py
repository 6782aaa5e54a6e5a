"""A send that is scheduled, paused and let go on, while its operator goes down and the rest takes another way."""

import re

from sms.core import clock
from sms.core.calendar import TEHRAN
from sms.core.db import execute, release, row, scalar, transaction
from sms.dashboard import queries as dashboard
from sms.dashboard.rules import demo_recipients
from tests.journeys.conftest import Hands
from tests.journeys.walker import Walker
from tests.simulator.running import RunningSimulator

COUNT = 1200
SILENT = ("97", "98")  # refused, or never reported: not what this is about


def _line_id(number: str) -> str:
    return str(scalar("SELECT id FROM lines_line WHERE number = :number", number=number))


def test_what_an_operator_that_fails_leaves_lying_goes_on_over_the_next_line_of_the_plan(
    walker: Walker, hands: Hands, simulator: RunningSimulator
) -> None:
    numbers = [number for number in demo_recipients(COUNT) if not number.endswith(SILENT)]
    walker.sign_in("customer").go("/compose").submit(
        "/compose", body="The sale begins.", line_id=_line_id("30004505"), recipients="\n".join(numbers)
    )
    hands.work()
    begins = clock.now().astimezone(TEHRAN).replace(year=clock.now().year + 1, month=1, day=1, hour=9, minute=30)
    walker.go(walker.address).submit(
        "/confirm",
        **{"day": begins.date().isoformat(), "clock": "09:30", "plan_line-0": _line_id("20004505")},
    )
    campaign_id = int(re.findall(r"/campaigns/(\d+)", walker.address)[0])
    hands.work()
    assert simulator.truth("summary")["3000"]["accepted"] == 0

    walker.submit("/pause").submit("/begin").submit("/resume")
    simulator.control("3000", is_cut_off=True)
    hands.work_until(lambda: _count("outbox_move WHERE message_count > 0") > 0)
    hands.work_until(lambda: simulator.truth("summary")["2000"]["accepted"] > 0)
    simulator.control("3000", is_cut_off=False)
    hands.work_until(lambda: _is_closed(campaign_id))

    taken = {code: simulator.truth("summary")[code]["accepted"] for code in ("3000", "2000")}
    assert sum(taken.values()) == len(numbers)
    assert taken["2000"] > 0
    found = row("SELECT held_mrial, charged_mrial, released_mrial FROM outbox_campaign WHERE id = :id", id=campaign_id)
    cap = scalar("SELECT cap_mrial FROM outbox_campaign_line WHERE campaign_id = :id AND place = 1", id=campaign_id)
    assert found is not None
    assert found.charged_mrial + found.released_mrial == found.held_mrial <= cap
    assert "by itself: the operator failed" in walker.go(f"/campaigns/{campaign_id}").text
    _verify()


def _is_closed(campaign_id: int) -> bool:
    """Whether it is; what is of unknown fate is asked about at once: that hour is the database's own."""
    with transaction():
        execute("UPDATE outbox_unknown SET next_lookup_at = clock_timestamp() WHERE next_lookup_at IS NOT NULL")
    return scalar("SELECT closed_at FROM outbox_campaign WHERE id = :id", id=campaign_id) is not None


def _count(what: str) -> int:
    return int(scalar(f"SELECT count(*) FROM {what}"))  # noqa: S608 - our own words


def _verify() -> None:
    release()
    with transaction():
        assert {name: found for name, found in dashboard.broken().items() if found} == {}
