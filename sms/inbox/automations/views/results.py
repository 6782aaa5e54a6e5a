"""What automations have brought: a poll's chart that moves, codes, answers, members, and draws that can be checked."""

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from flask import Response, flash, request, send_file, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import moment_text
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.phone import local
from sms.core.sheets.delimited import BOM, cell
from sms.core.sheets.table import MAX_BYTES, read_table
from sms.core.sheets.writing import MEDIA_TYPE, Sheet, write_xlsx
from sms.core.text import N_
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import STOP_POLLING, is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, language
from sms.inbox.automations.forms import CodesListForm, DrawForm
from sms.inbox.automations.operations import lists
from sms.inbox.automations.queries import results
from sms.inbox.automations.rules.drawing import score
from sms.inbox.automations.rules.kinds import KIND_LABELS, RESULT_LABELS, Automation, Kind
from sms.inbox.automations.rules.matching import WAY_LABELS
from sms.inbox.automations.views.lists import bp, own
from sms.inbox.rules import is_mobile
from sms.lines.queries import account_line

__all__ = ["bp"]
_PAGE = 25
_XLSX_MOST = 100_000
_FAST, _SLOW = 2, 10  # seconds between two looks at a poll: while votes come, and else
_LIVELY = timedelta(minutes=2)
_NOT_A_KIND = N_("There is no such list.")


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A list of codes may be larger than any other form; it must be said before the form is read."""
    if endpoint == "automations.codes":
        request.max_content_length = MAX_BYTES + 100_000


def _of_kind(automation_id: int, *kinds: Kind) -> Automation:
    found = own(automation_id)
    if found.kind not in kinds:
        raise NotFound(_NOT_A_KIND)
    return found


@bp.get("/automations/<int:automation_id>")
@require(Permission.VIEW_MESSAGES)
def show(automation_id: int) -> ResponseReturnValue:
    """One automation, and how it stands; asked by a page that shows a poll, only the chart."""
    found = own(automation_id)
    stands = _stands(found)
    is_still = found.kind is not Kind.POLL or not found.is_on or found.hours.is_over(clock.now())
    response = render_page(
        "automations/show.html",
        fragment="stands",
        status=STOP_POLLING if is_still and is_htmx() else 200,
        automation=found,
        line=account_line(found.account_id, found.line_id),
        kinds=KIND_LABELS,
        ways=WAY_LABELS,
        labels=RESULT_LABELS,
        can_draw=found.kind in results.DRAWN,
        draws=results.draws(automation_id) if found.kind in results.DRAWN else [],
        draw_form=DrawForm(formdata=None),
        is_still=is_still,
        **stands,
    )
    return response


def _stands(found: Automation) -> dict[str, Any]:
    """The figures of a kind."""
    if found.kind is Kind.POLL:
        tally = results.tally(found.id)
        is_lively = tally.last_at is not None and clock.now() - tally.last_at < _LIVELY
        votes = [(option.name, tally.counts.get(option.id, 0)) for option in found.options]
        return {"votes": votes, "total": tally.total, "pace_seconds": _FAST if is_lively else _SLOW}
    if found.kind is Kind.CODES:
        return {"codes": results.code_counts(found.id)}
    if found.kind is Kind.CONTEST:
        return {"answers": results.answer_counts(found.id)}
    return {"members": results.member_counts(found.id)} if found.kind is Kind.CLUB else {}


# Codes


@bp.route("/automations/<int:automation_id>/codes", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
def codes(automation_id: int) -> ResponseReturnValue:
    """The codes of a code reader; the form reads more of them in."""
    found = _of_kind(automation_id, Kind.CODES)
    form = CodesListForm()
    if form.validate_on_submit():
        file = form.file.data if form.file.data and form.file.data.filename else None
        try:
            table = read_table(io.BytesIO(file.read() if file is not None else (form.pasted.data or "").encode()))
            with transaction():
                read = lists.import_codes(
                    account_id=found.account_id, automation_id=automation_id, table=table, by=actor(), at=clock.now()
                )
        except SmsError as error:
            refuse(form, error, form.file if file is not None else form.pasted)
        else:
            flash(_told(read), "success" if read.new else "warning")
            return redirect_to(url_for(".codes", automation_id=automation_id))
    after = request.args.get("after", "")[:100]
    listed = results.codes(automation_id, after=after.replace("\0", ""), most=_PAGE + 1)
    return render_page(
        "automations/codes.html",
        automation=found,
        form=form,
        counts=results.code_counts(automation_id),
        codes=listed[:_PAGE],
        following=listed[_PAGE - 1].code if len(listed) > _PAGE else None,
        after=after,
        is_mobile=is_mobile,
        status=422 if form.errors else 200,
    )


def _told(read: lists.CodesRead) -> str:
    return _(
        "%(new)s new codes; %(known)s were there already or twice, %(unusable)s rows held none.",
        new=read.new,
        known=read.known,
        unusable=read.unusable,
    )


@bp.post("/automations/<int:automation_id>/codes/remove")
@require(Permission.SEND_MESSAGES)
def remove_codes(automation_id: int) -> ResponseReturnValue:
    """Throw away what nobody used."""
    found = _of_kind(automation_id, Kind.CODES)
    with transaction():
        count = lists.remove_unused(
            account_id=found.account_id, automation_id=automation_id, by=actor(), at=clock.now()
        )
    flash(_("%(count)s unused codes are gone.", count=count), "success")
    return redirect_to(url_for(".codes", automation_id=automation_id))


@bp.get("/automations/<int:automation_id>/codes.csv")
@require(Permission.VIEW_MESSAGES)
def export_codes(automation_id: int) -> ResponseReturnValue:
    """All codes, with who used them."""
    found = _of_kind(automation_id, Kind.CODES)
    reader = language()
    rows = (
        (
            each.given,
            (each.used_by and _shown(each.used_by)) or "",
            moment_text(each.used_at, reader) if each.used_at else "",
        )
        for each in chain.from_iterable(results.every_code(found.id))
    )
    return _csv([_("Code"), _("Used by"), _("Used at")], rows, f"codes-{found.id}.csv")


# Members


@bp.get("/automations/<int:club_id>/members")
@require(Permission.VIEW_MESSAGES)
def members(club_id: int) -> ResponseReturnValue:
    """Who has joined, in the order of joining."""
    found = _of_kind(club_id, Kind.CLUB)
    listed = results.members(club_id, after=_after(), most=_PAGE + 1)
    last = listed[_PAGE - 1] if len(listed) > _PAGE else None
    return render_page(
        "automations/members.html",
        automation=found,
        counts=results.member_counts(club_id),
        members=listed[:_PAGE],
        following={"after": last.joined_at.isoformat(), "sender": last.sender} if last is not None else None,
        is_first=_after() is None,
        is_mobile=is_mobile,
    )


def _after() -> tuple[datetime, str] | None:
    try:
        return datetime.fromisoformat(request.args["after"]), request.args["sender"].replace("\0", "")
    except (KeyError, ValueError):
        return None


def _member_rows(found: Automation, reader: str) -> Iterator[Sequence[str]]:
    for each in chain.from_iterable(results.every_member(found.id)):
        answers = [*each.answers, *[""] * len(found.options)][: len(found.options)]
        yield (_shown(each.sender), *answers, moment_text(each.joined_at, reader))


def _member_header(found: Automation) -> list[str]:
    return [_("Mobile"), *(field.name for field in found.options), _("Joined at")]


@bp.get("/automations/<int:club_id>/members.csv")
@require(Permission.VIEW_MESSAGES)
def export_members(club_id: int) -> ResponseReturnValue:
    """All members, as a file."""
    found = _of_kind(club_id, Kind.CLUB)
    return _csv(_member_header(found), _member_rows(found, language()), f"members-{found.id}.csv")


@bp.get("/automations/<int:club_id>/members.xlsx")
@require(Permission.VIEW_MESSAGES)
def export_members_sheet(club_id: int) -> ResponseReturnValue:
    """The first hundred thousand members, as a workbook."""
    found = _of_kind(club_id, Kind.CLUB)
    header = _member_header(found)
    sheet = Sheet(
        found.name,
        header,
        islice(_member_rows(found, language()), _XLSX_MOST),
        [18] * len(header),
        is_right_to_left=language() == "fa",
    )
    made = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever sends it
    write_xlsx(sheet, made)
    made.seek(0)
    return send_file(made, mimetype=MEDIA_TYPE, as_attachment=True, download_name=f"members-{found.id}.xlsx")


# Draws


@bp.post("/automations/<int:automation_id>/draws")
@require(Permission.SEND_MESSAGES)
def draw(automation_id: int) -> ResponseReturnValue:
    """Draw winners; the draw stays for good."""
    found = _of_kind(automation_id, *results.DRAWN)
    form = DrawForm()
    if not form.validate_on_submit():
        flash(_("Write a seed and how many winners there are."), "danger")
        return redirect_to(url_for(".show", automation_id=automation_id))
    try:
        with transaction():
            made = lists.draw_winners(
                account_id=visitor().account_id,
                automation_id=found.id,
                seed=form.seed.data,
                count=form.count.data or 0,
                by=actor(),
                at=clock.now(),
            )
    except SmsError as error:
        flash(_(error.message, **error.params), "danger")
        return redirect_to(url_for(".show", automation_id=automation_id))
    return redirect_to(url_for(".show_draw", automation_id=automation_id, draw_id=made))


@bp.get("/automations/<int:automation_id>/draws/<int:draw_id>")
@require(Permission.VIEW_MESSAGES)
def show_draw(automation_id: int, draw_id: int) -> ResponseReturnValue:
    """A draw: its seed, its winners, and the check that the same come out again."""
    found = _of_kind(automation_id, *results.DRAWN)
    return render_page(
        "automations/draw.html", automation=found, draw=results.drawn(found, draw_id), score=score, is_mobile=is_mobile
    )


@bp.get("/automations/<int:automation_id>/draws/<int:draw_id>/entries.csv")
@require(Permission.VIEW_MESSAGES)
def export_entries(automation_id: int, draw_id: int) -> ResponseReturnValue:
    """Everybody who took part, with what they were ordered by, for whoever wants to check; numbers are masked."""
    found = _of_kind(automation_id, *results.DRAWN)
    drawn = results.drawn(found, draw_id)
    ordered = sorted(
        (score(drawn.seed, entry.text_id), entry) for entry in results.entries(found, last_text_id=drawn.last_text_id)
    )
    rows = ((str(entry.text_id), _masked(entry.sender), found_score) for found_score, entry in ordered)
    return _csv([_("Text"), _("Sender"), "SHA-256"], rows, f"draw-{draw_id}.csv")


def _shown(sender: str) -> str:
    return local(int(sender)) if is_mobile(sender) else sender


def _masked(sender: str) -> str:
    shown = _shown(sender)
    return f"{shown[:4]}***{shown[-4:]}" if len(shown) > 8 else shown  # noqa: PLR2004 - short ones are no numbers


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> Response:
    def lines() -> Iterator[str]:
        yield BOM + ",".join(map(cell, header)) + "\r\n"
        for row in rows:
            yield ",".join(map(cell, row)) + "\r\n"

    response = Response(stream_with_context(lines()), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
