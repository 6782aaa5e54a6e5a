"""What a gateway says of an attempt: asked outside of any transaction, settled in one; paid is credited once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sms.accounts.operations import record
from sms.accounts.queries import root_id
from sms.billing.invoices.operations import PaidIn, issue_for_payment
from sms.billing.invoices.rules import LineKind
from sms.billing.tiers.operations import note_paid_in
from sms.billing.topups import queries
from sms.billing.topups.contract import PaymentGateway, Standing
from sms.billing.topups.queries import Topup
from sms.billing.topups.rules import MOVES, Answer, TopupState, Verdict, after, next_look
from sms.core.db import execute, rows, scalar
from sms.core.money import MRIAL_PER_RIAL
from sms.ledger.operations import customer_wallet_id, open_wallet, post
from sms.ledger.queries import transfer_of_key
from sms.ledger.rules import Posting, TransferKind, WalletKind

_CLAIMED_FOR = timedelta(minutes=2)
_REPEATED = "reference repeated"
_OF_STANDING = {Standing.OPEN: Verdict.OPEN, Standing.FAILED: Verdict.REFUSED}


def ask(gateway: PaymentGateway, topup: Topup, *, is_returned: bool) -> Answer:
    """What the gateway says; outside of any transaction. Where the payer came back the payment is verified; else it is
    asked first how it stands, for somebody may still be paying."""
    if topup.authority is None:
        return Answer(Verdict.REFUSED)  # it was never begun, so nobody was sent there
    if not is_returned:
        standing = gateway.inquire(topup.authority)
        if standing in _OF_STANDING:
            return Answer(_OF_STANDING[standing])
    return gateway.verify(authority=topup.authority, amount_rial=topup.total_mrial // MRIAL_PER_RIAL)


def settle(
    *, topup_id: int, answer: Answer, is_returned: bool = False, is_cancelled: bool = False, at: datetime
) -> TopupState:
    """Keep an answer; a payment that is there is credited in the same transaction, however often it is told.

    Returns the state afterwards; raises NotFound.
    """
    # Whoever is second waits here and then finds it paid.
    scalar("SELECT 1 FROM billing_topup WHERE id = :id FOR UPDATE", id=topup_id)
    topup = queries.topup(topup_id)
    before = TopupState(topup.state)
    if before is TopupState.PAID:
        return before
    if answer.is_paid and _is_repeated(topup, answer.reference):
        answer = replace(answer, verdict=Verdict.REFUSED, reference="", code=_REPEATED)
    state = after(before, answer.verdict, is_returned=is_returned, is_cancelled=is_cancelled, age=at - topup.started_at)
    if state is not before and state not in MOVES[before]:
        state = before
    transfer_id = _credit(topup, at=at) if state is TopupState.PAID else None
    _store(topup, answer, state, transfer_id=transfer_id, at=at)
    if state is TopupState.PAID:
        note_paid_in(account_id=topup.account_id, at=at)
        _issue(topup, at=at)
    if state is not before:
        details = {"state": str(state), "amount_mrial": topup.amount_mrial, "code": answer.code}
        subject = f"topup:{topup.id}"
        record(actor_id=None, account_id=topup.account_id, action="topup.told", subject=subject, details=details, at=at)
    return state


def _is_repeated(topup: Topup, reference: str) -> bool:
    """Whether another attempt was credited under this number of the gateway already."""
    return bool(reference) and bool(
        scalar(
            "SELECT 1 FROM billing_topup WHERE gateway_id = :gateway AND reference = :reference AND id <> :id",
            gateway=topup.gateway_id,
            reference=reference,
            id=topup.id,
        )
    )


def _credit(topup: Topup, *, at: datetime) -> int:
    wallet_id = customer_wallet_id(account_id=topup.account_id, at=at)
    gateway = open_wallet(code=f"payment:{topup.gateway_id}", kind=WalletKind.GATEWAY, at=at)
    tax = open_wallet(code="tax:vat", kind=WalletKind.TAX, at=at)
    posting = Posting(
        kind=TransferKind.TOPUP,
        key=f"topup:{topup.id}",
        subject=f"topup:{topup.id}",
        amounts_mrial={wallet_id: topup.amount_mrial, tax: topup.vat_mrial, gateway: -topup.total_mrial},
    )
    made = post([posting], at=at).get(posting.key) or transfer_of_key(posting.key)
    if made is None:
        raise LookupError(posting.key)
    return made


def _issue(topup: Topup, *, at: datetime) -> None:
    """Online payments are made to the installation, whoever stands between."""
    paid = PaidIn(
        kind=LineKind.TOPUP,
        id=topup.id,
        seller_id=root_id(),
        account_id=topup.account_id,
        amount_mrial=topup.amount_mrial,
        vat_permille=topup.vat_permille,
        vat_mrial=topup.vat_mrial,
    )
    issue_for_payment(paid, actor_id=None, at=at)


def _store(topup: Topup, answer: Answer, state: TopupState, *, transfer_id: int | None, at: datetime) -> None:
    is_paid = state is TopupState.PAID
    execute(
        """UPDATE billing_topup SET state = :state, answered_at = :at, look_count = look_count + 1, code = :code,
               reference = coalesce(nullif(:reference, ''), reference), card = coalesce(nullif(:card, ''), card),
               paid_at = CAST(:paid_at AS timestamptz), transfer_id = :transfer_id,
               next_look_at = CAST(:look AS timestamptz)
           WHERE id = :id""",
        id=topup.id,
        state=str(state),
        at=at,
        code=answer.code or topup.code,
        reference=answer.reference,
        card=answer.card,
        paid_at=at if is_paid else None,
        transfer_id=transfer_id,
        look=next_look(state, started_at=topup.started_at, look_count=topup.look_count, at=at),
    )


def claim_due(*, at: datetime, most: int = 20) -> Sequence[int]:
    """The attempts the gateway is to be asked about now; nobody else gets them for two minutes."""
    found = rows(
        """UPDATE billing_topup SET next_look_at = :until WHERE id IN (
               SELECT id FROM billing_topup WHERE next_look_at <= :at ORDER BY next_look_at LIMIT :most
               FOR UPDATE SKIP LOCKED) RETURNING id""",
        at=at,
        until=at + _CLAIMED_FOR,
        most=most,
    )
    return [each.id for each in found]
