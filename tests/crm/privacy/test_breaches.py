"""The register of incidents: the authority is told in 72 hours, or it is known that it is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
from sqlalchemy import select

from crm import settings as configuration
from crm.database import Database
from crm.notices.models import Notice
from crm.privacy import breach_letter, breaches
from crm.privacy.breaches import BreachError
from crm.reports import pdf
from scripts import privacy
from tests.crm.cases.factory import NOW

TOLD: dict[str, Any] = {
    "what": "Máy tính của một bàn bị mất", "data": "số điện thoại người gọi trong ngày",
    "people": 120, "discovered_at": NOW, "by": "huy", "now": NOW,
}


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def test_reminders_come_at_each_step_until_the_authority_is_told(
    database: Database, tmp_path: Path
) -> None:
    settings = configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_ALARM_PHONES": "0912345678",
    })
    with database.transaction() as session:
        breaches.enter(session, **TOLD)
    told = []
    for hour in (1, 23, 24, 25, 47, 48, 60, 61, 72, 90):
        privacy.remind_of_breaches(database, settings, NOW + hours(hour))
        with database.reading() as session:
            told.append(len(session.scalars(select(Notice)).all()))
    assert told == [0, 0, 1, 1, 1, 2, 3, 3, 4, 4]
    with database.transaction() as session:
        breach = breaches.named(session, 1)
        breaches.write_measures(breach, "Đã đổi mật khẩu, khóa máy")
        breaches.note_notified(breach, "12/TB", NOW + hours(91))
        assert breaches.to_remind(session, NOW + hours(200)) == []
        breaches.close(breach, "Đã tìm thấy máy", by="quan", now=NOW + hours(99))


@pytest.mark.parametrize(("field", "value"), [
    ("what", "ngắn"), ("data", ""), ("people", -1), ("discovered_at", NOW + timedelta(hours=1)),
])
def test_what_is_not_taken(sqlite: Database, field: str, value: object) -> None:
    with sqlite.transaction() as session, pytest.raises(BreachError) as refused:
        breaches.enter(session, **TOLD | {field: value})
    assert refused.value.code == field.removesuffix("_at")


def test_nothing_is_closed_before_the_authority_is_told_what_is_done(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        breach = breaches.enter(session, **TOLD)
        with pytest.raises(BreachError, match="told first"):
            breaches.close(breach, "xong rồi", by="quan", now=NOW)
        with pytest.raises(BreachError, match="what is done"):
            breaches.note_notified(breach, "12/TB", NOW)
        breaches.write_measures(breach, "Đã đổi mật khẩu")
        breaches.note_notified(breach, "12/TB", NOW)
        breaches.close(breach, "Đã tìm thấy máy", by="quan", now=NOW)
        with pytest.raises(BreachError):
            breaches.write_measures(breach, "nữa nhé")


def test_the_letter_to_the_authority_is_pages_that_say_it_all(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        breach = breaches.enter(session, **TOLD | {"people": 1200})
        breaches.write_measures(breach, "Đã đổi mật khẩu.\nĐã khóa máy từ xa.")
        document = breach_letter.letter(breach, NOW)
        late = breach_letter.letter(breach, NOW + timedelta(days=5))
        made = pdf.render(document, NOW)
        assert made == pdf.render(document, NOW)
    opened = pypdfium2.PdfDocument(made)
    told = " ".join(" ".join(page.get_textpage().get_text_bounded() for page in opened).split())
    for words in (
        "THÔNG BÁO VI PHẠM", "Máy tính của một bàn bị mất", "1.200", "Đã khóa máy từ xa.",
        "10:00 ngày 13/03/2026",  # 72 hours later, as clocks in Vietnam show it
        "NGƯỜI ĐẠI DIỆN", "356/2025/NĐ-CP",
    ):
        assert words in told, words
    assert not any("sau 72 giờ" in line for line in document.closing)
    assert any("sau 72 giờ" in line for line in late.closing)
