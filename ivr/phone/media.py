"""The sound of a call on the network: one UDP socket, both ways, on a 20 ms beat.

One `Pacer` for each event loop beats for all its streams, so that hundreds of calls cost one timer.
"""

import asyncio
import contextlib
import errno
import socket
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from ivr.phone.audio import FRAME, RATE
from ivr.phone.rtp import Receiver, Sender
from ivr.phone.sip import Address

TICK_S = FRAME / RATE
SPARSE_S = 2.0  # between the packets of a stream that only keeps its call alive


@dataclass(frozen=True, slots=True)
class RtpStats:
    sent: int
    received: int
    lost: int
    jitter_ms: float


class Pacer:
    """The 20 ms beat of one event loop. It keeps to the clock: late beats are made up for."""

    def __init__(self) -> None:
        self._streams: dict[RtpStream, None] = {}
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def current(cls) -> "Pacer":
        return _pacers.setdefault(asyncio.get_running_loop(), cls())

    def add(self, stream: "RtpStream") -> None:
        self._streams[stream] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._beat())

    def discard(self, stream: "RtpStream") -> None:
        self._streams.pop(stream, None)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._streams:
            for stream in tuple(self._streams):
                stream.tick()
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))


_pacers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pacer] = weakref.WeakKeyDictionary()


class RtpStream:
    """Both ways of one call's sound over one UDP socket on an even port.

    sparse: say a packet now and then and hear nothing, for callers by the hundred.
    """

    def __init__(
        self, ip: str, *, on_key: Callable[[str], None], on_sound: Callable[[], None],
        sparse: bool = False,
    ) -> None:
        self.sender = Sender()
        self.receiver = Receiver()
        self._on_key = on_key
        self._on_sound = on_sound
        self._remote: Address | None = None
        self.muted = False  # on hold, on either side: nothing is sent
        self._loop = asyncio.get_running_loop()
        self._socket = _bind_even(ip)
        self._port: int = self._socket.getsockname()[1]
        self._sparse = sparse
        self._due = 0.0  # of the next packet, where they are sparse
        if not sparse:
            self._loop.add_reader(self._socket, self._readable)

    @property
    def port(self) -> int:
        return self._port

    def connect(
        self,
        remote: Address,
        *,
        codec: int,
        events: int | None,
        own_events: int | None,
        muted: bool,
    ) -> None:
        """Talk to this address from now on; `events` and `own_events`: payload numbers that the
        other side and we take for keys; `muted`: send nothing (one of the two is on hold)."""
        self._remote = remote
        self.muted = muted
        self.sender.codec, self.sender.events = codec, events
        self.receiver.events = own_events
        Pacer.current().add(self)

    def tick(self) -> None:
        if self._sparse:
            now = self._loop.time()
            if now < self._due:
                return
            self._due = now + SPARSE_S
        if self.muted or self._remote is None:
            self.sender.skip()
            return
        with contextlib.suppress(OSError):  # as good as lost on the way
            self._socket.sendto(self.sender.next_packet(), self._remote)

    async def press(self, key: str) -> None:
        """Returns when the key has been let go and the pause after it is over."""
        self.sender.press(key)
        while self.sender.pressing and self._socket.fileno() != -1:
            await asyncio.sleep(TICK_S)

    @property
    def stats(self) -> RtpStats:
        receiver = self.receiver
        jitter_ms = round(receiver.jitter_ms, 2)
        return RtpStats(self.sender.sent, receiver.received, receiver.lost, jitter_ms)

    def close(self) -> None:
        if self._socket.fileno() == -1:
            return
        Pacer.current().discard(self)
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(16):  # then let others run
            try:
                packet, source = self._socket.recvfrom(2048)
            except OSError:
                return
            if self._remote is None or source[0] != self._remote[0]:
                continue
            silent_before = not self.receiver.sounded
            key = self.receiver.feed(packet, self._loop.time())
            if key is not None:
                self._on_key(key)
            if silent_before and self.receiver.sounded:
                self._on_sound()


def _bind_even(ip: str) -> socket.socket:
    """RTP lives on even ports: the odd one above is where the other side sends its reports."""
    for _ in range(64):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.setblocking(False)
        try:
            bound.bind((ip, 0))
        except OSError:
            bound.close()
            raise
        if bound.getsockname()[1] % 2 == 0:
            return bound
        bound.close()
    raise OSError(errno.EADDRINUSE, "no even UDP port is free")
