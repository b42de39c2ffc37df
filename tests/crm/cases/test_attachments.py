"""Files of cases: judged by their content, cleaned, kept for good, shown to whom they may be."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crm import settings as settings_room
from crm.cases import attachments, life
from crm.cases.attachments import AttachmentError, Giver, Kind
from crm.cases.models import Identity
from crm.database import Database
from ivr import doctor
from tests.crm.cases.factory import NOW, opened
from tests.crm.intake import files
from tests.ivr.patients import patient


@pytest.mark.parametrize(("name", "made", "kind"), [
    ("ảnh.JPG", files.picture, Kind.JPEG), ("a.png", partial(files.picture, "PNG"), Kind.PNG),
    ("a.webp", partial(files.picture, "WEBP"), Kind.WEBP), ("đơn.pdf", files.pdf, Kind.PDF),
    ("a.docx", files.document, Kind.DOCX), ("a.xlsx", files.workbook, Kind.XLSX),
    ("a.wav", files.sound, Kind.WAV),
])
def test_what_citizens_send_is_taken_and_read_back(
    tmp_path: Path, sqlite: Database, name: str, made: Callable[[], bytes], kind: Kind
) -> None:
    content = made()
    kept = attachments.take(tmp_path, name, content)
    assert (kept.name, kept.kind) == (name, kind)
    with sqlite.transaction() as session:
        row = attachments.add(
            session, opened(session), kept, giver=Giver.CITIZEN, by="citizen", now=NOW
        )
    read = attachments.read(tmp_path, row)
    assert read == content or kind in attachments.PICTURES
    assert len(read) == row.size
    file = attachments.path_of(tmp_path, row.sha256)
    assert os.stat(file).st_mode & 0o177 == 0  # nobody else reads it, nobody runs it


@pytest.mark.parametrize(("name", "made", "code"), [
    ("a.jpg", bytes, "empty"),
    ("a.wav", lambda: files.sound() + b"\0" * attachments.LARGEST, "large"),
    ("a.exe", lambda: files.PROGRAM, "kind"), ("anh.jpg", lambda: files.PROGRAM, "kind"),
    ("a.jpg", lambda: b"<html><script>alert(1)</script></html>", "kind"),
    ("a.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "kind"),
    ("a.png", files.picture, "differs"), ("a.pdf.exe", files.pdf, "kind"),
    ("a.docx", files.workbook, "differs"),
    ("a.docx", partial(files.zipped, {"x.exe": b"MZ"}), "differs"),
    ("a.docx", files.bomb, "bomb"), ("a.docx", lambda: b"PK\x03\x04" + b"\0" * 200, "broken"),
    ("a.docx", partial(files.zipped, {
        files.TYPES: b"", "word/document.xml": b"", "word/vbaProject.bin": b"x"}), "macros"),
    ("a.png", partial(files.picture, "PNG", (9000, 9000)), "bomb"),
    ("a.jpg", lambda: files.picture()[:200], "broken"),
])
def test_what_may_harm_is_refused(
    tmp_path: Path, name: str, made: Callable[[], bytes], code: str
) -> None:
    with pytest.raises(AttachmentError) as refused:
        attachments.take(tmp_path, name, made())
    assert refused.value.code == code
    assert not (tmp_path / "attachments").exists()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_goes_on_without_the_place_where_it_was_taken(tmp_path: Path, form: str) -> None:
    content = files.picture(form, (40, 30), gps=True)
    assert b"Nguyen Van A" in content
    kept = attachments.take(tmp_path, f"a.{form.lower()}", content)
    clean = attachments.path_of(tmp_path, kept.sha256).read_bytes()
    assert b"Nguyen Van A" not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        assert dict(picture.getexif()) == {}
        assert picture.size == (30, 40)  # turned as the camera had noted
    assert kept.received_sha256 != kept.sha256


@given(st.text(max_size=300))
def test_a_name_is_one_line_without_folders(text: str) -> None:
    name = attachments.shown_name(text)
    assert 1 <= len(name) <= attachments.LONGEST_NAME
    assert not set(name) & set('/\\\n\r\0"\u202e')
    assert attachments.shown_name(name) == name


def test_a_files_name_keeps_its_ending() -> None:
    assert attachments.shown_name("C:\\Users\\a\\ảnh.jpg") == "ảnh.jpg"
    assert attachments.shown_name("../../etc/passwd") == "passwd"
    assert attachments.shown_name("x" * 300 + ".jpeg").endswith("x.jpeg")
    assert attachments.shown_name("a\u202egpj.exe") == "agpj.exe"


def test_one_file_sent_twice_is_one_and_a_case_has_a_limit(
    tmp_path: Path, database: Database
) -> None:
    with database.transaction() as session:
        case = opened(session)
        first = attachments.take(tmp_path, "a.png", files.picture("PNG"))
        for _ in range(2):
            attachments.add(session, case, first, giver=Giver.CITIZEN, by="citizen", now=NOW)
        assert len(attachments.of_case(session, case)) == 1
        assert [one.what for one in life.events_of(session, case)] == ["opened", "attached"]
        for number in range(1, attachments.MOST):
            more = attachments.take(tmp_path, "a.png", files.picture("PNG", (10, 10 + number)))
            attachments.add(session, case, more, giver=Giver.DESK, by="lan", now=NOW)
        another = attachments.take(tmp_path, "a.png", files.picture("PNG", (500, 10)))
        with pytest.raises(AttachmentError) as refused:
            attachments.add(session, case, another, giver=Giver.DESK, by="lan", now=NOW)
        assert refused.value.code == "many"


def test_a_file_that_may_show_who_is_hidden_waits_for_the_desk(
    tmp_path: Path, database: Database
) -> None:
    kept = attachments.take(tmp_path, "a.jpg", files.picture())
    with database.transaction() as session:
        shown = opened(session)
        hidden = opened(session, identity=Identity.HIDDEN)
        for case in (shown, hidden):
            attachments.add(session, case, kept, giver=Giver.CITIZEN, by="citizen", now=NOW)
        assert len(attachments.of_case(session, shown, for_agency=True)) == 1
        assert attachments.of_case(session, hidden, for_agency=True) == []
        (one,) = attachments.of_case(session, hidden)
        assert attachments.one_of(session, hidden, one.id, for_agency=True) is None
        assert attachments.one_of(session, shown, one.id) is None  # another case's
        attachments.release(session, one, by="huong", now=NOW)
        attachments.release(session, one, by="huong", now=NOW)
        assert attachments.of_case(session, hidden, for_agency=True) == [one]
        events = [event.what for event in life.events_of(session, hidden)]
        assert events == ["opened", "attached", "released"]


def test_what_no_row_names_goes_after_a_day(tmp_path: Path, sqlite: Database) -> None:
    named, stray, young = (
        attachments.take(tmp_path, "a.png", files.picture("PNG", (10, size)))
        for size in (10, 20, 30)
    )
    old = NOW.timestamp() - timedelta(days=2).total_seconds()
    for one in (named, stray):
        os.utime(attachments.path_of(tmp_path, one.sha256), (old, old))
    with sqlite.transaction() as session:
        attachments.add(
            session, opened(session), named, giver=Giver.CITIZEN, by="citizen", now=NOW
        )
        assert attachments.forget_strays(tmp_path, session, NOW) == 1
    left = {file.name for file in (tmp_path / "attachments").glob("??/*")}
    assert left == {named.sha256, young.sha256}


def test_content_that_was_changed_is_not_given_out(tmp_path: Path, sqlite: Database) -> None:
    kept = attachments.take(tmp_path, "a.pdf", files.pdf())
    with sqlite.transaction() as session:
        row = attachments.add(
            session, opened(session), kept, giver=Giver.CITIZEN, by="citizen", now=NOW
        )
    attachments.path_of(tmp_path, kept.sha256).write_bytes(b"other")
    with pytest.raises(AttachmentError):
        attachments.read(tmp_path, row)


def test_the_doctor_counts_files_whose_content_is_gone(tmp_path: Path, sqlite: Database) -> None:
    settings = settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_DATABASE_URL": str(sqlite.url),
    })
    kept = attachments.take(tmp_path, "a.pdf", files.pdf())
    with sqlite.transaction() as session:
        attachments.add(
            session, opened(session), kept, giver=Giver.CITIZEN, by="citizen", now=NOW
        )
    [found] = doctor.examine(patient(settings), only={"files"})
    assert found.status == "ok"
    attachments.path_of(tmp_path, kept.sha256).unlink()
    [found] = doctor.examine(patient(settings), only={"files"})
    assert (found.status, found.detail) == ("failure", "1 files of cases are gone")
