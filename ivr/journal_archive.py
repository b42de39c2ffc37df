"""The journal's old segments: sealed once nobody reads them any more, deleted when their time is
over. Reading goes on from where it was: a segment that is sealed has been read to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crm.models import JournalPosition
from crm.privacy import sealing
from crm.privacy.erasure import SEALED, sealed_of
from ivr.journal_reader import ROTATED, STAMP, has_read, segments

RESTS = timedelta(hours=1)  # after it was rotated, before it is sealed


@dataclass(frozen=True)
class Sealed:
    """A sealed segment: since when nobody wrote to it, and its size in bytes."""

    path: Path
    rotated_at: datetime
    size: int


def seal(
    folder: Path, position: JournalPosition | None, passphrase: str, now: datetime
) -> list[Path]:
    """Seal the segments that are read and rest. Whatever dies in between: the plain file goes only
    after the sealed one is on the disk and opens to the same bytes, and is then sealed again.
    Raises SealError, OSError."""
    done = []
    for segment in segments(folder):
        if not segment.path.match(ROTATED) or now - _rotated(segment.path) < RESTS:
            continue
        if position is None or segment.inode == position.inode or not has_read(
            position, segment, folder
        ):
            break  # those after it are not read either
        sealed = segment.path.with_name(segment.path.name + SEALED)
        sealing.seal_file(segment.path, sealed, passphrase)
        segment.path.unlink()
        done.append(sealed)
    return done


def old(home: Path, until: datetime) -> list[Path]:
    """The sealed segments that were ended before."""
    return [one.path for one in listed(home) if one.rotated_at < until]


def listed(home: Path) -> list[Sealed]:
    """All sealed segments, oldest first."""
    return [
        Sealed(file, _rotated(file.with_suffix("")), file.stat().st_size)
        for file in sealed_of(home)
    ]


def _rotated(segment: Path) -> datetime:
    return datetime.strptime(segment.name, STAMP).replace(tzinfo=UTC)
