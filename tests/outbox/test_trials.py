"""Public lines by policy: what is refused and why, free messages that cannot be farmed, codes that verify numbers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask

from sms.core.actor import PANEL
from sms.core.db import execute, release, rows, scalar, transaction
from sms.core.errors import Refusal, SmsError
from sms.core.phone import local
from sms.lines.public import operations, queries
from sms.lines.public.rules import MOST_RECIPIENTS, NewPolicy, NoneLeft, Payment, Policy, PublicLineRefused, WrongCode
from sms.outbox.intake.operations.drafts import draft_from_text
from sms.outbox.operations.accept import accept_draft
from sms.outbox.queries.preview import preview
from tests.factories import AT, Shop, make_account, make_line
from tests.outbox.conftest import Steps, balance

ME, FRIEND, STRANGER = 989121110001, 989351110002, 989121110009
DAY = timedelta(days=1)


def _policy(policy: Policy, *, free: int = 10, operator_id: int | None = None, since: datetime = AT - DAY) -> None:
    with transaction():
        operations.add_policy(NewPolicy(policy, operator_id, free, since), by=PANEL, at=AT)


def _draft(shop: Shop, recipients: list[int], line_id: int | None = None) -> int:
    with transaction():
        return draft_from_text(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=line_id or shop.line_id,
            title="",
            body="سلام",
            recipients="\n".join(map(local, recipients)),
            at=AT,
        )


def _accept(shop: Shop, draft_id: int, payment: Payment = Payment.TARIFF, at: datetime = AT) -> int:
    with transaction():
        return accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, payment=payment, at=at)


def _own(shop: Shop, *numbers: int) -> None:
    with transaction():
        operations.add_verified(account_id=shop.account_id, recipients=numbers or (ME, FRIEND), at=AT)


def _used(shop: Shop) -> int:
    return int(
        scalar("SELECT coalesce(sum(used_count), 0) FROM lines_trial WHERE account_id = :id", id=shop.account_id)
    )


def test_a_trial_is_free_for_the_customer_and_paid_by_the_house(shop: Shop, steps: Steps) -> None:
    _policy(Policy.TRIAL)
    _own(shop)
    before = balance(shop.wallet_id)
    draft_id = _draft(shop, [ME, FRIEND])
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    assert (seen.total_mrial, seen.problem, seen.lines[0].is_free) == (0, None, True)

    campaign_id = _accept(shop, draft_id)
    steps.send()
    steps.settle(campaign_id)
    assert balance(shop.wallet_id) == before
    assert _used(shop) == 2
    kinds = rows(
        "SELECT w.kind, e.amount_mrial FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id"
        " JOIN ledger_transfer t ON t.id = e.transfer_id WHERE t.kind = 'charge' ORDER BY w.kind"
    )
    assert {entry.kind: entry.amount_mrial for entry in kinds} == {"operator_cost": 1_200_000, "revenue": -1_200_000}
    steps.verify()


@pytest.mark.parametrize(
    ("policy", "recipients", "sentence"),
    [
        (Policy.TRIAL, [ME, STRANGER], "Free messages go to your own verified numbers only"),
        (Policy.TRIAL, [ME] + [989120000000 + place for place in range(9)], "You have 3 of 3 free messages left"),
        (Policy.FORBIDDEN, [ME], "may not be used since"),
    ],
)
def test_what_the_policy_refuses_is_refused_with_its_reason(
    shop: Shop, policy: Policy, recipients: list[int], sentence: str
) -> None:
    _policy(policy, free=3)
    _own(shop)
    draft_id = _draft(shop, recipients)
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    assert sentence in str(seen.problem)
    with pytest.raises(PublicLineRefused, match=sentence):
        _accept(shop, draft_id)
    assert _used(shop) == 0
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0

    own = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    assert _accept(shop, _draft(shop, recipients, line_id=own))  # a line of one's own is nobody's business


def test_policies_are_dated_and_an_operators_own_comes_first(shop: Shop) -> None:
    def now(at: datetime = AT) -> str:
        return queries.standing(shop.account_id, operator_id=shop.operator_id, at=at).policy

    assert now() == "allowed"
    _policy(Policy.FORBIDDEN, since=AT + 3 * DAY)
    assert (now(), now(AT + 3 * DAY)) == ("allowed", "forbidden")
    _policy(Policy.TRIAL, operator_id=shop.operator_id)
    assert (now(), now(AT + 3 * DAY)) == ("trial", "trial")
    _policy(Policy.GENERAL, operator_id=shop.operator_id)
    assert (now(), now(AT + 3 * DAY)) == ("allowed", "forbidden")
    with pytest.raises(Refusal):
        _policy(Policy.GENERAL)
    with pytest.raises(Refusal, match="may not be used since"):
        _accept(shop, _draft(shop, [STRANGER]), at=AT + 4 * DAY)


def test_what_waits_on_a_public_line_goes_out_only_as_far_as_the_policy_allows(shop: Shop, steps: Steps) -> None:
    _own(shop)
    paid = _accept(shop, _draft(shop, [STRANGER]))
    free = _accept(shop, _draft(shop, [ME]), Payment.TRIAL)
    _policy(Policy.FORBIDDEN)
    assert steps.claim() == []
    _policy(Policy.TRIAL)
    assert [batch.campaign_id for batch in steps.claim()] == [free]
    _policy(Policy.ALLOWED)
    assert [batch.campaign_id for batch in steps.claim()] == [paid]


def test_a_line_is_claimed_only_for_whom_it_still_belongs_to(shop: Shop, steps: Steps) -> None:
    own = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    campaign_id = _accept(shop, _draft(shop, [STRANGER], line_id=own))
    stranger, _, _ = make_account()
    with transaction():
        execute("UPDATE lines_line SET account_id = :stranger WHERE id = :id", stranger=stranger, id=own)
    assert steps.claim() == []
    with transaction():
        execute(
            "INSERT INTO lines_share (line_id, account_id, shared_at) VALUES (:id, :account, now())",
            id=own,
            account=shop.account_id,
        )
    assert [batch.campaign_id for batch in steps.claim()] == [campaign_id]


def test_where_all_is_allowed_a_comparison_uses_free_messages_first_and_the_tariff_after(shop: Shop) -> None:
    _policy(Policy.ALLOWED, free=1)
    _own(shop)
    prices = [
        scalar(
            "SELECT held_mrial FROM outbox_campaign WHERE id = :id", id=_accept(shop, _draft(shop, [ME]), Payment.TRIAL)
        )
        for _ in range(2)
    ]
    assert prices == [0, 1_000_000]
    assert _used(shop) == 1


def test_free_messages_cannot_be_farmed_by_asking_at_once(app: Flask, shop: Shop) -> None:
    _policy(Policy.TRIAL, free=5)
    _own(shop)
    drafts = [_draft(shop, [ME, FRIEND]) for _ in range(8)]
    release()

    def press(draft_id: int) -> bool:
        with app.app_context():
            try:
                _accept(shop, draft_id)
            except NoneLeft:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(press, drafts))
    assert sum(accepted) == 2
    assert _used(shop) == 4
    assert scalar("SELECT count(*) FROM outbox_message") == 4


# Numbers


def _ask(account_id: int, recipient: int, at: datetime = AT) -> str:
    with transaction():
        new = operations.ask_code(account_id=account_id, recipient=recipient, at=at)
    return new.code if new else ""


def _try(account_id: int, recipient: int, code: str, at: datetime = AT) -> bool:
    with transaction():
        return operations.try_code(account_id=account_id, recipient=recipient, code=code, at=at)


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_a_number_is_verified_by_its_code_only(shop: Shop) -> None:
    account_id = shop.account_id
    code = _ask(account_id, ME)
    assert queries.verified(account_id) == frozenset()
    assert not _try(account_id, ME, _wrong(code))
    with pytest.raises(WrongCode):
        _try(account_id, ME, code, AT + timedelta(minutes=11))
    with pytest.raises(WrongCode):
        _try(account_id, FRIEND, code)
    assert _try(account_id, ME, code)
    assert queries.verified(account_id) == {ME}
    with pytest.raises(Refusal, match="verified already"):
        _ask(account_id, ME)

    stranger, _, _ = make_account()
    with pytest.raises(Refusal, match="another account"):
        _try(stranger, ME, _ask(stranger, ME, AT + timedelta(minutes=5)), AT + timedelta(minutes=5))
    with transaction():
        operations.remove_number(account_id=account_id, recipient=ME, at=AT)
    assert queries.verified(account_id) == frozenset()
    assert _ask(account_id, ME) == ""  # it is known to be his
    assert queries.verified(account_id) == {ME}


def test_five_wrong_codes_are_all_there_are(shop: Shop) -> None:
    code = _ask(shop.account_id, ME)
    for _ in range(5):
        assert not _try(shop.account_id, ME, _wrong(code))
    with pytest.raises(WrongCode):
        _try(shop.account_id, ME, code)


def _asks(times: list[tuple[int, int, timedelta]]) -> int:
    """How many of these asks (account, number, when) are answered with a code."""
    found = 0
    for account_id, number, after in times:
        try:
            found += bool(_ask(account_id, number, AT + after))
        except SmsError:
            continue
    return found


def test_nobody_is_pestered_with_codes(shop: Shop) -> None:
    accounts = [make_account()[0] for _ in range(4)]
    minutes = [timedelta(minutes=2 * place) for place in range(4)]
    assert _asks([(account, ME, after) for account, after in zip(accounts, minutes, strict=True)]) == 3
    assert _asks([(shop.account_id, 989121112000 + place, timedelta()) for place in range(9)]) == MOST_RECIPIENTS


def test_codes_asked_for_at_once_are_counted_one_by_one(app: Flask, shop: Shop) -> None:
    release()

    def ask(_place: int) -> int:
        with app.app_context():
            return _asks([(shop.account_id, ME, timedelta())])

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 1
