"""Composing a send: its words and recipients, and what it will cost before it is confirmed."""

from typing import Any

from flask import Blueprint, Response, abort, flash, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge
from wtforms import SelectChoice

from sms.accounts.rules import Permission
from sms.contacts import queries as contacts
from sms.core import clock
from sms.core.actor import Actor
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.parts import profile_of, split
from sms.core.sheets import limits
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.failures import answer
from sms.core.web.forms import refuse
from sms.core.web.guards import in_an_acting_look, require, visitor
from sms.core.web.htmx import STOP_POLLING, is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, localised, say
from sms.lines.own.queries import default_plan
from sms.lines.queries import UsableLine, usable_lines
from sms.links.operations import add_link
from sms.links.queries import link_settings
from sms.links.queries import links as account_links
from sms.links.rules.links import NewLink, Standing
from sms.links.rules.targets import UnusableTarget
from sms.operators.rules import OUTCOME_LABELS
from sms.outbox.forms import ComposeForm, DraftForm, TermsForm, line_name
from sms.outbox.intake import queries
from sms.outbox.intake.operations import drafts
from sms.outbox.models import Draft
from sms.outbox.operations.accept import accept_draft
from sms.outbox.queries import campaigns, exports
from sms.outbox.queries.linked import worded
from sms.outbox.queries.preview import preview
from sms.outbox.rules import OutOfHours, Terms

bp = Blueprint("outbox", __name__)

# More than the largest list is read, so that what was typed beside a file too large can be shown again.
_COMPOSE_MOST_BYTES = 2 * limits.MAX_FILE_BYTES
_SKIPPED_PAGE = 100
_LARGEST = 2**63 - 1
_LINKS = 100  # the newest, to choose from

nav.add(
    N_("New send"),
    endpoint="outbox.compose",
    icon="message-plus",
    permission=Permission.SEND_MESSAGES,
    section="customer",
    order=15,
)


@bp.url_value_preprocessor
def make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Only a new send may be large, which must be said before anything reads the form; no number we gave is as large
    as some that can be written into an address."""
    if any(isinstance(value, int) and value > _LARGEST for value in (values or {}).values()):
        abort(404)
    if endpoint == "outbox.compose":
        request.max_content_length = _COMPOSE_MOST_BYTES
        request.max_form_memory_size = limits.MAX_FILE_BYTES


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say on the page itself how large a list may be; the browser's way back keeps what was typed."""
    if request.endpoint != "outbox.compose":
        return answer(413)
    form = ComposeForm(formdata=None)
    lines = _offer(form)
    form.file.errors = [say(limits.too_large())]
    return render_page("outbox/compose.html", status=413, form=form, lines=lines, is_file_lost=False)


@bp.route("/compose", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
@in_an_acting_look
def compose() -> ResponseReturnValue:
    """A new send; its recipients are read, and shown with their price, before anything is sent."""
    form = ComposeForm(group_id=request.args.get("group_id", ""))
    lines = _offer(form)
    if form.validate_on_submit():
        try:
            with transaction():
                draft_id = _make_draft(form)
        except UnusableTarget as error:
            refuse(form, error, form.target)
        except SmsError as error:
            refuse(form, error)
        else:
            return redirect_to(url_for(".draft", draft_id=draft_id))
    is_file_lost = bool(form.errors) and form.has_file
    status = 413 if form.has_file and form.file.errors else 422 if form.errors else 200
    return render_page("outbox/compose.html", status=status, form=form, lines=lines, is_file_lost=is_file_lost)


def _offer(form: ComposeForm) -> list[UsableLine]:
    """Fill in the lines to choose from; a line says how long its parts are, for the counter beside the text."""
    found = usable_lines(visitor().account_id, at=clock.now())
    _offer_links(form)
    lines = [line for line in found if line.standing is None or not line.standing.is_forbidden]
    form.line_id.choices = [
        SelectChoice(
            line.id, line_name(line), render_kw={"data-joined": str(line.joined_units), "data-suffix": line.suffix}
        )
        for line in lines
    ]
    form.offer_groups(contacts.groups(visitor().account_id))
    return lines


def _offer_links(form: DraftForm) -> None:
    """Fill in the links that lead somewhere, and the one that is chosen already."""
    found = account_links(visitor().account_id, at=clock.now(), most=_LINKS)
    links = [link for link in found if link.standing is Standing.ACTIVE or str(link.id) == str(form.link_id.data)]
    form.offer_links(links, base=link_settings().base)


def _link_of(form: ComposeForm) -> int | None:
    """The link of a new send: the one that was chosen, or the new one."""
    target = (form.target.data or "").strip()
    if not target:
        return form.link
    by = Actor(id=visitor().id, address=request.remote_addr or "")
    return add_link(account_id=visitor().account_id, wanted=NewLink(target=target), by=by, at=clock.now())


def _make_draft(form: ComposeForm) -> int:
    common: dict[str, Any] = {
        "account_id": visitor().account_id,
        "user_id": visitor().id,
        "line_id": form.line_id.data,
        "title": (form.title.data or "").strip(),
        "body": form.body.data,
        "link_id": _link_of(form),
        "at": clock.now(),
    }
    if form.has_file:
        file = form.file.data
        return drafts.draft_from_file(file_name=file.filename, stream=file.stream, **common)
    if form.group_id.data:
        return drafts.draft_from_group(group_id=int(form.group_id.data), **common)
    return drafts.draft_from_text(recipients=form.recipients.data, **common)


@bp.get("/drafts/<int:draft_id>")
@require(Permission.SEND_MESSAGES)
def draft(draft_id: int) -> ResponseReturnValue:
    """A send before it is confirmed: being read, unreadable, or ready with all it will cost."""
    return _draft_page(draft_id)


def _draft_page(
    draft_id: int, *, form: DraftForm | None = None, terms: TermsForm | None = None, refusal: SmsError | None = None
) -> Response:
    account_id = visitor().account_id
    found = queries.draft(account_id, draft_id)
    if found.state == "used":
        campaign_id = campaigns.of_draft(account_id=account_id, draft_id=draft_id)
        return redirect_to(url_for(".campaign", campaign_id=campaign_id))
    if is_htmx() and found.state != "reading":
        return _look_again()
    seen = preview(account_id=account_id, draft_id=draft_id, at=clock.now()) if found.state == "ready" else None
    if terms is None:
        terms = TermsForm(formdata=None)
        if seen is not None:
            terms.suggest(seen, default_plan(account_id, at=clock.now()))
    if seen is not None:
        terms.offer(seen)
    return render_page(
        "outbox/draft.html",
        fragment="reading",
        status=422 if refusal is not None or terms.errors or (form is not None and form.errors) else 200,
        draft=found,
        form=form or _form_of(found),
        terms=terms,
        preview=seen,
        parts=_parts(found, seen.line) if seen and seen.line else [],
        refusal=refusal,
        problem_of=say,
        problem=_(found.problem, **localised(found.problem_params)) if found.problem else "",
    )


def _parts(found: Draft, line: UsableLine) -> list[str]:
    """The parts in which the text goes over a line, with what is put behind it there."""
    return split(line.text_of(worded(found)), profile_of(line.joined_units))


def _form_of(found: Draft) -> DraftForm:
    """The words to change; of a list that could not be read, the whole form again with all that was typed."""
    if found.state != "failed":
        form = DraftForm(formdata=None, obj=found)
        _offer_links(form)
        return form
    form = ComposeForm(formdata=None, obj=found)
    _offer(form)
    return form


def _look_again() -> Response:
    """The list is read: the waiting block asks no more, and the page shows what came of it."""
    return Response(status=STOP_POLLING, headers={"HX-Refresh": "true"})


@bp.post("/drafts/<int:draft_id>")
@require(Permission.SEND_MESSAGES)
@in_an_acting_look
def change_draft(draft_id: int) -> ResponseReturnValue:
    """Other words or another line; the recipients stay as they were read."""
    found = queries.draft(visitor().account_id, draft_id)
    title, body, line_id, link_id = found.title, found.body, found.line_id, found.link_id
    if "line_id" in request.form:
        line_id = request.form.get("line_id", type=int)
    else:
        form = DraftForm()
        _offer_links(form)
        if not form.validate_on_submit():
            return _draft_page(draft_id, form=form)
        title, body, link_id = (form.title.data or "").strip(), form.body.data, form.link
    try:
        with transaction():
            drafts.change_draft(
                draft_id=draft_id,
                account_id=visitor().account_id,
                line_id=line_id,
                link_id=link_id,
                title=title,
                body=body,
                at=clock.now(),
            )
    except NotFound:
        raise
    except SmsError as error:
        return _draft_page(draft_id, refusal=error)
    return redirect_to(url_for(".draft", draft_id=draft_id))


@bp.post("/drafts/<int:draft_id>/confirm")
@require(Permission.SEND_MESSAGES)
def confirm(draft_id: int) -> ResponseReturnValue:
    """Hold the price that was shown and send, now or when it is to begin; however often it is posted, once."""
    form = TermsForm()
    if not form.validate_on_submit():
        return _draft_page(draft_id, terms=form)
    try:
        with transaction():
            campaign_id = accept_draft(
                draft_id=draft_id,
                account_id=visitor().account_id,
                user_id=visitor().id,
                agreed_mrial=request.form.get("agreed_mrial", type=int),  # as the page said
                terms=_terms(form, draft_id),
                at=clock.now(),
            )
    except NotFound:
        raise
    except SmsError as error:
        return _draft_page(draft_id, terms=form, refusal=error)
    return redirect_to(url_for(".campaign", campaign_id=campaign_id))


def _terms(form: TermsForm, draft_id: int) -> Terms:
    """What was stated; the lines are priced for it where some are planned."""
    if not any(line.data for line, _cap in form.plan):
        return Terms(scheduled_at=form.moment, out_of_hours=OutOfHours(form.out_of_hours.data))
    return form.terms(preview(account_id=visitor().account_id, draft_id=draft_id, at=clock.now()))


@bp.post("/drafts/<int:draft_id>/discard")
@require(Permission.SEND_MESSAGES)
@in_an_acting_look
def discard(draft_id: int) -> ResponseReturnValue:
    """Throw a draft away, with its list."""
    with transaction():
        drafts.discard_draft(draft_id=draft_id, account_id=visitor().account_id)
    flash(_("The draft was thrown away."), "success")
    return redirect_to(url_for(".compose"))


@bp.get("/drafts/<int:draft_id>/skipped")
@require(Permission.SEND_MESSAGES)
def skipped(draft_id: int) -> ResponseReturnValue:
    """The rows nobody will be written to, and why, in the order of the list."""
    found = queries.draft(visitor().account_id, draft_id)
    after = request.args.get("after", 0, type=int)
    rows = queries.skipped_rows(visitor().account_id, draft_id, after_row=after, most=_SKIPPED_PAGE + 1)
    older = rows[_SKIPPED_PAGE - 1].row_number if len(rows) > _SKIPPED_PAGE else None
    return render_page("outbox/skipped.html", draft=found, rows=rows[:_SKIPPED_PAGE], after=after, older=older)


@bp.get("/drafts/<int:draft_id>/skipped.csv")
@require(Permission.SEND_MESSAGES)
def export_skipped(draft_id: int) -> ResponseReturnValue:
    """The same as a file."""
    rows = queries.every_skipped_row(visitor().account_id, draft_id)
    lines = exports.of_skipped(
        rows, translate=_, labels={str(code): _(label) for code, label in OUTCOME_LABELS.items()}
    )
    response = Response(stream_with_context(lines), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="skipped-{draft_id}.csv"'
    return response
