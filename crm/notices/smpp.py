"""SMS over SMPP 3.4 to an operator's SMSC: one connection that sends and receives.

Delivery reports and replies come in on it (deliver_sm) and are acknowledged only when they are in
the database. Whoever delivers calls `send`; the scheduler calls `attend` every few seconds.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smpplib import consts, exceptions, smpp  # type: ignore[import-untyped]
from smpplib.client import Client  # type: ignore[import-untyped]
from sqlalchemy.exc import SQLAlchemyError

from crm.notices import sms
from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.numbers import international
from crm.notices.receipts import Receipt
from crm.settings import Settings

log = logging.getLogger(__name__)

PROVIDER = "smpp"
TIMEOUT_S = 10.0
IDLE_S = 30.0  # so long without a word, then enquire_link
BACKOFF_S = (1.0, 60.0)
THROTTLED = frozenset({consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL})
PASSING = THROTTLED | {
    consts.SMPP_ESME_RSYSERR, consts.SMPP_ESME_RX_T_APPN, consts.SMPP_ESME_RSUBMITFAIL,
}
REPORT = 0x04  # esm_class of a deliver_sm that is a delivery receipt
HEADER = 0x40  # esm_class of a part with a user data header
DELIVERED, FAILED = frozenset({"DELIVRD", "2"}), frozenset({
    "EXPIRED", "DELETED", "UNDELIV", "REJECTD", "UNKNOWN", "3", "4", "5", "7", "8",
})
_TOLD = re.compile(
    r"id:(?P<id>[!-~]{1,65}).*?stat:(?P<stat>[A-Z]+)(?:.*?err:(?P<err>[0-9A-Za-z]+))?", re.DOTALL
)


@dataclass(frozen=True)
class Inbox:
    """What comes in: each is in the database when it returns."""

    receipt: Callable[[Receipt], None]
    reply: Callable[[str, str], None]  # number, text


class Smpp:
    """The connection; any thread may use it."""

    def __init__(
        self, settings: Settings, inbox: Inbox, *, idle_s: float = IDLE_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._inbox = inbox
        self._idle_s = idle_s
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._client: _Client | None = None
        self._answers: dict[int, Any] = {}  # submit_sm_resp by sequence
        self._heard = 0.0
        self._enquired = False
        self._again_at, self._backoff = 0.0, BACKOFF_S[0]

    def route(self) -> Route:
        return Route(PROVIDER, self.send)

    def send(self, outgoing: Outgoing) -> str:
        """Submit a message, in parts if it is long; the id of the last part."""
        text = sms.fitting(outgoing.body, self._settings)
        coding = "gsm" if sms.is_gsm(text) else "ucs2"
        with self._lock:
            client = self._connected()
            last = ""
            for number, part in enumerate(self._parts(text, coding, outgoing.id)):
                try:
                    last = self._submit(client, outgoing.recipient, coding, part)
                except Undelivered as error:
                    error.unsure = error.unsure or number > 0  # some of it has gone
                    raise
            return last

    def attend(self) -> None:
        """Take in what has come, and see to it that the connection lives."""
        with self._lock:
            try:
                client = self._connected()
            except Undelivered as error:
                log.warning("%s", error)
                return
            try:
                client.poll(auto_send_enquire_link=False)
                silent = time.monotonic() - self._heard
                if self._enquired and silent > self._idle_s + self._timeout_s:
                    raise exceptions.ConnectionError("enquire_link was not answered")
                if not self._enquired and silent > self._idle_s:
                    client.enquire()
                    self._enquired = True
            except _BROKEN as error:
                self._lost(error)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.drop()
                self._client = None

    def _parts(self, text: str, coding: str, reference: int) -> list[dict[str, Any]]:
        cut = sms.parts(text)
        if len(cut) == 1:
            return [{"short_message": sms.encoded(text, coding), "registered_delivery": 1}]
        if self._settings.smpp_long == "payload":
            return [{
                "message_payload": sms.encoded(text, coding), "registered_delivery": 1,
            }]
        # one report is enough: that of the last part
        return [
            {
                "short_message": bytes((5, 0, 3, reference % 256, len(cut), number))
                + sms.encoded(part, coding),
                "esm_class": HEADER, "registered_delivery": int(number == len(cut)),
            }
            for number, part in enumerate(cut, 1)
        ]

    def _submit(self, client: _Client, recipient: str, coding: str, part: dict[str, Any]) -> str:
        try:
            sent = client.send_message(
                source_addr_ton=consts.SMPP_TON_ALNUM, source_addr_npi=consts.SMPP_NPI_UNK,
                source_addr=self._settings.sms_sender, dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=international(recipient, "84"),
                data_coding=8 if coding == "ucs2" else 0, **part,
            )
            until = time.monotonic() + self._timeout_s
            while sent.sequence not in self._answers:
                if time.monotonic() > until:
                    raise exceptions.ConnectionError("submit_sm was not answered")
                client.read_once(auto_send_enquire_link=False)
        except _BROKEN as error:
            self._lost(error)
            raise Undelivered(
                f"the SMSC is lost: {type(error).__name__}", final=False, throttled=True,
                unsure=True,
            ) from error
        answer = self._answers.pop(sent.sequence)
        if answer.is_error():
            told = consts.DESCRIPTIONS.get(answer.status, "unknown error")
            raise Undelivered(
                f"SMPP {answer.status:#x}: {told}", final=answer.status not in PASSING,
                throttled=answer.status in THROTTLED,
            )
        return _text(answer.message_id)

    def _connected(self) -> _Client:
        if self._client is not None:
            return self._client
        if time.monotonic() < self._again_at:
            raise Undelivered("the SMSC could not be reached just now", final=False,
                              throttled=True)
        client = _Client(self._settings, self._timeout_s)
        try:
            client.connect()
            client.bind_transceiver(
                system_id=self._settings.smpp_user, password=self._settings.smpp_password,
                system_type=self._settings.smpp_system_type or None, interface_version=0x34,
            )
        except _BROKEN as error:
            client.drop()
            self._put_off()
            raise Undelivered(
                f"the SMSC cannot be reached: {error or type(error).__name__}", final=False,
                throttled=True,
            ) from error
        client.set_message_received_handler(self._received)
        client.set_message_sent_handler(self._answered)
        client.set_error_pdu_handler(self._answered)
        client.heard = self._noted
        self._client, self._backoff = client, BACKOFF_S[0]
        self._answers.clear()
        self._noted()
        return client

    def _lost(self, error: BaseException) -> None:
        log.warning("SMPP: the connection is lost: %s", error or type(error).__name__)
        if self._client is not None:
            self._client.drop()
            self._client = None
        self._put_off()

    def _put_off(self) -> None:
        self._again_at = time.monotonic() + self._backoff
        self._backoff = min(self._backoff * 2, BACKOFF_S[1])

    def _noted(self) -> None:
        self._heard, self._enquired = time.monotonic(), False

    def _answered(self, pdu: Any) -> None:
        if pdu.command == "submit_sm_resp":
            self._answers[pdu.sequence] = pdu

    def _received(self, pdu: Any) -> int:
        """A deliver_sm; the status that it is answered with."""
        try:
            if pdu.esm_class & 0x3C == REPORT:
                if (receipt := receipt_of(pdu)) is not None:
                    self._inbox.receipt(receipt)
            else:
                self._inbox.reply(_text(pdu.source_addr), _words(pdu))
        except SQLAlchemyError as error:
            log.error("SMPP: what came in could not be kept: %s", type(error).__name__)
            return int(consts.SMPP_ESME_RX_T_APPN)  # it will come again
        return int(consts.SMPP_ESME_ROK)


def receipt_of(pdu: Any) -> Receipt | None:
    """The report in a deliver_sm: by its optional fields, or by its text (appendix B of the
    specification). None where it is not the last word."""
    told = _TOLD.search(_words(pdu))
    number = _text(pdu.receipted_message_id) or (told["id"] if told else "")
    state = str(pdu.message_state or "") or (told["stat"] if told else "")
    if not number or state not in DELIVERED | FAILED:
        return None
    error = f"{told['stat']} {told['err'] or ''}".strip() if told else f"state {state}"
    return Receipt(PROVIDER, number[:100], state in DELIVERED, error)


def _words(pdu: Any) -> str:
    octets = bytes(pdu.short_message or pdu.message_payload or b"")
    if pdu.data_coding == 8:
        return octets.decode("utf-16-be", "replace")
    return octets.decode("latin-1")


def _text(value: bytes | str | None) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return (value or "").rstrip("\0")


class _Client(Client):  # type: ignore[misc]
    """The library's client, with a checked certificate, and noting when the SMSC was heard."""

    _socket: Any = None

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        host, _, port = (settings.smpp_server or "").rpartition(":")
        context = ssl.create_default_context() if settings.smpp_tls == "yes" else None
        super().__init__(
            host, int(port), timeout=timeout_s, logger_name="smpp", ssl_context=context,
            allow_unknown_opt_params=True,
        )
        self.heard: Callable[[], None] = lambda: None

    def _create_socket(self) -> Any:
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.settimeout(self.timeout)
        if self._ssl_context is None:
            return plain
        return self._ssl_context.wrap_socket(plain, server_hostname=self.host)

    def read_pdu(self) -> Any:
        pdu = super().read_pdu()
        self.heard()
        if pdu.command == "unbind":  # they end it: what is under way comes to nothing
            raise exceptions.ConnectionError("the SMSC has ended the connection")
        return pdu

    def enquire(self) -> None:
        self.send_pdu(smpp.make_pdu("enquire_link", client=self))

    def drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.state = consts.SMPP_CLIENT_STATE_CLOSED


_BROKEN = (
    exceptions.ConnectionError, exceptions.PDUError, exceptions.UnknownCommandError, OSError,
    ValueError,
)
