"""Labels: an account's own, several on a conversation, and what the inbox is narrowed to."""

from datetime import timedelta
from io import BytesIO

import pytest
from flask import Flask

from sms.core.db import scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.sheets.table import read_table
from sms.inbox import queries
from sms.inbox.labels import operations
from sms.inbox.labels.queries import Label, labels, labels_on
from sms.inbox.queries import InboxFilter
from sms.inbox.rules import Box
from tests.contacts.test_contacts_views import NASTY
from tests.factories import AT
from tests.inbox.conftest import SENDER, Post
from tests.outbox.visits import signed_in

OTHER = "989352222222"


def make(post: Post, name: str, colour: str = "red", account_id: int = 0) -> int:
    """A label."""
    with transaction():
        return operations.add_label(account_id=account_id or post.shop.account_id, name=name, colour=colour, at=AT)


def put(post: Post, *label_ids: int, sender: str = SENDER, account_id: int = 0) -> None:
    """These labels on a conversation."""
    with transaction():
        operations.put_labels(
            account_id=account_id or post.shop.account_id,
            line_id=post.line_id,
            sender=sender,
            label_ids=label_ids,
            at=AT,
        )


def on(post: Post, sender: str = SENDER) -> list[str]:
    """The names of the labels on a conversation."""
    found = labels_on(post.shop.account_id, [(post.line_id, sender)])
    return [each.name for each in found.get((post.line_id, sender), ())]


def shown(post: Post, label_id: int, **narrowed: object) -> list[str]:
    """The texts of a label, all pages of two."""
    found: list[str] = []
    before: int | None = None
    wanted = InboxFilter(label_id=label_id, **narrowed)  # type: ignore[arg-type]
    while page := queries.texts(post.shop.account_id, wanted, before=before, most=2):
        found += [each.body for each in page]
        before = page[-1].id
    return found


def test_several_are_on_a_conversation_and_those_that_are_not_ticked_go(post: Post) -> None:
    urgent, later = make(post, "urgent"), make(post, "Later", "blue")
    put(post, urgent, later)
    assert on(post) == ["Later", "urgent"]
    put(post, later)
    assert (on(post), on(post, OTHER)) == (["Later"], [])
    put(post)
    assert on(post) == []


def test_a_label_is_its_accounts_own(post: Post) -> None:
    mine, theirs = make(post, "urgent"), make(post, "urgent", account_id=post.rival_id)
    put(post, mine, theirs)
    assert on(post) == ["urgent"]
    put(post, theirs, account_id=post.rival_id)
    put(post, mine)
    assert scalar("SELECT count(*) FROM inbox_labelled") == 2
    for call in (
        lambda: operations.change_label(account_id=post.rival_id, label_id=mine, name="x", colour="red"),
        lambda: operations.delete_label(account_id=post.rival_id, label_id=mine),
    ):
        with pytest.raises(NotFound), transaction():
            call()
    post.bring(post.text("mine"))
    assert shown(post, theirs) == []
    assert shown(post, mine) == ["mine"]


def test_a_label_is_changed_and_thrown_away(post: Post) -> None:
    label_id = make(post, "urgent")
    other = make(post, "other")
    put(post, label_id)
    with transaction():
        operations.change_label(account_id=post.shop.account_id, label_id=label_id, name="soon", colour="lime")
    assert labels(post.shop.account_id) == [Label(other, "other", "red"), Label(label_id, "soon", "lime")]
    with transaction():
        operations.delete_label(account_id=post.shop.account_id, label_id=label_id)
    assert on(post) == []


@pytest.mark.parametrize(
    ("name", "colour"), [("", "red"), (" ", "red"), ("x" * 31, "red"), ("x", "nocolour"), ("URGENT", "red")]
)
def test_what_is_no_label_is_refused(post: Post, name: str, colour: str) -> None:
    make(post, "urgent")
    with pytest.raises(Refusal):
        make(post, name, colour)


@pytest.mark.parametrize(("walked", "most"), [(1_000, 1_000), (1, 1_000), (1, 1)])
def test_the_inbox_is_narrowed_to_a_label_with_all_else(
    post: Post, walked: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_WALKED", walked)  # the rare label is looked for conversation by conversation
    monkeypatch.setattr(queries, "_MOST_LABELLED", most)  # of a large one the words are looked for first
    label_id = make(post, "urgent")
    put(post, label_id)
    put(post, label_id, sender="SHOP")
    for place in range(4):
        at = AT + timedelta(days=place)
        texts = [
            post.text(f"his {place}"),
            post.text(f"another's {place}", sender=OTHER),
            post.text("s", sender="SHOP"),
        ]
        post.bring(*texts, at=at)
    his = [f"his {place}" for place in (3, 2, 1, 0)]
    assert [body for body in shown(post, label_id) if body != "s"] == his
    assert shown(post, label_id, words="his") == his
    assert shown(post, label_id, words="his 2") == ["his 2"]
    assert shown(post, label_id, words="another") == []
    assert shown(post, label_id, sender=SENDER) == his
    day = AT + timedelta(days=1)
    assert sorted(shown(post, label_id, since=day, until=day + timedelta(hours=1))) == ["his 1", "s"]
    assert shown(post, label_id, box=Box.ARCHIVED) == []


def test_labels_are_made_put_filtered_and_in_the_files(app: Flask, post: Post) -> None:
    post.bring(post.text("one"), post.text("two", sender=OTHER))
    walker = signed_in(app, post.shop.account_id).go("/inbox/labels")
    walker.submit("/labels", name="urgent", colour="orange")
    (label,) = labels(post.shop.account_id)
    walker.go(f"/inbox/{post.line_id}/{SENDER}").submit("/labels", label_id=str(label.id))
    assert walker.page.select_one("input[name=label_id][checked]") is not None
    page = walker.go(f"/inbox?label_id={label.id}")
    assert "urgent" in page.text
    assert "two" not in page.text
    file = walker.browser.get(f"/inbox/export.csv?label_id={label.id}").get_data(as_text=True)
    assert file.count("urgent") == 1
    assert '"two"' not in file
    walker.go(f"/inbox/labels/{label.id}").submit(f"/{label.id}", name="soon", colour="red")
    walker.go(f"/inbox/labels/{label.id}").submit("/delete")
    assert labels(post.shop.account_id) == []


def test_whatever_a_label_or_a_name_is_it_is_shown_as_text(app: Flask, post: Post) -> None:
    walker = signed_in(app, post.shop.account_id)
    for name in NASTY:
        walker.go("/inbox/labels").submit("/labels", name=name[:30], colour="orange")
    put(post, *(each.id for each in labels(post.shop.account_id)))
    walker.go("/contacts").submit("/contacts", name="friends").submit("/add", numbers=f"{SENDER}\t{NASTY[0]}")
    post.bring(post.text("hello"))
    for address in ("/inbox", f"/inbox/{post.line_id}/{SENDER}", "/inbox/labels"):
        page = walker.go(address).page
        assert not page.select("main img, main [hx-trigger=load], main b[hx-get]")
        for name in (*NASTY[:3], *NASTY[4:]):
            assert name[:30].strip() in page.get_text(), (address, name)
    assert f"Conversation with \u2068{NASTY[0]}\u2069" in walker.go(f"/inbox/{post.line_id}/{SENDER}").page.get_text()
    assert '"=' not in walker.browser.get("/inbox/export.csv").get_data(as_text=True)
    answer = walker.browser.get("/inbox/export.xlsx")
    (_, row) = list(read_table(BytesIO(answer.get_data())))[1]
    assert row[3] == NASTY[0]
    assert NASTY[2] in row[7]


def test_a_stranger_finds_no_label_and_no_conversation(app: Flask, post: Post) -> None:
    label_id = make(post, "urgent")
    post.bring(post.text("hello"))
    stranger = signed_in(app, post.rival_id).go("/inbox/labels")
    token = stranger.page.select_one("input[name=csrf_token]")
    assert token is not None
    data = {"csrf_token": str(token["value"]), "label_id": str(label_id)}
    assert stranger.browser.get(f"/inbox/labels/{label_id}").status_code == 404
    assert stranger.browser.get(f"/inbox/labels/{2**40}").status_code == 404
    assert stranger.browser.post(f"/inbox/{post.line_id}/{SENDER}/labels", data=data).status_code == 404
    assert "hello" not in stranger.go(f"/inbox?label_id={label_id}").text
