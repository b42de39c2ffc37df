"""Score cards: questions with weights, in versions that never change, and the score of answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.quality.models import CardVersion, ScoreCard

WHOLE = 10_000  # a score of all that there is
MOST_QUESTIONS, MOST_WEIGHT, LONGEST_QUESTION, LONGEST_NAME = 40, 100, 300, 80


class CardError(HotlineError):
    """A card, or an answer to it, cannot be used; the message says why."""


class Kind(StrEnum):
    YES_NO = "yesno"  # 1 or 0
    SCALE = "scale"  # 0 to 5


MOST = {Kind.YES_NO: 1, Kind.SCALE: 5}


@dataclass(frozen=True)
class Question:
    """`fatal`: where it is answered by 0, the call has failed whatever else it is worth."""

    key: str  # q1, q2, … of its version
    text: str
    kind: Kind
    weight: int
    fatal: bool


@dataclass(frozen=True)
class Score:
    """`points` of WHOLE."""

    points: int
    failed: bool


def score(questions: Sequence[Question], answers: Mapping[str, int]) -> Score:
    """The weighted share of what could be had, nothing where a fatal question was not met. Raises
    CardError: a question has no answer, or one that it cannot have."""
    for one in questions:
        if not 0 <= answers.get(one.key, -1) <= MOST[one.kind]:
            raise CardError(f"no answer that fits: {one.text}")
    if any(one.fatal and answers[one.key] == 0 for one in questions):
        return Score(0, failed=True)
    had = sum(Fraction(one.weight * answers[one.key], MOST[one.kind]) for one in questions)
    share = Fraction(had, sum(one.weight for one in questions))
    return Score(int(share * WHOLE + Fraction(1, 2)), failed=False)


def questions_of(version: CardVersion) -> list[Question]:
    return [Question(**one | {"kind": Kind(one["kind"])}) for one in version.questions]


def save(
    session: Session, name: str, asked: Iterable[tuple[str, str, int, bool]], *, by: str,
    now: datetime, seen: int = 0,
) -> CardVersion:
    """A version of the card of this name, which begins with its first: text, kind, weight and fatal
    of each question. `seen`: the number of the version that was changed, 0 for a new card. Raises
    CardError."""
    name, questions = " ".join(name.split()), _checked(asked)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise CardError("a card needs a name")
    card = session.scalar(
        select(ScoreCard).where(ScoreCard.name == name).with_for_update()
    )
    if card is None:
        card = ScoreCard(name=name, active=True)
        session.add(card)
        session.flush()
    before = session.scalar(
        select(func.max(CardVersion.number)).where(CardVersion.card_id == card.id)
    ) or 0
    if before != seen:
        raise CardError(f"the card has version {before} by now: look at it first")
    made = CardVersion(
        card_id=card.id, number=before + 1, made_at=now, made_by=by,
        questions=[asdict(one) | {"kind": one.kind.value} for one in questions],
    )
    session.add(made)
    session.flush()
    return made


def _checked(asked: Iterable[tuple[str, str, int, bool]]) -> list[Question]:
    questions: list[Question] = []
    for written, kind, weight, fatal in asked:
        text = " ".join(written.split())
        if not 1 <= len(text) <= LONGEST_QUESTION:
            raise CardError(f"a question has 1 to {LONGEST_QUESTION} letters")
        if kind not in list(Kind) or not 1 <= weight <= MOST_WEIGHT:
            raise CardError(f"a weight is 1 to {MOST_WEIGHT}: {text}")
        questions.append(Question(f"q{len(questions) + 1}", text, Kind(kind), weight, fatal))
    if not 1 <= len(questions) <= MOST_QUESTIONS:
        raise CardError(f"a card has 1 to {MOST_QUESTIONS} questions")
    return questions


def newest(session: Session) -> list[tuple[ScoreCard, CardVersion]]:
    """The cards with their newest versions, by name."""
    last = select(func.max(CardVersion.id)).group_by(CardVersion.card_id)
    rows = session.execute(
        select(ScoreCard, CardVersion).join(CardVersion, CardVersion.card_id == ScoreCard.id)
        .where(CardVersion.id.in_(last)).order_by(ScoreCard.name).limit(100)
    )
    return [(card, version) for card, version in rows]


def with_card(session: Session, version_id: int) -> tuple[ScoreCard, CardVersion]:
    """A version and its card. Raises CardError."""
    row: Any = session.execute(
        select(ScoreCard, CardVersion).join(CardVersion, CardVersion.card_id == ScoreCard.id)
        .where(CardVersion.id == version_id)
    ).one_or_none()
    if row is None:
        raise CardError("there is no such card")
    return row[0], row[1]
