"""A customer's pages of links: all of them, one with its clicks, a new one."""

from typing import Any

from flask import Blueprint, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.links import operations, queries
from sms.links.forms import ChangeForm, NewLinkForm
from sms.links.rules.clicks import AGENT_LABELS
from sms.links.rules.codes import PLACE
from sms.links.rules.links import STANDING_LABELS, LinkState, Standing
from sms.links.rules.targets import UnusableTarget, shown

bp = Blueprint("links", __name__)
_PAGE = 25
_LARGEST = 2**63 - 1

nav.add(
    N_("Links"),
    endpoint="links.links",
    icon="external-link",
    permission=Permission.VIEW_MESSAGES,
    section="customer",
    order=27,
)


@bp.url_value_preprocessor
def refuse_what_is_too_large(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No number we gave is as large as some that can be written into an address."""
    if any(isinstance(value, int) and value > _LARGEST for value in (values or {}).values()):
        abort(404)


@bp.app_template_global()
def link_standing(code: str) -> str:
    """How a link stands, in words."""
    return _(STANDING_LABELS[Standing(code)])


@bp.app_template_global()
def shown_host(host: str) -> str:
    """A host as people write it."""
    return shown(host)


@bp.app_template_global()
def agent_label(kind: str) -> str:
    """What followed a link, in words."""
    return _(AGENT_LABELS[kind])


@bp.route("/links", methods=["GET", "POST"])
@require(Permission.VIEW_MESSAGES)
def links() -> ResponseReturnValue:
    """All links of the account, newest first; a new one."""
    account_id, at = visitor().account_id, clock.now()
    form = NewLinkForm()
    if request.method == "POST" and not visitor().may(Permission.SEND_MESSAGES):
        abort(403)
    if form.validate_on_submit():
        try:
            with transaction():
                link_id = operations.add_link(account_id=account_id, wanted=form.wanted, by=actor(), at=at)
        except UnusableTarget as error:
            refuse(form, error, form.target)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The link is ready. Choose it where you write a text."), "success")
            return redirect_to(url_for(".link", link_id=link_id))
    before = request.args.get("before", type=int)
    found = queries.links(account_id, at=at, before=before, most=_PAGE + 1)
    return render_page(
        "links/links.html",
        form=form,
        links=found[:_PAGE],
        older=found[_PAGE - 1].id if len(found) > _PAGE else None,
        before=before,
        place=PLACE,
        status=422 if form.errors else 200,
    )


@bp.route("/links/<int:link_id>", methods=["GET", "POST"])
@require(Permission.VIEW_MESSAGES)
def link(link_id: int) -> ResponseReturnValue:
    """One link: where it leads, its clicks over time, and what may be changed."""
    account_id, at = visitor().account_id, clock.now()
    found = queries.link(account_id, link_id, at=at)
    if request.method == "POST" and not visitor().may(Permission.SEND_MESSAGES):
        abort(403)
    form = ChangeForm() if request.method == "POST" else ChangeForm.of(found)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.change_link(
                    link_id=link_id,
                    account_id=account_id,
                    title=form.title.data or "",
                    utm=form.utm,
                    expires_at=form.expires_at,
                    by=actor(),
                    at=at,
                )
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".link", link_id=link_id))
    return render_page(
        "links/link.html",
        link=found,
        form=form,
        clicks=queries.clicks_of_link(link_id),
        place=PLACE,
        status=422 if form.errors else 200,
    )


@bp.post("/links/<int:link_id>/off")
@require(Permission.SEND_MESSAGES)
def switch_off(link_id: int) -> ResponseReturnValue:
    """Let it lead nowhere."""
    return _switch(link_id, LinkState.OFF)


@bp.post("/links/<int:link_id>/on")
@require(Permission.SEND_MESSAGES)
def switch_on(link_id: int) -> ResponseReturnValue:
    """Let it lead on again."""
    return _switch(link_id, LinkState.ACTIVE)


def _switch(link_id: int, state: LinkState) -> ResponseReturnValue:
    with transaction():
        operations.switch_link(
            link_id=link_id, account_id=visitor().account_id, state=state, by=actor(), at=clock.now()
        )
    told = _("The link leads nowhere any more.") if state is LinkState.OFF else _("The link leads on again.")
    flash(told, "success")
    return redirect_to(url_for(".link", link_id=link_id))
