"""Doubles and halves: what may be the same is found, joined, split."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.cases import groups, life
from crm.cases.life import CaseError
from crm.cases.models import Case, Status
from crm.database import Database
from tests.crm.cases.factory import NOW, opened

HERE, THERE = "14758", "14797"  # two of the communes and wards


def of_road(session: Session, summary: str, area: str = HERE, **told: Any) -> Case:
    case = opened(session, summary=summary, **told)
    life.classify(session, case, "roads", by="lan", now=NOW, area=area)
    return case


def test_the_same_trouble_in_the_same_place_is_shown_with_why(database: Database) -> None:
    with database.transaction() as session:
        first = of_road(session, "Ổ gà lớn trên đường Lê Lợi trước chợ", phone="0912345671")
        of_road(session, "Ổ gà lớn trên đường Lê Lợi trước chợ", THERE, phone="0912345672")
        of_road(session, "Đèn đường hỏng ở ngõ mười hai", phone="0912345673")
        before = NOW - timedelta(days=40)
        of_road(session, "Ổ gà lớn trên đường Lê Lợi trước chợ", phone="0912345674", now=before)
        same_man = opened(session, summary="Hỏi về tiêm chủng", phone="0912345675")
        case = of_road(session, "duong Le Loi co o ga lon truoc cho", phone="0912345675")
        found = groups.alike(session, case)
        assert [one.case.id for one in found] == [first.id, same_man.id]
        assert (found[0].same_place, found[0].same_number) == (True, False)
        assert found[0].words > 0.5
        assert found[1].same_number


def test_a_case_nobody_has_classified_is_compared_by_its_number_alone(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        opened(session, summary="Mất nước", phone="0912345671")
        known = opened(session, summary="Mất nước", phone="0912345672")
        case = opened(session, summary="Mất nước", phone="0912345672")
        assert [one.case.id for one in groups.alike(session, case)] == [known.id]
        nobody = opened(session, summary="Mất nước", phone=None)
        assert groups.alike(session, nobody) == []


def test_doubles_follow_the_first_even_through_another_double(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        main, second, third = (opened(session) for _ in range(3))
        groups.join(session, third, second, by="huong", now=NOW)
        groups.join(session, second, main, by="huong", now=NOW)
        assert [one.id for one in groups.doubles(session, main)] == [second.id, third.id]
        late = opened(session)
        groups.join(session, late, third, by="huong", now=NOW)
        assert late.duplicate_of is main
        assert late.status == Status.DUPLICATE
        with pytest.raises(CaseError, match="of itself"):
            groups.join(session, main, third, by="huong", now=NOW)


def test_what_is_joined_to_a_sensitive_case_hides_it_too(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        main, case = opened(session), opened(session, sensitive=True)
        groups.join(session, case, main, by="huong", now=NOW)
        assert main.sensitive


def test_a_case_is_split_with_its_citizen_and_its_calls(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = opened(session, summary="Mất nước và đường hỏng", call_id="th1.b1-1.1")
        other = groups.split(session, case, "Đường hỏng", by="huong", now=NOW)
        assert (other.phone, other.split_from) == (case.phone, case)
        assert life.calls_of(session, other) == ["th1.b1-1.1"] == life.calls_of(session, case)
        with pytest.raises(CaseError, match="says what it is about"):
            groups.split(session, case, " ", by="huong", now=NOW)


@given(st.text(max_size=60), st.text(max_size=60))
def test_likeness_is_the_same_from_both_sides_and_whole_with_itself(one: str, other: str) -> None:
    words, others = groups.words_of(one), groups.words_of(other)
    like = groups.likeness_of(words, others)
    assert like == groups.likeness_of(others, words)
    assert 0 <= like <= 1
    assert groups.likeness_of(words, words) == (1 if words else 0)
