"""An SMSC written from the SMPP 3.4 specification: binds, takes submit_sm, sends deliver_sm. It is
a stand-in, and no operator has certified what works against it."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

BIND, BIND_RESP = 0x00000009, 0x80000009
SUBMIT, SUBMIT_RESP = 0x00000004, 0x80000004
DELIVER, DELIVER_RESP = 0x00000005, 0x80000005
ENQUIRE, ENQUIRE_RESP = 0x00000015, 0x80000015
UNBIND, UNBIND_RESP = 0x00000006, 0x80000006
PAYLOAD = 0x0424
PASSWORD = "secret"  # of the stand-in alone
OK, THROTTLED, BAD_NUMBER, BAD_BIND = 0x00, 0x58, 0x0B, 0x0D


@dataclass(frozen=True)
class Submitted:
    source: str
    destination: str
    esm_class: int
    registered: int
    coding: int
    octets: bytes


class Smsc(threading.Thread):
    """Serves one client at a time. `statuses`: what the next submit_sm are answered with."""

    def __init__(self, password: str = PASSWORD) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.password = password
        self.submitted: list[Submitted] = []
        self.statuses: list[int] = []
        self.binds = self.enquiries = self.ends = 0
        self.answered: list[int] = []  # statuses of deliver_sm_resp
        self.mute = False  # answers nothing any more
        self._peer: socket.socket | None = None
        self._sequence = 100
        self.changed = threading.Condition()

    def __enter__(self) -> Smsc:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown wakes accept() and recv(); closing alone does not
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        self.join(5)

    def cut(self) -> None:
        """The connection breaks."""
        if self._peer is not None:
            with suppress(OSError):
                self._peer.shutdown(socket.SHUT_RDWR)

    def deliver(
        self, text: str, *, source: str = "84912345678", esm_class: int = 0, coding: int = 0
    ) -> None:
        """Send a delivery receipt (esm_class 4) or what somebody wrote."""
        octets = text.encode("utf-16-be" if coding == 8 else "latin-1")
        body = (
            b"\0" + b"\x01\x01" + source.encode() + b"\0" + b"\x05\x00" + b"UBND 1022\0"
            + bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, coding, 0, len(octets))) + octets
        )
        self._sequence += 1
        assert self._peer is not None
        self._peer.sendall(_pdu(DELIVER, 0, self._sequence, body))

    def wait_for(self, what: str, number: int) -> None:
        with self.changed:
            def reached() -> bool:
                value = getattr(self, what)
                return (value if isinstance(value, int) else len(value)) >= number
            assert self.changed.wait_for(reached, 5), f"no {what}"

    def run(self) -> None:
        while True:
            try:
                self._peer, _ = self._listening.accept()
            except OSError:
                return
            with self._peer, suppress(OSError):
                while (pdu := _read(self._peer)) is not None:
                    self._answer(self._peer, *pdu)
            self.ends += 1

    def _answer(
        self, peer: socket.socket, command: int, status: int, sequence: int, body: bytes
    ) -> None:
        with self.changed:
            self.changed.notify_all()
            if command == ENQUIRE:
                self.enquiries += 1
            if self.mute:
                return
            if command == BIND:
                self.binds += 1
                _, password, *_ = body.split(b"\0")
                right = OK if password.decode() == self.password else BAD_BIND
                peer.sendall(_pdu(BIND_RESP, right, sequence, b"smsc\0"))
            elif command == SUBMIT:
                answer = self.statuses.pop(0) if self.statuses else OK
                number = b""
                if answer == OK:
                    self.submitted.append(_submitted(body))
                    number = b"id%d\0" % len(self.submitted)
                peer.sendall(_pdu(SUBMIT_RESP, answer, sequence, number))
            elif command == ENQUIRE:
                peer.sendall(_pdu(ENQUIRE_RESP, OK, sequence, b""))
            elif command == DELIVER_RESP:
                self.answered.append(status)
            elif command == UNBIND:
                peer.sendall(_pdu(UNBIND_RESP, OK, sequence, b""))


def _pdu(command: int, status: int, sequence: int, body: bytes) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def _read(peer: socket.socket) -> tuple[int, int, int, bytes] | None:
    head = _exactly(peer, 16)
    if head is None:
        return None
    length, command, status, sequence = struct.unpack(">IIII", head)
    body = _exactly(peer, length - 16)
    return None if body is None else (command, status, sequence, body)


def _exactly(peer: socket.socket, size: int) -> bytes | None:
    found = b""
    while len(found) < size:
        if not (more := peer.recv(size - len(found))):
            return None
        found += more
    return found


def _submitted(body: bytes) -> Submitted:
    def text(at: int) -> tuple[str, int]:
        end = body.index(b"\0", at)
        return body[at:end].decode("latin-1"), end + 1

    _, at = text(0)  # service type
    source, at = text(at + 2)
    destination, at = text(at + 2)
    esm_class = body[at]
    _, at = text(at + 3)  # when to deliver
    _, at = text(at)  # until when
    registered, _, coding, _, length = body[at:at + 5]
    octets, rest = body[at + 5:at + 5 + length], body[at + 5 + length:]
    if not octets and rest:
        tag, size = struct.unpack(">HH", rest[:4])
        assert tag == PAYLOAD
        octets = rest[4:4 + size]
    return Submitted(source, destination, esm_class, registered, coding, octets)
