"""Counting anew from the journal: equal where nothing was changed; differences named and mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from crm import secrets
from crm import settings as settings_room
from crm.database import Database
from crm.models import Call, CallSegment
from crm.privacy import sealing
from crm.reports import calls, kept
from crm.reports.measures import By
from crm.settings import Settings
from ivr.journal import Tailer
from scripts.commands.reports import report
from tests.calls_of_a_day import a_day
from tests.crm.calls.test_passed import crossing
from tests.crm.reports.test_measures import DAY, LATER
from tests.databases import Databases
from tests.journals import START, Asterisk, encode


@pytest.fixture
def settings(tmp_path: Path, sqlite: Database) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_DATABASE_URL": str(sqlite.url),
    })


@pytest.fixture
def home(settings: Settings, sqlite: Database) -> Path:
    """A hotline whose tailer has read a day of 60 calls, the first half of it sealed since."""
    folder = settings.home / "journal"
    folder.mkdir()
    events = a_day(60, seed=3)
    (folder / "journal-20251122T050000.csv").write_bytes(encode(events[:600]))
    (folder / "journal.csv").write_bytes(encode(events[600:]))
    tailer = Tailer(sqlite, folder, settings.node, clock=lambda: LATER)
    while tailer.step():
        pass
    old = folder / "journal-20251122T050000.csv"
    key = secrets.ensure(settings.home, []).journal_key
    sealing.seal_file(old, old.with_name(f"{old.name}.sealed"), key)
    old.unlink()
    with sqlite.transaction() as session:
        calls.count(session, DAY, LATER, settings.service_level_s)
    return settings.home


def run(settings: Settings, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(report, ["recompute", *options], obj=settings)
    return done.exit_code, done.output or str(done.exception)


def test_what_the_journal_tells_is_what_is_there(home: Path, settings: Settings) -> None:
    assert run(settings, "--all", "--check")[0] == 0
    assert run(settings, "--day", DAY.isoformat(), "--check")[1] == "1 days, 0 differences\n"


def test_each_difference_is_named_and_put_right(
    home: Path, settings: Settings, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        talk = session.scalars(
            select(CallSegment).where(CallSegment.what == "talk").limit(1)).one()
        name = f"call_segment {talk.call_id} {talk.number}"
        talk.ms += 1
        answered = session.scalars(
            select(Call).where(Call.outcome == "answered").order_by(Call.id)).first()
        assert answered is not None
        answered.outcome = "lost"
        counts = kept.of_kept(session, DAY)
        kept.put(session, DAY, {key: one for key, one in counts.items() if key[0] is not By.AGENT})
    code, output = run(settings, "--day", DAY.isoformat(), "--check")
    assert code == 1
    assert f"{DAY}  {name}: ms is {talk.ms}, the journal says {talk.ms - 1}" in output
    assert f"call {answered.id}: outcome is lost, the journal says answered" in output
    assert "talk_ms of agent" in output
    assert run(settings, "--day", DAY.isoformat())[0] == 0
    assert run(settings, "--day", DAY.isoformat(), "--check") == (0, "1 days, 0 differences\n")
    with sqlite.reading() as session:
        assert kept.of_kept(session, DAY) == counts


def test_what_was_erased_is_no_difference(
    home: Path, settings: Settings, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        some = select(Call.id).where(Call.outcome == "answered").limit(3)
        session.execute(update(Call).where(Call.id.in_(session.scalars(some).all())).values(
            caller=None, facts=None, recording=None
        ))
        calls.count(session, DAY, LATER, settings.service_level_s)
    assert run(settings, "--day", DAY.isoformat(), "--check")[0] == 0


def test_an_empty_journal_says_so(settings: Settings, sqlite: Database) -> None:
    secrets.ensure(settings.home, [])
    (settings.home / "journal").mkdir()
    assert run(settings)[1] == "the journal is empty\n"
    assert datetime.now(UTC) - LATER > timedelta(0)


def test_of_several_nodes_the_journals_of_all_are_read(
    tmp_path: Path, databases: Databases
) -> None:
    with databases.new("postgresql") as database:
        _of_several_nodes(tmp_path, database)


def _of_several_nodes(tmp_path: Path, database: Database) -> None:
    settings = settings_room.load({
        "HOTLINE_HOME": str(tmp_path / "th1"),
        "HOTLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "HOTLINE_NODE": "th1", "HOTLINE_SIP_BIND": "127.0.1.1:5060",
        "HOTLINE_NODES": "th1 127.0.1.1:5060, th2 127.0.1.2:5060",
        "HOTLINE_KEPT": str(tmp_path),
    })
    calls_ = crossing()
    calls_.taken()
    calls_.wait(40)
    calls_.over()
    for asterisk in (calls_.first, calls_.second):
        folder = tmp_path / asterisk.node / "journal"
        folder.mkdir(parents=True)
        before = Asterisk(asterisk.node, "a0", START - timedelta(hours=1))  # all tell since then
        before.caller().end()
        (folder / "journal.csv").write_bytes(encode([*before.events, *asterisk.events]))
        tailer = Tailer(database, folder, asterisk.node)
        while tailer.step():
            pass
    secrets.ensure(settings.home, [])
    code, said = run(settings, "--all", "--check")
    assert code == 1
    assert "--node th2 FOLDER" in said
    other = ("--node", "th2", str(tmp_path / "th2"))
    assert run(settings, "--all", "--check", *other)[0] == 0
    with database.transaction() as session:
        call = session.get_one(Call, calls_.caller.id)
        assert call.agent == "lan"  # of whom the other node alone has told
        call.agent = "minh"
    code, said = run(settings, "--all", *other)
    assert "agent is minh, the journal says lan" in said
    assert run(settings, "--all", "--check", *other)[0] == 0
