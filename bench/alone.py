"""One family of measurements in a process of its own: `python -m bench.alone FAMILY ROWS ANSWER`."""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from app import create_app
from bench import (
    bound,
    export,
    grown,
    inbox,
    link,
    lists,
    meanwhile,
    memory,
    pages,
    pushed,
    refunds,
    reports,
    send,
    single,
)
from bench.figures import Figure

MEASURE: dict[str, Callable[[int], list[Figure]]] = {
    "bound": bound.measure,
    "meanwhile": meanwhile.measure,
    "grown": grown.measure,
    "link": link.measure,
    "send": send.measure,
    "lists": lists.measure,
    "reports": reports.measure,
    "pushed": pushed.pushed_reports,
    "refunds": refunds.measure,
    "refunds_due": refunds.measure_in_a_tree,
    "single": single.measure,
    "pages": pages.measure,
    "memory": memory.measure,
    "export": export.measure,
    "inbox": inbox.measure,
}


def main(name: str, rows: str, answer: str) -> None:
    """Measure, and write the figures as JSON."""
    logging.basicConfig(level="WARNING")
    with create_app().app_context():
        figures = MEASURE[name](int(rows))
    Path(answer).write_text(json.dumps([asdict(figure) for figure in figures]))


if __name__ == "__main__":
    main(*sys.argv[1:])
