"""Read citizens' mails by IMAP: each is marked as seen only after it has been taken in for good.
Whatever dies in between, it is read again and known by its Message-ID."""

from __future__ import annotations

import imaplib
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from imap_tools import (
    AND,
    BaseMailBox,
    ImapToolsError,
    MailBox,
    MailBoxStartTls,
    MailBoxUnencrypted,
    MailMessage,
    MailMessageFlags,
)

from crm.cases import attachments
from crm.cases.attachments import AttachmentError, Kept
from crm.cases.deadlines import GENERALS
from crm.database import Database
from crm.errors import HotlineError
from crm.imports import files
from crm.imports.files import FileError
from crm.intake import arrivals, mail, portals
from crm.intake.mail import Mail, Taken
from crm.intake.portals import Portal, PortalError
from crm.notices import outbox
from crm.notices.outbox import Channel, Purpose
from crm.settings import Settings

log = logging.getLogger(__name__)

AT_ONCE = 50  # mails of a round
TIMEOUT_S = 30


class MailboxError(HotlineError):
    """The mailbox cannot be read; one sentence."""


def read(
    settings: Settings, database: Database, clock: Callable[[], datetime],
    trusted: ssl.SSLContext | None = None,
) -> Counter[Taken]:
    """Take in what nobody has seen yet; how many became what. One that cannot be taken in stays as
    it is and stops no other. `trusted`: whom to believe besides the system's authorities (the
    tests' own). Raises MailboxError."""
    done: Counter[Taken] = Counter()
    try:
        with _opened(settings, trusted or ssl.create_default_context()) as box:
            for uid in box.uids(AND(seen=False))[:AT_ONCE]:
                found = _fetched(box, uid)
                if found is None:
                    continue
                try:
                    done[_take(settings, database, found, clock())] += 1
                except Exception:
                    log.exception("mail %s cannot be taken in", uid)
                    done[Taken.FAILED] += 1
                    continue
                _mark_seen(box, uid)
    except (ImapToolsError, imaplib.IMAP4.error, OSError) as error:
        raise MailboxError(f"the mailbox cannot be read: {type(error).__name__}") from error
    return done


def _opened(settings: Settings, trusted: ssl.SSLContext) -> BaseMailBox:
    host, _, port = (settings.imap_server or "").rpartition(":")
    box: BaseMailBox
    if settings.imap_security == "tls":
        box = MailBox(host, int(port), timeout=TIMEOUT_S, ssl_context=trusted)
    elif settings.imap_security == "starttls":
        box = MailBoxStartTls(host, int(port), timeout=TIMEOUT_S, ssl_context=trusted)
    else:
        box = MailBoxUnencrypted(host, int(port), timeout=TIMEOUT_S)
    try:
        box.login(settings.imap_user or "", settings.imap_password or "", settings.imap_folder)
    except BaseException:
        box.client.shutdown()
        raise
    return box


def _mark_seen(box: BaseMailBox, uid: str) -> None:
    # the library's own flag() would also delete for good what somebody has marked as deleted
    box.client.uid("STORE", uid, "+FLAGS", f"({MailMessageFlags.SEEN})")


def _fetched(box: BaseMailBox, uid: str) -> Mail | None:
    """A mail, or the head of one that is too large; None: it is gone."""
    head = _one(box, uid, headers_only=True)
    if head is None:
        return None
    if head.size_rfc822 > mail.LARGEST:
        return mail.parse(head.obj.as_bytes(), cut=True)
    whole = _one(box, uid, headers_only=False)
    return None if whole is None else mail.parse(whole.obj.as_bytes())


def _one(box: BaseMailBox, uid: str, *, headers_only: bool) -> MailMessage | None:
    found = box.fetch(AND(uid=uid), headers_only=headers_only, mark_seen=False)
    return next(iter(found), None)


def _take_table(
    settings: Settings, database: Database, one: Mail, portal: Portal, now: datetime
) -> Taken:
    """Each table of a portal's mail is taken in as a whole, or not at all; whoever sent it hears
    what became of it."""
    sender, told = one.sender or "", []
    with database.transaction() as session:
        if arrivals.first(session, arrivals.EMAIL, one.key, now, sender=sender) is None:
            return Taken.KNOWN
        for name, content in one.files:
            try:
                rows = files.read_bytes(content, portals.TAKEN)
                done = portals.take_in(
                    session, portal, rows, by="email", now=now,
                    general=GENERALS[settings.general_days],
                )
            except (FileError, PortalError) as error:
                told.append(f"{name}: KHÔNG NHẬN\n{error}")
            else:
                told.append(f"{name}: {done.opened} phản ánh mới, {done.changed} đổi trạng thái")
        if not one.automatic:
            outbox.write(
                session, channel=Channel.EMAIL, recipient=sender, purpose=Purpose.REPORT, now=now,
                subject=f"1022 Thanh Hóa: {one.subject}"[:200], personal=False,
                body="\n\n".join(told) or "Thư không có tệp CSV hoặc XLSX.",
            )
    return Taken.TABLE


def _take(settings: Settings, database: Database, one: Mail, now: datetime) -> Taken:
    known = (named.partition(" ") for named in settings.portal_mail)
    portal = next((name for name, _, address in known if address == one.sender), None)
    if portal is not None and (one.files or not one.automatic):
        return _take_table(settings, database, one, Portal(portal), now)
    kept: list[Kept] = []
    refused: list[str] = []
    for name, content in [] if one.automatic else one.files:
        try:
            if len(kept) >= attachments.AT_ONCE:
                raise AttachmentError("too many files", "many", name)
            kept.append(attachments.take(settings.home, name, content))
        except AttachmentError as error:
            refused.append(attachments.shown_name(error.name))
    with database.transaction() as session:
        return mail.take_in(session, one, kept, refused, now)
