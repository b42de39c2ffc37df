"""How many nodes, agents and channels a surge and the nation need, from what one node carries.

    python -m scripts.bench.plan --call-ms 145 --cores 2 --output docs/capacity.md

`--call-ms` is what `python -m scripts.bench.call` has measured: the CPU that the whole product
takes for a call of 8 s, on a machine with `--cores`. The demand is that of the table DEMANDS, whose
figures are those of the surges of 2021. Agents are those of Erlang C, tried by a simulation of the
busy hour, once as one queue and once as the queues of branches that nodes hold.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from crm.staffing import erlang, simulation

HOUR = 3600.0
WITHIN_S, LEVEL = 20.0, 0.8
PATIENCE_S = 120.0  # mean, of those who wait
MEASURED_S = 8.0  # of the call whose CPU was measured
HEADROOM = 0.7  # of a machine's cores
BURST, BURST_S = 5.0, 60  # times the mean of the busy hour, for so long
BLOCKED = 0.01  # callers who may find all channels taken
SHARES = (0.30, 0.25, 0.15, 0.12, 0.10, 0.08)  # of the branches, the largest first
SEED = 1022


@dataclass(frozen=True)
class Demand:
    """Calls of a day, what falls into its busiest hour, and what a call takes."""

    name: str
    calls_a_day: int
    busy_hour: float  # share of the day
    menu_s: float
    talk_s: float
    to_agents: float  # share of callers who want a person


DEMANDS = (
    Demand("an epidemic's day in the province", 5_550, 0.10, 75, 240, 1.0),
    Demand("the province's surge", 60_000, 0.10, 75, 240, 0.5),
    Demand("the nation, an ordinary wave", 150_000, 0.10, 75, 240, 1.0),
    Demand("the nation, the height", 650_000, 0.10, 75, 240, 1.0),
)


@dataclass(frozen=True)
class Node:
    """What was measured: CPU seconds of a call, on a machine of so many cores."""

    call_cpu_s: float
    cores: int

    @property
    def channels(self) -> int:
        """Callers and agents' phones at once."""
        return int(self.cores * HEADROOM * MEASURED_S / self.call_cpu_s)


@dataclass(frozen=True)
class Needs:
    """What a demand comes to; one node more than needed, for one that is down."""

    demand: Demand
    an_hour: float
    load: float  # Erlangs of agents
    agents: int
    agents_apart: int  # where each branch has its own
    level: float  # simulated, as one queue
    level_apart: float  # simulated, with `agents_apart`
    callers: int  # at once, in the busy hour
    burst: int  # at once, after a minute's burst
    lines: int  # of the carrier
    nodes: int


def needs(demand: Demand, node: Node) -> Needs:
    """Reckon it; the simulation is the same at every run."""
    an_hour = demand.calls_a_day * demand.busy_hour
    wanting = an_hour * demand.to_agents
    agents = _agents(wanting, demand.talk_s)
    apart = [_agents(wanting * share, demand.talk_s) for share in SHARES]
    levels = [_simulated(wanting * share, demand.talk_s, count)
              for share, count in zip(SHARES, apart, strict=True)]
    load = wanting / HOUR * demand.talk_s
    callers = an_hour / HOUR * demand.menu_s + load
    burst = callers + an_hour / HOUR * (BURST - 1) * BURST_S
    return Needs(
        demand, an_hour, load, agents, sum(apart), _simulated(wanting, demand.talk_s, agents),
        sum(one * share for one, share in zip(levels, SHARES, strict=True)),
        math.ceil(callers), math.ceil(burst), _lines(callers),
        math.ceil((burst + load) / node.channels) + 1,  # who talks has an agent's phone with them
    )


def _agents(an_hour: float, talk_s: float) -> int:
    return erlang.agents_for(an_hour / HOUR, talk_s, WITHIN_S, LEVEL)


def _simulated(an_hour: float, talk_s: float, agents: int) -> float:
    """The share answered in time in two hours of such arrivals."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    callers, at = [], 0.0
    while (at := at + chance.expovariate(an_hour / HOUR)) < 2 * HOUR:
        callers.append(simulation.Caller(
            at, chance.expovariate(1 / talk_s), chance.expovariate(1 / PATIENCE_S)
        ))
    found = simulation.run(callers, [(0, agents)], WITHIN_S, 0.0).level
    return found if found is not None else 1.0


def _lines(lines: float) -> int:
    count = max(1, int(lines))
    while erlang.erlang_b(lines, count) > BLOCKED:
        count += 1
    return count


def text(node: Node) -> Iterator[str]:
    """The page, line by line."""
    rows = [needs(demand, node) for demand in DEMANDS]
    yield from (
        "# What several nodes carry",
        "",
        "Written by `python -m scripts.bench.plan` from what a call was measured to cost "
        "(`python -m",
        "scripts.bench.call`, see README); the demand is that of the surges of 2021.",
        "",
        f"**One node**: {node.call_cpu_s * 1000:.0f} ms of CPU for a call of {MEASURED_S:g} s, "
        f"{node.cores} cores used to {HEADROOM:.0%}: {node.channels}",
        "callers and agents' phones at once (a long call costs less a second). Another machine has "
        "another figure:",
        "measure it, and write this page anew.",
        f"Bursts are {BURST:g} times the busy hour's mean and last a minute; there is one node "
        "more than needed, for",
        "one that is down.",
        "",
        _row("demand", "calls/day", "busy hour", "agents' load", "agents, one queue",
             "agents, by branch", "callers at once", "after a burst", "lines (1 % blocked)",
             "nodes"),
        _row(*["---"] * 10),
        *(_row(
            one.demand.name, f"{one.demand.calls_a_day:,}", f"{one.an_hour:,.0f}",
            f"{one.load:,.0f} E", f"{one.agents:,}", f"{one.agents_apart:,}",
            f"{one.callers:,}", f"{one.burst:,}", f"{one.lines:,}", str(one.nodes),
        ) for one in rows),
        "",
        f"Agents are those with whom {LEVEL:.0%} of callers are answered within {WITHIN_S:g} s "
        "(Erlang C; 240 s for a",
        "talk and what follows it). A simulation by the event of two such hours, arrivals and "
        "talks by chance",
        f"and a mean patience of {PATIENCE_S:g} s, gives with them:",
        "",
        _row("demand", "answered in time, one queue", "answered in time, by branch"),
        _row(*["---"] * 3),
        *(_row(one.demand.name, f"{one.level:.1%}", f"{one.level_apart:.1%}") for one in rows),
        "",
        "Queues that nodes hold by branch need more agents than one queue for all would; the "
        "difference shrinks",
        "as queues grow. In the province's surge half of the callers are reckoned to be served by "
        "menus, the",
        "bulletin, calls back and messages: a line like this one answered one call in twenty then. "
        "For the nation",
        "the largest branch may be more than one node has room for: then queues are cut by "
        "province as well, each",
        "with a number and a set of nodes of its own.",
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


@click.command()
@click.option("--call-ms", type=float, required=True, help="CPU of a call of 8 s, as measured.")
@click.option("--cores", type=int, required=True, help="Of a node.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path))
def main(call_ms: float, cores: int, output: Path | None) -> None:
    """Print the plan, or write it into a file."""
    page = "\n".join(text(Node(call_ms / 1000, cores))) + "\n"
    if output:
        output.write_text(page, encoding="utf-8")
    else:
        click.echo(page, nl=False)


if __name__ == "__main__":
    main()
