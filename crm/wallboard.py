"""Today's figures of the queues, as the supervisor's page shows them.

Service level = answered within the agreed seconds ÷ (answered + abandoned after more than 5 s of
waiting + rejected + left the queue for a message because nobody came). Each is shown with both
numbers. Only citizens' inbound calls count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from crm.models import Call, Outcome

PATIENCE_MS = 5000  # who hangs up sooner than this was not kept waiting


@dataclass(frozen=True)
class Day:
    """What came to one branch today. Counts of calls."""

    attempts: int
    answered: int
    abandoned: int  # gave up in the queue
    left_menu: int  # gave up in the menus
    voicemail: int
    in_time: int  # numerator of the service level
    counted: int  # its denominator
    reached: int  # spoke with a person, of ours or outside


def today(session: Session, since: datetime, service_level_s: int) -> dict[str | None, Day]:
    """The figures by branch since a moment; None: calls that reached no branch.

    One pass over the rows since then, by the index on started_at.
    """
    def count(condition: object) -> object:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)  # type: ignore[arg-type]

    transferred = Call.outcome == Outcome.TRANSFERRED.value
    # an agent took it first, who led the caller on or called somebody in
    by_agent = and_(transferred, Call.agent.is_not(None))
    answered = or_(Call.outcome == Outcome.ANSWERED.value, by_agent)
    abandoned = Call.outcome == Outcome.ABANDONED_QUEUE.value
    voicemail = Call.outcome == Outcome.VOICEMAIL.value
    counted = or_(
        answered, Call.outcome == Outcome.REJECTED.value,
        and_(abandoned, Call.wait_ms > PATIENCE_MS),
        and_(voicemail, Call.queued_at.is_not(None)),
    )
    rows = session.execute(
        select(  # type: ignore[call-overload]
            Call.branch, func.count(), count(answered), count(abandoned),
            count(Call.outcome == Outcome.ABANDONED_MENU.value), count(voicemail),
            count(and_(answered, Call.wait_ms <= service_level_s * 1000)), count(counted),
            count(or_(Call.outcome == Outcome.ANSWERED.value, transferred)),
        )
        .where(Call.started_at >= since, Call.direction == "in", Call.kind == "citizen")
        .group_by(Call.branch)
    )
    return {branch: Day(*map(int, numbers)) for branch, *numbers in rows}


def outcomes(session: Session, since: datetime) -> dict[str | None, int]:
    """Inbound calls by outcome since a moment; None: still going on."""
    rows = session.execute(
        select(Call.outcome, func.count())
        .where(Call.started_at >= since, Call.direction == "in").group_by(Call.outcome)
    )
    return {outcome: int(number) for outcome, number in rows}
