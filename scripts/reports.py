"""The daily report by the clock, and the bulletin that tells its figures."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select

from crm import bulletins
from crm.areas import standing
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Bulletin
from crm.reports import calls, health, work
from crm.reports.health import PROVINCE, Figures
from crm.settings import Settings
from prompts.catalogue import Catalogue
from scripts import bulletin

log = logging.getLogger(__name__)

AREAS_TOLD = 5  # of those with most new cases; those with few could tell who it is
DAYS_AT_ONCE = 30  # that are counted in one round


def spoken(by_area: dict[str, Figures], names: dict[str, str]) -> str:
    """The catalogue's sentences of the bulletin with these figures; they are read out as words."""
    total = health.total(by_area)
    catalogue = Catalogue.load().prompts
    told = [f"recovered={total.recovered}", f"deaths={total.deaths}",
            f"vaccinated={total.doses}"]
    first = (
        bulletin.with_figures("", [f"new_cases={total.new_cases}"]) if total.new_cases
        else catalogue["bulletin_no_new"].text
    )
    most = sorted(
        ((code, row.new_cases) for code, row in by_area.items()
         if code != PROVINCE and row.new_cases >= work.SMALL),
        key=lambda one: (-one[1], one[0]),
    )
    areas = [
        catalogue["bulletin_area"].text.replace("{area}", names[code])
        .replace("{n}", f"{number:,}".replace(",", ".")) for code, number in most[:AREAS_TOLD]
    ]
    source = catalogue["bulletin_source"].text
    return " ".join([first, *areas, bulletin.with_figures("", told), source])


def publish(settings: Settings, database: Database, now: datetime) -> int | None:
    """Make the bulletin of today's approved figures live; its number, None: there is nothing new.

    It is written once for each version; one that could not be spoken is tried again, one that was
    withdrawn or is older than another is left alone.
    """
    with database.transaction() as session:
        report = health.of_day(session, vietnam_day(now), approved=False)
        if report is None or report.approved_at is None:
            return None
        if report.bulletin_id is None:
            names = {code: area.name for code, area in standing(report.day).items()}
            made = bulletins.approve(
                session, spoken(health.by_area(report), names), by=report.approved_by or "",
                now=report.approved_at,
            )
            report.bulletin_id = made.id
        number = report.bulletin_id
        newest = session.scalar(select(Bulletin.id).order_by(Bulletin.id.desc()).limit(1))
        text = bulletins.numbered(session, number)
        if text.sound is not None or text.withdrawn_at is not None or newest != number:
            return None
    bulletin.go_live(settings, number, "scheduler", now)
    return number


def count_days(settings: Settings, database: Database, now: datetime) -> int:
    """Count the days that are over, some at once; how many."""
    with database.reading() as session:
        days = calls.due(session, now, DAYS_AT_ONCE)
    for day in days:
        with database.transaction() as session:
            calls.count(session, day, now, settings.service_level_s)
    return len(days)

