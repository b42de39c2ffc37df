"""`hotline drill`: the loss of the site, rehearsed while the real hotline runs.

The newest backup is brought back into a scratch folder and must have a ledger that checks. Then a
second hotline is brought up beside the real one, whose carrier is a telephone of this program:
nobody outside is rung. Everything behind its Asterisk stands still, as when console, database and
office have lost their network. An agent signs in by keypad from a mobile, citizens call and are
answered there; then no agent is left, and the telephone on duty rings. At last all goes on, and the
ledger must be complete. When it was held, and what failed, is noted for the doctor.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from crm import keypad, safeguards, secrets, users
from crm.database import Database
from crm.errors import HotlineError
from crm.models import Role, User
from crm.settings import Settings
from ivr import commands, ledger, provision, runtime
from ivr.phone import Call, Phone
from ivr.phone.audio import RATE
from ivr.phone.ear import Ear
from scripts import PROCESSES, backup, beside
from scripts.up import runs_as

audit = logging.getLogger("hotline.audit")

PORTS_APART = 200
CARRIER = "127.0.0.9"  # the telephone that stands for it
STAFF, DUTY, MOBILE = "02371023", "0912000001", "0912000002"
TONE_HZ = 700  # what is said at the mobile
TALK_S = 3.0
PATIENCE_S = 60.0

Tell = Callable[["Step"], None]


class DrillError(HotlineError):
    """The drill cannot be held; one sentence why."""


@dataclass(frozen=True)
class Step:
    """One step of the plan: whether it worked, and how long it took."""

    name: str
    ok: bool
    detail: str
    seconds: float = 0.0


def hold(settings: Settings, callers: int, by: str, tell: Tell) -> list[Step]:
    """The whole drill; each step is told as it ends. Raises HotlineError: it could not be held."""
    steps: list[Step] = []

    def done(step: Step) -> None:
        steps.append(step)
        tell(step)

    for step in _prepared(settings):
        done(step)
    done(_comes_back(settings))
    folder = settings.home / "drill"
    if beside.running(folder) is not None:
        raise DrillError("a drill is being held already")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _rehearse(settings, folder, callers, done)
    except HotlineError as error:
        safeguards.note_drill(settings.home, [str(error)], datetime.now(UTC))
        raise
    finally:
        beside.stop(folder, "the drill")
        shutil.rmtree(folder, ignore_errors=True)
    failed = [step.name for step in steps if not step.ok]
    safeguards.note_drill(settings.home, failed, datetime.now(UTC))
    audit.info("drill of the site's loss by=%s: %s", by, f"failed: {failed}" if failed else "ok")
    return steps


# ------------------------------------------------------------------ what must be there beforehand


def _prepared(settings: Settings) -> Iterator[Step]:
    with Database.of(settings).reading() as session:
        agents = set(session.scalars(
            select(User.login).where(User.active.is_(True), User.role == Role.AGENT.value)
        ))
        ready = agents & keypad.with_pin(session)
    yield Step("staff number", bool(settings.staff_number), settings.staff_number or
               "set staff_number: without it no agent comes in by telephone")
    yield Step("PINs", bool(ready), f"{len(ready)} of {len(agents)} agents can sign in by keypad")
    yield Step("duty phones", bool(settings.duty_phones), ", ".join(
        f"…{number[-3:]}" for number in settings.duty_phones
    ) or "set duty_phones: nobody is rung where no agent is left")


def _comes_back(settings: Settings) -> Step:
    """The newest backup, in a folder that is deleted at once."""
    began = time.monotonic()
    noted = safeguards.last_backup(settings.home)
    if noted is None:
        return Step("backup", False, "none was made: hotline backup make FOLDER")
    made_at, file = noted
    age_h = (datetime.now(UTC) - made_at).total_seconds() / 3600
    if not Database.of(settings).is_sqlite:
        return Step("backup", True, f"{age_h:.0f} h old; restoring it needs a database of its own: "
                    "hotline backup restore, as the plan says")
    with tempfile.TemporaryDirectory(prefix="drill-", dir=settings.home) as scratch:
        there = replace(settings, home=Path(scratch) / "home", database_url="")
        there = replace(there, database_url=f"sqlite:///{there.home / 'hotline.db'}")
        try:
            backup.restore(file, there, backup.passphrase_of(settings))
        except HotlineError as error:
            return Step("backup", False, str(error))
        database = Database.of(there)
        with database.reading() as session:
            found = ledger.check(session, there.home / "journal", there.node)
        database.engine.dispose()
    ok = not found.unexplained and not found.unread_bytes
    return Step("backup", ok, f"{age_h:.0f} h old, {found.calls} calls, "
                f"{len(found.unexplained)} unexplained", time.monotonic() - began)


# ------------------------------------------------------------------ the rehearsal


def _rehearse(settings: Settings, folder: Path, callers: int, done: Tell) -> None:
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((CARRIER, 0))
        port = free.getsockname()[1]
    own = beside.start(beside.environment(
        settings, folder, apart=PORTS_APART, TRUNK_SERVER=f"{CARRIER}:{port}",
        STAFF_NUMBER=STAFF, DUTY_PHONES=DUTY, WRAPUP_S="0", SEATS="1", DESK_PHONES="0",
    ), "the drill")
    done(Step("second hotline", True, f"answers on port {own.sip_bind.port}",
              time.monotonic() - began))
    number, pin = _new_pin(own)
    with _cut_off(beside.running(folder)) as still:
        done(Step("network cut", len(still) == len(PROCESSES), f"{', '.join(still)} stand still"))
        asyncio.run(_calls(own, port, callers, number, pin, done))
    began = time.monotonic()
    missing = _unexplained(own)
    done(Step("ledger", not missing, "complete" if not missing else f"lacks {', '.join(missing)}",
              time.monotonic() - began))


def _new_pin(own: Settings) -> tuple[str, str]:
    """Number and PIN of the first agent, known to Asterisk."""
    made = secrets.load(own.home)
    with Database.of(own).transaction() as session:
        agent = session.scalars(
            select(User).where(User.role == Role.AGENT.value).order_by(User.id)
        ).first()
        if agent is None or not users.skills(agent):
            raise DrillError("the drill's hotline has no agent")
        number = keypad.number_of(agent)
        pin = keypad.generate_pin(number)
        switches = keypad.set_pin(
            session, agent, pin, made.staff_key, by="drill", now=datetime.now(UTC)
        )
    told = commands.for_settings(own, made).set_switches(switches)
    if not told.done:
        raise DrillError(f"Asterisk did not take the agent's PIN: {told.message}")
    return number, pin


@contextmanager
def _cut_off(up: int | None) -> Iterator[list[str]]:
    """Everything behind Asterisk stands still; the names of what does."""
    found: dict[str, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue  # it has ended meanwhile
        if parent == str(up):
            found |= {name: int(entry.name) for name in PROCESSES if runs_as(entry.name, name)}
    for pid in found.values():
        os.killpg(pid, signal.SIGSTOP)
    try:
        yield sorted(found)
    finally:
        for pid in found.values():
            os.killpg(pid, signal.SIGCONT)


async def _calls(
    own: Settings, port: int, callers: int, number: str, pin: str, done: Tell
) -> None:
    server = "127.0.0.1", own.sip_bind.port
    asterisk = runtime.find(own, lambda _: None, fetch=False)
    async with Phone(CARRIER, port) as outside, Phone("127.0.0.2", server=server) as line:
        began = time.monotonic()
        await _until(
            lambda: " Avail " in (runtime.ask(asterisk, own.home, "pjsip show contacts") or ""),
            "the stand-in carrier answers",
        )
        await (await _keyed_in(line, own, number, pin)).hang_up()
        done(Step("agent by keypad", True, "signed in from a mobile, in the same queues",
                  time.monotonic() - began))

        began = time.monotonic()
        async with _in_the_hand(outside, own, "staff_offer"):
            waits = await asyncio.gather(
                *(_citizen(line, f"09120010{at:02}") for at in range(callers))
            )
        spoke = [wait for wait in waits if wait is not None]
        done(Step("callers", len(spoke) == callers,
                  f"{len(spoke)} of {callers} spoke with the mobile, the last after "
                  f"{max(spoke, default=0):.0f} s", time.monotonic() - began))

        leaving = await _keyed_in(line, own, number, pin)
        await leaving.press("3")
        await leaving.ended(PATIENCE_S)
        began = time.monotonic()
        async with _in_the_hand(outside, own, "expert_offer"):
            wait = await _citizen(line, "0912001099")
        done(Step("duty phone", wait is not None, "a caller spoke with the telephone on duty"
                  if wait is not None else "the telephone on duty was not reached",
                  time.monotonic() - began))


async def _keyed_in(line: Phone, own: Settings, number: str, pin: str) -> Call:
    """The mobile's call to the staff number, once the keys are told by which it goes on."""
    call = await _answered(line, STAFF, MOBILE)
    asked = (("staff_number", f"{number}#"), ("staff_pin", f"{pin}#"), ("staff_keys", ""))
    for prompt, keys in asked:
        if not await _hears(call, own, prompt):
            raise DrillError(f"the agent at the mobile does not hear {prompt}")
        if keys:
            await call.press(keys)
    return call


@asynccontextmanager
async def _in_the_hand(outside: Phone, own: Settings, prompt: str) -> AsyncIterator[None]:
    """Somebody has the telephone in the hand, and takes whatever rings by key 1."""
    async def take() -> None:
        while True:
            call = await outside.incoming()
            if await call.ended(0):
                continue
            call.answer()
            if not await _hears(call, own, prompt):
                continue  # the caller has gone meanwhile
            await call.press("1")
            call.play_tone(TONE_HZ)
            if not await call.ended(TALK_S + 2):
                await call.hang_up()

    taking = asyncio.create_task(take())
    try:
        yield
    finally:
        while not taking.done():  # wait_for may swallow it in the moment that a call ends
            taking.cancel()
            await asyncio.wait([taking], timeout=0.5)
    if not taking.cancelled():
        taking.result()


async def _citizen(line: Phone, number: str) -> float | None:
    """Asks for a person; after how many seconds somebody spoke, None if nobody did."""
    began = time.monotonic()
    call = await _answered(line, "1022", number)
    await asyncio.sleep(2)
    await call.press("0")
    spoke = None
    while spoke is None and not await call.ended(0.3):
        if call.heard_tone(TONE_HZ):
            spoke = time.monotonic() - began
        if time.monotonic() - began > 4 * PATIENCE_S:
            break
    if spoke is not None:
        await call.ended(TALK_S)  # less is no conversation
    await call.hang_up()
    return spoke


async def _answered(line: Phone, number: str, caller: str) -> Call:
    call = await line.call(number, caller=caller)
    if not await call.answered(PATIENCE_S):
        raise DrillError(f"the drill's hotline does not answer: {call.sip_code} {call.reason}")
    return call


async def _hears(call: Call, own: Settings, prompt: str) -> bool:
    """Whether it is said to its end before the call is over."""
    ear = Ear(provision.sounds(own.home) / "vi" / f"{prompt}.alaw")
    deadline = time.monotonic() + PATIENCE_S
    while not ear.hears(call.heard[-20 * RATE:]):
        if await call.ended(0.3) or time.monotonic() > deadline:
            return False
    return True


async def _until(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(look):
        if time.monotonic() > deadline:
            raise DrillError(f"not within {PATIENCE_S:g} s: {what}")
        await asyncio.sleep(0.5)


def _unexplained(own: Settings) -> list[str]:
    """Calls without an outcome, once the tailer has read everything."""
    deadline = time.monotonic() + PATIENCE_S
    database = Database.of(own)
    while True:
        with database.reading() as session:
            found = ledger.check(session, own.home / "journal", own.node)
        if (not found.unread_bytes and not found.open) or time.monotonic() > deadline:
            unread = ["the end of the journal"] if found.unread_bytes else []
            return [*(one.call_id for one in found.unexplained), *unread]
        time.sleep(0.5)

