"""Leaving the line without cutting anybody off: from a moment on new calls are refused by 503, so
that the edge or the carrier leads them elsewhere; those that are up go on, wait, are put through
and end by themselves; then the hotline stops.

That it drains is the time of a file, which the dialplan looks at by the door: nothing but Asterisk
is needed, and an Asterisk that dies meanwhile takes no new calls when it is back. The time is put
off as long as this command lives: one that is killed, or loses its terminal, shuts nobody out for
long. Test calls come through, or the probe would start anew what is being drained.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta

from crm import nodes
from crm.database import Database
from crm.errors import HotlineError
from crm.settings import Settings
from ivr import provision, runtime
from scripts import beside

audit = logging.getLogger("hotline.audit")

LOOK_S = 1.0
HOLD_S = 30.0  # without a word from this command new calls are taken again
STAY = timedelta(hours=12)
QUIET_S = 3.0  # without a call: one that was let in a moment before has begun by then
STOP_S = 120.0


class DrainError(HotlineError):
    """The hotline cannot be drained, or was not in time. The message says what became of it."""


def run(
    settings: Settings, *, by: str, why: str, within: timedelta, stop: bool,
    tell: Callable[[int], None],
) -> None:
    """Drain, tell how many calls are still up whenever that changes, and stop unless `stop` is
    False. Where the time is over, or the command is interrupted, new calls are taken again. Raises
    DrainError."""
    home = settings.home
    supervisor = beside.running(home)
    if supervisor is None:
        raise DrainError("the hotline does not run")
    _holds_nothing(settings)
    begin(settings, by=by, why=why)
    try:
        left = _wait(settings, within, tell)
    except BaseException:
        end(settings, by=by)
        raise
    if left:
        end(settings, by=by)
        raise DrainError(
            f"{left} calls are still up after {within.total_seconds() / 60:g} minutes: new calls "
            "are taken again"
        )
    audit.warning("drained, by %s (%s)", by, why)
    if not stop:
        _hold(settings, STAY)
        return
    _hold(settings, timedelta(seconds=STOP_S))
    os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while beside.running(home) == supervisor:
        if time.monotonic() > deadline:
            raise DrainError(f"no call is up, but the hotline (process {supervisor}) does not stop")
        time.sleep(0.2)


def begin(settings: Settings, *, by: str, why: str) -> None:
    """From now on new calls are refused."""
    provision.draining(settings.home).touch()
    _hold(settings, timedelta(seconds=HOLD_S))
    audit.warning("new calls are refused, by %s (%s)", by, why)


def _hold(settings: Settings, longer: timedelta) -> None:
    until = time.time() + longer.total_seconds()
    try:
        os.utime(provision.draining(settings.home), (until, until))
    except FileNotFoundError as error:
        raise DrainError("somebody else has let new calls in again") from error


def end(settings: Settings, *, by: str) -> bool:
    """New calls are taken again; False if they were not refused."""
    was = provision.is_draining(settings.home)
    provision.draining(settings.home).unlink(missing_ok=True)
    if not was:
        return False
    audit.warning("new calls are taken again, by %s", by)
    return True


def _holds_nothing(settings: Settings) -> None:
    """Callers of other nodes must not be left waiting in a queue that goes with this one."""
    if not settings.other_nodes:
        return
    with Database.of(settings).reading() as session:
        held = nodes.held_by(session, settings, settings.node)
    if held:
        raise DrainError(
            f"this node holds {', '.join(held)}: lead them to another first, "
            f"hotline nodes move {settings.node} NODE --why TEXT"
        )


def _wait(settings: Settings, within: timedelta, tell: Callable[[int], None]) -> int:
    """Until no call is up for a moment, at most so long; how many are left."""
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    deadline = time.monotonic() + within.total_seconds()
    told, quiet_since = -1, None
    while True:
        _hold(settings, timedelta(seconds=HOLD_S))
        now, calls = time.monotonic(), runtime.calls_now(asterisk, settings.home)
        if calls is not None and calls != told:
            tell(calls)
            told = calls
        quiet_since = quiet_since or now if calls == 0 else None  # None: it did not answer
        if quiet_since is not None and now - quiet_since >= QUIET_S:
            return 0
        if now > deadline and quiet_since is None:
            return max(told, 1)
        time.sleep(LOOK_S)
