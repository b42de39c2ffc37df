"""Archiving whole months and bringing them back, while the hotline runs.

A month is counted for the reports, written and read back, noted, and only then deleted from the
database, in portions so small, with rests so long, that nobody who writes waits. A record that was
changed since it was written stays, and goes with the next night.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from crm import secrets
from crm.archive import files, rows
from crm.archive.files import Content
from crm.archive.models import ArchivedMonth
from crm.archive.rows import CALL, KINDS, ArchiveError, Kind, Record
from crm.clock import vietnam_day
from crm.database import Database
from crm.reports import calls
from crm.reports.spans import begin
from crm.settings import Settings
from crm.turns import Turn

PORTION = 25  # records that are deleted in one transaction
READ = 500  # records that are read at once
REST_S = 0.05  # at least, after each transaction
_DAY = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """What a file holds now, and how many records of it were deleted from the database."""

    counts: dict[str, int]
    deleted: int


def first_of(day: date) -> date:
    return day.replace(day=1)


def after(month: date) -> date:
    """The month after."""
    return first_of(month + 31 * _DAY)


def noted(session: Session) -> list[ArchivedMonth]:
    """All archived months, oldest first."""
    return list(session.scalars(select(ArchivedMonth).order_by(ArchivedMonth.month)))


def left_with(session: Session, day: date) -> ArchivedMonth | None:
    """The month with which the calls of a day have left the database, if they are not back."""
    found = session.get(ArchivedMonth, first_of(day))
    return None if found is None or found.restored_until else found


def earliest_kept(settings: Settings, now: datetime) -> date:
    """The first month that must stay: what the journal may still tell of is never archived."""
    month = first_of(vietnam_day(now))
    for _ in range(settings.archive_months):
        month = first_of(month - _DAY)
    told = first_of(vietnam_day(now - timedelta(days=settings.keep_journal_days)) - _DAY)
    return min(month, told)


class Archive:
    """The archive of a hotline. What changes files is done by one process of all nodes."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self._home = home
        self._turn = Turn(database, "archive")

    @property
    def key(self) -> str:
        return secrets.load(self._home).journal_key

    def file(self, month: date) -> Path:
        return files.of_month(self._home, month)

    @contextmanager
    def alone(self, patience_s: float = 900) -> Iterator[Callable[[], bool]]:
        """Nobody else changes the archive meanwhile; whether that still holds can be asked. Raises
        ArchiveError where another does not end."""
        folder = files.folder(self._home)
        folder.mkdir(mode=0o700, exist_ok=True)
        until = time.monotonic() + patience_s
        with (folder / ".lock").open("w") as lock:
            while not (_locked(lock.fileno()) and self._turn.is_ours()):
                if time.monotonic() > until:
                    raise ArchiveError("another process is at work on the archive: try again later")
                time.sleep(0.1)
            try:
                yield self._turn.is_ours
            finally:
                self._turn.give_up()

    def due(self, settings: Settings, now: datetime) -> list[date]:
        """Whole months that are to be archived, oldest first."""
        if settings.archive_months == 0:
            return []
        end = earliest_kept(settings, now)
        with self.database.reading() as session:
            back = {one.month for one in noted(session)
                    if one.restored_until and one.restored_until > now}
            firsts = [session.scalar(select(func.min(kind.at))) for kind in KINDS.values()]
            oldest = min((one for one in firsts if one is not None), default=now)
            month, found = first_of(vietnam_day(oldest)), []
            while month < end:
                if month not in back and any(
                    session.scalar(_wanted(kind, month, now).limit(1)) for kind in KINDS.values()
                ):
                    found.append(month)
                month = after(month)
        return found

    def make(
        self, month: date, service_level_s: int, now: datetime,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Made:
        """Archive what of a month is settled. Raises ArchiveError: what is not in the file is in
        the database then."""
        with self.alone() as is_ours:
            with self.database.reading() as session:
                ids = {kind.name: list(session.scalars(_wanted(kind, month, now)))
                       for kind in KINDS.values()}
                known = session.get(ArchivedMonth, month)
            if not any(ids.values()):
                return Made(dict(known.counts) if known else {}, 0)
            if known is None:
                self._count(month, service_level_s, now)
            content = self._write(month, ids, is_ours)
            with self.database.transaction() as session:
                self._note(session, month, content, now)
            deleted = sum(
                self._delete(KINDS[name], own, content, stopped) for name, own in ids.items()
            )
        return Made(dict(content.counts), deleted)

    def restore(self, month: date, until: datetime) -> list[tuple[str, str]]:
        """Bring a month's rows back until then; its file stays. Of records that the database has
        otherwise that stays, and they are told. Raises ArchiveError."""
        with self.alone():
            self.noted(month)
            files.check(self.file(month), month, self.key)
            with self.database.transaction() as session:
                session.get_one(ArchivedMonth, month).restored_until = until
            others: list[tuple[str, str]] = []
            for some in _portions(self.records(month), PORTION):
                with self.database.transaction() as session:
                    rows.put_back(session, some)
                    for kind in KINDS.values():
                        own = {one.id: one for one in some if one.kind == kind.name}
                        others += [one.key for one in rows.read(session, kind, list(own))
                                   if one.digest != own[one.id].digest]
                time.sleep(REST_S)
        return others

    def records(self, month: date) -> Iterator[Record]:
        """What a month's file holds. Raises ArchiveError."""
        return files.read(self.file(month), month, self.key)

    def verify(self, month: date) -> Content:
        """Read a month's file whole. Raises ArchiveError where it is not what was noted."""
        known = self.noted(month)
        content = files.check(self.file(month), month, self.key)
        if dict(content.counts) != known.counts:
            raise ArchiveError(
                f"{self.file(month)} holds {dict(content.counts)}, noted are {known.counts}"
            )
        return content

    def noted(self, month: date) -> ArchivedMonth:
        """Raises ArchiveError: this month is not archived."""
        with self.database.reading() as session:
            known = session.get(ArchivedMonth, month)
        if known is None:
            raise ArchiveError(f"{month:%Y-%m} is not archived: hotline archive list")
        return known

    def rewrite(
        self, month: date, change: Callable[[Record], Record], is_ours: Callable[[], bool],
    ) -> int:
        """Change records of a file, while alone; how many. Raises ArchiveError."""
        changed = sum(change(one).rows != one.rows for one in self.records(month))
        if changed:
            self._put(month, map(change, self.records(month)), is_ours)
            with self.database.transaction() as session:
                session.get_one(ArchivedMonth, month).size = self.file(month).stat().st_size
        return changed

    def holding(self, ids: Collection[str]) -> set[str]:
        """Which of these calls stand in the archive."""
        if not ids:
            return set()
        with self.database.reading() as session:
            months = [one.month for one in noted(session)]
        return {
            one.id for month in months for one in self.records(month)
            if one.kind == CALL.name and one.id in ids
        }

    def _count(self, month: date, service_level_s: int, now: datetime) -> None:
        """Keep for the reports what they read of the rows."""
        day = month
        while day < after(month):
            with self.database.reading() as session:  # where one may write, nobody waits for it
                found = calls.hours(session, day)
            with self.database.transaction() as session:
                calls.settle(session, day, found, now, service_level_s)
            time.sleep(REST_S)
            day += _DAY

    def _write(
        self, month: date, ids: dict[str, list[str]], is_ours: Callable[[], bool]
    ) -> Content:
        """The file as it was, with what the database has in the place of the same."""
        taken = {(name, id_) for name, own in ids.items() for id_ in own}

        def records() -> Iterator[Record]:
            if self.file(month).exists():
                yield from (one for one in self.records(month) if one.key not in taken)
            for name, own in ids.items():
                for some in rows.portions(own, READ):
                    with self.database.reading() as session:
                        found = rows.read(session, KINDS[name], some)
                    if len(found) != len(some):
                        raise ArchiveError(f"rows of {month:%Y-%m} went away while it was written")
                    yield from found

        return self._put(month, records(), is_ours)

    def _put(
        self, month: date, records: Iterator[Record], is_ours: Callable[[], bool]
    ) -> Content:
        def ours_to_the_end() -> Iterator[Record]:
            yield from records
            if not is_ours():
                raise ArchiveError("the database was lost while a month was written")

        return files.write(self.file(month), month, ours_to_the_end(), self.key)

    def _note(self, session: Session, month: date, content: Content, now: datetime) -> None:
        known = session.get(ArchivedMonth, month)
        if known is None:
            known = ArchivedMonth(month=month, nameless=False)
            session.add(known)
        elif content.counts != known.counts:
            known.nameless = False  # what has come may name somebody
        known.counts, known.size = dict(content.counts), self.file(month).stat().st_size
        known.archived_at, known.restored_until = now, None

    def _delete(
        self, kind: Kind, ids: list[str], content: Content, stopped: Callable[[], bool]
    ) -> int:
        done = 0
        for some in rows.portions(ids, PORTION):
            if stopped():
                break
            began = time.monotonic()
            try:
                with self.database.transaction() as session:
                    same = [one for one in rows.read(session, kind, some, lock=True)
                            if content.digests.get(one.key) == one.digest]
                    if not rows.remove(session, kind, same):
                        raise _ChangedError
            except _ChangedError:
                log.warning("rows of archived calls were written meanwhile: left for the next time")
                continue
            done += len(same)
            time.sleep(max(REST_S, 2 * (time.monotonic() - began)))
        return done


class _ChangedError(Exception):
    """Of a portion there are rows that were not read."""


def _wanted(kind: Kind, month: date, now: datetime) -> Select[str]:
    return select(kind.id).where(
        kind.at >= begin(month), kind.at < begin(after(month)), rows.settled(now)[kind.name]
    ).order_by(kind.at)


def _portions(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    some: list[Record] = []
    for one in records:
        some.append(one)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

