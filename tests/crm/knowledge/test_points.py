"""Contact points: parsed, found, open or closed, told by SMS."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.clock import VIETNAM
from crm.database import Database
from crm.knowledge import hours, points
from crm.knowledge.hours import DAYS, HoursError
from crm.knowledge.models import PointKind
from crm.knowledge.points import PointError
from crm.notices import texts
from crm.notices.models import Channel
from tests.crm.cases.factory import NOW
from tests.crm.knowledge.factory import POINT, WARD, point

WEEK = "T2-T6 07:30-11:30,13:30-17:00; T7 07:30-11:30"


@pytest.mark.parametrize(("at", "is_open"), [
    ("2026-03-09 07:29", False), ("2026-03-09 07:30", True), ("2026-03-09 11:30", False),
    ("2026-03-13 16:59", True), ("2026-03-14 08:00", True), ("2026-03-14 14:00", False),
    ("2026-03-15 08:00", False),
])
def test_a_point_is_open_by_its_hours_in_vietnam(at: str, is_open: bool) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=VIETNAM).astimezone(UTC)
    known = hours.parse(WEEK)
    assert known
    assert known.open_at(moment) is is_open


@pytest.mark.parametrize("text", [
    "hàng ngày 00:00-24:00", "24/7", "T2-CN 0:00-24:00",
    "T2,T3,T4-T6,T7,CN: 00:00-12:00,12:00-24:00",
])
def test_ways_to_say_always(text: str) -> None:
    known = hours.parse(text)
    assert known
    assert known.open_at(NOW)
    assert all(sum(end - begin for begin, end in day) == 1440 for day in known.week)


@pytest.mark.parametrize("text", [
    "T8 07:00-11:00", "T6-T2 07:00-11:00", "T2 11:00-07:00", "T2 07:00-25:00", "T2 07:60-08:00",
    "T2", "07:00-11:00", "T2 07:00-11:00,10:00-12:00", ";", "T2 7h-11h", "T2-T3-T4 07:00-08:00",
    "x" * 300,
])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(HoursError):
        hours.parse(text)


@given(st.text(max_size=40) | st.from_regex(r"[T2-7CN,; :0-9-]{0,40}", fullmatch=True))
def test_hours_are_parsed_or_refused_with_a_sentence(text: str) -> None:
    with suppress(HoursError):
        known = hours.parse(text)
        assert known is None or (len(known.week) == len(DAYS) and hours.spoken(known))


def test_points_are_found_by_name_kind_commune_and_telephone(database: Database) -> None:
    with database.transaction() as session:
        one = point(session)
        other = point(session, kind="test", name="Điểm xét nghiệm Mẫu Hai", phones="")
        point(session, name="Đã đóng", valid_to="2026-03-09")
        point(session, name="Sắp mở", valid_from="2026-03-11")
        assert one.code == "diem-tiem-chung-mau-mot"
        assert one.phones == ["02373000000"]
        assert points.find(session, "tiem chung", NOW) == [one]
        assert points.find(session, "ham rong", NOW) == [other, one]
        assert points.find(session, "02373000000", NOW) == [one]
        assert points.find(session, "da dong", NOW) == []
        assert points.listing(session, NOW, kind=PointKind.TEST, area=WARD) == [other]
        assert len(points.listing(session, NOW, also_past=True)) == 4
        assert points.open_now(one, NOW) is True  # Tuesday, 10:00


def test_a_point_is_changed_by_its_code_unless_somebody_else_has(database: Database) -> None:
    with database.transaction() as session:
        one = point(session)
        assert point(session, code=one.code).version == 1
        assert point(session, code=one.code, name="Tên mới") is one
        assert points.find(session, "ten moi", NOW) == [one]
        assert points.find(session, "mau mot", NOW) == []
        with pytest.raises(PointError) as error:
            points.save(session, points.parse(POINT, NOW), by="lan", now=NOW, point=one, seen=1)
        assert error.value.faults[0][0] == "stale"


def test_all_faults_of_a_point_are_told_at_once() -> None:
    wrong = {
        "code": "A b", "kind": "x", "name": "", "area": "99999", "address": "",
        "hours": "T9 1-2", "phones": "123, abc", "valid_from": "x", "valid_to": "",
        "note": "n" * 501,
    }
    with pytest.raises(PointError) as error:
        points.parse(wrong, NOW)
    assert {column for column, _ in error.value.faults} == set(wrong) - {"valid_to"}


def test_a_message_tells_what_an_sms_has_room_for(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        told = points.short_message(point(session), NOW)
        long = points.short_message(point(session, name="Điểm " + "rất " * 30), NOW)
    assert told == (
        "Điểm tiêm chủng Mẫu Một. Số 1 đường Mẫu, Phường Hàm Rồng. "
        f"{WEEK}. ĐT 02373000000."
    )
    assert len(long) == points.LONGEST_MESSAGE
    assert long.endswith(" ĐT 02373000000.")
    for body in (told, long):
        assert texts.rendered("contact_points", Channel.SMS, {"body": body}).body


def test_callers_hear_the_points_of_a_kind_with_hours_and_telephone(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        assert points.spoken_list(session, PointKind.VACCINATION, NOW) is None
        point(session, address="Số 12/5 đường Mẫu", hours="T2-T6 07:30-11:30,13:00-17:00")
        point(session, name="Đã đóng", valid_to="2026-03-09")
        assert points.spoken_list(session, PointKind.VACCINATION, NOW) == (
            "Điểm tiêm chủng Mẫu Một. Địa chỉ: Số 12 xuyệt 5 đường Mẫu, Phường Hàm Rồng. "
            "Giờ mở cửa: thứ Hai đến thứ Sáu, từ 7:30 đến 11:30 và từ 13:00 đến 17:00. "
            "Điện thoại: 02373000000."
        )
        for number in range(points.MOST_SPOKEN):
            point(session, name=f"Điểm {number}", hours="24/7")
        told = points.spoken_list(session, PointKind.VACCINATION, NOW)
        assert told
        assert told.endswith("Còn 1 điểm khác. Gặp điện thoại viên, bấm phím số không.")


@pytest.mark.parametrize(("text", "told"), [
    ("24/7", "các ngày trong tuần, cả ngày"), ("CN 08:00-09:15", "Chủ nhật, từ 8:00 đến 9:15"),
    ("T2,T4 08:00-09:00; T7-CN 08:00-09:00", "thứ Hai, từ 8:00 đến 9:00; "
     "thứ Tư, từ 8:00 đến 9:00; thứ Bảy đến Chủ nhật, từ 8:00 đến 9:00"),
])
def test_hours_are_said_in_words(text: str, told: str) -> None:
    known = hours.parse(text)
    assert known
    assert hours.spoken(known) == told
