"""A customer's invoices, and the data that stand on them."""

from dataclasses import asdict

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.invoices import operations, queries
from sms.billing.invoices.forms import PartyForm
from sms.billing.invoices.queries import Invoice
from sms.billing.invoices.rules import KIND_LABELS, PARTY_LABELS
from sms.billing.invoices.views import paper
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.catalogue import LANGUAGES
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("invoices", __name__)

PAGE = 25

nav.add(
    N_("Invoices"),
    endpoint="invoices.invoices",
    icon="file-text",
    section="customer",
    permission=Permission.VIEW_MONEY,
    order=62,
)

bp.add_app_template_global(paper.line_text, "invoice_line_text")


@bp.app_template_global()
def invoice_kind_label(kind: str) -> str:
    """What an invoice is for."""
    return _(KIND_LABELS[kind])


@bp.get("/wallet/invoices")
@require(Permission.VIEW_MONEY)
def invoices() -> ResponseReturnValue:
    """All invoices made out to the account."""
    account_id = visitor().account_id
    before = request.args.get("before", type=int)
    found = queries.account_invoices(account_id, before=before, most=PAGE + 1)
    return render_page(
        "billing/invoices.html",
        invoices=found[:PAGE],
        has_party=queries.has_party(account_id),
        older_url=url_for(".invoices", before=found[PAGE - 1].id) if len(found) > PAGE else None,
        newest_url=url_for(".invoices") if before is not None else None,
    )


@bp.get("/wallet/invoices/<int:invoice_id>")
@require(Permission.VIEW_MONEY)
def invoice(invoice_id: int) -> ResponseReturnValue:
    """One invoice, for whom it is made out to and for the reseller in whose name it was issued."""
    return render_page(
        "billing/invoice.html", invoice=_readable(invoice_id), labels=PARTY_LABELS, pdf_endpoint="invoices.pdf"
    )


def _readable(invoice_id: int) -> Invoice:
    me = visitor()
    return queries.account_invoice(me.account_id, invoice_id, or_issued=me.may(Permission.MANAGE_SUB_ACCOUNTS))


@bp.get("/wallet/invoices/<int:invoice_id>/pdf/<string:paper_language>")
@require(Permission.VIEW_MONEY)
def pdf(invoice_id: int, paper_language: str) -> ResponseReturnValue:
    """One invoice as a file."""
    return pdf_answer(_readable(invoice_id), paper_language)


def pdf_answer(found: Invoice, chosen: str) -> Response:
    """The file of an invoice, in one of our languages; raises NotFound for another."""
    if chosen not in LANGUAGES:
        raise NotFound(queries.NO_SUCH_INVOICE)
    name = f"{found.kind.replace('_', '-')}-{found.year}-{found.number}-{chosen}.pdf"
    return Response(
        paper.pdf(found, chosen=chosen),
        mimetype="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@bp.route("/account/invoice-data", methods=["GET", "POST"])
@require(Permission.MANAGE_ACCOUNT)
def party() -> ResponseReturnValue:
    """How the account is called on invoices from now on."""
    form = PartyForm(**asdict(queries.party(visitor().account_id)))
    if form.validate_on_submit():
        try:
            with transaction():
                operations.set_party(
                    account_id=visitor().account_id, party=form.party, actor_id=visitor().id, at=clock.now()
                )
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".invoices"))
    return render_page(
        "billing/party.html", status=422 if form.errors else 200, form=form, url=url_for(".party"), is_seller=False
    )
