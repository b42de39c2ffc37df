"""What stands between us and the carriers: translated addresses, routers that rewrite SIP, closed
ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from crm.carriers import Carrier
from crm.settings import Settings
from ivr import provision
from ivr.doctor import sockets
from ivr.doctor.check import FAILURE, OK, WARNING, Check, Patient
from ivr.phone import sip

ANSWER_S = 2.0
FREE_PORTS = 0.1  # of the audio ports
ASKED = 3  # packets may be lost
_EVERYWHERE = "0.0.0.0"  # noqa: S104


# ------------------------------------------------------------------ translated addresses


def nat(patient: Patient) -> Iterator[Check]:
    """A carrier on the Internet must be told an address that it can send to."""
    settings = patient.settings
    outside = [one for one in settings.carriers if over_the_internet(one)]
    own = _own_addresses(settings)
    if not outside:
        yield Check("nat", OK, "no carrier is reached over the Internet")
    elif all(IPv4Address(address).is_loopback for address in own):
        yield Check(
            "nat", FAILURE, f"{settings.sip_bind} cannot be reached from outside",
            "set HOTLINE_SIP_BIND to the address of this machine towards the carrier",
        )
    elif settings.media_address is None and not any(map(_is_public, own)):
        yield Check(
            "nat", FAILURE,
            f"{', '.join(own)} is private, and {outside[0].setting} is on the Internet: "
            "callers would hear nothing",
            "set HOTLINE_MEDIA_ADDRESS to the address that the carrier sees, and lead the SIP port "
            "and HOTLINE_RTP_PORTS through to this machine",
        )
    elif settings.media_address and not _is_public(settings.media_address):
        yield Check(
            "nat", FAILURE, f"HOTLINE_MEDIA_ADDRESS {settings.media_address} is private, and "
            f"{outside[0].setting} is on the Internet: callers would hear nothing",
            "set it to the address that the carrier sees",
        )
    else:
        yield Check("nat", OK, f"carriers are told {settings.media_address or ', '.join(own)}")


def _own_addresses(settings: Settings) -> list[str]:
    if settings.sip_bind.host == _EVERYWHERE:
        return provision.host_addresses() or ["127.0.0.1"]
    return [settings.sip_bind.host]


def _is_public(address: str) -> bool:
    return IPv4Address(address).is_global


def over_the_internet(carrier: Carrier) -> bool:
    """Whether one of its addresses is a public one."""
    known = [str(IPv4Network(net)[0]) for net in carrier.permitted]
    if carrier.server and (found := address_of(carrier)):
        known.append(found[0])
    return any(map(_is_public, known))


def address_of(carrier: Carrier) -> tuple[str, int] | None:
    """Where its server is, as far as it has an address now."""
    host, _, port = (carrier.server or "").partition(":")
    default = 5061 if carrier.protocol == "tls" else 5060
    try:
        found = socket.getaddrinfo(host, int(port or default), socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return None
    return str(found[0][4][0]), int(found[0][4][1])


# ------------------------------------------------------------------ routers that rewrite SIP


@dataclass(frozen=True)
class Echo:
    """What of our OPTIONS came back in the answer. RFC 3261 has it come back as it was sent, with
    `received` and `rport` added to the topmost Via."""

    changed: tuple[str, ...]
    seen_as: str  # our address and port, as the server saw them


def alg(patient: Patient) -> Iterator[Check]:
    """Each carrier is asked from a port of its own; over TLS nobody between can change anything."""
    for carrier in patient.settings.carriers:
        if carrier.server and carrier.protocol == "udp":
            yield _alg(patient.settings, carrier)


def _alg(settings: Settings, carrier: Carrier) -> Check:
    name = "alg" if carrier.index == 1 else f"alg{carrier.index}"
    if (server := address_of(carrier)) is None:
        return Check(
            name, WARNING, f"{carrier.server} has no address", "does the name server answer?"
        )
    host = "" if settings.sip_bind.host == _EVERYWHERE else settings.sip_bind.host
    try:
        echo = ask_options(server, host)
    except OSError as error:
        return Check(
            name, WARNING, f"{carrier.server} cannot be asked: {error.strerror or error}",
            "is there a way to it from HOTLINE_SIP_BIND?",
        )
    if echo is None:
        return Check(name, OK, f"{carrier.server} answers nobody but the trunk: no sign of it")
    if echo.changed:
        return Check(
            name, FAILURE, f"what {carrier.server} was sent came back with another "
            f"{', '.join(echo.changed)}: a router rewrites SIP",
            "switch off SIP ALG (SIP helper, SIP inspection) in every router up to the carrier",
        )
    return Check(name, OK, f"{carrier.server} saw the question as it was sent, from {echo.seen_as}")


def ask_options(server: tuple[str, int], host: str, *, wait_s: float = ANSWER_S) -> Echo | None:
    """Send OPTIONS and compare; None where nothing comes back. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((host, 0))
        line.connect(server)  # so that only its answers are read, and the kernel says who we are
        line.settimeout(wait_s / ASKED)
        own = "{}:{}".format(*line.getsockname())
        request = sip.Request(
            method="OPTIONS", uri=f"sip:{server[0]}:{server[1]}", headers=(
                ("Via", f"SIP/2.0/UDP {own};branch=z9hG4bK{sip.new_token()};rport"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:doctor@{own}>;tag={sip.new_token()}"),
                ("To", f"<sip:{server[0]}:{server[1]}>"),
                ("Call-ID", f"{sip.new_token()}@{own}"),
                ("CSeq", "1 OPTIONS"),
                ("Contact", f"<sip:doctor@{own}>"),
            ),
        )
        for _ in range(ASKED):
            line.send(sip.serialise(request))
            try:
                answer = sip.parse(line.recv(65535))
            except (TimeoutError, sip.SipError):
                continue
            except ConnectionRefusedError:
                return None
            return _compared(request, answer, own)
    return None


def _compared(request: sip.Request, answer: sip.Message, own: str) -> Echo:
    sent, came = request.values("Via")[0], answer.values("Via")[0]
    before, after = (
        {
            "Via": " ".join(via.partition(";")[0].split()),
            "branch": sip.parameter(via, "branch"),
            "From": sip.address_uri(message.get("From") or ""),
            "Call-ID": message.get("Call-ID"),
        }
        for message, via in ((request, sent), (answer, came))
    )
    changed = [name for name in before if before[name] != after[name]]
    address, port = own.split(":")
    seen = f"{sip.parameter(came, 'received') or address}:{sip.parameter(came, 'rport') or port}"
    return Echo(tuple(changed), seen)


# ------------------------------------------------------------------ audio


def audio(patient: Patient) -> Iterator[Check]:
    """The audio ports are ours, and a packet to the address that others are told comes in."""
    settings = patient.settings
    first, last = settings.rtp_ports
    count = last - first + 1
    free = count - sockets.taken(first, last)
    cure = "HOTLINE_RTP_PORTS must be ours alone: see who holds them (ss -unap)"
    if free < count * FREE_PORTS:
        yield Check("audio", FAILURE, f"{free} of {count} audio ports are free", cure)
        return
    address = settings.media_address or _own_addresses(settings)[0]
    port = arrives(address, settings.rtp_ports)
    if port is None:
        ours = address in provision.host_addresses() or IPv4Address(address).is_loopback
        yield Check(
            "audio", FAILURE if ours else WARNING,
            f"no packet from here to {address} comes in at {first}-{last}",
            "let UDP in there (hotline firewall), and through the router"
            + ("" if ours else "; one that does not lead its own side back says nothing by this"),
        )
        return
    yield Check("audio", OK, f"{free} of {count} ports are free, a packet to {address} comes in")


def arrives(address: str, ports: tuple[int, int]) -> int | None:
    """Listen at a free port of the range and send to it by the address that others are told; the
    port at which it came in."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        for port in range(ports[1], ports[0] - 1, -1):  # Asterisk gives out all alike
            try:
                ear.bind((_EVERYWHERE, port))
                break
            except OSError:
                continue
        else:
            return None
        word = sip.new_token().encode()
        ear.settimeout(ANSWER_S / ASKED)
        for _ in range(ASKED):
            try:
                mouth.sendto(word, (address, port))
                if ear.recv(100) == word:
                    return port
            except OSError:
                continue
    return None
