"""The people of the live tests: an agent with a SIP phone on the desk, callers, and an ear."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import requests

from crm import desk
from crm.recordings import store
from crm.recordings.models import Kind
from ivr.phone import Call, Dtmf, Phone, audio
from ivr.phone.audio import RATE, Samples
from ivr.phone.ear import Ear
from tests.live.running import PATIENCE_S, Hotline, wait_for


class Console:
    """A signed-in person of the console, without a browser."""

    def __init__(self, hotline: Hotline, login: str) -> None:
        self.login = login
        self._url = hotline.url
        self._http = requests.Session()
        page = self._http.get(f"{self._url}/login", timeout=PATIENCE_S).text
        answer = self._http.post(
            f"{self._url}/login", timeout=PATIENCE_S, data={
                "login": login, "password": hotline.password(login),
                "csrf_token": _token(page, r'name="csrf_token" value="([^"]+)"'),
            },
        )
        answer.raise_for_status()
        assert "/login" not in answer.url, f"{login} was not let in"
        if "/takeover" in answer.url:  # a page of an earlier test was left without signing out
            answer = self._http.post(answer.url, timeout=PATIENCE_S, data={
                "csrf_token": _token(answer.text, r'name="csrf_token" value="([^"]+)"'),
            })
        self._csrf = _token(answer.text, r'name="csrf-token" content="([^"]+)"')

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._http.cookies)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(
            method, self._url + path, json=body, timeout=PATIENCE_S,
            headers={"X-CSRFToken": self._csrf},
        )
        answer.raise_for_status()
        return answer.json()

    def submit(self, path: str, **form: str) -> str:
        """Send a form; the page that it leads to."""
        answer = self._http.post(
            self._url + path, data={"csrf_token": self._csrf, **form}, timeout=PATIENCE_S
        )
        answer.raise_for_status()
        return answer.text

    def page(self, path: str) -> str:
        answer = self._http.get(self._url + path, timeout=PATIENCE_S)
        answer.raise_for_status()
        return answer.text

    def open_stream(self) -> requests.Response:
        """The stream of events that a page of this person's would follow."""
        answer = self._http.get(
            f"{self._url}/events?page={uuid.uuid4()}", stream=True, timeout=(15, None)
        )
        answer.raise_for_status()
        return answer


def _token(page: str, pattern: str) -> str:
    found = re.search(pattern, page)
    assert found, "the page has no CSRF token"
    return found[1]


@asynccontextmanager
async def desk_agent(
    hotline: Hotline, login: str = "agent1", *, phone_name: str = "desk-01", sparse: bool = False,
    queue: str = "operator", console: Console | None = None, address: str = "127.0.0.1",
) -> AsyncIterator[Phone]:
    """An agent at a SIP desk phone, ready for calls; the phone's `incoming()` gives them. A test
    that acts as this agent brings the console: signed in again, one who is in no call has no
    phone any more."""
    seat = Phone(
        address, server=hotline.sip, user=phone_name,
        password=hotline.secrets.phones[phone_name], sparse=sparse,
    )
    async with seat:
        await seat.register()
        await asyncio.to_thread(_out_of_calls, hotline, login)
        if console is None:
            console = await asyncio.to_thread(Console, hotline, login)
        await asyncio.to_thread(
            console.ask, "POST", "/agent/phone", {"kind": "desk", "wanted": phone_name}
        )
        ready = await asyncio.to_thread(console.ask, "POST", "/agent/state", {"reason": None})
        assert ready["outcome"] == "done"
        await asyncio.to_thread(
            wait_for, lambda: f"PJSIP/{phone_name}" in hotline.ask(f"queue show {queue}"),
            "the agent is in the queue",
        )
        try:
            yield seat
        finally:  # signed in anew: by what the test did as this agent, this console was signed out
            await asyncio.to_thread(
                wait_for, partial(_gives_the_phone_up, hotline, login), "the phone is given up"
            )


def _gives_the_phone_up(hotline: Hotline, login: str) -> bool:
    """Once it is in no call; on a busy machine the console may hear only now that it was in one."""
    _out_of_calls(hotline, login)
    try:
        Console(hotline, login).ask("DELETE", "/agent/phone")
    except requests.HTTPError as error:
        if error.response.status_code != HTTPStatus.CONFLICT:
            raise
        return False
    return True


def _out_of_calls(hotline: Hotline, login: str) -> None:
    """A phone in a call stays with the sign-in it began in, until the console knows its end."""
    def is_out() -> bool:
        with hotline.database.reading() as session:
            return not desk.is_in_a_call(session, login)

    wait_for(is_out, f"{login} is in no call")


async def found_outside(hotline: Hotline) -> None:
    """Wait until the hotline knows that the carrier is there, whose telephone was opened now: what
    it asked before, it gives up within 3 s (PJSIP's qualify_timeout), and takes it for gone again.
    """
    surely = time.monotonic() + 3.5

    def found() -> bool:
        hotline.ask("pjsip qualify carrier")
        shown = hotline.ask("pjsip show contacts").splitlines()
        is_there = any("carrier/" in line and " Avail " in line for line in shown)
        return is_there and time.monotonic() > surely

    await asyncio.to_thread(wait_for, found, "the carrier can be reached")


@asynccontextmanager
async def citizen(
    hotline: Hotline, number: str, *, address: str = "127.0.0.2", dtmf: Dtmf = Dtmf.RFC4733
) -> AsyncIterator[Phone]:
    """A telephone beyond the trunk."""
    async with Phone(address, server=hotline.sip, user=number, dtmf=dtmf) as phone:
        yield phone


async def called(phone: Phone, dialled: str = "1022") -> Call:
    """A call that the hotline has answered."""
    call = await phone.call(dialled)
    assert await call.answered(PATIENCE_S), f"{call.sip_code} {call.reason}"
    return call


def ear(hotline: Hotline, prompt: str) -> Ear:
    return Ear(hotline.home / "asterisk/data/sounds/vi" / f"{prompt}.alaw")


async def until_heard(
    call: Call, hotline: Hotline, prompt: str, timeout_s: float = 120, *, after: int = 0
) -> None:
    """Wait until a prompt has been heard to its end, `after` that many samples of the call."""
    listening = ear(hotline, prompt)
    deadline = time.monotonic() + timeout_s
    start, over = after, False
    while not listening.hears(call.heard_since(start), start):
        if over or time.monotonic() > deadline:
            file = hotline.home.parent / f"not-{prompt.replace('/', '-')}.wav"
            audio.write_wav(file, call.heard)
            why = "the call is over" if over else f"not in {timeout_s:g} s"
            raise AssertionError(f"{prompt} was not heard, {why}; what was heard: {file}")
        start = max(after, call.heard_length - RATE)  # late packets come into their place
        over = await call.ended(0.3)


async def hears_tone(call: Call, hz: float) -> None:
    """Wait until somebody has heard a tone."""
    await asyncio.to_thread(wait_for, lambda: call.heard_tone(hz), f"{hz:g} Hz are heard")


def heard(samples: Samples, hotline: Hotline, prompt: str) -> bool:
    return ear(hotline, prompt).hears(samples)


def wav_samples(file: Path) -> Samples:
    """The samples of a recording of Asterisk's, which may still be growing (8 kHz, 16 bit)."""
    return _samples(file.read_bytes())


def kept_samples(hotline: Hotline, kind: Kind, name: str) -> Samples:
    """The samples of what the hotline keeps of a call, being written, whole or sealed; those of two
    channels by turns."""
    with store.opened(hotline.home, kind, name) as sound:
        return _samples(sound.read())


def _samples(whole: bytes) -> Samples:
    assert whole[:4] == b"RIFF"
    return np.frombuffer(whole[44: len(whole) // 2 * 2], np.int16)
