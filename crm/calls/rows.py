"""From the facts of a call's channels to the rows of the call and its legs: a pure function.

Times are microseconds since 1970 (UTC) in here; rows hold aware datetimes and milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from crm.calls.facts import CALL_ID, EPOCH, KINDS, MICROSECOND, Facts
from crm.models import Outcome

Row = dict[str, Any]
Span = tuple[int, int]

TALK_US = 2_000_000  # bridged for less is no conversation
VOICEMAIL_MS = 2_000
CUT_US = 1_000_000  # a line that goes so soon after the talk has ended it
GOODBYE = frozenset({0, 16, 31})  # Q.850: normal clearing, normal, and none that was told

OPEN = 1 << 62  # the end of what goes on


def describe(
    call_id: str, caller: Facts | None, legs: Mapping[str, Facts], *, boot_is_over: bool,
    gone: Collection[str] = (),
) -> tuple[Row | None, list[Row]]:
    """The rows of a call and of its legs. `caller` None: there are legs, but no such call.

    `boot_is_over`: the Asterisk that carried the call is gone; what was open then is lost, and
    ended at its last event. `gone`: the legs of which the same is true, those on other nodes too.
    """
    latest = max(facts["last"] for facts in (*legs.values(), *([caller] if caller else ())))
    until = latest if boot_is_over else OPEN
    stays = stays_in(caller, until) if caller else {}
    talks = {
        leg_id: _shared(stays, facts, facts["last"] if leg_id in gone else until, latest)
        for leg_id, facts in legs.items()
    }
    leg_rows = [
        _leg_row(leg_id, call_id, facts, talks[leg_id], is_over=boot_is_over or leg_id in gone)
        for leg_id, facts in legs.items()
    ]
    if caller is None:
        return None, leg_rows
    ended = caller.get("end", latest if boot_is_over else None)
    return _call_row(call_id, caller, legs, talks, ended), leg_rows


def bridged(caller: Facts) -> list[Span]:
    """When the caller was with anybody, in order, what overlaps as one."""
    spans = sorted(
        span for stays in stays_in(caller, caller["last"]).values() for span in stays
    )
    joined: list[Span] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def iso(at: datetime) -> str:
    """A time as everybody outside sees it: ISO 8601, UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _call_row(
    call_id: str, caller: Facts, legs: Mapping[str, Facts],
    talks: Mapping[str, list[Span]], ended: int | None,
) -> Row:
    match = CALL_ID.fullmatch(call_id)
    if match is None:
        raise ValueError(f"not the id of a call: {call_id!r}")
    agents: list[Span] = []
    outside: list[Span] = []
    for leg_id, spans in talks.items():
        if leg_kind(legs[leg_id]) == "agent":
            agents += spans
        elif leg_kind(legs[leg_id]) == "outside":
            # early media is bridged too: a person is there from the ANSWER on
            answer = legs[leg_id].get("answer", OPEN)
            outside += [(max(start, answer), end) for start, end in spans if end > answer]
    start = began(caller)
    queued = caller.get("queued")
    answered = min((span[0] for span in agents + outside), default=None)
    waited_until = ended if answered is None else answered
    _, number, dialled, trunk, kind = caller.get("entry", (0, "", "", "", KINDS[0]))
    recordings = [facts["recording"] for facts in (caller, *legs.values()) if "recording" in facts]
    answered_by = {id_: facts["answerer"] for id_, facts in legs.items() if "answerer" in facts}
    # a colleague who was only asked has not had the call
    spoke = [mark for leg_id, mark in answered_by.items() if talks[leg_id]]
    answerers = spoke or list(answered_by.values())
    return {
        "id": call_id,
        "node": match["node"],
        "boot": match["boot"],
        "direction": "in",
        "kind": kind,
        "caller": number or None,
        "dialled": dialled or None,
        "trunk": trunk or None,
        "started_at": instant(start, start),
        "queued_at": instant(queued, start),
        "answered_at": instant(answered, start),
        "ended_at": instant(ended, start),
        "outcome": None if ended is None else _outcome(caller, length(agents), length(outside)),
        "branch": _said(caller, "branch"),
        "queue": _said(caller, "queue"),
        "agent": max(answerers)[2] if answerers else None,
        "wait_ms": _wait_ms(queued, waited_until),
        "wait_from_s": caller["wait"][1] if "wait" in caller else None,
        "wait_to_s": caller["wait"][2] if "wait" in caller else None,
        "talk_ms": length(agents + outside) // 1000,
        "emergency": "emergency" in caller,
        "unreached": ended is not None and _unreached(caller, agents, outside),
        "broken_off": ended is not None and _broken_off(caller, legs, talks),
        "satisfaction": _said(caller, "survey"),
        "recording_notice": _said(caller, "notice"),
        "recording": max(recordings)[1] if recordings else None,
        "recording_marks": _marks(caller.get("recorded", ())),
        "voicemail": _voicemail(caller, is_over=ended is not None),
        "hangup_cause": _said(caller, "hangup"),
        "path": _path(caller.get("steps", ())),
        "facts": caller,
    }


def _leg_row(
    leg_id: str, call_id: str, facts: Facts, talk: Iterable[Span], *, is_over: bool
) -> Row:
    start = began(facts)
    return {
        "id": leg_id,
        "call_id": call_id,
        "kind": leg_kind(facts),
        "endpoint": facts["endpoint"],
        "agent": facts["answerer"][2] if "answerer" in facts else None,
        "started_at": instant(start, start),
        "answered_at": instant(facts.get("answer"), start),
        "ended_at": instant(facts.get("end", facts["last"] if is_over else None), start),
        "talk_ms": length(talk) // 1000,
        "hangup_cause": _said(facts, "hangup"),
        "facts": facts,
    }


def is_mobile(leg: Facts) -> bool:
    """Whether it is an agent's telephone outside (hl-mobile in the dialplan)."""
    return leg["endpoint"].startswith("carrier") and ("answerer" in leg or "offered" in leg)


def leg_kind(facts: Facts) -> str:
    """agent, outside, node (the way to another node, or from it), or other."""
    endpoint: str = facts["endpoint"]
    if endpoint.startswith(("seat-", "desk-")) or is_mobile(facts):
        return "agent"
    if endpoint.startswith("node-"):
        return "node"
    return "outside" if endpoint.startswith("carrier") else "other"


def _outcome(caller: Facts, agents_us: int, outside_us: int) -> Outcome:
    """Exactly one: the first that fits. A call that ended without its CHAN_END is lost."""
    fits = {
        Outcome.LOST: "end" not in caller,
        Outcome.REJECTED: "rejected" in caller,
        Outcome.TRANSFERRED: outside_us > 0,
        Outcome.ANSWERED: agents_us >= TALK_US,
        Outcome.CALLBACK: "callback" in caller,
        Outcome.VOICEMAIL: caller.get("voicemail", (0,))[0] >= VOICEMAIL_MS,
        Outcome.SELF_SERVED: "self_served" in caller,
        Outcome.ABANDONED_QUEUE: "queued" in caller,
    }
    return next((outcome for outcome, fit in fits.items() if fit), Outcome.ABANDONED_MENU)


def _voicemail(caller: Facts, *, is_over: bool) -> str | None:
    """The file, once nothing more is said into it. Without a length it was cut off by the end, or
    there was no room for it."""
    length, _, file = caller.get("voicemail", (0, 0, None))
    return file if length or (is_over and "no_room" not in caller) else None


def _unreached(caller: Facts, agents: Iterable[Span], outside: Iterable[Span]) -> bool:
    """Whether the caller asked for emergency help and spoke with nobody from then on."""
    if "emergency" not in caller:
        return False
    asked: int = caller["emergency"]
    since = [(max(start, asked), end) for start, end in agents if end > asked]
    return length(since) < TALK_US and not any(end > asked for _, end in outside)


def _broken_off(
    caller: Facts, legs: Mapping[str, Facts], talks: Mapping[str, list[Span]]
) -> bool:
    """Whether somebody who asked for emergency help was cut off: the line of whoever spoke with
    them last went without a good-bye, or their own did, or all with Asterisk."""
    asked = caller.get("emergency", OPEN)
    last = max(
        ((end, leg_id) for leg_id, spans in talks.items() for _, end in spans if end > asked
         if leg_kind(legs[leg_id]) in ("agent", "outside") and "answer" in legs[leg_id]),
        default=None,
    )
    if last is None:
        return False
    if "end" not in caller:
        return True
    gone, leg = caller["end"], legs[last[1]]
    if _is_lost(leg) and leg.get("end", OPEN) < gone:
        return True
    return _is_lost(caller) and gone - last[0] <= CUT_US


def _is_lost(channel: Facts) -> bool:
    return "hangup" in channel and channel["hangup"][1] not in GOODBYE


def _path(steps: Iterable[tuple[int, str, str]]) -> list[dict[str, str | None]]:
    """One entry for each key; a menu that was entered stands with key null until its key comes."""
    path: list[dict[str, str | None]] = []
    for at, menu, key in steps:
        if key and path and path[-1]["menu"] == menu and path[-1]["key"] is None:
            path.pop()
        path.append({"menu": menu, "key": key or None, "at": iso(EPOCH + at * MICROSECOND)})
    return path


def _marks(recorded: Iterable[tuple[int, str, str, str]]) -> list[dict[str, str]] | None:
    return [
        {"state": state, "why": why, "by": by, "at": iso(EPOCH + at * MICROSECOND)}
        for at, state, why, by in recorded
    ] or None


def began(facts: Facts) -> int:
    """When a channel was there first."""
    first: int = facts["start"] if "start" in facts else facts["first"]
    return first


def _said(facts: Facts, name: str) -> Any:
    return facts[name][1] if name in facts else None


def instant(us: int | None, start: int) -> datetime | None:
    """A time of a channel that began at `start`."""
    # a clock that was set back lets nothing happen before the channel was there
    return None if us is None else EPOCH + max(us, start) * MICROSECOND


def _wait_ms(queued: int | None, until: int | None) -> int | None:
    return None if queued is None or until is None else max(0, until - queued) // 1000


def stays_in(facts: Facts, until: int) -> dict[str, list[Span]]:
    """When the channel was in which bridge; `until` ends a stay whose own end is not known."""
    until = facts.get("end", until)
    stays: dict[str, list[Span]] = {}
    for bridge, marks in facts.get("bridges", {}).items():
        unchanged = {at for (at, _), (other, _) in pairwise(marks) if at == other}
        spans = stays[bridge] = []
        entered: int | None = None
        for at, enters in marks:
            if at in unchanged:
                continue
            if enters and entered is None:
                entered = at
            elif not enters and entered is not None:
                spans.append((entered, min(at, until)))
                entered = None
        if entered is not None:
            spans.append((entered, until))
    return stays


def _shared(
    stays: Mapping[str, list[Span]], leg: Facts, until: int, latest: int
) -> list[Span]:
    """When a leg was in the same bridge as the caller, up to what is known."""
    return [(start, min(end, latest)) for start, end in met(stays, leg, stays_in(leg, until))]


def met(
    stays: Mapping[str, list[Span]], leg: Facts, theirs: Mapping[str, list[Span]]
) -> list[Span]:
    """When a leg had the caller. An agent's telephone outside meets them through a pair of
    channels, each in a bridge of its own, and as soon as key 1 is pressed."""
    if is_mobile(leg):
        stays, theirs = ({"": [one for spans in of.values() for one in spans]}
                         for of in (stays, theirs))
    return together(stays, theirs)


def together(ours: Mapping[str, list[Span]], theirs: Mapping[str, list[Span]]) -> list[Span]:
    """When two channels were in the same bridge, in order."""
    both = (
        (max(one[0], other[0]), min(one[1], other[1]))
        for bridge, spans in theirs.items() for other in spans for one in ours.get(bridge, ())
    )
    return sorted(span for span in both if span[1] > span[0])


def length(spans: Iterable[Span]) -> int:
    """Microseconds covered by the spans; what they share counts once."""
    total, covered = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, covered))
        covered = max(covered, end)
    return total
