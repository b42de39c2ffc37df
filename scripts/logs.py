"""Logging of all processes: one line each, UTC, phone numbers masked."""

from __future__ import annotations

import logging
import re
import sys
import time

# 84..., +84... and 0... numbers with 9 to 11 digits; the last three stay, to tell calls apart
PHONE = re.compile(r"(?<![\w.-])(\+?84|0)\d{5,8}(\d{3})(?![\w.])")


class MaskedFormatter(logging.Formatter):
    """Hides the middle of every phone number, wherever it comes from."""

    converter = time.gmtime  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        return PHONE.sub(r"\1***\2", super().format(record))


def configure_logging() -> None:
    """Log to standard error; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskedFormatter(
        "%(asctime)s.%(msecs)03dZ %(name)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    ))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("alembic", "apscheduler", "panoramisk", "smpp", "twilio", "urllib3", "gtts"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
