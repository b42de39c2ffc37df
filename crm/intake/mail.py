"""A citizen's e-mail becomes a case, or something that is added to one.

It is added where the subject has a case's code and the mail comes from the address that opened the
case; from another address it is information that nobody has confirmed, for the desk. What machines
send by themselves (RFC 3834) is noted and answered by nothing, so that no two machines write to
each other for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parseaddr
from enum import StrEnum
from html.parser import HTMLParser

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases import attachments, life
from crm.cases.attachments import AttachmentError, Giver, Kept
from crm.cases.codes import is_code
from crm.cases.models import Case, Status
from crm.intake import arrivals, text

LARGEST = 25 * 1024 * 1024  # bytes of a mail
MOST_ANSWERED = 20  # mails of one address in a day: more are taken in and not answered
MOST_PARTS = 100
EMPTY = "(thư không có nội dung)"
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,189}")
_CODE = re.compile(r"(?<![0-9])([0-9]{4})[ .-]?([0-9]{4})(?![0-9])")
_MACHINES = re.compile(r"(?i)(mailer-daemon|postmaster|no-?reply|do-?not-?reply)@")
_BLOCKS = frozenset(
    ("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "blockquote", "ul", "ol")
)


@dataclass(frozen=True)
class Mail:
    """A mail as it is understood. `files`: name and content of each; `automatic`: a machine sent it
    by itself; `cut`: it is too large, and only its head was read."""

    key: str  # Message-ID, else a hash of it all
    sender: str | None
    subject: str
    body: str
    automatic: bool
    files: Sequence[tuple[str, bytes]] = field(default_factory=tuple)
    cut: bool = False


class Taken(StrEnum):
    """What became of a mail."""

    OPENED = "opened"
    ADDED = "added"
    UNCONFIRMED = "unconfirmed"
    AUTOMATIC = "automatic"
    KNOWN = "known"  # it was read before
    TABLE = "table"  # cases of a portal
    FAILED = "failed"  # it stays unseen, and is tried again


def parse(raw: bytes, *, cut: bool = False) -> Mail:
    """Whatever comes is a mail: what cannot be understood of it is left out."""
    message = message_from_bytes(raw, policy=policy.default)
    address = parseaddr(_header(message, "From"))[1].lower()
    key = _header(message, "Message-ID").strip() or hashlib.sha256(raw).hexdigest()
    return Mail(
        key, address if address.isascii() and _ADDRESS.fullmatch(address) else None,
        text.line(_header(message, "Subject"), 200), "" if cut else _body(message),
        _is_automatic(message, address), [] if cut else _files(message), cut,
    )


def take_in(
    session: Session, mail: Mail, kept: Sequence[Kept], refused: Sequence[str], now: datetime
) -> Taken:
    """`kept`: its files that are on the disk; `refused`: names of those that are not taken."""
    arrival = arrivals.first(session, arrivals.EMAIL, mail.key, now, sender=mail.sender)
    if arrival is None:
        return Taken.KNOWN
    if mail.automatic or mail.sender is None:
        return Taken.AUTOMATIC
    body = mail.body
    if refused:
        body += f"\n\nTệp không nhận được: {', '.join(refused)}"
    if mail.cut:
        body += "\n\nThư quá lớn, xin xem trong hộp thư."
    body = body.strip() or ("" if mail.subject else EMPTY)
    named = _named(session, mail.subject)
    confirmed = named is not None and arrivals.is_of(session, named, arrivals.EMAIL, mail.sender)
    if named is None or Status(named.status) in life.ENDED:
        # of a case that has ended it is news that the desk has to look at
        case = life.open_case(
            session, summary=text.clean(f"{mail.subject}\n{body}"), by=life.CITIZEN, now=now,
            channel="email",
        )
        taken, confirmed = Taken.OPENED, True
    elif confirmed:
        case, taken = named, Taken.ADDED
        life.add_information(session, case, text.clean(body), by=life.CITIZEN, now=now)
    else:
        case, taken = named, Taken.UNCONFIRMED
        life.note(session, case, "email", now, "unconfirmed", text=text.clean(body))
    arrival.case_id = case.id
    for one in kept:
        try:
            attachments.add(
                session, case, one, giver=Giver.CITIZEN, by=life.CITIZEN, now=now,
                confirmed=confirmed,
            )
        except AttachmentError:
            life.note(session, case, "email", now, "info", text=f"Không thêm được tệp {one.name}")
    return taken


def answers_to(session: Session, case: Case, now: datetime) -> str | None:
    """The address that a case was opened from, unless it writes like a machine."""
    address = arrivals.mail_of(session, case)
    if address is None:
        return None
    count = arrivals.of_sender(session, arrivals.EMAIL, address, now - arrivals.DAY)
    return address if count <= MOST_ANSWERED else None


def _named(session: Session, subject: str) -> Case | None:
    codes = ["".join(found) for found in _CODE.findall(subject)]
    codes = [code for code in codes if is_code(code)]
    return session.scalar(select(Case).where(Case.code.in_(codes))) if codes else None


def _header(message: Message, name: str) -> str:
    try:
        return str(message.get(name) or "")
    except Exception:  # the library raises many kinds for headers that are none
        return ""


def _is_automatic(message: Message, address: str) -> bool:
    submitted = _header(message, "Auto-Submitted").lower().partition(";")[0].strip()
    return (
        submitted not in ("", "no")
        or _header(message, "Precedence").lower().strip() in ("bulk", "junk", "list", "auto_reply")
        or any(_header(message, name) for name in ("List-Id", "X-Autoreply", "X-Autorespond"))
        or _header(message, "Return-Path").strip() == "<>"
        or message.get_content_type() == "multipart/report"
        or _MACHINES.match(address) is not None
    )


def _body(message: EmailMessage) -> str:
    try:
        part = message.get_body(("plain", "html"))
        content = part.get_content() if part is not None else ""
    except Exception:  # an unknown charset, a part that is none
        return ""
    if not isinstance(content, str):
        return ""
    if part is not None and part.get_content_type() == "text/html":
        content = as_text(content)
    unquoted = [one for one in content.splitlines() if not one.startswith(">")]
    return text.clean("\n".join(unquoted))


def _files(message: EmailMessage) -> list[tuple[str, bytes]]:
    found = []
    for part in list(message.walk())[:MOST_PARTS]:
        name = part.get_filename()
        if name and not part.is_multipart():
            content = part.get_payload(decode=True)
            found.append((name, content if isinstance(content, bytes) else b""))
    return found


def as_text(html: str) -> str:
    """What a reader sees of HTML, without its links, styles and scripts."""
    reader = _Reader()
    reader.feed(html[:1_000_000])
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.seen).splitlines())
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "head", "title"):
            self._unseen += 1
        elif tag in _BLOCKS:
            self.seen.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "head", "title"):
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.seen.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            # a line that ends in the source is a blank to the reader
            self.seen.append(data.replace("\n", " "))
