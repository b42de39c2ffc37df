"""The training of agents: simulated citizens, and how well they were served.

What a citizen does stands in `crm/data/training.yaml`. Who calls writes down what was said and
heard (`Played`, a line of `shift.jsonl` in the state folder of the training); what agents did is in
the rows of the calls, as on any day. Grades are found from both whenever somebody looks, so that
what is entered late counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases import life
from crm.cases.models import Case
from crm.models import Call, CallNote, CallSegment
from crm.vietnamese import folded

SCRIPTS = Path(__file__).parent / "data" / "training.yaml"
SHIFT = "shift.jsonl"
GREETS_S = 5.0  # from the answer to the agent's first word
CLOSES_S = 6.0  # from the agent's last word to the end
LONGEST_HOLD_S = 60
_MUSIC_S = 0.7  # may still be heard when somebody has answered


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WantedCase(_Part):
    category: str
    area: str  # code of a unit of today


class Expected(_Part):
    """What is to be there after the call. `address`: words of the place, in the case's text."""

    case: WantedCase | None = None
    address: str | None = None


class Script(_Part):
    """One citizen."""

    id: str
    vi: str
    en: str
    keys: str
    says: Annotated[tuple[str, ...], Field(min_length=1)]
    waits_s: float = 60
    pause_s: float = 2.5  # from being put through to the first word
    redials: bool = False
    expects: Expected = Expected()


@dataclass(frozen=True)
class Played:
    """A call as its citizen made it. `speech`: when the other side was heard, in seconds since
    the call was placed."""

    number: int
    script: str
    caller: str
    placed_at: datetime
    ended_at: datetime | None = None
    gave_up: bool = False  # before anybody answered
    speech: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Mark:
    """One thing that is graded. `ok` None: cannot be said yet, or does not matter here."""

    what: str  # answered | greeting | result | case | kind | commune | address | hold | closing
    ok: bool | None
    seconds: float | None = None


@dataclass(frozen=True)
class Graded:
    played: Played
    script: Script
    agent: str | None
    marks: tuple[Mark, ...]

    @property
    def passed(self) -> bool | None:
        """None while the call goes on."""
        if self.played.ended_at is None:
            return None
        return all(one.ok is not False for one in self.marks)


@cache
def scripts() -> Mapping[str, Script]:
    rows = yaml.safe_load(SCRIPTS.read_text(encoding="utf-8"))
    return {one.id: one for one in map(Script.model_validate, rows)}


def begin(home: Path) -> None:
    """A new shift; the one before is forgotten."""
    (home / SHIFT).write_text("", encoding="utf-8")


def note(home: Path, played: Played) -> None:
    """Write a call down: once when it is placed, once when it is over."""
    with (home / SHIFT).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(played), default=datetime.isoformat) + "\n")


def played(home: Path) -> list[Played]:
    """The calls of the shift, the latest word about each."""
    try:
        lines = (home / SHIFT).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found: dict[int, Played] = {}
    for line in lines:
        one = _read(json.loads(line))
        found[one.number] = one
    return list(found.values())


def _read(row: dict[str, Any]) -> Played:
    times = {
        name: datetime.fromisoformat(row[name]) if row[name] else None
        for name in ("placed_at", "ended_at")
    }
    speech = tuple((float(a), float(b)) for a, b in row["speech"])
    return Played(**{**row, **times, "speech": speech})


def graded(session: Session, home: Path, in_time_s: int) -> list[Graded]:
    """Every call of the shift with its marks."""
    known = scripts()
    return [_grade(session, one, known[one.script], in_time_s) for one in played(home)]


def _grade(session: Session, one: Played, script: Script, in_time_s: int) -> Graded:
    until = (one.ended_at or one.placed_at) + timedelta(minutes=1)
    call = session.scalar(
        select(Call).where(
            Call.caller == one.caller, Call.started_at >= one.placed_at - timedelta(seconds=2),
            Call.started_at <= until,
        ).order_by(Call.started_at).limit(1)
    )
    if call is None:
        return Graded(one, script, None, (Mark("answered", None),))
    if call.answered_at is None:
        # who was to give up has done so; all others were to be reached
        missed = None if one.ended_at is None or (one.gave_up and script.redials) else False
        wait = (call.wait_ms or 0) / 1000
        return Graded(one, script, None, (Mark("answered", missed, wait),))
    wait = (call.wait_ms or 0) / 1000
    parts = session.scalars(
        select(CallSegment).where(CallSegment.call_id == call.id).order_by(CallSegment.number)
    ).all()
    marks = [
        Mark("answered", wait <= in_time_s, wait),
        *_spoken(one, [part for part in parts if part.what == "talk"]),
    ]
    hold = sum(part.ms for part in parts if part.what == "hold") / 1000
    marks.append(Mark("hold", hold <= LONGEST_HOLD_S, hold))
    entered = session.scalar(
        select(CallNote.id).where(
            CallNote.call_id == call.id, CallNote.done, CallNote.result.is_not(None)
        ).limit(1)
    )
    marks.append(Mark("result", entered is not None))
    if script.expects.case is not None:
        marks += _case_marks(
            life.of_call(session, call.id), script.expects.case, script.expects.address
        )
    return Graded(one, script, call.agent, tuple(marks))


def _spoken(one: Played, talks: Sequence[CallSegment]) -> Iterator[Mark]:
    """How soon the agent spoke, and whether the talk was closed with a word. What is heard before
    it is music, what is heard after it the hotline's question of how it was."""
    if one.ended_at is None or not talks:
        yield Mark("greeting", None)
        return
    last = talks[-1]
    begins = (talks[0].started_at - one.placed_at).total_seconds()
    ends = (last.started_at + timedelta(milliseconds=last.ms) - one.placed_at).total_seconds()
    said = [
        (max(a, begins), min(b, ends)) for a, b in one.speech
        if b > begins + _MUSIC_S and a < ends
    ]
    first = said[0][0] - begins if said else None
    yield Mark("greeting", first is not None and first <= GREETS_S, first)
    silence = ends - said[-1][1] if said else None
    yield Mark("closing", silence is not None and silence <= CLOSES_S, silence)


def _case_marks(
    cases: list[Case], wanted: WantedCase, address: str | None
) -> Iterator[Mark]:
    yield Mark("case", bool(cases))
    if not cases:
        return
    yield Mark("kind", any(one.category == wanted.category for one in cases))
    yield Mark("commune", any(one.area == wanted.area for one in cases))
    if address is not None:
        words = folded(address)
        yield Mark("address", any(words in folded(one.summary) for one in cases))
