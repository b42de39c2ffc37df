"""The bulletin behind key 8: approved texts, one of which is live or none.

An older version stays and can be made live again. What the telephone plays is the switch `bulletin`
(crm.switches), which names a sound: it changes at once and without a reload, and a bulletin is live
only when its sound has been made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import switches
from crm.calls.rows import iso
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.models import Bulletin

LONGEST = 2500  # letters: about three minutes
KEPT_AS_SOUND = 10  # versions that can be made live again at once


class BulletinError(HotlineError):
    """There is no such bulletin, or it cannot be published; one sentence."""


def approve(session: Session, text: str, *, by: str, now: datetime) -> Bulletin:
    """Keep an approved text; it is not live yet. Raises BulletinError."""
    text = " ".join(text.split())
    if not text or len(text) > LONGEST:
        raise BulletinError(f"a bulletin has 1 to {LONGEST} letters")
    if not by.strip():
        raise BulletinError("a bulletin names who has approved it")
    made = Bulletin(text=text, approved_by=by.strip()[:80], approved_at=now)
    session.add(made)
    session.flush()
    return made


def spoken(bulletin: Bulletin) -> str:
    """What callers hear: of when it is, then the text."""
    at = bulletin.approved_at.astimezone(VIETNAM)
    return f"Bản tin cập nhật lúc {at:%H:%M}, ngày {at:%d/%m/%Y}. {bulletin.text}"


def go_live(session: Session, number: int, sound: str, *, by: str, now: datetime) -> None:
    """From now on callers hear this one; `sound` is what says it. Raises BulletinError."""
    bulletin = numbered(session, number)
    for other in session.scalars(select(Bulletin).where(Bulletin.live_since.is_not(None))):
        other.live_since = None
    bulletin.live_since, bulletin.sound = now, sound
    switches.want(session, switches.BULLETIN, sound, by=by, now=now)


def withdraw(session: Session, *, by: str, now: datetime) -> Bulletin:
    """No bulletin is live any more; returns the one that was. Raises BulletinError."""
    bulletin = live(session)
    if bulletin is None:
        raise BulletinError("no bulletin is live")
    bulletin.live_since = None
    bulletin.withdrawn_at, bulletin.withdrawn_by = now, by
    switches.want(session, switches.BULLETIN, "none", by=by, now=now)
    return bulletin


def live(session: Session) -> Bulletin | None:
    """The one that callers hear now."""
    return session.scalar(select(Bulletin).where(Bulletin.live_since.is_not(None)))


def numbered(session: Session, number: int) -> Bulletin:
    found = session.get(Bulletin, number)
    if found is None:
        raise BulletinError(f"there is no bulletin {number}")
    return found


def latest(session: Session, limit: int) -> list[Bulletin]:
    """The last `limit` bulletins, oldest first."""
    newest = select(Bulletin).order_by(Bulletin.id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def spoken_texts(session: Session) -> list[str]:
    """What must stay as sound."""
    there = live(session)
    kept = latest(session, KEPT_AS_SOUND)
    return [spoken(one) for one in (*kept, *([there] if there else []))]


def as_json(bulletin: Bulletin) -> dict[str, Any]:
    """A bulletin for programs. Times are ISO 8601 in UTC."""
    def time(at: datetime | None) -> str | None:
        return iso(at) if at else None

    return {
        "number": bulletin.id, "text": bulletin.text, "approved_by": bulletin.approved_by,
        "approved_at": iso(bulletin.approved_at), "live_since": time(bulletin.live_since),
        "withdrawn_at": time(bulletin.withdrawn_at),
    }
