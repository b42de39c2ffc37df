"""Vietnam's clock: UTC inside, this outside."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def vietnam_day(at: datetime) -> date:
    """The day in Vietnam at a moment (aware)."""
    return at.astimezone(VIETNAM).date()
