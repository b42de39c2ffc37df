"""What cannot start says why in a sentence, and leaves nothing half-started."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crm.settings import PROJECT
from ivr import runtime
from tests.live.running import Hotline


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Hotline:
    """A hotline that is set up and not running."""
    hotline = Hotline(tmp_path_factory.mktemp("start") / "home")
    hotline.setup()
    return hotline


def refused(hotline: Hotline, *told: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.hotline", "up"], cwd=PROJECT, capture_output=True,
        env={**hotline.environment, **environment}, text=True, timeout=120, check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    for words in told:
        assert words in done.stderr
    assert runtime.pid(hotline.home) is None


def test_a_port_in_use(ready: Hotline) -> None:
    for name in ("console_bind", "ws_bind", "ami_bind"):
        address = getattr(ready.settings, name)
        with socket.create_server((address.host, address.port)):
            refused(ready, f"cannot listen on {address}", f"HOTLINE_{name.upper()}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(ready.sip)
        refused(ready, "SIP cannot listen on", "HOTLINE_SIP_BIND")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HOTLINE_CAPACITY", "many", "capacity = 'many': must be a whole number"),
        ("HOTLINE_SIP_BIND", "localhost", "must be IPV4ADDRESS:PORT"),
        ("HOTLINE_TRUNK_MATCH", "carrier", "must be IPv4 addresses or networks"),
        ("HOTLINE_TLS_KEY", "/some/key.pem", "tls_certificate and tls_key go together"),
        ("HOTLINE_DATABASE_URL", "oracle://x", "HOTLINE_DATABASE_URL cannot be used"),
        ("HOTLINE_VOICE", "robot", "must be espeak, gtts or piper"),
        ("HOTLINE_ASTERISK", "/etc/passwd", "is no program"),
        ("HOTLINE_ASTERISK", "/bin/true", "does not tell its version"),
    ],
)
def test_a_wrong_setting(ready: Hotline, name: str, value: str, told: str) -> None:
    refused(ready, told, **{name: value})


def test_an_unknown_entry_in_the_settings_file(ready: Hotline) -> None:
    file = ready.home / "hotline.toml"
    file.write_text('capasity = 5\n', encoding="utf-8")
    try:
        refused(ready, "unknown setting capasity", str(file))
    finally:
        file.unlink()


def test_a_missing_prompt(ready: Hotline) -> None:
    sound = ready.home / "asterisk/data/sounds/vi/emergency_menu.alaw"
    sound.rename(sound.with_suffix(".away"))
    try:
        refused(ready, "prompts are missing (emergency_menu")
    finally:
        sound.with_suffix(".away").rename(sound)


def test_a_damaged_menu(tmp_path: Path, ready: Hotline) -> None:
    menus = tmp_path / "menus"
    shutil.copytree(PROJECT / "dialplans" / "menus", menus)
    with (menus / "relief.yml").open("a", encoding="utf-8") as file:
        file.write("menu: [broken\n")
    done = ready.run("menu", "check", "--folder", str(menus))
    assert done.returncode == 1
    assert "relief.yml:" in done.stderr


def test_a_state_folder_that_cannot_be_written(tmp_path: Path, ready: Hotline) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused(ready, "the state folder cannot be written", HOTLINE_HOME=str(tmp_path / "file/home"))
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        refused(ready, "cannot be written", HOTLINE_HOME=str(tmp_path / "closed/home"))


def test_a_folder_that_was_never_set_up(tmp_path: Path, ready: Hotline) -> None:
    refused(ready, "run ./scripts/run", HOTLINE_HOME=str(tmp_path / "new"))
