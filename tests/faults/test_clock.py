"""The clock is set an hour on and two hours back while people call."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.models import Call, CallSegment, Leg
from tests.faults import account
from tests.faults.account import Permitted
from tests.faults.course import CLOCK, answers, note
from tests.faults.world import World, world
from tests.live.running import wait_for

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
SEEN_S = 2.0  # until a clock that was set is seen by all
# libfaketime 0.9.10 lets time.sleep of Python 3.11 fail where the monotonic clock stays as it is
SLEEPS = """import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds)
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in it is added to the clock of all that the hotline consists of."""
    file = tmp_path_factory.mktemp("clock") / "offset"
    file.write_text("+0\n", encoding="ascii")
    return file


@pytest.fixture(scope="module")
def shifted(clock: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    library = next(
        (str(found) for pattern in LIBRARIES for found in Path("/").glob(pattern[1:])), None
    )
    assert library, "this test needs libfaketime: install it (apt install libfaketime)"
    (clock.parent / "sitecustomize.py").write_text(SLEEPS, encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_PRELOAD", library)
        patch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
        patch.setenv("FAKETIME_CACHE_DURATION", "1")
        patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")  # as when a clock is set
        patch.setenv("PYTHONPATH", os.pathsep.join(
            (str(clock.parent), os.environ.get("PYTHONPATH", ""))
        ))
        with world(tmp_path_factory.mktemp("shifted") / "home", 5) as made:
            yield made


def faults_of(shifted: World) -> list[str]:
    with shifted.hotline.database.reading() as session:
        return [
            f"{row.id}: {row.talk_ms} ms, wait {row.wait_ms}"
            for row in session.scalars(select(Call))
            if row.talk_ms < 0 or (row.wait_ms or 0) < 0 or (
                row.ended_at is not None and row.ended_at < row.started_at
            )
        ] + [f"leg {row.id}: {row.talk_ms}" for row in session.scalars(select(Leg))
             if row.talk_ms < 0] + [
            f"part of {row.call_id}: {row.ms}" for row in session.scalars(select(CallSegment))
            if row.ms < 0
        ]


@pytest.mark.full
@pytest.mark.parametrize("name", CLOCK)
def test_calls_are_whole_when_the_clock_is_set(shifted: World, clock: Path, name: str) -> None:
    before_s, after_s = CLOCK[name]
    clock.write_text(f"{before_s:+d}\n", encoding="ascii")
    wait_for(lambda: answers(shifted), "the number is answered")
    began, gaps = time.time(), account.gaps(shifted.hotline)
    coming = shifted.people.start(shifted.people.come_and_go(3, 25))
    time.sleep(10)
    clock.write_text(f"{after_s:+d}\n", encoding="ascii")
    set_at, since = time.time(), time.monotonic()
    wait_for(lambda: answers(shifted), "the number is answered by the other clock")
    back_s = time.monotonic() - since
    seen = coming.result()
    # how long a talk lasted across the jump nobody can know, nor whether it was one; that its call
    # is none too many or few
    shifted.people.talks[:] = [
        (caller, at, seconds) for caller, at, seconds in shifted.people.talks
        if at > set_at + SEEN_S or at + seconds < set_at
    ]
    # a prompt that lay in the hour is over at once, and who has pressed nothing meets a person
    found = account.settle(shifted, seen, Permitted(hurried=after_s > before_s), gaps, began)
    note(name, found, back_s)
    assert not found.faults, "\n".join(found.faults)
    assert found.answered == found.calls
    assert not faults_of(shifted)
