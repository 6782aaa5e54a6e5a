"""The line shop, as a customer sees it."""

import re

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import user
from sms.core import clock
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page
from sms.lines.formats.queries import audience_of, price_lists
from sms.lines.formats.rules.roundness import roundness
from sms.lines.formats.rules.tiers import SHORT_CHOICE_LABELS, TIER_LABELS
from sms.lines.rules import UnusableLine
from sms.lines.shop import queries
from sms.lines.shop.forms import SearchForm
from sms.lines.shop.queries import Wanted
from sms.lines.shop.rules.search import ANY, read_pattern

bp = Blueprint("lines_shop", __name__)
_ON_A_PAGE = 30
_MOST_DIGITS = 20
_BEFORE = re.compile(r"(\d{1,3})-(\d{1,9})")

nav.add(
    N_("Line shop"),
    endpoint="lines_shop.shop",
    icon="building-store",
    permission="lines.view",
    section="customer",
    order=42,
)


@bp.get("/shop")
@require("lines.view")
def shop() -> ResponseReturnValue:
    """Free numbers that fit what one likes, with what they cost."""
    at, account_id = clock.now(), visitor().account_id
    audience = audience_of(account_id)
    lists = price_lists(audience=audience, at=at)
    form = SearchForm.over([seller for seller, _grid in lists])
    before = _BEFORE.fullmatch(request.args.get("before", ""))
    found = queries.goods_page(
        _wanted(form, {seller.code: seller.id for seller, _grid in lists}),
        account_id=account_id,
        audience=audience,
        before=(int(before[1]), int(before[2])) if before else None,
        most=_ON_A_PAGE + 1,
        at=at,
    )
    shown = found[:_ON_A_PAGE]
    older = form.address(before=f"{shown[-1].score}-{shown[-1].id}") if len(found) > _ON_A_PAGE else None
    return render_page(
        "lines/shop.html",
        form=form,
        goods=[(each, roundness(each.number, operator_code=each.operator_code)) for each in shown],
        tiers=TIER_LABELS,
        is_narrowed=bool(form.address()),
        older_url=url_for(".shop", **older) if older else None,
        newest_url=url_for(".shop", **form.address()) if before else None,
    )


@bp.get("/shop/prices")
@require("lines.view")
def price_list() -> ResponseReturnValue:
    """What every operator's lines cost whoever looks."""
    at = clock.now()
    return render_page(
        "lines/shop_prices.html",
        lists=price_lists(audience=audience_of(visitor().account_id), at=at),
        tiers=TIER_LABELS,
        choices=SHORT_CHOICE_LABELS,
    )


def _wanted(form: SearchForm, ids: dict[str, int]) -> Wanted:
    """What the form asks for; a pattern that cannot be read is marked and asks for nothing."""
    mobile = user(visitor().account_id, visitor().id).mobile
    try:
        pattern = read_pattern(form.pattern.data or "", mobile=mobile)
    except UnusableLine as error:
        refuse(form, error, form.pattern)
        pattern = ANY
    digits = form.digits.data
    return Wanted(
        operator_id=ids.get(form.operator.data or ""),
        digits=digits if digits is not None and 0 < digits <= _MOST_DIGITS else None,
        tier=form.tier.data or "",
        most_mrial=form.most.data,
        pattern=pattern,
    )
