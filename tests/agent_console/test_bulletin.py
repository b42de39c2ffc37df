"""The live bulletin for everybody, without signing in."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from flask import Flask

from agent_console.door import Console
from crm import bulletins
from crm.database import Database

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
TEXT = "Có <12> ca & hết."


def test_without_a_bulletin_there_is_none_and_the_feed_is_empty(app: Flask) -> None:
    client = app.test_client()
    for form in ("json", "txt", "wav"):
        assert client.get(f"/bulletin.{form}").status_code == 404
    feed = ElementTree.fromstring(client.get("/bulletin.rss").data)  # noqa: S314 - our own
    assert feed.findall("channel/item") == []


def test_the_live_one_is_told_in_every_form(app: Flask, sqlite: Database) -> None:
    console: Console = app.extensions["console"]
    with sqlite.transaction() as session:
        number = bulletins.approve(session, TEXT, by="Bác sĩ An", now=NOW).id
        bulletins.go_live(session, number, "a" * 20, by="lan", now=NOW)
    sound = console.settings.home / "bulletins" / f"{number}.wav"
    sound.parent.mkdir(parents=True, exist_ok=True)
    sound.write_bytes(b"RIFF")
    client = app.test_client()
    told = client.get("/bulletin.json").get_json()
    assert (told["text"], told["approved_at"]) == (TEXT, "2026-03-10T00:30:00.000Z")
    assert "Bác sĩ An" not in str(told)
    assert TEXT in client.get("/bulletin.txt").get_data(as_text=True)
    assert client.get("/bulletin.wav").data == b"RIFF"
    feed = ElementTree.fromstring(client.get("/bulletin.rss").data)  # noqa: S314 - our own
    item = feed.find("channel/item")
    assert item is not None
    assert item.findtext("description") == TEXT
    enclosure = item.find("enclosure")
    assert enclosure is not None
    assert enclosure.get("length") == "4"
