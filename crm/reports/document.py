"""A report as pages and sheets know it: a heading and sections, each with sentences and a table.

`crm.reports.pdf` and `crm.reports.xlsx` write the same document, so that they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crm.clock import VIETNAM


class Kind(StrEnum):
    """How a column is written."""

    TEXT = "text"
    NUMBER = "number"
    CHANGE = "change"  # with its sign
    SHARE = "share"  # 0.5 is 50 %
    MEAN = "mean"  # with one decimal
    DURATION = "duration"  # seconds: 2:05


@dataclass(frozen=True)
class Value:
    """A number that is written otherwise than its column."""

    number: float
    kind: Kind


Cell = str | int | float | datetime | Value | None


@dataclass(frozen=True)
class Column:
    title: str
    kind: Kind = Kind.NUMBER
    width: float = 1.0  # of the page, beside the other columns


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


@dataclass(frozen=True)
class Section:
    """`name` is that of its sheet: at most 31 letters."""

    id: str
    name: str
    title: str
    sentences: tuple[str, ...]
    table: Table
    empty: str = ""  # said where the table has no rows


@dataclass(frozen=True)
class Document:
    """`heading`: the body that issues it, line by line; `number` and `dated` stand beside it."""

    heading: tuple[str, ...]
    number: str
    dated: str
    title: str
    subtitle: str
    to: tuple[str, ...]
    sections: tuple[Section, ...]
    closing: tuple[str, ...]
    signers: tuple[str, str]  # left and right, beneath all
    foot: str  # on every page


def grouped(number: int) -> str:
    """1.234"""
    return f"{number:,}".replace(",", ".")


def shown(cell: Cell, kind: Kind) -> str:  # noqa: PLR0911 - one for each kind
    """A cell as people read it in Vietnam."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, datetime):
        return moment(cell)
    if isinstance(cell, Value):
        return shown(cell.number, cell.kind)
    match kind:
        case Kind.CHANGE:
            return f"{'+' if cell > 0 else '-' if cell < 0 else ''}{grouped(abs(int(cell)))}"
        case Kind.SHARE:
            return f"{cell * 100:.1f}%".replace(".", ",")
        case Kind.MEAN:
            return f"{cell:.1f}".replace(".", ",")
        case Kind.DURATION:
            minutes, seconds = divmod(int(cell), 60)
            return f"{grouped(minutes)}:{seconds:02d}"
        case _:
            return grouped(int(cell))


def moment(at: datetime) -> str:
    """17:00 ngày 24/11/2026"""
    return at.astimezone(VIETNAM).strftime("%H:%M ngày %d/%m/%Y")
