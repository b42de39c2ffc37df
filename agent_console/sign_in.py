"""What every sign-in ends with, whoever made sure who it is: a session, and its cookie."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from flask import request
from sqlalchemy.orm import Session

from agent_console.door import Answer, console
from crm import users
from crm.models import Role, User
from crm.rights import Right, may
from crm.second_factor import Need

BY_PROVIDER = "hotline_by_provider"  # the cookie of a browser that may still be signed in there


def local_path(target: str | None) -> str | None:
    """A path on this server, or None: a sign-in must not send people elsewhere."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None


def begin(session: Session, user: User, needs: str, now: datetime) -> str:
    """Open a session for this browser; its token. `needs`: a crm.second_factor.Need."""
    token = users.open_session(
        session, user, address=request.remote_addr or "", browser=request.user_agent.string,
        now=now, needs=needs,
    )
    if not needs:
        complete(session, user, token, now)
    users.forget_old_sessions(session, now)
    return token


def complete(session: Session, user: User, token: str, now: datetime) -> None:
    """Who it is has been made sure. An agent is signed in once: where another browser is, they are
    asked first whether they go on here."""
    users.forget_failures(session, user)
    once = may(Role(user.role), Right.CALLS_TAKE)
    other = once and users.others_of(session, user, token, now)
    users.complete_session(session, token, needs=Need.TAKEOVER if other else Need.NOTHING)


def keep(answer: Answer, token: str) -> Answer:
    """Let the browser keep the session."""
    here = console()
    answer.set_cookie(  # type: ignore[union-attr]
        here.cookie, token, httponly=True, samesite="Strict", secure=here.secure,
        max_age=int(users.ABSOLUTE_LIMIT.total_seconds()),
    )
    return answer
