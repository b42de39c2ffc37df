"""Bars as SVG, drawn by the server: they need no script, print, and follow the theme.

A chart is a picture of a table that stands beside it, which is what those read who see no picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 220, 44, 26, 8
LINE = 14
_LABELS = 16  # fit beneath
_LETTER = 6.4


@dataclass(frozen=True)
class Rect:
    """One part of a bar; `series` numbers its colour."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True)
class Mark:
    """A number at the axis of numbers."""

    at: float
    text: str


@dataclass(frozen=True)
class Label:
    """The name of a bar, in the lines that fit beneath it."""

    at: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    title: str
    series: tuple[str, ...]
    rects: tuple[Rect, ...]
    labels: tuple[Label, ...]
    scale: tuple[Mark, ...]

    @property
    def height(self) -> int:
        """With the longest of the names beneath the bars."""
        return HEIGHT + LINE * (max(len(one.lines) for one in self.labels) - 1)


def bars(
    title: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]
) -> Chart | None:
    """Stacked bars, one for each row; None: there is nothing to draw."""
    most = max((sum(parts) for _, parts in rows), default=0)
    if not most:
        return None
    top = _round(most)
    step = (WIDTH - LEFT) / len(rows)
    high = HEIGHT - BOTTOM - TOP
    rects, labels = [], []
    every = -(-len(rows) // _LABELS)
    for place, (label, parts) in enumerate(rows):
        x, y = LEFT + place * step, float(HEIGHT - BOTTOM)
        for number, part in enumerate(parts):
            height = part / top * high
            y -= height
            if part:
                rects.append(Rect(
                    round(x + step * 0.12, 1), round(y, 1), round(step * 0.76, 1),
                    round(height, 1), number, f"{label}: {series[number]} {part}",
                ))
        if place % every == 0:
            lines = wrap(label, max(4, int(step * every / _LETTER)), max_lines=3, placeholder="…")
            labels.append(Label(round(x + step / 2, 1), tuple(lines) or ("–",)))
    scale = [
        Mark(round(HEIGHT - BOTTOM - share * high, 1), f"{top * share:g}") for share in (0, 0.5, 1)
    ]
    return Chart(title, tuple(series), tuple(rects), tuple(labels), tuple(scale))


def _round(number: int) -> int:
    """The next even number of one or two digits and noughts."""
    unit = 1
    while number > 20 * unit:
        unit *= 10
    return max(2, -(-number // (2 * unit)) * 2 * unit)
