"""The relays do what they say: a call passes a long line, late and whole."""

from __future__ import annotations

import asyncio

from ivr.phone import Phone
from tests.faults.relay import LongLine
from tests.ivr.phone_peers import in_loop, until

DELAY_S = 0.15


@in_loop
async def test_a_call_over_a_long_line_is_heard_both_ways_and_later() -> None:
    async with Phone("127.0.0.1", user="1022") as desk:
        with LongLine("127.0.0.2", desk.address, DELAY_S) as line:
            async with Phone("127.0.0.3", server=line.address) as mobile:
                ours = await mobile.call("1022")
                theirs = await desk.incoming(10)
                theirs.answer()
                assert await ours.answered(10)
                assert (ours.at("answered") or 0) >= 2 * DELAY_S * 1000
                ours.play_tone(440)
                theirs.play_tone(700)
                await until(lambda: ours.heard_tone(700) and theirs.heard_tone(440))
                await ours.press("5")
                await until(lambda: theirs.keys_heard == "5")
                await ours.hang_up()
                assert await theirs.ended(10)
        await asyncio.sleep(0)
