"""Calls, segments and counts anew from the journal, beside what the database says.

All that the journal still has, its sealed segments too, goes through the same functions into a
database of its own, as far as the tailer has committed. What was erased or deleted from the rows is
left out of the comparison; so are days that the journal has only a part of, but for their calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.orm import Session

from crm.calls import passed, record, shifts
from crm.calls.facts import JournalEvent
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import AgentEvent, Base, Call, CallSegment, JournalPosition, Leg
from crm.privacy import sealing
from crm.privacy.erasure import SIGN, sealed_of
from crm.reports import kept
from crm.reports.measures import NONE, of_day
from crm.reports.models import CountedDay
from crm.reports.spans import begin
from ivr.journal_reader import read, segments
from ivr.ledger import events_of

# what people or the passing of time change, and what rows are derived from
_OWN = frozenset({"facts", "caller", "recording", "voicemail", "message_done", "case_code"})
_TABLES = (Call, Leg, CallSegment, AgentEvent)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Difference:
    """Something that the journal tells otherwise than the database."""

    day: date
    what: str

    def __str__(self) -> str:
        return f"{self.day}  {self.what}"


def rebuild(
    session: Session, scratch: Database, homes: Mapping[str, Path], passphrase: str
) -> datetime | None:
    """Fill an empty database from the journals in the state folders of these nodes; since when all
    of them tell, None: one has nothing.

    Raises SealError, FileNotFoundError (a segment went away meanwhile)."""
    Base.metadata.create_all(scratch.engine)
    firsts: dict[str, datetime] = {}
    for node, home in homes.items():
        for events in _portions(session, home, node, passphrase):
            firsts.setdefault(node, events[0].at)
            with scratch.transaction() as into:
                told = passed.resolved(into, events)
                record.apply(into, told)
                shifts.apply(into, told)
    return max(firsts.values()) if len(firsts) == len(homes) else None


def _portions(
    session: Session, home: Path, node: str, passphrase: str
) -> Iterator[Sequence[JournalEvent]]:
    for sealed in sealed_of(home):
        descriptor = os.memfd_create("journal")  # what was sealed comes on no disk
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                size = file.write(sealing.opened(sealed, passphrase))
            offset = 0
            while offset < size:
                batch = read(descriptor, offset, is_closed=True)
                yield from [batch.events] if batch.events else []
                offset = batch.end
        finally:
            os.close(descriptor)
    position = session.get(JournalPosition, node)
    present = segments(home / "journal")
    reading = position.inode if position else None
    for segment in present:
        is_last = segment.inode == reading
        until = min(position.offset, segment.size) if position and is_last else segment.size
        events: list[JournalEvent] = []
        for event in events_of(segment, until):
            events.append(event)
            if len(events) == record.IDS_AT_ONCE:
                yield events
                events = []
        yield from [events] if events else []
        if is_last:
            return


def compare(
    session: Session, again: Session, first: datetime, days: Sequence[date],
    service_level_s: int, *, mend: bool = False,
) -> Iterator[Difference]:
    """What differs on these days. `again` is of the rebuilt database; with `mend` the rows of
    `session` are put right."""
    erased = set(session.scalars(select(Call.id).where(
        Call.started_at >= first, Call.caller.is_(None)
    )))
    for id_ in again.scalars(select(Call.id).where(Call.caller.is_not(None))).all():
        if id_ in erased:
            again.execute(update(Call).where(Call.id == id_).values(caller=None))
    for day in days:
        since, until = max(begin(day), first), begin(day + _DAY)
        for model in _TABLES:
            for what in _rows(session, again, model, since, until, mend=mend):
                yield Difference(day, what)
        before = select(Call.id).where(Call.started_at >= begin(day), Call.started_at < since)
        if session.scalar(before.limit(1)) is None:
            for what in _counts(session, again, day, service_level_s, mend=mend):
                yield Difference(day, what)


def days_of(first: datetime, now: datetime) -> list[date]:
    """All days that the journal tells of."""
    start = vietnam_day(first)
    return [start + number * _DAY for number in range((vietnam_day(now) - start).days + 1)]


def _rows(
    session: Session, again: Session, model: type[Base], since: datetime, until: datetime, *,
    mend: bool,
) -> Iterator[str]:
    table: Table = Base.metadata.tables[model.__tablename__]
    ours, theirs = (_read(one, table, since, until) for one in (session, again))
    for key in sorted({*ours, *theirs}):
        there, told = ours.get(key), theirs.get(key)
        name = f"{table.name} {' '.join(map(str, key))}"
        if told is None:
            if table.name != Leg.__tablename__:  # a leg whose call the journal has not
                yield f"{name}: the journal has no such thing"
                if mend and model is CallSegment:
                    session.execute(delete(table).where(*_is(table, key)))
            continue
        wrong = [
            f"{column} is {there[column]}, the journal says {value}"
            for column, value in told.items()
            if there is not None and column not in _OWN and there[column] != value
            and not (column == "party" and _is_erased(there[column]))
        ]
        if there is None:
            wrong = ["it is missing"]
        if not wrong:
            continue
        yield f"{name}: {'; '.join(wrong)}"
        if mend and there is None:
            session.execute(insert(table), [told])
        elif mend:
            session.execute(update(table).where(*_is(table, key)).values({
                column: value for column, value in told.items() if column not in _OWN
            }))


def _read(
    session: Session, table: Table, since: datetime, until: datetime
) -> dict[tuple[Any, ...], dict[str, Any]]:
    at = table.c["at" if "at" in table.c else "started_at"]
    rows = session.execute(select(table).where(at >= since, at < until)).mappings()
    return {
        tuple(row[column.name] for column in table.primary_key): dict(row)
        for row in rows if row.get("direction", "in") == "in"
    }


def _is_erased(party: str | None) -> bool:
    """Whether it is a telephone whose number was erased, from the rows or from the journal."""
    return party is not None and (party.startswith("line:*") or not party.strip(SIGN))


def _is(table: Table, key: tuple[Any, ...]) -> list[Any]:
    return [column == value for column, value in zip(table.primary_key, key, strict=True)]


def _counts(
    session: Session, again: Session, day: date, service_level_s: int, *, mend: bool
) -> Iterator[str]:
    counted = session.get(CountedDay, day)
    if counted is None:
        return
    ours = kept.of_kept(session, day)
    theirs = of_day(again, begin(day), counted.counted_at, service_level_s)
    differs = False
    for by, key in sorted({*ours, *theirs}):
        if _is_erased(key):
            continue
        there, told = asdict(ours.get((by, key), NONE)), asdict(theirs.get((by, key), NONE))
        for name, value in told.items():
            if there[name] != value:
                differs = True
                yield f"{name} of {by} {key or '–'} is {there[name]}, the journal says {value}"
    if differs and mend:
        kept.put(session, day, theirs)
