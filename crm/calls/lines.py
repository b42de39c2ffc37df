"""How well agents and callers could hear each other: what browsers measured, kept with the call."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.calls.facts import CALL_ID
from crm.models import LineQuality

# of the mean opinion score, as in agent_console/frontend/src/quality.js
GOOD, FAIR = 3.6, 3.1
_LEG = re.compile(r"[0-9a-f-]{8,36}")
_MOST = {"mean": 5.0, "worst": 5.0, "loss": 100.0, "jitter": 60_000.0, "round_trip": 600_000.0}
_MOST_SAMPLES = 100_000


def keep(
    session: Session, leg: str, call_id: str, login: str, figures: Mapping[str, Any], now: datetime
) -> None:
    """Keep the figures of a leg; the same may come twice. Raises ValueError: impossible ones."""
    if not _LEG.fullmatch(leg) or not CALL_ID.fullmatch(call_id):
        raise ValueError("no such leg or call")
    samples = figures.get("samples")
    if isinstance(samples, bool) or not isinstance(samples, int) or not 0 < samples < _MOST_SAMPLES:
        raise ValueError("samples")
    known = session.get(LineQuality, leg)
    if known is not None:
        return
    session.add(LineQuality(
        leg=leg, call_id=call_id, agent=login, at=now, samples=samples,
        **{name: _figure(figures.get(name), name) for name in _MOST},
    ))


def _figure(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(name)
    if not 0 <= value <= _MOST[name]:
        raise ValueError(name)
    return float(value)


def of_calls(session: Session, call_ids: Iterable[str]) -> dict[str, LineQuality]:
    """The worst leg of each call that was measured."""
    found: dict[str, LineQuality] = {}
    for line in session.scalars(
        select(LineQuality).where(LineQuality.call_id.in_(list(call_ids)))
    ):
        if line.call_id not in found or line.worst < found[line.call_id].worst:
            found[line.call_id] = line
    return found


def verdict(score: float) -> str:
    """good | fair | bad"""
    return "good" if score >= GOOD else "fair" if score >= FAIR else "bad"


def forget(session: Session, before: datetime) -> None:
    session.execute(delete(LineQuality).where(LineQuality.at < before))
