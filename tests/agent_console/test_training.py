"""The trainer's page and the banners; the calls themselves are in tests/live/test_training.py."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent_console.app import create_app
from crm import settings as configuration
from crm import training
from crm.areas import all_areas
from crm.cases.categories import category_named
from crm.database import Database
from crm.models import Call, CallSegment
from crm.settings import Settings, SettingsError
from crm.training import Played
from tests.agent_console.conftest import SECRETS, Browser, ObedientPhones

TRIAL = '<span class="stage" '
NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def test_the_scripts_expect_what_there_is() -> None:
    codes = {one.code for one in all_areas()}
    for script in training.scripts().values():
        if script.expects.case:
            category_named(script.expects.case.category)
            assert script.expects.case.area in codes


@pytest.mark.parametrize(("name", "value"), [
    ("TRUNK_SERVER", "203.0.113.2"), ("TRUNK_MATCH", "203.0.113.0/29"),
    ("EMERGENCY_MEDICAL", "115"), ("DUTY_PHONES", "0912000001"),
    ("DATABASE_URL", "postgresql://real/hotline"), ("ALARM_URL", "https://alarm.example.vn/"),
])
def test_a_training_refuses_whatever_leads_outside(tmp_path: Path, name: str, value: str) -> None:
    own = {"HOTLINE_HOME": str(tmp_path), "HOTLINE_STAGE": "training"}
    assert configuration.load(own).stage == "training"
    with pytest.raises(SettingsError, match=f"nobody outside: {name.lower()}"):
        configuration.load({**own, f"HOTLINE_{name}": value})


def played(number: int = 0, **values: object) -> Played:
    return replace(
        Played(number, "vaccine_question", "01812340000", NOW, NOW + timedelta(seconds=40),
               speech=((0.0, 8.0), (21.5, 24.0), (35.0, 37.0), (38.6, 39.5))),
        **values,  # type: ignore[arg-type]
    )


def call(session: object, **values: object) -> None:
    row = Call(**{
        "id": "th1.abc-1.1", "node": "th1", "boot": "abc", "direction": "in", "kind": "training",
        "caller": "01812340000", "started_at": NOW, "answered_at": NOW + timedelta(seconds=20),
        "ended_at": NOW + timedelta(seconds=40), "wait_ms": 12_000, "agent": "agent1",
        "outcome": "answered", "path": [], **values,
    })
    session.add(row)  # type: ignore[attr-defined]
    if row.answered_at is not None:
        session.add(CallSegment(  # type: ignore[attr-defined]
            call_id=row.id, number=1, what="talk", started_at=row.answered_at, ms=18_000,
        ))


def marks(database: Database, home: Path) -> dict[str, bool | None]:
    with database.reading() as session:
        [one] = training.graded(session, home, in_time_s=20)
    return {mark.what: mark.ok for mark in one.marks}


def test_what_was_heard_and_what_was_entered_are_graded(sqlite: Database, tmp_path: Path) -> None:
    training.begin(tmp_path)
    training.note(tmp_path, replace(played(), ended_at=None, speech=()))
    training.note(tmp_path, played())
    with sqlite.transaction() as session:
        call(session)
    assert marks(sqlite, tmp_path) == {
        "answered": True, "greeting": True, "closing": True, "hold": True, "result": False,
    }
    training.begin(tmp_path)  # who says nothing for long, and hangs up without a word
    training.note(tmp_path, played(speech=((0.0, 8.0), (29.0, 31.0), (38.6, 39.5))))
    assert {k: v for k, v in marks(sqlite, tmp_path).items() if v is False} == {
        "greeting": False, "closing": False, "result": False,
    }


@pytest.mark.parametrize(("script", "gave_up", "ok"), [
    ("gives_up", True, None), ("vaccine_question", True, False), ("gives_up", False, False),
])
def test_whoever_was_to_give_up_is_no_fault_of_the_agents(
    sqlite: Database, tmp_path: Path, script: str, gave_up: bool, ok: bool | None
) -> None:
    training.begin(tmp_path)
    training.note(tmp_path, played(script=script, gave_up=gave_up))
    with sqlite.transaction() as session:
        call(session, answered_at=None, outcome="abandoned_queue", agent=None)
    assert marks(sqlite, tmp_path) == {"answered": ok}


def test_a_call_stands_in_the_shift_once_with_the_latest_word(tmp_path: Path) -> None:
    training.begin(tmp_path)
    training.note(tmp_path, replace(played(), ended_at=None))
    training.note(tmp_path, played())
    training.note(tmp_path, played(1))
    assert training.played(tmp_path) == [played(), played(1)]
    lines = (tmp_path / training.SHIFT).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 0, 1]


class TestPages:
    """Of a hotline that runs as a training."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        own = {"HOTLINE_HOME": str(tmp_path), "HOTLINE_STAGE": "training"}
        return configuration.load(own)

    def test_the_trainer_sees_who_called_and_every_page_says_that_it_is_training(
        self, sqlite: Database, settings: Settings, supervisor: Browser, agent: Browser
    ) -> None:
        training.begin(settings.home)
        training.note(settings.home, played())
        training.note(settings.home, replace(played(1), ended_at=None))
        with sqlite.transaction() as session:
            call(session)
        page = supervisor.client.get("/training").get_data(as_text=True)
        assert "Hỏi nơi tiêm cho trẻ" in page
        assert "✗ Đã nhập kết quả" in page
        assert "✓ Lời chào 2 s" in page
        assert "đang diễn ra" in page
        for reader, path in ((supervisor, "/calls"), (agent, "/agent"), (agent, "/report")):
            assert "ĐÀO TẠO" in reader.client.get(path).get_data(as_text=True)
        assert agent.client.get("/training").status_code == 403


def test_the_real_hotline_says_where_the_training_is_and_that_it_is_in_trial(
    supervisor: Browser, agent: Browser
) -> None:
    page = supervisor.client.get("/training").get_data(as_text=True)
    assert "hotline training start" in page
    assert "vận hành thử nghiệm" in supervisor.client.get("/report").get_data(as_text=True)
    for staff, path in ((supervisor, "/supervisor"), (agent, "/agent"), (agent, "/account")):
        assert TRIAL in staff.client.get(path).get_data(as_text=True)


def test_a_hotline_in_production_says_nothing_of_a_trial(
    sqlite: Database, tmp_path: Path
) -> None:
    read = configuration.load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_STAGE": "production"})
    app = create_app(read, sqlite, ObedientPhones(), SECRETS)
    page = app.test_client().get("/report").get_data(as_text=True)
    assert "vận hành thử nghiệm" not in page
