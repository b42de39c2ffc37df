"""What is kept for how long, and deleted then: Law 91/2025 lets nothing be kept for longer than it
is needed. A legal hold keeps what is of its number. Each deletion leaves a certificate, chained to
the one before.

Rows are emptied or deleted in portions, each in a transaction of its own, so that millions keep
nobody waiting; files go before the rows that name them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm import search
from crm.agencies.models import Draft
from crm.agents.models import RescueCall
from crm.calls import lines, missed
from crm.calls.rows import iso
from crm.cases import life
from crm.cases.models import Case, CaseEvent, Identity
from crm.cases.words import GONE
from crm.database import Database
from crm.models import Call, CallNote
from crm.notices.models import Notice, NoticeFile
from crm.privacy.models import Deletion, LegalHold
from crm.privacy.trace_models import TraceLook, TraceRequest
from crm.recordings import models as sounds
from crm.recordings import store
from crm.settings import Settings

PORTION = 500
BEGINNING = "0" * 64


class Kind(StrEnum):
    """What is kept. Its days are the setting keep_KIND_days."""

    RECORDINGS = "recordings"
    MESSAGES = "messages"
    CALLERS = "callers"
    CASES = "cases"
    NOTICES = "notices"
    TRACING = "tracing"
    JOURNAL = "journal"  # ivr.journal_archive


@dataclass(frozen=True)
class Deleted:
    kind: Kind
    count: int
    held: int


def days_of(settings: Settings, kind: Kind) -> int:
    return int(getattr(settings, f"keep_{kind}_days"))


def apply(database: Database, settings: Settings, now: datetime) -> list[Deleted]:
    """Delete what is over, of every kind but the journal, and certify what was deleted."""
    done = []
    for kind, step in _STEPS.items():
        before = now - timedelta(days=days_of(settings, kind))
        count = 0
        while True:
            with database.transaction() as session:
                portion = step(session, settings.home, before, now)
                count += portion
                if portion < PORTION:
                    held = _held_of(session, kind, before, now)
                    break
        if count:
            with database.transaction() as session:
                certify(session, kind, days_of(settings, kind), before, count, held, now)
            done.append(Deleted(kind, count, held))
    return done


def certify(
    session: Session, kind: Kind, days: int, before: datetime, count: int, held: int, now: datetime
) -> Deletion:
    """Write down what was deleted."""
    last = session.scalar(
        select(Deletion.digest).order_by(Deletion.id.desc()).limit(1).with_for_update()
    )
    made = Deletion(at=now, kind=kind, days=days, before=before, count=count, held=held, digest="")
    made.digest = _digest(last or BEGINNING, made)
    session.add(made)
    session.flush()
    return made


def verify(session: Session) -> int | None:
    """The id of the first certificate that does not follow from the one before; None: all do."""
    digest = BEGINNING
    for one in session.scalars(select(Deletion).order_by(Deletion.id)):
        digest = _digest(digest, one)
        if one.digest != digest:
            return one.id
    return None


def certificates(session: Session, limit: int) -> list[Deletion]:
    """The latest first."""
    return list(session.scalars(select(Deletion).order_by(Deletion.id.desc()).limit(limit)))


def _digest(before: str, one: Deletion) -> str:
    said = [before, iso(one.at), one.kind, one.days, iso(one.before), one.count, one.held]
    return sha256(json.dumps(said).encode()).hexdigest()


def _not_held(phone: InstrumentedAttribute[str | None], now: datetime) -> ColumnElement[bool]:
    return or_(phone.is_(None), phone.not_in(_holds(now)))


def _holds(now: datetime):  # type: ignore[no-untyped-def]  # of SQLAlchemy's selects
    return select(LegalHold.phone).where(LegalHold.until > now, LegalHold.ended_at.is_(None))


def _sounds(column: InstrumentedAttribute[str | None], kind: sounds.Kind) -> Step:
    def step(session: Session, home: Path, before: datetime, now: datetime) -> int:
        found = session.execute(
            select(Call.id, column).where(
                column.is_not(None), Call.started_at < before, _not_held(Call.caller, now)
            ).order_by(Call.started_at).limit(PORTION)
        ).all()
        names = [str(name) for _, name in found]
        for name in names:
            store.remove(home, kind, name)
        store.forget(session, names)
        session.execute(update(Call).where(Call.id.in_([id_ for id_, _ in found])).values(
            {column: None}
        ))
        return len(found)
    return step


def _callers(session: Session, _home: Path, before: datetime, now: datetime) -> int:
    ids = list(session.scalars(
        select(Call.id).where(
            Call.caller.is_not(None), Call.started_at < before, _not_held(Call.caller, now)
        ).order_by(Call.started_at).limit(PORTION)
    ))
    session.execute(update(Call).where(Call.id.in_(ids)).values(caller=None, facts=None))
    session.execute(update(CallNote).where(CallNote.call_id.in_(ids)).values(text=""))
    session.execute(update(RescueCall).where(RescueCall.call_id.in_(ids)).values(address=""))
    missed.forget(session, before)
    lines.forget(session, before)
    return len(ids)


def _ended_cases(before: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Case.status.in_(life.ENDED), Case.summary != GONE, Case.due_at < before,
            func.coalesce(Case.resolved_at, Case.due_at) < before)


def _cases(session: Session, _home: Path, before: datetime, now: datetime) -> int:
    found = session.scalars(
        select(Case).where(*_ended_cases(before), _not_held(Case.phone, now))
        .order_by(Case.due_at).limit(PORTION)
    ).all()
    for case in found:
        case.phone, case.identity = None, Identity.ANONYMOUS
        case.summary, case.answer = GONE, GONE if case.answer else None
        search.remove(session, search.Kind.CASE, case.id)
    ids = [one.id for one in found]
    session.execute(update(CaseEvent).where(CaseEvent.case_id.in_(ids)).values(note="", salt=None))
    session.execute(update(Draft).where(Draft.case_id.in_(ids)).values(text=GONE))
    return len(ids)


def _notices(session: Session, _home: Path, before: datetime, now: datetime) -> int:
    ids = list(session.scalars(
        select(Notice.id).where(
            Notice.created_at < before, Notice.ended_at.is_not(None),
            Notice.recipient.not_in(_holds(now)),
        ).order_by(Notice.id).limit(PORTION)
    ))
    session.execute(delete(NoticeFile).where(NoticeFile.notice_id.in_(ids)))
    session.execute(delete(Notice).where(Notice.id.in_(ids)))
    return len(ids)


def _tracing(session: Session, _home: Path, before: datetime, now: datetime) -> int:
    ids = list(session.scalars(
        select(TraceRequest.id).where(
            TraceRequest.expires_at < before, TraceRequest.phone.not_in(_holds(now))
        ).limit(PORTION)
    ))
    session.execute(delete(TraceLook).where(TraceLook.request_id.in_(ids)))
    session.execute(delete(TraceRequest).where(TraceRequest.id.in_(ids)))
    return len(ids)


def _held_of(session: Session, kind: Kind, before: datetime, now: datetime) -> int:
    """How many of a kind are over, and kept by order."""
    of: dict[Kind, tuple[InstrumentedAttribute[str | None], Sequence[ColumnElement[bool]]]] = {
        Kind.RECORDINGS: (Call.caller, (Call.recording.is_not(None), Call.started_at < before)),
        Kind.MESSAGES: (Call.caller, (Call.voicemail.is_not(None), Call.started_at < before)),
        Kind.CALLERS: (Call.caller, (Call.started_at < before,)),
        Kind.CASES: (Case.phone, _ended_cases(before)),
    }
    if kind not in of:
        return 0
    phone, where = of[kind]
    return session.scalar(select(func.count()).where(phone.in_(_holds(now)), *where)) or 0


Step = Callable[[Session, Path, datetime, datetime], int]
_STEPS: dict[Kind, Step] = {
    Kind.RECORDINGS: _sounds(Call.recording, sounds.Kind.RECORDINGS),
    Kind.MESSAGES: _sounds(Call.voicemail, sounds.Kind.VOICEMAIL),
    Kind.CALLERS: _callers, Kind.CASES: _cases, Kind.NOTICES: _notices, Kind.TRACING: _tracing,
}
