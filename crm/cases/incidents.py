"""Incidents: one case for all who call about the same trouble, and who is told when it is over.

While an incident is on, every caller hears of it after the greeting and can join it by key 1. What
the telephone plays is the switch `incident` (CODE.SOUND), live without a reload; that somebody has
joined is a fact of the journal before it is confirmed. When the incident is over, each number that
joined is rung once more and told so, at most three times and not at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm import switches
from crm.calls.facts import CALL_ID, JournalEvent
from crm.calls.rows import iso
from crm.cases import life
from crm.cases.codes import is_code
from crm.cases.models import Affected, Case, Identity, Incident, Status
from crm.clock import VIETNAM
from crm.errors import HotlineError

LONGEST = 300  # letters: everybody hears it before the menu
AGAIN = (timedelta(minutes=15), timedelta(hours=2))  # after the first and the second try
AWAKE = (time(7), time(21))  # in Thanh Hóa


class IncidentError(HotlineError):
    """There is no such incident, or it cannot be; one sentence."""


def start(session: Session, text: str, sound: str, *, by: str, now: datetime) -> Incident:
    """From now on callers hear of it and can join. Raises IncidentError: another one is on."""
    if (other := live(session)) is not None:
        raise IncidentError(f"incident {other.case.code} is on: end it first")
    case = life.open_case(
        session, summary=text, by=by, now=now, channel="incident", identity=Identity.ANONYMOUS
    )
    made = Incident(case=case, text=text, sound=sound, since=now)
    session.add(made)
    session.flush()
    switches.want(session, switches.INCIDENT, f"{case.code}.{sound}", by=by, now=now)
    return made


def end(session: Session, code: str, text: str, sound: str, *, by: str, now: datetime) -> int:
    """It is over: nobody hears of it any more, and everybody who joined will be rung and told
    `text`; how many those are. Raises IncidentError."""
    incident = by_code(session, code)
    if incident.over_at is not None:
        raise IncidentError(f"incident {code} is over already")
    incident.over_at, incident.over_sound = now, sound
    life.set_answer(session, incident.case, text, by=by, now=now)
    if incident.case.status not in life.ENDED:
        life.move(session, incident.case, Status.RESOLVED, by=by, now=now)
    switches.want(session, switches.INCIDENT, "none", by=by, now=now)
    for one in session.scalars(_of(incident)):
        one.due_at = now
    return len(list(session.scalars(_of(incident))))


def live(session: Session) -> Incident | None:
    """The one that callers hear of now."""
    return session.scalar(select(Incident).where(Incident.over_at.is_(None)))


def by_code(session: Session, code: str) -> Incident:
    """Raises IncidentError."""
    found = session.scalar(select(Incident).join(Case).where(Case.code == code))
    if found is None:
        raise IncidentError(f"there is no incident {code}")
    return found


def apply(session: Session, events: Sequence[JournalEvent]) -> None:
    """Who has joined, and who has been told, from the journal; twice changes nothing."""
    for event in events:
        number = event.extra.get("number", "")
        if not (number.isdecimal() and number.isascii() and 10 <= len(number) <= 11):
            continue
        if event.type == "HL_INCIDENT" and event.is_callers:
            _joined(session, event.extra.get("code", ""), number, event)
        elif event.type == "HL_TOLD" and CALL_ID.fullmatch(call := event.extra.get("call", "")):
            one = session.scalar(
                select(Affected).where(Affected.call_id == call, Affected.number == number)
            )
            if one is not None and one.told_at is None:
                one.told_at, one.due_at = event.at, None


def _joined(session: Session, code: str, number: str, event: JournalEvent) -> None:
    if not is_code(code):
        return
    incident = session.scalar(select(Incident).join(Case).where(Case.code == code))
    if incident is None:
        return
    known = _of(incident).where(Affected.number == number)
    if session.scalar(known) is None:
        # the record of a caller who joined in the last moment may come after the end
        session.add(Affected(
            incident_id=incident.case_id, number=number, call_id=event.uniqueid,
            joined_at=event.at, tries=0, due_at=incident.over_at,
        ))
        session.flush()


def due(session: Session, now: datetime, limit: int) -> list[Affected]:
    """Whom to ring now, the earliest first; each is noted as tried. Nobody at night."""
    if not AWAKE[0] <= now.astimezone(VIETNAM).time() < AWAKE[1]:
        return []
    found = list(session.scalars(
        select(Affected).where(Affected.due_at <= now).order_by(Affected.due_at, Affected.id)
        .limit(limit).with_for_update(skip_locked=True)
    ))
    for one in found:
        one.due_at = now + AGAIN[one.tries] if one.tries < len(AGAIN) else None
        one.tries += 1
    return found


def _of(incident: Incident) -> Any:
    return select(Affected).where(Affected.incident_id == incident.case_id)


def latest(session: Session, limit: int) -> list[Incident]:
    """The last `limit` incidents, oldest first."""
    newest = select(Incident).order_by(Incident.case_id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def as_json(session: Session, incident: Incident) -> dict[str, Any]:
    """An incident for programs, with how many have joined and have been told."""
    joined, told = session.execute(
        select(func.count(Affected.id), func.count(Affected.told_at))
        .where(Affected.incident_id == incident.case_id)
    ).one()
    return {
        "code": incident.case.code, "text": incident.text, "since": iso(incident.since),
        "over_at": iso(incident.over_at) if incident.over_at else None,
        "joined": joined, "told": told,
    }


def spoken_texts(session: Session) -> list[str]:
    """What must stay as sound: of incidents that are on, or whose end is still being told."""
    waiting = select(Affected.incident_id).where(Affected.due_at.is_not(None))
    found = session.scalars(
        select(Incident).where(Incident.over_at.is_(None) | Incident.case_id.in_(waiting))
    )
    return [text for one in found for text in (one.text, one.case.answer) if text]
