"""A citizen's call, as `hotline call` makes and reports it."""

import asyncio
import contextlib
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.phone import Call, Phone, PhoneError, dial, sip
from tests.ivr.phone_peers import in_loop, until


@contextlib.asynccontextmanager
async def hotline(hang_up_after: str = "") -> AsyncIterator[tuple[sip.Address, list[Call]]]:
    """A hotline that speaks (a tone) all the time and may hang up after some keys."""
    calls: list[Call] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(call: Call) -> None:
        call.answer()
        call.play_tone(300)
        if hang_up_after:
            await until(lambda: call.keys_heard == hang_up_after)
            await call.hang_up()

    def take(call: Call) -> None:
        calls.append(call)
        tasks.add(asyncio.create_task(serve(call)))

    async with Phone("127.0.0.1", user="1022") as phone:
        phone.on_incoming = take
        yield phone.address, calls


@in_loop
async def test_a_citizen_listens_presses_stays_and_hangs_up(tmp_path: Path) -> None:
    saved = tmp_path / "heard.wav"
    async with hotline() as (server, calls):
        report = await dial("1022", server=server, press="3 wait:0.1 0", hold_s=0.3, save=saved)
    assert calls[0].keys_heard == "30"
    assert calls[0].invite_header("X-Hotline-Test") == "1"  # no report counts it as a citizen
    told = json.loads(json.dumps(report.as_dict()))
    assert told["number"] == "1022"
    assert told["from"] == "0912345678"
    assert told["answered"] is True
    assert (told["sip_code"], told["ended_by"]) == (200, "citizen")
    assert [pressed["key"] for pressed in told["pressed"]] == ["3", "0"]
    assert told["pressed"][0]["at_ms"] >= told["setup_ms"] + 1500  # it listened first
    assert told["heard_speech_s"] >= 1.5
    assert told["first_audio_ms"] >= told["setup_ms"]
    assert told["rtp"]["received"] > 0
    assert told["saved"] == str(saved)
    with wave.open(str(saved)) as recording:
        assert recording.getframerate() == 8000
        assert recording.getnframes() >= 1.5 * 8000


@in_loop
async def test_a_hotline_that_hangs_up_first_is_reported() -> None:
    async with hotline(hang_up_after="3") as (server, _):
        report = await dial("1022", server=server, press="wait:0 3 0 0", hold_s=60)
    assert report.ended_by == "hotline"
    assert "".join(pressed.key for pressed in report.pressed).startswith("3")


@in_loop
async def test_a_call_that_nobody_takes_is_a_report() -> None:
    async with Phone("127.0.0.1") as desk:
        desk.on_incoming = lambda call: call.reject(503)
        report = await dial("1022", server=desk.address)
        address = desk.address
    assert (report.answered, report.sip_code, report.ended_by) == (False, 503, "not answered")
    report = await dial("1022", server=address)
    assert (report.answered, report.sip_code) == (False, None)
    assert "nothing listens there" in report.reason


@in_loop
async def test_a_call_that_makes_no_sense_is_refused_before_dialling(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a number that can be dialled"):
        await dial("1022\r\nX: y")
    with pytest.raises(ValueError, match="seconds on the line"):
        await dial("1022", hold_s=-1)
    with pytest.raises(PhoneError, match=r"cannot use 192\.0\.2\.77:0"):
        await dial("1022", from_ip="192.0.2.77")
    with pytest.raises(PhoneError, match="cannot write"):
        await dial("1022", save=tmp_path / "missing" / "heard.wav")
