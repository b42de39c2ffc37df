"""What agents' work leaves behind, for scripts.bench.generate: the parts of each call and their
phones, recordings, notes and results, calls back, rosters and pauses, judged calls, and people with
their numbers. Made of the calls that are there; the database makes whatever is not sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, text

from crm.agents.models import PauseSpell
from crm.citizens.models import Citizen, CitizenEvent
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import AgentEvent, Base, Role, User
from crm.quality import cards, draws, evaluations
from crm.quality.models import QualityPick
from crm.recordings.models import SoundNote
from crm.reports.spans import begin
from crm.shifts.models import Shift

AGENTS = 40
WEEKS_JUDGED = 52
_EACH_WEEK = 3  # calls of each agent that are drawn
_PORTION = 20_000
_FINISHED = timedelta(days=1)  # all calls before have a result
_RECORDED = "recording IS NOT NULL"
_SPOKE = "outcome = 'answered'"
# what, of which calls, leg, agent, party, how, result, ms
_SEGMENTS = (
    ("wait", "outcome <> 'self_served'", "NULL", "NULL", "NULL", "NULL",
     "CASE outcome WHEN 'abandoned_queue' THEN 'hangup' ELSE outcome END", "wait_ms"),
    ("offer", _SPOKE + " AND wait_ms % 4 = 0", "'.2'", "'agent1'", "NULL", "NULL", "'unanswered'",
     "15000"),
    ("offer", _SPOKE, "'.3'", "agent", "NULL", "NULL", "'taken'", "4000"),
    ("talk", _SPOKE, "'.3'", "agent", "NULL", "NULL", "NULL", "talk_ms"),
    ("hold", _SPOKE + " AND wait_ms % 20 = 0", "'.3'", "agent", "NULL", "NULL", "NULL", "20000"),
    ("wrapup", _SPOKE, "'.3'", "agent", "NULL", "NULL", "NULL", "30000"),
    ("transfer", _SPOKE + " AND wait_ms % 300 = 0", "'.3'", "agent", "'expert:1'", "'consult'",
     "'done'", "0"),
    ("offer", _SPOKE + " AND wait_ms % 300 = 0", "'.4'", "NULL", "'expert:1'", "NULL", "'taken'",
     "5000"),
    ("talk", _SPOKE + " AND wait_ms % 300 = 0", "'.4'", "NULL", "'expert:1'", "NULL", "NULL",
     "90000"),
)


@dataclass(frozen=True)
class History:
    """How many calls, spread evenly over a span that ends now."""

    calls: int
    now: datetime
    span: timedelta = timedelta(days=5 * 365)


def fill(database: Database, history: History) -> None:
    """All but what is drawn and judged."""
    number, now = history.calls, history.now
    _agents(database, history)
    statements = [*_segments(), *_others()]
    late = now - _FINISHED
    with database.engine.begin() as connection:
        for statement in statements:
            bound = {"late": f"{late:%Y-%m-%d %H:%M:%S.%f}" if database.is_sqlite else late}
            connection.execute(text(statement), bound if ":late" in statement else {})
    put(database, SoundNote, (
        {"name": f"th1.b1-{n}.1.raw", "at_ms": 20_000, "text": "hỏi lại địa chỉ", "by": "lan",
         "at": now} for n in range(3, number, 1500)
    ))
    put(database, Citizen, _citizens(number, now))
    put(database, CitizenEvent, (
        {"phone": _phone(n), "other": _phone(n + 50), "what": "joined", "by": "lan", "at": now,
         "reason": "cùng một người"} for n in range(0, number // 25, 100)
    ))


def judge(database: Database, history: History) -> None:
    """Calls drawn of each week of a year and judged, as people do it."""
    now = history.now
    with database.transaction() as session:
        version = cards.save(session, "Cuộc gọi", [
            ("Chào đúng câu", cards.Kind.YES_NO, 1, False),
            ("Hiểu đúng việc", cards.Kind.SCALE, 3, False),
        ], by="lan", now=now)
    for back in range(min(WEEKS_JUDGED, history.span // timedelta(weeks=1))):
        with database.transaction() as session:
            week = draws.week_before(now - timedelta(weeks=back))
            try:
                made = draws.draw(session, week, _EACH_WEEK, by="lan", now=now, seed=week)
            except draws.DrawError:
                continue  # too few calls for each week to have some
            for pick in session.scalars(
                select(QualityPick.id).where(QualityPick.draw_id == made.id)
            ).all():
                evaluations.judge(
                    session, pick, version.id, {"q1": 1, "q2": pick % 6}, "nghe rõ", by="lan",
                    now=now,
                )


def put(
    database: Database, table: type[Base], rows: Iterable[dict[str, Any]]
) -> None:
    """Many rows, some at once."""
    for portion in portions(rows):
        with database.engine.begin() as connection:
            connection.execute(insert(table), portion)


def portions(rows: Iterable[Any]) -> Iterator[list[Any]]:
    portion: list[Any] = []
    for row in rows:
        portion.append(row)
        if len(portion) == _PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _segments() -> Iterator[str]:
    for place, (what, which, leg, agent, party, how, result, ms) in enumerate(_SEGMENTS):
        first = "true" if what == "talk" else "false"
        yield (
            "INSERT INTO call_segment (call_id, number, what, leg_id, branch, queue, agent, party, "  # noqa: S608
            f"how, result, first, counted, started_at, ms) SELECT id, {place}, '{what}', "
            f"id || {leg}, branch, queue, {agent}, {party}, {how}, {result}, {first}, true, "
            f"started_at, {ms} FROM call WHERE {which}"
        )


def _others() -> Iterator[str]:
    yield (
        "INSERT INTO leg (id, call_id, kind, endpoint, agent, started_at, answered_at, ended_at, "  # noqa: S608
        "talk_ms) SELECT id || '.3', id, 'agent', 'seat-001', agent, started_at, started_at, "
        f"ended_at, talk_ms FROM call WHERE {_SPOKE}"
    )
    yield (  # one call in a hundred of the last day has no result yet
        "INSERT INTO call_note (call_id, user_id, text, result, created_at, saved_at, done) "  # noqa: S608
        "SELECT call.id, user_account.id, 'đã hướng dẫn ' || call.id, (SELECT min(code) FROM "
        "call_result), started_at, started_at, true FROM call JOIN user_account ON login = agent "
        f"WHERE {_SPOKE} AND (started_at < :late OR wait_ms % 100 <> 0)"
    )
    yield (
        "INSERT INTO callback (id, node, number, queue, branch, arrived_at, asked_at, tries, "
        "tried_at, ended_at, result, facts) SELECT id, node, caller, queue, branch, queued_at, "
        "queued_at, 1, queued_at, queued_at, 'done', '{}' FROM call WHERE outcome = 'callback'"
    )
    yield (  # whoever called in vain has been rung back, but for the last ones
        "INSERT INTO missed_caller (number, taken_by, taken_at, done_at, done_by, result) SELECT "
        "caller, 'lan', max(started_at), max(started_at), 'lan', 'helped' FROM call WHERE outcome "
        "= 'abandoned_queue' AND caller IS NOT NULL AND started_at < :late GROUP BY caller"
    )
    yield (
        "INSERT INTO line_quality (leg, call_id, agent, at, samples, mean, worst, loss, jitter, "  # noqa: S608
        "round_trip) SELECT 'q' || id, id, agent, started_at, 30, 4.1, 3.2 + (wait_ms % 10) / "
        f"10.0, 0.4, 12, 40 FROM call WHERE {_SPOKE} AND wait_ms % 12 = 0"
    )
    yield (
        "INSERT INTO sound (name, kind, call_id, length_ms, size, digest, sealed_at, checked_at) "  # noqa: S608
        "SELECT recording, 'recordings', id, talk_ms, talk_ms * 32, '', started_at, started_at "
        f"FROM call WHERE {_RECORDED}"
    )
    yield (
        "INSERT INTO sound (name, kind, call_id, length_ms, size, digest, sealed_at, checked_at) "
        "SELECT voicemail, 'voicemail', id, 30000, 480044, '', started_at, started_at FROM call "
        "WHERE voicemail IS NOT NULL"
    )
    yield (
        "INSERT INTO sound_use (name, call_id, at, by, act, why) SELECT recording, id, started_at, "  # noqa: S608
        f"'lan', 'play', '' FROM call WHERE {_RECORDED} AND wait_ms % 60 = 0"
    )


def _agents(database: Database, history: History) -> None:
    """Accounts, and of each day when they were rostered, signed in and paused."""
    now = history.now
    put(database, User, (
        {"login": f"agent{n}", "name": f"Điện thoại viên {n}", "role": Role.AGENT.value,
         "password_hash": "", "language": "vi", "queues": ["operator"], "levels": {},
         "active": True, "created_at": now - history.span}
        for n in range(1, AGENTS + 1)
    ))
    with database.reading() as session:
        ids = {one.login: one.id for one in session.scalars(select(User))}
    days = [begin(vietnam_day(now) - timedelta(days=back))
            for back in range(history.span.days, -8, -1)]
    put(database, Shift, (
        {"user_id": ids[f"agent{n}"], "begins_at": day + timedelta(hours=7 + n % 3 * 4),
         "ends_at": day + timedelta(hours=15 + n % 3 * 4), "branch": ""}
        for day in days for n in range(1, AGENTS + 1)
    ))
    past = [(place, day) for place, day in enumerate(days) if day + timedelta(days=1) < now]
    put(database, AgentEvent, (
        {"id": f"th1.b1-s{place}.{n}.{state}{hour}", "agent": f"agent{n}",
         "at": day + timedelta(hours=hour + n % 3 * 4), "state": state, "reason": reason}
        for place, day in past for n in range(1, AGENTS + 1)
        for hour, state, reason in ((7, "ready", None), (11, "paused", "lunch"),
                                    (12, "ready", None), (15, "out", None))
    ))
    put(database, PauseSpell, (
        {"login": f"agent{n}", "reason": "lunch", "began_at": day + timedelta(hours=11 + n % 3 * 4),
         "ended_at": day + timedelta(hours=12 + n % 3 * 4)}
        for _, day in past for n in range(1, AGENTS + 1)
    ))


def _citizens(number: int, now: datetime) -> Iterator[dict[str, Any]]:
    """One for so many calls; one in fifty has two numbers."""
    for n in range(number // 25):
        yield {
            "phone": _phone(n), "kind": "mobile", "name": f"Người gọi {n}", "language": "",
            "note": "nghe kém, nói chậm" if n % 10 == 0 else "", "changed_at": now,
            "changed_by": "lan", "person": n // 100 + 1 if n % 50 == 0 else None,
        }


def _phone(n: int) -> str:
    """As callers have it (scripts.bench.generate)."""
    return f"09{n * 7919 % 1_000_003:08d}"
