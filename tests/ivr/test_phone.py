"""The telephone against itself over the loopback: calls, keys, sound, hold, many at once."""

import asyncio

import numpy as np
import pytest

from ivr.phone import CallState, Dtmf, Phone, PhoneError, audio
from tests.ivr.phone_peers import answered_call, in_loop, two_phones, until


@in_loop
async def test_a_call_is_answered_heard_both_ways_and_hung_up() -> None:
    async with two_phones() as (mobile, desk):
        ours = await mobile.call("1022")
        theirs = await desk.incoming(10)
        assert theirs.caller == "0912345678"
        assert theirs.state is CallState.RINGING
        await until(lambda: ours.state is CallState.RINGING)
        theirs.answer()
        assert await ours.answered(10)
        ours.play_tone(440)
        theirs.play_tone(700)
        await until(lambda: ours.heard_tone(700) and theirs.heard_tone(440))
        assert not ours.heard_tone(440)
        assert not theirs.heard_tone(700)

        await ours.hang_up()
        assert await theirs.ended(10)
        assert (ours.hung_up_by, theirs.hung_up_by) == ("us", "them")
        assert (ours.sip_code, ours.reason) == (200, "OK")
        assert [event for _, event in ours.timeline] == [
            "ringing",
            "answered",
            "first_audio",
            "ended",
        ]
        times = [ms for ms, _ in ours.timeline]
        assert times == sorted(times)
        assert ours.stats.received > 10


@in_loop
async def test_the_called_side_may_hang_up() -> None:
    async with two_phones() as (mobile, desk):
        ours, theirs = await answered_call(mobile, desk)
        await theirs.hang_up()
        assert await ours.ended(10)
        assert ours.hung_up_by == "them"


@in_loop
async def test_keys_pass_both_ways() -> None:
    async with two_phones() as (mobile, desk):
        ours, theirs = await answered_call(mobile, desk)
        await asyncio.gather(ours.press("19*#"), theirs.press("0D"))
        await until(lambda: theirs.keys_heard == "19*#" and ours.keys_heard == "0D")
        with pytest.raises(PhoneError, match="no such key"):
            await ours.press("x")
        await ours.hang_up()
        with pytest.raises(PhoneError, match="not up"):
            await ours.press("1")


@in_loop
async def test_a_key_that_nobody_confirms_is_a_fault_of_the_line() -> None:
    quick = 0.02  # seconds, of SIP's timers
    async with Phone("127.0.0.1", user="1022", t1_s=quick) as desk, Phone(
        "127.0.0.2", server=desk.address, t1_s=quick, dtmf=Dtmf.INFO
    ) as mobile:
        ours, _ = await answered_call(mobile, desk)
        await ours.press("1")
        assert desk._endpoint
        desk._endpoint.close()  # as when the other side is killed
        with pytest.raises(PhoneError, match="takes no key"):
            await ours.press("2")
        desk._endpoint = None


@in_loop
async def test_sound_that_is_played_once_ends() -> None:
    async with two_phones() as (mobile, desk):
        ours, theirs = await answered_call(mobile, desk)
        theirs.play(audio.tone(500, 0.4))
        await until(lambda: audio.speech_s(ours.heard) >= 0.35)
        await until(lambda: audio.speech_s(ours.heard_since(ours.heard_length - 1600)) == 0)
        assert audio.speech_s(ours.heard) <= 0.45


@in_loop
async def test_hold_stops_the_sound_and_resume_brings_it_back() -> None:
    async with two_phones() as (mobile, desk):
        ours, theirs = await answered_call(mobile, desk)
        await theirs.hold()
        await until(lambda: ours.at("held") is not None)
        sent = ours.stats.sent
        ours.play_tone(440)
        await asyncio.sleep(0.2)
        assert ours.stats.sent == sent
        with pytest.raises(PhoneError, match="on hold"):
            await ours.press("1")
        await theirs.resume()
        await until(lambda: theirs.heard_tone(440))
        assert ours.at("resumed") is not None
        await ours.hold()  # and the other way round
        await until(lambda: theirs.at("held") is not None)
        await ours.hang_up()


@in_loop
async def test_a_busy_phone_refuses() -> None:
    async with two_phones() as (mobile, desk):
        desk.on_incoming = lambda call: call.reject(486)
        ours = await mobile.call("1022")
        assert not await ours.answered(10)
        assert (ours.sip_code, ours.reason) == (486, "Busy Here")
        assert ours.hung_up_by == "them"


@in_loop
async def test_a_caller_who_gives_up_cancels() -> None:
    async with two_phones() as (mobile, desk):
        ours = await mobile.call("1022", timeout_s=0.3)
        theirs = await desk.incoming(10)
        assert not await ours.answered(10)
        assert await theirs.ended(10)
        assert await ours.ended(10)
        assert await theirs.ended(0)  # looks, and does not wait
        assert (ours.sip_code, ours.hung_up_by) == (487, "us")
        assert (theirs.sip_code, theirs.hung_up_by) == (487, "them")
        with pytest.raises(PhoneError, match="rings"):
            theirs.answer()


@in_loop
async def test_a_call_may_be_hung_up_at_once() -> None:
    async with two_phones() as (mobile, _):
        ours = await mobile.call("1022")
        await ours.hang_up()
        assert ours.state is CallState.ENDED


@in_loop
async def test_closing_a_phone_hangs_up_its_calls() -> None:
    async with two_phones() as (mobile, desk):
        _, theirs = await answered_call(mobile, desk)
        await mobile.close()
        assert await theirs.ended(10)
        assert theirs.hung_up_by == "them"


@in_loop
async def test_an_address_that_cannot_be_used_is_named() -> None:
    async with Phone("127.0.0.1") as first:
        with pytest.raises(PhoneError, match=r"cannot use 127\.0\.0\.1:\d+ for SIP"):
            await Phone(*first.address).start()


@in_loop
async def test_one_phone_carries_many_calls_at_once() -> None:
    async with two_phones() as (mobile, desk):
        desk.on_incoming = lambda call: call.answer()
        calls = [await mobile.call("1022", caller=f"09{n:08d}") for n in range(30)]
        assert all([await call.answered(20) for call in calls])
        await until(lambda: all(call.stats.received for call in calls))
        await asyncio.gather(*(call.hang_up() for call in calls))
        assert {call.hung_up_by for call in calls} == {"us"}


@in_loop
async def test_keys_as_tones_are_heard_as_tones() -> None:
    async with two_phones(dtmf=Dtmf.INBAND) as (mobile, desk):
        ours, theirs = await answered_call(mobile, desk)
        await ours.press("6")
        await until(lambda: audio.is_sound(theirs.heard))
        assert theirs.keys_heard == ""
        spectrum = np.abs(np.fft.rfft(theirs.heard.astype(float)))
        hertz = np.fft.rfftfreq(theirs.heard.size, 1 / audio.RATE)
        low, high = (
            hertz[part][spectrum[part].argmax()] for part in (hertz < 1000, hertz >= 1000)
        )
        assert (abs(low - 770) < 20, abs(high - 1477) < 20) == (True, True)


def test_each_key_has_its_own_two_tones() -> None:
    assert len({audio.key_tone(key, 0.1).tobytes() for key in "0123456789*#ABCD"}) == 16
    for wrong in ("", "E", "12"):
        with pytest.raises(ValueError, match="no key"):
            audio.key_tone(wrong, 0.1)
