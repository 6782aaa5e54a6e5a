"""A round number of 3000: asked for, quoted, approved, handed over, and a send from it; through the pages, as two
customers and the staff."""

import io
import re
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from flask import Flask

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import execute, release, row, scalar, transaction
from sms.dashboard import queries as dashboard
from sms.lines.formats import operations as formats
from sms.lines.formats.rules.offers import Format
from sms.operators.queries import operator_by_code
from tests.journeys.conftest import Hands
from tests.journeys.walker import Walker
from tests.lines.documents.test_document_rules import PDF_FILE
from tests.simulator.running import RunningSimulator

NUMBER = "30001221"
PRICE_RIAL = 200_000_000


def _sell(operator_code: str) -> str:
    """8-digit numbers, by inquiry; and no 9-digit ones."""
    operator_id = operator_by_code(operator_code).id
    with transaction():
        for wanted in (Format(digits=8, renewal_percent=20), Format(digits=9, is_on_sale=False, note="None of 3000.")):
            formats.set_format(operator_id=operator_id, wanted=wanted, valid_from=None, by=PANEL, at=clock.now())
    return str(operator_id)


def _balance(username: str) -> int:
    return int(
        scalar(
            "SELECT w.balance_mrial FROM ledger_wallet w JOIN accounts_user u ON u.account_id = w.account_id"
            " WHERE u.username = :name AND w.kind = 'customer'",
            name=username,
        )
    )


def _papers(customer: Walker, staff: Walker, order: str) -> None:
    """Hand in what the order's page asks for; staff open and accept it."""
    for kind in ("national_card", "birth_certificate", "bill"):
        customer.go(f"/documents?kind={kind}&order={order}").submit(
            "/documents", national_code="0012345679", file=(io.BytesIO(PDF_FILE), "paper.pdf")
        )
        staff.go("/admin/documents").go(str(staff.page.select("main td a")[0]["href"])).submit("/accept")


def _verify() -> None:
    release()
    with transaction():
        assert {name: found for name, found in dashboard.broken().items() if found} == {}


def test_a_round_number_is_asked_for_quoted_approved_handed_over_and_sends(
    app: Flask, hands: Hands, simulator: RunningSimulator
) -> None:
    operator_id = _sell("3000")
    customer, rival, staff = (Walker(app.test_client()).sign_in(name) for name in ("customer", "reseller", "admin"))
    wanted: dict[str, Any] = {"operator_id": operator_id, "digits": "8", "tier": "round", "number": NUMBER}
    customer.go("/orders/new").submit("/orders/new", allowed=422, **wanted | {"digits": "9", "number": ""})
    assert "None of 3000." in customer.text

    customer.submit("/orders/new", **wanted)
    order = re.findall(r"/orders/(\d+)", customer.address)[0]
    rival.go("/orders/new").submit("/orders/new", allowed=409, **wanted)
    assert "just been taken" in rival.text

    money = _balance("customer")
    staff.go(f"/admin/orders/{order}").submit("/quote", price=str(PRICE_RIAL), days="5")
    customer.go("/").go(f"/orders/{order}").submit("/approve")
    assert _balance("customer") == money - PRICE_RIAL * 1000
    _papers(customer, staff, order)
    staff.go(f"/admin/orders/{order}").submit("/purchase", cost="150000000")
    staff.submit("/hand-over")
    assert "Handed over" in staff.text
    _verify()

    _send(customer, hands)
    _is_answered(rival, customer, hands, simulator)
    taken = simulator.truth("?operator=3000&limit=10")["3000"]
    assert [message["recipient"] for message in taken] == [989120000001, 989120000001]
    numbers = scalar("SELECT array_agg(DISTINCT l.number) FROM outbox_batch b JOIN lines_line l ON l.id = b.line_id")
    assert numbers == [NUMBER]
    with transaction():
        execute("UPDATE lines_line SET suspended_at = now() WHERE number = :number", number=NUMBER)
    assert NUMBER not in customer.go("/compose").text  # a line that was not renewed cannot be chosen any more
    _verify()


def _send(customer: Walker, hands: Hands) -> None:
    """One text from the new line, which is one of those that can be chosen."""
    line = row("SELECT id, expires_at FROM lines_line WHERE number = :number", number=NUMBER)
    assert line is not None
    assert line.expires_at is not None
    customer.go("/compose").submit("/compose", body="hello", line_id=str(line.id), recipients="09120000001")
    _confirm(customer, hands)


def _confirm(customer: Walker, hands: Hands) -> None:
    hands.work()
    customer.go(customer.address).submit("/confirm")
    campaign_id = int(re.findall(r"/campaigns/(\d+)", customer.address)[0])
    hands.work_until(
        lambda: bool(scalar("SELECT closed_at IS NOT NULL FROM outbox_campaign WHERE id = :id", id=campaign_id))
    )


def _is_answered(rival: Walker, customer: Walker, hands: Hands, simulator: RunningSimulator) -> None:
    """Who got the text answers, and the operator brings it twice: the owner of the line has it once, nobody else has
    it; and what the owner says to it goes out from the same line."""
    said = {"operator": "3000", "from": "09120000001", "to": NUMBER, "body": "آری <b>", "times": "2"}
    with urlopen(f"{simulator.url}/reply", urlencode(said).encode(), timeout=10) as answer:  # noqa: S310 - our own
        assert answer.status == 200
    hands.work_until(lambda: bool(scalar("SELECT count(*) FROM inbox_message")))
    customer.go("/inbox")
    assert customer.text.count("آری <b>") == 1
    assert [count.get_text() for count in customer.page.select(".menu-count")] == ["1"]
    customer.go(str(customer.page.select("tbody td a")[0]["href"]))
    assert [text.get_text() for text in customer.page.select(".written")] == ["hello", "آری <b>"]
    talk = customer.address
    assert "آری" not in rival.go("/inbox").text
    customer.submit("/compose", body="thank you")
    _confirm(customer, hands)
    customer.go(talk)
    assert [text.get_text() for text in customer.page.select(".written")] == ["hello", "آری <b>", "thank you"]
