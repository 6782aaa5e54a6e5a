"""The migrations: one line of them, from nothing, as often as wanted, and they make what the models speak of."""

import secrets
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from psycopg import sql
from sqlalchemy import create_engine, inspect

from sms.core.config import Settings, use
from sms.core.db import db, driver_url
from tests.guards.source import ROOT

Columns = dict[str, set[tuple[str, str, bool]]]


@pytest.fixture
def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sms" / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


@pytest.fixture
def empty_database(settings: Settings) -> Iterator[str]:
    """A database of its own with nothing in it; the settings name it meanwhile."""
    name = f"migrations_{secrets.token_hex(4)}"
    with psycopg.connect(settings.database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = f"{settings.database_url.rpartition('/')[0]}/{name}"
        use(Settings(**vars(settings) | {"database_url": url}))
        yield url
        use(settings)
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _columns(url: str) -> Columns:
    engine = create_engine(driver_url(url))
    seen = inspect(engine)
    found: Columns = {
        table: {(column["name"], str(column["type"]), bool(column["nullable"])) for column in seen.get_columns(table)}
        for table in seen.get_table_names()
    }
    engine.dispose()
    return found


def test_there_is_one_head(alembic: Config) -> None:
    assert len(ScriptDirectory.from_config(alembic).get_heads()) == 1


def test_they_run_on_an_empty_database_and_once_more_change_nothing(alembic: Config, empty_database: str) -> None:
    command.upgrade(alembic, "head")
    first = _columns(empty_database)
    command.upgrade(alembic, "head")

    assert "outbox_message" in first
    assert _columns(empty_database) == first


def _kind(column_type: Any) -> type:
    """What a column holds in Python: models and database may spell it differently."""
    held: type = column_type.python_type
    return held


def test_every_column_a_model_names_is_there_and_of_its_kind(app: Flask, settings: Settings) -> None:
    for path in (ROOT / "sms").glob("*/models.py"):
        import_module(f"sms.{path.parent.name}.models")
    engine = create_engine(driver_url(settings.database_url))
    seen = inspect(engine)
    wrong = []
    for table in db.metadata.sorted_tables:
        there = {column["name"]: column for column in seen.get_columns(table.name)}
        for column in table.columns:
            found = there.get(column.name)
            if found is None or _kind(found["type"]) is not _kind(column.type) or found["nullable"] != column.nullable:
                wrong.append(f"{table.name}.{column.name}")
    engine.dispose()
    assert db.metadata.sorted_tables
    assert wrong == []


def test_who_is_suspended_already_shuts_out_the_whole_tree_below(alembic: Config, empty_database: str) -> None:
    command.upgrade(alembic, str(ScriptDirectory.from_config(alembic).get_revision("0050").down_revision))
    with psycopg.connect(empty_database) as owner:
        owner.execute(
            "INSERT INTO accounts_account (id, parent_id, path, kind, name, state, created_at) VALUES"
            " (1, NULL, '1.', 'installation', 'House', 'active', now()),"
            " (2, 1, '1.2.', 'reseller', 'Shut', 'suspended', now()),"
            " (3, 2, '1.2.3.', 'customer', 'Below', 'active', now()),"
            " (4, 1, '1.4.', 'customer', 'Beside', 'active', now())"
        )
        owner.execute(
            "INSERT INTO accounts_audit (at, account_id, action, details)"
            " VALUES (now(), 2, 'account.suspended', '{\"reason\": \"unpaid\"}')"
        )
    command.upgrade(alembic, "0050")
    with psycopg.connect(empty_database) as owner:
        shut = owner.execute("SELECT id FROM accounts_account WHERE NOT is_open ORDER BY id").fetchall()
        held = owner.execute("SELECT account_id, by_account_id, reason FROM accounts_suspension").fetchall()
    assert shut == [(2,), (3,)]
    assert held == [(2, 1, "unpaid")]
