"""The table of citizens: one row for each number of which more is known than its calls."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.field_keys import Sealed
from crm.models import Base


class Citizen(Base):
    """Whoever has a number."""

    __tablename__ = "citizen"

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(String(20), unique=True)  # as dialled at home
    e164: Mapped[str | None] = mapped_column(String(17))
    kind: Mapped[str] = mapped_column(String(8))  # a crm.citizens.numbers.Kind
    name: Mapped[str] = mapped_column(Sealed, default="")  # as they want to be called
    language: Mapped[str] = mapped_column(String(16), default="")  # that they would rather speak
    note: Mapped[str] = mapped_column(Sealed, default="")  # what every agent should know
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(32))
    # the same for all numbers of one person (crm.citizens.persons); None: the only one
    person: Mapped[int | None] = mapped_column(index=True)


class CitizenEvent(Base):
    """Two numbers were said to be one person's, or not to be any more. Rows are only added."""

    __tablename__ = "citizen_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(String(20))
    other: Mapped[str] = mapped_column(String(20))
    what: Mapped[str] = mapped_column(String(8))  # joined | parted
    reason: Mapped[str] = mapped_column(Sealed)
    by: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]

    __table_args__ = (
        Index("citizen_event_phone", "phone", "id"), Index("citizen_event_other", "other", "id"),
    )
