"""The console as a process: gunicorn with threads, one worker, one feed.

A stream of events keeps a thread for as long as its page is open, so there are as many threads as
pages, and some for everything else.
"""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from agent_console.app import create_app, feed_of
from agent_console.door import Heard, PhoneCommands
from agent_console.machines import MOST_STREAMS
from crm import secrets
from crm.database import Database
from crm.secrets import Secrets
from crm.settings import Settings

Telephony = Callable[[Settings, Secrets, Database], PhoneCommands]

THREADS = MOST_STREAMS + 50
STOP_S = 2  # and about a second for the processes to end


def settle() -> None:
    """Have at hand what commands do without and pages need, and leave what is there for good out
    of each later look for garbage: either would let somebody wait for 150 ms and more."""
    for library in ("fpdf", "numpy", "openpyxl"):
        import_module(library)
    gc.collect()
    gc.freeze()


class _Log(Logger):  # type: ignore[misc]
    """What the server says goes where all logs go, in their form and with numbers masked."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(
        self, settings: Settings, heard: Heard, telephony: Telephony, certificate: Path | None,
        key: Path | None,
    ) -> None:
        self._settings, self._heard, self._telephony = settings, heard, telephony
        self._certificate, self._key = certificate, key
        self._app: Flask | None = None
        super().__init__()

    def load_config(self) -> None:
        wanted = {
            "bind": str(self._settings.console_bind), "worker_class": "gthread", "workers": 1,
            "threads": THREADS, "worker_connections": THREADS * 2, "keepalive": 15,
            "graceful_timeout": STOP_S, "timeout": 60, "proc_name": "hotline-console",
            "control_socket_disable": True, "worker_tmp_dir": "/dev/shm",  # noqa: S108
            "post_worker_init": self._open, "loglevel": "warning",
            "logger_class": _Log,
        }
        if self._certificate and self._key:
            wanted |= {"certfile": str(self._certificate), "keyfile": str(self._key)}
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        settings = self._settings
        known = secrets.load(settings.home)
        database = Database.of(settings, pool_size=10)
        self._app = create_app(
            settings, database, self._telephony(settings, known, database), known,
            secure=self._certificate is not None, heard=self._heard,
        )
        settle()
        return self._app

    def _open(self, _worker: Any) -> None:
        """Start the feed in the worker, and end the streams as soon as the worker must stop."""
        if self._app is None:
            raise RuntimeError("the worker has no application")
        feed = feed_of(self._app)
        feed.start()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, _before(signal.getsignal(number), feed.close))


def _before(then: Any, first: Any) -> Any:
    def act(number: int, frame: FrameType | None) -> None:
        first()
        if callable(then):
            then(number, frame)

    return act


def main(
    settings: Settings, heard: Heard, telephony: Telephony, *, certificate: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve until SIGTERM. `heard` knows what callers hear in the menus, `telephony` makes the
    commands to Asterisk. With a certificate and its key (PEM files) over TLS."""
    logging.getLogger("hotline.audit").setLevel(logging.INFO)
    _Server(settings, heard, telephony, certificate, key).run()
