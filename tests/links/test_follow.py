"""Following a short address: out to its target and nowhere else, or a plain page that says why not."""

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import execute, row, rows, scalar, transaction
from sms.links import operations, queries
from sms.links.operations import Given
from sms.links.rules.domains import Verdict
from sms.links.rules.links import LinkState, NewLink
from sms.links.views import follow
from tests.factories import make_account

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126 Mobile Safari/537.36"}
FIRST = 1 << 47


def make(target: str = "https://example.ir/sale", **more: Any) -> tuple[int, int, Given]:
    """(account, link, its use by ten ids)."""
    account_id, *_ = make_account()
    at = clock.now()
    with transaction():
        link_id = operations.add_link(account_id=account_id, wanted=NewLink(target=target, **more), by=PANEL, at=at)
        given = operations.give(link_id=link_id, account_id=account_id, first_id=FIRST, count=10, begins_at=at, at=at)
    return account_id, link_id, given


def path(given: Given, message_id: int = FIRST) -> str:
    return given.use.address(message_id).removeprefix("http://localhost")


def get(client: FlaskClient, address: str, **headers: str) -> TestResponse:
    return client.get(address, headers=PHONE | headers)


def words(answer: TestResponse) -> str:
    return " ".join(BeautifulSoup(answer.get_data(as_text=True), "html.parser").get_text(" ").split())


def assert_is_plain(answer: TestResponse) -> None:
    """What every answer has: no cookie, nothing told to where people go, nothing kept."""
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]


def test_a_recipients_address_leads_to_the_target_and_is_kept(client: FlaskClient) -> None:
    _, link_id, given = make(utm={"utm_source": "sms"})
    answer = get(client, path(given, FIRST + 3))
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://example.ir/sale?utm_source=sms")
    assert_is_plain(answer)
    kept = row("SELECT link_id, use_id, message_id, is_bot, agent FROM links_click")
    assert kept is not None
    assert tuple(kept) == (link_id, given.id, FIRST + 3, False, "person")


def test_the_links_own_address_leads_there_too(client: FlaskClient) -> None:
    account_id, link_id, _ = make()
    code = queries.link(account_id, link_id, at=clock.now()).code
    assert get(client, f"/l/{code}").headers["Location"] == "https://example.ir/sale"
    assert scalar("SELECT message_id FROM links_click") is None


def test_a_look_by_a_program_is_kept_apart(client: FlaskClient) -> None:
    _, _, given = make()
    assert client.head(path(given), headers=PHONE).status_code == 302
    get(client, path(given), **{"User-Agent": "WhatsApp/2.23 A"})
    get(client, path(given), **{"Sec-Purpose": "prefetch"})
    found = rows("SELECT is_bot, agent FROM links_click ORDER BY id")
    assert [tuple(each) for each in found] == [(True, "tool"), (True, "preview"), (True, "prefetch")]


@pytest.mark.parametrize("language", ["fa", "en"])
@pytest.mark.parametrize(
    "code",
    [
        *("x", "abcdefg", "a" * 14, "a" * 15, "%0d%0aSet-Cookie:a=b", "%00", "..%2f..%2fadmin", "سلام", "a" * 7000),
        *("https:%2f%2fevil.ir", "%F0%9F%98%80", "<script>", "{{7*7}}", "'%20or%201=1--", "abcde", "٠١٢٣٤٥٦"),
    ],
)
def test_garbage_is_told_so_and_leads_nowhere(client: FlaskClient, code: str, language: str) -> None:
    make()
    client.set_cookie("language", language)
    answer = get(client, f"/l/{code}")
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    if "%2f" not in code:  # two parts are no address of ours at all
        assert_is_plain(answer)
        assert {"en": "does not exist", "fa": "وجود ندارد"}[language] in words(answer)
    assert scalar("SELECT count(*) FROM links_click") == 0


def test_an_address_without_its_recipient_or_with_another_tag_leads_nowhere(client: FlaskClient) -> None:
    _, _, given = make()
    _, _, other = make()
    whole = path(given)
    for wrong in (
        whole[:-9],
        whole[:-1],
        f"{whole}0",
        f"{whole[:-1]}{'a' if whole[-1] != 'a' else 'b'}",
        whole[:-9] + path(other)[-9:],
        path(given, FIRST + 10),  # beyond the run
        whole.swapcase().replace("/L/", "/l/"),
    ):
        assert get(client, wrong).status_code == 404, wrong
    assert get(client, whole).status_code == 302


@pytest.mark.parametrize("extra", ["?next=https://evil.ir", "?url=//evil.ir", "#x", "?utm_source=evil&go=1"])
def test_nothing_in_the_address_changes_where_it_leads(client: FlaskClient, extra: str) -> None:
    _, _, given = make()
    answer = get(client, path(given) + extra, **{"X-Forwarded-Host": "evil.ir", "Referer": "https://evil.ir"})
    assert answer.headers["Location"] == "https://example.ir/sale"


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ("UPDATE links_link SET expires_at = now() - interval '1 second'", 410, "has expired"),
        ("UPDATE links_link SET state = 'off'", 410, "switched off"),
    ],
)
def test_what_is_over_says_so_plainly(client: FlaskClient, change: str, status: int, told: str) -> None:
    _, _, given = make()
    with transaction():
        execute(change)
    client.set_cookie("language", "en")
    answer = get(client, path(given))
    assert (answer.status_code, told in words(answer)) == (status, True)
    assert_is_plain(answer)
    assert "example.ir/sale" not in answer.get_data(as_text=True)
    assert scalar("SELECT count(*) FROM links_click") == 0


def test_a_link_ends_with_its_last_moment(client: FlaskClient) -> None:
    _, _, given = make(expires_at=clock.now() + timedelta(hours=1))
    assert get(client, path(given)).status_code == 302
    clock.set_offset(3601)
    assert get(client, path(given)).status_code == 410


def test_a_domain_denied_today_stops_what_was_sent_yesterday(client: FlaskClient) -> None:
    _, _, given = make("https://shop.example.ir/x")
    assert get(client, path(given)).status_code == 302
    with transaction():
        operations.list_domain(domain="example.ir", verdict=Verdict.DENY, note="", by=PANEL, at=clock.now())
    client.set_cookie("language", "en")
    answer = get(client, path(given))
    assert (answer.status_code, "was blocked" in words(answer)) == (403, True)
    assert_is_plain(answer)


@pytest.mark.parametrize("target", ["javascript:alert(1)", "http://127.0.0.1/", "https://a.ir/\r\nX: y", "//evil.ir"])
def test_a_target_that_got_into_the_table_some_other_way_leads_nowhere(
    client: FlaskClient, settings: Any, target: str
) -> None:
    account_id, link_id, _ = make()
    code = queries.link(account_id, link_id, at=clock.now()).code
    with transaction():
        execute(
            "INSERT INTO links_link (account_id, code, target, host, created_at)"
            " VALUES (:account, 'abcdefg', 'https://' || :target, 'evil.ir', now())",
            account=account_id,
            target=target.replace("//", "/"),
        )
    answer = get(client, "/l/abcdefg")
    assert (answer.status_code, "Location" in answer.headers) == (403, False)
    assert get(client, f"/l/{code}").status_code == 302


@pytest.mark.parametrize(
    ("target", "host", "why"),
    [
        ("http://8.8.8.8/login", "8.8.8.8", "A number in place of a name"),
        ("https://bit.ly/x", "bit.ly", "other shorteners"),
        ("https://аррӏе.com/", "xn--80ak6aa92e.com", "Letters of several scripts"),
        ("https://example.ir:8443/", "example.ir", "An unusual port"),
    ],
)
def test_a_suspicious_target_is_shown_before_anybody_goes_there(
    client: FlaskClient, target: str, host: str, why: str
) -> None:
    _, _, given = make(target)
    client.set_cookie("language", "en")
    answer = get(client, path(given) + "?go=1")
    page = BeautifulSoup(answer.get_data(as_text=True), "html.parser")
    assert answer.status_code == 200
    assert_is_plain(answer)
    assert host in words(answer)
    assert why in words(answer)
    (onwards,) = page.select("main a")
    assert str(onwards["href"]).startswith(("http://", "https://"))
    assert "noreferrer" in onwards["rel"]
    assert not page.select("form, meta[http-equiv]")
    assert scalar("SELECT count(*) FROM links_click WHERE NOT is_bot") == 1


def test_a_trusted_domain_is_not_shown_first(client: FlaskClient) -> None:
    _, _, given = make("https://example.ir:8443/")
    with transaction():
        operations.list_domain(domain="example.ir", verdict=Verdict.ALLOW, note="", by=PANEL, at=clock.now())
    assert get(client, path(given)).headers["Location"] == "https://example.ir:8443/"


def test_what_the_page_shows_is_text(client: FlaskClient) -> None:
    _, _, given = make('https://bit.ly/"><img/src=x/onerror=alert(1)>{{7*7}}')
    answer = get(client, path(given))
    page = BeautifulSoup(answer.get_data(as_text=True), "html.parser")
    assert not page.select("main img")
    assert "49" not in words(answer)


def test_other_methods_are_refused(client: FlaskClient) -> None:
    _, _, given = make()
    for method in ("POST", "PUT", "DELETE"):
        assert client.open(path(given), method=method, headers=PHONE).status_code in {400, 405}
    assert scalar("SELECT count(*) FROM links_click") == 0


def test_whoever_guesses_is_slowed_and_those_who_share_his_address_are_not(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "GUESSED", "3 per minute")
    _, _, given = make()
    assert [get(client, f"/l/{'a' * 14}").status_code for _ in range(5)] == [404, 404, 404, 429, 429]
    assert get(client, path(given)).status_code == 302


def test_a_flood_from_one_address_is_stopped(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "FOLLOWED", "2 per minute")
    _, _, given = make()
    assert [get(client, path(given)).status_code for _ in range(3)] == [302, 302, 429]
    assert scalar("SELECT count(*) FROM links_click") == 2


def test_a_signed_in_customer_is_anybody(app: Flask) -> None:
    account_id, link_id, given = make()
    with transaction():
        operations.switch_link(link_id=link_id, account_id=account_id, state=LinkState.ACTIVE, by=PANEL, at=clock.now())
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["_user_id"] = "made up"
    answer = get(browser, path(given))
    assert answer.status_code == 302
    assert_is_plain(answer)
