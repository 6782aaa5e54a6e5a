"""Reads of traffic by the hour: an account's own by line, everybody's by operator; messages are never read for it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows
from sms.lines.traffic.rules import STEPS, Figures, total

_DELAYS = "ARRAY[" + ", ".join(f"sum(h.delay_counts[{step}])" for step in range(1, STEPS + 1)) + "]::bigint[] AS delays"
_SUMS = (
    "h.network_id, CAST(extract(hour FROM h.hour_at AT TIME ZONE 'Asia/Tehran') AS int) AS clock,"
    " sum(h.submitted_count)::bigint AS submitted, sum(h.delivered_count)::bigint AS delivered,"
    f" sum(h.failed_count)::bigint AS failed, {_DELAYS}"
)

_OWN = f"""
SELECT h.line_id AS id, {_SUMS} FROM lines_hour h
WHERE h.account_id = :account_id AND h.hour_at >= :since AND h.submitted_count > 0 GROUP BY 1, 2, 3
"""  # noqa: S608 - the words put in are our own

_ALL = f"""
SELECT h.operator_id AS id, {_SUMS} FROM lines_operator_hour h WHERE h.hour_at >= :since GROUP BY 1, 2, 3
"""  # noqa: S608 - the words put in are our own


@dataclass(frozen=True, slots=True)
class Traffic:
    """How a line, or an operator's lines together, did: in all, by network id, and by hour of the day in Tehran."""

    whole: Figures
    by_network: Mapping[int, Figures] = field(default_factory=dict)
    by_hour: tuple[Figures, ...] = ()


def own_traffic(account_id: int, *, since: datetime) -> dict[int, Traffic]:
    """What an account sent since a moment, by line."""
    return _together(rows(_OWN, account_id=account_id, since=since))


def traffic_of_all(*, since: datetime) -> dict[int, Traffic]:
    """What everybody sent since a moment, by operator; nothing is told of fewer than a hundred messages, be it of an
    operator, of one network or of one hour."""
    told: dict[int, Traffic] = {}
    for operator_id, found in _together(rows(_ALL, since=since)).items():
        if found.whole.is_told:
            told[operator_id] = Traffic(
                found.whole,
                {network: figures for network, figures in found.by_network.items() if figures.is_told},
                tuple(figures if figures.is_told else Figures() for figures in found.by_hour),
            )
    return told


def _together(found: Sequence[Row[Any]]) -> dict[int, Traffic]:
    by_id: dict[int, list[Row[Any]]] = defaultdict(list)
    for each in found:
        by_id[each.id].append(each)
    return {of: _traffic(each) for of, each in by_id.items()}


def _traffic(found: Sequence[Row[Any]]) -> Traffic:
    networks = sorted({each.network_id for each in found})
    return Traffic(
        _sum(found),
        {network: _sum(each for each in found if each.network_id == network) for network in networks},
        tuple(_sum(each for each in found if each.clock == hour) for hour in range(24)),
    )


def _sum(found: Iterable[Row[Any]]) -> Figures:
    return total(Figures(each.submitted, each.delivered, each.failed, tuple(map(int, each.delays))) for each in found)
