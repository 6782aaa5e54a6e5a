"""An installation keeps its secrets and ports, runs once at a time, and never mixes sample data into production."""

import stat
from pathlib import Path

import pytest

from deploy.commands import run
from deploy.instance import CannotRun, Instance, open_instance
from deploy.process import free_port, is_listening
from sms.core.config import load


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return open_instance({"VAR_DIR": str(tmp_path / "var")})


def test_secrets_are_made_once_and_are_private(instance: Instance) -> None:
    made = instance.secrets()
    assert len(set(made.values())) == len(made)
    assert instance.secrets() == made
    assert stat.S_IMODE((instance.var_dir / "secrets.json").stat().st_mode) == 0o600


def test_secrets_are_strong_enough_for_production(instance: Instance) -> None:
    given = {"DATABASE_URL": "postgresql://db/panel", "REDIS_URL": "redis://queue/0"}
    assert load(instance.settings([], mode="production", simulator_port=None) | given).is_production


def test_ports_are_remembered_while_they_are_free(instance: Instance) -> None:
    port = instance.port("postgres")
    assert instance.port("postgres") == port
    assert instance.port("valkey") != port


def test_given_addresses_replace_the_embedded_servers(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://db/panel", "REDIS_URL": "redis://queue/0"}
    instance = open_instance({"VAR_DIR": str(tmp_path)} | given)
    assert instance.servers() == []
    assert given.items() <= instance.settings([], mode="sample", simulator_port=None).items()


def test_only_one_launcher_runs_an_installation(instance: Instance) -> None:
    assert not instance.is_running()
    with instance.alone():
        assert instance.is_running()
        with pytest.raises(CannotRun, match="running already"), instance.alone():
            pass
    assert not instance.is_running()


def test_nothing_is_stopped_where_nothing_runs(instance: Instance) -> None:
    assert not instance.stop()


def test_production_data_is_never_started_as_a_sample(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    instance.remember(settings={"PAYAMGAH_MODE": "production"})
    monkeypatch.setenv("VAR_DIR", str(instance.var_dir))
    monkeypatch.setenv("PAYAMGAH_MODE", "sample")
    with pytest.raises(CannotRun, match="in production"):
        run()


def test_unusable_data_folder_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotRun, match="cannot be used"):
        open_instance({"VAR_DIR": str(tmp_path / "file" / "var")})


def test_free_port_is_free() -> None:
    assert not is_listening(free_port())
