"""The tables of what comes in from outside: how cases came, their files and fields. Times are
aware UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Case
from crm.field_keys import SealedJson
from crm.models import Base


class Arrival(Base):
    """One thing that came from outside, once: `key` is what its source calls it. What comes again
    finds the row and makes nothing twice (crm.intake.arrivals)."""

    __tablename__ = "arrival"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(12))  # web | email | zalo | hand | portal's name
    key: Mapped[str] = mapped_column(String(64))  # SHA-256, hex, of what the source calls it
    case_id: Mapped[int | None] = mapped_column(ForeignKey("citizen_case.id"))  # None: no case
    at: Mapped[datetime]
    sender: Mapped[str | None] = mapped_column(String(254))  # e-mail address, Zalo user
    reference: Mapped[str | None] = mapped_column(String(80))  # as people outside write it
    consent: Mapped[str | None] = mapped_column(String(16))  # version of the text agreed to
    # a file that the source keeps and that is still to be fetched (crm.intake.zalo)
    link: Mapped[str | None] = mapped_column(Text)
    link_tries: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        UniqueConstraint("source", "key"), Index("arrival_case", "case_id"),
        Index("arrival_sender", "source", "sender", "at"),
    )


class Attachment(Base):
    """A file of a case; its content is kept outside the database (crm.cases.attachments)."""

    __tablename__ = "attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"))
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(5))  # a crm.cases.attachments.Kind
    size: Mapped[int]  # bytes, as it is kept
    sha256: Mapped[str] = mapped_column(String(64))  # of what is kept
    received_sha256: Mapped[str] = mapped_column(String(64))  # of what came, before its cleaning
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))  # citizen; a login; an officer's name
    giver: Mapped[str] = mapped_column(String(8))  # a crm.cases.attachments.Giver
    for_agency: Mapped[bool]  # the agency that has the case may see it
    case: Mapped[Case] = relationship()

    __table_args__ = (
        UniqueConstraint("case_id", "received_sha256"), Index("attachment_content", "sha256"),
    )


class CaseDetails(Base):
    """The fields that cases of one category have besides their text (crm.intake.forms)."""

    __tablename__ = "case_details"

    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"), primary_key=True)
    form: Mapped[str] = mapped_column(String(24))  # the category whose form it is
    fields: Mapped[dict[str, Any]] = mapped_column(SealedJson)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(40))


class PortalCase(Base):
    """A case that a portal of the province has under a number of its own (crm.intake.portals)."""

    __tablename__ = "portal_case"

    id: Mapped[int] = mapped_column(primary_key=True)
    portal: Mapped[str] = mapped_column(String(12))  # a crm.intake.portals.Portal
    external_id: Mapped[str] = mapped_column(String(80))
    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"))
    their_status: Mapped[str] = mapped_column(String(80))  # as the portal told it last
    their_status_at: Mapped[datetime]
    told_status: Mapped[str | None] = mapped_column(String(12))  # ours, as it was exported last
    told_at: Mapped[datetime | None]
    received_on: Mapped[date | None] = mapped_column(Date)  # by the portal; day of Vietnam
    case: Mapped[Case] = relationship()

    __table_args__ = (
        UniqueConstraint("portal", "external_id"), Index("portal_case_case", "case_id"),
    )
