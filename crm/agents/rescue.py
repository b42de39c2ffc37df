"""An emergency service or help line called into a citizen's call: the case, the address, the alarm.

It is written before Asterisk is asked, so that a service that answers at once finds everything in
its place; pressed twice, or for a second service, it stays one case for one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.agents.models import RescueCall
from crm.branches import SERVICES
from crm.cases import life
from crm.cases.models import Case
from crm.settings import Settings

CATEGORY = "danger"
LONGEST_ADDRESS = 300
_KEYS_LEFT = "9876"  # for whom another has the last digit of the number
_NUMBERS = {f"service-{one.id}": one.number for one in SERVICES}


@dataclass(frozen=True)
class Direct:
    """Whom one digit, with Alt, calls into a call. `kind` service (`to` its id) or outside;
    `ready`: it can be rung."""

    digit: str
    kind: str
    to: str
    number: str
    ready: bool


def direct(settings: Settings) -> list[Direct]:
    """One key for each service and help line: the last digit of its number, where that is free."""
    targets, taken = settings.emergency_targets, dict[str, Direct]()
    wanted = [
        *(("service", one.id, one.number, bool(targets[one.id])) for one in SERVICES),
        *(("outside", one, one, bool(settings.outbound)) for one in settings.help_lines),
    ]
    for kind, to, number, ready in wanted:
        free = (one for one in (number[-1], *_KEYS_LEFT) if one != "0" and one not in taken)
        if digit := next(free, ""):
            taken[digit] = Direct(digit, kind, to, number, ready)
    return list(taken.values())


def number_of(to: str) -> str:
    """The short number of a target: service-medical is 115."""
    return _NUMBERS.get(to, to)


def begin(
    session: Session, call_id: str, *, agent: str, to: str, caller: str | None, now: datetime
) -> tuple[RescueCall, bool]:
    """Note that a call is one for life, and open its case; whether it is new. A second service is
    noted in the same case."""
    if (known := session.get(RescueCall, call_id)) is not None:
        if known.to != to:
            known.to, known.seen_at, known.seen_by = to, None, None
            life.note(
                session, case_of(session, known), agent, now, "referred", text=number_of(to)
            )
        return known, False
    try:
        with session.begin_nested():
            case = life.open_case(
                session, summary=f"Cuộc gọi khẩn cấp, đã nối {number_of(to)} cùng nghe.", by=agent,
                now=now, phone=caller, channel="call", call_id=call_id,
            )
            life.classify(session, case, CATEGORY, by=agent, now=now)
            made = RescueCall(call_id=call_id, agent=agent, to=to, at=now, case_id=case.id)
            session.add(made)
    except IntegrityError:  # pressed twice at the same moment
        known = session.get(RescueCall, call_id)
        if known is None:
            raise
        return known, False
    return made, True


def set_address(session: Session, call_id: str, address: str) -> None:
    """Keep the address as it is typed: it is read out while it grows."""
    known = session.get(RescueCall, call_id)
    if known is not None:
        known.address = " ".join(address.replace("\x00", "").split())[:LONGEST_ADDRESS]


def see(session: Session, call_id: str, by: str, now: datetime) -> bool:
    """A supervisor knows of it; whether nobody did before."""
    first = session.execute(
        update(RescueCall).where(RescueCall.call_id == call_id, RescueCall.seen_at.is_(None))
        .values(seen_at=now, seen_by=by)
    )
    return bool(first.rowcount)  # type: ignore[attr-defined]


def unseen(session: Session) -> list[tuple[RescueCall, Case]]:
    """Those that no supervisor has seen, oldest first."""
    found = session.execute(
        select(RescueCall, Case).join(Case, Case.id == RescueCall.case_id)
        .where(RescueCall.seen_at.is_(None)).order_by(RescueCall.at)
    )
    return [(rescue, case) for rescue, case in found]


def of_case(session: Session, case: Case) -> list[RescueCall]:
    return list(session.scalars(select(RescueCall).where(RescueCall.case_id == case.id)))


def case_of(session: Session, rescue: RescueCall) -> Case:
    return session.get_one(Case, rescue.case_id)
