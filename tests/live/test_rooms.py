"""Callers with more than one person: asked meanwhile, called in, led on. Each side is told by its
tone, so that it is heard who hears whom."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm.models import AgentState, CallSegment, LiveAgent
from ivr.phone import Call, Phone
from ivr.phone.audio import RATE, has_tone
from tests.live.carrier import LISTENS, Carrier, running_carrier
from tests.live.people import Console, called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for

CITIZEN_HZ, FIRST_HZ, SECOND_HZ, GUEST_HZ = 440, 700, 1000, 1300
LINE = "0237000111"  # answered by an echo
SERVICE = "0237000115"
DOCTOR = "0237000112"  # answered by an echo, too


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    with running_carrier(tmp_path_factory.mktemp("rooms-carrier") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory, carrier: Carrier) -> Iterator[Hotline]:
    home = tmp_path_factory.mktemp("rooms") / "home"
    with running_hotline(
        home, **carrier.trunk, HOTLINE_EMERGENCY_MEDICAL=SERVICE, HOTLINE_WRAPUP_S="3",
        HOTLINE_EXPERTS=f"bs.an {DOCTOR}",
    ) as running:
        wait_for(lambda: "Registered" in running.ask("pjsip show registrations"), "the trunk")
        yield running


@dataclass
class Talk:
    """A citizen who speaks with agent1 at desk-01."""

    hotline: Hotline
    console: Console
    citizen: Call
    agent: Call
    desk: Phone
    id: str

    async def ask(self, act: str, **more: str) -> None:
        answer = await asyncio.to_thread(
            self.console.ask, "POST", f"/agent/calls/{self.id}/with", {"act": act, **more}
        )
        assert answer["outcome"] == "done", answer

    async def state(self) -> dict[str, Any]:
        rows = await asyncio.to_thread(self.console.ask, "GET", f"/agent/calls/{self.id}")
        return dict(rows)


async def hears(who: Call, hz: float, within_s: float = PATIENCE_S) -> bool:
    """Whether somebody hears a tone from now on."""
    start, deadline = who.heard_length, asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.3)
        if has_tone(who.heard_since(start), hz):
            return True
    return False


async def hears_not(who: Call, hz: float) -> bool:
    start = who.heard_length
    await asyncio.sleep(2)
    return not has_tone(who.heard_since(start + RATE // 2), hz)


def silent_s(who: Call, since: int, *tones: float) -> float:
    """The longest time in which somebody heard none of these tones."""
    heard, piece = who.heard_since(since), RATE // 5
    silent = longest = 0
    for start in range(0, len(heard) - piece, piece):
        there = any(has_tone(heard[start:start + piece], hz, 0.1) for hz in tones)
        silent = 0 if there else silent + piece
        longest = max(longest, silent)
    return longest / RATE


def wraps_up(hotline: Hotline, login: str) -> Callable[[], bool]:
    def look() -> bool:
        with hotline.database.reading() as session:
            row = session.get(LiveAgent, login)
            return row is not None and row.state == AgentState.WRAPUP.value

    return look


def assert_parts_follow(hotline: Hotline, call: str, first: str, then: str) -> None:
    """The first had the caller, then the other, each their own part, in journal and rows alike."""
    with hotline.database.reading() as session:
        talks = session.scalars(select(CallSegment).where(
            CallSegment.call_id == call, CallSegment.what == "talk"
        ).order_by(CallSegment.started_at)).all()
        wrapped = session.scalars(select(CallSegment.agent).where(
            CallSegment.call_id == call, CallSegment.what == "wrapup"
        )).all()
    assert [one.agent for one in talks] == [first, then]
    over = talks[0].started_at + timedelta(milliseconds=talks[0].ms)
    assert abs(talks[1].started_at - over) < timedelta(seconds=1)
    assert talks[1].ms >= 1000
    assert wrapped == [first], "who leads the floor has no wrap-up"
    assert hotline.run("ledger").returncode == 0
    assert hotline.run("report", "recompute", "--all", "--check").returncode == 0


@asynccontextmanager
async def talking(hotline: Hotline, number: str) -> AsyncIterator[Talk]:
    async with desk_agent(hotline, "agent1") as desk, citizen(hotline, number) as phone:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("0")
        at_desk = await desk.incoming(PATIENCE_S)
        at_desk.answer()
        at_desk.play_tone(FIRST_HZ)
        call.play_tone(CITIZEN_HZ)
        assert await hears(call, FIRST_HZ)
        await asyncio.sleep(2)  # for less nobody has spoken
        id_ = at_desk.invite_header("X-Hotline-Call") or ""
        console = await asyncio.to_thread(Console, hotline, "agent1")
        yield Talk(hotline, console, call, at_desk, desk, id_)
        for one in (call, at_desk):
            if not await one.ended(0):
                await one.hang_up()


def test_a_colleague_is_asked_while_the_caller_hears_music_and_takes_the_call_over(
    hotline: Hotline
) -> None:
    async def scenario() -> None:
        async with (
            talking(hotline, "0912000701") as talk,
            desk_agent(hotline, "agent2", phone_name="desk-02") as other,
        ):
            await talk.ask("consult", kind="agent", to="agent2")
            asked = await other.incoming(PATIENCE_S)
            assert asked.invite_header("X-Hotline-Caller") == "0912000701"
            asked.answer()
            asked.play_tone(SECOND_HZ)
            assert await hears(talk.agent, SECOND_HZ)
            assert await hears(asked, FIRST_HZ)
            assert await hears_not(talk.citizen, SECOND_HZ)
            assert await hears_not(asked, CITIZEN_HZ)

            # one after the other: has_tone looks for what stands out
            await talk.ask("together")
            talk.agent.stop_playing()
            assert await hears(talk.citizen, SECOND_HZ)
            assert await hears(asked, CITIZEN_HZ)
            asked.stop_playing()
            assert await hears(talk.agent, CITIZEN_HZ)
            asked.play_tone(SECOND_HZ)

            await talk.ask("leave")
            assert await talk.agent.ended(PATIENCE_S)
            assert await hears(asked, CITIZEN_HZ)
            assert await hears(talk.citizen, SECOND_HZ)
            await asyncio.sleep(2)
            await asked.hang_up()
            await until_heard(talk.citizen, hotline, "survey_intro")

    asyncio.run(scenario())
    call = hotline.call_of("0912000701")
    assert call["outcome"] == "answered"
    legs = {leg.agent: leg.talk_ms for leg in hotline.legs(call["id"])}
    assert legs.keys() == {"agent1", "agent2"}
    assert all(talk_ms >= 2000 for talk_ms in legs.values())
    assert hotline.run("ledger").returncode == 0
    # who was rung, and on which shift, is the journal's alone to say
    lines = hotline.journal().splitlines()
    rung = [line for line in lines if '"HL_RING"' in line and f"call={call['id']}" in line]
    assert {"agent=agent1", "agent=agent2"} <= {
        word for line in rung for word in re.findall(r"agent=\w+", line)
    }
    told = [line for line in lines if '"HL_STATE"' in line and "agent=agent1" in line]
    assert any("state=ready" in line for line in told)
    assert any("state=out" in line for line in told)


def test_a_service_is_called_in_while_the_agent_goes_on_speaking_with_the_caller(
    hotline: Hotline, carrier: Carrier
) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000702") as talk:
            await talk.ask("invite", kind="service", to="medical")
            assert await hears(talk.citizen, FIRST_HZ), "they go on speaking while it rings"
            await asyncio.to_thread(
                wait_for, lambda: SERVICE in carrier.ask("core show channels concise"),
                "it is rung",
            )
            # the service (an echo) gives back what both say: it is in the same room
            talk.agent.stop_playing()
            assert await hears(talk.citizen, CITIZEN_HZ), "the service hears the citizen"
            talk.agent.play_tone(FIRST_HZ)
            await talk.agent.hang_up()
            assert await hears(talk.citizen, CITIZEN_HZ), "the service stays without the agent"
            await talk.citizen.hang_up()
            await asyncio.to_thread(
                wait_for, lambda: SERVICE not in carrier.ask("core show channels concise"),
                "nobody is left in the room",
            )

    asyncio.run(scenario())
    call = hotline.call_of("0912000702")
    assert (call["outcome"], call["agent"]) == ("transferred", "agent1")


def test_a_doctor_is_asked_and_the_caller_handed_over(hotline: Hotline, carrier: Carrier) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000741") as talk:
            people = await asyncio.to_thread(talk.console.ask, "GET", "/agent/people")
            assert [one["id"] for one in people["experts"]] == ["bs.an"]
            await talk.ask("consult", kind="expert", to="bs.an")
            assert await hears_not(talk.citizen, FIRST_HZ)
            assert await hears(talk.agent, FIRST_HZ), "the doctor (an echo) hears the agent"
            assert DOCTOR in carrier.ask("core show channels concise")
            await talk.ask("leave")
            assert await talk.agent.ended(PATIENCE_S)
            assert await hears(talk.citizen, CITIZEN_HZ), "the doctor hears the citizen"
            await talk.citizen.hang_up()

    asyncio.run(scenario())
    call = hotline.call_of("0912000741")
    assert (call["outcome"], call["agent"]) == ("transferred", "agent1")
    assert f"call={call['id']}|how=consult|to=doc-bs.an" in hotline.journal()
    with hotline.database.reading() as session:
        parties = session.scalars(select(CallSegment.party).where(
            CallSegment.call_id == call["id"], CallSegment.party.is_not(None)
        )).all()
    assert set(parties) == {"expert:bs.an"}


def test_who_is_asked_in_vain_leaves_the_caller_with_the_agent(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000703") as talk:
            await talk.ask("consult", kind="outside", to="0237 000 486")  # is busy
            assert await hears(talk.citizen, FIRST_HZ)
            assert await hears(talk.agent, CITIZEN_HZ)
            await talk.ask("consult", kind="outside", to="0237000180")  # rings and rings
            assert await hears_not(talk.citizen, FIRST_HZ)
            await talk.ask("back")
            assert await hears(talk.citizen, FIRST_HZ)
            assert await hears(talk.agent, CITIZEN_HZ)
            for wrong in ("1900123456", "0019005551234", "abc", ""):
                with pytest.raises(Exception, match=r"409|400"):
                    await talk.ask("consult", kind="outside", to=wrong)
            # the caller hangs up while aside: the agent is not left in an empty room
            await talk.ask("consult", kind="outside", to=LINE)
            await asyncio.sleep(2)
            await talk.citizen.hang_up()
            assert await talk.agent.ended(PATIENCE_S)

    asyncio.run(scenario())
    assert hotline.call_of("0912000703")["outcome"] == "answered"


def test_a_caller_is_led_on_to_a_branch_an_agent_and_a_number(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000704") as talk:
            # out of a room, too, whose guest has gone: the agent does not stay there alone
            await talk.ask("invite", kind="outside", to=LINE)
            talk.agent.stop_playing()
            assert await hears(talk.citizen, CITIZEN_HZ), "the guest is there"
            await talk.ask("back")
            talk.agent.play_tone(FIRST_HZ)
            assert await hears(talk.citizen, FIRST_HZ)
            await talk.ask("transfer", kind="branch", to="vaccine")
            assert await talk.agent.ended(PATIENCE_S)
            again = await talk.desk.incoming(PATIENCE_S)  # who also serves that branch
            assert again.invite_header("X-Hotline-Branch") == "vaccine"
            again.answer()
            again.play_tone(SECOND_HZ)
            assert await hears(talk.citizen, SECOND_HZ)
            second = await asyncio.to_thread(Console, hotline, "agent2")
            async with desk_agent(
                hotline, "agent2", phone_name="desk-02", console=second
            ) as other:
                await talk.ask("transfer", kind="agent", to="agent2")
                taken = await other.incoming(PATIENCE_S)
                taken.answer()
                taken.play_tone(FIRST_HZ)
                assert await hears(talk.citizen, FIRST_HZ)
                done = await asyncio.to_thread(
                    second.ask, "POST", f"/agent/calls/{talk.id}/with",
                    {"act": "transfer", "kind": "outside", "to": LINE},
                )
                assert done["outcome"] == "done"
                assert await hears(talk.citizen, CITIZEN_HZ), "the line outside answers"
                await talk.citizen.hang_up()

    asyncio.run(scenario())
    call = hotline.call_of("0912000704")
    assert (call["outcome"], call["branch"]) == ("transferred", "vaccine")
    assert {leg.agent for leg in hotline.legs(call["id"]) if leg.agent} == {"agent1", "agent2"}


def test_nobody_touches_the_call_of_another_agent(hotline: Hotline) -> None:
    async def scenario() -> None:
        other = await asyncio.to_thread(Console, hotline, "agent2")
        async with (
            talking(hotline, "0912000705") as talk,
            desk_agent(hotline, "agent2", phone_name="desk-02", console=other),
        ):
            refused = await asyncio.to_thread(
                other.ask, "POST", f"/agent/calls/{talk.id}/with",
                {"act": "transfer", "kind": "outside", "to": LINE},
            )
            assert refused["outcome"] == "refused"
            assert await hears(talk.citizen, FIRST_HZ)

    asyncio.run(scenario())


@dataclass
class Supervisor:
    """Somebody who leads the floor, at the phone desk-03."""

    console: Console
    phone: Phone

    async def ask(self, agent: str, how: str, **more: str) -> str:
        """To be in the call of an agent. The outcome."""
        answer = await asyncio.to_thread(
            self.console.ask, "POST", "/supervisor/listen", {"agent": agent, "how": how, **more}
        )
        return str(answer["outcome"])

    async def takes_over(self, agent: str, **more: str) -> str:
        answer = await asyncio.to_thread(
            self.console.ask, "POST", "/supervisor/take-over", {"agent": agent, **more}
        )
        return str(answer["outcome"])

    async def enters(self, agent: str, how: str, **more: str) -> Call:
        """Is in the call of an agent, and says something from now on."""
        assert await self.ask(agent, how, **more) == "done"
        rung = await self.phone.incoming(PATIENCE_S)
        assert rung.invite_header("X-Hotline-Listen") == how
        rung.answer()
        rung.play_tone(SECOND_HZ)
        return rung


@asynccontextmanager
async def supervising(hotline: Hotline) -> AsyncIterator[Supervisor]:
    console = await asyncio.to_thread(Console, hotline, "truongca")
    async with Phone(
        "127.0.0.1", server=hotline.sip, user="desk-03",
        password=hotline.secrets.phones["desk-03"],
    ) as own:
        await own.register()
        await asyncio.to_thread(
            console.ask, "POST", "/supervisor/phone", {"kind": "desk", "wanted": "desk-03"}
        )
        yield Supervisor(console, own)


async def each_hears_what_is_meant_for_them(
    supervisor: Supervisor, login: str, agent: Call, caller: Call
) -> None:
    """In each way of being in a call, each side's tone alone, one after the other."""
    heard_by = {"listen": (False, False), "whisper": (True, False), "barge": (True, True)}
    for how, (by_agent, by_citizen) in heard_by.items():
        ear = await supervisor.enters(login, how)
        agent.stop_playing()
        caller.play_tone(CITIZEN_HZ)
        assert await hears(ear, CITIZEN_HZ), f"{how}: the citizen"
        caller.stop_playing()
        agent.play_tone(FIRST_HZ)
        assert await hears(ear, FIRST_HZ), f"{how}: the agent"
        agent.stop_playing()
        for who, meant in ((agent, by_agent), (caller, by_citizen)):
            named = "the agent" if who is agent else "the citizen"
            assert await (hears if meant else hears_not)(who, SECOND_HZ), f"{how}: {named}"
        agent.play_tone(FIRST_HZ)
        caller.play_tone(CITIZEN_HZ)
        await ear.hang_up()
    assert await hears(caller, FIRST_HZ)


def test_a_supervisor_listens_whispers_and_barges_and_each_hears_what_is_meant_for_them(
    hotline: Hotline
) -> None:
    """And then takes the call over, and ends it as an agent does."""
    async def scenario() -> None:
        async with talking(hotline, "0912000706") as talk, supervising(hotline) as supervisor:
            await each_hears_what_is_meant_for_them(
                supervisor, "agent1", talk.agent, talk.citizen
            )
            ear = await supervisor.enters("agent1", "listen")
            await asyncio.sleep(1)
            before = talk.citizen.heard_length
            assert await supervisor.takes_over("agent1") == "done"
            assert await hears(talk.citizen, SECOND_HZ)
            assert silent_s(talk.citizen, before, FIRST_HZ, SECOND_HZ) < 1, "no gap of note"
            assert await talk.agent.ended(PATIENCE_S)
            assert await hears(ear, CITIZEN_HZ), "in the leg that listened"
            await asyncio.to_thread(wait_for, wraps_up(hotline, "agent1"), "the agent's wrap-up")
            await asyncio.sleep(2)
            await ear.hang_up()
            await until_heard(talk.citizen, hotline, "survey_intro")

    asyncio.run(scenario())
    call = hotline.call_of("0912000706")
    assert (call["outcome"], call["agent"]) == ("answered", "truongca")
    assert_parts_follow(hotline, call["id"], "agent1", "truongca")
    assert '"HL_TAKEN"' in hotline.journal()
    assert "truongca: takes over at agent1" in hotline.log.read_text(encoding="utf-8")


@pytest.mark.full
def test_a_supervisor_who_barges_in_is_heard_by_all_in_a_room_too(
    hotline: Hotline, carrier: Carrier
) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000709") as talk, supervising(hotline) as supervisor:
            async def heard_by_all(by: Call) -> None:
                by.play_tone(SECOND_HZ)
                for who in (talk.agent, talk.citizen):
                    who.stop_playing()
                for who in (talk.agent, talk.citizen):
                    assert await hears(who, SECOND_HZ)
                by.stop_playing()
                talk.agent.play_tone(FIRST_HZ)
                assert await hears(by, FIRST_HZ)
                assert await hears(talk.citizen, FIRST_HZ)

            ear = await supervisor.enters("agent1", "barge")
            await heard_by_all(ear)
            await talk.ask("invite", kind="outside", to=LISTENS)
            await asyncio.to_thread(
                wait_for, lambda: "Record" in carrier.ask("core show channels concise"),
                "the guest is there",
            )
            await heard_by_all(ear)  # has come along
            await ear.hang_up()
            assert await hears(talk.citizen, FIRST_HZ)
            ear = await supervisor.enters("agent1", "barge")
            await heard_by_all(ear)
            ear.play_tone(SECOND_HZ)
            talk.agent.stop_playing()
            await talk.ask("back")
            assert await hears(talk.citizen, SECOND_HZ)
            await talk.agent.hang_up()  # who speaks with them has them now
            ear.play_tone(SECOND_HZ)
            assert await hears(talk.citizen, SECOND_HZ)
            await asyncio.sleep(2)
            await ear.hang_up()
            await until_heard(talk.citizen, hotline, "survey_intro")

    asyncio.run(scenario())
    call = hotline.call_of("0912000709")
    assert {leg.agent for leg in hotline.legs(call["id"]) if leg.agent} == {"agent1", "truongca"}
    assert hotline.run("ledger").returncode == 0


@pytest.mark.full
def test_a_whisper_is_for_the_agent_alone_in_a_room_with_a_third_too(hotline: Hotline) -> None:
    """Neither the caller nor the guest hears it, whether the supervisor whispered before the room
    was made or begins in it."""
    async def scenario() -> None:
        async with (
            talking(hotline, "0912000710") as talk,
            desk_agent(hotline, "agent2", phone_name="desk-02") as other,
            supervising(hotline) as supervisor,
        ):
            async def is_for_the_agent_alone(ear: Call, guest: Call) -> None:
                for one in (talk.agent, talk.citizen, guest):
                    one.stop_playing()
                ear.play_tone(SECOND_HZ)
                assert await hears(talk.agent, SECOND_HZ)
                unheard = [hears_not(one, SECOND_HZ) for one in (talk.citizen, guest)]
                assert all(await asyncio.gather(*unheard))
                ear.stop_playing()
                for by in (talk.agent, talk.citizen, guest):  # who hears all three, and is silent
                    by.play_tone(FIRST_HZ)
                    assert await hears(ear, FIRST_HZ)
                    by.stop_playing()

            ear = await supervisor.enters("agent1", "whisper")
            await talk.ask("invite", kind="agent", to="agent2")
            guest = await other.incoming(PATIENCE_S)
            guest.answer()
            talk.agent.stop_playing()
            guest.play_tone(GUEST_HZ)
            assert await hears(talk.citizen, GUEST_HZ), "the guest is in the room"
            await is_for_the_agent_alone(ear, guest)
            await ear.hang_up()
            again = await supervisor.enters("agent1", "whisper")
            await is_for_the_agent_alone(again, guest)
            await again.hang_up()
            await guest.hang_up()

    asyncio.run(scenario())
    assert hotline.run("ledger").returncode == 0


@pytest.mark.full
def test_who_has_barged_in_keeps_the_caller_whom_the_agent_leaves(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000742") as talk, supervising(hotline) as supervisor:
            ear = await supervisor.enters("agent1", "barge")
            talk.agent.stop_playing()
            assert await hears(talk.citizen, SECOND_HZ)
            await talk.agent.hang_up()
            assert await hears(talk.citizen, SECOND_HZ), "they go on"
            ear.stop_playing()
            assert await hears(ear, CITIZEN_HZ)
            await asyncio.sleep(2)
            await talk.citizen.hang_up()
            assert await ear.ended(PATIENCE_S)

    asyncio.run(scenario())
    call = hotline.call_of("0912000742")
    assert (call["outcome"], call["agent"]) == ("answered", "truongca")
    assert hotline.run("ledger").returncode == 0


@pytest.mark.full
def test_a_call_is_taken_over_by_who_does_not_listen_yet_and_out_of_a_question_aside(
    hotline: Hotline, carrier: Carrier
) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000743") as talk, supervising(hotline) as supervisor:
            await talk.ask("consult", kind="outside", to=LISTENS)
            assert await hears_not(talk.citizen, FIRST_HZ)
            assert await supervisor.takes_over("agent1") == "done"
            rung = await supervisor.phone.incoming(PATIENCE_S)
            assert rung.invite_header("X-Hotline-Listen") == "takeover"
            rung.answer()
            rung.play_tone(SECOND_HZ)
            assert await hears(talk.citizen, SECOND_HZ)
            assert await hears(rung, CITIZEN_HZ)
            assert await talk.agent.ended(PATIENCE_S)
            await asyncio.to_thread(
                wait_for, lambda: "Record" not in carrier.ask("core show channels concise"),
                "who was only asked goes",
            )
            rung.fall_silent()  # no good-bye: rung again, as an agent is
            await until_heard(talk.citizen, hotline, "call_broken_off")
            again = await supervisor.phone.incoming(PATIENCE_S)
            again.answer()
            again.play_tone(SECOND_HZ)
            assert await hears(talk.citizen, SECOND_HZ)
            await asyncio.sleep(2)
            await talk.citizen.hang_up()
            assert await again.ended(PATIENCE_S)

    asyncio.run(scenario())
    call = hotline.call_of("0912000743")
    assert call["agent"] == "truongca"
    assert hotline.run("ledger").returncode == 0


@pytest.mark.full
def test_who_does_not_answer_takes_nothing_over(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with talking(hotline, "0912000744") as talk, supervising(hotline) as supervisor:
            assert await supervisor.takes_over("agent1") == "done"
            rung = await supervisor.phone.incoming(PATIENCE_S)
            rung.reject()
            assert await hears(talk.citizen, FIRST_HZ)
            assert await hears(talk.agent, CITIZEN_HZ)

    asyncio.run(scenario())
    call = hotline.call_of("0912000744")
    assert call["agent"] == "agent1"
    assert {leg.agent for leg in hotline.every_leg(call["id"])} == {"agent1"}


def test_who_refused_the_recording_is_listened_to_for_a_stated_reason_of_safety_only(
    hotline: Hotline
) -> None:
    async def scenario() -> None:
        async with (
            desk_agent(hotline, "agent1") as desk, citizen(hotline, "0912000707") as phone,
            supervising(hotline) as supervisor,
        ):
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await asyncio.sleep(1)
            await call.press("*")
            at_desk = await desk.incoming(PATIENCE_S)
            at_desk.answer()
            await asyncio.sleep(1)
            assert await supervisor.ask("agent1", "listen") == "refused"
            assert await supervisor.takes_over("agent1") == "refused"
            safety = "người gọi dọa tự sát"
            assert await supervisor.ask("agent1", "listen", safety=safety) == "done"
            await (await supervisor.phone.incoming(PATIENCE_S)).hang_up()
            assert await supervisor.takes_over("agent1", safety=safety) == "done"
            rung = await supervisor.phone.incoming(PATIENCE_S)
            rung.answer()
            assert await at_desk.ended(PATIENCE_S)
            await call.hang_up()

    asyncio.run(scenario())
    assert "người gọi dọa tự sát" in hotline.log.read_text(encoding="utf-8")


def test_a_caller_who_reached_nobody_is_rung_back_by_a_click(hotline: Hotline) -> None:
    number = "0912000708"

    async def in_vain() -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await until_heard(call, hotline, "queue_connecting")
            await call.hang_up()

    async def rung_back(call: str) -> None:
        console = await asyncio.to_thread(Console, hotline, "agent1")
        async with desk_agent(hotline, "agent1", console=console) as desk:
            assert number in await asyncio.to_thread(console.page, "/work")
            await asyncio.to_thread(console.submit, "/work/ring", number=number, call=call)
            rung = await desk.incoming(PATIENCE_S)
            assert rung.invite_header("X-Hotline-Out") == number
            rung.answer()
            rung.play_tone(FIRST_HZ)
            assert await hears(rung, FIRST_HZ), "the citizen (an echo) answers"
            await rung.hang_up()
            page = await asyncio.to_thread(console.page, "/work")
            assert f'data-missed="{number}"' in page
            await asyncio.to_thread(
                console.submit, f"/work/missed/{number}/finish", result="helped"
            )
            assert number not in await asyncio.to_thread(console.page, "/work")

    asyncio.run(in_vain())
    call = hotline.call_of(number)
    assert call["outcome"] == "abandoned_queue"
    asyncio.run(rung_back(call["id"]))
    wait_for(
        lambda: {leg.kind for leg in hotline.every_leg(call["id"])} == {"agent", "outside"},
        "both legs belong to the call that was in vain",
    )
    assert hotline.run("ledger").returncode == 0
