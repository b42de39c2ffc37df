"""The tables of the reports. Days are those of Vietnam, times aware UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.models import Base
from crm.reports.measures import NAMES


class HealthReport(Base):
    """One version of the health department's figures of a day. A correction is a new version; the
    newest counts, and only once it is approved."""

    __tablename__ = "health_report"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    version: Mapped[int]
    source: Mapped[str] = mapped_column(String(200))
    entered_by: Mapped[str] = mapped_column(String(32))  # login
    entered_at: Mapped[datetime]
    confirmed: Mapped[list[Any]] = mapped_column(default=list)  # doubts that were set aside
    approved_by: Mapped[str | None] = mapped_column(String(32))
    approved_at: Mapped[datetime | None]
    bulletin_id: Mapped[int | None] = mapped_column(ForeignKey("bulletin.id"))
    figures: Mapped[list[HealthFigure]] = relationship(
        order_by="HealthFigure.area", cascade="all, delete-orphan", lazy="selectin"
    )

    __table_args__ = (UniqueConstraint("day", "version"),)


class ReportSubscription(Base):
    """Who gets a report (crm.reports.subscriptions.Report) how often; once ended it stays as a note
    of who did that."""

    __tablename__ = "report_subscription"

    id: Mapped[int] = mapped_column(primary_key=True)
    report: Mapped[str] = mapped_column(String(16))
    every: Mapped[str] = mapped_column(String(8))
    recipient: Mapped[str] = mapped_column(String(120))
    added_by: Mapped[str] = mapped_column(String(32))  # login
    added_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(String(32))
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "report_subscription_stands", "report", "every", "recipient", unique=True,
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
        Index("report_subscription_ended", "ended_at"),
    )


class HealthFigure(Base):
    """Figures of one area; `area` is the code of a commune, or empty: of no commune in
    particular."""

    __tablename__ = "health_figure"

    report_id: Mapped[int] = mapped_column(ForeignKey("health_report.id"), primary_key=True)
    area: Mapped[str] = mapped_column(String(8), primary_key=True)
    new_cases: Mapped[int] = mapped_column(BigInteger)
    recovered: Mapped[int] = mapped_column(BigInteger)
    deaths: Mapped[int] = mapped_column(BigInteger)  # all until this day
    under_treatment: Mapped[int] = mapped_column(BigInteger)  # at the end of this day
    tests: Mapped[int] = mapped_column(BigInteger)
    doses: Mapped[int] = mapped_column(BigInteger)


class ReportRun(Base):
    """What the clock has done for the report of a day."""

    __tablename__ = "report_run"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    reminded_at: Mapped[datetime | None]  # 16:00
    reminded_again_at: Mapped[datetime | None]  # 16:30
    alarmed_at: Mapped[datetime | None]  # 17:00, not approved


class ReportIssue(Base):
    """A report as it was sent; a corrected one is a new edition. What is sent again is this."""

    __tablename__ = "report_issue"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    edition: Mapped[int]
    version: Mapped[int]  # of the health department's figures
    made_at: Mapped[datetime]
    sent_again: Mapped[int] = mapped_column(default=0)  # how often, by hand
    pdf: Mapped[bytes] = mapped_column(LargeBinary)
    xlsx: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (UniqueConstraint("day", "edition"),)


class CallDay(Base):
    """Counts of the citizens' calls that began on a day: crm.reports.calls."""

    __tablename__ = "call_day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    direction: Mapped[str] = mapped_column(String(4), primary_key=True)
    branch: Mapped[str] = mapped_column(String(16), primary_key=True)  # empty: none was reached
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)  # empty: still goes on
    calls: Mapped[int]
    queued: Mapped[int]
    in_time: Mapped[int]
    unreached: Mapped[int]
    rated: Mapped[int]
    satisfied: Mapped[int]
    longest_wait_ms: Mapped[int]


class CountedDay(Base):
    """A day whose counts stand in `call_day`."""

    __tablename__ = "counted_day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    counted_at: Mapped[datetime]
    # test calls that waited for a person, and of them those who met one within the norm's time;
    # only of days whose calls are archived (crm.archive)
    trials: Mapped[int | None]
    trials_in_norm: Mapped[int | None]


class CallHour(Base):
    """Counts of calls that began in an hour, as `call_day` has them of days: of days whose calls
    are archived."""

    __tablename__ = "call_hour"

    at: Mapped[datetime] = mapped_column(primary_key=True)  # its beginning
    direction: Mapped[str] = mapped_column(String(4), primary_key=True)
    branch: Mapped[str] = mapped_column(String(16), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)
    calls: Mapped[int]
    queued: Mapped[int]
    in_time: Mapped[int]
    unreached: Mapped[int]
    rated: Mapped[int]
    satisfied: Mapped[int]
    longest_wait_ms: Mapped[int]


# The measures of a day, by hour, branch, agent or line: crm.reports.kept
MEASURE_DAY = Table(
    "measure_day", Base.metadata,
    Column("by", String(8), primary_key=True),  # a crm.reports.measures.By
    Column("day", Date, primary_key=True),
    Column("key", String(40), primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in NAMES),
)
