"""E-mail over SMTP, encrypted (the server's certificate is checked), with files."""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.outbox import Attachment
from crm.settings import Settings

PROVIDER = "smtp"
NAME = "1022 Thanh Hóa"
SUBJECT = "Tổng đài 1022 Thanh Hóa"  # of a notice without one
TIMEOUT_S = 20


def route(settings: Settings, trusted: ssl.SSLContext | None = None) -> Route:
    """`trusted`: whom to believe besides the system's authorities (the tests' own)."""
    context = trusted or ssl.create_default_context()

    def send(outgoing: Outgoing) -> str:
        message = _message(settings, outgoing)
        try:
            with _connected(settings, context) as server:
                server.send_message(message)
        except smtplib.SMTPAuthenticationError as error:
            raise Undelivered(
                f"the mail server does not let us in: {error.smtp_code}", final=False,
                throttled=True,
            ) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()))
            raise Undelivered(f"the mail server refuses it: {code}", final=code >= 500) from error
        except smtplib.SMTPResponseException as error:
            raise Undelivered(
                f"the mail server refuses it: {error.smtp_code}", final=error.smtp_code >= 500
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(
                f"the mail server cannot be used: {type(error).__name__}", final=False
            ) from error
        return str(message["Message-ID"])

    return Route(PROVIDER, send)


def _connected(settings: Settings, context: ssl.SSLContext) -> smtplib.SMTP:
    host, _, port = (settings.mail_server or "").rpartition(":")
    if settings.mail_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, int(port), timeout=TIMEOUT_S, context=context
        )
    else:
        server = smtplib.SMTP(host, int(port), timeout=TIMEOUT_S)
    try:
        if settings.mail_security == "starttls":
            server.starttls(context=context)
        if settings.mail_user:
            server.login(settings.mail_user, settings.mail_password or "")
    except BaseException:
        server.close()
        raise
    return server


def _message(settings: Settings, outgoing: Outgoing) -> EmailMessage:
    """Headers are made of parsed addresses and one line: nothing can be put in between."""
    name, _, host = (settings.mail_from or "").partition("@")
    message = EmailMessage(SMTP)
    message["From"] = Address(NAME, name, host)
    message["To"] = Address(addr_spec=outgoing.recipient)
    message["Subject"] = outgoing.subject or SUBJECT
    message["Message-ID"] = f"<notice-{outgoing.id}@{host}>"  # again the same when tried again
    message["Auto-Submitted"] = "auto-generated"  # no answers from machines
    message.set_content(outgoing.body)
    for file in outgoing.files:
        kind, _, form = file.media_type.partition("/")
        message.add_attachment(_content(file), maintype=kind, subtype=form, filename=file.name)
    return message


def _content(file: Attachment) -> bytes:
    if not isinstance(file.content, Path):
        return file.content
    try:
        return file.content.read_bytes()
    except OSError as error:
        raise Undelivered(f"{file.name} cannot be read", final=True) from error
