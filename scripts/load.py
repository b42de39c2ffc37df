"""`hotline load`: callers by the hundred over real SIP and RTP, and what became of them.

What callers do stands in a scenario, a small YAML file:

    ways:                                          # each caller goes one of them, by weight
      - {weight: 3, keys: "3 0", patience_s: 60}   # presses, waits so long for an end, hangs up
      - {weight: 1, keys: "", patience_s: 8}       # presses nothing
    redial: {share: 0.3, after_s: 5, times: 2}     # of those who had to hang up or were refused

Keys are written as for `hotline call --press`. A caller thinks a few seconds before each of them.
Key 4 is emergency wherever it is pressed: it is refused unless nobody outside can be rung.

A few callers listen at a time, the others say a packet now and then and hear nothing: what is to be
loaded is the hotline. Callers' numbers are mobile numbers of eleven digits, which nobody has had
since 2018, one for each caller, so that the ledger can be asked for every single call.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import re
import resource
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import select

from crm.database import Database
from crm.errors import HotlineError
from crm.models import Call as Row
from crm.settings import Settings
from ivr import ledger, provision
from ivr.phone import Dtmf, Phone, audio
from ivr.phone.call import Call, PhoneError
from ivr.phone.citizen import TEST, Step, parse_press
from ivr.phone.sip import Address

SCENARIOS = Path(__file__).parent / "scenarios"
FASTEST = 50.0  # new calls a second
LONGEST_S = 3600.0
MOST_CALLS = 20_000
MOST_AT_ONCE = 2_000
LISTENERS = 20  # at a time
THINKS_S = (1.5, 4.0)  # before a key
SETUP_S = 30.0  # without an answer, a caller gives up
LOCAL = "127.0.0.2"  # that programs of this machine call from
RECORDS_S = 30.0  # until the last call stands in the ledger
_SPEECH_S = 1.0  # of sound, and something was said


class LoadError(HotlineError):
    """The load cannot be driven; one sentence why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Way(_Part):
    """What a caller does."""

    weight: Annotated[float, Field(gt=0, le=1000)] = 1
    keys: Annotated[str, Field(max_length=100)] = ""
    patience_s: Annotated[float, Field(ge=0, le=600)] = 20

    @field_validator("keys")
    @classmethod
    def _pressable(cls, keys: str) -> str:
        parse_press(keys)
        return keys

    @property
    def steps(self) -> list[Step]:
        return parse_press(self.keys)


class Redial(_Part):
    """Who calls again: a share of those who were refused or had to hang up."""

    share: Annotated[float, Field(ge=0, le=1)] = 0
    after_s: Annotated[float, Field(ge=0.5, le=300)] = 5
    times: Annotated[int, Field(ge=1, le=5)] = 1


class Scenario(_Part):
    ways: Annotated[tuple[Way, ...], Field(min_length=1, max_length=50)]
    redial: Redial = Redial()
    number: Annotated[str, Field(pattern=r"^\+?[0-9]{3,15}$")] = "1022"

    @property
    def calls_for_life(self) -> bool:
        return any("4" in step.keys for way in self.ways for step in way.steps)


def scenario(name: str) -> Scenario:
    """One that comes with the hotline, by its name, or a file. Raises LoadError."""
    shipped = SCENARIOS / f"{name}.yml"
    file = shipped if re.fullmatch(r"[a-z_]+", name) and shipped.exists() else Path(name)
    try:
        return Scenario.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in SCENARIOS.glob("*.yml")))
        raise LoadError(f"there is no scenario {name}: {known}, or a file") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise LoadError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise LoadError(f"{file}: {faults}") from error


@dataclass(frozen=True)
class Plan:
    """How many callers come, whence and whither. `marked`: as tests, which no report counts."""

    scenario: Scenario
    target: Address
    from_ip: str
    rate: float
    duration_s: float
    marked: bool = True
    seed: int = 0

    @property
    def arrivals(self) -> int:
        return math.ceil(self.rate * self.duration_s)

    def check(self) -> None:
        """Raises LoadError for what is out of all bounds."""
        if not 0 < self.rate <= FASTEST:
            raise LoadError(f"the rate must be above 0 and at most {FASTEST:g} calls a second")
        if not 1 <= self.duration_s <= LONGEST_S:
            raise LoadError(f"the duration must be from 1 to {LONGEST_S:g} seconds")
        if self.arrivals > MOST_CALLS:
            raise LoadError(f"{self.arrivals} callers are too many: {MOST_CALLS} at most")


@dataclass(frozen=True)
class Placed:
    """One call, as its caller saw it. `heard_s` of speech; None: this one did not listen."""

    caller: str
    code: int | None
    reason: str
    setup_ms: int | None
    heard_s: float | None
    cut_off: bool  # by the hotline
    again: bool


@dataclass
class Outcome:
    """All calls of a load, and what the ledger says of them (None: it is on another machine)."""

    placed: list[Placed] = field(default_factory=list)
    held_back: int = 0  # callers who did not come: too many were on the line
    seconds: float = 0.0
    missing: list[str] | None = None
    double: list[str] | None = None
    unexplained: int | None = None

    @property
    def answered(self) -> list[Placed]:
        return [one for one in self.placed if one.setup_ms is not None]

    @property
    def failures(self) -> dict[str, int]:
        """Calls that nobody answered, by SIP code."""
        codes = (str(one.code or "none") for one in self.placed if one.setup_ms is None)
        return dict(sorted(Counter(codes).items()))

    def setup_ms(self, percent: float) -> int | None:
        times = sorted(one.setup_ms for one in self.placed if one.setup_ms is not None)
        return times[max(0, math.ceil(percent / 100 * len(times)) - 1)] if times else None

    @property
    def well(self) -> bool:
        listened = [one for one in self.answered if one.heard_s is not None]
        return (
            bool(self.placed) and not self.failures and not self.held_back
            and all((one.heard_s or 0) >= _SPEECH_S for one in listened)
            and not self.missing and not self.double and not self.unexplained
        )

    def as_dict(self) -> dict[str, Any]:
        listened = [one.heard_s for one in self.answered if one.heard_s is not None]
        return {
            "calls": len(self.placed), "answered": len(self.answered),
            "redials": sum(one.again for one in self.placed), "held_back": self.held_back,
            "seconds": round(self.seconds, 1),
            "setup_ms": {f"p{p}": self.setup_ms(p) for p in (50, 95, 99)},
            "failures": self.failures,
            "ended_by_hotline": sum(one.cut_off for one in self.answered),
            "audio": {
                "listened": len(listened), "heard": sum(s >= _SPEECH_S for s in listened),
                "speech_s": round(sum(listened), 1),
            },
            "ledger": None if self.missing is None else {
                "missing": self.missing, "double": self.double, "unexplained": self.unexplained,
            },
            "well": self.well,
        }

    def lines(self) -> list[str]:
        told = self.as_dict()
        audio_, book = told["audio"], told["ledger"]
        failures = ", ".join(f"{code}: {number}" for code, number in self.failures.items())
        lines = [
            f"calls     {told['calls']} in {told['seconds']} s ({told['redials']} called again), "
            f"{told['answered']} answered, {told['ended_by_hotline']} ended by the hotline",
            "set-up    " + ", ".join(f"{p} {ms} ms" for p, ms in told["setup_ms"].items()),
            f"failures  {failures or 'none'} (by SIP code)",
            f"audio     {audio_['heard']} of {audio_['listened']} listeners heard speech, "
            f"{audio_['speech_s']} s in all",
        ]
        if self.held_back:
            lines.append(f"held back {self.held_back} callers: {MOST_AT_ONCE} were on the line")
        if book is None:
            return [*lines, "ledger    not here: run `hotline ledger` on that machine"]
        faults = [
            *(f"the call of {one} is missing" for one in book["missing"][:5]),
            *(f"{one} is there more often than it called" for one in book["double"][:5]),
            *([f"{book['unexplained']} unexplained"] if book["unexplained"] else []),
        ]
        return [*lines, f"ledger    {'; '.join(faults) or 'every call is there exactly once'}"]


def target(settings: Settings, host: str | None, *, operated: bool) -> Address:
    """Whither the callers go. Raises LoadError for a machine that nobody answers for."""
    if host is None:
        bind = settings.sip_bind
        return ("127.0.0.1" if bind.host == "0.0.0.0" else bind.host, bind.port)  # noqa: S104
    name, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise LoadError(f"{host!r} is not HOST or HOST:PORT")
    try:
        address = socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0]
    except (OSError, UnicodeError) as error:
        raise LoadError(f"{name!r} has no address") from error
    if not ipaddress.ip_address(address).is_loopback and not operated:
        raise LoadError(
            f"{address} is another machine: say --yes-i-operate-it if it is yours to load"
        )
    return str(address), int(port or 5060)


def own_address(whither: Address) -> str:
    """The address that a call to there leaves from; on this machine, at whichever of its addresses
    the hotline listens, the local trunk's."""
    if ipaddress.ip_address(whither[0]).is_loopback:
        return LOCAL
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(whither)
        address = str(way.getsockname()[0])
    return LOCAL if address == whither[0] else address


async def drive(plan: Plan) -> Outcome:
    """Let all callers come, and wait until the last has gone. It ends by itself: each has a way of
    bounded length."""
    plan.check()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a call takes a socket
    return await _Crowd(plan).come_and_go()


class _Crowd:
    """The callers of one load."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)  # noqa: S311 - nothing is kept secret by it
        self._outcome = Outcome()
        self._here = self._listening = 0
        # a number of its own for each caller of each load
        self._run = f"01{int(time.time() * 10) % 10_000:04}"

    async def come_and_go(self) -> Outcome:
        plan, began = self._plan, time.monotonic()
        common = {"server": plan.target, "user": self._run + "00000"}
        try:
            async with (
                Phone(plan.from_ip, **common) as listening,  # type: ignore[arg-type]
                Phone(plan.from_ip, dtmf=Dtmf.INFO, sparse=True,
                      **common) as crowd,  # type: ignore[arg-type]
                asyncio.TaskGroup() as callers,
            ):
                for number in range(plan.arrivals):
                    if self._here >= MOST_AT_ONCE:
                        self._outcome.held_back += 1
                    else:
                        callers.create_task(self._caller(number, listening, crowd))
                    await asyncio.sleep(began + (number + 1) / plan.rate - time.monotonic())
        except* PhoneError as errors:
            raise LoadError(str(errors.exceptions[0])) from errors
        self._outcome.seconds = time.monotonic() - began
        return self._outcome

    async def _caller(self, number: int, listening: Phone, crowd: Phone) -> None:
        ways, redial = self._plan.scenario.ways, self._plan.scenario.redial
        way = self._chance.choices(ways, [one.weight for one in ways])[0]
        self._here += 1
        try:
            for attempt in range(redial.times + 1):
                listens = self._listening < LISTENERS
                self._listening += listens
                try:
                    placed = await self._call(
                        listening if listens else crowd, f"{self._run}{number:05}", way,
                        listens=listens, again=attempt > 0,
                    )
                finally:
                    self._listening -= listens
                self._outcome.placed.append(placed)
                if placed.cut_off or self._chance.random() >= redial.share:
                    return
                await asyncio.sleep(redial.after_s)
        finally:
            self._here -= 1

    async def _call(
        self, phone: Phone, caller: str, way: Way, *, listens: bool, again: bool
    ) -> Placed:
        call = await phone.call(
            self._plan.scenario.number, caller=caller, timeout_s=SETUP_S,
            headers=TEST if self._plan.marked else None,
        )
        if await call.answered():
            await self._follow(call, way)
        else:
            await call.ended(SETUP_S)
        heard = audio.speech_s(call.heard) if listens and call.at("answered") else None
        cut_off = call.hung_up_by == "them" and call.at("answered") is not None
        await call.hang_up()
        return Placed(
            caller, call.sip_code, call.reason, call.at("answered"), heard, cut_off, again
        )

    async def _follow(self, call: Call, way: Way) -> None:
        for step in way.steps:
            waits = self._chance.uniform(*THINKS_S) if step.wait_s is None else step.wait_s
            if await call.ended(waits):
                return
            try:
                if step.keys:
                    await call.press(step.keys)
            except PhoneError:
                if call.hung_up_by is None:
                    raise
                return  # it hung up while a key was pressed
        await call.ended(way.patience_s)


async def compare(
    settings: Settings, outcome: Outcome, since: datetime, *, within_s: float = RECORDS_S
) -> None:
    """Ask the ledger for every call that was placed: it is there exactly once. What was refused
    before Asterisk made a call of it need not be there, but never twice."""
    database = Database.of(settings)
    deadline = time.monotonic() + within_s
    while True:
        _count(settings, database, outcome, since)
        if not outcome.missing or time.monotonic() > deadline:
            return
        await asyncio.sleep(0.5)


def _count(settings: Settings, database: Database, outcome: Outcome, since: datetime) -> None:
    must = Counter(one.caller for one in outcome.answered)
    may = Counter(one.caller for one in outcome.placed)
    with database.reading() as session:
        kept = Counter(_rows(session.scalars(
            select(Row.caller).where(
                Row.started_at >= since - timedelta(seconds=1), Row.direction == "in",
                Row.outcome.is_not(None),
            )
        ).all(), may))
        book = ledger.check(session, provision.journal(settings.home).parent, settings.node)
    outcome.missing = sorted(one for one in must if kept[one] < must[one])
    outcome.double = sorted(one for one in kept if kept[one] > may[one])
    outcome.unexplained = len(book.unexplained)


def _rows(callers: Sequence[str | None], ours: Counter[str]) -> list[str]:
    return [one for one in callers if one is not None and one in ours]
