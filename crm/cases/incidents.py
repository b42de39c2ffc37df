"""Incidents: one case for all who call about the same trouble, and who is told when it is over.

While an incident is on, every caller hears of it after the greeting, or who chooses its branch as
they come there, and can join it by key 1. What the telephone plays is the switch `incident` or
`incident.BRANCH` (CODE.SOUND[.EPOCH]), live without a reload; that somebody has joined is a fact
of the journal before it is confirmed. Once its time (`until`) is over nobody hears of it any more,
with everything else dead too; but it is not over before somebody ends it, since only they know that
it has been mended. Then each number that joined is rung once more and told so, at most three times
and not at night.

Whoever leads the floor chooses among prepared texts, which are spoken as soon as they are written
down and can be listened to before anybody hears them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm import switches
from crm.branches import TOLD_BRANCHES
from crm.calls.facts import CALL_ID, JournalEvent
from crm.calls.rows import iso
from crm.cases import life
from crm.cases.codes import is_code
from crm.cases.models import Affected, Case, Identity, Incident, IncidentText, Status
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.settings import Settings

LONGEST = 300  # letters: everybody hears it before the menu
LONGEST_TIME = timedelta(days=7)
MOST_TEXTS = 40
AGAIN = (timedelta(minutes=15), timedelta(hours=2))  # after the first and the second try
AWAKE = (time(7), time(21))  # in Thanh Hóa


class IncidentError(HotlineError):
    """There is no such incident, or it cannot be; one sentence. `code`: text, branch, until, on,
    none, over, silent, many."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


def checked(text: str) -> str:
    """A text as callers may hear it. Raises IncidentError."""
    text = " ".join(text.split())
    if not text or len(text) > LONGEST:
        raise IncidentError(f"what callers are told has 1 to {LONGEST} letters", "text")
    return text


def start(
    session: Session, text: str, sound: str, *, by: str, now: datetime, branch: str | None = None,
    until: datetime | None = None,
) -> Incident:
    """From now on all callers, or those of a branch, hear of it and can join. Raises
    IncidentError: another one is on there."""
    if branch is not None and branch not in TOLD_BRANCHES:
        raise IncidentError(f"callers of {branch} hear of no incident", "branch")
    _check_until(until, now)
    if (other := _at(session, branch)) is not None:
        raise IncidentError(f"incident {other.case.code} is on: end it first", "on")
    case = life.open_case(
        session, summary=text, by=by, now=now, channel="incident", identity=Identity.ANONYMOUS
    )
    made = Incident(case=case, text=text, sound=sound, since=now, branch=branch, until=until)
    session.add(made)
    session.flush()
    switches.want(session, *switch_of(made), by=by, now=now)
    return made


def prolong(
    session: Session, code: str, until: datetime | None, *, by: str, now: datetime
) -> Incident:
    """Callers hear of it until another time, or (None) until it is ended. Raises IncidentError."""
    incident = _on(session, code)
    _check_until(until, now)
    incident.until = until
    switches.want(session, *switch_of(incident), by=by, now=now)
    return incident


def end(
    session: Session, code: str, text: str, sound: str | None, *, by: str, now: datetime
) -> int:
    """It is over: nobody hears of it any more, and everybody who joined will be rung and told
    `text`, once there is its sound; how many those are. Raises IncidentError."""
    incident = _on(session, code)
    incident.over_at, incident.over_sound = now, sound
    life.set_answer(session, incident.case, text, by=by, now=now)
    if incident.case.status not in life.ENDED:
        life.move(session, incident.case, Status.RESOLVED, by=by, now=now)
    switches.want(session, *switch_of(incident), by=by, now=now)
    for one in session.scalars(_of(incident)):
        one.due_at = now
    return len(list(session.scalars(_of(incident))))


def mended(text: str) -> str:
    """What those who joined are told where nobody has written anything else."""
    return f"{text.rstrip(' .')} đã được khắc phục."


def switch_of(incident: Incident) -> tuple[str, str]:
    """What Asterisk is told of it: a switch and its value."""
    value = f"{incident.case.code}.{incident.sound}"
    if incident.until is not None:
        value = f"{value}.{int(incident.until.timestamp())}"
    return switches.incident_name(incident.branch), "none" if incident.over_at else value


def still_on(session: Session) -> list[Incident]:
    """Those that nobody has ended, whether callers still hear of them or not; the oldest first."""
    found = select(Incident).where(Incident.over_at.is_(None)).order_by(Incident.case_id)
    return list(session.scalars(found))


def is_told(incident: Incident, now: datetime) -> bool:
    """Whether callers hear of it."""
    return incident.over_at is None and (incident.until is None or now < incident.until)


def _at(session: Session, branch: str | None) -> Incident | None:
    return next((one for one in still_on(session) if one.branch == branch), None)


def _on(session: Session, code: str) -> Incident:
    incident = by_code(session, code)
    if incident.over_at is not None:
        raise IncidentError(f"incident {code} is over already", "over")
    return incident


def _check_until(until: datetime | None, now: datetime) -> None:
    if until is not None and not now < until <= now + LONGEST_TIME:
        raise IncidentError(f"callers hear of it for {LONGEST_TIME.days} days at most", "until")


def by_code(session: Session, code: str) -> Incident:
    """Raises IncidentError."""
    found = session.scalar(select(Incident).join(Case).where(Case.code == code))
    if found is None:
        raise IncidentError(f"there is no incident {code}", "none")
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
    can_be_told = select(Incident.case_id).where(Incident.over_sound.is_not(None))
    found = list(session.scalars(
        select(Affected).where(Affected.due_at <= now, Affected.incident_id.in_(can_be_told))
        .order_by(Affected.due_at, Affected.id)
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
        "branch": incident.branch, "until": iso(incident.until) if incident.until else None,
        "joined": joined, "told": told,
    }


def prepare(session: Session, text: str, *, by: str, now: datetime) -> IncidentText:
    """Write a text down, to be spoken and chosen; one that is there already is that one. Raises
    IncidentError."""
    text = checked(text)
    kept = prepared(session)
    if (known := next((one for one in kept if one.text == text), None)) is not None:
        return known
    if len(kept) >= MOST_TEXTS:
        raise IncidentError(f"there are {MOST_TEXTS} texts: remove one first", "many")
    made = IncidentText(text=text, added_by=by, added_at=now)
    session.add(made)
    session.flush()
    return made


def prepared(session: Session) -> list[IncidentText]:
    """The texts that can be chosen, the newest first."""
    return list(session.scalars(
        select(IncidentText).where(IncidentText.removed_at.is_(None))
        .order_by(IncidentText.id.desc())
    ))


def text_of(session: Session, number: int) -> IncidentText:
    """Raises IncidentError: it is not there any more."""
    found = session.get(IncidentText, number)
    if found is None or found.removed_at is not None:
        raise IncidentError("this text is not there any more", "none")
    return found


def start_prepared(
    session: Session, number: int, *, branch: str | None, until: datetime | None, by: str,
    now: datetime,
) -> Incident:
    """Like `start`, with a prepared text. Raises IncidentError: it has not been spoken yet."""
    found = text_of(session, number)
    if found.sound is None:
        raise IncidentError("its sound is being made", "silent")
    return start(
        session, found.text, found.sound, by=by, now=now, branch=branch, until=until
    )


def preview(settings: Settings, sound: str) -> Path:
    """Where a prepared text lies as a sound that a browser plays."""
    return settings.home / "incident_texts" / f"{sound}.wav"


def unsaid(session: Session) -> list[Incident]:
    """Those whose end cannot be told yet, for want of a sound."""
    waiting = select(Affected.incident_id).where(Affected.due_at.is_not(None))
    return list(session.scalars(
        select(Incident).where(Incident.over_sound.is_(None), Incident.case_id.in_(waiting))
    ))


def spoken_texts(session: Session) -> list[str]:
    """What must stay as sound: of incidents that are on, or whose end is still being told, and
    what has been prepared."""
    waiting = select(Affected.incident_id).where(Affected.due_at.is_not(None))
    found = session.scalars(
        select(Incident).where(Incident.over_at.is_(None) | Incident.case_id.in_(waiting))
    )
    texts = [text for one in found for text in (one.text, one.case.answer) if text]
    return texts + [one.text for one in prepared(session)]
