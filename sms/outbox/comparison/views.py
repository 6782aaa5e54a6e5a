"""Pages of comparisons: every operator's public line tried with one button, watched live, and a line recommended; below
it what one's own traffic, and everybody's together, tells."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import user
from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import day_text, digits
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import STOP_POLLING, is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, language, localised
from sms.lines.own.queries import my_lines
from sms.lines.public import queries as public
from sms.lines.public.operations import remove_number, try_code
from sms.lines.public.rules import MOST_RECIPIENTS, POLICY_LABELS
from sms.lines.queries import public_lines
from sms.lines.traffic.queries import own_traffic, traffic_of_all
from sms.lines.traffic.rules import DELAY_SECONDS, FEWEST, seconds_words
from sms.operators.queries import networks, operators
from sms.outbox.comparison import queries
from sms.outbox.comparison.forms import CodeForm, CompareForm, NumberForm
from sms.outbox.comparison.operations import compare, send_code
from sms.outbox.comparison.queries import Comparison

bp = Blueprint("comparison", __name__)

TRAFFIC_DAYS = 30
_USUAL_TEXT = N_("This text tries the lines of all operators.")
_CODE_TEXT = N_("Your code: %(code)s")
_LARGEST = 2**63 - 1

nav.add(
    N_("Compare lines"),
    endpoint="comparison.index",
    icon="chart-bar",
    permission=Permission.SEND_MESSAGES,
    section="customer",
    order=42,
)


@bp.app_template_global()
def seconds_text(seconds: float) -> str:
    """A length of time in words."""
    words, count = seconds_words(seconds)
    return _(words, **localised({"count": count}))


@bp.app_template_global()
def words_text(words: tuple[str, dict[str, object]]) -> str:
    """A sentence of the rules in the reader's language; moments that were kept as text are moments again."""
    sentence, params = words
    since, operator = params.get("since"), params.get("operator")
    if isinstance(since, str):
        params = params | {"since": day_text(datetime.fromisoformat(since))}
    if isinstance(operator, str):
        params = params | {"operator": digits(operator)}
    return _(sentence, **localised(params))


@bp.route("/comparison", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
def index() -> ResponseReturnValue:
    """Everything to begin one: the text, the numbers, what is free on each line; and the earlier ones."""
    form = CompareForm()
    if form.validate_on_submit():
        try:
            with transaction():
                made = compare(
                    account_id=visitor().account_id,
                    user_id=visitor().id,
                    body=form.body.data,
                    recipients=[int(each) for each in request.form.getlist("recipients") if each.isdecimal()],
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error)
        else:
            return redirect_to(url_for(".comparison", comparison_id=made))
    return _index_page(form, NumberForm(formdata=None), CodeForm(formdata=None))


def _index_page(form: CompareForm, number_form: NumberForm, code_form: CodeForm) -> Response:
    account_id, at = visitor().account_id, clock.now()
    if not form.is_submitted() or form.body.data is None:
        form.body.data = _(_USUAL_TEXT)
    found = public.numbers(account_id)
    if not number_form.is_submitted() and not found:
        number_form.mobile.data = user(account_id, visitor().id).mobile
    refused = any(each.errors for each in (form, number_form, code_form))
    return render_page(
        "comparison/index.html",
        form=form,
        number_form=number_form,
        code_form=code_form,
        numbers=found,
        most_numbers=MOST_RECIPIENTS,
        lines=queries.lines_to_try(account_id, at=at),
        policies=POLICY_LABELS,
        comparisons=queries.comparisons(account_id),
        status=422 if refused else 200,
        **_traffic(at),
    )


@bp.get("/comparison/<int:comparison_id>")
@require(Permission.SEND_MESSAGES)
def comparison(comparison_id: int) -> ResponseReturnValue:
    """One comparison, live until every line has said all it will."""
    if comparison_id > _LARGEST:
        raise NotFound(queries.NO_SUCH_COMPARISON)
    at = clock.now()
    found = queries.comparison(visitor().account_id, comparison_id, at=at)
    live: dict[str, Any] = {"comparison": found, "pace_seconds": _pace(found, at), "at": at}
    if is_htmx():
        status = STOP_POLLING if found.is_finished else 200
        return render_page("comparison/comparison.html", fragment="live", status=status, **live)
    return render_page("comparison/comparison.html", **live, **_traffic(at))


def _pace(found: Comparison, at: datetime) -> int:
    """How long the table waits before it asks again: seconds at first, as reports come within seconds or late."""
    age = at - found.begun_at
    return 1 if age < timedelta(minutes=2) else 5 if age < timedelta(minutes=30) else 60


def _traffic(at: datetime) -> dict[str, Any]:
    """What one's own lines and the operators did lately, read from hours."""
    account_id, since = visitor().account_id, at - timedelta(days=TRAFFIC_DAYS)
    own = own_traffic(account_id, since=since)
    lines: dict[int, Any] = {line.id: line for line in public_lines()}
    lines |= {line.id: line for line in my_lines(account_id)}
    return {
        "own": [(lines[line_id], traffic) for line_id, traffic in sorted(own.items()) if line_id in lines],
        "everybody": traffic_of_all(since=since),
        "operators": operators(),
        "networks": {each.id: each.name_fa if language() == "fa" else each.name_en for each in networks()},
        "traffic_days": TRAFFIC_DAYS,
        "fewest": FEWEST,
        "steps": DELAY_SECONDS,
    }


# Numbers


@bp.post("/comparison/numbers")
@require(Permission.SEND_MESSAGES)
def add_number() -> ResponseReturnValue:
    """Add a number, or ask for another code: it is sent there."""
    form = NumberForm()
    if form.validate_on_submit():
        try:
            with transaction():
                is_sent = send_code(
                    account_id=visitor().account_id,
                    user_id=visitor().id,
                    recipient=int(form.mobile.data or 0),
                    body=_(_CODE_TEXT),
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error, form.mobile)
        else:
            flash(_("A code is on its way to this number.") if is_sent else _("The number is verified."), "success")
            return redirect_to(url_for(".index", _anchor="numbers"))
    return _index_page(CompareForm(formdata=None), form, CodeForm(formdata=None))


@bp.post("/comparison/numbers/verify")
@require(Permission.SEND_MESSAGES)
def verify_number() -> ResponseReturnValue:
    """Verify a number by the code that was sent to it."""
    form = CodeForm()
    if form.validate_on_submit():
        try:
            with transaction():
                is_right = try_code(
                    account_id=visitor().account_id,
                    recipient=int(form.mobile.data or 0),
                    code=form.digits,
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error, form.code)
        else:
            if is_right:
                flash(_("The number is verified."), "success")
                return redirect_to(url_for(".index"))
            form.code.errors = [_("This is not the code that was sent.")]
    return _index_page(CompareForm(formdata=None), NumberForm(formdata=None), form)


@bp.post("/comparison/numbers/remove")
@require(Permission.SEND_MESSAGES)
def remove() -> ResponseReturnValue:
    """Take a number out."""
    form = NumberForm()
    with transaction():
        remove_number(account_id=visitor().account_id, recipient=form.mobile.data or 0, at=clock.now())
    flash(_("The number was taken out."), "success")
    return redirect_to(url_for(".index", _anchor="numbers"))
