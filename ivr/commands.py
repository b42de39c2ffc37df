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
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from asterisk.ami import Action, AMIClient, Event, Response  # type: ignore[import-untyped]

from crm.branches import ALL_QUEUES, BY_ID, EMERGENCY
from crm.call_facts import CALL_ID
from crm.errors import HotlineError
from crm.models import Callback
from crm.secrets import Secrets
from crm.secrets import load as load_secrets
from crm.settings import Address, Settings
from ivr.ami import UnsafeValueError, checked
from ivr.live_events import INTERFACE, LOGIN

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
_CALLERS_CHANNEL = re.compile(r"PJSIP/trunk-(?:web-)?[0-9a-f]{1,12}")
_ANSWER = re.compile(r"HL_ANSWER_[0-9]{1,2}")
_ANSWER_VALUE = re.compile(r"[A-Za-z0-9_.|&/-]{1,2000}")
_SOUNDS = re.compile(r"[a-z0-9_.]+(&[a-z0-9_.]+){0,40}")
_CASE_CODE = re.compile(r"[0-9]{8}")
_SAID = re.compile(r"[0-9a-f]{20}")
_SWITCH = re.compile(r"[a-z][a-z0-9._+]{0,39}")
_SWITCH_VALUE = re.compile(r"[A-Za-z0-9._+-]{1,40}")
_CITIZEN = re.compile(r"0[0-9]{9,10}")
# app_queue keeps members in AstDB as text with ; and | between
_REASON = re.compile(r"[^;|^,]{0,40}")
_ABSENT = ("Not there", "No such queue", "Interface not found")


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Result:
    """What became of a command. `refused`: it was certainly not, or not all, done; `unknown`: it
    was sent, and no answer came. The message is for the operator."""

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
        self, address: Address, username: str, password: str, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._address = address
        self._username = username
        self._password = password
        self._timeout_s = timeout_s

    def ping(self) -> Result:
        """Done if Asterisk answers and lets us in."""
        return self._run(lambda: [_Act("Ping")])

    def sign_in(
        self, interface: str, login: str, queues: Iterable[str], *, paused: bool, reason: str = ""
    ) -> Result:
        """Make the agent a member of exactly these queues, with the phone `PJSIP/seat-001`."""
        pause = reason if paused else None
        return self._run(lambda: [
            *(_leave(interface, name) for name in ALL_QUEUES),
            *(
                _join(interface, login, name, None if name == EMERGENCY else pause)
                for name in queues
            ),
        ])

    def sign_out(self, interface: str) -> Result:
        """Take the phone out of every queue."""
        return self._run(lambda: [_leave(interface, name) for name in ALL_QUEUES])

    def pause(self, interface: str, reason: str | None) -> Result:
        """Pause the phone in its queues, or with None let it be called again. A pause never
        keeps emergencies away: whoever is not on shift leaves the queues."""
        if reason is None:
            return self._run(lambda: [_Act("QueuePause", {
                "Interface": _formed(INTERFACE, interface, "phone"), "Paused": "false",
            })])
        return self._run(
            lambda: [
                _Act("QueuePause", {
                    "Queue": name, "Interface": _formed(INTERFACE, interface, "phone"),
                    "Paused": "true", "Reason": _formed(_REASON, reason, "reason"),
                }, harmless=_ABSENT)
                for name in ALL_QUEUES if name != EMERGENCY
            ],
            some=True,
        )

    def end_wrapup(self, interface: str, login: str, queues: Iterable[str]) -> Result:
        """End the wrap-up time at once: a member who is new has no last call. A pause stays."""
        return self._run(
            lambda: [
                act for name in queues
                for act in (_leave(interface, name), _join(interface, login, name, None))
            ],
            keep_pauses_of=interface,
        )

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
            "Channel": _formed(_CALLERS_CHANNEL, channel, "channel"),
            "Variable": _formed(_ANSWER, name, "answer"),
            "Value": _formed(_ANSWER_VALUE, value, "answer"),
        })])

    def _run(
        self, prepare: Callable[[], list[_Act]], *, keep_pauses_of: str | None = None,
        some: bool = False,
    ) -> Result:
        """Check every value first, then act: nothing is done by halves because of a bad one.
        With `some`, at least one of the acts must have had its effect."""
        try:
            acts = prepare()
            with _session(
                self._address, self._username, self._password, self._timeout_s
            ) as session:
                pauses = session.pauses(keep_pauses_of) if keep_pauses_of else {}
                for act in acts:
                    session.act(act.paused_as(pauses))
        except (_RefusedError, UnsafeValueError) as error:
            return Result(Outcome.REFUSED, str(error))
        except _UnknownError as error:
            log.warning("The outcome of a command is unknown: %s", error)
            return Result(Outcome.UNKNOWN, str(error))
        if session.refusals:
            return Result(Outcome.REFUSED, "; ".join(dict.fromkeys(session.refusals)))
        if some and session.without_effect == len(acts):
            return Result(Outcome.REFUSED, "the phone is in no queue")
        return Result(Outcome.DONE)


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

    def pauses(self, interface: str) -> dict[str, str]:
        """The pause reason of a phone in each queue where it is paused."""
        if self.ask("QueueStatus", {"Member": interface}).is_error():
            raise _RefusedError("the queues could not be read")
        found: dict[str, str] = {}
        while True:
            answer = self._next("QueueStatus")
            if isinstance(answer, Event) and answer.name == "QueueStatusComplete":
                return found
            if isinstance(answer, Event) and answer.name == "QueueMember":
                keys = answer.keys
                if keys.get("Location") == interface and keys.get("Paused") == "1":
                    found[keys.get("Queue", "")] = keys.get("PausedReason", "")

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


def _formed(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(checked(value)):
        raise _RefusedError(f"this {what} cannot be used")
    return value


def _queue(name: str) -> str:
    if name not in ALL_QUEUES:
        raise _RefusedError("there is no such queue")
    return name


def _join(interface: str, login: str, name: str, pause: str | None) -> _Act:
    return _Act("QueueAdd", {
        "Queue": _queue(name),
        "Interface": _formed(INTERFACE, interface, "phone"),
        "MemberName": _formed(LOGIN, login, "login"),
        "Penalty": "0",
        "Paused": "false" if pause is None else "true",
        "Reason": _formed(_REASON, pause or "", "reason"),
    })


def _leave(interface: str, name: str) -> _Act:
    values = {"Queue": _queue(name), "Interface": _formed(INTERFACE, interface, "phone")}
    return _Act("QueueRemove", values, harmless=_ABSENT)


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
    return Commands(settings.ami_bind, "command", made.ami_command)


def switch_now(settings: Settings, name: str, value: str) -> None:
    """Hand a switch over to Asterisk at once, after what is wanted of it has been committed.

    Raises HotlineError when Asterisk cannot be asked: the listener sees to it once it can.
    """
    result = for_settings(settings, load_secrets(settings.home)).set_switch(name, value)
    if not result.done:
        raise HotlineError(
            f"{name} = {value}: Asterisk does not know of it yet ({result}); it will when it runs"
        )
