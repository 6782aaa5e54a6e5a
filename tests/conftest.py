"""Real servers for every test that needs them, one database a worker, and a clean slate after each test.

A run starts its own PostgreSQL and Valkey in a temporary folder (0.7 s). With TEST_DATABASE_URL (a superuser's address)
and TEST_REDIS_URL it uses those servers instead.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import Context
from hashlib import sha256
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from redis import Redis

from deploy.throwaway import throw_away_servers
from sms.core import clock
from sms.core.config import Settings, use
from sms.core.config import settings as current_settings
from sms.core.db import db

ROOT = Path(__file__).parent.parent
MIGRATIONS = ROOT / "sms" / "migrations"
ISOLATION = ROOT / "tests" / "isolation.sql"
_TEMPLATE_LOCK = 815493900

# A busy machine is slow and not wrong.
hypothesis.settings.register_profile("panel", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("panel")

_servers = ExitStack()


# Servers: started once by the process that leads the run


def pytest_configure(config: pytest.Config) -> None:
    leads_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if leads_workers:
        _ensure_servers()


def pytest_unconfigure() -> None:
    _servers.close()


def _ensure_servers() -> None:
    if "TEST_DATABASE_URL" not in os.environ:
        addresses = _servers.enter_context(throw_away_servers())
        os.environ["TEST_DATABASE_URL"] = addresses.database_url
        os.environ["TEST_REDIS_URL"] = addresses.redis_url
        _servers.callback(os.environ.pop, "TEST_DATABASE_URL")
        _servers.callback(os.environ.pop, "TEST_REDIS_URL")
    _ensure_template(os.environ["TEST_DATABASE_URL"])


def _template_name() -> str:
    migrations = sorted((MIGRATIONS / "versions").glob("*.py"))
    digest = sha256(b"".join(file.read_bytes() for file in [*migrations, ISOLATION, Path(__file__)]))
    return f"payamgah_template_{digest.hexdigest()[:12]}"


def _ensure_template(owner_url: str) -> None:
    name = _template_name()
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        if owner.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            unfinished = f"{name}_unfinished"
            _create_database(owner, unfinished, template="template0")
            _migrate(_database(owner_url, unfinished))
            owner.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(unfinished), sql.Identifier(name))
            )


def _migrate(url: str) -> None:
    use(_settings(database_url=url, redis_url="", var_dir=Path()))
    try:
        alembic = Config()
        alembic.set_main_option("script_location", str(MIGRATIONS))
        alembic.set_main_option("path_separator", "os")
        command.upgrade(alembic, "head")
    finally:
        use(None)
    with psycopg.connect(url) as owner:
        # A new installation begins with trials; nearly every test sends over a public line, as to be had at once.
        owner.execute("UPDATE lines_public_policy SET policy = 'allowed'")
        owner.execute(ISOLATION.read_bytes())


def _create_database(owner: psycopg.Connection[Any], name: str, *, template: str) -> None:
    owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    owner.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        )
    )


def _database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


# Addresses: one database and one Valkey number a worker


@pytest.fixture(scope="session")
def database_url(worker_id: str) -> Iterator[str]:
    """The owner's address of this worker's own database, migrated and otherwise empty."""
    _ensure_servers()
    owner_url = os.environ["TEST_DATABASE_URL"]
    name = f"payamgah_{worker_id}_{os.getpid()}"
    with psycopg.connect(owner_url, autocommit=True) as owner:
        _create_database(owner, name, template=_template_name())
        yield _database(owner_url, name)
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def redis_url(worker_id: str) -> str:
    """The address of this worker's own number on the Valkey server, empty."""
    _ensure_servers()
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 0
    url = f"{os.environ['TEST_REDIS_URL'].rpartition('/')[0]}/{number}"
    with Redis.from_url(url) as valkey:
        valkey.flushdb()
    return url


# The app


def _settings(*, database_url: str, redis_url: str, var_dir: Path) -> Settings:
    return Settings(
        mode="test",
        database_url=database_url,
        redis_url=redis_url,
        secret_key="a secret that only tests know",
        seal_key="a seal that only tests know",
        var_dir=var_dir,
        public_url="http://localhost",
    )


@pytest.fixture(scope="session")
def settings(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings every part of the panel sees in this process."""
    chosen = _settings(database_url=database_url, redis_url=redis_url, var_dir=tmp_path_factory.mktemp("var"))
    use(chosen)
    yield chosen
    use(None)


class PageClient(FlaskClient):
    """A browser without scripts. Requests do not share the test's own app context, as they would not in the world."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("buffered", True)  # a stream is read where it was begun
        response = Context().run(super().open, *args, **kwargs)
        db.session.rollback()  # the test reads what the request committed, not what it remembers
        return response


@pytest.fixture(scope="session")
def _wired_app(settings: Settings) -> Iterator[Flask]:
    from app import create_app  # noqa: PLC0415 - tests of plain rules do not wait for the whole app

    app = create_app(settings)
    app.testing = True
    app.test_client_class = PageClient
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(_wired_app: Flask) -> Iterator[Flask]:
    """The app, with a context open: operations and queries can be called at once."""
    with _wired_app.app_context():
        yield _wired_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A fresh browser: no cookies, nobody signed in."""
    return app.test_client()


# A clean slate


@pytest.fixture(scope="session")
def _clean(settings: Settings) -> Iterator[Callable[[], None]]:
    with psycopg.connect(settings.database_url, autocommit=True) as owner, Redis.from_url(settings.redis_url) as valkey:

        def clean() -> None:
            assert current_settings() is settings, "a test left other settings in this process"
            owner.execute("SELECT testing.clean()")
            valkey.flushdb()
            for upload in (settings.var_dir / "uploads").glob("*"):
                upload.unlink()
            if (settings.var_dir / "clock").exists():
                clock.set_offset(0)
                (settings.var_dir / "clock").unlink()

        yield clean


@pytest.fixture(autouse=True)
def _leave_a_clean_slate(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test that reached the servers left behind is gone before the next one."""
    if "database_url" not in request.fixturenames and "redis_url" not in request.fixturenames:
        yield
        return
    clean = request.getfixturevalue("_clean")
    yield
    clean()


# Browser


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; a test that asks for it is skipped where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("Chromium is not installed")
