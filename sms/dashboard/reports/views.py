"""Reports: messages, outcomes and money by day, line, operator, network and sub-account; as a page and as files."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import AccountKind, Permission
from sms.core import clock
from sms.core.calendar import day_of, day_text
from sms.core.money import MRIAL_PER_RIAL, RIAL_PER_TOMAN
from sms.core.sheets.writing import MEDIA_TYPE, Sheet, Value, xlsx
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import money_unit
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page
from sms.core.web.i18n import _, language
from sms.dashboard.reports import queries
from sms.dashboard.reports.forms import ReportForm
from sms.dashboard.reports.queries import MOST_ROWS, ReportFilter
from sms.dashboard.reports.rules import GROUP_LABELS, OUTCOMES, Group, Row, Scope, Sums, Whose, days_between
from sms.ledger.rules import csv_text, rial_text
from sms.operators.rules import OUTCOME_LABELS, Outcome

bp = Blueprint("reports", __name__)
_YEAR = 5  # characters of a day's text that name its year
_EXPORTED = 100_000
_TONES = {
    Outcome.DELIVERED: "success",
    Outcome.UNDELIVERED: "danger",
    Outcome.BLOCKED: "warning",
    Outcome.NOT_IN_NETWORK: "info",
}
_WHOSE = {AccountKind.INSTALLATION: Whose.HOUSE, AccountKind.RESELLER: Whose.TREE, AccountKind.CUSTOMER: Whose.OWN}

nav.add(
    N_("Reports"),
    endpoint="reports.report",
    icon="chart-bar",
    section="customer",
    permission=Permission.VIEW_MONEY,
    order=63,
)


def _asked() -> tuple[ReportForm, Scope, ReportFilter]:
    """The form, whose messages it is about, and what they are narrowed to; raises NotFound for others' accounts."""
    whose = _WHOSE[AccountKind(visitor().account_kind)]
    own_id = visitor().account_id
    accounts = queries.sub_accounts(own_id) if whose is not Whose.OWN else ()
    form = ReportForm.read(whose=whose, accounts=accounts)
    scope = Scope(whose, None if whose is Whose.HOUSE else own_id, whose, own_id)
    if form.chosen_account is not None:
        chosen = queries.below(form.chosen_account, top_id=None if whose is Whose.HOUSE else own_id)
        scope = Scope(Whose.TREE if chosen.kind == AccountKind.RESELLER else Whose.OWN, chosen.id, whose, own_id)
    return form, scope, form.narrowed(today=day_of(clock.now()))


@bp.get("/reports")
@require(Permission.VIEW_MONEY)
def report() -> ResponseReturnValue:
    """The report as a page, with its charts by day."""
    form, scope, narrowed = _asked()
    whose = _WHOSE[AccountKind(visitor().account_kind)]
    found = queries.report(scope, narrowed, form.grouped)
    by_day = found if form.grouped is Group.DAY else queries.report(scope, narrowed, Group.DAY)
    total = queries.total(scope, narrowed)
    return render_page(
        "reports/report.html",
        form=form,
        whose=whose,
        first=narrowed.first,
        last=narrowed.last,
        group=GROUP_LABELS[form.grouped],
        rows=[(_name(row, form.grouped), row.sums) for row in found[:MOST_ROWS]],
        is_cut=len(found) > MOST_ROWS,
        total=total.sums,
        outcomes=_shares(total),
        charts=_charts(by_day, narrowed, whose),
        is_behind=queries.is_behind(at=clock.now()),
        csv_url=url_for(".export", **form.address()),
        xlsx_url=url_for(".export_sheet", **form.address()),
    )


def _name(row: Row, group: Group) -> str:
    if group is Group.DAY:
        return day_text(row.key, language())  # type: ignore[arg-type]
    return row.names[0] if language() == "fa" else row.names[1]


def _shares(total: Row) -> list[tuple[int, str, str]]:
    """The outcomes as parts of a bar, and what has none yet."""
    parts = [
        (total.outcomes[outcome], _TONES.get(outcome, "muted"), _(OUTCOME_LABELS[outcome]))
        for outcome in OUTCOMES
        if total.outcomes[outcome]
    ]
    waiting = total.sums.messages - sum(total.outcomes.values())
    return [*parts, (waiting, "muted", _("Waiting for reports"))] if waiting > 0 else parts


def _charts(by_day: Sequence[Row], narrowed: ReportFilter, whose: Whose) -> list[tuple[list[tuple[str, int]], str]]:
    """What each day was, in pictures: messages and money."""
    known = {row.key: row.sums for row in by_day}
    days = [(day_text(day, language())[_YEAR:], known.get(day, Sums())) for day in _days(narrowed)]
    is_toman = money_unit() == "toman"
    per_unit = MRIAL_PER_RIAL * (RIAL_PER_TOMAN if is_toman else 1)
    unit = _("toman") if is_toman else _("rial")
    charts = [([(label, sums.messages) for label, sums in days], _("Messages by day"))]
    is_house = whose is Whose.HOUSE
    label = _("Revenue by day, in %(unit)s", unit=unit) if is_house else _("Paid by day, in %(unit)s", unit=unit)
    charts.append(([(name, sums.price_mrial // per_unit) for name, sums in days], label))
    charts.append(
        ([(name, sums.refund_mrial // per_unit) for name, sums in days], _("Refunds by day, in %(unit)s", unit=unit))
    )
    return charts


def _days(narrowed: ReportFilter) -> Sequence[Any]:
    return days_between(narrowed.first, narrowed.last)


# Files

_OF_HOUSE = (N_("Cost (rial)"), N_("Profit (rial)"))
_HEADS = (
    *(N_("Messages"), N_("Taken by the operator"), N_("Parts"), N_("Waiting for reports")),
    *(N_("Price (rial)"), N_("Refunded messages"), N_("Refunds (rial)"), N_("Remains (rial)")),
)


@bp.get("/reports/export.csv")
@require(Permission.VIEW_MONEY)
def export() -> ResponseReturnValue:
    """The report as CSV."""
    heads, cells = _table()
    written = io.StringIO("\ufeff")  # without it Excel reads Persian as something else
    written.seek(0, io.SEEK_END)
    table: list[list[Value]] = [list(heads), *cells]
    csv.writer(written).writerows(
        [[csv_text(cell) if isinstance(cell, str) else cell for cell in row] for row in table]
    )
    return Response(written.getvalue(), mimetype="text/csv", headers=_attached("csv"))


@bp.get("/reports/export.xlsx")
@require(Permission.VIEW_MONEY)
def export_sheet() -> ResponseReturnValue:
    """The report as a workbook."""
    heads, cells = _table()
    widths = [24, *([16] * (len(heads) - 1))]
    sheet = Sheet(_("Report"), heads, cells, widths, is_right_to_left=language() == "fa", kept_columns=1)
    return Response(xlsx(sheet), mimetype=MEDIA_TYPE, headers=_attached("xlsx"))


def _attached(kind: str) -> dict[str, str]:
    name = f"report-{day_of(clock.now()).isoformat()}.{kind}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _table() -> tuple[list[str], list[list[Value]]]:
    form, scope, narrowed = _asked()
    has_profit = visitor().account_kind != AccountKind.CUSTOMER
    heads = [_(GROUP_LABELS[form.grouped]), *(_(head) for head in _HEADS)]
    heads += [_(head) for head in _OF_HOUSE] if has_profit else []
    heads += [_(OUTCOME_LABELS[outcome]) for outcome in OUTCOMES]
    found = queries.report(scope, narrowed, form.grouped, most=_EXPORTED)
    return heads, [_cells(row, form.grouped, has_profit=has_profit) for row in found]


def _cells(row: Row, group: Group, *, has_profit: bool) -> list[Value]:
    sums = row.sums
    cells: list[Value] = [_name(row, group), sums.messages, sums.submitted, sums.parts, sums.waiting]
    cells += [_rial(sums.price_mrial), sums.refund_count, _rial(sums.refund_mrial), _rial(sums.revenue_mrial)]
    cells += [_rial(sums.net_cost_mrial), _rial(sums.profit_mrial)] if has_profit else []
    return cells + [row.outcomes[outcome] for outcome in OUTCOMES]


def _rial(mrial: int) -> Decimal:
    return Decimal(rial_text(mrial))
