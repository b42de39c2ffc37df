"""The words of private cases: nothing of them shows in the database, and whoever reads them says
why."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from crm import audit, secrets
from crm.agencies.models import Post
from crm.cases import drafts, groups, life, reading
from crm.cases import words as case_words
from crm.cases.life import CaseError
from crm.cases.models import Case, Identity, Status
from crm.database import Database
from crm.field_keys import MARK, Secret, of_home
from crm.privacy import erasure, resealing
from tests.crm.cases import factory
from tests.crm.cases.factory import HEALTH, NOW, at_agency, opened

WORDS = ("zvkhatmau", "zvbaohanh", "zvtraloi", "zvnhaplai", "zvbosung", "zvlydo")


def on_disk(database: Database) -> str:
    """All that somebody finds who takes the database away, in small letters."""
    if database.is_sqlite:
        file = Path(str(database.url.database))
        database.engine.dispose()
        with closing(sqlite3.connect(file)) as opened_:
            opened_.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return "".join(
            one.read_bytes().decode("latin-1") for one in file.parent.glob(f"{file.name}*")
        ).lower()
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run(
        ["pg_dump", url], capture_output=True, check=True, text=True
    ).stdout.lower()


def lived(database: Database, **told: object) -> str:
    """A case through all that has words, of which WORDS are some; its code."""
    with database.transaction() as session:
        case = at_agency(session, summary="Tôi zvkhatmau, bị zvbaohanh ở nhà", **told)
        if not case.sealed:
            life.classify(session, case, "care", by="lan", now=NOW, area="14758")
        assert case.agency is not None
        case.agency.approves = True
        officer = factory.officer(session)
        factory.officer(session, Post.LEADER)
        life.add_information(session, case, "Thêm: zvbosung", by="citizen", now=NOW)
        life.move(session, case, Status.NEED_INFO, by="sy", now=NOW, reason="zvlydo?",
                   mover=life.Mover.OFFICER)
        assert drafts.propose(session, case, "Bản zvnhaplai", officer, NOW) is False
        life.set_answer(session, case, "Đã zvtraloi", by="huong", now=NOW)
        return case.code


def test_no_word_of_a_private_case_stands_in_the_database(database: Database) -> None:
    lived(database, private=True)
    lived(database, sensitive=True)
    found = on_disk(database)
    assert "citizen_case" in found
    assert [word for word in WORDS if word in found] == []


def test_one_that_is_found_to_be_private_is_sealed_with_all_that_was_written(
    database: Database, tmp_path: Path
) -> None:
    code = lived(database)
    with database.reading() as session:
        case = life.by_code(session, code)
        assert case.sealed
        assert case.summary == "Tôi zvkhatmau, bị zvbaohanh ở nhà"
        assert {one.note for one in life.events_of(session, case)} >= {"zvlydo?", "Đã zvtraloi"}
        assert audit.verify(session).broken is None
    secrets.ensure(tmp_path, [])
    resealing._forget_in_index(database, NOW)  # SQLite's index keeps deleted words until then
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
            one.exec_driver_sql("VACUUM")
    assert [word for word in WORDS if word in on_disk(database)] == []


def test_cases_from_before_there_were_seals_are_sealed_by_the_daily_round(
    database: Database,
) -> None:
    with database.transaction() as session:
        case = opened(session, summary="Tôi zvkhatmau")
        case.sensitive = True
        gone = opened(session, summary="x", phone=None, identity=Identity.ANONYMOUS)
        gone.sensitive, gone.summary = True, case_words.GONE
    assert resealing.seal_late(database) == 1
    assert resealing.seal_late(database) == 0
    with database.reading() as session:
        assert session.scalar(text(
            f"SELECT count(*) FROM citizen_case WHERE summary LIKE '{MARK}%'"  # noqa: S608
        )) == 1


def test_a_private_case_is_found_by_code_kind_and_place_and_by_none_of_its_words(
    database: Database,
) -> None:
    with database.transaction() as session:
        case = opened(session, summary="Bị hàng xóm đánh", private=True)
        life.classify(session, case, "order", by="lan", now=NOW, area="14758")
        for query in (case.code, "an ninh", "ham rong"):
            assert case_words.found_by(session, query, 5) == [case]
        life.set_answer(session, case, "Công an đã đến", by="lan", now=NOW)
        for query in ("hang xom", "đánh", "cong an"):
            assert case_words.found_by(session, query, 5) == []


def test_what_is_joined_to_or_split_from_a_private_case_is_private(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case, main = opened(session, private=True), opened(session)
        other = groups.split(session, case, "Việc khác", by="lan", now=NOW)
        groups.join(session, case, main, by="huong", now=NOW)
        assert (other.sealed, main.sealed) == (True, True)
        assert not opened(session).sealed


def test_a_new_key_seals_private_words_anew_and_leaves_the_others_to_be_searched(
    database: Database, tmp_path: Path
) -> None:
    secrets.ensure(tmp_path, [])
    own = Database(database.url.render_as_string(hide_password=False), keys=of_home(tmp_path))
    with own.transaction() as session:
        opened(session, summary="Đường hỏng")
        secret = opened(session, summary="Tôi ho ra máu", private=True).code
    resealing.renew(own, tmp_path, NOW)
    keys = of_home(tmp_path)
    with own.reading() as session:
        raw = session.scalars(text("SELECT summary FROM citizen_case ORDER BY id")).all()
        assert raw[0] == "Đường hỏng"
        assert keys.is_newest(raw[1])
        salts = session.scalars(text("SELECT salt FROM case_event ORDER BY id")).all()
        assert keys.is_newest(salts[1])
        assert not salts[0].startswith(MARK)
        assert life.by_code(session, secret).summary == "Tôi ho ra máu"
        assert audit.verify(session).broken is None


def test_a_text_that_begins_with_the_mark_is_a_text(database: Database) -> None:
    with database.transaction() as session:
        code = opened(session, summary=f"{MARK}nothing that opens").code
    with database.reading() as session:
        assert life.by_code(session, code).summary == f"{MARK}nothing that opens"


def test_a_secret_is_another_value_than_the_same_text(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        code = opened(session, summary="Tôi ốm").code
    with sqlite.transaction() as session:
        case = life.by_code(session, code)
        case.summary = Secret(case.summary)  # equal, and must be written all the same
    with sqlite.reading() as session:
        assert life.by_code(session, code).sealed


def test_an_erasure_finds_the_number_within_sealed_words(database: Database) -> None:
    phone = "0912345678"
    with database.transaction() as session:
        other = opened(session, phone="0987654321", private=True,
                       summary=f"Chị có số {phone} bị đánh").code
        case = life.by_code(session, other)
        life.add_information(session, case, f"Gọi {phone}", by="lan", now=NOW)
    with database.transaction() as session:
        erasure.erase_rows(session, phone, "key", NOW)
    with database.reading() as session:
        case = life.by_code(session, other)
        assert case.sealed
        assert case.summary == "Chị có số xxxxxxxxxx bị đánh"
        assert all(phone not in one.note for one in life.events_of(session, case))
        assert audit.verify(session).broken is None


def read(session: object, case: Case) -> list[tuple[str, str]]:
    return [(one.by, one.note) for one in life.events_of(session, case)  # type: ignore[arg-type]
            if one.what == "read"]


def test_who_reads_at_the_desk_says_why_and_may_work_for_half_an_hour(sqlite: Database) -> None:
    later = NOW + timedelta(hours=1)
    with sqlite.transaction() as session:
        case = opened(session, private=True, by="lan")
        assert reading.is_open_to(session, case, "lan", NOW)  # has just written it down
        assert not reading.is_open_to(session, case, "lan", later)
        assert not reading.is_open_to(session, case, "huy", NOW)
        seen = life.events_of(session, case)[-1].id
        with pytest.raises(CaseError, match="why"):
            reading.note(session, case, "  x ", by="huy", now=NOW)
        reading.note(session, case, "Để giao cơ quan", by="huy", now=NOW)
        assert reading.is_open_to(session, case, "huy", NOW + timedelta(minutes=29))
        assert not reading.is_open_to(session, case, "huy", later)
        assert read(session, case) == [("huy", "Để giao cơ quan")]
        life.unchanged_since(session, case, seen)  # whoever works on it meanwhile goes on
        assert reading.is_open_to(session, opened(session), "huy", NOW)


def test_the_agency_reads_for_its_work_and_once_in_half_a_day_that_is_noted(
    sqlite: Database,
) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session, private=True)
        assert case.agency is not None
        assert case.agency.code == HEALTH
        for hours in (0, 1, 11, 13):
            reading.note_agency(session, case, "Cán bộ Sáu", NOW + timedelta(hours=hours))
        assert read(session, case) == [("Cán bộ Sáu", "")] * 2
        plain = opened(session)
        reading.note_agency(session, plain, "Cán bộ Sáu", NOW)
        assert read(session, plain) == []
