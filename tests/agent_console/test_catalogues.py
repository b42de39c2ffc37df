"""Both languages are complete, and in step with the sources."""

from __future__ import annotations

import re

import pytest

from agent_console import catalogues
from agent_console.catalogues import LANGUAGES


def texts(catalogue: object) -> set[str]:
    return {str(message.id) for message in catalogue if message.id}  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_sources_is_translated(language: str) -> None:
    catalogue = catalogues.read(language)
    assert texts(catalogue) == texts(catalogues.extract())
    for message in catalogue:
        if not message.id:
            continue
        string = message.string
        written = (string,) if isinstance(string, str) else tuple(string or ("",))
        assert all(written), message.id
        assert not message.fuzzy, message.id
        named = r"%\(\w+\)s|\{\w+\}"
        source = message.id if isinstance(message.id, str) else message.id[-1]
        assert set(re.findall(named, source)) == set(re.findall(named, written[-1])), message.id


def test_the_scripts_find_all_their_texts() -> None:
    used = {
        match[1] for file in (catalogues.ROOM / "frontend" / "src").glob("*.js")
        for match in re.finditer(r'\bt\(\s*"([^"]+)"', file.read_text(encoding="utf-8"))
    }
    assert used
    for language in LANGUAGES:
        assert used == set(catalogues.script_texts(language))
