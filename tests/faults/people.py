"""Who is on the line while something breaks: callers on ways chosen by a seed, agents who answer,
and a carrier at which citizens are rung back. All of them write down what they saw."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ivr.phone import Call, Dtmf, Phone
from ivr.phone.call import PhoneError
from ivr.phone.sip import Address
from scripts import speech
from tests.live.people import desk_agent
from tests.live.running import Hotline

T = TypeVar("T")
CALLERS = "127.0.0.2"
CARRIER = "127.0.0.8"
AGENTS = ("agent1", "agent2")
GIVES_UP_S = 30.0  # without an answer
SPEAKS_S = 4.0
BRIDGED_S = 2.5  # as an agent's telephone counts it: surely two seconds for Asterisk


@dataclass(frozen=True)
class Way:
    """What a caller does: seconds to wait, then keys, several times; then stays for so long."""

    name: str
    weight: int
    steps: tuple[tuple[float, str], ...]
    stays_s: tuple[float, float]
    speaks: bool = False


@dataclass
class Seen:
    """One call, as its caller saw it."""

    number: str
    way: str
    began: float
    answered: bool = False
    code: int | None = None
    pressed: list[str] = field(default_factory=list)
    by_hotline: bool = False  # who ended it
    kept: bool = False  # all keys were pressed, and then the hotline said good-bye
    answered_at: float = 0.0
    spoke_until: float = 0.0  # of a message
    trouble: str = ""  # of the telephone, which got no answer


def ways(hotline: Hotline) -> tuple[Way, ...]:
    """Shares of callers as on a busy day, promises more often."""
    lasts = speech.durations_ms(hotline.settings)
    until_beep = (lasts["test_home_request"] + lasts["voicemail_start"]) / 1000 + 2.5
    until_queue = lasts["consent_recording_short"] / 1000 + 2
    return (
        Way("hears the greeting", 25, (), (1, 6)),
        Way("goes into a menu", 25, ((2, "3"),), (3, 8)),
        Way("goes round the menus", 15, ((2, "2"), (2, "*"), (2, "5")), (2, 5)),
        Way("waits for a person", 25, ((2, "0"),), (until_queue + 1, until_queue + 12)),
        Way("leaves a message", 8, ((2, "2"), (2, "2"), (until_beep, ""), (SPEAKS_S, "#")),
            (20, 20), speaks=True),
        Way("wants to be called back", 3, ((2, "0"), (until_queue + 1, "1"), (2.5, "1")),
            (20, 20)),
    )


class People:
    """Agents and carrier, from the first fault to the last; they live in a loop of their own."""

    def __init__(self, hotline: Hotline, carrier_port: int, seed: int) -> None:
        self.hotline = hotline
        self.ways = ways(hotline)
        self.talks: list[tuple[str, float, float]] = []  # caller, when, seconds: of the agents
        self.agents: list[str] = []  # who are at work
        self.rung: list[str] = []  # numbers of citizens, as the carrier was asked for them
        self._carrier_port = carrier_port
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = int(time.time()) % 10_000 * 10_000
        self._late_s = 0.0  # by which this loop came too late, in all

    @contextmanager
    def here(self) -> Iterator[People]:
        self._thread.start()
        try:
            self.run(self._come())
            yield self
        finally:
            self.run(self._go())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def start(self, work: Coroutine[Any, Any, T]) -> Any:
        """Begin it; `.result()` waits for its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _come(self) -> None:
        self._spawn(self._beat())
        carrier = await self._stack.enter_async_context(Phone(CARRIER, self._carrier_port))
        carrier.on_incoming = lambda call: self._spawn(self._rung_back(call))
        for number, login in enumerate(AGENTS, 1):
            seat = await self._stack.enter_async_context(desk_agent(
                self.hotline, login, phone_name=f"desk-{number:02}", sparse=True
            ))
            seat.on_incoming = lambda call: self._spawn(self._agent(call))
            self.agents.append(login)
            self._spawn(self._stays_registered(seat))

    async def _go(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self) -> None:
        """On a machine that has too much to do the end of a call is heard late."""
        while True:
            due = time.monotonic() + 0.05
            await asyncio.sleep(0.05)
            self._late_s += time.monotonic() - due

    async def _stays_registered(self, seat: Phone) -> None:
        """As desk phones do: again and again."""
        while True:
            await asyncio.sleep(4)
            with suppress(PhoneError):
                await seat.register()

    async def _agent(self, call: Call) -> None:
        await asyncio.sleep(0.3)
        with suppress(PhoneError):
            call.answer()
            if call.invite is None or not await call.invite.acknowledged:
                return  # before that Asterisk, which may have much to do, knows of no answer
            began, late_s = time.time(), self._late_s
            if not await call.ended(self._chance.uniform(2, 4)):
                await call.hang_up()
            surely_s = time.time() - began - (self._late_s - late_s)
            self.talks.append((call.caller, began, surely_s))

    async def _rung_back(self, call: Call) -> None:
        self.rung.append(call.dialled)
        with suppress(PhoneError):
            call.answer()
            if not await call.ended(2):
                await call.hang_up()

    def new_number(self) -> str:
        self._number += 1
        return f"09{self._number % 100_000_000:08}"

    async def come_and_go(
        self, rate: float, seconds: float, server: Address | None = None,
        address: str = CALLERS,
    ) -> list[Seen]:
        """Callers at this rate for so long; all that they saw, when the last has gone."""
        seen: list[Seen] = []
        to = server or self.hotline.sip
        async with (
            Phone(address, server=to, user="0900000000", dtmf=Dtmf.INFO, sparse=True) as crowd,
            Phone(address, server=to, user="0900000000") as speakers,
            asyncio.TaskGroup() as callers,
        ):
            began = time.monotonic()
            for index in range(int(rate * seconds)):
                way = self._chance.choices(self.ways, [one.weight for one in self.ways])[0]
                seen.append(Seen(self.new_number(), way.name, time.time()))
                callers.create_task(self._calls(speakers if way.speaks else crowd, way, seen[-1]))
                await asyncio.sleep(began + (index + 1) / rate - time.monotonic())
        return seen

    async def _calls(self, phone: Phone, way: Way, seen: Seen) -> None:
        stays = self._chance.uniform(*way.stays_s)
        call = await phone.call("1022", caller=seen.number, timeout_s=GIVES_UP_S)
        seen.answered = await call.answered(GIVES_UP_S + 5)
        seen.answered_at = time.time()
        try:
            if seen.answered and await self._follows(call, way, seen):
                seen.kept = await call.ended(stays) and call.hung_up_by == "them"
        except PhoneError as error:
            if call.hung_up_by is None:
                seen.trouble = str(error)
        seen.by_hotline = call.hung_up_by == "them"
        seen.code = call.sip_code
        await call.hang_up()

    async def _follows(self, call: Call, way: Way, seen: Seen) -> bool:
        for wait_s, keys in way.steps:
            if keys == "#":
                call.play_tone(440)
            if await call.ended(wait_s):
                return False
            if keys == "#":
                seen.spoke_until = time.time()
            if keys:
                await call.press(keys)
                seen.pressed.append(keys)
        return True
