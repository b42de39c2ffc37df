"""A shift is handed over by two signatures; what was signed stays as it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from crm import settings as settings_room
from crm.database import Database
from crm.models import Call, ListenerState, Role
from crm.settings import Settings
from crm.shifts import handovers, instructions, standing
from crm.shifts.handovers import HandoverError
from crm.shifts.models import Finding, Handover
from tests.accounts import hash_quickly
from tests.crm.shifts.factory import NOW, shift, someone
from tests.databases import Databases

WITHIN = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({"HOTLINE_HOME": str(tmp_path)})


def call(id_: str, **more: object) -> Call:
    given = {
        "id": id_, "node": "th1", "boot": "b1", "direction": "in", "kind": "citizen",
        "caller": "0912345678", "started_at": NOW - timedelta(hours=1), "path": [], **more,
    }
    return Call(**given)


def test_the_snapshot_tells_what_is_owed_broken_and_in_force(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        session.add(call("th1.b1-1.1", emergency=True, unreached=True, outcome="lost"))
        session.add(call("th1.b1-1.2", outcome="abandoned_queue", branch="vaccine"))
        session.add(call("th1.b1-1.3", outcome="voicemail", voicemail="x.wav"))
        session.add(ListenerState(node="th1", seq=1, connected=False, since=NOW, seen_at=NOW))
        instructions.write(session, "Khách hỏi mưa bão: đọc bản tin", 4, by="huy", now=NOW)
        standing.note_findings(session, [("disk", "failure", "2 % free")], NOW)
        found = standing.snapshot(session, settings, NOW)
    assert tuple(found["sections"]) == standing.SECTIONS
    totals = {name: one["total"] for name, one in found["sections"].items()}
    assert totals == {
        "emergencies": 1, "callbacks": 0, "missed": 1, "messages": 1, "dispatch": 0, "overdue": 0,
        "faults": 2, "in_force": 1,
    }
    assert "0912345678" not in str(found)  # numbers are masked
    assert {one["subject"] for one in found["sections"]["faults"]["items"]} == {"disk", "listener"}


def test_two_people_sign_and_nothing_changes_after(database: Database) -> None:
    with database.transaction() as session:
        made = handovers.sign(session, {"sections": {}}, "Chú ý bão", by="huy", now=NOW)
        assert made.waits
        with pytest.raises(HandoverError, match="waits"):
            handovers.sign(session, {}, "", by="ha", now=NOW)
        with pytest.raises(HandoverError, match="another person"):
            handovers.take(session, made.id, "", by="huy", now=NOW)
        with pytest.raises(HandoverError, match="not your"):
            handovers.withdraw(session, made.id, by="ha", now=NOW)
        handovers.take(session, made.id, "Đã rõ", by="ha", now=NOW + WITHIN)
        id_ = made.id
    with database.transaction() as session:
        found = handovers.named(session, id_)
        assert (found.outgoing, found.incoming, found.answer) == ("huy", "ha", "Đã rõ")
        assert handovers.is_intact(found)
        assert handovers.waiting(session) is None
        for act in (
            lambda: handovers.take(session, id_, "", by="minh", now=NOW),
            lambda: handovers.withdraw(session, id_, by="huy", now=NOW),
        ):
            with pytest.raises(HandoverError, match="already"):
                act()
        raw = session.scalar(text("SELECT remarks FROM handover"))
        assert "bão" not in str(raw)  # it stands sealed
        session.execute(update(Handover).values(snapshot={"sections": {"x": 1}}))
        session.expire_all()
        assert not handovers.is_intact(handovers.named(session, id_))


def test_one_that_was_withdrawn_makes_room(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        first = handovers.sign(session, {}, "", by="huy", now=NOW)
        handovers.withdraw(session, first.id, by="huy", now=NOW)
        second = handovers.sign(session, {}, "", by="huy", now=NOW)
        assert [one.id for one in handovers.latest(session, 5)] == [second.id, first.id]


STEPS = st.lists(st.tuples(
    st.sampled_from(["sign", "take", "withdraw"]), st.sampled_from(["huy", "ha", "an"])
), max_size=20)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(STEPS)
def test_no_handover_has_two_signatures_of_one_person(
    databases: Databases, steps: list[tuple[str, str]]
) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        for number, (what, who) in enumerate(steps):
            now = NOW + timedelta(minutes=number)
            waits = handovers.waiting(session)
            try:
                if what == "sign":
                    handovers.sign(session, {"n": number}, "", by=who, now=now)
                elif waits is not None and what == "take":
                    handovers.take(session, waits.id, "", by=who, now=now)
                elif waits is not None:
                    handovers.withdraw(session, waits.id, by=who, now=now)
            except HandoverError:
                continue
        found = session.scalars(select(Handover)).all()
        assert sum(bool(one.waits) for one in found) <= 1
        for one in found:
            assert handovers.is_intact(one)
            assert one.outgoing != one.incoming
            assert not (one.taken_at and one.withdrawn_at)
            assert (one.incoming is None) == (one.taken_at is None)


def test_a_handover_that_nobody_takes_alarms_once(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        handovers.sign(session, {}, "", by="huy", now=NOW)
        assert handovers.to_alarm(session, NOW + WITHIN / 2, WITHIN) == []
        (told,) = handovers.to_alarm(session, NOW + WITHIN, WITHIN)
        assert "of huy was not taken over" in told
        assert handovers.to_alarm(session, NOW + 2 * WITHIN, WITHIN) == []


def test_a_leads_shift_that_ends_without_a_handover_alarms_once(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        huy = someone(session, "huy", Role.SUPERVISOR)
        ended = shift(session, huy, NOW - timedelta(hours=9), branch="").ends_at
        assert handovers.to_alarm(session, ended + WITHIN / 2, WITHIN) == []
        (told,) = handovers.to_alarm(session, NOW, WITHIN)
        assert "the shift of huy ended without a handover" in told
        assert handovers.to_alarm(session, NOW, WITHIN) == []
    with sqlite.transaction() as session:
        ha = someone(session, "ha", Role.SUPERVISOR)
        shift(session, ha, NOW - timedelta(hours=5), 3, branch="")
        made = handovers.sign(session, {}, "", by="ha", now=NOW - timedelta(hours=2))
        handovers.take(session, made.id, "", by="huy", now=NOW)
        assert handovers.to_alarm(session, NOW, WITHIN) == []


def test_what_is_well_again_is_no_finding_any_more(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        standing.note_findings(session, [("disk", "failure", "3 %"), ("ami", "failure", "x")], NOW)
        session.flush()
        later = NOW + timedelta(minutes=10)
        standing.note_findings(session, [("disk", "failure", "2 %")], later)
        session.flush()
        (left,) = session.scalars(select(Finding))
        assert (left.name, left.detail, left.since, left.seen_at) == ("disk", "2 %", NOW, later)
