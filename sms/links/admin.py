"""The staff's page of links: where none may lead, what is shown first, which programs are no people, the newest."""

from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import Form, refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.links import operations, queries
from sms.links.forms import AgentForm, DomainForm, SettingsForm
from sms.links.rules.clicks import AGENT_LABELS, AgentKind
from sms.links.rules.domains import VERDICT_LABELS, VERDICT_MEANINGS, Verdict, check_domain
from sms.links.rules.targets import UnusableTarget

bp = Blueprint("links_admin", __name__)
PERMISSION = "messages.manage"
_ON_A_PAGE = 50

nav.add(
    N_("Short links"),
    endpoint="links_admin.links",
    icon="external-link",
    permission=PERMISSION,
    section="admin",
    order=55,
)


@bp.get("/admin/links")
@require(PERMISSION)
def links() -> ResponseReturnValue:
    """The lists and the settings."""
    return _page()


def _page(**forms: Form) -> Response:
    at = clock.now()
    before = request.args.get("before", type=int)
    domains = queries.domains(before=before, most=_ON_A_PAGE + 1)
    shown = domains[:_ON_A_PAGE]
    context: dict[str, Any] = {
        "settings_form": SettingsForm.of(queries.link_settings()),
        "domain_form": DomainForm(formdata=None),
        "agent_form": AgentForm(formdata=None),
        **forms,
    }
    host = _asked_host()
    return render_page(
        "links/admin_links.html",
        domains=shown,
        older_url=url_for(".links", before=shown[-1].id, _anchor="domains") if len(domains) > _ON_A_PAGE else None,
        newest_url=url_for(".links", _anchor="domains") if before else None,
        agents=queries.listed_agents(),
        newest=queries.newest_links(host=host, at=at),
        host=host,
        own_base=settings().public_url,
        verdicts=VERDICT_LABELS,
        meanings=VERDICT_MEANINGS,
        agent_kinds=AGENT_LABELS,
        status=422 if any(form.errors for form in forms.values()) else 200,
        **context,
    )


def _asked_host() -> str:
    """The host whose links are looked for; what is none is not looked for."""
    try:
        return check_domain(request.args.get("host", ""))
    except UnusableTarget:
        return ""


@bp.post("/admin/links/settings")
@require(PERMISSION)
def change_settings() -> ResponseReturnValue:
    """Another short domain, other signs."""
    form = SettingsForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.set_settings(
                    short_base=form.short_base.data or "",
                    prefetch_seconds=form.prefetch_seconds.data or 0,
                    preview_signs=form.preview_signs.data or [],
                    by=actor(),
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".links"))
    return _page(settings_form=form)


@bp.post("/admin/links/domains")
@require(PERMISSION)
def list_domain() -> ResponseReturnValue:
    """Say something of a domain."""
    form = DomainForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.list_domain(
                    domain=form.domain.data,
                    verdict=Verdict(form.verdict.data),
                    note=form.note.data or "",
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableTarget as error:
            refuse(form, error, form.domain)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The list was changed; it holds from now on."), "success")
            return redirect_to(url_for(".links", _anchor="domains"))
    return _page(domain_form=form)


@bp.post("/admin/links/domains/<int:target_domain_id>/end")
@require(PERMISSION)
def end_domain(target_domain_id: int) -> ResponseReturnValue:
    """Take it back."""
    with transaction():
        operations.end_domain(domain_id=target_domain_id, by=actor(), at=clock.now())
    flash(_("The list was changed; it holds from now on."), "success")
    return redirect_to(url_for(".links", _anchor="domains"))


@bp.post("/admin/links/agents")
@require(PERMISSION)
def add_agent() -> ResponseReturnValue:
    """Know another program."""
    form = AgentForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_agent(
                    pattern=form.pattern.data, kind=AgentKind(form.kind.data), by=actor(), at=clock.now()
                )
        except SmsError as error:
            refuse(form, error, form.pattern)
        else:
            flash(_("Its clicks are set apart from now on."), "success")
            return redirect_to(url_for(".links", _anchor="agents"))
    return _page(agent_form=form)


@bp.post("/admin/links/agents/<int:agent_id>/remove")
@require(PERMISSION)
def remove_agent(agent_id: int) -> ResponseReturnValue:
    """Take a program off the list."""
    with transaction():
        operations.remove_agent(agent_id=agent_id, by=actor(), at=clock.now())
    flash(_("Its clicks count as a person's from now on."), "success")
    return redirect_to(url_for(".links", _anchor="agents"))
