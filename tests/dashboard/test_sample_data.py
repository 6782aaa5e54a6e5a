"""Sample data: everything a newcomer needs, made once, and never where real customers are served."""

from dataclasses import replace

import pytest
from flask import Flask

from sms.accounts.queries import user_by_name
from sms.accounts.tree.queries import tree_page
from sms.billing.queries import price_list, refund_rules
from sms.core import clock
from sms.core.config import Settings, use
from sms.core.db import rows, scalar, transaction
from sms.core.seal import unseal
from sms.dashboard.operations import make_sample
from sms.dashboard.rules import (
    BRAND_HOST,
    BRAND_NAME,
    CUSTOMER,
    OPERATORS,
    SUBCUSTOMER,
    SUBRESELLER,
    Simulator,
    demo_recipients,
)
from sms.ledger.queries import balance
from sms.lines.own.queries import my_lines
from sms.lines.queries import usable_lines
from sms.operators.queries import any_gateway, gateways, networks
from sms.operators.rules import Outcome


def _run(app: Flask, *words: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=list(words))
    return done.exit_code, done.output


def _counts() -> dict[str, int]:
    tables = ("accounts_account", "accounts_user", "operators_gateway", "lines_line", "billing_tariff",
              "billing_refund_rule", "contacts_optout", "ledger_transfer", "accounts_audit")  # fmt: skip
    return {table: scalar(f"SELECT count(*) FROM {table}") for table in tables}  # noqa: S608 - names are our own


def test_a_second_start_changes_nothing(app: Flask, sample_mode: Settings) -> None:
    assert _run(app, "sample-data", "--json") == (0, '{"sample_data": "made"}\n')
    before = _counts()
    assert _run(app, "sample-data", "--json") == (0, '{"sample_data": "there already"}\n')
    assert _counts() == before


def test_the_sample_people_sign_in_with_the_sample_password(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    for username in ("admin", "reseller", "subreseller", "subcustomer", "customer"):
        browser = app.test_client()
        page = browser.get("/sign-in").get_data(as_text=True)
        token = page.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
        answer = browser.post(
            "/sign-in", data={"username": username, "password": "payamgah-sample", "csrf_token": token}
        )
        assert answer.status_code == 303, answer.get_data(as_text=True)
        assert browser.get("/").status_code == 200


def test_the_customer_can_send_at_once(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    customer = user_by_name(CUSTOMER.username)
    lines = {line.number: line for line in usable_lines(customer.account_id)}
    assert balance(customer.account_id) == CUSTOMER.money_mrial
    assert set(lines) == {"10004505", "20004505", "30004505", "50004505", "1000771210", "3000771201", "5000771205"}

    for line in lines.values():
        prices = price_list(
            account_id=customer.account_id, line_id=line.id, operator_id=line.operator_id, at=clock.now()
        )
        languages = {language for _, language in prices}
        assert languages == {"persian", "latin"}
        assert {network_id for network_id, _ in prices} == {network.id for network in networks()}
        assert all(price.price_mrial > price.cost_mrial > 0 for price in prices.values())


def test_the_reseller_has_a_tree_with_credit_a_line_and_a_brand(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    reseller, below, customer = (user_by_name(name).account_id for name in ("reseller", "subreseller", "subcustomer"))
    assert [each.id for each in tree_page(reseller, after_id=None, most=9)] == [below, customer]
    assert balance(below) == SUBRESELLER.money_mrial - SUBCUSTOMER.money_mrial
    assert balance(customer) == SUBCUSTOMER.money_mrial
    assert [line.number for line in my_lines(customer)] == ["2000330044"]
    page = app.test_client().get("/sign-in", base_url=f"http://{BRAND_HOST}:8000").get_data(as_text=True)
    assert BRAND_NAME in page


def test_an_older_sample_installation_gets_the_tree_too(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    with transaction():
        rows("UPDATE accounts_user SET username = 'was-' || username WHERE username LIKE 'sub%' RETURNING id")
        rows("DELETE FROM resellers_domain RETURNING id")
        rows("UPDATE ledger_wallet SET balance_mrial = 0 WHERE account_id = (SELECT account_id FROM accounts_user"
             " WHERE username = 'reseller') RETURNING id")  # fmt: skip
    assert _run(app, "sample-data", "--json") == (0, '{"sample_data": "there already"}\n')
    assert balance(user_by_name("subcustomer").account_id) == 0


def test_latin_costs_two_and_a_half_times_and_3000_is_the_cheaper_one(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    account_id = user_by_name(CUSTOMER.username).account_id
    prices = {
        line.operator_code: price_list(
            account_id=account_id, line_id=line.id, operator_id=line.operator_id, at=clock.now()
        )
        for line in usable_lines(account_id)
    }
    for listed in prices.values():
        for (network_id, language), price in listed.items():
            if language == "latin":
                assert price.price_mrial * 2 == listed[network_id, "persian"].price_mrial * 5
    assert all(prices["3000"][key].price_mrial < prices["2000"][key].price_mrial for key in prices["3000"])


def test_refunds_follow_the_founding_article(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    lines = usable_lines(user_by_name(CUSTOMER.username).account_id)
    found = refund_rules(line_ids=[line.id for line in lines], at=clock.now())
    for line in lines:
        blocked = found.rule(line_id=line.id, network_id=1, outcome=Outcome.BLOCKED)
        assert blocked is not None
        assert (blocked.percent, blocked.delay_seconds) == (100, 0)
        absent = found.rule(line_id=line.id, network_id=1, outcome=Outcome.NOT_IN_NETWORK)
        told = None if absent is None else (absent.percent, absent.delay_seconds)
        assert told == ((100, 48 * 3600) if line.operator_code == "2000" else None)
        assert found.rule(line_id=line.id, network_id=1, outcome=Outcome.UNDELIVERED) is None


def test_gateways_follow_the_simulator_to_its_new_address(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    use(replace(sample_mode, simulator_url="http://127.0.0.1:7777", simulator_smpp_url="smpp://127.0.0.1:7778"))
    assert _run(app, "sample-data")[0] == 0
    for gateway in gateways():
        sample = next(sample for sample in OPERATORS if sample.code == gateway.operator_code)
        path = sample.speech.path
        assert gateway.base_url == (f"http://127.0.0.1:7777{path}" if path else "smpp://127.0.0.1:7778")
        sealed = any_gateway(gateway.id).credentials_sealed
        assert unseal(bytes(sealed), seal_key=sample_mode.seal_key) == sample.speech.credentials


def test_where_no_simulator_speaks_smpp_there_is_no_operator_that_does(app: Flask, sample_mode: Settings) -> None:
    use(replace(sample_mode, simulator_smpp_url=""))
    _run(app, "sample-data")
    assert [gateway.operator_code for gateway in gateways()] == ["2000", "3000", "5000"]


def test_what_staff_changed_on_a_gateway_stays(app: Flask, sample_mode: Settings) -> None:
    _run(app, "sample-data")
    with transaction():
        rows("UPDATE operators_gateway SET concurrency = 3, polling_plan_seconds = '{7}' RETURNING id")
    use(replace(sample_mode, simulator_url="http://127.0.0.1:7777"))
    _run(app, "sample-data")
    assert {(gateway.concurrency, tuple(gateway.polling_plan_seconds)) for gateway in gateways()} == {(3, (7,))}


@pytest.mark.parametrize("mode", ["production", "test"])
def test_sample_data_are_refused_elsewhere(app: Flask, settings: Settings, mode: str) -> None:
    use(replace(settings, mode=mode, simulator_url="http://127.0.0.1:9"))  # type: ignore[arg-type]
    try:
        code, output = _run(app, "sample-data")
    finally:
        use(settings)
    assert code == 1
    assert "sample data" in output
    assert scalar("SELECT count(*) FROM accounts_user") == 0


def test_a_failure_half_way_leaves_nothing(app: Flask, sample_mode: Settings) -> None:
    with pytest.raises(ZeroDivisionError), transaction():  # noqa: PT012 - the failure comes after the work
        make_sample(mode="sample", simulator=Simulator("http://127.0.0.1:9"), seal_key="k", at=clock.now())
        raise ZeroDivisionError
    assert _run(app, "sample-data", "--json") == (0, '{"sample_data": "made"}\n')


def test_demo_recipients_are_all_different_and_cover_every_ending() -> None:
    made = list(demo_recipients(2000))
    assert len(set(made)) == 2000
    assert all(len(number) == 11 and number.startswith("09") for number in made)
    endings = [number[-2:] for number in made]
    assert {endings.count(f"{digits:02}") for digits in range(100)} == {20}
    assert list(demo_recipients(150)) == made[:150]
