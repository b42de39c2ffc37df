"""The Babel catalogues. Texts in the program are English; Vietnamese, which the screens show
first, is kept in `translations/vi` where its wording can be edited without touching a program.

    python -m agent_console.catalogues    brings the .po files up to date with the sources
"""

from __future__ import annotations

import functools
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOM = Path(__file__).parent
TRANSLATIONS = ROOM / "translations"
LANGUAGES = ("vi", "en")
SOURCES = [
    ("**/node_modules/**", "ignore"), ("static/**", "ignore"), ("frontend/build.mjs", "ignore"),
    ("**.py", "python"), ("templates/**.html", "jinja2"), ("frontend/src/**.js", "javascript"),
]


def po_file(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


def read(language: str) -> Catalog:
    with po_file(language).open("rb") as source:
        return read_po(source, locale=language)


def extract() -> Catalog:
    """All texts of the sources, as a template catalogue."""
    template = Catalog(project="hotline1022", charset="utf-8")
    keywords: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2), "t": None}
    for name, _line, message, comments, context in extract_from_dir(
        ROOM, SOURCES, keywords=keywords, comment_tags=("NOTE:",)
    ):
        template.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return template


def compile_catalogues() -> None:
    """Write the binary catalogues that are missing or older than their sources."""
    for language in LANGUAGES:
        source, target = po_file(language), po_file(language).with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        binary = io.BytesIO()
        write_mo(binary, read(language))
        draft = target.with_suffix(".new")
        draft.write_bytes(binary.getvalue())
        draft.replace(target)


@functools.cache
def script_texts(language: str) -> dict[str, str]:
    """The texts that the browser's scripts use: English → the language's own."""
    return {
        str(message.id): str(message.string or message.id)
        for message in read(language)
        if message.id and any(name.startswith("frontend/") for name, _ in message.locations)
    }


def _tidy_header(catalogue: Catalog) -> None:
    """A header that says only what is true, and does not change with the day."""
    catalogue.header_comment = "# Texts of the console; see agent_console/catalogues.py"
    catalogue.fuzzy = False
    catalogue.project, catalogue.version = "hotline1022", "1"
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)


def update() -> None:
    """Bring the .po files up to date: new texts are added (English says what the source says),
    those that left the sources go."""
    template = extract()
    for language in LANGUAGES:
        file = po_file(language)
        catalogue = read(language) if file.exists() else Catalog(locale=language)
        catalogue.update(template, no_fuzzy_matching=True)
        _tidy_header(catalogue)
        if language == "en":
            for message in catalogue:
                if message.id:
                    message.string = message.id
        catalogue.obsolete.clear()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            write_po(out, catalogue, width=98, sort_output=True, include_lineno=False,
                     ignore_obsolete=True)


if __name__ == "__main__":
    update()
