"""The handover of a shift: the lead who goes signs how things stand, the lead who comes signs that
they have seen it. Each signs in a session of their own; what was signed does not change any more.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.calls.rows import iso
from crm.errors import HotlineError
from crm.rights import LEADS
from crm.shifts import events, roster
from crm.shifts.events import What
from crm.shifts.models import Handover, Shift, ShiftEvent
from crm.shifts.standing import Snapshot

LONGEST = 4000
EARLY = timedelta(hours=2)  # signed so long before the end of a shift it is of this shift
_LOOKED_BACK = timedelta(hours=12)


class HandoverError(HotlineError):
    """A signature is not taken. `code`: waits, own, gone, not_own, long."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def sign(
    session: Session, snapshot: Snapshot, remarks: str, *, by: str, now: datetime
) -> Handover:
    """The outgoing lead's signature: from now on it stands as it is. Raises HandoverError."""
    made = Handover(
        outgoing=by, signed_at=now, snapshot=snapshot, remarks=_text(remarks), answer="", digest="",
        waits=True,
    )
    made.digest = _digest(made)
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise HandoverError("another handover waits for its second signature", "waits") from error
    events.note(session, What.HANDOVER_SIGNED, by, now, handover=made.id, digest=made.digest[:12])
    return made


def take(session: Session, id_: int, answer: str, *, by: str, now: datetime) -> Handover:
    """The incoming lead's signature. Raises HandoverError."""
    found = named(session, id_)
    if found.outgoing == by:
        raise HandoverError("the second signature is another person's", "own")
    _move(session, found, incoming=by, taken_at=now, answer=_text(answer))
    events.note(session, What.HANDOVER_TAKEN, by, now, handover=id_, digest=found.digest[:12])
    return found


def withdraw(session: Session, id_: int, *, by: str, now: datetime) -> None:
    """Whoever signed first takes it back, to sign anew. Raises HandoverError."""
    found = named(session, id_)
    if found.outgoing != by:
        raise HandoverError("this is not your handover", "not_own")
    _move(session, found, withdrawn_at=now)
    events.note(session, What.HANDOVER_WITHDRAWN, by, now, handover=id_)


def named(session: Session, id_: int) -> Handover:
    """Raises HandoverError."""
    found = session.get(Handover, id_)
    if found is None:
        raise HandoverError(f"there is no handover {id_}", "gone")
    return found


def waiting(session: Session) -> Handover | None:
    """The one that lacks its second signature."""
    return session.scalar(select(Handover).where(Handover.waits.is_(True)))


def latest(session: Session, limit: int) -> list[Handover]:
    """The last first."""
    return list(session.scalars(select(Handover).order_by(Handover.id.desc()).limit(limit)))


def is_intact(handover: Handover) -> bool:
    """Whether it is still what the first lead has signed."""
    return handover.digest == _digest(handover)


def to_alarm(session: Session, now: datetime, within: timedelta) -> list[str]:
    """What is to be told to the engineers, once each: a handover that nobody took, and a lead's
    shift that ended without any."""
    noted = {
        (one.what, one.details.get("of")) for one in session.scalars(select(ShiftEvent).where(
            ShiftEvent.what.in_((What.HANDOVER_LATE, What.HANDOVER_LACKING)),
            ShiftEvent.at > now - 2 * _LOOKED_BACK,
        ))
    }
    told = []
    waits = waiting(session)
    if waits is not None and waits.signed_at <= now - within and (
        (What.HANDOVER_LATE, waits.id) not in noted
    ):
        events.note(session, What.HANDOVER_LATE, "scheduler", now, of=waits.id)
        told.append(f"handover {waits.id} of {waits.outgoing} was not taken over")
    for shift in _without(session, now, within):
        if (What.HANDOVER_LACKING, shift.id) not in noted:
            events.note(session, What.HANDOVER_LACKING, "scheduler", now, of=shift.id)
            told.append(f"the shift of {shift.user.login} ended without a handover")
    return told


def _without(session: Session, now: datetime, within: timedelta) -> list[Shift]:
    """Leads' shifts that ended, and nobody has signed since shortly before their end."""
    ended = select(Shift).where(
        Shift.begins_at > now - 2 * _LOOKED_BACK, Shift.ends_at > now - _LOOKED_BACK,
        Shift.ends_at <= now - within,
    )
    last = session.scalar(
        select(Handover.signed_at).where(Handover.withdrawn_at.is_(None))
        .order_by(Handover.id.desc()).limit(1)
    )
    return [
        one for one in session.scalars(ended).unique()
        if one.user.role in LEADS and (last is None or last < one.ends_at - EARLY)
        and not _goes_on(session, one, now)
    ]


def _goes_on(session: Session, shift: Shift, now: datetime) -> bool:
    """Whether another lead was there all along, who will hand over."""
    return any(
        one.user.role in LEADS and one.begins_at < shift.ends_at
        for one in roster.on_duty(session, now)
    )


def _move(session: Session, handover: Handover, **values: object) -> None:
    moved = session.execute(
        update(Handover).where(Handover.id == handover.id, Handover.waits.is_(True))
        .values(waits=None, **values).execution_options(synchronize_session=False)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]
        raise HandoverError("it is signed or withdrawn already", "gone")
    session.refresh(handover)


def _text(written: str) -> str:
    text = written.replace("\x00", "").strip()
    if len(text) > LONGEST:
        raise HandoverError(f"remarks have at most {LONGEST} letters", "long")
    return text


def _digest(handover: Handover) -> str:
    said = [handover.outgoing, iso(handover.signed_at), handover.snapshot, handover.remarks]
    return sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
