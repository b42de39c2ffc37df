"""A small disk fills up while people call: recordings and messages give way to the journal."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.models import Call
from ivr import provision, room
from tests.faults import account
from tests.faults.account import Permitted
from tests.faults.course import DISK, answers, note
from tests.faults.world import World, world
from tests.live.running import wait_for

DISK_MB = 200


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    disk = tmp_path_factory.mktemp("disk") / "small"
    disk.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)], check=True
    )
    try:
        with world(disk / "home", 3, HOTLINE_BALLAST_MB="4") as made:
            yield made
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def filled(home: Path, left: int) -> Path:
    """Somebody else's file, which leaves so many bytes free; with 0 it takes all there are."""
    file = home / "somebody-elses"
    with file.open("ab") as out:
        while True:
            more = min(1 << 18, int(room.free_share(home) * (DISK_MB << 20)) - left)
            if more <= 0:
                break
            try:
                out.write(b"\0" * more)
                out.flush()
            except OSError:
                break
    return file


def notes(small: World, event: str) -> int:
    return small.hotline.journal().count(f'"{event}"')


def recorded(small: World, since: datetime) -> list[str]:
    """Talks since then of which there is a recording."""
    with small.hotline.database.reading() as session:
        return list(session.scalars(select(Call.id).where(
            Call.started_at >= since, Call.talk_ms >= 1000, Call.recording.is_not(None)
        )))


@pytest.mark.full
def test_recordings_and_messages_give_way_and_come_back(small: World) -> None:
    home = small.hotline.home
    scarce, ballast = provision.no_room(home), home / "ballast"
    wait_for(ballast.exists, "the ballast is kept")
    began, gaps = time.time(), account.gaps(small.hotline)
    coming = small.people.start(small.people.come_and_go(3, 55))
    time.sleep(5)
    file = filled(home, int(DISK_MB * (1 << 20) * 0.04))
    wait_for(scarce.exists, "it is seen that the disk is nearly full", 10)
    assert ballast.exists()
    time.sleep(20)
    wait_for(lambda: notes(small, "HL_NO_ROOM"), "calls go on without being recorded")
    wait_for(lambda: notes(small, "HL_MESSAGE_FAILED"), "who wants to leave a message is told")
    sizes = {one.name: one.stat().st_size for one in provision.recordings(home).glob("*.raw")}
    time.sleep(5)
    for one in provision.recordings(home).glob("*.raw"):
        assert one.name in sizes, "nothing new is recorded"
        assert one.stat().st_size == sizes[one.name], "nor is what was begun"
    filled(home, 0)
    wait_for(lambda: not ballast.exists(), "the ballast is released", 10)
    time.sleep(5)
    file.unlink()
    emptied = time.monotonic()
    wait_for(lambda: not scarce.exists() and answers(small), "there is room again")
    back_s = time.monotonic() - emptied
    wait_for(ballast.exists, "and a ballast")
    seen = coming.result()
    found = account.settle(small, seen, Permitted(no_messages=True), gaps, began)
    note(DISK, found, back_s)
    assert not found.faults, "\n".join(found.faults)
    assert found.answered == found.calls
    assert "no recordings and no messages" in small.hotline.tail(2000)
    again = datetime.now(UTC)
    seen = small.people.run(small.people.come_and_go(3, 15))
    found = account.settle(
        small, seen, Permitted(), account.gaps(small.hotline), again.timestamp()
    )
    assert not found.faults, "\n".join(found.faults)
    assert found.messages, "messages are taken again"
    wait_for(lambda: recorded(small, again), "talks are recorded again")
