"""The roster: who works when, and for which branch; taken in from a file as a whole or not at all.

    rows = files.read_bytes(content, roster.COLUMNS)
    with database.transaction() as session:
        roster.take_in(session, rows, rest=settings.rest, by="huy", now=now)

A file is the roster of its days, from the first to the last that it names: what stands there of
shifts that have not begun goes, and what it holds comes. Times are those of Vietnam; a shift whose
end is not after its begin ends on the next day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.branches import BRANCHES
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.imports.files import Row
from crm.models import AgentState, LiveAgent, Role, User
from crm.rights import LEADS
from crm.shifts import events
from crm.shifts.events import What
from crm.shifts.models import Shift, Swap
from crm.shifts.rules import LONGEST, Span, clash

COLUMNS = ("login", "day", "from", "to", "branch")
IN_BRANCHES = tuple(one.id for one in BRANCHES if one.queue)
MOST_DAYS = 62
ROSTERED = frozenset({Role.AGENT, Role.DISPATCHER, *LEADS})
_AROUND = timedelta(days=2)  # shifts further away cannot stand in the way


FAULTS = {  # what may be wrong with a line of the file
    "row": "%(said)s",
    "empty": "there is no shift in this file",
    "person": "%(login)r is no active account of this desk",
    "branch": "there is no branch %(branch)r; there are %(known)s",
    "day": "%(day)r is no day: write 2026-12-31 or 31/12/2026",
    "time": "%(column)s is %(time)r: write a time like 07:00",
    "long": "longer than 12 hours (Labour Code, Art. 107)",
    "serves": "%(login)s does not serve %(branch)s",
    "days": "a roster has at most %(days)s days",
    "begun": "this shift has begun already",
    "given": "%(login)s gave this shift to %(taker)s: write %(taker)s",
    "overlap": "%(login)s works from %(other)s already",
    "rest": "%(login)s has %(between)s h of rest beside the shift of %(other)s, less than "
            "%(rest)s h",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line of a file: a code of FAULTS, and what its sentence tells."""

    line: int
    code: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return f"line {self.line}: {FAULTS[self.code] % self.values}"


class RosterError(HotlineError):
    """A roster cannot be taken in: each line of the message names one of the file, and says why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults, key=lambda one: one.line)
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True)
class Done:
    """What a file has changed."""

    rows: int
    came: int
    went: int


@dataclass(frozen=True)
class _Wanted:
    line: int
    user: User
    span: Span
    branch: str


@dataclass(frozen=True)
class Missing:
    """Who should be in the queues, and is not."""

    shift: Shift
    since: datetime


def take_in(
    session: Session, rows: Sequence[Row], *, rest: timedelta, by: str, now: datetime
) -> Done:
    """Take all rows in. Raises RosterError with every fault; the transaction is then given up."""
    people = {
        one.login: one for one in session.scalars(select(User).where(User.active.is_(True)))
        if one.role in ROSTERED
    }
    faults: list[Fault] = []
    wanted: list[_Wanted] = []
    for row in rows:
        parsed = _parse(row, people)
        if isinstance(parsed, _Wanted):
            wanted.append(parsed)
        else:
            faults += parsed
    if not rows:
        faults.append(Fault(1, "empty", {}))
    if wanted:
        faults += _clashes(session, wanted, rest, now)
    if faults:
        raise RosterError(faults)
    done = _put(session, wanted, now)
    events.note(
        session, What.ROSTER_TAKEN_IN, by, now, rows=done.rows, came=done.came, went=done.went,
        first=_days(wanted)[0].isoformat(), last=_days(wanted)[1].isoformat(),
    )
    return done


def dry_run(
    session: Session, rows: Sequence[Row], *, rest: timedelta, by: str, now: datetime
) -> Done:
    """Like `take_in`, but nothing stays. Raises RosterError."""
    savepoint = session.begin_nested()
    try:
        return take_in(session, rows, rest=rest, by=by, now=now)
    finally:
        savepoint.rollback()
        session.expire_all()


def between(session: Session, first: date, last: date) -> list[Shift]:
    """Shifts that begin on these days (both included), the earliest first."""
    found = select(Shift).where(
        Shift.begins_at >= begin(first), Shift.begins_at < begin(last + timedelta(days=1))
    )
    return list(session.scalars(found.order_by(Shift.begins_at, Shift.user_id)).unique())


def of_user(session: Session, user_id: int, now: datetime, until: datetime) -> list[Shift]:
    """Somebody's shifts that are not over and begin before `until`."""
    found = select(Shift).where(
        Shift.user_id == user_id, Shift.ends_at > now, Shift.begins_at < until
    )
    return list(session.scalars(found.order_by(Shift.begins_at)).unique())


def on_duty(session: Session, now: datetime) -> list[Shift]:
    """Shifts that go on."""
    found = select(Shift).where(
        Shift.begins_at <= now, Shift.begins_at > now - LONGEST, Shift.ends_at > now
    )
    return list(session.scalars(found.order_by(Shift.begins_at, Shift.user_id)).unique())


def missing(session: Session, now: datetime, after: timedelta) -> list[Missing]:
    """Agents whose shift began at least `after` ago and who are in no queue, the longest first."""
    present = set(session.scalars(
        select(LiveAgent.login).where(LiveAgent.state != AgentState.OFFLINE)
    ))
    return [
        Missing(one, one.begins_at) for one in on_duty(session, now)
        if one.begins_at <= now - after and one.user.role == Role.AGENT and one.user.active
        and one.user.login not in present
    ]


def spans_of(session: Session, user_id: int, near: Span, but: int | None = None) -> list[Span]:
    """What somebody works around a span, but for one shift."""
    found = session.scalars(select(Shift).where(
        Shift.user_id == user_id, Shift.begins_at > near.begins_at - _AROUND - LONGEST,
        Shift.begins_at < near.ends_at + _AROUND,
    ))
    return [span_of(one) for one in found.unique() if one.id != but]


def span_of(shift: Shift) -> Span:
    return Span(shift.begins_at, shift.ends_at)


def as_row(shift: Shift) -> dict[str, str]:
    """A shift as `take_in` takes it."""
    begins, ends = (at.astimezone(VIETNAM) for at in (shift.begins_at, shift.ends_at))
    return {
        "login": shift.user.login, "day": begins.date().isoformat(), "from": f"{begins:%H:%M}",
        "to": f"{ends:%H:%M}", "branch": shift.branch,
    }


def begin(day: date) -> datetime:
    """When a day of Vietnam begins."""
    return datetime.combine(day, time(), VIETNAM)


def _parse(row: Row, people: Mapping[str, User]) -> _Wanted | list[Fault]:
    """What a row wants, or what is wrong with it."""
    faults = []

    def fault(code: str, **values: str) -> None:
        faults.append(Fault(row.line, code, values))

    if row.fault:
        fault("row", said=row.fault)
        return faults
    user = people.get(row["login"].strip())
    if user is None:
        fault("person", login=row["login"])
    branch = row["branch"].strip()
    if branch and branch not in IN_BRANCHES:
        fault("branch", branch=branch, known=", ".join(IN_BRANCHES))
    day, begins, ends = _day(row["day"]), _clock(row["from"]), _clock(row["to"])
    if day is None:
        fault("day", day=row["day"])
    for name, value in (("from", begins), ("to", ends)):
        if value is None:
            fault("time", column=name, time=row[name])
    if user and day and begins is not None and ends is not None:
        span = _span(day, begins, ends)
        if span.ends_at - span.begins_at > LONGEST:
            fault("long")
        elif branch in IN_BRANCHES and user.role == Role.AGENT and not serves(user, branch):
            fault("serves", login=user.login, branch=branch)
        elif not faults:
            return _Wanted(row.line, user, span, branch)
    return faults


def serves(user: User, branch: str) -> bool:
    """Whether somebody's account serves a branch. Emergencies ring everybody."""
    queue = next(one.queue for one in BRANCHES if one.id == branch)
    return branch == "emergency" or queue in user.queues


def _span(day: date, begins: time, ends: time) -> Span:
    last = day if ends > begins else day + timedelta(days=1)
    return Span(datetime.combine(day, begins, VIETNAM), datetime.combine(last, ends, VIETNAM))


def _day(text: str) -> date | None:
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            found = datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 (a local date)
        except ValueError:
            continue
        return found if 2020 <= found.year <= 2100 else None
    return None


def _clock(text: str) -> time | None:
    for form in ("%H:%M", "%H:%M:%S"):  # a cell of a workbook has seconds
        try:
            return datetime.strptime(text.strip(), form).time()  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _days(wanted: Sequence[_Wanted]) -> tuple[date, date]:
    days = [one.span.begins_at.astimezone(VIETNAM).date() for one in wanted]
    return min(days), max(days)


def _standing(session: Session, wanted: Sequence[_Wanted], now: datetime) -> list[Shift]:
    """What a file puts something in the place of: shifts of its days that have not begun."""
    return [one for one in between(session, *_days(wanted)) if one.begins_at > now]


def _clashes(
    session: Session, wanted: Sequence[_Wanted], rest: timedelta, now: datetime
) -> list[Fault]:
    """What is wrong between rows, and between rows and what stays."""
    first, last = _days(wanted)
    if (last - first).days >= MOST_DAYS:
        return [Fault(1, "days", {"days": str(MOST_DAYS)})]
    goes = {one.id for one in _standing(session, wanted, now)}
    given = _given_away(session, goes)
    stays: dict[int, list[Span]] = defaultdict(list)
    for shift in between(session, first - _AROUND, last + _AROUND):
        if shift.id not in goes:
            stays[shift.user_id].append(span_of(shift))
    faults = []
    for one in wanted:
        login = one.user.login
        if one.span.begins_at <= now:
            if one.span not in stays[one.user.id]:
                faults.append(Fault(one.line, "begun", {}))
            continue
        if taker := given.get((login, one.span.begins_at)):
            faults.append(Fault(one.line, "given", {"login": login, "taker": taker}))
        found = clash(one.span, stays[one.user.id], rest)
        if found is not None:
            faults.append(Fault(one.line, found.wrong, {
                "login": login, "between": _hours(found.rest), "rest": _hours(rest),
                "other": f"{found.other.begins_at.astimezone(VIETNAM):%d/%m %H:%M}",
            }))
        stays[one.user.id].append(one.span)
    return faults


def _hours(of: timedelta) -> str:
    return f"{of / timedelta(hours=1):g}"


def _given_away(session: Session, shifts: set[int]) -> dict[tuple[str, datetime], str]:
    """Shifts that changed hands, by whose they were and their begin: whose they are."""
    found = session.scalars(select(Swap).where(
        Swap.shift_id.in_(shifts), Swap.state == "approved"
    ).order_by(Swap.id)).unique()
    return {
        (one.giver.login, one.shift.begins_at): one.shift.user.login for one in found
        if one.giver.login != one.shift.user.login
    }


def _put(session: Session, wanted: Sequence[_Wanted], now: datetime) -> Done:
    stand = {(one.user_id, one.begins_at): one for one in _standing(session, wanted, now)}
    came = 0
    for one in wanted:
        if one.span.begins_at <= now:
            continue
        shift = stand.pop((one.user.id, one.span.begins_at), None)
        if shift is None:
            session.add(Shift(
                user_id=one.user.id, begins_at=one.span.begins_at, ends_at=one.span.ends_at,
                branch=one.branch,
            ))
            came += 1
        else:
            shift.ends_at, shift.branch = one.span.ends_at, one.branch
    for shift in stand.values():
        session.delete(shift)
    session.flush()
    return Done(len(wanted), came, len(stand))
