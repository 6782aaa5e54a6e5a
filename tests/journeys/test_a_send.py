"""From an uploaded list to the last refunded rial: the whole story, through the pages."""

import csv
import io
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.db import release, row, rows, scalar, transaction
from sms.dashboard import queries as dashboard
from sms.dashboard.rules import OPTED_OUT, demo_recipients
from sms.ledger import operations as ledger
from tests.journeys.conftest import Hands
from tests.journeys.walker import Walker
from tests.simulator.running import RunningSimulator

COUNT = 1200
BAD_ROWS = ("not a number", "02188776655", "0912")
RULE = {
    **{digits: "delivered" for digits in range(90)},
    **{digits: "blocked" for digits in range(90, 94)},
    **{94: "not_in_network", 95: "not_in_network", 96: "undelivered", 97: "refused", 98: "expired", 99: "delivered"},
}


def _list() -> tuple[bytes, list[str]]:
    """A file as shops have them: names, a header, repeated and wrong rows; and the numbers that are fine in it."""
    fine = list(demo_recipients(COUNT))
    numbers = [*fine[:600], *BAD_ROWS, *fine[:5], *fine[600:], *(f"0{number - 98 * 10**10}" for number in OPTED_OUT)]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(["نام", "شماره همراه"])
    writer.writerows((f"مشتری {place}", number) for place, number in enumerate(numbers))
    return out.getvalue().encode("utf-8-sig"), fine


def _line_id(number: str) -> str:
    return str(scalar("SELECT id FROM lines_line WHERE number = :number", number=number))


def _compose(walker: Walker, hands: Hands, line: str) -> tuple[str, list[str]]:
    """Upload the list over a line; returns the draft's address and the good numbers."""
    content, fine = _list()
    walker.sign_in("customer").go("/compose").submit(
        "/compose", body="سلام. جشنواره آغاز شد.", line_id=_line_id(line), file=(io.BytesIO(content), "customers.csv")
    )
    address = walker.address
    hands.work()
    return address, fine


def _campaign(campaign_id: int) -> Any:
    found = row("SELECT * FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert found is not None
    return found


def _verify() -> None:
    release()
    with transaction():
        broken = {name: found for name, found in dashboard.broken().items() if found}
    assert broken == {}


def _escrow(campaign_id: int) -> int:
    return int(
        scalar(
            "SELECT w.balance_mrial FROM outbox_campaign c JOIN ledger_wallet w ON w.id = c.escrow_wallet_id"
            " WHERE c.id = :id",
            id=campaign_id,
        )
    )


def _balance() -> int:
    return int(
        scalar(
            "SELECT w.balance_mrial FROM ledger_wallet w JOIN accounts_user u ON u.account_id = w.account_id"
            " WHERE u.username = 'customer' AND w.kind = 'customer'"
        )
    )


@pytest.mark.parametrize(("line", "operator"), [("30004505", "3000"), ("20004505", "2000")])
def test_an_uploaded_list_is_priced_sent_reported_and_refunded(
    walker: Walker, hands: Hands, simulator: RunningSimulator, line: str, operator: str
) -> None:
    money = _balance()
    draft, fine = _compose(walker, hands, line)
    walker.go(draft)
    assert "1,200" in walker.text
    walker.submit("/confirm")
    campaign_id = int(re.findall(r"/campaigns/(\d+)", walker.address)[0])
    held = _campaign(campaign_id).held_mrial
    assert (_balance(), _escrow(campaign_id)) == (money - held, held)

    hands.work_until(lambda: _campaign(campaign_id).closed_at is not None)
    hands.work()
    campaign = _campaign(campaign_id)
    _check_outcomes(campaign, fine)
    _check_truth(simulator, operator, campaign_id, fine)
    _check_pages(walker, campaign)
    _check_money(campaign, hands, money, is_refunding_absent=operator == "2000")
    _verify()


def _check_outcomes(campaign: Any, fine: list[str]) -> None:
    """Every recipient ended as its last digits say; every other row of the file is there, with its reason, for free."""
    found = rows("SELECT recipient, outcome::text AS outcome, price_mrial FROM outbox_message WHERE campaign_id = :id",
                 id=campaign.id)  # fmt: skip
    ended = {f"0{message.recipient - 98 * 10**10}": message.outcome for message in found if message.price_mrial}
    assert ended == {number: RULE[int(number[-2:])] for number in fine}
    assert Counter(message.outcome for message in found if not message.price_mrial) == {
        "invalid": len(BAD_ROWS),
        "duplicate": 5,
        "opted_out": len(OPTED_OUT),
    }
    assert campaign.total_count == len(found)


def _check_truth(simulator: RunningSimulator, operator: str, campaign_id: int, fine: list[str]) -> None:
    """The operator took each recipient exactly once, but those it refused."""
    taken = simulator.truth(f"?operator={operator}&limit=100000")[operator]
    expected = Counter(int(f"98{number[1:]}") for number in fine if not number.endswith("97"))
    assert Counter(message["recipient"] for message in taken) == expected
    ours = {message.id for message in rows("SELECT id FROM outbox_message WHERE campaign_id = :id", id=campaign_id)}
    assert {message["uid"] for message in taken} <= ours


def _check_money(campaign: Any, hands: Hands, money: int, *, is_refunding_absent: bool) -> None:
    """Blocked came back at once; who is not in the network only from 2000, and only after 48 hours; nothing else."""
    priced = {
        found.outcome: found.total
        for found in rows(
            "SELECT outcome::text AS outcome, sum(price_mrial)::bigint AS total FROM outbox_message"
            " WHERE campaign_id = :id GROUP BY 1",
            id=campaign.id,
        )
    }
    assert campaign.held_mrial == sum(priced.values()) == campaign.charged_mrial + campaign.released_mrial
    assert campaign.released_mrial == priced["refused"]
    assert campaign.refunded_mrial == priced["blocked"]
    assert campaign.refund_due_mrial == (priced["not_in_network"] if is_refunding_absent else 0)
    assert _escrow(campaign.id) == 0
    cost = campaign.charged_mrial - priced["blocked"]
    assert _balance() == money - cost

    hands.pass_hours(47)
    hands.work()
    assert _balance() == money - cost
    hands.pass_hours(1)
    hands.work()
    hands.work()
    assert _balance() == money - cost + (priced["not_in_network"] if is_refunding_absent else 0)
    after = _campaign(campaign.id)
    assert after.refund_due_mrial == 0
    assert after.refunded_mrial == priced["blocked"] + (priced["not_in_network"] if is_refunding_absent else 0)


def _check_pages(walker: Walker, campaign: Any) -> None:
    """What the database knows, the pages say."""
    walker.go(f"/campaigns/{campaign.id}")
    assert "Closed" in walker.text
    walker.go(f"/campaigns/{campaign.id}/blocked")
    assert len(set(re.findall(r"0\d{3} ?\d{3} ?\d{2}9[0-3]", walker.text))) > 20
    export = walker.browser.get(f"/campaigns/{campaign.id}/export.csv").get_data(as_text=True)
    assert len(export.splitlines()) == campaign.total_count + 1
    walker.go("/statement")
    assert "Refund" in walker.text
    walker.go("/outbox")
    walker.go("/")


def test_nothing_is_sent_that_cannot_be_paid(walker: Walker, hands: Hands, simulator: RunningSimulator) -> None:
    draft, _ = _compose(walker, hands, "30004505")
    token = str(walker.go(draft).page.find("input", {"name": "csrf_token"})["value"])  # type: ignore[index]
    with transaction():
        ledger.adjust(
            account_id=user_by_name("customer").account_id,
            amount_mrial=1000 - _balance(),
            key="test:empty",
            reason="spent elsewhere",
            actor_id=None,
            at=clock.now(),
        )
    before = scalar("SELECT count(*) FROM ledger_transfer")
    answer = walker.browser.post(f"{draft}/confirm", data={"csrf_token": token})
    assert answer.status_code == 422
    assert re.search(r"[\d,.]+ rial", answer.get_data(as_text=True))
    assert _balance() == 1000
    assert scalar("SELECT count(*) FROM ledger_transfer") == before
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0
    assert scalar("SELECT count(*) FROM outbox_message") == 0
    hands.work()
    assert simulator.truth("summary")["3000"]["accepted"] == 0


def test_a_confirm_posted_thirty_times_at_once_is_one_send(app: Flask, walker: Walker, hands: Hands) -> None:
    draft, _ = _compose(walker, hands, "30004505")
    token = str(walker.go(draft).page.find("input", {"name": "csrf_token"})["value"])  # type: ignore[index]
    cookies = walker.browser.get_cookie("session")
    assert cookies is not None

    def confirm(_: int) -> str:
        browser = app.test_client()
        browser.set_cookie("session", cookies.value)
        with app.app_context():
            answer = browser.post(f"{draft}/confirm", data={"csrf_token": token})
        return f"{answer.status_code} {answer.headers.get('Location', '')}"

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(confirm, range(30)))
    assert len(answers) == 1, answers
    assert scalar("SELECT count(*) FROM outbox_campaign") == 1
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'hold'") == 1
    _verify()


def test_what_is_not_sent_yet_can_be_cancelled_and_its_money_comes_back(
    walker: Walker, hands: Hands, simulator: RunningSimulator
) -> None:
    money = _balance()
    draft, _ = _compose(walker, hands, "30004505")
    walker.go(draft).submit("/confirm").submit("/cancel")
    campaign_id = int(re.findall(r"/campaigns/(\d+)", walker.address)[0])
    hands.work_until(lambda: _campaign(campaign_id).closed_at is not None)
    assert _campaign(campaign_id).counts["cancelled"] == COUNT
    assert _balance() == money
    assert simulator.truth("summary")["3000"]["accepted"] == 0
    _verify()
