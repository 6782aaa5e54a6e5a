"""Run inside the environment: puts a database back to what it was when a backup was taken.

All of it is one transaction: the schema made anew at the backup's migration, the rows, the way forward to this code's
migration, and what follows from having gone back in time (`after_restore`). Whatever goes wrong before its end, nothing
has changed; and no worker can ever see restored rows before what may have been sent since is unknown.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from deploy.archive import MANIFEST, SECRETS, TABLES, TOTALS, UPLOADS, Manifest, Totals, checked, pieces
from deploy.backup import CONNECTION_OPTIONS, MIGRATION_LOCK
from deploy.environment import ROOT
from deploy.problems import Problem
from deploy.supervisor import say
from sms.core import clock
from sms.core.config import Settings, UnusableSettings, settings
from sms.core.db import APPLICATION_ROLE, db, transaction
from sms.core.seal import CannotUnseal, unseal
from sms.outbox.operations.restored import Restored, after_restore

_UPLOAD_NAME = re.compile(r"[0-9a-f]{32}")
_BOUNDS = re.compile(r"FOR VALUES FROM \('(-?\d+)'\) TO \('(-?\d+)'\)")
_OPTION = re.compile(r"[a-z_]+=[a-z0-9.]+")

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = session_user AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()
"""
_FOREIGN = """
SELECT to_regclass('alembic_version') IS NULL AND EXISTS (
    SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
"""
# Objects of extensions are not ours. What the migrations grant by default they grant again.
_CLEAR = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT c.oid, c.oid::regclass::text AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP TABLE %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT c.oid::regclass::text AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP SEQUENCE %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT p.oid::regprocedure::text AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP ROUTINE %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT t.oid::regtype::text AS name FROM pg_type t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP TYPE %s CASCADE', found.name); END LOOP;
END $$;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM payamgah_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM payamgah_app;
"""
_LINKS = """
SELECT conrelid::regclass::text AS table_name, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace
ORDER BY conrelid::regclass::text, conname
"""


class CannotRestore(Problem):
    """Nothing was restored, and nothing has changed; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a restore may do beyond filling an empty installation."""

    replace: bool = False
    other_seal_key: bool = False


def restore(chosen: Settings, file: Path, asked: Asked) -> tuple[Manifest, Totals, Restored]:
    """Put the installation back to what it was when `file` was written; raises CannotRestore or Unusable."""
    say(f"Reading {file} ...")
    beginning, totals = checked(file)
    manifest = beginning.manifest
    _refuse_other_code(manifest, file)
    _refuse_other_installation(manifest, chosen, asked)
    try:
        _refuse_other_database(chosen, asked)
        _ensure_role(chosen)
        with create_app(chosen).app_context(), _uploads(chosen.var_dir / "uploads") as keep_upload, transaction():
            restored = _restore(file, manifest, totals, keep_upload)
        _analyse(chosen)
    except (psycopg.Error, SQLAlchemyError) as error:
        raise CannotRestore(f"The database refused it, and nothing has changed: {error}") from error
    return manifest, totals, restored


# What is refused


def _refuse_other_code(manifest: Manifest, file: Path) -> None:
    try:
        ScriptDirectory.from_config(_alembic()).get_revision(manifest.migration)
    except CommandError:
        raise CannotRestore(
            f"{file} was written by a newer version of the panel (its database stands at migration "
            f"{manifest.migration}); update this one first."
        ) from None


def _refuse_other_installation(manifest: Manifest, chosen: Settings, asked: Asked) -> None:
    if manifest.mode != chosen.mode:
        raise CannotRestore(
            f"This is the backup of an installation in the mode {manifest.mode!r}, and PAYAMGAH_MODE here is "
            f"{chosen.mode!r}: sample data and real customers do not mix."
        )
    if manifest.sealed_with and not asked.other_seal_key:
        try:
            unseal(bytes.fromhex(manifest.sealed_with), seal_key=chosen.seal_key)
        except CannotUnseal:
            raise CannotRestore(
                "The operators' credentials in this backup were sealed with another SEAL_KEY than the one here. Give "
                "the right one (from the installation's secrets.json), or say --other-seal-key and enter every "
                "gateway's credentials again."
            ) from None


def _refuse_other_database(chosen: Settings, asked: Asked) -> None:
    with psycopg.connect(chosen.database_url, autocommit=True, options=CONNECTION_OPTIONS) as owner:
        others = _value(owner, _OTHERS)
        if others:
            raise CannotRestore(
                f"{others} other connections are open to this database. Stop every program of the panel first, on "
                "every machine: nothing may be sent meanwhile."
            )
        if _value(owner, _FOREIGN):
            raise CannotRestore("This database holds tables that are not the panel's; give it one of its own.")
        if not asked.replace and _holds_data(owner):
            raise CannotRestore(
                "This installation holds data already. Say --replace to put the backup in its place; what is there now "
                "is then lost, so back it up first."
            )


def _holds_data(owner: psycopg.Connection[Any]) -> bool:
    has_accounts = _value(owner, "SELECT to_regclass('accounts_account') IS NOT NULL")
    return bool(has_accounts and _value(owner, "SELECT EXISTS (SELECT FROM accounts_account)"))


def _value(owner: psycopg.Connection[Any], question: str) -> Any:
    found = owner.execute(question.encode()).fetchone()
    return found[0] if found else None


def _ensure_role(chosen: Settings) -> None:
    """The panel's own connections are made as the restricted role, which a new server does not have yet."""
    with psycopg.connect(chosen.database_url, options=CONNECTION_OPTIONS) as owner:
        role = sql.Identifier(APPLICATION_ROLE)
        if owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION_ROLE]).fetchone() is None:
            owner.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        if not _value(owner, f"SELECT pg_has_role(session_user, '{APPLICATION_ROLE}', 'MEMBER')"):
            owner.execute(sql.SQL("GRANT {} TO SESSION_USER").format(role))


# The transaction


def _restore(file: Path, manifest: Manifest, totals: Totals, keep_upload: Callable[[str, bytes], None]) -> Restored:
    connection = _driver()
    for statement in ("SET LOCAL ROLE NONE", "SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = '30s'"):
        connection.execute(statement.encode())
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
    connection.execute(_CLEAR.encode())
    _migrate(manifest.migration)
    links = _take_links(connection)
    _make_partitions(connection, manifest)
    _fill(connection, file, manifest, totals, keep_upload)
    say("Checking how the rows belong together ...")
    _put_links(connection, links)
    for name, (last_value, is_called) in manifest.sequences.items():
        if name in _names(connection, "S"):
            connection.execute("SELECT setval(%s::regclass, %s, %s)", [f'public."{name}"', last_value, is_called])
    _migrate("head")
    connection.execute("SELECT outbox_make_periods(now() + interval '3 months')")
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(APPLICATION_ROLE)))
    return after_restore(taken_at=datetime.fromisoformat(manifest.taken_at), at=clock.now())


def _driver() -> psycopg.Connection[Any]:
    connection = db.session.connection().connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError(connection)
    return connection


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sms" / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _migrate(target: str) -> None:
    config = _alembic()
    config.attributes["connection"] = db.session.connection()
    command.upgrade(config, target)


def _names(connection: psycopg.Connection[Any], kinds: str) -> set[str]:
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = ANY(%s::\"char\"[])",
        [list(kinds)],
    )
    return {name for (name,) in found}


def _take_links(connection: psycopg.Connection[Any]) -> Sequence[tuple[str, str, str]]:
    """Rows come in any order, and a foreign key is checked a hundred times as fast over all rows at once."""
    links = connection.execute(_LINKS.encode()).fetchall()
    for table, name, _ in links:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(table), sql.Identifier(name)))
    return links


def _put_links(connection: psycopg.Connection[Any], links: Iterable[tuple[str, str, str]]) -> None:
    for table, name, definition in links:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.SQL(table), sql.Identifier(name), sql.SQL(definition)
            )
        )


def _make_partitions(connection: psycopg.Connection[Any], manifest: Manifest) -> None:
    """Those of the past: a new schema has the coming months only."""
    there = _names(connection, "rp")
    for partition in manifest.partitions:
        bounds = _BOUNDS.fullmatch(partition["bounds"])
        if bounds is None or partition["parent"] not in there or not all(map(_OPTION.fullmatch, partition["options"])):
            raise CannotRestore(f"The backup holds a partition this version cannot make: {partition['name']}.")
        if partition["name"] not in there:
            options = f" WITH ({', '.join(partition['options'])})" if partition["options"] else ""
            connection.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({}){}").format(
                    sql.Identifier(partition["name"]),
                    sql.Identifier(partition["parent"]),
                    sql.Literal(int(bounds[1])),
                    sql.Literal(int(bounds[2])),
                    sql.SQL(options),
                )
            )


def _fill(
    connection: psycopg.Connection[Any],
    file: Path,
    manifest: Manifest,
    totals: Totals,
    keep_upload: Callable[[str, bytes], None],
) -> None:
    unknown = manifest.tables.keys() - _names(connection, "rp")
    if unknown:
        raise CannotRestore(f"The backup holds tables this version does not know: {', '.join(sorted(unknown))}.")
    emptied = sql.SQL(", ").join(map(sql.Identifier, manifest.tables))
    connection.execute(sql.SQL("TRUNCATE {}").format(emptied))
    for (folder, name), some in groupby(pieces(file), key=lambda piece: _place(piece[0])):
        if folder == UPLOADS:
            for _, data in some:
                keep_upload(name, data)
        elif folder == TABLES and name in manifest.tables:
            rows = _copy(connection, name, manifest.tables[name], (data for _, data in some))
            if rows != totals.rows.get(name):
                raise CannotRestore(f"The backup tells of {totals.rows.get(name)} rows in {name}, and holds {rows}.")
            if rows:
                say(f"  {name}: {rows:,} rows")
        elif folder not in {MANIFEST, SECRETS, TOTALS}:
            raise CannotRestore(f"The backup holds something this version does not know: {folder}.")


def _place(name: str) -> tuple[str, str]:
    folder, _, rest = name.partition("/")
    return folder, rest.partition("/")[0]


def _copy(connection: psycopg.Connection[Any], table: str, columns: Sequence[str], data: Iterator[bytes]) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in data:
                copy.write(piece)
        return cursor.rowcount


@contextmanager
def _uploads(folder: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Keeps lists that waited to be read; what it kept goes away again when the block fails."""
    kept: set[Path] = set()

    def keep(name: str, data: bytes) -> None:
        if not _UPLOAD_NAME.fullmatch(name):
            raise CannotRestore("The backup holds an uploaded list of a name the panel does not give.")
        path = folder / name
        if path in kept or not path.exists():  # the same name is the same list
            kept.add(path)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
                file.write(data)

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield keep
    except BaseException:
        for path in kept:
            path.unlink(missing_ok=True)
        raise


def _analyse(chosen: Settings) -> None:
    with psycopg.connect(chosen.database_url, autocommit=True, options=CONNECTION_OPTIONS) as owner:
        owner.execute("ANALYZE")


# The command


def _tell(manifest: Manifest, restored: Restored) -> None:
    said = [f"The installation is as it was at {manifest.taken_at}."]
    if restored.unknown_count:
        said.append(
            f"{restored.unknown_count:,} messages of {restored.campaign_count:,} campaigns may have been sent since: "
            "they are looked up at their operators; where that tells nothing, they wait under Administration > Unknown "
            "fates."
        )
    if restored.paused_count:
        said.append(
            f"{restored.paused_count:,} messages are paused: they may have been sent; ask before you resume them."
        )
    if restored.later_count:
        said.append(
            f"{restored.later_count:,} messages wait for a later moment; cancel those that were brought forward."
        )
    said.append("What was paid in or accepted since is not there. Everybody has to sign in again.")
    say("\n".join(said))


def main(words: Sequence[str]) -> None:
    """Restore a backup and tell what it came to."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(prog="panel.py restore", description="Go back to what a backup holds.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--replace", action="store_true", help="put it in the place of the data that is there")
    parser.add_argument("--other-seal-key", action="store_true", help="the credentials' key is lost; enter them again")
    parser.add_argument("--json", action="store_true", dest="as_json", help="answer with one JSON object")
    asked = parser.parse_args(words)
    file = asked.file.absolute()
    manifest, totals, restored = restore(
        settings(), file, Asked(replace=asked.replace, other_seal_key=asked.other_seal_key)
    )
    rows, seconds = sum(totals.rows.values()), round(time.monotonic() - began, 1)
    answer: Mapping[str, object] = {
        "taken_at": manifest.taken_at,
        "row_count": rows,
        "seconds": seconds,
        **asdict(restored),
    }
    print(json.dumps(answer) if asked.as_json else f"Restored {rows:,} rows in {seconds:.1f} s.")
    _tell(manifest, restored)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Problem, UnusableSettings) as problem:
        sys.exit(str(problem))
