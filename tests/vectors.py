"""The published test vectors (docs/vectors): python -m tests.vectors writes them anew."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.calls import record, shifts
from crm.calls.rows import iso
from crm.models import Call, CallSegment
from crm.reports import measures
from tests import calls_of_a_day as scenes
from tests.calls_of_a_day import MIDNIGHT, Line, Scene, state
from tests.databases import Databases
from tests.journals import Asterisk

FOLDER = Path(__file__).parent.parent / "docs" / "vectors"
PUBLISHED: tuple[Scene, ...] = (
    scenes.simple, scenes.attended, scenes.blind, scenes.blind_to_nobody, scenes.conference,
    scenes.consult_refused, scenes.only_asked, scenes.outside, scenes.doctors, scenes.emergency,
    scenes.callback, scenes.lost, scenes.voicemail, scenes.overload, scenes.held,
    scenes.missed_first, scenes.told_wait, scenes.wrapup_ended, scenes.two_calls_bridged,
    scenes.gave_up_while_it_rang, scenes.doctor_takes_over, scenes.doctor_only_asked,
    scenes.taken_over,
)
LATER = MIDNIGHT + timedelta(days=9)
AGREED_S = 20
_CALL = ("outcome", "branch", "queue", "agent", "wait_ms", "talk_ms", "started_at", "queued_at",
         "answered_at", "ended_at", "unreached", "satisfaction")


def journal_of(scene: Scene) -> Asterisk:
    """Two agents come to work at 08:00; at 08:10 the call begins; at 09:00 they go."""
    asterisk = Asterisk(at=MIDNIGHT + timedelta(hours=8))
    for agent in ("lan", "minh"):
        state(asterisk, agent, "ready")
    asterisk.wait(600)
    scene(Line(asterisk, ("lan", "minh", "hoa"), score="1"))
    if scene is scenes.lost:
        again = Asterisk(boot="b2", at=asterisk.now + timedelta(seconds=30), channels=500)
        again.booted()
        asterisk.events += again.events
        asterisk = _after(asterisk, again)
    asterisk.now = max(asterisk.now, MIDNIGHT + timedelta(hours=9))
    for agent in ("lan", "minh"):
        state(asterisk, agent, "out")
    return asterisk


def _after(before: Asterisk, again: Asterisk) -> Asterisk:
    again.events = before.events
    return again


def told(session: Session) -> dict[str, Any]:
    """The calls, segments and figures that the rows have."""
    found = session.scalars(select(Call).order_by(Call.id))
    segments = session.scalars(
        select(CallSegment).order_by(CallSegment.call_id, CallSegment.number))
    figures = measures.of_day(session, MIDNIGHT, LATER, AGREED_S)
    return {
        "calls": [{"id": one.id} | {name: _plain(getattr(one, name)) for name in _CALL}
                  for one in found],
        "segments": [
            {column.name: _plain(getattr(one, column.name))
             for column in CallSegment.__table__.columns if getattr(one, column.name) is not None}
            for one in segments
        ],
        "figures": {
            by.value: {
                key: {name: number for name, number in asdict(one).items() if number}
                for (of, key), one in sorted(figures.items()) if of is by
            } for by in measures.By
        },
    }


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


def main() -> None:
    import tempfile

    from tests.journals import encode

    with tempfile.TemporaryDirectory() as folder, Databases(Path(folder)) as databases:
        for scene in PUBLISHED:
            asterisk = journal_of(scene)
            with databases.new("sqlite") as database, database.transaction() as session:
                record.apply(session, asterisk.events)
                shifts.apply(session, asterisk.events)
                expected = {"about": scene.__doc__ or scene.__name__.replace("_", " ")}
                expected |= told(session)
            (FOLDER / f"{scene.__name__}.csv").write_bytes(encode(asterisk.events))
            text = json.dumps(expected, ensure_ascii=False, indent=1)
            (FOLDER / f"{scene.__name__}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
