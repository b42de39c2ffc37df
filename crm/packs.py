"""Scenario packs: what an ordinary day, an epidemic or a flood makes of the same hotline.

A pack is a folder of `dialplans/packs`. Its menu files take the place of those of the same name;
`pack.yml` says the rest: its name in both languages, the notice of every call (a value of the
switch `notice`, which comes before it), the opening hours of branches, and which categories of
cases the desk offers first.

`hotline pack use NAME` chooses one; it is in force when `hotline apply` has brought it in, and goes
with a rollback: which one it is stands beside Asterisk's configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from crm import switches
from crm.cases.categories import CATEGORIES, Category, CategoryError, category_named
from crm.errors import HotlineError
from crm.settings import PROJECT

FOLDER = PROJECT / "dialplans" / "packs"
USUAL = "everyday"
FILE = "pack.yml"
IN_FORCE = "pack.conf"  # in the folder of Asterisk's configuration

_NAME = re.compile(r"[a-z][a-z_]{0,23}")
_WRITTEN = re.compile(r"^pack = ([a-z_]+)$", re.MULTILINE)
_Title = Annotated[str, Field(min_length=1, max_length=80)]


class PackError(HotlineError):
    """There is no such pack, or its description is wrong; one sentence."""


class Pack(BaseModel):
    """What a pack says besides its menus. `hours`: of branches, in the words of the menus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    vi: _Title
    en: _Title
    notice: str = "none"
    categories: tuple[str, ...] = ()
    hours: Mapping[str, tuple[str, ...]] = {}

    @field_validator("notice")
    @classmethod
    def _known_notice(cls, notice: str) -> str:
        if notice not in switches.KNOWN["notice"]:
            raise ValueError(f"must be one of {', '.join(switches.KNOWN['notice'])}")
        return notice

    @field_validator("categories")
    @classmethod
    def _known_categories(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for id_ in ids:
                category_named(id_)
        except CategoryError as error:
            raise ValueError(str(error)) from error
        return ids

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def menus(self) -> list[Path]:
        """The menu files that are its own."""
        return sorted(one for one in self.folder.glob("*.yml") if one.name != FILE)


def named(name: str) -> Pack:
    """Raises PackError."""
    file = FOLDER / name / FILE
    if not _NAME.fullmatch(name) or not file.exists():
        raise PackError(f"there is no pack {name}; there are {', '.join(names())}")
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(told, dict):
            raise PackError(f"{file}: expected entries such as vi, en, notice, categories, hours")
        return Pack.model_validate({"name": name, **told})
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise PackError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise PackError(f"{file}: {'; '.join(faults)}") from error


def names() -> list[str]:
    """Those there are, the usual one first."""
    found = sorted(file.parent.name for file in FOLDER.glob(f"*/{FILE}"))
    return sorted(found, key=lambda name: name != USUAL)


def chosen(home: Path) -> Pack:
    """The pack that the next apply brings in. Raises PackError."""
    try:
        return named((home / "pack").read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return named(USUAL)


def use(home: Path, name: str) -> Pack:
    """Choose a pack; nothing changes for callers yet. Raises PackError."""
    pack = named(name)
    draft = home / "pack.new"
    draft.write_text(f"{name}\n", encoding="utf-8")
    draft.replace(home / "pack")
    return pack


def written(name: str) -> str:
    """What stands beside Asterisk's configuration: which pack it was made of."""
    return f"; the scenario pack that menus and notice are from\npack = {name}\n"


def in_force(home: Path) -> str:
    """The name of the pack that callers meet."""
    try:
        text = (home / "asterisk" / "etc" / IN_FORCE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return USUAL
    found = _WRITTEN.search(text)
    return found[1] if found else USUAL


def offered(home: Path) -> Sequence[Category]:
    """All categories, those of the pack in force first."""
    try:
        first = named(in_force(home)).categories
    except PackError:
        first = ()  # one of another version
    return [
        *(category_named(id_) for id_ in first),
        *(one for one in CATEGORIES if one.id not in first),
    ]
