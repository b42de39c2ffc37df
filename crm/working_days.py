"""Public holidays of Vietnam (Labour Code 45/2019, Art. 112), with the days swapped for them."""

from __future__ import annotations

import functools
from datetime import date

from holidays import country_holidays


@functools.cache
def holidays_of(year: int) -> dict[date, str]:
    """The public holidays of a year, each with its Vietnamese name."""
    found = country_holidays("VN", years=year, language="vi")
    return dict(sorted(found.items()))
