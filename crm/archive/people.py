"""Numbers in the archive: what somebody asks to see of theirs or to have erased, and those whose
time is over. A month's file is read whole and written anew where anything of it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm.agents.models import RescueCall
from crm.archive import months, rows
from crm.archive.models import ArchivedMonth
from crm.archive.months import Archive
from crm.archive.rows import CALL, Record, Row
from crm.models import Call, CallNote
from crm.privacy import erasure, requests, retention
from crm.privacy.models import LegalHold
from crm.reports.spans import begin
from crm.settings import Settings

_SAID = {CallNote.__tablename__: {"text": ""}, RescueCall.__tablename__: {"address": ""}}


def told(archive: Archive, phone: str) -> list[dict[str, Any]]:
    """The archived calls of a number as its owner is told of them, oldest first, but for those
    that are back in the database."""
    with archive.database.reading() as session:
        there = set(session.scalars(select(Call.id).where(Call.caller == phone)))
    found = [one for one in _of_all(archive) if _caller(one) == phone and one.id not in there]
    return [
        requests.told_call(
            rows.call_of(one), [row["text"] for row in one.rows.get(CallNote.__tablename__, ())],
            [row["address"] for row in one.rows.get(RescueCall.__tablename__, ())],
        ) for one in sorted(found, key=_began)
    ]


def calls_of(archive: Archive, phone: str) -> list[str]:
    """The ids of the archived calls of a number."""
    return [one.id for one in _of_all(archive) if _caller(one) == phone]


def numbers(archive: Archive) -> set[str]:
    """Every number that the archive has, as it is dialled at home."""
    found: set[str] = set()
    for one in _of_all(archive):
        found.update(erasure.numbers_of_text(one.line))
    return found


def erase(archive: Archive, phone: str, is_ours: Callable[[], bool]) -> int:
    """Erase a number, and what its owner said, from every month, while alone; from how many calls
    and words of agents."""
    def change(one: Record) -> Record:
        own = _nameless(one.rows) if _caller(one) == phone else one.rows
        return replace(one, rows=rows.strings(own, lambda text: erasure.without(text, phone)))

    return sum(archive.rewrite(month, change, is_ours) for month in _months(archive))


def forget_callers(archive: Archive, settings: Settings, now: datetime) -> int:
    """Delete who called and what was noted, once its time is over and no order holds it, and
    certify that; of how many calls."""
    days = retention.days_of(settings, retention.Kind.CALLERS)
    before, count, held = now - timedelta(days=days), 0, 0
    with archive.database.reading() as session:
        old = [one.month for one in months.noted(session)
               if begin(one.month) < before and not one.nameless]
        holds = set(session.scalars(
            select(LegalHold.phone).where(LegalHold.until > now, LegalHold.ended_at.is_(None))
        ))
    for month in old:
        kept: set[str] = set()

        def change(one: Record, kept: set[str] = kept) -> Record:
            if (caller := _caller(one)) is None or _began(one) >= before:
                return one
            if caller in holds:
                kept.add(one.id)
                return one
            return replace(one, rows=_nameless(one.rows))

        with archive.alone() as is_ours:
            count += archive.rewrite(month, change, is_ours)
            held += len(kept)
            if not kept and begin(months.after(month)) <= before:
                with archive.database.transaction() as session:
                    session.get_one(ArchivedMonth, month).nameless = True
    if count:
        with archive.database.transaction() as session:
            retention.certify(session, retention.Kind.CALLERS, days, before, count, held, now)
    return count


def _nameless(own: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """A call's rows without its caller and what was noted of them; its files are gone anyway."""
    gone = _SAID | {Call.__tablename__: {"caller": None, "facts": None}}
    return {
        table: [row | gone.get(table, {}) for row in some] for table, some in own.items()
    }


def _caller(one: Record) -> str | None:
    return one.rows[CALL.name][0]["caller"] if one.kind == CALL.name else None


def _began(one: Record) -> datetime:
    return datetime.fromisoformat(one.rows[CALL.name][0]["started_at"])


def _months(archive: Archive) -> list[date]:
    with archive.database.reading() as session:
        return [one.month for one in months.noted(session)]


def _of_all(archive: Archive) -> Iterator[Record]:
    for month in _months(archive):
        yield from archive.records(month)
