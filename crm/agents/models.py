"""The tables of the agents' work. Times are aware UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.cases.models import Case
from crm.field_keys import Sealed
from crm.models import Base


class PauseLimit(Base):
    """How long a pause of a reason may be; None: as long as it takes."""

    __tablename__ = "pause_limit"

    reason: Mapped[str] = mapped_column(String(12), primary_key=True)  # a crm.desk.PauseReason
    at_once_min: Mapped[int | None]
    per_day_min: Mapped[int | None]
    changed_at: Mapped[datetime | None]
    changed_by: Mapped[str | None] = mapped_column(String(32))


class PauseSpell(Base):
    """An agent was paused, as Asterisk told it. The listener writes it."""

    __tablename__ = "pause_spell"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(40))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("pause_spell_login", "login", "began_at"), Index("pause_spell_began", "began_at"),
        Index(
            "pause_spell_open", "login", unique=True,
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
    )


class HelpCall(Base):
    """An agent asks for help, in a call or without one; one at a time."""

    __tablename__ = "help_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(32))
    call_id: Mapped[str | None] = mapped_column(String(80))
    asked_at: Mapped[datetime]
    taken_by: Mapped[str | None] = mapped_column(String(32))
    taken_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]
    cleared_by: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        Index(
            "help_call_open", "agent", unique=True,
            sqlite_where=text("cleared_at IS NULL"), postgresql_where=text("cleared_at IS NULL"),
        ),
    )


class RescueCall(Base):
    """A call into which an agent has called an emergency service or a help line. `seen`: by a
    supervisor."""

    __tablename__ = "rescue_call"

    call_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    agent: Mapped[str] = mapped_column(String(32))
    to: Mapped[str] = mapped_column(String(24))  # service-medical, 111
    at: Mapped[datetime]
    case_id: Mapped[int] = mapped_column(ForeignKey(Case.id), index=True)
    address: Mapped[str] = mapped_column(Sealed, default="")  # where help is to come to
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        Index(
            "rescue_call_open", "at",
            sqlite_where=text("seen_at IS NULL"), postgresql_where=text("seen_at IS NULL"),
        ),
    )


class CallResult(Base):
    """What may be noted as the result of a call, and what that needs."""

    __tablename__ = "call_result"

    code: Mapped[str] = mapped_column(String(24), primary_key=True)
    vi: Mapped[str] = mapped_column(String(60))
    en: Mapped[str] = mapped_column(String(60))
    branches: Mapped[list[Any]] = mapped_column(default=list)  # empty: of all
    needs_case: Mapped[bool] = mapped_column(default=False)
    shortest_note: Mapped[int] = mapped_column(default=0)  # letters
    position: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    changed_at: Mapped[datetime | None]
    changed_by: Mapped[str | None] = mapped_column(String(32))
