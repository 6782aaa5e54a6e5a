"""The pages of automations: made and changed by forms, tried without effect, text shown as text, files safe."""

import re
from io import BytesIO
from zipfile import ZipFile

import pytest
from flask import Flask

from sms.core.db import rows, scalar, transaction
from sms.core.sheets.table import read_table
from sms.core.sheets.writing import Sheet, xlsx
from sms.core.web.htmx import STOP_POLLING
from sms.inbox.automations.operations import lists, writing
from sms.inbox.automations.rules.drawing import Entry, draw, fingerprint, score
from sms.inbox.automations.rules.kinds import Option, options_of, options_text
from sms.inbox.automations.rules.matching import Hours, Way
from sms.inbox.forwarding.operations import hooks
from tests.factories import AT, make_root
from tests.inbox.automations.conftest import Stand, club, codes, contest, keyword, poll
from tests.inbox.test_inbox_views import NASTY
from tests.inbox.visits import Visitor, visiting


@pytest.fixture
def visitor(app: Flask, stand: Stand) -> Visitor:
    return visiting(app, stand.post.shop.account_id)


def _new(stand: Stand, kind: str) -> str:
    return f"/lines/{stand.post.line_id}/automations/new/{kind}"


NOTHING = {"add_group_id": "", "remove_group_id": "", "hook_id": ""}  # as a browser sends what was not chosen
FILLED = {
    "keyword": {"way": "exact", "keywords": "قیمت، بها", "reply_matched": "هزار"},
    "codes": {"way": "any", "reply_valid": "yes", "reply_used": "used", "reply_no_code": "no"},
    "poll": {"way": "starts", "keywords": "رای", "options": "آبی = blue | b\nسبز", "reply_vote": "thanks"},
    "contest": {"way": "any", "options": "تهران = tehran", "ends_on": "2030-01-01", "reply_right": "bravo"},
    "club": {
        "way": "exact",
        "keywords": "عضویت",
        "options": "name = Your name?\ncity",
        "cancel_word": "انصراف",
        "timeout_minutes": "30",
        "reply_joined": "welcome",
    },
}


@pytest.mark.parametrize("kind", sorted(FILLED))
@pytest.mark.parametrize("language", ["fa", "en"])
def test_each_kind_is_made_shown_changed_and_read_back(
    stand: Stand, visitor: Visitor, kind: str, language: str
) -> None:
    visitor.browser.set_cookie("language", language)
    fields = NOTHING | FILLED[kind]
    if language == "fa" and "ends_on" in fields:
        fields["ends_on"] = "۱۴۰۸/۱۰/۱۱"
    done = visitor.send(_new(stand, kind), {"name": "mine", "opens_at": "۰۸:۰۰", "closes_at": "22:30", **fields})
    assert done.status == 303, done.page.get_text()
    automation_id = scalar("SELECT id FROM inbox_automation")
    before = stand.get(automation_id)
    assert before.kind == kind
    assert visitor.go(f"/automations/{automation_id}").status == 200
    page = visitor.go(f"/automations/{automation_id}/edit").page
    shown = {
        field["name"]: field.get_text().strip("\n") if field.name == "textarea" else field.get("value", "")
        for field in page.select("main input[name], main textarea[name]")
        if field.get("type") not in {"checkbox", "hidden"}
    }
    shown |= {
        field["name"]: chosen["value"]
        for field in page.select("main select[name]")
        if (chosen := field.select_one("option[selected]")) is not None
    }
    assert visitor.send(f"/automations/{automation_id}/edit", shown).status == 303
    after = stand.get(automation_id)
    assert (after.keywords, after.options, after.hours, after.replies) == (
        before.keywords,
        before.options,
        before.hours,
        before.replies,
    )


@pytest.mark.parametrize(
    ("kind", "changes", "marked"),
    [
        ("keyword", {"keywords": ""}, "keywords"),
        ("keyword", {"keywords": "!!!"}, "keywords"),
        ("keyword", {"name": " "}, "name"),
        ("keyword", {"reply_matched": ""}, "reply_matched"),
        ("keyword", {"opens_at": "08:00", "closes_at": ""}, "closes_at"),
        ("keyword", {"mobile": "123"}, "mobile"),
        ("keyword", {"email": "no address"}, "email"),
        ("keyword", {"email": "a@example.com"}, "email"),  # there is no mail server
        ("poll", {"options": "آبی"}, "options"),
        ("poll", {"options": "آبی = x\nسبز = x"}, "options"),
        ("poll", {"way": "exact"}, "way"),
        ("club", {"cancel_word": "!"}, "cancel_word"),
        ("club", {"timeout_minutes": "99999999"}, "timeout_minutes"),
        ("club", {"way": "any"}, "way"),
    ],
)
def test_what_cannot_work_is_marked_and_not_made(
    stand: Stand, visitor: Visitor, kind: str, changes: dict[str, str], marked: str
) -> None:
    fields = {"name": "mine", **NOTHING, **FILLED[kind], "opens_at": "", "closes_at": "", **changes}
    answer = visitor.send(_new(stand, kind), fields)
    assert answer.status == 422
    assert answer.page.select_one(f"#{marked}[aria-invalid]") is not None
    assert scalar("SELECT count(*) FROM inbox_automation") == 0


def test_order_switch_and_removal_from_the_page_of_the_line(stand: Stand, visitor: Visitor) -> None:
    first, second = stand.add(keyword(name="first")), stand.add(keyword(name="second"))
    visitor.send(f"/automations/{second}/move", {})
    names = [link.get_text() for link in visitor.go(f"/lines/{stand.post.line_id}/automations").page.select("td > a")]
    assert names == ["second", "first"]
    visitor.send(f"/automations/{first}/switch", {"off": "1"})
    assert not stand.get(first).is_on
    visitor.send(f"/automations/{second}/remove", {})
    assert scalar("SELECT count(*) FROM inbox_automation WHERE removed_at IS NULL") == 1


# Dry run


def _try(visitor: Visitor, stand: Stand, body: str, **fields: str) -> str:
    page = visitor.send(
        f"/lines/{stand.post.line_id}/automations/try", {"body": body, "sender": "09121234567", **fields}
    ).page
    found = page.select_one("#outcome")
    return " ".join(found.get_text().split()) if found else ""


def test_a_dry_run_tells_what_would_happen_and_does_nothing(stand: Stand, visitor: Visitor) -> None:
    visitor.browser.set_cookie("language", "en")
    automation_id = stand.add(codes())
    stand.add(club())
    with transaction():
        lists.import_codes(
            account_id=stand.post.shop.account_id,
            automation_id=automation_id,
            table=[(1, ["5005"])],
            by=stand.actor,
            at=AT,
        )
    before = scalar("SELECT count(*) FROM accounts_audit")
    for _ in range(2):
        told = _try(visitor, stand, "۵۰۰۵")
        assert "Code accepted" in told
        assert "valid" in told
    assert "No such code" in _try(visitor, stand, "nothing")
    assert scalar("SELECT count(*) FROM inbox_code WHERE used_text_id IS NOT NULL") == 0
    assert scalar("SELECT count(*) FROM inbox_act") == scalar("SELECT count(*) FROM inbox_auto_send") == 0
    assert scalar("SELECT count(*) FROM accounts_audit") == before
    assert "not answered" in _try(visitor, stand, "5005", sender="Bank")


def test_a_dry_run_at_another_time(stand: Stand, visitor: Visitor) -> None:
    visitor.browser.set_cookie("language", "en")
    stand.add(keyword(hours=Hours(*(AT.time().replace(hour=hour) for hour in (8, 12)))))
    assert "هزار تومان" in _try(visitor, stand, "قیمت", day="2026-11-24", clock="09:00")
    assert "only stand in the inbox" in _try(visitor, stand, "قیمت", day="2026-11-24", clock="13:00")


# Texts that want to be more than text


def test_any_text_is_shown_as_text_everywhere(app: Flask, stand: Stand, visitor: Visitor) -> None:
    automation_id = stand.add(club(goes_on=True, options=(Option(1, "<b>name</b>", ("your <i>name</i>?",)),)))
    stand.add(keyword("<u>x</u>", "<s>{{7*7}}</s>", name="<h2>", way=Way.ANY))
    for place, body in enumerate(NASTY):
        sender = str(989121000000 + place)
        stand.text("عضویت", sender=sender)
        stand.text(body, sender=sender)
        stand.text(body, sender=body)
    stand.look(at=AT)
    line = f"/lines/{stand.post.line_id}/automations"
    with transaction():
        hook_id, _ = hooks.add(
            account_id=stand.post.shop.account_id,
            line_id=stand.post.line_id,
            name=NASTY[0],
            url="https://shop.example/",
            takes_all=True,
            seal_key="a seal that only tests know",
            by=stand.actor,
            at=AT,
        )
    stand.text(*NASTY)
    addresses = [
        *(line, f"{line}/log", f"/automations/{automation_id}", f"/automations/{automation_id}/members"),
        *(f"/automations/{automation_id}/edit", f"/forwarding/{hook_id}", f"/lines/{stand.post.line_id}/forwarding"),
    ]
    pages = [visitor.go(address) for address in addresses]
    assert {page.status for page in pages} == {200}
    for page in pages:
        assert not page.page.select(
            "main img, main [hx-trigger=load], main h2 h2, main i:not([class]), main s, main td u"
        )
    log, members = pages[1].page.get_text(), pages[3].page.get_text()
    for body in NASTY:
        assert " ".join(body.split()) in " ".join(log.split()) + " ".join(members.split())


def test_members_are_exported_safely(stand: Stand, visitor: Visitor) -> None:
    automation_id = stand.add(club())
    for place, body in enumerate(NASTY):
        stand.text("عضویت", body, "=1+1", sender=str(989121000000 + place))
    stand.look(at=AT)
    sheet = visitor.browser.get(f"/automations/{automation_id}/members.csv").get_data(as_text=True)
    assert sheet.count('"\'=1+1"') == len(NASTY)
    assert not re.search(r'(?:^|,)"?[=+@-]', sheet, re.MULTILINE)
    answer = visitor.browser.get(f"/automations/{automation_id}/members.xlsx")
    with ZipFile(BytesIO(answer.get_data())) as archive:
        assert b"<f" not in archive.read("xl/worksheets/sheet1.xml")
    table = list(read_table(BytesIO(answer.get_data())))
    assert [cells[2] for _, cells in table[1:]] == ["=1+1"] * len(NASTY)
    assert table[1][1][0] == "09121000000"


# Codes


def test_codes_come_from_a_workbook_a_file_or_are_pasted(stand: Stand, visitor: Visitor) -> None:
    automation_id = stand.add(codes())
    address = f"/automations/{automation_id}/codes"
    workbook = xlsx(Sheet("codes", ["کد", "پاسخ"], [["A-1", "own"], [1405, ""], ["=1+1", ""]], [10, 10]))
    assert visitor.send(address, {"file": (BytesIO(workbook), "codes.xlsx")}).status == 303
    assert visitor.send(address, {"file": (BytesIO(b"a1;x\nb2;y\n"), "codes.csv")}).status == 303
    assert visitor.send(address, {"pasted": "b2\nc3\r\n<img>"}).status == 303
    found = {each.code: each.reply for each in rows("SELECT code, reply FROM inbox_code")}
    assert found == {"1405": "", "=1+1": "", "a1": "own", "b2": "y", "c3": "", "<img>": ""}
    assert visitor.send(address, {"pasted": ""}).status == 422
    assert visitor.send(address, {"file": (BytesIO(b"%PDF-1.7"), "codes.xlsx")}).status == 422
    assert "A-1" in visitor.go(address).page.get_text()
    assert "<img>" not in str(visitor.go(address).page.select_one("main"))
    assert visitor.send(f"{address}/remove", {}).status == 303
    assert scalar("SELECT count(*) FROM inbox_code") == 0


def test_a_list_belongs_to_its_kind_and_its_account(app: Flask, stand: Stand, visitor: Visitor) -> None:
    automation_id = stand.add(keyword())
    for page in ("codes", "codes.csv", "members", "members.csv", "draws/1"):
        assert visitor.go(f"/automations/{automation_id}/{page}").status == 404
    rival = visiting(app, stand.post.rival_id)
    for page in ("", "/edit"):
        assert rival.go(f"/automations/{automation_id}{page}").status == 404
    assert rival.send(f"/automations/{automation_id}/remove", {}).status == 404
    assert rival.send(_new(stand, "keyword"), {"name": "x", **NOTHING, **FILLED["keyword"]}).status == 404


# Polls


def test_the_chart_is_asked_for_until_the_poll_is_over(stand: Stand, visitor: Visitor) -> None:
    automation_id = stand.add(poll())
    stand.text("آبی")
    stand.look()
    address = f"/automations/{automation_id}"
    page = visitor.go(address).page
    assert page.select_one("#stands[hx-get] svg rect") is not None
    part = visitor.browser.get(address, headers={"HX-Request": "true"})
    assert (part.status_code, b"<html" in part.get_data()) == (200, False)
    with transaction():
        writing.switch(
            account_id=stand.post.shop.account_id, automation_id=automation_id, is_on=False, by=stand.actor, at=AT
        )
    part = visitor.browser.get(address, headers={"HX-Request": "true"})
    assert part.status_code == STOP_POLLING
    assert b"hx-get" not in part.get_data()


# Draws


def test_a_draw_is_kept_and_checked_on_its_page(stand: Stand, visitor: Visitor) -> None:
    visitor.browser.set_cookie("language", "en")
    automation_id = stand.add(contest())
    for number in range(30):
        stand.text("جواب تهران" if number % 3 else "جواب قم", sender=str(989121000000 + number))
    stand.look()
    answer = visitor.send(f"/automations/{automation_id}/draws", {"seed": "index '12'|\" <b>", "count": "۳"})
    assert answer.status == 303
    draw_id = scalar("SELECT id FROM inbox_draw")
    address = f"/automations/{automation_id}/draws/{draw_id}"
    page = visitor.go(address).page
    assert "the same winners come out" in page.get_text()
    seed = scalar("SELECT seed FROM inbox_draw")
    entries = visitor.browser.get(f"{address}/entries.csv").get_data(as_text=True).splitlines()[1:]
    assert len(entries) == 20
    taking_part = [line.replace('"', "").split(",") for line in entries]
    assert [each[2] for each in taking_part] == sorted(score(seed, int(each[0])) for each in taking_part)
    winners = [each.text_id for each in rows("SELECT text_id FROM inbox_draw_winner ORDER BY place")]
    assert winners == [int(each[0]) for each in taking_part[:3]]  # whoever has the list comes to the same
    assert all("***" in each[1] for each in taking_part)
    stand.text("جواب تهران", sender="989350000009")  # a later text changes nothing
    stand.look()
    assert "the same winners come out" in visitor.go(address).page.get_text()
    assert visitor.send(f"/automations/{automation_id}/draws", {"seed": "", "count": "3"}).status == 303
    assert scalar("SELECT count(*) FROM inbox_draw") == 1


def test_the_draw_is_what_the_book_says() -> None:
    assert (
        score("seed", 1) == "eb1e60768783e52e3fd788d88a6516574069b6a5f9f8f4eabc2e72866ae8aea8"
    )  # printf '%s' 'seed|1' | sha256sum
    entries = [Entry(1, "a"), Entry(2, "a"), Entry(3, "b"), Entry(4, "c")]
    ordered = sorted(entries, key=lambda entry: score("x", entry.text_id))
    winners = draw(reversed(entries), seed="x", count=5)
    assert [winner.place for winner in winners] == [1, 2, 3]
    assert winners[0].text_id == ordered[0].text_id
    assert len({winner.sender for winner in winners}) == 3
    assert draw(entries, seed="x", count=1) == winners[:1]
    assert fingerprint(entries) == fingerprint(reversed(entries)) != fingerprint(entries[1:])


def test_options_keep_their_numbers_by_their_names() -> None:
    before = options_of("آبی = blue\nسبز")
    assert [(each.id, each.name, each.words) for each in before] == [(1, "آبی", ("blue",)), (2, "سبز", ())]
    after = options_of("زرد\nسبز = green | g\nآبي", before)
    assert [(each.id, each.name) for each in after] == [(3, "زرد"), (2, "سبز"), (1, "آبي")]
    assert options_of(options_text(after), after) == after


# Staff


def test_staff_set_the_limit_and_the_mail_server(app: Flask, stand: Stand) -> None:
    keeper = visiting(app, make_root())
    assert keeper.send("/admin/automations/policy", {"most_replies": "3", "minutes": "0"}).status == 422
    assert keeper.send("/admin/automations/policy", {"most_replies": "۳", "minutes": "60"}).status == 303
    assert scalar("SELECT most_replies * 1000 + minutes FROM inbox_loop_policy") == 3060
    mail = {
        "host": "mail.example.com",
        "port": "587",
        "security": "starttls",
        "username": "u",
        "sender": "a@example.com",
    }
    assert keeper.send("/admin/automations/mail", mail).status == 422
    assert keeper.send("/admin/automations/mail", {**mail, "password": "sesame"}).status == 303
    assert "sesame" not in keeper.go("/admin/automations").page.decode()
    assert keeper.send("/admin/automations/mail", mail).status == 303
