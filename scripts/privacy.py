"""What is done for requests of people about their data, once they were agreed to."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from crm import secrets
from crm.database import Database
from crm.notices import outbox
from crm.notices.outbox import Channel, Purpose
from crm.privacy import erasure, requests
from crm.privacy.requests import EXPORTS, Kind, State
from crm.settings import Settings

EXPORT_KEPT = timedelta(days=30)

log = logging.getLogger(__name__)


def fulfil(database: Database, settings: Settings, now: datetime) -> int:
    """Do what was agreed to; how many requests. Exports that are old are removed."""
    with database.reading() as session:
        waiting = [(one.id, Kind(one.kind), one.phone) for one in requests.to_do(session)]
    for id_, kind, phone in waiting:
        if phone is None:
            result = {}  # erased by another request
        elif kind is Kind.ERASE:
            result = _erase(database, settings, phone, now)
        else:
            result = _write_out(database, settings.home, id_, phone)
        with database.transaction() as session:
            request = requests.named(session, id_)
            request.state, request.done_at, request.result = State.DONE, now, result
        log.info("request %d about personal data is done: %s", id_, result)
    for file in (settings.home / EXPORTS).glob("*.json"):
        if file.stat().st_mtime < (now - EXPORT_KEPT).timestamp():
            file.unlink(missing_ok=True)
    return len(waiting)


def remind(database: Database, settings: Settings, now: datetime) -> None:
    """Tell whoever is in charge of requests that are nearly due, and due."""
    with database.transaction() as session:
        for one in requests.late(session, now):
            one.reminded += 1
            for number in settings.privacy_phones:
                outbox.write(
                    session, channel=Channel.SMS, recipient=number, now=now,
                    body=f"1022 Thanh Hoa: Yeu cau ve du lieu ca nhan so {one.id} den han "
                         f"{one.due_at:%d/%m/%Y}.",
                    purpose=Purpose.REMINDER, key=f"privacy:{one.id}:{one.reminded}:{number}",
                    personal=False,
                )


def export_of(home: Path, request_id: int) -> Path:
    """The file of what somebody asked to see."""
    return home / EXPORTS / f"{request_id}.json"


def _erase(
    database: Database, settings: Settings, phone: str, now: datetime
) -> dict[str, int]:
    with database.reading() as session:
        sounds = erasure.sounds_of(session, phone)
        written_out = requests.exported(session, phone)
    for id_ in written_out:
        export_of(settings.home, id_).unlink(missing_ok=True)
    removed, places = erasure.erase_files(settings.home, phone, sounds)
    with database.transaction() as session:
        secret = secrets.load(settings.home).privacy_key
        counts = erasure.erase_rows(session, phone, secret, now)
    erasure.scrub(database)
    return counts.as_json() | {"sounds": removed, "in_files": places}


def _write_out(database: Database, home: Path, id_: int, phone: str) -> dict[str, int]:
    with database.reading() as session:
        found = requests.everything_of(session, phone)
    file = export_of(home, id_)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    draft = file.with_suffix(".new")
    with open(draft, "w", encoding="utf-8", opener=_private) as out:
        json.dump(found, out, ensure_ascii=False, indent=1)
    draft.replace(file)
    return {"calls": len(found["calls"]), "cases": len(found["cases"])}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
