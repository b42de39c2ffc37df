"""The table of citizens: one row for each number of which more is known than its calls."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
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
