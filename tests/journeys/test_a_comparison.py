"""From a number that is verified to the line that is recommended; public lines by policy; a line that is shared."""

import re
from typing import Any

from flask import Flask

from jobs.traffic import count_hours
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import execute, row, scalar, transaction
from sms.lines.public import operations as public
from sms.lines.public.rules import NewPolicy, Policy
from tests.journeys.conftest import Hands
from tests.journeys.walker import Walker

MOBILE = "09121234500"
HTMX = {"HX-Request": "true"}


def _sign_up(app: Flask, name: str) -> Walker:
    """Somebody new."""
    walker = Walker(app.test_client()).go("/sign-up")
    form: Any = walker._form("/sign-up")
    names = {str(field["name"]) for field in form("input") if field.get("name")}
    wanted = {
        "account_name": f"Shop of {name}",
        "full_name": name,
        "username": name,
        "mobile": MOBILE,
        "password": "a long way to Shiraz",
        "again": "a long way to Shiraz",
    }
    return walker.submit("/sign-up", **{field: value for field, value in wanted.items() if field in names})


def _policy(policy: Policy, free: int = 10) -> None:
    with transaction():
        public.add_policy(NewPolicy(policy, None, free, clock.now()), by=PANEL, at=clock.now())


def _code() -> str:
    """The code as it arrives on the phone."""
    body = str(scalar("SELECT body FROM outbox_campaign ORDER BY id DESC LIMIT 1"))
    return re.findall(r"\d{6}", body)[0]


def _finish(hands: Hands, walker: Walker) -> None:
    hands.work_until(lambda: walker.browser.get(walker.address, headers=HTMX).status_code == 286)


def test_somebody_new_verifies_his_phone_compares_all_lines_and_is_told_which_to_choose(
    app: Flask, hands: Hands
) -> None:
    _policy(Policy.TRIAL, free=2)
    walker = _sign_up(app, "newcomer").go("/comparison")
    assert "First verify a number of your own" in walker.text
    walker.submit("/comparison/numbers", mobile=MOBILE)
    code = _code()
    walker.submit("/comparison/numbers/verify", allowed=422, code=f"{(int(code) + 1) % 10**6:06}")
    assert "This is not the code that was sent." in walker.text
    walker.submit("/comparison/numbers/verify", code=code)
    assert "verified" in walker.text

    recipient = "98" + MOBILE[1:]
    for _ in range(2):
        walker.go("/comparison").submit("/comparison", body="سلام، این یک آزمایش است.", recipients=recipient)
        assert re.fullmatch(r"/comparison/\d+", walker.address)
        _finish(hands, walker)
        hands.pass_time(60)
    walker.go(walker.address)
    assert "For most sends we recommend operator" in walker.text
    assert "the whole price comes back, 48 hours after sending" in walker.text
    assert "this time free" in walker.text
    assert not walker.page.select("main [hx-trigger]")  # nothing asks any more
    assert scalar("SELECT count(*) FROM outbox_message WHERE outcome = 'delivered' AND price_mrial = 0") == 7
    spent = "SELECT sum(e.amount_mrial) FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id WHERE w.kind = "
    assert scalar(spent + "'operator_cost'") == -scalar(spent + "'revenue'") > 0  # the house paid

    walker.go("/comparison").submit("/comparison", body="once more", recipients=recipient)
    assert "You have 0 of 2 free messages left" in walker.text
    walker.go("/comparison")
    assert "Your own traffic" in walker.text
    _work_hours(hands)
    assert "100%" in walker.go("/comparison").text


def _work_hours(hands: Hands) -> None:
    """What the timetable rings for, a minute later."""
    hands.pass_time(60)
    count_hours()


def test_what_the_regulator_forbids_says_so_on_every_page(walker: Walker, hands: Hands) -> None:
    line_id = str(scalar("SELECT id FROM lines_line WHERE number = '30004505'"))
    walker.sign_in("customer").go("/compose").submit(
        "/compose", body="hello", line_id=line_id, recipients="09121111111"
    )
    draft = walker.address
    walker.submit("/confirm")
    campaign = walker.address
    admin = Walker(walker.browser.application.test_client()).sign_in("admin").go("/admin/public-lines")
    admin.submit("/admin/public-lines", policy="forbidden", free_messages="0", note="letter 12")
    assert "letter 12" in admin.text
    assert draft != campaign

    hands.work()
    assert "may not be used since" in walker.go(campaign).text  # it waits, and says why
    assert scalar("SELECT count(*) FROM outbox_submission") == 0
    assert "Forbidden" in walker.go("/lines").text
    offered = {str(option["value"]) for option in walker.go("/compose").page.select("[name=line_id] option")}
    assert line_id not in offered

    admin.submit("/admin/public-lines", policy="allowed", free_messages="10")
    hands.work_until(lambda: scalar("SELECT count(*) FROM outbox_message WHERE outcome IS NULL") == 0)
    assert "Every recipient has its outcome." in walker.go(campaign).text


def test_a_reseller_shares_a_line_and_takes_it_back(app: Flask, hands: Hands) -> None:
    with transaction():
        execute(
            "UPDATE accounts_account a SET parent_id = p.account_id FROM accounts_user p, accounts_user u"
            " WHERE p.username = 'reseller' AND u.username = 'customer' AND a.id = u.account_id"
        )
        execute(
            "UPDATE accounts_account a SET path = p.path || a.id || '.' FROM accounts_account p"
            " WHERE p.id = a.parent_id AND p.kind = 'reseller'"
        )
    found = row("SELECT l.id, l.number FROM lines_line l WHERE l.number = '2000330044'")
    assert found is not None
    reseller = Walker(app.test_client()).sign_in("reseller").go(f"/lines/{found.id}")
    reseller.submit("/share", allowed=422, account="admin")
    reseller.go(f"/lines/{found.id}").submit("/share", account="customer")
    assert "فروشگاه نمونه" in reseller.text

    customer = Walker(app.test_client()).sign_in("customer").go("/lines")
    assert found.number in customer.text
    customer.go(f"/lines/{found.id}").submit(f"/lines/{found.id}", alias="From above", colour="pink")
    assert "From above" in customer.text
    assert "From above" not in reseller.go("/lines").text
    assert not customer.go(f"/lines/{found.id}").page.select("form[action$='/share']")
    customer.go("/lines/plan").submit("/lines/plan", **{f"place-{found.id}": "1", f"percent-{found.id}": "150"})
    assert "place 1" in customer.text

    customer.go("/compose").submit("/compose", body="سلام", line_id=str(found.id), recipients="09121111111")
    customer.submit("/confirm")
    campaign = customer.address
    account_id = scalar("SELECT account_id FROM accounts_user WHERE username = 'customer'")
    reseller.go(f"/lines/{found.id}").submit("/end-share", account_id=str(account_id))  # the sample's own share stays
    hands.work()
    assert scalar("SELECT count(*) FROM outbox_submission") == 0
    left = "You can no longer send from this line. What is not sent yet waits; you can cancel it"
    assert left in customer.go(campaign).text
    message_id = scalar("SELECT max(id) FROM outbox_message")
    assert left in customer.go(f"/messages/{message_id}").text
    assert customer.browser.get(f"/lines/{found.id}").status_code == 404
