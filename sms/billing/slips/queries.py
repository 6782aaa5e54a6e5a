"""Reads of bank slips: an account's own, and those that wait for whoever approves them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_SLIP = N_("There is no such slip.")


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip as pages show it; `alike` counts others of the same bank and tracking number, rejected ones too."""

    id: int
    account_id: int
    account_name: str
    approver_id: int
    username: str
    bank: str
    tracking_number: str
    paid_on: date
    total_mrial: int
    vat_permille: int
    vat_mrial: int
    state: str
    reason: str
    stored_name: str
    file_name: str
    media_type: str
    size_bytes: int
    uploaded_at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    transfer_id: int | None
    alike: int

    @property
    def amount_mrial(self) -> int:
        """What enters the balance."""
        return self.total_mrial - self.vat_mrial


_SLIP = """
SELECT s.id, s.account_id, a.name AS account_name, s.approver_id, u.username, s.bank, s.tracking_number, s.paid_on,
       s.total_mrial, s.vat_permille, s.vat_mrial, s.state, s.reason, s.stored_name, s.file_name, s.media_type,
       s.size_bytes, s.uploaded_at, r.username AS reviewed_by, s.reviewed_at, s.transfer_id,
       (SELECT count(*) FROM billing_bank_slip o WHERE o.approver_id = s.approver_id AND o.bank = s.bank
        AND o.tracking_number = s.tracking_number AND o.id <> s.id) AS alike
FROM billing_bank_slip s JOIN accounts_account a ON a.id = s.account_id JOIN accounts_user u ON u.id = s.user_id
LEFT JOIN accounts_user r ON r.id = s.reviewed_by
"""


def account_slips(account_id: int, *, before: int | None = None, most: int = 26) -> list[Slip]:
    """A page of an account's own, the newest first, below the id `before`."""
    found = rows(
        f"{_SLIP} WHERE s.account_id = :account_id AND (CAST(:before AS bigint) IS NULL OR s.id < :before)"
        " ORDER BY s.id DESC LIMIT :most",
        account_id=account_id,
        before=before,
        most=most,
    )
    return [Slip(**each._mapping) for each in found]


def account_slip(account_id: int, slip_id: int) -> Slip:
    """One of an account's own; raises NotFound, also for somebody else's."""
    return _one(row(f"{_SLIP} WHERE s.id = :id AND s.account_id = :account_id", id=slip_id, account_id=account_id))


def slips_for(approver_id: int, *, state: str = "", before: int | None = None, most: int = 26) -> list[Slip]:
    """A page of those that an account approves, the newest first, below the id `before`."""
    found = rows(
        f"""{_SLIP} WHERE s.approver_id = :approver_id AND (:state = '' OR s.state = :state)
            AND (CAST(:before AS bigint) IS NULL OR s.id < :before) ORDER BY s.id DESC LIMIT :most""",
        approver_id=approver_id,
        state=state,
        before=before,
        most=most,
    )
    return [Slip(**each._mapping) for each in found]


def slip_for(approver_id: int, slip_id: int) -> Slip:
    """One of those that an account approves; raises NotFound, also for one that is somebody else's to approve."""
    return _one(row(f"{_SLIP} WHERE s.id = :id AND s.approver_id = :approver_id", id=slip_id, approver_id=approver_id))


def _one(found: Row[Any] | None) -> Slip:
    if found is None:
        raise NotFound(NO_SUCH_SLIP)
    return Slip(**found._mapping)


def waiting_count(approver_id: int) -> int:
    """How many wait for an account's approval."""
    return int(
        scalar("SELECT count(*) FROM billing_bank_slip WHERE approver_id = :id AND state = 'waiting'", id=approver_id)
    )


def kept(names: Collection[str]) -> set[str]:
    """Those of the stored names that belong to a slip."""
    found = rows("SELECT stored_name FROM billing_bank_slip WHERE stored_name = ANY(:names)", names=list(names))
    return {each.stored_name for each in found}
