"""Broadcasts for tests, at noon in Vietnam."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from crm.broadcasts import life
from crm.broadcasts.models import Audience, Broadcast, Stage
from crm.database import Database
from crm.imports.files import Row
from crm.models import AgentState, LiveAgent
from crm.notices.models import Channel, Notice, State
from crm.settings import Settings
from tests.crm.notices import factory
from tests.crm.notices.factory import NOON

AREA, AREA_NAME = "14758", "Phường Hàm Rồng"
TEXT = "Mời người dân xét nghiệm tại Trạm Y tế phường từ 7h30 ngày 02/11/2026."


def settings(home: Path, **values: str) -> Settings:
    """A gateway takes the SMS, and nothing is held back by the load."""
    return factory.settings(home, **{
        "sms_provider": "gateway", "sms_sender": "TD1022",
        "sms_gateway_url": "http://127.0.0.1:9/send", "broadcast_per_minute": "60000", **values,
    })


def rows(count: int, area: str = AREA) -> list[Row]:
    """A list of so many people, each with a number of their own."""
    return [Row({"phone": f"09{12000000 + one}", "area": area}, one + 2) for one in range(count)]


def wanted(count: int = 60, **told: Any) -> life.Wanted:
    return life.Wanted(**{
        "title": "Xét nghiệm phường Hàm Rồng", "channel": Channel.SMS, "audience": Audience.LIST,
        "areas": (AREA,), "text": TEXT, "authority": "Sở Y tế", "document": "123/SYT-NVY",
        "urgent": True, "most_per_minute": 60000, "rows": rows(count), **told,
    })


def written(
    database: Database, settings: Settings, count: int = 60, now: datetime = NOON, **told: Any
) -> int:
    """A draft by lan; its id."""
    with database.transaction() as session:
        return life.write(session, settings, wanted(count, **told), by="lan", now=now).id


def approved(
    database: Database, settings: Settings, count: int = 60, now: datetime = NOON, **told: Any
) -> int:
    """One that lan has written and tested, and huy has approved."""
    id_ = written(database, settings, count, now, **told)
    with database.transaction() as session:
        broadcast = life.locked(session, id_)
        life.test(session, broadcast, "0987654321", by="lan", now=now)
        life.approve(session, broadcast, by="huy", now=now)
    return id_


def started(
    database: Database, settings: Settings, count: int = 60, now: datetime = NOON, **told: Any
) -> int:
    id_ = approved(database, settings, count, now, **told)
    with database.transaction() as session:
        life.start(session, settings, life.locked(session, id_), by="lan", now=now)
    return id_


def agents(database: Database, count: int) -> None:
    """So many agents are signed in."""
    with database.transaction() as session:
        for number in range(count):
            session.add(LiveAgent(
                login=f"agent{number}", node="th1", seq=1, state=AgentState.READY, since=NOON,
                queues=[],
            ))


def stage_of(database: Database, id_: int) -> Stage:
    with database.reading() as session:
        return Stage(session.get_one(Broadcast, id_).stage)


def notices(database: Database, id_: int, state: State | None = None) -> list[Notice]:
    found = select(Notice).where(Notice.broadcast_id == id_).order_by(Notice.id)
    if state is not None:
        found = found.where(Notice.state == state)
    with database.reading() as session:
        return list(session.scalars(found))
