"""Recordings on their pages: found, heard in parts, noted on, downloaded for a reason; and what was
changed is not played."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm import secrets
from crm.database import Database
from crm.recordings import store
from crm.recordings.models import SoundNote, SoundUse
from crm.settings import Settings
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call
from tests.crm.recordings.sounds import flipped, put, tones

CALL = "th1.b1-1.1"
US = 1_000_000


@pytest.fixture
def recorded(sqlite: Database, settings: Settings) -> Path:
    """The sealed file of a call of a minute ago, with a pause, and music in between."""
    secrets.ensure(settings.home, [])
    for folder in ("recordings", "voicemail"):
        (settings.home / folder).mkdir()
    now = datetime.now(UTC)
    began = now - timedelta(minutes=5)
    start = int(began.timestamp() * US)
    marks = [
        {"state": "paused", "why": "card", "by": "lan",
         "at": (began + timedelta(seconds=30)).isoformat()},
        {"state": "on", "why": "", "by": "lan", "at": (began + timedelta(seconds=33)).isoformat()},
    ]
    add_call(
        sqlite, id=CALL, started_at=began, ended_at=now - timedelta(minutes=1), agent="lan",
        recording=f"{CALL}.raw", recording_notice="heard", recording_marks=marks, talk_ms=20_000,
        outcome="answered", branch="vaccine",
        facts={"first": start, "last": start + 300 * US, "bridges": {
            "a": [[start + 10 * US, 1], [start + 15 * US, 0]],
            "b": [[start + 25 * US, 1], [start + 40 * US, 0]],
        }},
    )
    put(settings.home, f"{CALL}.raw", tones(440, 1000, seconds=20))
    assert store.seal_ended(sqlite, settings.home, now) == 1
    return settings.home / f"recordings/{CALL}.sealed"


def text(browser: Browser, path: str) -> str:
    answer = browser.client.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_a_recording_is_found_and_heard_in_parts_and_each_hearing_is_shown(
    supervisor: Browser, sqlite: Database, recorded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert f"/recordings/{CALL}" in text(supervisor, "/recordings?number=0912+345+678")
    assert f"/recordings/{CALL}" not in text(supervisor, "/recordings?branch=testing")
    with caplog.at_level(logging.INFO, "hotline.audit"):
        whole = supervisor.client.get(f"/calls/{CALL}/recording")
    assert whole.data[:4] == b"RIFF"
    assert len(whole.data) == whole.content_length == 44 + 20 * 8000 * 4
    for wanted in ("bytes=300000-300999", "bytes=70000-", "bytes=-16"):
        part = supervisor.client.get(f"/calls/{CALL}/recording", headers={"Range": wanted})
        assert part.status_code == 206
        first, _, rest = part.headers["Content-Range"].removeprefix("bytes ").partition("-")
        assert part.data == whole.data[int(first):int(rest.split("/")[0]) + 1]
    beyond = supervisor.client.get(
        f"/calls/{CALL}/recording", headers={"Range": "bytes=9999999-"}
    )
    assert beyond.status_code == 416
    assert caplog.text.count(f"huy listens to the recording of call {CALL}") == 1
    assert text(supervisor, f"/recordings/{CALL}").count("<td>đã nghe") == 1


def test_the_page_shows_where_it_is_silent_and_where_time_is_missing(
    supervisor: Browser, recorded: Path
) -> None:
    page = text(supervisor, f"/recordings/{CALL}")
    # 5 s after it began the caller heard music for 10 s; 5 s of the second part later it was paused
    assert 'data-seek="5000"' in page
    assert "0:10 nghe nhạc chờ" in page
    assert 'data-seek="10000"' in page
    assert "im lặng đến 0:13: do lan tạm dừng" in page
    assert "Số thẻ hoặc thông tin ngân hàng" in page
    assert page.count("<polygon") == 2


def test_what_was_changed_is_not_played_and_says_so(
    supervisor: Browser, sqlite: Database, recorded: Path
) -> None:
    recorded.write_bytes(flipped(recorded.read_bytes(), [-50]))
    told = supervisor.ask("GET", f"/calls/{CALL}/recording")
    assert told.status_code == 409
    assert "không còn nguyên vẹn" in told.get_json()["error"]
    untouched = supervisor.client.get(f"/calls/{CALL}/recording", headers={"Range": "bytes=9-99"})
    assert untouched.status_code == 206  # a piece that is as it was
    last = supervisor.client.get(f"/calls/{CALL}/recording", headers={"Range": "bytes=-99"})
    assert last.status_code == 409
    with sqlite.reading() as session:
        assert session.scalars(select(SoundUse)).all() == []  # nothing was heard


def test_notes_stand_at_their_moment_sealed_and_only_their_author_takes_them_back(
    supervisor: Browser, admin: Browser, sqlite: Database, recorded: Path
) -> None:
    path = f"/recordings/{CALL}/notes"
    assert supervisor.submit(path, at="12,5", text="Chào hỏi rất tốt").status_code == 302
    page = text(supervisor, f"/recordings/{CALL}")
    assert "Chào hỏi rất tốt" in page
    assert 'data-seek="12500"' in page
    assert f"/recordings/{CALL}" in text(supervisor, "/recordings?words=chao+hoi")
    for at, said in (("x", "a"), ("-1", "a"), ("21", "a"), ("1", " "), ("nan", "a"), ("inf", "a")):
        refused = supervisor.submit(path, at=at, text=said)
        assert refused.status_code == 400
        assert f'value="{at}"' in refused.get_data(as_text=True)  # nothing of it is lost
    with sqlite.reading() as session:
        (note,) = session.scalars(select(SoundNote))
    assert admin.submit(f"{path}/{note.id}/drop").status_code == 404
    assert supervisor.submit(f"{path}/{note.id}/drop").status_code == 302
    assert "Chào hỏi" not in text(supervisor, f"/recordings/{CALL}")


def test_a_download_is_for_those_who_may_and_needs_a_reason_that_stays(
    supervisor: Browser, admin: Browser, recorded: Path
) -> None:
    path = f"/recordings/{CALL}/download"
    assert supervisor.submit(path, why="x").status_code == 403
    assert 'name="why"' not in text(supervisor, f"/recordings/{CALL}")
    assert admin.submit(path, why="  ").status_code == 400
    answer = admin.submit(path, why="Công văn 12 của Công an tỉnh")
    assert answer.headers["Content-Disposition"] == f"attachment; filename={CALL}.wav"
    assert answer.data[:4] == b"RIFF"
    assert "Công văn 12" in text(supervisor, f"/recordings/{CALL}")


def test_a_refused_and_a_discarded_recording_say_so(
    supervisor: Browser, sqlite: Database, settings: Settings, recorded: Path
) -> None:
    add_call(sqlite, id="th1.b1-1.2", recording_notice="refused", outcome="answered")
    assert "từ chối ghi âm nên không có bản ghi" in text(supervisor, "/recordings/th1.b1-1.2")
    assert "người gọi từ chối" in text(supervisor, "/recordings?refused=yes")
    now = datetime.now(UTC)
    marks = [{"state": "discarded", "why": "private", "by": "lan", "at": now.isoformat()}]
    add_call(sqlite, id="th1.b1-1.3", recording="th1.b1-1.3.raw", recording_marks=marks,
             ended_at=now - timedelta(minutes=1))
    put(settings.home, "th1.b1-1.3.raw", tones(440, 1000))
    assert store.seal_ended(sqlite, settings.home, now) == 1
    page = text(supervisor, "/recordings/th1.b1-1.3")
    assert "đã bị bỏ" in page
    assert "Chuyện riêng" in page
    assert supervisor.client.get("/calls/th1.b1-1.3/recording").status_code == 404
    add_call(sqlite, id="th1.b1-1.4")
    for none in ("th1.b1-1.4", "nothing"):
        assert supervisor.client.get(f"/recordings/{none}").status_code == 404


@pytest.mark.parametrize("query", [
    "since=x", "since=2020-01-01", "from=99", "least=-1", "satisfaction=9", "outcome=x",
    "number=abc", "after=x", "until=2000-01-01",
])
def test_what_cannot_be_searched_is_said_and_nothing_typed_is_lost(
    supervisor: Browser, query: str
) -> None:
    page = text(supervisor, f"/recordings?words=xin+ch%C3%A0o&{query}")
    assert "Không tìm được như vậy" in page
    assert "xin chào" in page
