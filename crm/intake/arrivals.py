"""What comes from outside comes once: a page that is sent twice, a mail that is read again, a
message that a provider repeats.

    arrival = arrivals.first(session, "web", key, now)
    if arrival is None: ...it was here before: arrivals.earlier(...)

The row is written in the transaction of what it causes. Whoever brings the same meanwhile waits for
its end: on PostgreSQL at the unique index, on SQLite at the lock of writers.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.cases.models import Case
from crm.intake.models import Arrival

EMAIL, WEB, ZALO, HAND = "email", "web", "zalo", "hand"
DAY = timedelta(days=1)


def first(
    session: Session, source: str, key: str, now: datetime, *, sender: str | None = None,
    reference: str | None = None, consent: str | None = None,
) -> Arrival | None:
    """Note that something has come. None: it came before."""
    made = Arrival(
        source=source, key=_hash(key), at=now, sender=sender, reference=reference, consent=consent
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:
        if earlier(session, source, key) is None:
            raise
        return None
    return made


def earlier(session: Session, source: str, key: str) -> Arrival | None:
    """What came under this key."""
    return session.scalar(
        select(Arrival).where(Arrival.source == source, Arrival.key == _hash(key))
    )


def of_case(session: Session, case: Case) -> list[Arrival]:
    """How a case came, and what came to it later, in order."""
    found = select(Arrival).where(Arrival.case_id == case.id).order_by(Arrival.id)
    return list(session.scalars(found))


def is_of(session: Session, case: Case, source: str, sender: str) -> bool:
    """Whether this sender has opened the case, or is known to belong to it."""
    origin = next(iter(of_case(session, case)), None)
    return origin is not None and (origin.source, origin.sender) == (source, sender)


def mail_of(session: Session, case: Case) -> str | None:
    """The address that a case was opened from."""
    origin = next(iter(of_case(session, case)), None)
    return origin.sender if origin is not None and origin.source == EMAIL else None


def of_sender(session: Session, source: str, sender: str, since: datetime) -> int:
    """How much has come from a sender since then."""
    return session.scalar(select(func.count(Arrival.id)).where(
        Arrival.source == source, Arrival.sender == sender, Arrival.at >= since
    )) or 0


def _hash(key: str) -> str:
    # whatever bytes a key came in: headers of mails may hold any
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
