"""What the kernel tells of sockets (proc(5), /proc/net)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_ESTABLISHED = "01"


def connections(port: int) -> int:
    """TCP connections to a port of this machine that are open now."""
    return sum(
        1 for own, state in (*_sockets("tcp"), *_sockets("tcp6"))
        if own == port and state == _ESTABLISHED
    )


def taken(first: int, last: int) -> int:
    """UDP ports between these, both included, that somebody holds."""
    return len({
        own for own, _ in (*_sockets("udp"), *_sockets("udp6")) if first <= own <= last
    })


def _sockets(kind: str) -> Iterator[tuple[int, str]]:
    """Own port and state of each socket."""
    file = Path("/proc/net") / kind
    if not file.exists():  # a kernel without IPv6
        return
    for line in file.read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        yield int(words[1].rpartition(":")[2], 16), words[3]
