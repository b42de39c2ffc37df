"""Everything is changed a hundred times while fifty people are on the line: those who speak, those
who wait and those in the menus lose nothing, and no agent a place."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from ivr import history, proof
from ivr.phone import Call, Dtmf, Phone
from ivr.phone.audio import has_tone
from ivr.provision import MENUS
from tests.live.people import desk_agent
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for

pytestmark = pytest.mark.full

AGENTS, TALKING, WAITING, IN_MENUS = 10, 8, 27, 15
FREE = AGENTS - 2  # the agent who serves another branch
TIMES = 20  # of each of the five kinds
KEYS = ("1", "2", "5", "6", "9")  # of the main menu, in every pack; after each, * leads back


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(MENUS, tmp_path_factory.mktemp("hours") / "menus"))


@pytest.fixture(scope="module")
def hotline(folder: Path) -> Iterator[Hotline]:
    with running_hotline(
        folder.parent / "home", HOTLINE_MENUS=str(folder), HOTLINE_DESK_PHONES=str(AGENTS),
        HOTLINE_QUEUE_TIMEOUT_S="7000", HOTLINE_QUEUE_LIMITS="60",
    ) as running:
        for number in range(AGENTS):
            serves = ("--queues", "report") if number == FREE else ()
            made = running.run("user", "add", f"many{number}", "--name", f"Số {number}", *serves)
            assert made.returncode == 0, made.stderr
            with (running.home / "first-accounts.txt").open("a", encoding="utf-8") as accounts:
                accounts.write(made.stdout)
        yield running


class Changes:
    """The five kinds of change: each is made, and returns what must be seen once it is applied."""

    def __init__(self, hotline: Hotline, folder: Path) -> None:
        self._hotline = hotline
        self._folder = folder
        self.packs = itertools.cycle(("flood", "epidemic", "everyday"))
        self.kinds = (self.menu, self.queues, self.hours, self.agents, self.pack)

    def menu(self, time_: int) -> Callable[[], bool]:
        """Keys 2 and 5 of the menu of vaccination change places."""
        leads = ["vaccine_registration", "vaccine_app"]  # as the menu has it at first
        was, now = (leads, leads[::-1]) if time_ % 2 == 0 else (leads[::-1], leads)
        for key, before, after in zip("25", was, now, strict=True):
            says = f"say: vaccine_menu_{key}, goto: "
            self._edit("vaccine.yml", says + before, says + after)
        return partial(self._shown, "dialplan show 5@hl-menu-vaccine", f"hl-leaf-{now[1]}")

    def queues(self, time_: int) -> Callable[[], bool]:
        self._hotline.environment |= {
            "HOTLINE_SERVICE_LEVEL_S": str(31 + time_), "HOTLINE_RING_S": str(20 + time_),
        }
        return partial(self._shown, "queue show vaccine", f"within {31 + time_}s")

    def hours(self, time_: int) -> Callable[[], bool]:
        """Advice is open until another hour."""
        was = f'["mon-sun 00:00-{19 + (time_ - 1) % 4}:30"]' if time_ else "always"
        now = f"{19 + time_ % 4}:30"
        self._edit("advice.yml", f"hours: {was}", f'hours: ["mon-sun 00:00-{now}"]')
        return partial(self._shown, "dialplan show s@hl-branch-advice", f"00:00-{now}")

    def agents(self, time_: int) -> Callable[[], bool]:
        """One more place for an agent, or one less; whoever has the new one can sign in."""
        more = AGENTS + (time_ + 1) % 2
        self._hotline.environment["HOTLINE_DESK_PHONES"] = str(more)
        name = f"desk-{AGENTS + 1:02}"

        def seen() -> bool:
            known = name in self._hotline.ask("pjsip show endpoints")
            if known:
                asyncio.run(self._signs_in(name))
            return known == (more > AGENTS)

        return seen

    async def _signs_in(self, name: str) -> None:
        async with Phone("127.0.0.1", server=self._hotline.sip, user=name,
                         password=self._hotline.secrets.phones[name]) as phone:
            await phone.register()
            await phone.unregister()

    def pack(self, _: int) -> Callable[[], bool]:
        name = next(self.packs)
        used = self._hotline.run("pack", "use", name)
        assert used.returncode == 0, used.stderr
        greeting = "greeting_main" if name == "everyday" else f"greeting_{name}"
        return partial(self._shown, "dialplan show s@hl-menu-main", greeting)

    def _shown(self, command: str, text: str) -> bool:
        return text in self._hotline.ask(command)

    def _edit(self, name: str, before: str, after: str) -> None:
        file = self._folder / name
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, (name, before)
        file.write_text(text.replace(before, after), encoding="utf-8")


@dataclass
class Line:
    """All who are on the line, and what stands at the desks."""

    pair: tuple[Call, Call]  # a citizen and an agent who hear one another
    talking: list[Call]
    waiting: list[Call]
    in_menus: list[Call]

    @property
    def calls(self) -> list[Call]:
        return [*self.talking, *self.waiting, *self.in_menus]


def signed_in(hotline: Hotline, number: int) -> AbstractAsyncContextManager[Phone]:
    """The agent at that desk phone; all serve vaccination but the last but one."""
    return desk_agent(
        hotline, f"many{number}", phone_name=f"desk-{number + 1:02}",
        queue="report" if number == FREE else "vaccine", sparse=number > 0,
    )


@asynccontextmanager
async def fifty_calls(hotline: Hotline) -> AsyncIterator[Line]:
    """Eight speak with agents, a ninth agent is free but serves another branch, the tenth is at
    lunch; 27 wait for one of them; fifteen walk through the menus."""
    numbers = (f"09120{at:05}" for at in itertools.count())
    taken: list[Call] = []

    def take(call: Call) -> None:
        call.answer()
        taken.append(call)

    async with AsyncExitStack() as stack:
        loud = await stack.enter_async_context(Phone("127.0.0.2", server=hotline.sip))
        quiet = await stack.enter_async_context(
            Phone("127.0.0.2", server=hotline.sip, dtmf=Dtmf.INFO, sparse=True)
        )

        async def call(phone: Phone, keys: str = "") -> Call:
            new = await phone.call("1022", caller=next(numbers))
            assert await new.answered(PATIENCE_S), f"{new.sip_code} {new.reason}"
            for key in keys:
                assert not await new.ended(2)
                await new.press(key)
            return new

        for number in range(AGENTS):
            seat = await stack.enter_async_context(signed_in(hotline, number))
            seat.on_incoming = take
            if number == 0:
                first = await call(loud, "0")
                await until(lambda: len(taken) == 1, "the first agent speaks")
        away = f"queue pause member PJSIP/desk-{AGENTS:02}"
        for queue in ("vaccine", "operator"):
            await asyncio.to_thread(hotline.ask, f"{away} queue {queue} reason lunch")
        talking = [first, *[await call(quiet, "0") for _ in range(TALKING - 1)]]
        await until(lambda: len(taken) == TALKING, "all agents speak")
        line = Line(
            (first, taken[0]), talking,
            await asyncio.gather(*(call(quiet, "30") for _ in range(WAITING))),
            await asyncio.gather(*(call(quiet) for _ in range(IN_MENUS))),
        )
        walks = [
            asyncio.create_task(in_the_menus(one, at)) for at, one in enumerate(line.in_menus)
        ]
        try:
            yield line
        finally:
            await asyncio.gather(*(one.hang_up() for one in line.calls))
            await asyncio.gather(*walks)


async def in_the_menus(call: Call, at: int) -> None:
    """Presses this and that for as long as the call lasts."""
    for key in itertools.islice(itertools.cycle(KEYS), at, None):
        for pressed in (key, "*"):
            if await call.ended(4):
                return
            await call.press(pressed)


def hears(call: Call, from_: int, hz: float) -> bool:
    return has_tone(call.heard_since(from_), hz)


async def until(look: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_for, look, what)


def test_of_fifty_calls_none_is_dropped_and_no_member_lost_while_all_is_changed_a_hundred_times(
    hotline: Hotline, folder: Path
) -> None:
    changes = Changes(hotline, folder)
    number = history.records(hotline.home)[-1].number
    took: list[float] = []

    def waiting() -> set[str]:
        return {channel for queue, channel in proof.look(hotline.ask).waiting if queue == "vaccine"}

    def one_change(kind: Callable[[int], Callable[[], bool]], time_: int) -> None:
        seen = kind(time_)
        began = time.monotonic()
        done = hotline.run("apply", "--yes", "--why", f"{kind.__name__} {time_}")
        took.append(time.monotonic() - began)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is in force" in done.stdout
        wait_for(seen, f"{kind.__name__} {time_} shows")

    async def scenario() -> float:
        async with fifty_calls(hotline) as line:
            assert len(line.calls) == 50
            places: set[str] = set()  # whoever is far from the front leaves it to be told the place

            def all_wait() -> bool:
                places.update(waiting())
                return len(places) == WAITING

            await until(all_wait, "all who wait are in the queue")
            members = set(proof.look(hotline.ask).members)
            assert len({one.interface for one in members}) == AGENTS
            assert proof.Member("vaccine", f"PJSIP/desk-{AGENTS:02}", True) in members
            began = time.monotonic()
            for time_ in range(TIMES):
                for kind in changes.kinds:
                    await asyncio.to_thread(one_change, kind, time_)
                    what = f"after {kind.__name__} {time_}"
                    assert not [one for one in line.calls if await one.ended(0)], what
                    assert set(proof.look(hotline.ask).members) == members, what
            lasted = time.monotonic() - began
            still, places = places, set()
            await until(all_wait, "all who waited are in the queue")
            assert places == still
            for mine, theirs, hz in ((*line.pair, 1000), (*line.pair[::-1], 700)):
                mine.play_tone(hz)
                await until(partial(hears, theirs, theirs.heard_length, hz), "they hear each other")
        assert {one.hung_up_by for one in line.calls} == {"us"}
        return lasted

    lasted = asyncio.run(scenario())
    assert history.records(hotline.home)[-1].number == number + len(took)
    kept = history.records(hotline.home)[1:]
    assert {one.result for one in kept} == {history.IN_FORCE}
    hotline.assert_ledger_complete()
    rows = [hotline.call_of(f"09120{at:05}") for at in range(50)]
    assert Counter(row["outcome"] for row in rows[:TALKING]) == {"answered": TALKING}
    assert {row["outcome"] for row in rows[TALKING:TALKING + WAITING]} == {"abandoned_queue"}
    assert not {row["outcome"] for row in rows} & {"lost", "rejected"}
    for row in rows:
        spans = datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])
        assert spans.total_seconds() > lasted
    print(f"{len(took)} applies in {lasted:.0f} s under {len(rows)} calls: "  # noqa: T201
          f"mean {sum(took) / len(took):.1f} s, longest {max(took):.1f} s")
