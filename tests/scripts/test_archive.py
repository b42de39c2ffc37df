"""`hotline archive`, and who else must know of it: the ledger, counting anew, backups, the list."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select, update

from crm import secrets
from crm import settings as configuration
from crm.archive import files, months
from crm.archive.models import ArchivedMonth
from crm.archive.months import Archive
from crm.database import Database
from crm.models import Call
from crm.notices import outbox
from crm.settings import Settings
from ivr import ledger
from ivr.journal import Tailer
from scripts.commands.archive import archive
from scripts.commands.reports import report
from scripts.scheduler import Jobs
from tests.agent_console.factories import add_call
from tests.calls_of_a_day import a_day
from tests.crm.archive.months import DAY, LEVEL_S, MONTH, NOW, cheap_keys
from tests.journals import encode

OLD = datetime(2023, 5, 9, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(months, "REST_S", 0.0)
    monkeypatch.setattr(Archive, "_count", lambda *_: None)
    cheap_keys(monkeypatch)
    secrets.ensure(tmp_path, [])
    return configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_DATABASE_URL": str(sqlite.url),
        "HOTLINE_ALARM_PHONES": "0912000111",
    })


def run(settings: Settings, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(archive, list(words), obj=settings)
    return done.exit_code, done.output or str(done.exception)


def test_months_are_listed_made_shown_brought_back_and_verified(
    settings: Settings, sqlite: Database
) -> None:
    for id_, at in (("old", OLD), ("older", OLD - timedelta(days=40)), ("new", datetime.now(UTC))):
        add_call(sqlite, id=id_, started_at=at, ended_at=at)
    assert run(settings, "list") == (0, "due: 2023-03, 2023-05\n")
    assert run(settings, "make", "2023-05")[1].startswith("2023-05: 1 records left the database")
    code, said = run(settings, "make", "2023-05")
    assert (code, "not due" in said) == (1, True)
    assert run(settings, "make")[1].startswith("2023-03: 1 records left the database, 1 rows in")
    assert run(settings, "make")[1] == "nothing is due\n"
    listed = json.loads(run(settings, "list", "--json")[1])
    assert [(one["month"], one["rows"]) for one in listed["archived"]] == [
        ("2023-03", {"call": 1}), ("2023-05", {"call": 1})]
    assert json.loads(run(settings, "show", "2023-05")[1])["id"] == "old"
    assert run(settings, "verify") == (0, "2 months are whole\n")
    assert "is back until" in run(settings, "restore", "2023-05")[1]
    with sqlite.reading() as session:
        assert set(session.scalars(select(Call.id))) == {"old", "new"}
    assert "brought back until" in run(settings, "list")[1]
    assert run(settings, "restore", "2022-01")[0] == 1
    file = Archive(sqlite, settings.home).file(OLD.date().replace(day=1))
    file.write_bytes(file.read_bytes()[:-9])
    code, said = run(settings, "verify")
    assert code == 1
    assert said.startswith("2023-05: ")


def test_the_scheduler_archives_and_an_archive_that_cannot_be_written_alarms(
    settings: Settings, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_call(sqlite, id="old", started_at=OLD, ended_at=OLD)
    jobs = Jobs(settings, sqlite, threading.Event(), clock=lambda: NOW)
    told: list[str] = []
    monkeypatch.setattr(outbox, "alarm", lambda *_, body, **__: told.append(body))
    with monkeypatch.context() as patched:
        patched.setattr(files, "write", lambda *_: (_ for _ in ()).throw(OSError("full")))
        jobs.archive()
    assert told == ["full"]
    jobs.archive()
    assert told == ["full"]
    with sqlite.reading() as session:
        assert [one.counts for one in months.noted(session)] == [{"call": 1}]
        assert session.scalars(select(Call.id)).all() == []


def test_ledger_and_counting_anew_know_that_a_month_is_archived(
    settings: Settings, sqlite: Database
) -> None:
    folder = settings.home / "journal"
    folder.mkdir()
    (folder / "journal.csv").write_bytes(encode(a_day(20, seed=3)))
    tailer = Tailer(sqlite, folder, settings.node)
    while tailer.step():
        pass
    with sqlite.transaction() as session:
        session.execute(update(Call).values(
            recording=None, voicemail=None, unreached=False, broken_off=None))
        calls = len(session.scalars(select(Call.id)).all())
    made = Archive(sqlite, settings.home)
    made.make(MONTH, LEVEL_S, NOW)

    def checked() -> ledger.Ledger:
        with sqlite.reading() as session:
            return ledger.check(session, folder, settings.node, made.holding)

    found = checked()
    assert (found.unexplained, found.archived) == ((), calls - found.open)
    assert f"{found.archived} archived" in list(found.lines())[-1]

    def anew() -> tuple[int, str]:
        done = CliRunner().invoke(report, ["recompute", "--all", "--check"], obj=settings)
        return done.exit_code, done.output

    code, said = anew()
    assert "2025-11 is archived: hotline archive restore 2025-11 brings it back" in said
    assert code == 0
    made.restore(MONTH, NOW)
    assert checked().archived == 0
    with sqlite.transaction() as session:
        session.execute(update(Call).where(Call.outcome == "answered").values(outcome="lost"))
    code, said = anew()
    assert code == 1
    assert f"{DAY}  call " in said
    with sqlite.transaction() as session:  # a call that is nowhere is missed as ever
        session.execute(delete(ArchivedMonth))
        session.execute(delete(Call))
    assert checked().unexplained
