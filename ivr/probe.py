"""Is the number answered? One test call through the door that carriers come by.

It is marked as a test by a header that only callers on this machine are believed: out of every
report, and in the ledger like any other. What it proves is what a process that is alive does not:
an INVITE is taken, the dialplan runs, and a voice is heard.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from crm.settings import Settings
from ivr.phone import audio
from ivr.phone.call import PhoneError
from ivr.phone.citizen import TEST
from ivr.phone.ear import Ear
from ivr.phone.phone import Phone

NUMBER = "02371022"  # the probe's own, which nobody else has
ANSWER_S = 8.0
VOICE_S = 12.0
PROMPT_S = 25.0  # until a prompt was said to its end
SPEECH_S = 1.0  # of voice, and the greeting is being said
FROM_IP = "127.0.0.2"


@dataclass(frozen=True)
class Probe:
    """What one test call found. `setup_ms`: from the INVITE to the answer."""

    heard: bool
    detail: str
    setup_ms: int | None = None


async def call(settings: Settings, *, dialled: str = "1022", ears: Sequence[Ear] = ()) -> Probe:
    """Place a test call, and hang up once the hotline has spoken for a second; with `ears`, once
    one of them has heard its prompt to the end."""
    host = "127.0.0.1" if settings.sip_bind.host == "0.0.0.0" else settings.sip_bind.host  # noqa: S104
    try:
        async with Phone(FROM_IP, server=(host, settings.sip_bind.port), user=NUMBER) as phone:
            return await _listen(phone, dialled, ears)
    except PhoneError as error:
        return Probe(False, str(error))


async def _listen(phone: Phone, dialled: str, ears: Sequence[Ear]) -> Probe:
    call = await phone.call(dialled, headers=TEST, timeout_s=ANSWER_S)
    if not await call.answered():
        told = f"{call.sip_code} {call.reason}" if call.sip_code else f"nothing in {ANSWER_S:g} s"
        return Probe(False, f"not answered: {told}")
    setup_ms = call.at("answered")
    deadline = time.monotonic() + (PROMPT_S if ears else VOICE_S)
    while time.monotonic() < deadline:
        if any(ear.hears(call.heard) for ear in ears) or (
            not ears and audio.speech_s(call.heard) >= SPEECH_S
        ):
            await call.hang_up()
            return Probe(True, f"answered after {setup_ms} ms, the greeting is heard", setup_ms)
        if await call.ended(0.2):
            return Probe(False, "the hotline hung up before it spoke", setup_ms)
    await call.hang_up()
    lacking = "the greeting is not heard" if ears else "nothing is said"
    return Probe(False, f"answered after {setup_ms} ms, but {lacking}", setup_ms)
