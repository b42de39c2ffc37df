"""The door: who may enter which page, and the headers that every answer carries.

Every view is closed until it is marked: `@needs(Right…)` for the people who have that right
(crm.rights), `@public` for everybody, `@local` for programs on this machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from flask import Flask, Response, current_app, g, jsonify, redirect, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Response as AnyResponse

from agent_console import asked
from agent_console.feed import Feed
from agent_console.identity_provider import IdentityProvider
from crm import users
from crm.database import Database
from crm.models import Role
from crm.rights import Right, may
from crm.secrets import Secrets
from crm.setting_values import Address
from crm.settings import Settings
from ivr.commands import RecordingAct, Result

EVERYBODY, LOCAL = "everybody", "local"  # come without a right
_READING = ("GET", "HEAD", "OPTIONS")
LANGUAGES = ("vi", "en")
LANGUAGE_COOKIE = "hotline_language"
Answer = Response | AnyResponse | str | tuple[Any, int]
View = TypeVar("View", bound=Callable[..., Any])


class PhoneCommands(Protocol):
    """What the console asks of the telephony (`ivr.commands.Commands`, of any node by
    `ivr.anywhere`). Each call answers done, refused, unknown or silent."""

    def sign_in(
        self, interface: str, login: str, skills: Mapping[str, int], *, paused: bool
    ) -> Result: ...
    def sign_out(self, interface: str) -> Result: ...
    def pause(self, interface: str, reason: str | None) -> Result: ...
    def end_wrapup(self, interface: str, login: str, skills: Mapping[str, int]) -> Result: ...
    def set_skills(self, interface: str, login: str, skills: Mapping[str, int]) -> Result: ...
    def set_switch(self, name: str, value: str) -> Result: ...
    def set_switches(self, switches: Mapping[str, str]) -> Result: ...
    def consult(self, call: str, interface: str, target: str, login: str = "") -> Result: ...
    def invite(self, call: str, interface: str, target: str, login: str = "") -> Result: ...
    def bring_together(self, call: str, interface: str) -> Result: ...
    def take_back(self, call: str, interface: str) -> Result: ...
    def hand_over(self, call: str, interface: str) -> Result: ...
    def transfer(
        self, call: str, interface: str, kind: str, target: str, login: str = ""
    ) -> Result: ...
    def listen(
        self, call: str, agent: str, own: str, how: str, by: str, *, recorded: bool
    ) -> Result: ...
    def take_over(
        self, call: str, agent: str, own: str, by: str, *, recorded: bool
    ) -> Result: ...
    def move(self, call: str, branch: str) -> Result: ...
    def record(
        self, call: str, interface: str, act: RecordingAct, why: str, by: str
    ) -> Result: ...
    def ring_out(self, interface: str, number: str, call: str = "") -> Result: ...


# the sentence after which callers press a key (or none) of a menu; empty where nothing is known
Heard = Callable[[str, str | None], str]


def nothing_heard(_menu: str, _key: str | None) -> str:
    return ""


# what is open to whoever has shown the password alone, by what is needed yet
SECOND_STEP: Mapping[str, tuple[str, ...]] = {
    "code": ("second_factor.code", "people.logout", "people.keep_language"),
    "enrol": ("second_factor.factor", "people.logout", "people.keep_language"),
    "takeover": ("people.take_over", "people.logout", "people.keep_language"),
}


@dataclass(frozen=True)
class Console:
    """What the views stand on; one for each application."""

    settings: Settings
    database: Database
    commands: PhoneCommands
    feed: Feed
    secure: bool  # served over TLS
    secrets: Secrets
    heard: Heard
    provider: IdentityProvider | None = None

    @property
    def cookie(self) -> str:
        # Browsers share cookies between the ports of a host: two hotlines must not.
        return f"hotline_{self.settings.console_bind.port}"


@dataclass(frozen=True)
class Person:
    """Who is signed in."""

    id: int
    login: str
    name: str
    role: Role
    language: str
    skills: Mapping[str, int]  # the level of each queue that is served
    token: str
    needs: str  # a crm.second_factor.Need that is still to be met
    since: datetime  # of this sign-in

    def may(self, right: Right) -> bool:
        """Whether they have a right."""
        return may(self.role, right)


def console() -> Console:
    return cast(Console, current_app.extensions["console"])


def person() -> Person:
    """Who is signed in. Only for views that are not public."""
    return cast(Person, g.person)


def utc_now() -> datetime:
    return datetime.now(UTC)


def needs(right: Right) -> Callable[[View], View]:
    """Mark a view as open to people who have this right."""
    def mark(view: View) -> View:
        view.needs = right  # type: ignore[attr-defined]
        return view
    return mark


def public(view: View) -> View:
    """Mark a view as open to everybody."""
    view.needs = EVERYBODY  # type: ignore[attr-defined]
    return view


def local(view: View) -> View:
    """Mark a view as open to programs on this machine."""
    view.needs = LOCAL  # type: ignore[attr-defined]
    return view


def needed(app: Flask, endpoint: str) -> Right | str | None:
    """What it needs to come to a page: a right, EVERYBODY, LOCAL, or None where nobody comes."""
    if endpoint == "static":
        return EVERYBODY
    return getattr(app.view_functions[endpoint], "needs", None)


def may_open(endpoint: str) -> bool:
    """Whether who is signed in may read this page."""
    right = needed(current_app, endpoint)
    return right == EVERYBODY or (isinstance(right, Right) and person().may(right))


def long_body(limit: int) -> Callable[[View], View]:
    """Mark a view that takes files: `limit` bytes instead of what others take, from whom it is open
    to."""
    def mark(view: View) -> View:
        view.long_body = limit  # type: ignore[attr-defined]
        return view
    return mark


def for_script() -> bool:
    """Whether a script asked, which understands JSON and status codes, and not a person."""
    return (
        request.path.startswith("/api/")
        or request.accept_mimetypes.best in ("application/json", "text/event-stream")
    )


def install(app: Flask) -> None:
    """Close all views of the application and put strict headers on its answers."""
    app.before_request(_admit)
    app.after_request(_strict_headers)


def _admit() -> Answer | None:
    g.person = None
    if request.endpoint is None or request.endpoint == "static":
        return None
    marked = needed(current_app, request.endpoint)
    token = request.cookies.get(console().cookie, "")
    if marked == LOCAL:
        if not _from_this_machine():
            raise Forbidden()
        return None
    view = current_app.view_functions[request.endpoint]
    if marked == EVERYBODY:
        _let_files_in(view)
        asked.refuse_unstorable()
        return None
    g.person = _recognise(token)
    if g.person is None:
        if for_script() or request.method != "GET":
            raise Unauthorized(_("You have signed in in another browser, and this page has ended. "
                                 "A call that goes on stays here until it is over.")
                               if taken_over(token) else None)
        return redirect(url_for("people.login", next=request.full_path.rstrip("?")))
    if g.person.needs and request.endpoint not in (step := SECOND_STEP[g.person.needs]):
        if for_script() or request.method != "GET":
            raise Unauthorized()
        return redirect(url_for(step[0]))
    changing = request.method not in _READING
    if not isinstance(marked, Right) or not may(g.person.role, marked, changing=changing):
        raise Forbidden()
    _let_files_in(view)
    asked.refuse_unstorable()
    return None


def _let_files_in(view: Callable[..., Any]) -> None:
    if longest := getattr(view, "long_body", None):
        request.max_content_length = longest


def _recognise(token: str) -> Person | None:
    if not token:
        return None
    now = utc_now()
    database = console().database
    with database.reading() as session:
        found = users.find_session(session, token, now)
    if found is None:
        return None
    user, opened = found
    if now - opened.seen_at > users.SEEN_EVERY:
        with database.transaction() as session:
            users.mark_seen(session, token, now)
    return Person(
        user.id, user.login, user.name, Role(user.role), user.language,
        users.skills(user), token, opened.needs, opened.created_at,
    )


def taken_over(token: str) -> bool:
    """Whether who held this session goes on in another browser."""
    if not token:
        return False
    with console().database.reading() as session:
        return users.was_taken_over(session, token, utc_now())


def _from_this_machine() -> bool:
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def phone_server(bind: Address) -> str:
    """HOST:PORT of the phones' server as this browser reaches it."""
    if bind.host != "0.0.0.0":  # noqa: S104 (a comparison)
        return str(bind)
    named = re.fullmatch(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", request.host)
    return f"{named[1] if named else console().settings.console_bind.host}:{bind.port}"


def citizens_socket() -> str:
    """The same for the browser of a citizen, who may come through a door of their own."""
    return console().settings.web_call_socket or phone_socket()


def phone_socket(node: str = "") -> str:
    """Address of a node's SIP WebSocket, by default this one's, for this browser."""
    settings = console().settings
    if named := settings.sockets.get(node or settings.node):
        return named
    return f"{'wss' if console().secure else 'ws'}://{phone_server(console().settings.ws_bind)}/ws"


def _strict_headers(response: Response) -> Response:
    headers = response.headers
    sockets = dict.fromkeys("/".join(one.split("/")[:3]) for one in (
        phone_socket(), *console().settings.sockets.values()))
    headers.setdefault("Content-Security-Policy", "; ".join((
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "media-src 'self' blob:", "worker-src 'self'", f"connect-src 'self' {' '.join(sockets)}",
        "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )))
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if console().secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint != "static" and not (_is_public() and response.cache_control.public):
        headers["Cache-Control"] = "no-store"
    return response


def _is_public() -> bool:
    return request.endpoint is not None and needed(current_app, request.endpoint) == EVERYBODY


def refusal(code: int, sentence: str) -> Answer:
    """An error as JSON for scripts; pages get theirs from the application."""
    answer = jsonify(error=sentence)
    answer.status_code = code
    return answer


def language() -> str:
    """The language of this answer: the account's, else the cookie's, else Vietnamese."""
    if g.get("person"):
        return str(g.person.language)
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return chosen if chosen in LANGUAGES else LANGUAGES[0]
