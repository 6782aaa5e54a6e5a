"""Staff pages of the numbers that can be sold."""

import io
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.sheets.table import MAX_BYTES, Row, read_table
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import digits
from sms.core.web.forms import Form, refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, localised, say
from sms.lines.formats.queries import seller, sellers
from sms.lines.formats.rules.roundness import roundness
from sms.lines.formats.rules.sheet import Known
from sms.lines.formats.rules.tiers import TIER_LABELS, Tier, sold_as
from sms.lines.rules import UnusableLine
from sms.lines.stock import operations, queries
from sms.lines.stock.forms import AddForm, NumberForm, ReserveForm, StockFilterForm
from sms.lines.stock.queries import NumberView
from sms.lines.stock.rules import STATE_LABELS, NumberState, ReadNumbers, read_numbers
from sms.operators.queries import operators

bp = Blueprint("lines_stock", __name__)
PERMISSION = "lines.manage"
_ON_A_PAGE = 50
_SHOWN = 100
_AT_ONCE = 20  # so many faultless numbers are added without a second look

nav.add(
    N_("Numbers for sale"),
    endpoint="lines_stock.numbers",
    icon="building-store",
    permission=PERMISSION,
    section="admin",
    order=36,
)


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A list may be larger than any other form; it must be said before the form is read."""
    if endpoint == "lines_stock.add_numbers":
        request.max_content_length = MAX_BYTES + 100_000


@bp.get("/admin/numbers")
@require(PERMISSION)
def numbers() -> ResponseReturnValue:
    """All of them, narrowed and page by page."""
    form = StockFilterForm.over(operators())
    before = request.args.get("before", type=int)
    found = queries.numbers_page(form.wanted, before=before, most=_ON_A_PAGE + 1)
    older = form.address(before=found[_ON_A_PAGE - 1].id) if len(found) > _ON_A_PAGE else None
    return render_page(
        "lines/numbers.html",
        form=form,
        numbers=found[:_ON_A_PAGE],
        counts=queries.counts(),
        operators=operators(),
        tiers=TIER_LABELS,
        states=STATE_LABELS,
        is_narrowed=bool(form.address()),
        older_url=url_for(".numbers", **older) if older else None,
        newest_url=url_for(".numbers", **form.address()) if before else None,
    )


@bp.route("/admin/numbers/add", methods=["GET", "POST"])
@require(PERMISSION)
def add_numbers() -> ResponseReturnValue:
    """Add numbers and ranges: a few at once, a list after a look at it."""
    form = AddForm()
    if form.validate_on_submit():
        try:
            file = form.file.data if form.file.data and form.file.data.filename else None
            read = _read(form, file)
            with transaction():
                made = operations.keep_import(
                    read=read, file_name=file.filename if file else _("typed"), by=actor(), at=clock.now()
                )
                is_added = not read.problems and len(read.items) <= _AT_ONCE
                count = operations.apply_import(import_id=made, by=actor(), at=clock.now()) if is_added else 0
        except SmsError as error:
            refuse(form, error, form.numbers if not form.file.data else form.file)
        else:
            if not is_added:
                return redirect_to(url_for(".preview_import", list_id=made))
            flash(*_told(count, len(read.items)))
            return redirect_to(url_for(".numbers"))
    return render_page("lines/numbers_add.html", form=form, status=422 if form.errors else 200)


def _read(form: AddForm, file: Any) -> ReadNumbers:
    known = [Known(each.id, each.code, each.formats) for each in sellers(clock.now())]
    if file is not None:
        read = read_numbers(read_table(io.BytesIO(file.read())), known)
    else:
        lines = (form.numbers.data or "").splitlines()
        rows: list[Row] = [(place, [line]) for place, line in enumerate(lines, start=1) if line.strip()]
        read = read_numbers(rows, known)
    if not read.items and not read.problems:
        raise UnusableLine("numbers", N_("The list is empty."))
    if not file and len(read.problems) == 1 and not read.items:
        raise UnusableLine("numbers", read.problems[0].message, **read.problems[0].params)
    return read


def _told(count: int, wanted: int) -> tuple[str, str]:
    if count == wanted:
        return digits(_("%(count)s numbers were added.", count=count)), "success"
    left = wanted - count
    return (
        digits(_("%(count)s numbers were added; %(left)s were there already.", count=count, left=left)),
        "warning",
    )


@bp.route("/admin/numbers/imports/<int:list_id>", methods=["GET", "POST"])
@require(PERMISSION)
def preview_import(list_id: int) -> ResponseReturnValue:
    """What a list holds, and what of it cannot be; a POST adds it."""
    found = queries.number_import(list_id)
    if request.method == "POST":
        try:
            with transaction():
                count = operations.apply_import(import_id=list_id, by=actor(), at=clock.now())
        except SmsError as error:
            flash(digits(say(error)), "danger")
            return redirect_to(url_for(".preview_import", list_id=list_id))
        flash(*_told(count, found.row_count))
        return redirect_to(url_for(".numbers"))
    items = queries.items_of_import(found)
    taken = {} if found.applied_at else queries.taken(items)
    return render_page(
        "lines/numbers_preview.html",
        found=found,
        items=[(item, taken.get((item.number, item.digits), "")) for item in items[:_SHOWN]],
        new_count=len(items) - len(taken),
        taken_count=len(taken),
        problems=[(place, digits(_(message, **localised(params)))) for place, message, params in found.problems],
        tiers=TIER_LABELS,
    )


# One number


@bp.route("/admin/numbers/<int:number_id>", methods=["GET", "POST"])
@require(PERMISSION)
def number(number_id: int) -> ResponseReturnValue:
    """One of them: why it is as round as it is, what became of it; its tier can be overridden."""
    found = queries.number(number_id)
    form = NumberForm(tier=found.override_tier or "", note=found.note)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.change_number(
                    number_id=number_id, override=form.override, note=form.note.data or "", by=actor(), at=clock.now()
                )
        except UnusableLine as error:
            refuse(form, error, form._fields.get(error.field))
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".number", number_id=number_id))
    return _page(found, form, ReserveForm(formdata=None))


def _page(found: NumberView, form: Form, reserve_form: Form) -> Response:
    at = clock.now()
    selling = seller(found.operator_id, at)
    tiers = next((each.tiers for each in selling.on_sale if each.digits == found.digits), ())
    return render_page(
        "lines/number.html",
        number=found,
        roundness=roundness(found.number, operator_code=found.operator_code),
        sold_as=sold_as(Tier(found.tier), tiers) if tiers else None,
        priority=queries.priority_owner(operator_id=found.operator_id, number=found.number, at=at),
        steps=queries.steps(found.id),
        form=form,
        reserve_form=reserve_form,
        tiers=TIER_LABELS,
        states=STATE_LABELS,
        status=422 if form.errors or reserve_form.errors else 200,
    )


@bp.post("/admin/numbers/<int:number_id>/reserve")
@require(PERMISSION)
def reserve(number_id: int) -> ResponseReturnValue:
    """Keep it for an account."""
    found = queries.number(number_id)
    form = ReserveForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.reserve(
                    number_id=number_id,
                    account_id=int(user_by_name(form.account.data.strip()).account_id),
                    until=form.ends,
                    reason=form.reason.data or "",
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableLine as error:
            refuse(form, error, form._fields.get(error.field))
        except NotFound as error:
            refuse(form, error, form.account)
        except Refusal as error:  # its page says in which state it is now
            flash(say(error), "danger")
            return redirect_to(url_for(".number", number_id=number_id))
        else:
            flash(_("The number is reserved."), "success")
            return redirect_to(url_for(".number", number_id=number_id))
    return _page(found, NumberForm(formdata=None, tier=found.override_tier or "", note=found.note), form)


@bp.post("/admin/numbers/<int:number_id>/move")
@require(PERMISSION)
def move(number_id: int) -> ResponseReturnValue:
    """Release it, suspend it, let it expire, or revive it."""
    to = request.form.get("to", "")
    if to not in set(NumberState):
        abort(400)
    state, reason = NumberState(to), request.form.get("reason", "")
    with transaction():
        if state is NumberState.FREE:
            operations.release(number_id=number_id, reason=reason, by=actor(), at=clock.now())
        else:
            operations.move(number_id=number_id, to=state, reason=reason, by=actor(), at=clock.now())
    flash(_("Saved."), "success")
    return redirect_to(url_for(".number", number_id=number_id))


@bp.post("/admin/numbers/<int:number_id>/remove")
@require(PERMISSION)
def remove(number_id: int) -> ResponseReturnValue:
    """Take it out of the inventory."""
    with transaction():
        operations.remove(number_id=number_id, by=actor(), at=clock.now())
    flash(_("The number was removed."), "success")
    return redirect_to(url_for(".numbers"))
