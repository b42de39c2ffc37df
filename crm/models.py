"""The tables. Times are aware UTC; durations end in `_ms`.

Who writes what: the tailer writes `call`, `leg`, `call_segment`, `agent_event`, `callback`, `boot`,
`journal_position` and `journal_gap`; the listener writes `live_call` and `live_agent`; everything
else is written by the console, the scheduler and the command line.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm.database import UtcDateTime
from crm.field_keys import Sealed, SealedJson


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON
    }


class Outcome(StrEnum):
    """How an inbound call ended: the first that fits, in this order (see DESIGN: the words)."""

    LOST = "lost"
    REJECTED = "rejected"
    TRANSFERRED = "transferred"
    ANSWERED = "answered"
    CALLBACK = "callback"
    VOICEMAIL = "voicemail"
    SELF_SERVED = "self_served"
    ABANDONED_QUEUE = "abandoned_queue"
    ABANDONED_MENU = "abandoned_menu"


class Role(StrEnum):
    """Whose account it is; what each may do stands in crm.rights."""

    AGENT = "agent"
    LEAD = "lead"  # leads a shift
    DISPATCHER = "dispatcher"  # sends cases to agencies
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"  # reads everything, changes nothing
    HEALTH = "health"  # the health department's officer: enters the figures of the day
    OFFICER = "officer"  # of an agency: handles its cases
    LEADER = "leader"  # of an agency: approves its answers
    EXPERT = "expert"  # a doctor on duty, at their own telephone


class AgentState(StrEnum):
    """What an agent does now, as Asterisk tells it."""

    READY = "ready"
    PAUSED = "paused"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPUP = "wrapup"
    UNREACHABLE = "unreachable"  # logged in, but the phone is not registered
    OFFLINE = "offline"


class LiveState(StrEnum):
    """Where a call is now."""

    MENU = "menu"
    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


class RecordingState(StrEnum):
    """What becomes of the recording of a call that goes on."""

    ON = "on"
    PAUSED = "paused"
    DISCARDED = "discarded"  # nothing more is recorded, and what was is deleted after the call
    REFUSED = "refused"
    OFF = "off"  # ended with the call still going on: emergencies are never recorded


class Call(Base):
    """One contact with a person outside. `id` is Asterisk's uniqueid of that person's channel,
    which starts with NODE.BOOT, so that it is unique over nodes and restarts."""

    __tablename__ = "call"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    node: Mapped[str] = mapped_column(String(16))
    boot: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(4))  # in | out
    kind: Mapped[str] = mapped_column(String(8))  # citizen | test | training
    caller: Mapped[str | None] = mapped_column(String(20))  # E.164 or as dialled; None: withheld
    dialled: Mapped[str | None] = mapped_column(String(20))
    trunk: Mapped[str | None] = mapped_column(String(45))  # address of the carrier it came from
    started_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]  # first arrival in a queue
    answered_at: Mapped[datetime | None]  # first bridged with a person
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))  # an Outcome; None while it goes on
    branch: Mapped[str | None] = mapped_column(String(16))
    queue: Mapped[str | None] = mapped_column(String(16))
    agent: Mapped[str | None] = mapped_column(String(32))  # login of the last who spoke
    wait_ms: Mapped[int | None]  # from queued_at to the first person, or to the end
    # the wait as predicted at the first arrival, whether it was said or not (crm.calls.waits)
    wait_from_s: Mapped[int | None]
    wait_to_s: Mapped[int | None]
    talk_ms: Mapped[int] = mapped_column(default=0)  # bridged with persons, all together
    emergency: Mapped[bool] = mapped_column(default=False)
    # asked for emergency help, and ended before a person spoke with the caller
    unreached: Mapped[bool] = mapped_column(default=False)
    # asked for emergency help, and was cut off while a person spoke with the caller
    broken_off: Mapped[bool | None]
    # by key after the call, of its agent: 1 very good, 2 good, 3 fair, 5 bad
    satisfaction: Mapped[int | None]
    recording_notice: Mapped[str | None] = mapped_column(String(8))  # heard | refused | cut
    recording: Mapped[str | None] = mapped_column(String(120))  # file name in the recordings folder
    # what agents did with it: [{"state": a RecordingState, "why", "by", "at"}], at = ISO UTC
    recording_marks: Mapped[list[Any] | None]
    voicemail: Mapped[str | None] = mapped_column(String(120))
    message_done: Mapped[bool] = mapped_column(default=False)  # what the voicemail asked for
    hangup_cause: Mapped[int | None]  # Q.850
    case_code: Mapped[str | None] = mapped_column(String(8))
    path: Mapped[list[Any]] = mapped_column(default=list)  # [{"menu", "key", "at"}], at = ISO UTC
    facts: Mapped[dict[str, Any] | None]  # what the row is derived from, see crm.calls.facts

    __table_args__ = (
        Index("call_started", "started_at"),
        Index("call_caller", "caller", "started_at"),
        Index("call_open", "node", "ended_at"),
        Index(
            "call_recorded", "started_at",
            sqlite_where=text("recording IS NOT NULL OR recording_notice = 'refused'"),
            postgresql_where=text("recording IS NOT NULL OR recording_notice = 'refused'"),
        ),
        Index(
            "call_recorded_agent", "agent", "started_at",
            sqlite_where=text("recording IS NOT NULL OR recording_notice = 'refused'"),
            postgresql_where=text("recording IS NOT NULL OR recording_notice = 'refused'"),
        ),
        Index(
            "call_unreached", "started_at",
            sqlite_where=text("unreached IS 1"), postgresql_where=text("unreached IS true"),
        ),
        Index(
            "call_broken_off", "started_at",
            sqlite_where=text("broken_off IS 1"), postgresql_where=text("broken_off IS true"),
        ),
        Index(
            "call_missed", "started_at",
            sqlite_where=text("outcome IN ('abandoned_queue', 'rejected', 'lost')"),
            postgresql_where=text("outcome IN ('abandoned_queue', 'rejected', 'lost')"),
        ),
        Index(
            "call_message", "emergency", "started_at",
            sqlite_where=text("voicemail IS NOT NULL AND message_done IS 0"),
            postgresql_where=text("voicemail IS NOT NULL AND message_done IS false"),
        ),
    )


class MissedCaller(Base):
    """Who has taken a number that called in vain, and what came of it (crm.calls.missed)."""

    __tablename__ = "missed_caller"

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    taken_by: Mapped[str | None] = mapped_column(String(32))
    taken_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None] = mapped_column(String(32))
    result: Mapped[str | None] = mapped_column(String(12))  # a crm.calls.missed.Result


class RingOut(Base):
    """A number that an agent has rung by a click."""

    __tablename__ = "ring_out"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    by: Mapped[str] = mapped_column(String(32))
    call_id: Mapped[str | None] = mapped_column(String(80))  # the call that is rung back
    at: Mapped[datetime]

    __table_args__ = (Index("ring_out_by", "by", "at"), Index("ring_out_number", "number", "at"),
                      Index("ring_out_at", "at"))


class RungBack(Base):
    """Somebody has rung back a caller whose emergency call had reached nobody."""

    __tablename__ = "rung_back"

    call_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(32))  # login


class MessageTask(Base):
    """Somebody has taken a voice message; `done_at`: what it asked for is done."""

    __tablename__ = "message_task"

    call_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    taken_by: Mapped[str] = mapped_column(String(32))  # login
    taken_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class Callback(Base):
    """A call back that a waiting caller was promised. `id` is that call's."""

    __tablename__ = "callback"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    node: Mapped[str] = mapped_column(String(16))  # whose Asterisk keeps the place
    number: Mapped[str | None] = mapped_column(String(20))
    queue: Mapped[str | None] = mapped_column(String(16))
    branch: Mapped[str | None] = mapped_column(String(16))
    arrived_at: Mapped[datetime | None]  # in the queue: the place that is kept
    asked_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)  # how often the citizen was rung
    tried_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(String(8))  # done | refused | failed
    facts: Mapped[dict[str, Any]]  # what the row is derived from, see crm.calls.callbacks

    __table_args__ = (
        Index("callback_number", "number", "ended_at"),
        Index(
            "callback_open", "node",
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
    )


class Drill(Base):
    """An agreed trial of key 4 with an emergency service."""

    __tablename__ = "drill"

    id: Mapped[int] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(String(16))  # crm.branches.SERVICES
    at: Mapped[datetime]
    note: Mapped[str] = mapped_column(String(500))


class Leg(Base):
    """Another channel that belongs to a call: an agent's phone, an emergency service."""

    __tablename__ = "leg"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)  # uniqueid
    call_id: Mapped[str] = mapped_column(String(80), index=True)
    kind: Mapped[str] = mapped_column(String(12))  # agent | outside | other
    endpoint: Mapped[str] = mapped_column(String(40))  # seat-001, desk-01, carrier
    agent: Mapped[str | None] = mapped_column(String(32))
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    talk_ms: Mapped[int] = mapped_column(default=0)
    hangup_cause: Mapped[int | None]
    facts: Mapped[dict[str, Any] | None]  # what the row is derived from, see crm.calls.facts

    __table_args__ = (
        Index(
            "leg_open", "call_id",
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
    )


class CallSegment(Base):
    """A part of a call that is over, and whose it was (crm.calls.segments)."""

    __tablename__ = "call_segment"

    call_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    what: Mapped[str] = mapped_column(String(8))  # a crm.calls.segments.What
    leg_id: Mapped[str | None] = mapped_column(String(80))
    branch: Mapped[str | None] = mapped_column(String(16))  # the call's at that time
    queue: Mapped[str | None] = mapped_column(String(16))  # the last one the caller was in
    agent: Mapped[str | None] = mapped_column(String(32))
    party: Mapped[str | None] = mapped_column(String(40))  # expert:ID, duty:N, service:ID, line:…
    how: Mapped[str | None] = mapped_column(String(8))
    result: Mapped[str | None] = mapped_column(String(16))
    first: Mapped[bool] = mapped_column(default=False)  # of a leg's talks
    counted: Mapped[bool] = mapped_column(default=True)  # of a citizen's call
    started_at: Mapped[datetime]
    ms: Mapped[int]

    __table_args__ = (
        Index("call_segment_started", "started_at"),
        Index("call_segment_agent", "agent", "started_at"),
        Index(
            "call_segment_party", "party",
            sqlite_where=text("party IS NOT NULL"), postgresql_where=text("party IS NOT NULL"),
        ),
    )


class AgentEvent(Base):
    """What an agent, or somebody for them, has told the queues: ready, paused or out."""

    __tablename__ = "agent_event"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)  # of the channel that noted it
    agent: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(8))  # a crm.calls.shifts.Told
    reason: Mapped[str | None] = mapped_column(String(16))  # of a pause

    __table_args__ = (Index("agent_event_agent", "agent", "at"), Index("agent_event_at", "at"))


class Boot(Base):
    """A start of Asterisk, numbered in the order in which the journal first spoke of it. Calls of
    all but a node's newest boot are over."""

    __tablename__ = "boot"

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(16))
    first_at: Mapped[datetime]  # of the first event seen of it

    __table_args__ = (UniqueConstraint("node", "name"),)


class JournalPosition(Base):
    """How far a node's journal has been read: committed together with the rows it led to."""

    __tablename__ = "journal_position"

    node: Mapped[str] = mapped_column(String(16), primary_key=True)
    inode: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[str] = mapped_column(String(64))  # hex of its first bytes: inodes are used again
    offset: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime]


class JournalGap(Base):
    """A place in the journal that could not be read (torn line, missing segment)."""

    __tablename__ = "journal_gap"

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(16))
    segment: Mapped[str] = mapped_column(String(120))
    offset: Mapped[int] = mapped_column(BigInteger)
    length: Mapped[int] = mapped_column(BigInteger)  # bytes
    reason: Mapped[str] = mapped_column(String(200))
    found_at: Mapped[datetime]


class LiveCall(Base):
    """A call that goes on now, as AMI tells it. Rows of ended calls stay for a minute, so that
    readers who follow `seq` see the end."""

    __tablename__ = "live_call"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    node: Mapped[str] = mapped_column(String(16))
    seq: Mapped[int] = mapped_column(BigInteger)  # per node, grows with each change
    state: Mapped[str] = mapped_column(String(8))  # a LiveState
    caller: Mapped[str | None] = mapped_column(String(20))
    branch: Mapped[str | None] = mapped_column(String(16))
    queue: Mapped[str | None] = mapped_column(String(16))
    position: Mapped[int | None]
    agent: Mapped[str | None] = mapped_column(String(32))  # rung or speaking
    started_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    since: Mapped[datetime]  # of this state
    guest: Mapped[str | None] = mapped_column(String(24))  # seat-002, service-x, doc-x, a number
    guest_state: Mapped[str | None] = mapped_column(String(8))  # rings | in
    aside: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    recording: Mapped[str | None] = mapped_column(String(12))  # a RecordingState
    taken_from: Mapped[str | None] = mapped_column(String(32))  # whom a supervisor has relieved,
    taken_by: Mapped[str | None] = mapped_column(String(32))  # and who that is

    __table_args__ = (Index("live_call_seq", "node", "seq"),)


class LiveAgent(Base):
    """An agent's state, as AMI tells it."""

    __tablename__ = "live_agent"

    login: Mapped[str] = mapped_column(String(32), primary_key=True)
    node: Mapped[str] = mapped_column(String(16))
    seq: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(12))  # an AgentState
    reason: Mapped[str | None] = mapped_column(String(40))  # of a pause
    interface: Mapped[str | None] = mapped_column(String(40))  # PJSIP/seat-001
    queues: Mapped[list[Any]] = mapped_column(default=list)
    call_id: Mapped[str | None] = mapped_column(String(80))
    since: Mapped[datetime]
    wrapup_until: Mapped[datetime | None]

    __table_args__ = (Index("live_agent_seq", "node", "seq"),)


class ListenerState(Base):
    """Whether a node's listener is connected to Asterisk, for screens that must say so."""

    __tablename__ = "listener_state"

    node: Mapped[str] = mapped_column(String(16), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    connected: Mapped[bool]
    since: Mapped[datetime]
    seen_at: Mapped[datetime]  # written every few seconds


class User(Base):
    """A person who signs in."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(32), unique=True)  # [a-z][a-z0-9.]*
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(12))
    password_hash: Mapped[str] = mapped_column(String(200))  # argon2id
    language: Mapped[str] = mapped_column(String(2), default="vi")
    queues: Mapped[list[Any]] = mapped_column(default=list)  # that an agent serves
    # and how: 1 first, 2 later, 3 when nobody else can; what is missing is 1
    levels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class UserSession(Base):
    """A signed-in browser. The cookie holds a token, the table only its SHA-256."""

    __tablename__ = "user_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(String(45))
    browser: Mapped[str] = mapped_column(String(200))
    # what must still be shown before it opens anything: a crm.second_factor.Need
    needs: Mapped[str] = mapped_column(String(8), default="", server_default="")


class SecondFactor(Base):
    """An authenticator app of somebody's; in use once it is confirmed."""

    __tablename__ = "second_factor"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )
    secret: Mapped[str] = mapped_column(Sealed)  # base32
    made_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger)  # half minute of the last code: good once
    recovery: Mapped[list[Any]] = mapped_column(default=list)  # SHA-256 of the codes that are left


class KeypadLogin(Base):
    """How an agent signs in from a telephone by keys (crm.keypad). The row stays when the PIN is
    taken away: Asterisk must forget it too."""

    __tablename__ = "keypad_login"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )
    pin: Mapped[str] = mapped_column(String(40))  # a keyed hash; empty: taken away
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(32))


class LoginFailure(Base):
    """A refused sign-in, kept to slow down guessing."""

    __tablename__ = "login_failure"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(32), index=True)
    address: Mapped[str] = mapped_column(String(45), index=True)
    at: Mapped[datetime]


class Seat(Base):
    """A phone that an agent can lease: a browser's (webrtc) or a SIP phone on a desk.
    `hotline up` fills this table from the configuration it generated."""

    __tablename__ = "seat"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)  # seat-001, desk-01
    node: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(8))  # webrtc | desk
    secret: Mapped[str] = mapped_column(Sealed)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), unique=True)
    leased_at: Mapped[datetime | None]


class NodeRequest(Base):
    """What one node asks another to tell its Asterisk, for as long as somebody waits for it
    (crm.nodes). Sealed: there may be a citizen's number in it."""

    __tablename__ = "node_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(16))  # that is asked
    asked: Mapped[dict[str, Any]] = mapped_column(SealedJson)  # {"act", "arguments"}
    asked_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(8))
    message: Mapped[str] = mapped_column(String(200), default="")

    __table_args__ = (Index("node_request_node", "node", "taken_at"),)


class CallNote(Base):
    """What an agent wrote about a call. It may be saved before the call's own row exists."""

    __tablename__ = "call_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(String(80), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    text: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[str | None] = mapped_column(String(24))  # a crm.agents.models.CallResult
    case_code: Mapped[str | None] = mapped_column(String(8))  # that was opened, or spoken of
    created_at: Mapped[datetime]
    saved_at: Mapped[datetime]
    done: Mapped[bool] = mapped_column(default=False)  # False: still a draft

    __table_args__ = (UniqueConstraint("call_id", "user_id"),)


class LineQuality(Base):
    """How well an agent and a caller could hear each other on one leg, as the agent's browser
    measured it: mean opinion scores of the E-model, and the figures of the worst moment."""

    __tablename__ = "line_quality"

    leg: Mapped[str] = mapped_column(String(36), primary_key=True)  # the browser's name for it
    call_id: Mapped[str] = mapped_column(String(80), index=True)
    agent: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(index=True)
    samples: Mapped[int]
    mean: Mapped[float] = mapped_column(Float)
    worst: Mapped[float] = mapped_column(Float)
    loss: Mapped[float] = mapped_column(Float)  # percent
    jitter: Mapped[float] = mapped_column(Float)  # ms
    round_trip: Mapped[float] = mapped_column(Float)  # ms


class Switch(Base):
    """The wanted state of a switch of the running dialplan (AstDB family `switch`)."""

    __tablename__ = "switch"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(40))
    set_by: Mapped[str] = mapped_column(String(32))
    set_at: Mapped[datetime]


class Bulletin(Base):
    """An approved text for key 8 (crm.bulletins)."""

    __tablename__ = "bulletin"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    approved_by: Mapped[str] = mapped_column(String(80))
    approved_at: Mapped[datetime]
    sound: Mapped[str | None] = mapped_column(String(20))
    live_since: Mapped[datetime | None]  # of one at most
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(40))


class SurgeLimit(Base):
    """How many may wait in a queue for a while (crm.surge)."""

    __tablename__ = "surge_limit"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(String(16))  # or `line`: all callers at once
    most: Mapped[int]
    at: Mapped[datetime]
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(300))
    by: Mapped[str] = mapped_column(String(32))
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (Index("surge_limit_until", "until"),)


class Restriction(Base):
    """What was held against a number that misused the line (crm.calls.nuisance)."""

    __tablename__ = "restriction"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))  # as calls have it
    step: Mapped[int]  # 1 warned, 2 message only, 3 emergency only
    at: Mapped[datetime]
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(300))
    by: Mapped[str] = mapped_column(String(32))
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(String(32))
    lifted_why: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (Index("restriction_number", "number", "id"),)
