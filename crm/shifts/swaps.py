"""Swaps: one offers a shift, another takes it, a lead approves. Each step is a conditional change
of the same row, so that nobody takes what is taken; the roster changes with the last alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.models import User
from crm.rights import LEADS
from crm.shifts import events, roster
from crm.shifts.events import What
from crm.shifts.models import Shift, Swap
from crm.shifts.rules import Wrong, clash


class State(StrEnum):
    """How far a swap has come."""

    OFFERED = "offered"
    TAKEN = "taken"  # waits for a lead
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


OPEN = (State.OFFERED, State.TAKEN)


class SwapError(HotlineError):
    """What was asked cannot be done. `code`: unknown, not_own, begun, offered, gone, own, branch,
    overlap, rest, involved."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def offer(session: Session, shift_id: int, user: User, now: datetime) -> Swap:
    """Raises SwapError."""
    shift = session.get(Shift, shift_id)
    if shift is None or shift.user_id != user.id:
        raise SwapError("this shift is not yours", "not_own")
    _not_begun(shift, now)
    made = Swap(shift_id=shift.id, offered_by=user.id, offered_at=now, state=State.OFFERED.value)
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise SwapError("this shift is offered already", "offered") from error
    events.note(session, What.SWAP_OFFERED, user.login, now, swap=made.id, **_said(shift))
    return made


def withdraw(session: Session, swap_id: int, user: User, now: datetime) -> None:
    """Take an offer back, until a lead has decided. Raises SwapError."""
    swap = _named(session, swap_id)
    if swap.offered_by != user.id:
        raise SwapError("this offer is not yours", "not_own")
    _move(session, swap, OPEN, state=State.WITHDRAWN.value)
    events.note(session, What.SWAP_WITHDRAWN, user.login, now, swap=swap.id, **_said(swap.shift))


def take(session: Session, swap_id: int, user: User, rest: timedelta, now: datetime) -> None:
    """Say that one will work this shift. Raises SwapError."""
    swap = _named(session, swap_id)
    if swap.offered_by == user.id:
        raise SwapError("you have offered it yourself", "own")
    _may_work(session, swap.shift, user, rest, now)
    _move(session, swap, (State.OFFERED,), state=State.TAKEN.value, taken_by=user.id, taken_at=now)
    events.note(session, What.SWAP_TAKEN, user.login, now, swap=swap.id, **_said(swap.shift))


def decide(
    session: Session, swap_id: int, lead: User, rest: timedelta, now: datetime, *, approve: bool
) -> None:
    """Approve or refuse. What was right when it was taken is looked at again. Raises SwapError."""
    swap = _named(session, swap_id)
    if swap.taker is None or swap.state != State.TAKEN:
        raise SwapError("nobody has taken this shift, or it is decided", "gone")
    if lead.id in (swap.offered_by, swap.taken_by):
        raise SwapError("a third person decides", "involved")
    if approve:
        # one after another: two shifts of the same hours must not both come to one person
        session.get_one(User, swap.taker.id, with_for_update=True)
        _may_work(session, swap.shift, swap.taker, rest, now)
    state, what = (State.APPROVED, What.SWAP_APPROVED) if approve else (
        State.REFUSED, What.SWAP_REFUSED)
    shift, taker = swap.shift, swap.taker
    _move(
        session, swap, (State.TAKEN,), state=state.value, decided_by=lead.id, decided_at=now
    )
    events.note(
        session, what, lead.login, now, swap=swap.id, to=taker.login, **_said(shift)
    )
    if approve:
        shift.user_id = taker.id
        session.flush()
        session.expire(shift, ["user"])


def open_ones(session: Session, now: datetime) -> list[Swap]:
    """Offered or taken, of shifts that have not begun, the earliest shift first."""
    found = select(Swap).join(Shift).where(Swap.state.in_(OPEN), Shift.begins_at > now)
    return list(session.scalars(found.order_by(Shift.begins_at, Swap.id)).unique())


def does_the_same(role: str, other: str) -> bool:
    """Whether people of two roles may take each other's shifts."""
    return role == other or {role, other} <= LEADS


def _named(session: Session, swap_id: int) -> Swap:
    found = session.get(Swap, swap_id, with_for_update={"of": Swap}, populate_existing=True)
    if found is None:
        raise SwapError("there is no such offer", "unknown")
    return found


def _move(session: Session, swap: Swap, before: tuple[State, ...], **values: object) -> None:
    moved = session.execute(
        update(Swap).where(Swap.id == swap.id, Swap.state.in_(before)).values(**values)
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]
        raise SwapError("somebody was quicker", "gone")
    session.refresh(swap)


def _not_begun(shift: Shift, now: datetime) -> None:
    if shift.begins_at <= now:
        raise SwapError("this shift has begun", "begun")


def _may_work(
    session: Session, shift: Shift, user: User, rest: timedelta, now: datetime
) -> None:
    _not_begun(shift, now)
    if not does_the_same(user.role, shift.user.role) or (
        shift.branch and user.role not in LEADS and not roster.serves(user, shift.branch)
    ):
        raise SwapError(f"{user.login} does not serve this branch", "branch")
    span = roster.span_of(shift)
    found = clash(span, roster.spans_of(session, user.id, span, but=shift.id), rest)
    if found is not None:
        overlap = found.wrong is Wrong.OVERLAP
        raise SwapError(
            f"{user.login} works then already" if overlap else f"{user.login} would rest too short",
            "overlap" if overlap else "rest",
        )


def _said(shift: Shift) -> dict[str, str]:
    return {"shift_of": shift.user.login, "begins": shift.begins_at.isoformat()}
