"""AMI events, parsed at the edge: from a message of text headers to typed facts.

A caller can write parts of these messages (asterisk.md A.4). So every value has a strict form, a
header that stands twice makes the whole event unusable, and the caller's number is never taken
from the start of a channel. What does not fit raises BadEventError and is dropped by the listener.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from crm.branches import ALL_QUEUES, BY_ID
from crm.calls.facts import LEG_ID
from crm.models import RecordingState
from ivr.live_facts import (
    Asked,
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

Headers = Mapping[str, str | list[str]]

TRUNK = "PJSIP/trunk-"
NODE = "PJSIP/node-"  # to another node, or (with a call's id as account code) from it
CALL_ID = re.compile(r"(?P<node>[a-z][a-z0-9]{0,11})\.(?P<boot>[a-z0-9]{1,12})-\d{1,12}\.\d{1,12}")
# a phone of ours, or the telephone of an agent outside
INTERFACE = re.compile(r"PJSIP/(?:seat|desk)-\d{1,4}|Local/0\d{9,10}@hl-mobile/n")
LOGIN = re.compile(r"[a-z][a-z0-9.]{0,31}")
NUMBER = re.compile(r"\+?[0-9]{1,15}")
GUEST = re.compile(
    r"(?:seat|desk)-\d{1,4}|service-[a-z]{1,12}|doc-[a-z][a-z0-9.]{0,19}|[0-9]{3,15}|none"
)
_RECORDING = re.compile("|".join(RecordingState))
_PLACE = re.compile(r"Local/(0[0-9]{9,10})@hl-callback-place-[0-9a-f]{1,8};2")
_OF_PHONE = re.compile(
    r"(PJSIP/(?:seat|desk)-\d{1,4})-|(Local/0\d{9,10}@hl-mobile)-[0-9a-f]{1,8};1"
)
_SEATS_CHANNEL = re.compile(r"PJSIP/((?:seat|desk)-\d{1,4})-[0-9a-f]{8,16}")
CALLERS_CHANNEL = re.compile(r"PJSIP/(?:trunk-(?:web-)?|node-[a-z0-9]{1,12}-)[0-9a-f]{1,12}")
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class BadEventError(Exception):
    """An event lacks a header, has one twice, or holds an impossible value."""


def parse(message: Headers, node: str, now: datetime) -> Event | None:
    """The fact that an AMI event tells, None if it tells nothing about calls or agents.

    Raises BadEventError.
    """
    name = message.get("Event")
    reader = _READERS.get(name) if isinstance(name, str) else None
    if reader is None:
        if isinstance(name, list):
            raise BadEventError("a header stands twice")
        return None
    return reader(_Reader(message, node, now))


def parse_question(message: Headers, node: str, now: datetime) -> Asked | None:
    """What a call asks of the database; None: the event is no question. Raises BadEventError."""
    if message.get("UserEvent") != "HotlineAsk":
        return None
    reader = _Reader(message, node, now)

    def digits(header: str, most: int) -> str:  # the library loses a header that is empty
        if header not in reader.message:
            return ""
        return reader.form(header, re.compile(rf"[0-9]{{0,{most}}}"))

    return Asked(
        channel=reader.form("Channel", CALLERS_CHANNEL),
        call=reader.call(),
        number=reader.whole("Number", 99),
        what=reader.form("What", re.compile("count|case")),
        caller=(reader.number("Caller") or "") if "Caller" in reader.message else "",
        digits=digits("Digits", 8),
        tail=digits("Tail", 4),
        index=reader.whole("Index", 99),
    )


def parse_snapshot(
    channels: Iterable[Headers], queues: Iterable[Headers], node: str, now: datetime,
    complain: Callable[[BadEventError], None],
) -> Snapshot:
    """Put the lists of CoreShowChannels and QueueStatus together, without their bad entries."""
    found: list[Channel] = []
    waiting: list[Joined] = []
    members: list[Member] = []
    passed: dict[str, str] = {}  # the call of each caller whom another node has answered
    away: set[str] = set()  # bridges to other nodes, which tell of who is in them
    for message in (*channels, *queues):
        try:
            reader = _Reader(message, node, now)
            match message.get("Event"):
                case "CoreShowChannel":
                    channel = _channel(reader)
                    found.append(channel)
                    if reader.text("Channel").startswith(NODE):
                        if channel.call:
                            passed[reader.text("Uniqueid")] = channel.call
                        else:
                            away.add(channel.bridge)
                case "QueueEntry" if reader.text("Channel").startswith(TRUNK):
                    waiting.append(_entry(reader, reader.call()))
                case "QueueEntry" if call := passed.get(reader.text("Uniqueid")):
                    waiting.append(_entry(reader, call))
                case "QueueMember":
                    members.append(_member(reader, name="Name", interface="Location"))
        except BadEventError as error:
            complain(error)
    here = (one for one in found if not (one.call and one.bridge and one.bridge in away))
    return Snapshot(now, tuple(here), tuple(waiting), tuple(members))


class _Reader:
    """Typed access to the headers of one message."""

    def __init__(self, message: Headers, node: str, now: datetime) -> None:
        if any(isinstance(value, list) for value in message.values()):
            raise BadEventError(f"{message.get('Event')}: a header stands twice")
        self.message = message
        self.node = node
        self.now = now

    def bad(self, header: str, what: str) -> BadEventError:
        # without the value: it may be a caller's number, or a caller's text
        return BadEventError(f"{self.message.get('Event')}: {header} {what}")

    def text(self, header: str) -> str:
        value = self.message.get(header)
        if not isinstance(value, str):
            raise self.bad(header, "is missing")
        return value

    def form(self, header: str, pattern: re.Pattern[str]) -> str:
        value = self.text(header)
        if not pattern.fullmatch(value):
            raise self.bad(header, "is impossible")
        return value

    def words(self, header: str, most: int) -> str:
        """People's own words, cut to what can be stored and shown on one line."""
        return "".join(letter for letter in self.text(header) if letter.isprintable())[:most]

    def whole(self, header: str, most: int) -> int:
        value = int(self.form(header, re.compile(r"[0-9]{1,10}")))
        if value > most:
            raise self.bad(header, "is impossible")
        return value

    def call(self, header: str = "Uniqueid") -> str:
        """The call of a caller's channel, or the one that is named. Those of other nodes are known
        here by who has passed them on."""
        if header == "Uniqueid" and self._is_passed:
            return self.form("AccountCode", CALL_ID)
        value = self.text(header)
        match = CALL_ID.fullmatch(value)
        if not match or (header == "Uniqueid" and match["node"] != self.node):
            raise self.bad(header, "is not one of this node")
        return value

    @property
    def _is_passed(self) -> bool:
        return self.text("Channel").startswith(NODE) and bool(self.message.get("AccountCode"))

    def queue(self) -> str:
        value = self.text("Queue")
        if value not in ALL_QUEUES:
            raise self.bad("Queue", "is unknown")
        return value

    def number(self, header: str) -> str | None:
        value = self.text(header)
        return value if NUMBER.fullmatch(value) else None

    def at(self) -> datetime:
        value = self.message.get("Timestamp")
        if value is None:
            return self.now
        seconds = float(self.form("Timestamp", re.compile(r"\d{1,10}\.\d{1,6}")))
        when = datetime.fromtimestamp(seconds, UTC)
        if when > _LATEST:
            raise self.bad("Timestamp", "is impossible")
        return when

    @property
    def is_callers(self) -> bool:
        """Whether it is of a caller's channel: from the trunk, or passed on by another node."""
        return self.text("Channel").startswith(TRUNK) or self._is_passed


def _new_channel(reader: _Reader) -> Event | None:
    # of one who is passed on the call is not known before the dialplan has named it
    is_new = reader.text("Channel").startswith(TRUNK)
    return CallStarted(reader.call(), reader.at()) if is_new else None


def _user_event(reader: _Reader) -> Event | None:
    match reader.text("UserEvent"):
        case "HotlineAgent":
            act = reader.form("Act", re.compile("called|connected|missed|completed"))
            return Offered(
                reader.call("Call"), reader.at(), act, reader.form("Agent", LOGIN), reader.queue()
            )
        case "HotlineRoom" | "HotlineTaken":
            return _room(reader)
        case "HotlineRecording":
            return RecordingChanged(
                reader.call("Call"), reader.at(), reader.form("State", _RECORDING)
            )
        case "HotlineStaff":
            return OnTelephone(reader.form("Agent", LOGIN), reader.at())
        case "HotlinePassed" | "HotlineCall" if reader.is_callers:
            return _callers_word(reader)
    return None


def _callers_word(reader: _Reader) -> Event:
    if reader.text("UserEvent") == "HotlinePassed":
        return Passed(reader.call(), reader.at())
    branch = reader.text("Branch") if "Branch" in reader.message else ""
    if branch and branch not in BY_ID:
        raise reader.bad("Branch", "is unknown")
    caller = reader.number("Caller") if "Caller" in reader.message else None
    return CallNamed(reader.call(), reader.at(), caller, branch or None)


def _room(reader: _Reader) -> RoomChanged | Taken:
    if reader.text("UserEvent") == "HotlineTaken":
        agent, by = reader.form("Agent", LOGIN), reader.form("By", LOGIN)
        return Taken(reader.call("Call"), reader.at(), agent, by)
    guest = state = aside = None
    if "Guest" in reader.message:
        guest = reader.form("Guest", GUEST)
        guest = "" if guest == "none" else guest
    if guest:
        state = reader.form("State", re.compile("rings|in"))
    if "Aside" in reader.message:
        aside = reader.form("Aside", re.compile("yes|no")) == "yes"
    return RoomChanged(reader.call("Call"), reader.at(), guest, state, aside)


def _join(reader: _Reader) -> Event | None:
    if not reader.is_callers:
        return None
    return Joined(
        reader.call(), reader.at(), reader.queue(),
        reader.whole("Position", 100_000) or 1, reader.number("CallerIDNum"),
    )


def _leave(reader: _Reader) -> Event | None:
    return Left(reader.call(), reader.at(), reader.queue()) if reader.is_callers else None


def _bridge(inside: bool) -> Callable[[_Reader], Event | None]:
    def read(reader: _Reader) -> Event | None:
        return Bridged(reader.call(), reader.at(), inside) if reader.is_callers else None

    return read


def _hangup(reader: _Reader) -> Event | None:
    return Ended(reader.call(), reader.at()) if reader.is_callers else None


def _held(on: bool) -> Callable[[_Reader], Event | None]:
    return lambda reader: _leg_of(reader, on)


def _leg_of(reader: _Reader, on: bool) -> Held | None:
    """A channel of a phone of ours; None: it is something else's."""
    channel = _SEATS_CHANNEL.fullmatch(reader.text("Channel"))
    if channel is None:
        return None
    call = reader.text("Linkedid")
    return Held(
        reader.form("Uniqueid", LEG_ID), channel[1], call if CALL_ID.fullmatch(call) else "", on
    )


def _offer(act: str) -> Callable[[_Reader], Event | None]:
    def read(reader: _Reader) -> Event | None:
        if not reader.is_callers:
            return None
        return Offered(
            reader.call(), reader.at(), act, reader.form("MemberName", LOGIN), reader.queue()
        )

    return read


def _member(reader: _Reader, *, name: str, interface: str, added: bool = False) -> Member:
    now = int(reader.now.timestamp())
    return Member(
        at=reader.at(),
        queue=reader.queue(),
        agent=reader.form(name, LOGIN),
        interface=reader.form(interface, INTERFACE),
        device=reader.whole("Status", 8),
        reason=reader.words("PausedReason", 40) if reader.whole("Paused", 1) else None,
        last_call=reader.whole("LastCall", now + 86_400),
        in_call=bool(reader.whole("InCall", 1)),
        penalty=reader.whole("Penalty", 1000),
        added=added,
    )


def _member_event(added: bool) -> Callable[[_Reader], Event | None]:
    return lambda reader: _member(reader, name="MemberName", interface="Interface", added=added)


def _member_gone(reader: _Reader) -> Event:
    return MemberGone(
        reader.at(), reader.queue(),
        reader.form("MemberName", LOGIN), reader.form("Interface", INTERFACE),
    )


def _channel(reader: _Reader) -> Channel:
    hours, minutes, seconds = map(int, reader.form(
        "Duration", re.compile(r"\d{1,5}:\d\d:\d\d")).split(":"))
    phone = _OF_PHONE.match(reader.text("Channel"))
    place = _PLACE.fullmatch(reader.text("Channel"))
    leg = _leg_of(reader, on=False)
    return Channel(
        call=reader.call() if reader.is_callers else None,
        interface=(phone[1] or f"{phone[2]}/n") if phone else None,
        # the last header: the library loses it when it is empty
        bridge=reader.text("BridgeId") if "BridgeId" in reader.message else "",
        age=timedelta(hours=hours, minutes=minutes, seconds=seconds),
        caller=reader.number("CallerIDNum"),
        place=place[1] if place else None,
        leg=(reader.text("Channel"), leg) if leg else None,
    )


def _entry(reader: _Reader, call: str) -> Joined:
    joined = reader.now - timedelta(seconds=reader.whole("Wait", 86_400))
    return Joined(
        call, joined, reader.queue(),
        reader.whole("Position", 100_000), reader.number("CallerIDNum"),
    )


_READERS: dict[str, Callable[[_Reader], Event | None]] = {
    "Newchannel": _new_channel,
    "UserEvent": _user_event,
    "QueueCallerJoin": _join,
    "QueueCallerLeave": _leave,
    "BridgeEnter": _bridge(inside=True),
    "BridgeLeave": _bridge(inside=False),
    "Hangup": _hangup,
    "Hold": _held(on=True),
    "Unhold": _held(on=False),
    "AgentCalled": _offer("called"),
    "AgentConnect": _offer("connected"),
    "AgentComplete": _offer("completed"),
    "AgentRingNoAnswer": _offer("missed"),
    "AgentDump": _offer("missed"),
    "QueueMemberAdded": _member_event(added=True),
    "QueueMemberStatus": _member_event(added=False),
    "QueueMemberPause": _member_event(added=False),
    "QueueMemberRemoved": _member_gone,
}
READ = frozenset(_READERS)
