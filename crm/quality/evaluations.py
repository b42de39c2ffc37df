"""Drawn calls judged, answered by their agents, and counted: never without how many, nor of which
version of the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.models import Call, Leg
from crm.quality import cards
from crm.quality.models import CardVersion, Evaluation, QualityPick, ScoreCard

LONGEST_NOTE = 2000
LISTED = 200


class EvaluationError(HotlineError):
    """A call cannot be judged so, or an answer cannot be taken; the message says why."""


@dataclass(frozen=True)
class Average:
    """`points` is the mean of `count` evaluations, of cards.WHOLE; agent "": of all."""

    card: str
    version: int
    agent: str
    count: int
    points: float
    failed: int


def judge(
    session: Session, pick_id: int, version_id: int, answers: Mapping[str, int], note: str, *,
    by: str, now: datetime,
) -> Evaluation:
    """Judge a drawn call, once, by the newest version of a card. Raises EvaluationError,
    CardError."""
    pick = session.get(QualityPick, pick_id)
    if pick is None:
        raise EvaluationError("this call was not drawn")
    if by == pick.agent or _spoke(session, pick.call_id, by):
        raise EvaluationError("nobody judges a call of their own")
    if len(note) > LONGEST_NOTE:
        raise EvaluationError(f"a note has {LONGEST_NOTE} letters at most")
    card, version = cards.with_card(session, version_id)
    if version.id not in {newest.id for _, newest in cards.newest(session)} or not card.active:
        raise EvaluationError("the card has a newer version: look at it first")
    found = cards.score(questions := cards.questions_of(version), answers)
    made = Evaluation(
        pick_id=pick.id, version_id=version.id, agent=pick.agent, evaluator=by, at=now,
        answers={one.key: answers[one.key] for one in questions}, score=found.points,
        failed=found.failed, note=note.strip(),
    )
    session.add(made)
    try:
        session.flush()
    except IntegrityError as error:
        raise EvaluationError("somebody has judged this call meanwhile") from error
    return made


def reply(session: Session, evaluation_id: int, said: str, *, by: str, now: datetime) -> Evaluation:
    """What the agent says to an evaluation of their own, once. Raises EvaluationError."""
    found = session.get(Evaluation, evaluation_id, with_for_update=True)
    if found is None or found.agent != by:
        raise EvaluationError("this evaluation is not of a call of yours")
    if found.replied_at is not None:
        raise EvaluationError("you have answered already")
    said = said.strip()
    if not 1 <= len(said) <= LONGEST_NOTE:
        raise EvaluationError(f"an answer has 1 to {LONGEST_NOTE} letters")
    found.reply, found.replied_at = said, now
    return found


def to_judge(session: Session, by: str, limit: int = LISTED) -> list[QualityPick]:
    """Drawn calls that nobody has judged, without those of whoever asks; the earliest first."""
    judged = select(Evaluation.pick_id)
    return list(session.scalars(
        select(QualityPick).where(QualityPick.id.not_in(judged), QualityPick.agent != by)
        .order_by(QualityPick.draw_id, QualityPick.id).limit(limit)
    ))


def of_agent(
    session: Session, login: str, now: datetime, limit: int = 50
) -> list[tuple[Evaluation, QualityPick, ScoreCard, CardVersion]]:
    """An agent's evaluations, the latest first; from now on they have been seen."""
    rows = _listed(session, Evaluation.agent == login, limit)
    for found, *_ in rows:
        found.seen_at = found.seen_at or now
    return rows


def latest(
    session: Session, limit: int = 50
) -> list[tuple[Evaluation, QualityPick, ScoreCard, CardVersion]]:
    return _listed(session, Evaluation.id.is_not(None), limit)


def averages(session: Session, begin: datetime, end: datetime) -> list[Average]:
    """Of the evaluations of a time, for each version of each card: of all, then of each agent."""
    where = Evaluation.at >= begin, Evaluation.at < end
    rows = session.execute(
        select(
            ScoreCard.name, CardVersion.number, Evaluation.agent, func.count(),
            func.sum(Evaluation.score), func.sum(case((Evaluation.failed, 1), else_=0)),
        )
        .join(CardVersion, CardVersion.id == Evaluation.version_id)
        .join(ScoreCard, ScoreCard.id == CardVersion.card_id).where(*where)
        .group_by(ScoreCard.name, CardVersion.number, Evaluation.agent)
        .order_by(ScoreCard.name, CardVersion.number.desc(), Evaluation.agent)
    ).all()
    found: list[Average] = []
    for card, version in dict.fromkeys((row[0], row[1]) for row in rows):
        own = [row for row in rows if row[:2] == (card, version)]
        count, points, failed = (sum(row[at] for row in own) for at in (3, 4, 5))
        found.append(Average(card, version, "", count, points / count, failed))
        found += [
            Average(card, version, agent, number, float(sum_) / number, bad)
            for _, _, agent, number, sum_, bad in own
        ]
    return found


def _spoke(session: Session, call_id: str, login: str) -> bool:
    call = session.get(Call, call_id)
    legs = select(Leg.id).where(Leg.call_id == call_id, Leg.agent == login).limit(1)
    return (call is not None and call.agent == login) or session.scalar(legs) is not None


def _listed(
    session: Session, where: ColumnElement[bool], limit: int
) -> list[tuple[Evaluation, QualityPick, ScoreCard, CardVersion]]:
    rows = session.execute(
        select(Evaluation, QualityPick, ScoreCard, CardVersion)
        .join(QualityPick, QualityPick.id == Evaluation.pick_id)
        .join(CardVersion, CardVersion.id == Evaluation.version_id)
        .join(ScoreCard, ScoreCard.id == CardVersion.card_id)
        .where(where).order_by(Evaluation.at.desc(), Evaluation.id.desc()).limit(limit)
    )
    return [(one, pick, card, version) for one, pick, card, version in rows]
