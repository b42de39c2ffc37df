"""Where sounds lie: plain while their call goes on, sealed soon after, then nothing at all.

A file is sealed beside the plain one, which goes only after the sealed one is on the disk, opens to
the same bytes and has its row; whatever dies in between is done again. What is deleted meanwhile
stays deleted: the plain file goes first, and what was sealed without it goes too. A lock keeps
sealing and backups apart, so that a backup has each sound in one of its forms, with its row.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from crm.calls.facts import CALL_ID
from crm.database import Database
from crm.field_keys import FieldKeys, of_home
from crm.kept import folder as kept_folder
from crm.models import Call, RecordingState
from crm.recordings import sealed, waves
from crm.recordings.models import Kind, Sound, SoundNote
from crm.recordings.sealed import SealedSound, SoundError
from crm.recordings.waves import PlainSound

log = logging.getLogger(__name__)
audit = logging.getLogger("hotline.audit")

RESTS = timedelta(seconds=5)  # after the last byte and the end of the call, before it is sealed
ORPHAN = timedelta(hours=3)  # longer than any call: nobody writes any more, whatever its row says
_SEALED, _DRAFT = ".sealed", ".part"
_PLAIN = (".raw", ".wav")
_LOCK = "sounds.lock"
_NO_FILE = "its file is not there"


class GoneError(SoundError):
    """There is no such sound any more."""


@dataclass(frozen=True)
class Broken:
    """A sealed sound that is not as it was sealed, or not there."""

    name: str
    what: str


def opened(home: Path, kind: Kind, name: str) -> PlainSound | SealedSound:
    """A sound, from which can be read. Raises SoundError, GoneError."""
    at_rest, plain = _sealed_file(home, kind, name), _plain_file(home, kind, name)
    try:
        if at_rest.exists():
            return SealedSound(at_rest, of_home(home))
        return PlainSound(plain)
    except FileNotFoundError as error:
        raise GoneError("this recording is not there any more") from error


def remove(home: Path, kind: Kind, name: str) -> int:
    """Delete a sound, sealed or not; how many files it had."""
    removed = 0
    at_rest = _sealed_file(home, kind, name)
    for file in (
        _plain_file(home, kind, name), at_rest, at_rest.with_suffix(at_rest.suffix + _DRAFT)
    ):
        with suppress(FileNotFoundError):
            file.unlink()
            removed += 1
    return removed


def forget(session: Session, names: list[str]) -> None:
    """Forget what is known of sounds that were deleted; who played them stays."""
    session.execute(delete(SoundNote).where(SoundNote.name.in_(names)))
    session.execute(delete(Sound).where(Sound.name.in_(names)))


@contextmanager
def held_still(home: Path) -> Iterator[None]:
    """Nobody seals meanwhile."""
    with (home / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def seal_ended(database: Database, home: Path, now: datetime) -> int:
    """Seal the sounds of calls that are over, and delete those that were discarded or must not be;
    how many. One that cannot be sealed stops no other."""
    keys, done = of_home(home), 0
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # a backup is made, or another seals: at the next time
        for kind, plain in _waiting(home):
            done += _seal_one(database, home, kind, plain, keys, now)
    return done


def _seal_one(
    database: Database, home: Path, kind: Kind, plain: Path, keys: FieldKeys, now: datetime
) -> bool:
    match = CALL_ID.match(plain.name)
    with database.reading() as session:
        call = session.get(Call, match[0]) if match else None
    if not _rests(plain, call, now):
        return False
    try:
        _settle(database, home, kind, plain, call, keys, now)
    except FileNotFoundError:
        return False  # deleted meanwhile
    except (SoundError, OSError) as error:
        log.error("%s was not sealed: %s", plain.name, error)
        return False
    return True


def unnamed(session: Session, home: Path) -> list[Path]:
    """Sounds that wait to be sealed, of calls that are over and name none: erased meanwhile."""
    found = []
    for _, plain in _waiting(home):
        call = session.get(Call, match[0]) if (match := CALL_ID.match(plain.name)) else None
        over = call is not None and call.ended_at is not None
        if over and call and plain.name not in (call.recording, call.voicemail):
            found.append(plain)
    return found


def waiting_since(home: Path) -> datetime | None:
    """Since when the oldest sound that is not sealed was written to no more."""
    oldest = min((file.stat().st_mtime for _, file in _waiting(home)), default=None)
    return None if oldest is None else datetime.fromtimestamp(oldest, UTC)


def broken(session: Session) -> int:
    """How many were found not to be as they were sealed."""
    return session.scalar(
        select(func.count()).select_from(Sound).where(Sound.trouble.is_not(None))
    ) or 0


def rewrap(home: Path) -> int:
    """Seal the keys of all files with the newest key; of how many it was another."""
    keys, done = of_home(home), 0
    for kind in Kind:
        for file in sorted(kept_folder(home, kind).glob(f"*{_SEALED}")):
            try:
                done += sealed.rewrap(file, keys)
            except FileNotFoundError:
                continue  # deleted meanwhile
            except SoundError as error:
                log.error("%s: %s", file.name, error)
    return done


def verify(
    database: Database, home: Path, now: datetime, after: str = ""
) -> Iterator[Broken | None]:
    """Read every sealed sound whole, those after a name first, and compare it with its row: None
    for each that is as it was. What is found stands in the row."""
    yield from _verify(database, home, now, Sound.name > after)
    if after:
        yield from _verify(database, home, now, Sound.name <= after)
    yield from _strangers(database, home)


def verified_last(session: Session) -> str:
    """Up to which name sounds were read the last time."""
    return session.scalar(
        select(Sound.name).where(Sound.checked_at.is_not(None))
        .order_by(Sound.checked_at.desc(), Sound.name.desc()).limit(1)
    ) or ""


def _verify(
    database: Database, home: Path, now: datetime, which: ColumnElement[bool]
) -> Iterator[Broken | None]:
    last = ""
    while True:
        with database.reading() as session:
            rows = session.scalars(
                select(Sound).where(which, Sound.name > last, Sound.sealed_at.is_not(None))
                .order_by(Sound.name).limit(200)
            ).all()
        if not rows:
            return
        last = rows[-1].name
        for row in rows:
            what = _trouble_of(home, row)
            with database.transaction() as session:
                known = session.get(Sound, row.name)
                if known is None:
                    continue  # deleted meanwhile, with its file
                if what == _NO_FILE and not _is_named(session, row):
                    forget(session, [row.name])  # deleted while it was sealed
                    continue
                known.checked_at, known.trouble = now, what
            yield None if what is None else Broken(row.name, what)


def _is_named(session: Session, row: Sound) -> bool:
    call = session.get(Call, row.call_id)
    return call is not None and row.name in (call.recording, call.voicemail)


def _trouble_of(home: Path, row: Sound) -> str | None:
    try:
        with SealedSound(_sealed_file(home, Kind(row.kind), row.name), of_home(home)) as sound:
            if sound.digest() != row.digest:
                return "the recording is another than the one that was sealed"
    except FileNotFoundError:
        return _NO_FILE
    except (SoundError, OSError) as error:
        return str(error)[:200]
    return None


def _strangers(database: Database, home: Path) -> Iterator[Broken]:
    """Sealed files that no row knows: put there, or left by a backup that was put together."""
    for kind in Kind:
        for file in sorted(kept_folder(home, kind).glob(f"*{_SEALED}")):
            names = [file.with_suffix(suffix).name for suffix in _PLAIN]
            with database.reading() as session:
                known = session.scalar(select(Sound.name).where(Sound.name.in_(names)).limit(1))
            if known is None and not any((home / kind / name).exists() for name in names):
                yield Broken(file.name, "no row knows this file")


def _waiting(home: Path) -> Iterator[tuple[Kind, Path]]:
    for kind in Kind:
        for suffix in _PLAIN:
            for file in sorted((home / kind).glob(f"*{suffix}")):
                yield kind, file


def _rests(plain: Path, call: Call | None, now: datetime) -> bool:
    try:
        still = now - datetime.fromtimestamp(plain.stat().st_mtime, UTC)
    except FileNotFoundError:
        return False
    if call is not None and call.ended_at is not None:
        return still >= RESTS and now - call.ended_at >= RESTS
    return still >= ORPHAN


def _settle(
    database: Database, home: Path, kind: Kind, plain: Path, call: Call | None, keys: FieldKeys,
    now: datetime,
) -> None:
    match = CALL_ID.match(plain.name)
    row = Sound(
        name=plain.name, kind=kind, call_id=match[0] if match else plain.stem, length_ms=0, size=0,
        digest="",
    )
    discard = _discarded(call) if kind is Kind.RECORDINGS else None
    if discard is not None:
        row.discarded_at, row.discarded_by, row.discarded_why = now, discard["by"], discard["why"]
    else:
        _seal(home, kind, plain, row, keys, now)
    if not plain.exists():  # deleted while it was sealed
        _sealed_file(home, kind, plain.name).unlink(missing_ok=True)
        return
    with database.transaction() as session:
        session.merge(row)
    if discard is not None:
        _sealed_file(home, kind, plain.name).unlink(missing_ok=True)
    plain.unlink(missing_ok=True)
    if discard is not None:
        audit.warning("the recording of call %s is deleted, as %s asked (%s)", row.call_id,
                      row.discarded_by, row.discarded_why)


def _discarded(call: Call | None) -> dict[str, str] | None:
    if call is None:
        return None
    if call.recording_notice == RecordingState.REFUSED:
        return {"by": "", "why": "refused"}
    wanted = [one for one in call.recording_marks or ()
              if one["state"] == RecordingState.DISCARDED]
    return wanted[-1] if wanted else None


def _seal(
    home: Path, kind: Kind, plain: Path, row: Sound, keys: FieldKeys, now: datetime
) -> None:
    target = _sealed_file(home, kind, plain.name)
    draft = target.with_suffix(target.suffix + _DRAFT)
    with PlainSound(plain) as source:
        row.size = source.size
        row.digest = sealed.write(source, source.size, draft, keys)
    with SealedSound(draft, keys) as written:
        if written.digest() != row.digest:
            raise SoundError(f"{draft.name} does not open to what was sealed")
        drawn = waves.outline(written)
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # a name is on the disk once its folder is
    finally:
        os.close(folder)
    row.length_ms, row.peaks, row.sealed_at = drawn.length_ms, drawn.written(), now


def _plain_file(home: Path, kind: Kind, name: str) -> Path:
    if name != Path(name).name or Path(name).suffix not in _PLAIN:
        raise GoneError("this is no name of a recording")
    return home / kind / name


def _sealed_file(home: Path, kind: Kind, name: str) -> Path:
    return kept_folder(home, kind) / _plain_file(home, kind, name).with_suffix(_SEALED).name
