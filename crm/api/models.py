"""The tables behind the API of programs. Times are aware UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.field_keys import Sealed, SealedJson
from crm.models import Base


class ApiToken(Base):
    """A key of a program (crm.api.tokens); of the key itself there is only a hash."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256, hex
    scopes: Mapped[list[Any]]  # of crm.api.tokens.Scope
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class KeptAnswer(Base):
    """What a request with an Idempotency-Key led to, for whoever sends it again."""

    __tablename__ = "api_answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_token.id"))
    key: Mapped[str] = mapped_column(String(64))
    request_hash: Mapped[str] = mapped_column(String(64))  # of method, path and body
    status: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(SealedJson)
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("token_id", "key"), Index("api_answer_at", "at"))


class Webhook(Base):
    """An address that is told what happens to cases (crm.api.webhooks)."""

    __tablename__ = "webhook"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(Sealed)  # it signs, so it cannot be a hash
    events: Mapped[list[Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(32))
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str | None] = mapped_column(String(8))  # removed | gone | failing


class WebhookDelivery(Base):
    """One event for one webhook, written with the change that it tells of."""

    __tablename__ = "webhook_delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id"))
    message: Mapped[str] = mapped_column(String(32))  # id of the event, the same in each attempt
    event: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(Text)  # JSON as it is signed and sent
    state: Mapped[str] = mapped_column(String(8))  # waiting | sent | failed
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    give_up_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(200))
    webhook: Mapped[Webhook] = relationship()

    __table_args__ = (
        Index("webhook_delivery_due", "webhook_id", "state", "next_attempt_at"),
        Index("webhook_delivery_created", "created_at"),
    )
