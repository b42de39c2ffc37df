"""A broadcast that is over, after which people have called."""

from __future__ import annotations

from datetime import timedelta

from crm.broadcasts import life
from crm.broadcasts.models import Stage
from crm.database import Database
from crm.models import Call
from crm.notices.models import Notice, State
from crm.settings import Settings
from tests.crm.broadcasts.factory import notices, started
from tests.crm.notices.factory import NOON


def with_calls(database: Database, settings: Settings, *, recipients: int, callers: int) -> int:
    """Each caller calls twice within the day; one calls only after it."""
    id_ = started(database, settings, recipients)
    told = notices(database, id_)
    with database.transaction() as session:
        broadcast = life.locked(session, id_)
        life.move(broadcast, Stage.DONE)
        broadcast.ended_at = NOON + timedelta(minutes=5)
        for one in told:
            row = session.get_one(Notice, one.id)
            row.state, row.sent_at = State.SENT, NOON
        calls = [
            (one.recipient, timedelta(hours=hour)) for one in told[:callers] for hour in (1, 2)
        ]
        for number, (caller, later) in enumerate([*calls, (told[-1].recipient, timedelta(days=2))]):
            session.add(Call(
                id=f"th1.b1-{number}.1", node="th1", boot="b1", direction="in", kind="citizen",
                caller=caller, started_at=NOON + later, path=[],
            ))
    return id_
