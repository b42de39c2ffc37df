"""The live mirror's half of agents: seats, queues, pauses, and what each of them does now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from crm.models import AgentState
from ivr.live_facts import Member, MemberGone, is_telephone

KEEP_OFFLINE = timedelta(seconds=60)
RINGING_DEVICE = 6  # Asterisk's device states
WRAPUP = "wrapup"  # the reason of the pause that is one (see hl-wrapup in the dialplan)
_BUSY_DEVICES = {2, 3, 7, 8}
_LOST_DEVICES = {4, 5}


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One row of `live_agent`, without its node and seq. `reason` is None when not paused; it
    stands also while a paused agent still speaks or is unreachable."""

    login: str
    state: AgentState
    since: datetime
    reason: str | None = None
    interface: str | None = None
    queues: tuple[str, ...] = ()
    call_id: str | None = None
    wrapup_until: datetime | None = None


@dataclass(slots=True)
class _Agent:
    """What is known of an agent behind the row."""

    interface: str
    memberships: dict[str, Member] = field(default_factory=dict)
    call: str | None = None
    talking: bool = False
    last_queue: str | None = None  # of the last call: its wrap-up time counts


class AgentMirror:
    """The agents of one node. `wrapup_s` gives each queue's wrap-up time in seconds."""

    def __init__(self, wrapup_s: Mapping[str, int]) -> None:
        self.rows: dict[str, AgentRow] = {}
        self._wrapup_s = wrapup_s
        self._known: dict[str, _Agent] = {}
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}

    def adopt(self, rows: Iterable[AgentRow]) -> None:
        self.rows.update((row.login, row) for row in rows)

    def pauses(self) -> dict[str, str]:
        """The reason of each signed-in agent's pause, by login."""
        return {
            row.login: row.reason
            for row in self.rows.values()
            if row.reason is not None and row.state is not AgentState.OFFLINE
        }

    @property
    def has_changes(self) -> bool:
        return bool(self._changed or self._removed)

    def take(self) -> tuple[tuple[AgentRow, ...], tuple[str, ...]]:
        """The rows that changed and the logins whose rows went, since the last time."""
        changed = tuple(self.rows[login] for login in self._changed)
        removed = tuple(self._removed)
        self._changed.clear()
        self._removed.clear()
        return changed, removed

    # --- queues ---

    def set_member(self, member: Member) -> None:
        self._set_member(member)
        self._refresh(member.agent, member.at)

    def _set_member(self, member: Member) -> None:
        agent = self._known.setdefault(member.agent, _Agent(member.interface))
        if agent.interface != member.interface:  # signed in at another seat
            if is_telephone(agent.interface) and agent.memberships and not member.added:
                return  # what becomes of the seat that was left for a telephone
            agent.memberships.clear()
            agent.interface = member.interface
        known = agent.memberships.get(member.queue)
        if known and not member.added and known.last_call > member.last_call:
            member = replace(member, last_call=known.last_call)  # told before it was updated
        agent.memberships[member.queue] = member

    def remove_member(self, gone: MemberGone) -> None:
        agent = self._known.get(gone.agent)
        if agent and agent.interface == gone.interface:
            agent.memberships.pop(gone.queue, None)
            self._refresh(gone.agent, gone.at)

    # --- calls ---

    def call(self, login: str, call: str, at: datetime) -> None:
        """The agent's phone rings."""
        if agent := self._known.get(login):
            agent.call, agent.talking = call, False
            self._refresh(login, at)

    def connect(self, login: str, call: str, queue: str, at: datetime) -> None:
        """The agent speaks with the call; all others it rang for are free."""
        self.release(call, at, but=login)
        if agent := self._known.get(login):
            agent.call, agent.talking, agent.last_queue = call, True, queue
            self._refresh(login, at)

    def miss(self, login: str, call: str, at: datetime) -> None:
        """The agent's phone rang in vain."""
        agent = self._known.get(login)
        if agent and agent.call == call:
            agent.call, agent.talking = None, False
            self._refresh(login, at)

    def complete(self, login: str, call: str, queue: str, at: datetime) -> None:
        """The call is over for the agent: wrap-up begins now, in whole seconds as app_queue
        counts it, though Asterisk tells the new LastCall a little later."""
        agent = self._known.get(login)
        if agent and agent.call in (call, None):  # None: released with the caller
            agent.call, agent.talking, agent.last_queue = None, False, queue
            for name, member in agent.memberships.items():
                agent.memberships[name] = replace(member, last_call=int(at.timestamp()))
            self._refresh(login, at)

    def release(self, call: str, at: datetime, but: str | None = None) -> None:
        """No agent is rung by the call, or speaks with it, any longer."""
        for login, agent in self._known.items():
            if agent.call == call and login != but:
                agent.call, agent.talking = None, False
                self._refresh(login, at)

    # --- snapshot and time ---

    def resync(
        self, members: Iterable[Member], talking: Mapping[str, str], rung: Mapping[str, str],
        at: datetime,
    ) -> None:
        """Hold exactly these memberships and these calls (call ids by login)."""
        for agent in self._known.values():
            agent.memberships.clear()
        # of a seat and a telephone the telephone counts, see Listener
        for member in sorted(members, key=lambda one: is_telephone(one.interface)):
            self._set_member(replace(member, added=True))
            if member.in_call:
                self._known[member.agent].last_queue = member.queue
        for login, agent in self._known.items():
            agent.call = talking.get(login) or rung.get(login)
            agent.talking = login in talking
        for login in {**self._known, **self.rows}:
            self._refresh(login, at)

    def next_due(self) -> datetime | None:
        """When something changes without an event."""
        ends = [row.wrapup_until for row in self.rows.values() if row.wrapup_until]
        ends += [
            row.since + KEEP_OFFLINE
            for row in self.rows.values() if row.state is AgentState.OFFLINE
        ]
        return min(ends, default=None)

    def tick(self, now: datetime) -> None:
        """Let time pass: wrap-ups end, agents long gone are forgotten."""
        for login, row in list(self.rows.items()):
            if row.wrapup_until and row.wrapup_until <= now:
                self._refresh(login, row.wrapup_until)
            elif row.state is AgentState.OFFLINE and row.since + KEEP_OFFLINE <= now:
                del self.rows[login]
                self._known.pop(login, None)
                self._changed.pop(login, None)
                self._removed[login] = None

    def _refresh(self, login: str, at: datetime) -> None:
        agent = self._known.get(login) or _Agent("")
        members = list(agent.memberships.values())
        reasons = [member.reason for member in members if member.reason is not None]
        wrapup_until = self._wrapup_until(agent, members)
        state = _state(
            agent, members, paused=any(reason != WRAPUP for reason in reasons),
            wrapup=wrapup_until > at or WRAPUP in reasons,
        )
        old = self.rows.get(login)
        row = AgentRow(
            login=login,
            state=state,
            since=old.since if old and old.state is state else at,
            reason=next((reason for reason in reasons if reason != WRAPUP), None),
            interface=agent.interface if members else None,
            queues=tuple(sorted(agent.memberships)),
            call_id=agent.call,
            wrapup_until=wrapup_until if state is AgentState.WRAPUP else None,
        )
        if row != old:
            self.rows[login] = row
            self._changed[login] = None
            self._removed.pop(login, None)

    def _wrapup_until(self, agent: _Agent, members: list[Member]) -> datetime:
        last_call = max((member.last_call for member in members), default=0)
        queues = [agent.last_queue] if agent.last_queue else list(agent.memberships)
        seconds = max((self._wrapup_s[queue] for queue in queues), default=0)
        return datetime.fromtimestamp(last_call + seconds if last_call else 0, UTC)


def _state(agent: _Agent, members: list[Member], *, paused: bool, wrapup: bool) -> AgentState:
    """The first that fits: an agent who speaks is talking, paused or not."""
    devices = {member.device for member in members}
    if not members:
        return AgentState.OFFLINE
    # a telephone outside is busy from when it is rung
    rung = is_telephone(agent.interface) and agent.call and not agent.talking
    if (agent.call and agent.talking) or (devices & _BUSY_DEVICES and not rung):
        return AgentState.TALKING
    if agent.call or RINGING_DEVICE in devices:
        return AgentState.RINGING
    if devices & _LOST_DEVICES:
        return AgentState.UNREACHABLE
    if paused:
        return AgentState.PAUSED
    return AgentState.WRAPUP if wrapup else AgentState.READY
