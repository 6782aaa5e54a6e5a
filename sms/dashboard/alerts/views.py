"""Alerts in words; and the page on which an account sees those about itself and its sub-accounts."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.rules import LANGUAGE_LABELS, Language
from sms.core import clock
from sms.core.web.filters import digits, money_text, number_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page
from sms.core.web.i18n import _, language
from sms.dashboard.alerts import queries
from sms.dashboard.alerts.rules import KIND_LABELS, SENTENCES, TONES, Kind

bp = Blueprint("alerts", __name__)


def shown(alert: Any) -> dict[str, Any]:
    """An alert as pages show it: its sentence in the reader's language, its tone, its label."""
    kind = Kind(alert.kind)
    return {
        "at": alert,
        "label": _(KIND_LABELS[kind]),
        "tone": TONES[kind],
        "text": _(SENTENCES[kind], **_places(kind, alert.details)),
        "url": _where(kind, alert.subject),
    }


def _places(kind: Kind, details: Mapping[str, Any]) -> dict[str, str]:
    if kind is Kind.PRICE_BELOW_COST:
        network = details["network_fa"] if language() == "fa" else details["network_en"]
        line = details["line"]
        return {
            "scope": _("Line %(number)s", number=digits(line)) if line else digits(details["operator"]),
            "network": network or _("All networks"),
            "language": _(LANGUAGE_LABELS[Language(details["language"])]),
            "price": money_text(details["price_mrial"]),
            "cost": money_text(details["cost_mrial"]),
        }
    if kind is Kind.CREDIT_LOW:
        amounts = {name: money_text(details[f"{name}_mrial"]) for name in ("credit", "limit")}
        return {"gateway": _isolated(details["gateway"]), **amounts}
    return {
        "account": _isolated(details["account"]),
        "hours": number_text(details["hours"]),
        "spent": money_text(details["spent_mrial"]),
        "usual": money_text(details["usual_mrial"]),
    }


def _isolated(text: str) -> str:
    """What somebody wrote, so that it does not turn the words around it."""
    return f"\u2068{text}\u2069"


def _where(kind: Kind, subject: str) -> str:
    """The staff's page on which something can be done about it."""
    number = int(subject.partition(":")[2])
    if kind is Kind.PRICE_BELOW_COST:
        return url_for("billing_admin.tariffs")
    if kind is Kind.CREDIT_LOW:
        return url_for("operators_admin.gateway_health", gateway_id=number)
    return url_for("ledger_admin.account", account_id=number)


@bp.get("/alerts")
@require(Permission.VIEW_MONEY)
def own() -> ResponseReturnValue:
    """Spending that is, or lately was, far off its habit: one's own and that of one's sub-accounts."""
    found = queries.alerts_of_tree(visitor().account_id, since=clock.now() - queries.LATELY)
    return render_page("alerts/own.html", alerts=[shown(alert) for alert in found], own_id=visitor().account_id)
