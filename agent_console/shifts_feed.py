"""What the live feed tells of shifts: instructions in force and who has read them, who is missing,
the handover that waits. Each reader's list is a document of its own, so that a key pressed at one
desk is sent to that desk and the supervisors alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from crm.calls.rows import iso
from crm.shifts import handovers, instructions, roster

Document = dict[str, Any]
MISSING, HANDOVER = "missing", "handover"


def documents(session: Session, now: datetime, late: timedelta) -> dict[str, Document]:
    in_force = instructions.in_force(session, now)
    found: dict[str, Document] = {
        f"instruction:{one.id}": {
            "id": one.id, "version": one.version, "text": one.text, "by": one.written_by,
            "at": iso(one.written_at), "expires_at": iso(one.expires_at),
        }
        for one in in_force
    }
    read: dict[str, list[int]] = defaultdict(list)
    for id_, readers in instructions.readers(session, [one.id for one in in_force]).items():
        for login in readers:
            read[login].append(id_)
    found |= {f"read:{login}": {"ids": sorted(ids)} for login, ids in read.items()}
    found[MISSING] = {"people": [
        {"login": one.shift.user.login, "name": one.shift.user.name, "since": iso(one.since),
         "branch": one.shift.branch}
        for one in roster.missing(session, now, late)
    ]}
    waits = handovers.waiting(session)
    found[HANDOVER] = {"waits": {
        "id": waits.id, "by": waits.outgoing, "at": iso(waits.signed_at)
    } if waits else None}
    return found


def topics(found: Mapping[str, Document], everybody: str) -> dict[str, tuple[str, ...]]:
    """Who may see which of them; what is not named is for supervisors."""
    return {
        key: (everybody,) if key.startswith("instruction:") else (f"agent:{key[5:]}",)
        for key in found if key.startswith(("instruction:", "read:"))
    }
