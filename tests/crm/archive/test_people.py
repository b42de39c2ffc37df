"""What people ask of the archive, and what its time is over for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import settings as configuration
from crm.archive import months, people
from crm.archive.months import Archive
from crm.database import Database
from crm.models import Call, CallNote, CallSegment, Leg, Role, User
from crm.privacy import requests, retention
from crm.privacy.models import LegalHold
from crm.quality.models import CardVersion, Evaluation, QualityDraw, QualityPick, ScoreCard
from crm.settings import Settings
from scripts import privacy
from tests.agent_console.factories import add_call
from tests.crm.archive.months import LEVEL_S, MONTH, NOTED, NOW, an_archive, cheap_keys, settings_of

NUMBER, OTHER = "0912345678", "0987654321"
EARLY, LATE = datetime(2025, 11, 2, tzinfo=UTC), datetime(2025, 11, 27, tzinfo=UTC)


@pytest.fixture
def archive(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Archived are a call of NUMBER, on which something is noted, and two of OTHER, one of which
    was led to NUMBER and speaks of it."""
    monkeypatch.setattr(months, "REST_S", 0.0)
    monkeypatch.setattr(Archive, "_count", lambda *_: None)
    cheap_keys(monkeypatch)
    add_call(database, id="own", caller=NUMBER, started_at=EARLY, ended_at=EARLY, branch="advice",
             facts={"caller": NUMBER}, path=[{"menu": "main", "key": "3", "at": ""}])
    for id_, at in (("first", EARLY), ("second", LATE)):
        add_call(database, id=id_, caller=OTHER, started_at=at, ended_at=at)
    with database.transaction() as session:
        user = User(login="lan", name="Lan", role=Role.AGENT, password_hash="", queues=[],
                    active=True, created_at=NOW)
        session.add(user)
        session.flush()
        for call, text in (("own", NOTED), ("second", f"nhắn bà {NUMBER}")):
            session.add(CallNote(call_id=call, user_id=user.id, text=text, created_at=EARLY,
                                 saved_at=EARLY, done=True))
        session.add(Leg(id="leg", call_id="second", kind="outside", endpoint="carrier",
                        started_at=LATE, facts={"to": f"+84{NUMBER[1:]}"}))
        session.add(CallSegment(call_id="second", number=1, what="talk", party=f"line:{NUMBER}",
                                started_at=LATE, ms=5))
    made = an_archive(database, tmp_path)
    made.make(MONTH, LEVEL_S, NOW)
    return made


def text(archive: Archive) -> str:
    return "".join(one.line.decode() for one in archive.records(MONTH))


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(tmp_path),
        "HOTLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
    })


def judged(session: Session) -> None:
    """The call of NUMBER was drawn and judged, in words about it."""
    card = ScoreCard(name="Thẻ", active=True)
    draw = QualityDraw(week="2025-W44", seed="1", per_agent=1, pool=1, pool_digest="", drawn_at=NOW,
                       drawn_by="huy")
    session.add_all([card, draw])
    session.flush()
    version = CardVersion(card_id=card.id, number=1, questions=[], made_at=NOW, made_by="huy")
    pick = QualityPick(draw_id=draw.id, call_id="own", agent="lan", branch="advice")
    session.add_all([version, pick])
    session.flush()
    session.add(Evaluation(pick_id=pick.id, version_id=version.id, agent="lan", evaluator="huy",
                           at=NOW, answers={}, score=80, failed=False, note="Bà Sáu khó nghe"))


def asked(database: Database, settings: Settings, kind: requests.Kind) -> int:
    with database.transaction() as session:
        made = requests.enter(
            session, kind=kind, number=NUMBER, requester="Lê Văn Tám", checked="gọi lại số này",
            by="huy", now=NOW, secret="k" * 32,
        )
        requests.agree(session, made, by="quan", now=NOW)
        session.flush()
        id_ = made.id
    assert privacy.fulfil(database, settings, NOW) == 1
    return id_


def test_an_erasure_reaches_the_archive_and_leaves_what_is_counted(
    archive: Archive, settings: Settings
) -> None:
    with archive.database.transaction() as session:
        judged(session)
    assert NUMBER in text(archive)
    asked(archive.database, settings, requests.Kind.ERASE)
    left = text(archive)
    for told in (NUMBER, NUMBER[1:], NOTED):
        assert told not in left
    assert OTHER in left
    assert archive.verify(MONTH).counts["call"] == 3
    assert archive.restore(MONTH, NOW) == []
    with archive.database.reading() as session:
        assert session.get_one(Call, "own").branch == "advice"
        assert session.get_one(Call, "own").caller is None
        assert session.scalars(select(Evaluation.note)).all() == [""]


def test_whoever_asks_sees_archived_calls_once(
    archive: Archive, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "EXPORT_KEPT", timedelta(days=9999))  # NOW is not the files' clock
    for _ in range(2):
        id_ = asked(archive.database, settings, requests.Kind.SEE)
        shown = json.loads(privacy.export_of(settings.home, id_).read_text())["calls"]
        assert [(one["branch"], one["keys"], one["notes"]) for one in shown] == [
            ("advice", [["main", "3"]], [NOTED])]
        archive.restore(MONTH, NOW + timedelta(days=9))  # now the database has it, too


def test_numbers_are_deleted_from_the_archive_when_their_time_is_over(
    archive: Archive, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, keep_callers_days=1000)
    with archive.database.transaction() as session:
        requests.hold(session, OTHER, "văn bản 12", NOW + timedelta(days=900), by="quan", now=NOW)

    def callers(now: datetime) -> dict[str, Any]:
        people.forget_callers(archive, settings, now)
        return {one.id: one.rows["call"][0]["caller"] for one in archive.records(MONTH)}

    there = {"own": NUMBER, "first": OTHER, "second": OTHER}
    assert callers(EARLY + timedelta(days=999)) == there
    assert callers(EARLY + timedelta(days=1001)) == there | {"own": None}
    assert NOTED not in text(archive)
    with archive.database.transaction() as session:
        (hold,) = session.scalars(select(LegalHold))
        hold.ended_at = NOW
    assert callers(EARLY + timedelta(days=1001)) == {"own": None, "first": None, "second": OTHER}
    assert callers(LATE + timedelta(days=1010)) == dict.fromkeys(there)
    with archive.database.reading() as session:
        told = [(one.kind, one.count, one.held) for one in retention.certificates(session, 9)]
        assert told == [("callers", 1, 0), ("callers", 1, 0), ("callers", 1, 1)]
        assert retention.verify(session) is None
        assert months.noted(session)[0].nameless


def test_the_numbers_of_the_archive_are_known(archive: Archive) -> None:
    assert people.numbers(archive) == {NUMBER, OTHER}
    assert people.calls_of(archive, NUMBER) == ["own"]
