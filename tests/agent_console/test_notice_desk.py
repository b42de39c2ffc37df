"""The page of messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from crm.database import Database
from crm.notices.delivery import Outgoing, Undelivered
from crm.notices.models import Purpose, State
from tests.agent_console.conftest import Browser
from tests.crm.notices.factory import PHONE, all_of, deliver, written


def refused(outgoing: Outgoing) -> str:
    raise Undelivered("gateway 400", final=True)


def page(browser: Browser) -> str:
    return browser.client.get("/notices").get_data(as_text=True)


def test_what_failed_is_shown_and_sent_again(supervisor: Browser, sqlite: Database) -> None:
    assert "Mọi tin đã được gửi" in page(supervisor)
    now = datetime.now(UTC) - timedelta(hours=1)
    written(sqlite, now, body="Da tiep nhan phan anh", urgent=True)
    assert "đã chờ quá 10 phút" in page(supervisor)
    deliver(sqlite, refused, now)
    shown = page(supervisor)
    assert "Da tiep nhan phan anh" in shown
    assert "gateway 400" in shown
    assert PHONE not in shown
    path = re.search(r'action="(/notices/\d+/retry)"', shown)
    assert path
    supervisor.submit(path[1])
    assert all_of(sqlite)[0].state == State.WAITING
    assert "Tin sẽ được gửi lại" in page(supervisor)


def test_codes_and_links_are_shown_to_nobody(admin: Browser, sqlite: Database) -> None:
    written(sqlite, body="Ma xac nhan 493817", purpose=Purpose.CODE)
    written(sqlite, body="https://1022.example.vn/o/secret", purpose=Purpose.LINK)
    shown = page(admin)
    assert "493817" not in shown
    assert "/o/secret" not in shown


def test_what_arrived_is_not_sent_again(supervisor: Browser, sqlite: Database) -> None:
    written(sqlite)
    deliver(sqlite, lambda outgoing: "p1")
    supervisor.submit("/notices/1/retry")
    assert all_of(sqlite)[0].state == State.SENT
    assert "không gửi lại" in page(supervisor)
    for wrong in ("999", "x", "9" * 30):
        assert supervisor.submit(f"/notices/{wrong}/retry").status_code == 404


def test_agents_do_not_read_messages(agent: Browser, sqlite: Database) -> None:
    written(sqlite)
    assert agent.client.get("/notices").status_code == 403
    assert agent.submit("/notices/1/retry").status_code == 403
