"""Which rows go together into the archive, and how they are written.

A record is a call with all that means nothing without it, or one word of an agent to the queues.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from crm.agents.models import RescueCall
from crm.database import UtcDateTime
from crm.errors import HotlineError
from crm.models import (
    AgentEvent,
    Base,
    Call,
    Callback,
    CallNote,
    CallSegment,
    Leg,
    LineQuality,
    MessageTask,
    RungBack,
)
from crm.privacy.models import LegalHold

Row = dict[str, Any]
Change = Callable[[str], str]


class ArchiveError(HotlineError):
    """The archive cannot be written, read or used; the message says what to do."""


@dataclass(frozen=True)
class Kind:
    """What is archived: by when it began, and the columns that name it, its own first."""

    name: str
    at: Column[datetime]
    columns: tuple[Column[str], ...]

    @property
    def id(self) -> Column[str]:
        return self.columns[0]


def _column(model: type[Base], name: str) -> Column[Any]:
    return Base.metadata.tables[model.__tablename__].c[name]


CALL = Kind("call", _column(Call, "started_at"), (
    _column(Call, "id"), *(_column(model, "call_id") for model in (
        Leg, CallSegment, CallNote, LineQuality, MessageTask, RungBack, RescueCall,
    )), _column(Callback, "id"),
))
EVENT = Kind("agent_event", _column(AgentEvent, "at"), (_column(AgentEvent, "id"),))
KINDS = {one.name: one for one in (CALL, EVENT)}
# a number that means nothing but the order of writing, and may be another's when it comes back
_NUMBERS = {CallNote.__tablename__: "id"}


@dataclass(frozen=True)
class Record:
    """Rows that go together, by table."""

    kind: str
    id: str
    rows: dict[str, list[Row]]

    @cached_property
    def line(self) -> bytes:
        """As it is written: the same rows make the same line."""
        said = [self.kind, self.id, self.rows]
        return json.dumps(said, ensure_ascii=False, sort_keys=True,
                          separators=(",", ":")).encode() + b"\n"

    @cached_property
    def digest(self) -> bytes:
        return sha256(self.line).digest()

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.id

    @classmethod
    def of_line(cls, line: bytes) -> Record:
        return cls(*json.loads(line))


def settled(now: datetime) -> dict[str, ColumnElement[bool]]:
    """What of each kind may leave the database: calls that are over, of which nobody is owed
    anything, whose sounds are gone, and whose number no order holds."""
    holds = select(LegalHold.phone).where(LegalHold.until > now, LegalHold.ended_at.is_(None))
    promised = exists().where(
        Callback.id == Call.id, Callback.asked_at.is_not(None), Callback.ended_at.is_(None)
    )
    rung_back = exists().where(RungBack.call_id == Call.id)
    unseen = exists().where(RescueCall.call_id == Call.id, RescueCall.seen_at.is_(None))
    in_vain = or_(Call.unreached.is_(True), Call.broken_off.is_(True))
    return {
        CALL.name: and_(
            Call.ended_at.is_not(None), Call.recording.is_(None), Call.voicemail.is_(None),
            or_(Call.caller.is_(None), Call.caller.not_in(holds)),
            not_(and_(in_vain, Call.kind != "training", not_(rung_back))),
            not_(promised), not_(unseen),
        ),
        EVENT.name: AgentEvent.id.is_not(None),
    }


def read(session: Session, kind: Kind, ids: Sequence[str], *, lock: bool = False) -> list[Record]:
    """The records of these ids, as far as there are any; `lock`: nobody changes them meanwhile."""
    found: dict[str, dict[str, list[Row]]] = {}
    for column in kind.columns:
        table = column.table
        wanted = select(table).where(column.in_(ids)).order_by(*table.primary_key)
        if lock and column is kind.id:
            wanted = wanted.with_for_update()
        for row in session.execute(wanted).mappings():
            rows = found.setdefault(row[column.name], {})
            rows.setdefault(table.name, []).append(_written(table, row))
    return [Record(kind.name, id_, rows) for id_, rows in found.items() if kind.name in rows]


def remove(session: Session, kind: Kind, records: Collection[Record]) -> bool:
    """Delete these rows; False, and it must not be committed: there are others meanwhile."""
    ids = [one.id for one in records]
    for column in reversed(kind.columns):
        table = column.table
        known = sum(len(one.rows.get(table.name, ())) for one in records)
        done = session.execute(delete(table).where(column.in_(ids)))
        if done.rowcount != known:  # type: ignore[attr-defined]
            return False
    return True


def put_back(session: Session, records: Sequence[Record]) -> None:
    """Write rows that are not there; what is there stays as it is."""
    for kind in KINDS.values():
        own = [one for one in records if one.kind == kind.name]
        for column in kind.columns:
            table = column.table
            rows = [_parsed(table, row) for one in own for row in one.rows.get(table.name, ())]
            if rows:
                session.execute(_insert(session, table, tuple(rows[0])), rows)


def call_of(record: Record) -> Call:
    """The call of a record, in no session."""
    return Call(**_parsed(CALL.id.table, record.rows[CALL.name][0]))


def strings(rows: dict[str, list[Row]], change: Change) -> dict[str, list[Row]]:
    """The same rows with other texts; what names a call or a channel stays."""
    names = {column.name for kind in KINDS.values() for column in kind.columns} | {"id", "leg_id"}
    return {
        table: [{name: value if name in names else _changed(value, change)
                 for name, value in row.items()} for row in own]
        for table, own in rows.items()
    }


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(one, change) for one in value]
    if isinstance(value, dict):
        return {name: _changed(one, change) for name, one in value.items()}
    return value


def _written(table: Table, row: Mapping[Any, Any]) -> Row:
    surrogate = _NUMBERS.get(table.name)
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items() if name != surrogate
    }


def _parsed(table: Table, row: Row) -> Row:
    if unknown := row.keys() - table.c.keys():
        raise ArchiveError(
            f"{table.name} has no {', '.join(sorted(unknown))} any more: bring the month back with"
            " the version of the hotline that wrote it"
        )
    return {
        name: datetime.fromisoformat(value)
        if value is not None and isinstance(table.c[name].type, UtcDateTime) else value
        for name, value in row.items()
    }


def _insert(
    session: Session, table: Table, columns: tuple[str, ...]
) -> postgresql.Insert | sqlite.Insert:
    of_server = session.get_bind().dialect.name == "postgresql"
    made = postgresql.insert(table) if of_server else sqlite.insert(table)
    return made.values({  # nothing is NULL again, and not JSON's null
        name: bindparam(name, type_=JSON(none_as_null=True)
                        if type(table.c[name].type) is JSON else table.c[name].type)
        for name in columns
    }).on_conflict_do_nothing()


def portions(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start:start + size]
