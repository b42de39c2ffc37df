"""A day with everything a report counts: calls, cases, the health department's figures."""

from __future__ import annotations

import random
from datetime import date, timedelta

from sqlalchemy.orm import Session

from crm.agencies import register
from crm.cases.models import Agency, Case, Status
from crm.models import Call, Outcome
from crm.reports import health
from crm.reports.health import Figures
from crm.reports.spans import begin

DAY = date(2026, 3, 10)
BEFORE = DAY - timedelta(days=1)
AREAS = ("14758", "15331", "14869")
BRANCHES = ("emergency", "advice", "vaccine", "relief", None)


def seed(session: Session, number: int = 1) -> None:
    """Calls, cases and figures of DAY and the days before it; the same for the same number."""
    dice = random.Random(number)
    add_calls(session, dice)
    add_cases(session, dice)
    enter(session, BEFORE, {"": Figures(40, 30, 100, 500, 900, 1_500)})
    enter(session, DAY, {
        "14758": Figures(1_234, 20, 60, 300, 4_000, 700), "": Figures(16, 11, 41, 190, 500, 800),
    }, confirmed=True)


def enter(
    session: Session, day: date, figures: dict[str, Figures], *, confirmed: bool = False
) -> None:
    at = begin(day) + timedelta(hours=15)
    made = health.enter(session, day, figures, source="Sở Y tế Thanh Hóa", by="yte", now=at,
                        confirmed=confirmed)
    health.approve(session, day, made.version, by="huy", now=at + timedelta(minutes=20))


def add_calls(session: Session, dice: random.Random, days: int = 2) -> None:
    for back in range(days):
        for number in range(60):
            at = begin(DAY) - timedelta(days=back) + timedelta(seconds=dice.randrange(86_400))
            waits = dice.random() < 0.7
            outcome = dice.choice([*Outcome, *[Outcome.ANSWERED] * 6, None])
            answered = outcome is Outcome.ANSWERED
            session.add(Call(
                id=f"th1.b1.{back}.{number}", node="th1", boot="b1",
                direction=dice.choice(["in", "in", "in", "out"]),
                kind=dice.choice(["citizen", "citizen", "citizen", "test"]), caller="0912345678",
                dialled="1022", started_at=at, queued_at=at if waits else None,
                answered_at=at + timedelta(seconds=5) if answered else None,
                ended_at=at + timedelta(minutes=3), outcome=outcome,
                branch=dice.choice(BRANCHES),
                wait_ms=dice.randrange(0, 150_000) if waits else None, path=[],
                unreached=dice.random() < 0.1,
                satisfaction=dice.choice([1, 2, 3, 5, None]) if answered else None,
            ))


def add_cases(session: Session, dice: random.Random) -> None:
    rows = register.read(register.PROVINCE)
    register.take_in(session, [row for row in rows if row["code"] in {"SYT", "SCT"}])
    session.flush()
    known = [one.id for one in session.query(Agency).order_by(Agency.id)]
    for number in range(120):
        at = begin(DAY) + timedelta(seconds=dice.randrange(-4 * 86_400, 86_400))
        status = dice.choice(list(Status))
        resolved = status in (Status.RESOLVED, Status.CLOSED, Status.REOPENED)
        session.add(Case(
            code=f"{number:08}", status=status, identity="shown", channel=dice.choice(
                ["call", "hand", "voicemail"]), summary="Việc", opened_at=at,
            category=dice.choice(["food", "food", "food", "roads", None]),
            area=dice.choice([AREAS[0], AREAS[0], AREAS[1], None]),
            agency_id=dice.choice([*known, None]), dispatch_due_at=at,
            due_at=at + timedelta(hours=dice.randrange(1, 60)),
            resolved_at=at + timedelta(hours=dice.randrange(1, 40)) if resolved else None,
        ))
