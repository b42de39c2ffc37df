"""Agents who sign in from a telephone by keys: a number of their own and a PIN.

Asterisk checks the PIN alone, so that agents get in with everything else dead. What it knows are
switches: `staff.NUMBER` is `off` or the level at which the agent serves each of ALL_QUEUES (0: not
at all), a full stop and the login; `pin.NUMBER` is `off` or SHA1(KEY:NUMBER:PIN). The key is
in the hotline's secrets and in the dialplan's file alone: a stolen database, AstDB or journal
tells no PIN. Whoever has the key too tries a million PINs in a second, and the keys that are
pressed can be heard by whoever carries the call: a PIN opens the queues and nothing else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha1
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import users
from crm.branches import ALL_QUEUES
from crm.calls.facts import JournalEvent
from crm.errors import HotlineError
from crm.models import KeypadLogin, User

log = logging.getLogger("hotline.audit")

PIN_LENGTH = range(6, 9)
REFUSED = ("wrong", "locked", "no_phone")
STAFF, PIN = "staff.", "pin."
_FIRST_NUMBER = 1000


class KeypadError(HotlineError):
    """A PIN cannot be used. `code` is stable: form, easy."""

    def __init__(self, code: str) -> None:
        super().__init__(f"this PIN cannot be used: {code}")
        self.code = code


def number_of(user: User) -> str:
    """What the agent types before the PIN; it is no secret."""
    return str(_FIRST_NUMBER + user.id)


def set_pin(
    session: Session, user: User, pin: str, key: str, *, by: str, now: datetime
) -> dict[str, str]:
    """Let the agent sign in by this PIN; returns the switches to hand over. Raises KeypadError."""
    if not pin.isdecimal() or not pin.isascii() or len(pin) not in PIN_LENGTH:
        raise KeypadError("form")
    if is_easy(pin) or number_of(user) in pin:
        raise KeypadError("easy")
    number = number_of(user)
    session.merge(KeypadLogin(
        user_id=user.id, set_at=now, set_by=by,
        # no password hash: Asterisk, which checks it, knows none
        pin=sha1(f"{key}:{number}:{pin}".encode(), usedforsecurity=False).hexdigest(),
    ))
    session.flush()
    return switches_of(session, user)


def take_away(session: Session, user: User, *, by: str, now: datetime) -> dict[str, str]:
    """Let the agent sign in so no more; returns the switches to hand over."""
    if (held := session.get(KeypadLogin, user.id)) is not None:
        held.pin, held.set_at, held.set_by = "", now, by
        session.flush()
    return switches_of(session, user)


def generate_pin(number: str) -> str:
    """A PIN for whoever has this number."""
    while True:
        pin = f"{secrets.randbelow(10**6):06}"
        if not is_easy(pin) and number not in pin:
            return pin


def is_easy(pin: str) -> bool:
    """What everybody tries first: one or two digits, and digits in a row."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return len(set(pin)) < 3 or (len(steps) == 1 and steps <= {0, 1, 9})


def has_pin(session: Session, user: User) -> bool:
    held = session.get(KeypadLogin, user.id)
    return held is not None and held.pin != ""


def with_pin(session: Session) -> set[str]:
    """The logins of those who may be in the queues with a telephone outside."""
    return set(session.scalars(
        select(User.login).join(KeypadLogin, KeypadLogin.user_id == User.id)
        .where(User.active.is_(True), KeypadLogin.pin != "")
    ))


def switches_of(session: Session, user: User) -> dict[str, str]:
    """What Asterisk is to know of an agent; nothing of those who never had a PIN."""
    held = session.get(KeypadLogin, user.id)
    return _switches(user, held) if held else {}


def switches(session: Session) -> dict[str, str]:
    """What Asterisk is to know of all of them."""
    found: dict[str, str] = {}
    for user, held in session.execute(
        select(User, KeypadLogin).join(KeypadLogin, KeypadLogin.user_id == User.id)
    ):
        found |= _switches(user, held)
    return found


def audit(events: Iterable[JournalEvent]) -> None:
    """Write into the log what was done by keypad, and by whose number."""
    for event in events:
        if event.type == "HL_STAFF" and event.is_callers:
            act, number = (event.extra.get(name, "")[:12] for name in ("act", "number"))
            level = logging.WARNING if act in REFUSED else logging.INFO
            log.log(level, "by keypad, number %s: %s in call %s", number, act, event.uniqueid)


def _switches(user: User, held: KeypadLogin) -> dict[str, str]:
    number, skills = number_of(user), users.skills(user)
    if not (user.active and held.pin and skills):
        return {STAFF + number: "off", PIN + number: "off"}
    levels = "".join(str(skills.get(queue, 0)) for queue in ALL_QUEUES)
    return {STAFF + number: f"{levels}.{user.login}", PIN + number: held.pin}
