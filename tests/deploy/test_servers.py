"""The embedded servers: started for real, killed for real, and their data still there."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from redis import AuthenticationError, Redis

from deploy.hosting import CannotHost, is_open_to_all, service_account
from deploy.process import Child, Program, free_port
from deploy.servers import Postgres, Valkey, WrongVersion, end_orphan


@contextmanager
def running(program: Program) -> Iterator[Child]:
    child = Child(program)
    try:
        child.wait_until_ready()
        yield child
    finally:
        child.stop()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder the servers' account may enter, which pytest's own temporary folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="payamgah-servers-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def postgres(home: Path) -> Postgres:
    return Postgres(
        home=home / "postgres", port=free_port(), password="made-up", account=service_account(), durable=False
    )


@pytest.fixture
def durable(postgres: Postgres) -> Postgres:
    """The same as it is run in earnest."""
    return replace(postgres, durable=True)


@pytest.fixture
def valkey(home: Path) -> Valkey:
    return Valkey(home=home / "valkey", port=free_port(), password="made-up", account=service_account())


def test_killed_postgres_starts_again_with_its_data(durable: Postgres) -> None:
    with running(durable.program()) as child:
        with psycopg.connect(durable.url) as owner:
            owner.execute("CREATE TABLE kept AS SELECT 7 AS number")
        os.kill(child.pid, signal.SIGKILL)
    with running(durable.program()), psycopg.connect(durable.url) as owner:
        assert owner.execute("SELECT number FROM kept").fetchone() == (7,)


def test_postgres_asks_local_connections_for_the_password(postgres: Postgres) -> None:
    with running(postgres.program()), pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url.replace("made-up", "guessed"))


def test_postgres_left_running_by_a_killed_launcher_is_ended(postgres: Postgres) -> None:
    with running(postgres.program()) as orphan:
        end_orphan(postgres.data)
        assert orphan.exit_code() is not None
        assert not (postgres.data / "postmaster.pid").exists()


def test_pid_file_that_names_a_stranger_is_cleared(postgres: Postgres) -> None:
    with running(postgres.program()):
        pass
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    with running(postgres.program()), psycopg.connect(postgres.url) as owner:
        assert owner.execute("SELECT 1").fetchone() == (1,)


def test_data_of_another_major_version_is_refused(postgres: Postgres) -> None:
    with running(postgres.program()):
        pass
    (postgres.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(WrongVersion, match="written by PostgreSQL 15"):
        Child(postgres.program())


def test_cut_initialisation_is_begun_afresh(postgres: Postgres) -> None:
    unfinished = postgres.home / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").touch()
    with running(postgres.program()):
        assert postgres.data.exists()
        assert not unfinished.exists()


def test_durable_postgres_forces_writes_to_disk(durable: Postgres) -> None:
    with running(durable.program()), psycopg.connect(durable.url) as owner:
        assert owner.execute("SHOW fsync").fetchone() == ("on",)
        assert owner.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_valkey_wants_its_password_and_keeps_what_it_was_given(valkey: Valkey) -> None:
    with running(valkey.program()):
        with Redis.from_url(valkey.url) as client:
            client.set("kept", "7")
        with Redis(port=valkey.port) as stranger, pytest.raises(AuthenticationError):
            stranger.get("kept")
    with running(valkey.program()), Redis.from_url(valkey.url) as client:
        assert client.get("kept") == b"7"


def test_folder_below_a_private_one_is_not_open(home: Path) -> None:
    private = home / "private"
    (private / "inner").mkdir(parents=True)
    assert is_open_to_all(private / "inner") == is_open_to_all(private)
    private.chmod(0o700)
    assert not is_open_to_all(private / "inner")


def test_missing_server_package_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("deploy.hosting.VENV", tmp_path)
    postgres = Postgres(home=tmp_path, port=1, password="made-up", account=None)
    with pytest.raises(CannotHost, match="DATABASE_URL"):
        postgres.program()
