"""The plan for surges: reckoned from a measured call, and the page is what the program writes."""

from __future__ import annotations

import re

from crm.settings import PROJECT
from scripts.bench.plan import DEMANDS, Node, needs, text


def test_the_page_is_what_the_program_writes() -> None:
    page = (PROJECT / "docs" / "capacity.md").read_text(encoding="utf-8")
    figures = re.search(r"([0-9]+) ms of CPU for a call of 8 s, ([0-9]+) cores", page)
    assert figures
    assert page.splitlines() == list(text(Node(int(figures[1]) / 1000, int(figures[2]))))


def test_more_cores_need_fewer_nodes_and_branches_apart_more_agents() -> None:
    surge = next(one for one in DEMANDS if one.name == "the province's surge")
    small, large = needs(surge, Node(0.145, 2)), needs(surge, Node(0.145, 16))
    assert (small.an_hour, small.load) == (6000, 200)
    assert small.nodes > large.nodes >= 2  # one of them may be down
    assert small.agents_apart > small.agents > small.load
    assert min(small.level, small.level_apart) >= 0.8  # the simulation is no worse than the formula
