"""The ledger of consents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class Consent(Base):
    """Somebody said yes, no, or no more. Rows are added and never changed."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(String(20))
    purpose: Mapped[str] = mapped_column(String(12))  # a crm.privacy.consents.Purpose
    said: Mapped[str] = mapped_column(String(8))  # given | refused | ended
    version: Mapped[str] = mapped_column(String(16))  # of the text that was read or heard
    channel: Mapped[str] = mapped_column(String(12))  # web | call | counter | letter
    evidence: Mapped[str] = mapped_column(String(200))  # the call's id, the case's code, a letter
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("consent_phone", "phone", "purpose", "id"),)
