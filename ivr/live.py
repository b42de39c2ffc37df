"""The live mirror of one node: what its calls and agents do now. Pure: facts in, rows out.

Events change it one by one; a snapshot replaces all that events may have told wrongly or not at
all. Both may come in any order and more than once, as they do around a reconnect: each fact says
what is, never by how much it changed.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from crm.models import LiveState
from ivr.live_agents import RINGING_DEVICE, AgentMirror, AgentRow
from ivr.live_facts import (
    Bridged,
    CallNamed,
    CallStarted,
    Channel,
    Ended,
    Event,
    Held,
    Joined,
    Left,
    Member,
    MemberGone,
    Offered,
    OnTelephone,
    Passed,
    RecordingChanged,
    RoomChanged,
    Snapshot,
    Taken,
)

KEEP_ENDED = timedelta(seconds=60)
ALONE = (LiveState.MENU, LiveState.ENDED)  # nobody answers, and nobody is waited for


@dataclass(frozen=True, slots=True)
class CallRow:
    """One row of `live_call`, without its node and seq."""

    id: str
    state: LiveState
    started_at: datetime
    since: datetime
    caller: str | None = None
    branch: str | None = None
    queue: str | None = None
    position: int | None = None
    agent: str | None = None
    queued_at: datetime | None = None
    guest: str | None = None  # who is rung for the call, or has joined it, besides its agent
    guest_state: str | None = None  # rings | in
    aside: bool = False  # the caller hears music while the others speak
    recording: str | None = None  # a RecordingState; None: not asked yet
    taken_from: str | None = None  # whom a supervisor has relieved of it, and who that is
    taken_by: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that changed, in their newest form, and the keys of rows that went.

    `everything`: these are all rows there are, and any other is to go.
    """

    calls: tuple[CallRow, ...] = ()
    agents: tuple[AgentRow, ...] = ()
    gone_calls: tuple[str, ...] = ()
    gone_agents: tuple[str, ...] = ()
    everything: bool = False


class LiveMirror:
    """Calls and agents of one node. `wrapup_s` gives each queue's wrap-up time in seconds."""

    def __init__(self, wrapup_s: Mapping[str, int]) -> None:
        self.agents = AgentMirror(wrapup_s)
        self.calls: dict[str, CallRow] = {}
        self._queues: dict[str, list[str]] = defaultdict(list)
        self._ended: deque[tuple[datetime, str]] = deque()
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}
        self._pressing = False

    def adopt(self, calls: Iterable[CallRow], agents: Iterable[AgentRow]) -> None:
        """Begin with the rows of an earlier run: they hold what Asterisk does not tell again."""
        for row in calls:
            self.calls[row.id] = row
            if row.state is LiveState.ENDED:
                self._ended.append((row.since + KEEP_ENDED, row.id))
        self.agents.adopt(agents)

    @property
    def has_changes(self) -> bool:
        return bool(self._changed or self._removed) or self.agents.has_changes

    @property
    def is_pressing(self) -> bool:
        """Whether a change is of an agent, or of a call that has or awaits one: people watch those.
        Of calls that hear menus screens show how many there are."""
        return self._pressing or self.agents.has_changes

    def take(self, *, everything: bool = False) -> Changes:
        """What changed since the last time, or everything there is."""
        calls = tuple(self.calls[call] for call in self._changed)
        gone_calls = tuple(self._removed)
        agents, gone_agents = self.agents.take()
        self._changed.clear()
        self._removed.clear()
        self._pressing = False
        if everything:
            return Changes(
                tuple(self.calls.values()), tuple(self.agents.rows.values()), everything=True
            )
        return Changes(calls, agents, gone_calls, gone_agents)

    def next_due(self) -> datetime | None:
        """When something changes without an event."""
        dues = [self.agents.next_due(), self._ended[0][0] if self._ended else None]
        return min((due for due in dues if due), default=None)

    def tick(self, now: datetime) -> None:
        """Let time pass: wrap-ups end, ended calls are forgotten."""
        self.agents.tick(now)
        while self._ended and self._ended[0][0] <= now:
            _, call = self._ended.popleft()
            row = self.calls.get(call)
            if row and row.state is LiveState.ENDED:
                del self.calls[call]
                self._changed.pop(call, None)
                self._removed[call] = None

    # --- events ---

    def apply(self, event: Event) -> None:
        """Take one fact in. Facts about calls that are not known, or have ended, change no call."""
        match event:
            case Member():
                self.agents.set_member(event)
                return
            case MemberGone():
                self.agents.remove_member(event)
                return
            case OnTelephone() | Held():
                return  # the memberships themselves tell the one, the journal has the other
            case Passed():
                self._give_away(event.call, event.at)
                return
            case CallStarted() | CallNamed() | Joined() if event.call not in self.calls:
                self._begin(CallRow(event.call, LiveState.MENU, event.at, event.at))
        call = self.calls.get(event.call)
        if call and call.state is not LiveState.ENDED:
            self._follow(call, event)
        elif call and isinstance(event, Offered) and event.act == "completed":
            # in a room the caller may be gone before the agent's leg
            self.agents.complete(event.agent, call.id, event.queue, event.at)

    def _follow(
        self, call: CallRow,
        event: CallStarted | CallNamed | Joined | Left | Bridged | Ended | Offered | RoomChanged
        | Taken | RecordingChanged,
    ) -> None:
        match event:
            case CallNamed(at=at, caller=caller, branch=branch):
                self._change(
                    call.id, at, caller=caller or call.caller, branch=branch or call.branch
                )
            case Joined(at=at, queue=queue):
                self._change(
                    call.id, at, state=LiveState.WAITING, queue=queue, agent=None,
                    taken_from=None, taken_by=None,
                    queued_at=call.queued_at or at, caller=call.caller or event.caller,
                )
                self._leave_queue(call.id, at)
                self._queues[queue].insert(event.position - 1, call.id)
                self._number(queue, at)
            case Left(at=at):
                self._leave_queue(call.id, at)
                if call.state in (LiveState.WAITING, LiveState.RINGING):
                    self.agents.release(call.id, at)
                    self._change(call.id, at, state=LiveState.MENU, agent=None)
            case Bridged(at=at, inside=True):
                self._change(call.id, at, state=LiveState.TALKING)
            case Bridged(at=at):
                if call.state is LiveState.TALKING:
                    self._change(call.id, at, state=LiveState.MENU, agent=None)
            case Ended(at=at):
                self._end(call.id, at)
            case Offered():
                self._offer(call, event)
            case Taken(at=at, agent=agent, by=by):
                self._change(call.id, at, taken_from=agent, taken_by=by)
            case RecordingChanged(at=at, state=state):
                self._change(call.id, at, recording=state)
            case RoomChanged():
                self._room(call, event)

    def _offer(self, call: CallRow, event: Offered) -> None:
        agent, at = event.agent, event.at
        match event.act:
            case "called":
                self.agents.call(agent, call.id, at)
                self._change(call.id, at, state=LiveState.RINGING, agent=agent)
            case "connected":
                self.agents.connect(agent, call.id, event.queue, at)
                self._leave_queue(call.id, at)
                self._change(call.id, at, state=LiveState.TALKING, agent=agent)
            case "missed":
                self.agents.miss(agent, call.id, at)
                if call.state is LiveState.RINGING and call.agent == agent:
                    self._change(call.id, at, state=LiveState.WAITING, agent=None)
            case "completed":
                self.agents.complete(agent, call.id, event.queue, at)
                if call.state is LiveState.TALKING and call.agent == agent:
                    with_guest = call.guest_state == "in"
                    self._change(
                        call.id, at, agent=None,
                        state=LiveState.TALKING if with_guest else LiveState.MENU,
                    )

    def _room(self, call: CallRow, event: RoomChanged) -> None:
        if event.aside is not None:
            self._change(call.id, event.at, aside=event.aside)
        if event.guest is not None:
            self._change(
                call.id, event.at, guest=event.guest or None, guest_state=event.state
            )

    # --- snapshot ---

    def resync(self, snapshot: Snapshot) -> None:
        """Make the mirror agree with Asterisk. What the snapshot does not tell (a caller's
        number, the first arrival in a queue) is kept from events."""
        at = snapshot.at
        callers = {channel.call: channel for channel in snapshot.channels if channel.call}
        for row in list(self.calls.values()):
            if row.state is not LiveState.ENDED and row.id not in callers:
                self._end(row.id, at)
        login_of = {member.interface: member.agent for member in snapshot.members}
        agent_in = {
            channel.bridge: login_of[channel.interface]
            for channel in snapshot.channels
            if channel.bridge and channel.interface in login_of
        }
        rings = {m.agent for m in snapshot.members if m.device == RINGING_DEVICE}
        entries = {entry.call: entry for entry in snapshot.waiting if entry.call in callers}
        for call, channel in callers.items():
            row = self._seen(call, channel, at)
            if channel.bridge:
                # a supervisor is no member of queues
                agent = agent_in.get(channel.bridge, row.taken_by)
                self._change(call, at, state=LiveState.TALKING, agent=agent)
            elif row.aside:
                self._change(call, at, state=LiveState.TALKING)
            elif entry := entries.get(call):
                rung = row.state is LiveState.RINGING and row.agent in rings
                self._change(
                    call, at, state=LiveState.RINGING if rung else LiveState.WAITING,
                    agent=row.agent if rung else None, queue=entry.queue,
                    queued_at=row.queued_at or entry.at, caller=row.caller or entry.caller,
                )
            else:
                self._change(call, at, state=LiveState.MENU, agent=None)
        self._requeue(entries.values(), at)
        self.agents.resync(
            snapshot.members,
            talking=self._calls_by_agent(LiveState.TALKING),
            rung=self._calls_by_agent(LiveState.RINGING),
            at=at,
        )

    def _calls_by_agent(self, state: LiveState) -> dict[str, str]:
        rows = self.calls.values()
        return {row.agent: row.id for row in rows if row.agent and row.state is state}

    def _seen(self, call: str, channel: Channel, at: datetime) -> CallRow:
        """The row of a call that is alive, whether its start was missed or its end was false."""
        row = self.calls.get(call)
        if row is None:
            started = at - channel.age
            self._begin(CallRow(call, LiveState.MENU, started, started, caller=channel.caller))
        elif row.state is LiveState.ENDED:
            self._change(call, at, state=LiveState.MENU, agent=None)
        return self.calls[call]

    def _requeue(self, entries: Iterable[Joined], at: datetime) -> None:
        self._queues.clear()
        for entry in sorted(entries, key=lambda entry: entry.position):
            self._queues[entry.queue].append(entry.call)
        waiting = {call for line in self._queues.values() for call in line}
        for call in self.calls.keys() - waiting:
            self._change(call, at, position=None)
        for queue in list(self._queues):
            self._number(queue, at)

    # --- rows ---

    def _begin(self, row: CallRow) -> None:
        self.calls[row.id] = row
        self._changed[row.id] = None
        self._removed.pop(row.id, None)

    def _change(self, call: str, at: datetime, **changes: Any) -> None:
        row = self.calls[call]
        if changes.get("state", row.state) is not row.state:
            changes["since"] = at
        changed = replace(row, **changes)
        if changed != row:
            self.calls[call] = changed
            self._changed[call] = None
            self._pressing |= row.state not in ALONE or changed.state not in ALONE

    def _end(self, call: str, at: datetime) -> None:
        self._leave_queue(call, at)
        self.agents.release(call, at)
        self._change(call, at, state=LiveState.ENDED, guest=None, guest_state=None, aside=False)
        self._ended.append((at + KEEP_ENDED, call))

    def _give_away(self, call: str, at: datetime) -> None:
        if call in self.calls:
            self._leave_queue(call, at)
            self.agents.release(call, at)
            self._pressing |= self.calls.pop(call).state not in ALONE
            self._changed.pop(call, None)
            self._removed[call] = None

    def _leave_queue(self, call: str, at: datetime) -> None:
        for queue, line in self._queues.items():
            if call in line:
                line.remove(call)
                self._change(call, at, position=None)
                self._number(queue, at)

    def _number(self, queue: str, at: datetime) -> None:
        for place, call in enumerate(self._queues[queue], start=1):
            self._change(call, at, position=place)
