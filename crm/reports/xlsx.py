"""A document as XLSX: one sheet for each section, with numbers that are numbers; and as CSV."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING

from crm.clock import VIETNAM
from crm.reports.document import Cell, Document, Kind, Section, Value, shown

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

# openpyxl is imported where a workbook is made: CSV has no use for it, nor has a start.

_FORMATS = {
    Kind.NUMBER: "#,##0", Kind.CHANGE: "+#,##0;-#,##0;0", Kind.SHARE: "0.0%", Kind.MEAN: "0.0",
    Kind.DURATION: "[m]:ss",
}
_SECONDS_A_DAY = 86_400
_LONGEST = 80  # letters in a line


def render(document: Document) -> bytes:
    """The document's sheets."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    for section in document.sections:
        _sheet(book.create_sheet(section.name[:31]), document, section)
    if not book.worksheets:
        book.create_sheet("Báo cáo")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(sheet: Worksheet, document: Document, section: Section) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.properties import PageSetupProperties

    band = PatternFill("solid", fgColor="E2ECEE")
    below = Border(bottom=Side(style="thin", color="BEC8CE"))
    columns = section.table.columns
    lines = [
        f"{document.title} – {document.subtitle}", section.title, *section.sentences, document.foot,
    ]
    for number, line in enumerate(lines, 1):
        _write(sheet, number, 1, line)
        sheet.cell(number, 1).font = Font(bold=number <= 2, size=12 if number <= 2 else 10)
    head = len(lines) + 2
    for place, column in enumerate(columns, 1):
        _write(sheet, head, place, column.title)
        title = sheet.cell(head, place)
        title.font, title.fill, title.border = Font(bold=True), band, below
        title.alignment = Alignment(
            wrap_text=True, vertical="center",
            horizontal="left" if column.kind is Kind.TEXT else "right",
        )
        longest = max((len(str(row[place - 1] or "")) for row in section.table.rows), default=0)
        width = min(_LONGEST + 3, longest + 3) if column.kind is Kind.TEXT else 13
        sheet.column_dimensions[get_column_letter(place)].width = max(width, 13)
    total = [section.table.total] if section.table.total is not None else []
    for number, row in enumerate([*section.table.rows, *total], head + 1):
        for place, (value, column) in enumerate(zip(row, columns, strict=True), 1):
            _write(sheet, number, place, value, column.kind)
            written = sheet.cell(number, place)
            written.border = below
            if isinstance(value, str) and len(value) > _LONGEST:
                written.alignment = Alignment(wrap_text=True, vertical="top")
            if total and number == head + len(section.table.rows) + 1:
                written.font, written.fill = Font(bold=True), band
    if not section.table.rows and section.empty:
        _write(sheet, head + 1, 1, section.empty)
    sheet.freeze_panes = f"B{head + 1}"
    sheet.page_setup.orientation = "landscape" if len(columns) > 8 else "portrait"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = f"{head}:{head}"


def _write(sheet: Worksheet, row: int, place: int, value: Cell, kind: Kind = Kind.TEXT) -> None:
    from openpyxl.cell import Cell as SheetCell

    cell = sheet.cell(row, place)
    if value is None or not isinstance(cell, SheetCell):
        return
    if isinstance(value, str):
        cell.value = value
        cell.data_type = "s"  # whatever it begins with, it is no formula
        return
    if isinstance(value, datetime):
        cell.value = value.astimezone(VIETNAM).replace(tzinfo=None)
        cell.number_format = "dd/mm/yyyy hh:mm"
        return
    number: float = value.number if isinstance(value, Value) else value
    kind = value.kind if isinstance(value, Value) else kind
    cell.value = number / _SECONDS_A_DAY if kind is Kind.DURATION else number
    cell.number_format = _FORMATS.get(kind, "General")


def as_csv(section: Section) -> str:
    """A section's table as CSV, with plain numbers, for spreadsheets (UTF-8 with a mark)."""
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow([column.title for column in section.table.columns])
    total = [section.table.total] if section.table.total is not None else []
    for row in [*section.table.rows, *total]:
        write.writerow([
            _safe(value if isinstance(value, (int, float)) else shown(value, column.kind))
            for value, column in zip(row, section.table.columns, strict=True)
        ])
    return "\ufeff" + out.getvalue()


def _safe(value: str | float) -> str | float:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
