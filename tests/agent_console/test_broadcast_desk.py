"""The pages of broadcasts: written by huy, approved by quan."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from agent_console import words
from crm import settings as configuration
from crm.broadcasts import audience
from crm.broadcasts.models import Broadcast, BroadcastEvent
from crm.database import Database
from crm.imports import files
from crm.notices.models import Notice, State
from crm.settings import PROJECT, Settings
from tests.agent_console.conftest import Browser
from tests.crm.broadcasts.factory import AREA, TEXT, rows

FORM = {
    "title": "Xét nghiệm phường Hàm Rồng", "authority": "Sở Y tế", "document": "123/SYT-NVY",
    "channel": "sms", "audience": "list", "areas": AREA, "text": TEXT, "delivery": "direct",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_SMS_PROVIDER": "gateway",
        "HOTLINE_SMS_SENDER": "TD1022", "HOTLINE_SMS_GATEWAY_URL": "http://127.0.0.1:9/send",
        "HOTLINE_SMS_PRICE": "700",
    })


def a_list(count: int) -> io.BytesIO:
    return io.BytesIO(files.as_csv(rows(count), audience.COLUMNS))


def write(browser: Browser, **told: object):  # type: ignore[no-untyped-def]
    """Save a draft; `count`: of the people on its list."""
    count = int(str(told.pop("count", 60)))
    form = {**FORM, **told, "csrf_token": browser.token(), "file": (a_list(count), "list.csv")}
    return browser.client.post("/broadcasts", data=form)


def page(browser: Browser, path: str = "/broadcasts/1") -> str:
    answer = browser.client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def stage(database: Database) -> str:
    with database.reading() as session:
        return session.get_one(Broadcast, 1).stage


def test_one_person_writes_it_another_approves_it(
    supervisor: Browser, admin: Browser, sqlite: Database
) -> None:
    assert write(supervisor).location == "/broadcasts/1"
    shown = page(supervisor)
    for told in ("Moi nguoi dan xet nghiem", "Sở Y tế", "123/SYT-NVY", "Phường Hàm Rồng",
                 "Khoảng 42.000 đồng", "mỗi người nhận 1 tin", "Chưa có điện thoại viên nào"):
        assert told in shown
    assert supervisor.submit("/broadcasts/1/approve").location == "/broadcasts/1"  # and says why
    assert stage(sqlite) == "draft"
    assert "gửi thử" in page(admin)  # nor quan, before it was tested
    supervisor.submit("/broadcasts/1/test", to="0987654321")
    supervisor.submit("/broadcasts/1/approve")
    assert stage(sqlite) == "draft"
    assert "Người soạn không tự phê duyệt" in page(supervisor)
    admin.submit("/broadcasts/1/approve")
    assert stage(sqlite) == "approved"
    for act, after in (("start", "running"), ("pause", "paused"), ("resume", "running")):
        supervisor.submit(f"/broadcasts/1/{act}")
        assert stage(sqlite) == after
    assert 'http-equiv="refresh"' in page(supervisor)
    assert 'http-equiv="refresh"' not in page(supervisor, "/broadcasts/1?live=no")
    admin.submit("/broadcasts/1/stop")
    assert stage(sqlite) == "stopped"
    with sqlite.reading() as session:
        done = [(one.what, one.by) for one in session.scalars(
            select(BroadcastEvent).order_by(BroadcastEvent.id)
        )]
        assert set(session.scalars(select(Notice.state).where(Notice.broadcast_id == 1))) == {
            State.CANCELLED
        }
    assert done == [
        ("written", "huy"), ("tested", "huy"), ("approved", "quan"), ("started", "huy"),
        ("paused", "huy"), ("resumed", "huy"), ("stopped", "quan"),
    ]
    assert "dừng hẳn" in page(supervisor)
    assert "Xét nghiệm phường Hàm Rồng" in page(supervisor, "/broadcasts")
    again = page(supervisor, "/broadcasts/new?from=1")
    assert "Mời người dân xét nghiệm" in again


@pytest.mark.parametrize(("told", "why"), [
    ({"audience": "chosen"}, "không bao giờ nói lý do"),
    ({"text": "Xem ngay https://example.com/qua-tang"}, "gov.vn"),
    ({"authority": " "}, "số văn bản"), ({"most": "0"}, "mỗi phút"), ({"areas": []}, "xã, phường"),
    ({"count": 10}, "câu mẫu cố định"),
])
def test_what_cannot_be_is_said_and_nothing_is_lost(
    supervisor: Browser, sqlite: Database, told: dict[str, object], why: str
) -> None:
    answer = write(supervisor, **told)
    shown = answer.get_data(as_text=True)
    assert answer.status_code == 400
    notice = re.search(r'role="alert">([^<]+)<', shown)
    assert notice
    assert why in notice[1]
    assert "Xét nghiệm phường Hàm Rồng" in shown
    with sqlite.reading() as session:
        assert session.scalar(select(Broadcast)) is None


def test_a_message_to_chosen_persons_says_nothing_else(
    supervisor: Browser, sqlite: Database
) -> None:
    write(supervisor, count=3, audience="chosen", text="")
    assert "Tram Y te Phuong Ham Rong de nghi quy vi goi so 02371022" in page(supervisor)


def test_files_of_the_carriers_are_fetched_and_that_is_noted(
    supervisor: Browser, admin: Browser, sqlite: Database
) -> None:
    write(supervisor, delivery="carriers")
    admin.submit("/broadcasts/1/approve")
    supervisor.submit("/broadcasts/1/start")
    shown = page(supervisor)
    assert "chuyển mạng" in shown
    answer = supervisor.client.get("/broadcasts/1/files/vinaphone")
    assert answer.headers["Content-Disposition"].endswith('-1-vinaphone.csv"')
    digest = hashlib.sha256(answer.data).hexdigest()
    assert digest[:32] in shown
    assert "tải tệp của nhà mạng" in page(supervisor)
    assert supervisor.client.get("/broadcasts/1/files/viettel").status_code == 404


def test_agents_neither_see_nor_do_anything(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    write(supervisor)
    for path in ("/broadcasts", "/broadcasts/1", "/broadcasts/new"):
        assert agent.client.get(path).status_code == 403
    assert agent.submit("/broadcasts/1/stop").status_code == 403
    assert write(agent).status_code == 403
    for wrong in ("/broadcasts/99", "/broadcasts/x", "/broadcasts/٣", "/broadcasts/1/files/x"):
        assert supervisor.client.get(wrong).status_code == 404


def test_every_reason_for_refusing_has_words(app: Flask) -> None:
    sources = "".join(
        file.read_text(encoding="utf-8") for file in (PROJECT / "crm" / "broadcasts").glob("*.py")
    )
    codes = set(re.findall(r'BroadcastError\(\s*"(\w+)"', sources))
    assert "chosen_text" in codes
    with app.test_request_context():
        assert all(words.broadcast_problem(code) for code in codes)
        done = set(re.findall(r'note\(\s*session, broadcast, "(\w+)"', sources)) | {"fetched"}
        assert "started" in done
        assert all(words.broadcast_event(what) for what in done)
