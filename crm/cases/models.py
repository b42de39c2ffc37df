"""The tables of cases and agencies. Times are aware UTC, days are those of Vietnam.

They are written by the console, the command line and the scheduler; what callers ask for by key
comes from the journal through the tailer.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.field_keys import SealedSecret, Secret
from crm.models import Base


class Status(StrEnum):
    """Where a case is in its life; which moves are allowed stands in `crm.cases.life`."""

    NEW = "new"
    CLASSIFIED = "classified"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    NEED_INFO = "need_info"
    EXTENDED = "extended"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    REOPENED = "reopened"


class Kind(StrEnum):
    """What the citizen wants of the hotline: the four words of its founding decision."""

    ADVICE = "advice"  # hỗ trợ tư vấn
    GUIDANCE = "guidance"  # hướng dẫn
    REPORT = "report"  # phản ánh
    ANSWER = "answer"  # giải đáp


class Identity(StrEnum):
    """Whether agencies may know who has reported."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    ANONYMOUS = "anonymous"


class Agency(Base):
    """A body that handles cases, from `valid_from` to `valid_to` (both days included)."""

    __tablename__ = "agency"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(24), unique=True)
    name: Mapped[str] = mapped_column(String(160))
    kind: Mapped[str] = mapped_column(String(40))
    level: Mapped[str] = mapped_column(String(24))
    area: Mapped[str | None] = mapped_column(String(24))  # code of the unit it answers for
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    approves: Mapped[bool] = mapped_column(default=False)  # its leader approves each answer


class Case(Base):
    """Something promised to a citizen."""

    __tablename__ = "citizen_case"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(8), unique=True)  # crm.cases.codes
    status: Mapped[str] = mapped_column(String(12))  # a Status
    identity: Mapped[str] = mapped_column(String(9))  # an Identity
    # about an agency's own staff, or dangerous to whoever reported it: never told by number alone
    sensitive: Mapped[bool] = mapped_column(default=False)
    phone: Mapped[str | None] = mapped_column(String(20))  # as calls have it: 0912345678
    channel: Mapped[str] = mapped_column(String(12))  # call | voicemail | hand | ...
    kind: Mapped[str] = mapped_column(String(8), default="report")  # a Kind
    summary: Mapped[str] = mapped_column(SealedSecret)
    category: Mapped[str | None] = mapped_column(String(24))  # crm.cases.categories
    area: Mapped[str | None] = mapped_column(String(8))  # code of a unit of today: crm.areas
    about_id: Mapped[int | None] = mapped_column(ForeignKey("agency.id"))  # it or its staff
    agency_id: Mapped[int | None] = mapped_column(ForeignKey("agency.id"))
    opened_at: Mapped[datetime]
    dispatch_due_at: Mapped[datetime]  # by when an agency has it
    assigned_at: Mapped[datetime | None]
    due_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(SealedSecret)  # approved, for the citizen
    # the citizen agrees that the result is shown to everybody, in these words without persons
    public: Mapped[bool] = mapped_column(default=False)
    public_text: Mapped[str | None] = mapped_column(Text)
    satisfaction: Mapped[int | None]  # with the result: 1 satisfied, 2 fair, 3 not
    duplicate_of_id: Mapped[int | None] = mapped_column(ForeignKey("citizen_case.id"))
    split_from_id: Mapped[int | None] = mapped_column(ForeignKey("citizen_case.id"))
    # when crm.cases.promises looks at it next; None only where nothing is promised any more
    next_step_at: Mapped[datetime | None]
    followed: Mapped[int] = mapped_column(default=0)  # its last event of which people were told
    agency: Mapped[Agency | None] = relationship(foreign_keys=[agency_id])
    about: Mapped[Agency | None] = relationship(foreign_keys=[about_id])
    duplicate_of: Mapped[Case | None] = relationship(
        foreign_keys=[duplicate_of_id], remote_side=[id]
    )
    split_from: Mapped[Case | None] = relationship(foreign_keys=[split_from_id], remote_side=[id])

    @property
    def sealed(self) -> bool:
        """Whether its words stand sealed, and are shown for a reason only (crm.cases.words)."""
        return isinstance(self.summary, Secret)

    def kept(self, text: str) -> str:
        """A text of this case as it is kept."""
        return Secret(text) if self.sealed else text

    __table_args__ = (
        Index("case_phone", "phone", "opened_at"),
        Index("case_status", "status", "due_at"),
        Index("case_step", "next_step_at"),
        Index("case_alike", "category", "area", "opened_at"),
        Index("case_agency", "agency_id", "status", "due_at"),
        Index("case_duplicates", "duplicate_of_id"),
        # all that reports over a period count: they read this and no row
        Index(
            "case_opened", "opened_at", "channel", "category", "area", "agency_id", "status",
            "due_at", "resolved_at", "satisfaction",
        ),
        Index("case_resolved", "resolved_at", "agency_id"),
        Index(  # the page of results
            "case_public", "resolved_at", "id",
            sqlite_where=text("public IS 1 AND public_text IS NOT NULL"),
            postgresql_where=text("public IS true AND public_text IS NOT NULL"),
        ),
    )


class CaseCall(Base):
    """A call in which a case was spoken of: several for one case, several cases in one call."""

    __tablename__ = "case_call"

    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    at: Mapped[datetime]

    __table_args__ = (Index("case_call_call", "call_id"),)


class CaseEvent(Base):
    """Something that happened to a case: never changed, never deleted."""

    __tablename__ = "case_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))  # login; citizen; system
    # opened | classified | moved | answered | reopen | info | draft | approved | returned | split |
    # joined | call | reminded | duty | link | public | rated | looked | read
    what: Mapped[str] = mapped_column(String(16))
    before: Mapped[str | None] = mapped_column(String(12))  # a Status
    after: Mapped[str | None] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(SealedSecret, default="")
    call_id: Mapped[str | None] = mapped_column(String(80))  # in which a citizen asked for it
    details: Mapped[dict[str, Any] | None]
    # the chain (crm.audit); a note is erased with its salt
    salt: Mapped[str | None] = mapped_column(SealedSecret)
    note_hash: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        Index("case_event_case", "case_id", "id"),
        UniqueConstraint("case_id", "call_id", "what"),
    )


class AuditHead(Base):
    """The last digest of the chain over all events of cases; one row."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    events: Mapped[int]


class Route(Base):
    """Cases of a category (`*`: any) in an area (none: anywhere) go to an agency: see
    crm.cases.routing."""

    __tablename__ = "route"

    id: Mapped[int] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(String(24))
    area: Mapped[str | None] = mapped_column(String(8))
    agency: Mapped[str] = mapped_column(String(24))  # its code, or `committee`: the commune's own

    __table_args__ = (UniqueConstraint("category", "area"),)


class Incident(Base):
    """Trouble that many call about: told to every caller while it is on (crm.cases.incidents)."""

    __tablename__ = "incident"

    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    sound: Mapped[str] = mapped_column(String(20))  # prompts.said
    since: Mapped[datetime]
    over_at: Mapped[datetime | None]
    over_sound: Mapped[str | None] = mapped_column(String(20))
    branch: Mapped[str | None] = mapped_column(String(16))  # whose callers hear of it; None: all
    until: Mapped[datetime | None]  # when they hear of it no more; None: when it is over
    case: Mapped[Case] = relationship()


class IncidentText(Base):
    """What callers may be told of an incident, written down before there is one."""

    __tablename__ = "incident_text"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    sound: Mapped[str | None] = mapped_column(String(20))  # prompts.said; None: not spoken yet
    added_by: Mapped[str] = mapped_column(String(32))
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class Affected(Base):
    """A caller who has joined an incident, to be rung when it is over."""

    __tablename__ = "affected"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.case_id"))
    number: Mapped[str] = mapped_column(String(20))
    call_id: Mapped[str] = mapped_column(String(80))  # in which they joined
    joined_at: Mapped[datetime]
    tries: Mapped[int]
    due_at: Mapped[datetime | None]  # when to ring next; None: not now, or not any more
    told_at: Mapped[datetime | None]
    incident: Mapped[Incident] = relationship()

    __table_args__ = (
        UniqueConstraint("incident_id", "number"),
        Index("affected_due", "due_at"),
        Index("affected_call", "call_id"),
    )


class LookupMiss(Base):
    """A code that was typed on the telephone and fits no case, kept for a day against guessing."""

    __tablename__ = "lookup_miss"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    caller: Mapped[str | None] = mapped_column(String(20))  # None: withheld
    code: Mapped[str | None] = mapped_column(String(8))  # that was guessed at

    __table_args__ = (
        Index("lookup_miss_caller", "caller", "at"), Index("lookup_miss_code", "code", "at"),
    )
