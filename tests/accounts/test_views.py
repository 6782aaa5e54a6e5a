"""Journeys through the door: in, out, throttled, refused, forced to change a password, and one's own pages."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sms.accounts import operations, queries
from sms.accounts.rules import By, Role
from sms.accounts.tree import operations as tree
from sms.core import clock
from sms.core.db import scalar, transaction
from tests.accounts.conftest import PASSWORD, Browser, Enter, Make, actions

SIGN_UP = {
    "account_name": "فروشگاه می‌خک",
    "full_name": "سارا رضایی",
    "mobile": "۰۹۱۲ ۱۲۳ ۴۵۶۷",
    "username": "Sara",
    "password": PASSWORD,
}


def _cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


# In and out


def test_a_customer_signs_up_is_in_at_once_and_a_kept_cookie_dies_with_the_sign_out(
    browser: Browser, make: Make, app: Flask
) -> None:
    make("first")  # the installation is there
    answer = browser.post("/sign-up", page="/sign-up", **SIGN_UP)
    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.is_in()
    user = queries.user_by_name("sara")
    account = queries.account(user.account_id)
    assert (account.kind, account.name, account.parent_id) == ("customer", "فروشگاه می‌خک", queries.root_id())
    assert queries.user(user.account_id, user.id).mobile == 989121234567

    kept = _cookie(browser.client)
    assert browser.post("/sign-out", page="/account").status_code == 303
    assert not browser.is_in()
    thief = app.test_client()
    thief.set_cookie("session", kept)
    answer = thief.get("/account")
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/account")
    assert actions(user.account_id)[-1] == "user.signed_out"


def test_signing_in_begins_a_new_session_with_an_empty_cookie(browser: Browser, make: Make) -> None:
    make("sara")
    with browser.client.session_transaction() as planted:
        planted["_user_id"] = "chosen by somebody else"
        planted["planted"] = "still here"
    assert browser.sign_in("sara").status_code == 303
    with browser.client.session_transaction() as session:
        first = session["_user_id"]
        assert first != "chosen by somebody else"
        assert "planted" not in session
    browser.post("/sign-out", page="/account")
    browser.sign_in("sara")
    with browser.client.session_transaction() as session:
        assert session["_user_id"] != first


def test_signing_in_as_somebody_else_ends_the_session_that_was_open_here(make: Make, enter: Enter) -> None:
    sara = make("sara")
    make("reza")
    browser = enter(sara)
    token, before = _user_token(browser), browser.token("/account")
    clock.set_offset(90)  # so long ago that being seen is written
    data = {"csrf_token": before, "username": "reza", "password": PASSWORD}
    assert browser.client.post("/sign-in", data=data).status_code == 303
    assert queries.session(token=token, at=clock.now()) is None
    assert "The shop of reza" in browser.get("/account").get_data(as_text=True)
    assert actions(sara.account_id)[-1] == "user.signed_out"


def test_the_session_cookie_is_out_of_reach_of_scripts(browser: Browser, make: Make) -> None:
    make("sara")
    cookies = browser.sign_in("sara").headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {"session", "device"}
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


@pytest.mark.parametrize(("username", "password"), [("sara", "wrong but long enough"), ("nobody", PASSWORD)])
def test_a_refused_sign_in_says_the_same_of_every_reason(
    browser: Browser, make: Make, username: str, password: str
) -> None:
    make("sara")
    answer = browser.sign_in(username, password)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "نام کاربری یا گذرواژه نادرست است." in page
    assert password not in page
    assert not browser.is_in()


@pytest.mark.parametrize(
    ("path", "page", "fields"),
    [
        ("/sign-in", "/sign-in", {"username": "sara", "password": PASSWORD}),
        ("/sign-up", "/sign-up", SIGN_UP),
        ("/sign-out", "/account", {}),
        ("/language", "/sign-in", {"language": "en"}),
        ("/account/password", "/account/password", {"current": PASSWORD, "new": "another walk, another river"}),
        ("/account/sessions/end-others", "/account/sessions", {}),
    ],
)
@pytest.mark.parametrize("token", [None, "", "forged"])
def test_nothing_is_done_without_the_forms_token(
    *, browser: Browser, make: Make, path: str, page: str, fields: dict[str, str], token: str | None
) -> None:
    make("sara")
    if page.startswith("/account"):
        browser.sign_in("sara")
    browser.get(page)
    before = scalar("SELECT count(*) FROM accounts_audit")
    data = fields if token is None else {**fields, "csrf_token": token}
    assert browser.client.post(path, data=data).status_code == 400
    assert scalar("SELECT count(*) FROM accounts_audit") == before


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/account/sessions", "/account/sessions"),
        ("/outbox?day=1", "/outbox?day=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("///evil.example", "/"),
        ("https:evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_next_leads_only_to_pages_of_this_site(browser: Browser, make: Make, wanted: str, lands: str) -> None:
    make("sara")
    assert browser.sign_in("sara", next=wanted).location == lands
    signed_in = browser.client.get("/sign-in", query_string={"next": wanted})
    assert signed_in.location == lands
    switched = browser.post("/language", page="/account", language="en", next=wanted)
    assert switched.location == lands


def test_who_is_sent_to_the_door_comes_back_to_the_page_that_was_asked_for(browser: Browser, make: Make) -> None:
    make("sara")
    door = browser.get("/account/sessions")
    assert door.location == "/sign-in?next=/account/sessions"
    assert 'value="/account/sessions"' in browser.get(door.location).get_data(as_text=True)


# Throttling


def test_after_five_tries_a_name_waits_and_is_told_how_long(browser: Browser, make: Make) -> None:
    person = make("sara")
    assert [browser.sign_in("sara", "wrong but long enough").status_code for _ in range(5)] == [422] * 5
    answer = browser.sign_in("Sara ")  # the right password, of the same name: too late
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "ثانیهٔ دیگر دوباره تلاش کنید" in answer.get_data(as_text=True)
    assert browser.sign_in("reza").status_code == 422  # others do not wait
    browser.sign_in("sara")
    assert actions(person.account_id).count("user.sign_in_throttled") == 1


def test_an_unknown_name_is_throttled_like_a_known_one(browser: Browser) -> None:
    statuses = [browser.sign_in("nobody", "wrong but long enough").status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]


def test_strangers_who_try_a_name_do_not_lock_its_own_browser_out(browser: Browser, make: Make, enter: Enter) -> None:
    person = make("sara")
    own = enter(person)
    own.post("/sign-out", page="/account")
    for _ in range(6):
        browser.sign_in("sara", "wrong but long enough")
    assert browser.sign_in("sara").status_code == 429
    assert own.sign_in("sara").status_code == 303


def test_a_known_browser_is_throttled_too(make: Make, enter: Enter) -> None:
    own = enter(make("sara"))
    own.post("/sign-out", page="/account")
    statuses = [own.sign_in("sara", "wrong but long enough").status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]


def test_a_known_browser_is_known_for_one_name_only(browser: Browser, make: Make, enter: Enter) -> None:
    make("sara")
    own = enter(make("reza"))
    own.post("/sign-out", page="/account")
    for _ in range(5):
        browser.sign_in("sara", "wrong but long enough")
    assert own.sign_in("sara").status_code == 429


def test_one_address_that_tries_many_names_waits(browser: Browser, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make("sara")
    monkeypatch.setattr("sms.accounts.views.TRIES_PER_ADDRESS", ("3 per 1 minute",))
    assert [browser.sign_in(f"name{number}").status_code for number in range(4)] == [422, 422, 422, 429]
    token = browser.token()
    data = {"csrf_token": token, "username": "sara", "password": PASSWORD}
    elsewhere = browser.client.post("/sign-in", data=data, environ_base={"REMOTE_ADDR": "198.51.100.7"})
    assert elsewhere.status_code == 303


def test_a_right_password_clears_the_counter(browser: Browser, make: Make) -> None:
    make("sara")
    for _ in range(3):
        for _ in range(4):
            browser.sign_in("sara", "wrong but long enough")
        assert browser.sign_in("sara").status_code == 303
        browser.client.delete_cookie("device", path="/sign-in")
        browser.post("/sign-out", page="/account")


def test_an_address_opens_few_accounts_an_hour(browser: Browser, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make("first")
    monkeypatch.setattr("sms.accounts.views.SIGN_UPS_PER_ADDRESS", ("1 per 1 hour",))
    assert browser.post("/sign-up", page="/sign-up", **SIGN_UP).status_code == 303
    browser.post("/sign-out", page="/account")
    again = browser.post("/sign-up", page="/sign-up", **SIGN_UP | {"username": "second"})
    assert again.status_code == 422
    assert "تعداد تلاش‌ها" in again.get_data(as_text=True)


# Signing up


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"username": "first"}, "نام کاربری «first» پیش‌تر گرفته شده است."),
        ({"username": "سارا"}, "۳ تا ۴۰ نویسه"),
        ({"password": "sara123"}, "دست‌کم ۱۰ نویسه"),
        ({"password": "password123"}, "نخستین حدس‌های"),
        ({"mobile": "02188888888"}, "این شمارهٔ موبایل ایران نیست"),
        ({"account_name": "   "}, "این بخش باید پر شود."),
        ({"full_name": "x" * 101}, "حداکثر ۱۰۰ نویسه"),
    ],
)
def test_what_cannot_be_signed_up_is_told_and_leaves_nothing(
    browser: Browser, make: Make, changes: dict[str, str], told: str
) -> None:
    make("first")
    before = scalar("SELECT count(*) FROM accounts_account")
    answer = browser.post("/sign-up", page="/sign-up", **SIGN_UP | changes)
    assert answer.status_code == 422
    assert told in answer.get_data(as_text=True)
    assert scalar("SELECT count(*) FROM accounts_account") == before


def test_no_other_field_of_a_form_is_heard(browser: Browser, make: Make) -> None:
    make("first")
    extra = {"kind": "installation", "role": "owner", "parent_id": "1", "state": "active", "is_one_time": "1"}
    browser.post("/sign-up", page="/sign-up", **SIGN_UP | extra)
    user = queries.user_by_name("sara")
    assert user.account_kind == "customer"
    assert browser.get("/admin/accounts").status_code == 403


# Sessions


def test_a_session_is_looked_up_at_every_request(make: Make, enter: Enter) -> None:
    person = make("sara")
    browser = enter(person)
    with transaction():
        tree.suspend(account_id=person.account_id, reason="unpaid", by=By(actor_id=None, at=clock.now()))
    assert not browser.is_in()
    refused = browser.sign_in("sara")
    assert refused.status_code == 422
    assert "این حساب تعلیق شده است" in refused.get_data(as_text=True)


def test_an_idle_session_ends_and_a_used_one_does_not(make: Make, enter: Enter) -> None:
    used, idle = enter(make("sara")), enter(make("reza"))
    for hours in (8, 16):
        clock.set_offset(hours * 3600)
        assert used.is_in()
    assert not idle.is_in()


def test_seeing_a_session_is_written_once_a_minute(make: Make, enter: Enter) -> None:
    browser = enter(make("sara"))
    first = scalar("SELECT seen_at FROM accounts_session")
    browser.get("/account")
    assert scalar("SELECT seen_at FROM accounts_session") == first
    clock.set_offset(90)
    browser.get("/account")
    assert scalar("SELECT seen_at FROM accounts_session") >= first + timedelta(seconds=60)


def test_other_devices_are_listed_and_signed_out(make: Make, enter: Enter) -> None:
    person, stranger = make("sara"), make("reza")
    here, there, third, his = enter(person), enter(person), enter(person), enter(stranger)
    page = here.get("/account/sessions").get_data(as_text=True)
    assert page.count("همین دستگاه") == 1
    refs = {
        name: next(
            session.ref
            for session in queries.sessions(user_id, clock.now())
            if session.token_hash == queries.token_hash(_user_token(browser))
        )
        for name, user_id, browser in (("there", person.user_id, there), ("his", stranger.user_id, his))
    }
    assert refs["there"] in page
    assert refs["his"] not in page
    for ref in refs.values():
        here.post("/account/sessions/end", page="/account/sessions", session=ref)
    assert [browser.is_in() for browser in (here, there, third, his)] == [True, False, True, True]
    here.post("/account/sessions/end-others", page="/account/sessions")
    assert [browser.is_in() for browser in (here, third, his)] == [True, False, True]


def _user_token(browser: Browser) -> str:
    with browser.client.session_transaction() as session:
        return str(session["_user_id"])


# One's own account


def test_the_profile_is_changed_and_audited(make: Make, enter: Enter) -> None:
    person = make("sara")
    browser = enter(person)
    fields = {"full_name": "Sara R", "mobile": "0935 111 2233", "language": "en"}
    assert browser.post("/account", page="/account", **fields).status_code == 303
    user = queries.user(person.account_id, person.user_id)
    assert (user.full_name, user.mobile, user.language) == ("Sara R", 989351112233, "en")
    assert 'lang="en"' in browser.get("/account").get_data(as_text=True)
    wrong = browser.post("/account", page="/account", **fields | {"mobile": "12"})
    assert wrong.status_code == 422
    assert actions(person.account_id)[-1] == "user.changed"


def test_only_an_owner_changes_the_account_itself(make: Make, enter: Enter) -> None:
    owner = make("sara")
    member = make("member", account_id=owner.account_id, role=Role.MEMBER)
    fields = {"name": "New name", "money_unit": "toman"}
    refused = enter(member)
    assert "/account/business" not in refused.get("/account").get_data(as_text=True)
    assert refused.post("/account/business", page="/account", **fields).status_code == 403
    assert enter(owner).post("/account/business", page="/account", **fields).status_code == 303
    account = queries.account(owner.account_id)
    assert (account.name, account.money_unit) == ("New name", "toman")


def test_a_new_password_ends_every_other_session(make: Make, enter: Enter) -> None:
    person = make("sara")
    here, there = enter(person), enter(person)
    new = "another walk, another river"
    wrong = here.post("/account/password", page="/account/password", current=new, new=new)
    assert wrong.status_code == 422
    assert "گذرواژهٔ کنونی نادرست است." in wrong.get_data(as_text=True)
    assert here.post("/account/password", page="/account/password", current=PASSWORD, new=new).status_code == 303
    assert (here.is_in(), there.is_in()) == (True, False)
    enter(person, new)


def test_a_password_made_by_others_opens_only_the_page_that_changes_it(make: Make, enter: Enter) -> None:
    person = make("sara")
    with transaction():
        made = operations.reset_password(
            account_id=person.account_id, user_id=person.user_id, by=By(actor_id=None, at=clock.now())
        )
    browser = enter(person, made)
    for page in ("/", "/account", "/account/sessions"):
        assert browser.get(page).location == "/account/password"
    new = "another walk, another river"
    browser.post("/account/password", page="/account/password", current=made, new=new)
    assert browser.is_in()


def test_the_language_is_kept_in_the_browser_and_with_the_user(browser: Browser, make: Make) -> None:
    def direction(page: str) -> str:
        found = re.search(r'<html lang="(\w+)"\s+dir="(\w+)"', browser.get(page).get_data(as_text=True))
        assert found is not None
        return " ".join(found.groups())

    make("sara")
    assert direction("/sign-in") == "fa rtl"
    assert "دست‌کم ۱۰ نویسه" in browser.get("/sign-up").get_data(as_text=True)
    browser.post("/language", language="en", next="/sign-up")
    assert direction("/sign-up") == "en ltr"
    assert "At least 10 characters" in browser.get("/sign-up").get_data(as_text=True)
    browser.sign_in("sara")
    browser.post("/language", page="/account", language="en")
    assert queries.user_by_name("sara").language == "en"
    browser.post("/language", page="/account", language="tlh")
    assert queries.user_by_name("sara").language == "en"
    browser.post("/language", page="/account", language="fa")
    assert queries.user_by_name("sara").language == "fa"
    assert direction("/account") == "fa rtl"
