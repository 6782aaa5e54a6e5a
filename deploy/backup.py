"""Run inside the environment: writes one file with everything the database holds at one moment.

Rows are read by COPY in one snapshot, so it may run while the panel works. The schema is not in the file, only the
migration it stands at: rows can then be loaded by any PostgreSQL the panel runs on, and rights, triggers and partitions
come from the migrations. So neither the version nor the tools of the server matter.
"""

import argparse
import json
import os
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from deploy.archive import FORMAT, MANIFEST, SECRETS, TABLES, UPLOADS, Manifest, Pieces, Totals, Writer
from deploy.environment import ROOT
from deploy.problems import Problem
from deploy.supervisor import say
from sms.core.config import Settings, UnusableSettings, settings
from sms.core.seal import seal

MIGRATION_LOCK = 815_493_001  # the one migrations hold: a schema does not change under a backup
# Empty after a restore: everybody is signed out, and the timetable begins anew. The totals beside the campaigns are
# made again as the campaigns come back.
LEFT_OUT = ("accounts_session", "core_tick", "alembic_version", "outbox_day", "outbox_campaign_outcome")
CONNECTION_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO -c extra_float_digits=3 -c search_path=public -c statement_timeout=0"
    " -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
)
_TELL_SECONDS = 5.0

_COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname ORDER BY c.relname
"""
_PARTITIONS = """
SELECT c.relname, p.relname, pg_get_expr(c.relpartbound, c.oid), coalesce(c.reloptions, '{}')
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition AND c.relkind = 'r' ORDER BY c.relname
"""
_SEQUENCES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' ORDER BY relname"
)
_WAITING_LISTS = "SELECT stored_name FROM outbox_draft WHERE state = 'reading' AND stored_name <> '' ORDER BY id"
_KEPT_FILES = {  # by the table that knows them, where this version has it
    "lines_document": "SELECT stored_name FROM lines_document WHERE removed_at IS NULL ORDER BY id",
    "billing_bank_slip": "SELECT stored_name FROM billing_bank_slip ORDER BY id",
    "contacts_import": (
        "SELECT stored_name FROM contacts_import WHERE state = 'reading' AND stored_name <> '' ORDER BY id"
    ),
}


class CannotBackUp(Problem):
    """No backup was made; the message says why."""


@dataclass(frozen=True)
class Taken:
    """A finished backup."""

    file: Path
    size_bytes: int
    row_count: int
    seconds: float
    taken_at: str
    missing_uploads: int


def back_up(chosen: Settings, file: Path, *, with_secrets: bool) -> Taken:
    """Write `file`, readable by this user only, whole or not at all; raises CannotBackUp."""
    began = time.monotonic()
    if file.exists():
        raise CannotBackUp(f"{file} is there already; a backup overwrites nothing.")
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            manifest, totals = _write(chosen, Writer(stream), with_secrets=with_secrets)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.rename(file)
    except OSError as error:
        raise CannotBackUp(f"{file} cannot be written: {error.strerror or error}.") from error
    except psycopg.Error as error:
        raise CannotBackUp(f"The database could not be read: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return Taken(
        file=file,
        size_bytes=file.stat().st_size,
        row_count=sum(totals.rows.values()),
        seconds=round(time.monotonic() - began, 1),
        taken_at=manifest.taken_at,
        missing_uploads=totals.missing_uploads,
    )


def _write(chosen: Settings, writer: Writer, *, with_secrets: bool) -> tuple[Manifest, Totals]:
    with psycopg.connect(chosen.database_url, autocommit=True, options=CONNECTION_OPTIONS) as owner:
        # Before the snapshot: what is waited for here must be seen by it.
        owner.execute("SELECT pg_advisory_lock_shared(%s)", [MIGRATION_LOCK])
        owner.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        manifest = _manifest(owner, chosen, with_secrets=with_secrets)
        totals = Totals()
        writer.add_json(MANIFEST, vars(manifest))
        if with_secrets:
            writer.add_json(SECRETS, {"SECRET_KEY": chosen.secret_key, "SEAL_KEY": chosen.seal_key})
        for name in _uploads(owner):
            totals.missing_uploads += not _add_upload(writer, chosen.var_dir / "uploads" / name)
        for table, columns in manifest.tables.items():
            totals.rows[table] = _add_table(writer, owner, table, columns)
        writer.finish(totals)
    return manifest, totals


def _manifest(owner: psycopg.Connection[Any], chosen: Settings, *, with_secrets: bool) -> Manifest:
    # The moment the transaction began lies before its snapshot: what was sent later is not in it.
    moment: datetime = _value(owner, "SELECT transaction_timestamp()")
    if _value(owner, "SELECT to_regclass('alembic_version')") is None:
        raise CannotBackUp("The database is empty: there is nothing to back up.")
    tables = {name: columns for name, columns in owner.execute(_COLUMNS) if name not in LEFT_OUT}
    sealed = seal({"of": "backup"}, seal_key=chosen.seal_key).hex()
    has_sealed = _value(owner, "SELECT EXISTS (SELECT FROM operators_gateway WHERE credentials_sealed <> '')")
    return Manifest(
        format=FORMAT,
        taken_at=moment.isoformat(),
        migration=_value(owner, "SELECT version_num FROM alembic_version"),
        mode=chosen.mode,
        version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        sealed_with=sealed if has_sealed else "",
        has_secrets=with_secrets,
        tables=tables,
        partitions=[
            {"name": name, "parent": parent, "bounds": bounds, "options": options}
            for name, parent, bounds, options in owner.execute(_PARTITIONS)
        ],
        sequences={name: _position(owner, name) for (name,) in owner.execute(_SEQUENCES).fetchall()},
    )


def _value(owner: psycopg.Connection[Any], question: str) -> Any:
    found = owner.execute(question.encode()).fetchone()
    return found[0] if found else None


def _position(owner: psycopg.Connection[Any], name: str) -> list[Any]:
    # Sequences know no snapshot: theirs is as far as, or further than, what the snapshot holds.
    found = owner.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))).fetchone()
    return list(found or ())


def _uploads(owner: psycopg.Connection[Any]) -> list[str]:
    """Lists that wait to be read, and documents and bank slips of customers where this version knows them."""
    kept = [ask for table, ask in _KEPT_FILES.items() if _value(owner, f"SELECT to_regclass('{table}')") is not None]
    asked = (_WAITING_LISTS, *kept)
    return [name for question in asked for (name,) in owner.execute(question)]


def _add_upload(writer: Writer, path: Path) -> bool:
    """A list or a document; a list that was read just now is gone, and its customer will be asked for it again."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return False
    with stream, Pieces(writer.add, f"{UPLOADS}/{path.name}") as pieces:
        while block := stream.read(1024 * 1024):
            pieces.add(block)
    return True


def _add_table(writer: Writer, owner: psycopg.Connection[Any], table: str, columns: Sequence[str]) -> int:
    question = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
    )
    count = 0
    told_at = time.monotonic()
    with (
        owner.cursor() as cursor,
        Pieces(writer.add, f"{TABLES}/{table}") as pieces,
        cursor.copy(question) as copy,
    ):
        for line in copy:
            pieces.add(line)
            count += 1
            if count % 10_000 == 0 and time.monotonic() - told_at > _TELL_SECONDS:
                told_at = time.monotonic()
                say(f"  {table}: {count:,} rows ...")
    return count


# The command


def main(words: Sequence[str]) -> None:
    """Write a backup and tell what it came to."""
    parser = argparse.ArgumentParser(prog="panel.py backup", description="Write everything into one file.")
    parser.add_argument("file", nargs="?", type=Path, help="default: VAR_DIR/backups/payamgah-MOMENT.tar.gz")
    parser.add_argument("--with-secrets", action="store_true", help="put SECRET_KEY and SEAL_KEY into the file too")
    parser.add_argument("--json", action="store_true", dest="as_json", help="answer with one JSON object")
    asked = parser.parse_args(words)
    chosen = settings()
    file = asked.file or chosen.var_dir / "backups" / f"payamgah-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.tar.gz"
    taken = back_up(chosen, file.absolute(), with_secrets=asked.with_secrets)
    if asked.as_json:
        print(json.dumps(vars(taken), default=str))
    else:
        print(f"{taken.file}: {taken.row_count:,} rows, {taken.size_bytes / 1e6:.1f} MB, {taken.seconds:.1f} s")
    if taken.missing_uploads:
        say(f"{taken.missing_uploads} uploaded lists were read meanwhile and are not in it.")
    if asked.with_secrets:
        say("The file holds the keys that open the operators' credentials: whoever has it can send in your name.")
    else:
        say("It does not hold SECRET_KEY and SEAL_KEY: keep them (secrets.json, or your own) in another place.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Problem, UnusableSettings) as problem:
        sys.exit(str(problem))
