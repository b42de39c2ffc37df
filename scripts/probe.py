"""`hotline probe`: is the hotline alive, as seen from outside? Once a minute, by a timer.

A process that runs is not health: a deadlocked Asterisk takes no INVITE, a hung console no page.
Each part is asked for what it is there for, and what fails once more: what fails again is told to
the engineers at once, and that it is over when it was found well three times. What fails in three
runs is stuck: with `cure` its process is killed, so that `hotline up` starts it anew. What was
killed is left alone for ten minutes: a second death would cure nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import os
import signal
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from crm.database import Database, DatabaseError
from crm.models import JournalPosition, ListenerState
from crm.notices import alarms
from crm.settings import Settings
from ivr import probe, runtime, tls
from ivr.doctor import FAILURE, Check
from scripts.up import pid_file, runs_as

log = logging.getLogger(__name__)

AGAIN_S = 5.0  # between two looks at what fails: nobody is woken by a restart that takes seconds
STUCK_AFTER = 3  # failures in a row
OVER_AFTER = 3  # times found well
LEFT_ALONE = timedelta(minutes=10)
SILENT = timedelta(seconds=60)  # listener and tailer write every few seconds
CONSOLE_S = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    """What was found of one part. `process`: whose death would help, if it is stuck."""

    part: str
    well: bool
    detail: str
    process: str = ""


@dataclass(frozen=True)
class Past:
    """What is remembered of a part between two runs. `alarmed`: the engineers were told that it
    fails, and not yet that this is over; `well`: how often it was found so since it failed."""

    failures: int = 0
    killed_at: str = ""  # ISO, UTC
    alarmed: bool = False
    well: int = 0


def look(settings: Settings, database: Database, now: datetime) -> list[Found]:
    """Ask every part."""
    heard = asyncio.run(probe.call(settings))
    found = [Found("call", heard.heard, heard.detail, "asterisk"), _console(settings)]
    try:
        with database.reading() as session:
            position = session.get(JournalPosition, settings.node)
            listener = session.get(ListenerState, settings.node)
            read_at = position.read_at if position else EPOCH
            seen_at = listener.seen_at if listener else EPOCH
    except (SQLAlchemyError, DatabaseError) as error:
        # who waits for the database is not stuck
        return [*found, Found("database", False, f"does not answer ({type(error).__name__})")]
    return [
        *found, Found("database", True, "answers"),
        _fresh("tailer", read_at, now), _fresh("listener", seen_at, now),
    ]


def _console(settings: Settings) -> Found:
    bind = settings.console_bind
    host = "127.0.0.1" if bind.host == "0.0.0.0" else bind.host  # noqa: S104
    connection: http.client.HTTPConnection
    if tls.needed(settings):
        # our own machine, under a name that its certificate need not have: only life is asked for
        nobody = ssl.create_default_context()
        nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, bind.port, timeout=CONSOLE_S, context=nobody
        )
    else:
        connection = http.client.HTTPConnection(host, bind.port, timeout=CONSOLE_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Found("console", False, f"does not answer ({type(error).__name__})", "console")
    finally:
        connection.close()
    return Found("console", status == 200, f"answers {status}", "console")


def _fresh(name: str, last: datetime, now: datetime) -> Found:
    if now - last < SILENT:
        return Found(name, True, "at work", name)
    told = f"last at work {last:%Y-%m-%d %H:%M:%S} UTC" if last > EPOCH else "was never at work"
    return Found(name, False, told, name)


def watch(
    settings: Settings, database: Database, now: datetime, *, cure: bool
) -> list[tuple[Found, Past]]:
    """Look, remember, tell, and with `cure` kill what is stuck."""
    file = settings.home / "probe.json"
    past, present = _remembered(file), []
    for found in _looked_twice(settings, database, now):
        before = past.get(found.part, Past())
        after = (
            replace(before, failures=0, well=before.well + 1) if found.well
            else replace(before, failures=before.failures + 1, well=0)
        )
        over = before.alarmed and after.well >= OVER_AFTER
        if over or not (found.well or before.alarmed):
            alarms.sound(
                settings, database, subject=f"probe {found.part}", now=now, over=over,
                body=f"{found.part}: {found.detail}, {'well again' if over else 'twice'}",
            )
            after = replace(after, alarmed=not over)
        if cure and after.failures >= STUCK_AFTER and found.process:
            after = _cured(settings.home, found.process, after, now)
        present.append((found, after))
    _remember(file, {found.part: after for found, after in present})
    return present


def _looked_twice(settings: Settings, database: Database, now: datetime) -> list[Found]:
    """Ask every part, and once more what failed."""
    first = look(settings, database, now)
    if all(found.well for found in first):
        return first
    time.sleep(AGAIN_S)
    well = {found.part: found for found in first if found.well}
    return [well.get(found.part, found) for found in look(settings, database, now)]


def _cured(home: Path, process: str, past: Past, now: datetime) -> Past:
    if past.killed_at and now - datetime.fromisoformat(past.killed_at) < LEFT_ALONE:
        return past
    number = _number(home, process)
    if number is None:
        return past  # it is gone already, and whoever starts it knows
    log.error("%s (pid %d) is stuck: killed, to be started anew", process, number)
    with contextlib.suppress(ProcessLookupError):
        # with all that it has started, which could hold its port
        os.killpg(number, signal.SIGKILL)
    return replace(past, killed_at=now.isoformat())


def _number(home: Path, process: str) -> int | None:
    """The process's id, if it is still the one that was written down."""
    if process == "asterisk":
        return runtime.pid(home)
    try:
        number = int(pid_file(home, process).read_text(encoding="ascii"))
        ours = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    named = f"HOTLINE_HOME={home}".encode()
    elsewhere = any(one.startswith(b"HOTLINE_HOME=") and one != named for one in ours)
    return number if runs_as(number, process) and not elsewhere else None


def tell_of_failures(settings: Settings, checks: Collection[Check], now: datetime) -> list[str]:
    """Alarm for what the doctor finds failing and did not find so the last time, and for what does
    so no more; the names of what is new."""
    file = settings.home / "doctor.json"
    past = _remembered(file)
    failing = {check.name: check for check in checks if check.status == FAILURE}
    fresh = [check for name, check in failing.items() if name not in past]
    for check in fresh:
        alarms.sound(
            settings, Database.of(settings), subject=f"doctor {check.name}", now=now,
            body=f"{check.name}: {check.detail}",
        )
    for check in checks:
        if check.name in past and check.name not in failing:
            alarms.sound(
                settings, Database.of(settings), subject=f"doctor {check.name}", now=now, over=True,
                body=f"{check.name}: fails no more, {check.detail}",
            )
    _remember(file, {name: Past(past.get(name, Past()).failures + 1) for name in failing})
    return [check.name for check in fresh]


def _remembered(file: Path) -> Mapping[str, Past]:
    try:
        return {
            part: Past(int(one["failures"]), str(one["killed_at"]),
                       bool(one.get("alarmed")), int(one.get("well", 0)))
            for part, one in json.loads(file.read_text(encoding="utf-8")).items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read (%r): counting begins anew", file, error)
        return {}


def _remember(file: Path, parts: Mapping[str, Past]) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps({part: asdict(one) for part, one in parts.items()}), "utf-8")
    draft.replace(file)
