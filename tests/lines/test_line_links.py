"""Texts with links over lines: found in every disguise, refused where a permission is asked for, permitted by name."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import ProgrammingError

from sms.core.actor import PANEL
from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines.links import operations
from sms.lines.links.rules import LinkPolicy, has_address, link_refusal
from sms.lines.queries import usable_line, usable_lines
from tests.factories import AT, Shop, make_account, make_line, make_shop
from tests.outbox.visits import staff

ALLOWED, ASKS, FORBIDDEN = LinkPolicy.ALLOWED, LinkPolicy.PERMISSION, LinkPolicy.FORBIDDEN


@pytest.mark.parametrize(
    "body",
    [
        *("https://example.ir", "ببینید http://example.ir/x", "HTTPS://EXAMPLE.IR", "http : //example", "ftp://x.ir"),
        *("www.example", "shop.ir", "برو به shop.ir و ببین", "(shop.ir)", "shop.ir.", "shop.ir، ارزان", "t.me/channel"),
        *("bit.ly/3x", "sub.shop.co.ir", "a-b.com", "shop.ir:8080", "فروشگاه.ایران", "xn--x.xn--mgba3a4f16a"),
        *("shop.photography/x", "192.168.1.1/x", "8.8.8.8:80", "...shop.ir", "shop.ir.سلام", "سلام\nshop.ir\nخداحافظ"),
        *(
            "sh\u200bop.ir",
            "shop\u200c.ir",
            "shop。ir",
            "ｓｈｏｐ．ｉｒ",
            "shop․ir",
            "\u202eri.pohs shop.ir",
            "https://a@b.ir",
        ),
        *("user@shop.ir/x", "http:// shop", "تخفیف:shop.ir"),
    ],
)
def test_an_address_is_found(body: str) -> None:
    assert has_address(body)


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            "سلام",
            "hello. how are you",
            "نسخهٔ ۳.۵ آمد",
            "3.5",
            "ساعت 8.30",
            "1.2.3.4",
            "...",
            "تمام شد.فردا",
            "a.b",
        ),
        *("info@shop.ir", "به ali.me@shop.co.ir بنویسید", "Dr.Ahmadi", "لغو11", "12/5/1405", "No.5", "etc.", "{link}"),
        *("کد شما: 123456", "https", "www", "http:", "A.M. تا P.M.", "node.js"),
    ],
)
def test_what_is_none_is_not_taken_for_one(body: str) -> None:
    assert not has_address(body)


@pytest.mark.parametrize(
    ("policy", "is_permitted", "body", "told"),
    [
        (ALLOWED, False, "shop.ir", None),
        (ASKS, False, "hello", None),
        (ASKS, True, "shop.ir", None),
        (ASKS, False, "shop.ir", "need a permission"),
        (FORBIDDEN, True, "shop.ir", "cannot go over line"),
        (FORBIDDEN, False, "hello", None),
    ],
)
def test_what_a_line_makes_of_a_text(policy: LinkPolicy, is_permitted: bool, body: str, told: str | None) -> None:
    refusal = link_refusal(body, number="3000", policy=policy, is_permitted=is_permitted)
    assert (refusal is None) if told is None else (refusal is not None and told in refusal.message)


@pytest.fixture
def shop(app: Flask) -> Shop:
    made = make_shop()
    with transaction():
        execute("UPDATE lines_line SET links = 'permission' WHERE id = :id", id=made.line_id)
    return made


def permit(account_id: int, line: str = "", days: int | None = None, reason: str = "letter 12") -> int:
    with transaction():
        return operations.permit(
            account_id=account_id,
            line_number=line,
            reason=reason,
            expires_at=AT + timedelta(days=days) if days else None,
            by=PANEL,
            at=AT,
        )


def is_refused(shop: Shop, *, days: int = 0) -> bool:
    line = usable_line(shop.account_id, shop.line_id, at=AT + timedelta(days=days))
    assert line is not None
    return line.link_refusal("see shop.ir") is not None


def number(line_id: int) -> str:
    return str(scalar("SELECT number FROM lines_line WHERE id = :id", id=line_id))


def test_a_permission_is_of_one_account_for_one_line_or_for_all(shop: Shop) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    assert is_refused(shop)
    permit(make_account()[0])
    permit(shop.account_id, number(other))
    assert is_refused(shop)
    permit(shop.account_id, number(shop.line_id))
    assert not is_refused(shop)
    with transaction():
        execute("UPDATE lines_line SET links = 'permission'")
    found = {line.id: line.may_link for line in usable_lines(shop.account_id, at=AT)}
    assert found == {shop.line_id: True, other: True}


def test_a_permission_ends_by_its_day_or_by_the_staff_and_stays_on_record(shop: Shop) -> None:
    permit(shop.account_id, days=2)
    assert [is_refused(shop, days=days) for days in (0, 1, 2, 3)] == [False, False, True, True]
    permission_id = permit(shop.account_id)
    assert not is_refused(shop, days=3)
    with transaction():
        operations.end_permission(permission_id=permission_id, by=PANEL, at=AT)
    assert is_refused(shop, days=3)
    with pytest.raises(NotFound), transaction():
        operations.end_permission(permission_id=permission_id, by=PANEL, at=AT)
    with pytest.raises(ProgrammingError), transaction():
        execute("DELETE FROM lines_link_permission")
    assert scalar("SELECT count(*) FROM lines_link_permission") == 2
    assert [each.action for each in rows("SELECT action FROM accounts_audit ORDER BY id")] == [
        "lines.links_permitted",
        "lines.links_permitted",
        "lines.links_permission_ended",
    ]


@pytest.mark.parametrize(
    ("line", "days", "reason"), [("", None, "  "), ("999", None, "x"), ("", -1, "x"), ("", 1, "x" * 301)]
)
def test_a_permission_has_a_reason_and_a_line_that_is_there(
    shop: Shop, line: str, days: int | None, reason: str
) -> None:
    with pytest.raises(Refusal):
        permit(shop.account_id, line, days, reason)


def test_the_staff_make_a_line_strict_permit_a_customer_and_take_it_back(app: Flask, shop: Shop) -> None:
    walker = staff(app).go(f"/admin/lines/{shop.line_id}")
    walker.submit(f"/admin/lines/{shop.line_id}", links="forbidden")
    assert scalar("SELECT links FROM lines_line WHERE id = :id", id=shop.line_id) == "forbidden"
    username = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=shop.user_id))
    walker.go("/admin/link-permissions")
    assert number(shop.line_id) in walker.text
    walker.submit("/admin/link-permissions", allowed=422, account="nobody", reason="x")
    walker.submit("/admin/link-permissions", account=username, line=f" {number(shop.line_id)} ", reason="<b>letter</b>")
    assert "<b>letter</b>" in walker.text
    permission_id = scalar("SELECT id FROM lines_link_permission")
    walker.submit(f"/{permission_id}/end")
    assert "Ended" in walker.text


def test_a_permission_is_granted_by_command(app: Flask, shop: Shop) -> None:
    username = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=shop.user_id))
    told = app.test_cli_runner().invoke(args=["link-permit", "--account", username, "--reason", "letter 3"])
    assert told.exit_code == 0
    assert not is_refused(shop)
