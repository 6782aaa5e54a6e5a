"""The pages of contacts: made, filled, renamed, sent to; what was typed is shown as text, in files too."""

from io import BytesIO
from zipfile import ZipFile

from flask import Flask

from sms.contacts import queries
from sms.core.sheets.table import read_table
from sms.core.sheets.writing import MEDIA_TYPE
from tests.factories import make_account, make_shop
from tests.journeys.walker import Walker
from tests.outbox.visits import signed_in

NASTY = [
    '<img src=x onerror="alert(1)">',
    "<b hx-get=/x hx-trigger=load>x</b>",
    "{{7*7}} {% raw %}",
    "\u202eevil\u202c",
    "=cmd|' /C calc'!A0",
    "%(count)s 100%",
]


def _with_group(app: Flask, account_id: int, name: str = "friends") -> tuple[Walker, int]:
    walker = signed_in(app, account_id).go("/contacts").submit("/contacts", name=name)
    return walker, int(walker.address.rsplit("/", 1)[1])


def test_a_group_is_made_filled_and_sent_to(app: Flask) -> None:
    shop = make_shop()
    walker, group_id = _with_group(app, shop.account_id)
    walker.submit("/add", numbers="09121111111 Amir\n0935 222 2222\nnobody")
    assert walker.address.startswith("/contacts/lists/")
    assert "nobody" in walker.text
    walker.go(f"/contacts/{group_id}")
    assert "Amir" in walker.text
    walker.go(f"/compose?group_id={group_id}")
    chosen = walker.page.select_one("#group_id option[selected]")
    assert chosen is not None
    assert chosen["value"] == str(group_id)
    walker.submit("/compose", line_id=str(shop.line_id), body="hello", group_id=str(group_id))
    assert walker.address.startswith("/drafts/")
    walker.submit("/confirm")
    assert walker.address.startswith("/campaigns/")


def test_one_of_typed_file_and_group_is_taken(app: Flask) -> None:
    shop = make_shop()
    walker, group_id = _with_group(app, shop.account_id)
    walker.submit("/add", numbers="09121111111")
    walker.go("/compose").submit(
        "/compose",
        allowed=422,
        line_id=str(shop.line_id),
        body="hello",
        group_id=str(group_id),
        recipients="09121111111",
    )
    assert "only one of them" in walker.text


def test_a_group_is_renamed_searched_emptied_and_thrown_away(app: Flask) -> None:
    account_id = make_account()[0]
    walker, group_id = _with_group(app, account_id)
    walker.go("/contacts").submit("/contacts", allowed=422, name="FRIENDS")
    walker.go(f"/contacts/{group_id}").submit("/rename", name="better friends")
    assert queries.group(account_id, group_id).name == "better friends"
    walker.submit("/add", numbers="09121111111\n09352222222")
    walker.go(f"/contacts/{group_id}?mobile=09352222222")
    assert "1111111" not in walker.text.replace(" ", "")
    walker.submit("/remove", mobile="989352222222")
    assert [each.mobile for each in queries.members(account_id, group_id, most=9)] == [989121111111]
    walker.go(f"/contacts/{group_id}").submit("/delete")
    assert queries.groups(account_id) == []


def test_whatever_a_name_is_it_is_shown_as_text_on_pages_and_in_files(app: Flask) -> None:
    shop = make_shop()
    walker, group_id = _with_group(app, shop.account_id, name=NASTY[0])
    rows = "\n".join(f"091200000{place:02}\t{name}" for place, name in enumerate(NASTY))
    walker.submit("/add", numbers=f"{rows}\n{NASTY[0]}\n{NASTY[2]}")
    pages = [walker.page, walker.go(f"/contacts/{group_id}").page, walker.go("/contacts").page]
    pages.append(walker.go(f"/compose?group_id={group_id}").page)
    for page in pages:
        assert not page.select("main img, main [hx-trigger=load], main b[hx-get]")
        assert NASTY[0] in page.get_text()
        assert "49 " not in page.get_text()
    for name in NASTY[:3] + NASTY[4:]:
        assert name in pages[1].get_text()
    file = walker.browser.get(f"/contacts/{group_id}/export.csv").get_data(as_text=True)
    assert "\"'=cmd" in file
    assert '"=' not in file
    answer = walker.browser.get(f"/contacts/{group_id}/export.xlsx")
    assert answer.mimetype == MEDIA_TYPE
    with ZipFile(BytesIO(answer.get_data())) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    names = [cells[1] for _, cells in read_table(BytesIO(answer.get_data()))][1:]
    assert names == [*NASTY[:3], "evil", *NASTY[4:]]


def test_a_list_that_cannot_be_read_says_so_on_the_page(app: Flask) -> None:
    walker, _group_id = _with_group(app, make_account()[0])
    walker.submit("/add", allowed=422, numbers="")
    walker.submit("/add", allowed=422, file=(BytesIO(b"%PDF-1.7"), "x.csv"))
    assert "This file is no list" in walker.text


def test_a_strangers_group_is_not_there(app: Flask) -> None:
    _, group_id = _with_group(app, make_account()[0])
    stranger = signed_in(app, make_account()[0])
    for address in ("", "/export.csv", "/export.xlsx"):
        assert stranger.browser.get(f"/contacts/{group_id}{address}").status_code == 404
    assert stranger.browser.get(f"/contacts/{2**70}").status_code == 404
