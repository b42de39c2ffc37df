"""The PIN of an agent's telephone: one's own, and what administrators do with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from crm import keypad
from crm import settings as settings_room
from crm.database import Database
from crm.models import Seat, User
from crm.settings import Settings
from ivr.commands import Outcome
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser, ObedientPhones
from tests.agent_console.factories import put_live_agent

TELEPHONE = "Local/0913000801@hl-mobile/n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_STAFF_NUMBER": "02371023"})


def told(phones: ObedientPhones) -> Iterator[dict[str, str]]:
    for name, *words in phones.told:
        if name == "set_switches":
            yield words[0]  # type: ignore[misc]


def lan(database: Database) -> User:
    with database.reading() as session:
        return session.query(User).filter_by(login="lan").one()


def test_an_agent_chooses_a_pin_and_asterisk_is_told(
    agent: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    number = keypad.number_of(lan(sqlite))
    assert number in agent.client.get("/account/pin").get_data(as_text=True)
    done = agent.submit("/account/pin", pin="730516", again="730516", password=PASSWORD)
    assert done.status_code == 302
    (switches,) = told(phones)
    assert switches[f"staff.{number}"].endswith(".lan")
    assert "730516" not in str(phones.told)


@pytest.mark.parametrize(("form", "words"), [
    ({"pin": "730516", "again": "730517", "password": PASSWORD}, "không giống nhau"),
    ({"pin": "111111", "again": "111111", "password": PASSWORD}, "đoán ra ngay"),
    ({"pin": "12", "again": "12", "password": PASSWORD}, "6 đến 8 chữ số"),
    ({"pin": "730516", "again": "730516", "password": "wrong-password"}, "không đúng"),
])
def test_a_pin_that_cannot_be_used_is_refused_with_a_word(
    agent: Browser, sqlite: Database, phones: ObedientPhones, form: dict[str, str], words: str
) -> None:
    refused = agent.submit("/account/pin", **form)
    assert refused.status_code == 400
    assert words in refused.get_data(as_text=True)
    assert list(told(phones)) == []


def test_an_administrator_makes_a_pin_that_is_shown_once_and_takes_it_away(
    admin: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    page = admin.submit("/users/lan/pin", act="new").get_data(as_text=True)
    found = re.search(r"data-pin>(\d{6})<", page)
    assert found
    assert found[1] not in admin.client.get("/users").get_data(as_text=True)
    put_live_agent(sqlite, 1, interface=TELEPHONE)
    admin.submit("/users/lan/pin", act="off")
    assert set(list(told(phones))[-1].values()) == {"off"}
    assert ("sign_out", TELEPHONE) in phones.told
    assert admin.submit("/users/nobody/pin", act="new").status_code == 404


def test_other_branches_and_a_switched_off_account_reach_asterisk_too(
    admin: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    admin.submit("/users/lan/pin", act="new")
    admin.submit("/users/lan/queues", queues="advice")
    number = keypad.number_of(lan(sqlite))
    assert list(told(phones))[-1][f"staff.{number}"].startswith("110")
    admin.submit("/users/lan/active", active="no")
    assert list(told(phones))[-1][f"staff.{number}"] == "off"


def test_whoever_sits_down_at_a_phone_of_ours_is_rung_there_alone(
    agent: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    put_live_agent(sqlite, 1, interface=TELEPHONE)
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    assert [told[0] for told in phones.told] == ["sign_out", "sign_in"]
    assert phones.told[0] == ("sign_out", TELEPHONE)


def test_leaving_the_queues_leaves_them_with_the_telephone(
    agent: Browser, supervisor: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    put_live_agent(sqlite, 1, interface=TELEPHONE)
    assert supervisor.ask("POST", "/supervisor/agents/lan", {"act": "out"}).get_json() == {
        "outcome": "done"
    }
    assert phones.told == [("sign_out", TELEPHONE)]
    with sqlite.reading() as session:
        assert not session.query(Seat).filter(Seat.user_id.is_not(None)).all()


def test_a_pin_is_kept_where_asterisk_cannot_be_asked(
    agent: Browser, app: Flask, sqlite: Database, phones: ObedientPhones
) -> None:
    phones.outcome = Outcome.REFUSED
    agent.submit("/account/pin", pin="730516", again="730516", password=PASSWORD)
    assert "sẽ nhận khi trả lời lại" in agent.client.get("/account").get_data(as_text=True)
    with sqlite.reading() as session:
        assert keypad.with_pin(session) == {"lan"}
