"""The second factor of a sign-in: a code of an authenticator app (TOTP, RFC 6238), or one of ten
recovery codes. A code is good once, in its own half minute and the one before and after it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum

import pyotp
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm import users
from crm.errors import HotlineError
from crm.models import Role, SecondFactor, User
from crm.rights import PRIVILEGED
from crm.settings import Settings
from crm.users import Refused

ISSUER = "1022 Thanh Hoa"
STEP_S = 30
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Need(StrEnum):
    """What a sign-in with a right password still needs."""

    NOTHING = ""
    CODE = "code"
    ENROL = "enrol"  # a factor is to be set up first
    TAKEOVER = "takeover"  # to say that another browser's sign-in ends


class FactorError(HotlineError):
    """A factor is not set up, or a code is not right. `code`: none | wrong | too_many."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def need_of(session: Session, user: User, settings: Settings) -> Need:
    """What follows the password. Without a factor, privileged roles must set one up where the
    settings require it; the others may."""
    if settings.second_factor == "off":
        return Need.NOTHING
    if confirmed(session, user.id):
        return Need.CODE
    required = settings.second_factor_required and Role(user.role) in PRIVILEGED
    return Need.ENROL if required else Need.NOTHING


def confirmed(session: Session, user_id: int) -> bool:
    """Whether somebody signs in with a second factor."""
    factor = session.get(SecondFactor, user_id)
    return factor is not None and factor.confirmed_at is not None


def in_use(session: Session) -> set[int]:
    """The ids of all users who sign in with a second factor."""
    found = select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))
    return set(session.scalars(found))


def begin(session: Session, user: User, now: datetime) -> str:
    """The secret of a factor that is still to be confirmed, base32; the same until then. Raises
    FactorError where one is in use."""
    factor = session.get(SecondFactor, user.id)
    if factor is None:
        factor = SecondFactor(
            user_id=user.id, secret=pyotp.random_base32(), made_at=now, recovery=[], last_step=0
        )
        try:
            with session.begin_nested():
                session.add(factor)
        except IntegrityError:  # another page of the same person was quicker
            factor = session.get_one(SecondFactor, user.id, populate_existing=True)
    if factor.confirmed_at is not None:
        raise FactorError("a second factor is in use already", "used")
    return factor.secret


def uri_of(secret: str, login: str) -> str:
    """What the app reads from the picture (otpauth://)."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def confirm(session: Session, user: User, code: str, address: str, now: datetime) -> list[str]:
    """The app shows the right code: from now on it is asked for. Returns the recovery codes, which
    are shown once. Raises FactorError."""
    factor = session.get(SecondFactor, user.id, with_for_update=True)
    if factor is None or factor.confirmed_at is not None:
        raise FactorError("no second factor is being set up", "none")
    _take(session, factor, user, code, address, now)
    codes = ["-".join(_word() for _ in range(2)) for _ in range(RECOVERY_CODES)]
    factor.confirmed_at, factor.recovery = now, [_hash(one) for one in codes]
    return codes


def check(session: Session, user: User, code: str, address: str, now: datetime) -> None:
    """A code of the app, or a recovery code, which is used up. The caller commits in either case.
    Raises FactorError."""
    factor = session.get(SecondFactor, user.id, with_for_update=True)
    if factor is None or factor.confirmed_at is None:
        raise FactorError("there is no second factor", "none")
    written = "".join(code.split()).lower()
    if (hashed := _hash(written)) in factor.recovery:
        if users.too_many(session, user.login, address, now):
            raise FactorError("too many failed attempts", "too_many")
        factor.recovery = [one for one in factor.recovery if one != hashed]
        return
    _take(session, factor, user, written, address, now)


def reset(session: Session, user: User, now: datetime) -> bool:
    """Take the factor away, and end all sessions; False if there was none."""
    done = session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    users.revoke_all(session, user, now)
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _take(
    session: Session, factor: SecondFactor, user: User, code: str, address: str, now: datetime
) -> None:
    """Use up the step that a code is of."""
    if users.too_many(session, user.login, address, now):
        raise FactorError("too many failed attempts", "too_many")
    totp, present = pyotp.TOTP(factor.secret), int(now.timestamp()) // STEP_S
    for step in (present, present - 1, present + 1):
        right = secrets.compare_digest(totp.at(step * STEP_S).encode(), code.strip().encode())
        if right and step > factor.last_step:
            factor.last_step = step
            return
    users.note_failure(session, user.login, address, now)
    raise FactorError("this code is not right, or was used already", Refused.WRONG.value)


def _word() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(5))


def _hash(code: str) -> str:
    # of 49 random bits, good once, and tried eight times in ten minutes at most
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()
