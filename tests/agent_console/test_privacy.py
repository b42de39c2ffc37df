"""Requests about personal data, from the page to the erasure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from crm import secrets
from crm.database import Database
from crm.settings import Settings
from scripts import privacy
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import opened

ASKED = {"kind": "erase", "number": "0912345678", "requester": "Lê Văn Tám", "checked": "gọi lại"}


@pytest.fixture(autouse=True)
def _secrets(settings: Settings, app: Flask) -> None:
    secrets.ensure(settings.home, [])


def test_one_enters_another_agrees_and_it_is_done(
    supervisor: Browser, admin: Browser, agent: Browser, sqlite: Database, settings: Settings
) -> None:
    add_call(sqlite, caller="0912345678")
    with sqlite.transaction() as session:
        code = opened(session, phone="0912345678", summary="Nhà bị ngập").code
    assert agent.submit("/privacy", **ASKED).status_code == 403
    assert supervisor.submit("/privacy", **ASKED | {"checked": ""}).status_code == 400
    assert supervisor.submit("/privacy", **ASKED).status_code == 302
    assert supervisor.submit("/privacy", **ASKED | {"kind": "see"}).status_code == 302
    assert supervisor.submit("/privacy/1", act="agree").status_code == 400  # who entered it
    assert admin.submit("/privacy/1", act="refuse", ground="").status_code == 400
    assert admin.submit("/privacy/2", act="agree").status_code == 302
    assert privacy.fulfil(sqlite, settings, datetime.now(UTC)) == 1
    data = admin.client.get("/privacy/2/export")
    assert "attachment" in data.headers["Content-Disposition"]
    assert "Nhà bị ngập" in data.get_data(as_text=True)
    assert admin.submit("/privacy/1", act="agree").status_code == 302
    assert privacy.fulfil(sqlite, settings, datetime.now(UTC)) == 1
    page = admin.client.get(f"/cases/{code}").get_data(as_text=True)
    assert "ngập" not in page
    assert "0912345678" not in admin.client.get("/privacy").get_data(as_text=True)
    # what was written out for its owner is gone with it
    assert admin.client.get("/privacy/2/export").status_code == 404


def test_what_is_held_by_order_is_kept(admin: Browser, supervisor: Browser) -> None:
    until = datetime.now(UTC).date() + timedelta(days=9)
    told = {"number": "0912345678", "reason": "Công an tỉnh, văn bản 12", "until": until}
    assert supervisor.submit("/privacy/holds", **told).status_code == 403
    assert admin.submit("/privacy/holds", **told | {"until": "x"}).status_code == 400
    assert admin.submit("/privacy/holds", **told | {"reason": " "}).status_code == 400
    assert admin.submit("/privacy/holds", **told).status_code == 302
    supervisor.submit("/privacy", **ASKED)
    refused = admin.submit("/privacy/1", act="agree")
    assert refused.status_code == 400
    assert admin.submit("/privacy/holds/1/end").status_code == 302
    assert admin.submit("/privacy/1", act="agree").status_code == 302


def test_correcting_is_for_people_to_do(admin: Browser, supervisor: Browser) -> None:
    supervisor.submit("/privacy", **ASKED | {"kind": "correct"})
    assert admin.submit("/privacy/1", act="done").status_code == 400
    assert admin.submit("/privacy/1", act="extend", ground="chờ hồ sơ").status_code == 302
    assert admin.submit("/privacy/1", act="agree").status_code == 302
    assert supervisor.submit("/privacy/1", act="done").status_code == 302
    assert supervisor.submit("/privacy/9", act="done").status_code == 400
