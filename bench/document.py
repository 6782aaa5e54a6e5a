"""The figures as a page of the documentation."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bench.figures import HEAD, Line, number
from bench.reference import Reference

_TEXT = """# What it costs, measured

Written by `python3 panel.py bench --write`; run it to get the figures of your machine. Each measurement has a database
of its own on servers that write to disk as in earnest, with PostgreSQL, Valkey, the panel and the simulated operator
on the same machine. After each, every invariant of `panel.py verify` held.

R, the raw reference, is what PostgreSQL alone does over one connection: COPY of as many messages with the product's
indexes, one UPDATE of each by id, one UPDATE of each by the operator's reference, a thousand a statement
(`bench/reference.py`). It is taken before and after each measurement that is compared with it: machines differ, and
the same machine differs from hour to hour, so the ratio is what counts. Where a target is a share of the raw update,
R is the last of the three alone.
"""


def text(
    lines: Sequence[Line], references: Sequence[Reference], *, machine: Mapping[str, str], at: datetime, seconds: float
) -> str:
    """The whole page, in Markdown."""
    notes = [f"- **{line.figure.code}** {note}" for line in lines for note in line.figure.notes]
    parts = [
        _TEXT,
        f"## {at:%Y-%m-%d}\n",
        ", ".join(f"{name} {fact}" for name, fact in machine.items() if fact)
        + f"; taken in {seconds / 60:.0f} minutes.",
        *noise(references),
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
        *("| " + " | ".join(line.cells()) + " |" for line in lines),
        "",
        *notes,
    ]
    return "\n".join(parts) + "\n"


def noise(references: Sequence[Reference]) -> list[str]:
    """How much the reference itself moved during the run."""
    if not references:
        return []
    taken = [each.per_second for each in references]
    updates = [each.update_per_second for each in references]
    return [
        f"R over {len(taken)} takings of {references[0].rows:,} rows: {number(min(taken))}–{number(max(taken))} "
        f"messages/s; its update alone {number(min(updates))}–{number(max(updates))}/s."
    ]


def table(lines: Sequence[Line]) -> str:
    """The figures for a terminal, the notes below each."""
    cells = [HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    printed = ["  ".join(cell.ljust(width) for cell, width in zip(HEAD, widths, strict=True))]
    for line in lines:
        printed.append("  ".join(cell.ljust(width) for cell, width in zip(line.cells(), widths, strict=True)).rstrip())
        printed.extend(f"      {note}" for note in line.figure.notes)
    return "\n".join(printed)
