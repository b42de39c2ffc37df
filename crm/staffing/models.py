"""Counts by half-hour of Vietnam's day: 0 is from 00:00, 47 from 23:30."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Date, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class HalfHour(Base):
    """Callers of a branch who came to its queue in a half-hour; of the days in `counted_day`
    (crm.staffing.history)."""

    __tablename__ = "half_hour"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    branch: Mapped[str] = mapped_column(String(16), primary_key=True)
    offered: Mapped[int]
    answered: Mapped[int]
    in_time: Mapped[int]  # answered within the agreed seconds, as they were when it was counted
    counted: Mapped[int]  # offered, less those who gave up at once
    abandoned: Mapped[int]
    wait_ms: Mapped[int] = mapped_column(BigInteger)  # of all, together
    handled_ms: Mapped[int] = mapped_column(BigInteger)  # of the answered, together
