"""The tables of tracing: requests of authorities, and every look at what they concern."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class TraceRequest(Base):
    """An authority asks which calls and cases of ours concern a number."""

    __tablename__ = "trace_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(String(20))  # as dialled at home
    reference: Mapped[str] = mapped_column(String(60))  # the number of the authority's letter
    requester: Mapped[str] = mapped_column(String(160))  # who asks, of which authority
    basis: Mapped[str] = mapped_column(Text)  # by which law, for what
    asked_by: Mapped[str] = mapped_column(String(32))
    asked_at: Mapped[datetime]
    approved_by: Mapped[str | None] = mapped_column(String(32))
    approved_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(32))


class TraceLook(Base):
    """Somebody looked, or was refused. Never changed."""

    __tablename__ = "trace_look"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int | None] = mapped_column(ForeignKey("trace_request.id"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))
    what: Mapped[str] = mapped_column(String(8))  # asked | approved | page | csv | ended
    refused: Mapped[str | None] = mapped_column(String(16))  # why; None: it was done

    __table_args__ = (Index("trace_look_request", "request_id", "id"),)
