"""An operator's own Asterisk, named in HOTLINE_ASTERISK, below a prefix of its own."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from crm import settings as configuration
from ivr import runtime
from tests.live.people import called, citizen, until_heard
from tests.live.running import CACHE, Hotline, running_hotline


def installed(prefix: Path) -> Path:
    """The Asterisk of the tests as if it were installed below `prefix`; its program."""
    unpacked = runtime.find(
        configuration.load({"HOTLINE_HOME": str(prefix), "HOTLINE_CACHE": str(CACHE)}),
        lambda _: None, fetch=True,
    )
    program = prefix / "sbin" / "asterisk"
    for link, target in (
        (prefix / "lib/asterisk/modules", unpacked.modules),
        (prefix / "share/asterisk/documentation", unpacked.documents),
    ):
        link.parent.mkdir(parents=True)
        link.symlink_to(target)
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(unpacked.command)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def test_an_operators_own_asterisk_carries_the_calls(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def scenario(hotline: Hotline) -> None:
        async with citizen(hotline, "0912000601") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.hang_up()

    folder = tmp_path_factory.mktemp("own")
    program = installed(folder / "opt")
    with running_hotline(folder / "home", HOTLINE_ASTERISK=str(program)) as hotline:
        asyncio.run(scenario(hotline))
        assert hotline.call_of("0912000601")["outcome"] == "abandoned_menu"
        found = {check["name"]: check for check in hotline.json("doctor")["checks"]}
        assert "(HOTLINE_ASTERISK)" in found["asterisk"]["detail"]
        assert found["modules"]["status"] == "ok"


@pytest.mark.parametrize(("says", "why"), [
    ("Asterisk 18.20.1", "is version 18; 20 or newer is needed"),
    ("something else", "does not tell its version"),
])
def test_one_that_is_too_old_or_something_else_is_refused(
    says: str, why: str, tmp_path: Path
) -> None:
    program = tmp_path / "asterisk"
    program.write_text(f"#!/bin/sh\necho {shlex.quote(says)}\n", encoding="utf-8")
    program.chmod(0o755)
    settings = configuration.load(
        {"HOTLINE_HOME": str(tmp_path / "home"), "HOTLINE_ASTERISK": str(program)}
    )
    with pytest.raises(runtime.RuntimeFault, match=why):
        runtime.find(settings, lambda _: None, fetch=False)
