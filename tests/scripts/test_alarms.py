"""What fails reaches the engineers by e-mail and by a program of theirs, once, and so does its end.

The commands are those of the timers; servers stand in for the engineers' own.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm import safeguards
from crm import settings as configuration
from crm.database import Database
from crm.notices import mail
from crm.notices.models import Channel
from crm.settings import PROJECT, Settings
from ivr import doctor
from ivr.doctor import records
from scripts import probe
from scripts.hotline import main
from scripts.probe import Found
from tests.crm.notices.factory import deliver
from tests.crm.notices.stand_ins import HttpStandIn, Reply, running
from tests.crm.notices.test_mail import SmtpStandIn
from tests.databases import Databases

NOW = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)


@dataclass
class Engineers:
    """What has reached them."""

    smtp: SmtpStandIn
    http: HttpStandIn
    database: Database
    home: Path
    _seen: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def settings(self) -> Settings:
        return configuration.load()

    def mails(self) -> list[str]:
        """The bodies of what came since they were asked last, once the scheduler has been round."""
        deliver(self.database, mail.route(self.settings), datetime.now(UTC) + timedelta(hours=1),
                Channel.EMAIL)
        bodies = [one.get_content().strip() for one in self.smtp.messages]
        self._seen[0], begin = len(bodies), self._seen[0]
        return bodies[begin:]

    def posts(self) -> list[tuple[str, bool, str]]:
        """Subject, whether it is over, and text of what was posted since they were asked last."""
        told = [one.json for one in self.http.requests]
        assert {one["type"] for one in told} <= {"alarm"}
        self._seen[1], begin = len(told), self._seen[1]
        return [(one["data"]["subject"], one["data"]["over"], one["data"]["text"])
                for one in told[begin:]]


@pytest.fixture
def engineers(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engineers]:
    home = tmp_path / "home"
    home.mkdir()
    with (
        databases.new("sqlite") as database, SmtpStandIn() as smtp,
        running(HttpStandIn()) as http, socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        port = closed.getsockname()[1]
        for name, value in {
            "HOME": home, "DATABASE_URL": database.url, "MAIL_SERVER": smtp.address,
            "MAIL_FROM": "1022@1022.example.vn", "MAIL_SECURITY": "none",
            "ALARM_EMAILS": "truc@example.vn", "ALARM_URL": f"{http.url}/hotline",
            "WEBHOOK_NETWORKS": "127.0.0.0/8", "SIP_BIND": f"127.0.0.1:{port}",
            "CONSOLE_BIND": f"127.0.0.1:{port}",
        }.items():
            monkeypatch.setenv(f"HOTLINE_{name}", str(value))
        closed.close()  # nothing runs there
        yield Engineers(smtp, http, database, home)


def timer(unit: str) -> int:
    """What a timer starts; its exit code."""
    text = (PROJECT / "scripts" / "systemd" / f"{unit}.service.j2").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    return CliRunner().invoke(main, line.partition("scripts.hotline ")[2].split()).exit_code


def test_a_failing_doctor_is_mailed_and_posted_once_and_so_is_its_recovery(
    engineers: Engineers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "EXAMINATIONS", {"backup": records.backup})
    made = engineers.home / "hotline.backup"
    made.write_bytes(b"")
    safeguards.note_backup(engineers.home, made, datetime.now(UTC))
    assert timer("hotline1022-doctor") == 0
    assert (engineers.mails(), engineers.posts()) == ([], [])
    gone = f"backup: {made} is gone"
    made.unlink()
    assert timer("hotline1022-doctor") == 1
    assert engineers.posts() == [("doctor backup", False, gone)]
    assert engineers.mails() == [f"1022 th1: {gone}"]
    assert timer("hotline1022-doctor") == 1
    assert (engineers.mails(), engineers.posts()) == ([], [])
    made.write_bytes(b"")
    assert timer("hotline1022-doctor") == 0
    ((subject, over, text),) = engineers.posts()
    assert (subject, over) == ("doctor backup", True)
    assert text.startswith("backup: fails no more, the last one is of ")
    assert engineers.mails() == [f"1022 th1: {text}"]
    assert timer("hotline1022-doctor") == 0
    assert (engineers.mails(), engineers.posts()) == ([], [])
    made.unlink()  # within the half hour in which nothing is told twice
    assert timer("hotline1022-doctor") == 1
    assert engineers.posts() == [("doctor backup", False, gone)]
    assert engineers.mails() == [f"1022 th1: {gone}"]


def test_without_a_database_and_with_a_dead_address_the_mail_goes_straight(
    engineers: Engineers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "EXAMINATIONS", {"database": records.database})
    monkeypatch.setenv("HOTLINE_DATABASE_URL", f"sqlite:///{engineers.home}/none/hotline.db")
    engineers.http.answers.append(Reply(500, {}))
    assert timer("hotline1022-doctor") == 1
    (message,) = engineers.smtp.messages
    assert (message["To"], message["Subject"]) == ("truc@example.vn", "1022: doctor database")
    assert len(engineers.posts()) == 1  # it was asked, and took nothing
    monkeypatch.setenv("HOTLINE_WEBHOOK_NETWORKS", "")
    (engineers.home / "doctor.json").unlink()
    assert timer("hotline1022-doctor") == 1
    assert len(engineers.smtp.messages) == 2
    assert engineers.posts() == []  # our own network is asked only where that is allowed


def test_the_first_probe_that_finds_the_number_dead_tells_so(
    engineers: Engineers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []

    def look(settings: Settings, database: Database, now: datetime) -> list[Found]:
        asked.append(now)
        return real(settings, database, now)

    real = probe.look
    monkeypatch.setattr(probe, "AGAIN_S", 0.0)
    monkeypatch.setattr(probe, "look", look)
    assert timer("hotline1022-probe") == 1
    told = engineers.posts()
    assert len(asked) == 2, "what fails is asked once more"
    assert [(subject, over) for subject, over, _ in told] == [
        (f"probe {part}", False) for part in ("call", "console", "tailer", "listener")
    ]
    assert told[0][2].startswith("call: ")
    assert len(engineers.mails()) == 4
    for _ in range(3):
        assert timer("hotline1022-probe") == 1
    assert (engineers.mails(), engineers.posts()) == ([], [])


def runs(engineers: Engineers, monkeypatch: pytest.MonkeyPatch, looks: str) -> list[list[bool]]:
    """One probe a minute until the looks are used up, each look "+" or "-"; for each run, whether
    what it told was an end."""
    left = list(looks)
    monkeypatch.setattr(probe, "AGAIN_S", 0.0)
    monkeypatch.setattr(probe, "look", lambda *_: [Found("call", left.pop(0) == "+", "heard")])
    told: list[list[bool]] = []
    while left:
        probe.watch(engineers.settings, engineers.database, NOW + timedelta(minutes=len(told)),
                    cure=False)
        told.append([over for _, over, _ in engineers.posts()])
    return told


@pytest.mark.parametrize(("looks", "told"), [
    ("+ -+ +", [[], [], []]),  # well when asked again: nobody is woken
    ("+ -- -- --", [[], [False], [], []]),
    ("-- + + + +", [[False], [], [], [True], []]),
    ("-- + -- + + +", [[False], [], [], [], [], [True]]),  # to and fro is told once
    ("-- + + + --", [[False], [], [], [True], [False]]),
])
def test_what_is_told_of_a_course(
    engineers: Engineers, monkeypatch: pytest.MonkeyPatch, looks: str, told: list[list[bool]]
) -> None:
    assert runs(engineers, monkeypatch, looks.replace(" ", "")) == told
    flat = [over for run in told for over in run]
    assert [mail.endswith("well again") for mail in engineers.mails()] == flat
