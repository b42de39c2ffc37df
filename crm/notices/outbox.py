"""Write a message to somebody, in the transaction that causes it; it is sent after the commit.

    outbox.write(session, channel=Channel.SMS, recipient="0912345678", body=text,
                 purpose=Purpose.CASE, case_id=case.id, key=f"case:{case.id}:resolved", now=now)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.notices.models import Channel, Notice, NoticeFile, Purpose, State
from crm.settings import Settings

__all__ = ["Attachment", "Channel", "NoticeError", "Purpose", "alarm", "write"]

ALARM_QUIET_FOR = timedelta(minutes=30)  # one alarm about one subject in this time
ALARM_LENGTH = 160
NEVER_HELD = frozenset({Purpose.ALARM, Purpose.CODE})  # somebody waits for it, day and night
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,189}")
_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+")


class NoticeError(HotlineError):
    """A notice cannot be written as asked, or cannot be sent again."""


@dataclass(frozen=True)
class Attachment:
    """A file of an e-mail: its bytes, or a path that is read when it is sent."""

    name: str
    media_type: str
    content: bytes | Path


def write(
    session: Session, *, channel: Channel, recipient: str, body: str, now: datetime, purpose: str,
    subject: str = "", case_id: int | None = None, key: str | None = None, urgent: bool = False,
    personal: bool = True, template: str | None = None, params: dict[str, str] | None = None,
    files: Sequence[Attachment] = (),
) -> Notice | None:
    """Put a message into the outbox. None: one with this `key` has been written before.

    `urgent` goes out in quiet hours, as alarms and codes do. `personal`: about a person; foreign
    services never get it. `template` and `params`: the provider's, for Zalo. `files`: for e-mail.

    Raises NoticeError for a recipient that is none, an empty text, an unknown purpose.
    """
    _check(channel, recipient, body, subject, files)
    try:
        why = Purpose(purpose)
    except ValueError as error:
        raise NoticeError(f"{purpose} is no purpose of a notice") from error
    notice = Notice(
        channel=channel, purpose=why, recipient=recipient, subject=subject, body=body,
        template=template, params=params, key=key, case_id=case_id,
        urgent=urgent or why in NEVER_HELD, personal=personal, state=State.WAITING,
        next_attempt_at=now, created_at=now,
        files=[_row(one) for one in files],
    )
    if key is None:
        session.add(notice)
        session.flush()
        return notice
    if session.scalar(select(Notice.id).where(Notice.key == key)) is not None:
        return None
    try:
        with session.begin_nested():  # another transaction may have written it since
            session.add(notice)
    except IntegrityError:
        if session.scalar(select(Notice.id).where(Notice.key == key)) is None:
            raise
        return None
    return notice


def alarm(
    session: Session, settings: Settings, *, subject: str, body: str, now: datetime,
    over: bool = False,
) -> int:
    """Write an alarm to every engineer on duty; how many messages were written. `over`: that what
    was alarmed is no more.

    The same subject alarms once in half an hour, unless it was over in between. Alarms never tell
    anything of a person.
    """
    begun, ended = subject, f"{subject}: over"
    subject = ended if over else begun
    last = session.scalar(
        select(Notice.subject).where(
            Notice.purpose == Purpose.ALARM, Notice.subject.in_((begun, ended)),
            Notice.created_at > now - ALARM_QUIET_FOR,
        ).order_by(Notice.created_at.desc(), Notice.id.desc()).limit(1)
    )
    if last == subject:
        return 0
    text = f"1022 {settings.node}: {body}"[:ALARM_LENGTH]
    for phone in settings.alarm_phones:
        write(
            session, channel=Channel.SMS, recipient=phone, body=text, subject=subject,
            purpose=Purpose.ALARM, personal=False, now=now,
        )
    for address in settings.alarm_emails:
        write(
            session, channel=Channel.EMAIL, recipient=address, body=text, subject=subject,
            purpose=Purpose.ALARM, personal=False, now=now,
        )
    return len(settings.alarm_phones) + len(settings.alarm_emails)


def can_be_reached(recipient: str) -> bool:
    """Whether this is a phone number or an e-mail address."""
    return bool(_NUMBER.fullmatch(recipient) or _ADDRESS.fullmatch(recipient))


def _check(
    channel: Channel, recipient: str, body: str, subject: str, files: Sequence[Attachment]
) -> None:
    if not (_ADDRESS if channel is Channel.EMAIL else _NUMBER).fullmatch(recipient):
        raise NoticeError(f"a notice by {channel} needs a recipient that can be reached by it")
    if not body.strip():
        raise NoticeError("a notice needs a text")
    if len(subject) > 200 or re.search(r"[\x00-\x1f\x7f]", subject):
        raise NoticeError("the subject of a notice is one line of 200 characters at most")
    if files and channel is not Channel.EMAIL:
        raise NoticeError("files go by e-mail only")
    for file in files:
        if not re.fullmatch(r"[^/\\\x00-\x1f\x7f\"]{1,120}", file.name):
            raise NoticeError("the name of a file has 120 characters at most, without / and quotes")
        if not _TYPE.fullmatch(file.media_type):
            raise NoticeError(f"{file.media_type} is no media type")


def _row(file: Attachment) -> NoticeFile:
    if isinstance(file.content, bytes):
        return NoticeFile(name=file.name, media_type=file.media_type, content=file.content)
    return NoticeFile(name=file.name, media_type=file.media_type, path=str(file.content.absolute()))
