"""Skills with levels, and what a restart of everything leaves standing: on a real Asterisk."""

from __future__ import annotations

import asyncio
import re
import signal
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from crm.agents import pauses
from crm.models import LiveAgent
from ivr.phone import Phone
from tests.live.people import Console, called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, wait_for


def penalty(hotline: Hotline, phone: str, queue: str = "vaccine") -> int:
    """The penalty that Asterisk has for a phone in a queue; -1: it is in it no more."""
    for line in hotline.ask(f"queue show {queue}").splitlines():
        if phone in line:
            found = re.search(r"with penalty (\d+)", line)
            return int(found[1]) if found else 0
    return -1


def set_skills(hotline: Hotline, login: str, **skills: int) -> None:
    supervisor = Console(hotline, "truongca")
    told = supervisor.ask("PUT", f"/supervisor/agents/{login}/skills", {"skills": skills})
    assert told["outcome"] == "done"


def test_the_first_level_rings_before_the_second_and_a_change_counts_at_once(
    hotline: Hotline,
) -> None:
    async def rings(number: str, first: Phone, second: Phone) -> str:
        """Calls, and tells which of the two phones rings."""
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("3")
            await until_heard(call, hotline, "vaccine_menu_intro")
            await call.press("0")
            waits = {
                name: asyncio.create_task(seat.incoming(PATIENCE_S))
                for name, seat in (("first", first), ("second", second))
            }
            done, rest = await asyncio.wait(
                waits.values(), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S
            )
            for one in rest:
                one.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            await call.hang_up()
            return next(name for name, one in waits.items() if one in done)

    async def scenario() -> None:
        async with (
            desk_agent(hotline, "agent1", phone_name="desk-01", queue="vaccine") as first,
            desk_agent(hotline, "agent2", phone_name="desk-02", queue="vaccine") as second,
        ):
            await asyncio.to_thread(set_skills, hotline, "agent1", vaccine=1)
            await asyncio.to_thread(set_skills, hotline, "agent2", vaccine=2)
            assert (penalty(hotline, "desk-01"), penalty(hotline, "desk-02")) == (0, 1)
            assert penalty(hotline, "desk-02", "relief") == -1  # served no longer
            # by turns (rrmemory) the second would have every other call
            assert [await rings(f"091200030{n}", first, second) for n in range(3)] == ["first"] * 3
            await asyncio.to_thread(set_skills, hotline, "agent1", vaccine=3)
            assert [await rings(f"091200031{n}", first, second) for n in range(2)] == ["second"] * 2

    asyncio.run(scenario())


@pytest.mark.full
def test_skill_and_pause_survive_the_death_of_listener_console_and_asterisk(
    hotline: Hotline,
) -> None:
    def paused(reason: str | None) -> bool:
        with hotline.database.reading() as session:
            row = session.scalar(select(LiveAgent).where(LiveAgent.login == "agent1"))
            return bool(row and row.reason == reason and row.queues)

    async def scenario() -> None:
        agent = await asyncio.to_thread(Console, hotline, "agent1")
        async with desk_agent(
            hotline, "agent1", phone_name="desk-01", queue="vaccine", console=agent
        ):
            await asyncio.to_thread(set_skills, hotline, "agent1", vaccine=2, relief=1)
            await asyncio.to_thread(agent.ask, "POST", "/agent/state", {"reason": "lunch"})
            await asyncio.to_thread(wait_for, lambda: paused("lunch"), "the pause is seen")
            with hotline.database.reading() as session:
                before = pauses.standing(session, datetime.now(UTC))["agent1"]
            for name in ("listener", "console", "asterisk"):
                hotline.signal(name, signal.SIGKILL)
            await asyncio.to_thread(wait_for, lambda: hotline.console_answers, "the console", 120)
            await asyncio.to_thread(
                wait_for, lambda: penalty(hotline, "desk-01") == 1, "the level is back", 120
            )
            assert penalty(hotline, "desk-01", "relief") == 0
            shown = hotline.ask("queue show vaccine")
            assert re.search(r"desk-01.*paused:lunch", shown), shown
            assert not re.search(r"desk-01.*paused", hotline.ask("queue show emergency"))
            with hotline.database.reading() as session:
                after = pauses.standing(session, datetime.now(UTC))["agent1"]
            # the same pause, counted from its start; what came before the phone was lost in seconds
            assert after.reason == before.reason
            began = [one.since - timedelta(seconds=one.before_s) for one in (before, after)]
            assert abs(began[1] - began[0]) <= timedelta(seconds=1)

    asyncio.run(scenario())
