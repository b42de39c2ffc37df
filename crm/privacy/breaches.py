"""The register of incidents with personal data. The authority is told within 72 hours of the
discovery (Law 91/2025 and its decree 356/2025); until then engineers are reminded.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.privacy.breach_models import Breach

WITHIN = timedelta(hours=72)
REMINDED_AFTER = tuple(timedelta(hours=hours) for hours in (24, 48, 60, 72))
LISTED = 100


class BreachError(HotlineError):
    """What was written of an incident is not taken. `code`: what, data, people, discovered,
    measures, number, outcome, told, closed, unknown."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def enter(
    session: Session, *, what: str, data: str, people: int | None, discovered_at: datetime,
    by: str, now: datetime,
) -> Breach:
    """Raises BreachError."""
    if not 10 <= len(what.strip()) <= 4000:
        raise BreachError("say what has happened, in 10 to 4000 letters", "what")
    if not 3 <= len(data.strip()) <= 400:
        raise BreachError("say which data, of whom", "data")
    if people is not None and people < 0:
        raise BreachError("how many people is no number below 0", "people")
    if not now - timedelta(days=365) <= discovered_at <= now:
        raise BreachError("it was discovered in the last year, and not in the future", "discovered")
    made = Breach(
        what=what.strip(), data=data.strip(), people=people, discovered_at=discovered_at,
        entered_at=now, entered_by=by,
    )
    session.add(made)
    session.flush()
    return made


def named(session: Session, id_: int) -> Breach:
    """Raises BreachError."""
    found = session.get(Breach, id_, with_for_update=True)
    if found is None:
        raise BreachError(f"there is no incident {id_}", "unknown")
    return found


def write_measures(breach: Breach, measures: str) -> None:
    """What is done about it. Raises BreachError."""
    _open(breach)
    if not 3 <= len(measures.strip()) <= 4000:
        raise BreachError("measures have 3 to 4000 letters", "measures")
    breach.measures = measures.strip()


def note_notified(breach: Breach, number: str, now: datetime) -> None:
    """The authority was told by this letter. Raises BreachError."""
    _open(breach)
    if breach.notified_at is not None:
        raise BreachError("the authority was told before", "told")
    if not breach.measures:
        raise BreachError("the authority is told what is done about it: write that first",
                          "measures")
    if not 2 <= len(number.strip()) <= 80:
        raise BreachError("say by which letter", "number")
    breach.notified_at, breach.notice_number = now, number.strip()


def close(breach: Breach, outcome: str, *, by: str, now: datetime) -> None:
    """Raises BreachError: not before the authority was told."""
    _open(breach)
    if breach.notified_at is None:
        raise BreachError("the authority is told first", "told")
    if not 3 <= len(outcome.strip()) <= 4000:
        raise BreachError("say how it ended", "outcome")
    breach.outcome, breach.closed_at, breach.closed_by = outcome.strip(), now, by


def due_at(breach: Breach) -> datetime:
    return breach.discovered_at + WITHIN


def listed(session: Session) -> list[Breach]:
    """Those that are not closed first, the latest first."""
    found = select(Breach).order_by(Breach.closed_at.is_not(None), Breach.id.desc())
    return list(session.scalars(found.limit(LISTED)))


def to_remind(session: Session, now: datetime) -> list[Breach]:
    """Whose next reminder has come; counted as reminded by whoever does it (`reminded`)."""
    found = session.scalars(select(Breach).where(Breach.notified_at.is_(None)))
    return [one for one in found if _steps(one, now) > one.reminded]


def remind(breach: Breach, now: datetime) -> str:
    """What engineers are told; the steps that have come are counted."""
    breach.reminded = _steps(breach, now)
    left = due_at(breach) - now
    hours = int(left.total_seconds() // 3600)
    until = f"{due_at(breach).astimezone(VIETNAM):%d/%m %H:%M}"
    return (
        f"incident {breach.id} with personal data: the authority is to be told until {until}, "
        + (f"{hours} hours are left" if hours >= 0 else "which is over")
    )


def _open(breach: Breach) -> None:
    if breach.closed_at is not None:
        raise BreachError("this incident is closed", "closed")


def _steps(breach: Breach, now: datetime) -> int:
    return sum(now >= breach.discovered_at + after for after in REMINDED_AFTER)
