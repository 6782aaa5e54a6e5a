"""The simulator's memory of what it accepted."""

from math import inf
from pathlib import Path

from sms.simulator.truth import Truth


def accept(truth: Truth, *uids: int, at: float = 100.0, ready_at: float = 101.5) -> list[int]:
    ids = [truth.add(uid=uid, recipient=989120000000 + uid, parts=1, accepted_at=at, ready_at=ready_at) for uid in uids]
    truth.write()
    return ids


def test_a_restart_remembers_everything_and_never_gives_an_id_twice(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    ids: list[int] = []
    for start in range(3):
        truth = Truth(path)
        ids += accept(truth, start * 2 + 1, start * 2 + 2, ready_at=inf if start == 1 else 101.5)
        truth.close()
    truth = Truth(path)
    assert len(set(ids)) == 6
    assert [row.id for row in truth.rows()] == ids
    for uid, message_id in enumerate(ids, start=1):
        row = truth.by_id(message_id)
        assert row is not None
        assert row == truth.first_of(uid)
        assert (row.uid, row.recipient, row.accepted_at) == (uid, 989120000000 + uid, 100.0)
        assert row.ready_at == (inf if uid in (3, 4) else 101.5)
    assert truth.by_id(max(ids) + 1) is None
    assert truth.by_id(min(ids) - 1) is None
    truth.close()


def test_a_line_torn_by_a_kill_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    truth = Truth(path)
    accept(truth, 1, 2)
    truth.close()
    path.write_bytes(path.read_bytes()[:-9])
    truth = Truth(path)
    assert [row.uid for row in truth.rows()] == [1]
    accept(truth, 3)
    truth.close()
    truth = Truth(path)
    assert [row.uid for row in truth.rows()] == [1, 3]
    truth.close()


def test_how_often(tmp_path: Path) -> None:
    truth = Truth(tmp_path / "truth.jsonl")
    accept(truth, 1, 2, 3, at=100)
    accept(truth, 2, 3, 0, 0, at=200)
    accept(truth, 3, at=300)
    assert truth.duplicates() == {2: 2, 3: 3}
    assert truth.summary() == {"accepted": 8, "distinct": 5, "duplicates": 2}
    assert truth.repeated_recipients(since=150) == {989120000003: 2, 989120000000: 2}
    assert [row.accepted_at for row in truth.rows(uid=3)] == [100, 200, 300]
    assert [row.uid for row in truth.rows(recipient=989120000003, since=200)] == [3, 3]
    truth.close()


def test_parts_that_come_one_by_one_are_one_message_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    truth = Truth(path)
    first = truth.add(uid=0, recipient=989120000001, parts=1, accepted_at=100, ready_at=101, of=3, reference=4660)
    accept(truth, 7)
    second = truth.join(first, accepted_at=100.5)
    truth.write()
    truth.close()
    truth = Truth(path)
    assert truth.summary() == {"accepted": 2, "distinct": 2, "duplicates": 0, "incomplete": 1}
    assert [(row.id, row.parts, row.of, row.reference) for row in truth.rows(recipient=989120000001)] == [
        (first, 2, 3, 4660)
    ]
    part = truth.by_id(second)
    assert part is not None
    assert (part.recipient, part.parts) == (989120000001, 0)
    truth.join(first, accepted_at=200)
    assert truth.summary()["incomplete"] == 0
    assert truth.repeated_recipients(since=0) == {}
    assert truth.recipients_ending(1) == {989120000001}
    truth.close()


def test_forgetting_empties_the_file_but_ids_go_on(tmp_path: Path) -> None:
    truth = Truth(tmp_path / "truth.jsonl")
    old = accept(truth, 1, 2)
    truth.forget()
    (new,) = accept(truth, 1)
    assert new > max(old)
    assert truth.by_id(old[0]) is None
    assert len(truth) == 1
    assert (tmp_path / "truth.jsonl").read_text().count("\n") == 1
    truth.close()
