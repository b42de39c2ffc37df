"""Who can reach the number: network × dialled form × place, filled by calls that somebody made.

A line a try, in a file of the state folder. A call that came through is found in the journal by the
telephone it was made with: what it dialled, and by which carrier it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from crm.clock import VIETNAM
from crm.database import Database
from crm.errors import HotlineError
from crm.models import Call
from crm.settings import Settings

PLACES = ("inside", "outside")
FRESH = timedelta(minutes=15)  # a call that was made for the sheet is entered at once


class ReachError(HotlineError):
    """The try cannot be entered. The message says why."""


@dataclass(frozen=True)
class Try:
    """Somebody has called, from a network and a place."""

    at: str
    network: str
    form: str  # what was dialled
    place: str
    reached: bool
    telephone: str  # its last three digits
    carrier: str  # by which it came in
    by: str
    note: str = ""


def sheet(home: Path) -> Path:
    return home / "trunk" / "reach.jsonl"


def tries(home: Path) -> list[Try]:
    if not sheet(home).exists():
        return []
    lines = sheet(home).read_text(encoding="utf-8").splitlines()
    return [Try(**json.loads(line)) for line in lines if line]


def enter(home: Path, one: Try) -> None:
    if one.place not in PLACES:
        raise ReachError(f"the place is {' or '.join(PLACES)} of the province")
    sheet(home).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with sheet(home).open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")


def found(
    settings: Settings, *, telephone: str, network: str, place: str, by: str, note: str,
    now: datetime,
) -> Try:
    """The try of a telephone whose call has just come in. Raises ReachError where there is none."""
    with Database.of(settings).reading() as session:
        call = session.scalar(
            select(Call).where(Call.caller == telephone, Call.started_at >= now - FRESH)
            .order_by(Call.started_at.desc()).limit(1)
        )
    if call is None:
        raise ReachError(
            f"no call of {telephone} came in the last {FRESH.seconds // 60} minutes: call, then "
            "enter it, or say --failed --dialled"
        )
    came_by = call.trunk or ""
    carrier = next((one for one in settings.carriers if one.covers(came_by)), None)
    return Try(
        now.isoformat(timespec="seconds"), network, call.dialled or "?", place, True,
        telephone[-3:], carrier.setting if carrier else came_by, by, note,
    )


def table(made: Iterable[Try]) -> str:
    """Markdown: the newest try of each network, form and place."""
    newest = {(one.network, one.form, one.place): one for one in made}
    forms = sorted({one.form for one in newest.values()})
    lines = [
        "| Mạng · Network | Quay · Dialled | Trong tỉnh · Inside | Ngoài tỉnh · Outside |",
        "|---|---|---|---|",
    ]
    for network in sorted({one.network for one in newest.values()}):
        for form in forms:
            cells = [_cell(newest.get((network, form, place))) for place in PLACES]
            lines.append(f"| {network} | {form} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def _cell(one: Try | None) -> str:
    if one is None:
        return "?"
    day = datetime.fromisoformat(one.at).astimezone(VIETNAM).strftime("%d/%m/%Y")
    said = f"được · yes ({one.carrier})" if one.reached else "KHÔNG · NO"
    return " ".join(part for part in (said, day, one.note) if part)
