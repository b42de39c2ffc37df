"""An agent is signed in once: a second browser is asked, the first one is told."""

from __future__ import annotations

import pytest
from flask import Flask

from crm import desk
from crm.database import Database
from tests.agent_console.conftest import Browser, ObedientPhones
from tests.agent_console.factories import put_live_agent


@pytest.fixture
def second(app: Flask, agent: Browser) -> Browser:
    """The agent's other browser, signed in after the first one has taken a phone."""
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    browser = Browser(app.test_client())
    browser.sign_in("lan")
    return browser


def phone(browser: Browser) -> tuple[str | None, bool]:
    answer = browser.ask("GET", "/agent/phone").get_json()
    return answer["phone"] and answer["phone"]["seat"], answer["elsewhere"]


def test_a_second_browser_is_asked_before_anything_opens(agent: Browser, second: Browser) -> None:
    for page in ("/", "/agent", "/cases", "/account", "/events"):
        assert second.client.get(page).location == "/sign-in/takeover", page
    assert second.ask("POST", "/agent/phone", {"kind": "webrtc"}).status_code == 401
    page = second.client.get("/sign-in/takeover").text
    assert "Tiếp tục ở đây?" in page
    assert "<nav>" not in page
    assert agent.client.get("/agent").status_code == 200  # nothing has happened yet
    assert phone(agent) == ("seat-001", False)


def test_who_goes_on_here_ends_the_first_page_which_is_told_why(
    agent: Browser, second: Browser, phones: ObedientPhones
) -> None:
    assert second.submit("/sign-in/takeover").location == "/"
    assert second.client.get("/agent").status_code == 200
    assert ("sign_out", "PJSIP/seat-001") in phones.told
    assert phone(second) == (None, False)  # given back: taken anew here
    told = agent.ask("GET", "/session")
    assert told.status_code == 401
    assert "trình duyệt khác" in told.get_json()["error"]
    assert agent.client.get("/agent").location.startswith("/login")
    assert "trình duyệt khác" in agent.client.get("/login").text
    assert agent.ask("POST", "/agent/phone", {"kind": "webrtc"}).status_code == 401


def test_who_leaves_it_as_it_is_changes_nothing(
    agent: Browser, second: Browser, phones: ObedientPhones
) -> None:
    before = list(phones.told)
    second.submit("/logout")
    assert phones.told == before
    assert agent.client.get("/agent").status_code == 200
    assert phone(agent) == ("seat-001", False)


def test_a_phone_in_a_call_stays_where_it_is_until_the_call_is_over(
    agent: Browser, second: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    put_live_agent(sqlite, 2, state="talking", call_id="th1.b1-1.1")
    assert "cuộc gọi" in second.client.get("/sign-in/takeover").text
    before = list(phones.told)
    second.submit("/sign-in/takeover")
    assert phones.told == before  # nobody is cut off
    assert phone(second) == (None, True)
    for method in ("POST", "DELETE"):
        refused = second.ask(method, "/agent/phone", {"kind": "webrtc"})
        assert refused.status_code == 409
        assert "trình duyệt kia" in refused.get_json()["error"]
    put_live_agent(sqlite, 3, state="ready", call_id=None)
    assert phone(second) == ("seat-001", False)
    put_live_agent(sqlite, 4, state="talking", call_id="th1.b1-1.2")  # the next call is here
    assert phone(second) == ("seat-001", False)


def test_a_call_that_ends_while_it_is_asked_about_leaves_nobody_without_the_phone(
    second: Browser, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_live_agent(sqlite, 2, state="talking", call_id="th1.b1-1.1")
    second.submit("/sign-in/takeover")
    looks = iter([True])
    monkeypatch.setattr(desk, "is_in_a_call", lambda *_: next(looks, False))
    assert phone(second) == (None, True)  # and not: none, and none elsewhere
    assert phone(second) == ("seat-001", False)


def test_a_phone_whose_page_has_died_goes_on_in_the_new_browser_with_its_queues(
    second: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    """The caller whom it lost is led back to this phone."""
    put_live_agent(sqlite, 2, state="unreachable")
    before = list(phones.told)
    second.submit("/sign-in/takeover")
    assert phones.told == before
    assert phone(second) == ("seat-001", False)


def test_a_telephone_outside_stays_in_the_queues(
    agent: Browser, sqlite: Database, app: Flask, phones: ObedientPhones
) -> None:
    """Who came in by it, and whose browser died, opens another one."""
    put_live_agent(sqlite, 2, interface="Local/0913000801@hl-mobile/n")
    browser = Browser(app.test_client())
    browser.sign_in("lan")
    before = list(phones.told)
    browser.submit("/sign-in/takeover")
    assert phones.told == before
    assert agent.ask("GET", "/session").status_code == 401


def test_others_may_be_signed_in_as_often_as_they_like(
    supervisor: Browser, app: Flask
) -> None:
    again = Browser(app.test_client())
    again.sign_in("huy")
    assert again.client.get("/supervisor").status_code == 200
    assert supervisor.client.get("/supervisor").status_code == 200


def test_who_signed_out_is_asked_nothing(agent: Browser, app: Flask) -> None:
    agent.submit("/logout")
    again = Browser(app.test_client())
    again.sign_in("lan")
    assert again.client.get("/agent").status_code == 200


def test_the_page_to_take_over_leads_on_once_the_other_is_gone(
    agent: Browser, second: Browser
) -> None:
    agent.submit("/logout")
    assert second.client.get("/sign-in/takeover").location == "/"
    assert second.client.get("/agent").status_code == 200
    assert second.client.get("/sign-in/takeover").location == "/"
