"""What pages' scripts send: objects of texts that a database can hold, or nothing is done."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.agent_console.conftest import Browser, ObedientPhones

OF_AGENTS = (
    ("POST", "/agent/phone"), ("POST", "/agent/state"), ("PUT", "/agent/calls/x/note"),
    ("PUT", "/agent/calls/x/line/y"), ("POST", "/agent/calls/x/with"),
    ("POST", "/agent/calls/x/recording"), ("PUT", "/agent/calls/x/address"),
    ("POST", "/agent/help"), ("POST", "/work/ring"), ("POST", "/points/x/sms"),
)
OF_SUPERVISORS = (
    ("POST", "/supervisor/phone"), ("POST", "/supervisor/listen"),
    ("PUT", "/supervisor/agents/lan/skills"), ("POST", "/supervisor/help/1"),
    ("POST", "/supervisor/calls/x/branch"),
)
TO_EACH = {"agent": OF_AGENTS, "supervisor": OF_SUPERVISORS}


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b'"x"', b"{", b"[" * 60_000, b'{"a":' * 12_000,
    b'{"number": "0912\\u0000345678"}', b'{"address": "\\ud800"}', b'{"a": ["b", {"\\u0000": 1}]}',
])
@pytest.mark.parametrize("who", TO_EACH)
def test_what_is_no_object_of_storable_text_is_refused(
    app: Flask, phones: ObedientPhones, request: pytest.FixtureRequest, who: str, body: bytes
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    browser: Browser = request.getfixturevalue(who)
    for method, path in TO_EACH[who]:
        answer = browser.client.open(
            path, method=method, data=body, content_type="application/json"
        )
        assert answer.status_code == 400, path
    assert phones.told == []
