"""A hotline that may be broken: a network of its own, a PostgreSQL behind a relay, and people."""

from __future__ import annotations

import ctypes
import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.faults.people import CARRIER, People
from tests.faults.relay import SlowDatabase
from tests.live.running import Hotline, free_ports, running_hotline
from tests.postgres import Server

_CLONE_NEWNET = 0x40000000


@dataclass
class World:
    hotline: Hotline
    people: People
    server: Server
    database: SlowDatabase
    isolated: bool  # on a network of its own
    stood_still: list[tuple[float, float]] = field(default_factory=list)  # Asterisk, from and to


@contextmanager
def own_network() -> Iterator[bool]:
    """This thread and all that it starts get a loopback of their own; False where that needs
    rights that we have not, and they stay on the machine's."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open(f"/proc/self/task/{libc.gettid()}/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            why = os.strerror(ctypes.get_errno())
            warnings.warn(f"no network of one's own can be had ({why})", stacklevel=3)
            yield False
            return
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield True
        finally:
            libc.setns(before, _CLONE_NEWNET)
    finally:
        os.close(before)


@contextmanager
def world(home: Path, seed: int, **overrides: str) -> Iterator[World]:
    with ExitStack() as stack:
        isolated = stack.enter_context(own_network())
        server = stack.enter_context(Server())
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE hotline")
        socket = f"{server.folder}/.s.PGSQL.5432"
        database = stack.enter_context(SlowDatabase(socket, seed))
        carrier_port = free_ports(1)[0]
        hotline = stack.enter_context(running_hotline(
            home,
            HOTLINE_DATABASE_URL=f"postgresql://hotline@127.0.0.1:{database.port}/hotline",
            HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_CALLBACK_AGAIN_S="3,3",
            **overrides,
        ))
        people = People(hotline, carrier_port, seed)
        stack.enter_context(people.here())
        yield World(hotline, people, server, database, isolated)
