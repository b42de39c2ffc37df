"""Each line of docs/hardening.md has a check that a hotline as it is set up passes, and that fails
where the line is not kept."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm import first_accounts, secrets, users
from crm import settings as configuration
from crm.database import Database
from crm.models import Role
from crm.settings import PROJECT
from ivr import provision, runtime
from tests.live.running import CACHE

LINES = re.findall(
    r"^(\d+)\. .*?`([^`]+)`\n(?=\d+\. |\Z)",
    (PROJECT / "docs" / "hardening.md").read_text(encoding="utf-8"), re.M | re.S,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hotline that is set up, with Asterisk's configuration."""
    home = tmp_path_factory.mktemp("hardened") / "home"
    settings = configuration.load({"HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(CACHE)})
    home.mkdir()
    database = Database.of(settings)
    database.migrate()
    provision.prepare(settings, database)
    asterisk = runtime.find(settings, print, fetch=True)
    provision.write(home, provision.files(
        settings, secrets.load(home), provision.load_menus(settings), version=asterisk.version,
        modules=asterisk.modules, open_files=1024, boot="x",
    ))
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """One of its own for each test."""
    return shutil.copytree(made, tmp_path / "home")


def passes(check: str, home: Path, **more: str) -> bool:
    command = f'hotline() {{ {shlex.quote(sys.executable)} -m scripts.hotline "$@"; }}\n{check}'
    done = subprocess.run(
        ["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, timeout=120,
        check=False, env={
            **{key: value for key, value in os.environ.items() if not key.startswith("HOTLINE_")},
            "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(CACHE), **more,
        },
    )
    assert "command not found" not in done.stderr, done.stderr
    return done.returncode == 0


def adds(name: str, text: str) -> Callable[[Path], dict[str, str]]:
    def break_it(home: Path) -> dict[str, str]:
        with (provision.etc(home) / name).open("a", encoding="utf-8") as out:
            out.write(text)
        return {}

    return break_it


def lacks(name: str, text: str) -> Callable[[Path], dict[str, str]]:
    def break_it(home: Path) -> dict[str, str]:
        file = provision.etc(home) / name
        before = file.read_text(encoding="utf-8")
        assert text in before
        file.write_text(before.replace(text, ""), encoding="utf-8")
        return {}

    return break_it


def first_password(home: Path) -> dict[str, str]:
    settings = configuration.load({"HOTLINE_HOME": str(home)})
    with Database.of(settings).transaction() as session:
        user = users.create_user(
            session, login="admin", name="Quản trị", role=Role.ADMIN,
            password=users.generate_password(), now=datetime.now(UTC),
        )
        first_accounts.keep(home, [(user, "as-it-was")])
    return {}


def readable(home: Path) -> dict[str, str]:
    (home / "secrets.json").chmod(0o644)
    return {}


BREAKS: dict[str, Callable[[Path], dict[str, str]]] = {
    "1": readable, "2": first_password, "3": lambda _: {"HOTLINE_AMI_BIND": "0.0.0.0:5038"},
    "4": adds("manager.conf", "write = agent,command\n"),
    "5": lacks("manager.conf", "webenabled = no"), "6": adds("modules.conf", "load = res_agi.so\n"),
    "7": adds("extensions.conf", " same => n,System(id)\n"),
    "8": lacks("pjsip.conf", "deny = 0.0.0.0/0.0.0.0"),
    "9": lambda _: {"HOTLINE_TRUNK_MATCH": "anybody"},  # no rules are made of that
    "10": readable, "11": lambda _: {"HOTLINE_TRUNK_MATCH": "anybody"},
    "12": lambda _: {"HOTLINE_TRANSFER_PREFIXES": "09,00"},
    "13": lambda _: {"HOTLINE_DATABASE_URL": "postgresql://hotline@10.0.0.8/hotline"},
}


def test_every_line_has_a_check_and_a_way_to_break_it() -> None:
    assert [number for number, _ in LINES] == list(BREAKS)


@pytest.mark.parametrize(("number", "check"), LINES)
def test_the_check_tells_whether_the_line_is_kept(home: Path, number: str, check: str) -> None:
    assert passes(check, home)
    assert not passes(check, home, **BREAKS[number](home))
