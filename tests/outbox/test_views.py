"""Composing and confirming a send, as a person does it: every step on its page, every refusal with its sentence."""

import re
from typing import Any

import pytest
from flask import Flask

from sms.contacts.operations import opt_out
from sms.core.db import execute, scalar, transaction
from sms.outbox.intake.operations import reading
from tests.factories import AT, Shop, make_line, make_shop, make_tariff
from tests.journeys.walker import Walker
from tests.outbox.conftest import Steps, balance, refused
from tests.outbox.visits import composed, numbers, sent, signed_in

HTMX = {"HX-Request": "true"}
_BORDER = "a-line-no-list-holds"


@pytest.fixture
def walker(app: Flask, shop: Shop) -> Walker:
    """The owner of the shop, at the panel."""
    return signed_in(app, shop.account_id)


def upload(walker: Walker, line_id: int, content: bytes, *, name: str = "list.csv", **fields: str) -> Any:
    """Post the compose form with a file, as a browser does."""
    walker.go("/compose")
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    data = {"csrf_token": token, "line_id": str(line_id), "body": "hello", "recipients": "", "title": "", **fields}
    parts = [f'--{_BORDER}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in data.items()]
    head = f'--{_BORDER}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = "".join([*parts, head]).encode() + content + f"\r\n--{_BORDER}--\r\n".encode()
    return walker.browser.post("/compose", data=body, content_type=f"multipart/form-data; boundary={_BORDER}")


def test_a_send_is_composed_previewed_confirmed_and_watched_to_its_end(
    app: Flask, shop: Shop, steps: Steps, walker: Walker
) -> None:
    draft_id = composed(walker, shop.line_id, recipients=numbers(4), title="First")
    assert "Send to 4 recipients" in walker.text
    assert "4,000 rial" in walker.text
    before = balance(shop.wallet_id)

    walker.submit("/confirm")
    campaign_id = int(walker.address.rsplit("/", 1)[1])
    assert balance(shop.wallet_id) == before - 4_000_000
    assert "Queued" in walker.text
    assert "Cancel the rest" in walker.text

    steps.send(refused_last)
    steps.settle(campaign_id)
    assert "Waiting for reports" in walker.go(f"/campaigns/{campaign_id}").text
    assert "Cancel the rest" not in walker.text
    assert walker.go(f"/drafts/{draft_id}").address == f"/campaigns/{campaign_id}"
    assert "First" in walker.go("/campaigns").text
    steps.verify()


def refused_last(recipient: Any) -> Any:
    """The last of the list is refused."""
    return refused(recipient) if recipient.number % 10 == 3 else None


def test_a_confirmation_posted_twice_is_one_send(shop: Shop, walker: Walker) -> None:
    draft_id = composed(walker, shop.line_id, recipients=numbers(2))
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    answers = [walker.browser.post(f"/drafts/{draft_id}/confirm", data={"csrf_token": token}) for _ in range(3)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert scalar("SELECT count(*) FROM outbox_campaign") == 1


def test_a_price_that_rose_meanwhile_is_shown_anew_and_not_taken(shop: Shop, walker: Walker) -> None:
    composed(walker, shop.line_id, recipients=numbers(2))
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = 2 * price_mrial")
    walker.submit("/confirm", allowed=422)
    assert "The price has changed to 4,000 rial." in walker.text
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0
    walker.submit("/confirm")
    assert walker.address.startswith("/campaigns/")


def test_skipped_rows_are_counted_listed_by_row_and_downloaded(shop: Shop, walker: Walker) -> None:
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[989120000001], line_id=None, reason="", at=AT)
    listed = "09120000000\n09120000001\n=cmd\n09120000000\n"
    draft_id = composed(walker, shop.line_id, recipients=listed)
    assert "Send to 1 recipients" in walker.text
    assert "Skipped, at no cost" in walker.text

    walker.go(f"/drafts/{draft_id}/skipped")
    cells = [[cell.get_text(strip=True) for cell in line("td")] for line in walker.page("tbody")[0]("tr")]
    assert cells == [
        ["2", "09120000001", "Opted out"],
        ["3", "=cmd", "Invalid number"],
        ["4", "09120000000", "Duplicate number"],
    ]
    answer = walker.browser.get(f"/drafts/{draft_id}/skipped.csv")
    assert answer.get_data(as_text=True).splitlines() == [
        '\ufeff"Row","As given","Why it is skipped"',
        '2,"09120000001","Opted out"',
        '3,"\'=cmd","Invalid number"',
        '4,"09120000000","Duplicate number"',
    ]


def test_the_words_and_the_line_are_changed_without_a_new_list(shop: Shop, walker: Walker) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    draft_id = composed(walker, shop.line_id, recipients=numbers(3))
    walker.submit(f"/drafts/{draft_id}", **{"line_id": str(other)})
    assert scalar("SELECT line_id FROM outbox_draft WHERE id = :id", id=draft_id) == other

    form = next(found for found in walker.page("form") if found.find("textarea"))
    token = form.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    body = "سلام " * 20
    answer = walker.browser.post(f"/drafts/{draft_id}", data={"csrf_token": token, "body": body, "title": "New"})
    assert answer.status_code == 303
    assert "6,000 rial" in walker.go(f"/drafts/{draft_id}").text  # 3 recipients, 2 parts
    assert "Part 2" in walker.text


def test_every_usable_line_is_offered_with_its_price(shop: Shop, walker: Walker) -> None:
    dear = make_shop(operator_code="2000")
    make_tariff(operator_id=shop.operator_id)
    execute("UPDATE billing_tariff SET price_mrial = 3000000 WHERE operator_id = :id", id=dear.operator_id)
    execute("COMMIT")
    composed(walker, shop.line_id, recipients=numbers(2))
    assert "2,000 rial" in walker.text
    assert "6,000 rial" in walker.text
    assert len([form for form in walker.page("form") if form.find("input", {"name": "line_id"})]) == 1
    assert "Chosen" in walker.text


def test_too_little_money_says_how_much_is_missing_and_writes_nothing(app: Flask) -> None:
    poor = make_shop(money_mrial=1_500_000)
    walker = signed_in(app, poor.account_id)
    draft_id = composed(walker, poor.line_id, recipients=numbers(4))
    assert "2,500 rial is missing" in walker.text
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    answer = walker.browser.post(f"/drafts/{draft_id}/confirm", data={"csrf_token": token})
    assert answer.status_code == 422
    assert "2,500 rial is missing" in " ".join(re.sub("<[^>]+>", " ", answer.get_data(as_text=True)).split())
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0
    assert balance(poor.wallet_id) == 1_500_000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"body": "  "}, "This must be filled in."),
        ({"body": "x" * 50_000}, "parts; an operator takes 265 at most."),
        ({"recipients": ""}, "Type the numbers, or choose a file or a group."),
        ({"line_id": "999999"}, "Not a valid choice."),
        ({"line_id": "x"}, "Invalid Choice: could not coerce."),
    ],
)
def test_what_is_wrong_is_marked_and_all_else_stays_as_typed(
    changes: dict[str, str], sentence: str, shop: Shop, walker: Walker
) -> None:
    typed = {"line_id": str(shop.line_id), "body": "hello", "recipients": "09120000000", "title": "A title"} | changes
    walker.go("/compose").submit("/compose", allowed=422, **typed)
    assert sentence in walker.text
    assert walker.page.find("input", {"name": "title"})["value"] == "A title"  # type: ignore[index]
    assert typed["recipients"] in walker.page.find("textarea", {"name": "recipients"}).get_text()  # type: ignore[union-attr]
    assert scalar("SELECT count(*) FROM outbox_draft") == 0


def test_a_list_both_typed_and_as_a_file_is_asked_about(shop: Shop, walker: Walker) -> None:
    answer = upload(walker, shop.line_id, b"09120000000\n", recipients="09120000001", title="Kept")
    assert answer.status_code == 422
    told = answer.get_data(as_text=True)
    assert "Type the numbers, or choose a file or a group: only one of them." in told
    assert "Choose the file once more" in told
    assert 'value="Kept"' in told


def test_a_line_of_somebody_else_is_not_offered_and_not_taken(shop: Shop, walker: Walker) -> None:
    other = make_shop(operator_code="2000")
    foreign = make_line(operator_id=other.operator_id, gateway_id=other.gateway_id, account_id=other.account_id)
    draft_id = composed(walker, shop.line_id, recipients=numbers(1))
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    answer = walker.browser.post(f"/drafts/{draft_id}", data={"csrf_token": token, "line_id": str(foreign)})
    assert answer.status_code == 422
    assert "Choose a line that you may send from." in answer.get_data(as_text=True)


# Files


def read(draft_id: int) -> None:
    """What the intake worker does."""
    with transaction():
        reading.read_draft(draft_id=draft_id, at=AT)


def test_a_file_is_waited_for_and_the_waiting_ends_with_286(shop: Shop, walker: Walker) -> None:
    answer = upload(walker, shop.line_id, numbers(30).encode(), title="Filed")
    draft_id = int(answer.headers["Location"].rsplit("/", 1)[1])
    assert "The list is being read" in walker.go(f"/drafts/{draft_id}").text
    assert walker.page.find(id="reading")["hx-get"] == f"/drafts/{draft_id}"  # type: ignore[index]
    assert walker.page.find("noscript")

    waiting = walker.browser.get(f"/drafts/{draft_id}", headers=HTMX)
    assert waiting.status_code == 200
    assert "<html" not in waiting.get_data(as_text=True)
    read(draft_id)
    done = walker.browser.get(f"/drafts/{draft_id}", headers=HTMX)
    assert (done.status_code, done.headers["HX-Refresh"]) == (286, "true")
    assert "Send to 30 recipients" in walker.go(f"/drafts/{draft_id}").text
    assert "list.csv" in walker.text


def test_a_file_that_cannot_be_read_says_so_and_keeps_the_words(shop: Shop, walker: Walker) -> None:
    answer = upload(walker, shop.line_id, b"%PDF-1.7 nothing", name="flyer.pdf", body="my words", title="Mine")
    draft_id = int(answer.headers["Location"].rsplit("/", 1)[1])
    read(draft_id)
    walker.go(f"/drafts/{draft_id}")
    assert "This file is no list." in walker.text
    assert walker.page.find("textarea", {"name": "body"}).get_text().strip() == "my words"  # type: ignore[union-attr]
    assert walker.page.find("input", {"name": "title"})["value"] == "Mine"  # type: ignore[index]
    walker.submit("/compose", recipients="09120000000")
    assert "Send to 1 recipients" in walker.text


def test_a_file_that_is_too_large_is_refused_on_the_page_and_nothing_typed_is_lost(shop: Shop, walker: Walker) -> None:
    answer = upload(walker, shop.line_id, b"0" * 50_000_001, body="my words", title="Mine")
    assert answer.status_code == 413
    told = answer.get_data(as_text=True)
    assert "The file is larger than 50 MB." in told
    assert "my words" in told
    assert 'value="Mine"' in told
    assert scalar("SELECT count(*) FROM outbox_draft") == 0


def test_what_is_far_too_large_is_not_even_read(shop: Shop, walker: Walker) -> None:
    answer = upload(walker, shop.line_id, b"0" * 100_000_001)
    assert answer.status_code == 413
    assert "The file is larger than 50 MB." in answer.get_data(as_text=True)


def test_only_a_new_send_may_be_large(shop: Shop, walker: Walker) -> None:
    draft_id = composed(walker, shop.line_id, recipients=numbers(1))
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    answer = walker.browser.post(f"/drafts/{draft_id}", data={"csrf_token": token, "body": "x" * 1_000_001})
    assert answer.status_code == 413
    large = numbers(100_000)
    assert len(large) > 1_000_000
    assert upload(walker, shop.line_id, large.encode()).status_code == 303


def test_a_draft_is_thrown_away(shop: Shop, walker: Walker) -> None:
    draft_id = composed(walker, shop.line_id, recipients=numbers(1))
    walker.submit("/discard")
    assert "The draft was thrown away." in walker.text
    assert walker.browser.get(f"/drafts/{draft_id}").status_code == 404


def test_a_used_draft_leads_to_its_send_and_cannot_be_changed(shop: Shop, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(2))
    draft_id = scalar("SELECT id FROM outbox_draft")
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    answer = walker.browser.post(f"/drafts/{draft_id}", data={"csrf_token": token, "body": "other", "title": ""})
    assert answer.headers["Location"] == f"/campaigns/{campaign_id}"
    assert scalar("SELECT body FROM outbox_campaign") == "hello"
