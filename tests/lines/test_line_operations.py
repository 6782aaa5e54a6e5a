"""Lines on PostgreSQL: added, handed over, taken back; and who may send from which."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from sms.core.actor import PANEL, Actor
from sms.core.db import execute, rows, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines import operations, queries
from sms.lines.operations import LineSettings
from sms.lines.own.operations import dress_line
from sms.lines.queries import LineFilter
from sms.lines.rules import LineKind, ServiceClass, UnusableLine
from tests.factories import AT, make_account, make_gateway, make_line, make_root

SETTINGS = LineSettings()


@pytest.fixture
def place(app: Flask) -> tuple[int, int]:
    """(operator id, gateway id)"""
    return make_gateway()


def _add(place: tuple[int, int], number: str = "30001234", account_id: int | None = None, **changes: Any) -> int:
    facts: dict[str, Any] = {"kind": LineKind.DEDICATED, "settings": SETTINGS} | changes
    with transaction():
        return operations.add_line(
            number=number, operator_id=place[0], gateway_id=place[1], account_id=account_id, by=PANEL, at=AT, **facts
        )


def _assign(line_id: int, account_id: int) -> None:
    with transaction():
        operations.assign_line(line_id=line_id, account_id=account_id, by=PANEL, at=AT)


def _audit() -> list[tuple[str, int | None, dict[str, Any]]]:
    found = rows("SELECT action, account_id, details FROM accounts_audit ORDER BY id")
    return [(line.action, line.account_id, line.details) for line in found]


def test_a_line_is_stored_by_its_digits_and_only_once(place: tuple[int, int]) -> None:
    line_id = _add(place, "+98 ۳۰۰۰ ۱۲۳۴")

    assert queries.line(line_id).number == "30001234"
    assert _audit() == [("line.added", None, {"number": "30001234", "kind": "dedicated"})]
    with pytest.raises(UnusableLine, match="already"):
        _add(place, "9830001234")


def test_a_line_goes_through_a_gateway_of_its_operator(place: tuple[int, int]) -> None:
    _, elsewhere = make_gateway(operator_code="2000")
    with pytest.raises(UnusableLine) as caught:
        _add((place[0], elsewhere))

    assert caught.value.field == "gateway"


def test_a_line_is_given_to_those_who_send(place: tuple[int, int]) -> None:
    customer, *_ = make_account()
    closed, *_ = make_account()
    with transaction():
        execute("UPDATE accounts_account SET state = 'closed' WHERE id = :id", id=closed)
    for account_id in (make_root(), closed):
        with pytest.raises(UnusableLine):
            _add(place, account_id=account_id)
    with pytest.raises(NotFound):
        _add(place, account_id=10**9)
    with pytest.raises(UnusableLine):
        _add(place, account_id=customer, kind=LineKind.PUBLIC)
    _add(place, account_id=customer)
    assert [line.number for line in queries.usable_lines(customer)] == ["30001234"]


def test_a_line_changes_hands_only_through_the_house(place: tuple[int, int]) -> None:
    first, *_ = make_account()
    second, *_ = make_account()
    line_id = _add(place, settings=replace(SETTINGS, alias="before"))
    _assign(line_id, first)
    _assign(line_id, first)
    with pytest.raises(Refusal, match="take it back first"):
        _assign(line_id, second)
    with transaction():
        operations.take_back(line_id=line_id, by=PANEL, at=AT)
    with pytest.raises(Refusal), transaction():
        operations.take_back(line_id=line_id, by=PANEL, at=AT)
    _assign(line_id, second)

    line = queries.line(line_id)
    assert (line.account_id, line.alias) == (second, "")
    assert [(action, account) for action, account, _ in _audit()[1:]] == [
        ("line.assigned", first),
        ("line.taken_back", first),
        ("line.assigned", second),
    ]


def test_a_public_line_is_assigned_to_nobody(place: tuple[int, int]) -> None:
    customer, *_ = make_account()
    line_id = _add(place, kind=LineKind.PUBLIC)
    with pytest.raises(UnusableLine):
        _assign(line_id, customer)

    assert queries.line(line_id).account_id is None


def test_only_what_changed_is_audited(place: tuple[int, int]) -> None:
    line_id = _add(place)
    settings = replace(SETTINGS, joined_units=66, service_class=ServiceClass.SERVICE)
    for _ in range(2):
        with transaction():
            operations.change_line(line_id=line_id, settings=settings, by=PANEL, at=AT)

    assert _audit()[1:] == [("line.changed", None, {"joined_units": 66, "service_class": "service"})]


def test_a_customer_names_only_lines_of_its_own(place: tuple[int, int]) -> None:
    mine, user_id, _ = make_account()
    other, *_ = make_account()
    line_id = _add(place, account_id=mine)
    public = _add(place, "30009", kind=LineKind.PUBLIC)
    for account_id, wanted in ((other, line_id), (mine, public), (mine, 10**6)):
        with pytest.raises(NotFound), transaction():
            dress_line(line_id=wanted, account_id=account_id, alias="x", colour="", by=PANEL, at=AT)
    with transaction():
        dress_line(line_id=line_id, account_id=mine, alias=" فروش ", colour="", by=Actor(id=user_id), at=AT)

    assert queries.line(line_id).alias == "فروش"
    assert _audit()[-1] == ("line.changed", mine, {"alias": "فروش"})


# Who may send from which


def test_own_lines_come_first_and_nobody_elses(place: tuple[int, int]) -> None:
    mine, *_ = make_account()
    other, *_ = make_account()
    for number, owner in (("30005", mine), ("30003", mine), ("30004", other), ("30006", None)):
        make_line(operator_id=place[0], gateway_id=place[1], number=number, account_id=owner)
    free = _add(place, "30007")

    lines = queries.usable_lines(mine)
    assert [(line.number, line.kind) for line in lines] == [
        ("30003", "dedicated"),
        ("30005", "dedicated"),
        ("30006", "public"),
    ]
    assert queries.usable_line(mine, free) is None
    assert queries.usable_line(other, lines[0].id) is None
    assert queries.usable_line(other, lines[2].id) is not None
    assert queries.usable_line_by_number(mine, "30003") == lines[0]
    assert queries.usable_line_by_number(other, "30003") is None


def test_a_line_switched_off_is_not_usable_and_still_shown_to_its_owner(place: tuple[int, int]) -> None:
    mine, *_ = make_account()
    own, public = _add(place, account_id=mine), _add(place, "30009", kind=LineKind.PUBLIC)
    for line_id in (own, public):
        with transaction():
            operations.change_line(line_id=line_id, settings=replace(SETTINGS, is_active=False), by=PANEL, at=AT)

    assert queries.usable_lines(mine) == []
    assert queries.usable_line(mine, own) is None
    assert [line.is_active for line in queries.account_lines(mine)] == [False]
    assert queries.public_lines() == []


@pytest.mark.parametrize(("batch_size", "used"), [(30, 30), (500, 100)])
def test_a_batch_is_never_more_than_the_adapter_takes_at_once(app: Flask, batch_size: int, used: int) -> None:
    account_id, *_ = make_account()
    _add(make_gateway(batch_size=batch_size), account_id=account_id)

    assert [line.batch_size for line in queries.usable_lines(account_id)] == [used]


# The staff's list


def test_the_list_is_read_page_by_page(place: tuple[int, int]) -> None:
    ids = [_add(place, f"3000{number}") for number in range(10, 17)]
    seen: list[int] = []
    before = None
    while page := queries.lines_page(LineFilter(), before=before, most=3):
        seen += [line.id for line in page]
        before = seen[-1]

    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (LineFilter(kind="public"), {"30001"}),
        (LineFilter(kind="dedicated"), {"30002", "30003", "20001"}),
        (LineFilter(owner="free"), {"30003", "20001"}),
        (LineFilter(owner="taken"), {"30002"}),
        (LineFilter(is_active=False), {"20001"}),
        (LineFilter(is_active=True, number="3000"), {"30001", "30002", "30003"}),
        (LineFilter(number="%"), set()),
        (LineFilter(number="0001"), set()),
    ],
)
def test_the_list_is_narrowed(place: tuple[int, int], wanted: LineFilter, numbers: set[str]) -> None:
    customer, *_ = make_account()
    _add(place, "30001", kind=LineKind.PUBLIC)
    _add(place, "30002", account_id=customer)
    _add(place, "30003")
    _add(make_gateway(operator_code="2000"), "20001", settings=replace(SETTINGS, is_active=False))

    assert {line.number for line in queries.lines_page(wanted, before=None, most=50)} == numbers
    only = queries.lines_page(replace(LineFilter(), operator_id=place[0]), before=None, most=50)
    assert {line.operator_code for line in only} == {"3000"}
