"""Emergency calls that reached nobody or broke off, and drills with the emergency services."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.branches import SERVICES
from crm.errors import HotlineError
from crm.models import Call, Drill, RungBack


class EmergencyError(HotlineError):
    """What was asked cannot be done; one sentence for the operator."""


def unreached(session: Session) -> list[Call]:
    """Calls for emergency help that were not rung back: those that broke off in mid-talk, then
    those that spoke with nobody, each the oldest first."""
    return [
        call for why in (Call.broken_off, Call.unreached) for call in session.scalars(
            select(Call).outerjoin(RungBack, RungBack.call_id == Call.id)
            # as the indexes say it: SQLite takes no other words
            .where(why.is_(True), RungBack.call_id.is_(None), Call.kind != "training")
            .order_by(Call.started_at)
        )
    ]


def rung_back(session: Session, call_id: str, login: str, now: datetime) -> bool:
    """Note that this caller has been rung back; False if it stands already.

    Raises EmergencyError for any other call.
    """
    call = session.get(Call, call_id)
    if call is None or not (call.unreached or call.broken_off):
        raise EmergencyError("this call did not ask for emergency help in vain")
    if session.get(RungBack, call_id):
        return False
    session.add(RungBack(call_id=call_id, at=now, by=login))
    return True


def record_drill(session: Session, service: str, now: datetime, note: str) -> None:
    """Note an agreed drill. Raises EmergencyError for an unknown service."""
    if service not in {one.id for one in SERVICES}:
        known = ", ".join(one.id for one in SERVICES)
        raise EmergencyError(f"there is no emergency service {service}; there are {known}")
    session.add(Drill(service=service, at=now, note=note[:500]))


def last_drills(session: Session) -> dict[str, datetime]:
    """When each service was last drilled with (UTC); those never drilled with are missing."""
    drills = select(Drill.service, func.max(Drill.at)).group_by(Drill.service)
    return dict(session.execute(drills).all())
