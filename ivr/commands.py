"""What the hotline tells Asterisk to do: short scripts over AMI (asterisk-ami 0.1.7, guarded).

Each command is one session of its own: connect, log in without events, act, log off, close. The
library's reader dies after some seconds of silence, its waiting can miss an answer and its
clients cannot be used twice; a session that ends within the reader's life and reads answers from
a queue of its own needs none of that. Nothing is ever tried again by itself.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from asterisk.ami import Action, AMIClient, Event, Response  # type: ignore[import-untyped]

from crm.branches import ALL_QUEUES, BY_ID, EMERGENCY
from crm.calls.facts import CALL_ID, LEG_ID
from crm.errors import HotlineError
from crm.models import Callback
from crm.secrets import Secrets
from crm.secrets import load as load_secrets
from crm.setting_values import Address
from crm.settings import Settings
from crm.users import LEVELS
from ivr.ami import UnsafeValueError, checked
from ivr.live_agents import WRAPUP
from ivr.live_events import CALLERS_CHANNEL, INTERFACE, LOGIN
from ivr.live_facts import Held, is_telephone

log = logging.getLogger(__name__)

__all__ = ["Commands", "Outcome", "Result", "for_settings", "is_telephone", "switch_now"]

TIMEOUT_S = 3.0
_ANSWER = re.compile(r"HL_ANSWER_[0-9]{1,2}")
_ANSWER_VALUE = re.compile(r"[A-Za-z0-9_.|&/-]{1,2000}")
_SOUNDS = re.compile(r"[a-z0-9_.]+(&[a-z0-9_.]+){0,40}")
_CASE_CODE = re.compile(r"[0-9]{8}")
_SAID = re.compile(r"[0-9a-f]{20}")
_SWITCH = re.compile(r"[a-z][a-z0-9._+]{0,39}")
_SWITCH_VALUE = re.compile(r"[A-Za-z0-9._+-]{1,60}")
_CITIZEN = re.compile(r"0[0-9]{9,10}")
_SPYING = re.compile("listen|whisper|barge")
_SPIES_PHONE = re.compile(r"PJSIP/(?:seat|desk)-\d{1,4}(?:@node-[a-z0-9]{1,12})?")
_BRANCH_ID = re.compile(r"[a-z]{1,16}")
_OUTSIDE = re.compile(r"[0-9]{3,15}")
_WHY = re.compile(r"[a-z]{0,16}")
_TARGET = re.compile(
    r"(?:seat|desk)-\d{1,4}|service-[a-z]{1,12}|doc-[a-z][a-z0-9.]{0,19}|[0-9]{3,15}"
)
# of an agent: a phone of ours, or that half of a pair leading outside with which the caller speaks
_CHANNEL = re.compile(
    r"(?:PJSIP/(?:seat|desk)-\d{1,4}-[0-9a-f]{8,16}|Local/0\d{9,10}@hl-mobile-[0-9a-f]{8,16};1)"
)
_SEAT = re.compile(r"PJSIP/(?:seat|desk)-\d{1,4}")  # a phone of ours, and no telephone outside
# app_queue keeps members in AstDB as text with ; and | between
_REASON = re.compile(r"[^;|^,]{0,40}")
_REASON_ID = re.compile(r"[a-z_]{1,16}")
_ON_HOLD = "CHANNEL(rtp,hold)"
_ABSENT = ("Not there", "No such queue", "Interface not found")


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SILENT = "silent"


class RecordingAct(StrEnum):
    """What an agent does with the recording: the extensions of hl-recording."""

    PAUSED = "paused"
    RESUMED = "resumed"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class Result:
    """What became of a command. `refused`: it was certainly not, or not all, done; `unknown`: it
    was sent, and no answer came; `silent`: the node that it is for does not answer, and nothing was
    done (ivr.anywhere). The message is for the operator."""

    outcome: Outcome
    message: str = ""

    @property
    def done(self) -> bool:
        return self.outcome is Outcome.DONE


class _RefusedError(Exception):
    pass


class _UnknownError(Exception):
    pass


class Commands:
    """Commands to one Asterisk. Each takes `timeout_s` at most, and may be called by any thread."""

    def __init__(
        self, address: Address, username: str, password: str, *, timeout_s: float = TIMEOUT_S,
        node: str = "",
    ) -> None:
        """`node`: its name, where there are several: calls of the others may be here too."""
        self._node = node
        self._address = address
        self._username = username
        self._password = password
        self._timeout_s = timeout_s
        # of each member: who reads its pauses and joins it again lets no pause come in between
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def ping(self) -> Result:
        """Done if Asterisk answers and lets us in."""
        return self._run(lambda: [_Act("Ping")])

    def sign_in(
        self, interface: str, login: str, skills: Mapping[str, int], *, paused: bool,
        reason: str = "",
    ) -> Result:
        """Make the agent a member of exactly these queues, each at its level, with the phone
        `PJSIP/seat-001`."""
        pause = reason if paused else None
        state = "paused" if paused else "ready"
        return self._run(lambda: [
            _no_wrapup(interface),
            *(_leave(interface, name) for name in ALL_QUEUES),
            *(
                _join(interface, login, name, level, None if name == EMERGENCY else pause)
                for name, level in skills.items()
            ),
        ], member=interface, note=lambda: _note(interface, state, reason, login))

    def set_skills(self, interface: str, login: str, skills: Mapping[str, int]) -> Result:
        """Change what a member serves, without a sign-out: a place that stays loses neither its
        pause nor its wrap-up, a new one is paused as the others are."""
        def act(session: _Session) -> None:
            phone = _formed(INTERFACE, interface, "phone")
            places = session.places(phone)
            reason = next((why for name, why in places.items() if why and name != EMERGENCY), None)
            for name in ALL_QUEUES:
                if name not in skills and name in places:
                    session.act(_leave(phone, name))
                elif name in skills and name in places:
                    session.act(_Act("QueuePenalty", {
                        "Interface": phone, "Queue": name, "Penalty": _penalty(skills[name]),
                    }))
                elif name in skills:
                    pause = None if name == EMERGENCY else reason
                    session.act(_join(phone, login, name, skills[name], pause))

        with self._turns[interface]:
            return self._in_session(act)

    def sign_out(self, interface: str) -> Result:
        """Take the phone out of every queue."""
        return self._run(
            lambda: [_leave(interface, name) for name in ALL_QUEUES],
            member=interface, note=lambda: _note(interface, "out"),
        )

    def pause(self, interface: str, reason: str | None) -> Result:
        """Pause the phone in its queues, or with None let it be called again. A pause never
        keeps emergencies away: whoever is not on shift leaves the queues."""
        if reason is None:
            return self._run(lambda: [_no_wrapup(interface), _Act("QueuePause", {
                "Interface": _formed(INTERFACE, interface, "phone"), "Paused": "false",
            })], member=interface, note=lambda: _note(interface, "ready"))
        return self._run(
            lambda: [
                _no_wrapup(interface),
                *(
                    _Act("QueuePause", {
                        "Queue": name, "Interface": _formed(INTERFACE, interface, "phone"),
                        "Paused": "true", "Reason": _formed(_REASON, reason, "reason"),
                    }, harmless=_ABSENT)
                    for name in ALL_QUEUES if name != EMERGENCY
                ),
            ],
            some=True, member=interface, note=lambda: _note(interface, "paused", reason),
        )

    def end_wrapup(self, interface: str, login: str, skills: Mapping[str, int]) -> Result:
        """End the wrap-up time at once: a member who is new has no last call. A pause stays."""
        return self._run(
            lambda: [
                _no_wrapup(interface),
                *(
                    act for name, level in skills.items()
                    for act in (
                        _leave(interface, name), _join(interface, login, name, level, None)
                    )
                ),
            ],
            member=interface, keep_pauses=True, note=lambda: _note(interface, "over"),
        )

    def consult(self, call: str, interface: str, target: str, login: str = "") -> Result:
        """The agent at this phone speaks with `target` while the caller hears music. A target is a
        phone of ours (`login`: whose), `service-` and an emergency service, `doc-` and a doctor's
        id, or a number that may be rung; where nobody answers the caller comes back."""
        return self._with_call(call, interface, target, login, "aside", "consult")

    def invite(self, call: str, interface: str, target: str, login: str = "") -> Result:
        """`target` is rung and joins, while agent and caller go on speaking."""
        return self._with_call(call, interface, target, login, "in", "invite")

    def bring_together(self, call: str, interface: str) -> Result:
        """The caller, who was aside, joins agent and guest."""
        def act(session: _Session) -> None:
            session.agents_channel(call, interface)
            session.act(_redirect(session.callers_channel(call), "hl-room", "in"))

        return self._in_session(act)

    def take_back(self, call: str, interface: str) -> Result:
        """The guest goes, or is rung no longer; agent and caller speak again."""
        def act(session: _Session) -> None:
            channel = session.agents_channel(call, interface)
            session.act(_redirect(channel, "hl-room-agent", "back"))

        return self._in_session(act)

    def hand_over(self, call: str, interface: str) -> Result:
        """Caller and guest go on without the agent, whose part of the call ends."""
        def act(session: _Session) -> None:
            channel = session.agents_channel(call, interface)
            if not session.in_room(call):
                session.act(_redirect(session.callers_channel(call), "hl-room", "in"))
            session.act(_Act("Hangup", {"Channel": channel, "Cause": "16"}))

        return self._in_session(act)

    def transfer(
        self, call: str, interface: str, kind: str, target: str, login: str = ""
    ) -> Result:
        """Lead the caller on at once: `kind` branch (its id), agent (a phone of ours) or outside.
        Where nobody answers, the queue has them again in their old place."""
        def act(session: _Session) -> None:
            wanted = _BRANCH_ID if kind == "branch" else _TARGET
            session.agents_channel(call, interface)
            caller = session.callers_channel(call)
            session.set(
                caller, HL_TO=_formed(wanted, target, "target"), HL_TO_LOGIN=_login(login)
            )
            session.act(_redirect(caller, "hl-transfer", kind))

        return self._in_session(act)

    def listen(
        self, call: str, agent: str, own: str, how: str, by: str, *, recorded: bool
    ) -> Result:
        """A supervisor's phone (`own`, with `@node-th1` where it is another node's) is rung and
        then hears the call of the agent's phone; `how`: listen, whisper (only the agent hears the
        supervisor), or barge (everybody does). `by`: whose phone it is.
        `recorded`: refused where the caller has refused the recording."""
        def act(session: _Session) -> None:
            spied = session.spied(call, agent, by, recorded=recorded)
            session.act(_ring_supervisor(own, "hl-spy", _formed(_SPYING, how, "way"), how, spied))

        return self._in_session(act)

    def take_over(self, call: str, agent: str, own: str, by: str, *, recorded: bool) -> Result:
        """The supervisor at the phone `own` gets the caller from the agent's phone, whose part of
        the call ends. A phone that is in this call already is not rung again. The rest as for
        `listen`."""
        def act(session: _Session) -> None:
            spied = session.spied(call, agent, by, recorded=recorded)
            seat = _formed(_SEAT, own, "phone").removeprefix("PJSIP/")
            here = session.value(call, f"SHARED(HL_SPY_{seat})")
            if _CHANNEL.fullmatch(here) and session.is_there(here):
                session.set(here, **spied)
                session.act(_redirect(here, "hl-takeover", "s"))
            else:
                session.act(_ring_supervisor(own, "hl-takeover", "s", "takeover", spied))

        return self._in_session(act)

    def record(self, call: str, interface: str, act: RecordingAct, why: str, by: str) -> Result:
        """Pause the recording of the call with the agent at this phone, go on with it, or have it
        discarded; `why` and `by` stand in the journal. A paused recording has silence of both
        sides, so that its times stay true. Told only once it is so, and again when asked again."""
        def act_on(session: _Session) -> None:
            session.agents_channel(call, interface)
            if not session.value(call, "HL_RECORDING"):
                raise _RefusedError("this call is not recorded")
            # the only rights over recordings that come without those over the whole system
            channel, resumed = session.callers_channel(call), act is RecordingAct.RESUMED
            session.act(_Act("MixMonitorMute", {
                "Channel": channel, "Direction": "both", "State": "0" if resumed else "1",
            }))
            if session.refusals:
                return
            session.set(channel, HL_KEPT="" if resumed else str(act))  # with the next agent, too
            session.act(_Act("Originate", {
                "Channel": f"Local/{act}@hl-recording/n", "Application": "NoOp",
                "Timeout": str(int(self._timeout_s * 1000)),
                "Variable": ",".join((
                    f"__HL_CALL={call}", f"__HL_WHY={_formed(_WHY, why, 'reason')}",
                    f"__HL_BY={_formed(LOGIN, by, 'login')}",
                )),
            }))

        return self._in_session(act_on)

    def note_hold(self, held: Held) -> Result:
        """Let the journal know that a phone of ours keeps its call waiting, or goes on with it."""
        return self._run(lambda: [_hold(held)])

    def note_holds(self, legs: Mapping[str, Held]) -> Result:
        """Let the journal know how it stands with these legs (by their channels' names) now."""
        def act(session: _Session) -> None:
            for channel, leg in legs.items():
                asked = {"Channel": _formed(_CHANNEL, channel, "channel"), "Variable": _ON_HOLD}
                answer = session.ask("Getvar", asked)
                if not answer.is_error():  # else it is over, and its end stands in the journal
                    session.act(_hold(replace(leg, on=answer.keys.get("Value") == "1")))

        return self._in_session(act)

    def ring_out(self, interface: str, number: str, call: str = "") -> Result:
        """The agent's phone is rung, and from it the number, as long as agents may ring it. `call`
        is the call in vain that is answered so, and the legs belong to it."""
        def prepare() -> list[_Act]:
            of = _formed(CALL_ID, call, "call") if call else ""
            return [_Act("Originate", {
                "Channel": _formed(INTERFACE, interface, "phone"),
                "Context": "hl-ring-out", "Exten": _formed(_OUTSIDE, number, "number"),
                "Priority": "1", "Async": "true", "Timeout": "20000", "CallerID": "1022",
                "Variable": ",".join((
                    f"__HL_CALL={of}", f"PJSIP_HEADER(add,X-Hotline-Out)={number}",
                    f"PJSIP_HEADER(add,X-Hotline-Caller)={number}",
                    *((f"PJSIP_HEADER(add,X-Hotline-Call)={of}",) if of else ()),
                )),
            })]

        return self._run(prepare)

    def move(self, call: str, branch: str) -> Result:
        """Lead a caller who waits to another branch, in the place of the first arrival."""
        def act(session: _Session) -> None:
            if session.value(call, "HL_IN_QUEUE") in ("", EMERGENCY):
                raise _RefusedError("this call does not wait")
            caller = session.callers_channel(call)
            session.set(caller, HL_TO=_formed(_BRANCH_ID, branch, "branch"))
            session.act(_redirect(caller, "hl-transfer", "branch"))

        return self._in_session(act)

    def _with_call(
        self, call: str, interface: str, target: str, login: str, caller: str, agent: str
    ) -> Result:
        def act(session: _Session) -> None:
            channel = session.agents_channel(call, interface)
            session.set(
                channel, HL_TO=_formed(_TARGET, target, "target"), HL_TO_LOGIN=_login(login)
            )
            if caller == "in" and session.in_room(call):
                session.act(_redirect(channel, "hl-room-agent", agent))
                return
            # both at once: whoever stayed behind in the bridge of two would be hung up
            session.act(_redirect(
                session.callers_channel(call), "hl-room", caller, (channel, "hl-room-agent", agent)
            ))

        return self._in_session(act)

    def set_switch(self, name: str, value: str) -> Result:
        """Set one switch of the running dialplan, such as `hours.vaccine` to `closed`."""
        return self.set_switches({name: value})

    def set_switches(self, switches: Mapping[str, str]) -> Result:
        """Set switches, each by a call into the context `hl-switch`, which alone may write them:
        its extension `NAME=VALUE` sets the switch, then answers, which says that it is done."""
        return self._run(lambda: [
            _Act("Originate", {
                "Channel": f"Local/{_formed(_SWITCH, name, 'switch')}"
                           f"={_formed(_SWITCH_VALUE, value, 'value')}@hl-switch/n",
                "Application": "NoOp",
                "Timeout": str(int(self._timeout_s * 1000)),
            })
            for name, value in switches.items()
        ])

    def let_calls_in(self) -> Result:
        """Let an edge know that this Asterisk has what it needs for calls (hl-ready)."""
        return self._run(lambda: [_Act("Setvar", {"Variable": "HL_READY", "Value": "yes"})])

    def keep_place(self, request: Callback, tries: int) -> Result:
        """Keep a place in the queue again for whom Asterisk has forgotten. `tries`: how often the
        citizen has been rung; the next time is as long after now as after the last of them. Where
        the number still has its place this changes nothing."""
        return self._run(lambda: [_keep(request, tries)])

    def tell(self, number: str, sound: str, call: str) -> Result:
        """Ring a citizen and play a saved sound; `call` is the one in which they asked for it. Done
        means that the ringing is under way: that it was heard is in the journal (HL_TOLD)."""
        return self._told("hl-tell", "hl-told", number, sound, call)

    def tell_broadcast(self, number: str, sound: str, call: str) -> Result:
        """Like `tell`, for one of many: on fewer channels, and with a key (9) to be told nothing
        more (HL_OPT_OUT)."""
        return self._told("hl-broadcast", "hl-broadcast-told", number, sound, call)

    def _told(self, ringing: str, heard: str, number: str, sound: str, call: str) -> Result:
        return self._run(lambda: [_Act("Originate", {
            "Channel": f"Local/{_formed(_CITIZEN, number, 'number')}@{ringing}/n",
            "Context": heard, "Exten": number, "Priority": "1", "Async": "true",
            "Timeout": "40000",
            "Variable": ",".join((
                f"__HL_CALL={_formed(CALL_ID, call, 'call')}", f"__HL_NUMBER={number}",
                f"HL_SAY=said/{_formed(_SAID, sound, 'sound')}",
            )),
        })])

    def ring_duty(self, number: str, code: str, sounds: Iterable[str]) -> Result:
        """Ring whoever is on duty for an agency and say what waits; `code` is the case's. Done
        means that the ringing is under way: that it was taken on is in the journal
        (HL_DUTY_TAKEN)."""
        said = "&".join(sounds)
        return self._run(lambda: [_Act("Originate", {
            "Channel": f"Local/{_formed(_CITIZEN, number, 'number')}@hl-duty-call/n",
            "Context": "hl-duty-told", "Exten": number, "Priority": "1", "Async": "true",
            "Timeout": "40000",
            "Variable": ",".join((
                f"HL_NUMBER={number}", f"HL_CODE={_formed(_CASE_CODE, code, 'code')}",
                f"HL_SAY={_formed(_SOUNDS, said, 'sounds')}",
            )),
        })])

    def answer(self, channel: str, name: str, value: str) -> Result:
        """Set a variable that a caller's channel waits for."""
        return self._run(lambda: [_Act("Setvar", {
            "Channel": _formed(CALLERS_CHANNEL, channel, "channel"),
            "Variable": _formed(_ANSWER, name, "answer"),
            "Value": _formed(_ANSWER_VALUE, value, "answer"),
        })])

    def _run(
        self, prepare: Callable[[], list[_Act]], *, member: str | None = None,
        keep_pauses: bool = False, some: bool = False, note: Callable[[], _Act] | None = None,
    ) -> Result:
        """Check every value first, then act: nothing is done by halves because of a bad one. What
        is done to a `member` is done one after another. With `some`, at least one of the acts must
        have had its effect. The `note` is for the journal, once all is done."""
        effects = _Effects()

        def work(session: _Session) -> None:
            pauses = session.pauses(member) if member and keep_pauses else {}
            for act in acts:
                session.act(act.paused_as(pauses))
            effects.none = session.without_effect == sum(bool(act.harmless) for act in acts)
            if last and not session.refusals and not (some and effects.none):
                session.act(last)

        try:
            acts, last = prepare(), note() if note else None
        except (_RefusedError, UnsafeValueError) as error:
            return Result(Outcome.REFUSED, str(error))
        with self._turns[member] if member else contextlib.nullcontext():
            result = self._in_session(work)
        if result.done and some and effects.none:
            return Result(Outcome.REFUSED, "the phone is in no queue")
        return result

    def _in_session(self, work: Callable[[_Session], None]) -> Result:
        try:
            with _session(
                self._address, self._username, self._password, self._timeout_s
            ) as session:
                session.node = self._node
                work(session)
        except (_RefusedError, UnsafeValueError) as error:
            return Result(Outcome.REFUSED, str(error))
        except _UnknownError as error:
            log.warning("The outcome of a command is unknown: %s", error)
            return Result(Outcome.UNKNOWN, str(error))
        if session.refusals:
            return Result(Outcome.REFUSED, "; ".join(dict.fromkeys(session.refusals)))
        return Result(Outcome.DONE)


@dataclass
class _Effects:
    none: bool = False


@dataclass(frozen=True)
class _Act:
    """One AMI action of checked values; an error that ends in a `harmless` text is none."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    harmless: tuple[str, ...] = ()

    def paused_as(self, pauses: Mapping[str, str]) -> _Act:
        """A member who joins a queue is paused there as before."""
        reason = pauses.get(self.values.get("Queue", ""))
        if self.name != "QueueAdd" or reason is None:
            return self
        return replace(self, values={**self.values, "Paused": "true", "Reason": reason})


class _Client(AMIClient):  # type: ignore[misc]
    """The library's connection and parser; all that is read goes into `inbox`, None at the end."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        super().__init__(address.host, address.port, timeout=timeout_s)
        self.inbox: queue.SimpleQueue[Response | Event | None] = queue.SimpleQueue()

    def send(self, pack: Action) -> None:
        self._socket.sendall(f"{pack}\r\n".encode(self.encoding))

    def listen(self) -> None:
        try:
            super().listen()
        except Exception as error:
            # raised in a thread of its own, where nobody would hear of it
            log.info("Asterisk's manager interface ended oddly: %r", error)
        finally:
            self.inbox.put(None)

    def fire_recv_reponse(self, response: Response) -> None:
        self.inbox.put(response)

    def fire_recv_event(self, event: Event) -> None:
        self.inbox.put(event)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the reader, as close() does not
        self._socket.close()
        if self._thread is not None:
            self._thread.join(self._timeout)


class _Session:
    """One logged-in connection. `refusals` collects what Asterisk refused, `without_effect`
    counts what was harmlessly refused."""

    def __init__(self, client: _Client, deadline: float) -> None:
        self.node = ""
        self.refusals: list[str] = []
        self.without_effect = 0
        self._client = client
        self._deadline = deadline

    def act(self, act: _Act) -> None:
        """Send an action and wait for its answer. Raises _UnknownError when none comes."""
        response = self.ask(act.name, act.values)
        message = response.keys.get("Message", "")
        if not response.is_error():
            return
        if act.harmless and message.endswith(act.harmless):
            self.without_effect += 1
        else:
            self.refusals.append(message or f"{act.name} was refused")

    def ask(self, name: str, values: Mapping[str, str]) -> Response:
        action = Action(name, {key: checked(value) for key, value in values.items()})
        try:
            self._client.send_action(action)
        except OSError as error:
            raise _UnknownError(f"{name} could not be sent: {error}") from error
        while True:
            answer = self._next(name)
            if isinstance(answer, Response) and answer.keys.get("ActionID") == action.ActionID:
                return answer

    def agents_channel(self, call: str, interface: str) -> str:
        """The channel of the agent at this phone who speaks with the call. Raises _RefusedError:
        it is with somebody else, or over."""
        channel = self.value(call, "SHARED(HL_AGENT)")
        phone = _formed(INTERFACE, interface, "phone")
        if not _CHANNEL.fullmatch(channel) or (
            channel.rpartition("-")[0] != phone.removesuffix("/n")
        ):
            raise _RefusedError("this call is not with this phone")
        return channel

    def spied(self, call: str, agent: str, by: str, *, recorded: bool) -> dict[str, str]:
        """What a supervisor's leg must know of the call with an agent's phone. Raises
        _RefusedError: `recorded`, and the caller has refused that."""
        channel = self.agents_channel(call, agent)
        if recorded and self.value(call, "HL_NOTICE") == "refused":
            raise _RefusedError("the caller has refused to be listened to")
        return {
            "HL_SPIED": channel, "HL_CALL": call, "HL_CHANNEL": self.callers_channel(call),
            "HL_BY": _formed(LOGIN, by, "login"),
        }

    def is_there(self, channel: str) -> bool:
        return not self.ask("Getvar", {"Channel": channel, "Variable": "UNIQUEID"}).is_error()

    def in_room(self, call: str) -> bool:
        """Whether the caller is in a room with somebody, and so stays there: where its last one
        leaves while another comes in, Asterisk may have two rooms of that name for a while."""
        parties = self.value(call, f"CONFBRIDGE_INFO(parties,{call})")
        aside = self.value(call, "SHARED(HL_ASIDE)")
        return parties.isdecimal() and int(parties) > 1 and not aside

    def callers_channel(self, call: str) -> str:
        """The caller's channel here: its id is the call's, unless another node has answered it."""
        if not self.node or _formed(CALL_ID, call, "call").startswith(f"{self.node}."):
            return call
        found: str = self.ask("Getvar", {"Variable": f"HL_IS_{call}"}).keys.get("Value", "")
        if not CALLERS_CHANNEL.fullmatch(found):
            raise _RefusedError("this call is with another node, or over")
        return found

    def value(self, call: str, name: str) -> str:
        """A variable of a caller's channel. Raises _RefusedError: the call is over."""
        answer = self.ask("Getvar", {
            "Channel": self.callers_channel(_formed(CALL_ID, call, "call")), "Variable": name,
        })
        if answer.is_error():
            raise _RefusedError("this call is over")
        found: str = answer.keys.get("Value", "")
        return found

    def set(self, channel: str, **values: str) -> None:
        for name, value in values.items():
            self.act(_Act("Setvar", {"Channel": channel, "Variable": name, "Value": value}))

    def pauses(self, interface: str) -> dict[str, str]:
        """The pause reason of a phone in each queue where it is paused, but for wrap-up."""
        return {
            name: reason for name, reason in self.places(interface).items()
            if reason is not None and reason != WRAPUP
        }

    def places(self, interface: str) -> dict[str, str | None]:
        """The queues that a phone is in, each with the reason of its pause there, if any."""
        if self.ask("QueueStatus", {"Member": interface}).is_error():
            raise _RefusedError("the queues could not be read")
        found: dict[str, str | None] = {}
        while True:
            answer = self._next("QueueStatus")
            if isinstance(answer, Event) and answer.name == "QueueStatusComplete":
                return found
            if isinstance(answer, Event) and answer.name == "QueueMember":
                keys = answer.keys
                if keys.get("Location") == interface:
                    paused = keys.get("Paused") == "1"
                    found[keys.get("Queue", "")] = keys.get("PausedReason", "") if paused else None

    def _next(self, name: str) -> Response | Event:
        try:
            answer = self._client.inbox.get(timeout=max(self._deadline - time.monotonic(), 0))
        except queue.Empty as error:
            raise _UnknownError(f"no answer to {name}") from error
        if answer is None:
            # the library's reader gives up at the same moment as we do
            if time.monotonic() >= self._deadline:
                raise _UnknownError(f"no answer to {name}")
            raise _UnknownError(f"the connection ended before the answer to {name}")
        return answer


@contextlib.contextmanager
def _session(
    address: Address, username: str, password: str, timeout_s: float
) -> Iterator[_Session]:
    """A logged-in session. Raises _RefusedError while certainly nothing was done."""
    client = _Client(address, timeout_s)
    session = _Session(client, time.monotonic() + timeout_s)
    try:
        try:
            client.connect()
            login = session.ask(
                "Login", {"Username": username, "Secret": password, "Events": "off"}
            )
        except (OSError, _UnknownError) as error:
            raise _RefusedError(f"Asterisk cannot be reached: {error}") from error
        if login.is_error():
            raise _RefusedError("Asterisk refuses the login of its command user")
        yield session
        with contextlib.suppress(_UnknownError):
            session.ask("Logoff", {})
    finally:
        client.close()


def _redirect(
    channel: str, context: str, exten: str, extra: tuple[str, str, str] | None = None
) -> _Act:
    values = {"Channel": channel, "Context": context, "Exten": exten, "Priority": "1"}
    if extra is not None:
        values |= {
            "ExtraChannel": extra[0], "ExtraContext": extra[1], "ExtraExten": extra[2],
            "ExtraPriority": "1",
        }
    return _Act("Redirect", values)


def _ring_supervisor(
    own: str, context: str, exten: str, how: str, spied: Mapping[str, str]
) -> _Act:
    variables = {**spied, "PJSIP_HEADER(add,X-Hotline-Listen)": how}
    return _Act("Originate", {
        "Channel": _formed(_SPIES_PHONE, own, "phone"), "Context": context, "Exten": exten,
        "Priority": "1", "Async": "true", "Timeout": "20000", "CallerID": "1022",
        "Variable": ",".join(f"{name}={value}" for name, value in variables.items()),
    })


def _login(login: str) -> str:
    # an empty value would stay as it was: the library leaves out empty headers
    return _formed(LOGIN, login, "login") if login else "0"


def _formed(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(checked(value)):
        raise _RefusedError(f"this {what} cannot be used")
    return value


def _queue(name: str) -> str:
    if name not in ALL_QUEUES:
        raise _RefusedError("there is no such queue")
    return name


def _penalty(level: int) -> str:
    if level not in LEVELS:
        raise _RefusedError("there is no such level")
    return str(level - LEVELS[0])


def _join(interface: str, login: str, name: str, level: int, pause: str | None) -> _Act:
    return _Act("QueueAdd", {
        "Queue": _queue(name),
        "Interface": _formed(INTERFACE, interface, "phone"),
        "MemberName": _formed(LOGIN, login, "login"),
        "Penalty": _penalty(level),
        "Paused": "false" if pause is None else "true",
        "Reason": _formed(_REASON, pause or "", "reason"),
    })


def _leave(interface: str, name: str) -> _Act:
    values = {"Queue": _queue(name), "Interface": _formed(INTERFACE, interface, "phone")}
    return _Act("QueueRemove", values, harmless=_ABSENT)


def _no_wrapup(interface: str) -> _Act:
    """The pause that is a wrap-up (hl-wrapup in the dialplan) ends nothing any more."""
    seat = _formed(INTERFACE, interface, "phone").partition("/")[2].partition("@")[0]
    return _Act("Setvar", {"Variable": f"HL_WRAPUP_{seat}", "Value": "over"})


def _note(interface: str, state: str, reason: str = "", login: str = "") -> _Act:
    """What an agent has told the queues, for the journal (hl-state in the dialplan)."""
    seat = _formed(INTERFACE, interface, "phone").partition("/")[2].partition("@")[0]
    values = {
        "HL_STATE": state, "HL_LOGIN": _formed(LOGIN, login, "login") if login else "",
        # what people write themselves is no word for the journal
        "HL_REASON": reason if _REASON_ID.fullmatch(reason) else "other" if reason else "",
    }
    return _Act("Originate", {
        "Channel": f"Local/{seat}@hl-state/n", "Application": "NoOp", "Async": "true",
        "Variable": ",".join(f"{key}={value}" for key, value in values.items()),
    })


def _hold(held: Held) -> _Act:
    values = {
        "HL_LEG": _formed(LEG_ID, held.leg, "leg"), "HL_SEAT": held.phone,
        "HL_CALL": _formed(CALL_ID, held.call, "call") if held.call else "",
        "HL_ON": str(int(held.on)),
    }
    return _Act("Originate", {
        "Channel": "Local/hold@hl-hold/n", "Application": "NoOp", "Async": "true",
        "Variable": ",".join(f"{key}={value}" for key, value in values.items()),
    })


def _keep(request: Callback, tries: int) -> _Act:
    number = _formed(_CITIZEN, request.number or "", "number")
    if request.branch not in BY_ID or request.arrived_at is None:
        raise _RefusedError("this request cannot be used")
    values = {
        "__HL_CALL": _formed(CALL_ID, request.id, "call"),
        "__HL_QUEUE": _queue(request.queue or ""), "__HL_BRANCH": request.branch,
        "__HL_PATH": "", "__HL_NUMBER": number,
        "__HL_ARRIVED": str(int(request.arrived_at.timestamp())), "HL_TRIES": str(tries),
    }
    return _Act("Originate", {
        "Channel": f"Local/{number}@hl-callback-place/n",
        "Context": "hl-callback-queue", "Exten": number, "Priority": "1", "Async": "true",
        "Timeout": "60000", "Variable": ",".join(f"{key}={value}" for key, value in values.items()),
    })


def for_settings(settings: Settings, made: Secrets) -> Commands:
    """Commands to this hotline's own Asterisk."""
    return Commands(
        settings.ami_bind, "command", made.ami_command,
        node=settings.node if settings.nodes else "",
    )


def switch_now(settings: Settings, name: str, value: str) -> None:
    """Hand a switch over to Asterisk at once, after what is wanted of it has been committed.

    Raises HotlineError when Asterisk cannot be asked: the listener sees to it once it can.
    """
    result = for_settings(settings, load_secrets(settings.home)).set_switch(name, value)
    if not result.done:
        raise HotlineError(
            f"{name} = {value}: Asterisk does not know of it yet ({result}); it will when it runs"
        )
