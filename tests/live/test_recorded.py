"""What is recorded of calls, measured by tones: the caller on the left, whoever speaks with them on
the right, nobody while it is paused; and sealed after the call."""

import asyncio
import io
import time
import wave
from collections.abc import Callable

import numpy as np
import pytest

from crm.models import Call as CallRow
from crm.models import LiveCall
from crm.recordings import store
from crm.recordings.models import Kind, Sound
from ivr.phone import Call, Phone
from ivr.phone.audio import RATE, Samples, has_tone
from tests.live.people import Console, called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, wait_for

CITIZEN_HZ, AGENT_HZ, OTHER_HZ = 440, 1000, 1500


async def answered(hotline: Hotline, call: Call, desk: Phone) -> tuple[Call, str]:
    """The agent's side of a call to key 0, both with their tones, and the call's id."""
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")
    at_desk = await desk.incoming(PATIENCE_S)
    at_desk.answer()
    at_desk.play_tone(AGENT_HZ)
    call.play_tone(CITIZEN_HZ)
    return at_desk, at_desk.invite_header("X-Hotline-Call") or ""


def sealed_sides(hotline: Hotline, call_id: str) -> tuple[Samples, Samples]:
    """Both channels of a recording, once it is sealed."""
    name = f"{call_id}.raw"

    def ready() -> bool:
        with hotline.database.reading() as session:
            row = session.get(Sound, name)
            return row is not None and row.sealed_at is not None

    wait_for(ready, "the recording is sealed", 90)
    wait_for(lambda: not (hotline.home / "recordings" / name).exists(), "the plain file is gone")
    with store.opened(hotline.home, Kind.RECORDINGS, name) as sound:
        content = sound.read()
    with wave.open(io.BytesIO(content)) as wav:
        assert wav.getparams()[:3] == (2, 2, RATE)
        both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def seconds(samples: Samples, hz: float) -> list[int]:
    """In which seconds a tone stands out."""
    return [
        at // RATE for at in range(0, len(samples) - RATE // 2, RATE)
        if has_tone(samples[at:at + RATE], hz, 0.2)
    ]


def record_of(hotline: Hotline, call_id: str) -> CallRow:
    with hotline.database.reading() as session:
        row = session.get(CallRow, call_id)
        assert row is not None
        return row


def live(hotline: Hotline, call_id: str) -> str | None:
    with hotline.database.reading() as session:
        row = session.get(LiveCall, call_id)
        return row.recording if row else None


async def seen(hotline: Hotline, call_id: str, recording: str) -> None:
    """Wait until the screens show how a call is recorded."""
    await asyncio.to_thread(
        wait_for, lambda: live(hotline, call_id) == recording, f"the screens show {recording}"
    )


def asks(console: Console) -> Callable[..., str]:
    def ask(call_id: str, act: str, why: str = "") -> str:
        answer = console.ask("POST", f"/agent/calls/{call_id}/recording", {"act": act, "why": why})
        return str(answer["outcome"])

    return ask


def test_each_side_has_its_channel_and_while_it_is_paused_neither_is_recorded(
    hotline: Hotline
) -> None:
    async def scenario() -> tuple[str, float, float]:
        console = await asyncio.to_thread(Console, hotline, "agent1")
        async with (
            desk_agent(hotline, "agent1", console=console) as desk,
            citizen(hotline, "0912000801") as phone,
        ):
            call = await called(phone)
            _, id_ = await answered(hotline, call, desk)
            await seen(hotline, id_, "on")
            ask = asks(console)
            await asyncio.sleep(4)
            before = time.monotonic()
            assert await asyncio.to_thread(ask, id_, "paused", "card") == "done"
            await seen(hotline, id_, "paused")
            paused = time.monotonic()
            await asyncio.sleep(5)
            least = time.monotonic() - paused
            assert await asyncio.to_thread(ask, id_, "resumed") == "done"
            most = time.monotonic() - before
            await asyncio.sleep(4)
            await call.hang_up()
            return id_, least, most

    id_, least, most = asyncio.run(scenario())
    left, right = sealed_sides(hotline, id_)
    assert seconds(left, AGENT_HZ) == seconds(right, CITIZEN_HZ) == []
    # in step: each second has both, or neither
    assert seconds(left, CITIZEN_HZ) == seconds(right, AGENT_HZ)
    silent = [at // RATE for at in range(0, len(left) - RATE, RATE)
              if not np.any(left[at:at + RATE]) and not np.any(right[at:at + RATE])]
    assert int(least) - 2 <= len(silent) <= most + 1  # a second at each edge may be of both
    spoken = seconds(left, CITIZEN_HZ)
    assert min(spoken) < silent[0]
    assert max(spoken) > silent[-1]
    row = record_of(hotline, id_)
    assert [(one["state"], one["why"], one["by"]) for one in row.recording_marks or ()] == [
        ("paused", "card", "agent1"), ("on", "", "agent1"),
    ]
    assert abs(len(left) / RATE - row.talk_ms / 1000) < 2  # a pause takes nothing out of it
    assert hotline.run("recordings", "verify").returncode == 0


def test_a_discarded_recording_is_gone_after_the_call(hotline: Hotline) -> None:
    async def scenario() -> str:
        console = await asyncio.to_thread(Console, hotline, "agent1")
        async with (
            desk_agent(hotline, "agent1", console=console) as desk,
            citizen(hotline, "0912000802") as phone,
        ):
            call = await called(phone)
            _, id_ = await answered(hotline, call, desk)
            await seen(hotline, id_, "on")
            ask = asks(console)
            assert await asyncio.to_thread(ask, id_, "discarded", "private") == "done"
            await asyncio.sleep(2)
            await call.hang_up()
            return id_

    id_ = asyncio.run(scenario())

    def discarded() -> bool:
        with hotline.database.reading() as session:
            row = session.get(Sound, f"{id_}.raw")
            return row is not None and row.discarded_why == "private"

    wait_for(discarded, "the recording is deleted", 90)
    wait_for(lambda: not list((hotline.home / "recordings").glob(f"{id_}*")), "its file is gone")


@pytest.mark.full
def test_a_colleague_who_is_called_in_is_heard_on_the_right(hotline: Hotline) -> None:
    async def scenario() -> str:
        async with (
            desk_agent(hotline, "agent1") as desk,
            desk_agent(hotline, "agent2", phone_name="desk-02") as other,
            citizen(hotline, "0912000803") as phone,
        ):
            call = await called(phone)
            at_desk, id_ = await answered(hotline, call, desk)
            await asyncio.sleep(3)
            await seen(hotline, id_, "on")
            console = await asyncio.to_thread(Console, hotline, "agent1")
            await asyncio.to_thread(console.ask, "POST", f"/agent/calls/{id_}/with", {
                "act": "consult", "kind": "agent", "to": "agent2",
            })
            asked = await other.incoming(PATIENCE_S)
            asked.answer()
            asked.play_tone(OTHER_HZ)
            call.stop_playing()
            await asyncio.sleep(3)
            await asyncio.to_thread(
                console.ask, "POST", f"/agent/calls/{id_}/with", {"act": "together"}
            )
            at_desk.stop_playing()  # has_tone looks for what stands out
            call.play_tone(CITIZEN_HZ)
            await asyncio.sleep(5)
            await call.hang_up()
            return id_

    left, right = sealed_sides(hotline, asyncio.run(scenario()))
    assert not {*seconds(left, AGENT_HZ), *seconds(left, OTHER_HZ), *seconds(right, CITIZEN_HZ)}
    with_agent, with_other = seconds(right, AGENT_HZ), seconds(right, OTHER_HZ)
    assert with_agent
    assert with_other
    assert max(with_agent) <= min(with_other)
    # what the two said while the caller heard music is no part of the caller's recording
    assert set(with_other) <= set(seconds(left, CITIZEN_HZ))


def test_whoever_answers_after_music_or_after_somebody_else_is_recorded(hotline: Hotline) -> None:
    """Whatever number a phone's packets begin with: Debian's Asterisk takes those below the last
    source's for late ones (see scripts.speech.write_music)."""
    async def scenario() -> str:
        console = await asyncio.to_thread(Console, hotline, "agent1")
        async with citizen(hotline, "0912000805") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await until_heard(call, hotline, "queue_comfort_1")  # within the music
            async with desk_agent(hotline, "agent1", console=console) as desk:
                at_desk = await desk.incoming(PATIENCE_S)
                at_desk.number_packets_from(60_000)
                at_desk.answer()
                at_desk.play_tone(AGENT_HZ)
                call.play_tone(CITIZEN_HZ)
                id_ = at_desk.invite_header("X-Hotline-Call") or ""
                await seen(hotline, id_, "on")
                await asyncio.sleep(4)
                async with desk_agent(hotline, "agent2", phone_name="desk-02") as other:
                    await asyncio.to_thread(
                        console.ask, "POST", f"/agent/calls/{id_}/with",
                        {"act": "transfer", "kind": "agent", "to": "agent2"},
                    )
                    at_other = await other.incoming(PATIENCE_S)
                    at_other.number_packets_from(40_000)
                    at_other.answer()
                    at_other.play_tone(OTHER_HZ)
                    await asyncio.sleep(4)
                    await call.hang_up()
            return id_

    left, right = sealed_sides(hotline, asyncio.run(scenario()))
    first, second = seconds(right, AGENT_HZ), seconds(right, OTHER_HZ)
    assert len(first) >= 3
    assert len(second) >= 3
    assert max(first) <= min(second)
    assert {*first, *second} <= set(seconds(left, CITIZEN_HZ))


def test_nothing_of_a_call_that_refused_is_recorded_and_nothing_can_be_paused(
    hotline: Hotline
) -> None:
    async def scenario() -> str:
        console = await asyncio.to_thread(Console, hotline, "agent1")
        async with (
            desk_agent(hotline, "agent1", console=console) as desk,
            citizen(hotline, "0912000804") as phone,
        ):
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await asyncio.sleep(1.5)
            await call.press("*")
            at_desk = await desk.incoming(PATIENCE_S)
            at_desk.answer()
            id_ = at_desk.invite_header("X-Hotline-Call") or ""
            call.play_tone(CITIZEN_HZ)
            await asyncio.sleep(3)
            await seen(hotline, id_, "refused")
            ask = asks(console)
            assert await asyncio.to_thread(ask, id_, "paused", "card") == "refused"
            await call.hang_up()
            return id_

    id_ = asyncio.run(scenario())
    assert not list((hotline.home / "recordings").glob(f"{id_}*"))
    assert hotline.run("ledger").returncode == 0
