"""An invoice as a PDF, in the language it is asked for."""

from dataclasses import asdict
from decimal import Decimal

from sms.billing.invoices.queries import Invoice
from sms.billing.invoices.rules import KIND_LABELS, LINE_LABELS, PARTY_LABELS, InvoiceKind, Line, Party
from sms.billing.taxes.rules import percent_text
from sms.core.money import MRIAL_PER_RIAL
from sms.core.pdf import Paper
from sms.core.text import N_
from sms.core.web.catalogue import _, language, speaking
from sms.core.web.filters import day_text, digits, number_text

_NUMBERS = ("economic_code", "national_id", "registration_number", "postal_code", "phone")
_WIDTHS = (8, 52, 15, 25)
_NUMERIC = {2, 3}
_VAT_WAS_PAID = N_("VAT was paid with what was paid in, so none is added here.")
_LASTS = N_("An invoice is not changed once it is issued; what is wrong is taken back by a credit note.")


def pdf(invoice: Invoice, *, chosen: str) -> bytes:
    """The file, in `chosen` (fa or en); amounts in rial."""
    with speaking(chosen):
        return _paper(invoice).contents()


def line_text(line: Line) -> str:
    """What a line is about, in the reader's language."""
    return _(LINE_LABELS[line.kind], number=digits(line.number)) if line.number else _(LINE_LABELS[line.kind])


def rial_text(amount_mrial: int) -> str:
    """An amount in rial without its unit, which stands at the head."""
    is_whole = amount_mrial % MRIAL_PER_RIAL == 0
    return number_text(amount_mrial // MRIAL_PER_RIAL if is_whole else Decimal(amount_mrial).scaleb(-3))


def _paper(invoice: Invoice) -> Paper:
    title = _(KIND_LABELS[invoice.kind])
    paper = Paper(title=f"{title} {invoice.called}", language=language(), at=invoice.issued_at)
    paper.heading(title, _beside(invoice))
    _write_party(paper, _("Seller"), invoice.seller)
    _write_party(paper, _("Buyer"), invoice.buyer)
    paper.table(
        [_("No."), _("Description"), _("Parts"), _("Amount (rial)")],
        _WIDTHS,
        [_row(number, line) for number, line in enumerate(invoice.lines, start=1)],
        numeric=_NUMERIC,
    )
    paper.totals(_totals(invoice))
    if invoice.reason:
        paper.note(f"{_('Reason')}: {invoice.reason}")
    if invoice.kind == InvoiceKind.USAGE:
        paper.note(_(_VAT_WAS_PAID))
    paper.note(_(_LASTS))
    return paper


def _beside(invoice: Invoice) -> list[str]:
    told = [
        f"{_('Number')}: {digits(invoice.called)}",
        f"{_('Date')}: {day_text(invoice.issued_at)}",
    ]
    if invoice.period_from is not None:
        told.append(f"{_('From')}: {day_text(invoice.period_from)}")
    if invoice.period_until is not None:
        told.append(f"{_('Until before')}: {day_text(invoice.period_until)}")
    if invoice.corrects_id is not None:
        told.append(f"{_('Takes back invoice')}: {digits(invoice.corrects)}")
    return told


def _write_party(paper: Paper, title: str, party: Party) -> None:
    known = [(name, value) for name, value in asdict(party).items() if value]
    pairs = [(_(PARTY_LABELS[name]), digits(value) if name in _NUMBERS else value) for name, value in known]
    paper.facts(title, pairs, numbers={_(PARTY_LABELS[name]) for name in _NUMBERS})


def _row(number: int, line: Line) -> list[str]:
    count = number_text(line.count) if line.count else ""
    return [number_text(number), line_text(line), count, rial_text(line.amount_mrial)]


def _totals(invoice: Invoice) -> list[tuple[str, str]]:
    rate = digits(percent_text(invoice.vat_permille))
    return [
        (_("Sum"), rial_text(invoice.net_mrial)),
        (_("VAT (%(percent)s percent)", percent=rate), rial_text(invoice.vat_mrial)),
        (_("Total (rial)"), rial_text(invoice.total_mrial)),
    ]
