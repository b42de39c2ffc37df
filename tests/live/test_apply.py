"""Menus that are edited while the hotline runs: wrong ones are refused, right ones are in force at
once, and whoever is on the line goes on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.provision import MENUS
from tests.live.people import called, citizen, until_heard
from tests.live.running import Hotline, running_hotline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(MENUS, tmp_path_factory.mktemp("apply") / "menus"))


@pytest.fixture(scope="module")
def hotline(folder: Path) -> Iterator[Hotline]:
    with running_hotline(folder.parent / "home", HOTLINE_MENUS=str(folder)) as running:
        yield running


def edit(folder: Path, before: str, after: str) -> None:
    file = folder / "main.yml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


async def presses_three(hotline: Hotline, number: str, heard: str) -> None:
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("3")
        await until_heard(call, hotline, heard)
        await call.hang_up()


def test_a_wrong_menu_is_refused_and_a_right_one_is_in_force_at_once(
    hotline: Hotline, folder: Path
) -> None:
    assert "nothing has changed" in hotline.run("apply").stdout
    edit(folder, "say: main_menu_3, goto: vaccine", "say: main_menu_3, goto: nowhere")
    refused = hotline.run("apply")
    assert refused.returncode == 1
    assert "main.yml" in refused.stderr
    assert "nowhere" in refused.stderr
    asyncio.run(presses_three(hotline, "0912000891", "vaccine_menu_intro"))  # the old one stays
    edit(folder, "goto: nowhere}", "goto: testing}")
    edit(folder, "say: main_menu_2, goto: testing", "say: main_menu_2, goto: vaccine")

    async def on_the_line() -> None:
        async with citizen(hotline, "0912000892") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            done = await asyncio.to_thread(hotline.run, "apply")
            assert done.returncode == 0, done.stderr
            assert "in force" in done.stdout
            await call.press("3")
            await until_heard(call, hotline, "test_menu_intro")
            await call.hang_up()

    asyncio.run(on_the_line())
    asyncio.run(presses_three(hotline, "0912000893", "test_menu_intro"))
    assert hotline.call_of("0912000892")["branch"] == "testing"
    assert hotline.run("ledger").returncode == 0
