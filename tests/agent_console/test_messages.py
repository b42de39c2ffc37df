"""Messages that callers have left, as work that nobody does twice and nobody forgets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from agent_console.app import feed_of
from crm.calls import messages
from crm.database import Database
from crm.models import Call
from crm.settings import Settings
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)


def left(database: Database, minutes_ago: int = 0, **values: object) -> Call:
    return add_call(database, **{
        "voicemail": "m.wav", "outcome": "voicemail", "branch": "report",
        "started_at": NOW - timedelta(minutes=minutes_ago), **values,
    })


def shown(browser: Browser) -> list[str]:
    page = browser.client.get("/messages").get_data(as_text=True)
    return re.findall(r'data-message="([^"]+)"', page)


def test_the_oldest_waits_first_and_what_began_as_an_emergency_before_all(
    agent: Browser, sqlite: Database
) -> None:
    young, old = left(sqlite, 1), left(sqlite, 60)
    urgent = left(sqlite, 5, emergency=True)
    add_call(sqlite)  # left none
    left(sqlite, kind="training")
    assert shown(agent) == [urgent.id, old.id, young.id]


def test_a_message_is_taken_by_one_done_by_the_same_and_gone(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    call = left(sqlite)
    agent.submit(f"/messages/{call.id}/take")
    agent.submit(f"/messages/{call.id}/take")  # pressed twice
    supervisor.submit(f"/messages/{call.id}/take")
    late = supervisor.client.get("/messages").get_data(as_text=True)
    assert "Người khác đã nhận lời nhắn này" in late
    supervisor.submit(f"/messages/{call.id}/finish")
    assert shown(supervisor) == [call.id]
    agent.submit(f"/messages/{call.id}/finish")
    assert shown(agent) == shown(supervisor) == []


def test_a_message_given_back_waits_again(agent: Browser, sqlite: Database) -> None:
    call = left(sqlite)
    agent.submit(f"/messages/{call.id}/take")
    with sqlite.reading() as session:
        assert messages.untaken(session) == 0
    agent.submit(f"/messages/{call.id}/give-back")
    assert shown(agent) == [call.id]
    with sqlite.reading() as session:
        assert messages.untaken(session) == 1


def test_two_who_take_it_at_once_do_not_both_have_it(database: Database) -> None:
    call = left(database)
    with database.transaction() as session:
        messages.take(session, call.id, "lan", NOW)
    with (
        pytest.raises(messages.MessageError, match="somebody else"),
        database.transaction() as session,
    ):
        messages.take(session, call.id, "minh", NOW)


def test_what_is_no_message_cannot_be_taken(agent: Browser, sqlite: Database) -> None:
    call = add_call(sqlite)
    for call_id in (call.id, "th1.x-1.1"):
        agent.submit(f"/messages/{call_id}/take")
    with sqlite.reading() as session:
        assert messages.waiting(session) == []


def test_an_agent_may_listen_to_messages_but_not_to_recordings(
    agent: Browser, sqlite: Database, settings: Settings
) -> None:
    for folder in ("voicemail", "recordings"):
        (settings.home / folder).mkdir()
        (settings.home / folder / "m.wav").write_bytes(b"RIFF" + bytes(96))
    call = left(sqlite, recording="m.wav")
    assert agent.client.get(f"/calls/{call.id}/voicemail").status_code == 200
    assert agent.client.get(f"/calls/{call.id}/recording").status_code == 403


def test_every_desk_sees_how_many_wait(app: Flask, people: None, sqlite: Database) -> None:
    left(sqlite)
    feed_of(app).refresh()
    assert feed_of(app).documents()["messages"] == {"untaken": 1}
