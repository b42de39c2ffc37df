"""The manuals as files: a page of HTML with its chapters, and PDF to be printed."""

from __future__ import annotations

import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from agent_console import manuals
from agent_console.manuals import FOLDER, MANUALS, PICTURES
from crm.errors import HotlineError
from scripts import manuals_pdf

CONSOLE = Path(manuals.__file__).parent
STYLES = ("console.css", "manual.css")


class ManualsError(HotlineError):
    """The manuals cannot be written. The message says which and why."""


def build(output: Path) -> list[Path]:
    """Write every manual below `output`, each in the folder of its language."""
    pages = Environment(loader=FileSystemLoader(CONSOLE / "templates"), autoescape=True)
    template = pages.get_template("manual_page.html")
    written = []
    try:
        for language in sorted({manual.language for manual in MANUALS}):
            (output / language).mkdir(parents=True, exist_ok=True)
            if (pictures := FOLDER / language / PICTURES).is_dir():
                shutil.copytree(pictures, output / language / PICTURES, dirs_exist_ok=True)
            for style in STYLES:
                shutil.copy(CONSOLE / "static" / style, output / language)
        for manual in MANUALS:
            text = manuals.read(manual)
            page = output / manual.language / f"{manual.name}.html"
            page.write_text(
                template.render(manual=manual, text=text, styles=STYLES), encoding="utf-8"
            )
            paper = page.with_suffix(".pdf")
            paper.write_bytes(manuals_pdf.render(manual))
            written += [page, paper]
    except OSError as error:
        raise ManualsError(f"{error.filename}: {error.strerror}") from error
    return written
