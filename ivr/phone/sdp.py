"""The one audio stream of a call in SDP (RFC 4566, offer and answer by RFC 3264)."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, get_args

from ivr.phone.sip import Address

PCMU, PCMA = 0, 8
OUR_EVENTS = 101  # our payload number for telephone-event; the other side may choose its own

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
_MIRROR: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_NAMES = {PCMA: "PCMA", PCMU: "PCMU"}
_NUMBER = re.compile(r"[0-9]{1,5}")
_RTPMAP = re.compile(r"a=rtpmap:([0-9]{1,3}) telephone-event/8000\b", re.IGNORECASE)


class SdpError(ValueError):
    """The session description has no audio stream that this telephone can take."""


@dataclass(frozen=True, slots=True)
class Audio:
    """What one side says about its audio: where it listens, what it takes, which way."""

    address: Address
    codecs: tuple[int, ...]  # payload numbers, preferred first: PCMA, PCMU
    events: int | None = OUR_EVENTS  # payload number of telephone-event (RFC 4733)
    direction: Direction = "sendrecv"

    def answered_by(self, address: Address, *, hold: bool = False) -> "Audio":
        """Our answer to this offer; `hold`: we ourselves are holding the other side."""
        direction = _MIRROR[self.direction]
        if hold:
            direction = "sendonly" if direction in ("sendrecv", "sendonly") else "inactive"
        return Audio(address, self.codecs[:1], self.events, direction)

    @property
    def may_be_sent_to(self) -> bool:
        """False when this side is holding us: it does not want to hear anything."""
        held_the_old_way = self.address[0] == "0.0.0.0"  # noqa: S104 - RFC 2543's hold
        return self.direction in ("sendrecv", "recvonly") and not held_the_old_way


def build(audio: Audio, *, session: int, version: int) -> bytes:
    """SDP of an offer or answer; `version` rises with each description of the same session."""
    ip, port = audio.address
    numbers = [*audio.codecs, *([] if audio.events is None else [audio.events])]
    lines = [
        "v=0",
        f"o=- {session} {version} IN IP4 {ip}",
        "s=-",
        f"c=IN IP4 {ip}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(map(str, numbers))}",
        *(f"a=rtpmap:{codec} {_NAMES[codec]}/8000" for codec in audio.codecs),
    ]
    if audio.events is not None:
        lines += [
            f"a=rtpmap:{audio.events} telephone-event/8000",
            f"a=fmtp:{audio.events} 0-16",
        ]
    lines += ["a=ptime:20", f"a={audio.direction}", ""]
    return "\r\n".join(lines).encode("ascii")


def parse(body: bytes) -> Audio:
    """The first audio stream offered or answered; SdpError if there is none that we can take."""
    lines = [line.rstrip("\r") for line in body.decode("utf-8", "replace").split("\n")]
    start = next((i for i, line in enumerate(lines) if line.startswith("m=audio ")), None)
    if start is None:
        raise SdpError("no audio in the session description")
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("m=")), len(lines))
    session = lines[: next(i for i, line in enumerate(lines) if line.startswith("m="))]
    media = lines[start:end]

    numbers = media[0].split(" ")[1:]
    if len(numbers) < 3 or not all(map(_NUMBER.fullmatch, (numbers[0], *numbers[2:]))):
        raise SdpError("the audio line of the session description is damaged")
    port, offered = int(numbers[0]), [int(n) for n in numbers[2:]]
    codecs = tuple(n for n in offered if n in _NAMES)
    if not 0 < port < 65536 or not codecs:
        raise SdpError("no audio codec in common (PCMA or PCMU)")
    return Audio(
        address=(_connection(media) or _connection(session) or _no_address(), port),
        codecs=codecs,
        events=next((n for n in _events(media) if n in offered and 96 <= n < 128), None),
        direction=_direction(media) or _direction(session) or "sendrecv",
    )


def _connection(lines: list[str]) -> str | None:
    for line in lines:
        if line.startswith("c=IN IP4 "):
            host = line.removeprefix("c=IN IP4 ").partition("/")[0].strip()
            try:
                return str(ipaddress.IPv4Address(host))
            except ValueError:
                raise SdpError("the connection address is not an IPv4 address") from None
    return None


def _no_address() -> str:
    raise SdpError("no connection address in the session description")


def _events(lines: list[str]) -> list[int]:
    return [int(match[1]) for line in lines if (match := _RTPMAP.match(line))]


def _direction(lines: list[str]) -> Direction | None:
    names: tuple[Direction, ...] = get_args(Direction)
    return next((name for line in lines for name in names if line.strip() == f"a={name}"), None)
