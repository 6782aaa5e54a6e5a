"""What one simulated operator accepted, and how often: columns in memory, lines in a file, the file first."""

import json
import math
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import compress, islice
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK_LINES = 5_000
_IDS_A_SECOND = 1_000_000  # a later start of the process always begins above every id of an earlier one
_IDS_SINCE = 1_700_000_000


class Accepted(NamedTuple):
    """One acceptance; `uid` 0 means the caller gave none, `ready_at` inf means its report never comes.

    Of a text in several parts, each submitted by itself, `parts` have come so far of the `of` there are.
    """

    id: int
    uid: int
    recipient: int
    accepted_at: float
    ready_at: float
    parts: int
    of: int
    reference: int  # SMPP's user_message_reference; 0 = none


class Truth:
    """The record of one operator. A row is found by its id through the runs of ids, one run for each start.

    A part that joins a message already there has a row and an id of its own, with no parts in it:
    the message counts it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []
        self._empty()
        self._load()
        self._begin_run()
        self._file = path.open("ab", buffering=0)

    def _empty(self) -> None:
        self._recipients = array("Q")
        self._uids = array("Q")
        self._accepted_at = array("d")
        self._ready_at = array("d")
        self._parts = array("H")
        self._of = array("H")
        self._references = array("H")
        self._joined = 0  # rows that are parts of an earlier one
        self._incomplete = 0
        self._first_by_uid: dict[int, int] = {}
        self._times: dict[int, int] = {}  # only of uids accepted more than once
        self._run_ids: list[int] = []  # first id of each run …
        self._run_rows: list[int] = []  # … and the row it stands in

    def _begin_run(self) -> None:
        last = self._id_of(len(self) - 1) + 1 if len(self) else 0
        self._start_run(max(last, int(time.time() - _IDS_SINCE) * _IDS_A_SECOND))

    def _start_run(self, first_id: int) -> None:
        self._run_ids.append(first_id)
        self._run_rows.append(len(self))

    def __len__(self) -> int:
        return len(self._recipients)

    def add(
        self,
        *,
        uid: int,
        recipient: int,
        parts: int,
        accepted_at: float,
        ready_at: float,
        of: int = 0,
        reference: int = 0,
    ) -> int:
        """Accept one message and return its id; `of` says how many parts it has when they come one by one.

        `write` puts it on disk.
        """
        message_id = self._append(
            uid, recipient, parts, of=of or parts, accepted_at=accepted_at, ready_at=ready_at, reference=reference
        )
        ready = "null" if ready_at == math.inf else f"{ready_at:.3f}"
        more = f',"of":{of}' if of else ""
        if reference:
            more += f',"ref":{reference}'
        self._lines.append(
            f'{{"id":{message_id},"uid":{uid},"to":{recipient},"parts":{parts},"at":{accepted_at:.3f},"ready":{ready}{more}}}\n'
        )
        return message_id

    def join(self, first_id: int, *, accepted_at: float) -> int:
        """Accept one more part of the message `first_id` and return its own id."""
        message_id = self._join(first_id, accepted_at)
        self._lines.append(f'{{"id":{message_id},"joins":{first_id},"at":{accepted_at:.3f}}}\n')
        return message_id

    def _append(
        self, uid: int, recipient: int, parts: int, *, of: int, accepted_at: float, ready_at: float, reference: int
    ) -> int:
        row = len(self._recipients)
        message_id = self._run_ids[-1] + row - self._run_rows[-1]
        self._recipients.append(recipient)
        self._uids.append(uid)
        self._accepted_at.append(accepted_at)
        self._ready_at.append(ready_at)
        self._parts.append(parts)
        self._of.append(of)
        self._references.append(reference)
        if parts != of and parts:
            self._incomplete += 1
        if uid and self._first_by_uid.setdefault(uid, row) != row:
            self._times[uid] = self._times.get(uid, 1) + 1
        return message_id

    def _join(self, first_id: int, accepted_at: float) -> int:
        row = self._row_of(first_id)
        if row is None:
            raise KeyError(first_id)
        self._joined += 1
        self._parts[row] += 1
        if self._parts[row] == self._of[row]:
            self._incomplete -= 1
        return self._append(
            0,
            self._recipients[row],
            0,
            of=self._of[row],
            accepted_at=accepted_at,
            ready_at=self._ready_at[row],
            reference=self._references[row],
        )

    def write(self) -> None:
        """Put what was added into the file; called before the answer leaves, so a kill forgets nothing answered."""
        if self._lines:
            self._file.write("".join(self._lines).encode())
            self._lines.clear()

    def by_id(self, message_id: int) -> Accepted | None:
        """The acceptance with this id; for the id of a later part, that part."""
        row = self._row_of(message_id)
        return None if row is None else self._at(row, message_id)

    def _row_of(self, message_id: int) -> int | None:
        run = bisect_right(self._run_ids, message_id) - 1
        if run < 0:
            return None
        row = self._run_rows[run] + message_id - self._run_ids[run]
        end = self._run_rows[run + 1] if run + 1 < len(self._run_rows) else len(self)
        return row if row < end else None

    def first_of(self, uid: int) -> Accepted | None:
        """The first acceptance of this uid."""
        row = self._first_by_uid.get(uid)
        return None if row is None else self._at(row, self._id_of(row))

    def _id_of(self, row: int) -> int:
        run = bisect_right(self._run_rows, row) - 1
        return self._run_ids[run] + row - self._run_rows[run]

    def _at(self, row: int, message_id: int) -> Accepted:
        return Accepted(
            message_id,
            self._uids[row],
            self._recipients[row],
            self._accepted_at[row],
            self._ready_at[row],
            self._parts[row],
            self._of[row],
            self._references[row],
        )

    def rows(self, *, uid: int | None = None, recipient: int | None = None, since: float = 0.0) -> Iterator[Accepted]:
        """Acceptances in order, narrowed; walks the columns, so it costs some milliseconds a hundred thousand."""
        for row in range(bisect_left(self._accepted_at, since), len(self)):
            if self._parts[row] and uid in (None, self._uids[row]) and recipient in (None, self._recipients[row]):
                yield self._at(row, self._id_of(row))

    def duplicates(self) -> dict[int, int]:
        """How often each uid was accepted, of those accepted more than once."""
        return dict(self._times)

    def repeated_recipients(self, *, since: float) -> dict[int, int]:
        """How often each recipient was accepted since a moment, of those accepted more than once."""
        start = bisect_left(self._accepted_at, since)
        recipients = islice(self._recipients, start, None)
        counts = Counter(compress(recipients, islice(self._parts, start, None)) if self._joined else recipients)
        return {recipient: times for recipient, times in counts.items() if times > 1}

    def summary(self) -> dict[str, int]:
        """Accepted in all, different uids (each without one counts as its own), uids accepted more than once.

        Where parts come one by one: also how many messages are still without some of theirs.
        """
        accepted = len(self) - self._joined
        again = sum(self._times.values()) - len(self._times)
        told = {"accepted": accepted, "distinct": accepted - again, "duplicates": len(self._times)}
        return told | ({"incomplete": self._incomplete} if self._joined or self._incomplete else {})

    def recipients_ending(self, last_two: int) -> set[int]:
        """Everybody accepted whose number ends in these two digits."""
        return {recipient for recipient in self._recipients if recipient % 100 == last_two}

    def forget(self) -> None:
        """Begin with nothing; ids go on above the old ones."""
        above = self._id_of(len(self) - 1) + 1 if len(self) else self._run_ids[-1]
        self._lines.clear()
        self._file.truncate(0)
        self._empty()
        self._start_run(max(above, int(time.time() - _IDS_SINCE) * _IDS_A_SECOND))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _load(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        self._drop_torn_line()
        with self._path.open("rb") as file:
            while block := list(islice(file, _BLOCK_LINES)):
                for line in json.loads(b"[" + b",".join(block) + b"]"):
                    self._restore(line)

    def _restore(self, line: dict[str, Any]) -> None:
        message_id = line["id"]
        if not self._run_ids or message_id != self._run_ids[-1] + len(self) - self._run_rows[-1]:
            self._start_run(message_id)
        if "joins" in line:
            self._join(line["joins"], line["at"])
            return
        ready_at = math.inf if line["ready"] is None else line["ready"]
        parts = line["parts"]
        self._append(
            line["uid"],
            line["to"],
            parts,
            of=line.get("of", parts),
            accepted_at=line["at"],
            ready_at=ready_at,
            reference=line.get("ref", 0),
        )

    def _drop_torn_line(self) -> None:
        """A kill in the middle of a write leaves half a line at the end."""
        with self._path.open("rb+") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - 4096))
            tail = file.read()
            if not tail.endswith(b"\n"):
                file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
