"""Waiting times that were told, beside what they came to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy.orm import Session

from crm import switches
from crm.calls import waits
from crm.database import Database
from crm.models import Call

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
_NUMBERS = count(1)


def waited(
    session: Session, seconds: float, told: tuple[int, int] | None = (60, 120), *,
    queue: str = "vaccine", minutes_ago: float = 30, answered: bool = True,
) -> None:
    """A call that waited so long, and was told from and to which second it would."""
    at = NOW - timedelta(minutes=minutes_ago)
    session.add(Call(
        id=f"th1.b1-1.{next(_NUMBERS)}", node="th1", boot="b1", direction="in", kind="citizen",
        started_at=at, queue=queue, wait_ms=round(seconds * 1000), path=[], talk_ms=0,
        answered_at=at + timedelta(seconds=seconds) if answered else None,
        wait_from_s=told[0] if told else None, wait_to_s=told[1] if told else None,
    ))


def judged(session: Session) -> dict[str, str]:
    session.flush()
    return waits.judge(session, NOW)


def test_the_error_is_how_far_a_wait_ended_from_what_was_told(database: Database) -> None:
    with database.transaction() as session:
        for seconds in (60, 90, 120, 30, 140):
            waited(session, seconds)
        waited(session, 900, None)  # nothing was told
        waited(session, 900, answered=False)  # nor is known how long it would have been
        waited(session, 10, (0, 60), queue="advice")
        waited(session, 500, minutes_ago=600)
    with database.reading() as session:
        found = waits.accuracy(session, NOW - timedelta(hours=2), NOW)
        assert found["vaccine"] == waits.Accuracy(waits=5, within=3, off_by_s=10.0)
        assert waits.as_json(found)[0] == {
            "queue": "advice", "waits": 1, "within": 1, "share": 1.0, "off_by_s": 0.0
        }


def test_a_queue_falls_silent_when_most_were_told_wrong_and_speaks_again_when_right(
    sqlite: Database,
) -> None:
    with sqlite.transaction() as session:
        for _ in range(waits.ENOUGH - 1):
            waited(session, 300)
        assert judged(session) == {}  # too few to judge by
        waited(session, 300)
        assert judged(session) == {"wait.vaccine": "off"}
        assert judged(session) == {}  # told once
        for _ in range(waits.ENOUGH):
            waited(session, 90)
        assert judged(session) == {"wait.vaccine": "on"}
        assert switches.current(session)["wait.vaccine"] == "on"
