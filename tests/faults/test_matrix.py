"""Everything is broken while callers come, singly and in pairs: every call is accounted for.

What it found is written into docs/faults.md; HOTLINE_TEST_FAULT_S makes each fault
last longer, HOTLINE_TEST_FAULT_SEED draws other callers and other pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.course import FAULT_S, MATRIX, SEED, met, note
from tests.faults.world import World, world


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("matrix") / "home", SEED) as made:
        yield made


def test_tailer_and_listener_are_killed_at_once(broken: World) -> None:
    found, _ = met(broken, ("tailer killed", "listener killed"), 2)
    assert not found.faults, "\n".join(found.faults)
    assert found.answered == found.calls > 0


@pytest.mark.full
@pytest.mark.parametrize("name", MATRIX)
def test_every_call_is_accounted_for(broken: World, name: str) -> None:
    found, back_s = met(broken, MATRIX[name], FAULT_S)
    note(name, found, back_s)
    assert not found.faults, "\n".join(found.faults)
    assert found.answered > 0
