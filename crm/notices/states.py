"""The one life of a notice, whatever its channel."""

from __future__ import annotations

from datetime import datetime

from crm.errors import HotlineError
from crm.notices.models import Notice, State

MOVES: dict[State, frozenset[State]] = {
    State.HELD: frozenset({State.WAITING, State.SENT, State.SUPPRESSED, State.CANCELLED}),
    State.WAITING: frozenset({
        State.SENDING, State.SUPPRESSED, State.FAILED, State.CANCELLED
    }),
    # back to waiting: it is tried again later; sending again: its worker is gone
    State.SENDING: frozenset({
        State.SENT, State.WAITING, State.SENDING, State.FAILED, State.UNKNOWN
    }),
    # as its provider, or a worker that was very slow, tells later
    State.UNKNOWN: frozenset({State.SENT, State.DELIVERED, State.FAILED}),
    # back to waiting: rung, and not heard
    State.SENT: frozenset({State.DELIVERED, State.FAILED, State.WAITING}),
    State.DELIVERED: frozenset(),
    State.FAILED: frozenset({State.WAITING}),  # by a person's hand
    State.SUPPRESSED: frozenset(),
    State.CANCELLED: frozenset(),
}
ENDS = frozenset({
    State.DELIVERED, State.FAILED, State.SUPPRESSED, State.UNKNOWN, State.CANCELLED
})


class StateError(HotlineError):
    """A notice cannot go from the state it is in to the one that was asked for."""


def move(notice: Notice, to: State, now: datetime) -> None:
    """Put a notice into another state. Raises StateError where no such move is allowed."""
    if to not in MOVES[State(notice.state)]:
        raise StateError(f"notice {notice.id} is {notice.state}: it cannot become {to}")
    notice.state = to
    notice.ended_at = now if to in ENDS else None
