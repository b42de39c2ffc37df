"""The agent's desk: the phone (seat) that is leased, and the notes about calls.

Functions take a session and never commit; `now` is an aware UTC time.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.agents import results
from crm.agents.models import CallResult
from crm.calls.facts import CALL_ID
from crm.models import AgentState, Call, CallNote, Leg, LiveAgent, LiveCall, Seat, User
from crm.users import signed_in_user_ids

NOTE_LENGTH = 8000
_CASE_CODE = re.compile("[0-9]{0,8}")


class SeatKind(StrEnum):
    WEBRTC = "webrtc"
    DESK = "desk"


class PauseReason(StrEnum):
    """Why an agent takes no calls. Sent to Asterisk, which reports it back."""

    REST = "rest"
    LUNCH = "lunch"
    TRAINING = "training"
    PRIVATE = "private"
    OTHER_WORK = "other_work"


class NoSeat(Exception):
    """No phone of the wanted kind is free."""


def seat_of(session: Session, user: User) -> Seat | None:
    return session.scalar(select(Seat).where(Seat.user_id == user.id))


def is_in_a_call(session: Session, login: str) -> bool:
    """Whether an agent's phone rings or is in a call, as Asterisk last told."""
    agent = session.get(LiveAgent, login)
    busy = (AgentState.RINGING.value, AgentState.TALKING.value)
    return agent is not None and agent.call_id is not None and agent.state in busy


def is_unreachable(session: Session, login: str) -> bool:
    """Whether an agent is in the queues with a phone that is gone, as Asterisk last told."""
    agent = session.get(LiveAgent, login)
    return agent is not None and agent.state == AgentState.UNREACHABLE


def adopt_seat(session: Session, user: User, since: datetime, now: datetime) -> Seat | None:
    """The phone that somebody holds, for a sign-in that began at `since`. One that an earlier
    sign-in has left becomes its own; None while a call is on it there."""
    seat = seat_of(session, user)
    if seat is not None and seat.leased_at is not None and seat.leased_at < since:
        if is_in_a_call(session, user.login):
            return None
        seat.leased_at = now
    return seat


def free_seats(session: Session, kind: SeatKind, now: datetime, node: str) -> list[Seat]:
    """Seats of a node that can be leased: never leased, given back, or left by someone signed out.
    """
    present = signed_in_user_ids(session, now)
    seats = session.scalars(
        select(Seat).where(Seat.kind == kind.value, Seat.node == node).order_by(Seat.name)
    ).all()
    unused = [seat for seat in seats if seat.user_id is None]
    return unused + [seat for seat in seats if seat.user_id and seat.user_id not in present]


def lease_seat(
    session: Session, user: User, kind: SeatKind, *, now: datetime, node: str,
    wanted: str | None = None,
) -> Seat:
    """Give the user a phone of the node: the one already held if it fits, else a free one
    (`wanted`, if named). One that was held on another node is given back, whose listener sees it.

    Two people never get the same one: the row is taken by a conditional update, and a user holds
    one at most by a unique constraint. Raises NoSeat.
    """
    held = seat_of(session, user)
    if held and (held.kind, held.node) == (kind.value, node) and wanted in (None, held.name):
        return held
    if held:
        release_seat(session, user)
    for seat in free_seats(session, kind, now, node):
        if wanted in (None, seat.name) and _take(session, seat, user, now):
            session.refresh(seat)
            return seat
    if held := seat_of(session, user):  # another tab of the same person was quicker
        return held
    raise NoSeat(kind.value)


def _take(session: Session, seat: Seat, user: User, now: datetime) -> bool:
    holder = Seat.user_id.is_(None) if seat.user_id is None else Seat.user_id == seat.user_id
    try:
        with session.begin_nested():
            taken = session.execute(
                update(Seat).where(Seat.name == seat.name, holder)
                .values(user_id=user.id, leased_at=now)
                .execution_options(synchronize_session=False)
            )
    except IntegrityError:
        return False
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def release_seat(session: Session, user: User) -> None:
    """Give the phone back."""
    session.execute(
        update(Seat).where(Seat.user_id == user.id).values(user_id=None, leased_at=None)
    )


def save_note(
    session: Session, user: User, call_id: str, *, text: str, result: str | None, done: bool,
    now: datetime, case_code: str = "",
) -> tuple[CallNote, str | None]:
    """Keep what an agent wrote about a call: one note for each call and agent, the last text wins.

    It may come before the call's own row, and may come twice. What is done stays done. What lacks
    something that its result needs is kept, but not done: the second value says what
    (crm.agents.results.fault). Raises ValueError for an impossible call id or result, or a text
    that is too long.
    """
    if not CALL_ID.fullmatch(call_id):
        raise ValueError("not a call id")
    if len(text) > NOTE_LENGTH:
        raise ValueError(f"a note has at most {NOTE_LENGTH} characters")
    if result is not None and session.get(CallResult, result) is None:
        raise ValueError("there is no such result")
    if not _CASE_CODE.fullmatch(case_code):
        raise ValueError("not the beginning of a case code")
    mine = select(CallNote).where(CallNote.call_id == call_id, CallNote.user_id == user.id)
    note = session.scalar(mine)
    if note is None:
        try:
            with session.begin_nested():
                note = CallNote(
                    call_id=call_id, user_id=user.id, text="", created_at=now, saved_at=now
                )
                session.add(note)
        except IntegrityError:  # the same save, sent twice at once
            note = session.scalars(mine).one()
    note.text = text.replace("\x00", "")  # PostgreSQL stores no NUL
    note.result, note.case_code = result, case_code or None
    note.saved_at = now
    fault = results.fault(session, note, user.login, now) if done else None
    note.done = bool(note.done) or (done and fault is None)
    return note, fault


def note_of(session: Session, user: User, call_id: str) -> CallNote | None:
    return session.scalar(
        select(CallNote).where(CallNote.call_id == call_id, CallNote.user_id == user.id)
    )


def caller_of(session: Session, call_id: str) -> str | None:
    """The number that calls, or called."""
    rows = session.get(Call, call_id), session.get(LiveCall, call_id)
    return next((row.caller for row in rows if row and row.caller), None)


def was_with(session: Session, login: str, call_id: str) -> bool:
    """Whether this call rang at or was spoken with this agent."""
    return any(
        session.scalar(select(row.id).where(key == call_id, row.agent == login).limit(1))
        for row, key in ((LiveCall, LiveCall.id), (Call, Call.id), (Leg, Leg.call_id))
    )
