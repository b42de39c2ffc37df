"""Send what is due, with any number of workers at once.

A notice is claimed in a transaction of its own before the network is asked: a crash in between
leaves it claimed, and after LEASE it is tried again. So a message may, rarely, come twice, but is
never lost, and never goes twice because two workers are at it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm.database import Database
from crm.notices import hours, optout, receipts
from crm.notices.models import Channel, Notice, Purpose, State
from crm.notices.numbers import masked
from crm.notices.outbox import Attachment
from crm.notices.states import move

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than any adapter may take
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(minutes=30)
LONGEST_ASKED = timedelta(hours=6)  # what a provider may ask us to wait
ATTEMPTS = 12  # about three hours
CODE_GOOD = timedelta(minutes=15)  # a one-time code that comes later only confuses
_NUMBER = re.compile(r"\+?\d{9,15}\b")


class Undelivered(Exception):
    """The provider did not take a message. `final`: trying again is of no use. `throttled`: it
    takes no other one either for the moment. `after`: how long it asks us to wait. `unsure`: it
    may have taken it nevertheless."""

    def __init__(
        self, message: str, *, final: bool, throttled: bool = False, after: timedelta | None = None,
        unsure: bool = False,
    ) -> None:
        super().__init__(message)
        self.final = final
        self.unsure = unsure
        self.throttled = throttled
        self.after = after


@dataclass(frozen=True)
class Outgoing:
    """What an adapter is given. `attempt` counts from 1."""

    id: int
    attempt: int
    recipient: str
    subject: str
    body: str
    template: str | None
    params: Mapping[str, str]
    personal: bool
    files: tuple[Attachment, ...]


@dataclass(frozen=True)
class Route:
    """How a channel is served: `send` returns the provider's id and raises Undelivered."""

    provider: str
    send: Callable[[Outgoing], str]


Routes = Mapping[Channel, Route]


@dataclass(frozen=True)
class Delivered:
    """What one round of deliveries did; `failed`: not taken, now or for good."""

    sent: int
    failed: int


def deliver(
    database: Database, routes: Routes, clock: Callable[[], datetime], quiet: hours.Quiet = None
) -> Delivered:
    """Send what is due, urgent ones first, until nothing is."""
    sent = failed = 0
    serving = dict(routes)
    while serving and (claimed := _claim(database, serving, clock(), quiet)) is not None:
        channel, outgoing = claimed
        route = serving[channel]
        try:
            provider_id = route.send(outgoing)
        except Undelivered as error:
            failed += 1
            _not_taken(database, outgoing, error, clock())
            if error.throttled:
                del serving[channel]
        except Exception as error:  # a fault of ours: the others must still go
            log.exception("notice %d: the adapter of %s failed", outgoing.id, route.provider)
            failed += 1
            fault = Undelivered(f"{type(error).__name__} in {route.provider}", final=False)
            _not_taken(database, outgoing, fault, clock())
        else:
            sent += 1
            _taken(database, outgoing, route.provider, provider_id, clock())
    return Delivered(sent, failed)


def _claim(
    database: Database, routes: Routes, now: datetime, quiet: hours.Quiet
) -> tuple[Channel, Outgoing] | None:
    """The next notice, which is this worker's for LEASE. On PostgreSQL a row that another worker
    looks at is passed over; on SQLite the transaction holds the one write lock from its start."""
    due = select(Notice).where(
        Notice.state.in_((State.WAITING, State.SENDING)), Notice.next_attempt_at <= now,
        Notice.channel.in_([str(channel) for channel in routes]), Notice.broadcast_id.is_(None),
    )
    if hours.are_quiet(now, quiet):
        due = due.where(or_(Notice.urgent, Notice.channel == Channel.EMAIL))
    due = due.order_by(Notice.urgent.desc(), Notice.id).limit(1)
    while True:
        with database.transaction() as session:
            notice = session.scalar(due.with_for_update(skip_locked=True))
            if notice is None:
                return None
            if notice.state == State.WAITING and optout.holds_back(session, notice):
                move(notice, State.SUPPRESSED, now)
                continue
            if notice.purpose == Purpose.CODE and now - notice.created_at > CODE_GOOD:
                move(notice, State.FAILED, now)
                notice.error = "too old: a code is of no use any more"
                continue
            if notice.attempts >= ATTEMPTS:  # its last worker never came back
                move(notice, State.FAILED, now)
                notice.error = "given up: the last try was never answered"
                continue
            move(notice, State.SENDING, now)
            notice.attempts += 1
            notice.next_attempt_at = now + LEASE
            return Channel(notice.channel), outgoing_of(notice)


def outgoing_of(notice: Notice) -> Outgoing:
    """What the adapter of its channel is given."""
    return Outgoing(
        id=notice.id, attempt=notice.attempts, recipient=notice.recipient, subject=notice.subject,
        body=notice.body, template=notice.template, params=notice.params or {},
        personal=notice.personal,
        files=tuple(
            Attachment(one.name, one.media_type, one.content or Path(one.path or ""))
            for one in notice.files
        ),
    )


def _taken(
    database: Database, outgoing: Outgoing, provider: str, provider_id: str, now: datetime
) -> None:
    with database.transaction() as session:
        notice = _locked(session, outgoing)
        if notice.state == State.FAILED:  # given up by another worker, and taken nevertheless
            move(notice, State.WAITING, now)
        if notice.state == State.WAITING:
            move(notice, State.SENDING, now)
        if notice.state != State.SENDING:
            return  # taken twice: the first one's report counts
        move(notice, State.SENT, now)
        notice.sent_at, notice.error = now, None
        notice.provider, notice.provider_id = provider, provider_id
        receipts.catch_up(session, notice, now)


def _not_taken(
    database: Database, outgoing: Outgoing, error: Undelivered, now: datetime
) -> None:
    with database.transaction() as session:
        notice = _locked(session, outgoing)
        if notice.state != State.SENDING or notice.attempts != outgoing.attempt:
            return  # it took longer than LEASE: the notice is another worker's
        notice.error = without_numbers(error)
        if error.final or notice.attempts >= ATTEMPTS:
            move(notice, State.FAILED, now)
        else:
            move(notice, State.WAITING, now)
            pause = min(FIRST_RETRY * 2 ** (notice.attempts - 1), LONGEST_RETRY)
            asked = min(error.after or timedelta(), LONGEST_ASKED)
            notice.next_attempt_at = now + max(pause, asked)
        log.error("notice %d was not taken (%s): %s", notice.id, notice.state, notice.error)


def without_numbers(error: Exception) -> str:
    """What is told of a failure: providers name the number that they refuse."""
    return _NUMBER.sub(lambda match: masked(match[0]), str(error))[:300]


def _locked(session: Session, outgoing: Outgoing) -> Notice:
    return session.scalars(
        select(Notice).where(Notice.id == outgoing.id).with_for_update()
    ).one()
