"""The manuals say what there is: commands, settings, words of the screens, keys, pictures."""

from __future__ import annotations

import functools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image

from agent_console import catalogues, manuals
from agent_console.manuals import FOLDER, MANUALS, PICTURES, Manual
from crm import branches, settings
from crm.cases.categories import CATEGORIES
from crm.models import Role
from crm.settings import PROJECT
from scripts import manuals as building
from scripts.hotline import main

VIETNAMESE = [manual for manual in MANUALS if manual.language == "vi"]
DOCUMENTS = [
    *(manual.file for manual in MANUALS), PROJECT / "README.md", PROJECT / "docs" / "runbook.md",
]
BEFORE = r"(?:[A-Z_]+=\S+ +)*(?:runuser -u hotline -- )?(?:/\S+/)?"  # what may stand before it


def fenced(text: str, language: str = "") -> Iterator[str]:
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        if found[1] == language:
            yield found[2].replace("\\\n", " ")


def commands(file: Path) -> list[list[str]]:
    """The words of each `hotline …` that is to be typed."""
    return [
        shlex.split(found[1], comments=True)
        for block in fenced(file.read_text(encoding="utf-8"))
        for found in re.finditer(rf"^{BEFORE}hotline +(.+)$", block, re.M)
    ]


def told(file: Path) -> list[list[str]]:
    """The same in running text: alternatives and names in capitals stand in it."""
    text = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [re.sub(r"\s+", " ", found).split() for found in re.findall(r"`hotline ([^`]+)`", text)]


def parse(words: list[str]) -> None:
    """Let click read a command line, and run nothing. Raises click's own faults."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        name = rest.pop(0)
        if name not in command.commands:
            raise click.UsageError(f"there is no {name}")
        command = command.commands[name]
    if isinstance(command, click.Group):
        return  # shows what there is
    try:
        command.make_context(command.name, rest)
    except click.BadParameter as error:
        files = error.param is not None and isinstance(error.param.type, click.Path)
        if isinstance(error, click.MissingParameter) or not files:
            raise  # but a file of an example is not here


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)
def test_every_command_of_the_documents_is_one_that_the_program_takes(file: Path) -> None:
    for words in commands(file):
        try:
            parse(words)
        except click.ClickException as error:
            raise AssertionError(f"hotline {' '.join(words)}: {error.format_message()}") from error


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)
def test_every_command_that_is_told_of_exists_with_its_options(file: Path) -> None:
    for words in told(file):
        at: list[click.Command] = [main]
        for word in words:
            if word.startswith("-"):
                known = {name for one in at for option in one.params for name in option.opts}
                assert word in known, f"hotline {' '.join(words)}: no {word}"
            elif groups := [one for one in at if isinstance(one, click.Group)]:
                under = [
                    found for name in word.split("|") for group in groups
                    if (found := group.commands.get(name))
                ]
                assert len(under) == word.count("|") + 1, f"hotline {' '.join(words)}: {word}"
                at = under


def test_the_manual_of_the_engineers_leads_through_every_part_of_their_work() -> None:
    """An empty page would pass the other tests."""
    typed = {words[0] for words in commands(manuals.BY_NAME["engineer"].file)}
    assert typed >= {
        "setup", "doctor", "probe", "call", "ledger", "trunk", "user", "backup", "plan", "apply",
        "history", "rollback", "switch", "emergency", "settings", "install", "menu",
    }


def test_the_settings_of_the_examples_can_be_set_as_they_stand(tmp_path: Path) -> None:
    blocks = list(fenced(manuals.BY_NAME["engineer"].file.read_text(encoding="utf-8"), "toml"))
    assert len(blocks) >= 4
    file = tmp_path / "hotline.toml"
    file.write_text("\n".join(blocks), encoding="utf-8")
    assert tomllib.loads(file.read_text(encoding="utf-8"))
    read = settings.load({"HOTLINE_CONFIG": str(file), "HOTLINE_HOME": str(tmp_path)})
    assert read.trunk_channels == 60


@functools.cache
def screen_words() -> set[str]:
    words = {str(message.string) for message in catalogues.read("vi") if message.id}
    words |= {one.vi for one in (*branches.BRANCHES, *branches.SERVICES, *CATEGORIES)}
    return {word.strip() for word in words}


@pytest.mark.parametrize("manual", VIETNAMESE, ids=lambda manual: manual.name)
def test_what_stands_in_bold_is_written_so_on_the_screens(manual: Manual) -> None:
    text = re.sub(r"\s+", " ", manual.file.read_text(encoding="utf-8"))
    bold = re.findall(r"\*\*(.+?)\*\*", text)
    assert len(bold) > 10
    assert [word for word in bold if word not in screen_words()] == []


def test_the_screens_that_the_runbook_names_are_called_so() -> None:
    text = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    named = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)
    screens = [name for name in named if not name.isascii()]
    assert len(screens) > 5
    assert [name for name in screens if name not in screen_words()] == []


@pytest.mark.parametrize("manual", MANUALS, ids=lambda manual: manual.name)
def test_every_picture_is_there_and_small(manual: Manual) -> None:
    for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", manual.file.read_text(encoding="utf-8")):
        picture = manual.file.parent / name
        assert picture.stat().st_size <= 150_000, name
        with Image.open(picture) as opened:
            assert opened.width == 1280, name


def test_no_picture_lies_there_for_nobody() -> None:
    texts = "".join(manual.file.read_text(encoding="utf-8") for manual in MANUALS)
    pictures = [file.name for file in (FOLDER / "vi" / PICTURES).iterdir()]
    assert [name for name in pictures if f"({PICTURES}/{name})" not in texts] == []


def test_the_keys_of_the_agents_manual_are_those_of_the_desk() -> None:
    desk = PROJECT / "agent_console" / "templates" / "agent.html"
    listed = set(re.findall(r'\("([^"]+)", _\(', desk.read_text(encoding="utf-8")))
    text = manuals.BY_NAME["dien-thoai-vien"].file.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:Shift\+|Ctrl\+|Alt\+)?(?:F\d+|Enter|[A-Z]|\?))`", text))
    assert len(named) > 10
    assert named <= listed


def test_every_role_has_a_manual() -> None:
    assert set(manuals.BY_ROLE) == set(Role)


def test_the_manuals_are_written_as_pages_and_as_pdf(tmp_path: Path) -> None:
    files = building.build(tmp_path)
    assert len(files) == 2 * len(MANUALS)
    for manual in MANUALS:
        text = manuals.read(manual)
        assert len(text.chapters) >= 4
        page = (tmp_path / manual.language / f"{manual.name}.html").read_text(encoding="utf-8")
        for anchor, _ in text.chapters:
            assert page.count(f'"#{anchor}"') == page.count(f' id="{anchor}"') == 1
        for asked in re.findall(r'(?:src|href)="([^#"]+)"', page):
            assert (tmp_path / manual.language / asked).is_file(), asked
        paper = pypdfium2.PdfDocument(tmp_path / manual.language / f"{manual.name}.pdf")
        words = " ".join(one.get_textpage().get_text_bounded() for one in paper)
        for _, heading in text.chapters:
            assert heading in re.sub(r"\s+", " ", words)
        paper.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "vi").write_text("no folder", encoding="utf-8")
    with pytest.raises(building.ManualsError, match="vi"):
        building.build(tmp_path)
