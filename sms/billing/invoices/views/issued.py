"""What was issued in a reseller's name to its sub-accounts, as a page and as files for the books."""

from collections.abc import Iterator
from decimal import Decimal

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.invoices import queries
from sms.billing.invoices.forms import IssuedListForm
from sms.billing.invoices.queries import Invoice
from sms.billing.invoices.rules import KIND_LABELS, month_of
from sms.billing.invoices.views.paper import line_text
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.downloads import XLSX_MOST, Cell, csv_file, xlsx_file
from sms.core.web.filters import day_text, digits, number_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.ledger.rules import rial_text

bp = Blueprint("issued_invoices", __name__, url_prefix="/reseller/invoices")

PAGE = 25
_HEADER = (
    *(N_("Number"), N_("Date"), N_("Time (ISO)"), N_("Kind"), N_("Sub-account"), N_("Buyer"), N_("Economic code")),
    *(N_("National identifier"), N_("Description"), N_("Reason"), N_("Without VAT (rial)"), N_("VAT (rial)")),
    N_("Total (rial)"),
)
_WIDTHS = (12, 14, 28, 22, 28, 28, 18, 18, 48, 30, 20, 18, 20)
_TOO_LONG = N_("A workbook holds %(most)s lines at most. Narrow the days, or download the CSV, which has no end.")

nav.add(
    N_("Issued invoices"),
    endpoint="issued_invoices.issued",
    icon="file-text",
    section="reseller",
    permission=Permission.MANAGE_SUB_ACCOUNTS,
    order=20,
)


@bp.app_template_global("invoice_about")
def about(invoice: Invoice) -> str:
    """What an invoice is for, in the reader's language."""
    if invoice.corrects_id is not None:
        return _("Takes back invoice %(number)s", number=digits(invoice.corrects))
    if invoice.period_from is not None:
        month = month_of(invoice.period_from).code.replace("-", "/")
        return _("Usage of %(month)s", month=digits(month))
    return "; ".join(map(line_text, invoice.lines))


def _asked() -> IssuedListForm:
    chosen = request.args.get("account_id", type=int)
    return IssuedListForm.read(accounts=queries.buyers(visitor().account_id, chosen=chosen))


@bp.get("")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def issued() -> ResponseReturnValue:
    """Invoices and credit notes in the account's name, the newest first."""
    account_id, form = visitor().account_id, _asked()
    before = request.args.get("before", type=int)
    found = queries.issued(account_id, form.narrowed, before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/issued_invoices.html",
        form=form,
        invoices=found[:PAGE],
        is_narrowed=bool(form.address()),
        has_party=queries.has_party(account_id),
        older_url=url_for(".issued", **older) if older else None,
        newest_url=url_for(".issued", **form.address()) if before is not None else None,
        csv_url=url_for(".export", **form.address()),
        xlsx_url=url_for(".export_sheet", **form.address()),
    )


@bp.get("/export.csv")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def export() -> ResponseReturnValue:
    """The list as CSV, narrowed as the page is; it streams, however long it is."""
    return csv_file("issued-invoices", _HEADER, _rows(_asked()))


@bp.get("/export.xlsx")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def export_sheet() -> ResponseReturnValue:
    """The list as a workbook, its amounts as numbers; what is too long for one is refused in words."""
    form = _asked()
    if queries.has_issued_more_than(XLSX_MOST, visitor().account_id, form.narrowed):
        flash(_(_TOO_LONG, most=number_text(XLSX_MOST)), "warning")
        return redirect_to(url_for(".issued", **form.address()))
    return xlsx_file("issued-invoices", _("Issued invoices"), _HEADER, _rows(form), _WIDTHS)


def _rows(form: IssuedListForm) -> Iterator[list[tuple[Cell, ...]]]:
    for some in queries.every_issued(visitor().account_id, form.narrowed):
        yield [_row(each) for each in some]


def _row(invoice: Invoice) -> tuple[Cell, ...]:
    return (
        invoice.called,
        day_text(invoice.issued_at),
        invoice.issued_at.isoformat(),
        _(KIND_LABELS[invoice.kind]),
        invoice.account_name,
        invoice.buyer.legal_name,
        invoice.buyer.economic_code,
        invoice.buyer.national_id,
        about(invoice),
        invoice.reason,
        *(Decimal(rial_text(each)) for each in (invoice.net_mrial, invoice.vat_mrial, invoice.total_mrial)),
    )
