"""Scenario packs: what is chosen, what is in force, what the desk offers first."""

from pathlib import Path

import pytest

from crm import packs
from crm.cases.categories import CATEGORIES
from crm.packs import PackError


def test_without_a_choice_it_is_an_ordinary_day(tmp_path: Path) -> None:
    assert packs.chosen(tmp_path).name == packs.in_force(tmp_path) == "everyday"
    assert packs.offered(tmp_path) == list(CATEGORIES)


def test_what_is_chosen_is_in_force_only_once_it_was_brought_in(tmp_path: Path) -> None:
    packs.use(tmp_path, "flood")
    assert packs.chosen(tmp_path).name == "flood"
    assert packs.in_force(tmp_path) == "everyday"
    folder = tmp_path / "asterisk" / "etc"
    folder.mkdir(parents=True)
    (folder / packs.IN_FORCE).write_text(packs.written("flood"), encoding="utf-8")
    assert packs.in_force(tmp_path) == "flood"
    offered = packs.offered(tmp_path)
    assert [one.id for one in offered][:3] == ["danger", "disaster", "shelter"]
    assert sorted(one.id for one in offered) == sorted(one.id for one in CATEGORIES)


@pytest.mark.parametrize("name", ["storm", "", "../menus", "Flood"])
def test_an_unknown_pack_is_refused_and_the_choice_stays(tmp_path: Path, name: str) -> None:
    packs.use(tmp_path, "flood")
    with pytest.raises(PackError, match="everyday, epidemic, flood"):
        packs.use(tmp_path, name)
    assert packs.chosen(tmp_path).name == "flood"


@pytest.mark.parametrize(("text", "told"), [
    ("vi: A\nen: B\nnotice: panic", "notice"),
    ("vi: A\nen: B\ncategories: [gossip]", "gossip"),
    ("vi: A\nen: B\nsirens: true", "sirens"),
    ("en: B", "vi"),
    ("- A", "expected entries"),
    ("vi: [", "no YAML"), ("[" * 5000, "no YAML"),
])
def test_a_wrong_description_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setattr(packs, "FOLDER", tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / packs.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(PackError, match=told):
        packs.named("mine")
