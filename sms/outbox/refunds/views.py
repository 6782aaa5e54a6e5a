"""What comes back to an account by rule: what is due and when, what was posted on a day; and the causes of what stands
in its statement."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.rules import Refund
from sms.core import clock
from sms.core.text import N_
from sms.core.web import nav, subjects
from sms.core.web.filters import number_text, phone_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page
from sms.core.web.i18n import _, localised
from sms.core.web.subjects import Cause
from sms.ledger.rules import TransferKind
from sms.operators.rules import OUTCOME_LABELS, Outcome
from sms.outbox.refunds import queries
from sms.outbox.refunds.forms import PostedForm
from sms.outbox.refunds.queries import RefundFilter

bp = Blueprint("refunds", __name__)
PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FURTHEST_MICROSECONDS = 10**16

nav.add(
    N_("Refunds"),
    endpoint="refunds.due",
    icon="receipt-refund",
    section="customer",
    permission=Permission.VIEW_MONEY,
    order=62,
)


def place_of(moment: datetime, number: int) -> str:
    """A place in a list by moment and number, as addresses carry it."""
    return f"{(moment - _EPOCH) // timedelta(microseconds=1)}-{number}"


def place() -> tuple[datetime, int] | None:
    """The place the address names; None where it names none that can be."""
    first, _dash, second = request.args.get("from", "").partition("-")
    if not (first.isascii() and first.isdecimal() and second.isascii() and second.isdecimal()):
        return None
    if int(first) > _FURTHEST_MICROSECONDS or int(second) >= 2**63:
        return None
    return _EPOCH + timedelta(microseconds=int(first)), int(second)


Address = Callable[..., str]


def paged(found: Sequence[Any], address: Address, *, by: str, number: str) -> dict[str, Any]:
    """A page of a list that was read one row too far, and the addresses of the next and of the first."""
    shown = found[:PAGE]
    next_place = place_of(getattr(shown[-1], by), getattr(shown[-1], number)) if len(found) > PAGE else None
    return {
        "refunds": shown,
        "next_url": address(**{"from": next_place}) if next_place else None,
        "first_url": address() if place() else None,
    }


@bp.get("/wallet/refunds")
@require(Permission.VIEW_MONEY)
def due() -> ResponseReturnValue:
    """What will come back, and when."""
    narrowed = RefundFilter(visitor().account_id)
    found = queries.due(narrowed, after=place(), most=PAGE + 1)
    return render_page(
        "outbox/refunds_due.html",
        sums=queries.due_sums(narrowed),
        **paged(found, lambda **more: url_for(".due", **more), by="due_at", number="message_id"),
    )


@bp.get("/wallet/refunds/posted")
@require(Permission.VIEW_MONEY)
def posted() -> ResponseReturnValue:
    """What came back on a day, by send and rule."""
    form = PostedForm.read()
    at = clock.now()
    narrowed = RefundFilter(visitor().account_id)
    found = queries.posted(narrowed, **form.bounds(at), before=place(), most=PAGE + 1)
    return render_page(
        "outbox/refunds_posted.html",
        form=form,
        day=form.chosen(at),
        sums=queries.posted_sums(narrowed, **form.bounds(at)),
        **paged(found, lambda **more: url_for(".posted", **form.address(**more)), by="posted_at", number="id"),
    )


# The causes of a statement's lines


def causes(account_id: int, lines: Sequence[Any]) -> dict[int, Cause]:
    """Which send each line is about, which message where the send is one, and by which rule a refund was made."""
    named = queries.named(account_id=account_id, campaign_ids=[line.subject.id for line in lines])
    refunds = [line.transfer_id for line in lines if line.kind is TransferKind.REFUND]
    rules: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for found in queries.rules_of(account_id=account_id, transfer_ids=refunds) if refunds else ():
        rules[found.transfer_id].append((_rule_text(found), url_for("billing.prices")))
    return {
        line.transfer_id: _cause(named.get(line.subject.id), rules[line.transfer_id])
        for line in lines
        if line.subject.id in named or rules[line.transfer_id]
    }


def _cause(campaign: Any, rules: Sequence[tuple[str, str]]) -> Cause:
    if campaign is None:
        return Cause(facts=rules)
    facts = list(rules)
    if campaign.recipient:
        text = _("Message to %(recipient)s", recipient=phone_text(campaign.recipient))
        facts.insert(0, (text, url_for("outbox.message", message_id=campaign.first_id)))
    return Cause(url_for("outbox.campaign", campaign_id=campaign.id), campaign.title or campaign.body, facts)


def _rule_text(found: Any) -> str:
    """A rule of a refund in one line: for whom, how much, when."""
    refund = Refund(found.percent, found.delay_seconds, found.note)
    words = [_in_words(*refund.words), _in_words(*refund.when)] if found.percent else [_in_words(*refund.words)]
    return _(
        "%(count)s × %(outcome)s: %(rule)s",
        count=number_text(found.count),
        outcome=_(OUTCOME_LABELS[Outcome(found.outcome)]),
        rule=_(", ").join(word for word in (*words, found.note) if word),
    )


def _in_words(sentence: str, places: Mapping[str, object]) -> str:
    return _(sentence, **localised(places))


subjects.explain("campaign", causes)
