"""Who heard what, and what they noted at which moment."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.models import Call
from crm.recordings.models import Sound, SoundNote, SoundUse

LONGEST_NOTE, LONGEST_REASON = 2000, 200
LONGEST_MS = 3 * 3600 * 1000
SHOWN = 100


class Act(StrEnum):
    PLAY = "play"
    DOWNLOAD = "download"


class NoteError(HotlineError):
    """A note or a reason cannot be taken."""


def note_use(
    session: Session, call: Call, name: str, act: Act, by: str, now: datetime, why: str = ""
) -> None:
    """Somebody plays or downloads a sound. Raises NoteError: a download needs a reason."""
    why = " ".join(why.split())[:LONGEST_REASON]
    if act is Act.DOWNLOAD and not why:
        raise NoteError("a download needs a reason")
    session.add(SoundUse(name=name, call_id=call.id, at=now, by=by, act=act, why=why))


def uses(session: Session, name: str) -> list[SoundUse]:
    """Who played and downloaded a sound, the latest first."""
    return list(session.scalars(
        select(SoundUse).where(SoundUse.name == name)
        .order_by(SoundUse.at.desc(), SoundUse.id.desc()).limit(SHOWN)
    ))


def note(
    session: Session, name: str, at_ms: int, text: str, by: str, now: datetime
) -> SoundNote:
    """Note something at a moment of a recording. Raises NoteError."""
    text = text.strip()
    if not text or len(text) > LONGEST_NOTE:
        raise NoteError(f"a note has 1 to {LONGEST_NOTE} letters")
    sound = session.get(Sound, name)
    end = sound.length_ms if sound is not None and sound.length_ms else LONGEST_MS
    if not 0 <= at_ms <= end:
        raise NoteError("the recording has no such moment")
    made = SoundNote(name=name, at_ms=at_ms, text=text, by=by, at=now)
    session.add(made)
    session.flush()
    return made


def notes(session: Session, name: str) -> list[SoundNote]:
    """The notes of a recording, in the order of their moments."""
    return list(session.scalars(
        select(SoundNote).where(SoundNote.name == name)
        .order_by(SoundNote.at_ms, SoundNote.id).limit(SHOWN)
    ))


def drop_note(session: Session, note_id: int, by: str) -> bool:
    """Take one's own note back."""
    found = session.get(SoundNote, note_id)
    if found is None or found.by != by:
        return False
    session.delete(found)
    return True
