"""The hours at night in which nobody is troubled but by what is urgent."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from crm.clock import VIETNAM

Quiet = tuple[time, time] | None
"""From and until, in Vietnam; None: no quiet hours."""


def are_quiet(now: datetime, quiet: Quiet) -> bool:
    """Whether `now` lies in the quiet hours, which may go over midnight."""
    if quiet is None:
        return False
    local = now.astimezone(VIETNAM).time()
    begin, end = quiet
    if begin <= end:
        return begin <= local < end
    return local >= begin or local < end


def last_end(now: datetime, quiet: Quiet) -> datetime | None:
    """When the quiet hours were over the last time; None where there are none."""
    if quiet is None:
        return None
    local = now.astimezone(VIETNAM)
    end = datetime.combine(local.date(), quiet[1], VIETNAM)
    return end if end <= local else end - timedelta(days=1)
