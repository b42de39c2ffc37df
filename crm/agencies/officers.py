"""The people of agencies who handle cases: who they are on a day, and who approves for whom."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from crm import users
from crm.agencies.models import Delegation, Officer, Post
from crm.agencies.register import agency_named
from crm.cases.models import Agency
from crm.citizens import numbers
from crm.citizens.numbers import NumberError
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.imports import files
from crm.models import Role

log = logging.getLogger(__name__)

COLUMNS = ("agency", "name", "post", "phone", "email", "valid_from", "valid_to")
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")


class OfficerError(HotlineError):
    """What was asked of an officer cannot be done; each line says why."""


def of_agency(session: Session, agency: Agency, post: Post, now: datetime) -> list[Officer]:
    """Who has this post in an agency on that day, in the order in which they were entered. Where a
    leader delegates, those follow to whom they do."""
    found = list(session.scalars(
        select(Officer).where(
            Officer.agency_id == agency.id, Officer.post == post, *_on(vietnam_day(now))
        ).order_by(Officer.id)
    ))
    if post is Post.LEADER:
        found += [one for one in _delegates(session, found, now) if one not in found]
    return found


def all_of(session: Session, agency: Agency) -> list[Officer]:
    """Everybody who is or was of an agency, by post."""
    found = select(Officer).where(Officer.agency_id == agency.id)
    return list(session.scalars(found.order_by(Officer.post, Officer.id)))


def counted(session: Session, now: datetime) -> dict[tuple[int, str], int]:
    """How many people serve today, by the agency's id and post."""
    found = session.execute(
        select(Officer.agency_id, Officer.post, func.count()).where(*_on(vietnam_day(now)))
        .group_by(Officer.agency_id, Officer.post)
    )
    return {(agency, post): number for agency, post, number in found}


def delegations_of(session: Session, agency: Agency, now: datetime) -> list[Delegation]:
    """Who stands in for a leader of an agency, today or later."""
    found = session.scalars(
        select(Delegation).join(Officer, Officer.id == Delegation.leader_id).where(
            Officer.agency_id == agency.id, Delegation.to_day >= vietnam_day(now)
        ).order_by(Delegation.from_day)
    )
    return list(found)


def let_approve(
    session: Session, agency: Agency, approves: bool, *, by: str, now: datetime
) -> None:
    """Whether answers of an agency wait for its leader from now on; kept who said so."""
    if agency.approves != approves:
        log.info("%s: answers of %s %s a leader's approval", by, agency.code,
                 "need" if approves else "need no")
    agency.approves = approves


def serves(officer: Officer, now: datetime) -> bool:
    """Whether somebody is of their agency today."""
    day = vietnam_day(now)
    return (officer.valid_from is None or officer.valid_from <= day) and (
        officer.valid_to is None or day <= officer.valid_to
    )


def may_approve(session: Session, officer: Officer, agency: Agency, now: datetime) -> bool:
    """Whether somebody leads an agency today, by their post or in a leader's place."""
    return officer.id in {one.id for one in of_agency(session, agency, Post.LEADER, now)}


def delegate(
    session: Session, leader: Officer, to: Officer, from_day: date, to_day: date, *,
    by: str, now: datetime,
) -> Delegation:
    """Let `to` approve in the leader's place, both days included. Raises OfficerError."""
    if leader.post != Post.LEADER:
        raise OfficerError(f"{leader.name} is no leader")
    if leader.agency_id != to.agency_id or leader.id == to.id:
        raise OfficerError("a leader is stood in for by somebody else of the same agency")
    if to_day < from_day or to_day < vietnam_day(now):
        raise OfficerError(f"{from_day} to {to_day} is over, or ends before it begins")
    made = Delegation(
        leader_id=leader.id, to_id=to.id, from_day=from_day, to_day=to_day, by=by, at=now
    )
    session.add(made)
    session.flush()
    return made


def officer_of(session: Session, id_: int) -> Officer:
    """Raises OfficerError."""
    found = session.get(Officer, id_)
    if found is None:
        raise OfficerError(f"there is no officer {id_} (see hotline officer list)")
    return found


def of_login(session: Session, login: str, now: datetime) -> Officer | None:
    """Whose account this is, while they are of their agency."""
    found = session.scalar(select(Officer).where(Officer.login == login))
    return found if found is not None and serves(found, now) else None


def give_account(
    session: Session, officer: Officer, login: str, password: str, now: datetime
) -> None:
    """Let somebody sign in to see their agency's cases. Raises OfficerError, UserError."""
    if officer.login is not None:
        raise OfficerError(f"{officer.name} has an account: {officer.login}")
    role = Role.LEADER if officer.post == Post.LEADER else Role.OFFICER
    users.create_user(
        session, login=login, name=officer.name, role=role, password=password, now=now
    )
    officer.login = login
    session.flush()


def take_in(session: Session, rows: Sequence[Mapping[str, str]], now: datetime) -> int:
    """Add people, or bring up to date those of the same agency, post and telephone; how many.
    Raises OfficerError: all faults."""
    if faults := files.faults_of(rows, lambda row: _faults(session, row, now)):
        raise OfficerError("\n".join(faults))
    for row in rows:
        _put(session, row, now)
    session.flush()
    return len(rows)


def as_row(officer: Officer) -> dict[str, str]:
    """The columns COLUMNS as text."""
    return {
        "agency": officer.agency.code, "name": officer.name, "post": officer.post,
        "phone": officer.phone, "email": officer.email or "",
        "valid_from": officer.valid_from.isoformat() if officer.valid_from else "",
        "valid_to": officer.valid_to.isoformat() if officer.valid_to else "",
    }


def _delegates(session: Session, leaders: list[Officer], now: datetime) -> list[Officer]:
    day = vietnam_day(now)
    found = session.scalars(
        select(Officer).join(Delegation, Delegation.to_id == Officer.id).where(
            Delegation.leader_id.in_([one.id for one in leaders]),
            Delegation.from_day <= day, Delegation.to_day >= day, *_on(day),
        ).order_by(Delegation.id)
    )
    return list(dict.fromkeys(found))


def _on(day: date) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(Officer.valid_from.is_(None), Officer.valid_from <= day),
        or_(Officer.valid_to.is_(None), Officer.valid_to >= day),
    )


def _put(session: Session, row: Mapping[str, str], now: datetime) -> None:
    agency = agency_named(session, row["agency"], now)
    phone = numbers.parse(row["phone"]).dialled
    known = session.scalar(select(Officer).where(
        Officer.agency_id == agency.id, Officer.post == row["post"], Officer.phone == phone
    ))
    officer = known or Officer(agency_id=agency.id, post=row["post"], phone=phone)
    officer.name, officer.email = row["name"].strip(), row["email"] or None
    officer.valid_from, officer.valid_to = _day(row["valid_from"]), _day(row["valid_to"])
    session.add(officer)


def _faults(session: Session, row: Mapping[str, str], now: datetime) -> Iterator[str]:
    try:
        agency_named(session, row["agency"], now)
    except HotlineError as error:
        yield str(error)
    if not row["name"].strip() or len(row["name"]) > 80:
        yield "a name has 1 to 80 letters"
    if row["post"] not in list(Post):
        yield f"there is no post {row['post']!r}; there are {', '.join(Post)}"
    try:
        if not numbers.parse(row["phone"]).can_be_called_back:
            yield f"{row['phone']!r} is nobody's telephone"
    except NumberError as error:
        yield str(error)
    if row["email"] and not (_EMAIL.fullmatch(row["email"]) and len(row["email"]) <= 120):
        yield f"{row['email']!r} is no e-mail address"
    try:
        first, last = _day(row["valid_from"]), _day(row["valid_to"])
    except ValueError:
        yield "valid_from or valid_to is no day (2026-07-01)"
        return
    if first and last and last < first:
        yield "ends before it begins"


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
