"""The supervisor's switches."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crm import switches
from crm.clock import VIETNAM
from crm.database import Database
from tests.agent_console.conftest import Browser, ObedientPhones


def state(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return switches.current(session)


def test_a_greeting_for_a_disaster_is_one_choice(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones, audited: list[str]
) -> None:
    assert "Thiên tai" in supervisor.client.get("/controls").get_data(as_text=True)
    supervisor.submit("/controls", name="notice", value="disaster")
    assert state(sqlite)["notice"] == "disaster"
    assert ("set_switch", "notice", "disaster") in phones.told
    assert audited == ["huy sets the switch notice to disaster"]
    assert "Xong" in supervisor.client.get("/controls").get_data(as_text=True)


@pytest.mark.parametrize("value", ["closed", "open", "auto"])
def test_a_branch_is_opened_and_closed_and_left_to_its_hours(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones, audited: list[str], value: str
) -> None:
    supervisor.submit("/controls", name="hours.vaccine", value=value)
    assert state(sqlite)["hours.vaccine"] == value
    assert ("set_switch", "hours.vaccine", value) in phones.told
    assert audited == [f"huy sets the switch hours.vaccine to {value}"]


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
