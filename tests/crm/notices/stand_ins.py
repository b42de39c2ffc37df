"""Stand-ins for providers: local servers that answer as public descriptions say. They are no
providers, and what passes here is certified by none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

Server = TypeVar("Server", bound="HttpStandIn")


@dataclass(frozen=True)
class Request:
    """What came in. `form`: of the body, or of the query where there is no body."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        query = self.body or urlsplit(self.path).query
        return {name: values[0] for name, values in parse_qs(query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


class HttpStandIn(ThreadingHTTPServer):
    """Answers what is in `answers`, else what `usual` makes of the request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self.answers: list[Reply] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def usual(self, request: Request) -> Reply:
        return Reply(200, {"id": f"m{len(self.requests)}"})


class TwilioStandIn(HttpStandIn):
    """Twilio's Messages resource: 201 with the message's sid."""

    def usual(self, request: Request) -> Reply:
        return Reply(201, {"sid": f"SM{len(self.requests) - 1:032d}", "status": "queued"})


class _Handler(BaseHTTPRequestHandler):
    server: HttpStandIn

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        request = Request(self.command, self.path, dict(self.headers), body)
        self.server.requests.append(request)
        reply = self.server.answers.pop(0) if self.server.answers else self.server.usual(request)
        data = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data.encode())))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data.encode())

    do_POST = do_GET = do_PUT = _serve

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The stand-in at work, in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
