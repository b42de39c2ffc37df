"""Several nodes: which of them holds which queue, call and phone, and what they ask of each other.

A queue is in one node's memory, so that one node alone has its callers and its agents. Which one it
is stands in the settings until it is moved; from then on in a switch, which every node's listener
tells its Asterisk.

Whoever acts at one node's console on what is at another asks it by a row, which that node's
listener takes, carries out and answers within a moment. A row is taken once or taken back, never
both: what was not taken in time is certainly not done.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm import switches
from crm.branches import EMERGENCY
from crm.errors import HotlineError
from crm.models import (
    JournalPosition,
    ListenerState,
    LiveAgent,
    LiveCall,
    NodeRequest,
    Seat,
    Switch,
)
from crm.settings import Settings

audit = logging.getLogger("hotline.audit")


TAKEN_WITHIN = timedelta(seconds=3)  # a node that has not taken a request by then does not answer
FORGOTTEN_AFTER = timedelta(minutes=1)  # whoever asked is gone


class NodeError(HotlineError):
    """There is no such node, or nothing to move. The message is for the engineer."""


@dataclass(frozen=True)
class State:
    """A node, what it holds, and how it was last heard of."""

    name: str
    queues: tuple[str, ...]
    connected: bool  # its listener to its Asterisk
    seen_at: datetime | None
    journal_read_at: datetime | None


def holders(session: Session, settings: Settings) -> dict[str, str]:
    """Which node holds each queue."""
    moved = {
        row.name.removeprefix(switches.NODE): row.value
        for row in session.scalars(select(Switch).where(Switch.name.startswith(switches.NODE)))
    }
    return settings.first_holders | moved


def held_by(session: Session, settings: Settings, node: str) -> tuple[str, ...]:
    """The queues that a node holds."""
    return tuple(queue for queue, name in holders(session, settings).items() if name == node)


def serving(session: Session, settings: Settings, queues: Collection[str]) -> list[str]:
    """The nodes that hold these queues: this one first, if it is one, then who holds most. That
    of emergencies, which everybody serves, does not count."""
    found = Counter(
        node for queue, node in holders(session, settings).items()
        if queue in queues and queue != EMERGENCY
    )
    return sorted(found, key=lambda node: (node != settings.node, -found[node], node))


def of_phone(session: Session, interface: str) -> str | None:
    """The node of a phone (`PJSIP/seat-001`), or the one where a telephone outside is in the
    queues."""
    name = interface.removeprefix("PJSIP/")
    return session.scalar(select(Seat.node).where(Seat.name == name)) or session.scalar(
        select(LiveAgent.node).where(LiveAgent.interface == interface)
    )


def of_call(session: Session, call: str) -> str | None:
    """The node that a call is on now."""
    return session.scalar(select(LiveCall.node).where(LiveCall.id == call))


def move(
    session: Session, settings: Settings, source: str, target: str, *, by: str, why: str,
    now: datetime,
) -> dict[str, str]:
    """Lead all queues of one node to another; the switches that say so. Raises NodeError."""
    for name in (source, target):
        _known(settings, name)
    if source == target:
        raise NodeError(f"{source} holds them already")
    queues = held_by(session, settings, source)
    if not queues:
        raise NodeError(f"{source} holds no queue")
    changed = {f"{switches.NODE}{queue}": target for queue in queues}
    for name, value in changed.items():
        switches.want(session, name, value, by=by, now=now)
    audit.warning("queues moved from %s to %s by %s: %s (%s)", source, target, by,
                  ", ".join(queues), why)
    return changed


def states(session: Session, settings: Settings) -> list[State]:
    """All nodes, as the database knows them."""
    found = []
    for node in settings.nodes:
        listener = session.get(ListenerState, node.name)
        position = session.get(JournalPosition, node.name)
        found.append(State(
            node.name, held_by(session, settings, node.name),
            listener is not None and listener.connected, listener.seen_at if listener else None,
            position.read_at if position else None,
        ))
    return found


@dataclass(frozen=True)
class Request:
    """What a node is asked to do."""

    id: int
    act: str
    arguments: dict[str, Any]


def ask(
    session: Session, node: str, act: str, arguments: dict[str, Any], now: datetime
) -> int:
    """Ask a node; the id under which its answer will stand."""
    row = NodeRequest(node=node, asked={"act": act, "arguments": arguments}, asked_at=now)
    session.add(row)
    session.flush()
    return row.id


def take(session: Session, node: str, now: datetime) -> list[Request]:
    """What this node is asked and has not been taken back, the oldest first; each once."""
    found = []
    session.execute(delete(NodeRequest).where(
        NodeRequest.node == node, NodeRequest.asked_at < now - FORGOTTEN_AFTER))
    waiting = session.scalars(select(NodeRequest).where(
        NodeRequest.node == node, NodeRequest.taken_at.is_(None),
        NodeRequest.asked_at > now - TAKEN_WITHIN,
    ).order_by(NodeRequest.id))
    for row in waiting.all():
        taken = session.execute(
            update(NodeRequest).where(NodeRequest.id == row.id, NodeRequest.taken_at.is_(None))
            .values(taken_at=now).execution_options(synchronize_session=False)
        )
        if taken.rowcount:  # type: ignore[attr-defined]
            found.append(Request(row.id, row.asked["act"], row.asked["arguments"]))
    return found


def is_asked(session: Session, node: str) -> bool:
    """Whether something waits to be taken by this node."""
    return session.scalar(select(NodeRequest.id).where(
        NodeRequest.node == node, NodeRequest.taken_at.is_(None)).limit(1)) is not None


def answer(session: Session, request: int, outcome: str, message: str) -> None:
    """Say what came of a request."""
    session.execute(update(NodeRequest).where(NodeRequest.id == request).values(
        outcome=outcome, message=message[:200]))


def answered(session: Session, request: int) -> tuple[str, str] | None:
    """What came of a request: the outcome and a message; None: nothing yet."""
    row = session.get(NodeRequest, request)
    return (row.outcome, row.message) if row and row.outcome else None


def take_back(session: Session, request: int) -> bool:
    """Ask no longer; False: it has been taken."""
    gone = session.execute(delete(NodeRequest).where(
        NodeRequest.id == request, NodeRequest.taken_at.is_(None)))
    return bool(gone.rowcount)  # type: ignore[attr-defined]


def forget(session: Session, request: int) -> None:
    """Nobody waits for the answer any more."""
    session.execute(delete(NodeRequest).where(NodeRequest.id == request))


def _known(settings: Settings, name: str) -> None:
    names = [one.name for one in settings.nodes]
    if name not in names:
        raise NodeError(f"there is no node {name}; there are {', '.join(names) or 'none'}")
