"""The chain over what happened to cases: each event has a digest of itself and of the one before.

Whoever changes, removes, adds or moves an event in the database breaks every digest after it.
Whoever makes all of them anew changes the last one, the head, which the scheduler notes in the log
each day: keep the log elsewhere. The chain has of a note only a hash with a salt of its own, so
that a citizen's words can be erased, with their salt, and the chain still holds.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.calls.rows import iso
from crm.cases.models import AuditHead, CaseEvent
from crm.field_keys import Secret

BEGINNING = "0" * 64


@dataclass(frozen=True)
class Verdict:
    """`broken` is the id of the first event that does not follow from those before it; 0: events
    are missing at the end. `erased`: notes that were erased, as they may be."""

    events: int
    erased: int
    head: str
    broken: int | None


def seal(session: Session, event: CaseEvent) -> None:
    """Chain a new event. Others who would add one wait until this transaction is over."""
    head = session.get_one(AuditHead, 1, with_for_update=True, populate_existing=True)
    salt = secrets.token_hex(16)
    # with its salt sealed, the hash of a sealed note is a keyed one
    event.salt = Secret(salt) if isinstance(event.note, Secret) else salt
    event.note_hash = _note_hash(salt, event.note)
    event.digest = head.digest = _digest(head.digest, event)
    head.events += 1


def verify(session: Session) -> Verdict:
    """Read all events and follow the chain."""
    head = session.get_one(AuditHead, 1)
    digest, count, erased = BEGINNING, 0, 0
    for event in session.scalars(select(CaseEvent).order_by(CaseEvent.id).execution_options(
        yield_per=1000
    )):
        digest = _digest(digest, event)
        if event.salt is None:
            erased += 1
            stands = event.note == ""
        else:
            stands = event.note_hash == _note_hash(event.salt, event.note)
        if event.digest != digest or not stands:
            return Verdict(count, erased, head.digest, event.id)
        count += 1
    whole = (head.events, head.digest) == (count, digest)
    return Verdict(count, erased, head.digest, None if whole else 0)


def head(session: Session) -> AuditHead:
    """The last digest, and of how many events."""
    return session.get_one(AuditHead, 1)


def _note_hash(salt: str, note: str) -> str:
    return sha256(f"{salt}\n{note}".encode()).hexdigest()


def _digest(before: str, event: CaseEvent) -> str:
    said = [
        before, event.case_id, iso(event.at), event.by, event.what, event.before, event.after,
        event.call_id, event.details, event.note_hash,
    ]
    return sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
