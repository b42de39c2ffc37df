"""What the journal says of each channel of a call, kept as facts.

Each fact is an earliest, a latest or a set, so it does not matter in which order, how often or in
what portions the events of a journal arrive: the facts are the same in the end. Facts are plain
JSON; times are microseconds since 1970 (UTC), and a mark is a list that begins with its time:

    first, last         time of the channel's earliest and latest event
    start, answer, end  time of CHAN_START, ANSWER, CHAN_END
    hangup              [time, Q.850 cause]
    bridges             {bridge: [[time, 1 entered | 0 left], ...]}
    entry               [time, caller, dialled, trunk, kind]
    steps               [[time, menu, key or ""], ...]
    queued              time of the first HL_QUEUE
    waits               [[time, 1 in a queue | 0 left it, queue or why], ...]
    branches            [[time, branch], ...]
    parties             [[time, expert:ID | duty:N | service:ID], ...] who was rung outside since
    transfers           [[time, how, to whom], ...]
    wait                [time, from s, to s] of the first wait that was predicted
    branch, queue, recording    [time, value], the latest
    notice              [time, heard | refused | cut, the text's version], the latest
    recorded            [[time, state, why, by], ...] what agents did with the recording
    survey              [time, 1 | 2 | 3 | 5], the latest
    voicemail           [ms, time, file], the longest
    emergency           time of the first HL_EMERGENCY
    rejected, callback, self_served, no_room    true
    endpoint, link      of a leg: its phone; [0 from CHAN_START | 1 not, time, linkedid]
    answerer            of a leg: [time, call, login] of the latest HL_ANSWER
    wrapup              of a leg: [time, s] that its agent has after the call
    offered             of a leg: [time, login] of whom it rings
    holds               of a leg: [[time, 1 held | 0 not], ...]
    of                  of a leg that its caller's channel did not make: [time, call]
    passed              of a leg: it is the caller, on another node (crm.calls.passed)
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

Facts = dict[str, Any]

CALL_ID = re.compile(
    r"(?P<node>[a-z][a-z0-9]{0,11})\.(?P<boot>[a-z0-9]{1,12})-[0-9]{1,12}\.[0-9]{1,12}"
)
LEG_ID = re.compile(r"[A-Za-z0-9._;-]{1,80}")  # whoever originates a call may choose its id
INBOUND = "PJSIP/trunk-"  # channels of callers: the trunk's endpoint only receives calls
PHONE = "PJSIP/"  # any other of these is a leg; Local and other helper channels are no phones
TOLD = "HL_REC"  # of a call, on a helper channel
LED = "HL_TRANSFER"  # by an agent outside, too, whose half of a pair of channels it stands on
RECORDED = ("on", "paused", "discarded")
SCORES = (1, 2, 3, 5)  # satisfaction by key: very good, good, fair, bad
KINDS = ("citizen", "test", "training", "staff")  # staff: an agent signs in by keypad
LONGEST_WAIT_S = 7200
LONGEST_WRAPUP_S = 3600
# of a path, and of what else comes again: who goes round in the menus for hours fills no disk
MOST_STEPS = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_VALUE = re.compile(r"[A-Za-z0-9+*#._:/-]+")
_SEAT = re.compile(r"(?:seat|desk)-[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One record of the journal, parsed; `at` is UTC, `extra` the event's own keys and values."""

    type: str
    at: datetime
    num: str
    name: str
    exten: str
    context: str
    channel: str
    app: str
    app_data: str
    uniqueid: str
    linkedid: str
    peer: str
    extra: Mapping[str, str]

    @property
    def is_callers(self) -> bool:
        """Whether it happened on the channel of a caller, whose uniqueid is the call's id."""
        return self.channel.startswith(INBOUND) and CALL_ID.fullmatch(self.uniqueid) is not None

    @property
    def told_of(self) -> str | None:
        """The call that a helper channel tells something of, in the dialplan's own words."""
        call = self.extra.get("call", "") if self.type in (TOLD, LED) else ""
        of_ours = self.channel.startswith("Local/") and CALL_ID.fullmatch(call)
        return call if of_ours else None

    @property
    def is_legs(self) -> bool:
        """Whether it happened on the channel of another phone."""
        is_phone = self.channel.startswith(PHONE) and not self.channel.startswith(INBOUND)
        return is_phone and LEG_ID.fullmatch(self.uniqueid) is not None


def of_its_leg(event: JournalEvent) -> JournalEvent:
    """An event that was noted for a leg from elsewhere (`leg`, `seat`, `call`), as one of the leg's
    channel; any other as it is."""
    if event.type != "HL_HOLD":
        return event
    leg, seat = _value(event.extra, "leg", 80), _value(event.extra, "seat", 16)
    if not LEG_ID.fullmatch(leg) or not _SEAT.fullmatch(seat):
        return event
    call = _value(event.extra, "call", 80)
    return replace(event, uniqueid=leg, channel=f"{PHONE}{seat}-0",
                   linkedid=call if CALL_ID.fullmatch(call) else leg)


def fold(facts: Facts, event: JournalEvent) -> None:
    """Add one event to the facts of its channel."""
    at = (event.at - EPOCH) // MICROSECOND
    _earliest(facts, "first", at)
    _latest(facts, "last", at)
    if note := _NOTES.get(event.type):
        note(facts, at, event.extra)


def fold_leg(facts: Facts, event: JournalEvent) -> None:
    """Add one event to the facts of a leg's channel, and what ties it to its call."""
    fold(facts, event)
    if "endpoint" not in facts:
        facts["endpoint"] = event.channel.removeprefix(PHONE).rpartition("-")[0][:40]
    # Only CHAN_START tells whose leg it is: a later linkedid may be that of another call which
    # was bridged with this one. Without it (torn out of the journal) the earliest event must do.
    at = (event.at - EPOCH) // MICROSECOND
    call = event.linkedid if LEG_ID.fullmatch(event.linkedid) else event.uniqueid
    _earliest(facts, "link", [int(event.type != "CHAN_START"), at, call])


def call_of_leg(facts: Facts) -> str:
    """The call that a leg belongs to: the one its agent answered, else the one that rang it."""
    if "answerer" in facts:
        call: str = facts["answerer"][1]
        return call
    tie: str = facts["of"][1] if "of" in facts else facts["link"][2]
    return tie


def _earliest(facts: Facts, name: str, mark: Any) -> None:
    if name not in facts or mark < facts[name]:
        facts[name] = mark


def _latest(facts: Facts, name: str, mark: Any) -> None:
    if name not in facts or mark > facts[name]:
        facts[name] = mark


def _add(marks: list[Any], mark: Any) -> None:
    place = bisect_left(marks, mark)
    if place == len(marks) or marks[place] != mark:
        marks.insert(place, mark)


def _mark(facts: Facts, name: str, mark: list[Any]) -> None:
    """One of several marks, which say all the same in any order."""
    marks = facts.setdefault(name, [])
    _add(marks, mark)
    del marks[MOST_STEPS:]


def _value(extra: Mapping[str, str], key: str, longest: int) -> str:
    """A value as the dialplan may write it and the table can hold it, else ""."""
    value = extra.get(key, "")
    return value if len(value) <= longest and _VALUE.fullmatch(value) else ""


def _number(extra: Mapping[str, str], key: str) -> int | None:
    value = _value(extra, key, 9)
    return int(value) if value.isdecimal() else None


_Note = Callable[[Facts, int, Mapping[str, str]], None]


def _time(name: str, keep: Callable[[Facts, str, Any], None]) -> _Note:
    return lambda facts, at, _extra: keep(facts, name, at)


def _flag(name: str) -> _Note:
    return lambda facts, _at, _extra: facts.update({name: True})


def _last_value(name: str, key: str, longest: int) -> _Note:
    def note(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
        if value := _value(extra, key, longest):
            _latest(facts, name, [at, value])

    return note


def _bridge(enters: int) -> _Note:
    def note(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
        if bridge := _value(extra, "bridge_id", 64):
            _add(facts.setdefault("bridges", {}).setdefault(bridge, []), [at, enters])

    return note


def _hangup(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if (cause := _number(extra, "hangupcause")) is not None:
        _earliest(facts, "hangup", [at, cause])


def _call(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    kind = _value(extra, "kind", 8)
    _earliest(facts, "entry", [
        at, _value(extra, "caller", 20), _value(extra, "dialled", 20), _value(extra, "trunk", 45),
        kind if kind in KINDS else KINDS[0],
    ])


def _step(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if menu := _value(extra, "menu", 40):
        _mark(facts, "steps", [at, menu, _value(extra, "key", 1)])
        if menu.startswith(("expert:", "duty:")):
            _mark(facts, "parties", [at, menu])


def _emergency(facts: Facts, at: int, _extra: Mapping[str, str]) -> None:
    _earliest(facts, "emergency", at)
    _latest(facts, "branch", [at, "emergency"])
    _mark(facts, "branches", [at, "emergency"])


def _branch(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if branch := _value(extra, "branch", 16):
        _latest(facts, "branch", [at, branch])
        _mark(facts, "branches", [at, branch])


def _service(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if service := _value(extra, "service", 16):
        _mark(facts, "parties", [at, f"service:{service}"])


def _transfer(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if (how := _value(extra, "how", 8)) and (to := _value(extra, "to", 24)):
        _mark(facts, "transfers", [at, how, to])


def _queue(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    _earliest(facts, "queued", at)
    if queue := _value(extra, "queue", 16):
        _latest(facts, "queue", [at, queue])
        _mark(facts, "waits", [at, 1, queue])


def _queue_end(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    _mark(facts, "waits", [at, 0, _value(extra, "why", 16)])


def _wait(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    least, most = _number(extra, "from"), _number(extra, "to")
    if least is not None and most is not None and least <= most <= LONGEST_WAIT_S:
        _earliest(facts, "wait", [at, least, most])


def _notice(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if result := _value(extra, "result", 8):
        _latest(facts, "notice", [at, result, _value(extra, "text", 40)])


def _voicemail(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    file = _value(extra, "file", 120)
    if file and (length := _number(extra, "ms")) is not None:
        _latest(facts, "voicemail", [length, at, file])


def _recorded(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    state = _value(extra, "state", 12)
    marks = facts.setdefault("recorded", [])
    if state in RECORDED and len(marks) < MOST_STEPS:
        _add(marks, [at, state, _value(extra, "why", 16), _value(extra, "by", 32)])


def _survey(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    if (score := _number(extra, "score")) in SCORES:
        _latest(facts, "survey", [at, score])


def _answer(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    call, agent = _value(extra, "call", 80), _value(extra, "agent", 32)
    if agent and CALL_ID.fullmatch(call):
        _latest(facts, "answerer", [at, call, agent])
        if wrapup := _number(extra, "wrapup"):
            _latest(facts, "wrapup", [at, min(wrapup, LONGEST_WRAPUP_S)])


def _hold(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    _mark(facts, "holds", [at, int(extra.get("on") == "1")])


def _tie(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    call = _value(extra, "call", 80)
    if CALL_ID.fullmatch(call):
        _latest(facts, "of", [at, call])


def _passed(facts: Facts, at: int, extra: Mapping[str, str]) -> None:
    _tie(facts, at, extra)
    facts["passed"] = "of" in facts


_NOTES: dict[str, _Note] = {
    "CHAN_START": _time("start", _earliest),
    "ANSWER": _time("answer", _earliest),
    "CHAN_END": _time("end", _latest),
    "HANGUP": _hangup,
    "BRIDGE_ENTER": _bridge(1),
    "BRIDGE_EXIT": _bridge(0),
    "HL_CALL": _call,
    "HL_REJECTED": _flag("rejected"),
    "HL_MENU": _step,
    "HL_KEY": _step,
    "HL_BRANCH": _branch,
    "HL_NOTICE": _notice,
    "HL_RECORDING": _last_value("recording", "file", 120),
    TOLD: _recorded,
    "HL_EMERGENCY": _emergency,
    "HL_QUEUE": _queue,
    "HL_QUEUE_END": _queue_end,
    "HL_WAIT": _wait,
    "HL_SERVICE": _service,
    LED: _transfer,
    "HL_RING": _last_value("offered", "agent", 32),
    "HL_HOLD": _hold,
    "HL_ANSWER": _answer,
    "HL_LEG": _tie,
    "HL_PASSED": _passed,
    "HL_SELF_SERVED": _flag("self_served"),
    "HL_VOICEMAIL": _voicemail,
    "HL_MESSAGE_FAILED": _flag("no_room"),
    "HL_SURVEY": _survey,
    "HL_CALLBACK": _flag("callback"),
}
