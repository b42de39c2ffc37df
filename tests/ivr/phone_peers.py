"""What a telephone is tested against: another telephone, a line that loses datagrams, a clock."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable

from ivr.phone import Call, Dtmf, Phone, sip

T1_S = 0.1  # all SIP timers at a fifth of the standard's


def in_loop(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(scenario)
    def run(*args: object, **kwargs: object) -> None:
        asyncio.run(scenario(*args, **kwargs))  # type: ignore[arg-type]

    return run


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what must come; the seconds only bound a failure."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def two_phones(dtmf: Dtmf = Dtmf.RFC4733) -> AsyncIterator[tuple[Phone, Phone]]:
    async with (
        Phone("127.0.0.1", user="1022", t1_s=T1_S) as desk,
        Phone("127.0.0.2", server=desk.address, t1_s=T1_S, dtmf=dtmf) as mobile,
    ):
        yield mobile, desk


async def answered_call(mobile: Phone, desk: Phone) -> tuple[Call, Call]:
    ours = await mobile.call("1022")
    theirs = await desk.incoming(10)
    theirs.answer()
    assert await ours.answered(10)
    return ours, theirs


class Wire(asyncio.DatagramProtocol):
    """A line between two telephones on which chosen datagrams are lost."""

    def __init__(self, callee: sip.Address, loses: Callable[[bytes], bool]) -> None:
        self.callee, self.loses = callee, loses
        self.caller: sip.Address | None = None
        self.lost: list[str] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, source: sip.Address) -> None:
        if source != self.callee:
            self.caller = source
        if self.loses(data):
            self.lost.append(data.split(b"\r\n")[0].decode())
            return
        self.transport.sendto(data, self.caller if source == self.callee else self.callee)


@contextlib.asynccontextmanager
async def udp_peer(peer: asyncio.DatagramProtocol) -> AsyncIterator[sip.Address]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: peer, ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()
