"""A staff page of what happens to texts by itself: the limit of automatic replies, and the server of e-mails."""

from flask import Blueprint, Response, flash, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.inbox.automations.forms import LoopPolicyForm
from sms.inbox.automations.operations import writing
from sms.inbox.automations.queries.automations import loop_policy
from sms.inbox.automations.rules.kinds import LoopPolicy
from sms.inbox.forwarding.forms import MailServerForm
from sms.inbox.forwarding.operations import mails
from sms.inbox.forwarding.queries import given_up_mails, mail_server
from sms.inbox.forwarding.rules import UnusableHook

bp = Blueprint("automations_admin", __name__)
_FEW = 20

nav.add(
    N_("Automatic replies"),
    endpoint="automations_admin.page",
    icon="settings",
    permission=Permission.MANAGE_MESSAGES,
    section="admin",
    order=29,
)


def _page(policy_form: LoopPolicyForm | None = None, mail_form: MailServerForm | None = None) -> Response:
    server = mail_server()
    policy_form = policy_form or LoopPolicyForm(formdata=None, obj=loop_policy())
    mail_form = mail_form or MailServerForm(formdata=None, obj=server)
    return render_page(
        "automations/admin.html",
        policy_form=policy_form,
        mail_form=mail_form,
        server=server,
        given_up=given_up_mails(most=_FEW),
        status=422 if policy_form.errors or mail_form.errors else 200,
    )


@bp.get("/admin/automations")
@require(Permission.MANAGE_MESSAGES)
def page() -> ResponseReturnValue:
    """Both, and the e-mails that could not be sent."""
    return _page()


@bp.post("/admin/automations/policy")
@require(Permission.MANAGE_MESSAGES)
def set_policy() -> ResponseReturnValue:
    """Another limit of automatic replies."""
    form = LoopPolicyForm()
    if form.validate_on_submit():
        try:
            with transaction():
                policy = LoopPolicy(form.most_replies.data or 0, form.minutes.data or 0)
                writing.set_loop_policy(policy=policy, by=actor(), at=clock.now())
        except Refusal as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".page"))
    return _page(policy_form=form)


@bp.post("/admin/automations/mail")
@require(Permission.MANAGE_MESSAGES)
def set_mail() -> ResponseReturnValue:
    """Another server of e-mails."""
    form = MailServerForm()
    if form.validate_on_submit():
        try:
            with transaction():
                mails.set_server(wanted=form.wanted, seal_key=settings().seal_key, by=actor(), at=clock.now())
        except UnusableHook as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".page"))
    return _page(mail_form=form)
