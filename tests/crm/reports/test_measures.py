"""A day of calls drawn by chance, counted by the hotline and again by a naive program."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, astuple, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from crm import wallboard
from crm.calls import callbacks
from crm.database import Database
from crm.reports import calls, kept, measures, service
from crm.reports.measures import NONE, By, Measures
from crm.reports.spans import begin
from crm.wallboard import Day, Line, Today
from ivr.journal import Tailer
from tests import naive_count
from tests.agent_console.factories import add_call
from tests.calls_of_a_day import MIDNIGHT, a_day
from tests.databases import KINDS, Databases
from tests.journals import encode

DAY = date(2025, 11, 22)
LATER = MIDNIGHT + timedelta(days=9)
CALLS = 2000


@pytest.fixture(scope="module")
def journal() -> bytes:
    return encode(a_day(CALLS, seed=7))


def tailed(database: Database, folder: Path, journal: bytes) -> None:
    (folder / "journal.csv").write_bytes(journal)
    tailer = Tailer(database, folder, "th1", clock=lambda: LATER)
    while tailer.step():
        pass


@pytest.fixture(scope="module")
def wanted(journal: bytes) -> dict[tuple[str, str], dict[str, int]]:
    return {key: dict(one) for key, one in naive(journal).items()}


def naive(journal: bytes) -> naive_count.Figures:
    midnight, later = (int(at.timestamp()) * 10**6 for at in (MIDNIGHT, LATER))
    return naive_count.count(journal.decode(), DAY.isoformat(), midnight, later, 20)


def plain(found: measures.Found) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (by.value, key): {name: number for name, number in asdict(one).items() if number}
        for (by, key), one in found.items() if one != measures.NONE
    }


def assert_shown(board: Today, wanted: dict[tuple[str, str], dict[str, int]]) -> None:
    """The live board has the figures of the naive count: by branch, hour and line outside."""
    def of(by: str) -> dict[str, Measures]:
        return {key: replace(NONE, **one) for (kind, key), one in wanted.items() if kind == by}

    assert board.branches == {key or None: Day.of(one) for key, one in of("branch").items()}
    hours = of("hour")
    for hour, halves in enumerate(zip(board.trend[:48:2], board.trend[1:48:2], strict=True)):
        shown = Day(*map(sum, zip(*map(astuple, halves), strict=True)))
        assert shown == Day.of(hours.get(f"{hour:02}", NONE)), hour
    assert board.lines == {
        key: Line(one.offers, one.taken, one.unanswered, one.refused)
        for key, one in of("party").items()
    }


# What the columns of the reports say: a count, a time in seconds, or a rate of two.
COUNTS = {
    "Gọi đến": "calls", "Gặp điện thoại viên": "answered", "Nối ra ngoài": "transferred",
    "Hẹn gọi lại": "callback", "Lời nhắn": "voicemail", "Tự tra cứu": "self_served",
    "Bỏ khi chờ": "abandoned", "Bỏ ở menu": "left_menu", "Từ chối": "rejected", "Sự cố": "lost",
    "Trong 20 giây": "in_time", "Trong 60 giây": "in_norm", "Chờ gặp người": "queued",
    "Báo đúng": "told_right", "Được báo": "told", "Lượt xử lý": "handled",
    "Thành công": "transfers_done", "Chuyển máy": "transfers", "Đổ chuông": "offers",
    "Nhận": "taken", "Không nhấc máy": "unanswered", "Từ chối, bận": "refused",
    "Không gọi lại": "not_again", "Số người hài lòng": "satisfied", "Có đánh giá": "rated",
}
TIMES = {
    "Chờ lâu nhất": "longest_wait_ms", "Nói chuyện": "talk_ms", "Giữ máy": "hold_ms",
    "Làm nốt": "wrapup_ms", "Đồng nghiệp hỏi": "consult_ms", "Bận (phút)": "busy_ms",
    "Có mặt, không nghỉ (phút)": "staffed_ms", "Trong ca (phút)": "signed_ms",
    "Tạm nghỉ (phút)": "paused_ms",
}
RATES = {
    "Mức dịch vụ": ("in_time", "counted"), "Gặp người trong 60 giây": ("in_norm", "queued"),
    "Chờ trung bình (ASA)": ("waited_ms", "waited"), "Mức bận": ("busy_ms", "staffed_ms"),
    "Báo đúng thời gian chờ": ("told_right", "told"),
    "Sai lệch thời gian chờ": ("told_off_ms", "told"),
    "Chuyển máy thành công": ("transfers_done", "transfers"),
    "Xong ngay lần đầu": ("not_again", "again_counted"), "Hài lòng": ("satisfied", "rated"),
}


def cell(section: str, title: str, one: dict[str, int]) -> float | None:
    """What stands in a column of a report, of the naive counts of a row."""
    def rate(over: int, of: int, unit: int = 1) -> float | None:
        return over / of / unit if of else None

    match section, title:
        case _, "Xử lý trung bình (AHT)":
            spent = sum(one.get(name, 0) for name in ("talk_ms", "hold_ms", "wrapup_ms"))
            return rate(spent, one.get("handled", 0), 1000)
        case _, "Đổ chuông không nhận":
            missed = one.get("unanswered", 0) + one.get("refused", 0)
            return rate(missed, one.get("offers", 0))
        case _, "Được tính":
            return one.get("again_counted" if section == "content" else "counted", 0)
        case _ if title in RATES:
            over, of = RATES[title]
            return rate(one.get(over, 0), one.get(of, 0),
                        1000 if over in ("waited_ms", "told_off_ms") else 1)
        case _ if title in TIMES:
            return one.get(TIMES[title], 0) // 1000
    return one.get(COUNTS[title], 0)


def assert_reported(session: Session, wanted: dict[tuple[str, str], dict[str, int]]) -> None:
    """Every cell of every report of the day, and its totals, are those of the naive count."""
    read: dict[date, measures.Found] = {}
    for by in By:
        rows = {key: one for (kind, key), one in wanted.items() if kind == by.value}
        every: Counter[str] = Counter()
        for one in rows.values():
            every.update(one)
        every["longest_wait_ms"] = max(one.get("longest_wait_ms", 0) for one in rows.values())
        report = service.document(session, by, DAY, DAY, LATER, 20, read)
        named = {name: rows[key] for key, name in service.names(
            session, by, dict.fromkeys(rows, NONE), DAY).items()}
        assert len(named) == len(rows)
        for section in report.sections:
            if section.table is None or section.id in ("patience", "norm", "glossary"):
                continue
            titles = [column.title for column in section.table.columns[1:]]
            assert section.table.total is not None
            shown = {str(row[0]): row[1:] for row in section.table.rows}
            for name, row, one in [
                *((name, shown.get(name), one) for name, one in named.items()),
                ("Cộng", section.table.total[1:], dict(every)),
            ]:
                told = [cell(section.id, title, one) for title in titles]
                if row is None:  # of whom there is nothing to tell
                    assert not any(told), (by, section.id, name)
                else:
                    assert list(row) == pytest.approx(told), (by, section.id, name)


def assert_waits_and_norm(session: Session, wanted: dict[str, int], trials: dict[str, int]) -> None:
    """Who gave up after how long; the norm of 60 seconds, of citizens and of test calls."""
    report = {one.id: one.table for one in
              service.document(session, By.DAY, DAY, DAY, LATER, 20).sections}
    patience, norm = report["patience"], report["norm"]
    assert patience
    assert norm
    classes = ("ab_5", "ab_10", "ab_20", "ab_30", "ab_60", "ab_120", "ab_300", "ab_more")
    assert [row[1] for row in patience.rows] == [wanted.get(name, 0) for name in classes]
    assert patience.rows[-1][3] == 1
    assert sum(wanted.get(name, 0) for name in classes) == wanted["abandoned"]
    assert [row[1:3] for row in norm.rows] == [
        (wanted["in_norm"], wanted["queued"]), (trials["in_norm"], trials["queued"]),
    ]
    assert trials["queued"] > 10


def assert_counted(session: Session, wanted: dict[tuple[str, str], dict[str, int]]) -> None:
    """What the daily report and those over a period count of inbound calls, by branch."""
    found = [one for one in calls.between(session, MIDNIGHT, MIDNIGHT + timedelta(days=1))
             if one.direction == "in"]
    for (by, key), told in wanted.items():
        if by not in ("day", "branch") or "calls" not in told:
            continue
        sums = calls.sums(one for one in found if by == "day" or one.branch == key)
        one = Counter(told)
        assert sums == calls.Sums(
            calls=one["calls"], queued=one["queued"], in_time=one["in_norm"],
            unreached=one["unreached"], rated=one["rated"], satisfied=one["satisfied"],
            longest_wait_ms=one["longest_wait_ms"], answered=one["reached"] - one["transferred"],
            missed=one["lost"] + one["rejected"] + one["abandoned"],
        ), key


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_of_a_random_day_is_what_a_naive_count_of_the_journal_says(
    databases: Databases, tmp_path: Path, journal: bytes,
    wanted: dict[tuple[str, str], dict[str, int]], kind: str,
) -> None:
    trials = naive(journal.replace(b"kind=citizen", b"kind=x").replace(b"kind=test",
                                                                       b"kind=citizen"))
    with databases.new(kind) as database:
        tailed(database, tmp_path, journal)
        with database.transaction() as session:
            live = measures.of_day(session, MIDNIGHT, LATER, 20)
            assert plain(live) == wanted
            kept.put(session, DAY, live)
            for by in By:
                again = kept.of_days(session, by, DAY, DAY, LATER, 20)
                assert again == {key: one for (of, key), one in sorted(live.items()) if of is by}
            assert_shown(wallboard.today(session, MIDNIGHT, LATER, 20), wanted)
            assert len(callbacks.still_open(session)) == naive_count.owed(journal.decode()) > 5
            assert_counted(session, wanted)
            assert_reported(session, wanted)
            assert_waits_and_norm(session, wanted["day", DAY.isoformat()],
                                  trials["day", DAY.isoformat()])
    assert wanted["day", "2025-11-22"]["calls"] > CALLS * 0.9
    assert begin(DAY) == MIDNIGHT


def test_a_period_from_before_the_first_call_looks_at_no_day_of_which_there_is_nothing(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_call(sqlite, started_at=MIDNIGHT + timedelta(hours=1))
    looked_at = []

    def of_day(*given: Any) -> measures.Found:
        looked_at.append(given[1])
        return measures.of_day(*given)

    monkeypatch.setattr(kept, "of_day", of_day)
    read: dict[date, measures.Found] = {}
    with sqlite.reading() as session:
        found = kept.of_days(session, By.DAY, DAY - timedelta(days=300), DAY, LATER, 20, read)
        service.document(session, By.DAY, DAY, DAY, LATER, 20, read)  # nor at any twice
    assert (found["2025-11-22"].calls, looked_at) == (1, [MIDNIGHT])
