"""The people of the live tests: an agent with a SIP phone on the desk, callers, and an ear."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

from ivr.phone import Call, Phone
from ivr.phone.audio import CODECS, FRAME, RATE, Samples
from ivr.phone.sdp import PCMA
from tests.live.running import Hotline, wait_for


class Console:
    """A signed-in person of the console, without a browser."""

    def __init__(self, hotline: Hotline, login: str) -> None:
        self.login = login
        self._url = hotline.url
        self._http = requests.Session()
        page = self._http.get(f"{self._url}/login", timeout=10).text
        answer = self._http.post(
            f"{self._url}/login", timeout=10, data={
                "login": login, "password": hotline.password(login),
                "csrf_token": _token(page, r'name="csrf_token" value="([^"]+)"'),
            },
        )
        answer.raise_for_status()
        assert "/login" not in answer.url, f"{login} was not let in"
        self._csrf = _token(answer.text, r'name="csrf-token" content="([^"]+)"')

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(
            method, self._url + path, json=body, timeout=15, headers={"X-CSRFToken": self._csrf}
        )
        answer.raise_for_status()
        return answer.json()

    def page(self, path: str) -> str:
        answer = self._http.get(self._url + path, timeout=10)
        answer.raise_for_status()
        return answer.text


def _token(page: str, pattern: str) -> str:
    found = re.search(pattern, page)
    assert found, "the page has no CSRF token"
    return found[1]


@asynccontextmanager
async def desk_agent(
    hotline: Hotline, login: str = "agent1", *, phone_name: str = "desk-01"
) -> AsyncIterator[Phone]:
    """An agent at a SIP desk phone, ready for calls; the phone's `incoming()` gives them."""
    seat = Phone(
        "127.0.0.1", server=hotline.sip, user=phone_name,
        password=hotline.secrets.phones[phone_name],
    )
    async with seat:
        await seat.register()
        console = await asyncio.to_thread(Console, hotline, login)
        await asyncio.to_thread(
            console.ask, "POST", "/agent/phone", {"kind": "desk", "wanted": phone_name}
        )
        ready = await asyncio.to_thread(console.ask, "POST", "/agent/state", {"reason": None})
        assert ready["outcome"] == "done"
        await asyncio.to_thread(
            wait_for, lambda: f"PJSIP/{phone_name}" in hotline.ask("queue show operator"),
            "the agent is in the queue",
        )
        try:
            yield seat
        finally:
            await asyncio.to_thread(console.ask, "DELETE", "/agent/phone")


@asynccontextmanager
async def citizen(
    hotline: Hotline, number: str, *, address: str = "127.0.0.2"
) -> AsyncIterator[Phone]:
    """A telephone beyond the trunk."""
    async with Phone(address, server=hotline.sip, user=number) as phone:
        yield phone


async def called(phone: Phone, dialled: str = "1022") -> Call:
    """A call that the hotline has answered."""
    call = await phone.call(dialled)
    assert await call.answered(20), f"{call.sip_code} {call.reason}"
    return call


async def until_heard(call: Call, hotline: Hotline, prompt: str, timeout_s: float = 120) -> None:
    """Wait until a prompt has been heard to its end."""
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(heard, call.heard, hotline, prompt):
            if await call.ended(0.3):
                assert heard(call.heard, hotline, prompt), f"{prompt} was not heard, call over"
                return


def heard(samples: Samples, hotline: Hotline, prompt: str) -> bool:
    """Whether the last second and a half of a prompt stands in what was heard.

    Asterisk sends the file's own A-law bytes, 20 ms a packet: each frame of it is found again
    exactly, in its order. A third of them is proof (no other prompt has a single one), and all that
    a busy machine, on which the line stumbles, may leave.
    """
    file = hotline.home / "asterisk/data/sounds/vi" / f"{prompt}.alaw"
    speech = CODECS[PCMA].decode(file.read_bytes())
    frames = [speech[at: at + FRAME] for at in range(0, len(speech) - FRAME + 1, FRAME)]
    sounding = [frame.tobytes() for frame in frames if np.abs(frame).max() > 1000][-75:]
    line = samples.tobytes()
    found, at = 0, None
    for frame in sounding:
        # three seconds at most between two frames that both arrived
        place = line.find(frame) if at is None else line.find(frame, at, at + 6 * RATE)
        if place >= 0:
            found, at = found + 1, place + len(frame)
    return found > len(sounding) / 3


def wav_samples(file: Path) -> Samples:
    """The samples of a recording."""
    import wave

    with wave.open(str(file)) as recording:
        assert recording.getframerate() == RATE
        return np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
