"""Accounts and sign-in sessions.

Functions take a session and never commit; `now` is an aware UTC time. A browser holds a random
token, the table only its SHA-256, so that a stolen database opens no session.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.branches import ALL_QUEUES, EMERGENCY
from crm.errors import HotlineError
from crm.models import LoginFailure, Role, User, UserSession

LOGIN = re.compile(r"[a-z][a-z0-9.]{1,31}")
NO_LOGIN = "?"  # counted for all that can be nobody's
PASSWORD_LENGTH = range(10, 257)
IDLE_LIMIT = timedelta(hours=8)
ABSOLUTE_LIMIT = timedelta(hours=14)
SEEN_EVERY = timedelta(minutes=1)
FAILURE_WINDOW = timedelta(minutes=10)
FAILURES_BY_LOGIN = 8
FAILURES_BY_ADDRESS = 40  # a whole call centre may share one address
FAILURES_KEPT = timedelta(days=7)
LEVELS = (1, 2, 3)  # of a skill: rung first, later, when nobody else can

# OWASP's argon2id parameters for servers; two at a time, so that a flood of guesses takes
# neither all memory nor all processors from the calls.
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_hashing = threading.BoundedSemaphore(2)
# checked for unknown logins: same time, same answer
_nobody = _hasher.hash(secrets.token_urlsafe())


class UserError(HotlineError):
    """An account cannot be made or changed. `code` is stable, the message is one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Refused(StrEnum):
    """Why a sign-in was refused. Unknown, switched-off and wrong are deliberately the same."""

    WRONG = "wrong"
    TOO_MANY = "too_many"


def authenticate(
    session: Session, login: str, password: str, address: str, now: datetime
) -> User | Refused:
    """Check a sign-in and count a failure. The caller commits in either case."""
    login = login.strip().lower()
    if not LOGIN.fullmatch(login):
        login = NO_LOGIN
    if too_many(session, login, address, now):
        return Refused.TOO_MANY
    user = session.scalar(select(User).where(User.login == login, User.active.is_(True)))
    if not _matches(user.password_hash if user else _nobody, password) or user is None:
        note_failure(session, login, address, now)
        return Refused.WRONG
    if _hasher.check_needs_rehash(user.password_hash):
        user.password_hash = _hash(password)
    return user


def forget_failures(session: Session, user: User) -> None:
    """The whole sign-in was right."""
    session.execute(delete(LoginFailure).where(LoginFailure.login == user.login))


def note_failure(session: Session, login: str, address: str, now: datetime) -> None:
    """Count a wrong password or code."""
    session.add(LoginFailure(login=login, address=address, at=now))
    session.execute(delete(LoginFailure).where(LoginFailure.at < now - FAILURES_KEPT))


def too_many(session: Session, login: str, address: str, now: datetime) -> bool:
    """Whether so many failed of late that nobody is let in for a while."""
    recent = select(func.count()).select_from(LoginFailure).where(
        LoginFailure.at > now - FAILURE_WINDOW
    )
    by_login = session.scalar(recent.where(LoginFailure.login == login)) or 0
    by_address = session.scalar(recent.where(LoginFailure.address == address)) or 0
    guessed = login != NO_LOGIN and by_login >= FAILURES_BY_LOGIN
    return guessed or by_address >= FAILURES_BY_ADDRESS


def failing_addresses(session: Session, now: datetime) -> dict[str, datetime]:
    """Addresses from which so many sign-ins failed that nobody is let in, and until when."""
    since = now - FAILURE_WINDOW
    found = session.execute(
        select(LoginFailure.address, func.max(LoginFailure.at))
        .where(LoginFailure.at > since).group_by(LoginFailure.address)
        .having(func.count() >= FAILURES_BY_ADDRESS)
    )
    return {address: last + FAILURE_WINDOW for address, last in found}


def _matches(stored: str, password: str) -> bool:
    with _hashing:
        try:
            return _hasher.verify(stored, password[: PASSWORD_LENGTH.stop])
        except (VerificationError, InvalidHashError):
            return False


def _hash(password: str) -> str:
    with _hashing:
        return _hasher.hash(password)


def generate_password() -> str:
    """A password of 79 bits that can be read out: groups of letters that look unlike."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


def create_user(
    session: Session, *, login: str, name: str, role: Role, password: str, now: datetime,
    queues: Iterable[str] = (), language: str = "vi",
) -> User:
    """Make an account. `queues` are those an agent serves. Raises UserError."""
    if not LOGIN.fullmatch(login):
        raise UserError(
            "login", "a login is 2 to 32 of a-z, 0-9 and full stop, and starts with a letter"
        )
    user = User(
        login=login, name=_checked_name(name), role=role.value, language=language, active=True,
        password_hash=_hash(_checked_password(password)), queues=_checked_queues(queues),
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        raise UserError("taken", f"the login {login} is taken") from error
    return user


def named(session: Session, login: str) -> User:
    """Raises UserError: nobody has this login."""
    user = session.scalar(select(User).where(User.login == login))
    if user is None:
        raise UserError("unknown", f"there is no account {login}")
    return user


def set_password(session: Session, user: User, password: str, now: datetime) -> None:
    """Change the password and sign the person out everywhere. Raises UserError."""
    user.password_hash = _hash(_checked_password(password))
    revoke_all(session, user, now)


def set_queues(user: User, queues: Iterable[str]) -> None:
    """Which queues an agent serves, from the next sign-in to the queues on. Raises UserError."""
    user.queues = _checked_queues(queues)


def set_role(session: Session, user: User, role: Role, now: datetime) -> str:
    """Give somebody another role; they are signed out everywhere. Returns the role before."""
    before, user.role = user.role, role.value
    if before != user.role:
        revoke_all(session, user, now)
    return before


def set_skills(user: User, levels: Mapping[str, int]) -> None:
    """Which queues an agent serves, each at a level of LEVELS. Raises UserError."""
    if any(level not in LEVELS for level in levels.values()):
        raise UserError("queues", "a level is 1, 2 or 3")
    user.queues = _checked_queues(levels)
    user.levels = {queue: level for queue, level in levels.items() if level != LEVELS[0]}


def skills(user: User) -> dict[str, int]:
    """The level at which an agent serves each queue; emergencies ring everybody at once."""
    return {
        queue: LEVELS[0] if queue == EMERGENCY else user.levels.get(queue, LEVELS[0])
        for queue in served(user)
    }


def served(user: User) -> list[str]:
    """The queues an agent is a member of: every agent takes emergencies."""
    if not user.queues:
        return []
    return [queue for queue in ALL_QUEUES if queue in user.queues or queue == EMERGENCY]


def deactivate(session: Session, user: User, now: datetime) -> None:
    """Switch an account off: it signs in no more, and open sessions end."""
    user.active = False
    revoke_all(session, user, now)


def reactivate(user: User) -> None:
    user.active = True


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise UserError("name", "a name has 1 to 80 letters")
    return name


def _checked_password(password: str) -> str:
    if len(password) not in PASSWORD_LENGTH:
        raise UserError("password", "a password has 10 to 256 characters")
    return password


def _checked_queues(queues: Iterable[str]) -> list[str]:
    chosen = set(queues)
    if unknown := chosen - set(ALL_QUEUES):
        raise UserError("queues", f"unknown queue: {', '.join(sorted(unknown))}")
    return [queue for queue in ALL_QUEUES if queue in chosen]


def open_session(
    session: Session, user: User, *, address: str, browser: str, now: datetime, needs: str = ""
) -> str:
    """Begin a session; returns the token for the cookie. `needs`: what must still be shown before
    it opens anything (crm.second_factor.Need)."""
    token = secrets.token_urlsafe(32)
    session.add(UserSession(
        token_hash=token_hash(token), user_id=user.id, created_at=now, seen_at=now,
        expires_at=now + ABSOLUTE_LIMIT, address=address[:45], browser=browser[:200],
        needs=needs,
    ))
    return token


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def complete_session(session: Session, token: str, *, needs: str = "") -> None:
    """What was still needed has been shown; `needs`: what comes after it."""
    session.execute(
        update(UserSession).where(UserSession.token_hash == token_hash(token)).values(needs=needs)
    )


def others_of(session: Session, user: User, token: str, now: datetime) -> list[UserSession]:
    """The other browsers in which somebody is signed in, the newest first. Whoever else is about
    to sign in with this account waits until this transaction is over."""
    session.get_one(User, user.id, with_for_update=True)
    return list(session.scalars(
        select(UserSession).where(
            UserSession.user_id == user.id, UserSession.token_hash != token_hash(token),
            UserSession.needs == "", *_valid(now),  # type: ignore[arg-type]
        ).order_by(UserSession.created_at.desc())
    ))


def was_taken_over(session: Session, token: str, now: datetime) -> bool:
    """Whether a session was ended because its holder went on in another browser."""
    ended = session.get(UserSession, token_hash(token))
    if ended is None or ended.revoked_at is None:
        return False
    return session.scalar(select(UserSession.token_hash).where(
        UserSession.user_id == ended.user_id, UserSession.needs == "",
        UserSession.created_at <= ended.revoked_at, UserSession.created_at > ended.created_at,
        *_valid(now),  # type: ignore[arg-type]
    ).limit(1)) is not None


def _valid(now: datetime) -> tuple[object, ...]:
    return (
        UserSession.revoked_at.is_(None), UserSession.expires_at > now,
        UserSession.seen_at > now - IDLE_LIMIT,
    )


def find_session(session: Session, token: str, now: datetime) -> tuple[User, UserSession] | None:
    """Who holds this token, if the session is still good and the account is on."""
    found = session.execute(
        select(User, UserSession).join(User, User.id == UserSession.user_id)
        .where(UserSession.token_hash == token_hash(token), User.active.is_(True), *_valid(now))  # type: ignore[arg-type]
    ).first()
    return (found[0], found[1]) if found else None


def valid_sessions(session: Session, hashes: Iterable[str], now: datetime) -> set[str]:
    """Those of the token hashes whose sessions are still good."""
    wanted = list(hashes)
    return set(session.scalars(
        select(UserSession.token_hash).join(User, User.id == UserSession.user_id)
        .where(UserSession.token_hash.in_(wanted), User.active.is_(True), *_valid(now))  # type: ignore[arg-type]
    )) if wanted else set()


def signed_in_user_ids(session: Session, now: datetime) -> set[int]:
    """Everybody who has a good session now."""
    whole = UserSession.needs == ""
    return set(session.scalars(select(UserSession.user_id).where(whole, *_valid(now)).distinct()))  # type: ignore[arg-type]


def mark_seen(session: Session, token: str, now: datetime) -> None:
    """Note activity, which the idle limit counts from."""
    session.execute(
        update(UserSession).where(UserSession.token_hash == token_hash(token)).values(seen_at=now)
    )


def close_session(session: Session, token: str, now: datetime) -> None:
    session.execute(
        update(UserSession)
        .where(UserSession.token_hash == token_hash(token), UserSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def revoke_all(session: Session, user: User, now: datetime) -> None:
    """End all sessions of a person."""
    session.execute(
        update(UserSession)
        .where(UserSession.user_id == user.id, UserSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def forget_old_sessions(session: Session, now: datetime) -> None:
    """Delete the rows of sessions that ended more than 90 days ago."""
    before = now - timedelta(days=90)
    session.execute(delete(UserSession).where(
        or_(UserSession.expires_at < before, UserSession.revoked_at < before)
    ))


def names_of(session: Session, logins: Iterable[str]) -> dict[str, str]:
    """Full names by login; of logins that nobody has there are none."""
    wanted = list(logins)
    rows = session.execute(select(User.login, User.name).where(User.login.in_(wanted)))
    return {row.login: row.name for row in rows}
