"""Journals for tests: an Asterisk on paper, which notes events as the real one does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from crm.calls.facts import JournalEvent

START = datetime(2025, 11, 22, 2, 0, tzinfo=UTC)  # 09:00 in Vietnam


class Asterisk:
    """One start of Asterisk. Each event comes a millisecond after the one before it."""

    def __init__(
        self, node: str = "th1", boot: str = "b1", at: datetime = START, channels: int = 0
    ) -> None:
        self.node = node
        self.boot = boot
        self.now = at
        self.events: list[JournalEvent] = []
        self._channels = channels  # that have been numbered before

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def channel(self, name: str, *, of: Channel | None = None, context: str = "") -> Channel:
        """A channel begins; one that `of` rings shares its linkedid."""
        self._channels += 1
        id_ = f"{self.node}.{self.boot}-{int(START.timestamp())}.{self._channels}"
        made = Channel(self, f"{name}-{self._channels:08x}", id_, of.linkedid if of else id_)
        made.note("CHAN_START", context=context)
        return made

    def booted(self) -> None:
        """What the dialplan notes soon after each start."""
        self.channel("Local/boot@hl-boot", context="hl-boot").note("HL_BOOT", boot=self.boot)

    def caller(self, number: str = "0912345678", kind: str = "citizen") -> Channel:
        """A call from the trunk, answered by the dialplan, that has said who it is."""
        made = self.channel("PJSIP/trunk-local", context="from-trunk")
        made.note("HL_CALL", caller=number, dialled="1022", trunk="127.0.0.2", kind=kind)
        made.note("ANSWER")
        return made

    def queued(self, queue: str = "vaccine", number: str = "0912345678") -> Channel:
        """A caller who pressed 3, then 0, and waits in a queue."""
        made = self.caller(number)
        made.note("HL_MENU", menu="main")
        self.wait(4)
        made.note("HL_KEY", menu="main", key="3")
        made.note("HL_MENU", menu=queue)
        self.wait(2)
        made.note("HL_KEY", menu=queue, key="0")
        made.note("HL_BRANCH", branch=queue)
        made.note("HL_NOTICE", result="heard")
        made.note("HL_QUEUE", queue=queue, ahead="0")
        return made

    def answer(
        self, caller: Channel, *, agent: str = "lan", seat: str = "seat-001", bridge: str = "br-1",
        **said: str,
    ) -> Channel:
        """An agent's phone rings for three seconds, answers and is bridged with the caller."""
        leg = self.channel(f"PJSIP/{seat}", of=caller)
        self.wait(3)
        leg.note("ANSWER")
        leg.note("HL_ANSWER", agent=agent, seat=seat, call=caller.id, **said)
        leg.enter(bridge)
        caller.enter(bridge)
        return leg


class Channel:
    """One channel. Its `linkedid` may change while it lives, as on a real Asterisk."""

    def __init__(self, asterisk: Asterisk, name: str, id_: str, linkedid: str) -> None:
        self._asterisk = asterisk
        self.name = name
        self.id = id_
        self.linkedid = linkedid

    def note(self, type_: str, *, context: str = "hl-menu-main", **extra: str) -> None:
        self._asterisk.wait(0.001)
        self._asterisk.events.append(JournalEvent(
            type=type_, at=self._asterisk.now, num="", name="", exten="s", context=context,
            channel=self.name, app="", app_data="", uniqueid=self.id, linkedid=self.linkedid,
            peer="", extra=extra,
        ))

    def enter(self, bridge: str = "br-1") -> None:
        self.note("BRIDGE_ENTER", bridge_id=bridge)

    def leave(self, bridge: str = "br-1") -> None:
        self.note("BRIDGE_EXIT", bridge_id=bridge)

    def end(self, cause: str = "16") -> None:
        self.note("HANGUP", hangupcause=cause, hangupsource="", dialstatus="")
        self.note("CHAN_END")


def encode(events: Iterable[JournalEvent]) -> bytes:
    """The events as Asterisk writes them."""
    return b"".join(map(_record, events))


def _record(event: JournalEvent) -> bytes:
    own = event.type.startswith("HL_")
    extra: dict[str, str] = dict(event.extra)
    if own:
        extra = {"extra": "|".join(f"{key}={value}" for key, value in event.extra.items())}
    texts = [
        event.type, f"{int(event.at.timestamp())}.{event.at.microsecond:06}",
        event.type if own else "", event.num, event.name, event.exten, event.context,
        event.channel, event.app, event.app_data, event.uniqueid, event.linkedid, event.peer,
        json.dumps(extra) if extra else "",
    ]
    return ",".join('"' + text.replace('"', '""') + '"' for text in texts).encode() + b"\n"
