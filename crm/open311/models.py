"""The table of requests that came through Open311."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Case
from crm.models import Base


class Open311Request(Base):
    """A case that its sender has put into the public register. Its number there is another than
    its code: who knows the code is half-way to what the citizen alone may hear."""

    __tablename__ = "open311_request"

    case_id: Mapped[int] = mapped_column(ForeignKey("citizen_case.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(10), unique=True)
    address: Mapped[str | None] = mapped_column(String(300))  # as it was written
    lat: Mapped[float | None] = mapped_column(Float)  # WGS 84, degrees
    long: Mapped[float | None] = mapped_column(Float)
    case: Mapped[Case] = relationship()
