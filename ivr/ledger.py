"""The ledger: every call that the journal names against the rows, and the other way round.

Nothing but ids is kept in memory. The tailer may be at work meanwhile: what it has not read yet
is no fault and only reported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.calls.facts import CALL_ID, JournalEvent
from crm.models import Call, JournalGap, JournalPosition, Outcome
from ivr.journal_reader import Segment, read, segments

IDS_AT_ONCE = 500
OUTCOMES = frozenset(Outcome)


@dataclass(frozen=True)
class Unexplained:
    """A call on which the journal and the rows disagree."""

    call_id: str
    why: str


@dataclass(frozen=True)
class Ledger:
    """`calls` named by the journal that is present, `open` rows of the node that have no end yet,
    `gaps` named in this node's journal, `unread_bytes` that the tailer has still to read."""

    calls: int
    open: int
    gaps: int
    unread_bytes: int
    unexplained: tuple[Unexplained, ...]
    archived: int = 0  # calls that stand in the archive, and have no row any more

    def as_dict(self) -> dict[str, Any]:
        """For programs: the numbers, and the unexplained calls as `{id, why}`."""
        return {
            "calls": self.calls, "open": self.open, "gaps": self.gaps,
            "unread_bytes": self.unread_bytes, "archived": self.archived,
            "unexplained": len(self.unexplained),
            "unexplained_calls": [
                {"id": one.call_id, "why": one.why} for one in self.unexplained
            ],
        }

    def lines(self) -> Iterator[str]:
        """For people: each unexplained call, then the sum."""
        for one in self.unexplained:
            yield f"{one.call_id}: {one.why}"
        yield (
            f"{self.calls} calls in the journal, {len(self.unexplained)} unexplained, "
            f"{self.open} open, {self.gaps} gaps, {self.unread_bytes} bytes not read yet"
            + (f", {self.archived} archived" if self.archived else "")
        )


@dataclass
class _Journal:
    """What the journal says: ids of calls, which of them ended, when it begins."""

    begins: datetime | None = None
    calls: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    boots: dict[str, dict[str, None]] = field(default_factory=dict)  # of each node, in order
    unread_bytes: int = 0

    def add(self, event: JournalEvent) -> None:
        if self.begins is None:
            self.begins = event.at
        if match := CALL_ID.fullmatch(event.uniqueid):
            self.boots.setdefault(match["node"], {}).setdefault(match["boot"])
        # any event of the caller's channel names the call: its start may be in a gap
        if event.is_callers:
            self.calls.add(event.uniqueid)
            if event.type == "CHAN_END":
                self.ended.add(event.uniqueid)

    def is_over(self, call_id: str) -> bool:
        """Whether its channel ended, or the Asterisk that carried it."""
        node, _, rest = call_id.partition(".")
        return call_id in self.ended or next(reversed(self.boots[node])) != rest.partition("-")[0]


def check(
    session: Session, folder: Path, node: str,
    archived: Callable[[Collection[str]], Collection[str]] = lambda _ids: (),
) -> Ledger:
    """Compare the journal in `folder`, as far as it is committed, with the rows; `archived` says
    which calls of some stand in the archive instead."""
    journal = _read_committed(session, folder, node)
    rowless = set(journal.calls)
    faults = {}
    for call_id, outcome in _outcomes(session, sorted(journal.calls)):
        rowless.discard(call_id)
        if journal.is_over(call_id) and outcome not in OUTCOMES:
            faults[call_id] = f"it ended, but its outcome is {outcome}"
    kept = rowless.intersection(archived(rowless))
    faults |= dict.fromkeys(rowless - kept, "it is in the journal, but has no row")

    if journal.begins is not None:
        rows = select(Call.id).where(Call.node == node, Call.started_at >= journal.begins)
        if strange := set(session.scalars(rows)) - journal.calls:
            # The tailer may have gone on since its position was asked: look there once more.
            now = _read_committed(session, folder, node)
            strange -= now.calls
            strange -= set(_told_elsewhere(session, sorted(strange)))
        faults |= dict.fromkeys(strange, "it has a row, but is not in the journal")

    count = select(func.count())
    is_open = (Call.node == node) & Call.ended_at.is_(None)
    return Ledger(
        calls=len(journal.calls),
        open=session.scalars(count.select_from(Call).where(is_open)).one(),
        gaps=session.scalars(count.select_from(JournalGap).where(JournalGap.node == node)).one(),
        unread_bytes=journal.unread_bytes, archived=len(kept),
        unexplained=tuple(Unexplained(call_id, faults[call_id]) for call_id in sorted(faults)),
    )


def _outcomes(session: Session, ids: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ids[start:start + IDS_AT_ONCE]
        yield from session.execute(select(Call.id, Call.outcome).where(Call.id.in_(some)))


def _told_elsewhere(session: Session, ids: Sequence[str]) -> Iterator[str]:
    """Calls of which only the node has told that took them over: their own part is not read yet."""
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ids[start:start + IDS_AT_ONCE]
        for id_, facts in session.execute(select(Call.id, Call.facts).where(Call.id.in_(some))):
            if facts is not None and not {"start", "entry", "answer"} & facts.keys():
                yield id_


def _read_committed(session: Session, folder: Path, node: str) -> _Journal:
    """Read all segments up to the position that the tailer has committed."""
    position = session.get(JournalPosition, node, populate_existing=True)
    present = segments(folder)
    journal = _Journal()
    is_ahead = position is None or position.inode not in {segment.inode for segment in present}
    for segment in present:
        if is_ahead:
            journal.unread_bytes += segment.size
            continue
        until = segment.size
        if position is not None and segment.inode == position.inode:
            is_ahead = True
            until = min(position.offset, segment.size)
        journal.unread_bytes += segment.size - until
        for event in events_of(segment, until):
            journal.add(event)
    return journal


def events_of(segment: Segment, until: int) -> Iterator[JournalEvent]:
    """The events of a segment up to an offset, also when it is renamed meanwhile."""
    with _opened(segment) as file:
        offset = 0
        while offset < until:
            batch = read(file.fileno(), offset, until=until, is_closed=True)
            if batch.end == offset:
                return  # cut off since it was listed
            yield from batch.events
            offset = batch.end


def _opened(segment: Segment) -> BinaryIO:
    """Open a segment, also when the tailer has renamed it since it was listed."""
    for found in (segment, *segments(segment.path.parent)):
        with suppress(FileNotFoundError):
            file = found.path.open("rb")
            if os.fstat(file.fileno()).st_ino == segment.inode:
                return file
            file.close()
    raise FileNotFoundError(f"{segment.path}: this journal segment was removed while it was read")
