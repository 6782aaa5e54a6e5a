"""The statement: where every rial went, and why."""

import csv
import io
from collections.abc import Iterator
from itertools import islice

from flask import Blueprint, Response, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import day_of, start_of_day
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import digits, moment_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page
from sms.core.web.i18n import _
from sms.ledger import queries
from sms.ledger.forms import StatementForm
from sms.ledger.queries import StatementLine
from sms.ledger.rules import TRANSFER_LABELS, TransferKind, csv_text, rial_text

bp = Blueprint("ledger", __name__)

PAGE = 25
_LINES_A_CHUNK = 500
_HEADS = (
    *(N_("No."), N_("Date"), N_("Time (ISO)"), N_("Kind"), N_("Description"), N_("Reason")),
    *(N_("Amount (rial)"), N_("Balance after (rial)")),
)
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
        older_url=url_for(".statement", **older) if older else None,
        newest_url=url_for(".statement", **form.address()) if before else None,
        export_url=url_for(".export", **form.address()),
    )


@bp.get("/statement/export.csv")
@require(Permission.VIEW_MONEY)
def export() -> ResponseReturnValue:
    """The statement as CSV, narrowed as the page is; it streams, however long it is."""
    lines = queries.whole_statement(account_id=visitor().account_id, narrowed=StatementForm.read().narrowed)
    name = f"statement-{day_of(clock.now()).isoformat()}.csv"
    return Response(
        stream_with_context(_csv(lines)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _csv(lines: Iterator[StatementLine]) -> Iterator[str]:
    yield "\ufeff"  # without it Excel reads Persian as something else
    yield _rows([[_(head) for head in _HEADS]])
    while chunk := list(islice(lines, _LINES_A_CHUNK)):
        yield _rows([_cells(line) for line in chunk])


def _cells(line: StatementLine) -> list[str]:
    return [
        str(line.number),
        moment_text(line.posted_at),
        line.posted_at.isoformat(),
        transfer_label(line.kind),
        csv_text(_(line.why, number=digits(line.subject.id))),
        csv_text(line.reason),
        rial_text(line.amount_mrial),
        rial_text(line.balance_after_mrial),
    ]


def _rows(cells: list[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(cells)
    return written.getvalue()
