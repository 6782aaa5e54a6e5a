"""From a long address to a click on the send's page: the operator is told another text for each recipient."""

import re

import pytest

from jobs.links import count_clicks
from sms.core.db import scalar
from tests.journeys.conftest import Hands
from tests.journeys.walker import Walker
from tests.simulator.running import RunningSimulator

BODY = "جشنواره آغاز شد: {link}"
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126 Mobile Safari/537.36"
RECIPIENTS = [f"0912555{place:02}{place:02}" for place in range(30)]
ADDRESS = re.compile(r"http://localhost(/l/[0-9A-Za-z]{14})(?![0-9A-Za-z])")


def _texts(simulator: RunningSimulator, operator: str) -> dict[str, str]:
    """What each recipient was sent; the parts of a long text together."""
    found: dict[str, str] = {}
    for row in simulator.truth(f"texts?operator={operator}")[operator]:
        number = f"0{row['recipient'] % 10**10}"
        found[number] = found.get(number, "") + row["text"]
    return found


@pytest.mark.parametrize(("line", "operator"), [("30004505", "3000"), ("50004505", "5000")])
def test_a_link_is_sent_followed_and_counted(
    walker: Walker, hands: Hands, simulator: RunningSimulator, line: str, operator: str
) -> None:
    line_id = str(scalar("SELECT id FROM lines_line WHERE number = :number", number=line))
    walker.sign_in("customer").go("/links").submit(
        "/links", target="https://example.ir/sale", title="Spring", utm_source="sms"
    )
    link_id = walker.address.rpartition("/")[2]
    walker.go("/compose").submit(
        "/compose", body=BODY, line_id=line_id, link_id=link_id, recipients="\n".join(RECIPIENTS)
    )
    assert "x" * 14 in walker.text
    walker.submit("/confirm")
    campaign = walker.address
    hands.work_until(lambda: scalar("SELECT count(*) FROM outbox_message WHERE outcome IS NULL") == 0)

    texts = _texts(simulator, operator)
    assert set(texts) == set(RECIPIENTS)
    addresses = {number: ADDRESS.findall(text) for number, text in texts.items()}
    assert all(len(found) == 1 for found in addresses.values())
    assert len({found[0] for found in addresses.values()}) == len(RECIPIENTS)

    hands.pass_time(60)
    app = walker.browser.application
    phone, messenger = app.test_client(), app.test_client()
    answer = phone.get(addresses[RECIPIENTS[3]][0], headers={"User-Agent": PHONE})
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://example.ir/sale?utm_source=sms")
    messenger.get(addresses[RECIPIENTS[4]][0], headers={"User-Agent": "WhatsApp/2.24 A"})
    hands.work()
    _tick(hands)

    walker.go(campaign)
    card = walker.page.select_one("#clicks")
    assert card is not None
    told = " ".join(card.get_text(" ").split())
    assert "Recipients who clicked 1 " in told
    assert "Of programs, not counted 1" in told
    assert card.select("svg .chart-bar")
    message_id = scalar("SELECT id FROM outbox_message WHERE recipient = :number", number=int("98" + RECIPIENTS[3][1:]))
    walker.go(f"/messages/{message_id}")
    assert addresses[RECIPIENTS[3]][0] in walker.text
    assert "Followed" in walker.text

    admin = Walker(app.test_client()).sign_in("admin").go("/admin/links")
    admin.submit("/domains", domain="example.ir", verdict="deny", note="phishing")
    assert phone.get(addresses[RECIPIENTS[5]][0], headers={"User-Agent": PHONE}).status_code == 403


def _tick(hands: Hands) -> None:
    """What the timetable rings for."""
    count_clicks()
    hands.work()
