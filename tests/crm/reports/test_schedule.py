"""What the clock does for the daily report, on a clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm import settings as settings_room
from crm.clock import VIETNAM
from crm.database import Database
from crm.notices import outbox
from crm.notices.models import Notice
from crm.reports import health, schedule
from crm.reports.health import Figures
from crm.reports.models import ReportIssue
from crm.reports.schedule import Did
from crm.settings import Settings

DAY = date(2026, 3, 10)
NEXT = DAY + timedelta(days=1)
OFFICER, DEPUTY = "yte@example.vn", "pho@example.vn"
TO = ("a@example.vn", "b@example.vn")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_REPORT_RECIPIENTS": ",".join(TO),
        "HOTLINE_REPORT_OFFICER_EMAIL": OFFICER, "HOTLINE_REPORT_OFFICER_PHONE": "0912345678",
        "HOTLINE_REPORT_DEPUTY_EMAIL": DEPUTY, "HOTLINE_REPORT_DEPUTY_PHONE": "0987654321",
    })


Tick = Callable[..., list[tuple[Did, date]]]


@pytest.fixture
def tick(database: Database, settings: Settings) -> Tick:
    """The scheduler at a time of Vietnam, twice: the second time does nothing."""
    def run(clock: str, day: date = DAY) -> list[tuple[Did, date]]:
        now = at(clock, day)
        done = [(one.what, one.day) for one in schedule.step(database, settings, now)]
        assert schedule.step(database, settings, now) == []
        return done

    return run


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), VIETNAM)


def enter(database: Database, clock: str = "15:00", day: date = DAY, cases: int = 7) -> int:
    with database.transaction() as session:
        made = health.enter(session, day, {"": Figures(cases)}, source="Sở Y tế", by="yte",
                            now=at(clock, day))
        return made.version


def approve(database: Database, clock: str = "15:30", day: date = DAY, version: int = 1) -> None:
    with database.transaction() as session:
        health.approve(session, day, version, by="huy", now=at(clock, day))


def mails(database: Database) -> list[Notice]:
    with database.reading() as session:
        found = list(session.scalars(select(Notice).order_by(Notice.id)))
        for one in found:
            one.files  # noqa: B018 - loaded for whoever looks at them later
        return found


def recipients(database: Database) -> list[str]:
    return [one.recipient for one in mails(database)]


def test_the_officer_is_reminded_at_four_and_half_past_four_and_only_then(
    database: Database, tick: Tick
) -> None:
    assert tick("15:59") == []
    assert tick("16:00") == [(Did.REMINDED, DAY)]
    assert recipients(database) == [OFFICER, "0912345678"]
    assert "chưa nhập" in mails(database)[0].body
    assert tick("16:29") == []
    enter(database, "16:29")
    assert tick("16:30") == [(Did.REMINDED, DAY)]
    assert "chưa duyệt" in mails(database)[-1].body
    assert tick("16:59") == []


def test_who_has_it_approved_in_time_hears_of_no_reminder(database: Database, tick: Tick) -> None:
    enter(database)
    approve(database)
    assert tick("16:00") == tick("16:30") == []
    assert recipients(database) == []


def test_at_five_the_approved_report_goes_to_everybody_once(database: Database, tick: Tick) -> None:
    enter(database)
    approve(database)
    assert tick("16:59") == []
    assert tick("17:00") == [(Did.SENT, DAY)]
    assert tick("17:01") == tick("23:59") == tick("08:00", NEXT) == []
    assert recipients(database) == list(TO)
    names = [file.name for file in mails(database)[0].files]
    assert names == ["bao-cao-1022-20260310.pdf", "bao-cao-1022-20260310.xlsx"]
    assert mails(database)[0].files[0].content.startswith(b"%PDF")  # type: ignore[union-attr]


def test_not_approved_at_five_it_is_not_sent_and_the_deputy_is_told(
    database: Database, tick: Tick
) -> None:
    enter(database)
    assert tick("17:00") == [(Did.ALARMED, DAY)]
    assert tick("17:01") == []
    assert recipients(database) == [DEPUTY, "0987654321"]
    approve(database, "18:20")
    assert tick("18:21") == [(Did.SENT, DAY)]
    assert recipients(database)[2:] == list(TO)
    assert tick("18:22") == []


def test_a_correction_that_nobody_has_approved_stops_what_was_approved(
    database: Database, tick: Tick
) -> None:
    enter(database)
    approve(database)
    enter(database, "16:50", cases=9)
    assert tick("17:00") == [(Did.ALARMED, DAY)]
    approve(database, "17:10", version=2)
    assert tick("17:10") == [(Did.SENT, DAY)]


@pytest.mark.parametrize(("clock", "day"), [("17:40", DAY), ("08:00", NEXT)])
def test_a_run_that_was_missed_is_made_up_once(
    database: Database, tick: Tick, clock: str, day: date
) -> None:
    enter(database)
    approve(database)
    tick("15:59")  # then the process is down
    assert tick(clock, day) == [(Did.SENT, DAY)]
    assert tick("09:00", NEXT) == []
    assert recipients(database) == list(TO)


def test_days_on_which_nothing_ran_are_made_up_in_their_order(
    database: Database, tick: Tick
) -> None:
    tick("10:00", DAY - timedelta(days=1))
    for day in (DAY, NEXT):
        enter(database, day=day)
    approve(database, day=NEXT)
    done = tick("08:00", NEXT + timedelta(days=1))
    assert done == [
        (Did.ALARMED, DAY - timedelta(days=1)), (Did.ALARMED, DAY), (Did.SENT, NEXT),
    ]


def test_a_hotline_owes_no_report_of_days_before_its_first(database: Database, tick: Tick) -> None:
    assert tick("08:00") == []
    assert recipients(database) == []


def test_killed_before_the_commit_it_is_sent_once(
    database: Database, settings: Settings, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(database)
    approve(database)
    whole = outbox.write
    written: list[str] = []

    def dies(*args: Any, **told: Any) -> object:
        written.append(told["recipient"])
        if len(written) == 2:
            raise KeyboardInterrupt
        return whole(*args, **told)

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            schedule.step(database, settings, at("17:00"))
    assert written == list(TO)
    assert recipients(database) == []
    assert tick("17:02") == [(Did.SENT, DAY)]
    assert recipients(database) == list(TO)


def test_sent_again_by_hand_it_is_the_same_until_it_is_corrected(
    database: Database, settings: Settings, tick: Tick
) -> None:
    with database.reading() as session, pytest.raises(schedule.IssueError):
        schedule.send_again(session, settings, DAY, now=at("16:00"))
    enter(database)
    approve(database)
    tick("17:00")
    for number in (1, 2):
        with database.transaction() as session:
            schedule.send_again(session, settings, DAY, now=at("17:30"))
        assert recipients(database) == list(TO) * (number + 1)
    first, again = mails(database)[0], mails(database)[-2]
    assert first.files[0].content == again.files[0].content
    enter(database, "18:00", cases=8)
    approve(database, "18:10", version=2)
    with database.transaction() as session:
        assert schedule.send_again(session, settings, DAY, now=at("18:20")).edition == 2
    corrected = mails(database)[-1]
    assert "bản đính chính lần 1" in corrected.subject
    assert corrected.files[0].name == "bao-cao-1022-20260310-dinh-chinh-1.pdf"
    with database.reading() as session:
        assert len(session.scalars(select(ReportIssue)).all()) == 2


def test_without_recipients_the_clock_does_nothing(database: Database, tmp_path: Path) -> None:
    bare = settings_room.load({"HOTLINE_HOME": str(tmp_path)})
    enter(database)
    assert schedule.step(database, bare, at("17:00")) == []
    assert recipients(database) == []
