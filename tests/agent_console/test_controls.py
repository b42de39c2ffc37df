"""The supervisor's switches."""

from __future__ import annotations

from datetime import datetime, timedelta

from crm import switches
from crm.clock import VIETNAM
from crm.database import Database
from tests.agent_console.conftest import Browser, ObedientPhones


def state(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return switches.current(session)


def test_a_greeting_for_a_disaster_is_one_choice(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    assert "Thiên tai" in supervisor.client.get("/controls").get_data(as_text=True)
    supervisor.submit("/controls", name="notice", value="disaster")
    assert state(sqlite)["notice"] == "disaster"
    assert ("set_switch", "notice", "disaster") in phones.told
    assert "Xong" in supervisor.client.get("/controls").get_data(as_text=True)


def test_a_day_is_closed_by_hand_and_stands_in_the_list(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    day = (datetime.now(VIETNAM) + timedelta(days=40)).date()
    supervisor.submit("/controls", day=day.isoformat(), value="closed")
    assert state(sqlite)[switches.day_name(day)] == "closed"
    assert f"{day:%d/%m/%Y}" in supervisor.client.get("/controls").get_data(as_text=True)


def test_nonsense_changes_nothing(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    before = state(sqlite)
    for form in (
        {"name": "moon", "value": "on"}, {"name": "notice", "value": "x"}, {},
        {"day": "2027-02-30", "value": "closed"}, {"day": "2027-02-08", "value": "half"},
    ):
        supervisor.submit("/controls", **form)
    assert state(sqlite) == before
    assert phones.told == []


def test_agents_set_no_switches(agent: Browser, phones: ObedientPhones) -> None:
    assert agent.client.get("/controls").status_code == 403
    agent.submit("/controls", name="overload", value="on")
    assert phones.told == []
