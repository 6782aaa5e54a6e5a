"""Sorts cells into valid, repeated and invalid ones, and packs them. Exact: of doubles the first one is sent."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from sms.core.sheets import limits
from sms.outbox.intake.rules.numbers import given, recipient
from sms.outbox.intake.rules.packing import CHUNK_ROWS, DUPLICATE, INVALID, VALID, pack
from sms.outbox.intake.rules.text_reader import Batch

HEAD = 10**5  # 98 and five national digits decide the network


@dataclass(slots=True)
class Sorter:
    """Takes batches of cells and yields packed chunks; the counts are complete when all are taken.

    `opted_out` holds sets of recipients under the names they are counted by.
    """

    opted_out: dict[str, Set[int]] = field(default_factory=dict)
    valid_count: int = 0
    duplicate_count: int = 0
    invalid_count: int = 0
    heads: Counter[int] = field(default_factory=Counter)
    suppressed_heads: dict[str, Counter[int]] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)
    _numbers: list[int] = field(default_factory=list)
    _kinds: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _blank_count: int = 0

    @property
    def row_count(self) -> int:
        """Rows that hold something."""
        return self.valid_count + self.duplicate_count + self.invalid_count

    def chunks(self, batches: Iterable[Batch]) -> Iterator[bytes]:
        """Sort and pack all rows; raises UnreadableList when they are too many, or none."""
        for numbers, cells in batches:
            self._take(numbers, cells)
            if self.row_count > limits.MAX_ROWS or self._blank_count > limits.MAX_BLANK_ROWS:
                raise limits.too_many_rows()
            while len(self._numbers) >= CHUNK_ROWS:
                yield self._pack(CHUNK_ROWS)
        if self._numbers:
            yield self._pack(len(self._numbers))
        if not self.row_count:
            raise limits.empty()
        self._seen.clear()

    def _take(self, numbers: Sequence[int], cells: list[str | None]) -> None:
        seen, kinds, texts = self._seen, self._kinds, self._texts
        fresh: list[int] = []
        if None in cells:
            self._blank_count += cells.count(None)
            numbers = [number for number, cell in zip(numbers, cells, strict=True) if cell is not None]
        filled = [cell for cell in cells if cell is not None]
        size = len(seen)
        for cell, value in zip(filled, map(recipient, filled), strict=True):
            if value is None:
                kinds.append(INVALID)
                texts.append(given(cell))
                continue
            seen.add(value)
            texts.append(str(value))
            if len(seen) == size:
                kinds.append(DUPLICATE)
            else:
                size += 1
                kinds.append(VALID)
                fresh.append(value)
        self._numbers.extend(numbers)
        self._count(fresh, kinds[len(kinds) - len(filled) :])

    def _count(self, fresh: list[int], kinds: list[str]) -> None:
        self.valid_count += len(fresh)
        self.invalid_count += kinds.count(INVALID)
        self.duplicate_count += kinds.count(DUPLICATE)
        self.heads.update([value // HEAD for value in fresh])
        distinct = set(fresh) if self.opted_out else set()
        for name, people in self.opted_out.items():
            counter = self.suppressed_heads.setdefault(name, Counter())
            counter.update([value // HEAD for value in people & distinct])

    def _pack(self, size: int) -> bytes:
        packed = pack(self._numbers[:size], self._kinds[:size], self._texts[:size])
        del self._numbers[:size], self._kinds[:size], self._texts[:size]
        return packed
