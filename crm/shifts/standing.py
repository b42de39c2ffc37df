"""How things stand when a shift ends: what is owed, what is broken, what is in force.

Plain values, to be kept: numbers of callers are masked and no words of citizens are in it, so that
a handover need not be erased with a person. Lists are cut at LISTED, their totals are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm import bulletins, surge, switches
from crm.broadcasts.models import Broadcast, Stage
from crm.calls import callbacks, emergency, messages, missed
from crm.calls.rows import iso
from crm.cases import incidents
from crm.cases.life import AT_AGENCY, AT_DESK
from crm.cases.models import Case, Status
from crm.models import JournalGap, ListenerState, Switch
from crm.notices import board
from crm.notices.numbers import masked
from crm.settings import Settings
from crm.shifts import instructions
from crm.shifts.models import Finding

LISTED = 50
SECTIONS = (
    "emergencies", "callbacks", "missed", "messages", "dispatch", "overdue", "faults", "in_force",
)
RECENT = timedelta(hours=24)
SILENT = timedelta(seconds=20)  # a listener that lives says so every few seconds

Snapshot = dict[str, Any]


def snapshot(session: Session, settings: Settings, now: datetime) -> Snapshot:
    """{"at": time, "sections": {id: {"total", "items": [{"at", "subject", "branch", "detail"}]}}},
    in the order of SECTIONS."""
    found = {
        "emergencies": _section(
            _item(one.started_at, _number(one.caller), one.branch)
            for one in emergency.unreached(session)
        ),
        "callbacks": _section(
            _item(one.asked_at, _number(one.number), one.branch)
            for one in callbacks.still_open(session)
        ),
        "missed": _section(
            _item(one.first_at, _number(one.number), one.branch, f"{one.times}×")
            for one in missed.waiting(
                session, now, timedelta(hours=settings.missed_for_h)
            )
        ),
        "messages": _section(
            _item(one.call.started_at, _number(one.call.caller), one.call.branch,
                  one.task.taken_by if one.task else "")
            for one in messages.waiting(session)
        ),
        "dispatch": _cases(session, AT_DESK, Case.dispatch_due_at, None),
        "overdue": _cases(session, AT_AGENCY, Case.due_at, now),
        "faults": _section(_faults(session, settings, now)),
        "in_force": _section(_in_force(session, now)),
    }
    return {"at": iso(now), "sections": {name: found[name] for name in SECTIONS}}


def _section(items: Iterable[dict[str, Any]], total: int | None = None) -> dict[str, Any]:
    listed = list(items)
    return {"total": len(listed) if total is None else total, "items": listed[:LISTED]}


def _item(
    at: datetime | None, subject: str, branch: str | None = None, detail: str = ""
) -> dict[str, Any]:
    return {"at": iso(at) if at else None, "subject": subject, "branch": branch, "detail": detail}


def _number(number: str | None) -> str:
    return masked(number) if number else ""


def _cases(
    session: Session, among: Iterable[Status], by: Any, before: datetime | None
) -> dict[str, Any]:
    """Cases in some states, the earliest due first; of those due `before` a moment, if it is
    given."""
    which = [Case.status.in_([one.value for one in among])]
    if before is not None:
        which.append(by < before)
    total = session.scalar(select(func.count(Case.id)).where(*which)) or 0
    rows = session.scalars(select(Case).where(*which).order_by(by).limit(LISTED))
    return _section(
        (_item(getattr(one, by.key), one.code, None, one.category or "") for one in rows), total
    )


def _faults(session: Session, settings: Settings, now: datetime) -> Iterable[dict[str, Any]]:
    seen = session.scalars(select(Finding).order_by(Finding.status, Finding.name)).all()
    for one in seen:
        yield _item(one.since, one.name, None, one.detail)
    for listener in session.scalars(select(ListenerState)):
        if not listener.connected or now - listener.seen_at > SILENT:
            yield _item(listener.seen_at, "listener", None, listener.node)
    gaps = select(JournalGap).where(JournalGap.found_at > now - RECENT).order_by(JournalGap.id)
    for gap in session.scalars(gaps):
        yield _item(gap.found_at, "journal gap", None, f"{gap.segment}: {gap.reason}")
    trouble = board.trouble(session, settings, now)
    if trouble.late or trouble.failed:
        yield _item(None, "notices", None, f"late {trouble.late}, failed {trouble.failed}")


def _in_force(session: Session, now: datetime) -> Iterable[dict[str, Any]]:
    for one in instructions.in_force(session, now):
        yield _item(one.written_at, "instruction", None, one.text)
    for limit in surge.in_force(session, now):
        yield _item(limit.at, f"limit {limit.queue}", None,
                    f"{limit.most}: {limit.reason} ({limit.by})")
    for incident in incidents.still_on(session):
        told = "" if incidents.is_told(incident, now) else " (not told any more)"
        yield _item(incident.since, "incident", incident.branch, f"{incident.text}{told}")
    if (bulletin := bulletins.live(session)) is not None:
        yield _item(bulletin.live_since, "bulletin", None, bulletin.text)
    sent = select(Broadcast).where(Broadcast.stage.in_((Stage.RUNNING, Stage.PAUSED)))
    for broadcast in session.scalars(sent.order_by(Broadcast.id)):
        yield _item(broadcast.created_at, "broadcast", None, f"{broadcast.id} {broadcast.stage}")
    state = switches.current(session)
    kept = {row.name: row for row in session.scalars(select(Switch))}
    for name, value in state.items():
        if name in switches.KNOWN and value != switches.KNOWN[name][0]:
            yield _item(kept[name].set_at, f"switch {name}", None, f"{value} ({kept[name].set_by})")


def note_findings(
    session: Session, found: Sequence[tuple[str, str, str]], now: datetime
) -> None:
    """Keep what the doctor found amiss (name, status, detail); what is well again goes."""
    kept = {one.name: one for one in session.scalars(select(Finding))}
    for name, status, detail in found:
        one = kept.pop(name, None)
        if one is None:
            session.add(Finding(
                name=name, status=status, detail=detail, since=now, seen_at=now
            ))
        else:
            one.status, one.detail, one.seen_at = status, detail, now
    for gone in kept.values():
        session.delete(gone)
