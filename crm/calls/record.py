"""Calls: from events of the journal to rows, and rows as everybody outside sees them.

`apply` folds events into the facts of each channel (`crm.calls.facts`) and derives the rows from
them (`crm.calls.rows`, `crm.calls.segments`). The facts stay in the rows after a call's end: an
agent's leg ends after its caller's, and events that come late or twice must still lead to the same
row. A row whose facts are gone (they are null) stands as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.api import webhooks
from crm.calls import segments as parts
from crm.calls import shifts
from crm.calls.facts import (
    CALL_ID,
    EPOCH,
    Facts,
    JournalEvent,
    call_of_leg,
    fold,
    fold_leg,
    of_its_leg,
)
from crm.calls.passed import ELSEWHERE
from crm.calls.rows import Row, describe, iso
from crm.clock import VIETNAM
from crm.models import Base, Boot, Call, CallSegment, Leg

IDS_AT_ONCE = 500  # databases limit the parameters of one statement

Stored = dict[str, Facts | None]


@dataclass(frozen=True)
class Applied:
    """What a batch of events led to: rows written, and starts of Asterisk not seen before."""

    calls: int
    legs: int
    new_boots: tuple[str, ...]


def apply(session: Session, events: Sequence[JournalEvent]) -> Applied:
    """Fold events into the rows of their calls and legs.

    The same events in other portions, again, or in another order of channels lead to the same
    rows; only starts of Asterisk must come in their order. Of callers who were passed on the events
    are those of their calls (crm.calls.passed). Nothing is committed here.
    """
    channels: dict[str, list[JournalEvent]] = {}
    for event in map(of_its_leg, events):
        channels.setdefault(event.uniqueid, []).append(event)
    new_boots = _add_boots(session, channels)
    caller_ids = {id_ for id_, found in channels.items() if found[0].is_callers}
    leg_ids = {id_ for id_, found in channels.items() if found[0].is_legs}
    touched = set(caller_ids)

    told = [(call, event) for event in events if (call := event.told_of)]
    callers = _stored(session, Call, Call.id, caller_ids | {call for call, _ in told})
    for call_id in caller_ids:
        facts = callers.setdefault(call_id, {})
        if facts is not None:
            for event in channels[call_id]:
                fold(facts, event)
    touched |= _fold_told(callers, told)

    legs = _stored(session, Leg, Leg.id, leg_ids)
    for leg_id in leg_ids:
        facts = legs.setdefault(leg_id, {})
        if facts is not None:
            if facts:
                touched.add(call_of_leg(facts))  # which may lose the leg to another call
            for event in channels[leg_id]:
                fold_leg(facts, event)
            touched.add(call_of_leg(facts))

    for node in {node for node, _ in new_boots}:
        touched |= _open_on(session, node)
    callers |= _stored(session, Call, Call.id, touched - callers.keys())
    legs = _stored(session, Leg, Leg.call_id, touched) | legs
    return _write(
        session, touched, callers, legs, tuple(name for _, name in new_boots),
        max((event.at for event in events), default=EPOCH),
    )


def _fold_told(callers: Stored, told: Sequence[tuple[str, JournalEvent]]) -> set[str]:
    """Add what helper channels tell of calls; which calls. None is made of it: the journal speaks
    of a call before anybody can act on it."""
    found = {call for call, _ in told if callers.get(call) is not None}
    for call_id, event in told:
        if (facts := callers.get(call_id)) is not None:
            fold(facts, event)
    return found


def _write(
    session: Session, touched: set[str], callers: Stored, legs: Stored,
    new_boots: tuple[str, ...], read_at: datetime,
) -> Applied:
    legs_of: dict[str, dict[str, Facts]] = {}
    for leg_id, facts in legs.items():
        if facts is not None:
            legs_of.setdefault(call_of_leg(facts), {})[leg_id] = facts
    last_boots = select(func.max(Boot.id)).group_by(Boot.node)
    newest = dict(session.execute(
        select(Boot.node, Boot.name).where(Boot.id.in_(last_boots))
    ).all())
    call_rows: list[Row] = []
    leg_rows: list[Row] = []
    segments: list[Row] = []
    for call_id in sorted(touched):
        caller, own_legs = callers.get(call_id), legs_of.get(call_id, {})
        is_settled = caller is None and call_id in callers
        if is_settled or not (caller or own_legs):
            continue
        is_over = _is_over(call_id, newest)
        gone = frozenset(leg for leg in own_legs if is_over or _is_over(leg, newest))
        call_row, rows = describe(call_id, caller, own_legs, boot_is_over=is_over, gone=gone)
        leg_rows += rows
        if call_row and caller:
            call_rows.append(call_row)
            segments += parts.derive(
                call_id, caller, own_legs, counted=call_row["kind"] == "citizen",
                boot_is_over=is_over, gone=gone,
            )
    _tell_ended(session, call_rows, read_at)
    _upsert(session, "call", call_rows)
    _upsert(session, "leg", leg_rows)
    _put_segments(session, [row["id"] for row in call_rows], segments)
    return Applied(calls=len(call_rows), legs=len(leg_rows), new_boots=new_boots)


def _is_over(id_: str, newest: Mapping[str, str]) -> bool:
    """Whether the Asterisk that had this channel is gone."""
    match = CALL_ID.fullmatch(id_)
    return match is not None and match["boot"] != newest.get(match["node"], match["boot"])


def _put_segments(session: Session, calls: Sequence[str], segments: list[Row]) -> None:
    """Put these in the place of all that the calls had."""
    for some in _portions(calls):
        session.execute(delete(CallSegment).where(CallSegment.call_id.in_(some)))
    if segments:
        shifts.cut_wrapups(session, segments)
        session.execute(insert(Base.metadata.tables[CallSegment.__tablename__]), segments)


def _tell_ended(session: Session, rows: Sequence[Row], at: datetime) -> None:
    """Programs are told of calls that end with these rows: of each once, in this transaction."""
    over = {row["id"]: row for row in rows if row["ended_at"] is not None}
    for some in _portions(sorted(over)):
        for id_ in session.scalars(
            select(Call.id).where(Call.id.in_(some), Call.ended_at.is_not(None))
        ):
            del over[id_]
    webhooks.note_ended(session, list(over.values()), at)


def _add_boots(
    session: Session, channels: Mapping[str, Sequence[JournalEvent]]
) -> list[tuple[str, str]]:
    """Note the starts of Asterisk that these channels name; returns the new ones, in order. Those
    of other nodes are for their own journals to tell, which have them all in their order."""
    found: dict[tuple[str, str], datetime] = {}
    for uniqueid, events in channels.items():
        own = [event for event in events if event.channel != ELSEWHERE]
        if own and (match := CALL_ID.fullmatch(uniqueid)):
            found.setdefault((match["node"], match["boot"]), own[0].at)
    known = set(session.execute(
        select(Boot.node, Boot.name).where(Boot.name.in_({name for _, name in found}))
    ).all())
    new = [boot for boot in found if boot not in known]
    for node, name in new:
        session.add(Boot(node=node, name=name, first_at=found[node, name]))
        session.flush()  # one at a time: their numbers keep the order
    return new


def _open_on(session: Session, node: str) -> set[str]:
    """Ids of the calls that are open or have an open leg on the node."""
    calls = select(Call.id).where(Call.node == node, Call.ended_at.is_(None))
    legs = select(Leg.call_id).where(
        Leg.ended_at.is_(None),
        or_(Leg.call_id.startswith(f"{node}."), Leg.id.startswith(f"{node}.")),
    )
    return {*session.scalars(calls), *session.scalars(legs)}


def _stored(
    session: Session, model: type[Call | Leg], key: InstrumentedAttribute[str],
    ids: Collection[str],
) -> Stored:
    found: Stored = {}
    for some in _portions(sorted(ids)):
        stored = select(model.id, model.facts).where(key.in_(some))
        found.update(session.execute(stored).all())
    return found


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        yield ids[start:start + IDS_AT_ONCE]


def _upsert(session: Session, table: str, rows: Sequence[Row]) -> None:
    if rows:
        statement = _upsert_statement(session.get_bind().dialect.name, table, tuple(rows[0]))
        session.execute(statement, rows)


@cache
def _upsert_statement(
    dialect: str, name: str, columns: tuple[str, ...]
) -> postgresql.Insert | sqlite.Insert:
    table: Table = Base.metadata.tables[name]
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    new: dict[str, ColumnElement[Any]] = {
        column: insert.excluded[column] for column in columns if column != "id"
    }
    return insert.on_conflict_do_update(index_elements=["id"], set_=new)


def today(session: Session, now: datetime) -> list[Call]:
    """Calls that began on the day of `now` in Vietnam, oldest first."""
    midnight = now.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    calls = select(Call).where(
        Call.started_at >= midnight, Call.started_at < midnight + timedelta(days=1)
    )
    return list(session.scalars(calls.order_by(Call.started_at, Call.id)))


def latest(session: Session, limit: int) -> list[Call]:
    """The last `limit` calls, oldest first."""
    newest = select(Call).order_by(Call.started_at.desc(), Call.id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def as_json(call: Call) -> dict[str, Any]:
    """A call for programs. Times are ISO 8601 in UTC, `wait_s` and `talk_s` seconds."""
    return {
        "id": call.id,
        "direction": call.direction,
        "kind": call.kind,
        "caller": call.caller,
        "dialled": call.dialled,
        "started_at": iso(call.started_at),
        "answered_at": iso(call.answered_at) if call.answered_at else None,
        "ended_at": iso(call.ended_at) if call.ended_at else None,
        "outcome": call.outcome,
        "branch": call.branch,
        "path": call.path,
        "emergency": ("unreached" if call.unreached else "reached") if call.emergency else None,
        "queue": call.queue,
        "agent": call.agent,
        "wait_s": None if call.wait_ms is None else call.wait_ms / 1000,
        "talk_s": call.talk_ms / 1000,
        "satisfaction": call.satisfaction,
        "recording": call.recording,
        "case_code": call.case_code,
    }
