"""Staff pages of the price grid as a file, and of what a reader of the shop will see."""

import io
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import user_by_name
from sms.core import calendar, clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.sheets.table import MAX_BYTES, read_table
from sms.core.sheets.writing import MEDIA_TYPE, Sheet, Value, xlsx
from sms.core.text import N_
from sms.core.web.filters import digits
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, language, localised, say
from sms.lines.formats import operations, queries
from sms.lines.formats.forms import AudienceForm, FileForm
from sms.lines.formats.rules import sheet
from sms.lines.formats.rules.tiers import AUDIENCE_LABELS, SHORT_CHOICE_LABELS, TIER_LABELS, Audience

bp = Blueprint("lines_price_files", __name__)
PERMISSION = "prices.manage"
_SHOWN = 100
_NO_FILE = N_("Choose a file.")


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A file may be larger than any other form; it must be said before the form is read."""
    if endpoint == "lines_price_files.upload":
        request.max_content_length = MAX_BYTES + 100_000


@bp.get("/admin/line-prices/export")
@require(PERMISSION)
def export() -> ResponseReturnValue:
    """The whole grid as an XLSX file, made to be changed and imported again."""
    at = clock.now()
    sellers = [sheet.Known(each.id, each.code, each.formats) for each in queries.sellers(at)]
    header = [
        _(sheet.OPERATOR),
        _(sheet.DIGITS),
        _(sheet.AUDIENCE),
        *(f"{_(sheet.COLUMN_LABELS[column])} ({_('rial')})" for column in sheet.COLUMNS),
    ]
    rows: list[list[Value]] = [
        [
            seller.code,
            each.digits,
            _(AUDIENCE_LABELS[audience]),
            *(sheet.written(c, inquiry=_("inquiry")) for c in cells),
        ]
        for seller, each, audience, cells in sheet.written_rows(sellers, queries.prices(at=at))
    ]
    made = Sheet(
        _("Line prices"),
        header,
        rows,
        [10, 8, 18, *([22] * len(sheet.COLUMNS))],
        is_right_to_left=language() == "fa",
        kept_columns=3,
    )
    name = f"line-prices-{calendar.day_of(at).isoformat()}.xlsx"
    return Response(xlsx(made), mimetype=MEDIA_TYPE, headers={"Content-Disposition": f"attachment; filename={name}"})


@bp.route("/admin/line-prices/import", methods=["GET", "POST"])
@require(PERMISSION)
def upload() -> ResponseReturnValue:
    """Read a file; nothing is written before its differences were looked at."""
    form = FileForm()
    if form.validate_on_submit():
        try:
            return redirect_to(url_for(".preview_import", import_id=_kept(form)))
        except SmsError as error:
            refuse(form, error, form.file)
    return render_page("lines/price_import.html", form=form, status=422 if form.errors else 200)


def _kept(form: FileForm) -> int:
    """Read the file and keep what it says; raises SmsError for what is no price grid."""
    if not form.file.data or not form.file.data.filename:
        raise SmsError(_NO_FILE)
    at = clock.now()
    known = [sheet.Known(each.id, each.code, each.formats) for each in queries.sellers(at)]
    read = sheet.read_grid(read_table(io.BytesIO(form.file.data.read())), known)
    with transaction():
        return operations.keep_import(read=read, file_name=form.file.data.filename, by=actor(), at=at)


@bp.route("/admin/line-prices/imports/<int:import_id>", methods=["GET", "POST"])
@require(PERMISSION)
def preview_import(import_id: int) -> ResponseReturnValue:
    """What a file would change, and what of it cannot be; a POST writes it."""
    found = queries.price_import(import_id)
    if request.method == "POST":
        try:
            with transaction():
                change_id = operations.apply_import(import_id=import_id, by=actor(), at=clock.now())
        except SmsError as error:
            flash(digits(say(error)), "danger")
            return redirect_to(url_for(".preview_import", import_id=import_id))
        if change_id is None:
            flash(_("Nothing had to be changed."), "info")
            return redirect_to(url_for("lines_prices.prices"))
        flash(_("The file's prices are in force; this is what changed."), "success")
        return redirect_to(url_for("lines_prices.change", change_id=change_id))
    steps = queries.differences(queries.offers_of_import(found), clock.now())
    return render_page(
        "lines/price_import_preview.html",
        found=found,
        steps=steps[:_SHOWN],
        step_count=len(steps),
        problems=[(place, digits(_(message, **localised(params)))) for place, message, params in found.problems],
        sellers={each.id: each for each in queries.sellers(clock.now())},
        audiences=AUDIENCE_LABELS,
        column_labels=sheet.COLUMN_LABELS,
    )


# What they see


@bp.route("/admin/line-prices/preview", methods=["GET", "POST"])
@require(PERMISSION)
def preview() -> ResponseReturnValue:
    """The price list as a customer, a reseller or a special reseller sees it; and who is one of the latter."""
    form = AudienceForm()
    if form.validate_on_submit():
        try:
            with transaction():
                account_id = int(user_by_name(form.account.data.strip()).account_id)
                operations.set_audience(account_id=account_id, audience=form.chosen, by=actor(), at=clock.now())
        except NotFound as error:
            refuse(form, error, form.account)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".preview"))
    wanted = request.args.get("audience", "")
    audience = Audience(wanted) if wanted in set(Audience) else Audience.CUSTOMER
    at = clock.now()
    return render_page(
        "lines/price_preview.html",
        form=form,
        audience=audience,
        lists=queries.price_lists(audience=audience, at=at),
        accounts=queries.special_accounts(),
        audiences=AUDIENCE_LABELS,
        tiers=TIER_LABELS,
        choices=SHORT_CHOICE_LABELS,
        status=422 if form.errors else 200,
    )
