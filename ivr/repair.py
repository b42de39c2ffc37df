"""What Asterisk forgot: AstDB loses writes that it acknowledged when Asterisk is killed.

After each connect the database says what is wanted: seats that are leased are members of their
agents' queues, others are not; a pause from before a restart still holds; switches stand as set.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from crm.branches import EMERGENCY
from crm.users import LEVELS
from ivr.commands import Commands, Result
from ivr.live_facts import Member, is_telephone
from ivr.live_store import Lease

log = logging.getLogger(__name__)

SWITCHES_AT_ONCE = 40  # in one session with Asterisk, which lasts some seconds at most


@dataclass(frozen=True)
class SignIn:
    """The seat's memberships are not what its lease says: they are made anew."""

    lease: Lease
    reason: str | None

    def run(self, commands: Commands) -> Result:
        lease = self.lease
        return commands.sign_in(
            lease.interface, lease.login, lease.skills,
            paused=self.reason is not None, reason=self.reason or "",
        )


@dataclass(frozen=True)
class Skills:
    """The levels of the seat's memberships are not those of its agent."""

    lease: Lease

    def run(self, commands: Commands) -> Result:
        lease = self.lease
        return commands.set_skills(lease.interface, lease.login, lease.skills)


@dataclass(frozen=True)
class SignOut:
    """Nobody leases the seat."""

    interface: str

    def run(self, commands: Commands) -> Result:
        return commands.sign_out(self.interface)


@dataclass(frozen=True)
class Pause:
    """The agent was paused before Asterisk was restarted."""

    interface: str
    reason: str

    def run(self, commands: Commands) -> Result:
        return commands.pause(self.interface, self.reason)


Repair = SignIn | SignOut | Skills | Pause


def plan(
    leases: Iterable[Lease], members: Iterable[Member], pauses: Mapping[str, str],
    on_telephones: Collection[str] = (),
) -> list[Repair]:
    """The repairs that make Asterisk's queue members agree with the leases. Of telephones outside
    Asterisk itself has the record: only those of `on_telephones` (logins) may be there.

    `pauses` are the pauses to restore, reason by login. A pause that Asterisk knows stays; none
    is ever lifted here, because the agent sees it and lifts it with one click.
    """
    seated: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        seated[member.interface].append(member)
    repairs: list[Repair] = []
    for lease in leases:
        there = seated.pop(lease.interface, [])
        reason = next((m.reason for m in there if m.reason is not None), pauses.get(lease.login))
        if {(m.agent, m.queue) for m in there} != {(lease.login, name) for name in lease.skills}:
            repairs.append(SignIn(lease, reason))
            continue
        if any(m.penalty + LEVELS[0] != lease.skills[m.queue] for m in there):
            repairs.append(Skills(lease))
        if reason is not None and any(
            m.reason is None for m in there if m.queue != EMERGENCY
        ):
            repairs.append(Pause(lease.interface, reason))
    repairs.extend(
        SignOut(interface) for interface, there in sorted(seated.items())
        if not (is_telephone(interface) and {one.agent for one in there} <= set(on_telephones))
    )
    return repairs


def carry_out(
    commands: Commands, repairs: Iterable[Repair], switches: Mapping[str, str]
) -> bool:
    """Run the repairs and set the switches; then Asterisk is ready for calls from an edge. False if
    not all of it was done: it bears repeating, since each part says what is wanted and not how to
    change it."""
    complete = True
    for repair in repairs:
        result = repair.run(commands)
        log.warning("Repaired after connecting: %s: %s %s", repair, result.outcome, result.message)
        complete &= result.done
    for some in _portions(switches):
        result = commands.set_switches(some)
        if not result.done:
            log.warning("Switches could not be set: %s %s", result.outcome, result.message)
        complete &= result.done
    return complete and commands.let_calls_in().done


def _portions(switches: Mapping[str, str]) -> Iterator[dict[str, str]]:
    names = list(switches)
    for start in range(0, len(names), SWITCHES_AT_ONCE):
        yield {name: switches[name] for name in names[start:start + SWITCHES_AT_ONCE]}
