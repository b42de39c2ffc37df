"""Who had the caller when: from the facts of a call's channels to its segments, a pure function.

A call is waits in queues, phones that were rung for it, and what agents and others had of it. Each
segment belongs to its own agent, whatever becomes of the call: one who led the caller on has what
came before, one who was only asked has no talk. A segment is told once it is over.

    wait      the caller in a queue; result: answered, or why it was left
    offer     a phone that was rung; result: taken, unanswered, refused, withdrawn (the caller had
              gone), elsewhere (another was faster), consulted (spoke with the agent alone)
    talk      with the caller; `how` callback: after the call, rung back
    hold      of an agent who has spoken with the caller, and keeps them waiting with music
    consult   with others of the call and without the caller, before any talk with them
    wrapup    what the agent has after the call, unless it is ended sooner (crm.calls.shifts)
    transfer  an agent's wish; `how`: blind, consult, invite; result: done (somebody else has spoken
              with the caller since), failed
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from crm.calls.facts import EPOCH, MICROSECOND, Facts
from crm.calls.rows import (
    OPEN,
    Row,
    Span,
    began,
    is_mobile,
    leg_kind,
    met,
    stays_in,
    together,
)

MOVED_US = 1_000_000  # the switch takes less to lead a call from one bridge to another
REFUSED = frozenset({17, 21})  # Q.850: busy, rejected
ELSEWHERE = 26
EMERGENCY = "emergency"  # after it nobody wraps up


class What(StrEnum):
    WAIT = "wait"
    OFFER = "offer"
    TALK = "talk"
    HOLD = "hold"
    CONSULT = "consult"
    WRAPUP = "wrapup"
    TRANSFER = "transfer"


@dataclass
class _Leg:
    """A phone of the call, as far as segments are concerned."""

    id: str
    facts: Facts
    kind: str
    agent: str | None
    begins: int
    ends: int
    stays: dict[str, list[Span]]
    talks: list[Span] = field(default_factory=list)  # with the caller, or with whom is rung back
    back: bool = False

    @property
    def is_taken(self) -> bool:
        return "answerer" in self.facts


def derive(
    call_id: str, caller: Facts, legs: Mapping[str, Facts], *, counted: bool, boot_is_over: bool,
    gone: Collection[str] = (),
) -> list[Row]:
    """The rows of all segments that are over, in order. `counted`: it is a citizen's call.
    `boot_is_over`, `gone`: as in crm.calls.rows.describe."""
    latest = max(facts["last"] for facts in (caller, *legs.values()))
    until = latest if boot_is_over else OPEN
    call = _Call(caller, [
        _leg(id_, facts, facts["last"] if id_ in gone and not boot_is_over else until)
        for id_, facts in sorted(legs.items())
    ], until)
    found = [
        *call.waits(), *call.offers(), *call.talks(), *call.holds(), *call.consults(),
        *call.wrapups(), *call.transfers(),
    ]
    found.sort(key=lambda one: (one["start"], one["leg_id"] or "", one["what"], one["end"]))
    return [
        {
            "call_id": call_id, "number": number, "what": one["what"], "leg_id": one["leg_id"],
            "branch": _at(caller.get("branches", ()), one["start"], 1),
            "queue": call.queue_at(one["start"]), "agent": one["agent"], "party": one["party"],
            "how": one["how"], "result": one["result"], "first": one["first"], "counted": counted,
            "started_at": EPOCH + one["start"] * MICROSECOND,
            # a clock that was set back makes no part shorter than nothing
            "ms": max(0, one["end"] - one["start"]) // 1000,
        }
        for number, one in enumerate(found)
    ]


def _leg(id_: str, facts: Facts, until: int) -> _Leg:
    agent = facts["answerer"][2] if "answerer" in facts else (facts.get("offered") or (0, None))[1]
    return _Leg(id_, facts, leg_kind(facts), agent, began(facts), facts.get("end", until),
                stays_in(facts, until))


class _Call:
    """A call while its segments are told. Each is told as a dict with its span in microseconds."""

    def __init__(self, caller: Facts, legs: list[_Leg], until: int) -> None:
        self.caller = caller
        self.legs = legs
        self.gone: int = caller.get("end", until)
        self.marks = caller.get("waits", [])
        stays = stays_in(caller, until)
        rung_back = [leg for leg in legs if leg.kind == "outside" and leg.begins >= self.gone]
        for leg in legs:
            if leg.kind == "agent":
                leg.talks = met(stays, leg.facts, leg.stays)
                for citizen in rung_back:
                    spans = together(citizen.stays, leg.stays)
                    leg.talks += _since(spans, citizen.facts.get("answer", OPEN))
                    leg.back = leg.back or bool(spans)
            elif leg.kind == "outside" and leg not in rung_back:
                # early media is bridged too
                leg.talks = _since(together(stays, leg.stays), leg.facts.get("answer", OPEN))
        self.rung = [leg for leg in legs if leg.kind in ("agent", "outside")
                     and leg not in rung_back]
        self.starts = sorted(span[0] for leg in self.rung for span in leg.talks)

    def queue_at(self, at: int) -> str | None:
        return next((name for time, enters, name in reversed(self.marks)
                     if enters and time <= at), None)

    def waits(self) -> Iterator[dict[str, Any]]:
        for place, (start, enters, _queue) in enumerate(self.marks):
            if not enters:
                continue
            mark = next(iter(self.marks[place + 1:]), None)
            follows = mark[0] if mark else OPEN
            answered = next((at for at in self.starts if at >= start), OPEN)
            end = min(answered, follows, self.gone)
            if end == OPEN:
                continue
            why = "hangup" if end == self.gone or mark is None else "on" if mark[1] else mark[2]
            yield _told(What.WAIT, start, end, result="answered" if end == answered else why)

    def offers(self) -> Iterator[dict[str, Any]]:
        left = [one["end"] for one in self.waits() if one["result"] != "answered"]
        for leg in self.rung:
            own = leg.kind == "agent" and not is_mobile(leg.facts)
            if own and not leg.is_taken and "answer" in leg.facts:
                continue  # an agent's own phone, rung to ring somebody
            end = min(leg.facts.get("answer", OPEN), leg.ends)
            result = self._result(leg, left)
            if end != OPEN and result:
                yield _told(What.OFFER, leg.begins, end, leg, self._party(leg), result=result)

    def _result(self, leg: _Leg, left: list[int]) -> str:
        """What came of ringing a phone, the first that fits; empty: it is not known yet."""
        cause = leg.facts.get("hangup", (0, 0))[1]

        def while_it_rang(times: list[int]) -> bool:
            return any(leg.begins < at <= leg.ends + MOVED_US for at in times)

        fits = {
            "taken": leg.is_taken or bool(leg.talks),
            "consulted": leg.kind == "outside" and bool(leg.stays),
            "": leg.ends == OPEN,
            # whoever answered did not take it on
            "refused": "answer" in leg.facts or (cause in REFUSED),
            "elsewhere": cause == ELSEWHERE or while_it_rang(self.starts),
            "withdrawn": while_it_rang([self.gone, *left]),
        }
        return next((result for result, fit in fits.items() if fit), "unanswered")

    def talks(self) -> Iterator[dict[str, Any]]:
        for leg in self.rung:
            party = self._party(leg)
            first = True
            for start, end in _without(leg.talks, _held(leg)):
                if end != OPEN:
                    yield _told(What.TALK, start, end, leg, party, first=first,
                                how="callback" if leg.back else None)
                    first = False

    def holds(self) -> Iterator[dict[str, Any]]:
        for leg in self.rung:
            if leg.kind != "agent" or not leg.talks:
                continue
            over = min(leg.ends, OPEN if leg.back else self.gone)
            talks = [*_union(leg.talks), (over, over)]
            aside = [
                (before[1], after[0]) for before, after in pairwise(talks)
                if after[0] - before[1] >= MOVED_US
            ]
            held = [span for talk in leg.talks for span in _cut(_held(leg), talk)]
            for start, end in sorted([*aside, *held]):
                if end != OPEN:
                    yield _told(What.HOLD, start, end, leg)

    def consults(self) -> Iterator[dict[str, Any]]:
        for leg in self.rung:
            begins = min((start for start, _ in leg.talks), default=OPEN)
            others = [
                span for other in self.rung if other is not leg
                for span in together(leg.stays, other.stays)
            ]
            for start, end in _union(_cut(others, (0, begins))):
                # what goes on may become a talk, but not before it has begun
                if end != OPEN:
                    yield _told(What.CONSULT, start, end, leg, self._party(leg))

    def wrapups(self) -> Iterator[dict[str, Any]]:
        for leg in self.rung:
            seconds = leg.facts.get("wrapup", (0, 0))[1]
            if leg.talks and leg.ends != OPEN and seconds and (
                self.queue_at(leg.begins) != EMERGENCY
            ):
                yield _told(What.WRAPUP, leg.ends, leg.ends + seconds * 1_000_000, leg)

    def transfers(self) -> Iterator[dict[str, Any]]:
        wishes: list[tuple[int, str, str, _Leg | None]] = [
            (at, how, to, None) for at, how, to in self.caller.get("transfers", ())
        ]
        for one in self.legs:
            wishes += [(at, how, to, one) for at, how, to in one.facts.get("transfers", ())]
        wishes.sort(key=lambda wish: wish[0])
        told = [
            wish for before, wish in pairwise([(-OPEN, "", "", None), *wishes])
            # a number outside is noted by who leads the caller on and by who rings
            if before[1:3] != wish[1:3] or wish[0] - before[0] > MOVED_US
        ]
        follows = [*(wish[0] for wish in told), OPEN][1:]
        for (at, how, to, leg), after in zip(told, follows, strict=True):
            agent = leg.agent if leg else self._agent_before(at)
            taken = any(
                at < start <= after for other in self.rung
                if other is not leg and other.agent != agent for start, _ in other.talks
            )
            if taken or self.gone != OPEN or after != OPEN:
                told_ = _told(What.TRANSFER, at, at, leg, party(to), how=how,
                              result="done" if taken else "failed")
                yield told_ | {"agent": agent}

    def _agent_before(self, at: int) -> str | None:
        """Who had the caller at a moment, or last before it."""
        had = [(start, leg.agent) for leg in self.rung if leg.kind == "agent"
               for start, _ in leg.talks if start <= at]
        return max(had, key=lambda one: one[0])[1] if had else None

    def _party(self, leg: _Leg) -> str | None:
        """Whose telephone outside it is: the last that was to be rung before it was."""
        if leg.kind != "outside":
            return None
        marks = [(at, name) for at, name in self.caller.get("parties", ())]
        for facts in (self.caller, *(one.facts for one in self.legs)):
            marks += [(at, party(to)) for at, _how, to in facts.get("transfers", ())]
        return max((one for one in marks if one[0] <= leg.begins), default=(0, None))[1]


def party(to: str) -> str:
    """Whom a transfer leads to, without a private person's number."""
    if to.startswith("service-"):
        return f"service:{to.removeprefix('service-')}"
    if to.startswith("doc-"):
        return f"expert:{to.removeprefix('doc-')}"
    if not to.isdecimal():
        return to
    is_line = len(to) <= 8 or to.startswith(("02", "1800", "1900"))
    return f"line:{to}" if is_line else "mobile"


def _told(
    what: What, start: int, end: int, leg: _Leg | None = None, party: str | None = None, *,
    how: str | None = None, result: str | None = None, first: bool = False,
) -> dict[str, Any]:
    return {
        "what": what.value, "start": start, "end": end, "leg_id": leg.id if leg else None,
        "agent": leg.agent if leg else None, "party": party, "how": how, "result": result,
        "first": first,
    }


def _at(marks: Iterable[list[Any]], at: int, place: int) -> str | None:
    """What was last said before a moment, or first after it."""
    times = [mark[0] for mark in marks]
    found = list(marks)
    return found[max(0, bisect_right(times, at) - 1)][place] if found else None


def _held(leg: _Leg) -> list[Span]:
    marks = [*leg.facts.get("holds", ()), (leg.ends, 0)]
    return [
        (at, after) for (at, on), (after, _) in pairwise(marks) if on and after > at
    ]


def _since(spans: Iterable[Span], at: int) -> list[Span]:
    return _cut(spans, (at, OPEN))


def _cut(spans: Iterable[Span], within: Span) -> list[Span]:
    cut = ((max(start, within[0]), min(end, within[1])) for start, end in spans)
    return [(start, end) for start, end in cut if end > start]


def _union(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _without(spans: Iterable[Span], taken: list[Span]) -> Iterator[Span]:
    """What is left of the spans, in order."""
    for start, end in _union(spans):
        at = start
        for begins, ends in _cut(taken, (start, end)):
            if begins > at:
                yield at, begins
            at = max(at, ends)
        if end > at:
            yield at, end
