"""A whole hotline, started for a test with its own state folder, ports and database."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import requests
from sqlalchemy import select

from crm import secrets
from crm import settings as configuration
from crm.calls import record as calls
from crm.database import Database
from crm.models import Leg, ListenerState
from crm.settings import PROJECT, Settings
from ivr import ledger, runtime
from ivr.journal_reader import STAMP
from scripts.up import runs_as

T = TypeVar("T")
PATIENCE_S = 60.0  # for what happens at once on a machine that is not busy
CACHE = PROJECT / "var" / "cache"
HOTLINE = [sys.executable, "-m", "scripts.hotline"]


def _own_ports() -> Iterator[int]:
    """This worker's alone, below those that the kernel gives to whoever asks for any: each Asterisk
    asks for some, on all addresses."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    ports = range(26_000 + 800 * worker, 26_800 + 800 * worker)
    first = os.getpid() % len(ports)
    return cycle((*ports[first:], *ports[:first]))


_PORTS = _own_ports()


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now on any address, for TCP and UDP alike."""
    ports: list[int] = []
    while len(ports) < count:
        port = next(_PORTS)
        with suppress(OSError), socket.create_server(("", port)), socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM
        ) as udp:
            udp.bind(("", port))
            ports.append(port)
    return ports


def wait_for(look: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
    """The first true answer of `look`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.1
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last seen: {found!r}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.3, 0.5)


class Hotline:
    """A hotline under test: `start`, call it, look into it, `stop`."""

    command = HOTLINE
    folder = PROJECT  # where it is called

    def __init__(self, home: Path, **overrides: str) -> None:
        console, sip, ws, ami = free_ports(4)
        self.home = home
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HOTLINE_")},
            "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(CACHE),
            "HOTLINE_CONSOLE_BIND": f"127.0.0.1:{console}", "HOTLINE_SIP_BIND": f"127.0.0.1:{sip}",
            "HOTLINE_WS_BIND": f"127.0.0.1:{ws}", "HOTLINE_AMI_BIND": f"127.0.0.1:{ami}",
            "HOTLINE_SEATS": "8", "HOTLINE_DESK_PHONES": "4", "HOTLINE_WRAPUP_S": "2",
            "HOTLINE_BALLAST_MB": "1",
            **overrides,
        }
        self.log = home.parent / f"{home.name}.log"
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        return configuration.load(self.environment)

    @property
    def sip(self) -> tuple[str, int]:
        return self.settings.sip_bind.host, self.settings.sip_bind.port

    @property
    def url(self) -> str:
        bind = self.settings.console_bind
        host = "127.0.0.1" if bind.host == "0.0.0.0" else bind.host  # noqa: S104
        return f"{'http' if bind.is_loopback else 'https'}://{host}:{bind.port}"

    @cached_property
    def asterisk(self) -> runtime.Asterisk:
        return runtime.find(self.settings, lambda _: None, fetch=False)

    @property
    def secrets(self) -> secrets.Secrets:
        return secrets.load(self.home)

    def password(self, login: str) -> str:
        accounts = (self.home / "first-accounts.txt").read_text(encoding="utf-8")
        return next(line.split()[1] for line in accounts.splitlines() if line.split()[0] == login)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The `hotline` command with this hotline's settings."""
        return subprocess.run(
            [*self.command, *words], env=self.environment, capture_output=True, text=True,
            timeout=300, check=False, cwd=self.folder,
        )

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise AssertionError(f"hotline {words}: {done.stdout}{done.stderr}") from error

    def setup(self) -> None:
        done = self.run("setup")
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, timeout_s: float = 90, *, with_database: bool = True) -> None:
        """`hotline up`, until it says that it runs."""
        began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._up = subprocess.Popen(
                [*self.command, "up"], env=self.environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )

        def runs() -> bool:
            assert self._up is not None
            assert self._up.poll() is None, self.tail()
            return "Hotline 1022 runs." in self.log.read_text(encoding="utf-8")[began:]

        wait_for(runs, f"hotline up runs, see {self.log}", timeout_s)
        if with_database:
            wait_for(lambda: self.listener_connected, "the listener is connected")

    @cached_property
    def database(self) -> Database:
        return Database.of(self.settings)

    @property
    def listener_connected(self) -> bool:
        with self.database.reading() as session:
            state = session.get(ListenerState, self.settings.node)
            fresh = state and datetime.now(UTC) - state.seen_at < timedelta(seconds=20)
            return bool(state and fresh and state.connected)

    @property
    def console_answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    @property
    def up_pid(self) -> int:
        assert self._up is not None
        return self._up.pid

    def kill_supervisor(self) -> None:
        """kill -9 of `hotline up`; the processes it watched end by themselves."""
        assert self._up is not None
        self._up.kill()
        self._up.wait()

    def stop(self) -> None:
        """Ctrl-C twice (calls need not end by themselves); Asterisk must be gone too."""
        if self._up is not None and self._up.poll() is None:
            self._up.send_signal(signal.SIGINT)
            time.sleep(0.5)
            if self._up.poll() is None:
                self._up.send_signal(signal.SIGINT)
            self._up.wait(2 * PATIENCE_S)
        if (number := runtime.pid(self.home)) is not None:
            os.kill(number, signal.SIGKILL)

    def pid_of(self, name: str) -> int:
        """Process id of asterisk, tailer, listener, scheduler or console."""
        if name == "asterisk":
            return wait_for(lambda: runtime.pid(self.home) or 0, "Asterisk is alive")

        def look() -> int:
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    parent = re.search(r"PPid:\s+(\d+)", (folder / "status").read_text())
                except OSError:
                    continue
                if parent and int(parent[1]) == self.up_pid and runs_as(folder.name, name):
                    return int(folder.name)
            return 0

        return wait_for(look, f"the process {name} is alive")

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to one of our own processes (the console's workers included)."""
        pid = self.pid_of(name)
        if name == "asterisk":
            os.kill(pid, number)
        else:
            os.killpg(pid, number)  # each runs in a session of its own
        return pid

    def tail(self, lines: int = 30) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def calls(self) -> list[dict[str, Any]]:
        """The last calls, the newest last."""
        with self.database.reading() as session:
            return [calls.as_json(call) for call in calls.latest(session, 1000)]

    def call_of(self, caller: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The newest call of a number, once it has an outcome."""

        def ended() -> dict[str, Any] | None:
            mine = [call for call in self.calls() if call["caller"] == caller]
            return mine[-1] if mine and mine[-1]["outcome"] else None

        found = wait_for(ended, f"the call of {caller} has an outcome", timeout_s)
        assert found is not None
        return found

    def every_leg(self, call: str) -> list[Leg]:
        """The legs of a call, first begun first."""
        with self.database.reading() as session:
            return list(session.scalars(
                select(Leg).where(Leg.call_id == call).order_by(Leg.started_at)
            ))

    def legs(self, call: str) -> list[Leg]:
        """Those on which an agent spoke with the caller."""
        return [leg for leg in self.every_leg(call) if leg.kind == "agent" and leg.talk_ms]

    def ask(self, command: str) -> str:
        """A command on Asterisk's control socket."""
        return runtime.ask(self.asterisk, self.home, command) or ""

    def journal(self) -> str:
        """All that is in the journal."""
        return "".join(
            part.read_text(encoding="utf-8", errors="replace")
            for part in sorted((self.home / "journal").glob("*.csv"))
        )

    def ledger(self) -> ledger.Ledger:
        with self.database.reading() as session:
            return ledger.check(session, self.home / "journal", self.settings.node)

    def assert_ledger_complete(self) -> None:
        """Every call of the journal has exactly one outcome."""
        wait_for(lambda: self.ledger().unread_bytes == 0, "the journal is read")
        assert not self.ledger().unexplained


# Of a hotline with these, set-up makes something else.
SET_UP_BY = {"HOTLINE_DATABASE_URL", "HOTLINE_RECORDINGS", "HOTLINE_ASTERISK"}


@cache
def _set_up_once() -> tempfile.TemporaryDirectory[str]:
    """A state folder as set-up leaves it, from which those of other hotlines are copied."""
    folder = tempfile.TemporaryDirectory(prefix="hotline-set-up-")
    Hotline(Path(folder.name) / "home").setup()
    return folder


@contextmanager
def running_hotline(home: Path, **overrides: str) -> Iterator[Hotline]:
    """A hotline that is set up, started, and stopped at the end."""
    hotline = Hotline(home, **overrides)
    try:
        if SET_UP_BY & overrides.keys():
            hotline.setup()
        else:
            shutil.copytree(Path(_set_up_once().name) / "home", home, dirs_exist_ok=True)
        hotline.start()
        yield hotline
    finally:
        hotline.stop()


@contextmanager
def blocked_journal(hotline: Hotline) -> Iterator[None]:
    """Asterisk cannot write its records meanwhile; then they come, in order."""
    journal = hotline.home / "journal" / "journal.csv"
    journal.rename(journal.with_name(datetime.now(UTC).strftime(STAMP)))
    os.mkfifo(journal)  # a writer blocks on it until somebody reads
    try:
        yield
    finally:
        _release(journal)


def _release(path: Path) -> None:
    """Let the blocked record through into a real file again, in order."""
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    path.unlink()
    time.sleep(1)  # the writer that waited writes its one record
    held, deadline = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            chunk = os.read(reader, 65536)
        except BlockingIOError:  # a busy machine: the writer has opened it, and not written yet
            time.sleep(0.05)
            continue
        if not chunk:
            break
        held += chunk
    os.close(reader)
    with path.open("ab") as out:
        out.write(held)
