"""Menus made by chance, as an engineer could write them: they have no faults."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

from ivr import menu
from ivr.provision import MENUS

SHIPPED = menu.load(MENUS)
KEYS = 5  # at most, besides those that every menu has
BRANCHES = ("advice", "testing", "vaccine", "relief", "report")
_FIRST = tuple(one.say for one in SHIPPED.main.options if one.key in "12356")
_NAMES = tuple(sorted({  # short sentences, each of which names a key
    option.say for one in SHIPPED.menus.values() for option in one.options if option.say
} - set(SHIPPED.main.spoken_options)))
_INTROS = tuple(one.say[0] for one in SHIPPED.menus.values() if one.name != "main" and one.say)
_TEXTS = tuple(sorted({leaf.say[0] for leaf in SHIPPED.leaves.values()}))
_PLAYED = ("points.test", "points.vaccination")  # nobody has set them


def write(folder: Path, seed: int) -> None:
    """Into an empty folder, or over those of another seed. A branch may be closed all day."""
    chance = random.Random(seed)
    closed = chance.choice((*BRANCHES, None))
    wanted = [f"menu{number}" for number in range(chance.randint(1, 5))]
    leaves: list[dict[str, Any]] = []
    options: dict[str, list[dict[str, Any]]] = {name: [] for name in ("main", *wanted)}
    branch = {name: chance.choice(BRANCHES) for name in wanted} | {"main": "general"}
    for number, name in enumerate(wanted):  # each is led to from one that stands before it
        options[chance.choice(("main", *wanted[:number]))].append({"goto": name})
    for name, found in options.items():
        for _ in range(chance.randint(0, 3) if name == "main" else chance.randint(1, 4)):
            found.append(_option(chance, branch[name], leaves, wanted))
    documents = []
    for name, found in options.items():
        keys = chance.sample("12356#" if name != "main" else "12356", KEYS)
        says = chance.sample(_FIRST if name == "main" else _NAMES, KEYS)
        del found[KEYS:]  # what leads to menus stands first
        chance.shuffle(found)
        last: list[dict[str, Any]] = [{"key": "0", "say": "nav_agent", "queue": branch[name]}]
        if name == "main":
            last[0]["say"] = "main_menu_0"
            last += [{"key": "7", "say": "main_menu_7", "do": "lookup"}] * chance.randint(0, 1)
        document = {
            "menu": name, "branch": branch[name],
            "hours": ["mon-sun 00:00-00:01"] if branch[name] == closed else "always",
            "say": ["greeting_main", "emergency_first"] if name == "main" else (
                [chance.choice(_INTROS)] * chance.randint(0, 1)
            ),
            "options": [
                {"key": key, "say": say, **one}
                for key, say, one in zip(keys, says, found, strict=False)
            ] + last,
        }
        documents.append(document)
    for file in folder.glob("*.yml"):
        file.unlink()
    text = yaml.safe_dump_all([*documents, *_reached(documents, leaves)])
    (folder / "generated.yml").write_text(text, encoding="utf-8")


def _option(
    chance: random.Random, branch: str, leaves: list[dict[str, Any]], menus: list[str]
) -> dict[str, Any]:
    kind = chance.choice(("leaf", "leaf", "queue", "expert", "goto", "back"))
    if kind == "leaf":
        served = branch if branch != "general" else chance.choice(BRANCHES)
        leaf: dict[str, Any] = {
            "leaf": f"leaf{len(leaves)}", "branch": served, "say": [chance.choice(_TEXTS)],
        }
        leaf |= chance.choice((
            {"serves": True}, {"serves": False}, {"then": "queue"}, {"then": "message"},
            {"serves": False, "plays": chance.choice(_PLAYED)},
        ))
        leaves.append(leaf)
        return {"goto": leaf["leaf"]}
    if kind == "goto":
        return {"goto": chance.choice(["main", *menus])}
    if kind == "back":
        return {"do": "back"}
    return {kind: chance.choice(BRANCHES)}


def _reached(
    documents: list[dict[str, Any]], leaves: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A menu has no more keys than it has: what found none left is not written."""
    led = {option.get("goto") for one in documents for option in one["options"]}
    return [leaf for leaf in leaves if leaf["leaf"] in led]
