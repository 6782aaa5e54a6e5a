"""The home pages, and the address that says whether the panel is alive."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import day_of, day_text, start_of_day
from sms.core.db import db
from sms.core.queue import connection
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import public, signed_in, visitor
from sms.core.web.htmx import STOP_POLLING, is_htmx, render_page
from sms.core.web.i18n import _, language
from sms.dashboard import queries
from sms.dashboard.alerts import queries as alert_queries
from sms.dashboard.alerts.rules import Kind
from sms.dashboard.alerts.views import shown
from sms.dashboard.queries import Fortnight
from sms.inbox.forwarding.queries import failing
from sms.ledger import queries as ledger
from sms.lines import queries as lines
from sms.lines.documents import queries as documents
from sms.lines.orders import queries as orders
from sms.lines.orders.rules import ORDER_LABELS, OrderState
from sms.lines.renewals import queries as renewals
from sms.lines.renewals.rules import STAGE_SENTENCES
from sms.operators import queries as operators
from sms.operators.health import queries as health_queries
from sms.operators.health.admin import shown_alert
from sms.operators.rules import OUTCOME_LABELS, STATE_LABELS, Outcome
from sms.outbox.queries import campaigns as outbox
from sms.outbox.queries.campaigns import CampaignFilter
from sms.outbox.rules import CAMPAIGN_LABELS, CampaignState
from sms.resellers.credit import queries as credit

log = logging.getLogger(__name__)
bp = Blueprint("dashboard", __name__)
nav.add(N_("Home"), endpoint="dashboard.home", icon="home", section="customer", order=10)

_LATEST = 6
_FEW_ALERTS = 10
_YEAR = 5  # characters of a day's text that name its year
_TONES = {
    Outcome.DELIVERED: "success",
    Outcome.BLOCKED: "warning",
    Outcome.NOT_IN_NETWORK: "info",
    Outcome.UNDELIVERED: "danger",
}


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """What matters now: an account's own, or for the staff the whole installation's."""
    return _staff() if visitor().account_kind == "installation" else _customer()


def _customer() -> Response:
    account_id, at = visitor().account_id, clock.now()
    latest = outbox.campaigns(account_id=account_id, narrowed=CampaignFilter(), most=_LATEST)
    fortnight = queries.fortnight(account_id=account_id, at=at)
    is_finished = all(campaign.state == CampaignState.CLOSED for campaign in latest)
    return render_page(
        "dashboard/home.html",
        fragment="live",
        status=STOP_POLLING if is_finished and is_htmx() else 200,
        wallet=ledger.wallet_of(account_id),
        today=outbox.today(account_id=account_id, since=start_of_day(day_of(at))),
        fortnight=fortnight,
        days=[(day_text(day.day, language())[_YEAR:], day.messages) for day in fortnight.days],
        outcomes=_shares(fortnight),
        held_up=queries.held_up(account_id=account_id, at=at),
        spending=[shown(alert) for alert in alert_queries.alerts_of_tree(account_id, since=at, most=_FEW_ALERTS)],
        losing_prices=alert_queries.count_prices(account_id),
        news=orders.news(account_id),
        order_labels={str(state): ORDER_LABELS[state] for state in OrderState},
        has_little=credit.has_little(account_id),
        low_below=credit.low_below(account_id) if visitor().may(Permission.MANAGE_SUB_ACCOUNTS) else [],
        ending=renewals.ending(account_id=account_id, at=at),
        failing=failing(account_id, at=at),
        stages=STAGE_SENTENCES,
        latest=latest,
        is_finished=is_finished,
        labels=CAMPAIGN_LABELS,
        lines=[] if latest else lines.usable_lines(account_id),
    )


def _shares(fortnight: Fortnight) -> list[tuple[int, str, str]]:
    """The outcomes as parts of a bar: (count, tone, label); the rare ones together."""
    parts = [(fortnight.outcomes[outcome], tone, _(OUTCOME_LABELS[outcome])) for outcome, tone in _TONES.items()]
    others = sum(count for outcome, count in fortnight.outcomes.items() if outcome not in _TONES)
    return [*parts, (others, "muted", _("Other outcomes"))]


def _staff() -> Response:
    return render_page(
        "dashboard/staff.html",
        alerts=[shown_alert(told) for told in health_queries.alerts(at=clock.now())],
        money_alerts=[shown(alert) for alert in _unseen()],
        backlog=queries.backlog(),
        gateways=operators.gateways(),
        gateway_labels=STATE_LABELS,
        labels=CAMPAIGN_LABELS,
        queued=queries.queued_by_gateway(),
        latest=queries.latest_campaigns(),
        waiting_orders=sum(orders.waiting_counts().values()),
        waiting_documents=documents.waiting_count(),
    )


def _unseen() -> list[Any]:
    """What of money nobody has acknowledged; low credit is among the alerts of the gateways already."""
    found = alert_queries.open_alerts(is_acknowledged=False, most=_FEW_ALERTS)
    return [alert for alert in found if alert.kind != Kind.CREDIT_LOW]


@bp.get("/health")
@public
def health() -> ResponseReturnValue:
    """Whether the database and Redis answer; 503 when one does not. For load balancers and watchers."""
    parts = {"database": _answers(queries.is_database_up), "redis": _answers(lambda: bool(connection().ping()))}
    is_well = all(parts.values())
    told = {name: "ok" if is_up else "down" for name, is_up in parts.items()}
    response = jsonify(status="ok" if is_well else "down", **told)
    response.status_code = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return response


def _answers(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("the database does not answer: %s", type(error).__name__)
    except RedisError as error:
        log.warning("redis does not answer: %s", type(error).__name__)
    return False
