"""A backup that is made while people call comes back with a ledger that checks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for
from tests.postgres import running_postgres

pytestmark = pytest.mark.full

CALLS_S = 60  # for which callers come, three a second


KEPT = ("switch", "callback_refused")  # families of AstDB that are the same after a restore


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The database of the hotline, and a scratch one on the same server."""
    if request.param == "sqlite":
        yield {}, {}
        return
    with running_postgres() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            for name in ("hotline", "scratch"):
                connection.execute(f"CREATE DATABASE {name}")
        first, second = (
            {"HOTLINE_DATABASE_URL":
             make_url(server).set(database=name).render_as_string(hide_password=False)}
            for name in ("hotline", "scratch")
        )
        yield first, second


def families(hotline: Hotline) -> dict[str, list[str]]:
    """What Asterisk knows of those that are kept."""
    return {
        name: [" ".join(line.split()) for line in hotline.ask(f"database show {name}").splitlines()
               if line.startswith("/")]
        for name in KEPT
    }


def test_a_backup_under_load_comes_back_with_a_ledger_that_checks(
    tmp_path: Path, urls: tuple[dict[str, str], dict[str, str]]
) -> None:
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

    with running_hotline(tmp_path / "home", HOTLINE_BACKUP_KEY=str(key), **urls[0]) as hotline:
        hotline.ask("database put callback_refused 0912000952 1763845445")
        assert hotline.run("switch", "notice", "disaster").returncode == 0
        assert hotline.run("switch", "day.20270208", "closed").returncode == 0
        known = families(hotline)
        assert all(known.values())
        file, outcomes = asyncio.run(scenario(hotline))
        hotline.assert_ledger_complete()

    scratch = Hotline(tmp_path / "scratch", HOTLINE_BACKUP_KEY=str(key), **urls[1])
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
    scratch.setup()
    try:
        scratch.start()
        wait_for(lambda: families(scratch) == known, f"Asterisk knows {known} again")
    finally:
        scratch.stop()
