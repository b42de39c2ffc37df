"""What the value of a setting may be: each parser takes what stands in the file or the environment
and gives the typed value, or raises ValueError with what it must be.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from crm.branches import QUEUES

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = f"(?:{'|'.join(_DAYS)})"
DAYS = f"{DAY}(?:-{DAY})?"  # in Asterisk's words
TIMES = r"[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d"


@dataclass(frozen=True)
class Address:
    """Where a server listens or is reached: an IP address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback


def line(value: Any) -> str:
    if not isinstance(value, str) or re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("must be a text of one line")
    return value


def place(value: Any) -> Path:
    if value == "":
        raise ValueError("must be a path")
    return Path(line(value)).expanduser().absolute()


def address(value: Any) -> Address:
    host, _, port = line(value).rpartition(":")
    try:
        return Address(str(ipaddress.IPv4Address(host)), number(1, 65535)(port))
    except ValueError as error:
        raise ValueError("must be IPV4ADDRESS:PORT, as in 127.0.0.1:5060") from error


def own_address(value: Any) -> Address:
    """Where only programs of this machine come: what is said there is not encrypted."""
    found = address(value)
    if not found.is_loopback:
        raise ValueError(
            "is not encrypted and must be an address of this machine alone, as in 127.0.0.1:5038"
        )
    return found


@dataclass(frozen=True)
class Node:
    """One of several nodes: its name, and where it takes calls from the others by SIP."""

    name: str
    sip: Address

    def __str__(self) -> str:
        return f"{self.name} {self.sip}"


NODE_NAME = "[a-z][a-z0-9]{0,11}"
WEB_SOCKET = r"wss://[A-Za-z0-9.-]{1,253}(:\d{1,5})?(/[!-~]*)?"


def node(value: Any) -> Node:
    name, _, where = line(value).partition(" ")
    if not re.fullmatch(NODE_NAME, name):
        raise ValueError("must be NAME IPV4ADDRESS:PORT, as in th2 10.0.0.2:5060")
    return Node(name, address(where.strip()))


@dataclass(frozen=True)
class Numbered:
    """The desk phones of a node, from a number on, and where it takes SIP."""

    first: int
    sip: Address

    def __str__(self) -> str:
        return f"{self.first} {self.sip}"


def numbered(value: Any) -> Numbered:
    first, _, where = line(value).partition(" ")
    if not re.fullmatch(r"[1-9]\d{0,3}", first):
        raise ValueError("must be NUMBER IPV4ADDRESS:PORT, as in 101 10.0.0.2:5060")
    return Numbered(int(first), address(where.strip()))


@dataclass(frozen=True)
class Held:
    """A queue, and the node that holds it."""

    queue: str
    node: str

    def __str__(self) -> str:
        return f"{self.queue} {self.node}"


def held(value: Any) -> Held:
    queue, _, name = line(value).partition(" ")
    if queue not in QUEUES or not re.fullmatch(NODE_NAME, name.strip()):
        raise ValueError(f"must be QUEUE NODE, as in vaccine th2; queues: {', '.join(QUEUES)}")
    return Held(queue, name.strip())


@dataclass(frozen=True)
class NodeConsole:
    """Where a node's console and its SIP WebSocket are reached by a proxy in front of them."""

    node: str
    console: Address
    socket: Address

    def __str__(self) -> str:
        return f"{self.node} {self.console} {self.socket}"


def node_console(value: Any) -> NodeConsole:
    name, *places = line(value).split()
    if not re.fullmatch(NODE_NAME, name) or len(places) != 2:
        raise ValueError("must be NAME CONSOLE WEBSOCKET, as in th2 10.0.0.2:8022 10.0.0.2:8088")
    return NodeConsole(name, address(places[0]), address(places[1]))


@dataclass(frozen=True)
class NodeSocket:
    """Where browsers reach a node's SIP WebSocket."""

    node: str
    url: str

    def __str__(self) -> str:
        return f"{self.node} {self.url}"


def node_socket(value: Any) -> NodeSocket:
    name, _, url = line(value).partition(" ")
    if not re.fullmatch(NODE_NAME, name) or not re.fullmatch(WEB_SOCKET, url.strip()):
        raise ValueError("must be NAME wss://HOST/PATH, as in th2 wss://1022.example.vn/ws/th2")
    return NodeSocket(name, url.strip())


def number(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value)):
            raise ValueError(f"must be a whole number from {low} to {high}")
        if not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def listed(item: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def parse(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list):
            raise ValueError("must be a list")
        return tuple(item(part) for part in value)

    return parse


def matching(pattern: str, meaning: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not re.fullmatch(pattern, line(value)):
            raise ValueError(f"must be {meaning}")
        return str(value)

    return parse


def host(value: Any) -> str:
    try:
        return str(ipaddress.IPv4Address(line(value)))
    except ValueError as error:
        raise ValueError("must be an IPv4 address") from error


def network(value: Any) -> str:
    try:
        return str(ipaddress.IPv4Network(line(value)))
    except ValueError as error:
        raise ValueError("must be IPv4 addresses or networks, as in 203.0.113.7") from error


def any_network(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(line(value)))
    except ValueError as error:
        raise ValueError("must be addresses or networks, as in 10.1.0.0/16") from error


def port_range(value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{4,5})-(\d{4,5})", line(value))
    if not match or not 1024 <= int(match[1]) < int(match[2]) <= 65535:
        raise ValueError("must be FIRST-LAST, as in 10000-20000")
    return int(match[1]), int(match[2])


def service_url(value: Any) -> str:
    """https, or http where nobody is between: this machine and private networks."""
    match = re.fullmatch(r"(https?)://([A-Za-z0-9.-]{1,253})(:\d{1,5})?(/[!-~]*)?", line(value))
    if not match:
        raise ValueError("must be a URL, as in https://sms.example.vn/send")
    try:
        near = ipaddress.ip_address(match[2]).is_private
    except ValueError:
        near = match[2] == "localhost"
    if match[1] == "http" and not near:
        raise ValueError("must begin with https:// unless it is an address of a private network")
    return str(value).rstrip("/")


def issuer(value: Any) -> str:
    service_url(value)
    return str(value)  # to the letter: it is compared


def outside_url(value: Any) -> str:
    """Short enough for a link of 25 letters more in one SMS."""
    url = service_url(value)
    if len(url) > 44:
        raise ValueError("is written into SMS and has 44 letters at most")
    return url


def as_quiet_hours(value: Any) -> tuple[time, time] | None:
    if line(value) == "off":
        return None
    first, _, last = value.partition("-")
    try:
        begin, end = time.fromisoformat(first), time.fromisoformat(last)
    except ValueError as error:
        raise ValueError("must be HH:MM-HH:MM, as in 21:00-07:00, or off") from error
    if begin == end or begin.tzinfo or end.tzinfo:
        raise ValueError("must be HH:MM-HH:MM, as in 21:00-07:00, or off")
    return begin, end


def optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value == "" else parse(value)


EMAIL = matching(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", "an e-mail address"
)
PREFIX = matching(r"[0-9]{1,8}", "the first digits of a number")
PHONE = matching(r"\+?[0-9]{3,15}", "a phone number of digits, with or without a leading +")


def host_and_port(value: Any) -> str:
    match = re.fullmatch(r"[A-Za-z0-9.-]{1,253}(?::(\d{1,5}))?", line(value))
    if not match or not 1 <= int(match[1] or 1) <= 65535:
        raise ValueError("must be HOST or HOST:PORT")
    return str(value)


SERVER = optional(host_and_port)
SIP_USER = optional(matching(r"[A-Za-z0-9._+-]{1,64}", "a SIP user name"))
SIP_PASSWORD = optional(matching(r"[!-:<-~]{1,128}", "a password without blanks or ;"))
TRANSPORT = matching(r"udp|tcp|tls|tls\+srtp", "udp, tcp, tls or tls+srtp")
FORM = matching(r"0|84|\+84", "0, 84 or +84")
DTMF = matching("rfc4733|info|inband|auto", "rfc4733, info, inband or auto")
CODEC = matching("alaw|ulaw", "alaw or ulaw")
TIMERS = matching("yes|no|required|always", "yes, no, required or always")


def identity(value: Any) -> str:
    known = {"yes": "pai", "no": "none"}.get(line(value), value)
    if known not in ("pai", "rpid", "none"):
        raise ValueError("must be pai, rpid or none")
    return str(known)


@dataclass(frozen=True)
class Expert:
    """A doctor on a telephone of their own; `days` and `times` empty: always on duty."""

    id: str
    number: str
    days: str
    times: str

    def is_on_duty(self, at: datetime) -> bool:
        """At a moment of Vietnam's clock, as Asterisk would have it."""
        if not self.times:
            return True
        first, _dash, last = self.days.partition("-")
        since, until = _DAYS.index(first), _DAYS.index(last or first)
        begins, ends = self.times.split("-")
        return (at.weekday() - since) % 7 <= (until - since) % 7 and _within(
            at.strftime("%H:%M"), begins, ends
        )


def _within(clock: str, begins: str, ends: str) -> bool:
    """The last minute counts; times that end before they begin go on over midnight."""
    if begins <= ends:
        return begins <= clock <= ends
    return clock >= begins or clock <= ends


def expert(value: Any) -> Expert:
    match = re.fullmatch(
        rf"([a-z][a-z0-9.]{{0,19}}) (0[0-9]{{9,10}})(?: ({DAYS}) ({TIMES}))?", line(value)
    )
    if not match:
        raise ValueError("must be NAME NUMBER or NAME NUMBER mon-fri 07:00-17:00")
    return Expert(match[1], match[2], match[3] or "", match[4] or "")


@dataclass(frozen=True)
class Checked:
    """That an emergency number leads where it should: who answers for it, and on which day that was
    made sure. `number`: 115, 111, 19009095, …"""

    number: str
    on: date
    owner: str


def checked_number(value: Any) -> Checked:
    match = re.fullmatch(r"([0-9]{3,11}) (\d{4}-\d\d-\d\d) (\S.{1,79})", line(value))
    if not match:
        raise ValueError("must be NUMBER DAY OWNER, as in 115 2026-11-02 Trung tâm Cấp cứu")
    return Checked(match[1], date.fromisoformat(match[2]), match[3])


def portal_address(value: Any) -> str:
    portal, _, address = line(value).partition(" ")
    if portal not in ("phanhoi", "dichvucong"):
        raise ValueError("must be PORTAL ADDRESS; portals are phanhoi, dichvucong")
    return f"{portal} {EMAIL(address.strip().lower())}"


def queue_limit(value: Any) -> tuple[str, int]:
    match = re.fullmatch(r"(?:([a-z]+) )?([0-9]{1,5})", str(value))
    if not match or (match[1] and match[1] not in QUEUES):
        raise ValueError(f"must be a number, or QUEUE NUMBER; queues are {', '.join(QUEUES)}")
    return match[1] or "", int(match[2])
