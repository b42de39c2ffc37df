"""The live feed: what each page gets, once, and what happens to slow pages and ended sessions."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from agent_console import feed as feed_room
from agent_console.feed import EVERYBODY, Feed, Subscriber
from crm import users
from crm.database import Database
from crm.models import Role
from tests.agent_console.factories import (
    add_call,
    put_listener,
    put_live_agent,
    put_live_call,
)
from tests.live.running import wait_for

LAN = frozenset((EVERYBODY, "agent:lan", "queue:vaccine"))
MINH = frozenset((EVERYBODY, "agent:minh", "queue:testing"))


@pytest.fixture
def feed(database: Database) -> Iterator[Feed]:
    """A feed whose turns the test makes itself, by `refresh`."""
    put_listener(database, 1)
    made = Feed(database, service_level_s=20)
    made.refresh()
    yield made
    made.close()


def signed_in(database: Database) -> str:
    now = datetime.now(UTC)
    with database.transaction() as session:
        user = users.create_user(
            session, login=f"u{now.timestamp():.6f}", name="U", role=Role.AGENT,
            password="long enough it is", now=now,
        )
        session.flush()
        return users.open_session(session, user, address="a", browser="b", now=now)


@pytest.fixture
def token(database: Database) -> str:
    """The hash of a session that is good."""
    return users.token_hash(signed_in(database))


def messages(page: Subscriber) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        try:
            message = page.messages.get_nowait()
        except queue.Empty:
            return found
        if message is not None:
            found.append(json.loads(message))


def changes(page: Subscriber) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for message in messages(page):
        merged |= message["set"]
    return merged


def test_a_supervisor_first_gets_everything_then_what_changes(
    feed: Feed, database: Database, token: str
) -> None:
    page = feed.subscribe(None, token)
    (first,) = messages(page)
    assert first["everything"] is True
    assert first["set"]["branch:vaccine"] == {"waiting": 0, "oldest": None, "talking": 0}
    put_live_call(database, 2)
    feed.refresh()
    change = changes(page)
    assert change["branch:vaccine"]["waiting"] == 1
    assert "branch:testing" not in change
    feed.refresh()
    assert messages(page) == []


def test_an_agent_gets_the_own_call_and_loses_it_to_another(
    feed: Feed, database: Database, token: str
) -> None:
    lan, minh = feed.subscribe(LAN, token), feed.subscribe(MINH, token)
    messages(lan), messages(minh)
    call = put_live_call(database, 2, state="ringing", agent="lan")
    put_live_agent(database, 3, "lan", state="ringing", call_id=call)
    feed.refresh()
    seen = changes(lan)
    assert seen[f"call:{call}"]["caller"] == "0912345678"
    assert seen["agent:lan"]["state"] == "ringing"
    assert seen["queue:vaccine"]["waiting"] == 1
    assert changes(minh) == {}

    put_live_call(database, 4, id=call, state="ringing", agent="minh")
    feed.refresh()
    assert changes(lan)[f"call:{call}"] is None
    assert changes(minh)[f"call:{call}"]["agent"] == "minh"

    put_live_call(database, 5, id=call, state="ended", agent="minh")
    feed.refresh()
    assert changes(minh)[f"call:{call}"] is None


def test_the_path_follows_when_the_journal_has_it(
    feed: Feed, database: Database, token: str
) -> None:
    page = feed.subscribe(LAN, token)
    call = put_live_call(database, 2, state="ringing", agent="lan", caller=None)
    feed.refresh()
    assert changes(page)[f"call:{call}"]["path"] is None
    add_call(database, id=call, path=[{"menu": "main", "key": "3", "at": "2026-05-04T05:00:00Z"}])
    feed.refresh()
    seen = changes(page)[f"call:{call}"]
    assert (seen["path"], seen["caller"]) == ("main.3", "0912345678")


def test_a_silent_listener_counts_as_disconnected(
    feed: Feed, database: Database, token: str
) -> None:
    page = feed.subscribe(LAN, token)
    assert changes(page)["listener:th1"] == {"connected": True}
    put_listener(database, 2, silent=timedelta(minutes=1))
    feed.refresh()
    assert changes(page)["listener:th1"] == {"connected": False}


def test_a_listener_that_begins_anew_is_read_anew(
    feed: Feed, database: Database, token: str
) -> None:
    put_listener(database, 900)
    put_live_call(database, 900)
    feed.refresh()
    page = feed.subscribe(None, token)
    messages(page)
    put_listener(database, 5)
    put_live_call(database, 3, branch="testing", queue="testing")
    feed.refresh()
    assert changes(page)["branch:testing"]["waiting"] == 1


def test_a_page_that_does_not_keep_up_is_cut_off(
    feed: Feed, database: Database, token: str
) -> None:
    page = feed.subscribe(None, token)
    for seq in range(2, feed_room.QUEUE_LENGTH + 10):
        put_live_call(database, seq, id="th1.b1-1.1", state=("waiting", "talking")[seq % 2])
        feed.refresh()
    assert feed.subscribers == 0
    lines = list(page.stream())  # it reads what was there, and then it ends
    assert len(lines) == feed_room.QUEUE_LENGTH + 1


def test_the_stream_ends_with_the_session(feed: Feed, database: Database) -> None:
    token = signed_in(database)
    page = feed.subscribe(LAN, users.token_hash(token))
    feed._due["sessions"] = 0.0
    feed.refresh()
    assert feed.subscribers == 1
    with database.transaction() as session:
        users.close_session(session, token, datetime.now(UTC))
    feed._due["sessions"] = 0.0
    feed.refresh()
    assert feed.subscribers == 0
    assert next(reversed(list(page.stream()))).startswith("data:")  # what was sent, then the end


def test_a_page_that_comes_again_takes_the_place_of_its_dead_stream(
    feed: Feed, database: Database, token: str
) -> None:
    feed.subscribe(LAN, users.token_hash(signed_in(database)), "page-1")
    old = feed.subscribe(LAN, token, "page-1")
    feed.subscribe(LAN, token, "page-2")
    feed.subscribe(LAN, token, "page-1")
    assert feed.subscribers == 3
    assert old.closed


def test_silence_is_filled_with_heartbeats(
    feed: Feed, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_room, "HEARTBEAT_S", 0.01)
    stream = feed.subscribe(LAN, token).stream()
    assert next(stream).startswith("retry:")
    assert '"everything":true' in next(stream)
    assert next(stream).endswith('"set":{}}\n\n')


def test_without_the_database_pages_stay_and_are_told(
    feed: Feed, database: Database, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = feed.subscribe(LAN, token)
    messages(page)

    def gone(_timeout_s: float) -> Iterator[None]:
        feed._stopping.set()
        raise OperationalError("SELECT", {}, Exception("gone"))
        yield

    monkeypatch.setattr(database, "changes", gone)
    feed._run()
    assert changes(page) == {"database": {"ok": False}}
    feed._stopping.clear()
    feed.refresh()
    assert changes(page)["database"] == {"ok": True}


def test_the_thread_brings_a_commit_to_the_page(database: Database, token: str) -> None:
    put_listener(database, 1)
    feed = Feed(database, service_level_s=20)
    feed.start()
    try:
        page = feed.subscribe(None, token)
        call = put_live_call(database, 2, state="talking", agent="lan")
        while f"call:{call}" not in json.loads(page.messages.get(timeout=20) or "{}")["set"]:
            pass
    finally:
        feed.close()
    assert page.closed


def test_what_changed_while_nobody_watched_is_there_as_soon_as_a_page_comes(
    database: Database, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_room, "UNWATCHED_S", 60.0)
    put_listener(database, 1)
    feed = Feed(database, service_level_s=20)
    feed.start()
    try:
        wait_for(lambda: "listener:th1" in feed.documents(), "it has read what there was")
        call = put_live_call(database, 2, state="talking", agent="lan")
        page = feed.subscribe(None, token)
        while f"call:{call}" not in json.loads(page.messages.get(timeout=20) or "{}")["set"]:
            pass
    finally:
        feed.close()
