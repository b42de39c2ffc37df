"""Several nodes: which of them holds which queue.

A queue is in one node's memory, so that one node alone has its callers and its agents. Which one it
is stands in the settings until it is moved; from then on in a switch, which every node's listener
tells its Asterisk.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import switches
from crm.errors import HotlineError
from crm.models import JournalPosition, ListenerState, Switch
from crm.settings import Settings

audit = logging.getLogger("hotline.audit")


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


def _known(settings: Settings, name: str) -> None:
    names = [one.name for one in settings.nodes]
    if name not in names:
        raise NodeError(f"there is no node {name}; there are {', '.join(names) or 'none'}")
