"""The measurements there are, which targets each speaks to, and how large each is."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Measurements that share their set-up: one process and one database for all of them."""

    name: str
    codes: tuple[str, ...]
    rows: int
    quick_rows: int
    is_compared: bool = False  # with the raw reference

    def is_meant_by(self, names: Sequence[str]) -> bool:
        """Whether one of the names, or no name at all, asks for it."""
        return not names or bool({name.upper() for name in names} & {self.name.upper(), *self.codes})


FAMILIES = (
    Family("bound", ("P1",), rows=500_000, quick_rows=1_000, is_compared=True),
    Family("send", ("P2", "P11"), rows=200_000, quick_rows=300, is_compared=True),
    Family("lists", ("P3", "P4"), rows=1_000_000, quick_rows=1_000),
    Family("reports", ("P5",), rows=1_000_000, quick_rows=2_000, is_compared=True),
    Family("pushed", ("P5",), rows=40_000, quick_rows=400),
    Family("refunds", ("P6",), rows=120_000, quick_rows=600),
    Family("refunds_due", ("P6",), rows=120_000, quick_rows=600),
    Family("single", ("P7",), rows=100, quick_rows=3),
    Family("meanwhile", ("P8",), rows=1_000_000, quick_rows=3_000),
    Family("pages", ("P9",), rows=10_000_000, quick_rows=2_000),
    Family("inbox", ("P15",), rows=10_000_000, quick_rows=2_000),
    Family("memory", ("P11",), rows=10, quick_rows=1),
    Family("grown", ("P12",), rows=10_000_000, quick_rows=2_000),
    Family("export", ("P13",), rows=1_000_000, quick_rows=2_000),
    Family("link", ("P14",), rows=50_000, quick_rows=500),
)
