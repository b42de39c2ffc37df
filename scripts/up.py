"""`hotline up`: the whole hotline in the foreground.

Starts Asterisk (or adopts the one that outlived an earlier supervisor) and the five Python
processes, restarts what dies with back-off, and on Ctrl-C stops all of it.

The five are forked from here, where all that they need has been read: what died is back at once and
not after seconds of reading, runs the release that the others run, and shares its memory with them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import IO

import click
from sqlalchemy.exc import SQLAlchemyError

from crm import first_accounts
from crm.database import Database, DatabaseError
from crm.errors import HotlineError
from crm.notices import outbox
from crm.setting_values import Address
from crm.settings import Settings
from ivr import history, provision, recordings, runtime, set_back, tls
from ivr.room import Room
from scripts import PROCESSES, apply, setup

log = logging.getLogger("up")

BACKOFF_FIRST_S = 0.5
BACKOFF_LIMIT_S = 30.0
STEADY_S = 60.0  # alive that long: the next death starts with a short pause again
STOP_S = 8.0
STOPPING = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
NEEDED = (  # by the five, at once or later
    "agent_console.server", "ivr.journal", "ivr.listener", "scripts.answers", "scripts.broadcasts",
    "scripts.heard", "scripts.hotline", "scripts.scheduler", "fpdf", "numpy", "openpyxl",
)


class UpError(HotlineError):
    """The hotline cannot be started. The message says why and what to do."""


def pid_file(home: Path, name: str) -> Path:
    """Where the number of one of our processes stands, for whoever finds it stuck."""
    return home / "log" / f"{name}.pid"


def runs_as(pid: int | str, name: str) -> bool:
    """Whether this process is the one of the five that has this name (as `ps -o comm` shows it)."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name
    except OSError:
        return False


def read_what_is_needed() -> None:
    """Whatever cannot be read is told by the process that needs it, when it starts: the others run.
    """
    for name in NEEDED:
        try:
            import_module(name)
        except Exception as error:  # code that is damaged may raise anything
            log.error("%s cannot be read: %s", name, error)
    gc.collect()
    gc.freeze()  # a look for garbage would give each process its own copy of what they share


def _become(name: str, lock: int) -> None:
    """In the forked process: no more the supervisor. `lock`: of the state folder, which must not
    outlive the supervisor while this process comes to its end."""
    os.close(lock)
    libc = ctypes.CDLL(None)
    # with the supervisor killed, ours must not run on beside those of the next one
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    libc.prctl(PR_SET_NAME, name.encode())
    os.setsid()
    os.nice(5)  # speech comes first
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    try:
        import_module("scripts.hotline").main(["process", name], prog_name="hotline")
    except Exception:  # shown as any program's: masked, and as JSON if so wished
        sys.excepthook(*sys.exc_info())
        sys.exit(1)


@dataclass
class Process:
    """One of our own processes, restarted when it dies."""

    name: str
    home: Path
    lock: int  # the supervisor's file
    running: ForkProcess | None = None
    started: float = 0.0
    restart_at: float = 0.0
    backoff_s: float = field(default=BACKOFF_FIRST_S)

    def start(self) -> None:
        self.running = multiprocessing.get_context("fork").Process(
            target=_become, args=(self.name, self.lock), name=self.name
        )
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # until it minds them itself
        try:
            self.running.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        pid_file(self.home, self.name).write_text(f"{self.running.pid}\n", encoding="ascii")
        self.started = time.monotonic()

    def watch(self, now: float) -> None:
        """Notice a death, restart after the pause."""
        if self.running and (code := self.running.exitcode) is not None:
            if now - self.started > STEADY_S:
                self.backoff_s = BACKOFF_FIRST_S
            log.error(
                "%s (pid %d) ended with %s; again in %.1f s",
                self.name, self.running.pid, _ending(code), self.backoff_s,
            )
            self.running, self.restart_at = None, now + self.backoff_s
            self.backoff_s = min(self.backoff_s * 2, BACKOFF_LIMIT_S)
        if self.running is None and now >= self.restart_at:
            self.start()
            log.info("%s started (pid %d)", self.name, self.running.pid if self.running else 0)

    def stop(self, deadline: float) -> None:
        if self.running is None:
            return
        self.running.join(max(0.0, deadline - time.monotonic()))
        if self.running.exitcode is None:
            log.warning("%s does not stop: killed", self.name)
            self.running.kill()
            self.running.join()


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@contextmanager
def only_one(settings: Settings) -> Iterator[IO[str]]:
    """Hold the state folder: a second `hotline up` on it is refused."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        file = (settings.home / "hotline.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UpError(f"the state folder cannot be written: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise UpError(
                f"a hotline already runs on {settings.home} (pid {file.read().strip() or '?'}): "
                "stop it first, or give this one another HOTLINE_HOME"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield file


def check_ports(settings: Settings, *, asterisk_runs: bool) -> None:
    """Refuse to start when somebody else listens where we would. Raises UpError."""
    wanted = [("console", settings.console_bind, socket.SOCK_STREAM, "HOTLINE_CONSOLE_BIND")]
    if not asterisk_runs:
        wanted += [
            ("SIP", settings.sip_bind, socket.SOCK_DGRAM, "HOTLINE_SIP_BIND"),
            ("WebSocket", settings.ws_bind, socket.SOCK_STREAM, "HOTLINE_WS_BIND"),
            ("AMI", settings.ami_bind, socket.SOCK_STREAM, "HOTLINE_AMI_BIND"),
        ]
    for name, address, kind, setting in wanted:
        _check_port(name, address, kind, setting)


def _check_port(name: str, address: Address, kind: int, setting: str) -> None:
    datagram = kind == socket.SOCK_DGRAM
    if trouble := runtime.port_taken(address.host, address.port, datagram=datagram):
        raise UpError(
            f"{name} cannot listen on {address}: {trouble}. "
            f"Stop what uses it, or set {setting} to another address"
        )


class Supervisor:
    """Runs Asterisk and the processes until told to stop."""

    def __init__(
        self, settings: Settings, database: Database, asterisk: runtime.Asterisk, lock: int
    ) -> None:
        self._settings = settings
        self._database = database
        self._asterisk = asterisk
        self._processes = [Process(name, settings.home, lock) for name in PROCESSES]
        self._asterisk_backoff_s = BACKOFF_FIRST_S
        self._asterisk_started = 0.0
        self._room = Room(
            settings.home, settings.ballast_mb << 20,
            lambda: runtime.stop_recordings(asterisk, settings.home),
        )
        self._clock = set_back.Clock()
        self._no_look = ""  # why the disk could not be watched a moment ago
        self.stopping = threading.Event()
        self._hurry = threading.Event()

    def start_asterisk(self, *, again: bool = False) -> None:
        """Start Asterisk with a fresh configuration, or adopt the one that runs; `again`: with the
        configuration that it had."""
        settings = self._settings
        if runtime.is_running(self._asterisk, settings.home):
            log.info("Asterisk runs already (pid %s): adopted", runtime.pid(settings.home))
        else:
            if number := runtime.pid(settings.home):
                log.warning("Asterisk (pid %d) does not answer: killed", number)
                os.kill(number, signal.SIGKILL)
                time.sleep(0.2)
            for folder in (provision.recordings(settings.home), provision.messages(settings.home)):
                recordings.mend(folder)
            if not again:  # what was drained has stopped
                provision.draining(settings.home).unlink(missing_ok=True)
            apply.at_start(settings, self._asterisk, again=again)
            number = runtime.start(self._asterisk, settings)
            log.info("Asterisk %s started (pid %d)", self._asterisk.version_text, number)
        self._asterisk_started = time.monotonic()

    def start_processes(self) -> None:
        read_what_is_needed()
        self._database.engine.dispose()
        for process in self._processes:
            process.start()

    def on_signal(self, _number: int, _frame: object) -> None:
        if self.stopping.is_set():
            self._hurry.set()
        self.stopping.set()

    def watch(self) -> None:
        """Watch until told to stop."""
        while not self.stopping.wait(0.5):
            tell_system("WATCHDOG=1")
            self._look_for_room()
            self._look_at_clock()
            now = time.monotonic()
            for process in self._processes:
                process.watch(now)
            if runtime.pid(self._settings.home) is None:
                self._asterisk_died()

    def _asterisk_died(self) -> None:
        if time.monotonic() - self._asterisk_started > STEADY_S:
            self._asterisk_backoff_s = BACKOFF_FIRST_S
        wanted = history.is_held(self._settings.home)  # an apply restarts it
        log.error("Asterisk died; again in %.1f s", self._asterisk_backoff_s)
        if self.stopping.wait(self._asterisk_backoff_s):
            return
        self._asterisk_backoff_s = min(self._asterisk_backoff_s * 2, BACKOFF_LIMIT_S)
        try:
            self.start_asterisk(again=True)
        except (HotlineError, OSError) as error:
            log.error("%s", error)
        if wanted:
            return
        self._alarm("asterisk", "Asterisk stopped and was started again")

    def _look_for_room(self) -> None:
        try:
            changed = self._room.look()
        except OSError as error:
            if str(error) != self._no_look:
                log.error("the disk cannot be watched: %s", error)
            self._no_look = str(error)
            return
        self._no_look = ""
        if changed:
            log.error("%s", changed)
            self._alarm("disk", changed)

    def _look_at_clock(self) -> None:
        if not (back_s := self._clock.set_back_s()):
            return
        for command in set_back.REMEDIES:
            runtime.ask(self._asterisk, self._settings.home, command)
        told = (f"the clock was set back by {back_s:.0f} s: who comes now hears all, who was "
                "in a menu or waited may hear nothing")
        log.error("%s", told)
        self._alarm("clock", told)

    def _alarm(self, subject: str, body: str) -> None:
        try:
            with self._database.transaction() as session:
                outbox.alarm(
                    session, self._settings, subject=subject, body=body, now=datetime.now(UTC)
                )
        except (SQLAlchemyError, DatabaseError) as error:
            log.error("the alarm could not be written: %s", type(error).__name__)
        finally:
            self._database.engine.dispose()  # what is forked later must find no connection of ours

    def stop(self) -> None:
        """Stop everything: calls that go on get a moment unless Ctrl-C is pressed again."""
        calls = runtime.calls_now(self._asterisk, self._settings.home)
        if calls:
            log.info("%d calls go on: waiting 30 s for them (Ctrl-C again stops at once)", calls)
            deadline = time.monotonic() + 30
            runtime.ask(self._asterisk, self._settings.home, "core stop gracefully")
            while runtime.pid(self._settings.home) and time.monotonic() < deadline:
                if self._hurry.wait(0.25):
                    break
        runtime.stop(self._asterisk, self._settings.home, grace_s=0)
        time.sleep(0.3)  # the tailer reads the last records
        for process in self._processes:
            if process.running:
                process.running.terminate()
        deadline = time.monotonic() + STOP_S
        for process in self._processes:
            process.stop(deadline)


def run(settings: Settings) -> None:
    """Start, watch, stop. Raises UpError and its kin before anything is started."""
    with only_one(settings) as lock:
        database = Database.of(settings)
        asterisk = runtime.find(settings, log.info, fetch=False)
        check_ports(settings, asterisk_runs=runtime.is_running(asterisk, settings.home))
        setup.check(settings)
        try:
            if not database.schema_is_current():
                raise UpError("the database has another schema: run ./scripts/run or hotline setup")
            provision.prepare(settings, database)
        except (SQLAlchemyError, DatabaseError) as error:
            # Calls come first: Asterisk needs none of this, and the others wait for it.
            log.error("the database does not answer (%s): calls are answered, records follow later",
                      type(error).__name__)
        tls.ensure(settings, provision.host_names(), datetime.now(UTC))
        supervisor = Supervisor(settings, database, asterisk, lock.fileno())
        for number in STOPPING:
            signal.signal(number, supervisor.on_signal)
        supervisor.start_asterisk()
        try:
            supervisor.start_processes()
            wait_for_console(settings, supervisor.stopping)
            if settings.log_format == "json":  # every line of the log is an object
                log.info("Hotline 1022 runs. The console: %s", tls.console_address(settings))
            else:
                click.echo(banner(settings))
            tell_system("READY=1")
            supervisor.watch()
        finally:
            log.info("stopping")
            tell_system("STOPPING=1")
            supervisor.stop()
            log.info("stopped")


def tell_system(state: str) -> None:
    """Tell systemd how it stands, if it started us (sd_notify(3))."""
    if not (address := os.environ.get("NOTIFY_SOCKET")):
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, contextlib.suppress(OSError):
        told.sendto(state.encode(), address)


def wait_for_console(settings: Settings, stopping: threading.Event) -> None:
    """Until the console listens, at most 60 s."""
    deadline = time.monotonic() + 60
    host = "127.0.0.1" if settings.console_bind.host == "0.0.0.0" else settings.console_bind.host  # noqa: S104
    while time.monotonic() < deadline and not stopping.is_set():
        try:
            with socket.create_connection((host, settings.console_bind.port), 0.5):
                return
        except OSError:
            time.sleep(0.1)
    log.error("the console does not listen on %s yet", settings.console_bind)


def banner(settings: Settings) -> str:
    """What a person needs next: the console, the first accounts, how to call."""
    secure = tls.needed(settings)
    lines = [
        "", "Hotline 1022 runs.", "",
        f"  Console    {tls.console_address(settings)}/",
    ]
    accounts = settings.home / first_accounts.FILE
    if accounts.exists() and sys.stdout.isatty():  # never into a log
        lines += [f"  Accounts   from {accounts} (delete it once they are handed out):"]
        held = accounts.read_text(encoding="utf-8").splitlines()
        lines += [f"             {line}" for line in held]
    if secure and not settings.tls_certificate:
        lines += [
            f"  Trust      import {settings.home / 'tls' / 'ca.crt'} as an authority",
            "             in each browser, or it gives no microphone",
        ]
    lines += [
        "  Call       hotline call 1022 --from 0912345678 --press \"3 0\" --hold 15",
        f"             (or any SIP phone: sip:1022@{settings.sip_bind} from "
        f"{', '.join(settings.trunk_match)})",
        "  Check      hotline doctor     hotline calls     hotline ledger",
        "  Stop       Ctrl-C", "",
    ]
    return "\n".join(lines)
