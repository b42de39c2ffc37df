"""The tailer: follows the journal and keeps the calls' rows in step with it.

How far it has read is committed together with the rows that it led to, so nothing is lost or
counted twice, whatever dies and for how long. The tailer is also the one who rotates: it renames
`journal.csv` when that is large and read to its end; Asterisk, which opens the file anew for each
record, begins the next one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from crm import keypad, secrets
from crm.agents import assistance
from crm.calls import callbacks, passed, record, shifts
from crm.cases import duty, incidents, life
from crm.database import Database
from crm.errors import HotlineError
from crm.models import JournalGap, JournalPosition
from crm.notices import voice
from crm.privacy import erasure
from crm.privacy.sealing import SealError
from crm.settings import Settings
from ivr.journal_reader import CURRENT, ROTATED, STAMP, Batch, Gap, Segment, read, segments

ROTATE_BYTES = 64 << 20
ROTATE_AFTER = timedelta(days=1)
POLL_S = 0.1
# after a commit, until so much has come, and no longer: a transaction costs more than what it holds
GATHER_S = 0.4
GATHER_BYTES = 64 << 10
LONGEST_BACKOFF_S = 5.0
HEAD = 32  # bytes by which a segment is known again

_BEGUN = re.compile(rb'"[A-Z0-9_]+","(\d{1,10})\.')

log = logging.getLogger(__name__)


class JournalError(HotlineError):
    """The journal cannot be followed. The message is for the operator."""


@dataclass
class _Open:
    """The segment being read. It stays open: renaming or removing it takes nothing from us."""

    descriptor: int
    inode: int
    name: str
    offset: int


class Tailer:
    """Follows one node's journal in `folder`. `clock` gives aware times."""

    def __init__(
        self, database: Database, folder: Path, node: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *, rotate_bytes: int = ROTATE_BYTES,
    ) -> None:
        self._database = database
        self._folder = folder
        self._node = node
        self._clock = clock
        self._rotate_bytes = rotate_bytes
        self._open: _Open | None = None
        self._fruitless_size = -1  # of the current file when there was nothing more to read in it

    def run(self, stop: threading.Event) -> None:
        """Follow the journal until `stop` is set, through any failure of the database.

        Raises JournalError when another tailer follows this journal.
        """
        with self._alone():
            while not stop.is_set():
                try:
                    if not self.step():
                        stop.wait(POLL_S)
                    elif self._unread() < GATHER_BYTES:
                        stop.wait(GATHER_S)
                except (SQLAlchemyError, OSError) as error:
                    self._close()
                    self._wait_out(error, stop)
            self._close()

    def catch_up(self) -> None:
        """Read all that is there, without following it: of a folder in which nobody writes."""
        with self._alone():
            while self.step():
                pass
            self._close()

    def step(self) -> bool:
        """Read and commit one batch, or go on to the next segment. False: nothing was there."""
        here = self._open or self._resume()
        if here is None or self._is_unchanged(here):
            return False
        # asked before reading: once there is a next segment, nobody writes to this one any more
        following = self._after(here)
        batch = read(here.descriptor, here.offset, is_closed=following is not None)
        if batch.end > here.offset:
            self._commit(here, batch)
            return True
        size = os.fstat(here.descriptor).st_size
        if size < here.offset:
            lost = Gap(size, here.offset - size, "the file was cut off after it had been read")
            self._commit(here, Batch(end=0, gaps=[lost]))
            return True
        if following is not None:
            self._move_to(following)
            return True
        if here.name == CURRENT and size == here.offset > 0 and (
            size >= self._rotate_bytes or self._is_old(here)
        ):
            self._rotate(here)
        self._fruitless_size = size
        return False

    # ---------------------------------------------------------------- finding the place

    def _resume(self) -> _Open | None:
        """Open the segment that the database says was being read, or else the oldest one."""
        with self._database.reading() as session:
            position = session.get(JournalPosition, self._node)
        present = segments(self._folder)
        if not present:
            return None
        if position is None:
            return self._open_at(present[0], 0)
        for segment in present:
            if segment.inode == position.inode:
                here = self._open_at(segment, position.offset)
                if here is None or _head(here).startswith(position.head):
                    return here
        for segment in present:  # in a folder that came back from a backup every file is a copy
            here = self._open_at(segment, position.offset)
            if here and HEAD <= position.offset <= segment.size and _head(here) == position.head:
                self._commit(here, Batch(end=position.offset))
                return here
        # Events that are read again change nothing, so all that is there is read from its start.
        gap = Gap(position.offset, 0, "the segment that was being read is gone, with its rest")
        return self._move_to(present[0], gap)

    def _open_at(self, segment: Segment, offset: int) -> _Open | None:
        """None: it was renamed or removed a moment ago, the next step looks again."""
        self._close()
        try:
            descriptor = os.open(segment.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        self._open = _Open(descriptor, os.fstat(descriptor).st_ino, segment.path.name, offset)
        if self._open.inode != segment.inode:
            self._close()
        return self._open

    def _move_to(self, segment: Segment, gap_before: Gap | None = None) -> _Open | None:
        if here := self._open_at(segment, 0):
            self._commit(here, Batch(end=0, gaps=[gap_before] if gap_before else []))
        return here

    def _after(self, here: _Open) -> Segment | None:
        """The segment that follows the one being read, if it has been begun."""
        present = segments(self._folder)
        inodes = [segment.inode for segment in present]
        if here.inode in inodes:
            index = inodes.index(here.inode)
            here.name = present[index].path.name
            rest = present[index + 1:]
        else:  # removed: "journal.csv" sorts after the names of rotated segments
            rest = [segment for segment in present if segment.path.name >= here.name]
        return rest[0] if rest else None

    def _is_unchanged(self, here: _Open) -> bool:
        """A cheap look at the file that is being written, ten times a second."""
        try:
            state = os.stat(self._folder / CURRENT)
        except FileNotFoundError:
            return self._fruitless_size == os.fstat(here.descriptor).st_size
        return state.st_ino == here.inode and state.st_size == self._fruitless_size

    def _unread(self) -> int:
        """Bytes of the open segment."""
        here = self._open
        return os.fstat(here.descriptor).st_size - here.offset if here else 0

    def _is_old(self, here: _Open) -> bool:
        """Whether its first record was written long ago: what is personal is sealed and deleted by
        segments, on quiet lines too."""
        begun = _BEGUN.match(os.pread(here.descriptor, 64, 0))
        if begun is None:
            return False
        return self._clock() - datetime.fromtimestamp(int(begun[1]), UTC) >= ROTATE_AFTER

    def _rotate(self, here: _Open) -> None:
        stamp = self._clock().astimezone(UTC)
        if rotated := sorted(self._folder.glob(ROTATED)):
            # order of names is order of time, even when the clock was set back
            last = datetime.strptime(rotated[-1].name, STAMP).replace(tzinfo=UTC)
            stamp = max(stamp, last + timedelta(seconds=1))
        here.name = stamp.strftime(STAMP)
        os.rename(self._folder / CURRENT, self._folder / here.name)
        log.info("journal rotated to %s", here.name)

    def _close(self) -> None:
        self._fruitless_size = -1
        if self._open is not None:
            os.close(self._open.descriptor)
            self._open = None

    # ---------------------------------------------------------------- committing

    def _commit(self, here: _Open, batch: Batch) -> None:
        now = self._clock()
        with self._database.transaction() as session:
            self._database.one_at_a_time(session, "journal")
            events = passed.resolved(session, batch.events)
            applied = record.apply(session, events)
            shifts.apply(session, events)
            callbacks.apply(session, events)
            life.apply(session, events)
            incidents.apply(session, events)
            duty.apply(session, events)
            voice.apply(session, events)
            assistance.apply(session, events)
            for gap in batch.gaps:
                session.add(JournalGap(
                    node=self._node, segment=here.name, offset=gap.offset, length=gap.length,
                    reason=gap.reason, found_at=now,
                ))
            session.merge(JournalPosition(
                node=self._node, inode=here.inode, head=_head(here), offset=batch.end, read_at=now,
            ))
        here.offset = batch.end
        self._fruitless_size = -1
        keypad.audit(events)
        for boot in applied.new_boots:
            log.info("Asterisk started: boot %s", boot)
        for gap in batch.gaps:
            log.error(
                "journal gap at byte %d of %s, %d bytes: %s",
                gap.offset, here.name, gap.length, gap.reason,
            )

    def _wait_out(self, error: Exception, stop: threading.Event) -> None:
        """Wait until the database answers and the folder can be read again; one log line each."""
        log.error("records wait: %s", str(getattr(error, "orig", None) or error).split("\n")[0])
        backoff_s = POLL_S
        while not stop.wait(backoff_s):
            try:
                self.step()
            except (SQLAlchemyError, OSError):
                self._close()
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
            else:
                log.info("records go on")
                return

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "tailer.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise JournalError(
                    f"another tailer already follows the journal in {self._folder}"
                ) from error
            yield


def _head(here: _Open) -> str:
    # tells a segment from a later one that got its inode number
    return os.pread(here.descriptor, HEAD, 0).hex()


def main(settings: Settings, stop: threading.Event) -> None:
    """Follow this node's journal until `stop` is set."""
    database = Database.of(settings)
    if settings.other_nodes:  # what was erased while this node was down is not read again
        try:
            erasure.catch_up(database, settings.home, secrets.load(settings.home))
        except (SQLAlchemyError, OSError, SealError) as error:
            log.error("erased meanwhile, not taken out yet: %s", error)
    Tailer(database, settings.home / "journal", settings.node).run(stop)
