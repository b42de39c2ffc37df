"""The machine that figures come from, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def peak_mb() -> int:
    """The most memory this program has had at once, MiB (proc(5), VmHWM): rusage counts what the
    program that started it had, too."""
    told = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line for line in told if line.startswith("VmHWM:"))
    return int(peak.split()[1]) >> 10


def hardware() -> str:
    """Processor, cores and memory."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next(
        (line.partition(":")[2].strip() for line in told if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GB"
