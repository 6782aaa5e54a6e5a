"""Staff pages of opting out: the words that say so, and what texts have to end with."""

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.contacts.forms import SuffixForm, WordForm
from sms.contacts.words import operations, queries
from sms.contacts.words.rules import ACTION_LABELS, Action
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.suffix.operations import set_suffix
from sms.lines.suffix.queries import suffixes

bp = Blueprint("contacts_admin", __name__)
_LARGEST = 2**31 - 1

nav.add(
    N_("Opting out"),
    endpoint="contacts_admin.words",
    icon="user-off",
    permission=Permission.MANAGE_LINES,
    section="admin",
    order=34,
)


def _page(form: WordForm, suffix: SuffixForm) -> Response:
    return render_page(
        "contacts/admin_words.html",
        status=422 if form.errors or suffix.errors else 200,
        words=queries.listed(),
        actions=ACTION_LABELS,
        form=form,
        suffixes=suffixes(),
        suffix_form=suffix,
    )


@bp.route("/admin/opting-out", methods=["GET", "POST"])
@require(Permission.MANAGE_LINES)
def words() -> ResponseReturnValue:
    """The words, one more of them, and what each operator's texts end with."""
    form = WordForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_word(
                    word=form.word.data,
                    action=Action(form.meaning.data),
                    line_number=(form.line_number.data or "").strip(),
                    by=actor(),
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error, form.word)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".words"))
    return _page(form, SuffixForm(formdata=None))


@bp.post("/admin/opting-out/remove")
@require(Permission.MANAGE_LINES)
def remove_word() -> ResponseReturnValue:
    """Let a word mean nothing any more."""
    word_id = request.form.get("word_id", 0, type=int)
    with transaction():
        operations.remove_word(word_id=min(word_id, _LARGEST), by=actor(), at=clock.now())
    flash(_("The word means nothing any more."), "success")
    return redirect_to(url_for(".words"))


@bp.post("/admin/opting-out/suffix")
@require(Permission.MANAGE_LINES)
def suffix() -> ResponseReturnValue:
    """What the texts of an operator's lines end with."""
    form = SuffixForm()
    if form.validate_on_submit():
        try:
            with transaction():
                set_suffix(
                    operator_id=min(form.operator_id.data, 2**15 - 1),
                    suffix=form.suffix.data,
                    is_demanded=form.is_demanded.data,
                    by=actor(),
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error, form.suffix)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".words"))
    return _page(WordForm(formdata=None), form)
