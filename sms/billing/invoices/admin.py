"""Staff pages of invoices: everybody's, credit notes, and the installation's own data as the seller."""

from dataclasses import asdict

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import root_id
from sms.accounts.rules import Permission
from sms.billing.invoices import operations, queries
from sms.billing.invoices.forms import CorrectForm, InvoiceListForm, PartyForm
from sms.billing.invoices.rules import PARTY_LABELS
from sms.billing.invoices.views.pages import pdf_answer
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("invoices_admin", __name__, url_prefix="/admin")

PAGE = 25

nav.add(
    N_("All invoices"),
    endpoint="invoices_admin.invoices",
    icon="file-text",
    section="admin",
    permission=Permission.MANAGE_MONEY,
    order=63,
)


@bp.get("/invoices")
@require(Permission.MANAGE_MONEY)
def invoices() -> ResponseReturnValue:
    """Everybody's invoices, the newest first."""
    form = InvoiceListForm.read()
    before = request.args.get("before", type=int)
    found = queries.invoices(
        kind=form.kind.data or "", account_name=form.account.data or "", before=before, most=PAGE + 1
    )
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/admin_invoices.html",
        form=form,
        invoices=found[:PAGE],
        has_party=queries.has_party(root_id()),
        older_url=url_for(".invoices", **older) if older else None,
        newest_url=url_for(".invoices", **form.address()) if before else None,
    )


@bp.get("/invoices/<int:invoice_id>")
@require(Permission.MANAGE_MONEY)
def invoice(invoice_id: int) -> ResponseReturnValue:
    """One invoice, and the form that takes it back."""
    return _page(invoice_id, CorrectForm(formdata=None))


def _page(invoice_id: int, form: CorrectForm) -> ResponseReturnValue:
    return render_page(
        "billing/admin_invoice.html",
        status=422 if form.errors else 200,
        invoice=queries.invoice(invoice_id),
        labels=PARTY_LABELS,
        pdf_endpoint="invoices_admin.pdf",
        form=form,
    )


@bp.get("/invoices/<int:invoice_id>/pdf/<string:paper_language>")
@require(Permission.MANAGE_MONEY)
def pdf(invoice_id: int, paper_language: str) -> ResponseReturnValue:
    """One invoice as a file."""
    return pdf_answer(queries.invoice(invoice_id), paper_language)


@bp.post("/invoices/<int:invoice_id>/correct")
@require(Permission.MANAGE_MONEY)
def correct(invoice_id: int) -> ResponseReturnValue:
    """Take it back by a credit note; money is moved on the account's own page."""
    form = CorrectForm()
    if not form.validate_on_submit():
        return _page(invoice_id, form)
    try:
        with transaction():
            note_id = operations.correct(
                invoice_id=invoice_id, reason=form.reason.data, actor_id=visitor().id, at=clock.now()
            )
    except NotFound:
        raise
    except SmsError as error:
        refuse(form, error)
        return _page(invoice_id, form)
    flash(_("The credit note was issued."), "success")
    return redirect_to(url_for(".invoice", invoice_id=note_id))


@bp.route("/seller", methods=["GET", "POST"])
@require(Permission.MANAGE_MONEY)
def seller() -> ResponseReturnValue:
    """How the installation is called on its invoices from now on."""
    form = PartyForm(**asdict(queries.party(root_id())))
    if form.validate_on_submit():
        try:
            with transaction():
                operations.set_party(account_id=root_id(), party=form.party, actor_id=visitor().id, at=clock.now())
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".invoices"))
    return render_page(
        "billing/party.html", status=422 if form.errors else 200, form=form, url=url_for(".seller"), is_seller=True
    )
