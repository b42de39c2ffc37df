"""Files that people bring: menus, and what is attached to cases."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.cases import attachments
from crm.cases.attachments import AttachmentError
from ivr import menu
from ivr.provision import MENUS
from tests.crm.intake import files
from tests.fuzz.strategies import FEW_AND_MANY, mutated, text
from tests.ivr.test_dialplan import compiled

SHIPPED = {file.name: file.read_bytes() for file in sorted(MENUS.glob("*.yml"))}
VALUES = text | st.integers() | st.booleans() | st.none() | st.lists(text, max_size=3)


@pytest.fixture(autouse=True)
def shipped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ships is parsed once: of nine files one is damaged, and parsing is what takes long."""
    once = {
        content.decode(): list(yaml.compose_all(content, yaml.SafeLoader))
        for content in SHIPPED.values()
    }
    compose = yaml.compose_all
    monkeypatch.setattr(yaml, "compose_all", lambda text, loader: (
        once[text] if text in once else compose(text, loader)
    ))


def loaded(changed: dict[str, bytes]) -> menu.Menus | None:
    """The menus of a folder, None where a sentence says what is wrong."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in (SHIPPED | changed).items():
            (Path(name) / file).write_bytes(content)
        try:
            return menu.load(Path(name))
        except menu.MenuError:
            return None


# the one such line
READY = (
    "lswitch => Loopback/${EXTEN}${GLOBAL(HL_READY)}$[0${STAT(M,/draining)} > ${EPOCH}]@hl-ready"
)


def is_sound(menus: menu.Menus) -> None:
    """What was let through compiles, and holds nothing that Asterisk would take for a line."""
    plan = compiled(menus=menus)
    assert "\0" not in plan
    for line in plan.split("\n"):
        assert line == READY or re.match(r"$|;|\[|exten => | same => |[A-Z_0-9]+=", line), line


@FEW_AND_MANY
def test_a_damaged_menu_is_refused_by_a_sentence_or_compiles(examples: int) -> None:
    @settings(max_examples=examples)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(SHIPPED)))
        if menus := loaded({name: data.draw(mutated(SHIPPED[name]))}):
            is_sound(menus)

    holds()


@FEW_AND_MANY
def test_a_menu_with_any_value_in_any_place_is_refused_or_compiles(examples: int) -> None:
    @settings(max_examples=examples)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(SHIPPED)))
        parts = list(yaml.safe_load_all(SHIPPED[name]))
        part = data.draw(st.sampled_from(parts))
        places = [part, *part.get("options", [])]
        place = data.draw(st.sampled_from(places))
        key = data.draw(st.sampled_from([*place, "say", "queue", "goto", "hours"]))
        place[key] = data.draw(VALUES)
        try:
            content = yaml.safe_dump_all(parts, allow_unicode=True).encode()
        except (yaml.YAMLError, UnicodeEncodeError):
            return
        if menus := loaded({name: content}):
            is_sound(menus)

    holds()


KINDS = {
    "photo.jpg": files.picture(), "photo.png": files.picture("PNG"),
    "photo.webp": files.picture("WEBP"), "paper.pdf": files.pdf(), "list.xlsx": files.workbook(),
    "letter.docx": files.document(),
}


@FEW_AND_MANY
def test_a_damaged_file_is_kept_or_refused_by_a_sentence(examples: int) -> None:
    @settings(max_examples=examples)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(KINDS)))
        shown = data.draw(st.just(name) | text | st.sampled_from(sorted(KINDS)))
        content = data.draw(mutated(KINDS[name]) | st.binary(max_size=100))
        with tempfile.TemporaryDirectory() as home:
            try:
                kept = attachments.take(Path(home), shown, content)
            except AttachmentError:
                return
            assert kept.size == attachments.path_of(Path(home), kept.sha256).stat().st_size

    holds()
