"""The carriers: who brings calls in, who takes them out, and how each wants to be spoken to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

FORMS = ("0", "84", "+84")  # how a carrier writes a number of this country
_LANDLINE = re.compile(r"0[0-9]{7,10}")


@dataclass(frozen=True)
class Carrier:
    """One carrier, or one SBC of a carrier. Calls go out by the first that answers."""

    index: int
    match: tuple[str, ...]  # addresses and networks that its calls come from
    server: str | None  # HOST or HOST:PORT; none: nothing goes out by it
    user: str | None
    password: str | None
    transport: str  # udp | tcp | tls | tls+srtp
    form: str
    identity: str  # pai | rpid | none
    dtmf: str
    codecs: tuple[str, ...]
    timers: str
    options_s: int
    channels: int | None

    @property
    def name(self) -> str:
        """Of its endpoint in Asterisk."""
        return "carrier" if self.index == 1 else f"carrier{self.index}"

    @property
    def setting(self) -> str:
        """What its settings begin with."""
        return "trunk" if self.index == 1 else f"trunk{self.index}"

    @property
    def protocol(self) -> str:
        return self.transport.removesuffix("+srtp")

    @property
    def srtp(self) -> bool:
        return self.transport.endswith("+srtp")

    @property
    def uri(self) -> str:
        return f"sip:{self.server}" + self.uri_parameters

    @property
    def uri_parameters(self) -> str:
        return "" if self.protocol == "udp" else f"\\;transport={self.protocol}"

    @property
    def permitted(self) -> tuple[str, ...]:
        """Whose calls are taken for this carrier's: `match`, and a server that is an address."""
        try:
            server = f"{IPv4Address((self.server or '').partition(':')[0])}/32"
        except AddressValueError:
            return self.match
        return tuple(dict.fromkeys((*self.match, server)))

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The same as numbers, first and last."""
        networks = [IPv4Network(one) for one in self.permitted]
        return tuple((int(one[0]), int(one[-1])) for one in networks)

    @property
    def reserve(self) -> int | None:
        """Channels that are kept free of callers: whoever presses 4 must find one."""
        return None if self.channels is None else max(4, -(-self.channels // 10))

    def covers(self, address: str) -> bool:
        """Whether a call from there is this carrier's."""
        try:
            number = int(IPv4Address(address))
        except AddressValueError:
            return False
        return any(first <= number <= last for first, last in self.ranges)

    def written(self, number: str) -> str:
        """A number of this country as this carrier writes it; short numbers stay as they are."""
        plain = f"0{number[3:]}" if number.startswith("+84") else number
        return plain if self.form == "0" or plain[0] != "0" else f"{self.form}{plain[1:]}"


def forms(number: str) -> tuple[str, ...]:
    """All ways in which a carrier may write a number that is dialled."""
    plain = re.sub(r"^(?:\+84|0084|84(?=[0-9]{7,}))", "0", number)
    if not _LANDLINE.fullmatch(plain):
        return (number,)
    rest = plain[1:]
    return (plain, f"84{rest}", f"+84{rest}", f"0084{rest}", rest)
