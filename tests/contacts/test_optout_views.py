"""The list of those not to write to, its words and answers; and what a text does to the next send."""

from io import BytesIO

from bs4 import BeautifulSoup
from flask import Flask

from jobs.inbox import send_replies
from sms.contacts.queries import opted_out, suppression
from sms.contacts.words.queries import listed, replies
from sms.core.db import rows, scalar
from sms.core.sheets.table import read_table
from sms.lines.suffix.queries import suffixes
from tests.contacts.test_contacts_views import NASTY
from tests.factories import make_line, make_shop
from tests.inbox.conftest import SENDER, Post
from tests.outbox.visits import composed, sent, signed_in, staff


def _outcomes(campaign_id: int) -> dict[int, str | None]:
    found = rows(
        "SELECT recipient, outcome::text AS outcome, price_mrial FROM outbox_message WHERE campaign_id = :id",
        id=campaign_id,
    )
    assert all(each.price_mrial == 0 for each in found if each.outcome)
    return {each.recipient: each.outcome for each in found}


def test_a_text_stops_the_next_send_on_its_line_and_not_on_another(app: Flask, post: Post) -> None:
    shop = post.shop
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    walker = signed_in(app, post.shop.account_id)
    everybody = f"{SENDER} 09352222222"
    assert set(_outcomes(sent(walker, post.line_id, recipients=everybody)).values()) == {None}
    post.bring(post.text("لغو۱۱", ref="1"))
    composed(walker, post.line_id, recipients=everybody)
    assert "Opted out" in walker.text
    assert _outcomes(sent(walker, post.line_id, recipients=everybody)) == {int(SENDER): "opted_out", 989352222222: None}
    assert set(_outcomes(sent(walker, other, recipients=everybody)).values()) == {None}
    post.bring(post.text("۱۲", ref="2"))
    assert set(_outcomes(sent(walker, post.line_id, recipients=everybody)).values()) == {None}


def test_numbers_are_added_found_and_taken_off(app: Flask) -> None:
    shop = make_shop()
    walker = signed_in(app, shop.account_id).go("/opt-outs")
    walker.submit("/add", numbers="09121111111\n09352222222\nnobody", reason="by letter")
    assert "nobody" in walker.text
    walker.go("/opt-outs?mobile=09121111111")
    assert "by letter" in walker.text
    assert "222 2222" not in walker.text
    entry = next(each for each in opted_out(shop.account_id, most=9) if each.recipient == 989121111111)
    walker.submit("/remove", opt_out_id=str(entry.id))
    assert suppression(shop.account_id).everywhere == {989352222222}
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'contacts.opt_out_removed'") == 1
    walker.go("/opt-outs").submit("/add", allowed=422, numbers="")


def test_what_a_text_asked_for_has_no_button_and_cannot_be_posted(app: Flask, post: Post) -> None:
    post.bring(post.text("11"))
    walker = signed_in(app, post.shop.account_id).go("/opt-outs")
    assert "by a text of the recipient" in walker.text
    assert not walker.page.select("form[action$='/remove']")
    (entry,) = opted_out(post.shop.account_id, most=9)
    token = walker.page.select_one("input[name=csrf_token]")
    assert token is not None
    data = {"csrf_token": str(token["value"]), "opt_out_id": str(entry.id)}
    assert walker.browser.post("/opt-outs/remove", data=data).status_code == 303
    assert len(opted_out(post.shop.account_id, most=9)) == 1
    for wrong in ("0", str(2**70), "x"):
        assert walker.browser.post("/opt-outs/remove", data=data | {"opt_out_id": wrong}).status_code == 404


def test_whatever_a_reason_is_it_is_shown_as_text_on_the_page_and_in_files(app: Flask) -> None:
    shop = make_shop()
    walker = signed_in(app, shop.account_id)
    for place, reason in enumerate(NASTY):
        walker.go("/opt-outs").submit("/add", numbers=f"091200000{place:02}", reason=reason)
    page: BeautifulSoup = walker.go("/opt-outs").page
    assert not page.select("main img, main [hx-trigger=load], main b[hx-get]")
    for reason in (*NASTY[:3], *NASTY[4:]):
        assert reason in page.get_text()
    file = walker.browser.get("/opt-outs/export.csv").get_data(as_text=True)
    assert "\"'=cmd" in file
    assert '"=' not in file
    answer = walker.browser.get("/opt-outs/export.xlsx")
    reasons = [cells[2] for _, cells in read_table(BytesIO(answer.get_data()))][:0:-1]
    assert reasons == [*NASTY[:3], "evil", *NASTY[4:]]


def test_a_text_that_looks_like_markup_opts_out_of_nothing_and_is_text_as_an_answer(app: Flask, post: Post) -> None:
    walker = signed_in(app, post.shop.account_id).go("/opt-outs/answers")
    walker.submit("/answers", out_body=NASTY[0], in_body=NASTY[2])
    page = walker.go("/opt-outs/answers").page
    assert not page.select("main img")
    assert NASTY[0] in page.get_text()
    assert [(each.out_body, each.in_body) for each in replies(post.shop.account_id)] == [(NASTY[0], NASTY[2])]
    post.bring(*(post.text(body, ref=str(place)) for place, body in enumerate(NASTY)))
    assert suppression(post.shop.account_id).is_empty
    post.bring(post.text("11", ref="out"))
    send_replies()
    assert scalar("SELECT body FROM outbox_campaign") == NASTY[0]


def test_staff_keep_the_words_and_what_texts_end_with(app: Flask, post: Post) -> None:
    walker = staff(app).go("/admin/opting-out")
    walker.submit("/opting-out", word=NASTY[0][:30], meaning="out", line_number=post.number)
    assert not walker.page.select("main img")
    walker.submit("/opting-out", allowed=422, word="لغو ۱۱", meaning="in", line_number="")
    walker.go("/admin/opting-out").submit("/suffix", suffix="لغو ۱۱", is_demanded="y")
    assert [(each.suffix, each.is_demanded) for each in suffixes()] == [("لغو ۱۱", True)]
    walker.submit("/suffix", allowed=422, suffix="...")
    count = len(listed())
    walker.go("/admin/opting-out").submit("/remove", word_id=str(listed()[-1].id))
    assert len(listed()) == count - 1


def test_a_line_says_on_its_page_whether_it_demands_the_words(app: Flask, post: Post) -> None:
    walker = staff(app).go(f"/admin/lines/{post.line_id}")
    for said, kept in (("True", True), ("False", False), ("", None)):
        walker.go(f"/admin/lines/{post.line_id}").submit(f"/lines/{post.line_id}", demands_suffix=said)
        assert scalar("SELECT demands_suffix FROM lines_line WHERE id = :id", id=post.line_id) is kept
        chosen = walker.page.select_one("#demands_suffix option[selected]")
        assert (str(chosen["value"]) if chosen else "") == said
