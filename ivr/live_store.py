"""The listener's tables: what it writes for the screens, and what it reads to repair Asterisk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from crm import desk, keypad, nodes, users
from crm.agents import pauses
from crm.calls import callbacks
from crm.database import Database
from crm.models import (
    AgentState,
    Callback,
    JournalPosition,
    ListenerState,
    LiveAgent,
    LiveCall,
    LiveState,
    Seat,
    Switch,
    User,
)
from crm.settings import Settings
from ivr.journal_reader import Segment, has_read
from ivr.live import CallRow, Changes
from ivr.live_agents import AgentRow


@dataclass(frozen=True)
class Connection:
    """The row of `listener_state`: connected to Asterisk or not, since when, and last seen."""

    connected: bool
    since: datetime
    seen_at: datetime


@dataclass(frozen=True)
class Lease:
    """A seat that somebody is signed in at: who should be called on which phone for what."""

    interface: str
    login: str
    skills: Mapping[str, int]  # the level of each queue


class LiveStore:
    """One node's rows. Every method is one short transaction and may raise SQLAlchemyError."""

    def __init__(self, database: Database, node: str, settings: Settings | None = None) -> None:
        """`settings` say which queues the node holds, where there are several."""
        self._database = database
        self._node = node
        self._settings = settings if settings and settings.nodes else None
        self._seq: int | None = None

    def load(self) -> tuple[list[CallRow], list[AgentRow], Connection | None]:
        """The rows that an earlier run left."""
        with self._database.reading() as session:
            calls = session.scalars(select(LiveCall).where(LiveCall.node == self._node))
            agents = session.scalars(select(LiveAgent).where(LiveAgent.node == self._node))
            state = session.get(ListenerState, self._node)
            return (
                [
                    CallRow(
                        row.id, LiveState(row.state), row.started_at, row.since, row.caller,
                        row.branch, row.queue, row.position, row.agent, row.queued_at,
                        row.guest, row.guest_state, row.aside, row.recording,
                        row.taken_from, row.taken_by,
                    )
                    for row in calls
                ],
                [
                    AgentRow(
                        row.login, AgentState(row.state), row.since, row.reason, row.interface,
                        tuple(row.queues), row.call_id, row.wrapup_until,
                    )
                    for row in agents
                ],
                Connection(state.connected, state.since, state.seen_at) if state else None,
            )

    def write(self, changes: Changes, connection: Connection | None) -> None:
        """Write changed rows, each with a `seq` of its own, in one commit."""
        with self._database.transaction() as session:
            seq = self._seq if self._seq is not None else self._last_seq(session)
            calls = [self._numbered(row, seq + i) for i, row in enumerate(changes.calls, start=1)]
            seq += len(calls)
            agents = [self._numbered(row, seq + i) for i, row in enumerate(changes.agents, start=1)]
            seq += len(agents)
            self._remove(session, changes)
            self._upsert(session, LiveCall, "id", calls)
            self._upsert(session, LiveAgent, "login", agents)
            self._note_pauses(session, changes)
            if connection:
                seq += 1
                self._upsert(session, ListenerState, "node", [self._numbered(connection, seq)])
        self._seq = seq

    def leases(self) -> list[Lease]:
        """Who is signed in at this node's seats."""
        with self._database.reading() as session:
            found = session.execute(
                select(Seat.name, User)
                .join(User, Seat.user_id == User.id)
                .where(Seat.node == self._node, User.active)
            )
            return [
                Lease(f"PJSIP/{name}", user.login, users.skills(user))
                for name, user in found
            ]

    def callbacks(self, folder: Path, until: Segment) -> list[Callback] | None:
        """Calls back that are still promised and whose place is here, one for each number, the
        earliest arrival first; None while the tailer has not read the journal in `folder` so far.
        """
        with self._database.reading() as session:
            if not has_read(session.get(JournalPosition, self._node), until, folder):
                return None
            found: dict[str | None, Callback] = {}
            if self._settings:
                held = nodes.held_by(session, self._settings, self._node)
                promised = [one for one in callbacks.still_open(session) if one.queue in held]
            else:
                promised = callbacks.still_open(session, self._node)
            for request in promised:
                found.setdefault(request.number, request)
            return list(found.values())

    def switches(self) -> dict[str, str]:
        """The wanted state of every switch."""
        with self._database.reading() as session:
            rows = session.scalars(select(Switch))
            return {row.name: row.value for row in rows} | keypad.switches(session)

    def on_telephones(self) -> set[str]:
        """Who may be in the queues with a telephone outside."""
        with self._database.reading() as session:
            return keypad.with_pin(session)

    def leave_seats(self, logins: Collection[str]) -> None:
        """Give back the seats of agents who take their calls at a telephone now."""
        with self._database.transaction() as session:
            for user in session.scalars(select(User).where(User.login.in_(logins))):
                desk.release_seat(session, user)

    def _last_seq(self, session: Session) -> int:
        tables: tuple[Any, ...] = (LiveCall, LiveAgent, ListenerState)
        lasts = (
            session.scalar(select(func.max(table.seq)).where(table.node == self._node))
            for table in tables
        )
        return max((last for last in lasts if last is not None), default=0)

    def _numbered(self, row: CallRow | AgentRow | Connection, seq: int) -> dict[str, Any]:
        return {**asdict(row), "node": self._node, "seq": seq}

    def _remove(self, session: Session, changes: Changes) -> None:
        gone_calls, gone_agents = set(changes.gone_calls), set(changes.gone_agents)
        if changes.everything:
            calls = session.scalars(select(LiveCall.id).where(LiveCall.node == self._node))
            gone_calls = set(calls) - {row.id for row in changes.calls}
            agents = session.scalars(select(LiveAgent.login).where(LiveAgent.node == self._node))
            gone_agents = set(agents) - {row.login for row in changes.agents}
        if gone_calls:
            session.execute(
                delete(LiveCall).where(LiveCall.id.in_(gone_calls), LiveCall.node == self._node)
            )
        if gone_agents:
            session.execute(
                delete(LiveAgent).where(
                    LiveAgent.login.in_(gone_agents), LiveAgent.node == self._node
                )
            )

    def _note_pauses(self, session: Session, changes: Changes) -> None:
        """How long agents pause counts by the day, over restarts of everything."""
        now = datetime.now(UTC)
        for row in changes.agents:
            pauses.note(
                session, row.login, None if row.state is AgentState.OFFLINE else row.reason, now
            )
        if changes.everything:
            pauses.close_abandoned(session, now)

    def _upsert(self, session: Session, table: Any, key: str, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        insert: Any = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = insert(table)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[key],
                set_={name: statement.excluded[name] for name in rows[0] if name != key},
            ),
            rows,
        )
