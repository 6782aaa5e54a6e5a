"""Prices in the database: written as changes, taken back, filled, dated."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from flask import Flask

from sms.core.actor import PANEL, Actor
from sms.core.db import scalar, transaction
from sms.core.errors import Refusal
from sms.lines.formats import operations, queries
from sms.lines.formats.rules.offers import INQUIRY, NO_OFFER, Cell, Format, NotOnSale, Offer, priced
from sms.lines.formats.rules.sheet import Read
from sms.lines.formats.rules.tiers import Audience, Choice, Tier
from sms.lines.rules import UnusableLine
from tests.factories import AT, make_account, make_gateway

RIAL = 1000
DAY = timedelta(days=1)


@pytest.fixture
def operator_id(app: Flask) -> int:
    """3000, with 8 and 10 digits on sale."""
    operator_id, _ = make_gateway()
    for each in (Format(digits=8, tiers=(Tier.PLAIN, Tier.ROUND)), Format(digits=10, choosable_digits=6)):
        with transaction():
            operations.set_format(operator_id=operator_id, wanted=each, valid_from=None, by=PANEL, at=AT)
    return operator_id


def _cell(operator_id: int, digits: int = 8, tier: Tier = Tier.PLAIN, audience: Audience = Audience.CUSTOMER) -> Cell:
    return Cell(operator_id, digits, tier, Choice.ASSIGNED, audience)


def _set(offers: Mapping[Cell, Offer], *, after: timedelta = timedelta(), **more: object) -> int | None:
    with transaction():
        return operations.set_prices(offers, by=PANEL, at=AT + after, **more)  # type: ignore[arg-type]


def _undo(change_id: int | None, *, after: timedelta = timedelta()) -> tuple[int | None, int]:
    assert change_id is not None
    with transaction():
        return operations.undo_change(change_id=change_id, by=PANEL, at=AT + after)


def _now(cell: Cell, after: timedelta = timedelta()) -> Offer:
    return queries.prices(at=AT + after).get(cell, NO_OFFER)


def test_what_is_written_holds_and_what_held_is_kept(operator_id: int) -> None:
    cell = _cell(operator_id)
    _set({cell: priced(100)})
    _set({cell: INQUIRY}, after=DAY)

    assert (_now(cell), _now(cell, DAY)) == (priced(100), INQUIRY)
    assert scalar("SELECT count(*) FROM lines_price") == 2


def test_writing_what_stands_there_is_no_change(operator_id: int) -> None:
    cell = _cell(operator_id)
    _set({cell: priced(100)})
    assert _set({cell: priced(100), _cell(operator_id, 10): NO_OFFER}) is None


def test_nine_digits_of_3000_cannot_be_priced_and_nothing_of_the_change_is_written(operator_id: int) -> None:
    with pytest.raises(NotOnSale, match="sells no 9-digit numbers, only those of 8, 10 digits"):
        _set({_cell(operator_id): priced(100), _cell(operator_id, 9): priced(100)})
    assert queries.prices(at=AT) == {}


def test_a_later_price_waits_for_its_day_and_an_earlier_one_is_refused(operator_id: int) -> None:
    cell = _cell(operator_id)
    _set({cell: priced(100)})
    _set({cell: priced(200)}, valid_from=AT + 7 * DAY)
    _set({cell: priced(150)}, after=DAY)

    assert [_now(cell, days * DAY) for days in (0, 1, 6, 7)] == [priced(100), priced(150), priced(150), priced(200)]
    coming = queries.coming_prices(operator_id=operator_id, audience=Audience.CUSTOMER, at=AT)
    assert coming[cell] == (AT + DAY, priced(150))
    with pytest.raises(UnusableLine):
        _set({cell: priced(1)}, valid_from=AT - DAY)


def test_a_change_is_taken_back_and_that_is_taken_back_too(operator_id: int) -> None:
    cell, other = _cell(operator_id), _cell(operator_id, 10)
    _set({cell: priced(100)})
    change = _set({cell: priced(200), other: INQUIRY})
    undone, left = _undo(change)

    assert (_now(cell), _now(other), left) == (priced(100), NO_OFFER, 0)
    redo = queries.redoable()
    assert redo is not None
    assert redo.id == undone
    _undo(undone)
    assert (_now(cell), _now(other)) == (priced(200), INQUIRY)
    assert queries.redoable() is None
    top = queries.undoable()
    assert top is not None
    assert top.id == change
    _undo(change)
    assert _now(cell) == priced(100)


def test_undoing_step_by_step_goes_all_the_way_back(operator_id: int) -> None:
    cell = _cell(operator_id)
    for amount in (100, 200, 300):
        _set({cell: priced(amount)})
    seen = []
    while (top := queries.undoable()) is not None:
        _undo(top.id)
        seen.append(_now(cell))
    assert seen == [priced(200), priced(100), NO_OFFER]


def test_what_was_written_since_is_left_alone(operator_id: int) -> None:
    cell, other = _cell(operator_id), _cell(operator_id, 10)
    change = _set({cell: priced(100), other: priced(100)})
    _set({other: priced(999)})

    _, left = _undo(change)
    assert (_now(cell), _now(other), left) == (NO_OFFER, priced(999), 1)
    with pytest.raises(Refusal):
        _undo(change)


def test_a_price_to_come_is_taken_back_before_it_begins(operator_id: int) -> None:
    cell = _cell(operator_id)
    _set({cell: priced(100)})
    _undo(_set({cell: priced(200)}, valid_from=AT + 7 * DAY), after=DAY)

    assert [_now(cell, days * DAY) for days in (2, 8)] == [priced(100), priced(100)]


def test_resellers_prices_are_filled_from_customers(operator_id: int) -> None:
    _set({_cell(operator_id): priced(155_000 * RIAL), _cell(operator_id, 10): INQUIRY})
    with transaction():
        change = operations.derive_prices(
            operator_id=operator_id,
            source=Audience.CUSTOMER,
            target=Audience.RESELLER,
            percent=10,
            step_rial=1000,
            by=PANEL,
            at=AT,
        )
    found = queries.prices(at=AT, audience=Audience.RESELLER)
    assert set(found.values()) == {priced(140_000 * RIAL), INQUIRY}  # 139,500: a half goes up
    assert change is not None
    assert queries.change(change).kind == "derive"


def test_what_is_no_longer_sold_is_shown_to_nobody_and_comes_back_with_its_prices(operator_id: int) -> None:
    _set({_cell(operator_id): priced(100), _cell(operator_id, 10): priced(50)})
    for days, is_on_sale in ((1, False), (2, True)):
        with transaction():
            wanted = Format(digits=8, is_on_sale=is_on_sale, note="Sold out.")
            operations.set_format(operator_id=operator_id, wanted=wanted, valid_from=None, by=PANEL, at=AT + days * DAY)

    def lengths(days: int) -> list[int]:
        lists = queries.price_lists(audience=Audience.CUSTOMER, at=AT + days * DAY)
        return [line.format.digits for _, grid in lists for line in grid.lines]

    assert [lengths(days) for days in (0, 1, 2)] == [[8, 10], [10], [8, 10]]


def test_an_account_sees_the_prices_of_its_kind_unless_staff_decided_otherwise(operator_id: int) -> None:
    customer, _, _ = make_account()
    reseller, _, _ = make_account(kind="reseller")
    assert (queries.audience_of(customer), queries.audience_of(reseller)) == ("customer", "reseller")
    with transaction():
        operations.set_audience(account_id=reseller, audience=Audience.SPECIAL_RESELLER, by=PANEL, at=AT)
    assert queries.audience_of(reseller) == "special_reseller"
    with transaction():
        operations.set_audience(account_id=reseller, audience=None, by=PANEL, at=AT)
    assert queries.audience_of(reseller) == "reseller"


def test_a_file_is_kept_shown_and_applied_once(operator_id: int) -> None:
    _, user_id, _ = make_account()
    cell = _cell(operator_id)
    _set({cell: priced(100)})
    with transaction():
        kept = operations.keep_import(
            read=Read({cell: priced(200), _cell(operator_id, 10): INQUIRY}),
            file_name="p.xlsx",
            by=Actor(id=user_id),
            at=AT,
        )
    found = queries.price_import(kept)
    steps = queries.differences(queries.offers_of_import(found), AT)
    assert [(step.cell.digits, step.before, step.after) for step in steps] == [
        (8, priced(100), priced(200)),
        (10, NO_OFFER, INQUIRY),
    ]
    with transaction():
        operations.apply_import(import_id=kept, by=PANEL, at=AT)
    assert _now(cell) == priced(200)
    with pytest.raises(Refusal, match="applied already"), transaction():
        operations.apply_import(import_id=kept, by=PANEL, at=AT)
    with transaction():
        assert operations.tidy_imports(at=AT + 2 * DAY) == 1


def test_the_panel_itself_cannot_rewrite_prices(operator_id: int) -> None:
    _set({_cell(operator_id): priced(100)})
    with pytest.raises(Exception, match="permission denied"), transaction():
        scalar("UPDATE lines_price SET amount_mrial = 1 RETURNING id")
