"""Writes of formats and prices: rows are added, never changed, so that the past stays as it was."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.core.actor import Actor
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.formats import queries
from sms.lines.formats.queries import NO_SUCH_CHANGE, Seller, Step
from sms.lines.formats.rules.offers import (
    NO_OFFER,
    NOTE_LENGTH,
    PERCENT,
    Cell,
    Format,
    Offer,
    check_cell,
    check_format,
    discounted,
)
from sms.lines.formats.rules.sheet import Read
from sms.lines.formats.rules.tiers import Audience
from sms.lines.rules import UnusableLine
from sms.operators.queries import operator

IMPORTS_KEPT = timedelta(days=1)
_PAST = N_("It can begin now or later, not in the past: what was ordered keeps its price.")


# Formats


def set_format(*, operator_id: int, wanted: Format, valid_from: datetime | None, by: Actor, at: datetime) -> int:
    """Say what an operator sells of one length, now or from later on; returns the new row's id.

    Prices of what is no longer sold stay in the history and are shown to nobody. Raises NotFound, UnusableLine.
    """
    code = operator(operator_id).code
    check_format(wanted, operator_code=code)
    begins = _begins(valid_from, at)
    made = scalar(
        """INSERT INTO lines_format (operator_id, digits, is_on_sale, sale_mode, range_digits, choosable_digits, tiers,
               gives_priority, renewal_percent, renewal_months, grace_days, note, valid_from, created_by, created_at)
           VALUES (:operator_id, :digits, :is_on_sale, :sale_mode, :range_digits, :choosable_digits, :tiers,
               :gives_priority, :renewal_percent, :renewal_months, :grace_days, :note, :begins, :actor, :at)
           RETURNING id""",
        operator_id=operator_id,
        digits=wanted.digits,
        is_on_sale=wanted.is_on_sale,
        sale_mode=str(wanted.sale_mode),
        range_digits=wanted.range_digits,
        choosable_digits=wanted.choosable_digits,
        tiers=[str(tier) for tier in wanted.tiers],
        gives_priority=wanted.gives_priority,
        renewal_percent=wanted.renewal_percent,
        renewal_months=wanted.renewal_months,
        grace_days=wanted.grace_days,
        note=" ".join(wanted.note.split()),
        begins=begins,
        actor=by.id,
        at=at,
    )
    details = {"operator": code, "digits": wanted.digits, "is_on_sale": wanted.is_on_sale}
    _audit("line_format.set", f"line_format:{made}", details, by=by, at=at)
    return int(made)


def _begins(valid_from: datetime | None, at: datetime) -> datetime:
    if valid_from is not None and valid_from < at:
        raise UnusableLine("valid_from", _PAST)
    return valid_from or at


# Prices


def set_prices(
    offers: Mapping[Cell, Offer],
    *,
    by: Actor,
    at: datetime,
    kind: str = "edit",
    note: str = "",
    valid_from: datetime | None = None,
) -> int | None:
    """Write into cells as one change, now or from later on; returns its id, None when all of them say so already.

    Raises NotOnSale for the first cell of something that is not sold, and writes nothing.
    """
    begins = _begins(valid_from, at)
    sellers = {each.id: each for each in queries.sellers(begins)}
    _check_cells(offers, sellers)
    _one_at_a_time()
    now = queries.prices(at=begins)
    changed = {cell: offer for cell, offer in offers.items() if now.get(cell, NO_OFFER) != offer}
    if not changed:
        return None
    change_id = _add_change(kind, note=note, undoes_id=None, by=by, at=at)
    _add_prices(change_id, [(cell, offer, begins) for cell, offer in changed.items()])
    details = {"kind": kind, "cells": len(changed), "valid_from": begins.isoformat()}
    _audit("line_prices.set", f"line_prices:{change_id}", details, by=by, at=at)
    return change_id


def _check_cells(cells: Collection[Cell], sellers: Mapping[int, Seller]) -> None:
    for cell in cells:
        seller = sellers.get(cell.operator_id)
        if seller is None:
            raise NotFound(N_("There is no such operator."))
        check_cell(cell, operator_code=seller.code, formats=seller.formats)


def _one_at_a_time() -> None:
    """Two changes of prices never cross: each sees what the other made of the cells."""
    execute("SELECT pg_advisory_xact_lock(hashtext('lines_price'))")


def _add_change(kind: str, *, note: str, undoes_id: int | None, by: Actor, at: datetime) -> int:
    return int(
        scalar(
            """INSERT INTO lines_price_change (kind, undoes_id, note, actor_id, made_at)
               VALUES (:kind, :undoes_id, :note, :actor, :at) RETURNING id""",
            kind=kind,
            undoes_id=undoes_id,
            note=" ".join(note.split())[:NOTE_LENGTH],
            actor=by.id,
            at=at,
        )
    )


def _add_prices(change_id: int, written: Sequence[tuple[Cell, Offer, datetime]]) -> None:
    execute(
        """INSERT INTO lines_price
               (change_id, operator_id, digits, tier, choice, audience, terms, amount_mrial, valid_from)
           SELECT :change_id, * FROM unnest(CAST(:operators AS smallint[]), CAST(:digits AS smallint[]),
               CAST(:tiers AS text[]), CAST(:choices AS text[]), CAST(:audiences AS text[]), CAST(:terms AS text[]),
               CAST(:amounts AS bigint[]), CAST(:begins AS timestamptz[]))""",
        change_id=change_id,
        operators=[cell.operator_id for cell, _, _ in written],
        digits=[cell.digits for cell, _, _ in written],
        tiers=[str(cell.tier) for cell, _, _ in written],
        choices=[str(cell.choice) for cell, _, _ in written],
        audiences=[str(cell.audience) for cell, _, _ in written],
        terms=[str(offer.terms) for _, offer, _ in written],
        amounts=[offer.amount_mrial for _, offer, _ in written],
        begins=[begins for _, _, begins in written],
    )


def derive_prices(
    *,
    operator_id: int | None,
    source: Audience,
    target: Audience,
    percent: int,
    step_rial: int,
    by: Actor,
    at: datetime,
) -> int | None:
    """Fill an audience's prices from another's, less a percentage (below zero: more); of one operator or of all.

    What is by inquiry there is by inquiry here. Returns the change's id; raises UnusableLine.
    """
    if source is target:
        raise UnusableLine("source", N_("Prices are filled from those of somebody else."))
    if not -PERCENT <= percent <= PERCENT:
        raise UnusableLine("percent", N_("A share lies between -100 and 100."))
    if step_rial < 1:
        raise UnusableLine("step", N_("Prices are rounded to 1 rial or more."))
    known = queries.prices(at=at, operator_id=operator_id, audience=source)
    sold = {
        (seller.id, each.digits, *column)
        for seller in queries.sellers(at)
        for each in seller.on_sale
        for column in each.columns
    }
    offers = {
        cell._replace(audience=target): discounted(offer, percent=percent, step_rial=step_rial)
        for cell, offer in known.items()
        if cell[:4] in sold
    }
    note = f"{source} → {target}, {-percent:+}%"
    return set_prices(offers, by=by, at=at, kind="derive", note=note)


def undo_change(*, change_id: int, by: Actor, at: datetime) -> tuple[int | None, int]:
    """Give the cells of a change what they said before it, unless somebody wrote into them since.

    Returns the new change's id, None when nothing was left to give back, and how many cells were left alone.
    An undo can be undone. Raises NotFound, Refusal when it was taken back already.
    """
    _one_at_a_time()
    found = row("SELECT kind, undoes_id, undone_by FROM lines_price_change WHERE id = :id FOR UPDATE", id=change_id)
    if found is None:
        raise NotFound(NO_SUCH_CHANGE)
    if found.undone_by is not None:
        raise Refusal(N_("This change has been taken back already."))
    steps = queries.steps(change_id)
    written = _given_back(steps, at)
    if not written:
        return None, len(steps)
    made = _add_change("undo", note="", undoes_id=change_id, by=by, at=at)
    _add_prices(made, written)
    execute("UPDATE lines_price_change SET undone_by = :made WHERE id = :id", made=made, id=change_id)
    if found.undoes_id is not None:  # what was taken back stands again
        execute("UPDATE lines_price_change SET undone_by = NULL WHERE id = :id", id=found.undoes_id)
    _audit("line_prices.undone", f"line_prices:{change_id}", {"cells": len(written)}, by=by, at=at)
    return made, len(steps) - len(written)


def _given_back(steps: Sequence[Step], at: datetime) -> list[tuple[Cell, Offer, datetime]]:
    """What stood before, for the cells that still say what the change made of them when it began, or say now."""
    begins = {step: max(at, step.valid_from) for step in steps}
    now = {moment: queries.prices(at=moment) for moment in set(begins.values())}
    return [
        (step.cell, step.before, moment)
        for step, moment in begins.items()
        if now[moment].get(step.cell, NO_OFFER) == step.after
    ]


def set_audience(*, account_id: int, audience: Audience | None, by: Actor, at: datetime) -> None:
    """Decide which prices an account sees; None: those of its kind. Raises NotFound."""
    account(account_id)
    if audience is None:
        execute("DELETE FROM lines_account WHERE account_id = :id", id=account_id)
    else:
        execute(
            """INSERT INTO lines_account (account_id, audience) VALUES (:id, :audience)
               ON CONFLICT (account_id) DO UPDATE SET audience = excluded.audience""",
            id=account_id,
            audience=str(audience),
        )
    _audit(
        "line_prices.audience",
        f"account:{account_id}",
        {"audience": str(audience or "")},
        account_id=account_id,
        by=by,
        at=at,
    )


# Imports


def keep_import(*, read: Read, file_name: str, by: Actor, at: datetime) -> int:
    """Keep what a file says until somebody has looked at it; returns its id."""
    cells = [[*map(_plain, cell), str(offer.terms), offer.amount_mrial] for cell, offer in read.offers.items()]
    return keep_list(
        kind="prices",
        items=cells,
        problems=[[each.place, each.message, each.params] for each in read.problems],
        problem_count=read.problem_count,
        file_name=file_name,
        by=by,
        at=at,
    )


def keep_list(
    *,
    kind: str,
    items: Sequence[Any],
    problems: Sequence[Any],
    problem_count: int,
    file_name: str,
    by: Actor,
    at: datetime,
) -> int:
    """Keep what was read out of a file, prices or numbers, with what could not be; returns its id."""
    return int(
        scalar(
            """INSERT INTO lines_import
                   (kind, user_id, file_name, rows, problems, row_count, problem_count, created_at)
               VALUES (:kind, :user, :file_name, CAST(:rows AS jsonb), CAST(:problems AS jsonb), :row_count,
                   :problem_count, :at) RETURNING id""",
            kind=kind,
            user=by.id,
            file_name=" ".join(file_name.split())[-100:],
            rows=json.dumps(items),
            problems=json.dumps(problems),
            row_count=len(items),
            problem_count=problem_count,
            at=at,
        )
    )


def _plain(part: object) -> object:
    return part if isinstance(part, int) else str(part)


def apply_import(*, import_id: int, by: Actor, at: datetime) -> int | None:
    """Write what an import holds, once; returns the change's id, None when nothing differed.

    Raises NotFound, Refusal when it was applied already, NotOnSale when something is sold no more.
    """
    found = row(
        """UPDATE lines_import SET applied_at = :at WHERE id = :id AND kind = 'prices' AND applied_at IS NULL
           RETURNING *""",
        id=import_id,
        at=at,
    )
    if found is None:
        applied = queries.price_import(import_id)
        raise Refusal(N_("The file %(name)s has been applied already."), name=applied.file_name)
    return set_prices(queries.offers_of_import(found), by=by, at=at, kind="import", note=found.file_name)


def tidy_imports(*, at: datetime) -> int:
    """Throw away files that were read a day ago; returns how many."""
    return len(rows("DELETE FROM lines_import WHERE created_at < :at RETURNING id", at=at - IMPORTS_KEPT))


def _audit(
    action: str,
    subject: str,
    details: Mapping[str, object],
    *,
    by: Actor,
    at: datetime,
    account_id: int | None = None,
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=subject,
        details=details,
        at=at,
        address=by.address,
    )
