"""A second, deliberately naive count of a day, straight from the journal's text: nothing of the
hotline's own code is used. Every call is walked through moment by moment, and asked at each who is
with whom.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

Figures = dict[tuple[str, str], Counter[str]]
SECOND = 1_000_000
HOUR = 3600 * SECOND
MAXED = "longest_wait_ms"


@dataclass
class Record:
    type: str
    at: int
    channel: str
    uid: str
    linked: str
    extra: dict[str, str]


@dataclass
class Phone:
    """A channel, and what is read of it in the order of time."""

    uid: str
    records: list[Record] = field(default_factory=list)
    presence: list[tuple[int, int, str]] = field(default_factory=list)

    def of(self, *types: str) -> list[Record]:
        return [one for one in self.records if one.type in types]

    def first(self, type_: str) -> int | None:
        return self.of(type_)[0].at if self.of(type_) else None

    def last(self, type_: str, key: str) -> str | None:
        return self.of(type_)[-1].extra[key] if self.of(type_) else None

    @property
    def is_agents(self) -> bool:
        return self.records[0].channel.startswith(("PJSIP/seat-", "PJSIP/desk-"))

    @property
    def begins(self) -> int:
        return self.records[0].at

    @property
    def agent(self) -> str | None:
        return self.last("HL_ANSWER", "agent") or self.last("HL_RING", "agent")


@dataclass
class Segment:
    what: str
    start: int
    end: int
    branch: str
    agent: str | None = None
    party: str | None = None
    result: str = ""
    first: bool = False

    @property
    def ms(self) -> int:
        return (self.end - self.start) // 1000


def records(text: str) -> list[Record]:
    found = []
    for row in csv.reader(io.StringIO(text)):
        seconds, micro = row[1].split(".")
        extra = json.loads(row[13]) if row[13] else {}
        if "extra" in extra:
            extra = dict(part.split("=", 1) for part in extra["extra"].split("|"))
        found.append(Record(row[0], int(seconds) * SECOND + int(micro), row[7], row[10], row[11],
                            extra))
    return found


def count(text: str, day: str, midnight: int, until: int, agreed_s: int) -> Figures:  # noqa: PLR0912
    """Figures of the day, which begins at `midnight`, as known at `until` (microseconds)."""
    told = records(text)
    boots: list[str] = []
    phones: dict[str, Phone] = {}
    states: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for one in told:
        boot = one.uid.split("-")[0]
        if boot not in boots:
            boots.append(boot)
        if one.type == "HL_STATE":
            states[one.extra["agent"]].append((one.at, one.extra["state"]))
        uid = one.extra["leg"] if one.type == "HL_HOLD" else one.uid
        if one.channel.startswith("PJSIP/") or one.type == "HL_HOLD":
            phones.setdefault(uid, Phone(uid)).records.append(one)
    callers = {uid: one for uid, one in phones.items()
               if one.records[0].channel.startswith("PJSIP/trunk-")}
    legs: dict[str, list[Phone]] = defaultdict(list)
    for uid, phone in phones.items():
        if uid not in callers:
            tie = (phone.last("HL_ANSWER", "call") or phone.last("HL_LEG", "call")
                   or phone.records[0].linked)
            legs[tie].append(phone)
    figures: Figures = defaultdict(Counter)
    work: dict[str, list[tuple[int, int]]] = defaultdict(list)
    answered: list[tuple[str, str, int, list[tuple[str, str]]]] = []
    everyone: list[tuple[str, str, int]] = []
    for uid, caller in callers.items():
        call = _Call(caller, legs[uid], is_over=uid.split("-")[0] != boots[-1])
        counts = caller.last("HL_CALL", "kind") == "citizen"
        for segment in call.segments(states):
            if segment.agent and segment.what in ("talk", "hold", "consult", "wrapup"):
                work[segment.agent].append((segment.start, segment.end))
            if counts:
                _add_segment(figures, segment, day, midnight)
        if caller.last("HL_CALL", "caller") and call.branch:
            everyone.append((caller.last("HL_CALL", "caller") or "", call.branch, caller.begins))
        if counts:
            keys = [("day", day), ("hour", _hour(caller.begins, midnight)),
                    ("branch", call.branch)]
            for key in keys:
                _add_call(figures[key], call, agreed_s)
            agent = call.agent
            if agent:
                keys.append(("agent", agent))
                figures["agent", agent]["rated"] += call.score is not None
                figures["agent", agent]["satisfied"] += call.score in (1, 2)
            if call.is_answered and call.branch and caller.last("HL_CALL", "caller"):
                answered.append((caller.last("HL_CALL", "caller") or "", call.branch,
                                 caller.begins, keys))
    window = midnight + 8 * 24 * HOUR
    if until >= window:
        for number, branch, at, keys in answered:
            again = any(other[:2] == (number, branch) and at < other[2] < window
                        for other in everyone)
            for key in keys:
                figures[key]["again_counted"] += 1
                figures[key]["not_again"] += not again
    _add_shifts(figures, day, states, work, midnight, until)
    return {key: +one for key, one in figures.items() if +one}


def owed(text: str) -> int:
    """Calls back that were asked for, and not made since to that number."""
    told = records(text)
    made = [(one.extra["call"], one.extra["number"], one.at) for one in told
            if one.type == "HL_CALLBACK_END"]
    return sum(
        not any(call == one.uid or (number == one.extra["number"] and at >= one.at)
                for call, number, at in made)
        for one in told if one.type == "HL_CALLBACK"
    )


class _Call:
    def __init__(self, caller: Phone, legs: list[Phone], *, is_over: bool) -> None:
        self.caller = caller
        self.legs = sorted(legs, key=lambda one: one.uid)
        self.last_at = max(one.at for phone in (caller, *legs) for one in phone.records)
        self.is_over = is_over
        for phone in (caller, *legs):
            self._read_presence(phone)
        self.gone = caller.first("CHAN_END") or (self.last_at if is_over else None)
        self._seen: dict[tuple[str, int], set[str]] = {}
        points = {one.at for phone in (caller, *legs) for one in phone.records}
        points |= {at for phone in (caller, *legs) for stay in phone.presence for at in stay[:2]}
        self.points = sorted(points)
        self.citizens = [one for one in self.legs if not one.is_agents
                         and self.gone is not None and one.begins >= self.gone]
        self.persons = [one for one in self.legs if one not in self.citizens]
        branches = [(one.at, "emergency" if one.type == "HL_EMERGENCY" else one.extra["branch"])
                    for one in caller.of("HL_BRANCH", "HL_EMERGENCY")]
        self.branches = branches
        self.branch = max(branches)[1] if branches else ""
        score = caller.last("HL_SURVEY", "score")
        self.score = int(score) if score else None
        self.with_caller = {leg.uid: self._spans(lambda at, leg=leg: self._are_together(leg, at))
                            for leg in self.persons}

    def _read_presence(self, phone: Phone) -> None:
        end = phone.first("CHAN_END") or (self.last_at if self.is_over else 1 << 62)
        inside: dict[str, int] = {}
        for one in phone.of("BRIDGE_ENTER", "BRIDGE_EXIT"):
            bridge = one.extra["bridge_id"]
            if one.type == "BRIDGE_ENTER":
                inside.setdefault(bridge, one.at)
            elif bridge in inside:
                phone.presence.append((inside.pop(bridge), min(one.at, end), bridge))
        phone.presence += [(at, end, bridge) for bridge, at in inside.items()]

    def _where(self, phone: Phone, at: int) -> set[str]:
        if (phone.uid, at) not in self._seen:
            self._seen[phone.uid, at] = {
                bridge for start, end, bridge in phone.presence if start <= at < end
            }
        return self._seen[phone.uid, at]

    def _spans(self, is_so: Any) -> list[tuple[int, int]]:
        """When something holds: asked at each moment between which nothing happens."""
        spans: list[tuple[int, int]] = []
        for at, after in pairwise(self.points):
            if is_so(at):
                if spans and spans[-1][1] == at:
                    spans[-1] = spans[-1][0], after
                else:
                    spans.append((at, after))
        return spans

    def _are_together(self, leg: Phone, at: int) -> bool:
        if leg.is_agents:
            others = [self.caller, *(
                one for one in self.citizens if (one.first("ANSWER") or 1 << 62) <= at)]
        else:
            others = [self.caller]
            if (leg.first("ANSWER") or 1 << 62) > at:
                return False
        return any(self._where(leg, at) & self._where(other, at) for other in others)

    # -------- the call as a whole

    @cached_property
    def talks(self) -> list[tuple[int, int, Phone]]:
        """Talks of the call itself: not of the call back."""
        return [(start, end, leg) for leg in self.persons
                for start, end in self.with_caller[leg.uid]
                if self.gone is None or start < self.gone]

    def _covered(self, of_agents: bool) -> int:
        spans = [(start, end) for start, end, leg in self.talks if leg.is_agents is of_agents]
        return sum(
            after - at for at, after in pairwise(self.points)
            if any(start <= at and after <= end for start, end in spans)
        )

    @cached_property
    def outcome(self) -> str:  # noqa: PLR0911 - one for each
        said = {one.type for one in self.caller.records}
        voice = [int(one.extra["ms"]) for one in self.caller.of("HL_VOICEMAIL")]
        if self.gone is None:
            return "open"
        if "CHAN_END" not in said:
            return "lost"
        if "HL_REJECTED" in said:
            return "rejected"
        if self._covered(False):
            return "transferred"
        if self._covered(True) >= 2 * SECOND:
            return "answered"
        if "HL_CALLBACK" in said:
            return "callback"
        if max(voice, default=0) >= 2000:
            return "voicemail"
        if "HL_SELF_SERVED" in said:
            return "self_served"
        return "abandoned" if "HL_QUEUE" in said else "left_menu"

    @cached_property
    def agent(self) -> str | None:
        took = [(one.of("HL_ANSWER")[-1].at, one) for one in self.legs if one.of("HL_ANSWER")]
        spoke = [one for one in took if any(leg is one[1] for _, _, leg in self.talks)]
        best = max(spoke or took, key=lambda one: one[0], default=None)
        return best[1].agent if best else None

    @property
    def is_answered(self) -> bool:
        return self.outcome == "answered" or (
            self.outcome == "transferred" and self.agent is not None)

    # -------- its parts

    def _held(self, leg: Phone, at: int) -> bool:
        before = [one for one in leg.of("HL_HOLD") if one.at <= at]
        return bool(before) and before[-1].extra["on"] == "1"

    def _alive(self, phone: Phone, at: int) -> bool:
        end = phone.first("CHAN_END") or (self.last_at if self.is_over else 1 << 62)
        return phone.begins <= at < end

    def segments(self, states: dict[str, list[tuple[int, str]]]) -> list[Segment]:
        found = [*self._waits()]
        for leg in self.persons:
            found += self._of_leg(leg, states)
        return found + self._transfers()

    def _branch_at(self, at: int) -> str:
        said = [branch for when, branch in sorted(self.branches) if when <= at]
        return said[-1] if said else min(self.branches, default=(0, ""))[1]

    def _queue_at(self, at: int) -> str:
        said = [one for one in self.caller.of("HL_QUEUE") if one.at <= at]
        return said[-1].extra["queue"] if said else ""

    def _waits(self) -> list[Segment]:
        found = []
        marks = self.caller.of("HL_QUEUE", "HL_QUEUE_END")
        for place, mark in enumerate(marks):
            if mark.type != "HL_QUEUE":
                continue
            ends = [start for start, _, _ in self.talks if start >= mark.at]
            answered = min(ends, default=None)
            ends += [one.at for one in marks[place + 1:place + 2]]
            ends += [self.gone] if self.gone else []
            if ends:
                result = "answered" if min(ends) == answered else "left"
                found.append(Segment("wait", mark.at, min(ends), self._branch_at(mark.at),
                                     result=result))
        return found

    def _party(self, leg: Phone) -> str | None:
        if leg.is_agents:
            return None
        marks = []
        for one in (record for phone in (self.caller, *self.legs) for record in phone.records):
            if one.at > leg.begins:
                continue
            if one.type == "HL_MENU" and one.extra["menu"].startswith("expert:"):
                marks.append((one.at, one.extra["menu"]))
            if one.type == "HL_SERVICE":
                marks.append((one.at, f"service:{one.extra['service']}"))
            if one.type == "HL_TRANSFER":
                to = one.extra["to"]
                marks.append((one.at, f"line:{to}" if to.isdecimal()
                              else to.replace("doc-", "expert:")))
        return max(marks)[1] if marks else None

    def _of_leg(self, leg: Phone, states: dict[str, list[tuple[int, str]]]) -> list[Segment]:
        found: list[Segment] = []
        who: dict[str, Any] = {"agent": leg.agent, "party": self._party(leg)}
        end = leg.first("CHAN_END") or (self.last_at if self.is_over else None)
        together = self.with_caller[leg.uid]
        met = together[0][0] if together else None
        # rung
        rang_until = min(at for at in (leg.first("ANSWER"), end, 1 << 62) if at is not None)
        if not (leg.is_agents and leg.first("ANSWER") and not leg.of("HL_ANSWER")):
            found.append(Segment("offer", leg.begins, rang_until, self._branch_at(leg.begins),
                                 result=self._came_of(leg, end), **who))
        # spoke, held, was aside
        def over(spans: list[tuple[int, int]], what: str) -> list[Segment]:
            return [Segment(what, start, after, self._branch_at(start), **who)
                    for start, after in spans]

        spoke = over(self._spans(
            lambda at: self._are_together(leg, at) and not self._held(leg, at)), "talk")
        for number, one in enumerate(spoke):
            one.first = number == 0
        found += spoke
        back = any(self._where(one, start) & self._where(leg, start)
                   for one in self.citizens for start, _ in together)
        if leg.is_agents and met is not None:
            found += over(self._spans(
                lambda at: self._are_together(leg, at) and self._held(leg, at)), "hold")
            aside = self._spans(lambda at: at > met and not self._are_together(leg, at)
                                and self._alive(leg, at)
                                and (back or self._alive(self.caller, at)))
            found += over([one for one in aside if one[1] - one[0] >= SECOND], "hold")
        others = [one for one in self.persons if one is not leg]
        found += over(self._spans(
            lambda at: (met is None or at < met) and any(
                self._where(leg, at) & self._where(one, at) for one in others)), "consult")
        if together and end and leg.of("HL_ANSWER") and (
            self._queue_at(leg.begins) != "emergency"
        ):
            stop = end + int(leg.of("HL_ANSWER")[-1].extra["wrapup"]) * SECOND
            said = [at for at, _ in states.get(leg.agent or "", ()) if end < at < stop]
            until = min([stop, *said])
            if stop > end:
                found.append(Segment("wrapup", end, until, self._branch_at(end), **who))
        return found

    def _came_of(self, leg: Phone, end: int | None) -> str:
        cause = leg.of("HANGUP")[0].extra["hangupcause"] if leg.of("HANGUP") else ""
        until = (end or 1 << 62) + SECOND
        if leg.of("HL_ANSWER") or self.with_caller[leg.uid]:
            return "taken"
        if not leg.is_agents and leg.presence:
            return "consulted"
        if leg.first("ANSWER") or cause in ("17", "21"):
            return "refused"
        if cause == "26" or any(leg.begins < start <= until for start, _, _ in self.talks):
            return "elsewhere"
        left = [one.end for one in self._waits() if one.result == "left"]
        if any(leg.begins < at <= until for at in [self.gone or 1 << 62, *left]):
            return "withdrawn"
        return "unanswered"

    def _transfers(self) -> list[Segment]:
        wishes = sorted(
            ((one.at, one.extra["how"], one.extra["to"], phone)
             for phone in (self.caller, *self.legs) for one in phone.of("HL_TRANSFER")),
            key=lambda one: one[0],
        )
        kept: list[Any] = []
        for one in wishes:
            if not kept or kept[-1][1:3] != one[1:3] or one[0] - kept[-1][0] > SECOND:
                kept.append(one)
        found = []
        for place, (at, _how, _to, phone) in enumerate(kept):
            had = [(start, leg.agent) for start, _, leg in self.talks
                   if leg.is_agents and start <= at]
            agent = phone.agent if phone is not self.caller else max(had)[1] if had else None
            after = kept[place + 1][0] if place + 1 < len(kept) else 1 << 62
            done = any(at < start <= after and leg is not phone and leg.agent != agent
                       for start, _, leg in self.talks)
            found.append(Segment("transfer", at, at, self._branch_at(at), agent, None,
                                 "done" if done else "failed"))
        return found


def _hour(at: int, midnight: int) -> str:
    return f"{(at - midnight) // HOUR:02d}"


def _add_call(into: Counter[str], call: _Call, agreed_s: int) -> None:
    outcome = call.outcome
    queued = call.caller.first("HL_QUEUE")
    met = min((start for start, _, _ in call.talks), default=None)
    end = met if met is not None else call.gone
    wait = None if queued is None or end is None else max(0, end - queued) // 1000
    into["calls"] += 1
    into[outcome] += 1
    into["reached"] += outcome in ("answered", "transferred")
    if outcome == "transferred" and call.is_answered:
        into["answered"] += 1
    into["unreached"] += _unreached(call)
    if queued is not None:
        into["queued"] += 1
        into["in_norm"] += met is not None and (wait or 0) <= 60_000
    given_up = outcome == "abandoned" and wait is not None
    counted = (call.is_answered or outcome == "rejected" or (given_up and (wait or 0) > 5000)
               or (outcome == "voicemail" and queued is not None))
    into["counted"] += counted
    if call.is_answered and wait is not None:
        into["in_time"] += wait <= agreed_s * 1000
        into["waited"] += 1
        into["waited_ms"] += wait
    if wait is not None:
        into[MAXED] = max(into[MAXED], wait)
    if given_up and wait is not None:
        names = [most for most in (5, 10, 20, 30, 60, 120, 300) if wait <= most * 1000]
        into[f"ab_{names[0]}" if names else "ab_more"] += 1
    waits = call.caller.of("HL_WAIT")
    if waits and met is not None and wait is not None:
        least, most = int(waits[0].extra["from"]) * 1000, int(waits[0].extra["to"]) * 1000
        into["told"] += 1
        into["told_right"] += least <= wait <= most
        into["told_off_ms"] += max(0, least - wait, wait - most)
    into["rated"] += call.score is not None
    into["satisfied"] += call.score in (1, 2)


def _unreached(call: _Call) -> bool:
    asked = call.caller.first("HL_EMERGENCY")
    if asked is None:
        return False
    spoken = sum(end - max(start, asked) for start, end, leg in call.talks
                 if leg.is_agents and end > asked)
    return spoken < 2 * SECOND and not any(
        end > asked for _, end, leg in call.talks if not leg.is_agents)


def _add_segment(figures: Figures, one: Segment, day: str, midnight: int) -> None:
    keys = [("agent", one.agent)] if one.agent else []
    if one.party is None:
        keys += [("day", day), ("hour", _hour(one.start, midnight)),
                 ("branch", one.branch)]
    else:
        keys += [("party", one.party)]
    for key in keys:
        into = figures[key]
        if one.what == "offer":
            into["offers"] += one.result not in ("withdrawn", "elsewhere")
            into["taken"] += one.result in ("taken", "consulted")
            into["unanswered"] += one.result == "unanswered"
            into["refused"] += one.result == "refused"
        if one.what == "talk":
            into["handled"] += one.first
        if one.what == "transfer":
            into["transfers"] += 1
            into["transfers_done"] += one.result == "done"
        if one.what in ("talk", "hold", "wrapup", "consult"):
            into[f"{one.what}_ms"] += one.ms


def _add_shifts(
    figures: Figures, day: str, states: dict[str, list[tuple[int, str]]],
    work: dict[str, list[tuple[int, int]]], midnight: int, until: int,
) -> None:
    for agent, said in states.items():
        marks = [one for one in said if one[1] != "over"]
        ends = [at for at, _ in marks[1:]] + [min(until, midnight + 24 * HOUR)]
        spans = [(at, min(end, at + 16 * HOUR), what) for (at, what), end
                 in zip(marks, ends, strict=True) if what != "out"]
        cut = [(start, start + (end - start) // 1000 * 1000) for start, end in work[agent]]
        for hour in range(24):
            within = midnight + hour * HOUR, midnight + (hour + 1) * HOUR
            sums = {
                "signed_ms": [one[:2] for one in spans],
                "paused_ms": [one[:2] for one in spans if one[2] == "paused"],
                "staffed_ms": [one[:2] for one in spans if one[2] == "ready"] + cut,
                "busy_ms": cut,
            }
            for name, list_ in sums.items():
                points = sorted({at for one in list_ for at in one} | set(within))
                points = [at for at in points if within[0] <= at <= within[1]]
                covered = sum(
                    after - at for at, after in pairwise(points)
                    if any(start <= at and after <= end for start, end in list_)
                ) // 1000
                for key in (("agent", agent), ("day", day), ("hour", f"{hour:02d}")):
                    figures[key][name] += covered
