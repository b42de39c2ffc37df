"""What the clock does for the daily report: reminds, sends, alarms; once, whatever dies when.

`step` may be run at any time and as often as one likes: what was done stands in the database, in
the transaction that wrote the messages. A day that passed while nothing ran is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.clock import VIETNAM, vietnam_day
from crm.database import Database
from crm.errors import HotlineError
from crm.notices import outbox
from crm.notices.outbox import Attachment, Channel, Purpose
from crm.reports import daily, health, template, xlsx
from crm.reports.document import Document
from crm.reports.models import HealthReport, ReportIssue, ReportRun
from crm.reports.template import Template, filled
from crm.settings import Settings

REMIND, REMIND_AGAIN = time(16, 0), time(16, 30)
MADE_UP = 7  # days back at most
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class IssueError(HotlineError):
    """A report cannot be sent again; one sentence."""


class Did(StrEnum):
    REMINDED = "reminded"
    ALARMED = "alarmed"
    SENT = "sent"


@dataclass(frozen=True)
class Done:
    """What a step has done for a day."""

    what: Did
    day: date


def step(database: Database, settings: Settings, now: datetime) -> list[Done]:
    """Do what is due now. Without recipients (setting report_recipients) nothing is."""
    if not settings.report_recipients:
        return []
    done = []
    with database.transaction() as session:
        days = _days(session, vietnam_day(now))
    for day in days:
        done += _day(database, settings, day, now)
    return done


def _days(session: Session, today: date) -> list[date]:
    """Today and the days before that have been missed; each has its row from now on. Before its
    first day the hotline owed no report."""
    first = session.scalar(select(func.min(ReportRun.day))) or today
    oldest = max(first, today - timedelta(days=MADE_UP))
    days = [oldest + timedelta(days=number) for number in range((today - oldest).days + 1)]
    there = set(session.scalars(select(ReportRun.day).where(ReportRun.day >= oldest)))
    session.add_all(ReportRun(day=day) for day in days if day not in there)
    return days


def _day(database: Database, settings: Settings, day: date, now: datetime) -> list[Done]:
    with database.reading() as session:
        newest = health.of_day(session, day, approved=False)
        run = session.get_one(ReportRun, day)
        issued = _issue(session, day)
    # a correction that waits for approval stops what was approved before it
    approved = newest is not None and newest.approved_at is not None
    if issued is not None or (at := _at(day)) > now + timedelta(hours=1):
        return []
    if now >= at:
        if approved:
            return [Done(Did.SENT, day)] if _send(database, settings, day, now) else []
        return _once(database, settings, run, "alarmed_at", newest, now)
    if approved:
        return []
    name = "reminded_at" if now < _at(day, REMIND_AGAIN) else "reminded_again_at"
    return _once(database, settings, run, name, newest, now)


def _at(day: date, clock: time = daily.CUT) -> datetime:
    return datetime.combine(day, clock, VIETNAM)


def _once(
    database: Database, settings: Settings, run: ReportRun, name: str,
    newest: HealthReport | None, now: datetime,
) -> list[Done]:
    """Remind or alarm, and note it, unless it is noted."""
    if getattr(run, name) is not None:
        return []
    alarm = name == "alarmed_at"
    state = "chưa nhập" if newest is None else "chưa duyệt"
    day = f"{run.day:%d/%m/%Y}"
    text = (
        f"Báo cáo 1022 ngày {day} chưa gửi lúc 17:00: số liệu y tế {state}. "
        "Báo cáo sẽ tự gửi ngay khi được duyệt." if alarm else
        f"Số liệu y tế ngày {day} {state}. Xin nhập và duyệt trước 17:00 để gửi báo cáo 1022."
    )
    email, phone = (
        (settings.report_deputy_email, settings.report_deputy_phone) if alarm
        else (settings.report_officer_email, settings.report_officer_phone)
    )
    with database.transaction() as session:
        marked = session.execute(
            update(ReportRun).where(ReportRun.day == run.day, getattr(ReportRun, name).is_(None))
            .values({name: now})
        )
        if not marked.rowcount:  # type: ignore[attr-defined]
            return []  # another scheduler was faster
        for channel, recipient in ((Channel.EMAIL, email), (Channel.SMS, phone)):
            if recipient:
                outbox.write(
                    session, channel=channel, recipient=recipient, body=text, now=now,
                    purpose=Purpose.REPORT, subject=f"Báo cáo 1022 ngày {day}: số liệu {state}",
                    key=f"report:{run.day}:{name}:{channel}", personal=False,
                )
        if alarm:
            outbox.alarm(session, settings, subject="report", now=now,
                         body=f"daily report of {run.day} not approved, not sent")
    return [Done(Did.ALARMED if alarm else Did.REMINDED, run.day)]


def _send(database: Database, settings: Settings, day: date, now: datetime) -> bool:
    """Make the report of approved figures and put it into the outbox. False: another scheduler was
    faster, or the figures have just been corrected."""
    form = template.load(settings.home)
    with database.reading() as session:
        figures = daily.gather(session, day, daily.cut(day))
    if figures.report is None:
        return False
    paper = daily.document(figures, form)
    pages, sheets = _printed(paper, now), xlsx.render(paper)
    with database.transaction() as session:
        current = health.of_day(session, day, approved=False)
        if _issue(session, day) or current is None or current.id != figures.report.id:
            return False
        session.add(ReportIssue(
            day=day, edition=1, version=current.version, made_at=now, pdf=pages, xlsx=sheets,
        ))
        session.flush()
        _mail(session, settings, form, figures, 1, f"{day}:1", now, pages, sheets)
    return True


def _printed(paper: Document, now: datetime) -> bytes:
    from crm.reports import pdf  # once there is something to print: a second of every start

    return pdf.render(paper, now)


def send_again(
    session: Session, settings: Settings, day: date, *, now: datetime
) -> ReportIssue:
    """Send a report again by hand: as it was, or, where its figures were corrected and approved
    since, a new edition. Raises IssueError."""
    issue = _issue(session, day)
    if issue is None:
        raise IssueError(f"the report of {day} has not been sent yet")
    figures = daily.gather(session, day, daily.cut(day))
    if figures.report is None:  # cannot be: what was sent was approved
        raise IssueError(f"the figures of {day} are not approved")
    form = template.load(settings.home)
    if figures.report.version != issue.version:
        edition = issue.edition + 1
        paper = daily.document(figures, form, edition)
        issue = ReportIssue(
            day=day, edition=edition, version=figures.report.version, made_at=now,
            pdf=_printed(paper, now), xlsx=xlsx.render(paper), sent_again=0,
        )
        session.add(issue)
        key = f"{day}:{edition}"
    else:
        issue.sent_again = ReportIssue.sent_again + 1
        session.flush()
        session.refresh(issue)
        key = f"{day}:{issue.edition}:again:{issue.sent_again}"
    session.flush()
    _mail(session, settings, form, figures, issue.edition, key, now, issue.pdf, issue.xlsx)
    return issue


def issues(session: Session, first: date, last: date) -> dict[date, ReportIssue]:
    """The last edition of each day."""
    found = select(ReportIssue).where(ReportIssue.day >= first, ReportIssue.day <= last)
    return {one.day: one for one in session.scalars(found.order_by(ReportIssue.edition))}


def _issue(session: Session, day: date) -> ReportIssue | None:
    return issues(session, day, day).get(day)


def _mail(
    session: Session, settings: Settings, form: Template, figures: daily.Daily, edition: int,
    key: str, now: datetime, pages: bytes, sheets: bytes,
) -> None:
    places = daily.places(figures, edition)
    name = f"bao-cao-1022-{figures.day:%Y%m%d}"
    if edition > 1:
        name += f"-dinh-chinh-{edition - 1}"
    for recipient in settings.report_recipients:
        outbox.write(
            session, channel=Channel.EMAIL, recipient=recipient, now=now, purpose=Purpose.REPORT,
            subject=filled(form.mail_subject, places)[:200], body=filled(form.mail_text, places),
            key=f"report:{key}:{sha256(recipient.encode()).hexdigest()[:20]}",
            personal=False, urgent=True,
            files=[
                Attachment(f"{name}.pdf", "application/pdf", pages),
                Attachment(f"{name}.xlsx", XLSX_TYPE, sheets),
            ],
        )
