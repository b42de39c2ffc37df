"""Menu files: what is right loads, and every fault is named with its file, menu and line."""

from pathlib import Path

import pytest

from crm import packs
from ivr import menu
from ivr.provision import MENUS
from prompts.catalogue import Catalogue

MAIN = """\
menu: main
branch: general
say: [greeting_main, emergency_first]
options:
  - {key: 1, say: main_menu_1, goto: advice}
  - {key: 0, say: main_menu_0, queue: general}
  - {key: 9, say: main_menu_9, do: repeat}
"""
ADVICE = """\
menu: advice
branch: advice
say: [advice_menu_intro]
options:
  - {key: 1, say: advice_menu_1, goto: symptoms}
  - {key: 0, say: nav_agent, queue: advice}
---
leaf: symptoms
branch: advice
say: [advice_symptoms]
serves: true
"""


def written(folder: Path, main: str = MAIN, advice: str = ADVICE) -> Path:
    (folder / "main.yml").write_text(main, encoding="utf-8")
    (folder / "advice.yml").write_text(advice, encoding="utf-8")
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(menu.MenuError) as caught:
        menu.load(folder)
    return [str(fault) for fault in caught.value.faults]


def test_the_menus_of_the_hotline_have_the_catalogues_ten_keys_in_its_order() -> None:
    menus = menu.load(MENUS)
    keys = [option.key for option in menus.main.options if option.say]
    assert keys == ["1", "2", "3", "5", "6", "0", "7", "8", "9"]
    assert {option.key for option in menus.main.options} == set("0123456789*")
    assert menus.main.say == ("greeting_main", "emergency_first")


def test_four_is_emergency_and_star_is_back_in_every_menu_without_being_written(
    tmp_path: Path,
) -> None:
    menus = menu.load(written(tmp_path))
    for one in menus.menus.values():
        acts = {option.key: option.act for option in one.options}
        assert acts["4"] == "emergency"
        assert acts["*"] == "back"


def test_a_goto_to_a_leaf_is_known_as_one(tmp_path: Path) -> None:
    menus = menu.load(written(tmp_path))
    assert menus.menus["advice"].options[0].act == "leaf"
    assert menus.leaves["symptoms"].serves


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("  - {key: 4, say: main_menu_1, goto: advice}", "key 4 is emergency everywhere"),
        ("  - {key: 4, queue: general}", "key 4 is emergency everywhere"),
        ("  - {key: 2, do: emergency}", "emergency is key 4 and no other"),
        ("  - {key: 0, goto: advice}", "key 0 is a person everywhere"),
        ('  - {key: "*", do: repeat}', "key * is back everywhere"),
        ("  - {key: 1, goto: advice}", "key 1 is used twice"),
        ("  - {key: 2, goto: nowhere}", "leads to nowhere, which is no menu and no leaf"),
        ("  - {key: 2, queue: tourism}", "unknown branch tourism"),
        ("  - {key: 8, queue: bulletin}", "nobody answers for the branch bulletin"),
        ("  - {key: 12, queue: general}", "expected one key"),
        ("  - {key: 2, queue: general, goto: advice}", "exactly one of goto, queue, expert and do"),
        ("  - {key: 2}", "exactly one of goto, queue, expert and do"),
        ("  - {say: main_menu_2, queue: general}", "an option needs a key"),
        ("  - {key: 2, say: 'Bấm', queue: general}", "expected a prompt"),
        ("  - {key: 2, queu: general}", "unknown entry queu"),
        ("  - [2, general]", "expected entries such as"),
    ],
)
def test_a_fault_in_an_option_is_named_with_its_line(
    tmp_path: Path, broken: str, told: str
) -> None:
    found = faults(written(tmp_path, MAIN + broken + "\n"))
    assert any(line.startswith("main.yml:8: main: ") and told in line for line in found), found


def test_all_faults_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    found = faults(written(
        tmp_path, MAIN.replace("branch: general", "branch: nobody"),
        ADVICE.replace("say: [advice_menu_intro]", "hours: [sometimes]"),
    ))
    assert [line.split(":")[0] for line in found] == ["advice.yml", "main.yml"]


def test_a_damaged_file_is_named_with_its_line(tmp_path: Path) -> None:
    found = faults(written(tmp_path, MAIN + "  - {key: 2\n"))
    assert found[0].startswith("main.yml:9: -: not YAML")


def test_a_file_nested_deeper_than_it_can_be_read_is_named(tmp_path: Path) -> None:
    found = faults(written(tmp_path, MAIN, "[" * 5000))
    assert found[0].startswith("advice.yml:1: -: cannot be read")


def test_a_menu_nobody_is_led_to_is_a_fault(tmp_path: Path) -> None:
    found = faults(written(tmp_path, MAIN.replace("goto: advice", "queue: advice")))
    assert "advice.yml:1: advice: nothing leads here" in found


def test_a_menu_without_a_person_is_a_dead_end(tmp_path: Path) -> None:
    found = faults(written(
        tmp_path, advice=ADVICE.replace("  - {key: 0, say: nav_agent, queue: advice}\n", "")
    ))
    assert found == ["advice.yml:1: advice: a dead end: no key leads to a person"]


def test_hours_are_slots_that_close_after_they_open(tmp_path: Path) -> None:
    slots = "hours: [\"mon-fri 07:00-17:30\", \"sat 08:00-11:00\"]\n"
    menus = menu.load(written(tmp_path, advice=ADVICE.replace("say: [adv", slots + "say: [adv", 1)))
    assert menus.hours("advice") == (
        menu.Hours("mon-fri", "07:00-17:30"), menu.Hours("sat", "08:00-11:00")
    )
    wrong = slots.replace("17:30", "06:00")
    found = faults(written(tmp_path, advice=ADVICE.replace("say: [adv", wrong + "say: [adv", 1)))
    assert "it must close after it opens" in found[0]


def test_prompts_must_be_in_the_catalogue_interruptible_and_built(tmp_path: Path) -> None:
    menus = menu.load(written(tmp_path))
    names = set(menu.spoken(menus))
    known = dict.fromkeys(names, True)
    built = dict.fromkeys(names, 1000)
    assert menu.prompt_faults(menus, known, built) == []

    found = [
        *menu.prompt_faults(menus, {**known, "nav_agent": False}, built),
        *menu.prompt_faults(menus, {k: v for k, v in known.items() if k != "nav_agent"}, built),
        *menu.prompt_faults(menus, known, {k: v for k, v in built.items() if k != "nav_agent"}),
    ]
    assert {(one.file, one.menu, one.line) for one in found} == {("advice.yml", "advice", 6)}
    assert [fault.what.split(" ", 3)[3] for fault in found] == [
        "may not be interrupted: no key would work while it plays",
        "is not in the catalogue, or has variables", "is not built",
    ]


def test_emergency_named_after_eight_seconds_or_a_service_after_25_is_too_late(
    tmp_path: Path,
) -> None:
    menus = menu.load(written(tmp_path))
    known = dict.fromkeys(menu.spoken(menus), True)
    late = menu.prompt_faults(menus, known, {**dict.fromkeys(known, 1000), "greeting_main": 7_500})
    assert [fault.what for fault in late] == ["the emergency key is named after 8.5 s; 8 s at most"]
    late = menu.prompt_faults(menus, known, {**dict.fromkeys(known, 1000), "main_menu_1": 24_000})
    assert [(fault.line, fault.what[:5]) for fault in late] == [(5, "key 1"), (6, "key 0")]


@pytest.mark.parametrize("name", packs.names())
def test_a_scenario_pack_is_whole_in_itself_and_keeps_the_keys(name: str) -> None:
    menus = menu.load(MENUS, packs.named(name))
    usual = menu.load(MENUS)
    assert {one.key: (one.act, one.target) for one in menus.main.options} == {
        one.key: (one.act, one.target) for one in usual.main.options
    }
    catalogue = Catalogue.load().prompts
    known = {one.id: one.barge_in for one in catalogue.values() if not one.vars}
    assert menu.prompt_faults(menus, known, dict.fromkeys(known, 1000)) == []
    assert menus.pack == name


def test_a_pack_replaces_files_and_gives_hours_and_names_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, own = tmp_path / "base", tmp_path / "packs" / "storm"
    base.mkdir()
    own.mkdir(parents=True)
    written(base)
    monkeypatch.setattr(packs, "FOLDER", own.parent)
    (own / "main.yml").write_text(MAIN.replace("greeting_main", "greeting_flood"), encoding="utf-8")
    (own / packs.FILE).write_text(
        'vi: Bão\nen: Storm\nnotice: disaster\nhours: {advice: ["mon-fri 07:00-17:00"]}',
        encoding="utf-8",
    )
    menus = menu.load(base, packs.named("storm"))
    assert menus.main.say[0] == "greeting_flood"
    assert menus.hours("advice") == (menu.Hours("mon-fri", "07:00-17:00"),)
    assert menus.notice == "disaster"
    assert menu.load(base).hours("advice") == ()
    (own / packs.FILE).write_text(
        'vi: Bão\nen: Storm\nhours: {advice: ["monday"], sea: []}', encoding="utf-8"
    )
    with pytest.raises(menu.MenuError) as caught:
        menu.load(base, packs.named("storm"))
    found = "\n".join(map(str, caught.value.faults))
    assert "pack.yml:1: storm: monday: expected a slot" in found
    assert "unknown branch sea" in found
