"""Files for the carriers, who send to their own customers: one for each, made once.

Prefixes tell who gave a number out. A number that has been carried to another carrier since 2018
stands in the file of its first one, which passes the message on or reports it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.broadcasts.audience import carrier_of
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Broadcast, BroadcastEvent, BroadcastFile
from crm.imports import files
from crm.notices.models import Notice, OptOut, State
from crm.notices.numbers import international

COLUMNS = ("phone", "text")
PROVIDER = "carrier"  # of the notices that are handed over


def make(session: Session, broadcast: Broadcast, now: datetime) -> list[BroadcastFile]:
    """Write the files; whoever has opted out meanwhile is in none. Raises BroadcastError: there
    are files already."""
    if of(session, broadcast):
        raise BroadcastError("files", "its files have been made")
    mine = Notice.broadcast_id == broadcast.id
    unwanted = select(OptOut.recipient)
    for wanted, values in (
        (Notice.recipient.in_(unwanted), {"state": State.SUPPRESSED, "ended_at": now}),
        (Notice.recipient.not_in(unwanted), {
            "state": State.SENT, "sent_at": now, "provider": PROVIDER
        }),
    ):
        session.execute(
            update(Notice).where(mine, Notice.state == State.HELD, wanted).values(**values)
            .execution_options(synchronize_session=False)
        )
    by_carrier: dict[str, list[dict[str, str]]] = {}
    for number in session.scalars(
        select(Notice.recipient).where(mine, Notice.state == State.SENT).order_by(Notice.recipient)
    ):
        by_carrier.setdefault(carrier_of(number), []).append(
            # 84…: spreadsheets take the 0 off a number that begins with it
            {"phone": international(number, "84"), "text": broadcast.text}
        )
    for carrier, rows in sorted(by_carrier.items()):
        content = files.as_csv(rows, COLUMNS)
        session.add(BroadcastFile(
            broadcast_id=broadcast.id, carrier=carrier, rows=len(rows), content=content,
            sha256=hashlib.sha256(content).hexdigest(), made_at=now,
        ))
    session.flush()
    return list(of(session, broadcast))


def of(session: Session, broadcast: Broadcast) -> Sequence[BroadcastFile]:
    return session.scalars(
        select(BroadcastFile).where(BroadcastFile.broadcast_id == broadcast.id)
        .order_by(BroadcastFile.carrier)
    ).all()


def fetch(
    session: Session, broadcast: Broadcast, carrier: str, *, by: str, now: datetime
) -> BroadcastFile:
    """A file for somebody, which is noted. Raises BroadcastError."""
    for one in of(session, broadcast):
        if one.carrier == carrier:
            session.add(BroadcastEvent(
                broadcast_id=broadcast.id, at=now, by=by, what="fetched",
                note=f"{carrier}, {one.rows} numbers, sha256 {one.sha256[:16]}",
            ))
            return one
    raise BroadcastError("unknown", f"there is no file for {carrier}")
