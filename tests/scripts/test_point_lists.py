"""Lists of contact points: callers hear them when their sounds are there, and never a lost one."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from crm import secrets, switches
from crm import settings as settings_room
from crm.database import Database
from crm.knowledge import points
from crm.knowledge.models import PointKind
from crm.settings import Settings
from ivr import commands, provision
from prompts.said import Said, _name
from scripts import scheduler, speech
from tests.crm.cases.factory import NOW
from tests.crm.knowledge.factory import point

LIST = "points.vaccination"


class Asterisk:
    """Remembers the switches that it was told, and which sounds are there."""

    def __init__(self, folder: Path) -> None:
        self.told: list[dict[str, str]] = []
        self.kept: list[set[str]] = []
        self._folder = folder

    def set_switches(self, changed: Mapping[str, str]) -> None:
        self.told.append(dict(changed))

    def say(self, _settings: Settings, texts: Sequence[str], _stop: object) -> dict[str, str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        for text in texts:
            (self._folder / f"{_name(text)}.alaw").write_bytes(b"\xd5" * 800)
        self.kept.append(set(texts))
        return {}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({"HOTLINE_HOME": str(tmp_path)})


@pytest.fixture
def asterisk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Asterisk:
    made = Asterisk(provision.sounds(settings.home) / "vi" / "said")
    monkeypatch.setattr(speech, "say_saved_texts", made.say)
    monkeypatch.setattr(commands, "for_settings", lambda *_: made)
    monkeypatch.setattr(secrets, "load", lambda _: None)
    return made


def test_a_list_is_heard_once_it_is_a_sound_and_the_old_one_until_then(
    settings: Settings, sqlite: Database, asterisk: Asterisk
) -> None:
    jobs = scheduler.Jobs(settings, sqlite, threading.Event(), clock=lambda: NOW)
    jobs.say_saved_texts()
    assert asterisk.told == []  # no point, no list
    heard = []
    for name in ("Điểm tiêm Mẫu Một", "Điểm tiêm Mẫu Hai"):
        with sqlite.transaction() as session:
            point(session, code="mot", name=name)
            text = points.spoken_list(session, PointKind.VACCINATION, NOW)
        assert text
        jobs.say_saved_texts()
        sound = Said(provision.sounds(settings.home), settings.cache).sound_of(text)
        assert sound
        heard.append(text)
        assert asterisk.told[-1] == {LIST: sound.removeprefix("said/")}
    assert set(heard) <= asterisk.kept[-1]  # what was heard until now was not taken away
    with sqlite.transaction() as session:
        point(session, code="mot", name=name, valid_to="2026-03-09")
    jobs.say_saved_texts()
    jobs.say_saved_texts()
    assert asterisk.told[2:] == [{LIST: "none"}]
    with sqlite.reading() as session:
        assert switches.wanted(session, LIST) == "none"
