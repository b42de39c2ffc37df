"""The tables of articles and contact points. Times are aware UTC, days those of Vietnam."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.models import Base


class State(StrEnum):
    """Who may read an article: agents see published ones only."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class PointKind(StrEnum):
    """What a contact point is for."""

    TEST = "test"
    VACCINATION = "vaccination"
    CARE = "care"
    QUARANTINE = "quarantine"
    RELIEF = "relief"


class Article(Base):
    """An article as it is now: its newest version."""

    __tablename__ = "article"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(60), unique=True)  # dau-hong
    category: Mapped[str] = mapped_column(String(24))  # crm.cases.categories
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(32))  # login of who keeps it right
    review_on: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(10))  # a State
    # of a script (crm.knowledge.scenes): where it is read from; empty: an ordinary article
    scene: Mapped[str] = mapped_column(String(24), default="", server_default="")
    version: Mapped[int]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(32))
    # by the department that answers for it; counts for one version
    approved_version: Mapped[int | None]
    approved_by: Mapped[str] = mapped_column(String(160), default="", server_default="")
    approved_at: Mapped[datetime | None]

    __table_args__ = (
        Index("article_category", "category", "state"), Index("article_review", "review_on"),
        Index("article_scene", "scene", "state"),
    )


class ArticleVersion(Base):
    """An article as it was, from `at` on. Versions are never changed."""

    __tablename__ = "article_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id"))
    number: Mapped[int]
    category: Mapped[str] = mapped_column(String(24))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(32))
    review_on: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(10))
    scene: Mapped[str] = mapped_column(String(24), default="", server_default="")
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))

    __table_args__ = (UniqueConstraint("article_id", "number"),)


class ContactPoint(Base):
    """Where citizens go or ring, from `valid_from` to `valid_to` (both days included)."""

    __tablename__ = "contact_point"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(12))  # a PointKind
    name: Mapped[str] = mapped_column(String(160))
    area: Mapped[str] = mapped_column(String(8))  # code of a unit of today: crm.areas
    address: Mapped[str] = mapped_column(String(240))
    hours: Mapped[str] = mapped_column(String(200))  # crm.knowledge.hours; empty: not known
    phones: Mapped[list[Any]] = mapped_column(default=list)  # 02373852432
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    note: Mapped[str] = mapped_column(String(500))
    version: Mapped[int]  # counts its changes
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("contact_point_area", "kind", "area"),)
