"""What agents and supervisors do together over HTTP: help, calls for life, skills."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from agent_console.app import feed_of
from agent_console.feed import Document
from crm.agents import pauses
from crm.cases.models import Case
from crm.database import Database
from crm.models import User
from ivr.commands import Outcome
from tests.agent_console.conftest import Browser, ObedientPhones
from tests.agent_console.factories import call_id, put_live_agent, put_live_call


@pytest.fixture
def in_call(agent: Browser, phones: ObedientPhones, sqlite: Database) -> str:
    """A call that lan speaks in."""
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.told.clear()
    call = call_id()
    put_live_call(sqlite, 1, id=call, state="talking", agent="lan", caller="0912345678")
    put_live_agent(sqlite, 2, state="talking", call_id=call)
    return call


@pytest.fixture
def mai(app: Flask, people: None) -> Browser:
    """A second supervisor."""
    browser = Browser(app.test_client())
    browser.sign_in("quan")
    return browser


def shown(app: Flask, kind: str) -> list[Document]:
    """The documents of a kind that pages see now."""
    feed = feed_of(app)
    feed._due["room"] = 0.0
    feed.refresh()
    return [one for key, one in feed.documents().items() if key.startswith(f"{kind}:")]


def test_help_is_asked_for_in_the_call_taken_by_one_and_settled(
    app: Flask, agent: Browser, supervisor: Browser, mai: Browser, in_call: str
) -> None:
    for _ in range(2):
        assert agent.ask("POST", "/agent/help", {"needed": True}).get_json() == {"needed": True}
    [asked] = shown(app, "help")
    assert (asked["agent"], asked["call"], asked["taken_by"]) == ("lan", in_call, None)
    path = f"/supervisor/help/{asked['id']}"
    assert agent.ask("POST", path, {"act": "take"}).status_code == 403
    assert supervisor.ask("POST", path, {"act": "take"}).status_code == 200
    refused = mai.ask("POST", path, {"act": "take"})
    assert refused.status_code == 409
    assert "huy" in refused.get_json()["error"]
    assert shown(app, "help")[0]["taken_by"] == "huy"
    supervisor.ask("POST", path, {"act": "clear"})
    assert shown(app, "help") == []
    assert mai.ask("POST", path, {"act": "take"}).status_code == 409
    assert supervisor.ask("POST", path, {"act": "sing"}).status_code == 400


def test_an_agent_takes_back_what_was_asked(app: Flask, agent: Browser, in_call: str) -> None:
    agent.ask("POST", "/agent/help", {"needed": True})
    agent.ask("POST", "/agent/help", {"needed": False})
    assert shown(app, "help") == []
    assert agent.ask("POST", "/agent/help", {"needed": "yes"}).status_code == 400


@pytest.mark.parametrize("asked", [
    {"act": "invite", "kind": "service", "to": "medical"},
    {"act": "consult", "kind": "outside", "to": "111"},
])
def test_a_service_called_in_opens_a_case_and_alarms_the_room(
    app: Flask, agent: Browser, supervisor: Browser, in_call: str, sqlite: Database,
    asked: dict[str, str],
) -> None:
    for _ in range(2):
        agent.ask("POST", f"/agent/calls/{in_call}/with", asked)
    with sqlite.reading() as session:
        case = session.scalars(select(Case)).one()
        assert (case.category, case.phone) == ("danger", "0912345678")
    number = {"medical": "115"}.get(asked["to"], asked["to"])
    [alarm] = shown(app, "rescue")
    assert (alarm["number"], alarm["caller"], alarm["case"]) == (number, "0912345678", case.code)

    address = {"address": "số 5 ngõ 12"}
    agent.ask("PUT", f"/agent/calls/{in_call}/address", address)
    told = agent.ask("GET", f"/agent/calls/{in_call}").get_json()["rescue"]
    assert (told["number"], told["address"]) == (number, "số 5 ngõ 12")
    assert case.code in told["page"]
    assert "số 5 ngõ 12" in agent.client.get(told["page"]).get_data(as_text=True)

    supervisor.ask("POST", f"/supervisor/rescues/{in_call}/seen", {})
    assert shown(app, "rescue") == []


def test_the_case_stands_also_where_asterisk_refuses(
    agent: Browser, in_call: str, sqlite: Database, phones: ObedientPhones
) -> None:
    phones.outcome = Outcome.REFUSED
    agent.ask("POST", f"/agent/calls/{in_call}/with",
              {"act": "invite", "kind": "service", "to": "medical"})
    with sqlite.reading() as session:
        assert session.scalars(select(Case)).one()


def test_no_case_of_a_call_that_is_somebody_elses(
    agent: Browser, in_call: str, sqlite: Database
) -> None:
    other = put_live_call(sqlite, 9, state="talking", agent="minh")
    asked = {"act": "invite", "kind": "service", "to": "medical"}
    assert agent.ask("POST", f"/agent/calls/{other}/with", asked).status_code == 404
    address = {"address": "x"}
    assert agent.ask("PUT", f"/agent/calls/{other}/address", address).status_code == 404
    wrong = {"act": "invite", "kind": "service", "to": "army"}
    assert agent.ask("POST", f"/agent/calls/{in_call}/with", wrong).status_code == 400
    with sqlite.reading() as session:
        assert session.scalars(select(Case)).all() == []


def test_a_supervisor_changes_skills_of_who_is_in_the_queues_at_once(
    supervisor: Browser, agent: Browser, in_call: str, sqlite: Database, phones: ObedientPhones
) -> None:
    path = "/supervisor/agents/lan/skills"
    assert supervisor.ask("GET", path).get_json() == {
        "skills": {"emergency": 1, "vaccine": 1, "operator": 1},
    }
    told = supervisor.ask("PUT", path, {"skills": {"vaccine": 2, "relief": 1}}).get_json()
    wanted = {"emergency": 1, "vaccine": 2, "relief": 1}
    assert told == {"outcome": "done", "skills": wanted}
    assert phones.told == [("set_skills", "PJSIP/seat-001", "lan", wanted)]
    with sqlite.reading() as session:
        assert session.scalars(select(User).where(User.login == "lan")).one().levels == {
            "vaccine": 2,
        }
    for bad in ({"vaccine": 4}, {"nowhere": 1}, {"vaccine": True}, ["vaccine"], None):
        assert supervisor.ask("PUT", path, {"skills": bad}).status_code == 400, bad
    assert supervisor.ask("PUT", "/supervisor/agents/huy/skills", {"skills": {}}).status_code == 404
    assert agent.ask("PUT", path, {"skills": {}}).status_code == 403


def test_skills_of_who_is_away_count_from_the_next_sign_in(
    supervisor: Browser, agent: Browser, phones: ObedientPhones
) -> None:
    supervisor.ask("PUT", "/supervisor/agents/lan/skills", {"skills": {"relief": 3}})
    assert phones.told == []
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    assert phones.told == [("sign_in", "PJSIP/seat-001", "lan", ("emergency", "relief"), True)]


def test_a_pause_is_shown_with_what_its_reason_has_taken_today(
    app: Flask, agent: Browser, sqlite: Database
) -> None:
    now = datetime.now(UTC)
    put_live_agent(sqlite, 1, state="paused", reason="rest")
    with sqlite.transaction() as session:
        pauses.note(session, "lan", "rest", now - timedelta(seconds=20))
    [one] = shown(app, "agent")
    assert one["paused_at"] is not None
    assert one["paused_before_s"] == 0
    assert feed_of(app).documents()["pause_limits"]["rest"] == [15, 45]
