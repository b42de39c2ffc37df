"""The faults: each breaks something of a world when it is entered, and mends it when left."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ivr.journal_reader import STAMP
from ivr.phone import Phone
from scripts import PROCESSES
from tests.faults.account import Permitted
from tests.faults.relay import LongLine
from tests.faults.world import World
from tests.live.running import blocked_journal

STRANGER = "127.0.0.9"
FLOOD = 400  # packets a second
Break = Callable[[World], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """`alone`: it cannot come together with another. `line`: callers come by a relay."""

    breaks: Break
    permitted: Permitted = field(default_factory=Permitted)
    alone: bool = False
    line_delay_s: float = 0.0


@contextmanager
def killed(world: World, name: str) -> Iterator[None]:
    world.hotline.signal(name, signal.SIGKILL)
    yield


@contextmanager
def stopped(world: World, name: str) -> Iterator[None]:
    pid, since = world.hotline.signal(name, signal.SIGSTOP), time.time()
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # killed by the other fault of a pair
            (os.kill if name == "asterisk" else os.killpg)(pid, signal.SIGCONT)
        if name == "asterisk":
            world.stood_still.append((since, time.time()))


@contextmanager
def database_killed(world: World) -> Iterator[None]:
    world.server.signal(signal.SIGKILL)
    try:
        yield
    finally:
        world.server.start()


@contextmanager
def database_stopped(world: World) -> Iterator[None]:
    world.server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        world.server.signal(signal.SIGCONT)


@contextmanager
def database_slow(world: World) -> Iterator[None]:
    world.database.delay_s = 0.3
    try:
        yield
    finally:
        world.database.delay_s = 0


@contextmanager
def database_failing(world: World) -> Iterator[None]:
    before = world.database.failed
    world.database.failing = 0.2
    try:
        yield
    finally:
        world.database.failing = 0
    assert world.database.failed > before, "no statement failed: the relay proves nothing"


@contextmanager
def everything_killed(world: World) -> Iterator[None]:
    hotline = world.hotline
    pids = [hotline.pid_of(name) for name in ("asterisk", *PROCESSES)]
    hotline.kill_supervisor()
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    world.server.signal(signal.SIGKILL)
    try:
        yield
    finally:
        world.server.start()
        hotline.start()


@contextmanager
def journal_blocked(world: World) -> Iterator[None]:
    with blocked_journal(world.hotline):
        yield


@contextmanager
def journal_cut(world: World) -> Iterator[None]:
    """In the middle of its last line, while it is written to."""
    journal = world.hotline.home / "journal" / "journal.csv"
    os.truncate(journal, journal.stat().st_size - 40)
    yield


@contextmanager
def journal_rotated(world: World) -> Iterator[None]:
    journal = world.hotline.home / "journal" / "journal.csv"
    journal.rename(journal.with_name(datetime.now(UTC).strftime(STAMP)))
    yield


@contextmanager
def journal_moved(world: World) -> Iterator[None]:
    """Out of its folder, and back under the name that a rotation would give it."""
    journal = world.hotline.home / "journal" / "journal.csv"
    name = datetime.now(UTC).strftime(STAMP)
    away = world.hotline.home / "moved-away.csv"
    journal.rename(away)
    try:
        yield
    finally:
        away.rename(journal.with_name(name))


@contextmanager
def packets_lost(world: World) -> Iterator[None]:
    """One in ten, of SIP and sound in both directions, in the hotline's own network."""
    assert world.isolated, "packets are lost in a network of the hotline's own: run as root"
    rules = ("table inet lossy { chain in { type filter hook input priority 0; "
             "meta l4proto udp numgen random mod 100 < 10 counter drop; }; }")
    subprocess.run(["nft", rules], check=True, capture_output=True)
    try:
        yield
    finally:
        told = subprocess.run(
            ["nft", "list", "table", "inet", "lossy"], check=True, capture_output=True, text=True
        ).stdout
        subprocess.run(["nft", "delete table inet lossy"], check=True)
        assert "packets 0 " not in told, "nothing was lost: the rules prove nothing"


@contextmanager
def nothing(_: World) -> Iterator[None]:
    yield


@contextmanager
def flooded(world: World) -> Iterator[None]:
    """Requests and rubbish by the hundred from an address that is no carrier's."""
    over = threading.Event()
    chance = random.Random(1)

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((STRANGER, 0))
            one.setblocking(False)
            me = f"{STRANGER}:{one.getsockname()[1]}"
            number = 0
            while not over.wait(0.05):
                for _ in range(FLOOD // 20):
                    number += 1
                    method = ("INVITE", "OPTIONS", "REGISTER", "BYE", "NOTIFY")[number % 5]
                    packet = (
                        f"{method} sip:1022@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {me};"
                        f"branch=z9hG4bK{number}\r\nFrom: <sip:{number}@{STRANGER}>;tag={number}"
                        f"\r\nTo: <sip:1022@127.0.0.1>\r\nCall-ID: {number}\r\nCSeq: 1 {method}"
                        f"\r\nContact: <sip:{me}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
                    ).encode()
                    with suppress(OSError):
                        one.sendto(
                            packet if number % 7 else chance.randbytes(200), world.hotline.sip
                        )

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


FORGED = "forged-1.1"
_LINE = f'"CHAN_START","1700000000.000001","","","","","","","","","th1.{FORGED}","","",""'
HOSTILE = (
    "<sip:0912%0D%0A%0D%0AEvent%3A%20Hangup%0D%0AUniqueid%3A%20th1." + FORGED + "@127.0.0.2>",
    f'"x%0A{_LINE.replace(chr(34), "%22")}" <sip:0900000001@127.0.0.2>',
    '"\\"' + "\\n" + '\\"HL_CALL\\"" <sip:0900000002@127.0.0.2>',
    '"' + "A" * 3000 + '" <sip:0900000003@127.0.0.2>',
    '"${SHELL(id)}" <sip:${SHELL(id)}@127.0.0.2>',
    "<sip:%00%00@127.0.0.2>", "<sip:" + "9" * 400 + "@127.0.0.2>",
    "<sip:0912;DROP TABLE call@127.0.0.2>", "<sip:%C2%85%E2%80%A8@127.0.0.2>",
    '"\u202e\u0000" <tel:0900000004>', "sip:@127.0.0.2", "<sip:*4@127.0.0.2>",
)


@contextmanager
def hostile_callers(world: World) -> Iterator[None]:
    """Identities that are made to be taken for something else, by the carrier's own address."""
    async def shows(phone: Phone, name: str, identity: str) -> None:
        value = identity + (";tag=1" if name == "From" else "")
        call = await phone.call("1022", headers={name: value.encode()}, timeout_s=2)
        await call.ended(1)
        await call.hang_up()

    async def all_of_them() -> None:
        async with (
            Phone("127.0.0.2", server=world.hotline.sip) as phone, asyncio.TaskGroup() as callers
        ):
            for identity in HOSTILE:
                for name in ("From", "P-Asserted-Identity", "Diversion"):
                    callers.create_task(shows(phone, name, identity))
                    await asyncio.sleep(0.2)

    running = world.people.start(all_of_them())
    try:
        yield
    finally:
        running.result(120)
    assert FORGED not in {call["id"].partition(".")[2] for call in world.hotline.calls()}


def _each(names: tuple[str, ...], breaks: Callable[[World, str], AbstractContextManager[None]],
          how: str) -> dict[str, Fault]:
    return {
        f"{name} {how}": Fault(lambda world, name=name: breaks(world, name))  # type: ignore[misc]
        for name in names
    }


ASTERISK_DEAD = Permitted(lost=True, unanswered=True)
FAULTS: dict[str, Fault] = {
    **_each(("listener", "tailer", "console", "scheduler"), killed, "killed"),
    **_each(("listener", "tailer", "console", "scheduler"), stopped, "stopped"),
    "database killed": Fault(database_killed),
    "database stopped": Fault(database_stopped),
    "database slow": Fault(database_slow),
    "database failing": Fault(database_failing),
    "Asterisk killed": Fault(lambda world: killed(world, "asterisk"), ASTERISK_DEAD),
    "Asterisk stopped": Fault(lambda world: stopped(world, "asterisk"),
                              Permitted(unanswered=True)),
    "everything killed": Fault(everything_killed, ASTERISK_DEAD, alone=True),
    "journal blocked": Fault(journal_blocked, alone=True),
    "journal cut": Fault(journal_cut, Permitted(gaps=(1, 3))),
    "journal rotated": Fault(journal_rotated),
    "journal moved": Fault(journal_moved, alone=True),
    "packets lost": Fault(packets_lost, alone=True),
    "line of 300 ms": Fault(nothing, alone=True, line_delay_s=0.3),
    "flood of SIP": Fault(flooded),
    "hostile callers": Fault(hostile_callers),
}


def both(one: Permitted, other: Permitted) -> Permitted:
    return Permitted(
        one.lost or other.lost,
        (one.gaps[0] + other.gaps[0], one.gaps[1] + other.gaps[1]),
        one.unanswered or other.unanswered, one.no_messages or other.no_messages,
        one.hurried or other.hurried,
    )


def pairs(seed: int, count: int) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    names = [name for name, fault in FAULTS.items() if not fault.alone]
    drawn: list[tuple[str, str]] = []
    while len(drawn) < count:
        first, second = chance.sample(names, 2)
        # what is killed cannot be stopped too
        if first.partition(" ")[0] != second.partition(" ")[0]:
            drawn.append((first, second))
    return drawn


def long_line(world: World, delay_s: float) -> LongLine:
    return LongLine("127.0.0.2", world.hotline.sip, delay_s)
