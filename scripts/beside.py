"""A second hotline beside the real one, to learn or to rehearse on: its own state folder, database,
accounts and ports, and none of the real one's settings but where programs and prompts are."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from crm import settings as configuration
from crm.errors import HotlineError
from crm.setting_values import Address
from crm.settings import PROJECT, Settings

START_S = 120.0
STOP_S = 60.0


class BesideError(HotlineError):
    """The second hotline cannot be started or stopped; one sentence why."""


def environment(settings: Settings, home: Path, *, apart: int, **own: str) -> dict[str, str]:
    """What it runs with: every port `apart` higher, and `own` settings."""

    def beside(bind: Address) -> str:
        if bind.port + apart > 65535:
            raise BesideError(f"there is no port beside {bind}")
        return f"{bind.host}:{bind.port + apart}"

    shared = {
        "HOME": str(home), "CACHE": str(settings.cache),
        "RECORDINGS": str(settings.recordings), "MENUS": str(settings.menus),
        "CONSOLE_BIND": beside(settings.console_bind), "SIP_BIND": beside(settings.sip_bind),
        "WS_BIND": beside(settings.ws_bind), "AMI_BIND": beside(settings.ami_bind),
    }
    shared |= {
        name.upper(): str(value) for name in ("asterisk", "tls_certificate", "tls_key",
                                              "media_address")
        if (value := getattr(settings, name)) is not None
    }
    rest = {name: value for name, value in os.environ.items() if not name.startswith("HOTLINE_")}
    return rest | {f"HOTLINE_{name}": value for name, value in (shared | own).items()}


def running(home: Path) -> int | None:
    """The process that runs it, if one does."""
    try:
        with (home / "hotline.lock").open("r+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                written = lock.read().strip()
                return int(written) if written.isdigit() else None
    except FileNotFoundError:
        pass
    return None


def start(run_with: Mapping[str, str], what: str) -> Settings:
    """Set it up and start it in the background; its settings."""
    own = configuration.load(run_with)
    own.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "scripts.hotline"]
    log = own.home / f"{own.home.name}.log"
    with log.open("ab") as out:
        done = subprocess.run([*command, "setup"], env=run_with, cwd=PROJECT, stdout=out,
                              stderr=out, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise BesideError(f"{what} could not be set up, see {log}")
        began = log.stat().st_size
        up = subprocess.Popen([*command, "up"], env=run_with, cwd=PROJECT, stdout=out, stderr=out,
                              stdin=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + START_S
    while "Hotline 1022 runs." not in log.read_text(encoding="utf-8")[began:]:
        if up.poll() is not None or time.monotonic() > deadline:
            raise BesideError(f"{what} does not come up, see {log}")
        time.sleep(0.3)
    return own


def stop(home: Path, what: str) -> bool:
    """Stop it; False if it did not run."""
    number = running(home)
    if number is None:
        return False
    deadline = time.monotonic() + STOP_S
    while running(home) == number:
        os.kill(number, signal.SIGINT)  # the second does not wait for calls
        if time.monotonic() > deadline:
            raise BesideError(f"{what} does not stop (process {number})")
        time.sleep(1)
    return True
