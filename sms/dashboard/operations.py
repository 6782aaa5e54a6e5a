"""Writes the sample data: users to sign in as, money, simulated operators, lines, prices and refund rules."""

from datetime import datetime

from sms.accounts import operations as accounts
from sms.accounts import queries as account_queries
from sms.accounts.rules import SAMPLE_PASSWORD, By
from sms.billing import operations as billing
from sms.billing.operations import NewTariff
from sms.billing.rules import Language, Scope
from sms.billing.taxes import operations as taxes
from sms.billing.taxes.rules import TaxKind
from sms.billing.tiers import operations as tiers
from sms.billing.tiers.rules import Basis, TierAudience
from sms.billing.topups import queries as topup_queries
from sms.billing.topups.operations import settings as topup_settings
from sms.contacts import operations as contacts
from sms.core.actor import PANEL, Actor
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.dashboard.rules import (
    ADMIN,
    BRAND_COLOUR,
    BRAND_EMAIL,
    BRAND_HOST,
    BRAND_NAME,
    BRAND_PHONE,
    BRAND_SECOND_COLOUR,
    CUSTOMER,
    FREE_MESSAGES,
    INBOUND_EVERY_SECONDS,
    OPERATORS,
    OPTED_OUT,
    OWN_PHONES,
    PAYMENT_GATEWAY,
    POLLING_PLAN_SECONDS,
    REPORT_HORIZON_SECONDS,
    RESELLER,
    SAMPLE_TIERS,
    SAMPLE_VAT_PERMILLE,
    SUBCUSTOMER,
    SUBRESELLER,
    WORD,
    SampleOperator,
    SamplePerson,
    Simulator,
)
from sms.inbox.automations.operations import writing as automations
from sms.inbox.automations.rules.kinds import Kind, Result, Wanted
from sms.ledger import operations as ledger
from sms.ledger import queries as ledger_queries
from sms.lines import operations as lines
from sms.lines import queries as line_queries
from sms.lines.formats import operations as formats
from sms.lines.formats import queries as formats_queries
from sms.lines.formats.rules.offers import Cell, Offer
from sms.lines.formats.rules.sample import DISCOUNT_PERCENT, FORMATS, STEP_RIAL, sample_numbers
from sms.lines.formats.rules.sheet import Known
from sms.lines.formats.rules.tiers import Audience
from sms.lines.operations import LineSettings
from sms.lines.own import operations as own
from sms.lines.own import queries as own_queries
from sms.lines.public import operations as public
from sms.lines.public.rules import NewPolicy, Policy
from sms.lines.rules import LineKind
from sms.lines.stock import operations as stock
from sms.lines.stock.rules import read_item
from sms.operators import operations as operators
from sms.operators import queries as operator_queries
from sms.operators.rules import GatewaySettings, OnAbsent, SaleMode
from sms.resellers.brand import operations as brand
from sms.resellers.brand.operations import BrandSettings

_MCI = "mci"


def make_sample(*, mode: str, simulator: Simulator, seal_key: str, at: datetime) -> bool:
    """Make the sample data, or, where it is made already, only follow the simulator to its new address.

    Returns whether it was made. Raises Refusal unless this installation was started for sample data.
    """
    if mode != "sample" or not simulator.url:
        raise Refusal(N_("Sample data belongs only into an installation that was started with sample data."))
    if _is_made():
        _follow_simulator(simulator=simulator, seal_key=seal_key, at=at)
        _fill_shop(at=at)
        _offer_topups(simulator, seal_key=seal_key, at=at)
        _grow_tree(at=at)
        return False
    account_ids = _make_people(at=at)
    contacts.opt_out(
        account_id=account_ids[CUSTOMER.username], recipients=OPTED_OUT, line_id=None, reason="نمونه", at=at
    )
    _open_public_lines(account_ids[CUSTOMER.username], at=at)
    for sample in _offered(simulator):
        _make_operator(sample, account_ids, simulator=simulator, seal_key=seal_key, at=at)
    _answer_a_word(account_ids[CUSTOMER.username], at=at)
    _fill_shop(at=at)
    _offer_topups(simulator, seal_key=seal_key, at=at)
    _grow_tree(at=at)
    return True


def _open_public_lines(customer_id: int, *, at: datetime) -> None:
    """A new installation lets public lines be tried only; here everything is to be tried, also on them. The customer's
    phones are simulated like everything else, and vouched for."""
    public.add_policy(NewPolicy(Policy.ALLOWED, None, FREE_MESSAGES, at, "نمونه"), by=PANEL, at=at)
    public.add_verified(account_id=customer_id, recipients=OWN_PHONES, at=at)


def _answer_a_word(customer_id: int, *, at: datetime) -> None:
    """An automation on the customer's first line, to try it with."""
    lines_there = line_queries.account_lines(customer_id)
    if lines_there:
        wanted = Wanted(kind=Kind.KEYWORD, name=WORD.name, keywords=WORD.keywords, replies={Result.MATCHED: WORD.reply})
        owner = Actor(id=account_queries.user_by_name(CUSTOMER.username).id)
        automations.add(account_id=customer_id, line_id=lines_there[0].id, wanted=wanted, by=owner, at=at)


def _offered(simulator: Simulator) -> list[SampleOperator]:
    return [sample for sample in OPERATORS if sample.address(simulator)]


def _is_made(person: SamplePerson = CUSTOMER) -> bool:
    try:
        account_queries.user_by_name(person.username)
    except NotFound:
        return False
    return True


def _grow_tree(*, at: datetime) -> None:
    """A reseller below the reseller, with a customer, credit and a line from above, and a brand; once."""
    if _is_made(SUBRESELLER):
        return
    top_id = account_queries.user_by_name(RESELLER.username).account_id
    above_id = top_id
    for person in (SUBRESELLER, SUBCUSTOMER):
        account_id = _make_person(person, above_id, at=at)
        if (amount := min(person.money_mrial, ledger_queries.balance(above_id))) > 0:  # older sample data may be spent
            ledger.give(
                from_account_id=above_id,
                to_account_id=account_id,
                amount_mrial=amount,
                key=f"sample:{person.username}",
                reason="اعتبار نمونه",
                actor_id=None,
                at=at,
            )
        for line in own_queries.my_lines(above_id):
            own.hand_out(line_id=line.id, account_id=above_id, other_id=account_id, by=PANEL, at=at)
        above_id = account_id
    settings = BrandSettings(
        name=BRAND_NAME,
        main_colour=BRAND_COLOUR,
        second_colour=BRAND_SECOND_COLOUR,
        support_phone=BRAND_PHONE,
        support_email=BRAND_EMAIL,
    )
    by = By(actor_id=None, at=at)
    brand.set_brand(account_id=top_id, settings=settings, by=by)
    brand.put_domain(account_id=top_id, host=BRAND_HOST, by=by)


def _follow_simulator(*, simulator: Simulator, seal_key: str, at: datetime) -> None:
    """The simulator's port may be another one at each start."""
    known = {gateway.name: gateway for gateway in operator_queries.gateways()}
    for sample in _offered(simulator):
        gateway = known.get(sample.gateway_name)
        if gateway is None or gateway.base_url == sample.address(simulator):
            continue
        operators.change_gateway(
            gateway_id=gateway.id,
            settings=GatewaySettings(
                name=gateway.name,
                base_url=sample.address(simulator),
                batch_size=gateway.batch_size,
                concurrency=gateway.concurrency,
                timeout_seconds=gateway.timeout_seconds,
                slowest_accept_seconds=gateway.slowest_accept_seconds,
                lease_seconds=gateway.lease_seconds,
                polling_plan_seconds=tuple(gateway.polling_plan_seconds),
                report_horizon_seconds=gateway.report_horizon_seconds,
                inbound_every_seconds=gateway.inbound_every_seconds,
                lookup_after_seconds=gateway.lookup_after_seconds,
                on_absent=OnAbsent(gateway.on_absent),
            ),
            credentials=sample.speech.credentials,
            seal_key=seal_key,
            by=PANEL,
            at=at,
        )


def _offer_topups(simulator: Simulator, *, seal_key: str, at: datetime) -> None:
    """A payment page of the simulator, VAT and two tiers; where they are there already, only its address follows."""
    settings = topup_settings.GatewaySettings(
        name=PAYMENT_GATEWAY.name,
        base_url=simulator.url,
        is_sandbox=True,
        is_active=True,
        least_mrial=PAYMENT_GATEWAY.least_mrial,
        most_mrial=PAYMENT_GATEWAY.most_mrial,
    )
    known = topup_queries.gateways()
    if not known:
        topup_settings.add_gateway(
            adapter=PAYMENT_GATEWAY.adapter,
            settings=settings,
            credentials=PAYMENT_GATEWAY.credentials,
            seal_key=seal_key,
            actor_id=None,
            at=at,
        )
        taxes.add_tax(taxes.NewTax(TaxKind.VAT, SAMPLE_VAT_PERMILLE, "نمونه"), actor_id=None, at=at)
        for days, from_mrial, permille in SAMPLE_TIERS:
            step = tiers.NewStep(TierAudience.CUSTOMER, Basis.SUM, days, from_mrial, permille)
            tiers.add_step(step, actor_id=None, at=at)
    for gateway in known:
        if gateway.name == PAYMENT_GATEWAY.name and gateway.base_url != simulator.url:
            topup_settings.change_gateway(
                gateway_id=gateway.id,
                settings=settings,
                credentials=PAYMENT_GATEWAY.credentials,
                seal_key=seal_key,
                actor_id=None,
                at=at,
            )


def _make_people(*, at: datetime) -> dict[str, int]:
    """Accounts by the name of their owner; the installation's own may be there already."""
    made = {ADMIN.username: account_queries.find_root() or _make_person(ADMIN, None, at=at)}
    for person in (RESELLER, CUSTOMER):
        account_id = made[person.username] = _make_person(person, made[ADMIN.username], at=at)
        ledger.adjust(
            account_id=account_id,
            amount_mrial=person.money_mrial,
            key=f"sample:{person.username}",
            reason="موجودی نمونه",
            actor_id=None,
            at=at,
        )
    return made


def _make_person(person: SamplePerson, parent_id: int | None, *, at: datetime) -> int:
    account_id, _ = accounts.create_account(
        parent_id=parent_id,
        kind=person.kind,
        name=person.account_name,
        username=person.username,
        password=SAMPLE_PASSWORD,
        full_name=person.full_name,
        mobile=person.mobile,
        actor_id=None,
        at=at,
    )
    return account_id


def _make_operator(
    sample: SampleOperator, account_ids: dict[str, int], *, simulator: Simulator, seal_key: str, at: datetime
) -> None:
    operator_id = operators.add_operator(
        code=sample.code, names=sample.names, colour=sample.colour, sale_mode=SaleMode.SINGLE, by=PANEL, at=at
    )
    gateway_id = operators.add_gateway(
        operator_id=operator_id,
        adapter=sample.speech.adapter,
        settings=_settings(sample, simulator),
        credentials=sample.speech.credentials,
        seal_key=seal_key,
        by=PANEL,
        at=at,
    )
    owner_id = account_ids[sample.line_owner]
    for number, kind, account_id, alias in (
        (sample.public_line, LineKind.PUBLIC, None, ""),
        (sample.dedicated_line, LineKind.DEDICATED, owner_id, sample.line_alias),
    ):
        lines.add_line(
            number=number,
            operator_id=operator_id,
            gateway_id=gateway_id,
            kind=kind,
            account_id=account_id,
            settings=LineSettings(alias=alias),
            by=PANEL,
            at=at,
        )
    _make_prices(sample, operator_id, at=at)


def _settings(sample: SampleOperator, simulator: Simulator) -> GatewaySettings:
    return GatewaySettings(
        name=sample.gateway_name,
        base_url=sample.address(simulator),
        batch_size=sample.speech.batch_size,
        concurrency=sample.concurrency,
        timeout_seconds=4.0,
        slowest_accept_seconds=1.0,
        lease_seconds=12.0,
        polling_plan_seconds=POLLING_PLAN_SECONDS,
        report_horizon_seconds=REPORT_HORIZON_SECONDS,
        inbound_every_seconds=INBOUND_EVERY_SECONDS,
        lookup_after_seconds=5.0,
        on_absent=sample.speech.on_absent,
        own=sample.speech.own or None,
    )


def _make_prices(sample: SampleOperator, operator_id: int, *, at: datetime) -> None:
    networks = {network.code: network.id for network in operator_queries.networks()}
    for language, is_mci_only, price_mrial, cost_mrial in sample.prices():
        network_id = networks[_MCI] if is_mci_only else None
        scope = Scope(operator_id=operator_id, network_id=network_id)
        tariff = NewTariff(scope, Language(language), price_mrial=price_mrial, cost_mrial=cost_mrial)
        billing.add_tariff(tariff, actor_id=None, at=at)
    billing.add_default_refund_rules(
        operator_id=operator_id, refunds_not_in_network=sample.refunds_not_in_network, actor_id=None, at=at
    )


def _fill_shop(*, at: datetime) -> None:
    """Put lines on sale, with their prices and some free numbers, unless anything is on sale already."""
    sellers = [each for each in formats_queries.sellers(at) if each.code in FORMATS]
    if any(each.formats for each in formats_queries.sellers(at)):
        return
    offers: dict[Cell, Offer] = {}
    for seller in sellers:
        for each in FORMATS[seller.code]:
            formats.set_format(operator_id=seller.id, wanted=each.format, valid_from=None, by=PANEL, at=at)
            offers |= dict(each.offers(seller.id))
    formats.set_prices(offers, by=PANEL, at=at, note="نمونه")
    for audience, percent in DISCOUNT_PERCENT.items():
        formats.derive_prices(
            operator_id=None,
            source=Audience.CUSTOMER,
            target=audience,
            percent=percent,
            step_rial=STEP_RIAL,
            by=PANEL,
            at=at,
        )
    known = [Known(each.id, each.code, each.formats) for each in formats_queries.sellers(at)]
    items = [read_item(text, known) for seller in sellers for text in sample_numbers(seller.code)]
    stock.add_numbers(items, by=PANEL, at=at)
