"""Room on the disk: the journal comes first.

With less than 5 % free nothing is recorded and no message is taken: a file says so, and the
dialplan looks for it before each, so that Asterisk needs nobody else to be alive. What is being
recorded stops, and messages end. Should the disk fill up all the same, the journal writes on into
blocks that the file has beyond its end, which nobody else can take; and the ballast goes, for the
database and the journal's next file. All of it comes back by itself.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from ivr import provision

LEAST, AGAIN, AMPLE = 0.05, 0.07, 0.10  # of the disk free
BALLAST_SHARE = 0.02  # of the disk at most
JOURNAL_BYTES = 8 << 20  # beyond its end, as much as the ballast at most: about 1,500 calls
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
_libc = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger(__name__)


def free_share(home: Path) -> float:
    """Of the fullest of the disks that calls are written to."""
    kept = (home, provision.journal(home).parent, provision.recordings(home),
            provision.messages(home))
    usages = [shutil.disk_usage(folder) for folder in kept if folder.exists()]
    return min(usage.free / usage.total for usage in usages)


class Room:
    """Watches the disk; `stop_recordings` ends those that go on."""

    def __init__(
        self, home: Path, ballast_bytes: int, stop_recordings: Callable[[], object]
    ) -> None:
        self._home = home
        self._stop_recordings = stop_recordings
        self._ballast = home / "ballast"
        self._scarce = provision.no_room(home)
        total = shutil.disk_usage(home).total
        self._ballast_bytes = min(ballast_bytes, int(total * BALLAST_SHARE))

    def look(self) -> str | None:
        """Act on how much is free; one sentence when something changed. Raises OSError."""
        changed = None
        if shutil.disk_usage(self._home).free < self._ballast_bytes and self._ballast.exists():
            self._ballast.unlink()
            changed = "the disk is full: the ballast was released for the journal"
        self._keep_room_for_journal()
        free = free_share(self._home)
        if free < LEAST and not self._scarce.exists():
            self._scarce.touch()
            self._stop_recordings()
            changed = changed or f"{free:.1%} of the disk is free: no recordings and no messages"
        elif free >= AGAIN and self._scarce.exists():
            self._scarce.unlink()
            changed = f"{free:.0%} of the disk is free: recordings and messages go on"
        if free >= AMPLE and self._ballast_bytes and not self._ballast.exists():
            self._keep_ballast()
        return changed

    def _keep_room_for_journal(self) -> None:
        """Blocks beyond its end, while others leave some."""
        wanted = min(self._ballast_bytes, JOURNAL_BYTES)
        journal = provision.journal(self._home)
        try:
            state = journal.stat()
            beyond = state.st_blocks * 512 - state.st_size
            if not stat.S_ISREG(state.st_mode) or beyond >= wanted / 2:
                return
            descriptor = os.open(journal, os.O_WRONLY)
        except FileNotFoundError:  # not begun yet, or rotated a moment ago
            return
        try:
            failed = _libc.fallocate(descriptor, _KEEP_SIZE, ctypes.c_long(state.st_size),
                                     ctypes.c_long(wanted))
            number = ctypes.get_errno()
        finally:
            os.close(descriptor)
        if failed and number not in (errno.ENOSPC, errno.EOPNOTSUPP):  # the ballast alone is left
            raise OSError(number, os.strerror(number))

    def _keep_ballast(self) -> None:
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._ballast_bytes)
        finally:
            os.close(descriptor)
