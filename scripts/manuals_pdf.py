"""A manual on A4: chapters with their pages, text that can be searched and copied."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime

from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.outline import OutlineSection
from markdown_it.token import Token

from agent_console import manuals
from agent_console.manuals import Manual
from crm.reports.pdf import FONT, Pages

_BRAND, _INK, _BAND = (11, 92, 107), (27, 39, 48), (238, 243, 245)
_SIZE, _LINE = 10.5, 5.6
_INDENT = 6.5  # of a list within its surroundings
_SIZES = {"h2": 14, "h3": 11.5}


def render(manual: Manual) -> bytes:
    text = manuals.read(manual)
    pages = Pages(text.title, manual.language)
    pages.set_title(text.title)
    pages.set_creation_date(datetime.fromtimestamp(manual.file.stat().st_mtime, UTC))
    pages.add_page()
    pages.set_text_color(*_BRAND)
    pages.set_font(FONT, "B", 22)
    pages.multi_cell(0, 11, text.title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pages.ln(4)
    pages.set_text_color(*_INK)
    pages.insert_toc_placeholder(_chapters)
    _Writer(pages, manual).write(manuals.parse(manual))
    return bytes(pages.output())


def _chapters(pages: FPDF, outline: list[OutlineSection]) -> None:
    pages.set_font(FONT, "", _SIZE)
    pages.set_x(pages.l_margin)
    for chapter in outline:
        link = pages.add_link(page=chapter.page_number)
        pages.cell(pages.epw - 12, 7, chapter.name, link=link)
        pages.cell(12, 7, str(chapter.page_number), align="R", link=link,
                   new_x=XPos.LMARGIN, new_y=YPos.NEXT)


class _Writer:
    """Writes tokens of Markdown, one after another."""

    def __init__(self, pages: FPDF, manual: Manual) -> None:
        self._pages, self._folder = pages, manual.file.parent
        self._margin = pages.l_margin
        self._lists: list[int | None] = []  # the number of the next item, or None

    def write(self, tokens: list[Token]) -> None:
        for at, token in enumerate(tokens):
            match token.type:
                case "inline" if tokens[at - 1].type == "heading_open":
                    self._heading(tokens[at - 1].tag, token.content)
                case "inline" if tokens[at - 1].type == "paragraph_open":
                    self._paragraph(token.children or [])
                case "bullet_list_open" | "ordered_list_open":
                    self._lists.append(1 if token.tag == "ol" else None)
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                    self._pages.ln(0 if self._lists else 1.5)
                case "list_item_open":
                    self._item()
                case "fence":
                    self._block(token.content)
                case "table_open":
                    ends = next(n for n, one in enumerate(tokens[at:], at)
                                if one.type == "table_close")
                    self._table(tokens[at:ends])
        self._pages.set_left_margin(self._margin)

    def _heading(self, tag: str, text: str) -> None:
        if tag == "h1":
            return  # stands on the first page
        self._pages.set_left_margin(self._margin)
        if self._pages.will_page_break(40):
            self._pages.add_page()
        self._pages.ln(4)
        if tag == "h2":
            self._pages.start_section(text)
        self._pages.set_text_color(*_BRAND)
        self._pages.set_font(FONT, "B", _SIZES[tag])
        self._pages.multi_cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._pages.set_text_color(*_INK)
        self._pages.ln(1.5)

    def _item(self) -> None:
        """The sign before an item; what follows stands to its right."""
        number = self._lists[-1]
        left = self._margin + _INDENT * len(self._lists)
        if self._pages.will_page_break(_LINE):
            self._pages.add_page()
        self._pages.set_left_margin(left)
        self._pages.set_xy(left - 5.5, self._pages.get_y())
        self._pages.set_font(FONT, "", _SIZE)
        self._pages.cell(5.5, _LINE, "•" if number is None else f"{number}.")
        if number is not None:
            self._lists[-1] = number + 1

    def _paragraph(self, parts: list[Token]) -> None:
        if not self._lists:
            self._pages.set_left_margin(self._margin)
            self._pages.set_x(self._margin)
        for part in parts:
            if part.type == "image":
                self._picture(str(part.attrGet("src")))
                return
        style = ""
        for part in parts:
            if part.type.endswith("_open") or part.type.endswith("_close"):
                style = {"strong_open": "B", "em_open": "I"}.get(part.type, "")
                continue
            code = part.type == "code_inline"
            self._pages.set_font(FONT, style, _SIZE)
            self._pages.set_text_color(*(_BRAND if code else _INK))
            self._words(" " if part.type == "softbreak" else _shown(part.content))
        self._pages.set_text_color(*_INK)
        self._pages.ln(_LINE + (0.6 if self._lists else 2))

    def _words(self, text: str) -> None:
        """Word by word: `write` would break within the first word of other letters."""
        right = self._pages.w - self._pages.r_margin
        for word in re.findall(r"\S+|\s+", text):
            if self._pages.get_x() + self._pages.get_string_width(word) > right:
                self._pages.ln(_LINE)
                if word.isspace():
                    continue
            self._pages.write(_LINE, word)

    def _picture(self, name: str) -> None:
        width = self._pages.epw * 0.82
        if self._pages.will_page_break(width * 0.625 + 3):
            self._pages.add_page()
        self._pages.ln(1)
        top = self._pages.get_y()
        self._pages.image(self._folder / name, w=width)
        self._pages.set_draw_color(200, 208, 214)
        self._pages.rect(self._pages.l_margin, top, width, self._pages.get_y() - top)
        self._pages.ln(3)

    def _block(self, text: str) -> None:
        self._pages.set_left_margin(self._margin)
        lines = text.rstrip("\n")
        if self._pages.will_page_break(min(5 * (lines.count("\n") + 1), 60)):
            self._pages.add_page()
        self._pages.set_x(self._margin)
        self._pages.set_font(FONT, "", 9)
        self._pages.set_fill_color(*_BAND)
        self._pages.multi_cell(0, 5, lines, fill=True, padding=2, align="L",
                               new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._pages.ln(2.5)

    def _table(self, tokens: list[Token]) -> None:
        self._pages.set_font(FONT, "", 9.5)
        cells = [
            (before.tag, one.content) for before, one in itertools.pairwise(tokens)
            if one.type == "inline"
        ]
        wide = sum(tag == "th" for tag, _ in cells)
        with self._pages.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, line_height=6.5, markdown=True,
            headings_style=FontFace(emphasis="BOLD", fill_color=_BAND), text_align="LEFT",
        ) as table:
            for start in range(0, len(cells), wide):
                table.row([re.sub("`", "", _shown(text)) for _, text in cells[start:start + wide]])
        self._pages.ln(3)


def _shown(text: str) -> str:
    """What the letters have no sign for is said in words."""
    return text.replace("←", "mũi tên trái").replace("→", "›")
