"""Where links may lead, what is suspicious, what the staff say of domains. Tables."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.errors import Refusal
from sms.links.rules.domains import Listed, Verdict, check_domain, judge, suffixes
from sms.links.rules.targets import (
    Sign,
    Target,
    UnusableTarget,
    check_base,
    check_target,
    check_utm,
    shown,
    signs_of,
    with_utm,
)

AT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_text", "url", "host"),
    [
        ("https://example.ir", "https://example.ir/", "example.ir"),
        ("  HTTPS://Example.IR/Sale?a=1#top ", "https://example.ir/Sale?a=1#top", "example.ir"),
        ("http://example.ir:80/", "http://example.ir/", "example.ir"),
        ("http://example.ir:8080/x", "http://example.ir:8080/x", "example.ir"),
        ("https://example.ir./x", "https://example.ir/x", "example.ir"),
        ("https://example。ir/x", "https://example.ir/x", "example.ir"),
        ("https://example.ir/سلام", "https://example.ir/%D8%B3%D9%84%D8%A7%D9%85", "example.ir"),
        ("https://example.ir/%D8%B3?q=%0d%0aX", "https://example.ir/%D8%B3?q=%0d%0aX", "example.ir"),
        ('https://example.ir/<img>"', "https://example.ir/%3Cimg%3E%22", "example.ir"),
        ("https://فروشگاه.ایران", "https://xn--mgbtj4c7ad63e.xn--mgba3a4f16a/", "xn--mgbtj4c7ad63e.xn--mgba3a4f16a"),
        ("http://8.8.8.8/x", "http://8.8.8.8/x", "8.8.8.8"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/", "2606:4700:4700::1111"),
    ],
)
def test_addresses_of_the_web_are_taken_in_one_spelling(given_text: str, url: str, host: str) -> None:
    assert check_target(given_text) == Target(url, host)
    assert check_target(url).url == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "example.ir", "//example.ir/", "/sale", "https:///x", "https://", "http://:80/"),
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://example.ir/"),
        *("mailto:a@b.ir", "tel:0912", "intent://x#Intent;end", "java\tscript:alert(1)", "\x01javascript:alert(1)"),
        *("https://user:secret@example.ir/", "https://example.ir@evil.ir/", "https://a@b@c.ir"),
        *("https://example.ir\\@evil.ir/", "https:\\\\evil.ir", "https://evil.ir\\.example.ir"),
        *("https://example.ir/\r\nSet-Cookie: a=b", "https://example.ir/\nX", "https://example.ir/a b", "https://a.ir/\0"),
        *("https://exa\u200bmple.ir/", "https://example.ir/\u202egpj.exe", "https://example.ir/\ud800"),
        *("http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://printer/", "http://db.internal/"),
        *("http://nas.local/", "http://router.lan/", "http://x.home.arpa", "http://abc.onion/"),
        *("http://127.0.0.1/", "http://127.1/", "http://0/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/"),
        *("http://017700000001/", "http://10.0.0.8/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/"),
        *("http://169.254.169.254/latest/meta-data/", "http://224.0.0.1/", "http://255.255.255.255/", "http://1.2.3/"),
        *("http://۱۲۷.۰.۰.۱/", "http://１２７.0.0.1/", "http://[::1]/", "http://[::]/", "http://[fe80::1]/", "http://[fc00::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://[::ffff:10.0.0.1]/", "http://[2002:7f00:1::]/", "http://[::1", "http://[x]/"),
        *("https://example.ir:0/", "https://example.ir:99999/", "https://example.ir:x/", "https://a..ir/", "https://-a.ir/"),
        *("https://" + "a" * 64 + ".ir/", "https://" + "a." * 130 + "ir/", "https://example.ir/" + "x" * 2000),
        *("https://example.ir/" + "س" * 500, "https://faß.de/", "https://می\u200cخواهم.ایران/"),
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(UnusableTarget):
        check_target(text)


@given(st.text(max_size=80))
def test_whatever_is_taken_can_stand_in_a_header_and_is_http(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://example.ir/{text}", f"https://example.ir?{text}"):
        try:
            target = check_target(candidate)
        except UnusableTarget:
            continue
        assert target.url.startswith(("http://", "https://"))
        assert target.url.isascii()
        assert target.url.isprintable()
        assert " " not in target.url
        assert "\\" not in target.url


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("https://example.ir/", set()),
        ("https://فروشگاه.ایران/", set()),
        ("http://8.8.8.8/", {Sign.NUMBER}),
        ("https://[2606:4700:4700::1111]/", {Sign.NUMBER}),
        ("https://example.ir:8443/", {Sign.PORT}),
        ("https://ехample.com/", {Sign.MIXED}),  # the first two letters are Cyrillic
        ("https://аррӏе.com/", {Sign.MIXED}),  # all of them are
        ("https://ехample.com:8080/", {Sign.MIXED, Sign.PORT}),
    ],
)
def test_signs_of_a_suspicious_target(text: str, signs: set[Sign]) -> None:
    assert signs_of(check_target(text)) == signs


def test_a_host_is_shown_as_people_write_it_unless_it_is_made_to_deceive() -> None:
    assert shown("xn--mgbtj4c7ad63e.xn--mgba3a4f16a") == "فروشگاه.ایران"
    assert shown(check_target("https://аррӏе.com/").host).startswith("xn--")
    assert shown("example.ir") == "example.ir"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.ir", "example.ir"),
        (" *.Example.IR ", "example.ir"),
        ("https://www.example.ir/path", "example.ir"),
        ("فروشگاه.ایران", "xn--mgbtj4c7ad63e.xn--mgba3a4f16a"),
        ("8.8.8.8", "8.8.8.8"),
    ],
)
def test_domains_are_listed_in_one_spelling(text: str, domain: str) -> None:
    assert check_domain(text) == domain


@pytest.mark.parametrize("text", ["", "ir", "localhost", "exa mple.ir", "http://", "10.0.0.1", "*"])
def test_what_is_no_domain_is_not_listed(text: str) -> None:
    with pytest.raises(UnusableTarget):
        check_domain(text)


def test_the_domains_above_a_host() -> None:
    assert suffixes("a.b.example.ir") == ["a.b.example.ir", "b.example.ir", "example.ir", "ir"]
    assert suffixes("8.8.8.8") == ["8.8.8.8"]


MINDED = set(map(str, Sign))
DENY, ALLOW, FIRST = Verdict.DENY, Verdict.ALLOW, Verdict.PREVIEW


@pytest.mark.parametrize(
    ("text", "listed", "is_denied", "signs"),
    [
        ("https://example.ir/", [], False, set()),
        ("https://example.ir/", [("example.ir", DENY)], True, set()),
        ("https://shop.example.ir/", [("example.ir", DENY)], True, set()),
        ("https://example.ir/", [("shop.example.ir", DENY)], False, set()),
        ("https://notexample.ir/", [("example.ir", DENY)], False, set()),
        ("https://good.example.ir/", [("example.ir", DENY), ("good.example.ir", ALLOW)], False, set()),
        ("https://bad.example.ir/", [("example.ir", ALLOW), ("bad.example.ir", DENY)], True, set()),
        ("https://example.ir:8443/", [("example.ir", ALLOW)], False, set()),
        ("https://bit.ly/x", [("bit.ly", FIRST)], False, {Sign.LISTED}),
        ("http://8.8.8.8/", [("8.8.8.8", DENY)], True, set()),
    ],
)  # fmt: skip
def test_the_most_particular_domain_decides(
    text: str, listed: list[tuple[str, str]], is_denied: bool, signs: set[Sign]
) -> None:
    rows = [Listed(domain, verdict) for domain, verdict in listed]
    found = judge(check_target(text), rows, minded=MINDED, at=AT)
    assert (found.is_denied, set(found.signs)) == (is_denied, signs)


@pytest.mark.parametrize(("days", "is_suspicious"), [(1, True), (29, True), (31, False)])
def test_what_was_denied_until_lately_is_shown_first(days: int, is_suspicious: bool) -> None:
    rows = [Listed("example.ir", DENY, AT - timedelta(days=days))]
    assert judge(check_target("https://a.example.ir"), rows, minded=MINDED, at=AT).is_suspicious is is_suspicious


def test_a_sign_that_nobody_minds_is_none() -> None:
    assert not judge(check_target("http://8.8.8.8/"), [], minded={"mixed"}, at=AT).is_suspicious


@pytest.mark.parametrize(
    ("url", "utm", "found"),
    [
        ("https://a.ir/", {}, "https://a.ir/"),
        ("https://a.ir/", {"utm_source": "sms"}, "https://a.ir/?utm_source=sms"),
        ("https://a.ir/?x=1#top", {"utm_medium": "متن"}, "https://a.ir/?x=1&utm_medium=%D9%85%D8%AA%D9%86#top"),
        ("https://a.ir/?utm_source=mine", {"utm_source": "sms", "utm_term": "t"}, "https://a.ir/?utm_source=mine&utm_term=t"),
        ("https://a.ir/", {"utm_source": "a&b=c\r\nX: y"}, "https://a.ir/?utm_source=a%26b%3Dc%0D%0AX%3A+y"),
    ],
)  # fmt: skip
def test_campaign_parameters_are_added_and_nothing_is_overwritten(url: str, utm: dict[str, str], found: str) -> None:
    assert with_utm(url, utm) == found


def test_campaign_parameters_are_ours_and_short() -> None:
    assert check_utm({"utm_source": "  sms ", "utm_term": ""}) == {"utm_source": "sms"}
    for wrong in ({"utm_source": "x" * 101}, {"other": "x"}, {"utm_source": "a\u202eb"}):
        with pytest.raises(UnusableTarget):
            check_utm(wrong)


@pytest.mark.parametrize("text", ["https://s.example.ir", "https://s.example.ir/", "http://localhost:8000"])
def test_short_addresses_begin_with_a_host(text: str) -> None:
    assert check_base(text) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        *("s.example.ir", "https://s.example.ir/x", "https://a@b.ir", "ftp://x.ir", "https://x.ir?y", "https://پ.ir"),
        *("https://X.ir:0", "https://[x", "https://x.ir\n.y"),
    ],
)
def test_and_with_nothing_else(text: str) -> None:
    with pytest.raises(Refusal):
        check_base(text)
