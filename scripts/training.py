"""`hotline training`: a second hotline beside the real one, and the citizens who call it.

It has its own state folder, database, accounts and ports, and none of the real one's settings but
where programs and prompts are: no carrier, no messages, no numbers (the setting stage = training
refuses them). Its citizens speak by the embedded voice over real SIP and RTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import select

from crm import training
from crm.database import Database
from crm.errors import HotlineError
from crm.models import LiveCall, LiveState
from crm.settings import Settings
from crm.training import Played, Script
from ivr.phone import Phone, audio
from ivr.phone.audio import RATE, Samples
from ivr.phone.call import Call, PhoneError
from ivr.phone.citizen import parse_press
from prompts import sound
from prompts.voices import EspeakVoice
from scripts import beside

PORTS_APART = 100
THINKS_S = 2.0  # between keys, and between sentences
STAYS_S = 45.0  # with an agent, after the last sentence
BACK_S = 5.0  # until somebody who has given up calls again
LISTENS_S = 0.2
PAUSE_S = 1.0
_VOICED_S = 0.08  # within that, and the other side speaks


class TrainingError(HotlineError):
    """The training cannot be started or stopped; one sentence why."""


def home(settings: Settings) -> Path:
    return settings.home / "training"


def environment(settings: Settings) -> dict[str, str]:
    """What the training runs with: nothing of the real hotline's that leads outside."""
    if settings.stage == "training":
        raise TrainingError("this is the training itself: say it with the real hotline's settings")
    return beside.environment(
        settings, home(settings), apart=PORTS_APART, STAGE="training",
        SEATS=str(settings.seats), DESK_PHONES=str(settings.desk_phones),
        WRAPUP_S=str(settings.wrapup_s), SERVICE_LEVEL_S=str(settings.service_level_s),
        TRUNK_MATCH="127.0.0.2",
    )


def running(settings: Settings) -> int | None:
    """The process that runs the training, if one does."""
    return beside.running(home(settings))


def start(settings: Settings) -> Settings:
    """Set up and start the training in the background; its settings. Raises HotlineError."""
    if running(settings) is not None:
        raise TrainingError("the training runs already: hotline training status")
    return beside.start(environment(settings), "the training")


def stop(settings: Settings) -> bool:
    """Stop the training; False if none ran."""
    return beside.stop(home(settings), "the training")


async def shift(settings: Settings, calls: int, every_s: float, wanted: Sequence[str]) -> None:
    """Let citizens call the training that has these settings, one after another; ends when the last
    has gone. Raises TrainingError where it is no training."""
    if settings.stage != "training":
        raise TrainingError("simulated citizens call a training only, never the real hotline")
    known = training.scripts()
    if unknown := [name for name in wanted if name not in known]:
        raise TrainingError(f"there is no script {unknown[0]}; there are {', '.join(known)}")
    chosen = [known[name] for name in wanted or known]
    training.begin(settings.home)
    database, voice = Database.of(settings), EspeakVoice()
    run = f"018{int(time.time()) % 10_000:04}"  # numbers of eleven digits, which nobody has
    host = "127.0.0.1" if settings.sip_bind.host == "0.0.0.0" else settings.sip_bind.host  # noqa: S104
    lines = {
        sentence: _line(voice, sentence) for script in chosen for sentence in script.says
    }
    try:
        async with (
            Phone("127.0.0.2", server=(host, settings.sip_bind.port), user=f"{run}0000") as phone,
            asyncio.TaskGroup() as citizens,
        ):
            for number in range(calls):
                citizen = _Citizen(settings, database, phone, lines, f"{run}{number:04}")
                citizens.create_task(citizen.live(number, chosen[number % len(chosen)]))
                await asyncio.sleep(every_s if number < calls - 1 else 0)
    except* PhoneError as errors:
        raise TrainingError(str(errors.exceptions[0])) from errors


def _line(voice: EspeakVoice, sentence: str) -> Samples:
    spoken = voice.speak(sentence)
    ready = sound.prepare_speech(spoken.samples, spoken.rate, 100, 200)
    return (np.clip(ready, -1, 1) * 32767).astype(np.int16)


class _Citizen:
    """Calls, presses, waits, speaks, hangs up, calls again."""

    def __init__(
        self, settings: Settings, database: Database, phone: Phone,
        lines: Mapping[str, Samples], caller: str,
    ) -> None:
        self._settings = settings
        self._database = database
        self._phone = phone
        self._lines = lines
        self._caller = caller

    async def live(self, number: int, script: Script) -> None:
        gave_up = await self._call(number * 2, script)
        if gave_up and script.redials:
            await asyncio.sleep(BACK_S)
            await self._call(number * 2 + 1, replace_waits(script))

    async def _call(self, number: int, script: Script) -> bool:
        """True if the citizen had to give up."""
        played = Played(number, script.id, self._caller, datetime.now(UTC))
        training.note(self._settings.home, played)
        call = await self._phone.call("1022", caller=self._caller, timeout_s=30)
        listening = asyncio.create_task(self._listens(call))
        reached = await call.answered() and await self._gets_through(call, script)
        if reached:
            await self._speaks(call, script)
        gone = call.hung_up_by is not None
        await call.hang_up()
        over = call.at("ended") if gone else None
        ended = played.placed_at + timedelta(milliseconds=over) if over else datetime.now(UTC)
        training.note(self._settings.home, replace(
            played, ended_at=ended, gave_up=not reached, speech=await listening,
        ))
        return not reached

    async def _listens(self, call: Call) -> tuple[tuple[float, float], ...]:
        """When something is heard, in seconds: from, to; pauses of a second do not part it. By the
        clock: the packets' own times jump where the sound comes from somebody else."""
        began, heard = time.monotonic(), 0
        spans: list[tuple[float, float]] = []
        over = False
        while not over:
            over = await call.ended(LISTENS_S)
            now, new = time.monotonic() - began, call.heard_since(heard)
            heard += len(new)
            if audio.speech_s(new) < _VOICED_S:
                continue
            if spans and now - spans[-1][1] <= PAUSE_S:
                spans[-1] = spans[-1][0], round(now, 1)
            else:
                spans.append((round(max(0.0, now - LISTENS_S), 1), round(now, 1)))
        return tuple(spans)

    async def _gets_through(self, call: Call, script: Script) -> bool:
        """Through the menus, and waits for somebody; False: it gave up, or was cut off."""
        for step in parse_press(script.keys):
            if await call.ended(THINKS_S if step.wait_s is None else step.wait_s):
                return False
            await call.press(step.keys)
        deadline = time.monotonic() + script.waits_s
        while time.monotonic() < deadline:
            if await asyncio.to_thread(self._talks):
                return True
            if await call.ended(0.4):
                return False
        return False

    def _talks(self) -> bool:
        with self._database.reading() as session:
            return session.scalar(select(LiveCall.id).where(
                LiveCall.caller == self._caller, LiveCall.state == LiveState.TALKING.value
            ).limit(1)) is not None

    async def _speaks(self, call: Call, script: Script) -> None:
        if await call.ended(script.pause_s):
            return
        for sentence in script.says:
            line = self._lines[sentence]
            call.play(line)
            if await call.ended(len(line) / RATE + THINKS_S):
                return
        await call.ended(STAYS_S)


def replace_waits(script: Script) -> Script:
    """The same citizen, who is patient the second time."""
    return script.model_copy(update={"waits_s": 90.0, "redials": False})
