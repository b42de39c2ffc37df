"""A stand-in for Asterisk's manager interface: a scripted TCP server for tests, and the streams
that a real Asterisk 22 sent (folder `ami`), as text and as messages."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from panoramisk.message import Message  # type: ignore[import-untyped]

from crm.setting_values import Address

STREAMS = Path(__file__).parent / "ami"
GREETING = "Asterisk Call Manager/11.0.0\r\n"
BOOTED = "Event: FullyBooted\nUptime: 1000\nStatus: Fully Booted\n\n"


def stream(name: str) -> str:
    """A recorded stream, one block for each message."""
    return (STREAMS / f"{name}.txt").read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[str]:
    return (block.strip() for block in text.split("\n\n") if block.strip())


def undated(text: str) -> str:
    """A stream without its timestamps: its events happen when they are read."""
    return re.sub(r"Timestamp: .*\n", "", text)


def message(text: str) -> Message:
    """One message as panoramisk makes it of the text."""
    made = Message.from_line(text.strip().replace("\n", "\r\n"))
    assert made is not None
    return made


def messages(text: str) -> list[Message]:
    return [message(block) for block in blocks(text)]


def listed(text: str, action_id: str) -> str:
    """The events of a stream that answer one action, without its id."""
    mark = f"\nActionID: {action_id}"
    found = (block for block in blocks(text) if mark in block and "EventList" not in block)
    return "\n\n".join(block.replace(mark, "") for block in found)


class AmiStandIn:
    """Accepts any login. `received` holds every action as a dict; `say` sends to all who listen.

    `refused` maps an action's name to the message of its error; actions in `ignored` get no
    answer; `values` are those of Getvar; `lists` holds the bodies of CoreShowChannels and
    QueueStatus. `silent`: it reads, and says nothing at all, like the far end of a half-open link.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.refused: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.ignored: set[str] = set()
        self.lists = {"CoreShowChannels": "", "QueueStatus": ""}
        self.booted = BOOTED
        self.silent = False
        self.accepted = 0
        self._open: list[socket.socket] = []
        self._listening: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = Address(*self._server.getsockname())

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self.drop()

    def say(self, text: str) -> None:
        """Send events, written with plain line ends."""
        self.say_bytes(text.replace("\n", "\r\n").encode())

    def say_bytes(self, data: bytes) -> None:
        for connection in list(self._listening):
            with contextlib.suppress(OSError):  # it was closed from the other side
                connection.sendall(data)

    def drop(self) -> None:
        """Close every connection."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self._listening.clear()

    def asked(self, action: str) -> list[dict[str, str]]:
        return [values for values in self.received if values["Action"] == action]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.accepted += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(GREETING.encode())
            received = b""
            while data := connection.recv(65536):
                received += data
                while b"\r\n\r\n" in received:
                    block, _, received = received.partition(b"\r\n\r\n")
                    lines = block.decode().split("\r\n")
                    values = dict(line.split(": ", 1) for line in lines)
                    self.received.append(values)
                    if not self.silent and values["Action"] not in self.ignored:
                        answer = self._answer(values, connection)
                        connection.sendall(answer.replace("\n", "\r\n").encode())
                        if values["Action"] == "Logoff":
                            return

    def _answer(self, values: dict[str, str], connection: socket.socket) -> str:
        action = values["Action"]
        mark = f"\nActionID: {values['ActionID']}" if "ActionID" in values else ""
        if action in self.refused:
            return f"Response: Error{mark}\nMessage: {self.refused[action]}\n\n"
        if action == "Logoff":
            return f"Response: Goodbye{mark}\nMessage: Thanks for all the fish.\n\n"
        if action == "Getvar":
            name = values["Variable"]
            value = self.values.get(name, "")
            return f"Response: Success{mark}\nVariable: {name}\nValue: {value}\n\n"
        if action in self.lists:
            events = "".join(f"{block}{mark}\n\n" for block in blocks(self.lists[action]))
            return (
                f"Response: Success{mark}\nEventList: start\nMessage: will follow\n\n{events}"
                f"Event: {action}Complete{mark}\nEventList: Complete\nListItems: 1\n\n"
            )
        answer = f"Response: Success{mark}\nMessage: ok\n\n"
        if action == "Login" and values["Events"] == "on":
            self._listening.append(connection)
            answer += self.booted
        return answer


def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
