"""Programs between two that speak with each other: to a database that is slow or fails, and to a
telephone line that takes long."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

Address = tuple[str, int]

_WITHOUT_TLS = (80877103, 80877104)  # requests for TLS and GSS, before the first message
_FAILS = (
    b"DO $$ BEGIN RAISE EXCEPTION 'the disk of the database is full' USING ERRCODE = '53100'; "
    b"END $$\0"
)


class Relay:
    """Runs in a thread with an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self.open())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def open(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class SlowDatabase(Relay):
    """Passes PostgreSQL's protocol on. `delay_s` before each round of statements; a `failing` share
    of them is replaced by one that fails in the server, so that client and server agree on it."""

    def __init__(self, socket: str, seed: int) -> None:
        super().__init__()
        self.delay_s = 0.0
        self.failing = 0.0
        self.failed = 0
        self.port = 0
        self._socket = socket
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            there, back = await asyncio.open_unix_connection(self._socket)
            answers = asyncio.create_task(_pass_on(there, writer))
            try:
                await self._statements(reader, writer, back)
            finally:
                answers.cancel()
                back.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one of them has gone; the other notices
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _statements(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        while True:
            size, code = struct.unpack("!II", await reader.readexactly(8))
            rest = await reader.readexactly(size - 8)
            if code not in _WITHOUT_TLS:
                break
            writer.write(b"N")
        back.write(struct.pack("!II", size, code) + rest)
        round_: list[tuple[bytes, bytes]] = []
        while True:
            kind = await reader.readexactly(1)
            (size,) = struct.unpack("!I", await reader.readexactly(4))
            round_.append((kind, await reader.readexactly(size - 4)))
            if kind in b"QSXdcp":  # a round ends here: statement, sync, good-bye, data, password
                await asyncio.sleep(self.delay_s)
                back.write(b"".join(map(_packed, self._disturbed(round_))))
                await back.drain()
                round_ = []

    def _disturbed(self, round_: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        texts = [text for kind, text in round_ if kind in b"QPB"]
        is_rollback = any(re.match(rb"\w*\0?ROLLBACK", text) for text in texts)
        if not texts or is_rollback or self._chance.random() >= self.failing:
            return round_
        self.failed += 1
        return [(b"Q", _FAILS)]


def _packed(message: tuple[bytes, bytes]) -> bytes:
    kind, text = message
    return kind + struct.pack("!I", len(text) + 4) + text


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class LongLine(Relay):
    """Passes SIP and sound on between callers and the hotline, `delay_s` late each way. To each it
    is the other: what SIP says of where sound is wanted is changed to a place of its own."""

    def __init__(self, own: str, hotline: Address, delay_s: float) -> None:
        super().__init__()
        self._own, self._hotline, self._delay_s = own, hotline, delay_s
        self._sockets: list[socket.socket] = []
        self._ways: dict[Address, socket.socket] = {}  # of each telephone, to the hotline
        self._sounds: dict[bytes, _Sound] = {}  # of each call, by Call-ID
        self.address: Address = (own, 0)

    async def open(self) -> None:
        self._front = self._opened(self._from_caller)
        self.address = self._front.getsockname()

    async def close(self) -> None:
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()

    def _opened(self, receive: Callable[[bytes, Address], None]) -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.bind((self._own, 0))
        one.setblocking(False)
        self._sockets.append(one)

        def ready() -> None:
            with suppress(OSError):  # who has hung up is told of by the kernel
                while True:
                    receive(*one.recvfrom(65536))

        self._loop.add_reader(one, ready)
        return one

    def _later(self, way: socket.socket, packet: bytes, to: Address | None) -> None:
        if to is not None:
            self._loop.call_later(self._delay_s, _sent, way, packet, to)

    def _from_caller(self, packet: bytes, source: Address) -> None:
        if source not in self._ways:
            self._ways[source] = self._opened(
                lambda answer, _: self._later(self._front, self._changed(answer, False), source)
            )
        self._later(self._ways[source], self._changed(packet, True), self._hotline)

    def _changed(self, packet: bytes, from_caller: bool) -> bytes:
        head, _, body = packet.partition(b"\r\n\r\n")
        call = re.search(rb"(?mi)^(?:Call-ID|i):\s*(\S+)", head)
        host = re.search(rb"(?m)^c=IN IP4 (\S+)", body)
        media = re.search(rb"(?m)^m=audio (\d+)", body)
        if not call or not host or not media:
            return packet
        sound = self._sounds.get(call[1]) or self._sounds.setdefault(call[1], self._sound())
        there = (host[1].decode(), int(media[1]))
        if from_caller:
            sound.caller, shown = there, sound.back
        else:
            sound.hotline, shown = there, sound.front
        body = body.replace(host[0], b"c=IN IP4 " + self._own.encode())
        body = body.replace(media[0], b"m=audio %d" % shown.getsockname()[1])
        head = re.sub(rb"(?mi)^Content-Length:[^\r]*", b"Content-Length: %d" % len(body), head)
        return head + b"\r\n\r\n" + body

    def _sound(self) -> _Sound:
        made = _Sound(
            self._opened(lambda packet, _: self._later(made.back, packet, made.hotline)),
            self._opened(lambda packet, _: self._later(made.front, packet, made.caller)),
        )
        return made


@dataclass
class _Sound:
    """Of one call: a place before the caller and one before the hotline."""

    front: socket.socket
    back: socket.socket
    caller: Address | None = None
    hotline: Address | None = None


def _sent(way: socket.socket, packet: bytes, to: Address) -> None:
    with suppress(OSError):
        way.sendto(packet, to)
