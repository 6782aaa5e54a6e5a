"""An attempt begins: its row first, with the amount; then the gateway is asked, outside of any transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sms.accounts.queries import account
from sms.accounts.rules import AccountKind
from sms.billing.taxes.queries import vat_permille
from sms.billing.taxes.rules import vat_on
from sms.billing.topups import queries
from sms.billing.topups.rules import TopupState, hash_of, new_token, next_look
from sms.core.db import execute, row, scalar
from sms.core.errors import Refusal
from sms.core.money import MRIAL_PER_RIAL
from sms.core.text import N_

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that is to be told to the gateway: what the payer pays in rial, and the secret of the way back."""

    id: int
    gateway_id: int
    total_rial: int
    token: str


def start(*, account_id: int, user_id: int, gateway_id: int, amount_mrial: int, at: datetime) -> Started:
    """Write down an attempt to pay in `amount_mrial` and the VAT on it. Raises Refusal, NotFound."""
    gateway = queries.gateway(gateway_id)
    if not gateway.is_active:
        raise Refusal(N_("This payment gateway is not in use now."))
    if amount_mrial % MRIAL_PER_RIAL:
        raise Refusal(N_("State a whole number of rial."))
    if amount_mrial < gateway.least_mrial:
        raise Refusal(N_("The least that can be paid in is %(least_mrial)s."), least_mrial=gateway.least_mrial)
    if amount_mrial > gateway.most_mrial:
        raise Refusal(N_("The most that can be paid in at once is %(most_mrial)s."), most_mrial=gateway.most_mrial)
    _check_policy(account_id, amount_mrial, at=at)
    permille = vat_permille(at)
    vat_mrial = vat_on(amount_mrial, permille=permille)
    token = new_token()
    made = scalar(
        """INSERT INTO billing_topup (account_id, user_id, gateway_id, state, token_hash, amount_mrial, vat_permille,
               vat_mrial, started_at, next_look_at)
           VALUES (:account_id, :user_id, :gateway_id, 'started', :hash, :amount, :permille, :vat, :at, :look)
           RETURNING id""",
        account_id=account_id,
        user_id=user_id,
        gateway_id=gateway_id,
        hash=hash_of(token),
        amount=amount_mrial,
        permille=permille,
        vat=vat_mrial,
        at=at,
        look=next_look(TopupState.STARTED, started_at=at, look_count=0, at=at),
    )
    return Started(int(made), gateway_id, (amount_mrial + vat_mrial) // MRIAL_PER_RIAL, token)


def _check_policy(account_id: int, amount_mrial: int, *, at: datetime) -> None:
    found = account(account_id)
    if found.kind == AccountKind.INSTALLATION:
        raise Refusal(N_("The installation's own account is not topped up."))
    # Two presses at once are counted one after the other.
    scalar("SELECT pg_advisory_xact_lock(hashtext('billing_topup'), CAST(:id AS int))", id=account_id % 2**31)
    policy = queries.policy(at)
    sums = row(
        """SELECT count(*) FILTER (WHERE started_at > :hour) AS tries,
               coalesce(sum(amount_mrial) FILTER (WHERE state IN ('started', 'unknown', 'paid')), 0)::bigint AS amount
           FROM billing_topup WHERE account_id = :id AND started_at > :day""",
        id=account_id,
        hour=at - _HOUR,
        day=at - _DAY,
    )
    if sums is None or sums.tries >= policy.tries_an_hour:
        raise Refusal(N_("These were many tries in an hour; wait a little."))
    is_new = found.created_at > at - timedelta(days=policy.new_days)
    if is_new and sums.amount + amount_mrial > policy.new_day_most_mrial:
        raise Refusal(
            N_("In its first %(days)s days an account pays in at most %(most_mrial)s online within 24 hours."),
            days=policy.new_days,
            most_mrial=policy.new_day_most_mrial,
        )


def note_begun(*, topup_id: int, authority: str) -> None:
    """The gateway has begun the payment under this name."""
    execute("UPDATE billing_topup SET authority = :authority WHERE id = :id", authority=authority, id=topup_id)


def note_not_begun(*, topup_id: int, code: str, at: datetime) -> None:
    """The gateway has not begun it: nobody can pay it, nobody need ask."""
    execute(
        """UPDATE billing_topup SET state = 'failed', code = :code, answered_at = :at, next_look_at = NULL
           WHERE id = :id AND state = 'started' AND authority IS NULL""",
        id=topup_id,
        code=code,
        at=at,
    )
