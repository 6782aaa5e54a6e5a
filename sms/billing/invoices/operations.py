"""Writes of invoices: issued once for each thing, under the next number of the year, and never changed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sms.accounts.operations import record
from sms.billing.invoices import queries
from sms.billing.invoices.rules import (
    LONGEST_FIELD,
    LONGEST_REASON,
    InvoiceKind,
    Line,
    LineKind,
    Month,
    Party,
    month_of,
    net,
    reversed_lines,
)
from sms.core.calendar import day_of
from sms.core.db import execute, row, scalar
from sms.core.errors import Refusal
from sms.core.text import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvoice:
    """An invoice to be; the parties are those of the moment, unless it takes back another one."""

    kind: InvoiceKind
    seller_id: int
    account_id: int
    subject: str
    lines: Sequence[Line]
    vat_permille: int = 0
    vat_mrial: int = 0
    period: tuple[date, date] | None = None
    parties: tuple[Party, Party] | None = None
    corrects_id: int | None = None
    reason: str = ""


def issue(invoice: NewInvoice, *, actor_id: int | None, at: datetime) -> int:
    """Issue it under the next number of its seller and year, or find the one that was issued for the same before.
    Returns its id."""
    year = month_of(day_of(at)).year
    # The row of the counter is held until the end of the transaction: no number is given twice, none is left out.
    execute(
        "INSERT INTO billing_invoice_counter (seller_id, year, last_number) VALUES (:seller, :year, 0)"
        " ON CONFLICT DO NOTHING",
        seller=invoice.seller_id,
        year=year,
    )
    scalar(
        "SELECT last_number FROM billing_invoice_counter WHERE seller_id = :seller AND year = :year FOR UPDATE",
        seller=invoice.seller_id,
        year=year,
    )
    known = queries.invoice_of(invoice.subject)
    if known is not None:
        return known
    number = scalar(
        "UPDATE billing_invoice_counter SET last_number = last_number + 1"
        " WHERE seller_id = :seller AND year = :year RETURNING last_number",
        seller=invoice.seller_id,
        year=year,
    )
    return _insert(invoice, year=year, number=int(number), actor_id=actor_id, at=at)


def _insert(invoice: NewInvoice, *, year: int, number: int, actor_id: int | None, at: datetime) -> int:
    seller, buyer = invoice.parties or (queries.party(invoice.seller_id), queries.party(invoice.account_id))
    made = scalar(
        """INSERT INTO billing_invoice (seller_id, account_id, kind, year, number, subject, issued_at, period_from,
               period_until, seller, buyer, lines, net_mrial, vat_permille, vat_mrial, corrects_id, reason, created_by)
           VALUES (:seller_id, :account_id, :kind, :year, :number, :subject, :at, CAST(:from AS date),
               CAST(:until AS date), CAST(:seller AS jsonb), CAST(:buyer AS jsonb), CAST(:lines AS jsonb), :net,
               :permille, :vat, :corrects_id, :reason, :actor) RETURNING id""",
        seller_id=invoice.seller_id,
        account_id=invoice.account_id,
        kind=str(invoice.kind),
        year=year,
        number=number,
        subject=invoice.subject,
        at=at,
        seller=_json(asdict(seller)),
        buyer=_json(asdict(buyer)),
        lines=_json([asdict(line) for line in invoice.lines]),
        net=net(invoice.lines),
        permille=invoice.vat_permille,
        vat=invoice.vat_mrial,
        corrects_id=invoice.corrects_id,
        reason=invoice.reason,
        actor=actor_id,
        **{
            "from": invoice.period[0] if invoice.period else None,
            "until": invoice.period[1] if invoice.period else None,
        },
    )
    record(
        actor_id=actor_id,
        account_id=invoice.account_id,
        action="invoice.issued",
        subject=f"invoice:{made}",
        details={"year": year, "number": number, "for": invoice.subject},
        at=at,
    )
    return int(made)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidIn:
    """Money that entered a balance: what for, how much, the VAT that was paid on it, and to whom."""

    kind: LineKind
    id: int
    seller_id: int
    account_id: int
    amount_mrial: int
    vat_permille: int
    vat_mrial: int


def issue_for_payment(paid: PaidIn, *, actor_id: int | None, at: datetime) -> int:
    """The invoice of a payment; in the transaction that credits it. Returns its id."""
    subject = f"{'topup' if paid.kind is LineKind.TOPUP else 'bank_slip'}:{paid.id}"
    invoice = NewInvoice(
        kind=InvoiceKind.PAYMENT,
        seller_id=paid.seller_id,
        account_id=paid.account_id,
        subject=subject,
        lines=[Line(paid.kind, str(paid.id), 0, paid.amount_mrial)],
        vat_permille=paid.vat_permille,
        vat_mrial=paid.vat_mrial,
    )
    return issue(invoice, actor_id=actor_id, at=at)


def issue_for_usage(*, account_id: int, month: Month, lines: Sequence[Line], actor_id: int | None, at: datetime) -> int:
    """The invoice of what an account used in a month that is over; its VAT was paid with what was paid in.

    Returns its id, the same however often it is asked for. Raises Refusal for a month that goes on or has nothing.
    """
    if month >= month_of(day_of(at)):
        raise Refusal(N_("This month is not over yet."))
    if not lines:
        raise Refusal(N_("Nothing was used in this month."))
    parent = row("SELECT parent_id FROM accounts_account WHERE id = :id", id=account_id)
    if parent is None or parent.parent_id is None:
        raise Refusal(N_("The installation's own account has no invoices."))
    invoice = NewInvoice(
        kind=InvoiceKind.USAGE,
        seller_id=parent.parent_id,
        account_id=account_id,
        subject=f"usage:{account_id}:{month.code}",
        lines=lines,
        period=(month.first, month.following.first),
    )
    return issue(invoice, actor_id=actor_id, at=at)


def correct(*, invoice_id: int, reason: str, actor_id: int | None, at: datetime) -> int:
    """Take an invoice back by a credit note over all of it, once; returns the note's id. Money is moved elsewhere.

    Raises NotFound, Refusal without a reason, for a credit note, or for an invoice that was taken back before.
    """
    found = queries.invoice(invoice_id)
    stated = " ".join(reason.split())[:LONGEST_REASON]
    if not stated:
        raise Refusal(N_("Say why: the reason stands on the credit note."))
    if found.kind == InvoiceKind.CREDIT_NOTE:
        raise Refusal(N_("A credit note is not taken back."))
    if found.corrected_by is not None:
        raise Refusal(N_("This invoice was taken back already."))
    note = NewInvoice(
        kind=InvoiceKind.CREDIT_NOTE,
        seller_id=found.seller_id,
        account_id=found.account_id,
        subject=f"invoice:{found.id}",
        lines=reversed_lines(found.lines),
        vat_permille=found.vat_permille,
        vat_mrial=-found.vat_mrial,
        parties=(found.seller, found.buyer),
        corrects_id=found.id,
        reason=stated,
    )
    return issue(note, actor_id=actor_id, at=at)


def set_party(*, account_id: int, party: Party, actor_id: int | None, at: datetime) -> None:
    """How an account is called on invoices from now on; those that were issued stay. Raises Refusal without a name."""
    values = {name: " ".join(value.split())[:LONGEST_FIELD] for name, value in asdict(party).items()}
    if not values["legal_name"]:
        raise Refusal(N_("State the name that is to stand on invoices."))
    execute(
        """INSERT INTO billing_party (account_id, legal_name, economic_code, national_id, registration_number, address,
               postal_code, phone, created_by, created_at)
           VALUES (:account_id, :legal_name, :economic_code, :national_id, :registration_number, :address, :postal_code,
               :phone, :actor, :at)""",
        account_id=account_id,
        actor=actor_id,
        at=at,
        **values,
    )
    record(actor_id=actor_id, account_id=account_id, action="invoice.party_changed", at=at)
