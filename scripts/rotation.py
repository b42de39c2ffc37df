"""Secrets made anew: what can be while calls go on, else with the hotline stopped.

A phone that is signed in, and a caller's from the page, hold their secret until they hang up, and
need it for that; the console and the listener hold theirs as long as they run. So a running hotline
changes those of free seats, and says what is left.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from sqlalchemy import select

from crm import secrets
from crm.database import Database
from crm.errors import HotlineError
from crm.models import Seat
from crm.settings import Settings
from ivr import provision, runtime
from scripts import apply

audit = logging.getLogger("hotline.audit")
_WEB = ("web_phone", "web_key")
_STOPPED = "stop the hotline and run this again: `hotline up` takes them in"


class RotationError(HotlineError):
    """Nothing was changed. The message says why."""


@dataclass(frozen=True)
class Rotated:
    """What was changed, and why the rest was not."""

    changed: tuple[str, ...]
    left: dict[str, str]


def rotate(settings: Settings, database: Database, who: str, *, desks: bool) -> Rotated:
    """Make secrets anew; those of desk phones, which are typed into each, only with `desks`.
    Raises RotationError and what `apply` raises: all is then as before."""
    found = (
        _stopped(settings, database, desks) if runtime.pid(settings.home) is None
        else _running(settings, database, who)
    )
    audit.info("secrets rotated by=%s names=%s left=%s", who, ",".join(found.changed),
               ",".join(found.left))
    return found


def _stopped(settings: Settings, database: Database, desks: bool) -> Rotated:
    """Nobody holds any: they are written, and taken in by the next start."""
    phones = provision.phones(settings)
    secrets.ensure(settings.home, phones)
    names = [*secrets.ROTATED, *(one for one in phones if desks or not one.startswith("desk-"))]
    secrets.rotate(settings.home, names)
    provision.prepare(settings, database)
    kept = [] if desks else [one for one in phones if one.startswith("desk-")]
    return Rotated(tuple(names), dict.fromkeys(kept, "typed into the phone: say --desks"))


def _running(settings: Settings, database: Database, who: str) -> Rotated:
    if waiting := apply.planned(settings).changes:
        raise RotationError(
            f"{', '.join(one.file for one in waiting)} would change as well: hotline apply first"
        )
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    channels = runtime.ask(asterisk, settings.home, "core show channels concise") or ""
    web = () if re.search(r"^PJSIP/trunk-web-", channels, re.M) else _WEB
    before = secrets.load(settings.home)
    with database.transaction() as session:
        free = {
            seat.name: seat for seat in session.scalars(
                select(Seat).where(
                    Seat.node == settings.node, Seat.kind == "webrtc", Seat.user_id.is_(None)
                ).order_by(Seat.name).with_for_update()
            )
        }
        names = (*free, *web)
        made = secrets.rotate(settings.home, names)
        for name, seat in free.items():  # whoever signs in from now on is given the new one
            seat.secret = made.phones[name]
    try:
        apply.apply(settings, who, "secrets rotated")
    except BaseException:
        secrets.put_back(settings.home, before, names)
        provision.prepare(settings, database)
        raise
    left = {name: _STOPPED for name in secrets.ROTATED if name not in web}
    for name in provision.phones(settings):
        if name not in free:
            held = name.startswith("seat-")
            left[name] = "somebody is signed in there: run this again later" if held else _STOPPED
    return Rotated(names, left)
