"""Papers as PDF, in Persian or English: A4, our own font within it, letters joined and lines ordered as they are read.

fpdf2 lays out and orders (bidirectional text), HarfBuzz joins the letters by the font's own rules. The same contents
give the same bytes: the date inside is the paper's own.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from unicodedata import bidirectional

_FONTS = Path(__file__).parents[2] / "static" / "fonts"
_REGULAR, _BOLD = "vazirmatn-33.0.3-regular.ttf", "vazirmatn-33.0.3-bold.ttf"
_MARGIN = 15
_SIZE, _SMALL, _LARGE = 10, 8, 16
_LINE = 6  # millimetres a line of the usual size
_PADDING = 1.5
_GREY, _SHADE, _BLACK = 110, 240, 0
_LABEL_SHARE = 0.34


def _library() -> Any:
    """fpdf2, loaded by the first paper: with its fonts it takes 24 MB of a process, and few processes make any."""
    return import_module("fpdf")


class Paper:
    """Written from the top; everything stands where the language begins its lines."""

    def __init__(self, *, title: str, language: str, at: datetime) -> None:
        self._is_rtl = language == "fa"
        self._pdf = pdf = _library().FPDF(format="A4")
        pdf.set_creation_date(at)
        pdf.set_title(title)
        pdf.set_lang(language)
        pdf.set_margin(_MARGIN)
        pdf.set_auto_page_break(False)
        pdf.add_font("paper", "", _FONTS / _REGULAR)
        pdf.add_font("paper", "B", _FONTS / _BOLD)
        pdf.c_margin = 0
        pdf.add_page()
        self._width = pdf.w - 2 * _MARGIN

    def heading(self, text: str, beside: Sequence[str]) -> None:
        """What the paper is, large; short lines at the other side."""
        top = self._pdf.get_y()
        self._write(text, 0, self._width / 2, size=_LARGE, is_bold=True, line=_LINE * 1.6)
        below = self._pdf.get_y()
        self._pdf.set_y(top)
        for each in beside:
            self._write(each, self._width / 2, self._width / 2, is_at_end=True)
        self._pdf.set_y(max(below, self._pdf.get_y()) + _LINE / 2)

    def facts(self, title: str, pairs: Sequence[tuple[str, str]], *, numbers: Collection[str] = ()) -> None:
        """A titled block of names and values, two pairs beside each other; `numbers` are names whose values are digits
        and run from left to right in any language."""
        self._make_room(_LINE * (2 + (len(pairs) + 1) // 2))
        self._write(title, 0, self._width, is_bold=True, fill=_SHADE)
        half = self._width / 2
        for left in range(0, len(pairs), 2):
            top = bottom = self._pdf.get_y()
            for place, (name, value) in enumerate(pairs[left : left + 2]):
                self._pdf.set_y(top)
                self._write(name, place * half, half * _LABEL_SHARE, grey=_GREY)
                self._pdf.set_y(top)
                start = place * half + half * _LABEL_SHARE
                self._write(value, start, half * (1 - _LABEL_SHARE) - 2 * _PADDING, is_number=name in numbers)
                bottom = max(bottom, self._pdf.get_y())
            self._pdf.set_y(bottom)
        self._pdf.ln(_LINE / 2)

    def table(
        self, heads: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[str]], *, numeric: Collection[int]
    ) -> None:
        """Rows under heads; the columns part the width as `widths` do, `numeric` ones stand at the end of theirs."""
        shares = [width / sum(widths) for width in widths]
        self._row(heads, shares, numeric, is_head=True)
        for row in rows:
            if self._make_room(self._height(row, shares)):
                self._row(heads, shares, numeric, is_head=True)
            self._row(row, shares, numeric)
        self._pdf.ln(_LINE / 2)

    def totals(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and amounts below a table, the last one bold."""
        self._make_room(_LINE * len(pairs))
        for number, (name, amount) in enumerate(pairs, start=1):
            top, is_last = self._pdf.get_y(), number == len(pairs)
            self._write(name, self._width * 0.4, self._width * 0.3, is_bold=is_last)
            self._pdf.set_y(top)
            self._write(amount, self._width * 0.7, self._width * 0.3, is_bold=is_last, is_number=True, is_at_end=True)
        self._pdf.ln(_LINE / 2)

    def note(self, text: str) -> None:
        """A small line of its own."""
        self._make_room(_LINE * 2)
        self._write(text, 0, self._width, size=_SMALL, grey=_GREY)

    def contents(self) -> bytes:
        """The file."""
        return bytes(self._pdf.output())

    def _make_room(self, height: float) -> bool:
        """A new page, where the rest of this one is too short; whether it was."""
        is_full = bool(self._pdf.get_y() + height > self._pdf.h - _MARGIN)
        if is_full:
            self._pdf.add_page()
        return is_full

    def _row(
        self, cells: Sequence[str], shares: Sequence[float], numeric: Collection[int], *, is_head: bool = False
    ) -> None:
        pdf = self._pdf
        height, top, start = self._height(cells, shares, is_bold=is_head), pdf.get_y(), 0.0
        if is_head:
            pdf.set_fill_color(_SHADE)
            pdf.rect(_MARGIN, top, self._width, height, style="F")
        for place, (cell, share) in enumerate(zip(cells, shares, strict=True)):
            pdf.set_y(top + _PADDING / 2)
            width = self._width * share
            is_number = place in numeric
            self._write(
                cell,
                start + _PADDING,
                width - 2 * _PADDING,
                is_bold=is_head,
                is_number=is_number and not is_head,
                is_at_end=is_number,
            )
            start += width
        pdf.set_draw_color(_GREY)
        pdf.line(_MARGIN, top + height, _MARGIN + self._width, top + height)
        pdf.set_y(top + height)

    def _height(self, cells: Sequence[str], shares: Sequence[float], *, is_bold: bool = False) -> float:
        self._pdf.set_font("paper", "B" if is_bold else "", _SIZE)
        counts = [1]
        for cell, share in zip(cells, shares, strict=True):
            width = self._width * share - 2 * _PADDING
            wanted = _library().enums.MethodReturnValue.LINES
            lines = self._pdf.multi_cell(width, _LINE, cell, dry_run=True, output=wanted)
            counts.append(len(lines) if isinstance(lines, list) else 1)
        return _LINE * max(counts) + _PADDING

    def _direction(self, text: str) -> str:
        """Which way a text runs: as its first strong letter says, be it of the other language."""
        strong = next((way for mark in text if (way := bidirectional(mark)) in {"L", "R", "AL"}), None)
        return ("rtl" if self._is_rtl else "ltr") if strong is None else "ltr" if strong == "L" else "rtl"

    def _write(
        self,
        text: str,
        start: float,
        width: float,
        *,
        size: int = _SIZE,
        line: float = _LINE,
        is_bold: bool = False,
        is_number: bool = False,
        is_at_end: bool = False,
        grey: int = _BLACK,
        fill: int | None = None,
    ) -> None:
        """Text in a column that begins `start` millimetres from where lines begin; goes on below it."""
        pdf = self._pdf
        pdf.set_font("paper", "B" if is_bold else "", size)
        pdf.set_text_color(grey)
        if fill is not None:
            pdf.set_fill_color(fill)
        # Digits keep their order whatever stands around them.
        pdf.set_text_shaping(True, direction="ltr" if is_number else self._direction(text))
        pdf.set_x(_MARGIN + (self._width - start - width if self._is_rtl else start))
        pdf.multi_cell(
            width,
            line,
            text,
            align="L" if self._is_rtl == is_at_end else "R",
            fill=fill is not None,
            new_x="LMARGIN",
            new_y="NEXT",
        )
