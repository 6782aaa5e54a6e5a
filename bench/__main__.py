"""Entry of the bench: `python -m bench [NAME…] [--quick | --rows N] [--write]`, on the servers in the environment."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from bench import document, machine
from bench.families import FAMILIES, Family
from bench.figures import Figure, Line, beside
from bench.reference import Reference, measure
from deploy.environment import ROOT
from deploy.programs import environment, python_command

PAGE = ROOT / "docs" / "benchmarks.md"
_REFERENCE_ROWS = 200_000
_PREFIX = f"bench_{os.getpid()}"


def main(words: Sequence[str]) -> int:
    """Measure what is asked for and print it; exit code 1 when a measurement failed, not when a target was missed."""
    asked = _asked(words)
    chosen = [family for family in FAMILIES if family.is_meant_by(asked.names)]
    at, started = datetime.now(UTC), time.monotonic()
    facts = machine.facts(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
    print(", ".join(f"{name} {fact}" for name, fact in facts.items() if fact), flush=True)
    lines: list[Line] = []
    references: list[Reference] = []
    failed: list[str] = []
    with _template() as template:
        for family in chosen:
            rows = asked.rows or (family.quick_rows if asked.quick else family.rows)
            try:
                made = _measured(family, rows, template, references)
            except subprocess.CalledProcessError:
                failed.append(family.name)
                continue
            lines.extend(made)
            print(document.table(made), flush=True)
    for line in document.noise(references):
        print(line)
    if asked.write and not failed:
        page = document.text(lines, references, machine=facts, at=at, seconds=time.monotonic() - started)
        PAGE.write_text(page)
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="panel.py bench", description="The figures.")
    known = [name for family in FAMILIES for name in (family.name, *family.codes)]
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(dict.fromkeys(known))}; all without any")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="tiny sizes, only to see that everything runs")
    size.add_argument("--rows", type=int, help="the size of each measurement")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args(words)
    unknown = {name.upper() for name in asked.names} - {name.upper() for name in known}
    if asked.rows is not None and asked.rows < 1:
        parser.error("--rows takes a number above 0")
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    return asked


def _measured(family: Family, rows: int, template: str, references: list[Reference]) -> list[Line]:
    """The lines of a family; R is taken before and after it where something is compared with it."""
    before = [_reference(rows, template)] if family.is_compared else []
    figures = _alone(family, rows, template)
    around = [*before, _reference(rows, template)] if family.is_compared else []
    references.extend(around)
    return [beside(figure, around) for figure in figures]


def _reference(rows: int, template: str) -> Reference:
    with _database(template, "reference") as url:
        return measure(url, rows=min(rows, _REFERENCE_ROWS))


def _alone(family: Family, rows: int, template: str) -> list[Figure]:
    with _database(template, family.name) as url, tempfile.TemporaryDirectory(prefix="payamgah-bench-") as folder:
        answer = Path(folder) / "figures.json"
        settings = {"DATABASE_URL": url, "VAR_DIR": folder, "QUEUE_PREFIX": f"{_PREFIX}-{family.name}-"}
        command = python_command("bench.alone", family.name, str(rows), str(answer))
        subprocess.run(command, cwd=ROOT, env=environment(settings), check=True)
        return [Figure(**figure) for figure in json.loads(answer.read_text())]


@contextmanager
def _template() -> Iterator[str]:
    """The name of a migrated, empty database, which each measurement gets a copy of."""
    name = f"{_PREFIX}_template"
    with _database("template0", "template") as url:
        subprocess.run(python_command("deploy.prepare"), cwd=ROOT, env=environment({"DATABASE_URL": url}), check=True)
        with psycopg.connect(url) as owner:  # a new installation begins with trials; here public lines are sent over
            owner.execute("UPDATE lines_public_policy SET policy = 'allowed'")
        yield name


@contextmanager
def _database(template: str, name: str) -> Iterator[str]:
    """A database for as long as the block lasts; afterwards everything is on disk, so that the next begins in quiet."""
    called = sql.Identifier(f"{_PREFIX}_{name}")
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(called, sql.Identifier(template)))
        try:
            yield f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{_PREFIX}_{name}"
        finally:
            owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(called))
            owner.execute("CHECKPOINT")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
