"""What is broken for ten minutes: who reads the journal and the AMI; what they write to, and the
journal itself. Two hotlines, at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.account import Account
from tests.faults.course import LONG, LONG_S, SEED, met, note
from tests.faults.world import world

RATE = 2.0
RECOVERY_S = 120.0  # two hotlines read on together, each what a thousand calls have left


def broken_for_long(home: Path, name: str) -> Account:
    with world(home, SEED) as made:
        found, back_s = met(made, LONG[name], LONG_S, rate=RATE, recovery_s=RECOVERY_S)
    note(name, found, back_s)
    return found


@pytest.mark.full
def test_every_call_of_the_ten_minutes_is_accounted_for(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as together:
        running = [
            together.submit(broken_for_long, tmp_path / f"home{number}", name)
            for number, name in enumerate(LONG)
        ]
        accounts = [one.result() for one in running]
    assert [one.faults for one in accounts] == [[], []]
    assert all(one.answered == one.calls >= RATE * LONG_S for one in accounts)
