"""What is counted of calls, their segments and their agents: one set of measures, for the live
board, for reports over hours and years, and for whoever counts again.

A call counts where it began; a segment (crm.calls.segments) where it began; an agent's shift in
each hour it lasts. Only citizens' inbound calls count. What the rates mean: crm.reports.glossary.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from crm.calls import shifts
from crm.calls.segments import What
from crm.clock import vietnam_day
from crm.models import Call, CallSegment, Outcome

PATIENCE_MS = 5_000  # who hangs up sooner than this was not kept waiting
NORM_MS = 60_000  # the norm: a person within a minute
WITHIN_S = (5, 10, 20, 30, 60, 120, 300)  # waits stand in classes up to these, and longer
AGAIN = timedelta(days=7)  # whoever calls again until the end of this was not served at once
SLOT = timedelta(minutes=30)
_HOUR, _MS = timedelta(hours=1), timedelta(milliseconds=1)


class By(StrEnum):
    """What measures are told of."""

    DAY = "day"  # key: 2026-11-26
    HOUR = "hour"  # of the day, 00 to 23
    BRANCH = "branch"
    AGENT = "agent"
    PARTY = "party"  # a doctor, an agency's or a service's line


@dataclass(frozen=True)
class Measures:
    """Counts, and sums of milliseconds; each can be added up."""

    calls: int = 0
    answered: int = 0  # an agent spoke with them
    reached: int = 0  # a person did, also outside
    transferred: int = 0
    callback: int = 0
    voicemail: int = 0
    self_served: int = 0
    abandoned: int = 0  # gave up in the queue
    left_menu: int = 0
    rejected: int = 0
    lost: int = 0
    open: int = 0
    unreached: int = 0  # asked for emergency help in vain
    queued: int = 0  # waited for a person, and the call is over
    in_norm: int = 0  # of them, spoke with one within a minute
    counted: int = 0  # of the service level
    in_time: int = 0
    waited: int = 0  # answered after a wait
    waited_ms: int = 0
    longest_wait_ms: int = 0
    ab_5: int = 0  # gave up in the queue, by how long they had waited
    ab_10: int = 0
    ab_20: int = 0
    ab_30: int = 0
    ab_60: int = 0
    ab_120: int = 0
    ab_300: int = 0
    ab_more: int = 0
    told: int = 0  # reached a person, and a wait had been predicted
    told_right: int = 0
    told_off_ms: int = 0
    again_counted: int = 0  # answered, and the days in which they might call again are over
    not_again: int = 0
    rated: int = 0
    satisfied: int = 0
    offers: int = 0
    taken: int = 0
    unanswered: int = 0
    refused: int = 0
    handled: int = 0  # parts of calls: one agent's talk with one caller
    talk_ms: int = 0
    hold_ms: int = 0
    wrapup_ms: int = 0
    consult_ms: int = 0
    transfers: int = 0
    transfers_done: int = 0
    signed_ms: int = 0
    paused_ms: int = 0
    staffed_ms: int = 0  # ready for calls, or at work with one
    busy_ms: int = 0

    def __add__(self, more: Measures) -> Measures:
        return total((self, more))


MAXED = frozenset({"longest_wait_ms"})
NAMES = tuple(one.name for one in fields(Measures))
_values = attrgetter(*NAMES)  # `asdict` takes ten times as long, which a report would wait for
NONE = Measures()
Found = dict[tuple[By, str], Measures]


def total(parts: Iterable[Measures]) -> Measures:
    """At least one, added up."""
    columns = zip(*map(_values, parts), strict=True)
    return Measures(*(
        max(column) if name in MAXED else sum(column)
        for name, column in zip(NAMES, columns, strict=True)
    ))


def of_day(
    session: Session, since: datetime, now: datetime, service_level_s: int
) -> Found:
    """All measures of the day that begins at `since`, of what is there now."""
    until = since + timedelta(days=1)
    parts: defaultdict[tuple[By, str], list[Measures]] = defaultdict(list)
    day = vietnam_day(since).isoformat()
    for (slot, branch), one in slots(session, since, until, now, service_level_s).items():
        for by, key in ((By.DAY, day), (By.HOUR, f"{slot // 2:02d}"), (By.BRANCH, branch)):
            parts[by, key].append(one)
    agents = of_calls(session, since, until, now, service_level_s, Call.agent,
                      where=Call.agent.is_not(None))
    for (agent,), one in agents.items():
        # of the whole call, and so of whoever spoke last
        parts[By.AGENT, agent].append(Measures(
            rated=one.rated, satisfied=one.satisfied, again_counted=one.again_counted,
            not_again=one.not_again,
        ))
    for (agent,), one in of_segments(session, since, until, CallSegment.agent,
                                     where=CallSegment.agent.is_not(None)).items():
        parts[By.AGENT, agent].append(one)
    for (party,), one in parties(session, since, until).items():
        parts[By.PARTY, party].append(one)
    for agent, hours in _shifts(session, since, min(until, now)).items():
        for hour, one in hours.items():
            for by, key in ((By.AGENT, agent), (By.DAY, day), (By.HOUR, f"{hour:02d}")):
                parts[by, key].append(one)
    return {key: total(some) for key, some in parts.items()}


def slots(
    session: Session, since: datetime, until: datetime, now: datetime, service_level_s: int
) -> dict[tuple[int, str], Measures]:
    """By half-hour since `since` and branch (empty: none was reached)."""
    calls = of_calls(session, since, until, now, service_level_s,
                     _slot(Call.started_at, since, until), func.coalesce(Call.branch, ""))
    inside = or_(CallSegment.party.is_(None), CallSegment.what == What.TRANSFER.value)
    segments = of_segments(
        session, since, until, _slot(CallSegment.started_at, since, until),
        func.coalesce(CallSegment.branch, ""), where=inside,
    )
    return {
        key: calls.get(key, NONE) + segments.get(key, NONE)
        for key in sorted({*calls, *segments})
    }


def parties(session: Session, since: datetime, until: datetime) -> dict[tuple[Any, ...], Measures]:
    """By telephone outside: doctors, duty phones, services, lines."""
    outside = CallSegment.party.is_not(None) & (CallSegment.what != What.TRANSFER.value)
    return of_segments(session, since, until, CallSegment.party, where=outside)


def of_calls(
    session: Session, since: datetime, until: datetime, now: datetime, service_level_s: int,
    *keys: Any, where: Any = None,
) -> dict[tuple[Any, ...], Measures]:
    """What the calls themselves tell, by these columns of theirs."""
    wanted = _of_calls(service_level_s, until, now)
    rows = session.execute(
        select(*(key.label(f"key{place}") for place, key in enumerate(keys)),
               *(_sum(name, one) for name, one in wanted.items()))
        .where(
            Call.started_at >= since, Call.started_at < until, Call.direction == "in",
            Call.kind == "citizen", *([] if where is None else [where]),
        ).group_by(*(f"key{place}" for place in range(len(keys))))
    )
    return _read(rows, len(keys), tuple(wanted))


def of_segments(
    session: Session, since: datetime, until: datetime, *keys: Any, where: Any
) -> dict[tuple[Any, ...], Measures]:
    """What the segments tell, by these columns of theirs."""
    wanted = _of_segments()
    rows = session.execute(
        select(*(key.label(f"key{place}") for place, key in enumerate(keys)),
               *(_sum(name, one) for name, one in wanted.items()))
        .where(
            CallSegment.started_at >= since, CallSegment.started_at < until,
            CallSegment.counted, where,
        ).group_by(*(f"key{place}" for place in range(len(keys))))
    )
    return _read(rows, len(keys), tuple(wanted))


def _of_calls(service_level_s: int, until: datetime, now: datetime) -> dict[str, Any]:
    """The measures as SQL: a condition is counted, anything else summed."""
    def ended(*outcomes: Outcome) -> Any:
        return Call.outcome.in_([one.value for one in outcomes])

    # an agent took it first, who led the caller on or called somebody in
    answered = or_(ended(Outcome.ANSWERED),
                   and_(ended(Outcome.TRANSFERRED), Call.agent.is_not(None)))
    abandoned = ended(Outcome.ABANDONED_QUEUE)
    queued = Call.queued_at.is_not(None) & Call.outcome.is_not(None)
    waited = answered & Call.wait_ms.is_not(None)
    told = and_(Call.answered_at.is_not(None), Call.wait_from_s.is_not(None),
                Call.wait_ms.is_not(None))
    early = Call.wait_from_s * 1000 - Call.wait_ms
    late = Call.wait_ms - Call.wait_to_s * 1000
    measures = {
        "calls": literal(1) == 1, "answered": answered,
        "reached": ended(Outcome.ANSWERED, Outcome.TRANSFERRED),
        "transferred": ended(Outcome.TRANSFERRED), "callback": ended(Outcome.CALLBACK),
        "voicemail": ended(Outcome.VOICEMAIL), "self_served": ended(Outcome.SELF_SERVED),
        "abandoned": abandoned, "left_menu": ended(Outcome.ABANDONED_MENU),
        "rejected": ended(Outcome.REJECTED), "lost": ended(Outcome.LOST),
        "open": Call.outcome.is_(None), "unreached": Call.unreached,
        "queued": queued,
        "in_norm": and_(queued, Call.answered_at.is_not(None), Call.wait_ms <= NORM_MS),
        "counted": or_(
            answered, ended(Outcome.REJECTED), abandoned & (Call.wait_ms > PATIENCE_MS),
            ended(Outcome.VOICEMAIL) & Call.queued_at.is_not(None),
        ),
        "in_time": answered & (Call.wait_ms <= service_level_s * 1000),
        "waited": waited, "waited_ms": case((waited, Call.wait_ms), else_=0),
        "longest_wait_ms": func.coalesce(Call.wait_ms, 0),
        "told": told, "told_right": and_(told, early <= 0, late <= 0),
        "told_off_ms": case((and_(told, early > 0), early), (and_(told, late > 0), late), else_=0),
        "rated": Call.satisfaction.is_not(None), "satisfied": Call.satisfaction <= 2,
    }
    before = 0
    for most in WITHIN_S:
        measures[f"ab_{most}"] = and_(
            abandoned, Call.wait_ms > before if before else Call.wait_ms >= 0,
            Call.wait_ms <= most * 1000,
        )
        before = most * 1000
    measures["ab_more"] = abandoned & (Call.wait_ms > before)
    if now >= until + AGAIN:
        later = aliased(Call)
        again = exists().where(
            later.caller == Call.caller, later.branch == Call.branch,
            later.started_at > Call.started_at, later.started_at < until + AGAIN,
            later.direction == "in",
        )
        known = and_(answered, Call.caller.is_not(None), Call.branch.is_not(None))
        measures |= {"again_counted": known, "not_again": known & ~again}
    return measures


def _of_segments() -> dict[str, Any]:
    def what(one: What) -> Any:
        return CallSegment.what == one.value

    def came(result: str) -> Any:
        return what(What.OFFER) & (CallSegment.result == result)

    def time(one: What) -> Any:
        return case((what(one), CallSegment.ms), else_=0)

    # whom the caller, or a faster colleague, gave no time has missed nothing
    fair = CallSegment.result.not_in(("withdrawn", "elsewhere"))
    return {
        "offers": what(What.OFFER) & fair, "taken": or_(came("taken"), came("consulted")),
        "unanswered": came("unanswered"), "refused": came("refused"),
        "handled": what(What.TALK) & CallSegment.first, "talk_ms": time(What.TALK),
        "hold_ms": time(What.HOLD), "wrapup_ms": time(What.WRAPUP),
        "consult_ms": time(What.CONSULT), "transfers": what(What.TRANSFER),
        "transfers_done": what(What.TRANSFER) & (CallSegment.result == "done"),
    }


def _sum(name: str, one: Any) -> Any:
    if name in MAXED:
        return func.max(one)
    is_time = name.endswith("_ms")
    return func.coalesce(func.sum(one if is_time else case((one, 1), else_=0)), 0)


def _read(rows: Iterable[Any], keys: int, names: tuple[str, ...]) -> dict[Any, Measures]:
    return {
        tuple(row[:keys]): Measures(**{
            name: int(value or 0) for name, value in zip(names, row[keys:], strict=True)
        }) for row in rows
    }


@lru_cache(maxsize=16)  # 48 comparisons take longer to write down than to make
def _slot(column: Any, since: datetime, until: datetime) -> Any:
    """How many half-hours since `since` a time is, in words that both databases know."""
    number = (until - since) // SLOT
    return case(
        *((column < since + place * SLOT, place - 1) for place in range(1, number)),
        else_=number - 1,
    )


def _shifts(
    session: Session, since: datetime, until: datetime
) -> Mapping[str, dict[int, Measures]]:
    """Each agent's time by hour of the day, of those who were signed in."""
    if until <= since:
        return {}
    told = shifts.shifts(session, since, until)
    busy: dict[str, list[shifts.Span]] = {}
    at_work = [one.value for one in (What.TALK, What.HOLD, What.CONSULT, What.WRAPUP)]
    for agent, at, ms in session.execute(
        select(CallSegment.agent, CallSegment.started_at, CallSegment.ms).where(
            CallSegment.started_at >= since, CallSegment.started_at < until,
            CallSegment.what.in_(at_work), CallSegment.agent.in_(told),
        )
    ):
        busy.setdefault(agent or "", []).append((at, at + timedelta(milliseconds=ms)))
    found: dict[str, dict[int, Measures]] = {}
    for agent, shift in told.items():
        work = busy.get(agent, [])
        staffed = _minus(shift.signed_in, shift.paused)
        signed, paused, there, at_them = (
            _hours(spans, since) for spans in (shift.signed_in, shift.paused, [*staffed, *work],
                                               work)
        )
        for hour in sorted({*signed, *paused, *there, *at_them}):
            found.setdefault(agent, {})[hour] = Measures(
                signed_ms=signed[hour], paused_ms=paused[hour], staffed_ms=there[hour],
                busy_ms=at_them[hour],
            )
    return found


def _minus(
    spans: Iterable[shifts.Span], taken: Iterable[shifts.Span]
) -> list[shifts.Span]:
    """The spans that are not taken: each of `taken` is one of them."""
    gone = set(taken)
    return [span for span in spans if span not in gone]


def _hours(spans: Iterable[shifts.Span], since: datetime) -> Counter[int]:
    """Milliseconds that the spans cover together, by hour of the day that begins at `since`."""
    covered = begins = since.astimezone(UTC)
    times: defaultdict[int, timedelta] = defaultdict(timedelta)
    for start, end in sorted(spans):
        at = max(start, covered)
        while at < end and (hour := (at - begins) // _HOUR) < 24:
            over = min(end, begins + (hour + 1) * _HOUR)
            times[hour] += over - at
            at = over
        covered = max(covered, end)
    return Counter({hour: time // _MS for hour, time in times.items() if time >= _MS})
