"""What a broadcast may say and to whom; a second person's approval; files for carriers."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.broadcasts import audience, board, handoff, life, texts
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Audience, Broadcast, Delivery, Stage
from crm.cases.models import Case, Identity
from crm.clock import vietnam_day
from crm.database import Database
from crm.imports import files
from crm.imports.files import Row
from crm.notices import board as notice_board
from crm.notices import optout
from crm.notices.models import Channel, Notice, Purpose, State
from crm.notices.outbox import NoticeError
from crm.settings import Settings
from tests.crm.broadcasts import factory
from tests.crm.broadcasts.factory import AREA, TEXT, notices, rows, stage_of, wanted, written
from tests.crm.cases.factory import opened
from tests.crm.notices.factory import NOON, all_of

DAY = vietnam_day(NOON)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return factory.settings(tmp_path)


def refused(database: Database, settings: Settings, **told: object) -> str:
    """Why such a broadcast cannot be written."""
    with database.transaction() as session, pytest.raises(BroadcastError) as caught:
        life.write(session, settings, wanted(**told), by="lan", now=NOON)  # type: ignore[arg-type]
    return caught.value.code


def test_nothing_of_a_draft_can_go_and_its_author_does_not_approve_it(
    database: Database, settings: Settings
) -> None:
    id_ = written(database, settings)
    assert {one.state for one in notices(database, id_)} == {State.HELD}
    with database.transaction() as session:
        broadcast = life.locked(session, id_)

        def code(act: object, **told: object) -> str:
            with pytest.raises(BroadcastError) as caught:
                act(session, broadcast, now=NOON, **told)  # type: ignore[operator]
            return caught.value.code

        assert code(life.approve, by="huy") == "untested"
        assert code(life.test, number="0237123", by="lan") == "number"
        life.test(session, broadcast, "+84 987 654 321", by="lan", now=NOON)
        assert code(life.approve, by="lan") == "author"
        with pytest.raises(BroadcastError):
            life.start(session, settings, broadcast, by="lan", now=NOON)
        life.approve(session, broadcast, by="huy", now=NOON)
        assert code(life.approve, by="quan") == "stage"
        assert code(life.test, number="0987654321", by="lan") == "stage"
        life.start(session, settings, broadcast, by="lan", now=NOON)
    assert {one.state for one in notices(database, id_)} == {State.WAITING}
    test, = (one for one in all_of(database) if one.broadcast_id is None)
    assert (test.recipient, test.purpose, test.body) == (
        "0987654321", Purpose.BROADCAST, notices(database, id_)[0].body
    )
    with database.reading() as session:
        told = [(one.what, one.by) for one in board.events(session, broadcast)]
    assert told == [("written", "lan"), ("tested", "lan"), ("approved", "huy"), ("started", "lan")]


def test_chosen_persons_are_never_told_why(sqlite: Database, settings: Settings) -> None:
    few = {"audience": Audience.CHOSEN, "rows": rows(3)}
    assert refused(sqlite, settings, **few) == "chosen_text"
    assert refused(sqlite, settings, **few, text="Mời đi xét nghiệm lại ngay") == "chosen_text"
    assert refused(sqlite, settings, **few, text="", areas=(AREA, "14797")) == "chosen_area"
    assert refused(sqlite, settings, **few, text="", delivery=Delivery.CARRIERS) == "chosen_files"
    id_ = written(sqlite, settings, 3, audience=Audience.CHOSEN, text="")
    assert {one.body for one in notices(sqlite, id_)} == {
        "1022 Thanh Hoa: Tram Y te Phuong Ham Rong de nghi quy vi goi so 02371022. Tu choi: soan "
        "TUCHOI."
    }
    assert all(one.personal for one in notices(sqlite, id_))


def test_a_text_to_chosen_persons_that_was_changed_behind_our_back_does_not_go(
    sqlite: Database, settings: Settings
) -> None:
    id_ = factory.approved(sqlite, settings, 3, audience=Audience.CHOSEN, text="")
    with sqlite.transaction() as session:
        session.get_one(Broadcast, id_).text = "Quy vi la F1, goi ngay 02371022"
    with sqlite.transaction() as session, pytest.raises(BroadcastError, match="fixed sentence"):
        life.start(session, settings, life.locked(session, id_), by="lan", now=NOON)


def test_a_list_of_a_few_people_is_one_of_chosen_persons(
    sqlite: Database, settings: Settings
) -> None:
    assert refused(sqlite, settings, rows=rows(49)) == "few"
    assert refused(sqlite, settings, rows=[*rows(49), *rows(49)]) == "few"  # each counts once
    assert written(sqlite, settings, 50)


@given(st.text(max_size=300))
def test_no_words_of_anybody_reach_a_chosen_person(asked: str) -> None:
    settings = factory.settings(Path("/nowhere"))
    fixed = texts.composed(settings, Channel.SMS, Audience.CHOSEN, "", [AREA], DAY)
    try:
        text = texts.composed(settings, Channel.SMS, Audience.CHOSEN, asked, [AREA], DAY)
    except BroadcastError:
        assert asked.strip()
    else:
        assert text == fixed


@pytest.mark.parametrize(("text", "code"), [
    ("Ngắn", "text"), ("Mời quý vị xem \u202emoc.live tại trạm y tế", "text"),
    ("Mời đăng ký tiêm tại https://tiem-chung.example.com/dk", "link"),
    ("Mời đăng ký tiêm tại tiemchung-gov.vn ngay hôm nay", "link"),
    ("Mời đăng ký tiêm tại www.thanhhoa.gov.vn.example.net", "link"),
    ("Mời xét nghiệm. " * 40, "long"),
])
def test_texts_that_are_refused(
    sqlite: Database, settings: Settings, text: str, code: str
) -> None:
    assert refused(sqlite, settings, text=text) == code


def test_a_text_is_signed_tells_how_to_opt_out_and_is_counted(settings: Settings) -> None:
    def sent(settings: Settings, text: str = TEXT) -> tuple[str, texts.Cost]:
        whole = texts.composed(settings, Channel.SMS, Audience.AREA, text, [AREA], DAY)
        return whole, texts.cost(settings, Channel.SMS, whole, 10_000)

    whole, cost = sent(settings)
    assert whole == (
        "1022 Thanh Hoa: Moi nguoi dan xet nghiem tai Tram Y te phuong tu 7h30 ngay 02/11/2026. "
        "Tu choi: soan TUCHOI."
    )
    assert (cost.coding, cost.segments, cost.total, cost.dong) == ("gsm", 1, 10_000, None)
    priced = factory.settings(settings.home, sms_accents="keep", sms_price="700")
    whole, cost = sent(priced)
    assert "Mời người dân xét nghiệm" in whole
    assert (cost.coding, cost.segments, cost.dong) == ("ucs2", 2, 14_000_000)
    assert "https://tiemchung.gov.vn" in sent(
        settings, "Đăng ký tiêm tại https://tiemchung.gov.vn trước ngày 5."
    )[0]
    spoken = texts.composed(settings, Channel.VOICE, Audience.AREA, TEXT, [AREA], DAY)
    assert spoken.endswith("bấm phím 9.")
    assert texts.cost(settings, Channel.VOICE, spoken, 100).total == 100  # minutes


def known(session: Session, phone: str | None, area: str = AREA, **told: Any) -> Case:
    """Somebody who has opened a case there."""
    case = opened(session, phone=phone, **{"now": NOON, **told})
    case.area = area
    return case


def test_of_an_area_only_those_who_showed_who_they_are(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        known(session, "0912345671")
        known(session, "0912345671")
        known(session, "0912345672", identity=Identity.HIDDEN)
        known(session, "0912345673")
        known(session, "0912345673", "14797", identity=Identity.HIDDEN)
        known(session, "0912345674", "14797")
        known(session, "0912345675", now=NOON - timedelta(days=800))
        known(session, "02373851234")
        known(session, "0912345676")
        known(session, None)
        known(session, "0912345677").sensitive = True
        optout.add(session, "0912345676", by="reply", now=NOON)
    id_ = written(database, settings, audience=Audience.AREA, rows=())
    assert [one.recipient for one in notices(database, id_)] == ["0912345671"]
    with database.reading() as session:
        assert session.get_one(Broadcast, id_).counts == {
            "duplicates": 0, "opted_out": 1, "withheld": 1, "invalid": 1  # the landline
        }
    spoken = written(database, settings, audience=Audience.AREA, rows=(), channel=Channel.VOICE)
    assert {one.recipient for one in notices(database, spoken)} == {"0912345671", "02373851234"}


def test_a_list_is_cleaned_and_what_is_wrong_with_it_is_named(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        optout.add(session, "0912000001", by="reply", now=NOON)
    listed = rows(60)
    listed += [
        Row({"phone": "+84912000005", "area": AREA}, 62),  # there already
        Row({"phone": "0912 000 900", "area": "phường hàm rồng"}, 63),
        Row({"phone": "02373851234", "area": AREA}, 64),
        Row({"phone": "0912000901", "area": "Phường Hạc Thành"}, 65),
        Row({"phone": "ask Lan", "area": AREA}, 66),
        Row({"phone": "0912000902", "area": AREA}, 67, "has too many or too few columns"),
    ]
    id_ = written(database, settings, rows=listed)
    with database.reading() as session:
        found = session.get_one(Broadcast, id_)
    assert found.recipients == 60
    assert found.counts == {"duplicates": 1, "opted_out": 1, "withheld": 0, "invalid": 4}
    assert [(one["line"], one["why"]) for one in found.invalid] == [
        (64, "number"), (65, "area"), (66, "number"), (67, "row")
    ]
    assert found.invalid[0]["value"] == "0237***234"
    assert "0912000001" not in {one.recipient for one in notices(database, id_)}


def test_files_that_are_no_list_are_refused() -> None:
    good = files.as_csv([{"phone": "0912345678", "area": AREA}], audience.COLUMNS)
    assert audience.read_list(good)[0]["phone"] == "0912345678"
    for bad in (b"", b"phone\n0912345678\n", b"PK\x03\x04 no workbook", b"\xff\xfe"):
        with pytest.raises(BroadcastError) as caught:
            audience.read_list(bad)
        assert caught.value.code == "file"


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_vietnamese_number_or_none(text: str) -> None:
    number = audience.number_of(text, Channel.VOICE)
    assert number is None or (number.isascii() and number.isdigit() and number.startswith("0"))


@pytest.mark.parametrize(("field", "value", "code"), [
    ("document", "", "paper"), ("authority", "Sở\nY tế", "paper"), ("most_per_minute", 0, "rate"),
    ("areas", (), "areas"), ("areas", ("00000",), "areas"), ("channel", Channel.EMAIL, "channel"),
])
def test_what_a_broadcast_needs(
    sqlite: Database, settings: Settings, field: str, value: object, code: str
) -> None:
    assert refused(sqlite, settings, **{field: value}) == code


def test_each_carrier_gets_its_numbers_once(database: Database, settings: Settings) -> None:
    carriers = {
        "viettel": "0987654321", "vinaphone": "0912000077", "mobifone": "0903456789",
        "vietnamobile": "0921234567", "other": "0591234567",
    }
    listed = [Row({"phone": one, "area": AREA}, 2) for one in carriers.values()]
    id_ = factory.approved(
        database, settings, rows=[*rows(50), *listed], delivery=Delivery.CARRIERS
    )
    with database.transaction() as session:
        optout.add(session, "0912000003", by="reply", now=NOON)  # since it was written
        life.start(session, settings, life.locked(session, id_), by="lan", now=NOON)
    assert stage_of(database, id_) is Stage.DONE
    with database.transaction() as session:
        broadcast = life.locked(session, id_)
        made = {one.carrier: one for one in handoff.of(session, broadcast)}
        assert {name: one.rows for name, one in made.items()} == {
            "viettel": 1, "vinaphone": 50, "mobifone": 1, "vietnamobile": 1, "other": 1
        }
        fetched = handoff.fetch(session, broadcast, "viettel", by="huy", now=NOON)
        assert hashlib.sha256(fetched.content).hexdigest() == fetched.sha256
        row, = files.read_bytes(fetched.content, handoff.COLUMNS)
        assert (row["phone"], row["text"]) == ("84987654321", broadcast.text)
        assert b"84912000003" not in made["vinaphone"].content
        with pytest.raises(BroadcastError):
            handoff.make(session, broadcast, NOON)
        with pytest.raises(BroadcastError):
            handoff.fetch(session, broadcast, "nobody", by="huy", now=NOON)
    with database.reading() as session:
        last = board.events(session, broadcast)[-1]
        found = board.progress(session, broadcast)
    assert (last.what, last.by) == ("fetched", "huy")
    assert "viettel" in last.note
    assert (found.sent, found.opted_out, found.total) == (54, 1, 55)


def test_the_messages_of_a_broadcast_are_not_among_the_single_ones(
    sqlite: Database, settings: Settings
) -> None:
    id_ = factory.started(sqlite, settings)
    with sqlite.transaction() as session:
        for notice in session.query(Notice).where(Notice.broadcast_id == id_):
            notice.state, notice.ended_at = State.FAILED, NOON
        assert notice_board.trouble(session, settings, NOON).failed == 0
        assert notice_board.undelivered(session) == notice_board.latest(session)  # the test alone
        with pytest.raises(NoticeError):
            notice_board.retry(session, notices(sqlite, id_)[0].id, NOON)
