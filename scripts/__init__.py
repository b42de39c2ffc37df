"""Entry points: the hotline command, its processes and the benchmarks."""
