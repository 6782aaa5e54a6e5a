"""Reads of invoices, and of the data that stand on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.queries import account
from sms.billing.invoices.rules import Line, LineKind, Party, number_text
from sms.core.db import release, row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_INVOICE = N_("There is no such invoice.")
_NO_END = 2**62  # above every id
_SLICE = 1000


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it was issued; `corrected_by` is the credit note that takes it back."""

    id: int
    seller_id: int
    account_id: int
    account_name: str
    kind: str
    year: int
    number: int
    subject: str
    issued_at: datetime
    period_from: date | None
    period_until: date | None
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    net_mrial: int
    vat_permille: int
    vat_mrial: int
    reason: str
    corrects_id: int | None
    corrects_year: int | None
    corrects_number: int | None
    corrected_by: int | None

    @property
    def called(self) -> str:
        """Its number within the year."""
        return number_text(self.year, self.number)

    @property
    def corrects(self) -> str:
        """The number of the invoice that a credit note takes back."""
        return number_text(self.corrects_year or 0, self.corrects_number or 0)

    @property
    def total_mrial(self) -> int:
        """With VAT."""
        return self.net_mrial + self.vat_mrial


_INVOICE = """
SELECT i.id, i.seller_id, i.account_id, a.name AS account_name, i.kind, i.year, i.number, i.subject, i.issued_at,
       i.period_from, i.period_until, i.seller, i.buyer, i.lines, i.net_mrial, i.vat_permille, i.vat_mrial, i.reason,
       i.corrects_id, o.year AS corrects_year, o.number AS corrects_number, c.id AS corrected_by
FROM billing_invoice i JOIN accounts_account a ON a.id = i.account_id
LEFT JOIN billing_invoice o ON o.id = i.corrects_id LEFT JOIN billing_invoice c ON c.corrects_id = i.id
"""


def account_invoices(account_id: int, *, before: int | None = None, most: int = 26) -> list[Invoice]:
    """A page of the invoices made out to an account, the newest first, below the id `before`."""
    return _page("i.account_id = :account_id", before, most, account_id=account_id)


def account_invoice(account_id: int, invoice_id: int, *, or_issued: bool = False) -> Invoice:
    """One of them, or also one issued in the account's own name; raises NotFound, also for somebody else's."""
    return _one(
        row(
            f"{_INVOICE} WHERE i.id = :id"
            " AND (i.account_id = :account_id OR (:or_issued AND i.seller_id = :account_id))",
            id=invoice_id,
            account_id=account_id,
            or_issued=or_issued,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedFilter:
    """What a seller's list is narrowed to; moments are half-open, [since, until)."""

    account_id: int | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None


_ISSUED = """i.seller_id = :seller_id AND (:kind = '' OR i.kind = :kind)
AND (CAST(:account_id AS bigint) IS NULL OR i.account_id = :account_id)
AND (CAST(:since AS timestamptz) IS NULL OR i.issued_at >= :since)
AND (CAST(:until AS timestamptz) IS NULL OR i.issued_at < :until)"""


def issued(seller_id: int, narrowed: IssuedFilter, *, before: int | None = None, most: int = 26) -> list[Invoice]:
    """A page of what was issued in an account's name, the newest first, below the id `before`."""
    return _page(_ISSUED, before, most, seller_id=seller_id, **asdict(narrowed))


def every_issued(seller_id: int, narrowed: IssuedFilter) -> Iterator[list[Invoice]]:
    """All of them, the newest first, a thousand at a time, for a download."""
    before: int | None = None
    while found := issued(seller_id, narrowed, before=before, most=_SLICE):
        before = found[-1].id
        yield found
        release()


def has_issued_more_than(most: int, seller_id: int, narrowed: IssuedFilter) -> bool:
    """Whether there are more of them than that."""
    return bool(
        scalar(
            f"SELECT EXISTS (SELECT FROM billing_invoice i WHERE {_ISSUED} OFFSET :most)",  # noqa: S608 - our own words
            seller_id=seller_id,
            most=most,
            **asdict(narrowed),
        )
    )


def buyers(seller_id: int, *, chosen: int | None = None, most: int = 500) -> Sequence[Row[Any]]:
    """The accounts right below a seller, by name, for filters: of very many the chosen one is among them."""
    return rows(
        """SELECT * FROM (
               SELECT id, name FROM accounts_account WHERE parent_id = :id
               ORDER BY coalesce(id = :chosen, false) DESC, name, id LIMIT :most) a ORDER BY name, id""",
        id=seller_id,
        chosen=chosen,
        most=most,
    )


def _page(condition: str, before: int | None, most: int, **params: object) -> list[Invoice]:
    """The newest that fit, below an id; an id that is none of ours is cut to what ids may be."""
    end = _NO_END if before is None else max(0, min(before, _NO_END))
    found = rows(
        f"{_INVOICE} WHERE {condition} AND i.id < :before ORDER BY i.id DESC LIMIT :most",
        before=end,
        most=most,
        **params,
    )
    return [_invoice(each) for each in found]


def invoices(*, kind: str = "", account_name: str = "", before: int | None = None, most: int = 26) -> list[Invoice]:
    """A page of everybody's, the newest first, below the id `before`; for the staff."""
    narrowed = "(:kind = '' OR i.kind = :kind) AND (:name = '' OR position(lower(:name) IN lower(a.name)) > 0)"
    return _page(narrowed, before, most, kind=kind, name=account_name)


def invoice(invoice_id: int) -> Invoice:
    """Anybody's, for the staff; raises NotFound."""
    return _one(row(f"{_INVOICE} WHERE i.id = :id", id=invoice_id))


def invoice_of(subject: str) -> int | None:
    """The id of the invoice for something, None where there is none yet."""
    found = scalar("SELECT id FROM billing_invoice WHERE subject = :subject", subject=subject)
    return int(found) if found is not None else None


def _one(found: Row[Any] | None) -> Invoice:
    if found is None:
        raise NotFound(NO_SUCH_INVOICE)
    return _invoice(found)


def _invoice(found: Row[Any]) -> Invoice:
    values: dict[str, Any] = dict(found._mapping)
    lines = tuple(
        Line(LineKind(line["kind"]), line["number"], line["count"], line["amount_mrial"]) for line in found.lines
    )
    return Invoice(**values | {"lines": lines, "seller": _party(found.seller), "buyer": _party(found.buyer)})


def _party(kept: Mapping[str, Any]) -> Party:
    return Party(**{field.name: kept.get(field.name, "") for field in fields(Party)})


def party(account_id: int) -> Party:
    """How an account is called on invoices from now on: its own data, else only its name."""
    found = row("SELECT * FROM billing_party WHERE account_id = :id ORDER BY id DESC LIMIT 1", id=account_id)
    return _party(dict(found._mapping)) if found is not None else Party(account(account_id).name)


def has_party(account_id: int) -> bool:
    """Whether an account has given its data."""
    return bool(scalar("SELECT EXISTS (SELECT FROM billing_party WHERE account_id = :id)", id=account_id))
