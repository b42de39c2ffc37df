"""Urgent instructions: shown at once on every desk until they are read, withdrawn or over.

A changed text is a new version, which everybody reads anew. Who has read which stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.shifts import events
from crm.shifts.events import What
from crm.shifts.models import Instruction, InstructionRead

SHORTEST, LONGEST = 5, 600
HOURS = (1, 2, 4, 8, 12, 24, 72)


class InstructionError(HotlineError):
    """An instruction is not taken. `code`: text, hours, over."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def write(session: Session, text: str, hours: int, *, by: str, now: datetime) -> Instruction:
    """Raises InstructionError."""
    made = _made(text, hours, by, now)
    session.add(made)
    session.flush()
    made.series = made.id
    events.note(session, What.INSTRUCTION_WRITTEN, by, now, instruction=made.id)
    return made


def change(
    session: Session, id_: int, text: str, hours: int, *, by: str, now: datetime
) -> Instruction:
    """A new version in the place of one that is in force. Raises InstructionError."""
    made = _made(text, hours, by, now)
    _end(session, id_, by, now)
    before = session.get_one(Instruction, id_)
    made.series, made.version = before.series, before.version + 1
    session.add(made)
    session.flush()
    events.note(
        session, What.INSTRUCTION_CHANGED, by, now, instruction=made.id, version=made.version
    )
    return made


def end(session: Session, id_: int, *, by: str, now: datetime) -> None:
    """Nobody needs to read it any more. Raises InstructionError."""
    _end(session, id_, by, now)
    events.note(session, What.INSTRUCTION_ENDED, by, now, instruction=id_)


def read(session: Session, id_: int, login: str, now: datetime) -> bool:
    """Note that somebody has read it; False if they had before. Raises InstructionError."""
    found = session.get(Instruction, id_, populate_existing=True)
    if found is None or found.ended_at is not None or found.expires_at <= now:
        raise InstructionError("this instruction is over, or there is a newer version", "over")
    if session.get(InstructionRead, (id_, login)) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(InstructionRead(instruction_id=id_, login=login, at=now))
    except IntegrityError:  # the same key, pressed in two tabs
        return False
    events.note(session, What.INSTRUCTION_READ, login, now, instruction=id_)
    return True


def in_force(session: Session, now: datetime) -> list[Instruction]:
    """The earliest first."""
    found = select(Instruction).where(
        Instruction.expires_at > now, Instruction.ended_at.is_(None)
    )
    return list(session.scalars(found.order_by(Instruction.id)))


def latest(session: Session, limit: int) -> list[Instruction]:
    """The last first."""
    return list(session.scalars(
        select(Instruction).order_by(Instruction.id.desc()).limit(limit)
    ))


def readers(session: Session, ids: Iterable[int]) -> Mapping[int, Mapping[str, datetime]]:
    """Who has read each instruction, and when."""
    found: dict[int, dict[str, datetime]] = defaultdict(dict)
    for one in session.scalars(
        select(InstructionRead).where(InstructionRead.instruction_id.in_(list(ids)))
        .order_by(InstructionRead.at)
    ):
        found[one.instruction_id][one.login] = one.at
    return found


def _made(text: str, hours: int, by: str, now: datetime) -> Instruction:
    said = text.replace("\x00", "").strip()
    if not SHORTEST <= len(said) <= LONGEST:
        raise InstructionError(f"an instruction has {SHORTEST} to {LONGEST} letters", "text")
    if hours not in HOURS:
        raise InstructionError(f"it holds for {', '.join(map(str, HOURS))} hours", "hours")
    return Instruction(
        series=0, version=1, text=said, written_by=by, written_at=now,
        expires_at=now + timedelta(hours=hours),
    )


def _end(session: Session, id_: int, by: str, now: datetime) -> None:
    ended = session.execute(
        update(Instruction).where(
            Instruction.id == id_, Instruction.ended_at.is_(None), Instruction.expires_at > now
        ).values(ended_at=now, ended_by=by)
    )
    if not ended.rowcount:  # type: ignore[attr-defined]
        raise InstructionError("this instruction is over, or there is a newer version", "over")
