"""What is done for requests of people about their data, once they were agreed to."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from crm import secrets
from crm.archive import people
from crm.archive.months import Archive
from crm.cases import attachments
from crm.database import Database
from crm.models import JournalPosition
from crm.notices import outbox
from crm.notices.outbox import Channel, Purpose
from crm.privacy import breaches, erasure, requests, retention
from crm.privacy.requests import EXPORTS, Kind, State
from crm.settings import Settings
from ivr import journal_archive

EXPORT_KEPT = timedelta(days=30)
_UPLOADS_TAKE = timedelta(minutes=2)  # from the file to the row that names it

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


def tidy(database: Database, settings: Settings, now: datetime) -> None:
    """Delete what was kept long enough, and certify it."""
    for one in retention.apply(database, settings, now):
        log.info("%d of %s deleted, %d held by order", one.count, one.kind, one.held)
    days = retention.days_of(settings, retention.Kind.JOURNAL)
    before = now - timedelta(days=days)
    old = journal_archive.old(settings.home, before)
    for file in old:
        file.unlink()
    if old:
        with database.transaction() as session:
            retention.certify(
                session, retention.Kind.JOURNAL, days, before, len(old), 0, now
            )


def seal_journal(database: Database, settings: Settings, now: datetime) -> list[Path]:
    """Seal the journal's segments that are read."""
    with database.reading() as session:
        position = session.get(JournalPosition, settings.node)
    return journal_archive.seal(
        settings.home / "journal", position, secrets.load(settings.home).journal_key, now
    )


def remind_of_breaches(database: Database, settings: Settings, now: datetime) -> None:
    """Alarm while the authority has not been told of an incident."""
    with database.transaction() as session:
        for one in breaches.to_remind(session, now):
            outbox.alarm(session, settings, subject=f"breach {one.id}", now=now,
                         body=breaches.remind(one, now))


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
    made = secrets.load(settings.home)
    removed, places = erasure.erase_files(settings.home, phone, sounds, made.journal_key)
    archive = Archive(database, settings.home)
    with archive.alone() as is_ours:  # no row goes into a file meanwhile
        archived = people.calls_of(archive, phone)
        with database.transaction() as session:
            counts = erasure.erase_rows(session, phone, made.privacy_key, now, archived)
        places += people.erase(archive, phone, is_ours)
    with database.reading() as session:
        attachments.forget_strays(settings.home, session, now, _UPLOADS_TAKE)
    erasure.scrub(database)
    return counts.as_json() | {"sounds": removed, "in_files": places}


def _write_out(database: Database, home: Path, id_: int, phone: str) -> dict[str, int]:
    archive = Archive(database, home)
    with archive.alone():  # no call goes from here to there meanwhile
        with database.reading() as session:
            found = requests.everything_of(session, phone)
        found["calls"] = people.told(archive, phone) + found["calls"]
    file = export_of(home, id_)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    draft = file.with_suffix(".new")
    with open(draft, "w", encoding="utf-8", opener=_private) as out:
        json.dump(found, out, ensure_ascii=False, indent=1)
    draft.replace(file)
    return {"calls": len(found["calls"]), "cases": len(found["cases"])}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
