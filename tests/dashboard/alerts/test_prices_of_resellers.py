"""Fixed prices that came to stand below what their reseller pays: told once, to it and the staff, until it is over."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from jobs import watching
from sms.billing.operations import NewTariff, add_tariff
from sms.billing.price_lists.operations import add_asked, end_asked
from sms.billing.price_lists.queries.losses import losses
from sms.billing.price_lists.rules import Asked, Key, Loss, NewAsked
from sms.billing.rules import Language, Scope
from sms.billing.tiers.operations import set_by_hand
from sms.core import clock
from sms.core.actor import Actor
from sms.core.db import db, execute, scalar, transaction
from sms.dashboard.alerts import operations, queries
from sms.dashboard.alerts.rules import Worst
from tests.factories import AT, Tree, make_account, make_asked, make_line, make_tree
from tests.outbox.visits import signed_in, staff

IRANCELL = 2
DAY = timedelta(days=1)
TOP, SUB = 1_200_000, 1_300_000  # what the two resellers ask where a part costs a million


@pytest.fixture
def tree(app: Flask) -> Tree:
    """A reseller and one below it, both with a fixed price beside their markups."""
    found = make_tree()
    sub, top = found.payers
    with transaction():
        execute("UPDATE billing_price_list SET valid_until = valid_from")
    make_asked(owner_id=top, operator_id=found.shop.operator_id, price_mrial=TOP)
    make_asked(owner_id=sub, operator_id=found.shop.operator_id, price_mrial=SUB)
    return found


def raise_to(
    tree: Tree, price_mrial: int, *, at: datetime = AT, languages: Iterable[Language] = tuple(Language), **scope: int
) -> None:
    """The installation asks so much from a moment on."""
    where = Scope(**scope) if scope else Scope(operator_id=tree.shop.operator_id)
    with transaction():
        for language in languages:
            add_tariff(NewTariff(where, language, price_mrial, 600_000, at), actor_id=None, at=at)


def told(at: datetime = AT) -> dict[int, tuple[int, int, str]]:
    """What is open after a look: by reseller its price, its cost and when it begins."""
    with transaction():
        operations.watch(at=at)
    return {
        alert.account_id: (alert.details["price_mrial"], alert.details["cost_mrial"], alert.details["begins_at"])
        for alert in queries.alerts_of_prices(None)
    }


def details() -> dict[str, object]:
    (alert,) = queries.alerts_of_prices(None)
    return dict(alert.details)


def test_prices_above_what_is_paid_are_no_news(tree: Tree) -> None:
    assert told() == {}


def test_when_the_house_raises_its_tariff_each_reseller_whose_price_it_passes_is_told(tree: Tree) -> None:
    sub, top = tree.payers
    raise_to(tree, 1_250_000)
    # the one below pays what the one above pays now, which is still less than it asks
    assert told() == {top: (TOP, 1_250_000, "")}
    raise_to(tree, 1_400_000, at=AT + DAY)
    assert told(AT + DAY) == {top: (TOP, 1_400_000, ""), sub: (SUB, 1_400_000, "")}


def test_one_alert_is_open_a_price_and_it_closes_by_itself(tree: Tree) -> None:
    raise_to(tree, 1_250_000)
    told()
    told(AT + timedelta(minutes=5))
    assert scalar("SELECT count(*) FROM dashboard_alert") == 1
    raise_to(tree, 1_200_000, at=AT + DAY)
    assert told(AT + DAY) == {}
    assert [alert.kind for alert in queries.ended_alerts()] == ["asked_below_cost"]


def test_another_price_closes_it(tree: Tree) -> None:
    sub, _ = tree.payers
    raise_to(tree, 1_400_000)
    assert sub in told()
    with transaction():
        add_asked(
            NewAsked(Scope(operator_id=tree.shop.operator_id), price_mrial=1_500_000),
            owner_id=sub,
            confirm_below_cost=False,
            actor_id=None,
            at=AT + DAY,
        )
    assert sub not in told(AT + DAY)


def test_markups_move_along_and_are_never_told(app: Flask) -> None:
    tree = make_tree()
    sub, _ = tree.payers
    make_asked(owner_id=sub, operator_id=tree.shop.operator_id, network_id=1, markup_permille=-100, is_confirmed=True)
    raise_to(tree, 5_000_000)
    assert told() == {}


def test_a_reseller_above_that_raises_its_price_is_a_cause_too(tree: Tree) -> None:
    sub, top = tree.payers
    with transaction():
        add_asked(
            NewAsked(Scope(operator_id=tree.shop.operator_id), account_id=sub, price_mrial=1_350_000),
            owner_id=top,
            confirm_below_cost=False,
            actor_id=None,
            at=AT,
        )
    assert told() == {sub: (SUB, 1_350_000, "")}


def test_a_discount_that_ends_is_a_cause_once_it_has_ended(tree: Tree) -> None:
    _, top = tree.payers
    with transaction():
        set_by_hand(
            account_id=top,
            discount_permille=200,
            reason="a good year",
            valid_until=AT + 2 * DAY,
            actor_id=None,
            at=AT - DAY,
        )
    raise_to(tree, 1_250_000)
    assert told() == {}
    assert told(AT + 2 * DAY) == {top: (TOP, 1_250_000, "")}


def test_a_tariff_of_a_later_day_is_told_before_within_the_days_of_the_policy(tree: Tree) -> None:
    _, top = tree.payers
    begins = AT + 40 * DAY
    raise_to(tree, 1_250_000, at=begins)
    assert told() == {}
    soon = {top: (TOP, 1_250_000, begins.isoformat())}
    assert told(AT + 11 * DAY) == soon
    with transaction():
        operations.set_policy(replace(queries.policy(), asked_ahead_days=5), by=Actor(), at=AT)
    assert told(AT + 12 * DAY) == {}
    assert told(AT + 36 * DAY) == soon
    assert told(begins) == {top: (TOP, 1_250_000, "")}
    assert scalar("SELECT count(*) FROM dashboard_alert") == 2


def test_a_coming_tariff_that_is_replaced_before_it_begins_is_over(tree: Tree) -> None:
    raise_to(tree, 1_250_000, at=AT + DAY)
    assert told()
    raise_to(tree, 1_000_000, at=AT + DAY)
    assert told(AT + timedelta(minutes=5)) == {}


def test_a_price_that_ends_before_the_tariff_begins_is_no_news(tree: Tree) -> None:
    _, top = tree.payers
    with transaction():
        add_asked(
            NewAsked(Scope(operator_id=tree.shop.operator_id), price_mrial=1_260_000, valid_from=AT + DAY),
            owner_id=top,
            confirm_below_cost=False,
            actor_id=None,
            at=AT,
        )
    raise_to(tree, 1_250_000, at=AT + 2 * DAY)
    assert told() == {}


def test_what_was_said_twice_is_no_news_until_more_is_paid_than_then(tree: Tree) -> None:
    _, top = tree.payers
    with transaction():
        add_asked(
            NewAsked(Scope(operator_id=tree.shop.operator_id), price_mrial=900_000),
            owner_id=top,
            confirm_below_cost=True,
            actor_id=None,
            at=AT,
        )
    assert told(AT + DAY) == {}
    raise_to(tree, 950_000, at=AT + 2 * DAY)
    assert told(AT + 2 * DAY) == {}
    raise_to(tree, 1_000_000, at=AT + 3 * DAY)
    assert told(AT + 3 * DAY) == {}
    raise_to(tree, 1_000_001, at=AT + 4 * DAY)
    assert told(AT + 4 * DAY) == {top: (900_000, 1_000_001, "")}
    assert details()["is_confirmed"] is True


def test_what_was_said_twice_remembers_also_what_the_reseller_above_asked_then(tree: Tree) -> None:
    sub, top = tree.payers
    for owner_id, price_mrial, at in ((sub, 1_100_000, AT), (top, 1_150_000, AT + DAY), (top, 1_250_000, AT + 2 * DAY)):
        with transaction():
            add_asked(
                NewAsked(Scope(operator_id=tree.shop.operator_id), price_mrial=price_mrial),
                owner_id=owner_id,
                confirm_below_cost=True,
                actor_id=None,
                at=at,
            )
        assert told(at) == ({sub: (1_100_000, 1_250_000, "")} if price_mrial == 1_250_000 else {})


def test_it_names_what_rose_only(tree: Tree) -> None:
    raise_to(tree, 1_250_000, languages=[Language.LATIN], operator_id=tree.shop.operator_id, network_id=IRANCELL)
    told()
    found = details()
    assert (found["language"], found["line"], found["account"]) == ("latin", "", "")
    assert [each["en"] for each in found["networks"]] == ["Irancell"]  # type: ignore[attr-defined]


def test_a_more_specific_price_stands_in_for_it(tree: Tree) -> None:
    _, top = tree.payers
    make_asked(owner_id=top, operator_id=tree.shop.operator_id, network_id=IRANCELL, price_mrial=1_260_000)
    raise_to(tree, 1_250_000, operator_id=tree.shop.operator_id, network_id=IRANCELL)
    assert told() == {}


def test_a_price_for_one_sub_account_names_it(tree: Tree) -> None:
    sub, top = tree.payers
    with transaction():
        execute("UPDATE accounts_account SET name = 'Below' WHERE id = :id", id=sub)
        end_asked(
            owner_id=top,
            row_id=scalar("SELECT max(id) FROM billing_price_list WHERE owner_id = :id", id=top),
            actor_id=None,
            at=AT,
        )
    make_asked(owner_id=top, operator_id=tree.shop.operator_id, account_id=sub, price_mrial=TOP)
    raise_to(tree, 1_250_000)
    told()
    assert details()["account"] == "Below"


def test_a_line_counts_if_somebody_who_pays_the_price_can_send_over_it(tree: Tree) -> None:
    sub, top = tree.payers
    stranger, *_ = make_account()
    lines = {
        account_id: make_line(operator_id=tree.shop.operator_id, gateway_id=tree.shop.gateway_id, account_id=account_id)
        for account_id in (stranger, top, tree.shop.account_id)
    }
    raise_to(tree, 1_250_000, line_id=lines[stranger])
    raise_to(tree, 1_250_000, line_id=lines[top])
    assert told() == {}
    with transaction():
        execute(
            "INSERT INTO lines_share (line_id, account_id, shared_at) VALUES (:line, :sub, :at)",
            line=lines[top],
            sub=sub,
            at=AT,
        )
    assert told() == {top: (TOP, 1_250_000, "")}
    raise_to(tree, 1_350_000, line_id=lines[tree.shop.account_id])
    assert told() == {top: (TOP, 1_350_000, ""), sub: (SUB, 1_350_000, "")}
    number = scalar("SELECT number FROM lines_line WHERE id = :id", id=lines[tree.shop.account_id])
    assert {alert.details["line"] for alert in queries.alerts_of_prices(None)} == {number}


def test_resellers_that_are_shut_out_are_not_looked_at(tree: Tree) -> None:
    _, top = tree.payers
    raise_to(tree, 1_400_000)
    with transaction():
        execute("UPDATE accounts_account SET state = 'suspended' WHERE id = :id", id=top)
    assert told() == {}


def test_staff_may_switch_it_off(tree: Tree) -> None:
    raise_to(tree, 1_400_000)
    assert told()
    with transaction():
        operations.set_policy(replace(queries.policy(), is_asked_told=False), by=Actor(), at=AT)
    assert told(AT + timedelta(minutes=5)) == {}


def test_it_takes_as_many_statements_for_any_number_of_prices(tree: Tree) -> None:
    def statements() -> int:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            losses(at=AT, until=AT + DAY)
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    before = statements()
    for _ in range(5):
        reseller, *_ = make_account(kind="reseller")
        make_asked(owner_id=reseller, operator_id=tree.shop.operator_id, price_mrial=1, is_confirmed=True)
        make_asked(owner_id=reseller, operator_id=tree.shop.operator_id, network_id=IRANCELL, price_mrial=1)
    assert statements() == before


@pytest.mark.parametrize(
    ("costs", "worst"),
    [
        ({(0, 1, "persian"): 5}, Worst(0, (1,), "persian", 5, False)),
        ({(0, 1, "persian"): 5, (0, 2, "persian"): 5}, Worst(0, (1, 2), "persian", 5, False)),
        ({(0, 1, "persian"): 5, (0, 1, "latin"): 4}, Worst(0, (1,), "", 5, True)),
        ({(0, 1, "persian"): 5, (9, 1, "persian"): 5}, Worst(0, (1,), "persian", 5, False)),
        ({(0, 1, "persian"): 5, (9, 1, "latin"): 6}, Worst(9, (1,), "latin", 6, False)),
    ],
)
def test_a_loss_is_told_by_its_worst_place(costs: dict[tuple[int, int, str], int], worst: Worst) -> None:
    row = Asked(1, 1, None, Scope(operator_id=3), None, None, 1, False, AT, None)
    found = {Key(line, 3, network, Language(spoken)): cost for (line, network, spoken), cost in costs.items()}
    assert Worst.of(Loss(row, None, found)) == worst


def test_all_networks_are_not_named_one_by_one() -> None:
    worst = Worst(0, (1, 2), "", 5, False)
    assert worst.named(2) == ()
    assert worst.named(3) == (1, 2)


# Pages


def test_a_reseller_reads_its_own_only_with_a_way_to_the_price(app: Flask, tree: Tree) -> None:
    sub, top = tree.payers
    raise_to(tree, 1_250_000, at=clock.now())
    watching.watch()
    walker = signed_in(app, top).go("/")
    assert "Prices of yours below what you pay yourself, now or soon: 1" in walker.text
    walker.go("/alerts")
    assert "for all sub-accounts: your price is 1,200 rial a part, and you pay 1,250 rial yourself." in walker.text
    price_id = scalar("SELECT max(id) FROM billing_price_list WHERE owner_id = :id", id=top)
    link = walker.page.find("a", href=f"/reseller/prices?before={price_id + 1}#price-{price_id}")
    assert link is not None
    assert walker.go(str(link["href"])).page.find(id=f"price-{price_id}")
    (another,) = walker.go("/alerts").page.select('a[href^="/reseller/prices/new"]')
    (chosen,) = walker.go(str(another["href"])).page.select('select[name="operator_id"] option[selected]')
    assert chosen["value"] == str(tree.shop.operator_id)
    for account_id in (sub, tree.shop.account_id):
        other = signed_in(app, account_id)
        assert "1,250 rial" not in other.go("/alerts").text
        assert "Prices of yours" not in other.go("/").text


def test_staff_read_them_apart_from_their_own(app: Flask, tree: Tree) -> None:
    raise_to(tree, 1_400_000, at=clock.now() + DAY)
    watching.watch()
    walker = staff(app).go("/admin/alerts")
    assert walker.text.count("will cost the reseller 1,400 rial from ") == 2
    assert "will cost the reseller" not in walker.go("/").text
    alert, _ = queries.alerts_of_prices(None)
    walker.go("/admin/alerts").submit(f"/admin/alerts/{alert.id}/acknowledge", note="they know")
    assert "they know" in walker.text


def test_long_lists_have_pages(app: Flask, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    _, top = tree.payers
    monkeypatch.setattr("sms.dashboard.alerts.views._PAGE", 1)
    make_asked(owner_id=top, operator_id=tree.shop.operator_id, network_id=IRANCELL, price_mrial=1_000_001)
    raise_to(tree, 1_400_000, at=clock.now())
    watching.watch()
    walker = signed_in(app, top).go("/alerts")
    first = walker.text
    older = walker.page.find("a", rel="next")
    assert older is not None
    walker.go(str(older["href"]))
    assert walker.text != first
    assert walker.page.find("a", rel="next") is None


@pytest.mark.parametrize("is_confirmed", [False, True])
@pytest.mark.parametrize("begins", [timedelta(0), DAY])
@pytest.mark.parametrize("language", ["en", "fa"])
def test_each_sentence_is_said_in_both_languages(
    app: Flask, tree: Tree, *, language: str, begins: timedelta, is_confirmed: bool
) -> None:
    _, top = tree.payers
    with transaction():
        execute("UPDATE billing_price_list SET is_below_cost_confirmed = :confirmed", confirmed=is_confirmed)
    raise_to(tree, 1_400_000, at=clock.now() + begins)
    watching.watch()
    for account_id, address in (
        (top, "/alerts"),
        (int(scalar("SELECT id FROM accounts_account WHERE kind = 'installation'")), "/admin/alerts"),
    ):
        walker = signed_in(app, account_id, language=language).go(address)
        assert "%(" not in walker.text
        assert ("1,200 rial" if language == "en" else "۱٬۲۰۰ ریال") in walker.text
