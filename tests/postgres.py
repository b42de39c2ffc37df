"""A PostgreSQL of the tests' own: in a temporary folder, from the machine's own programs."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg

START_S = 120  # generous: a test machine may be busy
# nothing in it outlives the tests, so it need not be safe on disk
CAREFREE = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB",
    "wal_level=minimal", "max_wal_senders=0", "max_wal_size=128MB", "autovacuum=off",
)
# one that another follows
FOLLOWED = (
    "fsync=off", "full_page_writes=off", "shared_buffers=32MB", "wal_level=replica",
    "max_wal_senders=4", "wal_keep_size=256MB", "hot_standby=on",
)
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 1 << 30  # bytes


class PostgresError(Exception):
    """PostgreSQL cannot be started here."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server, yield the URL of its database `postgres`, stop it at the end. Raises
    PostgresError, with the reason."""
    with Server() as server:
        yield server.url


class Server:
    """A server that is started, killed, and started again. It listens on a Unix socket in its
    folder only. As root it runs as another user, since it refuses to run as root."""

    def __init__(
        self, *, in_memory: bool = True, settings: tuple[str, ...] = CAREFREE,
        follows: Server | None = None,
    ) -> None:
        """`follows`: it is a hot standby of that one."""
        self._settings = settings
        self._follows = follows
        self._user = _other_user() if os.geteuid() == 0 else None
        self._program = _program("postgres")
        self.folder = Path(tempfile.mkdtemp(
            prefix="hotline-pg-", dir=_in_memory() if in_memory else None
        ))
        self.url = f"postgresql://hotline@/postgres?host={self.folder}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            if self._user:
                shutil.chown(self.folder, self._user)
            data = str(self.folder / "data")
            _run(
                [_program("pg_basebackup"), "-h", str(self._follows.folder), "-U", "hotline",
                 "-D", data, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"]
                if self._follows else
                [_program("initdb"), "-D", data, "-U", "hotline",
                 "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                self._user, self.folder,
            )
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._process:
                self._process.send_signal(signal.SIGINT)  # stop now, whoever is connected
                self._process.wait(START_S)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, also after it was killed; it answers when this returns."""
        settings = (f"unix_socket_directories={self.folder}", "listen_addresses=", *self._settings)
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, "-D", str(self.folder / "data"),
                 *(part for one in settings for part in ("-c", one))],
                user=self._user, cwd=self.folder, stdout=output, stderr=output,
            )
        _wait_until_ready(self.url, self._process, log)

    def promote(self) -> None:
        """The standby becomes the primary."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes. Each backend leads a group of its own."""
        assert self._process
        postmaster = self.pid
        if number == signal.SIGSTOP:
            os.kill(postmaster, number)  # before it makes more of them
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii")
        for pid in (postmaster, *map(int, children.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGKILL:
            self._process.wait()


def _in_memory() -> Path | None:
    """A folder that is on no disk: a database has a thousand files, and each test makes one."""
    there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if there and shutil.disk_usage(MEMORY).free > ROOM else None


def _program(name: str) -> str:
    found = shutil.which(name)
    known = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=_version)
    if not found and not known:
        raise PostgresError(
            f"the tests need PostgreSQL, but {name} is neither on PATH nor in "
            "/usr/lib/postgresql/*/bin: install the package postgresql"
        )
    return found or known[-1]


def _version(path: str) -> int:
    return int(Path(path).parts[-3])


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    raise PostgresError("PostgreSQL refuses to run as root, and there is no user nobody")


def _run(command: list[str], user: str | None, folder: Path) -> None:
    done = subprocess.run(
        command, user=user, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PostgresError(f"{command[0]} failed: {done.stderr.strip()}")


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL does not start: {log.read_text()}") from error
        time.sleep(0.05)
