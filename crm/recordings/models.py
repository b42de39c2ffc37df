"""Tables of what was recorded. A sound is named as its call's row names its file."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.field_keys import Sealed
from crm.models import Base

# why agents pause a recording (typed: the page itself, while a field of what is private has the
# focus), and have it deleted
PAUSES = ("card", "health", "asked", "typed")
DISCARDS = ("asked", "private", "mistaken")


class Kind(StrEnum):
    """Which sounds; the name of their folder in the state folder."""

    RECORDINGS = "recordings"
    VOICEMAIL = "voicemail"


class Sound(Base):
    """A file that was sealed, or discarded instead."""

    __tablename__ = "sound"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))  # a Kind
    call_id: Mapped[str] = mapped_column(String(80), index=True)
    length_ms: Mapped[int] = mapped_column(default=0)
    size: Mapped[int] = mapped_column(BigInteger, default=0)  # bytes, of the WAV that is sealed
    digest: Mapped[str] = mapped_column(String(64), default="")  # SHA-256 of it
    peaks: Mapped[str | None] = mapped_column(Sealed)  # see crm.recordings.waves
    sealed_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    discarded_by: Mapped[str | None] = mapped_column(String(32))
    discarded_why: Mapped[str | None] = mapped_column(String(16))
    checked_at: Mapped[datetime | None]  # by `hotline recordings verify`
    trouble: Mapped[str | None] = mapped_column(String(200))  # what was found then

    __table_args__ = (
        Index(
            "sound_trouble", "name",
            sqlite_where=text("trouble IS NOT NULL"), postgresql_where=text("trouble IS NOT NULL"),
        ),
    )


class SoundUse(Base):
    """Somebody has played or downloaded a sound."""

    __tablename__ = "sound_use"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    call_id: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))  # login
    act: Mapped[str] = mapped_column(String(8))  # play | download
    why: Mapped[str] = mapped_column(String(200), default="")

    __table_args__ = (Index("sound_use_name", "name", "at"),)


class SoundNote(Base):
    """What somebody noted at a moment of a recording."""

    __tablename__ = "sound_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    at_ms: Mapped[int]  # of the recording
    text: Mapped[str] = mapped_column(Sealed)
    by: Mapped[str] = mapped_column(String(32))  # login
    at: Mapped[datetime]

    __table_args__ = (Index("sound_note_name", "name", "at_ms"),)
