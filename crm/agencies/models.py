"""The tables of the people in agencies who handle cases, and of what they hold in hand."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Agency, Case
from crm.field_keys import SealedSecret
from crm.models import Base


class Post(StrEnum):
    """What a person of an agency does with cases."""

    OFFICER = "officer"  # handles them
    LEADER = "leader"  # approves answers, hears of what is late
    DUTY = "duty"  # the telephone that is rung at night


class Officer(Base):
    """A person of an agency, from `valid_from` to `valid_to` (both days included)."""

    __tablename__ = "officer"

    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    name: Mapped[str] = mapped_column(String(80))
    post: Mapped[str] = mapped_column(String(8))  # a Post
    phone: Mapped[str] = mapped_column(String(20))  # codes and reminders go to it
    email: Mapped[str | None] = mapped_column(String(120))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    login: Mapped[str | None] = mapped_column(String(32), unique=True)  # of their account
    agency: Mapped[Agency] = relationship()

    __table_args__ = (Index("officer_agency", "agency_id", "post"),)


class Delegation(Base):
    """A leader lets somebody else approve, from one day to another (both included)."""

    __tablename__ = "delegation"

    id: Mapped[int] = mapped_column(primary_key=True)
    leader_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    to_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    from_day: Mapped[date] = mapped_column(Date)
    to_day: Mapped[date] = mapped_column(Date)
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    leader: Mapped[Officer] = relationship(foreign_keys=[leader_id])
    to: Mapped[Officer] = relationship(foreign_keys=[to_id])


class CaseLink(Base):
    """An officer's way to one case: an address that only they have, and a code to their telephone.
    It is kept as hashes."""

    __tablename__ = "case_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"))
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    made_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]  # the first right code
    ended_at: Mapped[datetime | None]
    code: Mapped[str | None] = mapped_column(String(64))
    code_sent_at: Mapped[datetime | None]
    code_misses: Mapped[int] = mapped_column(default=0)  # since the last right one
    case: Mapped[Case] = relationship()
    officer: Mapped[Officer] = relationship()

    __table_args__ = (Index("case_link_case", "case_id", "ended_at"),)


class Draft(Base):
    """An answer that waits for the leader of the agency that wrote it."""

    __tablename__ = "draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"))
    text: Mapped[str] = mapped_column(SealedSecret)
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(40))
    approved: Mapped[bool | None]

    __table_args__ = (Index("draft_case", "case_id", "decided_at"),)


class DutyRound(Base):
    """The telephones on duty are rung for a case until somebody takes it on."""

    __tablename__ = "duty_round"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"))
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    begun_at: Mapped[datetime]
    tries: Mapped[int]
    next_at: Mapped[datetime | None]  # None: taken on, or of no use any more
    taken_at: Mapped[datetime | None]
    taken_by: Mapped[str | None] = mapped_column(String(20))  # the number that was rung
    case: Mapped[Case] = relationship()
    agency: Mapped[Agency] = relationship()

    __table_args__ = (Index("duty_round_next", "next_at"), Index("duty_round_case", "case_id"))
