"""The tables of people's rights in their data: requests, holds, and what was erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class PrivacyRequest(Base):
    """Somebody asks to see, correct or have erased what the hotline has of their number."""

    __tablename__ = "privacy_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))  # a crm.privacy.requests.Kind
    phone: Mapped[str | None] = mapped_column(String(20))  # None once it was erased
    phone_key: Mapped[str] = mapped_column(String(64))  # see crm.privacy.erasure.key_of
    requester: Mapped[str] = mapped_column(String(160))
    checked: Mapped[str] = mapped_column(String(200))  # how it was made sure who asks
    state: Mapped[str] = mapped_column(String(8))  # a crm.privacy.requests.State
    received_at: Mapped[datetime]
    answer_by: Mapped[datetime]  # that it was received
    due_at: Mapped[datetime]
    extended: Mapped[bool] = mapped_column(default=False)
    entered_by: Mapped[str] = mapped_column(String(32))
    decided_by: Mapped[str | None] = mapped_column(String(32))
    decided_at: Mapped[datetime | None]
    ground: Mapped[str] = mapped_column(Text, default="")  # of a refusal
    done_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]  # how many of what
    reminded: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("privacy_request_state", "state", "due_at"),)


class LegalHold(Base):
    """What must be kept although its time is over or its owner wants it erased."""

    __tablename__ = "legal_hold"

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(String(20), index=True)
    reason: Mapped[str] = mapped_column(String(400))
    by: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Erased(Base):
    """A number whose data was erased, by its keyed hash: a backup that comes back loses it again.
    """

    __tablename__ = "erased"

    phone_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
    counts: Mapped[dict[str, Any]]
