"""From the release before to this one with callers on the line, and the way back, as the engineers'
manual has them."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crm.settings import PROJECT
from ivr import runtime
from ivr.phone import Call, Phone
from ivr.phone.call import PhoneError
from tests.faults import account
from tests.faults.account import Permitted
from tests.faults.course import UPGRADE, note
from tests.faults.people import CARRIER, People, Seen
from tests.faults.relay import SlowDatabase
from tests.faults.world import World
from tests.live.people import Console, called, citizen, until_heard
from tests.live.running import PATIENCE_S, Hotline, free_ports, wait_for
from tests.postgres import Server

pytestmark = pytest.mark.full

# What was delivered on 24 November 2026, ten migrations before this one. A new release
# puts its own predecessor here.
BEFORE = "0edb67e745070da535d39e8faa5db7ebdc17c55f"
RATE = 3.0


@dataclass
class Upgrade:
    """A hotline of the release before, with what is needed to bring it on and back."""

    hotline: Hotline
    people: People
    server: Server
    database: SlowDatabase
    old: Path  # its program

    @property
    def world(self) -> World:
        return World(self.hotline, self.people, self.server, self.database, isolated=False)


def new_database(server: Server, relay: SlowDatabase, name: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://hotline@127.0.0.1:{relay.port}/{name}"


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[Upgrade]:
    old = tmp_path / "before"
    packed = subprocess.run(
        ["git", "-C", str(PROJECT), "archive", BEFORE], capture_output=True, check=False
    )
    assert not packed.returncode, f"the release before is not in this clone: {packed.stderr!r}"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(old, filter="data")
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("mười hai con giáp và một con mèo", encoding="utf-8")
    with ExitStack() as stack:
        server = stack.enter_context(Server())
        database = stack.enter_context(SlowDatabase(f"{server.folder}/.s.PGSQL.5432", 1))
        carrier_port = free_ports(1)[0]
        hotline = Hotline(
            tmp_path / "home", HOTLINE_BACKUP_KEY=str(passphrase),
            HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_CALLBACK_AGAIN_S="3,3",
        )
        hotline.environment["HOTLINE_DATABASE_URL"] = new_database(server, database, "hotline")
        hotline.folder = old
        hotline.setup()
        stack.callback(hotline.stop)
        hotline.start(with_database=False)
        wait_for(lambda: hotline.console_answers, "the console of the release before answers")
        yield Upgrade(hotline, People(hotline, carrier_port, 11), server, database, old)


@asynccontextmanager
async def at_a_desk(hotline: Hotline, people: People) -> AsyncIterator[Phone]:
    """An agent by the requests alone that both releases have."""
    async with Phone(
        "127.0.0.1", server=hotline.sip, user="desk-01",
        password=hotline.secrets.phones["desk-01"], sparse=True,
    ) as seat:
        await seat.register()
        console = await asyncio.to_thread(Console, hotline, "agent1")
        await asyncio.to_thread(
            console.ask, "POST", "/agent/phone", {"kind": "desk", "wanted": "desk-01"}
        )
        await asyncio.to_thread(console.ask, "POST", "/agent/state", {"reason": None})
        yield seat


def run(hotline: Hotline, *words: str) -> str:
    done = hotline.run(*words)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def backed_up(hotline: Hotline, folder: Path) -> Path:
    run(hotline, "backup", "make", str(folder))
    (file,) = folder.glob("*.backup")
    return file


def exchanged(upgrade: Upgrade) -> float:
    """The program, while the one before runs: set-up, and what `systemctl kill --kill-whom=main
    --signal=KILL` does. Seconds until all is back."""
    hotline = upgrade.hotline
    asterisk = runtime.pid(hotline.home)
    hotline.folder = PROJECT
    run(hotline, "setup")
    began = time.monotonic()
    hotline.kill_supervisor()
    hotline.start()
    wait_for(lambda: hotline.console_answers, "the console of this release answers")
    assert runtime.pid(hotline.home) == asterisk, "the same Asterisk goes on"
    assert "adopted" in hotline.tail(200)
    return time.monotonic() - began


async def brought_on(upgrade: Upgrade, backups: Path) -> tuple[list[Seen], Path, float]:
    """Callers come before, while, and after; two stay all the time, who speaks and who waits."""
    hotline, people = upgrade.hotline, upgrade.people
    async with (
        at_a_desk(hotline, people) as seat, citizen(hotline, "0912000961") as first,
        citizen(hotline, "0912000962") as second,
    ):
        talk = await called(first)
        await until_heard(talk, hotline, "greeting_main")
        await talk.press("0")
        taken = await seat.incoming(PATIENCE_S)
        taken.answer()
        waits = await called(second)
        await until_heard(waits, hotline, "greeting_main")
        await waits.press("0")
        coming = asyncio.create_task(people.come_and_go(RATE, 60))
        await asyncio.sleep(8)
        file = await asyncio.to_thread(backed_up, hotline, backups)
        back_s = await asyncio.to_thread(exchanged, upgrade)
        seen = await coming
        assert not await talk.ended(0), "who spoke speaks"
        assert not await taken.ended(0)
        assert not await waits.ended(0), "who waited waits"
        tasks: list[asyncio.Task[None]] = []
        seat.on_incoming = lambda call: tasks.append(asyncio.create_task(answered(people, call)))
        await talk.hang_up()
        await asyncio.to_thread(
            wait_for, lambda: any(caller == "0912000962" for caller, *_ in people.talks),
            "who waited is answered by the agent who is free now",
        )
    return seen, file, back_s


async def answered(people: People, call: Call) -> None:
    began = time.time()
    with suppress(PhoneError):
        call.answer()
        if not await call.ended(4):  # bridged for less than 2 s is no conversation
            await call.hang_up()
        people.talks.append((call.caller, began, time.time() - began))


def test_callers_stay_on_the_line_and_the_way_back_is_whole(
    upgrade: Upgrade, tmp_path: Path
) -> None:
    hotline, people = upgrade.hotline, upgrade.people
    began = time.time()
    seen, file, back_s = asyncio.run(brought_on(upgrade, tmp_path / "backups"))
    found = account.settle(upgrade.world, seen, Permitted(), 0, began)
    note(UPGRADE, found, back_s)
    assert not found.faults, "\n".join(found.faults)
    assert found.answered == found.calls > 100
    assert hotline.call_of("0912000961")["outcome"] == "answered"
    assert hotline.call_of("0912000962")["outcome"] == "answered"
    hotline.assert_ledger_complete()

    # in a quiet minute Asterisk itself follows
    hotline.stop()
    hotline.start()
    assert hotline.run("plan").returncode == 0, "what runs is what this release would write"
    seen = asyncio.run(people.come_and_go(RATE, 10))
    found = account.settle(upgrade.world, seen, Permitted(), 0, began)
    assert not found.faults, "\n".join(found.faults)
    hotline.stop()

    # and back: the release before, on its backup
    hotline.home.rename(tmp_path / "failed")
    hotline.folder = upgrade.old
    hotline.environment["HOTLINE_DATABASE_URL"] = new_database(
        upgrade.server, upgrade.database, "back"
    )
    run(hotline, "backup", "restore", str(file))
    run(hotline, "setup")
    hotline.start(with_database=False)
    seen = asyncio.run(people.come_and_go(RATE, 10))
    assert all(one.answered for one in seen)

    def complete() -> Any:
        told = hotline.json("ledger")
        return told if not told["open"] and not told["unread_bytes"] else None

    told = wait_for(complete, "the ledger of the release before is complete")
    assert told["unexplained"] == 0
    there = {one["caller"]: one["outcome"] for one in hotline.json("calls", "--limit", "1000")}
    assert all(there[one.number] for one in seen)
