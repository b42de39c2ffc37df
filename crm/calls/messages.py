"""Voice messages as work: each waits until somebody has taken it and done what it asks for.

A message is a call with a voicemail, whatever became of the call afterwards. Nobody can take one
that somebody else has, and one that is given back waits again in its old place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.models import Call, MessageTask


class MessageError(HotlineError):
    """What was asked cannot be done; one sentence for whoever asked."""


@dataclass(frozen=True)
class Message:
    """A message that nobody has finished with; `task` None: nobody has taken it."""

    call: Call
    task: MessageTask | None


_OPEN = (
    Call.voicemail.is_not(None), Call.message_done.is_(False), Call.kind != "training"
)


def waiting(session: Session, limit: int = 200) -> list[Message]:
    """Messages that are not done, those in danger first, then the oldest."""
    found = session.execute(
        select(Call, MessageTask).outerjoin(MessageTask, MessageTask.call_id == Call.id)
        .where(*_OPEN).order_by(Call.emergency.desc(), Call.started_at).limit(limit)
    )
    return [Message(call, task) for call, task in found]


def untaken(session: Session) -> int:
    """How many messages nobody has taken."""
    count = session.scalar(
        select(func.count(Call.id)).outerjoin(MessageTask, MessageTask.call_id == Call.id)
        .where(*_OPEN, MessageTask.call_id.is_(None))
    )
    return count or 0


def take(session: Session, call_id: str, login: str, now: datetime) -> None:
    """Take a message; taking one's own again changes nothing. Raises MessageError."""
    call = session.get(Call, call_id)
    if call is None or call.voicemail is None:
        raise MessageError("there is no such message")
    task = session.get(MessageTask, call_id)
    if task is None:
        try:
            with session.begin_nested():
                session.add(MessageTask(call_id=call_id, taken_by=login, taken_at=now))
        except IntegrityError as error:
            raise MessageError("somebody else has taken this message") from error
    elif task.taken_by != login or task.done_at:
        raise MessageError("somebody else has taken this message")


def give_back(session: Session, call_id: str, login: str) -> None:
    """Let somebody else take it. Raises MessageError if it is not this person's."""
    session.delete(_own(session, call_id, login))


def finish(session: Session, call_id: str, login: str, now: datetime) -> None:
    """What the message asked for is done. Raises MessageError if it is not this person's."""
    _own(session, call_id, login).done_at = now
    session.get_one(Call, call_id).message_done = True


def _own(session: Session, call_id: str, login: str) -> MessageTask:
    task = session.get(MessageTask, call_id)
    if task is None or task.taken_by != login or task.done_at:
        raise MessageError("you have not taken this message")
    return task
