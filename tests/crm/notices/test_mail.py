"""E-mail over SMTP against a stand-in server written from RFC 5321 and RFC 3207."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crm.notices import mail
from crm.notices.delivery import Outgoing, Undelivered
from crm.notices.outbox import Attachment
from crm.settings import Settings, SettingsError
from tests.crm.notices.factory import settings


class SmtpStandIn(threading.Thread):
    """`refusals`: what it says to a command, by its first word. `context`: it offers STARTTLS."""

    def __init__(
        self, context: ssl.SSLContext | None = None, refusals: dict[str, str] | None = None
    ) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._context = context
        self._refusals = refusals or {}
        self.messages: list[EmailMessage] = []
        self.commands: list[str] = []

    def __enter__(self) -> SmtpStandIn:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.join(5)

    def run(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            with suppress(OSError):
                self._serve(peer)
            peer.close()

    def _serve(self, peer: socket.socket) -> None:
        lines = peer.makefile("rb")
        peer.sendall(b"220 stand-in\r\n")
        while line := lines.readline():
            text = line.decode().strip()
            word = text.split(" ")[0].upper()
            self.commands.append(text)
            if word in self._refusals:
                peer.sendall(f"{self._refusals[word]}\r\n".encode())
            elif word == "EHLO":
                offered = "250-STARTTLS\r\n" if self._context else ""
                peer.sendall(f"250-stand-in\r\n{offered}250 AUTH PLAIN\r\n".encode())
            elif word == "STARTTLS" and self._context:
                peer.sendall(b"220 go\r\n")
                peer = self._context.wrap_socket(peer, server_side=True)
                lines = peer.makefile("rb")
            elif word == "DATA":
                peer.sendall(b"354 go\r\n")
                data = b"".join(  # a dot at the beginning is doubled: RFC 5321, 4.5.2
                    one.removeprefix(b".") for one in iter(lines.readline, b".\r\n")
                )
                self.messages.append(message_from_bytes(data, policy=policy.default))
                peer.sendall(b"250 taken\r\n")
            elif word == "AUTH":
                peer.sendall(b"235 in\r\n")
            elif word == "QUIT":
                peer.sendall(b"221 bye\r\n")
                return
            else:
                peer.sendall(b"250 ok\r\n")


def mail_settings(home: Path, server: SmtpStandIn, **values: str) -> Settings:
    return settings(home, mail_server=server.address, mail_from="baocao@1022.example.vn",
                    **{"mail_security": "none", **values})


def outgoing(*files: Attachment, subject: str = "Báo cáo ngày 01/11") -> Outgoing:
    return Outgoing(12, 1, "chi.huy@example.vn", subject, "Kính gửi quý vị.\n.\nHết.", None, {},
                    True, files)


def test_a_report_goes_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04")
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    with SmtpStandIn() as server:
        number = mail.route(mail_settings(tmp_path, server)).send(outgoing(
            Attachment("báo cáo.pdf", "application/pdf", b"%PDF-1.7"),
            Attachment("b.xlsx", sheet, tmp_path / "b.xlsx"),
        ))
    message, = server.messages
    assert number == message["Message-ID"] == "<notice-12@1022.example.vn>"
    assert message["Subject"] == "Báo cáo ngày 01/11"
    assert message["To"] == "chi.huy@example.vn"
    assert str(message["From"]) == "1022 Thanh Hóa <baocao@1022.example.vn>"
    body = message.get_body()
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == "Kính gửi quý vị.\n.\nHết.\n"
    files = [(one.get_filename(), one.get_content_type(), one.get_content())
             for one in message.iter_attachments()]
    assert files == [("báo cáo.pdf", "application/pdf", b"%PDF-1.7"),
                     ("b.xlsx", sheet, b"PK\x03\x04")]


def test_a_subject_cannot_bring_headers(tmp_path: Path) -> None:
    with SmtpStandIn() as server, pytest.raises(ValueError, match="linefeed"):
        mail.route(mail_settings(tmp_path, server)).send(
            outgoing(subject="a\r\nBcc: other@example.vn")
        )
    assert server.messages == []


@pytest.mark.parametrize(("word", "said", "final"), [
    ("RCPT", "550 no such mailbox", True), ("RCPT", "450 mailbox busy", False),
    ("MAIL", "554 not from you", True), ("DATA", "451 try again", False),
    ("EHLO", "421 too many", False),
])
def test_faults_are_told_apart(tmp_path: Path, word: str, said: str, final: bool) -> None:
    with SmtpStandIn(None, {word: said, "HELO": said}) as server:
        with pytest.raises(Undelivered) as fault:
            mail.route(mail_settings(tmp_path, server)).send(outgoing())
        assert fault.value.final is final
        assert "example.vn" not in str(fault.value)


def test_a_file_that_is_gone_fails_for_good(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        route = mail.route(mail_settings(tmp_path, server))
        gone = Attachment("a.pdf", "application/pdf", tmp_path / "gone.pdf")
        with pytest.raises(Undelivered, match=r"a\.pdf cannot be read") as fault:
            route.send(outgoing(gone))
    assert fault.value.final


def test_a_server_that_is_not_there_is_a_passing_fault(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        pass
    with pytest.raises(Undelivered) as fault:
        mail.route(mail_settings(tmp_path, server)).send(outgoing())
    assert not fault.value.final


def certificate(folder: Path) -> Path:
    """A key and its certificate for 127.0.0.1, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "stand-in.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                          serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_the_password_goes_over_tls_and_to_a_known_server_only(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(pem)
    with SmtpStandIn(offered) as server:
        at = mail_settings(tmp_path, server, mail_security="starttls", mail_user="u",
                           mail_password="p")
        with pytest.raises(Undelivered, match="SSLCertVerificationError"):
            mail.route(at).send(outgoing())
        assert not any(one.startswith("AUTH") for one in server.commands)
        trusted = ssl.create_default_context(cafile=str(pem))
        mail.route(at, trusted).send(outgoing())
    assert any(one.startswith("AUTH") for one in server.commands)
    assert len(server.messages) == 1


def test_a_server_that_offers_no_tls_gets_nothing(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        at = mail_settings(tmp_path, server, mail_security="starttls")
        with pytest.raises(Undelivered):
            mail.route(at).send(outgoing())
    assert server.messages == []


def test_without_encryption_only_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="mail_security"):
        settings(tmp_path, mail_server="mail.example.vn:25", mail_from="a@example.vn",
                 mail_security="none")
