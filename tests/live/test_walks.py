"""Callers who press at random: what becomes of each is computed before dialling, and is so."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.clock import VIETNAM
from ivr import menu, provision, simulate
from ivr.phone import Dtmf
from scripts import speech
from tests import generated_menus
from tests.live.people import called, citizen
from tests.live.running import Hotline, running_hotline, wait_for

CALLS, TOGETHER = 200, 8
GENERATED, CALLS_OF_EACH = 4, 48  # menus made by chance
PAUSE_S = 1.0  # between entering a place and the next key, less than any prompt lasts
SLOWNESS = 1.2


@dataclass(frozen=True)
class Script:
    """What a caller does, and what must come of it. `steps`: seconds to wait, then the key."""

    steps: tuple[tuple[float, str], ...]
    stays_s: float
    path: tuple[str, ...]
    outcome: str
    dtmf: Dtmf


def script(seed: int, menus: menu.Menus, durations_ms: dict[str, int]) -> Script:
    chance = random.Random(seed)
    walk = simulate.Walk(menus, durations_ms, datetime.now(UTC).astimezone(VIETNAM))
    steps: list[tuple[float, str]] = []
    wait_s, ignored = PAUSE_S, False
    for _ in range(chance.randint(1, 8)):
        if walk.over:
            break
        key = chance.choice("0123456789*#")
        before, lines = walk.now_ms, len(walk.lines)
        walk.press(key, by_heart=True)
        if (means_nothing := len(walk.lines) == lines) and ignored:
            continue  # pressed too often, what is said would come to its end
        steps.append((wait_s, key))
        ignored, wait_s = means_nothing, PAUSE_S + (walk.now_ms - before) / 1000
    if not walk.over and chance.random() < 0.3:
        before = walk.now_ms
        walk.stay()
        # prompts begin a little late each: whoever waits for the end waits a little longer
        late = SLOWNESS if walk.reached.startswith(("queue", "hangup")) else 1.0
        wait_s += (walk.now_ms - before) / 1000 * late
    kind = walk.reached.partition(":")[0]
    outcome = {"message": "voicemail", "queue": "abandoned_queue"}.get(kind, "abandoned_menu")
    if outcome != "voicemail" and any(line.kind == "served" for line in walk.lines):
        outcome = "self_served"
    pressed = tuple(f"{one.place}.{one.what}" for one in walk.lines if one.kind == "pressed")
    # a message needs the beep and two seconds of speech, a queue is joined in a moment
    stays_s = wait_s + {"message": 6, "queue": 2}.get(kind, 0)
    return Script(tuple(steps), stays_s, pressed, outcome, chance.choice(list(Dtmf)))


@pytest.mark.full
def test_what_becomes_of_callers_who_press_at_random_was_known_before(hotline: Hotline) -> None:
    assert_known_before(hotline, range(CALLS))


@pytest.mark.full
def test_menus_made_by_chance_do_in_asterisk_what_they_do_as_text(tmp_path: Path) -> None:
    folder = tmp_path / "menus"
    folder.mkdir()
    generated_menus.write(folder, 0)
    with running_hotline(tmp_path / "home", HOTLINE_MENUS=str(folder)) as hotline:
        for seed in range(GENERATED):
            if seed:
                generated_menus.write(folder, seed)
                done = hotline.run("apply", "--yes", "--why", f"menus {seed}")
                assert "is in force" in done.stdout, done.stdout + done.stderr
            first = 1000 * (seed + 1)
            assert_known_before(hotline, range(first, first + CALLS_OF_EACH))


def assert_known_before(hotline: Hotline, seeds: range) -> None:
    """Let a caller of each seed walk, and compare with the walk through the text."""
    settings = hotline.settings
    menus, durations_ms = provision.load_menus(settings), speech.durations_ms(settings)
    scripts = {f"09120{seed:05}": script(seed, menus, durations_ms) for seed in seeds}
    slots = asyncio.Semaphore(TOGETHER)

    async def one(number: str, plan: Script) -> None:
        async with slots, citizen(hotline, number, dtmf=plan.dtmf) as phone:
            call = await called(phone)
            for wait_s, key in plan.steps:
                await asyncio.sleep(wait_s)
                await call.press(key)
            await asyncio.sleep(plan.stays_s)
            await call.hang_up()

    async def all_of_them() -> None:
        await asyncio.gather(*(one(number, plan) for number, plan in scripts.items()))

    asyncio.run(all_of_them())
    wrong = {}
    for number, plan in scripts.items():
        call = hotline.call_of(number)
        path = tuple(f"{step['menu']}.{step['key']}" for step in call["path"] if step["key"])
        if (path, call["outcome"]) != (plan.path, plan.outcome):
            wrong[number] = (plan, path, call["outcome"])
    assert not wrong, "\n".join(f"{number}: {what}" for number, what in wrong.items())
    wait_for(lambda: "0 active calls" in hotline.ask("core show channels count"), "all calls ended")
    hotline.assert_ledger_complete()
