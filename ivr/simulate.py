"""The menus walked as text, with keys and a clock: no Asterisk needed.

The clock is the honest one: a caller presses only after the sentence that names the key has ended,
with the real durations of the built prompts. A key that no sentence of the place names (4 and * in
most menus) is pressed at once. Beside it stands the time of a caller who knows the keys by heart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from crm.branches import BY_ID, SERVICES
from crm.cases.working_days import holidays_of
from ivr.menu import Hours, Leaf, Menu, Menus, Option

TIMEOUT = "."  # instead of a key: the caller presses none
TRIES = 3
AFTER_LEAF_MS = 5_000
_PLACES = {"goto": "menu", "leaf": "leaf"}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Line:
    """What happens at a moment: a prompt begins (`said`), a key is pressed in a menu or leaf
    (`pressed`, t for none in time, i for one that means nothing), content was heard to its end
    (`served`), or the walk is over (`reached`: queue:NAME, emergency:SERVICE, lookup, experts,
    message, hangup)."""

    at_ms: int
    kind: str
    what: str
    place: str


@dataclass(frozen=True)
class Way:
    """One way through the menus without repeating or going back.

    named_ms: when the sentence that names its last key has ended; reached_ms: when the caller is
    there (for a queue: has joined it, the recording notice included); by_heart_ms: the same for one
    who presses every key at once.
    """

    keys: tuple[str, ...]
    path: tuple[str, ...]
    reaches: str
    branch: str
    named_ms: int
    reached_ms: int
    by_heart_ms: int


@dataclass
class Walk:
    """A caller on the way. `press` keys, then `stay`; `lines` tells what happened.

    `at`: the moment of the call in Asia/Ho_Chi_Minh, for the opening hours; None: all is open.
    `with_experts`: there are some; without any their key leads to the branch's agents.
    """

    menus: Menus
    durations_ms: Mapping[str, int]
    at: datetime | None = None
    with_experts: bool = False
    lines: list[Line] = field(default_factory=list)
    branch: str = "general"
    reached: str = ""
    _now_ms: int = 0
    _place: Menu | Leaf | str = "main"  # a word: closed, notice or emergency
    _pending: list[str] = field(default_factory=list)
    _tries: int = 0
    _noticed: bool = False

    def __post_init__(self) -> None:
        self._now_ms = self.durations_ms["lead_in"]
        self._enter(self.menus.main)

    @property
    def over(self) -> bool:
        return bool(self.reached)

    @property
    def now_ms(self) -> int:
        return self._now_ms

    def press(self, key: str, *, by_heart: bool = False) -> None:
        """Press a key once it has been named, or at once; TIMEOUT lets the place run out."""
        if self.over:
            raise ValueError(f"the call is over ({self.reached}): no key can be pressed any more")
        if key == TIMEOUT:
            self._run_out()
            return
        if not by_heart:
            self._say(upto=self._naming(key))
        if self._place == "emergency":
            self._press_in_emergency(key)
            return
        if not self._means_something(key):
            return  # it does not interrupt what is said
        self._pending.clear()
        if key == "4":
            self._pressed("4")
            self._emergency()
        elif isinstance(self._place, Menu):
            self._press_in_menu(self._place, key)
        elif isinstance(self._place, Leaf):
            self._press_in_leaf(self._place, key)
        elif self._place == "closed":
            self._press_when_closed(key)
        else:  # the notice is refused
            self._say_now("consent_recording_declined")
            self._join()

    def _means_something(self, key: str) -> bool:
        """In menus every key does: a wrong one is told so."""
        if isinstance(self._place, Menu):
            return True
        if isinstance(self._place, Leaf):
            return key in "90*4"
        return key in {"closed": "10*4", "notice": "*4"}[self._place]

    def stay(self) -> None:
        """Press nothing more, until the walk is over."""
        while not self.over:
            self._run_out()

    # --- places

    def _enter(self, place: Menu | Leaf) -> None:
        self._place, self._tries = place, 0
        if isinstance(place, Menu):
            self.branch = place.branch
            self._pending = [*place.say, *place.spoken_options]
        else:
            self._pending = self._whole(place)

    def _press_in_menu(self, menu: Menu, key: str) -> None:
        option = next((one for one in menu.options if one.key == key), None)
        self._pressed(key if option else "i")
        if option is None:
            self._sorry(menu, "input_invalid")
        elif option.act == "repeat":
            self._pending = list(menu.spoken_options)
        else:
            self._follow(option)

    def _follow(self, option: Option) -> None:
        if option.act == "goto":
            self._enter(self.menus.menus[option.target or ""])
        elif option.act == "leaf":
            self._enter(self.menus.leaves[option.target or ""])
        elif option.act == "back":
            self._back()
        elif option.act == "expert" and self.with_experts:
            self.branch = option.target or ""
            self._reach("experts")
        elif option.act == "lookup":  # what is said there depends on the caller's cases
            self.branch = "lookup"
            self._reach("lookup")
        else:
            self._to_branch(option.target or "")

    def _press_in_leaf(self, leaf: Leaf, key: str) -> None:
        self._pressed(key)
        if key == "9":
            self._pending = self._whole(leaf)
        elif key == "*":
            self._back()
        else:
            self._to_branch(leaf.branch)

    def _press_when_closed(self, key: str) -> None:
        if key == "1":
            self._pressed("1")
            self._say_now("voicemail_start")
            self._reach("message")
        elif key == "0":
            self._pressed("0")
            self._to_branch("general", always=True)
        elif key == "*":
            self._pressed("*")
            self._back()

    def _run_out(self) -> None:
        self._say()
        place = self._place
        if isinstance(place, Menu):
            self._now_ms += place.wait_s * 1000
            self._pressed("t")
            self._sorry(place, "input_no_key")
        elif isinstance(place, Leaf) and place.then == "queue":
            self._to_branch(place.branch)
        elif isinstance(place, Leaf) and place.then == "message":
            self._reach("message")
        elif isinstance(place, Leaf):
            self._now_ms += AFTER_LEAF_MS
            self._tries += 1
            if self._tries < 2:
                self._pending = ["leaf_end"]
            else:
                self._say_now("goodbye")
                self._reach("hangup")
        elif place == "closed":
            self._now_ms += AFTER_LEAF_MS
            self._say_now("after_hours_options")
            self._now_ms += AFTER_LEAF_MS
            self._to_branch("general", always=True)
        elif place == "emergency":
            self._reach("emergency:medical")
        else:
            self._join()

    @staticmethod
    def _whole(leaf: Leaf) -> list[str]:
        return [*leaf.say, "leaf_end"] if leaf.then == "end" else list(leaf.say)

    def _sorry(self, menu: Menu, prompt: str) -> None:
        self._tries += 1
        if self._tries >= TRIES:
            self._say_now("input_too_many_errors")
            self._to_branch(menu.branch)
        elif menu is self.menus.main and self._tries == TRIES - 1:
            self._pending = [prompt, "main_menu_short"]
        else:
            self._pending = [prompt, *menu.spoken_options]

    def _back(self) -> None:
        self._enter(self.menus.main)
        self._pending = list(self.menus.main.spoken_options)

    def _to_branch(self, branch: str, *, always: bool = False) -> None:
        self.branch = branch
        hours = self.menus.hours(branch)
        if not always and not open_at(hours, self.at):
            why = "holiday_notice" if hours and is_holiday(self.at) else "after_hours"
            self._place, self._pending = "closed", [why, "after_hours_options"]
        elif self._noticed:
            self._join()
        else:
            self._noticed = True
            self._place, self._pending = "notice", ["consent_recording_short"]

    def _join(self) -> None:
        self._reach(f"queue:{BY_ID[self.branch].queue}")

    def _emergency(self) -> None:
        self.branch = self._place = "emergency"
        self._pending = ["emergency_menu"]

    def _press_in_emergency(self, key: str) -> None:
        service = next((one for one in SERVICES if key in one.keys), None)
        if service:  # no other key interrupts what is said
            self._pressed(key)
            self._reach(f"emergency:{service.id}")

    # --- what is said and noted

    def _naming(self, key: str) -> str | None:
        """The pending prompt that names a key; None: none does, so nothing is waited for."""
        named: dict[str, str] = {}
        if isinstance(self._place, Menu):
            named = {one.key: one.say for one in self._place.options if one.say}
            named["4"] = "emergency_first"
        elif isinstance(self._place, Leaf):
            named = dict.fromkeys("90*", "leaf_end")
        elif self._place == "closed":
            named = dict.fromkeys("10", "after_hours_options")
        elif self._place == "emergency":
            named = dict.fromkeys("235", "emergency_menu")
        else:
            named = {"*": "consent_recording_short"}
        prompt = named.get(key)
        return prompt if prompt in self._pending else None

    def _say(self, upto: str | None = "") -> None:
        """Say what is pending: all of it (""), as far as a prompt, or nothing (None)."""
        while self._pending and upto is not None:
            prompt = self._pending.pop(0)
            self._say_now(prompt)
            leaf = self._place
            if isinstance(leaf, Leaf) and leaf.serves and prompt == leaf.say[-1]:
                self._note("served", leaf.name)
            if prompt == upto:
                return

    def _say_now(self, prompt: str) -> None:
        self._note("said", prompt)
        self._now_ms += self.durations_ms[prompt]

    def _pressed(self, key: str) -> None:
        self._note("pressed", key)

    def _reach(self, what: str) -> None:
        self._note("reached", what)
        self.reached = what

    def _note(self, kind: str, what: str) -> None:
        place = self._place if isinstance(self._place, str) else self._place.name
        self.lines.append(Line(self._now_ms, kind, what, place))


def is_holiday(at: datetime | None) -> bool:
    return at is not None and at.date() in holidays_of(at.year)


def open_at(hours: tuple[Hours, ...], at: datetime | None) -> bool:
    """Whether a branch is open by the calendar; no hours: always."""
    if not hours or at is None:
        return True
    if is_holiday(at):
        return False
    day, now = at.weekday(), f"{at:%H:%M}"
    for slot in hours:
        first, _, last = slot.days.partition("-")
        begins, ends = _DAYS.index(first), _DAYS.index(last or first)
        inside = begins <= day <= ends if begins <= ends else day >= begins or day <= ends
        opens, closes = slot.times.split("-")
        if inside and opens <= now <= closes:  # GotoIfTime counts the last minute in
            return True
    return False


def walk(
    menus: Menus, durations_ms: Mapping[str, int], keys: str, *, at: datetime | None = None,
    by_heart: bool = False,
) -> Walk:
    """A caller who presses these keys (blanks do not count), then none until it is over.

    Raises ValueError for a character that is no key, or a key after the end.
    """
    one = Walk(menus, durations_ms, at)
    for key in keys.replace(" ", ""):
        if key not in "0123456789*#" + TIMEOUT:
            raise ValueError(f"{key!r} is no key: 0-9, *, # or {TIMEOUT} for none")
        one.press(key, by_heart=by_heart)
    one.stay()
    return one


def ways(menus: Menus, durations_ms: Mapping[str, int]) -> Iterator[Way]:
    """Every way through the menus to a leaf, a queue or emergency, the shortest first."""
    waiting: list[tuple[Menu, tuple[str, ...], tuple[str, ...]]] = [(menus.main, (), ())]
    while waiting:
        menu, keys, path = waiting.pop(0)
        for option in menu.options:
            if option.act in {"repeat", "back"}:
                continue
            here = (*keys, option.key), (*path, f"{menu.name}.{option.key}")
            if option.act == "goto":
                waiting.append((menus.menus[option.target or ""], *here))
            leaf = menus.leaves[option.target or ""] if option.act == "leaf" else None
            stays = option.act == "goto" or (leaf and leaf.then == "end")
            stops_at = f"{_PLACES[option.act]}:{option.target}" if stays else None
            branch = leaf.branch if leaf else None
            yield _way(menus, durations_ms, *here, stops_at=stops_at, branch=branch)


def _way(
    menus: Menus, durations_ms: Mapping[str, int], keys: tuple[str, ...], path: tuple[str, ...],
    *, stops_at: str | None, branch: str | None,
) -> Way:
    honest, by_heart = Walk(menus, durations_ms), Walk(menus, durations_ms)
    for key in keys:
        honest.press(key)
        by_heart.press(key, by_heart=True)
    named_ms = next(line.at_ms for line in reversed(honest.lines) if line.kind == "pressed")
    if stops_at is None:
        honest.stay()
        by_heart.stay()
    return Way(
        keys, path, stops_at or honest.reached, branch or honest.branch, named_ms, honest.now_ms,
        by_heart.now_ms,
    )
