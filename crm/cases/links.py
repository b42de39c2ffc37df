"""An officer's link to one case.

Opening it changes nothing: programs that look into messages open links too. A code of six digits
that goes to the officer's registered telephone lets them in. The link ends with the case, when the
case is handed on, and when it is revoked. Link and code are kept as hashes.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies.models import CaseLink, Officer
from crm.cases.models import Case
from crm.errors import HotlineError

CODE_LASTS = timedelta(minutes=10)
CODE_AGAIN = timedelta(minutes=1)  # a new one is sent at the earliest after this
MOST_MISSES = 5  # then the link is dead, and the desk can hand out another


class LinkError(HotlineError):
    """A link cannot be used; one sentence. `code` names why: dead, wrong, late, soon."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def hand_out(session: Session, case: Case, officer: Officer, now: datetime) -> str:
    """A new link of this officer to this case, in place of an earlier one; returns its secret."""
    for link in _living(session, case):
        if link.officer_id == officer.id:
            link.ended_at = now
    token = secrets.token_urlsafe(16)
    session.add(CaseLink(
        token=_hash(token), case_id=case.id, officer_id=officer.id, made_at=now, code_misses=0
    ))
    session.flush()
    return token


def end_all(session: Session, case: Case, now: datetime) -> int:
    """End every link to a case; how many there were."""
    living = _living(session, case)
    for link in living:
        link.ended_at = now
    return len(living)


def living(session: Session, token: str) -> CaseLink:
    """The link of this secret. Raises LinkError: there is none, or not any more."""
    link = session.scalar(select(CaseLink).where(CaseLink.token == _hash(token)))
    return still(link)


def by_id(session: Session, id_: int) -> CaseLink:
    """Raises LinkError: there is none, or not any more."""
    return still(session.get(CaseLink, id_))


def still(link: CaseLink | None) -> CaseLink:
    if link is None or link.ended_at is not None:
        raise dead()
    return link


def dead() -> LinkError:
    return LinkError("this link does not lead anywhere any more", "dead")


def new_code(link: CaseLink, now: datetime) -> str:
    """Six digits for the officer's telephone. Raises LinkError: one was sent just now."""
    if link.code_sent_at is not None and now - link.code_sent_at < CODE_AGAIN:
        raise LinkError("a code was sent just now: wait a minute", "soon")
    code = f"{secrets.randbelow(10**6):06d}"
    link.code, link.code_sent_at = _hash(f"{link.token}{code}"), now
    return code


def enter(link: CaseLink, code: str, now: datetime) -> None:
    """Use up the code; `link.code_misses` counts wrong ones, and the last of them ends the link:
    commit in any case. Raises LinkError."""
    if link.code is None or link.code_sent_at is None or now - link.code_sent_at > CODE_LASTS:
        raise LinkError("the code is too old: ask for another", "late")
    if not secrets.compare_digest(link.code, _hash(f"{link.token}{code}")):
        link.code_misses += 1
        if link.code_misses >= MOST_MISSES:
            link.ended_at = now
            raise LinkError("too many wrong codes: the link has ended", "dead")
        raise LinkError("the code is wrong", "wrong")
    link.code, link.code_misses = None, 0
    link.opened_at = link.opened_at or now


def of_case(session: Session, case: Case) -> list[CaseLink]:
    """All links that were ever handed out for a case, oldest first."""
    found = select(CaseLink).where(CaseLink.case_id == case.id).order_by(CaseLink.id)
    return list(session.scalars(found))


def _living(session: Session, case: Case) -> list[CaseLink]:
    found = select(CaseLink).where(CaseLink.case_id == case.id, CaseLink.ended_at.is_(None))
    return list(session.scalars(found))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
