"""The statement: where every rial went, and why."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from flask import Blueprint, Response, flash, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import day_of, start_of_day
from sms.core.pdf import Paper
from sms.core.sheets.writing import MEDIA_TYPE, Sheet, Value, xlsx
from sms.core.text import N_
from sms.core.web import nav, subjects
from sms.core.web.filters import amount_text, day_text, digits, moment_text, money_text, number_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, language
from sms.ledger import queries
from sms.ledger.forms import StatementForm
from sms.ledger.queries import StatementLine
from sms.ledger.rules import TRANSFER_LABELS, TransferKind, csv_text, rial_text

bp = Blueprint("ledger", __name__)

PAGE = 25
_LINES_A_CHUNK = 500
_HEADS = (
    *(N_("No."), N_("Date"), N_("Time (ISO)"), N_("Kind"), N_("Description"), N_("Reason")),
    *(N_("Amount (rial)"), N_("Balance after (rial)"), N_("About")),
)
_WIDTHS = (8, 20, 26, 18, 48, 30, 18, 20, 60)
MOST_SHEET_LINES = 100_000
MOST_PAPER_LINES = 300  # a paper of so many is laid out within seconds
_PAPER_WIDTHS = (8, 20, 40, 15, 17)
_TOO_LONG_A_PAPER = N_("A paper holds %(most)s lines at most. Narrow the days, or download the CSV, which has no end.")
_TOO_LONG = N_("A workbook holds %(most)s lines at most. Narrow the days, or download the CSV, which has no end.")
_SPENT = (TransferKind.HOLD, TransferKind.RELEASE, TransferKind.REPRICE)

nav.add(
    N_("Statement"),
    endpoint="ledger.statement",
    icon="receipt",
    section="customer",
    permission=Permission.VIEW_MONEY,
    order=60,
)


@bp.app_template_global()
def transfer_label(kind: str) -> str:
    """The name of a kind of transfer."""
    return _(TRANSFER_LABELS[TransferKind(kind)])


@bp.get("/statement")
@require(Permission.VIEW_MONEY)
def statement() -> ResponseReturnValue:
    """Every movement of the account's money, newest first."""
    form = StatementForm.read()
    account_id = visitor().account_id
    before = request.args.get("before", type=int)
    lines = queries.statement(account_id=account_id, narrowed=form.narrowed, before=before, most=PAGE + 1)
    today = queries.totals(account_id=account_id, since=start_of_day(day_of(clock.now())))
    older = form.address(before=lines[PAGE - 1].number) if len(lines) > PAGE else None
    return render_page(
        "ledger/statement.html",
        form=form,
        wallet=queries.wallet_of(account_id),
        set_aside_mrial=queries.set_aside(account_id),
        spent_mrial=-sum(today.get(kind, 0) for kind in _SPENT),
        refunded_mrial=today.get(TransferKind.REFUND, 0),
        lines=lines[:PAGE],
        causes=subjects.causes(account_id, lines[:PAGE]),
        older_url=url_for(".statement", **older) if older else None,
        newest_url=url_for(".statement", **form.address()) if before else None,
        export_url=url_for(".export", **form.address()),
        sheet_url=url_for(".export_sheet", **form.address()),
        paper_url=url_for(".export_paper", **form.address()),
    )


@bp.get("/statement/export.csv")
@require(Permission.VIEW_MONEY)
def export() -> ResponseReturnValue:
    """The statement as CSV, narrowed as the page is; it streams, however long it is."""
    rows = (list(map(_csv_cell, cells)) for cells in _cells(_lines()))
    return Response(
        stream_with_context(_csv([_(head) for head in _HEADS], rows)),
        mimetype="text/csv",
        headers=_attached("csv"),
    )


@bp.get("/statement/export.xlsx")
@require(Permission.VIEW_MONEY)
def export_sheet() -> ResponseReturnValue:
    """The statement as a workbook, its amounts as numbers; what is too long for one is refused in words."""
    lines = list(islice(_lines(), MOST_SHEET_LINES + 1))
    if len(lines) > MOST_SHEET_LINES:
        flash(_(_TOO_LONG, most=number_text(MOST_SHEET_LINES)), "warning")
        return redirect_to(url_for(".statement", **StatementForm.read().address()))
    sheet = Sheet(
        _("Statement"),
        [_(head) for head in _HEADS],
        _cells(iter(lines)),
        _WIDTHS,
        is_right_to_left=language() == "fa",
    )
    return Response(xlsx(sheet), mimetype=MEDIA_TYPE, headers=_attached("xlsx"))


@bp.get("/statement/export.pdf")
@require(Permission.VIEW_MONEY)
def export_paper() -> ResponseReturnValue:
    """The statement as a paper, to be handed on; what is too long for one is refused in words."""
    lines = list(islice(_lines(), MOST_PAPER_LINES + 1))
    if len(lines) > MOST_PAPER_LINES:
        flash(_(_TOO_LONG_A_PAPER, most=number_text(MOST_PAPER_LINES)), "warning")
        return redirect_to(url_for(".statement", **StatementForm.read().address()))
    return Response(_paper(lines, StatementForm.read()), mimetype="application/pdf", headers=_attached("pdf"))


def _paper(lines: list[StatementLine], form: StatementForm) -> bytes:
    """Newest first, as on the page; its account, its days, and what stands before and after them."""
    at = clock.now()
    paper = Paper(title=_("Statement"), language=language(), at=at)
    paper.heading(_("Statement"), [visitor().account_name, moment_text(at)])
    facts = [
        (_("From day"), day_text(form.since.data) if form.since.data else "—"),
        (_("To day"), day_text(form.until.data) if form.until.data else "—"),
    ]
    if lines and not form.is_partial:
        facts.append((_("Balance before"), money_text(lines[-1].balance_after_mrial - lines[-1].amount_mrial)))
        facts.append((_("Balance after"), money_text(lines[0].balance_after_mrial)))
    paper.facts(_("Account"), facts, numbers=[_("From day"), _("To day")])
    heads = [_("No."), _("Date"), _("Description"), _("Amount"), _("Balance after")]
    paper.table(heads, _PAPER_WIDTHS, list(_paper_rows(lines)), numeric={0, 1, 3, 4})
    paper.totals(
        [
            (_("Money in"), money_text(sum(max(line.amount_mrial, 0) for line in lines))),
            (_("Money out"), money_text(sum(min(line.amount_mrial, 0) for line in lines))),
        ]
    )
    return paper.contents()


def _paper_rows(lines: list[StatementLine]) -> Iterator[list[str]]:
    causes = subjects.causes(visitor().account_id, lines)
    for line in lines:
        cause = causes.get(line.transfer_id, subjects.NOTHING)
        said = [_(line.why, number=digits(line.subject.id)), cause.name, line.reason]
        yield [
            digits(line.number),
            moment_text(line.posted_at),
            "\n".join(filter(None, said)),
            amount_text(line.amount_mrial),
            amount_text(line.balance_after_mrial),
        ]


def _lines() -> Iterator[StatementLine]:
    return queries.whole_statement(account_id=visitor().account_id, narrowed=StatementForm.read().narrowed)


def _attached(kind: str) -> dict[str, str]:
    name = f"statement-{day_of(clock.now()).isoformat()}.{kind}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _cells(lines: Iterator[StatementLine]) -> Iterator[list[Value]]:
    """A row for each line; their causes are asked for some hundred at a time."""
    account_id = visitor().account_id
    while chunk := list(islice(lines, _LINES_A_CHUNK)):
        causes = subjects.causes(account_id, chunk)
        for line in chunk:
            cause = causes.get(line.transfer_id, subjects.NOTHING)
            yield [
                line.number,
                moment_text(line.posted_at),
                line.posted_at.isoformat(),
                transfer_label(line.kind),
                _(line.why, number=digits(line.subject.id)),
                line.reason,
                Decimal(rial_text(line.amount_mrial)),
                Decimal(rial_text(line.balance_after_mrial)),
                "; ".join(filter(None, [cause.name, *(text for text, _url in cause.facts)])),
            ]


def _csv_cell(value: Value) -> str:
    return csv_text(value) if isinstance(value, str) else str(value)


def _csv(heads: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield "\ufeff"  # without it Excel reads Persian as something else
    yield _written([heads])
    while chunk := list(islice(rows, _LINES_A_CHUNK)):
        yield _written(chunk)


def _written(cells: list[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(cells)
    return written.getvalue()
