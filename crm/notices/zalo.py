"""Messages by template (ZNS) from the official account on Zalo.

From Zalo's public descriptions: POST /message/template with the header access_token; an error in
the body, 0 is success. Access tokens last about a day and are renewed with a refresh token that
is good for one time only: the new one is in the database before the new access token is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from crm.database import Database
from crm.notices import http
from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.models import ZaloTokens
from crm.notices.numbers import international
from crm.settings import Settings

PROVIDER = "zalo"
TOKEN = frozenset({"-124", "-216"})  # the access token is invalid, has expired
QUOTA = frozenset({"-115", "-137", "-144", "-147"})  # money, quota of the day
LATER = frozenset({"-100", "-133"})  # a fault of theirs; not at night
EARLY = timedelta(minutes=10)  # renewed so long before it expires
RENEWING = timedelta(minutes=1)


def route(settings: Settings, database: Database, clock: Callable[[], datetime]) -> Route:
    tokens = _Tokens(settings, database, clock)

    def send(outgoing: Outgoing) -> str:
        if not outgoing.template:
            raise Undelivered("Zalo needs the id of a template", final=True)
        access = tokens.access()
        error, told = _ask(settings, outgoing, access)
        if error in TOKEN:
            tokens.refuse(access)
            error, told = _ask(settings, outgoing, tokens.access())
        if error == "0":
            return str(outgoing.id)  # reports bring our tracking_id back
        if error in TOKEN | QUOTA:
            raise Undelivered(
                f"Zalo {error}: {told}", final=False, throttled=True, after=timedelta(hours=1)
            )
        raise Undelivered(f"Zalo {error}: {told}", final=error not in LATER)

    return Route(PROVIDER, send)


def _ask(settings: Settings, outgoing: Outgoing, access: str) -> tuple[str, str]:
    """The error and its message; 0 is success."""
    body: dict[str, object] = {
        "phone": international(outgoing.recipient, "84"), "template_id": outgoing.template,
        "template_data": dict(outgoing.params), "tracking_id": str(outgoing.id),
    }
    if settings.zalo_mode == "development":
        body["mode"] = "development"
    answer = http.ask(
        "POST", f"{settings.zalo_url}/message/template", "Zalo", json=body,
        headers={"access_token": access},
    )
    told = http.json_of(answer, "Zalo")
    return http.field(told, "error") or "none", (http.field(told, "message") or "")[:200]


class _Tokens:
    """The tokens in the database, renewed by one worker at a time."""

    def __init__(
        self, settings: Settings, database: Database, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        first = settings.zalo_refresh_token or ""
        self._first, self._seed = first, hashlib.sha256(first.encode()).hexdigest()

    def access(self) -> str:
        """A token that is good for some minutes. Raises Undelivered."""
        now = self._clock()
        with self._database.transaction() as session:
            row = session.get(ZaloTokens, 1, with_for_update=True)
            if row is None or row.seed != self._seed:  # at first, or another one has been set
                row = session.merge(ZaloTokens(
                    id=1, access="", refresh=self._first, expires_at=now, renewing_until=now,
                    seed=self._seed,
                ))
            if row.expires_at > now + EARLY:
                return row.access
            if row.renewing_until > now:
                raise Undelivered("the tokens of Zalo are being renewed", final=False,
                                  throttled=True)
            row.renewing_until = now + RENEWING
            refresh = row.refresh
        return self._renewed(refresh)

    def refuse(self, access: str) -> None:
        """Zalo did not take this token, whatever we thought of its age."""
        with self._database.transaction() as session:
            row = session.get_one(ZaloTokens, 1, with_for_update=True)
            if row.access == access:
                row.expires_at = row.renewing_until = self._clock()

    def _renewed(self, refresh: str) -> str:
        answer = http.ask(
            "POST", f"{self._settings.zalo_login_url}/v4/oa/access_token", "Zalo",
            headers={"secret_key": self._settings.zalo_app_secret or ""},
            data={"refresh_token": refresh, "app_id": self._settings.zalo_app or "",
                  "grant_type": "refresh_token"},
        )
        told = http.json_of(answer, "Zalo")
        access, new = http.field(told, "access_token"), http.field(told, "refresh_token")
        lasts = http.field(told, "expires_in") or ""
        if not (access and new and lasts.isdecimal()):
            code = http.field(told, "error") or "no token"
            raise Undelivered(
                f"Zalo renews no tokens ({code}): set zalo_refresh_token anew", final=False,
                throttled=True, after=timedelta(minutes=10),
            )
        now = self._clock()
        with self._database.transaction() as session:
            row = session.get_one(ZaloTokens, 1, with_for_update=True)
            row.access, row.refresh = access, new
            row.expires_at, row.renewing_until = now + timedelta(seconds=int(lasts)), now
        return access
