"""The runbook, with what it is about: each alarm's commands are typed while the thing is broken,
and say or do what the chapter says. What belongs to systemd is typed on a machine that has it, by
tests/live/test_by_the_manual.py."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from crm.models import Call
from crm.notices import outbox
from crm.notices.models import Channel, Purpose, State
from crm.settings import PROJECT
from tests.live.carrier import running_carrier
from tests.live.running import Hotline, running_hotline, wait_for

pytestmark = pytest.mark.full

RUNBOOK = PROJECT / "docs" / "runbook.md"
SERVICE = "0237000115"


def chapters() -> dict[str, list[str]]:
    """The commands of each chapter, in blocks and in running text; "" is what comes before."""
    found = {}
    text = RUNBOOK.read_text(encoding="utf-8")
    for number, part in enumerate(re.split(r"^## ", text, flags=re.M)):
        title, _, rest = part.partition("\n")
        typed = [line.partition("#")[0].strip()
                 for block in re.findall(r"^```\n(.*?)^```$", rest, re.M | re.S)
                 for line in block.splitlines()]
        rest = re.sub(r"^```.*?^```$", "", rest, flags=re.M | re.S)
        told = [re.sub(r"\s+", " ", one) for one in re.findall(r"`([^`]+)`", rest)]
        found[title if number else ""] = [
            one for one in [*typed, *told]
            if one.startswith(("hotline ", "systemctl ", "journalctl ", "du "))
        ]
    return found


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with (
        running_carrier(tmp_path_factory.mktemp("runbook-carrier") / "home") as carrier,
        running_hotline(
            tmp_path_factory.mktemp("runbook") / "home", **carrier.trunk,
            HOTLINE_EMERGENCY_MEDICAL=SERVICE,
        ) as running,
    ):
        wait_for(lambda: "Registered" in running.ask("pjsip show registrations"), "the trunk")
        yield running


Broken = Callable[[Hotline], AbstractContextManager[dict[str, str]]]


def standing(name: str, **says: str) -> Broken:
    """One of our processes hangs; which command then says what."""
    @contextmanager
    def stand(hotline: Hotline) -> Iterator[dict[str, str]]:
        hotline.signal(name, signal.SIGSTOP)
        try:
            yield {command.replace("_", " "): what for command, what in says.items()}
        finally:
            hotline.signal(name, signal.SIGCONT)

    return stand


@contextmanager
def unreached(hotline: Hotline) -> Iterator[dict[str, str]]:
    now = datetime.now(UTC)
    with hotline.database.transaction() as session:
        session.add(Call(
            id="th1.old-1.1", node="th1", boot="old", direction="in", kind="citizen",
            caller="0912345688", started_at=now - timedelta(days=9), ended_at=now, path=[],
            outcome="abandoned_queue", emergency=True, unreached=True, branch="emergency",
        ))
    yield {"hotline emergency unreached": "0912345688"}


@contextmanager
def lost_notice(hotline: Hotline) -> Iterator[dict[str, str]]:
    with hotline.database.transaction() as session:
        lost = outbox.write(
            session, channel=Channel.SMS, recipient="0912345689", body="Phan anh da duoc giao.",
            purpose=Purpose.CASE, now=datetime.now(UTC),
        )
        assert lost is not None
        lost.state, lost.error = State.FAILED, "the token is refused"
    yield {"hotline notice list": "the token is refused", "hotline notice retry --failed": "1"}


@contextmanager
def whole(hotline: Hotline) -> Iterator[dict[str, str]]:
    """What it is about would take too long, or is shown elsewhere: the commands do what they do."""
    assert hotline.console_answers
    yield {}


FAULTS: dict[str, Broken] = {
    "HotlineDown": standing("console", hotline_probe="console"),
    "EmergencyUnreached": unreached,
    "ListenerGone": standing("listener", hotline_doctor="listener"),
    "JournalNotRead": standing("tailer", hotline_doctor="tailer"),
    "NoticesNotSent": lost_notice,
}
NOT_HERE = {
    "hotline up": "it runs", "hotline rollback NUMBER": "tests/live/test_apply.py",
}
FAILS = {  # with the thing broken, or with all that a new hotline lacks
    "hotline doctor": 1, "hotline probe": 1, "hotline ledger": 1, "hotline emergency unreached": 1,
}


@pytest.mark.parametrize("chapter", [name for name, typed in chapters().items() if typed])
def test_the_commands_of_an_alarm_say_what_its_chapter_says(
    hotline: Hotline, chapter: str
) -> None:
    with FAULTS.get(chapter, whole)(hotline) as says:
        left = dict(says)
        for line in chapters()[chapter]:
            if not line.startswith("hotline ") or line in NOT_HERE:
                continue
            done = hotline.run(*shlex.split(line)[1:])
            said = done.stdout + done.stderr
            assert done.returncode in (0, FAILS.get(line, 0)), f"{line}: {said}"
            assert said.strip(), f"{line} says nothing"
            if wanted := left.pop(line, ""):
                assert wanted in said, f"{line} does not say {wanted!r}: {said}"
        assert not left, f"{chapter} names no command that shows it: {left}"
