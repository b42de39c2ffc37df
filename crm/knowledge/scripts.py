"""Scripts as articles: which is read in a scene, who has approved it, and those that come with the
hotline."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.clock import vietnam_day
from crm.knowledge import articles
from crm.knowledge.models import Article, State
from crm.knowledge.scenes import SceneError

FILE = Path(__file__).parent.parent / "data" / "scripts.vi.yaml"
REVIEW_AFTER = timedelta(days=180)
LONGEST_APPROVER = 160


def published(session: Session) -> dict[str, Article]:
    """The script of each scene: of several the one that was changed last."""
    found = session.scalars(
        select(Article).where(Article.scene != "", Article.state == State.PUBLISHED)
        .order_by(Article.changed_at)
    )
    return {one.scene: one for one in found}


def approve(session: Session, article: Article, department: str, now: datetime) -> None:
    """The department that answers for a script has approved it as it is now. Raises SceneError."""
    department = " ".join(department.split())
    if not 3 <= len(department) <= LONGEST_APPROVER:
        raise SceneError("say which department approved it, and by which letter")
    article.approved_version, article.approved_by = article.version, department
    article.approved_at = now


def is_approved(article: Article) -> bool:
    """Whether what it says now has been approved: a change needs a new approval."""
    return article.approved_version == article.version


def take_in(session: Session, owner: str, now: datetime) -> int:
    """The scripts that come with the hotline, each where there is none of its scene yet."""
    there = set(session.scalars(select(Article.scene).where(Article.scene != "")))
    wanted = [
        one for one in yaml.safe_load(FILE.read_text(encoding="utf-8"))
        if one["scene"] not in there
    ]
    review = vietnam_day(now + REVIEW_AFTER)
    for one in wanted:
        articles.save(session, articles.parse(session, {
            "code": f"kich-ban-{one['scene']}", "category": "other", "title": one["title"],
            "body": one["body"], "owner": owner, "review_on": review.isoformat(),
            "state": State.PUBLISHED, "scene": one["scene"],
        }), by=owner, now=now)
    return len(wanted)
