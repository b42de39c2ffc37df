"""The tables of messages to people. Times are aware UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

import crm.broadcasts.models
import crm.cases.models  # noqa: F401 - rows of theirs are named here, in whatever program
from crm.field_keys import Sealed
from crm.models import Base


class Channel(StrEnum):
    SMS = "sms"
    EMAIL = "email"
    ZALO = "zalo"
    VOICE = "voice"


class Purpose(StrEnum):
    """Why a notice is written; some ignore quiet hours and opting out (crm.notices.outbox)."""

    ALARM = "alarm"
    CASE = "case"
    REMINDER = "reminder"
    LINK = "link"
    CODE = "code"
    REPORT = "report"
    BROADCAST = "broadcast"
    KNOWLEDGE = "knowledge"


class State(StrEnum):
    """Where a notice is; which moves are allowed stands in crm.notices.states."""

    WAITING = "waiting"
    SENDING = "sending"  # claimed: a worker asks the provider
    SENT = "sent"  # the provider has taken it
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"  # its recipient has opted out
    # of a broadcast only (crm.broadcasts)
    HELD = "held"  # until it is approved and started
    UNKNOWN = "unknown"  # nobody knows whether it was taken: not sent again
    CANCELLED = "cancelled"  # stopped before it went


class Notice(Base):
    """One message to one person on one channel, written first and sent after the commit."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(8))  # a Channel
    purpose: Mapped[str] = mapped_column(String(12))  # a Purpose
    recipient: Mapped[str] = mapped_column(String(254))  # 0912345678, or an e-mail address
    subject: Mapped[str] = mapped_column(String(200))  # of an e-mail; of an alarm: what it is about
    body: Mapped[str] = mapped_column(Text)
    template: Mapped[str | None] = mapped_column(String(64))  # the provider's id of it (ZNS)
    params: Mapped[dict[str, str] | None] = mapped_column(JSON)
    key: Mapped[str | None] = mapped_column(String(120), unique=True)  # written once for each key
    case_id: Mapped[int | None] = mapped_column(ForeignKey("citizen_case.id"))
    # sent by crm.broadcasts.sending, at most once, and not by crm.notices.delivery
    broadcast_id: Mapped[int | None] = mapped_column(ForeignKey("broadcast.id"))
    urgent: Mapped[bool]
    personal: Mapped[bool]  # about a person: not for foreign services
    state: Mapped[str] = mapped_column(String(10))  # a State
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]  # while it is being sent: when another worker may take it
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]  # delivered, failed or suppressed
    provider: Mapped[str | None] = mapped_column(String(10))  # twilio | gateway | smpp | ...
    provider_id: Mapped[str | None] = mapped_column(String(100))
    error: Mapped[str | None] = mapped_column(String(300))
    files: Mapped[list[NoticeFile]] = relationship(order_by="NoticeFile.id")

    __table_args__ = (
        Index("notice_due", "state", "next_attempt_at"),
        Index("notice_receipt", "provider", "provider_id"),
        Index("notice_case", "case_id"),
        Index("notice_broadcast", "broadcast_id", "state", "next_attempt_at", "id"),
    )


class NoticeFile(Base):
    """What an e-mail brings with it: its bytes, or the path of a file."""

    __tablename__ = "notice_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notice.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(100))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    path: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("notice_file_notice", "notice_id"),)


class StrayReceipt(Base):
    """A delivery report with an id that no notice had when it came: one that was faster than our
    own note of what was sent, or one of somebody else. Kept for a week."""

    __tablename__ = "stray_receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(10))
    provider_id: Mapped[str] = mapped_column(String(100))
    delivered: Mapped[bool]
    error: Mapped[str | None] = mapped_column(String(300))
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("provider", "provider_id"),)


class OptOut(Base):
    """A number that wants no messages."""

    __tablename__ = "opt_out"

    recipient: Mapped[str] = mapped_column(String(254), primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))  # reply, or a login


class ZaloTokens(Base):
    """The tokens of the official account, which change with each renewal; one row."""

    __tablename__ = "zalo_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    access: Mapped[str] = mapped_column(Sealed)
    refresh: Mapped[str] = mapped_column(Sealed)
    expires_at: Mapped[datetime]
    renewing_until: Mapped[datetime]  # a worker renews them now
    seed: Mapped[str] = mapped_column(String(64))  # digest of the first token, as it was set


class ForeignUse(Base):
    """On which legal basis texts about people went through a foreign service, and since when."""

    __tablename__ = "foreign_use"

    id: Mapped[int] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(String(12))
    basis: Mapped[str] = mapped_column(String(300))
    since: Mapped[datetime]
    until: Mapped[datetime | None]
