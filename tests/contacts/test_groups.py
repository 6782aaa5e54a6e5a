"""Groups: who is in them, counted by whoever changes them, seen by their account only."""

from io import BytesIO

import pytest
from flask import Flask

from jobs import intake
from sms.contacts import operations, queries
from sms.contacts.imports import operations as imports
from sms.contacts.imports.queries import Import, import_of
from sms.contacts.queries import suppression
from sms.contacts.rules import READ_AT_ONCE, Contact
from sms.core import uploads
from sms.core.db import execute, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.queue import connection
from sms.core.sheets.limits import UnreadableList
from sms.core.sheets.writing import Sheet, write_xlsx
from sms.outbox.intake.operations import drafts
from sms.outbox.intake.queries import draft
from sms.outbox.operations import sweep
from tests.factories import AT, Shop, make_account, make_shop

AMIR, SARA, REZA = 989121111111, 989352222222, 989123333333


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop()


def make_group(shop: Shop, *numbers: int, name: str = "friends") -> int:
    """A group with these members."""
    with transaction():
        group_id = operations.add_group(account_id=shop.account_id, name=name, at=AT)
        operations.add_members(account_id=shop.account_id, group_id=group_id, numbers=numbers, source="panel", at=AT)
    return group_id


def take_in(shop: Shop, content: bytes, group_id: int | None, **about: str) -> Import:
    """Hand a list in; what came of it."""
    with transaction():
        import_id = imports.begin(
            account_id=shop.account_id,
            user_id=shop.user_id,
            group_id=group_id,
            stream=BytesIO(content),
            at=AT,
            **about,
        )
    return import_of(shop.account_id, import_id)


def members(shop: Shop, group_id: int) -> dict[int, str]:
    """Who is in it, with names."""
    return {each.mobile: each.name for each in queries.members(shop.account_id, group_id, most=1_000)}


# Groups and members


def test_who_is_added_twice_is_in_it_once_and_counted_once(shop: Shop) -> None:
    group_id = make_group(shop, AMIR, SARA, AMIR)
    with transaction():
        assert (
            operations.add_members(
                account_id=shop.account_id, group_id=group_id, numbers=[SARA, REZA], source="automation:7", at=AT
            )
            == 1
        )
    found = {each.mobile: each.source for each in queries.members(shop.account_id, group_id, most=10)}
    assert found == {AMIR: "panel", SARA: "panel", REZA: "automation:7"}
    assert queries.group(shop.account_id, group_id).member_count == 3


def test_who_is_taken_out_is_counted_no_more(shop: Shop) -> None:
    group_id = make_group(shop, AMIR, SARA)
    with transaction():
        assert (
            operations.remove_members(
                account_id=shop.account_id, group_id=group_id, numbers=[SARA, REZA], source="automation", at=AT
            )
            == 1
        )
    assert (members(shop, group_id), queries.group(shop.account_id, group_id).member_count) == ({AMIR: ""}, 1)


def test_names_are_replaced_and_never_lost(shop: Shop) -> None:
    group_id = make_group(shop)
    for name in ("Amir", "", "Amir Karimi"):
        with transaction():
            operations.add_contacts(
                account_id=shop.account_id, group_id=group_id, contacts=[Contact(AMIR, name)], source="panel", at=AT
            )
    assert members(shop, group_id) == {AMIR: "Amir Karimi"}
    assert queries.names_of(shop.account_id, [AMIR, SARA]) == {AMIR: "Amir Karimi"}
    assert queries.name_of(shop.account_id, SARA) == ""


def test_a_name_is_its_accounts_own(shop: Shop) -> None:
    group_id = make_group(shop)
    with transaction():
        operations.add_contacts(
            account_id=shop.account_id, group_id=group_id, contacts=[Contact(AMIR, "Amir")], source="panel", at=AT
        )
    assert queries.names_of(make_account()[0], [AMIR]) == {}


def test_a_name_of_a_group_is_given_once(shop: Shop) -> None:
    make_group(shop, name="Friends")
    other = make_group(shop, name="others")
    for call in (
        lambda: operations.add_group(account_id=shop.account_id, name=" friends ", at=AT),
        lambda: operations.rename_group(account_id=shop.account_id, group_id=other, name="FRIENDS", at=AT),
    ):
        with pytest.raises(Refusal), transaction():
            call()
    with transaction():
        operations.rename_group(account_id=shop.account_id, group_id=other, name="Others", at=AT)
    assert [each.name for each in queries.groups(shop.account_id)] == ["Friends", "Others"]


def test_a_group_of_somebody_else_is_not_there(shop: Shop) -> None:
    group_id = make_group(shop, AMIR)
    rival = make_account()[0]
    of = {"account_id": rival, "group_id": group_id}
    for call in (
        lambda: operations.add_members(**of, numbers=[SARA], source="panel", at=AT),
        lambda: operations.remove_members(**of, numbers=[AMIR], at=AT),
        lambda: operations.rename_group(**of, name="mine", at=AT),
        lambda: operations.delete_group(**of),
        lambda: queries.group(**of),
    ):
        with pytest.raises(NotFound), transaction():
            call()
    assert queries.members(rival, group_id, most=10) == []
    assert list(queries.numbers(rival, group_id)) == []
    assert members(shop, group_id) == {AMIR: ""}


def test_members_are_paged_by_number(shop: Shop) -> None:
    group_id = make_group(shop, AMIR, SARA, REZA)
    first = queries.members(shop.account_id, group_id, most=2)
    rest = queries.members(shop.account_id, group_id, after=first[-1].mobile, most=2)
    assert [each.mobile for each in [*first, *rest]] == [AMIR, REZA, SARA]


def test_a_group_that_is_thrown_away_leaves_its_drafts(shop: Shop) -> None:
    group_id = make_group(shop, AMIR)
    draft_id = _draft(shop, group_id)
    with transaction():
        operations.delete_group(account_id=shop.account_id, group_id=group_id)
    assert (draft(shop.account_id, draft_id).group_id, draft(shop.account_id, draft_id).valid_count) == (None, 1)
    assert scalar("SELECT count(*) FROM contacts_member") == 0


# Lists


def test_a_list_is_read_with_its_names_and_what_is_no_number_is_told(shop: Shop) -> None:
    group_id = make_group(shop, AMIR)
    found = take_in(
        shop, "name,mobile\nامیر,09121111111\nسارا,۰۹۳۵۲۲۲۲۲۲۲\nsomebody,12\nSara,09352222222\n".encode(), group_id
    )
    assert (found.state, found.rows_read, found.added_count, found.known_count) == ("done", 4, 1, 2)
    assert (found.invalid_count, found.invalid) == (1, [[4, "somebody 12"]])
    assert members(shop, group_id) == {AMIR: "امیر", SARA: "سارا"}
    assert queries.group(shop.account_id, group_id).member_count == 2


def test_a_workbook_is_read_too(shop: Shop) -> None:
    group_id = make_group(shop)
    file = BytesIO()
    write_xlsx(Sheet("x", ["mobile", "name"], [[9121111111, "Amir"], ["09352222222", "=1+1"]], [10, 10]), file)
    assert take_in(shop, file.getvalue(), group_id).added_count == 2
    assert members(shop, group_id) == {AMIR: "Amir", SARA: "=1+1"}


def test_a_long_list_is_read_by_the_worker_whatever_redis_forgets(shop: Shop) -> None:
    group_id = make_group(shop)
    content = "\n".join(f"0912{place:07},name {place}" for place in range(15_000)).encode()
    assert len(content) > READ_AT_ONCE
    found = take_in(shop, content, group_id)
    assert (found.state, len(list(uploads.folder().iterdir()))) == ("reading", 1)
    connection().flushdb()
    with transaction():
        sweep.sweep(at=AT)
    assert connection().llen("rq:queue:payamgah-intake") == 1
    with transaction():
        drafts.tidy(AT)
    assert len(list(uploads.folder().iterdir())) == 1
    for _ in range(2):
        intake.read_contacts(import_id=found.id)
    found = import_of(shop.account_id, found.id)
    assert (found.state, found.added_count, queries.group(shop.account_id, group_id).member_count) == (
        *("done", 15_000),
        15_000,
    )
    assert list(uploads.folder().iterdir()) == []


def test_of_a_list_that_cannot_be_read_nothing_is_taken(shop: Shop) -> None:
    group_id = make_group(shop)
    good = "\n".join(f"0912{place:07}" for place in range(20_000))
    found = take_in(shop, f"{good}\n{'x' * 20_000}".encode(), group_id)
    intake.read_contacts(import_id=found.id)
    found = import_of(shop.account_id, found.id)
    assert (found.state, found.added_count) == ("failed", 0)
    assert "cell" in found.problem
    assert (members(shop, group_id), list(uploads.folder().iterdir())) == ({}, [])


def test_who_dies_with_a_list_is_not_given_it_for_ever(shop: Shop) -> None:
    group_id = make_group(shop)
    found = take_in(shop, b"09121111111\n" * 20_000, group_id)
    with transaction():
        execute("UPDATE contacts_import SET attempt_count = 10")
    intake.read_contacts(import_id=found.id)
    assert import_of(shop.account_id, found.id).state == "failed"


def test_an_empty_list_is_refused_and_a_strangers_group_is_not_there(shop: Shop) -> None:
    group_id = make_group(shop)
    for content in (b"", b"\n\n"):
        with pytest.raises(UnreadableList):
            take_in(shop, content, group_id)
    rival = make_shop()
    with pytest.raises(NotFound):
        take_in(rival, b"09121111111", group_id)
    with pytest.raises(NotFound):
        import_of(rival.account_id, take_in(shop, b"09121111111", group_id).id)


def test_a_list_of_those_not_to_write_to_covers_every_line(shop: Shop) -> None:
    take_in(shop, b"09121111111\n09352222222", None, reason="asked by letter")
    found = take_in(shop, b"09121111111\n09123333333", None, reason="later")
    assert (found.added_count, found.known_count) == (1, 1)
    assert suppression(shop.account_id).everywhere == {AMIR, SARA, REZA}
    assert scalar("SELECT reason FROM contacts_optout WHERE recipient = :r", r=AMIR) == "asked by letter"


# Sends


def _draft(shop: Shop, group_id: int) -> int:
    with transaction():
        return drafts.draft_from_group(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="",
            body="hello",
            group_id=group_id,
            at=AT,
        )


def test_a_draft_reads_a_group_once(shop: Shop) -> None:
    group_id = make_group(shop, AMIR, SARA)
    with transaction():
        operations.opt_out(account_id=shop.account_id, recipients=[SARA], line_id=None, reason="", at=AT)
    draft_id = _draft(shop, group_id)
    with transaction():
        operations.add_members(account_id=shop.account_id, group_id=group_id, numbers=[REZA], source="panel", at=AT)
    found = draft(shop.account_id, draft_id)
    assert (found.state, found.source, found.file_name, found.valid_count) == ("ready", "group", "friends", 2)
    assert found.suppressed == {"*": {"2": 1}}


def test_a_large_group_is_read_by_the_worker(shop: Shop) -> None:
    group_id = make_group(shop, *range(989120000000, 989120010001))
    draft_id = _draft(shop, group_id)
    assert draft(shop.account_id, draft_id).state == "reading"
    intake.read_draft(draft_id=draft_id)
    assert scalar("SELECT valid_count FROM outbox_draft WHERE id = :id", id=draft_id) == 10_001


def test_an_empty_group_is_no_list_and_a_strangers_is_not_there(shop: Shop) -> None:
    group_id = make_group(shop)
    with pytest.raises(UnreadableList):
        _draft(shop, group_id)
    with pytest.raises(NotFound):
        _draft(make_shop(), make_group(shop, AMIR, name="other"))
