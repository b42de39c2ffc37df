"""The tables of shifts: roster, swaps, handovers, instructions, and what was done to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.field_keys import Sealed
from crm.models import Base, User


class Shift(Base):
    """Somebody works from one moment to another (crm.shifts.roster)."""

    __tablename__ = "shift"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    branch: Mapped[str] = mapped_column(String(16), default="")  # empty: wherever needed
    user: Mapped[User] = relationship(lazy="joined")

    __table_args__ = (
        UniqueConstraint("user_id", "begins_at"), Index("shift_begins", "begins_at"),
    )


class Swap(Base):
    """A shift that one offers, another takes, and a lead approves (crm.shifts.swaps)."""

    __tablename__ = "shift_swap"

    id: Mapped[int] = mapped_column(primary_key=True)
    shift_id: Mapped[int] = mapped_column(ForeignKey("shift.id", ondelete="CASCADE"))
    offered_by: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    offered_at: Mapped[datetime]
    taken_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    taken_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10))  # a crm.shifts.swaps.State
    shift: Mapped[Shift] = relationship(lazy="joined")
    giver: Mapped[User] = relationship(foreign_keys=[offered_by], lazy="joined")
    taker: Mapped[User | None] = relationship(foreign_keys=[taken_by], lazy="joined")

    __table_args__ = (
        Index(  # a shift is offered once at a time
            "shift_swap_open", "shift_id", unique=True,
            sqlite_where=text("state IN ('offered', 'taken')"),
            postgresql_where=text("state IN ('offered', 'taken')"),
        ),
        Index("shift_swap_shift", "shift_id"),
    )


class ShiftEvent(Base):
    """What somebody did to the roster, a swap, a handover or an instruction. Rows only come."""

    __tablename__ = "shift_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))  # login, or `scheduler`
    what: Mapped[str] = mapped_column(String(24))  # a crm.shifts.events.What
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (Index("shift_event_what", "what", "at"),)


class Handover(Base):
    """What one lead leaves to the next, as it stood at the first signature
    (crm.shifts.handovers)."""

    __tablename__ = "handover"

    id: Mapped[int] = mapped_column(primary_key=True)
    outgoing: Mapped[str] = mapped_column(String(32))  # login
    signed_at: Mapped[datetime]  # by the outgoing lead
    incoming: Mapped[str | None] = mapped_column(String(32))
    taken_at: Mapped[datetime | None]  # signed by the incoming lead
    withdrawn_at: Mapped[datetime | None]  # by whoever signed first, before the second did
    # true until it is taken or withdrawn, then nothing: so one waits at a time
    waits: Mapped[bool | None] = mapped_column(default=True, unique=True)
    snapshot: Mapped[dict[str, Any]]  # crm.shifts.standing; numbers of callers are masked
    remarks: Mapped[str] = mapped_column(Sealed, default="")
    answer: Mapped[str] = mapped_column(Sealed, default="")  # remarks of the incoming lead
    digest: Mapped[str] = mapped_column(String(64))  # of what was signed


class Instruction(Base):
    """What everybody at the desks must have read (crm.shifts.instructions). A changed text is a new
    version: a row of its own with the same `series`."""

    __tablename__ = "instruction"

    id: Mapped[int] = mapped_column(primary_key=True)
    series: Mapped[int]  # id of the first version
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    written_by: Mapped[str] = mapped_column(String(32))
    written_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # withdrawn, or a newer version came
    ended_by: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        UniqueConstraint("series", "version"), Index("instruction_expires", "expires_at"),
    )


class InstructionRead(Base):
    """Somebody has said that they have read an instruction."""

    __tablename__ = "instruction_read"

    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"), primary_key=True)
    login: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]


class Finding(Base):
    """What `hotline doctor` finds amiss, as of its last run by the scheduler."""

    __tablename__ = "finding"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    status: Mapped[str] = mapped_column(String(8))  # failure | warning
    detail: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
