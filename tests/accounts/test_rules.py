"""Who may what, names, passwords, lifetimes and addresses: as tables."""

from datetime import UTC, datetime, timedelta

import pytest

from sms.accounts import rules
from sms.accounts.rules import AccountKind, Permission, Role, UnusableName, UnusablePassword, Visitor

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TENANT = {"messages.send", "messages.view", "lines.view", "money.view", "account.manage"}
EVERYTHING = {str(permission) for permission in Permission}


def _visitor(kind: str, role: str) -> Visitor:
    return Visitor(
        id=1,
        account_id=1,
        account_kind=kind,
        account_name="",
        username="",
        full_name="",
        role=role,
        language="fa",
        money_unit="rial",
        token="secret",
    )


@pytest.mark.parametrize(
    ("kind", "role", "may"),
    [
        ("customer", "owner", TENANT),
        ("customer", "member", TENANT - {"account.manage"}),
        ("reseller", "owner", TENANT | {"sub_accounts.manage"}),
        ("reseller", "member", TENANT - {"account.manage"}),
        ("installation", "owner", EVERYTHING - {"sub_accounts.manage"}),
        ("installation", "member", EVERYTHING - {"sub_accounts.manage"}),
    ],
)
def test_who_may_what(kind: str, role: str, may: set[str]) -> None:
    visitor = _visitor(kind, role)
    assert {permission for permission in EVERYTHING if visitor.may(permission)} == may
    assert not visitor.may("no.such.thing")


def test_every_kind_and_role_has_its_line() -> None:
    assert set(rules.PERMISSIONS) == {(kind, role) for kind in AccountKind for role in Role}


def test_a_visitor_does_not_show_the_token() -> None:
    assert "secret" not in repr(_visitor("customer", "owner"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Ali", "ali"), (" ali.r-2_x ", "ali.r-2_x"), ("ali۱۲", "ali12"), ("a1٣", "a13")],
)
def test_user_names_are_folded(typed: str, name: str) -> None:
    assert rules.username_of(typed) == name


@pytest.mark.parametrize("typed", ["", "al", "-ali", "ali.", "علی", "a li", "a" * 41, "ali\0x", "a'--x", "ali\nreza"])
def test_what_is_no_user_name(typed: str) -> None:
    with pytest.raises(UnusableName):
        rules.username_of(typed)


@pytest.mark.parametrize(
    "password",
    [
        "nine char",  # too short
        "x" * 201,
        "1234567890",
        "۱۲۳۴۵۶۷۸۹۰",  # the same in Persian digits
        "Password123",
        "QWERTYUIOP",
        "abcdefghijkl",
        "aaaaaaaaaaaab",
        "09121234567",
        "+98 912 123 4567",
        "!!sunshine!!",
        "perspolis123",
        "رمزعبور۱۲۳۴",
        "payamgah123",
        "payamgah-sample",
        "sarmad.2024",  # the user's own name and little else
        "Golestan Shop",  # the account's
        "9121112233aa",  # a number with a tail: the mobile of the user
    ],
)
def test_what_is_no_password(password: str) -> None:
    names = ("sarmad", "Golestan Shop", "9121112233")
    with pytest.raises(UnusablePassword):
        rules.check_password(password, names=names)


@pytest.mark.parametrize(
    "password", ["a walk by the river", "خواب آرام دریا", "x7!kqpw9zz", "ghazal-e-hafez-42", "p" + "q7 " * 66]
)
def test_what_may_be_a_password(password: str) -> None:
    rules.check_password(password, names=("sarmad", "Golestan Shop"))


def test_the_sample_password_is_allowed_only_where_samples_are() -> None:
    rules.check_password(rules.SAMPLE_PASSWORD, is_sample_allowed=True)
    with pytest.raises(UnusablePassword):
        rules.check_password(rules.SAMPLE_PASSWORD, is_sample_allowed=False)


@pytest.mark.parametrize(
    ("kind", "used_for", "lasts"),
    [
        ("installation", timedelta(), timedelta(minutes=30)),
        ("customer", timedelta(), timedelta(hours=12)),
        ("reseller", timedelta(), timedelta(hours=12)),
        ("customer", timedelta(days=6, hours=20), timedelta(days=7)),
        ("installation", timedelta(days=6, hours=23, minutes=50), timedelta(days=7)),
    ],
)
def test_a_session_ends_by_idleness_or_after_seven_days(kind: str, used_for: timedelta, lasts: timedelta) -> None:
    assert rules.session_end(kind=kind, created_at=AT, seen_at=AT + used_for) == AT + lasts


@pytest.mark.parametrize(
    "path", ["/", "/outbox", "/outbox?day=1405/09/03", "/campaigns/7#x", "/search?next=//evil.example", "/a:b"]
)
def test_paths_of_this_site(path: str) -> None:
    assert rules.local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "outbox",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/x\\y",
        "https:evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        " /outbox",
        "/\tevil",
        "/\n/evil.example",
        "/a\r\nSet-Cookie: x=1",
        "/\x00",
        "/\u202eevil",
        "/" + "a" * 3000,
    ],
)
def test_what_is_no_path_of_this_site(path: str | None) -> None:
    assert rules.local_path(path) is None


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", "Chrome · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari · iOS"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36", "Chrome · Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox · Linux"),
        ("", ""),
        ("<script>", ""),
    ],
)
def test_browsers_are_named(agent: str, text: str) -> None:
    assert rules.agent_text(agent) == text


def test_names_lose_what_nobody_writes() -> None:
    assert rules.clean_text(" فروشگاه\u202e می\u200cرود\x00 ") == "فروشگاه می\u200cرود"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30, "30 seconds"), (0, "1 seconds"), (60, "60 seconds"), (61, "2 minutes"), (900, "15 minutes")],
)
def test_the_wait_is_told_in_a_fitting_unit(seconds: int, text: str) -> None:
    assert text in str(rules.SignInThrottled(wait_seconds=seconds))
