"""What is erased of a number, and what stays."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import audit, secrets
from crm.agencies.models import Draft
from crm.agents.models import RescueCall
from crm.broadcasts.models import Broadcast, BroadcastFile
from crm.cases import attachments, life
from crm.cases import words as case_words
from crm.cases.attachments import Giver
from crm.citizens import contacts
from crm.database import Database
from crm.intake import arrivals, forms
from crm.models import Base, Call, CallNote, Role, User
from crm.notices import outbox
from crm.notices.models import Notice
from crm.notices.outbox import Channel, Purpose
from crm.privacy import erasure, requests, sealing
from crm.privacy.erasure import HeldError
from crm.privacy.requests import Kind, RequestError
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import NOW, answered, officer, opened
from tests.crm.intake import files

NUMBER, OTHER, KEY = "0912345678", "0987654321", "k" * 32
SAID = "Tôi là Lê Văn Tám ở thôn Đông, ho nhiều"


def with_everything(database: Database, home: Path) -> None:
    """A citizen with a call, a note, a case with an answer, messages, a contact, files."""
    for name in ("recordings", "voicemail", "journal", "log", "asterisk/log"):
        (home / name).mkdir(parents=True, exist_ok=True)
    add_call(database, id="th1.b1-1.1", caller=NUMBER, recording="th1.b1-1.1.wav",
             facts={"caller": NUMBER, "legs": [f"PJSIP/{NUMBER}"]})
    add_call(database, id="th1.b1-1.2", caller=OTHER, recording="th1.b1-1.2.wav")
    (home / "recordings/th1.b1-1.1.wav").write_bytes(b"voice of Tam")
    (home / "recordings/th1.b1-1.2.wav").write_bytes(b"another voice")
    (home / "journal/journal.csv").write_text(
        f'"CHAN_START","1","","{NUMBER}","","1022"\n"X","2","","{OTHER}","","+84{NUMBER[1:]}"\n')
    (home / "asterisk/log/queue_log").write_text(f"1|th1|ENTERQUEUE||0084{NUMBER[1:]}|1\n")
    with database.transaction() as session:
        user = User(login="lan", name="Lan", role=Role.AGENT, password_hash="", queues=[],
                    active=True, created_at=NOW)
        session.add(user)
        session.flush()
        session.add(CallNote(call_id="th1.b1-1.1", user_id=user.id, text=SAID, result=None,
                             created_at=NOW, saved_at=NOW, done=True))
        case = answered(session, "Trạm y tế đã đến nhà ông Tám.", phone=NUMBER, summary=SAID)
        life.add_call(session, case, "th1.b1-1.1", by="lan", now=NOW)
        session.add(RescueCall(call_id="th1.b1-1.1", agent="lan", to="111", at=NOW,
                               case_id=case.id, address=SAID))
        other = opened(session, phone=OTHER, summary=f"Hàng xóm {NUMBER} bị ốm")
        life.add_information(session, other, f"gọi {NUMBER}", by="lan", now=NOW)
        for recipient in (NUMBER, OTHER):
            outbox.write(session, channel=Channel.SMS, recipient=recipient, body=SAID, now=NOW,
                         purpose=Purpose.CASE, case_id=case.id, key=f"event:1:{recipient}")
        contacts.keep(session, contacts.parsed(NUMBER), name="Ông Tám", language="", note=SAID,
                      by="lan", now=NOW)
        contacts.keep(session, contacts.parsed(OTHER), name="Bà Sáu", language="", by="lan",
                      note=f"hàng xóm của {NUMBER}", now=NOW)
        broadcast = Broadcast(
            title="Tiêm chủng", channel="sms", audience="area", delivery="carriers", areas=[],
            asked="", text="Lịch tiêm", authority="Sở Y tế", document="1", stage="done", counts={},
            urgent=False, most_per_minute=100, recipients=2,
            invalid=[{"line": 3, "number": NUMBER}], created_by="huy", created_at=NOW,
        )
        session.add(broadcast)
        session.flush()
        session.add(BroadcastFile(
            broadcast_id=broadcast.id, carrier="vinaphone", rows=2, sha256="", made_at=NOW,
            content=f"{NUMBER}\n{OTHER}\n".encode(),
        ))
        who = officer(session)
        assert case.agency is not None
        session.add(Draft(case_id=case.id, text=SAID, by=who.name, at=NOW))


def all_rows(session: Session) -> str:
    """Every cell of every table, as text."""
    return "\n".join(
        repr(tuple(row)) for table in Base.metadata.sorted_tables
        for row in session.execute(select(table))
    )


def test_nothing_of_the_number_or_of_what_its_owner_said_is_left_in_any_row(
    database: Database, tmp_path: Path
) -> None:
    with_everything(database, tmp_path)
    with database.transaction() as session:
        assert NUMBER in all_rows(session)
        assert erasure.sounds_of(session, NUMBER) == ["th1.b1-1.1.wav"]
        done = erasure.erase_rows(session, NUMBER, KEY, NOW)
    assert (done.calls, done.cases, done.notices) == (1, 1, 2)
    with database.reading() as session:
        rows = all_rows(session)
        for told in (NUMBER, NUMBER[1:], "Tám", "thôn Đông", "tam"):
            assert told not in rows, told
        assert OTHER in rows
        assert session.scalars(select(RescueCall.address)).all() == [""]
        assert session.scalars(select(Call)).all()  # that there was a call stays
        assert audit.verify(session).broken is None  # and the chain over cases holds
        assert case_words.found_by(session, "thôn đông", 10) == []


def test_files_keep_their_length_and_lose_the_number(
    sqlite: Database, tmp_path: Path
) -> None:
    with_everything(sqlite, tmp_path)
    others = "lan opens 0912***678, not 10912345678 or 09123456789\n"
    (tmp_path / "log/console.log").write_text(others)
    sizes = {file: file.stat().st_size for file in erasure.logs_of(tmp_path)}
    removed, places = erasure.erase_files(tmp_path, NUMBER, ["th1.b1-1.1.wav"], KEY)
    assert (removed, places) == (1, 3)
    assert {file: file.stat().st_size for file in erasure.logs_of(tmp_path)} == sizes
    journal = (tmp_path / "journal/journal.csv").read_text()
    assert NUMBER[1:] not in journal
    assert OTHER in journal
    assert (tmp_path / "log/console.log").read_text() == others
    assert [one.name for one in (tmp_path / "recordings").iterdir()] == ["th1.b1-1.2.wav"]


def test_what_is_held_is_not_erased(database: Database, tmp_path: Path) -> None:
    with_everything(database, tmp_path)
    with database.transaction() as session:
        requests.hold(session, NUMBER, "Công an tỉnh, văn bản 12", NOW + timedelta(days=9),
                      by="quan", now=NOW)
        with pytest.raises(HeldError, match="văn bản 12"):
            erasure.erase_rows(session, NUMBER, KEY, NOW)
        request = entered(session)
        with pytest.raises(RequestError) as held:
            requests.agree(session, request, by="huy", now=NOW)
        assert held.value.code == "held"
        requests.agree(session, request, by="huy", now=NOW + timedelta(days=10))


def test_two_numbers_are_erased_one_after_the_other(database: Database, tmp_path: Path) -> None:
    with_everything(database, tmp_path)
    with database.transaction() as session:
        erasure.erase_rows(session, NUMBER, KEY, NOW)
        erasure.erase_rows(session, OTHER, KEY, NOW)
        erasure.erase_rows(session, OTHER, KEY, NOW)  # again: nothing is there
        assert erasure.erased(session).keys() == {
            erasure.key_of(KEY, NUMBER), erasure.key_of(KEY, OTHER)
        }
        assert session.scalars(select(Notice)).all() == []
        assert OTHER not in all_rows(session)


def entered(session: Session, kind: Kind = Kind.ERASE):  # type: ignore[no-untyped-def]
    return requests.enter(
        session, kind=kind, number=NUMBER, requester="Lê Văn Tám", checked="gọi lại số đó",
        secret=KEY, by="quan", now=NOW,
    )


def test_a_request_has_its_days_and_two_people(database: Database) -> None:
    with database.transaction() as session:
        request = entered(session)
        assert request.answer_by == NOW + timedelta(days=2)  # a Tuesday
        assert request.due_at == NOW + timedelta(days=20)
        with pytest.raises(RequestError, match="another person"):
            requests.agree(session, request, by="quan", now=NOW)
        requests.extend(request, "chờ văn bản")
        assert request.due_at == NOW + timedelta(days=35)
        with pytest.raises(RequestError, match="once"):
            requests.extend(request, "nữa")
        with pytest.raises(RequestError, match="ground"):
            requests.refuse(request, " ", by="huy", now=NOW)
        assert requests.late(session, NOW + timedelta(days=32)) == []
        assert requests.late(session, NOW + timedelta(days=33)) == [request]
        requests.agree(session, request, by="huy", now=NOW)
        assert requests.to_do(session) == [request]
        with pytest.raises(RequestError, match="decided"):
            requests.refuse(request, "vì", by="huy", now=NOW)


def test_whoever_asks_sees_all_that_is_their_own_and_nobody_elses(
    database: Database, tmp_path: Path
) -> None:
    with_everything(database, tmp_path)
    with database.reading() as session:
        found = requests.everything_of(session, NUMBER)
    assert found["known"]["name"] == "Ông Tám"
    assert [one["recording"] for one in found["calls"]] == ["th1.b1-1.1.wav"]
    assert found["calls"][0]["notes"] == [SAID]
    assert [one["summary"] for one in found["cases"]] == [SAID]
    assert [one["text"] for one in found["messages"]] == [SAID]
    assert OTHER not in repr(found)


def test_files_fields_and_origin_of_a_case_go_with_it(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        case = opened(session, phone=NUMBER, summary=SAID)
        kept = attachments.take(tmp_path, "Lê Văn Tám.png", files.picture("PNG"))
        attachments.add(session, case, kept, giver=Giver.CITIZEN, by="citizen", now=NOW)
        told = {"wrong": "person", "clinic": "Trạm y tế thôn Đông"}
        fields = forms.parse(forms.VACCINE_RECORD, told, NOW)
        assert fields is not None
        forms.put(session, case, fields, by="citizen", now=NOW)
        arrival = arrivals.first(
            session, arrivals.EMAIL, "m1", NOW, sender="tam@example.vn", reference="Tám"
        )
        assert arrival is not None
        arrival.case_id = case.id
    with database.transaction() as session:
        erasure.erase_rows(session, NUMBER, KEY, NOW)
    with database.reading() as session:
        left = all_rows(session)
    assert not [word for word in ("Tám", "thôn Đông", "tam@example.vn") if word in left]
    old = (NOW - timedelta(days=2)).timestamp()
    os.utime(attachments.path_of(tmp_path, kept.sha256), (old, old))
    with database.reading() as session:
        assert attachments.forget_strays(tmp_path, session, NOW) == 1


def test_another_node_takes_out_of_its_own_files_what_was_erased(
    database: Database, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "th1", tmp_path / "th2"
    with_everything(database, ours)
    (theirs / "journal").mkdir(parents=True)
    (theirs / "recordings").mkdir()
    (theirs / "asterisk/db").mkdir(parents=True)
    made = secrets.ensure(theirs, [])
    assert erasure.catch_up(database, theirs, made) == 0  # from now on
    said = f'"HL_QUEUE","1","{NUMBER}"\n"HL_QUEUE","2","{OTHER}"\n'.encode()
    journal, old = theirs / "journal/journal.csv", theirs / "journal/old.csv"
    journal.write_bytes(said)
    old.write_bytes(said)
    sealed = theirs / "journal/journal-20261101T000000.csv.sealed"
    sealing.seal_file(old, sealed, made.journal_key)
    for name in ("th1.b1-1.1.wav", "th1.b1-1.2.wav"):  # its node died before it was sealed
        (theirs / "recordings" / name).write_bytes(b"voice")
    with sqlite3.connect(theirs / "asterisk/db/astdb.sqlite3") as own:
        own.execute("CREATE TABLE astdb (key TEXT, value TEXT)")
        own.execute("INSERT INTO astdb VALUES (?, '1')", (f"/switch/block.{NUMBER}",))
    with database.transaction() as session:
        for call in session.scalars(select(Call)):
            call.ended_at = NOW
        erasure.erase_rows(session, NUMBER, made.privacy_key, NOW)
    assert erasure.catch_up(database, theirs, made) == 1
    for content in (journal.read_bytes(), sealing.opened(sealed, made.journal_key)):
        assert NUMBER.encode() not in content
        assert OTHER.encode() in content
    assert [one.name for one in (theirs / "recordings").iterdir()] == ["th1.b1-1.2.wav"]
    with sqlite3.connect(theirs / "asterisk/db/astdb.sqlite3") as own:
        assert own.execute("SELECT * FROM astdb").fetchall() == []
    journal.write_bytes(said)  # the same person calls again
    assert erasure.catch_up(database, theirs, made) == 0
    assert journal.read_bytes() == said
