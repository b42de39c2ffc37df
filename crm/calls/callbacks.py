"""Calls back that were promised: from events of the journal to rows, and what is still open.

A request is made by a caller who waits in a queue. Asterisk keeps the place and rings the citizen
(`hl-callback` in the dialplan); what it forgets when it dies is placed again from the rows here.
Facts of a request, each an earliest or a set, as in `crm.calls.facts` (times: microseconds, UTC):

    asked       [time, number, queue, branch, arrival in the queue]
    tries       [time, ...]
    end         [time, done | refused | failed]
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from crm.branches import ALL_QUEUES, BY_ID
from crm.calls.facts import CALL_ID, EPOCH, MICROSECOND, JournalEvent
from crm.calls.rows import iso
from crm.models import Callback

RESULTS = ("done", "refused", "failed")
_KINDS = frozenset({"HL_CALLBACK", "HL_CALLBACK_TRY", "HL_CALLBACK_END"})
_LONGEST_NUMBER = 12


def apply(session: Session, events: Sequence[JournalEvent]) -> None:
    """Fold events into the rows of their requests. Events that come twice change nothing."""
    for event in events:
        if event.type not in _KINDS or "again" in event.extra:
            continue
        call_id = event.uniqueid if event.type == "HL_CALLBACK" else event.extra.get("call", "")
        if match := CALL_ID.fullmatch(call_id):
            row = session.get(Callback, call_id)
            if row is None:
                row = Callback(id=call_id, node=match["node"], facts={})
                session.add(row)
            row.facts = _folded(row.facts, event)
            _derive(row)


def still_open(session: Session, node: str | None = None) -> list[Callback]:
    """Requests that nobody has kept yet, the earliest arrival first. A number has one place: who
    was reached, or has refused, asks for nothing that was asked before."""
    later = aliased(Callback)
    closed_since = exists().where(
        later.number == Callback.number, later.ended_at >= Callback.asked_at
    )
    found = select(Callback).where(
        Callback.asked_at.is_not(None), Callback.ended_at.is_(None), ~closed_since
    )
    if node is not None:
        found = found.where(Callback.node == node)
    return list(session.scalars(found.order_by(Callback.arrived_at, Callback.id)))


def latest(session: Session, limit: int) -> list[Callback]:
    """The last `limit` requests, oldest first."""
    newest = select(Callback).where(Callback.asked_at.is_not(None))
    newest = newest.order_by(Callback.asked_at.desc(), Callback.id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def as_json(request: Callback) -> dict[str, Any]:
    """A request for programs. Times are ISO 8601 in UTC."""
    def time(at: datetime | None) -> str | None:
        return iso(at) if at else None

    return {
        "id": request.id, "number": request.number, "queue": request.queue,
        "branch": request.branch, "arrived_at": time(request.arrived_at),
        "asked_at": time(request.asked_at), "tries": request.tries,
        "tried_at": time(request.tried_at), "ended_at": time(request.ended_at),
        "result": request.result,
    }


def _folded(facts: Mapping[str, Any], event: JournalEvent) -> dict[str, Any]:
    at = (event.at - EPOCH) // MICROSECOND
    new = {name: list(value) for name, value in facts.items()}
    if event.type == "HL_CALLBACK" and (asked := _asked(at, event.extra)):
        new["asked"] = min(new.get("asked", asked), asked)
    elif event.type == "HL_CALLBACK_TRY":
        tries = new.setdefault("tries", [])
        if at not in tries:
            insort(tries, at)
    elif event.type == "HL_CALLBACK_END" and (result := event.extra.get("result")) in RESULTS:
        new["end"] = min(new.get("end", [at, result]), [at, result])
    return new


def _asked(at: int, extra: Mapping[str, str]) -> list[Any] | None:
    """None unless all of it is as the dialplan writes it."""
    number, queue, branch = (extra.get(name, "") for name in ("number", "queue", "branch"))
    arrived = extra.get("arrived", "")
    if not (number.isdecimal() and number.isascii() and len(number) <= _LONGEST_NUMBER):
        return None
    if queue not in ALL_QUEUES or branch not in BY_ID:
        return None
    if not (arrived.isdecimal() and arrived.isascii() and len(arrived) <= 10):
        return None
    return [at, number, queue, branch, int(arrived)]


def _derive(row: Callback) -> None:
    facts = row.facts
    if asked := facts.get("asked"):
        row.asked_at = EPOCH + asked[0] * MICROSECOND
        _, row.number, row.queue, row.branch, arrived = asked
        row.arrived_at = datetime.fromtimestamp(arrived, UTC)
    tries = facts.get("tries", [])
    row.tries = len(tries)
    row.tried_at = EPOCH + tries[-1] * MICROSECOND if tries else None
    if end := facts.get("end"):
        row.ended_at = EPOCH + end[0] * MICROSECOND
        row.result = end[1]
