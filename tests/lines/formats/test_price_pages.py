"""Staff pages and commands of formats, prices and numbers; the reservation that a job ends."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from jobs.lines import end_reservations
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import rows, transaction
from sms.core.sheets.table import read_table
from sms.core.sheets.writing import Sheet, xlsx
from sms.lines.formats import operations, queries
from sms.lines.formats.rules.offers import Cell, Format, priced
from sms.lines.formats.rules.tiers import Audience, Choice, Tier
from sms.lines.stock.queries import StockFilter, numbers_page
from tests.factories import AT, make_account, make_gateway
from tests.operators.staff import Person, make_staff, text_of

GRID = "/admin/line-prices"
NO_NINE = "Operator 3000 sells no 9-digit numbers, only those of 8, 10 digits."


@pytest.fixture
def operator_id(app: Flask) -> int:
    operator_id, _ = make_gateway()
    with transaction():
        for digits in (8, 10):
            wanted = Format(digits=digits, tiers=(Tier.PLAIN, Tier.ROUND))
            operations.set_format(operator_id=operator_id, wanted=wanted, valid_from=None, by=PANEL, at=AT)
        cell = Cell(operator_id, 8, Tier.PLAIN, Choice.ASSIGNED, Audience.CUSTOMER)
        operations.set_prices({cell: priced(10**9)}, by=PANEL, at=AT)
    return operator_id


@pytest.fixture
def staff(app: Flask, operator_id: int) -> Person:
    person = make_staff(app)
    person.browser.set_cookie("language", "en")
    return person


def _amounts(audience: Audience = Audience.CUSTOMER) -> dict[tuple[int, str], int | None]:
    found = queries.prices(at=clock.now(), audience=audience)
    return {(cell.digits, str(cell.tier)): offer.amount_mrial for cell, offer in found.items()}


def test_a_form_of_the_whole_grid_writes_only_what_its_reader_changed(staff: Person, operator_id: int) -> None:
    page = staff.get(GRID).text
    seen = page.split('name="seen" value="')[1].split('"')[0]
    cell = Cell(operator_id, 10, Tier.PLAIN, Choice.ASSIGNED, Audience.CUSTOMER)
    with transaction():  # somebody else writes meanwhile
        operations.set_prices({cell: priced(5 * 10**9)}, by=PANEL, at=clock.now())
    form = {"seen": seen, "p-8-plain-assigned": "2m", "p-8-round-assigned": "?", "p-10-plain-assigned": ""}
    assert staff.post(f"{GRID}?operator=3000", form, from_page=GRID).status_code == 303
    assert _amounts() == {(8, "plain"): 2 * 10**9, (8, "round"): None, (10, "plain"): 5 * 10**9}


@pytest.mark.parametrize(
    ("name", "told"),
    [("p-9-plain-assigned", NO_NINE), ("p-8-plain-custom", "cannot be chosen"), ("p-8-semi-assigned", "this tier")],
)
def test_what_is_not_sold_cannot_be_priced_by_any_request(staff: Person, name: str, told: str) -> None:
    answer = staff.post(f"{GRID}?operator=3000", {name: "1000"}, from_page=GRID)
    assert answer.status_code == 422
    assert _amounts() == {(8, "plain"): 10**9}
    if "9" in name:
        assert NO_NINE in text_of(staff.get(f"{GRID}?operator=3000"))


def test_a_saved_cell_comes_back_alone_with_the_way_back(staff: Person) -> None:
    staff.browser.environ_base["HTTP_HX_REQUEST"] = "true"
    token = staff.browser.get(GRID).text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = staff.browser.post(f"{GRID}?operator=3000", data={"csrf_token": token, "p-8-plain-assigned": "3m"})
    assert answer.text.lstrip().startswith("<td")
    assert 'value="3,000,000"' in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert "<h1" not in answer.text


def test_prices_are_filled_and_taken_back(staff: Person) -> None:
    form = {"source": "customer", "percent": "10", "step": "1000", "scope": "all"}
    url = f"{GRID}/derive?operator=3000&audience=reseller"
    assert staff.post(url, form, from_page=GRID).status_code == 303
    assert _amounts(Audience.RESELLER) == {(8, "plain"): 900_000_000}
    top = queries.undoable()
    assert top is not None
    undo = f"{GRID}/changes/{top.id}/undo"
    assert staff.post(undo, from_page=GRID).status_code == 303
    assert _amounts(Audience.RESELLER) == {(8, "plain"): None}
    assert staff.post(f"{GRID}/derive?operator=3000", form | {"percent": "x"}, from_page=GRID).status_code == 422


def test_a_file_is_read_shown_and_written(staff: Person) -> None:
    exported = staff.get(f"{GRID}/export")
    assert exported.headers["Content-Disposition"].endswith(".xlsx")
    header, *lines = [cells for _, cells in read_table(io.BytesIO(exported.data))]
    assert lines[0][:4] == ["3000", "8", "Customer", "1000000"]
    lines[0][3] = "1500000"
    lines.append(["3000", "9", "Customer", "1"])
    file = (io.BytesIO(xlsx(Sheet("prices", header, lines, []))), "prices.xlsx")
    answer = staff.post(f"{GRID}/import", {"file": file}, from_page=f"{GRID}/import")
    page = text_of(staff.get(answer.headers["Location"]))
    assert f"D{len(lines) + 1} {NO_NINE}" in page
    assert "1,000,000 rial 1,500,000 rial" in page
    assert _amounts()[8, "plain"] == 10**9
    staff.post(answer.headers["Location"], from_page=GRID)
    assert _amounts()[8, "plain"] == 1_500_000_000


@pytest.mark.parametrize(
    ("raw", "told"), [(b"name,city\nx,y\n", "must name the columns"), (b"%PDF", "no list"), (b"", "The list is empty")]
)
def test_a_file_that_is_no_grid_is_refused_with_its_reason(staff: Person, raw: bytes, told: str) -> None:
    answer = staff.post(f"{GRID}/import", {"file": (io.BytesIO(raw), "x.csv")}, from_page=f"{GRID}/import")
    assert answer.status_code == 422
    assert told in text_of(answer)


def test_a_length_is_put_on_sale_and_its_impossible_settings_are_told(staff: Person, operator_id: int) -> None:
    url = f"/admin/line-formats/{operator_id}/edit"
    form: dict[str, Any] = {
        **{"digits": "12", "is_on_sale": "y", "sale_mode": "single", "tiers": ["plain", "round"]},
        **{"choosable_digits": "6", "renewal_percent": "20", "renewal_months": "12", "grace_days": "30"},
    }
    assert staff.post(url, form | {"choosable_digits": "9"}, from_page=url).status_code == 422
    assert staff.post(url, form, from_page=url).status_code == 303
    found = queries.seller(operator_id, clock.now()).format_of(12)
    assert (found.choosable_digits, found.tiers, found.renewal_percent) == (6, (Tier.PLAIN, Tier.ROUND), 20)
    assert staff.get(f"{url}?digits=9").status_code == 404


# Numbers


def test_numbers_are_added_read_from_a_file_and_reserved(staff: Person) -> None:
    url = "/admin/numbers/add"
    assert staff.post(url, {"numbers": "30001404\n3000 7777"}, from_page=url).status_code == 303
    answer = staff.post(url, {"numbers": "300014040"}, from_page=url)
    assert (answer.status_code, NO_NINE in text_of(answer)) == (422, True)
    file = (io.BytesIO("شماره,رندی\n30001405,رند\n300014040,\n30001404,\n".encode()), "numbers.csv")
    preview = staff.post(url, {"file": file}, from_page=url).headers["Location"]
    page = text_of(staff.get(preview))
    assert f"A3 {NO_NINE}" in page
    assert "there already" in page
    staff.post(preview, from_page=GRID)
    found = {each.number: each for each in numbers_page(StockFilter(), before=None, most=9)}
    assert {number: each.tier for number, each in found.items()} == {
        "30001404": "plain",
        "30007777": "very_round",
        "30001405": "round",
    }

    _, user_id, _ = make_account()
    username = rows("SELECT username FROM accounts_user WHERE id = :id", id=user_id)[0].username
    one = f"/admin/numbers/{found['30001404'].id}"
    until = (clock.now() + timedelta(days=3)).date().isoformat()
    form = {"account": username, "until": until, "reason": "asked by phone"}
    assert staff.post(f"{one}/reserve", form, from_page=one).status_code == 303
    assert "asked by phone" in text_of(staff.get(one))
    assert staff.post(f"{one}/reserve", form, from_page="/admin/numbers/add").status_code == 303
    assert "somebody was faster" in text_of(staff.get(one))


def test_a_job_ends_what_is_over(staff: Person, operator_id: int) -> None:
    url = "/admin/numbers/add"
    staff.post(url, {"numbers": "30001404"}, from_page=url)
    account_id, _, _ = make_account()
    with transaction():
        rows(
            """UPDATE lines_number SET state = 'reserved', account_id = :id, reserved_until = :at RETURNING id""",
            id=account_id,
            at=clock.now() - timedelta(seconds=1),
        )
    end_reservations()
    (number,) = numbers_page(StockFilter(), before=None, most=2)
    assert (number.state, number.account_id) == ("free", None)


# Commands


def _run(app: Flask, *args: str) -> tuple[int, dict[str, Any], str]:
    done = app.test_cli_runner().invoke(args=[*args, "--json"])
    lines = done.stdout.strip().splitlines()
    return done.exit_code, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}, done.output


def test_commands_do_what_the_pages_do(app: Flask, operator_id: int) -> None:
    assert _run(app, "format-add", "--operator", "3000", "--digits", "12", "--tier", "plain")[0] == 0
    assert (
        _run(app, "price-set", "--operator", "3000", "--digits", "12", "--price", "1.2m")[1]["amount_mrial"]
        == 1_200_000_000
    )
    code, _, output = _run(app, "price-set", "--operator", "3000", "--digits", "9", "--price", "1")
    assert (code, "sells no 9-digit numbers, only those of 8, 10, 12 digits" in output) == (1, True)
    code, told, _ = _run(app, "number-add", "30001404", "300014040")
    assert (code, told["added"], told["problems"][0]["cell"]) == (1, 1, "A2")
    _, told, _ = _run(app, "number-score", "--operator", "3000", "3000 7777")
    assert (told["tier"], told["sold_as"]) == ("very_round", "round")
    change = queries.undoable()
    assert change is not None
    assert _run(app, "price-undo", str(change.id))[1]["left_alone"] == 0
