"""Entry points: the hotline command, its processes and the benchmarks."""

PROCESSES = ("tailer", "listener", "scheduler", "broadcasts", "console")
