"""Alerts in words; and the page on which an account sees those about itself, its prices and its sub-accounts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.rules import LANGUAGE_LABELS, Language
from sms.core import clock
from sms.core.web.filters import day_text, digits, money_text, number_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page
from sms.core.web.i18n import _, language
from sms.dashboard.alerts import queries
from sms.dashboard.alerts.rules import COMING, KIND_LABELS, OWN_SENTENCES, SENTENCES, TONES, Kind

bp = Blueprint("alerts", __name__)
_PAGE = 50


def shown(alert: Any) -> dict[str, Any]:
    """An alert as pages show it: its sentence in the reader's language, its tone, its label."""
    kind = Kind(alert.kind)
    return {
        "at": alert,
        "label": _(KIND_LABELS[kind]),
        "tone": TONES[kind],
        "text": _(COMING if alert.details.get("begins_at") else SENTENCES[kind], **_places(kind, alert.details)),
        "url": _where(kind, alert),
    }


def shown_price(alert: Any) -> dict[str, Any]:
    """An alert of a price of one's own, as its reseller reads it, with where it stands and where another is set."""
    details, price_id = alert.details, _number(alert.subject)
    places = _places(Kind.ASKED_BELOW_COST, details)
    may = visitor().may(Permission.MANAGE_SUB_ACCOUNTS)
    return {
        "at": alert,
        "label": _("Coming") if details["begins_at"] else _("In force"),
        "tone": TONES[Kind.ASKED_BELOW_COST],
        "text": _(OWN_SENTENCES[bool(details["begins_at"]), details["is_confirmed"]], **places),
        "url": url_for("price_lists.prices", before=price_id + 1, _anchor=f"price-{price_id}") if may else None,
        "new_url": url_for("price_lists.new_price", **details["key"]) if may and not alert.until else None,
    }


def _places(kind: Kind, details: Mapping[str, Any]) -> dict[str, str]:
    if kind is Kind.PRICE_BELOW_COST:
        network = details["network_fa"] if language() == "fa" else details["network_en"]
        return {
            "scope": _scope(details),
            "network": network or _("All networks"),
            "language": _(LANGUAGE_LABELS[Language(details["language"])]),
            "price": money_text(details["price_mrial"]),
            "cost": money_text(details["cost_mrial"]),
        }
    if kind is Kind.ASKED_BELOW_COST:
        return _asked_places(details)
    if kind is Kind.CREDIT_LOW:
        amounts = {name: money_text(details[f"{name}_mrial"]) for name in ("credit", "limit")}
        return {"gateway": _isolated(details["gateway"]), **amounts}
    return {
        "account": _isolated(details["account"]),
        "hours": number_text(details["hours"]),
        "spent": money_text(details["spent_mrial"]),
        "usual": money_text(details["usual_mrial"]),
    }


def _asked_places(details: Mapping[str, Any]) -> dict[str, str]:
    names = [each["fa" if language() == "fa" else "en"] for each in details["networks"]]
    cost = money_text(details["cost_mrial"])
    return {
        "owner": _isolated(details["owner"]),
        "scope": _scope(details),
        "network": _(", ").join(names) or _("all networks"),
        "language": _(LANGUAGE_LABELS[Language(details["language"])]) if details["language"] else _("both languages"),
        "account": _isolated(details["account"]) if details["account"] else _("all sub-accounts"),
        "price": money_text(details["price_mrial"]),
        "cost": _("up to %(amount)s", amount=cost) if details["is_highest"] else cost,
        "begins": day_text(datetime.fromisoformat(details["begins_at"])) if details["begins_at"] else "",
    }


def _scope(details: Mapping[str, Any]) -> str:
    line = details["line"]
    return (
        _("Line %(number)s", number=digits(line)) if line else _("Operator %(code)s", code=digits(details["operator"]))
    )


def _isolated(text: str) -> str:
    """What somebody wrote, so that it does not turn the words around it."""
    return f"\u2068{text}\u2069"


def _number(subject: str) -> int:
    return int(subject.partition(":")[2])


def _where(kind: Kind, alert: Any) -> str:
    """The staff's page on which something can be done about it."""
    if kind is Kind.PRICE_BELOW_COST:
        return url_for("billing_admin.tariffs")
    if kind is Kind.CREDIT_LOW:
        return url_for("operators_admin.gateway_health", gateway_id=_number(alert.subject))
    return url_for("ledger_admin.account", account_id=alert.account_id)


@bp.get("/alerts")
@require(Permission.VIEW_MONEY)
def own() -> ResponseReturnValue:
    """One's own prices below what one pays; and spending that is, or lately was, far off its habit: one's own and that
    of one's sub-accounts."""
    account_id, since, before = visitor().account_id, clock.now() - queries.LATELY, before_id("before")
    prices = queries.alerts_of_prices(account_id, since=since, before=before, most=_PAGE + 1)
    return render_page(
        "alerts/own.html",
        prices=[shown_price(alert) for alert in prices[:_PAGE]],
        older=prices[_PAGE - 1].id if len(prices) > _PAGE else None,
        before=before,
        alerts=[shown(alert) for alert in queries.alerts_of_tree(account_id, since=since)],
    )


def before_id(name: str) -> int | None:
    """The id below which a page of alerts begins, of the address; None for the first page."""
    found = request.args.get(name, type=int)
    return found if found and 0 < found < 2**63 else None
