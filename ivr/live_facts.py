"""What Asterisk can tell about calls and agents, in typed form: single facts and a snapshot.

Times are aware UTC; a call is named by the uniqueid of its caller's channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class CallStarted:
    call: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CallNamed:
    """What the dialplan knows of a call by now; None: nothing new."""

    call: str
    at: datetime
    caller: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """A call waits in a queue. `position` counts from 1 and includes it."""

    call: str
    at: datetime
    queue: str
    position: int
    caller: str | None


@dataclass(frozen=True, slots=True)
class Left:
    call: str
    at: datetime
    queue: str


@dataclass(frozen=True, slots=True)
class Bridged:
    """A call hears a person now, or (`inside` false) no longer."""

    call: str
    at: datetime
    inside: bool


@dataclass(frozen=True, slots=True)
class Ended:
    call: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Passed:
    """Another node has the caller now, and tells what becomes of them."""

    call: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Offered:
    """What happens between a call and the agent it is offered to: `act` is one of called,
    connected, completed, missed."""

    call: str
    at: datetime
    act: str
    agent: str
    queue: str


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """What happens around a call besides its caller and agent: `guest` is who is rung or has
    joined (`state` rings | in), "" that nobody is any longer, None that nothing is new; `aside`:
    the caller hears music while the others speak."""

    call: str
    at: datetime
    guest: str | None
    state: str | None
    aside: bool | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A supervisor (`by`) has the caller now whom this agent had."""

    call: str
    at: datetime
    agent: str
    by: str


@dataclass(frozen=True, slots=True)
class RecordingChanged:
    """What becomes of a call's recording: on, paused, discarded, refused, off."""

    call: str
    at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Member:
    """An agent's membership in one queue. `device` is Asterisk's device state (0-8), `last_call`
    in epoch seconds, `reason` None when not paused. `added`: it begins now."""

    at: datetime
    queue: str
    agent: str
    interface: str
    device: int
    reason: str | None
    last_call: int
    in_call: bool
    penalty: int = 0  # the level of the skill, from 0
    added: bool = False


@dataclass(frozen=True, slots=True)
class MemberGone:
    at: datetime
    queue: str
    agent: str
    interface: str


@dataclass(frozen=True, slots=True)
class OnTelephone:
    """An agent has come into the queues, or changed something there, by a telephone outside."""

    agent: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A phone of ours keeps whom it speaks with waiting, or (`on` false) does so no longer. `leg`
    is its channel's uniqueid, `call` the call that it belongs to, "" where that is not known."""

    leg: str
    phone: str
    call: str
    on: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A call asks something of the database and waits at most ivr.answers.PATIENCE_S for it.

    `number` counts the questions of the call; `what` is count (of the caller's cases) or case: the
    `index`-th (from 1) of those that `digits` and `tail` fit, see crm.cases.lookup.
    """

    channel: str
    call: str
    number: int
    what: str
    caller: str
    digits: str
    tail: str
    index: int


Event = (
    CallStarted | CallNamed | Joined | Left | Bridged | Ended | Passed | Offered | RoomChanged
    | Taken | RecordingChanged | Member | MemberGone
    | OnTelephone | Held
)


def is_telephone(interface: str | None) -> bool:
    """Whether it is the telephone of an agent outside, and no phone of ours."""
    return (interface or "").startswith("Local/")


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the snapshot. `call` is set for a caller's channel, `interface` for an
    agent's, `place` is the number that one is to be called back at whose place in a queue it
    keeps; `bridge` is empty outside of bridges. `leg` is set for a phone of ours: its channel's
    name, and that it holds nobody."""

    call: str | None
    interface: str | None
    bridge: str
    age: timedelta
    caller: str | None
    place: str | None = None
    leg: tuple[str, Held] | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that Asterisk holds at one moment."""

    at: datetime
    channels: tuple[Channel, ...]
    waiting: tuple[Joined, ...]  # `at` is when the call joined
    members: tuple[Member, ...]
