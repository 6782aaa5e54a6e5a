"""Who gets in where: every route × every kind of visitor; and what every answer must carry."""

import re
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from psycopg import sql
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from sms.core.config import Settings
from tests.guards.world import VISITORS, World, csrf_token, guard, is_tenants, make_world, may_pass, routes, whose

GRANTED = {HTTPStatus.OK, HTTPStatus.SEE_OTHER}
_AT_ONCE = 20  # so many pages are read between two looks at every table
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
NOT_READ = {
    "accounts_session",  # a session remembers when it was seen last
    *("links_click", "links_uncounted"),  # to follow a link is to click it
}
LEADS_OUT = "links.follow"  # to where its link leads
SIGNED_IN = [visitor for visitor in VISITORS if visitor != "anonymous"]


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def _methods(rule: Rule) -> set[str]:
    return set(rule.methods or ())


def _readable(world: World) -> list[Rule]:
    return [rule for rule in routes(world.app) if "GET" in _methods(rule)]


def _expected(world: World, visitor: str, rule: Rule) -> set[HTTPStatus]:
    if not may_pass(world, visitor, rule):
        return {HTTPStatus.SEE_OTHER} if visitor == "anonymous" else {HTTPStatus.FORBIDDEN}
    if rule.endpoint == LEADS_OUT:
        return {HTTPStatus.FOUND}
    if is_tenants(rule) and visitor not in whose(rule):
        return {HTTPStatus.NOT_FOUND}
    return GRANTED


def _is_sent_to_sign_in(answer: TestResponse) -> bool:
    return answer.status_code == HTTPStatus.SEE_OTHER and "/sign-in" in answer.headers["Location"]


@pytest.mark.parametrize("visitor", VISITORS)
def test_every_page_opens_to_whom_it_is_meant_for(world: World, visitor: str) -> None:
    browser = world.browser(visitor)
    wrong = {}
    for rule in _readable(world):
        answer = browser.get(world.address(rule))
        is_turned_away = _is_sent_to_sign_in(answer) and rule.endpoint != "accounts.sign_in"
        if answer.status_code not in _expected(world, visitor, rule) or (is_turned_away != (visitor == "anonymous" and
                guard(world.app, rule.endpoint) != "public")):  # fmt: skip
            wrong[rule.rule] = answer.status
    assert wrong == {}


@pytest.mark.parametrize("visitor", VISITORS)
def test_nobody_does_what_he_may_not(world: World, settings: Settings, visitor: str) -> None:
    """With a good token, so that the guard and not the token refuses; what is allowed is tried elsewhere."""
    browser = world.browser(visitor)
    token = csrf_token(browser)
    before = _everything(settings)
    wrong = {}
    for rule in routes(world.app):
        expected = _expected(world, visitor, rule)
        for method in sorted(_methods(rule) & UNSAFE):
            if expected != GRANTED:
                answer = browser.open(world.address(rule), method=method, data={"csrf_token": token})
                if answer.status_code not in expected:
                    wrong[f"{method} {rule.rule}"] = answer.status
    assert wrong == {}
    assert _everything(settings) == before


@pytest.mark.parametrize("visitor", ["anonymous", "customer", "admin"])
def test_nothing_is_done_without_a_token(world: World, settings: Settings, visitor: str) -> None:
    browser = world.browser(visitor)
    before = _everything(settings)
    accepted = {
        f"{method} {rule.rule}": answer.status
        for rule in routes(world.app)
        for method in sorted(_methods(rule) & UNSAFE)
        if (answer := browser.open(world.address(rule), method=method, data={})).status_code != HTTPStatus.BAD_REQUEST
    }
    assert accepted == {}
    assert _everything(settings) == before


@pytest.mark.parametrize("visitor", VISITORS)
def test_reading_changes_nothing(world: World, settings: Settings, visitor: str) -> None:
    browser, readable = world.browser(visitor), _readable(world)
    before = _everything(settings)
    for place in range(0, len(readable), _AT_ONCE):
        some = readable[place : place + _AT_ONCE]
        for rule in some:
            browser.get(world.address(rule))
        after = _everything(settings)
        wrote = [name for name in after if after[name] != before.get(name)]
        assert not wrote, f"one of {[rule.rule for rule in some]} wrote into {wrote}"


def _everything(settings: Settings) -> dict[str, str]:
    """A digest of every table."""
    with psycopg.connect(settings.database_url, autocommit=True) as owner:
        names = [
            name
            for (name,) in owner.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )
            if name not in NOT_READ
        ]
        digests = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {} t").format(
                sql.Literal(name), sql.Identifier(name)
            )
            for name in names
        )
        return dict(owner.execute(digests).fetchall())


# What every answer carries


@pytest.mark.parametrize("visitor", ["anonymous", "customer", "reseller", "admin"])
def test_every_answer_is_protected(world: World, visitor: str) -> None:
    browser = world.browser(visitor)
    addresses = [world.address(rule) for rule in _readable(world)] + ["/there-is-no-such-page", "/static/logo.svg"]
    for address in addresses:
        headers = browser.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy, address
        assert "default-src 'none'" in policy, address
        assert "frame-ancestors 'none'" in policy, address
        assert headers["X-Content-Type-Options"] == "nosniff", address
        assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}, address
        assert headers["X-Frame-Options"] == "DENY", address
        if not address.startswith("/static"):
            assert headers["Cache-Control"] == "no-store", address
            assert "Cookie" in headers["Vary"], address


@pytest.mark.parametrize("visitor", ["anonymous", "customer", "reseller", "admin"])
@pytest.mark.parametrize("language", ["fa", "en"])
def test_every_page_is_whole_and_holds_nothing_inline_or_foreign(world: World, visitor: str, language: str) -> None:
    browser = world.browser(visitor)
    browser.set_cookie("language", language)
    pages = 0
    for rule in _readable(world):
        answer = browser.get(world.address(rule))
        if answer.mimetype == "text/html" and answer.status_code not in {HTTPStatus.SEE_OTHER, HTTPStatus.FOUND}:
            pages += 1
            problems = _problems(BeautifulSoup(answer.get_data(as_text=True), "html.parser"), language)
            assert problems == [], rule.rule
    assert pages >= 2


def _problems(page: BeautifulSoup, language: str) -> list[str]:
    found = [f"inline {tag.name}" for tag in page(["script", "style"]) if not tag.get("src")]
    for tag in page(True):
        found += [f"{tag.name} {name}" for name in tag.attrs if name == "style" or name.startswith("on")]
        found += [f"foreign {tag[name]}" for name in ("src", "href", "action") if _is_foreign(str(tag.get(name, "")))]
    ids = [tag["id"] for tag in page(id=True)]
    found += [f"id {name} twice" for name in {name for name in ids if ids.count(name) > 1}]
    found += _words(page, language)
    for form in page("form"):
        if str(form.get("method", "get")).lower() == "post" and not form.find("input", {"name": "csrf_token"}):
            found.append(f"form to {form.get('action')} without a token")
    return found


def _words(page: BeautifulSoup, language: str) -> list[str]:
    heads = page("h1")
    title = page.title.get_text().strip() if page.title else ""
    found = [] if len(heads) == 1 else [f"{len(heads)} h1"]
    if heads and not title.startswith(" ".join(heads[0].get_text().split())):
        found.append(f"the title {title!r} does not begin with the heading")
    direction = {"fa": "rtl", "en": "ltr"}[language]
    if page.html is None or (page.html.get("lang"), page.html.get("dir")) != (language, direction):
        found.append("language or direction is not told")
    return found


def _is_foreign(address: str) -> bool:
    return bool(re.match(r"(?:[a-z][a-z0-9+.-]*:)?//|(?:javascript|data):", address.strip(), re.IGNORECASE))


# The guards themselves


def test_what_has_no_guard_is_closed(world: World) -> None:
    assert guard(world.app, "nothing.like_this") is None
    assert not may_pass(world, "admin", Rule("/nothing", endpoint="nothing.like_this"))


def _asked_for() -> set[str]:
    """Every name that a page reads out of its address, and every field that may stand in one."""
    sources = [path.read_text() for path in Path("sms").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r"args\.get(?:list)?\(\"(\w+)\"", source)}
    fields = {name for source in sources for name in re.findall(r"^    (\w+) = \w*Field\(", source, re.MULTILINE)}
    return read | fields


RUBBISH = ("99999999999999999999", "-1", "\x00", "«%s'\\")


@pytest.mark.parametrize("visitor", ["reseller", "admin"])
def test_rubbish_in_an_address_is_no_fault(world: World, visitor: str) -> None:
    browser, names = world.browser(visitor), _asked_for()
    failed = {
        (rule.rule, rubbish): answer.status
        for rule in _readable(world)
        if _expected(world, visitor, rule) == GRANTED
        for rubbish in RUBBISH
        if (answer := browser.get(world.address(rule), query_string=dict.fromkeys(names, rubbish))).status_code
        >= HTTPStatus.INTERNAL_SERVER_ERROR
    }
    assert failed == {}


@pytest.mark.parametrize("visitor", ["reseller", "admin"])
def test_rubbish_in_a_form_is_no_fault(world: World, visitor: str) -> None:
    browser, names, failed = world.browser(visitor), _asked_for(), {}
    token = csrf_token(browser)
    for rule in routes(world.app):
        is_open = _expected(world, visitor, rule) == GRANTED and rule.endpoint != "accounts.sign_out"
        for method in sorted(_methods(rule) & UNSAFE if is_open else ()):
            for rubbish in RUBBISH:
                form = dict.fromkeys(names, rubbish) | {"csrf_token": token}
                answer = browser.open(world.address(rule), method=method, data=form)
                assert not _is_sent_to_sign_in(answer), rule.rule
                if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    failed[rule.rule, rubbish] = answer.status
    assert failed == {}
