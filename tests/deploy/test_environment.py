"""The environment is made once and again only when a lock file changes."""

from pathlib import Path

import pytest

from deploy.environment import LOCK_FILES, ROOT, fingerprint, is_ready


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text(f"{name}==1\n")
    return tmp_path


def test_fingerprint_stays_while_lock_files_do(project: Path) -> None:
    assert fingerprint("run", project) == fingerprint("run", project)


def test_changed_run_lock_asks_for_both_levels_again(project: Path) -> None:
    before = fingerprint("run", project), fingerprint("dev", project)
    (project / "requirements.txt").write_text("flask==2\n")
    assert fingerprint("run", project) != before[0]
    assert fingerprint("dev", project) != before[1]


def test_changed_dev_lock_leaves_the_run_level_alone(project: Path) -> None:
    before = fingerprint("run", project), fingerprint("dev", project)
    (project / "requirements-dev.txt").write_text("pytest==2\n")
    assert fingerprint("run", project) == before[0]
    assert fingerprint("dev", project) != before[1]


def test_environment_without_stamp_or_with_an_old_one_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert not is_ready("run", tmp_path)
    (tmp_path / "installed-run").write_text("of another lock file")
    assert not is_ready("run", tmp_path)
    (tmp_path / "installed-run").write_text(fingerprint("run"))
    assert is_ready("run", tmp_path)


def test_every_locked_package_is_pinned_and_hashed() -> None:
    for name in LOCK_FILES["dev"]:
        text = (ROOT / name).read_text().replace("\\\n", "")
        packages = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert packages
        assert all("==" in line and "--hash=sha256:" in line for line in packages)
