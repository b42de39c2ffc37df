"""Was anybody who waited overtaken? A replay of the journal.

A place in a queue is the arrival in it, to the second: of a caller, or of one who has asked to be
called back (the placeholder's `HL_QUEUE` says whose arrival it keeps). A call overtakes another
that waits in the same queue and arrived before it, when an agent's phone rings for the later one
and is answered, while none rang for the earlier one then or a moment before or after, and it did
not leave by itself then. Who is still told of the wait has not joined yet: the dialplan lets nobody
who comes meanwhile join sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from crm.calls.facts import JournalEvent
from ivr.journal_reader import read, segments

# Each caller looks once a second whether a phone is free, so that of two phones the later caller
# may see the first; the next is tried a second after one that was not answered; a machine may
# stand still.
GRACE = timedelta(seconds=3)


@dataclass(frozen=True)
class Overtaken:
    """At `at` (UTC) the call `by` was offered to the agent who then took it, although `call` had
    arrived `seconds` before it and waited unheeded. Ids are uniqueids of channels."""

    at: datetime
    queue: str
    call: str
    by: str
    seconds: int
    arrived: int  # of the call, in epoch seconds


@dataclass(frozen=True)
class Replay:
    """`answered`: calls taken out of a queue by an agent, each compared with all who waited."""

    answered: int
    overtaken: tuple[Overtaken, ...]


@dataclass
class _Waiting:
    queue: str
    arrived: int  # epoch seconds
    linkedid: str  # of the legs that ring for it: not its own where it was called back
    since: datetime | None  # None: is being told something, and joins in a moment
    ringing: set[str] = field(default_factory=set)  # legs
    last_rung: datetime | None = None


def replay(events: Iterable[JournalEvent]) -> Replay:
    """Compare every answer from a queue with those who waited. Events in the journal's order."""
    waiting: dict[str, _Waiting] = {}
    legs: dict[str, tuple[str, list[Overtaken]]] = {}  # leg: its call, and whom it passes over
    answered = 0
    suspected: list[Overtaken] = []
    moments: dict[str, list[datetime]] = {}  # call: when a phone began to ring for it, or it left
    rung: list[tuple[datetime, _Waiting]] = []  # for whom a phone rang, and when
    for event in events:
        match event.type:
            case "HL_QUEUE":
                _join(waiting, event)
            case "HL_JOIN" if event.uniqueid in waiting:
                waiting[event.uniqueid].since = event.at
            case "HL_QUEUE_END":
                waiting.pop(event.uniqueid, None)
                moments.setdefault(event.uniqueid, []).append(event.at)
            case "CHAN_START" if event.is_legs and (call := _rung_for(waiting, event)):
                legs[event.uniqueid] = call, list(_passed_over(waiting, call, event.at))
                waiting[call].ringing.add(event.uniqueid)
                moments.setdefault(call, []).append(event.at)
                rung.append((event.at, waiting[call]))
            case "HL_ANSWER" if event.uniqueid in legs:
                answered += 1
                suspected += legs[event.uniqueid][1]
            case "CHAN_END":
                if waiting.pop(event.uniqueid, None):
                    moments.setdefault(event.uniqueid, []).append(event.at)
                call, _ = legs.pop(event.uniqueid, ("", []))
                if own := waiting.get(call):
                    own.ringing.discard(event.uniqueid)
                    own.last_rung = event.at
            case "HL_BOOT":
                waiting.clear()
                legs.clear()
    return Replay(answered, tuple(
        one for one in suspected
        if not any(one.at <= at < one.at + GRACE for at in moments.get(one.call, ()))
        and not any(_took_its_phone(one, at, other) for at, other in rung)
    ))


def journal_events(folder: Path) -> Iterator[JournalEvent]:
    """All that stands in the journal of a node."""
    for segment in segments(folder):
        with segment.path.open("rb") as file:
            offset = 0
            while batch := read(file.fileno(), offset, until=segment.size, is_closed=True):
                if batch.end == offset:
                    break
                yield from batch.events
                offset = batch.end


def _join(waiting: dict[str, _Waiting], event: JournalEvent) -> None:
    queue, arrived = event.extra.get("queue", ""), event.extra.get("arrived", "")
    if arrived.isdecimal() and arrived.isascii():
        since = None if event.extra.get("said") else event.at
        waiting[event.uniqueid] = _Waiting(queue, int(arrived), event.linkedid, since)


def _took_its_phone(one: Overtaken, at: datetime, other: _Waiting) -> bool:
    """Two phones were free, for the overtaken and the next; then a caller who had arrived before
    both came back into the queue (an agent had left their call back) and took the second."""
    came_back = other.since is not None and one.at <= other.since <= at < one.at + GRACE
    return came_back and other.queue == one.queue and other.arrived < one.arrived


def _rung_for(waiting: dict[str, _Waiting], leg: JournalEvent) -> str | None:
    """The waiting call that a leg was made for. Of two it is the later: it stands for the first."""
    calls = [call for call, one in waiting.items() if one.linkedid == leg.linkedid]
    return calls[-1] if calls else None


def _passed_over(
    waiting: dict[str, _Waiting], call: str, at: datetime
) -> Iterator[Overtaken]:
    mine = waiting[call]
    for one, other in waiting.items():
        heeded = other.ringing or (other.last_rung and at - other.last_rung < GRACE)
        if (
            other.queue == mine.queue and other.arrived < mine.arrived
            and other.since and at - other.since > GRACE and not heeded
        ):
            yield Overtaken(at, mine.queue, one, call, mine.arrived - other.arrived, other.arrived)
