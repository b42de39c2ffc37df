"""Reports by e-mail: who gets which how often. At 07:00, of the day, week or month before.

The key of each message names report, period and recipient, so that nobody gets one twice, whatever
is restarted; what was missed is made up as long as it is the latest. The report of 17:00 is none of
these: it is approved first (crm.reports.schedule).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.clock import VIETNAM
from crm.database import Database
from crm.errors import HotlineError
from crm.notices import outbox
from crm.notices.models import Notice
from crm.notices.outbox import Attachment, Channel, Purpose
from crm.reports import period, service, xlsx
from crm.reports.document import Document
from crm.reports.measures import By
from crm.reports.models import ReportSubscription
from crm.reports.schedule import XLSX_TYPE
from crm.setting_values import EMAIL
from crm.settings import Settings

AT = time(7, 0)
MOST = 100
LONGEST_ADDRESS = 120
ENDED_SHOWN = 20
_DAY = timedelta(days=1)


class Report(StrEnum):
    """What can be had by e-mail."""

    SERVICE = "service"  # calls, waits, handling; by hour or day, branch and agent
    LINES = "lines"  # lines of agencies and doctors
    WORK = "work"  # calls by branch, cases by field and agency


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


TITLES = {
    Report.SERVICE: "Báo cáo phục vụ 1022", Report.LINES: "Các đường dây cơ quan, bác sĩ 1022",
    Report.WORK: "Cuộc gọi và phản ánh 1022",
}


class SubscriptionError(HotlineError):
    """A subscription that cannot be kept. `code`: address, twice, most, gone."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Span:
    """The days that a report is about (both included), and when it is due."""

    first: date
    last: date

    @property
    def due_at(self) -> datetime:
        return datetime.combine(self.last + _DAY, AT, VIETNAM)


def latest(every: Every, now: datetime) -> Span:
    """The latest period that is over and due."""
    local = now.astimezone(VIETNAM)
    last = local.date() - _DAY if local.time() >= AT else local.date() - 2 * _DAY
    match every:
        case Every.DAY:
            return Span(last, last)
        case Every.WEEK:
            sunday = last - timedelta(days=(last.weekday() + 1) % 7)
            return Span(sunday - 6 * _DAY, sunday)
        case Every.MONTH:
            until = (last + _DAY).replace(day=1) - _DAY
            return Span(until.replace(day=1), until)


def standing(session: Session) -> list[ReportSubscription]:
    """All that are sent, by report and how often."""
    found = select(ReportSubscription).where(ReportSubscription.ended_at.is_(None))
    return list(session.scalars(found.order_by(
        ReportSubscription.report, ReportSubscription.every, ReportSubscription.recipient
    )))


def ended(session: Session) -> list[ReportSubscription]:
    """The last that were ended."""
    found = select(ReportSubscription).where(ReportSubscription.ended_at.is_not(None))
    return list(session.scalars(
        found.order_by(ReportSubscription.ended_at.desc()).limit(ENDED_SHOWN)
    ))


def add(
    session: Session, report: Report, every: Every, recipient: str, *, by: str, now: datetime
) -> ReportSubscription:
    """Somebody gets a report from its next period on. Raises SubscriptionError."""
    address = recipient.strip().lower()
    try:
        EMAIL(address)
    except ValueError as error:
        raise SubscriptionError("this is no e-mail address", "address") from error
    if len(address) > LONGEST_ADDRESS:
        raise SubscriptionError("this is no e-mail address", "address")
    there = select(func.count()).select_from(ReportSubscription).where(
        ReportSubscription.ended_at.is_(None)
    )
    if (session.scalar(there) or 0) >= MOST:
        raise SubscriptionError(f"there are {MOST} already", "most")
    made = ReportSubscription(
        report=report, every=every, recipient=address, added_by=by, added_at=now
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise SubscriptionError("this address gets this report already", "twice") from error
    return made


def end(session: Session, id_: int, *, by: str, now: datetime) -> ReportSubscription:
    """Nothing more is sent. Raises SubscriptionError: somebody else has ended it."""
    one = _of(session, id_)
    one.ended_by, one.ended_at = by, now
    return one


def send_now(
    session: Session, settings: Settings, id_: int, now: datetime
) -> tuple[ReportSubscription, Span]:
    """The latest period's report goes out once more, besides those of the clock; asked for twice in
    a minute, once. Raises SubscriptionError."""
    one = _of(session, id_)
    span = latest(Every(one.every), now)
    key = f"{_key(one, span)}:now:{now:%Y%m%d%H%M}"
    _write(session, _papers(session, settings, one, span, now), [(one.recipient, key)],
           Report(one.report), span, now)
    return one, span


def step(database: Database, settings: Settings, now: datetime) -> int:
    """Write what is due and not yet written; how many messages."""
    with database.reading() as session:
        found = standing(session)
    alike = groupby(found, key=lambda one: (one.report, one.every))
    return sum(_send(database, settings, list(ones), now) for _, ones in alike)


def _send(
    database: Database, settings: Settings, alike: Sequence[ReportSubscription], now: datetime
) -> int:
    one = alike[0]
    span = latest(Every(one.every), now)
    keys = {_key(each, span): each.recipient for each in alike if each.added_at <= span.due_at}
    with database.reading() as session:
        written = session.scalars(select(Notice.key).where(Notice.key.in_(keys)))
        left = [(keys[key], key) for key in keys.keys() - set(written)]
        if not left:
            return 0
        files = _papers(session, settings, one, span, now)
    with database.transaction() as session:
        return _write(session, files, sorted(left), Report(one.report), span, now)


def _of(session: Session, id_: int) -> ReportSubscription:
    one = session.get(ReportSubscription, id_, with_for_update=True, populate_existing=True)
    if one is None or one.ended_at is not None:
        raise SubscriptionError("this has been ended", "gone")
    return one


def _key(one: ReportSubscription, span: Span) -> str:
    who = sha256(one.recipient.encode()).hexdigest()[:20]
    return f"report:{one.report}:{one.every}:{span.first}:{who}"


def _papers(
    session: Session, settings: Settings, one: ReportSubscription, span: Span, now: datetime
) -> list[Attachment]:
    def of_service(parts: Iterable[By]) -> dict[str, Document]:
        return {
            f"phuc-vu-{by}": service.document(
                session, by, span.first, span.last, now, settings.service_level_s)
            for by in parts
        }

    match Report(one.report):
        case Report.SERVICE:
            over = By.HOUR if one.every == Every.DAY else By.DAY
            papers = of_service((over, By.BRANCH, By.AGENT))
        case Report.LINES:
            papers = of_service((By.PARTY,))
        case Report.WORK:
            parts = (period.By.BRANCH, period.By.CATEGORY, period.By.AGENCY)
            papers = {
                f"ky-{by}": period.document(session, by, span.first, span.last, now)
                for by in parts
            }
    from crm.reports import pdf  # once there is something to print: a second of every start

    return [
        file for name, paper in papers.items() for file in (
            Attachment(f"1022-{name}.pdf", "application/pdf", pdf.render(paper, now)),
            Attachment(f"1022-{name}.xlsx", XLSX_TYPE, xlsx.render(paper)),
        )
    ]


def _write(
    session: Session, files: Sequence[Attachment], to: Iterable[tuple[str, str]], report: Report,
    span: Span, now: datetime,
) -> int:
    days = f"Từ ngày {span.first:%d/%m/%Y} đến ngày {span.last:%d/%m/%Y}"
    title = f"{TITLES[report]} · {days}"
    sent = [
        outbox.write(
            session, channel=Channel.EMAIL, recipient=recipient, now=now, purpose=Purpose.REPORT,
            subject=title, body=f"{title}.\nSố liệu và cách tính ở các tệp kèm theo.", key=key,
            personal=False, urgent=True, files=files,
        )
        for recipient, key in to
    ]
    return sum(one is not None for one in sent)
