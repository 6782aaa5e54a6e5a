"""Drafts: made, read once by the intake worker, changed, previewed, thrown away."""

import io
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from jobs import intake as jobs
from sms.contacts.operations import opt_out
from sms.core import uploads
from sms.core.config import Settings
from sms.core.db import db, row, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.queue import connection
from sms.core.sheets import limits
from sms.core.sheets.limits import UnreadableList
from sms.operators.rules import Outcome
from sms.outbox.intake import queries
from sms.outbox.intake.operations import drafts, reading
from sms.outbox.operations.sweep import sweep
from sms.outbox.queries.preview import preview
from tests.factories import AT, Shop, make_account, make_line, make_shop
from tests.outbox.intake.lists import handmade, sheet_of, workbook

PRICE = 1_000_000


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer with money and a line."""
    return make_shop()


def from_text(shop: Shop, recipients: str, **changes: Any) -> int:
    """A draft of pasted recipients."""
    facts = {"line_id": shop.line_id, "title": "Spring", "body": "hello"} | changes
    with transaction():
        return drafts.draft_from_text(
            account_id=shop.account_id, user_id=shop.user_id, recipients=recipients, at=AT, **facts
        )


def from_file(shop: Shop, content: bytes, name: str = "list.csv") -> int:
    """A draft of an uploaded file, not read yet."""
    with transaction():
        return drafts.draft_from_file(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="",
            body="hello",
            file_name=name,
            stream=io.BytesIO(content),
            at=AT,
        )


def read(draft_id: int) -> Any:
    """Read it as the worker does; the draft afterwards."""
    jobs.read_draft(draft_id=draft_id)
    return row("SELECT * FROM outbox_draft WHERE id = :id", id=draft_id)


def stored() -> list[Path]:
    """The uploads on disk."""
    return list(uploads.folder().iterdir())


def bells() -> int:
    """Jobs that wait in the intake queue."""
    return int(connection().llen("rq:queue:payamgah-intake"))


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of another process of this installation."""
    return os.environ | {
        "PAYAMGAH_MODE": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
        "SEAL_KEY": settings.seal_key,
        "VAR_DIR": str(settings.var_dir),
    }


# Made


def test_a_short_list_is_read_at_once(shop: Shop) -> None:
    draft = queries.draft(shop.account_id, from_text(shop, "09121234567\n09351112233, bad; 9121234567"))
    assert (draft.state, draft.source, draft.rows_read) == ("ready", "typed", 4)
    assert (draft.valid_count, draft.invalid_count, draft.duplicate_count) == (2, 1, 1)
    assert draft.networks == {"1": 1, "2": 1}
    assert (bells(), stored()) == (0, [])


def test_a_long_text_waits_for_the_worker(shop: Shop) -> None:
    draft_id = from_text(shop, "\n".join(f"0912{number:07}" for number in range(10_000)))
    assert queries.draft(shop.account_id, draft_id).state == "reading"
    assert bells() == 1
    assert (read(draft_id).valid_count, stored()) == (10_000, [])


def test_a_file_waits_for_the_worker_under_a_name_nobody_can_guess(shop: Shop) -> None:
    draft_id = from_file(shop, b"09121234567\n", name="../../etc/\x00passwd\n.csv")
    draft = queries.draft(shop.account_id, draft_id)
    (path,) = stored()
    assert (draft.state, draft.source, draft.stored_name) == ("reading", "file", path.name)
    assert draft.file_name == "../../etc/passwd .csv"  # shown only, never a path
    assert len(path.name) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert bells() == 1


@pytest.mark.parametrize(
    ("given", "kept"), [("one\r\ntwo\rthree\n", "one\ntwo\nthree\n"), ("nul\0", "nul"), ("half \ud83d", "half ")]
)
def test_a_text_costs_one_character_a_line_break(shop: Shop, given: str, kept: str) -> None:
    draft_id = from_text(shop, "09121234567", body=given, title=" two\nlines ")
    draft = queries.draft(shop.account_id, draft_id)
    assert (draft.body, draft.title) == (kept, "two lines")


@pytest.mark.parametrize("recipients", ["", " \n\t ", ",;"])
def test_an_empty_text_makes_no_draft(shop: Shop, recipients: str) -> None:
    with pytest.raises(UnreadableList, match="empty"):
        from_text(shop, recipients)
    assert scalar("SELECT count(*) FROM outbox_draft") == 0


def test_another_account_s_line_makes_no_draft(shop: Shop) -> None:
    other, *_ = make_account()
    line_id = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=other)
    with pytest.raises(Refusal, match="Choose a line"):
        from_text(shop, "09121234567", line_id=line_id)


def test_a_draft_may_be_without_a_line(shop: Shop) -> None:
    assert queries.draft(shop.account_id, from_text(shop, "09121234567", line_id=None)).line_id is None


# Read


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The list is empty."),
        (b"\n \n", "The list is empty."),
        (b"%PDF-1.7", "This file is no list. CSV, TXT and XLSX files can be read."),
        (b"PK\x03\x04", "The file is damaged and cannot be read. Save it anew and upload it again."),
        (handmade(sheet_of(" " * 40_000_000)), "The file unpacks to far more than its size, so it was not read."),
    ],
)
def test_a_list_that_cannot_be_read_fails_with_a_sentence_and_nothing_else(
    shop: Shop, content: bytes, sentence: str
) -> None:
    draft = read(from_file(shop, content))
    assert (draft.state, draft.problem, draft.problem_params) == ("failed", sentence, {})
    assert (draft.rows_read, draft.networks, draft.stored_name) == (0, {}, "")
    assert scalar("SELECT count(*) FROM outbox_draft_chunk") == 0
    assert stored() == []


def test_the_places_of_a_sentence_are_kept_with_it(shop: Shop) -> None:
    draft = read(from_file(shop, b"0912,\n" + b"," * 100))
    assert draft.problem == "Row %(row)s has more than %(most)s columns."
    assert draft.problem_params == {"row": 2, "most": 100}


def test_a_file_too_large_is_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 1000)
    draft_id = from_file(shop, b"0" * 1001)
    draft = queries.draft(shop.account_id, draft_id)
    assert (draft.state, draft.problem_params) == ("failed", {"most": 0})
    assert (stored(), bells()) == ([], 0)
    assert queries.draft(shop.account_id, from_file(shop, b"0" * 1000)).state == "reading"


def test_an_upload_that_breaks_off_leaves_nothing(shop: Shop) -> None:
    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise OSError("connection lost")

    with pytest.raises(OSError, match="lost"), transaction():
        drafts.draft_from_file(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=None,
            title="",
            body="",
            file_name="",
            at=AT,
            stream=Broken(),  # type: ignore[arg-type]
        )
    assert stored() == []


def test_a_workbook_is_read(shop: Shop) -> None:
    draft = read(from_file(shop, workbook([["name", "mobile"], ["Ali", 9121234567], ["?", "?"]]), name="a.xlsx"))
    assert (draft.state, draft.valid_count, draft.invalid_count, stored()) == ("ready", 1, 1, [])


def test_reading_twice_reads_once(shop: Shop) -> None:
    draft_id = from_file(shop, b"09121234567\n09351112233\n")
    assert read(draft_id).rows_read == 2
    assert read(draft_id).rows_read == 2
    assert scalar("SELECT count(*) FROM outbox_draft_chunk") == 1


def test_a_list_just_being_read_is_left_to_who_reads_it(app: Flask, shop: Shop) -> None:
    draft_id = from_file(shop, b"09121234567\n")
    with transaction():
        scalar("SELECT pg_advisory_xact_lock(hashtextextended('outbox_draft', :id))", id=draft_id)
        with app.app_context():
            jobs.read_draft(draft_id=draft_id)
    assert queries.draft(shop.account_id, draft_id).state == "reading"


def test_what_a_killed_worker_leaves_is_rung_for_and_read_again(shop: Shop) -> None:
    draft_id = from_file(shop, b"09121234567\n")
    with transaction():
        assert reading.begin_reading(draft_id=draft_id)  # and here the worker dies
    connection().flushdb()
    with transaction():
        sweep(at=AT)
    assert bells() == 1
    assert read(draft_id).state == "ready"


def test_a_file_that_kills_every_worker_is_given_up(shop: Shop) -> None:
    draft_id = from_file(shop, b"09121234567\n")
    for _ in range(reading.MOST_ATTEMPTS):
        with transaction():
            assert reading.begin_reading(draft_id=draft_id)
    draft = read(draft_id)
    assert (draft.state, draft.problem, stored()) == ("failed", limits.gave_up().message, [])


def test_a_file_that_is_gone_is_told(shop: Shop) -> None:
    draft_id = from_file(shop, b"09121234567\n")
    stored()[0].unlink()
    assert read(draft_id).problem == limits.gone().message


def test_a_draft_thrown_away_while_it_is_read_stays_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id = from_file(shop, b"09121234567\n")

    @contextmanager
    def discarding(_name: str) -> Iterator[io.BytesIO]:
        scalar("DELETE FROM outbox_draft WHERE id = :id RETURNING id", id=draft_id)
        yield io.BytesIO(b"09121234567\n")

    monkeypatch.setattr(reading, "_open", discarding)
    assert read(draft_id) is None
    assert scalar("SELECT count(*) FROM outbox_draft_chunk") == 0


def test_too_little_memory_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "read_stream", hungry)
    assert read(from_file(shop, b"09121234567\n")).problem == limits.out_of_memory().message


@pytest.mark.parametrize(
    ("work", "limit", "problem"),
    [
        ("while True: pass", "_CPU_SECONDS", limits.out_of_time),
        ("x = b'x' * 2_000_000_000", "_MEMORY_BYTES", limits.out_of_memory),
    ],
)
def test_the_worker_s_limits_end_a_reading_and_not_the_worker(
    shop: Shop, settings: Settings, work: str, limit: str, problem: Any
) -> None:
    draft_id = from_file(shop, b"09121234567\n")
    value = 3 if limit == "_CPU_SECONDS" else 100_000_000
    script = f"""
from app import create_app
from jobs import intake
from sms.outbox.intake.operations import reading
def greedy(*_, **__):
    {work}
reading.read_stream = greedy
intake.{limit} = {value}
with create_app().app_context():
    intake.read_draft(draft_id={draft_id})
    y = b"y" * 2_000_000_000
"""
    subprocess.run([sys.executable, "-c", script], env=environment_of(settings), check=True, timeout=60)
    assert queries.draft(shop.account_id, draft_id).problem == problem().message


def test_the_intake_worker_reads_what_is_rung_for(shop: Shop, settings: Settings) -> None:
    good, bad = from_file(shop, b"09121234567\n"), from_file(shop, b"%PDF")
    worker = subprocess.Popen([sys.executable, "-m", "jobs.worker", "intake"], env=environment_of(settings))
    try:
        deadline = time.monotonic() + 60
        while scalar("SELECT count(*) FROM outbox_draft WHERE state = 'reading'") and time.monotonic() < deadline:
            db.session.rollback()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(30)
    assert [queries.draft(shop.account_id, draft_id).state for draft_id in (good, bad)] == ["ready", "failed"]
    assert stored() == []


# Opt-outs


def test_opt_outs_are_counted_by_line_and_network(shop: Shop) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[989121234567], line_id=None, reason="", at=AT)
        opt_out(account_id=shop.account_id, recipients=[989351112233, 989121234567], line_id=other, reason="", at=AT)
    draft_id = from_text(shop, "09121234567 09121234567 09351112233 09019998877")
    assert queries.draft(shop.account_id, draft_id).suppressed == {"*": {"1": 1}, str(other): {"1": 1, "2": 1}}
    assert [(each.line.id, each.sendable_count, each.opted_out_count) for each in _lines(shop, draft_id)] == [
        (shop.line_id, 2, 1),
        (other, 1, 2),
    ]


def _lines(shop: Shop, draft_id: int) -> Any:
    return sorted(
        preview(account_id=shop.account_id, draft_id=draft_id, at=AT).lines, key=lambda found: int(found.line.id)
    )


# Skipped rows


def test_skipped_rows_are_listed_page_by_page_in_order(shop: Shop) -> None:
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[989121234567], line_id=None, reason="", at=AT)
    draft_id = from_text(shop, "09121234567, bad 1, 09351112233, 09351112233, x")
    expected = [
        (1, "09121234567", 989121234567, Outcome.OPTED_OUT),
        (2, "bad 1", None, Outcome.INVALID),
        (4, "09351112233", 989351112233, Outcome.DUPLICATE),
        (5, "x", None, Outcome.INVALID),
    ]
    pages, after = [], 0
    while found := queries.skipped_rows(shop.account_id, draft_id, after_row=after, most=3):
        pages.append([(row.row_number, row.given, row.recipient, row.outcome) for row in found])
        after = found[-1].row_number
    assert pages == [expected[:3], expected[3:]]
    assert len(list(queries.every_skipped_row(shop.account_id, draft_id))) == 4


def test_a_late_page_is_found_in_its_own_chunk(shop: Shop) -> None:
    lines = [f"0912{number:07}" if number % 1000 else "bad" for number in range(50_001)]
    draft_id = from_file(shop, "\n".join(lines).encode())
    assert read(draft_id).invalid_count == 51
    for after in (0, 19_000, 20_000, 20_001, 39_999, 40_001, 50_000):
        found = queries.skipped_rows(shop.account_id, draft_id, after_row=after, most=1)
        assert found[0].row_number == after // 1000 * 1000 + (1001 if after % 1000 else 1)
    assert queries.skipped_rows(shop.account_id, draft_id, after_row=50_001, most=1) == []


def test_nobody_sees_another_account_s_rows(shop: Shop) -> None:
    draft_id = from_text(shop, "bad")
    other, *_ = make_account()
    for ask in (queries.draft, queries.skipped_rows, queries.every_skipped_row):
        with pytest.raises(NotFound):
            ask(other, draft_id)
    with pytest.raises(NotFound):
        preview(account_id=other, draft_id=draft_id, at=AT)


# Preview


def test_a_preview_tells_the_price_over_every_line_and_what_is_missing(app: Flask) -> None:
    shop = make_shop(money_mrial=3 * PRICE)
    draft_id = from_text(shop, "09121234567 09351112233 bad 9121234567", body="س" * 71)
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[989351112233], line_id=None, reason="", at=AT)
    draft_id = from_text(shop, "09121234567 09351112233 09121110000 bad 9121234567", body="س" * 71)
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    assert (str(seen.encoding), seen.units, seen.parts, seen.left) == ("ucs2", 71, 2, 63)
    assert (seen.sendable_count, seen.invalid_count, seen.duplicate_count, seen.opted_out_count) == (2, 1, 1, 1)
    assert (seen.rows_read, seen.skipped_count) == (5, 3)
    assert [(share.name_en, share.count, share.price_mrial) for share in seen.networks] == [("MCI", 2, PRICE)]
    assert (seen.total_mrial, seen.balance_mrial, seen.missing_mrial) == (4 * PRICE, 3 * PRICE, PRICE)
    assert seen.line is not None
    assert seen.line.id == shop.line_id
    assert seen.problem is None


def test_lines_differ_in_parts_and_price_and_one_without_a_price_says_so(shop: Shop) -> None:
    wide = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    unpriced = make_shop(operator_code="9999")
    with transaction():
        scalar("UPDATE lines_line SET joined_units = 66 WHERE id = :id RETURNING id", id=wide)
        scalar("DELETE FROM billing_tariff WHERE operator_id = :id RETURNING id", id=unpriced.operator_id)
    seen = _lines(shop, from_text(shop, "09121234567", body="س" * 134))
    found = {each.line.id: (each.parts, each.total_mrial, each.problem is not None) for each in seen}
    assert found == {
        shop.line_id: (2, 2 * PRICE, False),
        wide: (3, 3 * PRICE, False),
        unpriced.line_id: (2, None, True),
    }


@pytest.mark.parametrize(
    ("changes", "recipients", "sentence"),
    [
        ({"body": ""}, "09121234567", "text is empty"),
        ({"body": "x" * 41_000}, "09121234567", "operator takes 265"),
        ({}, "bad", "Nobody is left"),
        ({"line_id": None}, "09121234567", "Choose a line"),
    ],
)
def test_a_preview_says_why_a_draft_cannot_go(
    shop: Shop, changes: dict[str, Any], recipients: str, sentence: str
) -> None:
    seen = preview(account_id=shop.account_id, draft_id=from_text(shop, recipients, **changes), at=AT)
    assert sentence in str(seen.problem)


# Changed and thrown away


def test_a_draft_gets_other_words_and_another_line(shop: Shop) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    draft_id = from_text(shop, "09121234567")
    with transaction():
        drafts.change_draft(
            draft_id=draft_id, account_id=shop.account_id, line_id=other, title="New", body="two\r\nlines", at=AT
        )
    draft = queries.draft(shop.account_id, draft_id)
    assert (draft.line_id, draft.title, draft.body, draft.valid_count) == (other, "New", "two\nlines", 1)


def test_changes_and_throwing_away_are_for_the_account_alone(shop: Shop) -> None:
    draft_id = from_text(shop, "09121234567")
    other, *_ = make_account()
    with pytest.raises(NotFound), transaction():
        drafts.change_draft(draft_id=draft_id, account_id=other, line_id=None, title="", body="", at=AT)
    with pytest.raises(NotFound), transaction():
        drafts.discard_draft(draft_id=draft_id, account_id=other)
    assert queries.draft(shop.account_id, draft_id).title == "Spring"


def test_a_used_draft_is_neither_changed_nor_thrown_away(shop: Shop) -> None:
    draft_id = from_text(shop, "09121234567")
    with transaction():
        scalar("UPDATE outbox_draft SET state = 'used' RETURNING id")
    with pytest.raises(Refusal, match="sent already"), transaction():
        drafts.change_draft(draft_id=draft_id, account_id=shop.account_id, line_id=None, title="", body="", at=AT)
    with pytest.raises(NotFound), transaction():
        drafts.discard_draft(draft_id=draft_id, account_id=shop.account_id)


def test_a_draft_thrown_away_leaves_nothing(shop: Shop) -> None:
    ready, waiting = from_text(shop, "09121234567"), from_file(shop, b"09121234567")
    for draft_id in (ready, waiting):
        with transaction():
            drafts.discard_draft(draft_id=draft_id, account_id=shop.account_id)
    assert scalar("SELECT count(*) FROM outbox_draft_chunk") == 0
    assert scalar("SELECT count(*) FROM outbox_draft") == 0
    assert stored() == []


def test_drafts_of_yesterday_and_files_of_nobody_are_tidied_away(shop: Shop) -> None:
    old, used, fresh = (from_text(shop, "09121234567") for _ in range(3))
    waiting = from_file(shop, b"09121234567\n")
    orphan, new_orphan = (uploads.folder() / name for name in ("orphan", "new"))
    for path in (orphan, new_orphan):
        path.write_bytes(b"x")
    long_ago = (AT - timedelta(hours=2)).timestamp()
    for path in (orphan, uploads.folder() / queries.draft(shop.account_id, waiting).stored_name):
        os.utime(path, (long_ago, long_ago))
    os.utime(new_orphan, (AT.timestamp(), AT.timestamp()))
    with transaction():
        scalar(
            "UPDATE outbox_draft SET created_at = :day WHERE id = ANY(:ids) RETURNING id",
            day=AT - timedelta(hours=25),
            ids=[old, used],
        )
        scalar("UPDATE outbox_draft SET state = 'used' WHERE id = :id RETURNING id", id=used)
        drafts.tidy(at=AT)
    left = scalar("SELECT array_agg(id ORDER BY id) FROM outbox_draft")
    assert left == [used, fresh, waiting]
    assert not orphan.exists()
    assert new_orphan.exists()
    assert read(waiting).state == "ready"
    with transaction():
        drafts.tidy(at=AT + timedelta(days=31))
    assert scalar("SELECT count(*) FROM outbox_draft") == 0


def test_the_timetable_s_job_tidies(shop: Shop) -> None:
    from_text(shop, "09121234567")
    with transaction():
        scalar("UPDATE outbox_draft SET created_at = '2020-01-01' RETURNING id")
    jobs.tidy_drafts()
    assert scalar("SELECT count(*) FROM outbox_draft") == 0
