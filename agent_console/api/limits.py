"""How much one program, or one address, may ask. The console is one process with threads, so its
memory is where that is counted; an IPv6 customer has a /64, and is counted as one."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence

from flask import Blueprint, Flask, Response, request
from flask_limiter import HeaderNames, Limiter

from crm.cases import lookup

ADDRESS_LIMIT = "1200 per minute"  # of the API, whatever is shown
TOKEN_LIMIT = "600 per minute"  # noqa: S105
REFUSED_LIMIT = "30 per minute"  # tokens that are none, of one address
OPEN_LIMIT = "120 per minute"  # of what needs no token
# of what citizens send; many telephones share one address of a mobile network
SENT_LIMIT = "30 per hour"


def install(
    app: Flask, api: Blueprint, *without_token: Blueprint, sent: Sequence[Blueprint] = ()
) -> Limiter:
    """Count what is asked of these rooms, and tell it in the headers of each answer."""
    limiter = Limiter(
        address, app=app, storage_uri="memory://", headers_enabled=True,
        retry_after="delta-seconds", header_name_mapping={
            HeaderNames.LIMIT: "RateLimit-Limit", HeaderNames.REMAINING: "RateLimit-Remaining",
            HeaderNames.RESET: "X-RateLimit-Reset",
        },
    )
    limiter.limit(ADDRESS_LIMIT)(api)
    limiter.limit(TOKEN_LIMIT, key_func=_token)(api)
    limiter.limit(REFUSED_LIMIT, key_func=lambda: f"refused {address()}", deduct_when=_refused)(api)
    for room in without_token:
        limiter.limit(OPEN_LIMIT)(room)
    for room in sent:
        limiter.limit(SENT_LIMIT, methods=["POST"])(room)
    return limiter


def address() -> str:
    """Whoever asks, as they are counted: an IPv4 address or an IPv6 network."""
    given = ipaddress.ip_address(request.remote_addr or "0.0.0.0")  # noqa: S104
    if isinstance(given, ipaddress.IPv6Address):
        if given.ipv4_mapped is not None:
            return str(given.ipv4_mapped)
        return str(ipaddress.ip_network((given, 64), strict=False))
    return str(given)


def stranger() -> str:
    """Whoever asks, as wrong codes of theirs are counted: their address stands for a telephone."""
    return lookup.ADDRESS + hashlib.sha256(address().encode()).hexdigest()[:16]


def _token() -> str:
    shown = request.headers.get("Authorization", "")
    return f"token {hashlib.sha256(shown.encode()).hexdigest()}" if shown else address()


def _refused(response: Response) -> bool:
    return response.status_code == 401
