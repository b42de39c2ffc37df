"""What is kept for how long, what is held, and what certifies its end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from crm import audit
from crm import settings as configuration
from crm.cases import life
from crm.cases import words as case_words
from crm.cases.models import Case
from crm.database import Database
from crm.models import Call, CallNote
from crm.notices.models import Notice
from crm.privacy import requests, retention
from crm.privacy.models import Deletion
from crm.privacy.retention import Kind
from crm.settings import Settings
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import NOW, answered, opened
from tests.crm.privacy.test_erasure import NUMBER, with_everything


def settings_of(home: Path, **days: int) -> Settings:
    """With what each kind is kept for, in days."""
    return configuration.load({"HOTLINE_HOME": str(home)} | {
        f"HOTLINE_KEEP_{kind.upper()}_DAYS": str(number) for kind, number in days.items()
    })


@pytest.mark.parametrize(("kind", "column"), [
    (Kind.RECORDINGS, Call.recording), (Kind.CALLERS, Call.caller), (Kind.NOTICES, Notice.id),
])
def test_each_kind_ends_when_its_time_is_over_and_not_before(
    database: Database, tmp_path: Path, kind: Kind, column: InstrumentedAttribute[Any]
) -> None:
    with_everything(database, tmp_path)
    with database.transaction() as session:
        for call in session.scalars(select(Call)):
            call.started_at = NOW
        for notice in session.scalars(select(Notice)):
            notice.ended_at = NOW

    def there() -> list[Any]:
        with database.reading() as session:
            return list(session.scalars(select(column).where(column.is_not(None))))

    settings = settings_of(tmp_path, **dict.fromkeys(Kind, 3650) | {kind: 100})
    assert len(there()) == 2
    assert retention.apply(database, settings, NOW + timedelta(days=99)) == []
    assert len(there()) == 2
    done = retention.apply(database, settings, NOW + timedelta(days=101))
    assert [(one.kind, one.count) for one in done] == [(kind, 2)]
    assert there() == []
    if kind is Kind.RECORDINGS:
        assert list((tmp_path / "recordings").iterdir()) == []
    with database.reading() as session:
        if kind is Kind.CALLERS:
            assert set(session.scalars(select(CallNote.text))) == {""}
        assert retention.verify(session) is None


def test_a_case_loses_what_was_said_and_keeps_what_is_counted(database: Database) -> None:
    with database.transaction() as session:
        over = answered(session, "Đã xong, gửi ông Tám.", phone=NUMBER, summary="ho sốt").code
        still = opened(session, phone=NUMBER, summary="mới").code
    late = NOW + timedelta(days=1900)
    done = retention.apply(database, settings_of(Path("/nowhere")), late)
    assert [(one.kind, one.count) for one in done] == [(Kind.CASES, 1)]
    with database.reading() as session:
        case = life.by_code(session, over)
        assert (case.phone, "ho sốt" in case.summary, case.status) == (None, False, "resolved")
        assert case.agency is not None
        assert life.by_code(session, still).phone == NUMBER  # a promise that is open
        assert audit.verify(session).broken is None
        assert case_words.found_by(session, "ho sốt", 5) == []


def test_what_is_held_by_order_stays_and_the_certificate_says_so(
    database: Database, tmp_path: Path
) -> None:
    add_call(database, id="a.b-1", caller=NUMBER, started_at=NOW)
    add_call(database, id="a.b-2", caller="0987654321", started_at=NOW)
    add_call(database, id="a.b-3", caller=None, started_at=NOW)
    late = NOW + timedelta(days=1900)
    with database.transaction() as session:
        requests.hold(session, NUMBER, "văn bản 12", late + timedelta(days=1), by="quan", now=NOW)
    done = retention.apply(database, settings_of(tmp_path), late)
    assert [(one.count, one.held) for one in done if one.kind is Kind.CALLERS] == [(1, 1)]
    with database.reading() as session:
        assert session.get_one(Call, "a.b-1").caller == NUMBER
        assert session.get_one(Call, "a.b-2").caller is None


def test_more_than_one_portion_ends_in_one_night(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 3)
    for number in range(10):
        add_call(sqlite, caller=f"09000000{number:02d}", started_at=NOW)
    (done,) = retention.apply(sqlite, settings_of(tmp_path), NOW + timedelta(days=1900))
    assert done.count == 10
    assert retention.apply(sqlite, settings_of(tmp_path), NOW + timedelta(days=1900)) == []


def test_a_certificate_that_was_changed_breaks_the_chain(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        for count in (3, 4, 5):
            retention.certify(session, Kind.NOTICES, 365, NOW, count, 0, NOW)
        assert retention.verify(session) is None
        second = session.get_one(Deletion, 2)
        second.count = 40
        session.flush()
        assert retention.verify(session) == 2
    with sqlite.reading() as session:
        assert session.scalars(select(Case)).all() == []
