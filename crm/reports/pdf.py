"""A document as PDF: A4, text that can be searched and copied, page numbers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import cast

import fontpkg_be_vietnam_pro  # type: ignore[import-untyped]
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, XPos, YPos

from crm.reports.document import Document, Kind, Section, shown

FONT = "Be Vietnam Pro"  # SIL Open Font License, has every Vietnamese letter
_FILES = Path(fontpkg_be_vietnam_pro.ROOT) / "files"
_INK, _SOFT, _BAND = (27, 39, 48), (86, 101, 112), (226, 236, 238)
_BRAND = (11, 92, 107)
_SUM = (243, 246, 247)
_ASIDE, _ABOVE = 0.8, 0.9  # mm around the words of a cell
_WIDE = 8  # columns: smaller letters
_PAGE = {"vi": "Trang", "en": "Page"}


class Pages(FPDF):
    """A4 in the hotline's letters; each page has the document's foot and its number."""

    def __init__(self, foot: str, language: str) -> None:
        super().__init__(format="A4")
        self.set_lang(language)
        self._foot, self._page = foot, _PAGE[language]
        self.set_margins(17, 16, 17)
        self.c_margin = 0.0
        self.set_auto_page_break(True, 18)
        for style, name in (("", "Regular"), ("B", "SemiBold"), ("I", "Italic")):
            self.add_font(FONT, style, _FILES / f"BeVietnamPro-{name}.ttf")

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font(FONT, "", 7.5)
        self.set_text_color(*_SOFT)
        self.cell(self.epw - 25, 5, self._foot)
        self.cell(25, 5, f"{self._page} {self.page_no()}/{{nb}}", align=Align.R)


def render(document: Document, made_at: datetime, language: str = "vi") -> bytes:
    """The document's pages. `made_at` stands in the file's description, so that the same document
    makes the same file."""
    pages = Pages(document.foot, language)
    pages.set_title(document.title)
    pages.set_creation_date(made_at)
    pages.add_page()
    _head(pages, document)
    for number, section in enumerate(document.sections, 1):
        _section(pages, number, section)
    _end(pages, document)
    return bytes(pages.output())


def _line(pages: FPDF, text: str, size: float, style: str = "", align: Align = Align.L) -> None:
    pages.set_font(FONT, style, size)
    pages.multi_cell(0, size * 0.5, text, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _head(pages: FPDF, document: Document) -> None:
    pages.set_text_color(*_INK)
    half, top = pages.epw / 2, pages.get_y()
    for line, style in zip(document.heading, ("", "B", "B", "B"), strict=False):
        pages.set_font(FONT, style, 9.5)
        pages.multi_cell(half, 5, line, align=Align.C, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pages.set_font(FONT, "", 9.5)
    pages.multi_cell(half, 6, document.number, align=Align.C, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    bottom = pages.get_y()
    pages.set_xy(pages.l_margin + half, top)
    pages.set_font(FONT, "I", 9.5)
    pages.multi_cell(half, 5, document.dated, align=Align.R)
    pages.set_y(bottom + 4)
    pages.set_text_color(*_BRAND)
    _line(pages, document.title, 15, "B", Align.C)
    pages.set_text_color(*_INK)
    _line(pages, document.subtitle, 10, "", Align.C)
    pages.ln(2)
    for line in document.to:
        _line(pages, line, 10)
    pages.ln(1)


def _section(pages: FPDF, number: int, section: Section) -> None:
    if pages.will_page_break(38):  # a title never stands alone at the foot of a page
        pages.add_page()
    pages.ln(2.5)
    pages.set_text_color(*_BRAND)
    _line(pages, f"{number}. {section.title}", 11, "B")
    pages.set_text_color(*_INK)
    pages.ln(0.8)
    for sentence in section.sentences:
        _line(pages, sentence, 9)
    pages.ln(1.2)
    if section.table.rows:
        _table(pages, section)
    elif section.empty:
        _line(pages, section.empty, 9, "I")


def _table(pages: FPDF, section: Section) -> None:
    """Drawn cell by cell: the library's own tables lay each cell out twice, and a report of all
    agencies would take half a second."""
    columns, table = section.table.columns, section.table
    size = 7.2 if len(columns) > _WIDE else 8.5
    whole = sum(one.width for one in columns)
    widths = [pages.epw * one.width / whole for one in columns]
    aligns = [Align.L if one.kind is Kind.TEXT else Align.R for one in columns]
    pages.set_draw_color(190, 200, 206)

    def row(texts: list[str], style: str = "", fill: tuple[int, int, int] | None = None) -> None:
        pages.set_font(FONT, style, size)
        lines = [_broken(pages, text, width) for text, width in zip(texts, widths, strict=True)]
        height = max(len(one) for one in lines) * size * 0.5 + 2 * _ABOVE
        if pages.will_page_break(height):
            pages.add_page()
            if texts is not titles:
                row(titles, "B", _BAND)
                pages.set_font(FONT, style, size)
        top, left = pages.get_y(), pages.l_margin
        if fill is not None:
            pages.set_fill_color(*fill)
            pages.rect(left, top, pages.epw, height, style="F")
            pages.line(left, top, left + pages.epw, top)
        for one, width, align in zip(lines, widths, aligns, strict=True):
            y = top + (height - len(one) * size * 0.5) / 2
            for place, line in enumerate(one):
                pages.set_xy(left + _ASIDE, y + place * size * 0.5)
                pages.cell(width - 2 * _ASIDE, size * 0.5, line, align=align)
            left += width
        pages.line(pages.l_margin, top + height, pages.l_margin + pages.epw, top + height)
        pages.set_xy(pages.l_margin, top + height)

    titles = [one.title for one in columns]
    row(titles, "B", _BAND)
    for cells in table.rows:
        row([shown(cell, one.kind) for cell, one in zip(cells, columns, strict=True)])
    if table.total is not None:
        row([shown(cell, one.kind) for cell, one in zip(table.total, columns, strict=True)],
            "B", _SUM)


def _broken(pages: FPDF, text: str, width: float) -> list[str]:
    """The lines of a cell."""
    room = width - 2 * _ASIDE
    if pages.get_string_width(text) <= room:
        return [text]
    lines = pages.multi_cell(room, 1, text, dry_run=True, output=MethodReturnValue.LINES)
    return cast(list[str], lines)


def _end(pages: FPDF, document: Document) -> None:
    pages.ln(3)
    for line in document.closing:
        _line(pages, line, 9)
    if not any(document.signers):
        return
    if pages.will_page_break(30):
        pages.add_page()
    pages.ln(4)
    pages.set_font(FONT, "B", 9.5)
    top = pages.get_y()
    for place, signer in enumerate(document.signers):
        pages.set_xy(pages.l_margin + place * pages.epw / 2, top)
        pages.multi_cell(pages.epw / 2, 5, signer, align=Align.C)
