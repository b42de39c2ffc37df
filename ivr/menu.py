"""Menu sources: `dialplans/menus/*.yml` parsed and checked, every fault named at once.

A file holds one or more documents, each a `menu` (keys to press) or a `leaf` (something to hear):

    menu: main                      leaf: advice_care
    branch: general                 branch: advice
    hours: always                   say: [advice_care]
    say: [greeting_main]            serves: true      # heard to its end: self-served
    options:
      - {key: 1, say: main_menu_1, goto: advice}      # a menu or a leaf
      - {key: 0, say: nav_agent, queue: advice}       # a branch, whose queue is joined
      - {key: 2, say: advice_menu_2, expert: advice}  # its experts, then its queue
      - {key: 9, say: nav_repeat, do: repeat}         # repeat, back, emergency or lookup

A leaf with `plays: SWITCH` (bulletin, points.test, …) plays the sound that this switch names, which
serves, and says the rest only while there is none. A leaf may lead on by itself instead, once it
has been heard: `then: queue` to its branch's agents, `then: message` to a message, which it has
asked for.

`hours` is `always` or a list such as `["mon-fri 07:00-17:00"]`, Asia/Ho_Chi_Minh. Wherever one
key is asked for, 4 is emergency and `*` is back: both are added to every menu, and any other use
of them is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from crm import packs, switches
from crm.branches import BY_ID
from crm.errors import HotlineError
from crm.packs import Pack

KEYS = frozenset("0123456789*#")
DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
HOURS = re.compile(rf"({DAY}(?:-{DAY})?) ([0-2]\d:[0-5]\d)-([0-2]\d:[0-5]\d)")
_PLAYED = re.compile("|".join(map(re.escape, switches.PLAYED)))
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
EMERGENCY_NAMED_MS = 8_000
SERVICES_NAMED_MS = 25_000


@dataclass(frozen=True)
class Fault:
    """Something wrong in a menu file."""

    file: str
    menu: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.menu or '-'}: {self.what}"


class MenuError(HotlineError):
    """The menus cannot be used; `faults` names everything that is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True)
class Hours:
    """One slot of opening hours, in Asterisk's words: `mon-fri`, `07:00-17:00`."""

    days: str
    times: str

    @property
    def last_minutes(self) -> str:
        """The last quarter of an hour of the slot, written in the same way."""
        end = datetime.strptime(self.times.partition("-")[2], "%H:%M")  # noqa: DTZ007
        return f"{end - timedelta(minutes=15):%H:%M}-{end:%H:%M}"


@dataclass(frozen=True)
class Option:
    """A key of a menu. `act`: goto (menu), leaf, queue (branch), repeat, back, emergency,
    lookup (the status of a case by its code), expert (branch)."""

    key: str
    say: str | None
    act: str
    target: str | None
    line: int

    @property
    def branch(self) -> str | None:
        return self.target if self.act in {"queue", "expert"} else None


@dataclass(frozen=True)
class Menu:
    """A menu: what is said on entry, then its options in order. `say` empty: options at once."""

    name: str
    branch: str
    say: tuple[str, ...]
    options: tuple[Option, ...]
    hours: tuple[Hours, ...]  # of its branch; empty: always open
    file: str
    line: int
    wait_s: int = 5

    @property
    def spoken_options(self) -> tuple[str, ...]:
        return tuple(option.say for option in self.options if option.say)


@dataclass(frozen=True)
class Leaf:
    """Something to hear. `then`: what follows it: end (`leaf_end` names the keys), queue, message.
    `serves`: heard to its end counts as self-served. `plays`: the switch that names a sound which
    is played instead."""

    name: str
    branch: str
    say: tuple[str, ...]
    serves: bool
    file: str
    line: int
    then: str = "end"
    plays: str | None = None


@dataclass(frozen=True)
class Menus:
    """The whole catalogue of menus and leaves, by name."""

    menus: Mapping[str, Menu]
    leaves: Mapping[str, Leaf]
    pack: str = packs.USUAL
    notice: str = "none"  # of every call, where the switch names none

    @property
    def main(self) -> Menu:
        return self.menus["main"]

    def hours(self, branch: str) -> tuple[Hours, ...]:
        """Opening hours of a branch; empty means always open."""
        return next((menu.hours for menu in self.menus.values() if menu.branch == branch), ())


def load(folder: Path, pack: Pack | None = None) -> Menus:
    """Read and check all menu files of a folder, those of a scenario pack in the place of others of
    the same name. Raises MenuError with every fault found."""
    reader = _Reader()
    files = {file.name: file for file in sorted(folder.glob("*.yml"))}
    if not files:
        raise MenuError([Fault(str(folder), "", 1, "there is no menu file (*.yml) here")])
    if pack is not None:
        files |= {file.name: file for file in pack.menus}
    for file in files.values():
        reader.read(file)
    if pack is not None:
        reader.set_hours(pack)
    menus = Menus(reader.menus, reader.leaves)
    if pack is not None:
        menus = replace(menus, pack=pack.name, notice=pack.notice)
    faults = reader.faults or _structure_faults(menus)
    if faults:
        raise MenuError(faults)
    return menus


def spoken(menus: Menus) -> dict[str, tuple[str, int, str]]:
    """Every prompt the menus use: id → (file, line, menu) of its first use."""
    found: dict[str, tuple[str, int, str]] = {}
    for menu in menus.menus.values():
        for prompt in menu.say:
            found.setdefault(prompt, (menu.file, menu.line, menu.name))
        for option in menu.options:
            if option.say:
                found.setdefault(option.say, (menu.file, option.line, menu.name))
    for leaf in menus.leaves.values():
        for prompt in leaf.say:
            found.setdefault(prompt, (leaf.file, leaf.line, leaf.name))
    return found


def prompt_faults(
    menus: Menus, interruptible: Mapping[str, bool], durations_ms: Mapping[str, int]
) -> list[Fault]:
    """Faults between menus and prompts.

    `interruptible` has every catalogue prompt that is a fixed text (no variables);
    `durations_ms` every prompt that is built.
    """
    faults = []
    for prompt, (file, line, name) in spoken(menus).items():
        if prompt not in interruptible:
            what = f"the prompt {prompt} is not in the catalogue, or has variables"
        elif not interruptible[prompt]:
            what = f"the prompt {prompt} may not be interrupted: no key would work while it plays"
        elif prompt not in durations_ms:
            what = f"the prompt {prompt} is not built"
        else:
            continue
        faults.append(Fault(file, name, line, what))
    if not faults:
        faults += _lateness(menus.main, durations_ms)
    return faults


def _lateness(main: Menu, durations_ms: Mapping[str, int]) -> list[Fault]:
    """When a caller who waits for whole sentences has heard of the emergency key and the rest."""
    faults = []
    heard = 0
    for prompt in main.say:
        heard += durations_ms[prompt]
        if prompt == "emergency_first":
            break
    else:
        return [Fault(main.file, main.name, main.line, "the emergency key is never named on entry")]
    if heard > EMERGENCY_NAMED_MS:
        what = f"the emergency key is named after {heard / 1000:.1f} s; 8 s at most"
        faults.append(Fault(main.file, main.name, main.line, what))
    heard = sum(durations_ms[prompt] for prompt in main.say)
    for option in main.options:
        if option.say:
            heard += durations_ms[option.say]
            is_service = option.act not in {"repeat", "lookup"} and option.target != "bulletin"
            if is_service and heard > SERVICES_NAMED_MS:
                what = f"key {option.key} is named after {heard / 1000:.1f} s; 25 s at most"
                faults.append(Fault(main.file, main.name, option.line, what))
    return faults


def _structure_faults(menus: Menus) -> list[Fault]:
    if "main" not in menus.menus:
        return [Fault("-", "", 1, "there is no menu named main")]
    faults = []
    reached = {"main"}
    waiting = ["main"]
    while waiting:
        menu = menus.menus[waiting.pop()]
        for option in menu.options:
            target = option.target or ""
            if option.act == "goto" and target not in menus.menus:
                what = f"key {option.key} leads to {target}, which is no menu and no leaf"
                faults.append(Fault(menu.file, menu.name, option.line, what))
            elif option.act in {"goto", "leaf"} and target not in reached:
                reached.add(target)
                if option.act == "goto":
                    waiting.append(target)
    things: list[Menu | Leaf] = [*menus.menus.values(), *menus.leaves.values()]
    for thing in things:
        if thing.name not in reached:
            faults.append(Fault(thing.file, thing.name, thing.line, "nothing leads here"))
    hours: dict[str, tuple[Hours, ...]] = {}
    for menu in menus.menus.values():
        if hours.setdefault(menu.branch, menu.hours) != menu.hours:
            what = f"another menu gives other hours for the branch {menu.branch}"
            faults.append(Fault(menu.file, menu.name, menu.line, what))
        if not any(option.act == "queue" for option in menu.options):
            what = "a dead end: no key leads to a person"
            faults.append(Fault(menu.file, menu.name, menu.line, what))
    return faults


class _Reader:
    """Turns YAML nodes into menus and leaves, collecting faults with their lines."""

    def __init__(self) -> None:
        self.menus: dict[str, Menu] = {}
        self.leaves: dict[str, Leaf] = {}
        self.faults: list[Fault] = []
        self._file = self._name = ""

    def read(self, file: Path) -> None:
        self._file, self._name = file.name, ""
        try:
            documents = list(yaml.compose_all(file.read_text(encoding="utf-8"), yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.faults.append(Fault(file.name, "", line, f"not YAML: {error.problem}"))
            return
        except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
            self.faults.append(Fault(file.name, "", 1, f"cannot be read: {error}"))
            return
        for document in documents:
            self._document(document)
        for name, menu in self.menus.items():  # what a target is, is known when all is read
            options = tuple(
                replace(option, act="leaf")
                if option.act == "goto" and option.target in self.leaves else option
                for option in menu.options
            )
            self.menus[name] = replace(menu, options=options)

    def set_hours(self, pack: Pack) -> None:
        """The opening hours that a pack gives to branches."""
        self._file, self._name = packs.FILE, pack.name
        for branch, slots in pack.hours.items():
            if branch not in BY_ID:
                self._fault(None, f"unknown branch {branch}; there are {', '.join(BY_ID)}")
            hours = tuple(slot for text in slots if (slot := self._slot(text, None)))
            for name, menu in self.menus.items():
                if menu.branch == branch:
                    self.menus[name] = replace(menu, hours=hours)

    def _fault(self, node: yaml.Node | None, what: str) -> None:
        line = node.start_mark.line + 1 if node else 1
        self.faults.append(Fault(self._file, self._name, line, what))

    def _entries(self, node: yaml.Node | None, allowed: set[str]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, f"expected entries such as {', '.join(sorted(allowed))}")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value in entries:
                self._fault(key, f"{key.value} stands here twice")
            elif key.value not in allowed:
                self._fault(key, f"unknown entry {key.value}")
            entries[str(key.value)] = value
        return entries

    def _text(self, node: yaml.Node | None, pattern: re.Pattern[str], meaning: str) -> str:
        if isinstance(node, yaml.ScalarNode) and pattern.fullmatch(node.value):
            return str(node.value)
        self._fault(node, f"expected {meaning}")
        return ""

    def _texts(self, node: yaml.Node | None, pattern: re.Pattern[str], meaning: str) -> list[str]:
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, f"expected a list of {meaning}s")
            return []
        return [self._text(item, pattern, f"a {meaning}") for item in node.value]

    def _branch(self, node: yaml.Node | None, where: yaml.Node) -> str:
        if node is None:
            self._fault(where, "branch is missing")
            return ""
        branch = self._text(node, NAME, "a branch")
        if branch and branch not in BY_ID:
            self._fault(node, f"unknown branch {branch}; there are {', '.join(BY_ID)}")
        return branch

    def _document(self, node: yaml.Node) -> None:
        kinds = {"menu", "leaf", "branch", "hours", "say", "options", "serves", "then", "plays"}
        entries = self._entries(node, kinds)
        if ("menu" in entries) == ("leaf" in entries):
            if entries:
                self._fault(node, "a document is either a menu or a leaf")
            return
        kind = "menu" if "menu" in entries else "leaf"
        self._name = self._text(entries[kind], NAME, "a name of small letters, digits and _")
        for extra in {"hours", "options"} if kind == "leaf" else {"serves", "then", "plays"}:
            if extra in entries:
                self._fault(entries[extra], f"a {kind} has no {extra}")
        if self._name in self.menus or self._name in self.leaves:
            self._fault(entries[kind], f"there is another menu or leaf named {self._name}")
            return
        branch = self._branch(entries.get("branch"), node)
        say = tuple(self._texts(entries["say"], NAME, "prompt")) if "say" in entries else ()
        line = node.start_mark.line + 1
        if kind == "leaf":
            if not say:
                self._fault(node, "a leaf says nothing")
            then, serves = self._end_of_leaf(entries, node, branch)
            plays = entries.get("plays")
            if plays is not None:
                self._text(plays, _PLAYED, f"plays: {', '.join(switches.PLAYED)}")
            self.leaves[self._name] = Leaf(
                self._name, branch, say, serves, self._file, line, then,
                plays.value if isinstance(plays, yaml.ScalarNode) else None,
            )
            return
        self.menus[self._name] = Menu(
            self._name, branch, say, self._options(entries.get("options"), node),
            self._hours(entries.get("hours")), self._file, line,
        )

    def _end_of_leaf(
        self, entries: dict[str, yaml.Node], node: yaml.Node, branch: str
    ) -> tuple[str, bool]:
        """What follows a leaf, and whether it serves."""
        if "then" not in entries:
            serves = self._text(
                entries.get("serves", node), re.compile("true|false"), "serves: true or false"
            )
            return "end", serves == "true"
        then = self._text(entries["then"], re.compile("queue|message"), "then: queue or message")
        if "serves" in entries:
            self._fault(entries["serves"], "what leads on to a person has served nobody yet")
        if then and branch in BY_ID and BY_ID[branch].queue is None:
            self._fault(entries["then"], f"nobody answers for the branch {branch}: it has no queue")
        return then, False

    def _hours(self, node: yaml.Node | None) -> tuple[Hours, ...]:
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == "always"):
            return ()
        slots = []
        for text in self._texts(node, HOURS, "slot such as mon-fri 07:00-17:00"):
            if text and (slot := self._slot(text, node)):
                slots.append(slot)
        return tuple(slots)

    def _slot(self, text: str, node: yaml.Node | None) -> Hours | None:
        match = HOURS.fullmatch(text)
        if match is None:
            self._fault(node, f"{text}: expected a slot such as mon-fri 07:00-17:00")
            return None
        days, opens, closes = match.groups()
        if not opens < closes <= "23:59":
            self._fault(node, f"{text}: it must close after it opens, 23:59 at the latest")
        return Hours(days, f"{opens}-{closes}")

    def _options(self, node: yaml.Node | None, where: yaml.Node) -> tuple[Option, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fault(node or where, "a menu needs a list of options")
            return ()
        options: dict[str, Option] = {}
        for item in node.value:
            option = self._option(item)
            if option and option.key in options:
                self._fault(item, f"key {option.key} is used twice")
            elif option:
                options[option.key] = option
        line = where.start_mark.line + 1
        options.setdefault("4", Option("4", None, "emergency", None, line))
        options.setdefault("*", Option("*", None, "back", None, line))
        options.setdefault("9", Option("9", None, "repeat", None, line))
        return tuple(options.values())

    def _option(self, node: yaml.Node) -> Option | None:
        entries = self._entries(node, {"key", "say", "goto", "queue", "expert", "do"})
        if not entries:
            return None
        if "key" not in entries:
            self._fault(node, "an option needs a key")
            return None
        key = self._text(entries["key"], re.compile(r"[0-9*#]"), "one key: 0-9, * or #")
        acts = [name for name in ("goto", "queue", "expert", "do") if name in entries]
        if len(acts) != 1:
            self._fault(node, "an option needs exactly one of goto, queue, expert and do")
            return None
        target = entries[acts[0]]
        say = self._text(entries["say"], NAME, "a prompt") if "say" in entries else None
        if acts[0] == "do":
            acts_of_do = re.compile("repeat|back|emergency|lookup")
            act = self._text(target, acts_of_do, "repeat, back, emergency or lookup")
            name = None
        elif acts[0] in {"queue", "expert"}:
            act, name = acts[0], self._branch(target, node)
            if name in BY_ID and BY_ID[name].queue is None:
                self._fault(target, f"nobody answers for the branch {name}: it has no queue")
        else:
            act, name = "goto", self._text(target, NAME, "the name of a menu or leaf")
        self._fixed_keys(key, act, node)
        return Option(key, say, act, name, node.start_mark.line + 1)

    def _fixed_keys(self, key: str, act: str, node: yaml.Node) -> None:
        for fixed, meaning in {"4": "emergency", "*": "back", "9": "repeat", "0": "queue"}.items():
            if key == fixed and act and act != meaning:
                shown = "a person" if meaning == "queue" else meaning
                self._fault(node, f"key {key} is {shown} everywhere and nothing else")
        if act == "emergency" and key != "4":
            self._fault(node, "emergency is key 4 and no other")


