"""Calls from the citizens' page: a token lets one call in, within a minute, and is of no use after.

The dialplan checks it by itself, so that a call comes in with the console and the database dead.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

GOOD_FOR = timedelta(minutes=1)
USER = "trunk-web"  # the SIP name of all such calls
NONCE_DIGITS, UNTIL_DIGITS = 16, 10


def token(key: str, now: datetime) -> str:
    """NONCE.UNTIL.MAC, of lowercase hexadecimal digits; UNTIL is in seconds since 1970. The lengths
    of nonce and time are fixed: nothing can be put behind what the MAC is over."""
    nonce, until = secrets.token_hex(NONCE_DIGITS // 2), int((now + GOOD_FOR).timestamp())
    mac = hashlib.sha1(f"{key}:{nonce}:{until:0{UNTIL_DIGITS}d}".encode()).hexdigest()  # noqa: S324
    return f"{nonce}.{until}.{mac}"
