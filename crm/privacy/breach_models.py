"""The table of incidents with personal data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class Breach(Base):
    """Personal data was lost, changed, or seen by somebody who may not."""

    __tablename__ = "breach"

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    data: Mapped[str] = mapped_column(String(400))  # which kinds, of whom
    people: Mapped[int | None]  # how many, as far as it is known
    discovered_at: Mapped[datetime]
    entered_at: Mapped[datetime]
    entered_by: Mapped[str] = mapped_column(String(32))
    measures: Mapped[str] = mapped_column(Text, default="")
    notified_at: Mapped[datetime | None]  # the authority
    notice_number: Mapped[str] = mapped_column(String(80), default="")
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(Text, default="")
    reminded: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("breach_notified", "notified_at", "discovered_at"),)
