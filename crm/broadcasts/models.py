"""The tables of broadcasts. Each recipient is a row of the outbox (crm.notices.models.Notice)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class Audience(StrEnum):
    """Who is written to."""

    AREA = "area"  # whom the hotline knows in these communes
    LIST = "list"  # everybody of a list of these communes, made by the authority
    CHOSEN = "chosen"  # chosen persons: they are never told why


class Delivery(StrEnum):
    """Who sends it."""

    DIRECT = "direct"
    CARRIERS = "carriers"  # each carrier gets a file of its numbers


class Stage(StrEnum):
    """Where a broadcast is; which moves are allowed stands in crm.broadcasts.life."""

    DRAFT = "draft"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class Broadcast(Base):
    """One text to many people. After it is written only its stage, pace and figures change."""

    __tablename__ = "broadcast"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(120))  # for ourselves
    channel: Mapped[str] = mapped_column(String(8))  # sms | voice
    audience: Mapped[str] = mapped_column(String(8))  # an Audience
    delivery: Mapped[str] = mapped_column(String(8))  # a Delivery
    areas: Mapped[list[str]] = mapped_column(JSON)  # codes of today (crm.areas)
    asked: Mapped[str] = mapped_column(Text)  # the text as it was written; of chosen ones empty
    text: Mapped[str] = mapped_column(Text)  # as everybody gets it
    authority: Mapped[str] = mapped_column(String(160))  # who asks for it
    document: Mapped[str] = mapped_column(String(80))  # the number of its letter or decision
    urgent: Mapped[bool]  # in quiet hours too, and whatever calls come back
    most_per_minute: Mapped[int]
    stage: Mapped[str] = mapped_column(String(10))  # a Stage
    recipients: Mapped[int]
    # who was left out: duplicates, opted_out, withheld, invalid
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    # the first of those: {"line", "value" (masked), "why"}
    invalid: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(32))  # login
    created_at: Mapped[datetime]
    tested_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(String(32))
    approved_at: Mapped[datetime | None]
    sound_at: Mapped[datetime | None]  # since when its text is there as sound
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]  # when the next message may go, of all workers
    per_hour: Mapped[int | None]  # messages, as the load allowed at `rated_at`
    rated_at: Mapped[datetime | None]
    called_back: Mapped[int | None]  # recipients who called within a day, counted after it

    __table_args__ = (Index("broadcast_stage", "stage", "ended_at"),)


class BroadcastEvent(Base):
    """Something that somebody did to a broadcast: never changed, never deleted."""

    __tablename__ = "broadcast_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    broadcast_id: Mapped[int] = mapped_column(ForeignKey("broadcast.id"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))  # login | system
    # written | tested | approved | started | paused | resumed | stopped | ended | files | fetched
    what: Mapped[str] = mapped_column(String(10))
    note: Mapped[str] = mapped_column(String(200))

    __table_args__ = (Index("broadcast_event_of", "broadcast_id", "id"),)


class BroadcastFile(Base):
    """The numbers of one carrier, made once."""

    __tablename__ = "broadcast_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    broadcast_id: Mapped[int] = mapped_column(ForeignKey("broadcast.id"))
    carrier: Mapped[str] = mapped_column(String(20))  # viettel | ... | other
    rows: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("broadcast_id", "carrier"),)
