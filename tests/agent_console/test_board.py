"""The supervisor's pages, recordings, and HTTP for programs."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crm import wallboard
from crm.archive.models import ArchivedMonth
from crm.database import Database
from crm.models import Outcome
from crm.settings import Settings
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call, put_listener

SINCE = datetime(2026, 5, 4, 17, 0, tzinfo=UTC)


def test_the_service_level_counts_as_it_says(database: Database) -> None:
    def came(outcome: Outcome | None, wait_s: float | None = None, **more: object) -> None:
        add_call(database, **{
            "branch": "vaccine", "outcome": outcome and outcome.value, "started_at": SINCE,
            "wait_ms": None if wait_s is None else int(wait_s * 1000),
            "queued_at": None if wait_s is None else SINCE, **more,
        })

    came(Outcome.ANSWERED, 20)  # in time, to the second
    came(Outcome.ANSWERED, 20.001)
    came(Outcome.ABANDONED_QUEUE, 5)  # too soon to have been kept waiting
    came(Outcome.ABANDONED_QUEUE, 5.001)
    came(Outcome.ABANDONED_MENU)
    came(Outcome.VOICEMAIL, 60)  # nobody came
    came(Outcome.VOICEMAIL)  # outside the hours
    came(Outcome.SELF_SERVED)
    came(Outcome.TRANSFERRED, 3, agent="lan")  # an agent took it, who led the caller on
    came(Outcome.TRANSFERRED, agent=None)  # to an emergency service by key
    came(None)  # going on
    came(Outcome.REJECTED, branch=None)
    came(Outcome.ANSWERED, 1, kind="test")
    came(Outcome.ANSWERED, 1, direction="out")
    came(Outcome.ANSWERED, 1, started_at=SINCE - timedelta(seconds=1))
    with database.reading() as session:
        day = wallboard.today(session, SINCE, SINCE + timedelta(hours=1), service_level_s=20)
    found = day.branches
    assert sum(one.attempts for one in day.trend) == 12
    assert found["vaccine"] == wallboard.Day(
        attempts=11, answered=3, abandoned=2, left_menu=1, voicemail=2, in_time=2, counted=5,
        reached=4,
    )
    assert found[None].counted == 1
    assert set(found) == {"vaccine", None}


def test_the_list_of_calls_by_day_branch_and_outcome(
    supervisor: Browser, sqlite: Database
) -> None:
    add_call(sqlite, caller="0911111111", branch="vaccine", outcome="answered")
    add_call(sqlite, caller="0922222222", branch="testing", outcome="abandoned_queue")
    add_call(sqlite, caller=None, started_at=datetime(2026, 1, 2, 17, 30, tzinfo=UTC))

    def shown(query: str) -> str:
        return supervisor.client.get(f"/calls?{query}").get_data(as_text=True)

    assert "0911111111" in shown("")
    assert "0922222222" in shown("")
    assert "0922222222" not in shown("branch=vaccine")
    assert "0911111111" not in shown("outcome=abandoned_queue")
    assert "Số bị ẩn" in shown("day=2026-01-03")  # 00:30 in Thanh Hóa
    for nonsense in ("day=x", "day=0001-01-01", "outcome=x", "branch=a%00b"):
        assert supervisor.client.get(f"/calls?{nonsense}").status_code == 400


def test_a_day_whose_calls_are_archived_says_so_until_they_are_back(
    supervisor: Browser, sqlite: Database
) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with sqlite.transaction() as session:
        session.add(ArchivedMonth(month=date(2024, 3, 1), counts={"call": 1}, size=1,
                                  archived_at=at, nameless=False))

    def is_told(day: str) -> bool:
        text = supervisor.client.get(f"/calls?day={day}").get_data(as_text=True)
        return "Cuộc gọi tháng 03/2024 đã được lưu trữ" in text

    assert [is_told(day) for day in ("2024-02-29", "2024-03-01", "2024-03-31", "2024-04-01")] == [
        False, True, True, False]
    with sqlite.transaction() as session:
        session.get_one(ArchivedMonth, date(2024, 3, 1)).restored_until = at
    assert not is_told("2024-03-05")


def test_a_recording_is_streamed_in_parts_and_noted(
    supervisor: Browser, sqlite: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    folder = settings.home / "recordings"
    folder.mkdir()
    (folder / "one.wav").write_bytes(b"RIFF" + bytes(96))
    call = add_call(sqlite, recording="one.wav")
    with caplog.at_level(logging.INFO, "hotline.audit"):
        answer = supervisor.client.get(
            f"/calls/{call.id}/recording", headers={"Range": "bytes=0-3"}
        )
    assert (answer.status_code, answer.data, answer.mimetype) == (206, b"RIFF", "audio/wav")
    assert f"huy listens to the recording of call {call.id}" in caplog.text


@pytest.mark.parametrize("name", ["../secrets.json", "/etc/passwd", "..", "missing.wav", "a\x00b"])
def test_a_recording_never_leaves_its_folder(
    supervisor: Browser, sqlite: Database, settings: Settings, name: str
) -> None:
    (settings.home / "recordings").mkdir()
    Path(settings.home / "secrets.json").write_text("{}")
    call = add_call(sqlite, recording=name)
    assert supervisor.client.get(f"/calls/{call.id}/recording").status_code == 404
    assert supervisor.client.get("/calls/x/voicemail").status_code == 404


def test_ready_means_every_part(browser: Browser, sqlite: Database) -> None:
    def parts() -> tuple[int, object]:
        answer = browser.client.get("/readyz")
        return answer.status_code, answer.get_json()["listener"]

    assert parts() == (503, False)
    put_listener(sqlite, 1)
    assert parts() == (200, True)
    put_listener(sqlite, 2, connected=False)
    assert parts() == (503, False)
    put_listener(sqlite, 3, silent=timedelta(minutes=5))
    assert parts() == (503, False)


def test_metrics_count_todays_calls(browser: Browser, sqlite: Database) -> None:
    add_call(sqlite, outcome="answered")
    add_call(sqlite)
    text = browser.client.get("/metrics").get_data(as_text=True)
    assert 'hotline_calls_today{outcome="answered"} 1.0' in text
    assert 'hotline_calls_today{outcome="open"} 1.0' in text
    assert "hotline_console_streams 0.0" in text
