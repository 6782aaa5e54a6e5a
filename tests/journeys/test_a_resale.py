"""A tree grows, gets credit and a line from above, sends, is shut out and let in again; and each sees its own."""

import re

from flask import Flask

from sms.core.db import scalar
from tests.journeys.conftest import Hands
from tests.journeys.walker import Walker

LINE = "2000330044"
_CODE = re.compile(r"<code[^>]*>((?:[a-z0-9]{5}-){3}[a-z0-9]{5})</code>")
NEW_PASSWORD = "a walk by the Karun"


def _open(above: Walker, app: Flask, *, kind: str, name: str, username: str) -> Walker:
    """Somebody new below, who has chosen a password of their own."""
    above.go("/reseller/accounts/new").submit("/new", kind=kind, name=name, username=username)
    found = _CODE.search(above.answer.get_data(as_text=True))
    assert found is not None
    walker = Walker(app.test_client())
    walker.go("/sign-in").submit("/sign-in", username=username, password=found.group(1))
    walker.submit("/account/password", current=found.group(1), new=NEW_PASSWORD)
    return walker


def _account(username: str) -> int:
    return int(scalar("SELECT account_id FROM accounts_user WHERE username = :name", name=username))


def _state(campaign: str) -> str:
    return str(scalar("SELECT state FROM outbox_campaign WHERE id = :id", id=int(campaign)))


def test_a_tree_grows_sends_is_shut_out_and_goes_on(app: Flask, hands: Hands, walker: Walker) -> None:
    reseller = walker.sign_in("reseller")
    sub = _open(reseller, app, kind="reseller", name="Branch", username="branch")
    shop = _open(sub, app, kind="customer", name="Bookshop", username="bookshop")
    branch, bookshop = _account("branch"), _account("bookshop")

    # Credit and a line go down step by step.
    line_id = scalar("SELECT id FROM lines_line WHERE number = :number", number=LINE)
    for above, account_id, amount in ((reseller, branch, "5000000"), (sub, bookshop, "2000000")):
        above.go(f"/reseller/accounts/{account_id}/money").submit("/credit", amount=amount, reason="to begin with")
        above.go(f"/reseller/accounts/{account_id}/lines").submit("/hand-out", line=str(line_id))
    assert "2,000,000" in shop.go("/statement").text

    # The customer's send waits while somebody far above it is suspended, and says so to who looks.
    recipients = "\n".join(f"0912000{number:04}" for number in range(3))
    shop.go("/compose").submit("/compose", line_id=str(line_id), body="hello", recipients=recipients)
    hands.work()
    shop.go(shop.address).submit("/confirm")
    campaign = shop.address.rsplit("/", 1)[1]
    staff = Walker(app.test_client()).sign_in("admin")
    top = _account("reseller")
    staff.go(f"/admin/accounts/{top}").submit("/suspend", reason="an unpaid invoice")
    for _ in range(3):
        hands.work()
        hands.pass_time(2)
    assert _state(campaign) == "queued"
    assert shop.browser.get("/campaigns").status_code == 303
    user_id = scalar("SELECT id FROM accounts_user WHERE username = 'bookshop'")
    staff.go(f"/admin/accounts/{bookshop}/users/{user_id}/look").submit("/look", reason="why does it wait")
    staff.go(f"/campaigns/{campaign}")
    assert "The account, or one above it, is suspended." in staff.text
    staff.submit("/look/end").go(f"/admin/accounts/{top}").submit("/resume", reason="paid")
    hands.work_until(lambda: _state(campaign) == "closed")

    # Each sees what is its own; the customer also who looked in.
    shop = Walker(app.test_client())
    shop.go("/sign-in").submit("/sign-in", username="bookshop", password=NEW_PASSWORD)
    assert "why does it wait" in shop.go("/account/looks").text
    again = Walker(app.test_client()).sign_in("reseller")
    assert "Bookshop" in again.go("/reseller/accounts").text
    assert again.browser.get(f"/campaigns/{campaign}").status_code == 404
    other = Walker(app.test_client()).sign_in("subreseller")
    assert "Bookshop" not in other.go("/reseller/accounts").text
    assert other.browser.get(f"/reseller/accounts/{bookshop}").status_code == 404

    # Taken back at the top, the line is gone at the bottom.
    again.go(f"/reseller/accounts/{branch}/lines").submit("/take-back")
    assert LINE not in shop.go("/lines").text
