"""Staff pages of line prices: the grid, edited in place, filled, taken back; and its history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.core import calendar, clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.money import RIAL_PER_TOMAN
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import amount_text, digits, money_text, money_unit
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, language, say
from sms.lines.formats import operations, queries
from sms.lines.formats.forms import DeriveForm
from sms.lines.formats.queries import Seller
from sms.lines.formats.rules import grid as layout
from sms.lines.formats.rules.offers import Cell, Offer, Terms, check_cell, not_on_sale, parse_offer
from sms.lines.formats.rules.sheet import COLUMN_LABELS
from sms.lines.formats.rules.tiers import AUDIENCE_LABELS, SHORT_CHOICE_LABELS, TIER_LABELS, Audience
from sms.lines.rules import UnusableLine

bp = Blueprint("lines_prices", __name__)
PERMISSION = "prices.manage"
_ON_A_PAGE = 30
_STEPS_SHOWN = 100
KIND_LABELS = {
    "edit": N_("Edited"),
    "derive": N_("Filled"),
    "import": N_("Imported"),
    "undo": N_("Taken back"),
}

nav.add(
    N_("Line prices"), endpoint="lines_prices.prices", icon="cash", permission=PERMISSION, section="admin", order=34
)


@bp.app_template_global()
def offer_text(offer: Offer) -> str:
    """An offer in words, with its unit."""
    if offer.amount_mrial is not None:
        return money_text(offer.amount_mrial)
    return _("inquiry") if offer.terms is Terms.INQUIRY else "—"


@bp.app_template_global()
def offer_input(offer: Offer) -> str:
    """An offer as it is typed into its cell."""
    if offer.amount_mrial is not None:
        return amount_text(offer.amount_mrial)
    return _("inquiry") if offer.terms is Terms.INQUIRY else ""


@bp.app_template_global()
def money_unit_name() -> str:
    """The unit the reader's amounts are in."""
    return _("toman") if money_unit() == "toman" else _("rial")


@dataclass
class Desk:
    """What the page is about: an operator, an audience, and the day from which on one writes (None: now)."""

    seller: Seller
    audience: Audience
    on: date | None
    texts: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def begins(self) -> datetime | None:
        """The moment from which on what is written holds."""
        return calendar.start_of_day(self.on) if self.on else None

    @property
    def at(self) -> datetime:
        """The moment whose prices are shown."""
        return self.begins or clock.now()

    @property
    def address(self) -> dict[str, Any]:
        """What the page's own links and forms carry."""
        return {
            "operator": self.seller.code,
            "audience": str(self.audience),
            **({"on": self.on.isoformat()} if self.on else {}),
        }


def _desk() -> Desk:
    """As the address says; the first operator, customers and now where it says nothing."""
    on = _day(request.args.get("on", ""))
    found = queries.sellers(calendar.start_of_day(on) if on else clock.now())
    code = request.args.get("operator", found[0].code if found else "")
    seller = next((each for each in found if each.code == code), None)
    audience = request.args.get("audience", Audience.CUSTOMER)
    if seller is None or audience not in set(Audience):
        abort(404)
    return Desk(seller, Audience(audience), on)


def _day(text: str) -> date | None:
    try:
        day = calendar.parse_day(text, language()) if text else None
    except SmsError:
        return None
    return day if day and calendar.start_of_day(day) > clock.now() else None


@bp.get("/admin/line-prices")
@require(PERMISSION)
def prices() -> ResponseReturnValue:
    """The grid of an operator and an audience."""
    if not queries.sellers(clock.now()):
        return render_page("lines/prices_none.html")
    return _page(_desk())


def _page(
    desk: Desk, form: DeriveForm | None = None, *, block: str | None = None, saved: Cell | None = None
) -> Response:
    seller, audience = desk.seller, desk.audience
    offers = queries.prices(at=desk.at, operator_id=seller.id, audience=audience)
    coming = queries.coming_prices(operator_id=seller.id, audience=audience, at=desk.at)
    shown = layout.grid(tuple(seller.formats), offers, coming, operator_id=seller.id, audience=audience)
    gaps = [say(not_on_sale(seller.code, gap, seller.formats)) for gap in layout.gaps(tuple(seller.formats))]
    return render_page(
        "lines/prices.html",
        fragment=block,
        status=422 if desk.errors or (form is not None and form.errors) else 200,
        desk=desk,
        grid=shown,
        gaps=[digits(gap) for gap in gaps],
        sellers=queries.sellers(desk.at),
        counts=queries.filled_counts(desk.at),
        form=form or DeriveForm.offered(audience, formdata=None),
        seen=queries.newest_change(),
        undo=_shown_change(queries.undoable()),
        redo=_shown_change(queries.redoable()),
        saved=_saved_place(shown, saved),
        unit=money_unit_name(),
        audiences=AUDIENCE_LABELS,
        column_labels=COLUMN_LABELS,
        tiers=TIER_LABELS,
        choices=SHORT_CHOICE_LABELS,
    )


def _saved_place(shown: layout.Grid, cell: Cell | None) -> layout.Place | None:
    return next((place for line in shown.lines for place in line.places if place and place.cell == cell), None)


def _shown_change(found: object | None) -> Mapping[str, object] | None:
    """A change and, when it touched few cells, what it did to the first."""
    if found is None:
        return None
    return {"change": found, "steps": queries.steps(found.id, most=1)}  # type: ignore[attr-defined]


@bp.post("/admin/line-prices")
@require(PERMISSION)
def save_prices() -> ResponseReturnValue:
    """Write what was typed: one cell or a pasted block that htmx sends, or the whole grid as a form."""
    desk = _desk()
    cells = _typed(desk)
    offers = _read(desk, cells)
    try:
        with transaction():
            operations.set_prices(offers, by=actor(), at=clock.now(), valid_from=desk.begins)
    except UnusableLine as error:
        desk.errors.setdefault("", digits(say(error)))
    is_grid = request.headers.get("HX-Target") == "grid"
    if is_htmx() and not is_grid and len(cells) == 1:
        return _page(desk, block="cell", saved=next(iter(cells.values())))
    if desk.errors or is_htmx():
        return _page(desk, block="grid" if is_grid else None)
    flash(_("Saved."), "success")
    return redirect_to(url_for(".prices", **desk.address))


def _typed(desk: Desk) -> dict[str, Cell]:
    """The cells a form fills by the names of their fields."""
    named = {name: layout.cell_named(name, operator_id=desk.seller.id, audience=desk.audience) for name in request.form}
    return {name: cell for name, cell in named.items() if cell is not None}


def _read(desk: Desk, cells: Mapping[str, Cell]) -> dict[Cell, Offer]:
    """What they say; what cannot be is kept with its sentence. Of a whole form only what its reader changed: `seen` is
    the newest change it showed."""
    factor = RIAL_PER_TOMAN if money_unit() == "toman" else 1
    seen = request.form.get("seen", type=int)
    shown = (
        queries.prices(at=desk.at, operator_id=desk.seller.id, audience=desk.audience, seen=seen)
        if seen is not None
        else {}
    )
    found: dict[Cell, Offer] = {}
    for name, cell in cells.items():
        text = request.form[name]
        try:
            offer = parse_offer(text, rial_per_unit=factor)
            check_cell(cell, operator_code=desk.seller.code, formats=desk.seller.formats)
        except UnusableLine as error:
            desk.texts[name], desk.errors[name] = text, digits(say(error))
        else:
            if seen is None or offer != shown.get(cell, Offer(Terms.NONE)):
                found[cell] = offer
    return found


@bp.post("/admin/line-prices/derive")
@require(PERMISSION)
def derive() -> ResponseReturnValue:
    """Fill an audience's prices from another's."""
    desk = _desk()
    form = DeriveForm.offered(desk.audience)
    if form.validate_on_submit():
        try:
            with transaction():
                change_id = operations.derive_prices(
                    operator_id=desk.seller.id if form.scope.data == "one" else None,
                    source=Audience(form.source.data),
                    target=desk.audience,
                    percent=form.percent.data or 0,
                    step_rial=form.step.data or 1,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableLine as error:
            refuse(form, error, form._fields.get(error.field))
        else:
            flash(_told(change_id), "success" if change_id else "info")
            return redirect_to(url_for(".prices", **desk.address))
    return _page(desk, form)


def _told(change_id: int | None) -> str:
    if change_id is None:
        return _("Nothing had to be changed.")
    return digits(_("%(count)s prices were written.", count=queries.change(change_id).cell_count))


# Taking back, and what was


@bp.post("/admin/line-prices/changes/<int:change_id>/undo")
@require(PERMISSION)
def undo_change(change_id: int) -> ResponseReturnValue:
    """Take a change back; from the grid one stays there."""
    told, tone = "", "success"
    try:
        with transaction():
            made, left = operations.undo_change(change_id=change_id, by=actor(), at=clock.now())
        told = _undone(made, left)
        tone = "warning" if left else "success"
    except SmsError as error:
        told, tone = say(error), "danger"
    if "operator" not in request.args:
        flash(told, tone)
        return redirect_to(url_for(".history"))
    desk = _desk()
    if is_htmx():
        desk.note = told
        return _page(desk, block="grid")
    flash(told, tone)
    return redirect_to(url_for(".prices", **desk.address))


def _undone(made: int | None, left: int) -> str:
    if made is None:
        return _("Nothing was taken back: all these prices have been written anew since.")
    count = queries.change(made).cell_count
    if left:
        return digits(
            _("%(count)s prices were given back; %(left)s were written anew since and stay.", count=count, left=left)
        )
    return digits(_("%(count)s prices were given back.", count=count))


@bp.get("/admin/line-prices/history")
@require(PERMISSION)
def history() -> ResponseReturnValue:
    """Every change, the newest first."""
    before = request.args.get("before", type=int)
    found = queries.changes_page(before=before, most=_ON_A_PAGE + 1)
    older = found[_ON_A_PAGE - 1].id if len(found) > _ON_A_PAGE else None
    return render_page(
        "lines/price_history.html",
        changes=found[:_ON_A_PAGE],
        kinds=KIND_LABELS,
        older_url=url_for(".history", before=older) if older else None,
        newest_url=url_for(".history") if before else None,
    )


@bp.get("/admin/line-prices/changes/<int:change_id>")
@require(PERMISSION)
def change(change_id: int) -> ResponseReturnValue:
    """One change, cell by cell."""
    found = queries.change(change_id)
    return render_page(
        "lines/price_change.html",
        change=found,
        steps=queries.steps(change_id, most=_STEPS_SHOWN),
        sellers={each.id: each for each in queries.sellers(clock.now())},
        kinds=KIND_LABELS,
        audiences=AUDIENCE_LABELS,
        column_labels=COLUMN_LABELS,
    )
