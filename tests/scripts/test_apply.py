"""What was being brought in when somebody was killed, and what Asterisk starts with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm import secrets
from crm.settings import load
from ivr import history, provision, runtime
from scripts import apply

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
BEFORE = {
    "asterisk.conf": "systemname = th1.boot1\n", "queues.conf": "timeout = 20\n",
    "extensions.conf": "HL_MARKER=aaa\n",
}
AFTER = {**BEFORE, "queues.conf": "timeout = 30\n", "extensions.conf": "HL_MARKER=bbb\n"}
ASTERISK = runtime.Asterisk(("asterisk",), Path("/nowhere"), Path("/nowhere"), (22, 10), "test")


def files(home: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in provision.etc(home).glob("*.conf")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A hotline that runs with BEFORE since a second start, in the history since the first."""
    provision.etc(tmp_path).mkdir(parents=True)
    secrets.ensure(tmp_path, ["seat-001"])
    keep(tmp_path, BEFORE, history.IN_FORCE)
    provision.write(tmp_path, BEFORE | {"asterisk.conf": "systemname = th1.boot2\n"})
    return tmp_path


def keep(home: Path, wanted: dict[str, str], result: str) -> None:
    history.add(home, wanted, now=NOW, who="kysu", why="", kind="apply", result=result,
                changed=("queues.conf", "extensions.conf"))


@pytest.mark.parametrize("written", [(), ("queues.conf",), ("queues.conf", "extensions.conf")])
def test_however_far_it_came_the_next_one_puts_the_whole_set_back(
    home: Path, written: tuple[str, ...]
) -> None:
    running = files(home)
    keep(home, AFTER, history.APPLYING)
    provision.write(home, {name: AFTER[name] for name in written})
    asked: list[str] = []
    said = apply.recover(load({"HOTLINE_HOME": str(home)}), ASTERISK, asked.append)
    assert said == "configuration 2 had been interrupted: 1 was put back"
    assert files(home) == running  # the name of this start stays
    # what was loaded nobody knows: all that differs is loaded again
    assert asked == ["dialplan reload", "queue reload parameters"]
    assert [one.result for one in history.records(home)] == ["in force", "interrupted"]
    assert apply.recover(load({"HOTLINE_HOME": str(home)}), ASTERISK, asked.append) is None


def test_after_a_crash_asterisk_starts_with_what_ran_and_a_name_of_its_own(home: Path) -> None:
    keep(home, AFTER, history.APPLYING)
    provision.write(home, AFTER | {"asterisk.conf": "systemname = th1.boot2\n"})
    menus = home / "menus"
    menus.mkdir()
    (menus / "main.yml").write_text("menu: [half a sentence", encoding="utf-8")
    settings = load({"HOTLINE_HOME": str(home), "HOTLINE_MENUS": str(menus)})
    apply.at_start(settings, ASTERISK, again=True)
    now = files(home)
    assert {name: now[name] for name in ("queues.conf", "extensions.conf")} == {
        name: BEFORE[name] for name in ("queues.conf", "extensions.conf")
    }
    assert now["asterisk.conf"].startswith("systemname = th1.")
    assert now["asterisk.conf"] not in ("systemname = th1.boot1\n", "systemname = th1.boot2\n")


def test_a_restart_by_an_apply_keeps_the_files_that_it_has_written(home: Path) -> None:
    keep(home, AFTER, history.APPLYING)
    provision.write(home, AFTER)
    with history.alone(home, "kysu"):
        apply.at_start(load({"HOTLINE_HOME": str(home)}), ASTERISK, again=True)
    assert files(home)["queues.conf"] == AFTER["queues.conf"]
    assert history.records(home)[-1].result == history.APPLYING


def test_of_asterisks_log_only_its_own_words_about_files_count() -> None:
    refused = apply._REFUSED.findall(
        "[2026-11-26 15:00:00.123] ERROR[99] config_options.c: Could not find option 'x'\n"
        "[2026-11-26 15:00:00.124] WARNING[99][C-00000001] pbx_config.c: no such priority\n"
        "[2026-11-26 15:00:00.125] WARNING[99] res_pjsip_session.c: a caller's ERROR[1]: words\n"
    )
    assert refused == ["Could not find option 'x'", "no such priority"]
