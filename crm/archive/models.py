"""The table of archived months."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Date
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class ArchivedMonth(Base):
    """A month of Vietnam whose calls stand in a file. From then on reports read the counts that
    were kept of it, whatever rows of it are left or brought back."""

    __tablename__ = "archived_month"

    month: Mapped[date] = mapped_column(Date, primary_key=True)  # its first day
    counts: Mapped[dict[str, Any]]  # rows in the file, by table
    size: Mapped[int] = mapped_column(BigInteger)  # of the file, in bytes
    archived_at: Mapped[datetime]
    restored_until: Mapped[datetime | None]  # its rows are back, and go again then
    # what calls told of their callers is deleted from the file (keep_callers_days)
    nameless: Mapped[bool] = mapped_column(default=False)
