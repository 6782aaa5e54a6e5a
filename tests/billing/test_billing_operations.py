"""Prices and rules are added and ended, never edited; what was accepted keeps its own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from sms.billing import operations, queries
from sms.billing.operations import NewRefundRule, NewTariff
from sms.billing.queries import Listed, Price
from sms.billing.rules import Language, Phase, Scope
from sms.core.db import row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.operators.queries import networks
from sms.operators.rules import Outcome
from tests.factories import AT, Shop, make_account, make_gateway, make_line, make_refund_rule, make_shop, make_tariff

pytestmark = pytest.mark.usefixtures("app")

MCI = 1


def later(days: float) -> object:
    """So many days after AT."""
    return AT + timedelta(days=days)


@pytest.fixture
def shop(app: Flask) -> Shop:
    """An operator with a line; its factory prices are 1,000,000 and cost 600,000."""
    return make_shop()


def _add(
    scope: Scope, price: int, begins: object = None, language: Language = Language.PERSIAN, at: object = AT
) -> int:
    with transaction():
        return operations.add_tariff(
            NewTariff(scope, language, price, price // 2, begins),  # type: ignore[arg-type]
            actor_id=None,
            at=at,  # type: ignore[arg-type]
        )


def _price(shop: Shop, network_id: int = MCI, at: object = AT, language: str = "persian") -> int:
    listed = queries.price_list(account_id=shop.account_id, line_id=shop.line_id, operator_id=shop.operator_id, at=at)  # type: ignore[arg-type]
    return listed[network_id, language].price_mrial


def test_a_price_list_is_complete_over_networks_and_languages(shop: Shop):
    listed = queries.price_list(account_id=shop.account_id, line_id=shop.line_id, operator_id=shop.operator_id, at=AT)
    assert set(listed) == {(network.id, language) for network in networks() for language in ("persian", "latin")}
    assert (0, "persian") in listed
    assert set(listed.values()) == {Price(1_000_000, 600_000)}


def test_a_line_without_a_price_says_for_which_network():
    operator_id, gateway_id = make_gateway(operator_code="5000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    _add(Scope(operator_id=operator_id), 10)
    _add(Scope(operator_id=operator_id, network_id=MCI), 10, language=Language.LATIN)
    with pytest.raises(Refusal, match=r"Latin texts to .*Irancell"):
        queries.price_list(account_id=make_account()[0], line_id=line_id, operator_id=operator_id, at=AT)


def test_a_line_has_its_own_price_before_its_operators(shop: Shop):
    _add(Scope(line_id=shop.line_id), 5)
    _add(Scope(operator_id=shop.operator_id, network_id=MCI), 7)
    assert _price(shop) == 5
    assert _price(shop, language="latin") == 1_000_000
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    listed = queries.price_list(account_id=shop.account_id, line_id=other, operator_id=shop.operator_id, at=AT)
    assert listed[MCI, "persian"].price_mrial == 7
    assert listed[2, "persian"].price_mrial == 1_000_000


def test_a_new_price_ends_the_old_one_at_its_beginning_and_the_past_keeps_its_price(shop: Shop):
    scope = Scope(operator_id=shop.operator_id)
    before = row("SELECT id, price_mrial, valid_from FROM billing_tariff WHERE language = 'persian'")
    _add(scope, 7, later(2))
    assert [_price(shop, at=later(days)) for days in (0, 1.99, 2, 9)] == [1_000_000, 1_000_000, 7, 7]
    _add(scope, 5, later(1))
    assert [_price(shop, at=later(days)) for days in (0, 1, 1.99, 2, 9)] == [1_000_000, 5, 5, 7, 7]
    after = row("SELECT id, price_mrial, valid_from FROM billing_tariff WHERE id = :id", id=before.id)
    assert after == before
    assert _price(shop, language="latin", at=later(9)) == 1_000_000


def test_a_price_of_the_very_same_beginning_replaces_the_other(shop: Shop):
    scope = Scope(operator_id=shop.operator_id)
    _add(scope, 7, later(2))
    _add(scope, 8, later(2))
    assert _price(shop, at=later(3)) == 8


def test_a_price_that_ends_leaves_the_next_fitting_one_or_none(shop: Shop):
    tariff_id = _add(Scope(line_id=shop.line_id), 5)
    with transaction():
        operations.end_tariff(tariff_id=tariff_id, actor_id=None, at=later(1))
    assert [_price(shop, at=later(days)) for days in (0.5, 1)] == [5, 1_000_000]
    with pytest.raises(operations.Ended), transaction():
        operations.end_tariff(tariff_id=tariff_id, actor_id=None, at=later(2))
    with pytest.raises(NotFound), transaction():
        operations.end_tariff(tariff_id=999_999, actor_id=None, at=AT)


def test_a_price_that_has_not_begun_is_withdrawn(shop: Shop):
    tariff_id = _add(Scope(line_id=shop.line_id), 5, later(3))
    with transaction():
        operations.end_tariff(tariff_id=tariff_id, actor_id=None, at=AT)
    assert _price(shop, at=later(4)) == 1_000_000
    (listed,) = queries.tariff_page(Listed(at=AT, phase=Phase.ENDED))
    assert listed.id == tariff_id


def test_an_end_may_be_set_ahead(shop: Shop):
    tariff_id = _add(Scope(line_id=shop.line_id), 5)
    with transaction():
        operations.end_tariff(tariff_id=tariff_id, actor_id=None, at=AT, ends_at=later(2))
    assert [_price(shop, at=later(days)) for days in (1, 2)] == [5, 1_000_000]
    with pytest.raises(Refusal, match="past"), transaction():
        operations.end_tariff(tariff_id=tariff_id, actor_id=None, at=later(1), ends_at=AT)


@pytest.mark.parametrize(
    ("scope", "price", "cost", "begins", "said"),
    [
        (Scope(), 5, 5, None, "Choose an operator"),
        (Scope(operator_id=1, line_id=1), 5, 5, None, "Choose an operator"),
        (Scope(operator_id=1), -1, 5, None, "from zero"),
        (Scope(operator_id=1), 5, -1, None, "from zero"),
        (Scope(operator_id=1), 10**10, 5, None, "from zero"),
        (Scope(operator_id=1), 5, 5, -1, "past"),
    ],
)
def test_an_impossible_price_is_refused(scope, price, cost, begins, said):
    tariff = NewTariff(scope, Language.PERSIAN, price, cost, later(begins) if begins else None)
    with pytest.raises(Refusal, match=said):
        operations.add_tariff(tariff, actor_id=None, at=AT)


def test_twenty_prices_at_once_leave_one_in_force(app: Flask, shop: Shop):
    def add(price: int) -> int:
        with app.app_context():
            return _add(Scope(operator_id=shop.operator_id), price, later(1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(1, 21)))
    in_force = scalar(
        "SELECT count(*) FROM billing_tariff WHERE language = 'persian' AND valid_from <= :at"
        " AND (valid_until IS NULL OR valid_until > :at)",
        at=later(2),
    )
    assert in_force == 1


# Refund rules


def _rule(shop: Shop, outcome: Outcome, at: object = AT, network_id: int = MCI) -> object:
    resolver = queries.refund_rules(line_ids=[shop.line_id], at=at)  # type: ignore[arg-type]
    return resolver.rule(line_id=shop.line_id, network_id=network_id, outcome=outcome)


def test_the_usual_rules_are_those_of_the_founding_text():
    operator_id, gateway_id = make_gateway(operator_code="2000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    with transaction():
        operations.add_default_refund_rules(operator_id=operator_id, refunds_not_in_network=True, actor_id=None, at=AT)
    resolver = queries.refund_rules(line_ids=[line_id], at=AT)
    found = {outcome: resolver.rule(line_id=line_id, network_id=MCI, outcome=outcome) for outcome in Outcome}
    given = {outcome: (rule.percent, rule.delay_seconds) for outcome, rule in found.items() if rule}
    assert given == {
        Outcome.BLOCKED: (100, 0),
        Outcome.OPTED_OUT: (100, 0),
        Outcome.NOT_IN_NETWORK: (100, 48 * 3_600),
    }


def test_only_who_asks_for_it_refunds_numbers_that_are_not_in_the_network():
    operator_id, gateway_id = make_gateway(operator_code="3000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    with transaction():
        operations.add_default_refund_rules(operator_id=operator_id, refunds_not_in_network=False, actor_id=None, at=AT)
    resolver = queries.refund_rules(line_ids=[line_id], at=AT)
    assert resolver.rule(line_id=line_id, network_id=MCI, outcome=Outcome.NOT_IN_NETWORK) is None
    assert resolver.rule(line_id=line_id, network_id=MCI, outcome=Outcome.BLOCKED).percent == 100


def test_a_cheaper_line_overrides_its_operator(shop: Shop):
    with transaction():
        operations.add_refund_rule(
            NewRefundRule(Scope(line_id=shop.line_id), Outcome.BLOCKED, percent=0), actor_id=None, at=AT
        )
    assert _rule(shop, Outcome.BLOCKED).percent == 0  # type: ignore[attr-defined]
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    resolver = queries.refund_rules(line_ids=[other, shop.line_id], at=AT)
    assert resolver.rule(line_id=other, network_id=MCI, outcome=Outcome.BLOCKED).percent == 100
    assert resolver.rule(line_id=shop.line_id, network_id=MCI, outcome=Outcome.BLOCKED).percent == 0


def test_what_was_accepted_before_a_rule_ended_still_finds_it(shop: Shop):
    rule_id = scalar("SELECT id FROM billing_refund_rule")
    with transaction():
        operations.end_refund_rule(rule_id=rule_id, actor_id=None, at=later(1))
    assert _rule(shop, Outcome.BLOCKED, at=AT).id == rule_id  # type: ignore[attr-defined]
    assert _rule(shop, Outcome.BLOCKED, at=later(1)) is None
    with pytest.raises(operations.Ended), transaction():
        operations.end_refund_rule(rule_id=rule_id, actor_id=None, at=later(1))


def test_a_new_rule_ends_the_old_one_of_its_outcome_only(shop: Shop):
    make_refund_rule(operator_id=shop.operator_id, outcome="expired", percent=10)
    with transaction():
        operations.add_refund_rule(
            NewRefundRule(Scope(operator_id=shop.operator_id), Outcome.BLOCKED, 50, 3_600, " half "),
            actor_id=None,
            at=AT,
        )
    rule = _rule(shop, Outcome.BLOCKED)
    assert (rule.percent, rule.delay_seconds, rule.note) == (50, 3_600, "half")  # type: ignore[attr-defined]
    assert _rule(shop, Outcome.EXPIRED).percent == 10  # type: ignore[attr-defined]
    ended = rows("SELECT valid_until FROM billing_refund_rule WHERE valid_until IS NOT NULL")
    assert [found.valid_until for found in ended] == [AT]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "delivered"}, "never refunded"),
        ({"outcome": "refused"}, "not charged"),
        ({"outcome": "cancelled"}, "not charged"),
        ({"outcome": "invalid"}, "not charged"),
        ({"outcome": "nonsense"}, "not charged"),
        ({"percent": 101}, "100 percent"),
        ({"percent": -1}, "100 percent"),
        ({"delay_seconds": -1}, "90 days"),
        ({"delay_seconds": 91 * 86_400}, "90 days"),
        ({"note": "x" * 301}, "too long"),
        ({"valid_from": AT - timedelta(seconds=1)}, "past"),
        ({"scope": Scope()}, "Choose an operator"),
    ],
)
def test_an_impossible_rule_is_refused(shop: Shop, changes: dict[str, object], said: str):
    wanted = {"scope": Scope(operator_id=shop.operator_id), "outcome": "blocked"} | changes
    with pytest.raises(Refusal, match=said):
        operations.add_refund_rule(NewRefundRule(**wanted), actor_id=None, at=AT)  # type: ignore[arg-type]


def test_changes_are_audited_with_who_made_them(shop: Shop):
    with transaction():
        tariff = NewTariff(Scope(line_id=shop.line_id), Language.LATIN, 3, 2)
        tariff_id = operations.add_tariff(tariff, actor_id=shop.user_id, at=AT)
        operations.end_tariff(tariff_id=tariff_id, actor_id=shop.user_id, at=AT)
        rule = NewRefundRule(Scope(line_id=shop.line_id), Outcome.EXPIRED)
        rule_id = operations.add_refund_rule(rule, actor_id=shop.user_id, at=AT)
        operations.end_refund_rule(rule_id=rule_id, actor_id=shop.user_id, at=AT)
    audited = rows("SELECT action, subject, actor_id, details FROM accounts_audit ORDER BY id")
    assert [(line.action, line.subject) for line in audited] == [
        ("tariff.added", f"tariff:{tariff_id}"),
        ("tariff.ended", f"tariff:{tariff_id}"),
        ("refund_rule.added", f"refund_rule:{rule_id}"),
        ("refund_rule.ended", f"refund_rule:{rule_id}"),
    ]
    assert {line.actor_id for line in audited} == {shop.user_id}
    assert audited[0].details["price_mrial"] == 3


# Lists


def test_the_list_tells_coming_current_and_ended_apart(shop: Shop):
    scope = Scope(operator_id=shop.operator_id)
    _add(scope, 7, later(2))
    _add(Scope(line_id=shop.line_id), 5)
    found = {phase: [row.price_mrial for row in queries.tariff_page(Listed(at=AT, phase=phase))] for phase in Phase}
    assert found == {Phase.CURRENT: [5, 1_000_000, 1_000_000], Phase.COMING: [7], Phase.ENDED: []}
    in_future = {
        phase: [row.price_mrial for row in queries.tariff_page(Listed(at=later(3), phase=phase))] for phase in Phase
    }
    assert in_future == {Phase.CURRENT: [5, 7, 1_000_000], Phase.COMING: [], Phase.ENDED: [1_000_000]}
    assert len(queries.tariff_page(Listed(at=AT))) == 4
    number = scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id)
    assert [row.price_mrial for row in queries.tariff_page(Listed(at=AT, line_number=number))] == [5]
    assert queries.tariff_page(Listed(at=AT, operator_id=shop.operator_id + 1)) == []
    first, *_ = queries.tariff_page(Listed(at=AT), most=1)
    assert first.id not in [row.id for row in queries.tariff_page(Listed(at=AT), before=first.id)]


def test_operators_without_a_price_or_the_common_rule_are_named(shop: Shop):
    assert queries.operators_without_price(at=AT) == []
    assert queries.operators_without_rules(at=AT) == []
    operator_id, _ = make_gateway(operator_code="9000")
    assert [(gap.code, gap.language) for gap in queries.operators_without_price(at=AT)] == [
        ("9000", "persian"),
        ("9000", "latin"),
    ]
    assert [gap.code for gap in queries.operators_without_rules(at=AT)] == ["9000"]
    make_tariff(operator_id=operator_id)
    make_refund_rule(operator_id=operator_id)
    assert queries.operators_without_price(at=AT) == []
    assert queries.operators_without_rules(at=AT) == []


# What a customer is shown


def test_lines_that_are_alike_share_a_sheet_and_special_ones_have_their_own(shop: Shop):
    make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    special = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    _add(Scope(line_id=special, network_id=MCI), 5)
    sheets = queries.price_sheets(account_id=shop.account_id, at=AT)
    assert sorted(len(sheet.lines) for sheet in sheets) == [1, 2]
    (own,) = [sheet for sheet in sheets if sheet.lines[0].id == special]
    priced = {tuple(network.id for network in price.networks): price.persian_mrial for price in own.prices}
    assert priced[(MCI,)] == 5
    assert set(priced.values()) == {5, 1_000_000}
    (common,) = [sheet for sheet in sheets if sheet.lines[0].id != special]
    assert [(price.networks, price.persian_mrial, price.latin_mrial) for price in common.prices] == [
        ((), 1_000_000, 1_000_000)
    ]


def test_a_sheet_says_what_comes_back_and_what_does_not(shop: Shop):
    with transaction():
        rule = NewRefundRule(Scope(operator_id=shop.operator_id, network_id=MCI), Outcome.EXPIRED, 50)
        operations.add_refund_rule(rule, actor_id=None, at=AT)
    (sheet,) = queries.price_sheets(account_id=shop.account_id, at=AT)
    given = {(each.outcome, len(each.networks)): each.refund.percent for each in sheet.refunds}
    assert given[Outcome.BLOCKED, 0] == 100
    assert given[Outcome.UNDELIVERED, 0] == 0
    assert given[Outcome.EXPIRED, 1] == 50
    assert given[Outcome.EXPIRED, len(networks()) - 1] == 0
    assert Outcome.DELIVERED not in {each.outcome for each in sheet.refunds}


def test_a_line_without_prices_has_a_sheet_that_says_so(shop: Shop):
    operator_id, gateway_id = make_gateway(operator_code="5000")
    make_line(operator_id=operator_id, gateway_id=gateway_id)
    sheets = {sheet.lines[0].operator_code: sheet for sheet in queries.price_sheets(account_id=shop.account_id, at=AT)}
    assert sheets["5000"].prices == []
    assert sheets["3000"].prices
