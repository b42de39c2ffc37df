"""What adapters that speak HTTP share."""

from __future__ import annotations

import threading
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from crm.notices.delivery import Undelivered

TIMEOUT_S = 10
_WAIT = timedelta(minutes=1)
_kept = threading.local()


def retry_after(header: str | None) -> timedelta | None:
    """Retry-After in seconds; a date, or none, is a minute."""
    if header is None:
        return None
    return timedelta(seconds=int(header)) if header.isdecimal() and len(header) < 7 else _WAIT


def ask(method: str, url: str, provider: str, **kwargs: Any) -> requests.Response:
    """One request. Raises Undelivered for what never reached it, and for 429 and 5xx."""
    try:
        answer = _session().request(
            method, url, timeout=TIMEOUT_S, allow_redirects=False, **kwargs
        )
    except requests.RequestException as error:
        why = f"{provider} cannot be reached: {type(error).__name__}"
        raise Undelivered(why, final=False, unsure=not _never_left(error)) from error
    if answer.status_code == 429:
        raise Undelivered(
            f"{provider} asks to wait", final=False, throttled=True,
            after=retry_after(answer.headers.get("Retry-After", "")),
        )
    if answer.status_code >= 500:
        raise Undelivered(
            f"{provider} {answer.status_code}", final=False, unsure=answer.status_code != 503
        )
    return answer


def _session() -> requests.Session:
    """This thread's connections, which are kept between messages; cookies are not."""
    if not hasattr(_kept, "session"):
        _kept.session = requests.Session()
        _kept.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session: requests.Session = _kept.session
    return session


def _never_left(error: requests.RequestException) -> bool:
    """Whether nobody can have taken what was sent: there was no connection."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def json_of(answer: requests.Response, provider: str) -> dict[str, Any]:
    """The object of an answer. Raises Undelivered: whether it was taken is not known."""
    try:
        found = answer.json()
    except requests.JSONDecodeError as error:
        raise Undelivered(
            f"{provider} answers something else than JSON", final=False, unsure=True
        ) from error
    if not isinstance(found, dict):
        raise Undelivered(
            f"{provider} answers something else than an object", final=False, unsure=True
        )
    return found


def field(answer: dict[str, Any], path: str) -> str | None:
    """The value at `data.id`, as text; list items by number. None where there is none."""
    found: Any = answer
    for name in path.split("."):
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict):
            found = found.get(name)
        else:
            return None
    if found is None or isinstance(found, (dict, list)):
        return None
    return str(found).lower() if isinstance(found, bool) else str(found)
