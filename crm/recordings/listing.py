"""Recordings found by anything that is known of their calls, the latest first, page by page.

The database narrows by what it has an index or a column for; the hour of the day and what people
noted (part of it sealed) are looked at here, in portions of a bounded number: who searches for what
is rare gets what was found so far, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.orm import Session

from crm.cases.models import Case, CaseCall
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.models import Call, CallNote, Outcome
from crm.recordings.models import Kind, Sound, SoundNote
from crm.vietnamese import folded

SHOWN = 50
PORTION = 500
MOST_READ = 10_000  # calls that are looked at for one page
LONGEST_DAYS = 366
# as the index has it: neither database would recognise it otherwise
RECORDED = text("(call.recording IS NOT NULL OR call.recording_notice = 'refused')")


class SearchError(HotlineError):
    """What is asked for cannot be searched."""


@dataclass(frozen=True)
class Wanted:
    """What is searched for; None or "" where it does not matter. Days and hours are local."""

    since: date
    until: date  # that day included
    hours: tuple[int, int] | None = None  # from, to (not included); 22, 6 goes over midnight
    number: str = ""
    agent: str = ""
    branch: str = ""
    outcome: Outcome | None = None
    satisfaction: int | None = None
    least_s: int | None = None  # of talk
    most_s: int | None = None
    code: str = ""  # of a case
    words: str = ""  # of the notes of the call and of the recording
    refused: bool | None = None


@dataclass(frozen=True)
class Recorded:
    """A call with what is there of its recording."""

    call: Call
    sound: Sound | None


@dataclass(frozen=True)
class Found:
    """A page; `after` is where the next one begins, None where there is none. `given_up`: it ends
    because much was looked at, not because much was found."""

    recorded: list[Recorded]
    after: str | None
    given_up: bool


def find(session: Session, wanted: Wanted, after: str = "") -> Found:
    """The calls that were recorded, or refused to be, that fit. Raises SearchError."""
    where = _conditions(wanted)
    place, calls, read = _place(after), list[Call](), 0
    while len(calls) <= SHOWN and read < MOST_READ:
        portion = session.scalars(
            select(Call).where(*where, *_beyond(place))
            .order_by(Call.started_at.desc(), Call.id.desc()).limit(PORTION)
        ).all()
        noted = _noted(session, portion, wanted.words)
        calls += [one for one in portion
                  if _in_hours(one, wanted.hours) and (noted is None or one.id in noted)]
        read += len(portion)
        if len(portion) < PORTION:
            return _page(session, calls, None)
        place = (portion[-1].started_at, portion[-1].id)
    return _page(session, calls, place)


def _page(
    session: Session, calls: list[Call], place: tuple[datetime, str] | None
) -> Found:
    shown = calls[:SHOWN]
    given_up = place is not None and len(calls) <= SHOWN
    if len(calls) > SHOWN:
        place = (shown[-1].started_at, shown[-1].id)
    sounds = {one.call_id: one for one in session.scalars(
        select(Sound).where(
            Sound.call_id.in_([one.id for one in shown]), Sound.kind == Kind.RECORDINGS.value
        )
    )}
    after = None if place is None else f"{place[0].isoformat()}~{place[1]}"
    return Found([Recorded(one, sounds.get(one.id)) for one in shown], after, given_up)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    if not timedelta(0) <= wanted.until - wanted.since <= timedelta(days=LONGEST_DAYS):
        raise SearchError(f"from a day to a later one, {LONGEST_DAYS} days at most")
    begin = datetime.combine(wanted.since, time(), VIETNAM).astimezone(UTC)
    end = datetime.combine(wanted.until + timedelta(days=1), time(), VIETNAM).astimezone(UTC)
    where: list[ColumnElement[bool]] = [
        RECORDED, Call.started_at >= begin, Call.started_at < end,  # type: ignore[list-item]
    ]
    for column, value in (
        (Call.caller, wanted.number), (Call.agent, wanted.agent), (Call.branch, wanted.branch),
        (Call.outcome, wanted.outcome), (Call.satisfaction, wanted.satisfaction),
    ):
        if value:
            where.append(column == value)
    if wanted.least_s is not None:
        where.append(Call.talk_ms >= wanted.least_s * 1000)
    if wanted.most_s is not None:
        where.append(Call.talk_ms <= wanted.most_s * 1000)
    if wanted.refused is not None:
        refused = Call.recording_notice == "refused"
        where.append(refused if wanted.refused else Call.recording.is_not(None))
    if wanted.code:
        of_case = select(CaseCall.call_id).join(Case, Case.id == CaseCall.case_id)
        where.append(Call.id.in_(of_case.where(Case.code == wanted.code)))
    return where


def _beyond(place: tuple[datetime, str] | None) -> list[ColumnElement[bool]]:
    if place is None:
        return []
    at, id_ = place
    return [Call.started_at <= at, or_(Call.started_at < at, and_(
        Call.started_at == at, Call.id < id_
    ))]


def _place(after: str) -> tuple[datetime, str] | None:
    if not after:
        return None
    at, _, id_ = after.partition("~")
    try:
        found = datetime.fromisoformat(at)
    except ValueError as error:
        raise SearchError("this page is not one of a search") from error
    if found.tzinfo is None:
        raise SearchError("this page is not one of a search")
    return found.astimezone(UTC), id_


def _in_hours(call: Call, hours: tuple[int, int] | None) -> bool:
    if hours is None:
        return True
    begin, end = hours
    hour = call.started_at.astimezone(VIETNAM).hour
    return begin <= hour < end if begin < end else hour >= begin or hour < end


def _noted(session: Session, calls: Collection[Call], words: str) -> set[str] | None:
    """The calls whose notes have all the words, accents or not; None: there are no words."""
    wanted = folded(words).split()
    if not wanted:
        return None
    ids = [one.id for one in calls]
    names = {one.recording: one.id for one in calls if one.recording}
    noted: dict[str, str] = {}
    for id_, said in session.execute(
        select(CallNote.call_id, CallNote.text).where(CallNote.call_id.in_(ids))
    ):
        noted[id_] = f"{noted.get(id_, '')} {said}"
    for name, said in session.execute(
        select(SoundNote.name, SoundNote.text).where(SoundNote.name.in_(list(names)))
    ):
        noted[names[name]] = f"{noted.get(names[name], '')} {said}"
    return {id_ for id_, said in noted.items() if all(one in folded(said) for one in wanted)}
