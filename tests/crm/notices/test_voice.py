"""Notices that are spoken: rung through an injected telephone, heard as the journal tells."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from crm.calls.facts import CALL_ID, JournalEvent
from crm.database import Database
from crm.notices import voice
from crm.notices.delivery import Outgoing, Route
from crm.notices.models import Channel, Notice, State
from ivr import commands
from ivr.commands import Outcome, Result
from prompts.said import Said
from prompts.voices import EspeakVoice, Voice
from scripts import speech
from scripts.scheduler import Jobs
from tests.crm.cases.test_incidents import event
from tests.crm.notices.factory import NOON, PHONE, deliver, only, settings, written

TEXT = "Phản ánh của quý vị đã có kết quả."


def rung(outgoing: Outgoing) -> str:
    return voice.call_of("th1", outgoing)


def spoken(database: Database) -> Notice:
    notice = written(database, channel=Channel.VOICE, body=TEXT)
    assert notice is not None
    return notice


def heard(database: Database, call: str) -> None:
    told: JournalEvent = event("HL_TOLD", "", PHONE, "x", NOON, call=call)
    with database.transaction() as session:
        voice.apply(session, [told])


def again(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        voice.again(session, now)


def test_who_is_rung_and_listens_has_been_told(database: Database) -> None:
    notice = spoken(database)
    deliver(database, Route("voice", rung), channel=Channel.VOICE)
    assert only(database).state == State.SENT
    heard(database, "th1.b1-1.1")  # an incident's: not ours
    heard(database, f"th1.notice-{notice.id}.2")  # no such ringing
    assert only(database).state == State.SENT
    for _ in range(2):
        heard(database, f"th1.notice-{notice.id}.1")
    assert only(database).state == State.DELIVERED


def test_who_does_not_listen_is_rung_three_times(sqlite: Database) -> None:
    spoken(sqlite)
    now = NOON
    for _ in range(3):
        assert deliver(sqlite, Route("voice", rung), now, channel=Channel.VOICE).sent == 1
        again(sqlite, now + timedelta(minutes=9))
        assert only(sqlite).state == State.SENT
        now += timedelta(minutes=11)
        again(sqlite, now)
    assert (only(sqlite).state, only(sqlite).error) == (State.FAILED, "rung, and not heard")


def test_the_text_stays_as_sound_until_it_was_heard(sqlite: Database) -> None:
    spoken(sqlite)
    for _ in range(2):
        with sqlite.reading() as session:
            assert voice.spoken_texts(session) == [TEXT]
        deliver(sqlite, Route("voice", rung), channel=Channel.VOICE)
    heard(sqlite, "th1.notice-1.1")
    with sqlite.reading() as session:
        assert voice.spoken_texts(session) == []


def test_nobody_is_rung_before_the_sound_is_made(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Telephone:
        rung: list[tuple[str, str, str]] = []  # noqa: RUF012

        def tell(self, number: str, sound: str, call: str) -> Result:
            self.rung.append((number, sound, call))
            return Result(Outcome.DONE)

    monkeypatch.setattr(commands, "for_settings", lambda *_: Telephone())
    monkeypatch.setattr("scripts.scheduler.secrets.load", lambda home: None)
    clock = [NOON]
    jobs = Jobs(settings(tmp_path, quiet_hours="off"), sqlite, Event(), lambda: clock[0])
    notice = spoken(sqlite)
    jobs.send_notices()
    assert (only(sqlite).state, Telephone.rung) == (State.WAITING, [])
    monkeypatch.setattr(jobs._said, "sound_of", lambda text: f"said/{'a' * 20}")
    clock[0] += timedelta(minutes=1)
    jobs.send_notices()
    assert Telephone.rung == [(PHONE, "a" * 20, f"th1.notice-{notice.id}.2")]
    assert CALL_ID.fullmatch(Telephone.rung[0][2])  # the telephone takes it


def test_no_text_of_a_notice_goes_to_a_foreign_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voices = []

    def make(self: Said, texts: list[str], voice: Voice, *_: object) -> dict[str, str]:
        voices.append(voice)
        return {}

    monkeypatch.setattr(Said, "make", make)
    speech.say_saved_texts(settings(tmp_path, voice="gtts"), [TEXT], Event())
    one, = voices
    assert isinstance(one, EspeakVoice)


def test_messages_that_fail_alarm_the_engineers(sqlite: Database, tmp_path: Path) -> None:
    jobs = Jobs(settings(tmp_path), sqlite, Event(), lambda: NOON)
    written(sqlite, NOON - timedelta(hours=1))
    for _ in range(2):
        jobs.watch_notices()
    with sqlite.reading() as session:
        alarm, = session.query(Notice).filter_by(purpose="alarm")
    assert alarm.body.startswith("1022 th1: 1 messages wait for 10 minutes, 0 failed")
    assert not alarm.personal
