"""Attempts to pay on the database: limits, what the gateway says, one credit whatever is replayed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from sms.billing.taxes import operations as taxes
from sms.billing.taxes.rules import TaxKind
from sms.billing.topups import queries
from sms.billing.topups.operations import settings as writing
from sms.billing.topups.operations import settling, starting
from sms.billing.topups.queries import Policy
from sms.billing.topups.rules import TopupState, Verdict
from sms.core import clock
from sms.core.db import rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.seal import unseal
from sms.ledger import operations as ledger
from sms.ledger import queries as money
from tests.billing.topups.conftest import MERCHANT, SEAL, M, begin, make_payment_gateway, told
from tests.factories import make_account, make_root

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def _vat(permille: int) -> None:
    with transaction():
        taxes.add_tax(taxes.NewTax(TaxKind.VAT, permille), actor_id=None, at=clock.now())


# Starting


def test_an_attempt_holds_its_amount_and_the_vat_of_its_day(app: Flask):
    _vat(100)
    attempt = begin(amount_mrial=100 * M)
    _vat(90)
    found = queries.topup(attempt.id)
    assert (found.state, found.amount_mrial, found.vat_mrial, found.total_mrial) == (
        "started",
        100 * M,
        10 * M,
        110 * M,
    )
    assert attempt.token not in str(rows("SELECT * FROM billing_topup"))


@pytest.mark.parametrize(
    ("amount_mrial", "said"),
    [(9_999_000, "least that can be paid"), (901 * M, "most that can be paid"), (10_000_500, "whole number")],
)
def test_amounts_keep_within_the_gateways_bounds(app: Flask, amount_mrial: int, said: str):
    with pytest.raises(Refusal, match=said):
        begin(amount_mrial=amount_mrial)


def test_a_gateway_out_of_use_takes_nothing(app: Flask):
    with pytest.raises(Refusal, match="not in use"):
        begin(gateway_id=make_payment_gateway(is_active=False))


def test_the_installation_does_not_pay_itself(app: Flask):
    *_, user_id, _ = make_account()
    with pytest.raises(Refusal, match="own account"):
        begin(account=(make_root(), user_id, 0))


def _policy(**changes) -> None:
    with transaction():
        policy = Policy(**{"tries_an_hour": 10, "new_days": 0, "new_day_most_mrial": 0} | changes)
        writing.set_policy(policy, actor_id=None, at=clock.now())


def test_tries_are_counted_by_the_hour(app: Flask):
    _policy(tries_an_hour=2)
    account, gateway_id = make_account(money_mrial=0), make_payment_gateway()
    at = clock.now()
    for number in range(2):
        begin(account=account, gateway_id=gateway_id, authority=f"A{number}", at=at)
    with pytest.raises(Refusal, match="many tries"):
        begin(account=account, gateway_id=gateway_id, authority="A3", at=at + 59 * MINUTE)
    begin(account=account, gateway_id=gateway_id, authority="A4", at=at + 61 * MINUTE)


def test_a_new_account_pays_in_so_much_a_day(app: Flask):
    account, gateway_id = make_account(money_mrial=0), make_payment_gateway()
    created_at = scalar("SELECT created_at FROM accounts_account WHERE id = :id", id=account[0])
    days = (clock.now() - created_at).days + 2
    _policy(new_days=days, new_day_most_mrial=150 * M)
    first = begin(account=account, gateway_id=gateway_id, authority="A1")
    with pytest.raises(Refusal, match="In its first"):
        begin(account=account, gateway_id=gateway_id, authority="A2")
    told(first, Verdict.REFUSED, is_returned=True)  # what was not paid does not count
    begin(account=account, gateway_id=gateway_id, authority="A3")
    _policy(new_days=0)
    begin(account=account, gateway_id=gateway_id, authority="A4")


def test_what_was_not_begun_is_over(app: Flask):
    (account_id, user_id, _), gateway_id = make_account(), make_payment_gateway()
    with transaction():
        started = starting.start(
            account_id=account_id, user_id=user_id, gateway_id=gateway_id, amount_mrial=M, at=clock.now()
        )
        starting.note_not_begun(topup_id=started.id, code="-9", at=clock.now())
    found = queries.topup(started.id)
    assert (found.state, found.code, found.next_look_at) == ("failed", "-9", None)


# Credited once


def _balances(attempt) -> tuple[int, int]:
    sums = {wallet.code: wallet.balance_mrial for wallet in money.recording_wallets()}
    return money.balance(attempt.account_id), sums[f"payment:{attempt.gateway_id}"]


def test_what_is_paid_is_credited_and_its_vat_set_apart(app: Flask):
    _vat(100)
    attempt = begin()
    assert told(attempt, is_returned=True) is TopupState.PAID
    assert _balances(attempt) == (100 * M, -110 * M)
    sums = {wallet.code: (wallet.kind, wallet.balance_mrial) for wallet in money.recording_wallets()}
    assert sums["tax:vat"] == ("tax", 10 * M)
    assert not any(money.broken().values())
    line = money.statement(account_id=attempt.account_id, narrowed=money.StatementFilter())[0]
    assert (line.why, line.subject.id) == ("Paid in online, payment %(number)s", attempt.id)


@pytest.mark.parametrize("first", [Verdict.PAID, Verdict.ALREADY])
def test_a_hundred_answers_one_after_another_credit_once(app: Flask, first: Verdict):
    attempt = begin()
    for number in range(100):
        assert told(attempt, first if number == 0 else Verdict.ALREADY, is_returned=True) is TopupState.PAID
    assert money.balance(attempt.account_id) == 100 * M


def test_a_hundred_answers_at_once_credit_once(app: Flask):
    attempt = begin()

    def answer(number: int) -> TopupState:
        with app.app_context():
            return told(attempt, Verdict.PAID if number % 2 else Verdict.ALREADY, is_returned=True)

    with ThreadPoolExecutor(10) as threads:
        states = list(threads.map(answer, range(100)))
    assert set(states) == {TopupState.PAID}
    assert money.balance(attempt.account_id) == 100 * M
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'topup'") == 1
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'topup.told'") == 1
    assert not any(money.broken().values())


def test_a_late_answer_credits_what_was_called_off(app: Flask):
    attempt = begin()
    assert told(attempt, Verdict.REFUSED, is_returned=True, is_cancelled=True) is TopupState.CANCELLED
    assert money.balance(attempt.account_id) == 0
    assert told(attempt, is_returned=True) is TopupState.PAID
    assert told(attempt, Verdict.REFUSED, is_returned=True, is_cancelled=True) is TopupState.PAID
    assert money.balance(attempt.account_id) == 100 * M


def test_one_number_of_the_gateway_credits_one_attempt(app: Flask):
    gateway_id = make_payment_gateway()
    first = begin(gateway_id=gateway_id, authority="A1")
    second = begin(gateway_id=gateway_id, authority="A2")
    assert told(first, reference="77") is TopupState.PAID
    assert told(second, reference="77") is TopupState.FAILED
    assert queries.topup(second.id).code == "reference repeated"
    assert money.balance(second.account_id) == 0


def test_what_was_credited_may_be_taken_back_by_staff_once(app: Flask):
    _vat(100)
    attempt = begin()
    told(attempt)
    transfer_id = queries.topup(attempt.id).transfer_id
    with transaction():
        ledger.reverse(transfer_id=transfer_id, reason="the card was stolen", actor_id=None, at=clock.now())
    assert _balances(attempt) == (0, 0)
    assert told(attempt, Verdict.ALREADY) is TopupState.PAID
    assert money.balance(attempt.account_id) == 0


# Asked again


class Gateway:
    """Says what it is told to."""

    def __init__(self, standing: str, verdict: Verdict) -> None:
        self.standing, self.verdict, self.asked = standing, verdict, []

    def inquire(self, authority: str):
        self.asked.append("inquire")
        return settling.Standing(self.standing)

    def verify(self, *, authority: str, amount_rial: int):
        self.asked.append(("verify", authority, amount_rial))
        return settling.Answer(self.verdict)


@pytest.mark.parametrize(
    ("standing", "returned", "verdict", "asked"),
    [
        ("paid", True, Verdict.PAID, [("verify", "A1", 100_000_000)]),
        ("open", False, Verdict.OPEN, ["inquire"]),
        ("failed", False, Verdict.REFUSED, ["inquire"]),
        ("paid", False, Verdict.PAID, ["inquire", ("verify", "A1", 100_000_000)]),
        ("verified", False, Verdict.PAID, ["inquire", ("verify", "A1", 100_000_000)]),
        ("unknown", False, Verdict.PAID, ["inquire", ("verify", "A1", 100_000_000)]),
    ],
)
def test_the_amount_that_is_verified_is_our_own(app: Flask, standing: str, returned: bool, verdict, asked):
    attempt = begin()
    gateway = Gateway(standing, Verdict.PAID)
    answer = settling.ask(gateway, queries.topup(attempt.id), is_returned=returned)
    assert (answer.verdict, gateway.asked) == (verdict, asked)


def test_what_was_never_begun_is_not_asked_about(app: Flask):
    (account_id, user_id, _), gateway_id = make_account(), make_payment_gateway()
    with transaction():
        started = starting.start(
            account_id=account_id, user_id=user_id, gateway_id=gateway_id, amount_mrial=M, at=clock.now()
        )
    gateway = Gateway("paid", Verdict.PAID)
    assert settling.ask(gateway, queries.topup(started.id), is_returned=False).verdict is Verdict.REFUSED
    assert gateway.asked == []


def test_unknown_ones_are_asked_about_again_until_they_are_not(app: Flask):
    attempt = begin()
    at = clock.now()
    assert told(attempt, Verdict.UNKNOWN, is_returned=True, at=at) is TopupState.UNKNOWN
    with transaction():
        assert settling.claim_due(at=at) == []
        assert settling.claim_due(at=at + MINUTE) == [attempt.id]
        assert settling.claim_due(at=at + MINUTE) == []  # somebody has it
    assert told(attempt, Verdict.ALREADY, at=at + MINUTE) is TopupState.PAID
    with transaction():
        assert settling.claim_due(at=at + DAY) == []


def test_what_nobody_paid_is_over_after_a_day(app: Flask):
    attempt = begin()
    at = clock.now()
    assert told(attempt, Verdict.OPEN, at=at + HOUR) is TopupState.STARTED
    assert told(attempt, Verdict.OPEN, at=at + DAY) is TopupState.FAILED
    assert queries.topup(attempt.id).next_look_at is None


# Whose


def test_nobody_reads_somebody_elses(app: Flask):
    attempt = begin()
    other, *_ = make_account()
    with pytest.raises(NotFound):
        queries.account_topup(other, attempt.id)
    assert queries.account_topups(other) == []
    with pytest.raises(NotFound):
        queries.by_token("guessed")
    assert queries.by_token(attempt.token).id == attempt.id


# Gateways


def _change(gateway_id: int, **changes) -> None:
    values = {"name": "N", "base_url": "http://127.0.0.1:9", "is_sandbox": True, "is_active": True}
    amounts = {"least_mrial": M, "most_mrial": 2 * M}
    credentials = changes.pop("credentials", {})
    with transaction():
        writing.change_gateway(
            gateway_id=gateway_id,
            settings=writing.GatewaySettings(**values | amounts | changes),
            credentials=credentials,
            seal_key=SEAL,
            actor_id=None,
            at=clock.now(),
        )


def test_a_merchants_id_is_sealed_and_stays_with_its_address(app: Flask):
    gateway_id = make_payment_gateway()
    assert MERCHANT.encode() not in bytes(queries.gateway(gateway_id).credentials_sealed)
    _change(gateway_id)
    assert unseal(bytes(queries.gateway(gateway_id).credentials_sealed), seal_key=SEAL) == {"merchant_id": MERCHANT}
    with pytest.raises(Refusal, match="leads elsewhere"):
        _change(gateway_id, base_url="https://elsewhere.example")
    _change(gateway_id, base_url="https://elsewhere.example", credentials={"merchant_id": "x" * 36})
    assert MERCHANT not in str(rows("SELECT details FROM accounts_audit"))


@pytest.mark.parametrize(
    "changes",
    [{"name": " "}, {"least_mrial": 3 * M}, {"least_mrial": 0}, {"base_url": ""}, {"base_url": "ftp://x"}],
)
def test_impossible_settings_are_refused(app: Flask, changes):
    gateway_id = make_payment_gateway()
    with pytest.raises(Refusal):
        _change(gateway_id, **{"credentials": {"merchant_id": MERCHANT}} | changes)
