"""Citizens' mails: a case each, or something added to one; nothing twice, nothing to machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm import settings as settings_room
from crm.cases import attachments, life, promises
from crm.cases.models import Case, Status
from crm.database import Database
from crm.imports import files as tables_of
from crm.intake import arrivals, mail, mailbox, portals
from crm.intake.mail import Taken
from crm.notices.models import Notice
from crm.settings import Settings, SettingsError
from tests.crm.cases.factory import NOW, opened
from tests.crm.intake import files
from tests.crm.intake.imap_stand_in import Box, imap_server

SENDER = "hoa.nguyen@example.vn"


@pytest.fixture
def box() -> Iterator[Box]:
    with imap_server() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, box: Box) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_IMAP_SERVER": f"127.0.0.1:{box.port}",
        "HOTLINE_IMAP_SECURITY": "none", "HOTLINE_IMAP_USER": "dan",
        "HOTLINE_IMAP_PASSWORD": "mat khau",
    })


def written(
    body: str = "Đường làng tôi ngập.", *, sender: str = f"Hoa <{SENDER}>",
    subject: str = "Đường ngập", html: bool = False, number: int = 1,
    added: tuple[tuple[str, bytes], ...] = (), headers: dict[str, str] | None = None,
) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "1022@example.vn", subject
    message["Message-ID"] = f"<{number}@example.vn>"
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content(body, subtype="html" if html else "plain")
    for name, content in added:
        message.add_attachment(content, maintype="application", subtype="x", filename=name)
    return message.as_bytes()


def read(settings: Settings, database: Database) -> Counter[Taken]:
    return mailbox.read(settings, database, lambda: NOW)


def all_cases(database: Database) -> list[Case]:
    with database.reading() as session:
        return life.latest(session, 20)


def test_a_mail_becomes_a_case_and_is_then_seen(
    settings: Settings, database: Database, box: Box
) -> None:
    box.put(written(added=(("ảnh.jpg", files.picture()), ("x.exe", files.PROGRAM))))
    assert read(settings, database) == {Taken.OPENED: 1}
    (case,) = all_cases(database)
    assert case.channel == "email"
    assert case.summary == (
        "Đường ngập\nĐường làng tôi ngập.\n\nTệp không nhận được: x.exe"
    )
    with database.reading() as session:
        assert [one.name for one in attachments.of_case(session, case)] == ["ảnh.jpg"]
    assert box.seen == {1}
    assert read(settings, database) == {}


def test_a_mail_that_is_read_twice_makes_one_case(
    settings: Settings, database: Database, box: Box
) -> None:
    box.put(written())
    box.lost = "STORE"  # it is taken in, and the server goes before it is marked
    with pytest.raises(mailbox.MailboxError):
        read(settings, database)
    assert box.seen == set()
    assert read(settings, database) == {Taken.KNOWN: 1}
    assert len(all_cases(database)) == 1
    assert box.seen == {1}


def test_a_mail_that_cannot_be_taken_in_stays_unseen_and_stops_no_other(
    settings: Settings, sqlite: Database, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in = mail.take_in

    def failing(session, one, *told):  # type: ignore[no-untyped-def]
        if one.subject == "hỏng":
            raise RuntimeError
        return take_in(session, one, *told)

    monkeypatch.setattr(mail, "take_in", failing)
    box.put(written(subject="hỏng"))
    box.put(written(number=2))
    assert read(settings, sqlite) == {Taken.OPENED: 1, Taken.FAILED: 1}
    assert box.seen == {2}
    monkeypatch.undo()
    assert read(settings, sqlite) == {Taken.OPENED: 1}


def test_who_answers_with_the_code_adds_to_the_case(
    settings: Settings, database: Database, box: Box
) -> None:
    box.put(written())
    read(settings, database)
    (case,) = all_cases(database)
    subject = f"Re: Phản ánh {case.code[:4]} {case.code[4:]}"
    box.put(written("Ngập sâu hơn.\n> Phản ánh của bạn", subject=subject, number=2))
    box.put(written("Tôi cũng biết.", subject=subject, number=3, sender="la@example.vn",
                    added=(("a.png", files.picture("PNG")),)))
    assert read(settings, database) == {Taken.ADDED: 1, Taken.UNCONFIRMED: 1}
    with database.reading() as session:
        events = [(one.what, one.note) for one in life.events_of(session, case)]
        assert events[1:3] == [("info", "Ngập sâu hơn."), ("unconfirmed", "Tôi cũng biết.")]
        (file,) = attachments.of_case(session, case)
        assert not file.for_agency
    assert len(all_cases(database)) == 1


def test_news_of_a_case_that_has_ended_is_a_case_for_the_desk(
    settings: Settings, sqlite: Database, box: Box
) -> None:
    box.put(written())
    read(settings, sqlite)
    (case,) = all_cases(sqlite)
    with sqlite.transaction() as session:
        old = session.get_one(Case, case.id)
        life.set_answer(session, old, "Đã sửa.", by="huy", now=NOW)
        life.move(session, old, Status.RESOLVED, by="huy", now=NOW)
    box.put(written("Vẫn ngập.", subject=f"Re: {case.code}", number=2))
    assert read(settings, sqlite) == {Taken.OPENED: 1}
    with sqlite.reading() as session:
        assert [one.summary for one in life.to_dispatch(session, 9)] == [
            f"Re: {case.code}\nVẫn ngập."
        ]


@pytest.mark.parametrize("headers", [
    {"Auto-Submitted": "auto-replied"}, {"Auto-Submitted": "auto-generated; x=1"},
    {"Precedence": "bulk"}, {"List-Id": "<news.example.vn>"}, {"Return-Path": "<>"},
    {"X-Autoreply": "yes"},
])
def test_what_machines_send_is_answered_by_nothing(
    settings: Settings, sqlite: Database, box: Box, headers: dict[str, str]
) -> None:
    box.put(written(headers=headers))
    box.put(written(sender="MAILER-DAEMON@example.vn", number=2))
    assert read(settings, sqlite) == {Taken.AUTOMATIC: 2}
    assert all_cases(sqlite) == []


def test_the_citizen_hears_by_mail_until_it_looks_like_a_loop(
    settings: Settings, sqlite: Database, box: Box
) -> None:
    people = promises.People((), (), "https://x", timedelta(days=7))
    box.put(written())
    read(settings, sqlite)
    (case,) = all_cases(sqlite)
    with sqlite.transaction() as session:
        promises.follow(session, case.id, NOW, people)
        case = session.get_one(Case, case.id)
        life.set_answer(session, case, "Đã khơi cống.", by="huy", now=NOW)
        life.move(session, case, Status.RESOLVED, by="huy", now=NOW)
        promises.follow(session, case.id, NOW, people)
        first, last = session.scalars(select(Notice).order_by(Notice.id))
        assert {(one.channel, one.recipient) for one in (first, last)} == {("email", SENDER)}
        assert case.code in first.subject
        assert "Đã khơi cống." in last.body
        assert "phím 7" not in first.body + last.body  # their number is not known there
        for number in range(mail.MOST_ANSWERED):
            arrivals.first(session, "email", f"m{number}", NOW, sender=SENDER)
        assert mail.answers_to(session, case, NOW) is None
        assert mail.answers_to(session, case, NOW + timedelta(days=2)) == SENDER


def test_html_is_read_as_text(settings: Settings, sqlite: Database, box: Box) -> None:
    box.put(written(
        "<head><title>x</title><style>p{}</style></head><body><p>Đường&nbsp;ngập<br>ba\nngày</p>"
        "<script>alert(1)</script><a href='http://spam'>xem</a></body>", html=True, subject="",
    ))
    read(settings, sqlite)
    assert all_cases(sqlite)[0].summary == "Đường ngập\nba ngày\nxem"


def test_a_mail_that_is_too_large_is_a_case_that_says_so(
    settings: Settings, sqlite: Database, box: Box
) -> None:
    box.sizes[box.put(written())] = mail.LARGEST + 1
    read(settings, sqlite)
    assert all_cases(sqlite)[0].summary == "Đường ngập\nThư quá lớn, xin xem trong hộp thư."


HEADS = st.sampled_from([b"From: ", b"Subject: ", b"Message-ID: ", b"Content-Type: ", b"\n", b""])


@given(st.lists(st.tuples(HEADS, st.binary(max_size=200)), max_size=8))
def test_whatever_comes_is_a_mail_that_can_be_kept(lines: list[tuple[bytes, bytes]]) -> None:
    found = mail.parse(b"\n".join(head + rest for head, rest in lines))
    assert len(arrivals._hash(found.key)) == 64
    for kept in (found.sender or "", found.subject, found.body):
        assert "\0" not in kept.encode().decode()


def test_mixed_up_headers_and_charsets_lose_nothing_else() -> None:
    found = mail.parse(
        b"From: =?utf-8?q?Hoa?= <hoa@example.vn>, other@example.vn\r\n"
        b"Subject: =?utf-8?b?xJDGsOG7nW5n?=\r\n =?utf-8?q?_ng=E1=BA=ADp?=\r\n"
        b"Content-Type: text/plain; charset=unknown-8\r\n\r\n\xff\xfe body"
    )
    assert (found.sender, found.subject) == ("hoa@example.vn", "Đường ngập")
    assert mail.parse(b"").sender is None


def test_a_wrong_password_is_one_sentence(settings: Settings, sqlite: Database, box: Box) -> None:
    wrong = settings_room.load({
        "HOTLINE_HOME": str(settings.home), "HOTLINE_IMAP_SERVER": settings.imap_server or "",
        "HOTLINE_IMAP_SECURITY": "none", "HOTLINE_IMAP_USER": "dan",
        "HOTLINE_IMAP_PASSWORD": "sai",
    })
    with pytest.raises(mailbox.MailboxError, match="MailboxLoginError"):
        read(wrong, sqlite)


@pytest.mark.parametrize("wrong", [
    {"HOTLINE_IMAP_SERVER": "mail.example.vn:143", "HOTLINE_IMAP_SECURITY": "none",
     "HOTLINE_IMAP_USER": "a", "HOTLINE_IMAP_PASSWORD": "b"},  # elsewhere it is read encrypted
    {"HOTLINE_IMAP_SERVER": "mail.example.vn:993"},
    {"HOTLINE_PORTAL_MAIL": "facebook a@example.vn"}, {"HOTLINE_PORTAL_MAIL": "phanhoi nobody"},
])
def test_settings_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        settings_room.load({"HOTLINE_HOME": str(tmp_path), **wrong})


def test_only_who_has_opened_a_case_is_believed(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = opened(session)
        assert not arrivals.is_of(session, case, arrivals.EMAIL, SENDER)


def test_a_portal_mails_its_tables_and_hears_what_became_of_them(
    settings: Settings, database: Database, box: Box
) -> None:
    from_portal = replace(settings, portal_mail=("phanhoi cong@example.vn",))
    good = {
        "external_id": "PH-1", "received_on": "", "summary": "Đèn hỏng", "place": "Hàm Rồng",
        "category": "roads", "phone": "", "status": "Mới",
    }
    tables = (
        ("tot.csv", tables_of.as_csv([good], portals.TAKEN)),
        ("xau.xlsx", tables_of.as_xlsx([good | {"external_id": "2", "phone": "1"}],
                                       portals.TAKEN)),
        ("anh.jpg", files.picture()),
    )
    for number in (1, 2):  # sent twice under two Message-IDs
        box.put(written(sender="CONG@example.vn", added=tables, number=number))
    assert read(from_portal, database) == {Taken.TABLE: 2}
    (case,) = all_cases(database)
    assert (case.channel, case.area) == ("portal", "14758")
    with database.reading() as session:
        first, second = session.scalars(select(Notice).order_by(Notice.id))
    assert first.recipient == "cong@example.vn"
    assert "tot.csv: 1 phản ánh mới" in first.body
    assert "line 2: '1'" in first.body
    assert "anh.jpg: KHÔNG NHẬN" in first.body
    assert "tot.csv: 0 phản ánh mới" in second.body
    box.put(written(sender="cong@example.vn", number=3, headers={"Auto-Submitted": "auto-replied"}))
    assert read(from_portal, database) == {Taken.AUTOMATIC: 1}
