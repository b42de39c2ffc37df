"""Reports on the service by e-mail: each morning of the day before, on Mondays of the week before.

The key of each message names period and recipient, so that nobody gets one twice, whatever is
restarted; what was missed is made up as long as it is the latest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256

from sqlalchemy import select

from crm.clock import VIETNAM
from crm.database import Database
from crm.notices import outbox
from crm.notices.models import Notice
from crm.notices.outbox import Attachment, Channel, Purpose
from crm.reports import pdf, service, xlsx
from crm.reports.measures import By
from crm.reports.schedule import XLSX_TYPE
from crm.settings import Settings

AT = time(7, 0)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issue:
    """A report that is due: of which days, divided by what, to whom."""

    name: str
    by: By
    first: date
    last: date
    recipients: tuple[str, ...]

    def key(self, recipient: str) -> str:
        who = sha256(recipient.encode()).hexdigest()[:20]
        return f"service:{self.name}:{self.first}:{who}"


def due(settings: Settings, now: datetime) -> Iterator[Issue]:
    """The latest period of each kind that is over."""
    local = now.astimezone(VIETNAM)
    last = local.date() - _DAY if local.time() >= AT else local.date() - 2 * _DAY
    yield Issue("daily", By.HOUR, last, last, settings.service_daily_recipients)
    sunday = last - timedelta(days=(last.weekday() + 1) % 7)
    yield Issue("weekly", By.DAY, sunday - 6 * _DAY, sunday, settings.service_weekly_recipients)


def step(database: Database, settings: Settings, now: datetime) -> int:
    """Write what is due and not yet written; how many messages."""
    return sum(_send(database, settings, issue, now) for issue in due(settings, now))


def _send(database: Database, settings: Settings, issue: Issue, now: datetime) -> int:
    with database.reading() as session:
        keys = [issue.key(one) for one in issue.recipients]
        written = set(session.scalars(select(Notice.key).where(Notice.key.in_(keys))))
        left = [one for one in issue.recipients if issue.key(one) not in written]
        if not left:
            return 0
        papers = [
            service.document(session, by, issue.first, issue.last, now, settings.service_level_s)
            for by in (issue.by, By.BRANCH, By.AGENT)
        ]
    files = [
        file for by, paper in zip((issue.by, By.BRANCH, By.AGENT), papers, strict=True)
        for file in (
            Attachment(f"1022-phuc-vu-{by}.pdf", "application/pdf", pdf.render(paper, now)),
            Attachment(f"1022-phuc-vu-{by}.xlsx", XLSX_TYPE, xlsx.render(paper)),
        )
    ]
    title = f"Báo cáo phục vụ 1022 · {papers[0].subtitle}"
    with database.transaction() as session:
        sent = [
            outbox.write(
                session, channel=Channel.EMAIL, recipient=one, now=now, purpose=Purpose.REPORT,
                subject=title, body=f"{title}.\nSố liệu và cách tính ở các tệp kèm theo.",
                key=issue.key(one), personal=False, urgent=True, files=files,
            )
            for one in left
        ]
    return sum(one is not None for one in sent)
