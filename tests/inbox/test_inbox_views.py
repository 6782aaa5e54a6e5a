"""The pages of the inbox: text is shown as text, nobody else's is shown, a reply goes the way of every send."""

import json
from datetime import timedelta
from io import BytesIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from jobs.inbox import take_inbound
from sms.core.actor import PANEL
from sms.core.db import execute, scalar, transaction
from sms.core.sheets.table import read_table
from sms.core.sheets.writing import MEDIA_TYPE
from sms.inbox import webhooks
from sms.inbox.operations import pushing
from tests.factories import AT
from tests.inbox.conftest import SENDER, Post
from tests.outbox.visits import signed_in, staff

NASTY = [
    '<img src=x onerror="alert(1)">',
    '<div hx-get="/outbox" hx-trigger="load">x</div>',
    "{{7*7}} {% raw %}",
    "\u202eevil\u202c \u2066isolated",
    "=cmd|' /C calc'!A0",
]


def test_any_text_is_shown_as_text_on_every_page_and_in_the_file(app: Flask, post: Post) -> None:
    public = str(scalar("SELECT number FROM lines_line WHERE id = :id", id=post.shop.line_id))
    for place, body in enumerate(NASTY):
        at = AT + timedelta(minutes=place)
        post.bring(post.text(body), post.text(body, number=public), post.text(body, sender=body), at=at)
    visitor = signed_in(app, post.shop.account_id)
    pages = ["/inbox", f"/inbox/{post.line_id}/{SENDER}"]
    shown = [visitor.go(address).page for address in pages] + [staff(app).go("/admin/texts").page]
    for page in shown:
        for body in NASTY:
            assert " ".join(body.split()) in " ".join(page.get_text().split())
        assert not page.select("main img, main div[hx-trigger=load]")
        for tag in page.find_all(string=lambda text: "\u202e" in text):
            assert tag.find_parent(["bdi", "p"])
    sheet = visitor.browser.get("/inbox/export.csv").get_data(as_text=True)
    assert "\"'=cmd" in sheet
    assert '"=' not in sheet
    assert sheet.count("onerror") == 3  # a sender and two texts
    assert SENDER[2:] in sheet


def test_a_workbook_holds_the_same_texts_and_no_formula(app: Flask, post: Post) -> None:
    for place, body in enumerate([*NASTY, "_x0041_", "می\u200cخواهم"]):
        post.bring(post.text(body), at=AT + timedelta(minutes=place))
    post.bring(post.text("the rival's", number=post.rival_number))
    answer = signed_in(app, post.shop.account_id).browser.get("/inbox/export.xlsx?line_id=")
    assert answer.mimetype == MEDIA_TYPE
    with ZipFile(BytesIO(answer.get_data())) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    tags = {element.tag.rpartition("}")[2] for element in sheet.iter()}
    assert tags & {"c", "f", "img", "div", "b"} == {"c"}
    assert {element.get("t") for element in sheet.iter() if element.tag.endswith("}c")} == {"inlineStr", None}
    table = list(read_table(BytesIO(answer.get_data())))
    shown = [cells[4] for _, cells in table[:0:-1]]
    assert shown == [*NASTY[:3], "evil isolated", NASTY[4], "_x005F_x0041_", "می\u200cخواهم"]  # Excel undoes the escape
    assert {cells[2] for _, cells in table[1:]} == {"09121234567"}


def test_what_a_page_asks_by_itself_keeps_no_session_alive(app: Flask, post: Post) -> None:
    visitor = signed_in(app, post.shop.account_id)
    post.bring(post.text("one"))
    asking = visitor.go("/inbox").page.select("[hx-trigger^=every]")
    with transaction():
        execute("UPDATE accounts_session SET seen_at = seen_at - interval '1 hour'")
    before = scalar("SELECT seen_at FROM accounts_session")
    assert len(asking) == 2
    for element in asking:
        headers = {"HX-Request": "true", **json.loads(str(element["hx-headers"]))}
        assert visitor.browser.get(str(element["hx-get"]), headers=headers).status_code in {200, 204}
    assert scalar("SELECT seen_at FROM accounts_session") == before
    visitor.go("/inbox")
    assert scalar("SELECT seen_at FROM accounts_session") > before


def test_nobody_elses_texts_are_seen(app: Flask, post: Post) -> None:
    post.bring(post.text("for my eyes"))
    rival = signed_in(app, post.rival_id)
    for address in ("/inbox", "/inbox?box=unread", "/inbox?q=eyes", "/inbox/export.csv"):
        assert "for my eyes" not in rival.browser.get(address).get_data(as_text=True)
    assert rival.browser.get(f"/inbox/{post.line_id}/{SENDER}").status_code == 404
    assert rival.browser.get(f"/inbox/{2**40}/{SENDER}").status_code == 404


def test_reading_and_archiving_from_the_list(app: Flask, post: Post) -> None:
    post.bring(post.text("one"), post.text("two"))
    visitor = signed_in(app, post.shop.account_id)
    assert visitor.go("/inbox").page.select(".menu-count")[0].get_text() == "2"
    visitor.submit("/inbox/archive")
    assert len(visitor.page.select("tbody tr")) == 1
    visitor.submit("/inbox/read")
    assert visitor.page.select(".menu-count")[0].get_text() == ""
    visitor.go("/inbox?box=archived").submit("/inbox/archive")
    assert len(visitor.go("/inbox").page.select("tbody tr")) == 2


def test_the_list_is_sent_again_only_when_something_changed(app: Flask, post: Post) -> None:
    post.bring(post.text("one"))
    visitor = signed_in(app, post.shop.account_id)
    visitor.go("/inbox")
    address = str(visitor.page.select("#texts")[0]["hx-get"])
    ask = {"HX-Request": "true"}
    assert visitor.browser.get(address, headers=ask).status_code == 204
    post.bring(post.text("two"), at=AT + timedelta(minutes=1))
    answer = visitor.browser.get(address, headers=ask)
    assert answer.status_code == 200
    part = BeautifulSoup(answer.get_data(as_text=True), "html.parser")
    assert part.find("html") is None
    assert len(part.select("tbody tr")) == 2
    assert visitor.browser.get("/inbox/unread", headers=ask).get_data(as_text=True) == "2"


def test_a_reply_shows_its_price_and_goes_out_from_the_same_line(app: Flask, post: Post) -> None:
    post.bring(post.text("how much?"))
    visitor = signed_in(app, post.shop.account_id)
    visitor.go("/inbox").go(str(visitor.page.select("tbody td a")[0]["href"]))
    visitor.submit("/read")
    assert scalar("SELECT count(*) FROM inbox_message WHERE read_at IS NULL") == 0
    visitor.submit("/compose", body="ten toman")
    assert visitor.address.startswith("/drafts/")
    visitor.go(visitor.address).submit("/confirm")
    visitor.go(f"/inbox/{post.line_id}/{SENDER}")
    assert [text.get_text() for text in visitor.page.select(".talk .written")] == ["how much?", "ten toman"]
    with transaction():
        execute("UPDATE lines_line SET is_active = false WHERE id = :id", id=post.line_id)
    assert "Nothing can be sent from this line now" in visitor.go(visitor.address).text


# What is pushed


@pytest.fixture
def address(post: Post) -> str:
    webhooks.MISTAKES._left.clear()
    with transaction():
        secret = pushing.renew(line_id=post.line_id, by=PANEL, at=AT)
    return f"/hooks/lines/{post.line_id}/{secret}/texts"


def test_a_pushed_text_is_kept_before_it_is_answered_and_comes_once(
    client: FlaskClient, post: Post, address: str
) -> None:
    pushed = {"from": "09121234567", "to": post.rival_number, "text": "سلام", "id": "9"}
    assert client.get(address, query_string=pushed).get_data(as_text=True) == "OK\n"
    assert scalar("SELECT count(*) FROM operators_inbound_raw") == 1
    assert client.post(address, data=pushed).status_code == 200
    assert client.post(address, json=pushed).status_code == 200
    take_inbound()
    assert [(each.account_id, each.body, each.times) for each in post.kept()] == [(post.shop.account_id, "سلام", 3)]


def test_only_the_secret_opens_and_only_from_where_it_is_bound_to(
    client: FlaskClient, post: Post, address: str
) -> None:
    text = {"from": "1", "text": "x"}
    assert client.get(address).get_data(as_text=True) == "ready\n"
    for wrong in (address.replace(f"/{post.line_id}/", f"/{post.line_id + 1}/"), "/hooks/lines/1/x/texts"):
        assert client.post(wrong, data=text).status_code == 404
    with transaction():
        pushing.bind(line_id=post.line_id, addresses="192.0.2.0/24", by=PANEL, at=AT)
    assert client.post(address, data=text).status_code == 403
    with transaction():
        pushing.close(line_id=post.line_id, by=PANEL, at=AT)
    assert client.post(address, data=text).status_code == 404
    assert scalar("SELECT count(*) FROM operators_inbound_raw") == 0


def test_staff_make_bind_and_close_the_address(app: Flask, client: FlaskClient, post: Post) -> None:
    visitor = staff(app)
    visitor.go(f"/admin/lines/{post.line_id}/texts").submit("/renew")
    shown = visitor.page.select("code")[0].get_text()
    path = shown.partition("?")[0].removeprefix("http://localhost")
    assert client.get(path).get_data(as_text=True) == "ready\n"
    visitor.go(f"/admin/lines/{post.line_id}/texts")
    assert path.split("/")[4] not in visitor.text
    visitor.submit("/texts", addresses="192.0.2.7")
    visitor.submit("/texts", allowed=422, addresses="nowhere")
    visitor.go(f"/admin/lines/{post.line_id}/texts").submit("/close")
    assert client.get(path).status_code == 404
