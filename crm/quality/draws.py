"""Which calls are judged: as many of each agent, of the branches in turn, drawn by a recorded seed.

Who has the seed and the same calls draws the same: each call's place is the SHA-256 of both, which
nobody chose and anybody can compute.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.models import Call
from crm.quality.models import QualityDraw, QualityPick
from crm.recordings.listing import RECORDED
from crm.recordings.models import Sound

SHORTEST_MS = 30_000  # of talk
MOST_EACH = 50
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


class DrawError(HotlineError):
    """Nothing can be drawn; the message says why."""


@dataclass(frozen=True, order=True)
class Drawable:
    call: str
    agent: str
    branch: str


def pick(seed: str, each: int, pool: Iterable[Drawable]) -> list[Drawable]:
    """`each` calls of every agent, all where there are fewer. The branches take turns, those first
    of which the fewest were drawn so far, of all agents."""
    drawn: list[Drawable] = []
    taken: Counter[str] = Counter()
    of: dict[str, dict[str, list[Drawable]]] = defaultdict(lambda: defaultdict(list))
    for one in pool:
        of[one.agent][one.branch].append(one)
    for agent in sorted(of, key=lambda login: _place(seed, login)):
        lines = {
            branch: sorted(calls, key=lambda one: _place(seed, one.call), reverse=True)
            for branch, calls in of[agent].items()
        }
        own: Counter[str] = Counter()
        for _ in range(min(each, sum(map(len, lines.values())))):
            branch = min(
                (name for name, line in lines.items() if line),
                key=lambda name: (own[name], taken[name], _place(seed, agent + name)),
            )
            drawn.append(lines[branch].pop())
            own[branch] += 1
            taken[branch] += 1
    return sorted(drawn)


def draw(
    session: Session, week: str, each: int, *, by: str, now: datetime, seed: str = ""
) -> QualityDraw:
    """Draw the calls of a week that is over, once. Raises DrawError."""
    begin, end = _bounds(week)
    if end > now:
        raise DrawError("this week is not over yet")
    if not 1 <= each <= MOST_EACH:
        raise DrawError(f"1 to {MOST_EACH} calls of each agent")
    pool = _pool(session, begin, end)
    if not pool:
        raise DrawError("nothing of half a minute was recorded in this week")
    made = QualityDraw(
        week=week, seed=seed or secrets.token_hex(16), per_agent=each, pool=len(pool),
        pool_digest=digest(pool), drawn_at=now, drawn_by=by,
    )
    session.add(made)
    try:
        session.flush()
    except IntegrityError as error:
        raise DrawError("this week has been drawn already") from error
    session.add_all(
        QualityPick(draw_id=made.id, call_id=one.call, agent=one.agent, branch=one.branch)
        for one in pick(made.seed, each, pool)
    )
    session.flush()
    return made


def digest(pool: Iterable[Drawable]) -> str:
    return sha256("\n".join(one.call for one in sorted(pool)).encode()).hexdigest()


def week_before(now: datetime) -> str:
    """The last week that is over, in Vietnam: 2026-W47."""
    year, week, _ = (now.astimezone(VIETNAM) - timedelta(days=7)).isocalendar()
    return f"{year}-W{week:02d}"


def latest(session: Session, limit: int) -> list[QualityDraw]:
    return list(session.scalars(
        select(QualityDraw).order_by(QualityDraw.week.desc()).limit(limit)
    ))


def _pool(session: Session, begin: datetime, end: datetime) -> list[Drawable]:
    rows = session.execute(
        select(Call.id, Call.agent, Call.branch).outerjoin(Sound, Sound.name == Call.recording)
        .where(
            RECORDED, Call.recording.is_not(None), Call.started_at >= begin,
            Call.started_at < end, Call.agent.is_not(None), Call.talk_ms >= SHORTEST_MS,
            Sound.discarded_at.is_(None), Call.kind == "citizen",
        )
    )
    return sorted(Drawable(id_, agent or "", branch or "") for id_, agent, branch in rows)


def _bounds(week: str) -> tuple[datetime, datetime]:
    match = _WEEK.fullmatch(week)
    try:
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        monday = None
    if monday is None:
        raise DrawError("a week is written 2026-W48")
    begin = datetime.combine(monday, time(), VIETNAM)
    return begin.astimezone(UTC), (begin + timedelta(days=7)).astimezone(UTC)


def _place(seed: str, name: str) -> bytes:
    return sha256(f"{seed}\n{name}".encode()).digest()
