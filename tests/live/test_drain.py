"""A hotline that is drained refuses new calls by 503, cuts nobody off, puts through whoever waits,
and stops when the last call has ended by itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator

import pytest

from crm.settings import PROJECT
from ivr import provision
from ivr.phone import Call, Phone
from scripts.drain import HOLD_S
from tests.live.people import Console, called, citizen, hears_tone, until_heard
from tests.live.running import HOTLINE, PATIENCE_S, Hotline, running_hotline, wait_for
from tests.live.test_hostile_sip import CARRIER, asked, request

pytestmark = pytest.mark.full

AGENT_HZ, CITIZEN_HZ = 600, 440


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    home = tmp_path_factory.mktemp("drain") / "home"
    with running_hotline(home, HOTLINE_LOG_FORMAT="json") as running:
        yield running


def drained(hotline: Hotline, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HOTLINE, "drain", "--why", "the power", *words], env=hotline.environment, cwd=PROJECT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def ready(hotline: Hotline) -> str:
    """What the edge is answered."""
    uri = "sip:ready@{}:{}".format(*hotline.sip)
    options = request(hotline, "OPTIONS", "0912000960", CARRIER, uri=uri)
    return asked(hotline, options, CARRIER).splitlines()[0]


async def refused(hotline: Hotline, number: str) -> int | None:
    async with citizen(hotline, number) as phone:
        call = await phone.call("1022", timeout_s=PATIENCE_S)
        assert not await call.answered(PATIENCE_S)
        return call.sip_code


def at_work(hotline: Hotline) -> None:
    """An agent at a desk phone, who is still there when the hotline stops."""
    console = Console(hotline, "agent1")
    console.ask("POST", "/agent/phone", {"kind": "desk", "wanted": "desk-01"})
    assert console.ask("POST", "/agent/state", {"reason": None})["outcome"] == "done"
    wait_for(lambda: "PJSIP/desk-01" in hotline.ask("queue show operator"), "in the queue")


async def until_drained(hotline: Hotline) -> None:
    await asyncio.to_thread(
        wait_for, lambda: provision.is_draining(hotline.home), "new calls are refused"
    )


def test_where_the_time_is_over_new_calls_are_taken_again(hotline: Hotline) -> None:
    wait_for(lambda: "200" in ready(hotline), "it is ready")

    async def scenario() -> None:
        async with citizen(hotline, "0912000961") as first, citizen(hotline, "0912000962") as later:
            call = await called(first)
            draining = drained(hotline, "--within", "0.4")
            await until_drained(hotline)
            assert await refused(hotline, "0912000963") == 503
            assert "404" in await asyncio.to_thread(ready, hotline)
            out, err = await asyncio.to_thread(draining.communicate, timeout=PATIENCE_S)
            assert draining.returncode == 1, out
            assert "1 calls are up" in out
            assert "1 calls are still up after 0.4 minutes: new calls are taken again" in err
            await (await called(later)).hang_up()
            await call.hang_up()

    asyncio.run(scenario())
    assert "200" in ready(hotline)
    assert hotline.call_of("0912000963")["outcome"] == "rejected"


def test_the_door_may_stay_shut_and_the_probe_comes_through(hotline: Hotline) -> None:
    draining = drained(hotline, "--stay")
    out, err = draining.communicate(timeout=PATIENCE_S)
    assert draining.returncode == 0, err
    assert "no call is up, and none is taken" in out
    assert asyncio.run(refused(hotline, "0912000964")) == 503
    assert hotline.run("probe").returncode == 0
    assert "new calls are taken again" in hotline.run("drain", "--end").stdout
    assert "were taken all the time" in hotline.run("drain", "--end").stdout
    assert hotline.run("drain").returncode == 2, "it wants to know why"


def test_a_command_that_is_killed_shuts_nobody_out_for_long(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with citizen(hotline, "0912000969") as phone:
            call = await called(phone)
            draining = drained(hotline)
            await until_drained(hotline)
            draining.kill()
            draining.communicate()
            assert await refused(hotline, "0912000970") == 503
            await call.hang_up()

    asyncio.run(scenario())
    wait_for(lambda: not provision.is_draining(hotline.home), "new calls are taken", 2 * HOLD_S)
    assert "200" in ready(hotline)
    assert asyncio.run(_is_answered(hotline, "0912000971"))


def test_who_talks_and_who_waits_end_by_themselves_and_then_it_stops(hotline: Hotline) -> None:
    async def talk(call: Call, answered: Call) -> None:
        answered.answer()
        answered.play_tone(AGENT_HZ)
        call.play_tone(CITIZEN_HZ)
        await hears_tone(call, AGENT_HZ)
        await hears_tone(answered, CITIZEN_HZ)

    async def scenario(draining: list[subprocess.Popen[str]]) -> None:
        async with (
            citizen(hotline, "0912000965") as talker, citizen(hotline, "0912000966") as waiter,
            Phone(
                "127.0.0.1", server=hotline.sip, user="desk-01",
                password=hotline.secrets.phones["desk-01"],
            ) as desk,
        ):
            await desk.register()
            await asyncio.to_thread(at_work, hotline)
            first = await called(talker)
            await until_heard(first, hotline, "greeting_main")
            await first.press("0")
            await talk(first, await desk.incoming(PATIENCE_S))
            second = await called(waiter)
            await until_heard(second, hotline, "greeting_main")
            await second.press("0")
            await asyncio.to_thread(
                wait_for, lambda: "operator has 1 calls" in hotline.ask("queue show operator"),
                "the second waits",
            )
            draining.append(drained(hotline))
            await until_drained(hotline)
            assert await refused(hotline, "0912000967") == 503
            await asyncio.sleep(3)
            assert not await first.ended(0)
            await first.hang_up()
            await talk(second, await desk.incoming(PATIENCE_S))  # after the wrap-up
            assert draining[0].poll() is None
            await asyncio.sleep(3)  # less is no conversation
            await second.hang_up()

    running: list[subprocess.Popen[str]] = []
    asyncio.run(scenario(running))
    out, err = running[0].communicate(timeout=2 * PATIENCE_S)
    assert running[0].returncode == 0, err
    assert out.splitlines()[0] == "2 calls are up"
    assert out.splitlines()[-1] == "stopped"
    assert not hotline.console_answers
    for number, outcome in (
        ("0912000965", "answered"), ("0912000966", "answered"), ("0912000967", "rejected"),
    ):
        assert hotline.call_of(number)["outcome"] == outcome
    hotline.assert_ledger_complete()
    hotline.start()
    assert not provision.is_draining(hotline.home)
    assert asyncio.run(_is_answered(hotline, "0912000968"))


def test_every_line_of_the_log_was_an_object(hotline: Hotline) -> None:
    lines = [json.loads(line) for line in hotline.log.read_text(encoding="utf-8").splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {"up", "tailer"} & {line["logger"] for line in lines}


async def _is_answered(hotline: Hotline, number: str) -> bool:
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await call.hang_up()
        return True
