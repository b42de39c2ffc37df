"""Tables of quality: cards with versions, draws of calls, evaluations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.field_keys import Sealed
from crm.models import Base


class ScoreCard(Base):
    """A card that calls are judged by; what it asks stands in its versions."""

    __tablename__ = "score_card"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    active: Mapped[bool] = mapped_column(default=True)


class CardVersion(Base):
    """What a card asks, from when it was made on; never changed."""

    __tablename__ = "card_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("score_card.id"))
    number: Mapped[int]
    questions: Mapped[list[Any]]  # see crm.quality.cards.Question
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(32))

    __table_args__ = (UniqueConstraint("card_id", "number"),)


class QualityDraw(Base):
    """Calls drawn of one week: whoever has the seed and the calls draws the same."""

    __tablename__ = "quality_draw"

    id: Mapped[int] = mapped_column(primary_key=True)
    week: Mapped[str] = mapped_column(String(8), unique=True)  # 2026-W48
    seed: Mapped[str] = mapped_column(String(32))
    per_agent: Mapped[int]
    pool: Mapped[int]  # calls that it was drawn from
    pool_digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of their ids in order
    drawn_at: Mapped[datetime]
    drawn_by: Mapped[str] = mapped_column(String(32))


class QualityPick(Base):
    """A call that was drawn."""

    __tablename__ = "quality_pick"

    id: Mapped[int] = mapped_column(primary_key=True)
    draw_id: Mapped[int] = mapped_column(ForeignKey("quality_draw.id"), index=True)
    call_id: Mapped[str] = mapped_column(String(80), unique=True)
    agent: Mapped[str] = mapped_column(String(32))
    branch: Mapped[str] = mapped_column(String(16))


class Evaluation(Base):
    """A drawn call, judged once, and what its agent says to that."""

    __tablename__ = "evaluation"

    id: Mapped[int] = mapped_column(primary_key=True)
    pick_id: Mapped[int] = mapped_column(ForeignKey("quality_pick.id"), unique=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("card_version.id"))
    agent: Mapped[str] = mapped_column(String(32))
    evaluator: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
    answers: Mapped[dict[str, Any]]  # question's key → 0..5, or 0 | 1
    score: Mapped[int]  # of 10,000
    failed: Mapped[bool]  # a fatal question was not met
    note: Mapped[str] = mapped_column(Sealed)
    seen_at: Mapped[datetime | None]  # by the agent
    reply: Mapped[str | None] = mapped_column(Sealed)
    replied_at: Mapped[datetime | None]

    __table_args__ = (
        Index("evaluation_agent", "agent", "at"), Index("evaluation_at", "at"),
    )
