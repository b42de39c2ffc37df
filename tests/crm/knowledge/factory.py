"""Articles and contact points for tests; no such place is real."""

from __future__ import annotations

from sqlalchemy.orm import Session

from crm.knowledge import articles, points
from crm.knowledge.models import Article, ContactPoint
from crm.models import User
from tests.crm.cases.factory import NOW

WARD = "14758"  # Phường Hàm Rồng

POINT = {
    "code": "", "kind": "vaccination", "name": "Điểm tiêm chủng Mẫu Một", "area": WARD,
    "address": "Số 1 đường Mẫu", "hours": "T2-T6 07:30-11:30,13:30-17:00; T7 07:30-11:30",
    "phones": "0237 3000 000", "valid_from": "", "valid_to": "", "note": "",
}
ARTICLE = {
    "code": "", "category": "care", "title": "Khi bị đau họng",
    "body": "Uống nước ấm.\n\n- Nghỉ ngơi\n- Đeo khẩu trang", "owner": "huy",
    "review_on": "2026-06-01", "state": "published",
}


def point(session: Session, **told: str) -> ContactPoint:
    return points.save(session, points.parse(POINT | told, NOW), by="huy", now=NOW)


def owner(session: Session, login: str = "huy") -> None:
    session.add(User(
        login=login, name=login.title(), role="supervisor", password_hash="x", queues=[],
        language="vi", active=True, created_at=NOW,
    ))
    session.flush()


def article(session: Session, **told: str) -> Article:
    """`owner` must have an account."""
    return articles.save(session, articles.parse(session, ARTICLE | told), by="huy", now=NOW)
