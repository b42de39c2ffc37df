"""The health department's figures of a day: entered by its officer, approved by another person.

What is entered is a version: a correction is a new one, and the old ones stay. What looks wrong
(ten times as many as the day before, fewer deaths in all) must be confirmed by whoever enters it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from crm.areas import standing
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.reports.models import HealthFigure, HealthReport

PROVINCE = ""  # of no commune in particular
LARGEST = 9_999_999
FEW = 10  # below this nothing is ten times too many
TIMES = 10
BACK = timedelta(days=31)  # how long a day may be corrected


class HealthError(HotlineError):
    """Figures cannot be taken or approved; one sentence. `code` names the kind: day, empty, area,
    number, source, doubts, unknown, stale, same, done."""

    def __init__(self, sentence: str, code: str, doubts: Sequence[Doubt] = ()) -> None:
        super().__init__(sentence)
        self.code, self.doubts = code, tuple(doubts)


@dataclass(frozen=True)
class Figures:
    """What there was in an area. Deaths are all until this day, those under treatment at its end;
    the others are of this day."""

    new_cases: int = 0
    recovered: int = 0
    deaths: int = 0
    under_treatment: int = 0
    tests: int = 0
    doses: int = 0

    def __add__(self, other: Figures) -> Figures:
        both = zip(astuple(self), astuple(other), strict=True)
        return Figures(*(a + b for a, b in both))


NAMES = tuple(one.name for one in fields(Figures))


@dataclass(frozen=True)
class Doubt:
    """Something that looks wrong. `what`: fall (fewer deaths in all) or jump (TIMES as many as the
    day before)."""

    what: str
    area: str
    figure: str
    before: int
    now: int


ByArea = Mapping[str, Figures]


def enter(
    session: Session, day: date, figures: ByArea, *, source: str, by: str, now: datetime,
    confirmed: bool = False,
) -> HealthReport:
    """Keep a new version of a day's figures; it counts when it is approved. Raises HealthError,
    with the doubts where they are not confirmed."""
    today = vietnam_day(now)
    if not today - BACK <= day <= today:
        raise HealthError(f"figures of {day} cannot be entered on {today}", "day")
    if not figures:
        raise HealthError("there are no figures", "empty")
    source = " ".join(source.split())[:200]
    if not source:
        raise HealthError("figures name their source", "source")
    known = standing(day)
    for area, row in figures.items():
        if area != PROVINCE and area not in known:
            raise HealthError(f"there is no commune or ward {area} on {day}", "area")
        if not all(0 <= number <= LARGEST for number in astuple(row)):
            raise HealthError(f"a figure is a whole number from 0 to {LARGEST}", "number")
    found = doubts(figures, by_area(of_day(session, day - timedelta(days=1))))
    if found and not confirmed:
        raise HealthError("some figures look wrong: confirm them", "doubts", found)
    newest = session.scalar(
        select(func.max(HealthReport.version)).where(HealthReport.day == day)
    )
    report = HealthReport(
        day=day, version=(newest or 0) + 1, source=source, entered_by=by, entered_at=now,
        confirmed=[f"{one.what} {one.area} {one.figure} {one.before} {one.now}" for one in found],
        figures=[
            HealthFigure(area=area, **{name: getattr(row, name) for name in NAMES})
            for area, row in figures.items()
        ],
    )
    try:
        with session.begin_nested():
            session.add(report)
    except IntegrityError as error:
        raise HealthError("somebody else has just entered figures of this day", "stale") from error
    return report


def approve(session: Session, day: date, version: int, *, by: str, now: datetime) -> HealthReport:
    """Approve the newest version; whoever entered it cannot. Raises HealthError."""
    report = of_day(session, day, approved=False)
    if report is None:
        raise HealthError(f"there are no figures of {day}", "unknown")
    if report.version != version:
        raise HealthError(f"there is a newer version of {day}: {report.version}", "stale")
    if report.approved_at is not None:
        raise HealthError("these figures are approved already", "done")
    if report.entered_by == by:
        raise HealthError("figures are approved by another person than who entered them", "same")
    report.approved_by, report.approved_at = by, now
    session.flush()
    return report


def of_day(session: Session, day: date, *, approved: bool = True) -> HealthReport | None:
    """The newest version of a day, approved ones only unless told otherwise."""
    found = select(HealthReport).where(HealthReport.day == day)
    if approved:
        found = found.where(HealthReport.approved_at.is_not(None))
    return session.scalar(found.order_by(HealthReport.version.desc()).limit(1))


def versions(session: Session, first: date, last: date) -> list[HealthReport]:
    """All versions of the days from one to another (both included), the newest first."""
    found = select(HealthReport).options(selectinload(HealthReport.figures)).where(
        HealthReport.day >= first, HealthReport.day <= last
    )
    newest = found.order_by(HealthReport.day.desc(), HealthReport.version.desc())
    return list(session.scalars(newest))


def by_area(report: HealthReport | None) -> dict[str, Figures]:
    if report is None:
        return {}
    return {
        row.area: Figures(*(getattr(row, name) for name in NAMES)) for row in report.figures
    }


def total(figures: ByArea) -> Figures:
    return sum(figures.values(), Figures())


def doubts(figures: ByArea, before: ByArea) -> list[Doubt]:
    """What looks wrong, beside the day before: in each area, and in all."""
    if not before:
        return []
    pairs = [(area, before[area], row) for area, row in figures.items() if area in before]
    if len(before) > 1 or set(before) != set(figures):
        pairs.append(("*", total(before), total(figures)))
    found = []
    for area, then, now in pairs:
        if now.deaths < then.deaths:
            found.append(Doubt("fall", area, "deaths", then.deaths, now.deaths))
        for name in NAMES:
            was, is_ = getattr(then, name), getattr(now, name)
            if is_ > max(FEW, TIMES * was):
                found.append(Doubt("jump", area, name, was, is_))
    return found
