"""The staff's pages: accounts, users and the audit; closed to everybody else."""

import re
from pathlib import Path

import pytest

from sms.accounts import operations, queries
from sms.accounts.forms import AUDITED
from sms.accounts.rules import By
from sms.core import clock
from sms.core.db import transaction
from tests.accounts.conftest import PASSWORD, Browser, Enter, Make, actions

PAGES = ("/admin/accounts", "/admin/accounts/new", "/admin/accounts/1", "/admin/audit")
_CODE = re.compile(r"<code[^>]*>((?:[a-z0-9]{5}-){3}[a-z0-9]{5})</code>")


def _shown_password(page: str) -> str:
    found = _CODE.search(page)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("page", PAGES)
def test_the_staffs_pages_are_closed_to_others(browser: Browser, make: Make, enter: Enter, page: str) -> None:
    assert browser.get(page).status_code == 303
    for kind in ("customer", "reseller"):
        assert enter(make(f"some-{kind}", kind=kind)).get(page).status_code == 403


def test_what_is_not_there_is_not_found(staff: Browser, make: Make) -> None:
    mine, other = make("mine"), make("other")
    assert staff.get("/admin/accounts/999999999999").status_code == 404
    assert staff.get(f"/admin/accounts/{10**25}").status_code == 404
    path = f"/admin/accounts/{mine.account_id}/users/{other.user_id}/reset-password"
    assert staff.post(path, page="/account").status_code == 404


def test_accounts_are_listed_searched_and_filtered(staff: Browser, make: Make) -> None:
    make("golestan", mobile=989121234567)
    make("parvin", kind="reseller")

    def listed(query: str) -> set[str]:
        page = staff.get(f"/admin/accounts{query}").get_data(as_text=True)
        return {name for name in ("golestan", "parvin", "keeper") if f'<code dir="ltr">{name}</code>' in page}

    assert listed("") == {"golestan", "parvin", "keeper"}
    assert listed("?search=PARV") == {"parvin"}
    assert listed("?search=۰۹۱۲۱۲۳۴۵۶۷") == {"golestan"}
    assert listed("?kind=reseller") == {"parvin"}
    assert listed("?state=suspended") == set()
    assert listed("?kind=nonsense&before=abc") == {"golestan", "parvin", "keeper"}
    assert listed("?before=1") == set()


def test_long_lists_have_older_pages(staff: Browser, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms.accounts.admin._PAGE", 2)
    for number in range(4):
        make(f"user{number}")
    page = staff.get("/admin/accounts?kind=customer").get_data(as_text=True)
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older is not None
    assert [f"user{n}" in page for n in range(4)] == [False, False, True, True]
    page = staff.get(older.group(1).replace("&amp;", "&")).get_data(as_text=True)
    assert [f">user{n}<" in page for n in range(4)] == [True, True, False, False]
    assert 'rel="next"' not in page


def test_staff_open_an_account_and_hand_over_a_password_that_must_be_changed(
    staff: Browser, make: Make, browser: Browser
) -> None:
    seller = make("seller", kind="reseller")
    fields = {"kind": "customer", "parent": seller.account_id, "name": "Golestan", "username": "golestan"}
    page = staff.post("/admin/accounts/new", page="/admin/accounts/new", **fields)
    assert page.status_code == 200
    password = _shown_password(page.get_data(as_text=True))
    user = queries.user_by_name("golestan")
    assert queries.account(user.account_id).parent_id == seller.account_id
    assert password not in staff.get(f"/admin/accounts/{user.account_id}").get_data(as_text=True)
    browser.sign_in("golestan", password)
    assert browser.get("/account").location == "/account/password"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"username": "seller"}, "پیش‌تر گرفته شده است"),
        ({"kind": "installation"}, "این گزینه معتبر نیست"),
        ({"parent": "999999"}, "این گزینه معتبر نیست"),
    ],
)
def test_an_account_that_cannot_be_opened_is_told(
    staff: Browser, make: Make, changes: dict[str, str], told: str
) -> None:
    seller = make("seller", kind="reseller")
    fields = {"kind": "customer", "parent": seller.account_id, "name": "Golestan", "username": "golestan"} | changes
    page = staff.post("/admin/accounts/new", page="/admin/accounts/new", **fields)
    assert page.status_code == 422
    assert told in page.get_data(as_text=True)
    assert queries.sub_accounts(seller.account_id) == []


def test_suspending_asks_for_a_reason_and_shuts_out_at_once(staff: Browser, make: Make, enter: Enter) -> None:
    person = make("sara")
    hers = enter(person)
    path = f"/admin/accounts/{person.account_id}"
    assert staff.post(f"{path}/suspend", page=path, reason=" ").status_code == 422
    assert hers.is_in()
    assert staff.post(f"{path}/suspend", page=path, reason="unpaid bills").status_code == 303
    assert not hers.is_in()
    assert "unpaid bills" in staff.get(path).get_data(as_text=True)
    assert staff.post(f"{path}/suspend", page=path, reason="again").status_code == 422
    assert staff.post(f"{path}/resume", page=path, reason="paid").status_code == 303
    assert hers.sign_in("sara").status_code == 303
    assert actions(person.account_id)[-3:] == ["account.suspended", "account.resumed", "user.signed_in"]


def test_a_lost_password_is_reset_and_shown_once(staff: Browser, make: Make, enter: Enter, browser: Browser) -> None:
    person = make("sara")
    hers = enter(person)
    path = f"/admin/accounts/{person.account_id}"
    page = staff.post(f"{path}/users/{person.user_id}/reset-password", page=path)
    password = _shown_password(page.get_data(as_text=True))
    assert page.headers["Cache-Control"] == "no-store"
    assert not hers.is_in()
    assert browser.sign_in("sara", PASSWORD).status_code == 422
    assert browser.sign_in("sara", password).status_code == 303
    assert actions(person.account_id)[-2:] == ["user.password_reset", "user.signed_in"]


def test_users_are_added_deactivated_and_let_in_again(staff: Browser, make: Make, enter: Enter) -> None:
    person = make("sara")
    path = f"/admin/accounts/{person.account_id}"
    added = staff.post(f"{path}/users", page=path, username="helper", role="member")
    assert added.status_code == 200
    assert staff.post(f"{path}/users", page=path, username="helper", role="member").status_code == 422
    helper = queries.user_by_name("helper")
    assert (helper.account_id, helper.role) == (person.account_id, "member")

    hers = enter(person)
    switch = f"{path}/users/{person.user_id}/switch"
    staff.post(switch, page=path, on="0")
    assert not hers.is_in()
    staff.post(switch, page=path, on="1")
    assert hers.sign_in("sara").status_code == 303


def test_staff_cannot_shut_themselves_out(staff: Browser) -> None:
    me = queries.user_by_name("keeper")
    staff.post(f"/admin/accounts/{me.account_id}/users/{me.id}/switch", page="/account", on="0")
    assert staff.is_in()


def test_the_audit_is_read_by_account_and_action(staff: Browser, make: Make) -> None:
    sara, _reza = make("sara"), make("reza")
    page = staff.get(f"/admin/audit?account={sara.account_id}").get_data(as_text=True)
    assert "The shop of sara" in page
    assert "The shop of reza" not in page
    signed_in = staff.get("/admin/audit?action=user.signed_in").get_data(as_text=True)
    assert ">keeper<" in signed_in
    assert "The shop of sara" not in signed_in
    assert staff.get(f"/admin/audit?account={10**30}&action=nonsense").status_code == 200


def test_the_audit_tells_changes_in_the_readers_words(staff: Browser, make: Make) -> None:
    person = make("sara")
    with transaction():
        operations.change_account(
            account_id=person.account_id,
            name="Golestan",
            money_unit="toman",
            by=By(actor_id=person.user_id, at=clock.now()),
        )
        operations.record(
            actor_id=None,
            account_id=person.account_id,
            action="money.limit_changed",
            details={"after_mrial": 5_000_000, "is_odd": True, "codes": ["a", "b"]},
            at=clock.now(),
        )
        operations.record(actor_id=None, account_id=None, action="something.new", at=clock.now())
    page = staff.get("/admin/audit").get_data(as_text=True)
    for told in (
        "\u2068ریال\u2069 ← \u2068تومان\u2069",
        "تغییر سقف اعتبار",
        "۵٬۰۰۰ ریال",
        "بله",
        "a, b",
        "something.new",
    ):
        assert told in page


def test_what_people_call_themselves_is_text_and_never_markup(staff: Browser, make: Make) -> None:
    person = make("sara", full_name='<img src=x onerror="alert(1)">')
    for path in ("/admin/accounts", f"/admin/accounts/{person.account_id}", "/admin/audit"):
        page = staff.get(path).get_data(as_text=True)
        assert "<img src=x" not in page


def test_every_act_that_is_written_down_has_its_words() -> None:
    written = re.compile(r'(?:action=|_audit\(|_note\()"([a-z_]+\.[a-z_]+)"')
    root = Path(operations.__file__).parent.parent
    acts = {act for path in root.rglob("*.py") for act in written.findall(path.read_text(encoding="utf-8"))}
    acts |= {f"gateway.{event}" for event in ("opened", "closed", "held", "forced", "released", "limits")}
    acts |= {f"gateway.push_{what}" for what in ("made", "renewed", "closed", "bound")}
    acts |= {f"line.texts_push_{what}" for what in ("made", "renewed", "closed", "bound")}
    acts |= {"gateway.switched_on", "gateway.switched_off"}
    made = ("added", "changed", "removed", "switched_on", "switched_off")
    acts |= {f"automation.{what}" for what in (*made, "moved")}
    acts |= {f"texts.address_{what}" for what in (*made, "secret_renewed")}
    assert {"campaign.paused", "campaign.cancelled", "campaign.moved", "gateway.learnt"} <= acts
    assert acts - set(AUDITED) == set()
