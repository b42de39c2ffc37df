"""What citizens write to the hotline's Zalo account becomes a case, or is added to the one they
wrote of within the last day. Pictures are fetched later, from Zalo's own hosts alone.

Written from Zalo's public description of its webhook, and tested against a local stand-in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases import attachments, life
from crm.cases.attachments import AttachmentError, Giver
from crm.cases.models import Case
from crm.database import Database
from crm.intake import arrivals, text
from crm.intake.models import Arrival
from crm.settings import Settings

log = logging.getLogger(__name__)

WRITTEN = frozenset({
    "user_send_text", "user_send_image", "user_send_location", "user_send_file", "user_send_audio",
    "user_send_video", "user_send_sticker", "user_send_link", "user_send_gif",
})
FOLLOWING = frozenset({"follow", "unfollow"})
EVENTS = WRITTEN | FOLLOWING
FETCHED_AT_ONCE = 10
TRIES = 5
TIMEOUT_S = 10
_CHUNK = 64 * 1024
_LOOPBACK = "127.0.0.1"


class _Person(BaseModel):
    id: str = Field(min_length=1, max_length=64)


class _Attachment(BaseModel):
    model_config = ConfigDict(extra="ignore")
    type: str = Field(max_length=20)
    payload: dict[str, Any] = Field(default_factory=dict)


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    msg_id: str = Field(min_length=1, max_length=100)
    text: str = Field(default="", max_length=20_000)
    attachments: list[_Attachment] = Field(default_factory=list, max_length=20)


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")
    event_name: str
    timestamp: int | str
    sender: _Person | None = None
    follower: _Person | None = None
    message: _Message | None = None


@dataclass(frozen=True)
class Written:
    """A message. `links` lead to files that Zalo keeps."""

    key: str
    sender: str
    body: str
    links: Sequence[str]
    is_message: bool  # else somebody follows the account, or no longer does


def parse(event: dict[str, Any]) -> Written:
    """An event of EVENTS. Raises pydantic.ValidationError."""
    told = _Event.model_validate(event)
    if told.event_name in FOLLOWING:
        person = _Person.model_validate(told.follower.model_dump() if told.follower else None)
        key = f"{told.event_name}:{person.id}:{told.timestamp}"
        return Written(key, person.id, "", (), is_message=False)
    message = _Message.model_validate(told.message.model_dump() if told.message else None)
    person = _Person.model_validate(told.sender.model_dump() if told.sender else None)
    lines, links = [message.text], []
    for one in message.attachments:
        where = one.payload.get("coordinates")
        if one.type == "location" and isinstance(where, dict):
            lines.append(f"Vị trí: {where.get('latitude', '')}, {where.get('longitude', '')}")
        elif one.type in ("image", "file", "audio", "video") and one.payload.get("url"):
            links.append(text.line(str(one.payload["url"]), 2000))
        elif one.payload.get("url"):
            lines.append(str(one.payload["url"])[:500])
    return Written(message.msg_id, person.id, text.clean("\n".join(lines)), links, is_message=True)


def take_in(session: Session, written: Written, now: datetime) -> Case | None:
    """The case that a message is of; None: it is none, or it came before."""
    arrival = arrivals.first(session, arrivals.ZALO, written.key, now, sender=written.sender)
    if arrival is None or not written.is_message or not (written.body or written.links):
        return None
    case = _under_way(session, written.sender, now)
    body = written.body or "(gửi tệp qua Zalo)"
    if case is None:
        case = life.open_case(
            session, summary=body, by=life.CITIZEN, now=now, channel="zalo"
        )
    elif written.body:
        life.add_information(session, case, body, by=life.CITIZEN, now=now)
    arrival.case_id = case.id
    for number, link in enumerate(written.links):
        file = arrivals.first(
            session, arrivals.ZALO, f"{written.key}:{number}", now, sender=written.sender
        )
        if file is not None:
            file.case_id, file.link = case.id, link
    return case


def fetch_files(
    database: Database, settings: Settings, clock: Callable[[], datetime]
) -> tuple[int, int]:
    """Fetch files that messages brought; how many are there now, and how many are given up."""
    with database.reading() as session:
        wanted = [(one.id, one.link or "") for one in session.scalars(
            select(Arrival).where(Arrival.link.is_not(None))
            .order_by(Arrival.link_tries, Arrival.id).limit(FETCHED_AT_ONCE)
        )]
    here = lost = 0
    for id_, link in wanted:
        kept, problem, final = None, "", False
        try:
            content = _content(link, settings.zalo_media_hosts)
            name = f"zalo-{id_}{attachments.ending_of(content)}"
            kept = attachments.take(settings.home, name, content)
        except (AttachmentError, _NotFetched) as error:
            problem, final = str(error), True
        except (requests.RequestException, OSError) as error:
            problem = type(error).__name__
        with database.transaction() as session:
            arrival = session.get_one(Arrival, id_, with_for_update=True)
            if arrival.link is None:
                continue  # another has fetched it
            case, now = session.get_one(Case, arrival.case_id), clock()
            arrival.link_tries += 1
            if kept is not None:
                arrival.link = None
                attachments.add(
                    session, case, kept, giver=Giver.CITIZEN, by=life.CITIZEN, now=now
                )
                here += 1
            elif final or arrival.link_tries >= TRIES:
                log.warning("a file of case %s is not fetched: %s", case.code, problem)
                arrival.link = None
                life.note(
                    session, case, "zalo", now, "info", text="Có tệp gửi qua Zalo không nhận được"
                )
                lost += 1
    return here, lost


class _NotFetched(Exception):
    """It is not fetched, now or later; why."""


def _content(link: str, hosts: Sequence[str]) -> bytes:
    """Raises _NotFetched, requests.RequestException."""
    try:
        parts = urlsplit(link)
        host = parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise _NotFetched("no address") from error
    if not any(host == one or host.endswith(f".{one}") for one in hosts):
        raise _NotFetched("its host is not one of zalo_media_hosts")
    if parts.scheme != "https" and parts.hostname != _LOOPBACK:
        raise _NotFetched("it is not encrypted")
    found = bytearray()
    with requests.get(link, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as answer:
        if answer.status_code != 200:
            if answer.status_code >= 500 or answer.status_code == 429:
                raise requests.HTTPError(f"answered {answer.status_code}")
            raise _NotFetched(f"answered {answer.status_code}")
        for chunk in answer.iter_content(_CHUNK):
            found += chunk
            if len(found) > attachments.LARGEST:
                raise _NotFetched("it is too large")
    return bytes(found)


def _under_way(session: Session, sender: str, now: datetime) -> Case | None:
    """What this sender has written of within a day, unless it has ended."""
    return session.scalar(
        select(Case).join(Arrival, Arrival.case_id == Case.id).where(
            Arrival.source == arrivals.ZALO, Arrival.sender == sender,
            Arrival.at >= now - arrivals.DAY, Case.status.not_in(life.ENDED),
        ).order_by(Arrival.id.desc()).limit(1)
    )
