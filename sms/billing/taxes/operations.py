"""Writes of taxes: rows are added, never edited; zero ends a tax."""

from dataclasses import dataclass
from datetime import datetime

from sms.accounts.operations import record
from sms.billing.taxes.rules import LONGEST_NOTE, MOST_LEVY_MRIAL, WHOLE, TaxKind
from sms.core.db import scalar
from sms.core.errors import Refusal
from sms.core.text import N_


@dataclass(frozen=True, slots=True)
class NewTax:
    """A rate to add: thousandths for VAT, milli-rial a part for the levy; `valid_from` None means at once."""

    kind: TaxKind
    rate: int
    note: str = ""
    valid_from: datetime | None = None


def add_tax(tax: NewTax, *, actor_id: int | None, at: datetime) -> int:
    """Add a rate; it holds from its day until another one of its kind begins. Returns its id; raises Refusal."""
    if tax.kind is TaxKind.VAT and not 0 <= tax.rate <= WHOLE:
        raise Refusal(N_("VAT is from 0 to 100 percent."))
    if tax.kind is TaxKind.LEVY and not 0 <= tax.rate <= MOST_LEVY_MRIAL:
        raise Refusal(N_("A levy is from zero to a hundred thousand rial a part."))
    begins = tax.valid_from or at
    if begins < at:
        raise Refusal(N_("It can begin now or later, not in the past: what was paid keeps its tax."))
    made = scalar(
        """INSERT INTO billing_tax (kind, permille, part_mrial, note, valid_from, created_by, created_at)
           VALUES (:kind, :permille, :part_mrial, :note, :begins, :actor, :at) RETURNING id""",
        kind=str(tax.kind),
        permille=tax.rate if tax.kind is TaxKind.VAT else None,
        part_mrial=tax.rate if tax.kind is TaxKind.LEVY else None,
        note=tax.note.strip()[:LONGEST_NOTE],
        begins=begins,
        actor=actor_id,
        at=at,
    )
    details = {"kind": str(tax.kind), "rate": tax.rate, "valid_from": begins.isoformat()}
    record(actor_id=actor_id, account_id=None, action="tax.added", subject=f"tax:{made}", details=details, at=at)
    return int(made)
