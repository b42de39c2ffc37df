"""The roster from a file: every bad row by its line, and who is missing now."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from crm.clock import VIETNAM
from crm.database import Database
from crm.imports import files
from crm.models import LiveAgent, Role
from crm.shifts import roster, swaps
from crm.shifts.models import Shift, ShiftEvent
from crm.shifts.roster import RosterError
from tests.accounts import hash_quickly
from tests.crm.shifts.factory import DAY, NOW, REST, row, shift, someone


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


def test_a_file_becomes_the_roster_of_its_days(database: Database) -> None:
    with database.transaction() as session:
        lan, minh = someone(session, "lan"), someone(session, "minh")
        someone(session, "huy", Role.SUPERVISOR)
        gone = shift(session, lan, NOW + DAY)
        kept = shift(session, minh, NOW + 9 * DAY)
        done = roster.take_in(session, [
            row(2, "lan", "2026-11-27", "22:00", "06:00"),
            row(3, "minh", "30/11/2026", "06:00:00", "14:00:00", ""),
            row(4, "huy", "2026-11-27", "06:00", "14:00", ""),
        ], rest=REST, by="huy", now=NOW)
        assert (done.rows, done.came, done.went) == (3, 3, 1)
        gone_id, kept_id = gone.id, kept.id
    with database.reading() as session:
        assert session.get(Shift, gone_id) is None
        assert session.get(Shift, kept_id) is not None
        found = roster.between(session, date(2026, 11, 27), date(2026, 11, 30))
        assert [one.user.login for one in found] == ["huy", "lan", "minh"]
        night = found[1]
        assert night.begins_at.astimezone(VIETNAM).isoformat() == "2026-11-27T22:00:00+07:00"
        assert night.ends_at - night.begins_at == timedelta(hours=8)
        assert roster.as_row(night) == row(0, "lan", "2026-11-27", "22:00", "06:00")
        event = session.scalars(select(ShiftEvent)).one()
        assert (event.by, event.what) == ("huy", "roster_taken_in")
        assert event.details["came"] == 3


def test_every_bad_row_is_named_and_nothing_is_taken_in(sqlite: Database) -> None:
    rows = [
        row(2, "nobody", "2026-11-27", "06:00", "14:00"),
        row(3, "lan", "27.11.2026", "6 h", "14:00", "moon"),
        row(4, "lan", "2026-11-27", "06:00", "19:00"),
        row(5, "lan", "2026-11-27", "06:00", "14:00", "relief"),
        row(6, "lan", "2026-11-28", "06:00", "14:00"),
        row(7, "lan", "2026-11-28", "13:00", "20:00"),
        row(8, "minh", "2026-11-28", "06:00", "14:00"),
        row(9, "minh", "2026-11-28", "22:00", "06:00"),
        row(10, "lan", "2026-11-25", "06:00", "14:00"),
        row(11, "yte", "2026-11-27", "06:00", "14:00"),
    ]
    with sqlite.transaction() as session:
        someone(session, "lan")
        someone(session, "minh")
        someone(session, "yte", Role.HEALTH)
    with pytest.raises(RosterError) as told, sqlite.transaction() as session:
        roster.take_in(session, rows, rest=REST, by="huy", now=NOW)
    lines = str(told.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "line 2", "line 3", "line 3", "line 3", "line 4", "line 5", "line 7", "line 9", "line 10",
        "line 11",
    ]
    assert "longer than 12 hours" in lines[4]
    assert "lan does not serve relief" in lines[5]
    assert "lan works from 28/11 06:00 already" in lines[6]
    assert "minh has 8 h of rest" in lines[7]
    assert "has begun already" in lines[8]
    with sqlite.reading() as session:
        assert session.scalars(select(Shift)).all() == []


def test_a_dry_run_finds_the_same_and_leaves_nothing(sqlite: Database) -> None:
    rows = [row(2, "lan", "2026-11-27", "06:00", "14:00")]
    with sqlite.transaction() as session:
        someone(session, "lan")
        assert roster.dry_run(session, rows, rest=REST, by="huy", now=NOW).came == 1
    with sqlite.transaction() as session:
        assert session.scalars(select(Shift)).all() == []
        with pytest.raises(RosterError, match="line 1: there is no shift"):
            roster.dry_run(session, [], rest=REST, by="huy", now=NOW)


def test_a_workbook_with_times_as_such_is_read(sqlite: Database) -> None:
    import io
    from datetime import time

    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(roster.COLUMNS))
    sheet.append(["lan", date(2026, 11, 27), time(6), time(14, 30), "vaccine"])
    out = io.BytesIO()
    book.save(out)
    with sqlite.transaction() as session:
        someone(session, "lan")
        rows = files.read_bytes(out.getvalue(), roster.COLUMNS)
        roster.take_in(session, rows, rest=REST, by="huy", now=NOW)
        (made,) = session.scalars(select(Shift))
        assert made.ends_at - made.begins_at == timedelta(hours=8.5)


def test_a_file_from_before_a_swap_does_not_undo_it(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        lan, minh = someone(session, "lan"), someone(session, "minh")
        huy = someone(session, "huy", Role.SUPERVISOR)
        given = shift(session, lan, NOW + DAY)
        swap = swaps.offer(session, given.id, lan, NOW)
        swaps.take(session, swap.id, minh, REST, NOW)
        swaps.decide(session, swap.id, huy, REST, NOW, approve=True)
    old = [row(2, "lan", "2026-11-27", "08:00", "16:00")]
    with sqlite.transaction() as session:
        with pytest.raises(RosterError, match="lan gave this shift to minh"):
            roster.take_in(session, old, rest=REST, by="huy", now=NOW)
        session.rollback()


def test_whoever_is_rostered_and_in_no_queue_is_missing(sqlite: Database) -> None:
    late = timedelta(minutes=10)
    with sqlite.transaction() as session:
        begun = NOW - timedelta(minutes=20)
        for login in ("lan", "minh", "hoa", "tam"):
            shift(session, someone(session, login), begun)
        shift(session, someone(session, "huy", Role.SUPERVISOR), begun, branch="")
        shift(session, someone(session, "ly"), NOW - timedelta(minutes=5))
        shift(session, someone(session, "an"), NOW - timedelta(hours=9))
        for seq, (login, state) in enumerate({"lan": "ready", "minh": "offline",
                                              "tam": "paused"}.items()):
            session.add(LiveAgent(
                login=login, node="th1", seq=seq, state=state, queues=[], since=NOW
            ))
    with sqlite.reading() as session:
        found = roster.missing(session, NOW, late)
        assert [one.shift.user.login for one in found] == ["minh", "hoa"]
        assert found[0].since == begun
