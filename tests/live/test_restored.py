"""A backup that is made while people call comes back with a ledger that checks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for

pytestmark = pytest.mark.full

CALLS_S = 60  # for which callers come, three a second


def test_a_backup_under_load_comes_back_with_a_ledger_that_checks(tmp_path: Path) -> None:
    key = tmp_path / "passphrase"
    key.write_text("mười hai con giáp và một con mèo", encoding="utf-8")
    folder = tmp_path / "backups"

    async def scenario(hotline: Hotline) -> tuple[Path, dict[str, str | None]]:
        async with desk_agent(hotline) as seat, citizen(hotline, "0912000951") as phone:
            talk = await called(phone)
            await until_heard(talk, hotline, "greeting_main")
            await talk.press("0")
            ringing = await seat.incoming(PATIENCE_S)
            ringing.answer()
            load = asyncio.create_task(asyncio.to_thread(
                hotline.json, "load", "--rate", "3", "--duration", str(CALLS_S)
            ))
            await asyncio.to_thread(
                wait_for, lambda: len(hotline.calls()) > 3 * CALLS_S // 3, "calls come"
            )
            made = await asyncio.to_thread(hotline.run, "backup", "make", str(folder))
            assert made.returncode == 0, made.stderr
            told = await load  # callers came from before the backup to after it
            assert told["failures"] == {}, json.dumps(told)
            assert told["ledger"] == {"missing": [], "double": [], "unexplained": 0}
            assert not await talk.ended(0)
            await talk.hang_up()
        (file,) = folder.glob("*.backup")
        wait_for(lambda: not [one for one in hotline.calls() if not one["outcome"]], "all is over")
        return file, {one["id"]: one["outcome"] for one in hotline.calls()}

    with running_hotline(tmp_path / "home", HOTLINE_BACKUP_KEY=str(key)) as hotline:
        file, outcomes = asyncio.run(scenario(hotline))
        hotline.assert_ledger_complete()

    scratch = Hotline(tmp_path / "scratch", HOTLINE_BACKUP_KEY=str(key))
    back = scratch.run("backup", "restore", str(file))
    assert back.returncode == 0, back.stderr
    told = scratch.json("ledger")
    assert (told["unexplained"], told["unread_bytes"], told["gaps"]) == (0, 0, 0)
    there = {one["id"]: one["outcome"] for one in scratch.calls()}
    assert told["calls"] == len(there) > CALLS_S
    assert len(there) < len(outcomes), "the backup was made while calls came"
    ended = {id_: outcome for id_, outcome in there.items() if outcome}
    assert ended.items() <= outcomes.items()
    assert told["open"] == len(there) - len(ended) > 0
