"""A place as people type it in a form: the commune or ward of today that they mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crm import areas
from crm.areas import Area
from crm.clock import vietnam_day
from crm.vietnamese import folded


class PlaceError(Exception):
    """The commune that was typed is unknown (no `sides`), or must be chosen among several."""

    def __init__(self, sides: Mapping[str, Area]) -> None:
        self.sides = sides


def area_of(form: Mapping[str, str], now: datetime) -> str | None:
    """The code of the commune of today that was chosen (`area`), or typed in words (`place`).
    Raises PlaceError."""
    typed = form.get("place", "").strip()
    if not typed:
        return None
    day = vietnam_day(now)
    found = areas.find(typed, day)
    exact = [one for one in found if one.named.name == typed]
    alike = [one for one in found if folded(one.named.name) == folded(typed)]
    sides = {area.code: area for one in exact or alike or found for area in one.today}
    if (chosen := form.get("area", "")) in sides:
        return chosen
    if len(sides) == 1:
        return next(iter(sides))
    raise PlaceError(sides)
