"""Search: accents or not, titles first, of what many have the newest, harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from crm import search
from crm.cases import life
from crm.cases import words as case_words
from crm.database import Database
from crm.search import Kind
from crm.vietnamese import accented
from tests.crm.cases.factory import NOW, opened


def put(database: Database, *texts: tuple[str, str]) -> None:
    """Articles 1, 2, … with these titles and bodies."""
    with database.transaction() as session:
        for number, (title, body) in enumerate(texts, start=1):
            search.put(session, Kind.ARTICLE, number, title, body)


def found(database: Database, query: str, limit: int = 20) -> list[int]:
    with database.reading() as session:
        return search.find(session, Kind.ARTICLE, query, limit)


@pytest.mark.parametrize("query", [
    "dau hong", "đau họng", "ĐAU HỌNG", "hong dau", "đau hong", "dau họn", "  dau,hong!! ",
    unicodedata.normalize("NFD", "đau họng"), "đau 🤒 họng",
])
def test_words_are_found_with_and_without_accents(database: Database, query: str) -> None:
    put(database, ("Khi bị đau họng", "Uống nước ấm."), ("Sốt", "Nghỉ ngơi."))
    assert found(database, query) == [1]


@pytest.mark.parametrize("query", ["hoà", "hòa", "hoa"])
def test_both_ways_of_setting_a_tone_are_one(database: Database, query: str) -> None:
    put(database, ("Hòa giải", ""), ("Hoà giải", ""))
    assert found(database, query) == [2, 1]
    assert accented("hoà") == accented("hòa") != accented("hoa")


def test_titles_come_before_bodies_and_the_same_accents_before_others(database: Database) -> None:
    put(
        database, ("Sốt", "mắc áo"), ("Sốt", "mặc áo"), ("Mắc áo", ""), ("Mặc áo", ""),
    )
    assert found(database, "mặc áo") == [4, 3, 2, 1]
    assert found(database, "mắc áo") == [3, 4, 1, 2]


def test_only_the_last_word_may_be_a_beginning(database: Database) -> None:
    put(database, ("Tiêm chủng mở rộng", ""))
    assert found(database, "tiem chu") == [1]
    assert found(database, "tie chung") == []


def test_each_kind_has_its_own_and_what_is_put_again_or_removed_is_gone(
    database: Database,
) -> None:
    put(database, ("Tiêm chủng", ""))
    with database.transaction() as session:
        assert search.find(session, Kind.POINT, "tiem") == []
        search.put(session, Kind.ARTICLE, 1, "Xét nghiệm", "")
        assert search.find(session, Kind.ARTICLE, "tiem") == []
        assert search.find(session, Kind.ARTICLE, "xet") == [1]
        search.remove(session, Kind.ARTICLE, 1)
        assert search.find(session, Kind.ARTICLE, "xet") == []


def test_a_case_is_found_by_its_summary_and_its_answer(database: Database) -> None:
    with database.transaction() as session:
        case = opened(session, summary="Trạm y tế đóng cửa")
        assert case_words.found_by(session, "tram y te", 5) == [case]
        assert case_words.found_by(session, case.code, 5) == [case]
        life.classify(session, case, "vaccine", by="lan", now=NOW)
        assert case_words.found_by(session, "tiem chung", 5) == [case]
        life.set_answer(session, case, "Trạm mở lại thứ Hai.", by="lan", now=NOW)
        assert case_words.found_by(session, "thu hai", 5) == [case]
        assert case_words.found_by(session, "thu ba", 5) == []


@pytest.mark.parametrize("query", [
    "", " ", '"', "'", '"dau" OR *', "NEAR(dau hong)", "dau AND", "words:dau", "a' OR 'b",
    "dau & !", "dau:*", "\\", "\x00", "a\x00b", "-", "^dau", "🤒", "ˋ", "ˋ" * 50, "²",
    "x" * 1_000_000, "dau " * 250_000, "\u0301" * 1000, "'; DROP TABLE search_text; --",
    "đ", "ﷺ", "١٢٣",
])
def test_hostile_queries_are_only_words(database: Database, query: str) -> None:
    put(database, ("Khi bị đau họng", "Uống nước."))
    assert set(found(database, query)) <= {1}
    with database.transaction() as session:
        search.put(session, Kind.ARTICLE, 2, query, query)
    assert 1 in found(database, "dau hong")


def test_nothing_is_too_long_to_be_kept(database: Database) -> None:
    put(database, ("Đau họng", " ".join(chr(0x20000 + one) for one in range(40_000))))
    put(database, ("Đau họng " + "𠀀" * 100_000, "𠀀𠀁" * 100_000))
    assert found(database, "dau hong") == [1]


@given(title=st.text(max_size=60), body=st.text(max_size=60))
@example(title="İstanbul", body="ǅ")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_is_found_by_its_own_title(
    database: Database, title: str, body: str
) -> None:
    with database.transaction() as session:
        search.put(session, Kind.ARTICLE, 7, title, body)
        assert session.scalar(text("SELECT count(*) FROM search_text")) == 1
        hits = search.find(session, Kind.ARTICLE, title)
        if any("a" <= one <= "z" for one in title.lower()) and title.isascii():
            assert hits == [7]
        else:
            assert hits in ([], [7])


def test_of_what_many_have_the_newest_comes_and_of_what_few_have_all(database: Database) -> None:
    """Every text has `viec`, a tenth of them `tram`, the oldest alone `lut`."""
    many, old = search.NEWEST + 3 * search.FEW, 2 * search.FEW
    with database.transaction() as session:
        search.put_all(session, Kind.CASE, [
            (number, f"Việc {number}",
             f"Trạm y tế xã {number} đóng cửa" if number % 10 == 0 else
             f"Ngập lụt {number}" if number < old else f"Mất nước {number}")
            for number in range(1, many + 1)
        ])
    with database.reading() as session:
        for query, newest, number in (
            ("viec", many, 50), ("tram y te", many, 50), ("viec mat nuo", many - 1, 50),
            ("vi", many, 50), ("tram 40", 4090, 12), ("lut", old - 1, 50), ("khong co", None, 0),
        ):
            hits = search.find(session, Kind.CASE, query, 50)
            assert (hits[0] if hits else None, len(hits)) == (newest, number), query
            assert hits == sorted(hits, reverse=True)
