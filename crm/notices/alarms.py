"""Alarms that must get out even when the database, through which all else goes, is what is broken.

With a database an alarm is written into the outbox like any other. Without one it goes straight to
the mail server. In both cases it is posted to `alarm_url`, where another system watches.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from crm.api import posting
from crm.calls.rows import iso
from crm.database import Database, DatabaseError
from crm.notices import mail, outbox
from crm.notices.delivery import Outgoing, Undelivered
from crm.settings import Settings

log = logging.getLogger(__name__)


def sound(
    settings: Settings, database: Database, *, subject: str, body: str, now: datetime,
    over: bool = False,
) -> list[str]:
    """Tell the engineers now; by which ways it went (outbox, mail, url). `over`: that what was
    alarmed is no more. Never raises: what is broken already must not hide in a second fault."""
    ways = []
    try:
        with database.transaction() as session:
            if outbox.alarm(
                session, settings, subject=subject, body=body, now=now, over=over
            ):
                ways.append("outbox")
    except (SQLAlchemyError, DatabaseError):
        log.exception("the alarm %s cannot be written into the database", subject)
        if _mailed(settings, subject, body):
            ways.append("mail")
    if settings.alarm_url and _posted(settings, subject, body, now, over):
        ways.append("url")
    return ways


def _mailed(settings: Settings, subject: str, body: str) -> bool:
    if not (settings.mail_server and settings.alarm_emails):
        return False
    route, told = mail.route(settings), False
    for address in settings.alarm_emails:
        try:
            route.send(Outgoing(
                id=0, attempt=1, recipient=address, subject=f"1022: {subject}",
                body=f"1022 {settings.node}: {body}", template=None, params={}, personal=False,
                files=(),
            ))
            told = True
        except Undelivered as error:
            log.error("the alarm %s was not mailed: %s", subject, error)
    return told


def _posted(settings: Settings, subject: str, body: str, now: datetime, over: bool) -> bool:
    told = json.dumps({
        "type": "alarm", "timestamp": iso(now),
        "data": {"node": settings.node, "subject": subject, "text": body, "over": over},
    })
    answer = posting.post(
        settings.alarm_url or "", told, {"Content-Type": "application/json"},
        settings.webhook_networks,
    )
    if not answer.taken:
        log.error("the alarm %s was not posted: %s", subject, answer.problem)
    return answer.taken
