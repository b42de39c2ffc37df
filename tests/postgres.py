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
from contextlib import contextmanager
from pathlib import Path

import psycopg

START_S = 120  # generous: a test machine may be busy
# nothing in it outlives the tests, so it need not be safe on disk
CAREFREE = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB",
    "wal_level=minimal", "max_wal_senders=0", "max_wal_size=128MB", "autovacuum=off",
)
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 1 << 30  # bytes


class PostgresError(Exception):
    """PostgreSQL cannot be started here."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server, yield the URL of its database `postgres`, stop it at the end.

    It listens on a Unix socket in its folder only. As root it runs as another user, since it
    refuses to run as root. Raises PostgresError, with the reason.
    """
    initdb, server = _program("initdb"), _program("postgres")
    user = _other_user() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="hotline-pg-", dir=_in_memory()))
    try:
        if user:
            shutil.chown(folder, user)
        data, log = folder / "data", folder / "log"
        _run(
            [initdb, "-D", str(data), "-U", "hotline", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            user, folder,
        )
        settings = (f"unix_socket_directories={folder}", "listen_addresses=", *CAREFREE)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [server, "-D", str(data), *(part for one in settings for part in ("-c", one))],
                user=user, cwd=folder, stdout=output, stderr=output,
            )
        try:
            url = f"postgresql://hotline@/postgres?host={folder}"
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # stop now, whoever is connected
            process.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
