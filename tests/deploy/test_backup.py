"""Backups of a panel that works, and the way back: nothing is lost, nothing is sent twice, or nothing has changed."""

import gzip
import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql

from deploy.archive import TOTALS, Totals, Unusable, Writer, checked, opened, pieces
from deploy.backup import CannotBackUp, Taken, back_up
from deploy.environment import ROOT
from deploy.programs import environment, python_command
from deploy.throwaway import ThrowAwayPanel, throw_away_panel
from sms.core.config import Settings, load, use
from tests.faults.conftest import HURRIED, Scene
from tests.simulator.running import RunningSimulator

RECIPIENTS = 1000
_names = count(1)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A panel with sample data and operators to talk to; its parts are started by the tests."""
    with (
        RunningSimulator(tmp_path_factory.mktemp("simulator")) as simulator,
        throw_away_panel(SIMULATOR_URL=simulator.url, SIMULATOR_SMPP_URL=simulator.urls["1000"]) as panel,
    ):
        yield Scene(panel, simulator)


@pytest.fixture(scope="module")
def panel(scene: Scene) -> ThrowAwayPanel:
    return scene.panel


@pytest.fixture(scope="module")
def kept(panel: ThrowAwayPanel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the sample data, with a list that waits to be read."""
    name = "0123456789abcdef" * 2
    uploads = panel.folder / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / name).write_bytes(b"09121234567\n" * 500_000)
    with _owner(panel.settings["DATABASE_URL"]) as owner:
        for stored in (name, "f" * 32):  # of the second the file is gone
            owner.execute(
                "INSERT INTO outbox_draft (account_id, user_id, body, source, stored_name, state, created_at)"
                " SELECT account_id, id, 'hello', 'file', %s, 'reading', now() FROM accounts_user"
                " WHERE username = 'customer'",
                [stored],
            )
        taken = _back_up(panel, tmp_path_factory.mktemp("backups") / "kept.tar.gz")
        owner.execute("DELETE FROM outbox_draft")
    (uploads / name).unlink()
    assert taken.missing_uploads == 1
    return taken.file


def _settings(panel: ThrowAwayPanel, **others: str) -> Settings:
    return load(dict(panel.settings) | others)


def _back_up(panel: ThrowAwayPanel, file: Path, *, with_secrets: bool = False, **others: str) -> Taken:
    return back_up(_settings(panel, **others), file, with_secrets=with_secrets)


def _restore(panel: ThrowAwayPanel, *words: object, **others: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        python_command("deploy.restore", *map(str, words)),
        cwd=ROOT,
        env=environment(dict(panel.settings) | others),
        capture_output=True,
        text=True,
        check=False,
    )


def _owner(url: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def copy(panel: ThrowAwayPanel) -> str:
    """The address of an empty database on the same server."""
    name = f"copy{next(_names)}"
    with _owner(panel.settings["DATABASE_URL"]) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    return f"{panel.settings['DATABASE_URL'].rpartition('/')[0]}/{name}"


def _ask(url: str, question: str) -> Any:
    with _owner(url) as owner:
        found = owner.execute(question.encode()).fetchone()
    return found[0] if found else None


def _rows(url: str) -> dict[str, int]:
    with _owner(url) as owner:
        tables = owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition"
        ).fetchall()
        return {
            name: owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()[0]  # type: ignore[index]
            for (name,) in tables
        }


# Back in time while the operators are not


@pytest.mark.faults
def test_what_was_sent_after_the_backup_is_never_sent_again(scene: Scene, tmp_path: Path, copy: str) -> None:
    """A backup in the middle of a campaign; most of the rest is sent; back to the backup, and on to the end."""
    panel, file = scene.panel, tmp_path / "midway.tar.gz"
    scene.ask(f"{HURRIED} RETURNING 1")
    scene.ask("UPDATE operators_gateway SET concurrency = 2, on_absent = 'resend' RETURNING 1")
    # No other way it could have gone meanwhile.
    scene.ask(
        "UPDATE lines_line SET gateway_id = (SELECT gateway_id FROM lines_line WHERE number = '30004505') RETURNING 1"
    )
    scene.simulator.reset()
    scene.simulator.control("3000", accept_delay_ms=250)
    panel.start("tick", "worker")
    sending = scene.send(RECIPIENTS)
    scene.wait_until(lambda: scene.submitted() >= RECIPIENTS // 10, what="the first answers")

    _back_up(panel, file)
    scene.wait_until(lambda: scene.submitted() >= RECIPIENTS * 7 // 10, what="most answers")
    while_running = _restore(panel, file, "--replace")
    panel.stop("worker", "tick")
    sending.kill()
    sending.communicate()
    had_before = scene.simulator.truth("summary")["3000"]["accepted"]
    done = _restore(panel, file, "--replace", "--json")

    assert while_running.returncode == 1
    assert "Stop every program of the panel" in while_running.stderr
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["campaign_count"] == 1
    assert scene.submitted() < had_before
    assert RECIPIENTS * 6 // 10 <= told["unknown_count"] <= scene.ask("SELECT count(*) FROM outbox_unknown")
    assert scene.ask("SELECT count(*) FROM outbox_batch WHERE state IN ('queued', 'submitting')") == 0
    scene.verify()

    scene.simulator.control("3000", accept_delay_ms=0)
    panel.start("tick", "worker")
    scene.wait_for("SELECT count(*) = 0 FROM outbox_campaign WHERE closed_at IS NULL", seconds=90)
    panel.stop("worker", "tick")
    assert scene.ask("SELECT count(*) FROM outbox_unknown") == 0
    assert scene.ask("SELECT sum(balance_mrial) FROM ledger_wallet WHERE kind = 'escrow'") == 0
    refused = scene.ask("SELECT count(*) FROM outbox_message WHERE outcome = 'refused'")
    scene.check_truth(RECIPIENTS - refused)  # nobody twice, nobody forgotten
    scene.verify()

    again = _restore(panel, file, DATABASE_URL=copy)  # a copy of the middle of it all is sound
    assert again.returncode == 0, again.stderr
    verified = subprocess.run(
        python_command("flask", "--app", "app", "verify", "--json"),
        cwd=ROOT,
        env=environment(dict(panel.settings) | {"DATABASE_URL": copy}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout


# What a backup holds


def test_it_is_private_whole_and_never_holds_the_keys_unasked(panel: ThrowAwayPanel, tmp_path: Path) -> None:
    plain, with_keys = tmp_path / "plain.tar.gz", tmp_path / "keys.tar.gz"
    _back_up(panel, plain)
    _back_up(panel, with_keys, with_secrets=True)

    keys = [panel.settings["SECRET_KEY"], panel.settings["SEAL_KEY"]]
    for file in (plain, with_keys):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        checked(file)
    assert not any(key.encode() in gzip.decompress(plain.read_bytes()) for key in keys)
    assert opened(plain).secrets == {}
    assert list(opened(with_keys).secrets.values()) == keys


def test_people_can_look_into_it_with_tar(kept: Path) -> None:
    listed = subprocess.run(["tar", "tzf", kept], capture_output=True, text=True, check=True).stdout.split()
    assert listed[0] == "manifest.json"
    assert listed[-1] == "totals.json"
    assert "tables/ledger_entry/000001" in listed


def test_it_overwrites_nothing_and_leaves_nothing_unfinished(panel: ThrowAwayPanel, tmp_path: Path) -> None:
    file = tmp_path / "there.tar.gz"
    file.write_text("precious")
    with pytest.raises(CannotBackUp, match="overwrites nothing"):
        _back_up(panel, file)
    assert file.read_text() == "precious"
    with pytest.raises(CannotBackUp, match="could not be read"):
        _back_up(panel, tmp_path / "other.tar.gz", DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["there.tar.gz"]


def test_an_empty_database_has_nothing_to_back_up(panel: ThrowAwayPanel, copy: str, tmp_path: Path) -> None:
    with pytest.raises(CannotBackUp, match="nothing to back up"):
        _back_up(panel, tmp_path / "empty.tar.gz", DATABASE_URL=copy)


# What comes back


def test_everything_comes_back_in_an_empty_database(
    panel: ThrowAwayPanel, kept: Path, copy: str, tmp_path: Path
) -> None:
    done = _restore(panel, kept, DATABASE_URL=copy, VAR_DIR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    _, totals = checked(kept)
    found = _rows(copy)
    for table, rows in totals.rows.items():
        assert found[table] == rows + (table in {"core_epoch", "accounts_audit"}), table
    (upload,) = (tmp_path / "uploads").iterdir()
    assert upload.stat().st_size == 6_000_000
    assert stat.S_IMODE(upload.stat().st_mode) == 0o600


def test_rights_triggers_links_and_numbers_are_those_of_a_migrated_database(
    panel: ThrowAwayPanel, kept: Path, copy: str, tmp_path: Path
) -> None:
    assert _restore(panel, kept, DATABASE_URL=copy, VAR_DIR=str(tmp_path)).returncode == 0
    original = panel.settings["DATABASE_URL"]
    for question in (
        "SELECT array_agg(conname || pg_get_constraintdef(oid) ORDER BY conrelid::regclass::text, conname)"
        " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        "SELECT array_agg(oid::regclass::text || coalesce(relacl::text, '') ORDER BY oid::regclass::text)"
        " FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        "SELECT array_agg(tgrelid::regclass::text || tgname ORDER BY 1) FROM pg_trigger WHERE NOT tgisinternal",
    ):
        assert _ask(copy, question) == _ask(original, question)
    with _owner(copy) as owner:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner.execute("UPDATE ledger_entry SET amount_mrial = 1")
        owner.execute("SET ROLE payamgah_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            owner.execute("DELETE FROM ledger_transfer")
        new = owner.execute(
            "INSERT INTO ledger_wallet (code, kind, created_at) VALUES ('new', 'gateway', now()) RETURNING id"
        ).fetchone()
        assert new is not None
        most = owner.execute("SELECT max(id) FROM ledger_wallet WHERE code <> 'new'").fetchone()
        assert most is not None
        assert new[0] > most[0]


def test_months_that_are_over_get_their_partitions_back(panel: ThrowAwayPanel, copy: str, tmp_path: Path) -> None:
    file, first = tmp_path / "old.tar.gz", (86_400 * 40) << 20  # February 2020
    with _owner(panel.settings["DATABASE_URL"]) as owner:
        owner.execute(
            "CREATE TABLE outbox_message_202001 PARTITION OF outbox_message FOR VALUES FROM (0) TO (9999999999999999)"
            " WITH (fillfactor = 50)".replace("9999999999999999", str(first * 2)).encode()
        )
        owner.execute(
            "INSERT INTO outbox_message (id, account_id, campaign_id, line_id, row_number) VALUES (%s, 1, 1, 1, 1)",
            [first],
        )
        _back_up(panel, file)
        owner.execute("DROP TABLE outbox_message_202001")

    done = _restore(panel, file, DATABASE_URL=copy)

    assert done.returncode == 0, done.stderr
    assert _ask(copy, "SELECT id FROM outbox_message_202001") == first
    assert _ask(copy, "SELECT reloptions FROM pg_class WHERE relname = 'outbox_message_202001'") == ["fillfactor=50"]


def test_a_backup_of_an_older_version_is_brought_up_to_this_one(
    panel: ThrowAwayPanel, kept: Path, copy: str, tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "older.tar.gz"
    use(_settings(panel, DATABASE_URL=copy))
    try:
        config = Config()
        config.set_main_option("script_location", str(ROOT / "sms" / "migrations"))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0006")
    finally:
        use(settings)
    with _owner(copy) as owner:
        owner.execute(
            "INSERT INTO accounts_account (path, kind, name, created_at) VALUES ('1.', 'installation', 'Old', now())"
        )
        owner.execute("DELETE FROM operators_prefix WHERE prefix = '999'")
    _back_up(panel, file, DATABASE_URL=copy)

    done = _restore(panel, file, "--replace", DATABASE_URL=copy)

    assert done.returncode == 0, done.stderr
    assert opened(file).manifest.migration == "0006"
    assert _ask(copy, "SELECT version_num FROM alembic_version") == opened(kept).manifest.migration
    assert _ask(copy, "SELECT name FROM accounts_account") == "Old"
    assert (
        _ask(copy, "SELECT count(*) FROM operators_prefix WHERE prefix = '999'") == 0
    )  # what was, not what is shipped


# What is refused, with nothing changed


def _damaged(kept: Path, file: Path) -> None:
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def _cut_off(kept: Path, file: Path) -> None:
    file.write_bytes(kept.read_bytes()[:-2000])


def _rewritten(change: Callable[[str, bytes], bytes | None]) -> Callable[[Path, Path], None]:
    """The same archive with pieces changed or left out, whole as an archive."""

    def write(kept: Path, file: Path) -> None:
        with tarfile.open(file, "w:gz") as tar:
            for name, data in pieces(kept):
                changed = change(name, data)
                if changed is not None:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(changed)
                    tar.addfile(entry, io.BytesIO(changed))

    return write


def _with(**facts: object) -> Callable[[Path, Path], None]:
    return _rewritten(
        lambda name, data: json.dumps(json.loads(data) | facts).encode() if name == "manifest.json" else data
    )


BROKEN: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "one bit": (_damaged, "no whole backup"),
    "the end": (_cut_off, "no whole backup"),
    "a row": (
        _rewritten(lambda name, data: data.replace(b"customer", b"cuckoo12") if "accounts_user" in name else data),
        "no whole backup",
    ),
    "a table": (_rewritten(lambda name, data: None if "ledger_entry" in name else data), "no whole backup"),
    "another text": (lambda _, file: file.write_text("CREATE TABLE x ()") and None, "no whole backup"),
    "another archive": (_rewritten(lambda name, data: None if name == "manifest.json" else data), "no whole backup"),
    "a newer format": (_with(format=99), "newer version"),
    "nothing": (lambda _kept, _file: None, "There is no file"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_is_not_a_whole_backup_changes_nothing(
    panel: ThrowAwayPanel, kept: Path, tmp_path: Path, broken: str
) -> None:
    spoil, said = BROKEN[broken]
    file = tmp_path / "broken.tar.gz"
    spoil(kept, file)
    with pytest.raises(Unusable, match=said):
        checked(file)


def _refused(panel: ThrowAwayPanel, *words: object, **others: str) -> str:
    """What a restore says that did not go well, and changed nothing."""
    url = others.get("DATABASE_URL", panel.settings["DATABASE_URL"])
    before = _rows(url)
    done = _restore(panel, *words, **others)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert _rows(url) == before
    return done.stderr


def test_data_is_replaced_only_by_order(panel: ThrowAwayPanel, kept: Path) -> None:
    assert "Say --replace" in _refused(panel, kept)


def test_another_key_is_refused_before_anything_is_done(panel: ThrowAwayPanel, kept: Path, copy: str) -> None:
    other = {"DATABASE_URL": copy, "SEAL_KEY": "another key, for other credentials"}
    assert "another SEAL_KEY" in _refused(panel, kept, **other)
    assert _restore(panel, kept, "--other-seal-key", **other).returncode == 0


def test_samples_do_not_come_into_production(panel: ThrowAwayPanel, kept: Path, copy: str) -> None:
    said = _refused(panel, kept, DATABASE_URL=copy, PAYAMGAH_MODE="production", PUBLIC_URL="https://panel.example")
    assert "do not mix" in said


def test_a_strangers_database_is_never_cleared(panel: ThrowAwayPanel, kept: Path, copy: str) -> None:
    with _owner(copy) as owner:
        owner.execute("CREATE TABLE somebody_elses (id int)")
    assert "not the panel's" in _refused(panel, kept, "--replace", DATABASE_URL=copy)


def test_whatever_fails_on_the_way_leaves_all_as_it_was(panel: ThrowAwayPanel, kept: Path, tmp_path: Path) -> None:
    """Whole as a file, and not what the database takes: found out after the old data was cleared away."""
    file = tmp_path / "strange.tar.gz"
    _reseal(kept, file, lambda name, data: data.replace(b"customer", b"Customer") if "accounts_user" in name else data)
    said = _refused(panel, file, "--replace")
    assert "nothing has changed" in said


def _reseal(kept: Path, file: Path, change: Callable[[str, bytes], bytes]) -> None:
    with file.open("wb") as stream:
        writer = Writer(stream)
        for name, data in pieces(kept):
            if name == TOTALS:
                writer.finish(Totals(**json.loads(data)))
            else:
                writer.add(name, change(name, data))


# The launcher's words


@pytest.fixture
def launcher(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Calls panel.py for the installation in a folder of that name."""

    def call(home: str, *words: str) -> "subprocess.CompletedProcess[str]":
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
        return subprocess.run(
            [python_command("x")[0], str(ROOT / "panel.py"), *words],
            cwd=tmp_path,
            env=environ | {"VAR_DIR": str(tmp_path / home)},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_an_installation_moves_to_another_folder_with_its_keys(
    launcher: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    nothing = launcher("old", "backup", "early.tar.gz")
    made = launcher("old", "sample-data")
    saved = launcher("old", "backup", "saved.tar.gz", "--with-secrets", "--json")
    moved = launcher("new", "restore", "saved.tar.gz")
    twice = launcher("new", "restore", "saved.tar.gz")
    verified = launcher("new", "verify")

    assert "nothing to back up" in nothing.stderr
    for done in (made, saved, moved, verified):
        assert done.returncode == 0, done.stderr
    assert json.loads(saved.stdout)["file"] == str(tmp_path / "saved.tar.gz")
    assert "Say --replace" in twice.stderr
    old, new = (json.loads((tmp_path / home / "secrets.json").read_text()) for home in ("old", "new"))
    assert (new["secret_key"], new["seal_key"]) == (old["secret_key"], old["seal_key"])
    assert new["postgres_password"] != old["postgres_password"]
    assert json.loads((tmp_path / "new" / "instance.json").read_text())["settings"]["PAYAMGAH_MODE"] == "sample"


def test_a_restore_says_which_file_it_misses(launcher: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    assert "Say which file" in launcher("home", "restore").stderr
    assert "There is no file" in launcher("home", "restore", "nowhere.tar.gz").stderr


def test_the_beginning_tells_what_it_is(kept: Path) -> None:
    manifest = opened(kept).manifest
    assert manifest.mode == "sample"
    assert "accounts_session" not in manifest.tables
