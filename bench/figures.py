"""What a measurement says: a figure, its target, and how it stands to the raw reference of the same run."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from bench.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure; with `share_of` ("messages" or "updates") its target is a share of that raw reference."""

    code: str
    work: str
    value: float
    unit: str
    target: float
    is_ceiling: bool = False  # the figure may not be above its target; else not below
    share_of: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A figure beside the reference that was taken just before and just after it."""

    figure: Figure
    reference: float | None

    @property
    def ratio(self) -> float | None:
        """The figure as a share of the reference."""
        return self.figure.value / self.reference if self.reference else None

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        value = self.figure.value if self.ratio is None else self.ratio
        return value <= self.figure.target if self.figure.is_ceiling else value >= self.figure.target

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        sign = "≤" if self.figure.is_ceiling else "≥"
        return (
            self.figure.code,
            self.figure.work,
            f"{number(self.figure.value)} {self.figure.unit}",
            number(self.reference) if self.reference else "",
            f"{self.ratio:.2f}" if self.ratio is not None else "",
            f"{sign} {number(self.figure.target)} {'R' if self.figure.share_of else self.figure.unit}",
            "met" if self.is_met else "not met",
        )


HEAD = ("", "work", "figure", "R", "ratio", "target", "")


def beside(figure: Figure, references: Sequence[Reference]) -> Line:
    """The line of a figure; R is the mean of the references given."""
    if not figure.share_of or not references:
        return Line(figure, None)
    taken = [each.per_second if figure.share_of == "messages" else each.update_per_second for each in references]
    return Line(figure, sum(taken) / len(taken))


def number(value: float) -> str:
    """Three digits that mean something, thousands grouped."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
