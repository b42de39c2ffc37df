"""An agent's phone: leased from the pool, then made a member of the queues.

The lease is committed before Asterisk is asked: no network call happens inside a transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from agent_console.door import Console, Person, utc_now
from crm import desk, nodes
from crm.desk import SeatKind
from crm.models import LiveAgent, User
from ivr.commands import Outcome, Result, is_telephone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Phone:
    """A leased phone. `secret` is for its holder only."""

    seat: str
    kind: SeatKind
    secret: str
    node: str

    @property
    def interface(self) -> str:
        return f"PJSIP/{self.seat}"


def held_by(here: Console, login: str) -> Phone | None:
    """The phone that somebody holds now."""
    with here.database.reading() as session:
        user = session.scalar(select(User).where(User.login == login))
        seat = desk.seat_of(session, user) if user else None
        return Phone(seat.name, SeatKind(seat.kind), seat.secret, seat.node) if seat else None


def interface_of(here: Console, login: str) -> str | None:
    """With what somebody takes calls: the phone that they hold, or their telephone outside."""
    if (held := held_by(here, login)) is not None:
        return held.interface
    with here.database.reading() as session:
        live = session.get(LiveAgent, login)
    return live.interface if live and is_telephone(live.interface) else None


def of_sign_in(here: Console, me: Person) -> tuple[Phone | None, bool]:
    """The phone that somebody holds, as far as it is this browser's (see crm.desk.adopt_seat), and
    whether it is in a call that began in another. Both are of one moment: that call may end at any.
    """
    with here.database.transaction() as session:
        user = session.get_one(User, me.id)
        seat = desk.adopt_seat(session, user, me.since, utc_now())
        if seat is None:
            return None, desk.seat_of(session, user) is not None
        return Phone(seat.name, SeatKind(seat.kind), seat.secret, seat.node), False


def free_desk_phones(here: Console, me: Person) -> list[str]:
    """Those at which somebody can take the calls of their queues."""
    with here.database.reading() as session:
        return [
            seat.name for node in _places(session, here, me, SeatKind.DESK)
            for seat in desk.free_seats(session, SeatKind.DESK, utc_now(), node)
        ]


def _places(session: Session, here: Console, me: Person, kind: SeatKind) -> list[str]:
    """The nodes at which somebody can have a phone: those that hold their queues. Browsers reach
    another one only where its WebSocket is behind the same proxy as this console."""
    own = here.settings.node
    found = nodes.serving(session, here.settings, me.skills)
    if kind is SeatKind.WEBRTC:
        found = [node for node in found if node == own or node in here.settings.sockets]
    return found or [own]


def take(
    here: Console, agent: Person, kind: SeatKind, wanted: str | None, *, paused: bool = True
) -> tuple[Phone, str]:
    """Lease a phone and join the agent's queues with it, paused until the agent says ready.

    Returns the phone and the outcome of the command (`told`). Raises desk.NoSeat.
    """
    leave_outside(here, agent.login)  # calls ring here from now on
    phone = lease(here, agent, kind, wanted)
    joined = here.commands.sign_in(phone.interface, agent.login, agent.skills, paused=paused)
    return phone, told(joined)


def lease(here: Console, person: Person, kind: SeatKind, wanted: str | None) -> Phone:
    """Lease a phone alone. Raises desk.NoSeat."""
    before = held_by(here, person.login)
    with here.database.transaction() as session:
        user = session.get_one(User, person.id)
        places = _places(session, here, person, kind)
        its = nodes.of_phone(session, f"PJSIP/{wanted}") if wanted else None
        seat = desk.lease_seat(
            session, user, kind, now=utc_now(), node=its if its in places else places[0],
            wanted=wanted,
        )
        phone = Phone(seat.name, SeatKind(seat.kind), seat.secret, seat.node)
    if before and before.seat != phone.seat:
        here.commands.sign_out(before.interface)
    return phone


def told(result: Result) -> str:
    """The outcome of a command for the page; what Asterisk said about it goes to the log. Where
    the node that it was for is down, a sentence says so."""
    if not result.done:
        log.warning("a command was %s: %s", result.outcome, result.message)
    if result.outcome is Outcome.SILENT:
        raise ServiceUnavailable(_(
            "Nothing was done: the node that has this call or phone does not answer."))
    return result.outcome.value


def leave(here: Console, login: str) -> Result:
    """Leave the queues and give the phone back.

    Where Asterisk does not say that the phone left the queues, the lease stays: nobody else may
    get a phone that still rings for this agent. Once signed out, it counts as free again.
    """
    phone = held_by(here, login)
    if phone is None:
        return leave_outside(here, login)
    left = here.commands.sign_out(phone.interface)
    if left.outcome in (Outcome.UNKNOWN, Outcome.SILENT):
        return left
    with here.database.transaction() as session:
        user = session.scalar(select(User).where(User.login == login))
        if user:
            desk.release_seat(session, user)
    return Result(Outcome.DONE)


def leave_outside(here: Console, login: str) -> Result:
    """Leave the queues with a telephone outside (crm.keypad), if somebody is there with one."""
    with here.database.reading() as session:
        live = session.get(LiveAgent, login)
        interface = live.interface if live else None
    if interface is None or not is_telephone(interface):
        return Result(Outcome.DONE)
    return here.commands.sign_out(interface)


def tell_keypad(here: Console, switches: Mapping[str, str]) -> str:
    """Hand what Asterisk is to know of somebody's PIN over; the listener does so again after each
    connect."""
    return told(here.commands.set_switches(switches)) if switches else "done"
