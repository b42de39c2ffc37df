"""Logging of all processes: UTC, phone numbers masked; a line of text for people, or, with the
setting log_format = json, one JSON object a line for programs that gather logs:

    time, level, logger, message     always
    call                             the call that the message names, if it names one
    error                            the traceback, if there is one
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from types import TracebackType

from crm.calls.facts import CALL_ID

# 84..., +84..., 0084... and 0... with 9 to 11 digits; the last three stay, to tell calls apart
PHONE = re.compile(r"(?<![\w.-])((?:\+|00)?84|0)\d{5,8}(\d{3})(?!\w|\.\w)")
_CALL = re.compile(rf"(?<![\w.-]){CALL_ID.pattern}(?![\w-])")
_TIME = "%Y-%m-%dT%H:%M:%S"


def masked(text: str) -> str:
    return PHONE.sub(r"\1***\2", text)


class MaskedFormatter(logging.Formatter):
    """Hides the middle of every phone number, wherever it comes from."""

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JsonFormatter(logging.Formatter):
    """The same for programs. What is masked is masked before it is written as JSON, whose escapes
    would hide where a number begins."""

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line = {
            "time": f"{self.formatTime(record, _TIME)}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(), "logger": record.name, "message": masked(message),
        }
        if call := _CALL.search(message):
            line["call"] = call[0]
        if record.exc_info:
            line["error"] = masked(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logging(form: str = "plain") -> None:
    """Log to standard error; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else MaskedFormatter(
        "%(asctime)s.%(msecs)03dZ %(name)s %(levelname)s %(message)s", _TIME
    ))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for noisy in ("alembic", "apscheduler", "panoramisk", "smpp", "twilio", "urllib3", "gtts"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, at)
        return
    logging.getLogger("hotline").critical("ended by an error", exc_info=(kind, error, at))


def _uncaught_in_thread(seen: threading.ExceptHookArgs) -> None:
    if seen.exc_type is not SystemExit and seen.exc_value is not None:
        name = seen.thread.name if seen.thread else "?"
        logging.getLogger("hotline").error(
            "the thread %s ended by an error", name,
            exc_info=(seen.exc_type, seen.exc_value, seen.exc_traceback),
        )
