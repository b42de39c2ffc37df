"""Score cards, the draw of calls, and evaluations: arithmetic and fairness hold for any of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm.database import Database
from crm.quality import cards, draws, evaluations
from crm.quality.cards import MOST, WHOLE, CardError, Kind, Question, score
from crm.quality.draws import Drawable, DrawError, pick
from crm.quality.evaluations import EvaluationError
from crm.quality.models import Evaluation, QualityDraw, QualityPick
from tests.agent_console.factories import add_call

NOW = datetime(2026, 3, 9, 3, 0, tzinfo=UTC)  # a Monday, 10:00 in Vietnam
WEEK = "2026-W10"
ASKED = [("Chào đúng lời", "yesno", 1, False), ("Hiểu người gọi", "scale", 3, False),
         ("Không lộ thông tin", "yesno", 1, True)]

questions = st.lists(
    st.builds(Question, st.just("q"), st.just("?"), st.sampled_from(Kind), st.integers(1, 100),
              st.booleans()),
    min_size=1, max_size=12,
).map(lambda found: [
    Question(f"q{at}", one.text, one.kind, one.weight, one.fatal)
    for at, one in enumerate(found)
])


@st.composite
def answered(draw: st.DrawFn) -> tuple[list[Question], dict[str, int]]:
    asked = draw(questions)
    return asked, {one.key: draw(st.integers(0, MOST[one.kind])) for one in asked}


@given(answered())
def test_a_score_is_the_weighted_share_and_nothing_where_a_fatal_question_failed(
    given_: tuple[list[Question], dict[str, int]]
) -> None:
    asked, answers = given_
    found = score(asked, answers)
    assert 0 <= found.points <= WHOLE
    assert found.failed == any(one.fatal and answers[one.key] == 0 for one in asked)
    if found.failed:
        assert found.points == 0
        return
    had = sum(Fraction(answers[one.key], MOST[one.kind]) * one.weight for one in asked)
    exact = WHOLE * had / sum(one.weight for one in asked)
    assert abs(found.points - exact) <= Fraction(1, 2)
    best = {one.key: MOST[one.kind] for one in asked}
    assert score(asked, best).points == WHOLE
    for one in asked:  # a better answer is never worth less
        better = answers | {one.key: min(MOST[one.kind], answers[one.key] + 1)}
        assert score(asked, better).points >= found.points


@given(answered(), st.integers())
def test_an_answer_that_is_missing_or_too_much_is_refused(
    given_: tuple[list[Question], dict[str, int]], value: int
) -> None:
    asked, answers = given_
    del answers[asked[-1].key]
    with pytest.raises(CardError):
        score(asked, answers)
    if not 0 <= value <= MOST[asked[-1].kind]:
        with pytest.raises(CardError):
            score(asked, answers | {asked[-1].key: value})


pools = st.lists(
    st.tuples(st.sampled_from(("lan", "minh", "hoa")), st.sampled_from(("vaccine", "testing", ""))),
    max_size=60,
).map(lambda found: [
    Drawable(f"th1.b1-1.{at}", agent, branch) for at, (agent, branch) in enumerate(found)
])


@given(pools, st.integers(1, 8), st.text(max_size=8), st.randoms())
def test_every_agent_has_the_same_number_of_calls_and_the_branches_take_turns(
    pool: list[Drawable], each: int, seed: str, chance: Any
) -> None:
    drawn = pick(seed, each, pool)
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(pool)
    there, had = Counter(one.agent for one in pool), Counter(one.agent for one in drawn)
    assert had == {agent: min(each, number) for agent, number in there.items()}
    for agent in there:  # a branch that has calls left is never behind another by more than one
        of = {branch: [one for one in pool if (one.agent, one.branch) == (agent, branch)]
              for branch in {one.branch for one in pool if one.agent == agent}}
        taken = Counter(one.branch for one in drawn if one.agent == agent)
        most = max(taken.values(), default=0)
        assert all(
            taken[branch] >= most - 1 or taken[branch] == len(calls) for branch, calls in of.items()
        )
    shuffled = pool.copy()
    chance.shuffle(shuffled)
    assert pick(seed, each, shuffled) == drawn  # whoever has the seed draws the same


def test_no_call_is_likelier_than_another() -> None:
    pool = [Drawable(f"th1.b1-1.{at}", "lan", "vaccine") for at in range(10)]
    times = Counter(one.call for seed in range(2000) for one in pick(str(seed), 2, pool))
    assert all(300 < times[one.call] < 500 for one in pool)  # 400 each, five deviations at most


def recorded(database: Database, number: int, **more: object) -> str:
    id_ = f"th1.b1-1.{number}"
    add_call(database, **{
        "id": id_, "started_at": NOW - timedelta(days=3), "recording": f"{id_}.raw",
        "agent": "lan", "branch": "vaccine", "talk_ms": 60_000, **more,
    })
    return id_


def test_only_recorded_talks_of_half_a_minute_of_that_week_are_drawn_and_once(
    database: Database
) -> None:
    good = recorded(database, 1)
    recorded(database, 2, talk_ms=29_999)
    recorded(database, 3, recording=None)
    recorded(database, 4, started_at=NOW - timedelta(days=12))
    recorded(database, 5, started_at=NOW - timedelta(hours=1))
    recorded(database, 6, kind="test")
    recorded(database, 7, agent=None)
    with database.transaction() as session:
        made = draws.draw(session, WEEK, 3, by="huy", now=NOW)
        assert made.pool == 1
        assert [one.call_id for one in session.scalars(select(QualityPick))] == [good]
        assert len(made.seed) == 32
    for week, each in ((WEEK, 3), ("2026-W11", 3), ("2026-W99", 3), ("x", 3), ("2026-W09", 0)):
        with pytest.raises(DrawError), database.transaction() as session:
            draws.draw(session, week, each, by="huy", now=NOW)
    with database.reading() as session:
        assert len(session.scalars(select(QualityDraw)).all()) == 1


@pytest.fixture
def picked(database: Database) -> Database:
    """Calls of lan's and minh's, drawn, and a card."""
    for number in range(4):
        recorded(database, number, agent=("lan", "minh")[number % 2])
    with database.transaction() as session:
        draws.draw(session, WEEK, 2, by="huy", now=NOW)
        cards.save(session, "Nghe máy", ASKED, by="huy", now=NOW)
    return database


def judged(database: Database, agent: str, by: str = "huy", **answers: int) -> int:
    with database.transaction() as session:
        ((_, version),) = cards.newest(session)
        one = next(one for one in evaluations.to_judge(session, by) if one.agent == agent)
        return evaluations.judge(
            session, one.id, version.id, {"q1": 1, "q2": 5, "q3": 1} | answers, "tốt", by=by,
            now=NOW,
        ).id


def test_averages_have_their_counts_and_the_version_of_their_card(picked: Database) -> None:
    judged(picked, "lan", q2=0)
    judged(picked, "minh")
    judged(picked, "minh", q3=0)
    with picked.transaction() as session:
        cards.save(session, "Nghe máy", ASKED[:2], by="huy", now=NOW, seen=1)
    with picked.transaction() as session:
        ((_, version),) = cards.newest(session)
        (left,) = evaluations.to_judge(session, "huy")
        evaluations.judge(session, left.id, version.id, {"q1": 1, "q2": 5}, "", by="huy", now=NOW)
    with picked.reading() as session:
        found = evaluations.averages(session, NOW, NOW + timedelta(days=1))
        assert [(one.version, one.agent, one.count, one.points, one.failed) for one in found] == [
            (2, "", 1, 10_000, 0), (2, "lan", 1, 10_000, 0),
            (1, "", 3, pytest.approx(14_000 / 3), 1), (1, "lan", 1, 4_000, 0),
            (1, "minh", 2, 5_000, 1),
        ]
        assert evaluations.averages(session, NOW + timedelta(days=1), NOW + timedelta(days=2)) == []


def test_nobody_judges_themselves_a_call_twice_or_by_an_old_card(picked: Database) -> None:
    with picked.transaction() as session:
        ((_, version),) = cards.newest(session)
        (one, *_) = (found for found in evaluations.to_judge(session, "huy")
                     if found.agent == "lan")
        assert all(found.agent != "lan" for found in evaluations.to_judge(session, "lan"))
    answers = {"q1": 1, "q2": 5, "q3": 1}

    def judge(by: str, version_id: int = version.id) -> None:
        with picked.transaction() as session:
            evaluations.judge(session, one.id, version_id, answers, "", by=by, now=NOW)

    with pytest.raises(EvaluationError, match="of their own"):
        judge("lan")
    with pytest.raises(CardError):
        judge("huy", 99)
    judge("huy")
    with pytest.raises(EvaluationError, match="meanwhile"):
        judge("quan")
    with picked.transaction() as session:
        cards.save(session, "Nghe máy", ASKED, by="huy", now=NOW, seen=1)
        with pytest.raises(CardError, match="has version 2"):  # two people changed it at once
            cards.save(session, "Nghe máy", ASKED, by="quan", now=NOW, seen=1)
    with pytest.raises(EvaluationError, match="newer version"):
        judge("huy")


def test_an_agent_answers_once_and_only_what_is_their_own(picked: Database) -> None:
    id_ = judged(picked, "lan")

    def say(by: str, said: str = "Hôm ấy máy hỏng") -> None:
        with picked.transaction() as session:
            evaluations.reply(session, id_, said, by=by, now=NOW)

    with pytest.raises(EvaluationError, match="not of a call of yours"):
        say("minh")
    with pytest.raises(EvaluationError):
        say("lan", "  ")
    say("lan")
    with pytest.raises(EvaluationError, match="already"):
        say("lan")
    with picked.transaction() as session:
        ((found, drawn, card, version),) = evaluations.of_agent(session, "lan", NOW)
        assert (found.reply, card.name, version.number) == ("Hôm ấy máy hỏng", "Nghe máy", 1)
        assert drawn.agent == "lan"
        assert found.seen_at == NOW
        assert evaluations.of_agent(session, "minh", NOW) == []
        assert session.scalars(select(Evaluation.score)).all() == [10_000]


@pytest.mark.parametrize("asked", [
    [], [("", "yesno", 1, False)], [("x", "maybe", 1, False)], [("x", "scale", 0, False)],
    [("x", "scale", 101, True)], [("x" * 301, "scale", 1, True)], [("x", "yesno", 1, False)] * 41,
])
def test_a_card_that_cannot_be_used_is_refused(
    sqlite: Database, asked: list[tuple[str, str, int, bool]]
) -> None:
    with sqlite.transaction() as session, pytest.raises(CardError):
        cards.save(session, "Nghe máy", asked, by="huy", now=NOW)
