"""A stand-in for an IMAP server (RFC 3501), written from the public description: one user, one
folder, what a reader of mails needs."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Box:
    """What the server has. `mails` are whole messages by number; `lost`: what the server breaks the
    connection at, once."""

    port: int = 0
    mails: dict[int, bytes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    lost: str = ""
    sizes: dict[int, int] = field(default_factory=dict)  # as told, where it is not the real one

    def put(self, mail: bytes) -> int:
        number = len(self.mails) + 1
        self.mails[number] = mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return number


class _Talk(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say("* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            command = rest.upper()
            if self.server.box.lost and self.server.box.lost in command:
                self.server.box.lost = ""
                return
            if command.startswith("CAPABILITY"):
                self._say("* CAPABILITY IMAP4rev1")
            elif command.startswith("LOGIN"):
                if rest != 'LOGIN "dan" "mat khau"':
                    self._say(f"{tag} NO wrong")
                    continue
            elif command.startswith("SELECT"):
                self._say(f"* {len(self.server.box.mails)} EXISTS")
            elif command.startswith("UID SEARCH"):
                self._search(command)
            elif command.startswith("UID FETCH"):
                self._fetch(int(rest.split()[2]), head="[HEADER]" in command)
            elif command.startswith("UID STORE"):
                assert rest.endswith("+FLAGS (\\Seen)"), rest
                self.server.box.seen.add(int(rest.split()[2]))
            elif command.startswith("LOGOUT"):
                self._say("* BYE")
                self._say(f"{tag} OK")
                return
            self._say(f"{tag} OK done")

    def _search(self, command: str) -> None:
        box = self.server.box
        if named := re.search(r"\(UID (\d+)\)", command):
            found = [int(named[1])] if int(named[1]) in box.mails else []
        else:
            assert "UNSEEN" in command
            found = [number for number in sorted(box.mails) if number not in box.seen]
        self._say("* SEARCH " + " ".join(map(str, found)))

    def _fetch(self, number: int, *, head: bool) -> None:
        mail = self.server.box.mails[number]
        size = self.server.box.sizes.get(number, len(mail))
        part = mail.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if head else mail
        name = "BODY[HEADER]" if head else "BODY[]"
        told = f"UID {number} FLAGS () RFC822.SIZE {size}"
        self._say(f"* {number} FETCH ({told} {name} {{{len(part)}}}")
        self.wfile.write(part)
        self._say(")")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    box: Box


@contextmanager
def imap_server() -> Iterator[Box]:
    with _Server(("127.0.0.1", 0), _Talk) as server:
        server.box = Box(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.box
        server.shutdown()
        thread.join()
