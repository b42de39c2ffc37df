"""The live feed: one thread follows the database and fans changes out to all open pages.

What pages see is a set of documents, each a small JSON value under a key such as `agent:lan`,
`call:th1.b1-1.2`, `queue:vaccine`, `branch:vaccine`, `today:vaccine`, `unreached:th1.b1-1.2`,
`help:lan`, `rescue:th1.b1-1.2`, `taken:lan`, `instruction:7`, `read:lan`, `missing`, `handover`,
`menus`, `in_force`, `messages`, `listener:th1`, `database`. A page first gets all documents that it
may see, then those that change (null: gone).
Each change is computed and encoded once, whatever the number of pages; a page that does not keep
up is cut off, reconnects by itself and gets everything again.
"""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from agent_console import shifts_feed
from crm import surge, users, wallboard
from crm.agents import assistance, pauses, rescue
from crm.branches import BRANCHES
from crm.calls import callbacks, emergency, history, messages
from crm.calls.rows import iso
from crm.cases import incidents
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call, ListenerState, LiveAgent, LiveCall, LiveState
from crm.reports import parties

log = logging.getLogger(__name__)

TICK_S = 1.0  # also without a change: sessions end, listeners fall silent, midnight comes
UNWATCHED_S = 5.0  # without a page only metrics are read from here
RESYNC_S = 30.0  # everything is read again this often, whatever was missed
HEARTBEAT_S = 15.0
LISTENER_SILENT = timedelta(seconds=20)
ROOM_S = 0.2  # at most so often
QUEUE_LENGTH = 256
TODAY_SHARE = 20  # today's figures take at most a twentieth of a processor
EVERYBODY = "all"
BRANCH_OF_QUEUE = {branch.queue: branch.id for branch in BRANCHES}
WITH_AGENT = frozenset({LiveState.RINGING.value, LiveState.TALKING.value})
WAITING = frozenset({LiveState.WAITING.value, LiveState.RINGING.value})

Document = dict[str, Any]


class Subscriber:
    """One open page. `topics` None: it sees everything (supervisors)."""

    def __init__(self, topics: frozenset[str] | None, token_hash: str, page_id: str) -> None:
        self.topics = topics
        self.token_hash = token_hash
        self.page_id = page_id
        # three hundred threads wake for each message: this queue costs them half of what one with a
        # bound of its own does
        self.messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.closed = False

    def is_same(self, other: Subscriber) -> bool:
        return (self.token_hash, self.page_id) == (other.token_hash, other.page_id)

    def sees(self, topics: Iterable[str]) -> bool:
        return self.topics is None or not self.topics.isdisjoint(topics)

    def stream(self) -> Iterator[str]:
        """Server-sent events until the feed closes this page; in silence an empty one from time
        to time, by which a page knows that the server lives."""
        yield "retry: 2000\n\n"
        while True:
            try:
                message = self.messages.get(timeout=HEARTBEAT_S)
            except queue.Empty:
                yield f"data: {_message({})}\n\n"
                continue
            if message is None:
                return
            yield f"data: {message}\n\n"
            if self.closed and self.messages.empty():
                return


@dataclass(frozen=True)
class _Live:
    """What the feed knows at one moment; compared with the next to find what changed."""

    documents: Mapping[str, Document]
    topics: Mapping[str, tuple[str, ...]]


class Feed:
    """Follows one database; `start` once in each console process, `close` at its end."""

    def __init__(
        self, database: Database, service_level_s: int, late: timedelta = timedelta(minutes=10)
    ) -> None:
        self._database = database
        self._service_level_s = service_level_s
        self._late = late  # who is rostered and in no queue for so long is missing
        self._lock = threading.Lock()
        self._live = _Live({"database": {"ok": True}}, {"database": (EVERYBODY,)})
        self._subscribers: set[Subscriber] = set()
        self._watched = threading.Event()  # a page is there
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._calls: dict[str, LiveCall] = {}
        self._agents: dict[str, LiveAgent] = {}
        self._seen: dict[str, int] = {}  # highest seq by node
        self._records: dict[str, Call] = {}  # the journal's view of calls that are with an agent
        self._today: dict[str, Document] = {}
        self._whose: Mapping[str, str] = {}  # the lines outside that were rung today
        self._unreached: dict[str, Document] = {}
        self._messages: Document = {"untaken": 0}
        self._owed: Document = {"callbacks": 0}
        self._shifts: dict[str, Document] = {}
        self._room: dict[str, Document] = {}  # who needs help, calls for life, limits of pauses
        self._in_force: Document = {"limits": [], "incidents": []}
        self._pauses: Mapping[str, pauses.Standing] = {}
        self._due = dict.fromkeys(  # monotonic
            ("resync", "today", "whose", "unreached", "messages", "sessions", "shifts", "room",
             "in_force"), 0.0
        )

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End all streams and the thread."""
        self._stopping.set()
        self._watched.set()
        with self._lock:
            for subscriber in self._subscribers:
                _end(subscriber)
            self._subscribers.clear()

    @property
    def subscribers(self) -> int:
        return len(self._subscribers)

    def documents(self) -> Mapping[str, Document]:
        """Everything that is known now."""
        return self._live.documents

    def subscribe(
        self, topics: frozenset[str] | None, token_hash: str, page_id: str = ""
    ) -> Subscriber:
        """A new page: its first message is everything that it may see.

        A page that names itself and comes again takes the place of its old stream, whose
        connection may be dead without anybody having noticed.
        """
        subscriber = Subscriber(topics, token_hash, page_id)
        with self._lock:
            if self._stopping.is_set():
                _end(subscriber)
                return subscriber
            for old in [page for page in self._subscribers if page_id and page.is_same(subscriber)]:
                self._subscribers.discard(old)
                _end(old)
            live = self._live
            visible = {
                key: _encode(value) for key, value in live.documents.items()
                if subscriber.sees(live.topics[key])
            }
            subscriber.messages.put(_message(visible, everything=True))
            self._subscribers.add(subscriber)
            self._watched.set()
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._drop(subscriber)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for _ in self._database.changes(TICK_S):
                    if self._stopping.is_set():
                        return
                    self.refresh()
                    self._watched.wait(UNWATCHED_S)  # a page that comes has what changed at once
            except (SQLAlchemyError, sqlite3.Error) as error:
                if self._live.documents["database"]["ok"]:
                    log.warning("the database does not answer: %s", error)
                self._publish_lost()
                self._stopping.wait(TICK_S)
            except Exception:
                # A fault in one document must not end the feed of a whole call centre.
                log.exception("the live feed stumbled")
                self._due["resync"] = 0.0
                self._stopping.wait(TICK_S)

    def refresh(self) -> None:
        """Read what changed and tell the pages: calls and agents first, since people wait for them.
        Raises SQLAlchemyError if the database is gone."""
        now = datetime.now(UTC)
        with self._database.reading() as session:
            listeners = session.scalars(select(ListenerState)).all()
            changed = self._read_live(session, listeners)
            self._read_records(session)
            if not self._live.documents["database"]["ok"]:
                log.info("the database answers again")
            if changed:
                self._publish(self._compose(listeners, now))
            self._read_today(session, now)
            self._read_unreached(session)
            self._read_room(session, now)
            self._read_in_force(session, now)
            if self._is_due("shifts", 0.3):
                self._shifts = shifts_feed.documents(session, now, self._late)
            if self._is_due("messages", 2.0):
                self._messages = {"untaken": messages.untaken(session)}
                self._owed = {"callbacks": len(callbacks.still_open(session))}
            self._check_sessions(session, now)
        self._publish(self._compose(listeners, now))

    def _read_live(self, session: Session, listeners: Iterable[ListenerState]) -> bool:
        """Whether any call or agent has changed."""
        restarted = any(row.seq < self._seen.get(row.node, row.seq + 1) for row in listeners)
        if restarted or self._is_due("resync", RESYNC_S):
            self._calls = {row.id: row for row in session.scalars(select(LiveCall))}
            self._agents = {row.login: row for row in session.scalars(select(LiveAgent))}
            self._seen = {row.node: 0 for row in listeners}
            changed: list[LiveCall | LiveAgent] = [*self._calls.values(), *self._agents.values()]
        else:
            changed = []
            for node, seq in self._seen.items():
                for call in session.scalars(
                    select(LiveCall).where(LiveCall.node == node, LiveCall.seq > seq)
                ):
                    self._calls[call.id] = call
                    changed.append(call)
                for agent in session.scalars(
                    select(LiveAgent).where(LiveAgent.node == node, LiveAgent.seq > seq)
                ):
                    self._agents[agent.login] = agent
                    changed.append(agent)
        for row in changed:
            self._seen[row.node] = max(self._seen.get(row.node, 0), row.seq)
        self._calls = {
            key: row for key, row in self._calls.items() if row.state != LiveState.ENDED.value
        }
        return bool(changed)

    def _read_records(self, session: Session) -> None:
        """The path, branch and number from the journal's record, which comes a moment later than
        the live row; asked for again until the record has reached the answer."""
        wanted = {row.id for row in self._calls.values() if row.agent and row.state in WITH_AGENT}
        self._records = {key: row for key, row in self._records.items() if key in wanted}
        settled = {key for key, row in self._records.items() if row.answered_at}
        if missing := wanted - settled:
            for record in session.scalars(select(Call).where(Call.id.in_(missing))):
                self._records[record.id] = record

    def _read_today(self, session: Session, now: datetime) -> None:
        if not self._is_due("today", 1.0):
            return
        began = time.monotonic()
        day = wallboard.today(session, history.day_start(now), now, self._service_level_s)
        if not day.lines.keys() <= self._whose.keys() or self._is_due("whose", RESYNC_S):
            self._whose = parties.owners(session, day.lines, vietnam_day(now))
        self._today = {
            **{f"today:{branch or 'none'}": asdict(one) for branch, one in day.branches.items()},
            **{f"line:{party}": asdict(one) | {"whose": self._whose[party]}
               for party, one in day.lines.items()},
            "trend": {"slots": [asdict(one) for one in day.trend]},
        }
        cost = time.monotonic() - began
        self._due["today"] = time.monotonic() + max(1.0, cost * TODAY_SHARE)

    def _read_unreached(self, session: Session) -> None:
        """Emergency calls that reached nobody or broke off, on every screen until somebody has rung
        back."""
        if self._is_due("unreached", 1.0):
            self._unreached = {
                f"unreached:{call.id}": {
                    "id": call.id, "caller": call.caller, "at": iso(call.started_at),
                    "broken_off": bool(call.broken_off),
                }
                for call in emergency.unreached(session)
            }

    def _read_room(self, session: Session, now: datetime) -> None:
        """What agents and supervisors must see of each other at once."""
        if not self._is_due("room", ROOM_S):
            return
        self._pauses = pauses.standing(session, now)
        self._room = {
            **{f"help:{one.agent}": {
                "id": one.id, "agent": one.agent, "call": one.call_id, "at": iso(one.asked_at),
                "taken_by": one.taken_by,
            } for one in assistance.waiting(session)},
            **{f"rescue:{one.call_id}": {
                "call": one.call_id, "agent": one.agent, "number": rescue.number_of(one.to),
                "at": iso(one.at), "caller": case.phone, "case": case.code,
            } for one, case in rescue.unseen(session)},
            "pause_limits": {
                reason: [one.at_once_min, one.per_day_min]
                for reason, one in pauses.limits(session).items()
            },
        }

    def _read_in_force(self, session: Session, now: datetime) -> None:
        """Limits of queues, and the incidents that callers hear of."""
        if self._is_due("in_force", 1.0):
            self._in_force = {
                "limits": [{
                    "queue": one.queue, "most": one.most, "until": iso(one.until), "by": one.by,
                    "reason": one.reason,
                } for one in surge.in_force(session, now)],
                "incidents": [{
                    "code": one.case.code, "branch": one.branch, "text": one.text,
                    "until": _time(one.until), "told": incidents.is_told(one, now),
                } for one in incidents.still_on(session)],
            }

    def _check_sessions(self, session: Session, now: datetime) -> None:
        if not self._is_due("sessions", 1.0):
            return
        with self._lock:
            watching = list(self._subscribers)
        valid = users.valid_sessions(session, {page.token_hash for page in watching}, now)
        with self._lock:
            for page in watching:
                if page.token_hash not in valid:
                    self._drop(page)
                    _end(page)

    def _is_due(self, what: str, every_s: float) -> bool:
        if (now := time.monotonic()) < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True

    def _compose(self, listeners: Iterable[ListenerState], now: datetime) -> _Live:
        documents: dict[str, Document] = {
            "database": {"ok": True}, "messages": self._messages, "owed": self._owed,
            "in_force": self._in_force, **self._today,
            **self._unreached, **self._room, **self._shifts,
        }
        topics: dict[str, tuple[str, ...]] = dict.fromkeys(
            ("database", "messages", "pause_limits", *self._unreached), (EVERYBODY,)
        )
        topics |= {
            key: (f"agent:{one['agent']}",) for key, one in self._room.items() if "agent" in one
        } | shifts_feed.topics(self._shifts, EVERYBODY)
        for row in listeners:
            silent = now - row.seen_at > LISTENER_SILENT
            documents[f"listener:{row.node}"] = {"connected": row.connected and not silent}
            topics[f"listener:{row.node}"] = (EVERYBODY,)
        for agent in self._agents.values():
            documents[f"agent:{agent.login}"] = _agent_document(
                agent, self._pauses.get(agent.login)
            )
            topics[f"agent:{agent.login}"] = (f"agent:{agent.login}",)
        for call in self._calls.values():
            if call.agent and call.state in WITH_AGENT:
                documents[f"call:{call.id}"] = _call_document(call, self._records.get(call.id))
                topics[f"call:{call.id}"] = (f"agent:{call.agent}",)
            if call.taken_from:
                key = f"taken:{call.taken_from}"
                documents[key] = {"call": call.id, "by": call.taken_by}
                topics[key] = (f"agent:{call.taken_from}",)
        for branch in BRANCHES:
            here = [row for row in self._calls.values() if _branch_of(row) == branch.id]
            documents[f"branch:{branch.id}"] = _standing(here) | {
                "talking": sum(row.state == LiveState.TALKING.value for row in here)
            }
            if branch.queue:
                key = f"queue:{branch.queue}"
                documents[key] = _standing(
                    row for row in self._calls.values() if row.queue == branch.queue
                )
                topics[key] = (key,)
        documents["menus"] = {
            "calls": sum(row.state == LiveState.MENU.value for row in self._calls.values())
        }
        return _Live(documents, {key: topics.get(key, ()) for key in documents})

    def _publish_lost(self) -> None:
        self._due["resync"] = 0.0
        live = self._live
        self._publish(_Live({**live.documents, "database": {"ok": False}}, live.topics))

    def _publish(self, live: _Live) -> None:
        with self._lock:
            before, self._live = self._live, live
            changed = [
                key for key in before.documents.keys() | live.documents.keys()
                if before.documents.get(key) != live.documents.get(key)
                or before.topics.get(key) != live.topics.get(key)
            ]
            if not changed or not self._subscribers:
                return
            encoded = {key: _encode(live.documents.get(key)) for key in changed}
            for_all = _message(encoded)
            for page in list(self._subscribers):
                if page.topics is None:
                    self._send(page, for_all)
                    continue
                seen = {}
                for key in changed:
                    if page.sees(live.topics.get(key, ())):
                        seen[key] = encoded[key]
                    elif page.sees(before.topics.get(key, ())):
                        seen[key] = "null"  # it was theirs, and is another's now
                if seen:
                    self._send(page, _message(seen))

    def _send(self, page: Subscriber, message: str) -> None:
        if page.messages.qsize() < QUEUE_LENGTH:
            page.messages.put(message)
        else:
            self._drop(page)
            page.closed = True

    def _drop(self, page: Subscriber) -> None:
        self._subscribers.discard(page)
        if not self._subscribers:
            self._watched.clear()


def _end(page: Subscriber) -> None:
    page.closed = True
    page.messages.put(None)


def _encode(value: Document | None) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _message(encoded: Mapping[str, str], *, everything: bool = False) -> str:
    body = ",".join(f"{json.dumps(key)}:{value}" for key, value in encoded.items())
    first = '"everything":true,' if everything else ""
    return f'{{{first}"now":"{iso(datetime.now(UTC))}","set":{{{body}}}}}'


def _time(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def path_text(path: Iterable[Mapping[str, Any]]) -> str:
    """A call's path in the short form that phones carry too: `main.3/vaccine.0`."""
    return "/".join(f"{step['menu']}.{step['key'] or ''}" for step in path)


def _branch_of(row: LiveCall) -> str | None:
    return row.branch or BRANCH_OF_QUEUE.get(row.queue)


def _standing(rows: Iterable[LiveCall]) -> Document:
    """How many wait for a person, and since when the first of them does."""
    waiting = [row for row in rows if row.state in WAITING]
    return {
        "waiting": len(waiting),
        "oldest": _time(min((row.queued_at or row.since for row in waiting), default=None)),
    }


def _agent_document(row: LiveAgent, pause: pauses.Standing | None) -> Document:
    fits = pause is not None and pause.reason == row.reason
    return {
        "login": row.login, "state": row.state, "reason": row.reason, "interface": row.interface,
        "queues": row.queues, "call": row.call_id, "since": _time(row.since),
        "wrapup_until": _time(row.wrapup_until),
        # the limits of pauses count from here
        "paused_at": iso(pause.since) if pause and fits else None,
        "paused_before_s": pause.before_s if pause and fits else 0,
    }


def _call_document(row: LiveCall, record: Call | None) -> Document:
    return {
        "id": row.id, "state": row.state, "agent": row.agent,
        "caller": row.caller or (record.caller if record else None),
        "branch": row.branch or (record.branch if record else None) or _branch_of(row),
        "path": path_text(record.path) if record else None,
        "started_at": _time(row.started_at), "queued_at": _time(row.queued_at),
        "since": _time(row.since),
        "guest": row.guest, "guest_state": row.guest_state, "aside": row.aside,
        "recording": row.recording,
    }
