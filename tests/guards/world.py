"""A small world in which every page has something to show, and visitors from all over the tree who knock at every door.

Two resellers, one with a reseller and two customers below it, the other with one; and the installation's staff.
"""

import io
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from sms.accounts.operations import token_hash
from sms.billing.invoices import operations as invoices
from sms.billing.invoices.rules import LineKind
from sms.billing.slips import operations as slips
from sms.billing.slips.rules import Bank
from sms.billing.tiers import operations as tiers
from sms.billing.tiers.rules import Basis, TierAudience
from sms.billing.topups.operations import settings as topup_settings
from sms.billing.topups.operations import starting
from sms.contacts import operations as contacts
from sms.contacts.imports import operations as imports
from sms.core import clock
from sms.core.actor import Actor
from sms.core.calendar import day_of
from sms.core.db import execute, row, scalar, transaction
from sms.core.seal import seal
from sms.core.web.guards import PUBLIC, SIGNED_IN, guard_of
from sms.dashboard.alerts import operations as alerts
from sms.dashboard.alerts.rules import Kind, Noticed
from sms.dashboard.reconciliation.operations import comparing, credit, statements
from sms.dashboard.reconciliation.rules import day_number
from sms.inbox.automations.operations import lists, running, writing
from sms.inbox.automations.rules.kinds import Kind as Doing
from sms.inbox.automations.rules.kinds import Wanted as Automatic
from sms.inbox.automations.rules.matching import Way
from sms.inbox.forwarding.operations import deliveries, hooks
from sms.inbox.labels import operations as labels
from sms.inbox.operations import arriving, pushing
from sms.lines.documents import operations as documents
from sms.lines.documents.rules import DocumentKind
from sms.lines.formats import operations as formats
from sms.lines.formats.rules.offers import Cell, Format, priced
from sms.lines.formats.rules.sheet import Known, Read
from sms.lines.formats.rules.tiers import Audience, Choice, Tier
from sms.lines.links import operations as line_links
from sms.lines.orders.operations import placing
from sms.lines.orders.rules import Wanted
from sms.lines.stock import operations as stock
from sms.lines.stock.rules import read_numbers
from sms.links import operations as links
from sms.links.rules.links import NewLink
from sms.operators.contract import InboundText
from sms.operators.inbound import operations as inbound
from sms.operators.push import operations as push
from tests.factories import (
    Shop,
    make_account,
    make_asked,
    make_campaign,
    make_gateway,
    make_line,
    make_root,
    make_shop,
)

VISITORS = (
    *("anonymous", "customer", "sibling", "stranger"),
    *("reseller", "subreseller", "other_reseller", "admin"),
)
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
SENDER = "989121234567"
_SPENT = {"account": "Shop", "spent_mrial": 9, "usual_mrial": 1, "hours": 3}
CREDENTIALS = {"username": "u", "domain": "d", "password": "p"}


@dataclass(frozen=True, slots=True)
class World:
    """`ids` by the name of a route's variable: each belongs to the customer, to the reseller above, or to the house."""

    app: Flask
    shop: Shop
    ids: Mapping[str, int | str]
    users: Mapping[str, int]

    def browser(self, visitor: str) -> FlaskClient:
        """A browser in which this visitor is signed in."""
        browser = self.app.test_client()
        if visitor != "anonymous":
            token = _session(self.users[visitor])
            with browser.session_transaction() as session:
                session["_user_id"], session["_fresh"] = token, True
        return browser

    def address(self, rule: Rule) -> str:
        """A route's address with the world's ids in it."""
        with self.app.test_request_context():
            url: str = self.app.url_map.bind("localhost").build(rule.endpoint, {n: self.ids[n] for n in rule.arguments})
        return url


def routes(app: Flask) -> Iterator[Rule]:
    """Every route but the static files, in order."""
    yield from sorted((rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"), key=str)


def guard(app: Flask, endpoint: str) -> str | None:
    """What stands before an endpoint."""
    with app.app_context():
        return guard_of(endpoint)


def may_pass(world: World, visitor: str, rule: Rule) -> bool:
    """Whether the visitor's role opens this route; whose the object is, is another question."""
    stands = guard(world.app, rule.endpoint)
    if stands == PUBLIC:
        return True
    if visitor == "anonymous" or stands is None:
        return False
    return stands == SIGNED_IN or stands in PERMISSIONS[visitor]


_CUSTOMER = {"messages.send", "messages.view", "lines.view", "money.view", "account.manage"}
_STAFF = _CUSTOMER | {
    *("operators.manage", "lines.manage", "prices.manage", "customers.manage", "money.manage", "messages.manage"),
    "audit.view",
}
_RESELLER = _CUSTOMER | {"sub_accounts.manage"}
PERMISSIONS = {
    **dict.fromkeys(("customer", "sibling", "stranger"), _CUSTOMER),
    **dict.fromkeys(("reseller", "subreseller", "other_reseller"), _RESELLER),
    "admin": _STAFF,
}


_BOTH_PARTIES = {"invoices.invoice", "invoices.pdf"}  # whom it is made out to, and in whose name it was issued
_NOBODYS = ("/admin", "/hooks", "/l/", "/payments", "/.well-known")


def is_tenants(rule: Rule) -> bool:
    """Whether the route shows something that belongs to one account."""
    return bool(rule.arguments) and not rule.rule.startswith(_NOBODYS)


def whose(rule: Rule) -> set[str]:
    """The only visitors to whom what a tenants' route names may be shown."""
    if rule.endpoint in _BOTH_PARTIES:
        return {"customer", "reseller"}
    return {"reseller"} if rule.rule.startswith(("/reseller", "/customers")) else {"customer"}


def csrf_token(browser: FlaskClient) -> str:
    """A token as this browser's own pages carry it."""
    for page in ("/sign-in", "/account"):
        if found := _TOKEN.search(browser.get(page).get_data(as_text=True)):
            return found.group(1)
    raise AssertionError("no page with a token")


def make_world(app: Flask) -> World:
    """Make it: a customer with a closed send and an open draft, a stranger, a reseller, the staff."""
    shop = make_shop(credentials_sealed=seal(CREDENTIALS, seal_key="a seal that only tests know"))
    tenants = _tree(shop)
    dedicated = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    make_gateway(operator_code="2000")
    campaign_id = make_campaign(shop)
    batch_id = _park(make_campaign(shop, size=1))
    with transaction():
        token = push.renew(gateway_id=shop.gateway_id, by=Actor(), at=clock.now())
        admin = scalar(
            "INSERT INTO accounts_user (account_id, username, password_hash, role, created_at, password_changed_at)"
            " VALUES (:account, 'staff', 'x', 'owner', now(), now()) RETURNING id",
            account=make_root(),
        )
        draft_id = scalar(
            "INSERT INTO outbox_draft (account_id, user_id, line_id, body, source, state, rows_read, created_at)"
            " VALUES (:account, :user, :line, 'hello', 'typed', 'failed', 0, now()) RETURNING id",
            account=shop.account_id,
            user=shop.user_id,
            line=shop.line_id,
        )
        comparison_id = scalar(
            "INSERT INTO outbox_comparison (account_id, user_id, body, begun_at)"
            " VALUES (:account, :user, 'hello', now()) RETURNING id",
            account=shop.account_id,
            user=shop.user_id,
        )
        execute(
            "INSERT INTO outbox_comparison_line (comparison_id, line_id, campaign_id) VALUES (:id, :line, :campaign)",
            id=comparison_id,
            line=shop.line_id,
            campaign=campaign_id,
        )
    _price(shop.operator_id, int(admin))
    with transaction():
        domain_id = scalar(
            "INSERT INTO resellers_domain (account_id, host, proof, asked_at)"
            " SELECT account_id, 'localhost', 'proof', now() FROM accounts_user WHERE id = :reseller RETURNING id",
            reseller=tenants["reseller"],
        )
    found = row(
        """SELECT (SELECT min(id) FROM outbox_message WHERE campaign_id = :id) AS message_id,
                  (SELECT max(id) FROM billing_tariff) AS tariff_id,
                  (SELECT max(id) FROM billing_refund_rule) AS rule_id,
                  (SELECT max(id) FROM lines_price_change) AS change_id,
                  (SELECT max(id) FROM lines_import WHERE kind = 'prices') AS import_id,
                  (SELECT max(id) FROM lines_import WHERE kind = 'numbers') AS list_id,
                  (SELECT max(id) FROM lines_number) AS number_id,
                  (SELECT max(id) FROM lines_needed_document) AS needed_id,
                  (SELECT max(id) FROM links_domain) AS target_domain_id,
                  (SELECT max(id) FROM links_agent) AS agent_id,
                  (SELECT max(id) FROM ledger_transfer) AS transfer_id""",
        id=campaign_id,
    )
    assert found is not None
    order_id, document_id = _order(shop)
    group_id, reading_id = _contacts(shop)
    with transaction():
        label_id = labels.add_label(account_id=shop.account_id, name="urgent", colour="red", at=clock.now())
    secret = _texts(shop, line_id=dedicated)
    billed = _bill(shop)
    permission_id, link_id, code = _link(shop)
    by_itself = _automations(shop, line_id=dedicated)
    ids: dict[str, Any] = {
        "account_id": shop.account_id,
        "user_id": shop.user_id,
        "operator_id": shop.operator_id,
        "gateway_id": shop.gateway_id,
        "line_id": dedicated,
        "campaign_id": campaign_id,
        "batch_id": batch_id,
        "draft_id": draft_id,
        "order_id": order_id,
        "document_id": document_id,
        "group_id": group_id,
        "label_id": label_id,
        "reading_id": reading_id,
        "comparison_id": comparison_id,
        "asked_id": make_asked(
            owner_id=make_account(kind="reseller")[0], operator_id=shop.operator_id, markup_permille=100
        ),
        "token": token,
        "secret": secret,
        "sender": SENDER,
        **_differing(shop),
        **billed,
        "domain_id": domain_id,
        "proof": "proof",
        "permission_id": permission_id,
        "link_id": link_id,
        "code": code,
        **by_itself,
        **found._mapping,
    }
    users = {"customer": shop.user_id, "admin": int(admin), **tenants}
    return World(app, shop, ids, users)


def _texts(shop: Shop, *, line_id: int) -> str:
    """A text to the customer's line, one to a public line; and the secret of the address the operator pushes to."""
    with transaction():
        number = scalar("SELECT number FROM lines_line WHERE id = :id", id=line_id)
        public = scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id)
        texts = [InboundText(SENDER, line, "hello", None) for line in (number, public)]
        inbound.keep(texts, gateway_id=shop.gateway_id, at=clock.now())
        arriving.take_arrived(most=10)
        return pushing.renew(line_id=line_id, by=Actor(), at=clock.now())


def _differing(shop: Shop) -> dict[str, int]:
    """A purchase of credit, a statement that differs from us, and an alert."""
    day = day_of(clock.now())
    lines = [["ref", "cost"], ["nobody", "600"]]
    with transaction():
        purchase = credit.buy_credit(
            gateway_id=shop.gateway_id, amount_mrial=10**6, bought_at=clock.now(), by=Actor(), at=clock.now()
        )
        statement = statements.keep_statement(
            enumerate(lines, start=1),
            gateway_id=shop.gateway_id,
            day=day,
            file_name="s.csv",
            by=Actor(),
            at=clock.now(),
        )
    with transaction():
        comparing.compare(statement_id=statement, at=clock.now())
    with transaction():
        alerts.note(Kind.SPEND_HIGH, [Noticed(f"account:{shop.account_id}", shop.account_id, _SPENT)], at=clock.now())
    return {
        "number": day_number(day),
        "purchase_id": purchase,
        "statement_id": statement,
        "difference_id": int(scalar("SELECT min(id) FROM dashboard_difference")),
        "alert_id": int(scalar("SELECT min(id) FROM dashboard_alert")),
    }


def _bill(shop: Shop) -> dict[str, Any]:
    """What billing has of the house and of the customer, by the names of routes' variables."""
    at = clock.now()
    settings = topup_settings.GatewaySettings("pay", "http://127.0.0.1:9", True, True, 1000, 10**12)
    with transaction():
        step = tiers.NewStep(TierAudience.CUSTOMER, Basis.SUM, 90, 10**9, 50)
        tier_id = tiers.add_step(step, actor_id=None, at=at)
        gateway_id = topup_settings.add_gateway(
            adapter="simulated",
            settings=settings,
            credentials={"merchant_id": "m"},
            seal_key="a seal that only tests know",
            actor_id=None,
            at=at,
        )
        topup = starting.start(
            account_id=shop.account_id, user_id=shop.user_id, gateway_id=gateway_id, amount_mrial=10**9, at=at
        )
        starting.note_begun(topup_id=topup.id, authority="A1")
    handed_in = _slips(shop)
    with transaction():
        paid = invoices.PaidIn(
            kind=LineKind.SLIP,
            id=handed_in["own_slip_id"],
            seller_id=int(scalar("SELECT parent_id FROM accounts_account WHERE id = :id", id=shop.account_id)),
            account_id=shop.account_id,
            amount_mrial=10**9,
            vat_permille=100,
            vat_mrial=10**8,
        )
        invoice_id = invoices.issue_for_payment(paid, actor_id=None, at=at)
    return {
        "tier_id": tier_id,
        "payment_gateway_id": gateway_id,
        "topup_id": topup.id,
        "payment_token": topup.token,
        **handed_in,
        "invoice_id": invoice_id,
        "paper_language": "fa",
    }


def _slips(shop: Shop) -> dict[str, int]:
    """A slip of the customer, which the reseller approves, and one that the house approves."""
    made = []
    for account_id, user_id in ((shop.account_id, shop.user_id), make_account()[:2]):
        wanted = slips.NewSlip(
            bank=Bank.MELLI,
            tracking="77",
            paid_on=day_of(clock.now()),
            total_mrial=10**9,
            file_name="slip.pdf",
            stream=io.BytesIO(b"%PDF-1.7\n%%EOF\n"),
        )
        with transaction():
            made.append(slips.hand_in(account_id=account_id, wanted=wanted, by=Actor(id=user_id), at=clock.now()))
    return {"own_slip_id": made[0], "customers_slip_id": made[0], "slip_id": made[1]}


def _tree(shop: Shop) -> dict[str, int]:
    """Users of the accounts around the customer, who is put below the reseller beside a sibling and a sub-reseller."""
    reseller_id, reseller, _ = make_account(kind="reseller")
    other_id, other, _ = make_account(kind="reseller")
    with transaction():
        execute(
            "UPDATE accounts_account a SET parent_id = p.id, path = p.path || a.id || '.' FROM accounts_account p"
            " WHERE p.id = :parent AND a.id = :id",
            parent=reseller_id,
            id=shop.account_id,
        )
    subreseller_id, subreseller, _ = make_account(kind="reseller", parent_id=reseller_id)
    make_account(parent_id=subreseller_id)
    return {
        "reseller": reseller,
        "subreseller": subreseller,
        "sibling": make_account(parent_id=reseller_id)[1],
        "other_reseller": other,
        "stranger": make_account(parent_id=other_id)[1],
    }


def _contacts(shop: Shop) -> tuple[int, int]:
    """A group of the customer's, and the list that was read into it."""
    with transaction():
        group_id = contacts.add_group(account_id=shop.account_id, name="friends", at=clock.now())
        stream = io.BytesIO(f"{SENDER},Sara\nnobody".encode())
        reading_id = imports.begin(
            account_id=shop.account_id, user_id=shop.user_id, group_id=group_id, stream=stream, at=clock.now()
        )
    return group_id, reading_id


def _automations(shop: Shop, *, line_id: int) -> dict[str, int | str]:
    """A code reader with a winner, a membership, and an address that a text goes on to."""
    by, at, account_id = Actor(id=shop.user_id), clock.now(), shop.account_id
    with transaction():
        wanted = Automatic(kind=Doing.CODES, name="codes", way=Way.ANY)
        reader = writing.add(account_id=account_id, line_id=line_id, wanted=wanted, by=by, at=at)
        club = Automatic(kind=Doing.CLUB, name="club", keywords=("join",))
        club_id = writing.add(account_id=account_id, line_id=line_id, wanted=club, by=by, at=at)
        table = [(1, ["hello"])]
        lists.import_codes(account_id=account_id, automation_id=reader, table=table, by=by, at=at)
        hook_id, _ = hooks.add(
            account_id=account_id,
            line_id=line_id,
            name="ours",
            url="https://example.com/texts",
            takes_all=True,
            seal_key="a seal that only tests know",
            by=by,
            at=at,
        )
        text_id = scalar("SELECT max(id) FROM inbox_message WHERE account_id = :id", id=account_id)
        running.await_looks(text_ids=[text_id])
        running.run(most=10, at=at)
        deliveries.queue_all(text_ids=[text_id])
        draw_id = lists.draw_winners(account_id=account_id, automation_id=reader, seed="x", count=1, by=by, at=at)
        delivery_id = int(scalar("SELECT max(id) FROM inbox_delivery"))
    return {
        "automation_id": reader,
        "club_id": club_id,
        "draw_id": draw_id,
        "hook_id": hook_id,
        "delivery_id": delivery_id,
        "kind": "poll",
    }


def _order(shop: Shop) -> tuple[int, int]:
    """An inquiry of the customer and a document handed in for it."""
    by = Actor(id=shop.user_id)
    with transaction():
        wanted = Wanted(operator_id=shop.operator_id, digits=8, wish="a round one")
        order_id = placing.place(account_id=shop.account_id, wanted=wanted, key="world", by=by, at=clock.now())
        document = documents.NewDocument(
            kind=DocumentKind.LETTER,
            file_name="letter.pdf",
            stream=io.BytesIO(b"%PDF-1.7\n%%EOF\n"),
            national_code="0012345679",
            order_id=order_id,
        )
        document_id = documents.upload(
            account_id=shop.account_id,
            wanted=document,
            seal_key="a seal that only tests know",
            by=by,
            at=clock.now(),
        )
    return order_id, document_id


def _link(shop: Shop) -> tuple[int, int, str]:
    """A permission of the customer to send links, and a link with its code."""
    by = Actor(id=shop.user_id)
    with transaction():
        permission_id = line_links.permit(
            account_id=shop.account_id, line_number="", reason="letter 1", expires_at=None, by=by, at=clock.now()
        )
        wanted = NewLink(target="https://example.ir/sale")
        link_id = links.add_link(account_id=shop.account_id, wanted=wanted, by=by, at=clock.now())
        return permission_id, link_id, str(scalar("SELECT code FROM links_link WHERE id = :id", id=link_id))


def _park(campaign_id: int) -> int:
    """Make a message of unknown fate wait for a person; returns its batch."""
    with transaction():
        return int(
            scalar(
                """WITH lost AS (
                       UPDATE outbox_batch SET state = 'submitted', wire_at = now(), submitted_at = now(),
                           unknown_count = 1, attempt = 1
                       WHERE campaign_id = :id RETURNING *)
                   INSERT INTO outbox_unknown (message_id, batch_id, campaign_id, gateway_id, attempt, wire_at)
                   SELECT first_id, id, campaign_id, gateway_id, attempt, wire_at FROM lost RETURNING batch_id""",
                id=campaign_id,
            )
        )


def _price(operator_id: int, user_id: int) -> None:
    """Put a length on sale with a price, and read a price file."""
    actor = Actor(id=user_id)
    cell = Cell(operator_id, 8, Tier.PLAIN, Choice.ASSIGNED, Audience.CUSTOMER)
    with transaction():
        formats.set_format(operator_id=operator_id, wanted=Format(digits=8), valid_from=None, by=actor, at=clock.now())
        formats.set_prices({cell: priced(10**9)}, by=actor, at=clock.now())
        formats.keep_import(read=Read({cell: priced(10**9 * 2)}), file_name="prices.xlsx", by=actor, at=clock.now())
        read = read_numbers([(1, ["30001404"])], [Known(operator_id, "3000", [Format(digits=8)])])
        stock.add_numbers(list(read.items.values()), by=actor, at=clock.now())
        stock.keep_import(read=read, file_name="numbers.csv", by=actor, at=clock.now())


def _session(user_id: int) -> str:
    token = secrets.token_urlsafe(32)
    with transaction():
        execute(
            "INSERT INTO accounts_session (token_hash, user_id, created_at, seen_at, expires_at)"
            " VALUES (:hash, :user, :at, :at, CAST(:at AS timestamptz) + interval '1 hour')",
            hash=token_hash(token),
            user=user_id,
            at=clock.now(),
        )
    return token
