"""Staff pages of reconciliation: every gateway by day, one day with its credit and its statements, and explanations."""

import io
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import day_of
from sms.core.db import transaction
from sms.core.errors import Refusal, SmsError
from sms.core.sheets.table import read_table
from sms.core.sheets.writing import MEDIA_TYPE, Sheet, Value, xlsx
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import digits, number_text
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, language, localised
from sms.dashboard.reconciliation import queries
from sms.dashboard.reconciliation.forms import (
    DaysForm,
    DifferencesForm,
    ExplainAllForm,
    ExplainForm,
    PurchaseForm,
    StatementForm,
)
from sms.dashboard.reconciliation.operations import credit, statements
from sms.dashboard.reconciliation.rules import (
    KIND_LABELS,
    MOST_BYTES,
    MOST_DIFFERENCES,
    OF_STATEMENT,
    REASON_LABELS,
    Kind,
    Reason,
    day_number,
    day_numbered,
)
from sms.ledger.rules import rial_text
from sms.operators.queries import gateways

bp = Blueprint("reconciliation", __name__)
PERMISSION = Permission.MANAGE_MONEY
_DAYS = 14
_PAGE = 50
_NO_FILE = N_("Choose a file.")

nav.add(
    N_("Reconciliation"),
    endpoint="reconciliation.days",
    icon="arrows-exchange",
    section="admin",
    permission=PERMISSION,
    order=64,
)


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A statement may be larger than any other form; it must be said before the form is read."""
    if endpoint == "reconciliation.upload":
        request.max_content_length = MOST_BYTES + 100_000


@bp.get("/admin/reconciliation")
@require(PERMISSION)
def days() -> ResponseReturnValue:
    """Gateways by day: ours beside the drop of the credit, and what stands in their statements."""
    form = DaysForm.read(gateways=gateways())
    last = form.until.data or day_of(clock.now())
    gateway_id = int(form.gateway_id.data) if form.gateway_id.data else None
    found = queries.days(wanted=[last - timedelta(days=number) for number in range(_DAYS)], gateway_id=gateway_id)
    if gateway_id is None:
        found = [each for each in found if not each.is_empty]
    return render_page(
        "reconciliation/days.html", form=form, days=found, day_number=day_number, older=last - timedelta(days=_DAYS)
    )


@bp.get("/admin/reconciliation/<int:gateway_id>/<int:number>")
@require(PERMISSION)
def day(gateway_id: int, number: int) -> ResponseReturnValue:
    """One gateway on one day; `number` is the day as 20261123."""
    return _day_page(gateway_id, day_numbered(number))


def _day_page(gateway_id: int, chosen: date, **forms: Any) -> Response:
    form = DifferencesForm.read()
    after = request.args.get("after", type=int)
    found = queries.day_of_gateway(gateway_id=gateway_id, day=chosen)
    differing = queries.differences(
        gateway_id=gateway_id,
        day=chosen,
        kind=form.kind.data or "",
        is_open=form.is_open,
        after=after if after and 0 < after < 2**63 else 0,
        most=_PAGE + 1,
    )
    return render_page(
        "reconciliation/day.html",
        status=422 if forms else 200,
        found=found,
        number=day_number(chosen),
        form=form,
        comparison=queries.comparison(gateway_id=gateway_id, day=chosen),
        statements=[_shown(each) for each in queries.statements(gateway_id=gateway_id, day=chosen)],
        purchases=queries.purchases(gateway_id=gateway_id, day=chosen),
        said_of_credit=queries.credit_explanation(gateway_id=gateway_id, day=chosen),
        counts=queries.open_counts(gateway_id=gateway_id, day=chosen),
        differences=differing[:_PAGE],
        next_id=differing[_PAGE - 1].id if len(differing) > _PAGE else None,
        kinds={str(kind): KIND_LABELS[kind] for kind in OF_STATEMENT},
        reasons={str(reason): label for reason, label in REASON_LABELS.items()},
        most=MOST_DIFFERENCES,
        purchase_form=forms.get("purchase") or PurchaseForm(formdata=None),
        statement_form=forms.get("statement") or StatementForm(formdata=None),
        credit_form=forms.get("credit") or ExplainForm(formdata=None),
        all_form=forms.get("all") or ExplainAllForm(formdata=None),
    )


def _shown(statement: Any) -> dict[str, Any]:
    problems = [(place, digits(_(message, **localised(params)))) for place, message, params in statement.problems]
    return {"at": statement, "problems": problems[:20]}


def _back(gateway_id: int, chosen: date) -> Response:
    return redirect_to(url_for(".day", gateway_id=gateway_id, number=day_number(chosen)))


@bp.post("/admin/reconciliation/<int:gateway_id>/<int:number>/credit")
@require(PERMISSION)
def buy(gateway_id: int, number: int) -> ResponseReturnValue:
    """Write down credit that we bought."""
    chosen = day_numbered(number)
    queries.day_of_gateway(gateway_id=gateway_id, day=chosen)
    form = PurchaseForm()
    if not form.validate_on_submit() or not form.amount.data:
        return _day_page(gateway_id, chosen, purchase=form)
    with transaction():
        credit.buy_credit(
            gateway_id=gateway_id,
            amount_mrial=form.amount.data,
            bought_at=form.bought_at(chosen),
            note=form.note.data or "",
            by=actor(),
            at=clock.now(),
        )
    flash(_("The credit was written down."), "success")
    return _back(gateway_id, chosen)


@bp.post("/admin/reconciliation/purchases/<int:purchase_id>/void")
@require(PERMISSION)
def void_purchase(purchase_id: int) -> ResponseReturnValue:
    """Take back what was entered wrongly."""
    with transaction():
        found = credit.void_purchase(purchase_id=purchase_id, by=actor(), at=clock.now())
    flash(_("It counts no more."), "success")
    return _back(found.gateway_id, day_of(found.bought_at))


@bp.post("/admin/reconciliation/<int:gateway_id>/<int:number>/statement")
@require(PERMISSION)
def upload(gateway_id: int, number: int) -> ResponseReturnValue:
    """Read an operator's statement of a day."""
    chosen = day_numbered(number)
    queries.day_of_gateway(gateway_id=gateway_id, day=chosen)
    form = StatementForm()
    if form.validate_on_submit():
        try:
            _keep(form, gateway_id, chosen)
        except SmsError as error:
            refuse(form, error, form.file)
        else:
            flash(_("The statement was read; it is being compared."), "success")
            return _back(gateway_id, chosen)
    return _day_page(gateway_id, chosen, statement=form)


def _keep(form: StatementForm, gateway_id: int, chosen: date) -> None:
    if not form.file.data or not form.file.data.filename:
        raise SmsError(_NO_FILE)
    table = read_table(io.BytesIO(form.file.data.read()), most_bytes=MOST_BYTES)
    with transaction():
        statements.keep_statement(
            table,
            gateway_id=gateway_id,
            day=chosen,
            file_name=form.file.data.filename,
            by=actor(),
            at=clock.now(),
        )


@bp.post("/admin/reconciliation/statements/<int:statement_id>/void")
@require(PERMISSION)
def void_statement(statement_id: int) -> ResponseReturnValue:
    """Take a statement out again."""
    with transaction():
        found = statements.void_statement(statement_id=statement_id, by=actor(), at=clock.now())
    flash(_("It counts no more; the day is being compared anew."), "success")
    return _back(found.gateway_id, found.day)


# Explanations


@bp.route("/admin/reconciliation/differences/<int:difference_id>", methods=["GET", "POST"])
@require(PERMISSION)
def difference(difference_id: int) -> ResponseReturnValue:
    """One difference, and why it is there."""
    found = queries.difference(difference_id)
    form = ExplainForm(reason=found.reason or None, note=found.note)
    if form.validate_on_submit():
        with transaction():
            statements.explain(
                difference_id=difference_id,
                reason=form.chosen,
                note=form.note.data or "",
                by=actor(),
                at=clock.now(),
            )
        flash(_("Explained."), "success")
        return _back(found.gateway_id, found.day)
    return render_page(
        "reconciliation/difference.html",
        status=422 if form.errors else 200,
        found=found,
        form=form,
        number=day_number(found.day),
        kind=KIND_LABELS[Kind(found.kind)],
    )


@bp.post("/admin/reconciliation/<int:gateway_id>/<int:number>/explain")
@require(PERMISSION)
def explain_all(gateway_id: int, number: int) -> ResponseReturnValue:
    """Say the same of all open differences of a kind."""
    chosen = day_numbered(number)
    queries.day_of_gateway(gateway_id=gateway_id, day=chosen)
    form = ExplainAllForm()
    if not form.validate_on_submit():
        return _day_page(gateway_id, chosen, all=form)
    with transaction():
        count = statements.explain_all(
            gateway_id=gateway_id,
            day=chosen,
            kind=form.chosen_kind,
            reason=form.chosen,
            note=form.note.data or "",
            by=actor(),
            at=clock.now(),
        )
    flash(_("%(count)s differences were explained.", count=number_text(count)), "success")
    return _back(gateway_id, chosen)


@bp.post("/admin/reconciliation/<int:gateway_id>/<int:number>/explain-credit")
@require(PERMISSION)
def explain_credit(gateway_id: int, number: int) -> ResponseReturnValue:
    """Say why the credit fell by more or less than it should have."""
    chosen = day_numbered(number)
    form = ExplainForm()
    if not form.validate_on_submit():
        return _day_page(gateway_id, chosen, credit=form)
    try:
        with transaction():
            statements.explain_credit(
                gateway_id=gateway_id,
                day=chosen,
                reason=form.chosen,
                note=form.note.data or "",
                by=actor(),
                at=clock.now(),
            )
    except Refusal as error:
        refuse(form, error)
        return _day_page(gateway_id, chosen, credit=form)
    flash(_("Explained."), "success")
    return _back(gateway_id, chosen)


# The file

_HEADS = (
    *(N_("Kind"), N_("Our number"), N_("The operator's reference"), N_("Recipient"), N_("Row of the file")),
    *(N_("Our parts"), N_("Their parts"), N_("Our cost (rial)"), N_("Their cost (rial)")),
    *(N_("Their status"), N_("Reason"), N_("Note"), N_("Explained by")),
)


@bp.get("/admin/reconciliation/<int:gateway_id>/<int:number>/export.xlsx")
@require(PERMISSION)
def export(gateway_id: int, number: int) -> ResponseReturnValue:
    """What differs on a day, as a workbook."""
    chosen = day_numbered(number)
    queries.day_of_gateway(gateway_id=gateway_id, day=chosen)
    found = queries.differences(gateway_id=gateway_id, day=chosen, most=MOST_DIFFERENCES * len(OF_STATEMENT))
    widths = [18, 20, 26, 16, 12, *([14] * 4), 16, 30, 30, 20]
    heads = [_(head) for head in _HEADS]
    sheet = Sheet(_("Reconciliation"), heads, _cells(found), widths, is_right_to_left=language() == "fa")
    name = f"reconciliation-{gateway_id}-{chosen.isoformat()}.xlsx"
    return Response(xlsx(sheet), mimetype=MEDIA_TYPE, headers={"Content-Disposition": f"attachment; filename={name}"})


def _cells(found: Sequence[Any]) -> list[list[Value]]:
    return [
        [
            _(KIND_LABELS[Kind(each.kind)]),
            str(each.message_id or ""),
            each.operator_ref,
            str(each.recipient or ""),
            each.row_number,
            each.our_parts,
            each.their_parts,
            None if each.our_cost_mrial is None else Decimal(rial_text(each.our_cost_mrial)),
            None if each.their_cost_mrial is None else Decimal(rial_text(each.their_cost_mrial)),
            each.status,
            _(REASON_LABELS[Reason(each.reason)]) if each.reason else "",
            each.note,
            each.explained_by,
        ]
        for each in found
    ]
