"""The figures of a day from an XLSX file, and the empty file to be filled in.

The file comes from outside: nothing is unpacked before its sizes are known, formulas and files with
programs are refused, and every wrong cell is named at once.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm.areas import standing
from crm.errors import HotlineError
from crm.reports.health import LARGEST, NAMES, PROVINCE, Figures
from crm.vietnamese import folded

SHEET = "Số liệu"
HEADINGS = (
    "Mã xã", "Xã, phường", "Ca mắc mới", "Khỏi bệnh", "Tử vong (cộng dồn)", "Đang điều trị",
    "Xét nghiệm", "Mũi tiêm",
)
WHOLE = "Toàn tỉnh"
LARGEST_FILE = 1_000_000  # bytes, packed
_UNPACKED = 20_000_000
_PARTS = 100
_ROWS = 400
_LISTED = 50


@dataclass(frozen=True)
class BadCell:
    """`code`: formula, number, area, twice."""

    cell: str
    code: str


class UploadError(HotlineError):
    """A file that cannot be taken. `code`: file, large, program, sheet, headings, rows, empty,
    cells (with the cells)."""

    def __init__(self, sentence: str, code: str, cells: tuple[BadCell, ...] = ()) -> None:
        super().__init__(sentence)
        self.code, self.cells = code, cells


def form(day: date) -> bytes:
    """An empty file with every commune and ward of that day."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = SHEET
    sheet.append(list(HEADINGS))
    sheet.append(["", WHOLE])
    for area in sorted(standing(day).values(), key=lambda one: one.code):
        sheet.append([area.code, area.name])
    for cell in sheet[1]:
        cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True)
    sheet.freeze_panes = "C2"
    for number, width in enumerate((10, 28, *(14,) * len(NAMES)), 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def read(content: bytes, day: date) -> dict[str, Figures]:
    """The figures by area. Areas without any figure are left out. Raises UploadError."""
    rows = _rows(content)
    if [_text(value) for value in rows[0]][: len(HEADINGS)] != list(HEADINGS):
        raise UploadError(
            f"the first row is not: {', '.join(HEADINGS)}", "headings"
        )
    found: dict[str, Figures] = {}
    bad: list[BadCell] = []
    known = standing(day)
    names = {folded(area.name): area.code for area in known.values()} | {folded(WHOLE): PROVINCE}
    for number, row in enumerate(rows[1:], 2):
        cells = (*row, *(None,) * len(HEADINGS))[: len(HEADINGS)]
        if all(_text(value) == "" for value in cells[2:]):
            continue
        code = _text(cells[0])
        area = code if code in known else names.get(folded(_text(cells[1])))
        if area is None or (code and code != area):
            bad.append(BadCell(f"{'A' if code else 'B'}{number}", "area"))
        elif area in found:
            bad.append(BadCell(f"B{number}", "twice"))
        numbers = []
        for column, value in zip("CDEFGH", cells[2:], strict=True):
            parsed = _number(value)
            if isinstance(parsed, str):
                bad.append(BadCell(f"{column}{number}", parsed))
            else:
                numbers.append(parsed)
        if area is not None and len(numbers) == len(NAMES):
            found[area] = Figures(*numbers)
    if bad:
        named = ", ".join(one.cell for one in bad[:_LISTED])
        raise UploadError(f"wrong cells: {named}", "cells", tuple(bad[:_LISTED]))
    if not found:
        raise UploadError("the file has no figures", "empty")
    return found


def _rows(content: bytes) -> list[tuple[Any, ...]]:
    """The rows of the sheet; formulas are texts that begin with =."""
    from openpyxl import load_workbook

    if len(content) > LARGEST_FILE:
        raise UploadError(f"the file is larger than {LARGEST_FILE} bytes", "large")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            there = parts.infolist()
            if len(there) > _PARTS or sum(one.file_size for one in there) > _UNPACKED:
                raise UploadError("the file is too large when it is unpacked", "large")
            names = [one.filename.lower() for one in there]
            if any("vbaproject" in one or "externallink" in one or "embeddings" in one
                   for one in names):
                raise UploadError("the file has programs or other files in it", "program")
        # what a part says of its own size is checked while it is unpacked: zipfile stops there
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        if SHEET not in book.sheetnames:
            raise UploadError(f"the file has no sheet {SHEET}", "sheet")
        rows = []
        for row in book[SHEET].iter_rows(max_col=len(HEADINGS), values_only=True):
            rows.append(tuple(row))
            if len(rows) > _ROWS:
                raise UploadError(f"the sheet has more than {_ROWS} rows", "rows")
    except UploadError:
        raise
    except Exception as error:  # whatever a broken or hostile file makes the readers raise
        raise UploadError("this is no XLSX file", "file") from error
    if not rows:
        raise UploadError("the file has no figures", "empty")
    return rows


def _text(value: Any) -> str:
    return " ".join(str(value).split()) if value is not None else ""


def _number(value: Any) -> int | str:
    """The number of a cell (nothing: 0), or what is wrong with it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0
    if isinstance(value, str) and value.startswith("="):
        return "formula"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "number"
    if value != value or value != int(value) or not 0 <= value <= LARGEST:  # noqa: PLR0124 - NaN
        return "number"
    return int(value)
