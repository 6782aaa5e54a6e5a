"""Bank slips: handed in once, approved by whoever stands above, credited once."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from flask import Flask

from sms.billing.slips import operations, queries
from sms.billing.slips.operations import NewSlip
from sms.billing.slips.rules import BANK_LABELS, STATE_LABELS, Bank, SlipState, UnusableSlip, tracking_number
from sms.billing.taxes import operations as taxes
from sms.billing.taxes.rules import TaxKind
from sms.core import clock, uploads
from sms.core.actor import Actor
from sms.core.calendar import day_of, day_text
from sms.core.db import scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.ledger import queries as money
from sms.outbox.intake.operations import drafts
from tests.factories import make_account, make_root
from tests.ledger.people import signed_in, staff

M = 10**9
PDF = b"%PDF-1.7\n%%EOF\n"
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("۱۲۳ ۴۵۶", "123456"), ("00123456", "123456"), ("ab-12/34", "AB1234"), ("  77 ", "77")],
)
def test_tracking_numbers_are_compared_as_they_are_meant(typed: str, kept: str):
    assert tracking_number(typed) == kept


@pytest.mark.parametrize("typed", ["", "000", "شماره", "1;2", "9" * 41])
def test_what_is_no_tracking_number_is_refused(typed: str):
    with pytest.raises(UnusableSlip) as refused:
        tracking_number(typed)
    assert refused.value.field == "tracking"


def test_banks_and_states_have_names():
    assert set(BANK_LABELS) == set(Bank)
    assert set(STATE_LABELS) == set(SlipState)


def hand_in(account_id: int, *, user_id: int, **changes) -> int:
    wanted = {
        "bank": Bank.MELLI,
        "tracking": "123456",
        "paid_on": day_of(clock.now()),
        "total_mrial": 110 * M,
        "file_name": "slip.pdf",
        "stream": io.BytesIO(PDF),
    }
    with transaction():
        slip = NewSlip(**wanted | changes)
        return operations.hand_in(account_id=account_id, wanted=slip, by=Actor(id=user_id), at=clock.now())


def approve(approver_id: int, slip_id: int) -> int:
    with transaction():
        return operations.approve(approver_id=approver_id, slip_id=slip_id, by=Actor(), at=clock.now())


def _files() -> set[str]:
    return {path.name for path in uploads.folder().iterdir()}


def test_a_slip_of_a_direct_account_is_credited_less_its_vat(app: Flask):
    with transaction():
        taxes.add_tax(taxes.NewTax(TaxKind.VAT, 100), actor_id=None, at=clock.now())
    account_id, user_id, _ = make_account(money_mrial=0)
    slip_id = hand_in(account_id, user_id=user_id)
    assert money.balance(account_id) == 0
    approve(make_root(), slip_id)
    assert money.balance(account_id) == 100 * M
    sums = {wallet.code: wallet.balance_mrial for wallet in money.recording_wallets()}
    assert (sums["tax:vat"], sums["bank:melli"]) == (10 * M, -110 * M)
    line = money.statement(account_id=account_id, narrowed=money.StatementFilter())[0]
    assert (line.kind, line.why) == ("topup", "Paid in at the bank, slip %(number)s")
    assert not any(money.broken().values())


def test_twice_approved_at_once_is_credited_once(app: Flask):
    account_id, user_id, _ = make_account(money_mrial=0)
    slip_id, root = hand_in(account_id, user_id=user_id), make_root()

    def press(_number: int) -> bool:
        with app.app_context():
            try:
                approve(root, slip_id)
            except Refusal:
                return False
            return True

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(press, range(20))) == [False] * 19 + [True]
    assert money.balance(account_id) == 110 * M


def test_a_resellers_customer_is_credited_from_the_resellers_balance(app: Flask):
    reseller_id, _, _ = make_account(kind="reseller", money_mrial=150 * M)
    below, user_id, _ = make_account(parent_id=reseller_id, money_mrial=0)
    first = hand_in(below, user_id=user_id)
    second = hand_in(below, user_id=user_id, tracking="2")
    with pytest.raises(NotFound):
        approve(make_root(), first)
    approve(reseller_id, first)
    assert (money.balance(below), money.balance(reseller_id)) == (110 * M, 40 * M)
    with pytest.raises(Refusal, match="Your own balance"):
        approve(reseller_id, second)
    assert queries.slip_for(reseller_id, second).state == "waiting"
    assert money.statement(account_id=below, narrowed=money.StatementFilter())[0].kind == "credit"
    assert not any(money.broken().values())


def test_the_same_slip_twice_is_told_whoever_hands_it_in(app: Flask):
    first, second = make_account(), make_account()
    hand_in(first[0], user_id=first[1])
    before = _files()
    with pytest.raises(UnusableSlip, match="handed in before") as refused:
        hand_in(second[0], user_id=second[1], tracking="۰۰۱۲۳۴۵۶")
    assert refused.value.field == "tracking"
    assert _files() == before
    hand_in(second[0], user_id=second[1], bank=Bank.MELLAT)


def test_a_rejected_slip_may_be_handed_in_again_and_the_approver_is_told(app: Flask):
    account_id, user_id, _ = make_account(money_mrial=0)
    first = hand_in(account_id, user_id=user_id)
    with pytest.raises(Refusal, match="Say why"), transaction():
        operations.reject(approver_id=make_root(), slip_id=first, reason=" ", by=Actor(), at=clock.now())
    with transaction():
        operations.reject(approver_id=make_root(), slip_id=first, reason="not readable", by=Actor(), at=clock.now())
    with pytest.raises(Refusal, match="looked at already"):
        approve(make_root(), first)
    second = hand_in(account_id, user_id=user_id)
    assert queries.slip_for(make_root(), second).alike == 1
    assert money.balance(account_id) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"paid_on": date(2099, 1, 1)}, "paid_on"),
        ({"paid_on": date(2020, 1, 1)}, "paid_on"),
        ({"total_mrial": 9_999_000}, "amount"),
        ({"total_mrial": 110 * M + 1}, "amount"),
        ({"tracking": "?"}, "tracking"),
    ],
)
def test_what_no_slip_says_is_refused(app: Flask, changes, field: str):
    account_id, user_id, _ = make_account()
    with pytest.raises(UnusableSlip) as refused:
        hand_in(account_id, user_id=user_id, **changes)
    assert refused.value.field == field


def test_the_installation_hands_in_nothing(app: Flask):
    *_, user_id, _ = make_account()
    with pytest.raises(Refusal, match="own account"):
        hand_in(make_root(), user_id=user_id)


def test_slips_are_kept_when_old_files_are_thrown_away(app: Flask):
    account_id, user_id, _ = make_account()
    slip_id = hand_in(account_id, user_id=user_id)
    stray, _ = uploads.keep(io.BytesIO(b"x"), most_bytes=10)
    with transaction():
        drafts.tidy(at=clock.now() + DAY)
    assert queries.slip_for(make_root(), slip_id).stored_name in _files()
    assert stray not in _files()


# Pages


def _upload(walker, *, allowed: int = 200, content: bytes = PDF, **changes):
    fields = {"bank": "melli", "tracking": "۹۹۸", "paid_on": day_text(day_of(clock.now()), "en"), "amount": "1000000"}
    form = {**fields, **changes, "file": (io.BytesIO(content), "slip.pdf")}
    return walker.go("/wallet/slips").submit("/wallet/slips", allowed=allowed, **form)


def test_a_customer_hands_in_a_slip_and_staff_approve_it(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    walker = _upload(signed_in(app, account_id))
    assert "Waits for approval" in walker.text
    slip_id = scalar("SELECT max(id) FROM billing_bank_slip")
    assert walker.browser.get(f"/wallet/slips/{slip_id}/file").data == PDF
    admin = staff(app).go("/admin/slips")
    assert "waiting: 1" in admin.text
    admin.go(f"/admin/slips/{slip_id}")
    opened = admin.browser.post(f"/admin/slips/{slip_id}/file", data={"csrf_token": _token(admin)})
    assert opened.data == PDF
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'slip.opened' AND actor_id IS NOT NULL") == 1
    admin.submit(f"/slips/{slip_id}/approve")
    assert "approved and credited" in admin.text
    assert money.balance(account_id) == M
    assert "Approved" in walker.go("/wallet/slips").text
    assert "Paid in at the bank, slip" in walker.go("/statement").text


def _token(walker) -> str:
    return str(walker.page.find("input", {"name": "csrf_token"})["value"])


def test_what_is_no_photo_is_told_beside_the_file(app: Flask):
    account_id, *_ = make_account()
    walker = _upload(signed_in(app, account_id), content=b"<html>", allowed=422)
    assert "this file is neither" in walker.text
    assert "Choose a file." in walker.submit("/wallet/slips", allowed=422).text


def test_a_jalali_day_is_understood(app: Flask):
    account_id, *_ = make_account()
    today = day_of(clock.now())
    _upload(signed_in(app, account_id, language="fa"), paid_on=day_text(today, "fa"))
    assert scalar("SELECT paid_on FROM billing_bank_slip") == today


def test_a_reseller_approves_and_rejects_those_of_its_own(app: Flask):
    reseller_id, *_ = make_account(kind="reseller", money_mrial=10 * M)
    below, user_id, _ = make_account(parent_id=reseller_id, money_mrial=0)
    first = hand_in(below, user_id=user_id, total_mrial=3 * M)
    second = hand_in(below, user_id=user_id, tracking="2", total_mrial=3 * M)
    walker = signed_in(app, reseller_id).go("/wallet/top-up")
    assert "Bank slips of your customers" in walker.text
    walker.go(f"/customers/slips/{first}").submit(f"/customers/slips/{first}/approve")
    assert money.balance(below) == 3 * M
    walker.go(f"/customers/slips/{second}").submit(f"/customers/slips/{second}/reject", reason="another amount")
    walker.go("/customers/slips?state=rejected")
    assert "another amount" in walker.text
    assert "another amount" in signed_in(app, below).go("/wallet/slips").text


def test_slips_of_others_are_not_there(app: Flask):
    account_id, user_id, _ = make_account()
    slip_id = hand_in(account_id, user_id=user_id)
    reseller_id, *_ = make_account(kind="reseller")
    for visitor_id in (reseller_id, make_account()[0], account_id):
        browser = signed_in(app, visitor_id).browser
        assert browser.get(f"/customers/slips/{slip_id}").status_code == 404
    assert signed_in(app, reseller_id).browser.get(f"/wallet/slips/{slip_id}/file").status_code == 404
    below, its_user, _ = make_account(parent_id=reseller_id)
    its_slip = hand_in(below, user_id=its_user, bank=Bank.SAMAN)
    assert staff(app).browser.get(f"/admin/slips/{its_slip}").status_code == 404
