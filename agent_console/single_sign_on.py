"""Signing in by the identity provider, and out of it."""

from __future__ import annotations

import hmac
import logging
from dataclasses import asdict
from http import HTTPStatus

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from agent_console import people, sign_in
from agent_console.door import Answer, console, public, utc_now
from agent_console.identity_provider import Begun, Identity, IdentityProvider, ProviderError
from crm import second_factor, users
from crm.models import User
from crm.second_factor import Need
from crm.users import LOGIN, NO_LOGIN

log = logging.getLogger(__name__)
audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("single_sign_on", __name__, url_prefix="/sign-in/provider")
LASTS_S = 600


@blueprint.get("")
@public
def begin() -> Answer:
    """To the provider. What it must answer is kept in a cookie of this browser, which, unlike the
    session's, comes along when another site sends the browser back."""
    provider = _provider()
    try:
        away, begun = provider.begin(_back())
    except ProviderError as error:
        return _refused(error.code, error)
    answer = make_response(redirect(away))
    answer.set_cookie(
        _cookie(), _signer().dumps(asdict(begun) | {"next": request.args.get("next", "")[:2000]}),
        max_age=LASTS_S, httponly=True, samesite="Lax", secure=console().secure,
        path=url_for(".begin"),
    )
    return answer


@blueprint.get("/back")
@public
def back() -> Answer:
    """From the provider, with a code that is good once."""
    provider, now = _provider(), utc_now()
    address = request.remote_addr or ""
    try:
        kept = _signer().loads(request.cookies.get(_cookie(), ""), max_age=LASTS_S)
    except BadSignature:
        return _refused("stale")
    begun = Begun(kept["state"], kept["nonce"], kept["verifier"])
    if not hmac.compare_digest(begun.state.encode(), request.args.get("state", "").encode()):
        return _refused("stale")
    with console().database.reading() as session:
        if users.too_many(session, NO_LOGIN, address, now):
            return _refused("too_many")
    try:
        if "code" not in request.args:
            raise ProviderError("refused", request.args.get("error", "no code")[:60])
        identity = provider.finish(request.args["code"][:2000], begun, _back())
    except ProviderError as error:
        if error.code != "down":
            with console().database.transaction() as session:
                users.note_failure(session, NO_LOGIN, address, now)
        return _refused(error.code, error)
    return _let_in(identity, sign_in.local_path(kept["next"]))


def _let_in(identity: Identity, target: str | None) -> Answer:
    """The account of this name, if there is one and it is on; its role stands in our own table."""
    provider, here, now = _provider(), console(), utc_now()
    login = identity.login.strip().lower()
    with here.database.transaction() as session:
        user = session.scalar(select(User).where(User.login == login, User.active.is_(True))) \
            if LOGIN.fullmatch(login) else None
        if user is not None:
            needs = Need.NOTHING if identity.strong else second_factor.need_of(
                session, user, here.settings
            )
            token = sign_in.begin(session, user, needs, now)
    if user is None:
        audit.warning("%s knows %r, who has no active account here", provider.name, login[:64])
        return _refused("unknown", who=identity.login[:64])
    audit.info("%s signs in by %s%s", login, provider.name, " (strong)" if identity.strong else "")
    # A page of our own goes on from here: the session's cookie would not come along with a
    # redirect that another site began.
    answer = make_response(render_template("signed_in.html", target=target or "/"))
    answer.delete_cookie(_cookie(), path=url_for(".begin"))
    answer.set_cookie(
        sign_in.BY_PROVIDER, "yes", httponly=True, samesite="Strict", secure=here.secure,
        max_age=int(users.ABSOLUTE_LIMIT.total_seconds()),
    )
    return sign_in.keep(answer, token)


@blueprint.get("/out")
@public
def out() -> Answer:
    """Out of the provider, too, for whoever has signed out here."""
    try:
        away = _provider().leaving(url_for("people.login", _external=True))
    except ProviderError as error:
        return _refused(error.code, error)
    answer = make_response(redirect(away or url_for("people.login")))
    answer.delete_cookie(sign_in.BY_PROVIDER)
    return answer


def _provider() -> IdentityProvider:
    provider = console().provider
    if provider is None:
        raise NotFound()
    return provider


def _back() -> str:
    return url_for(".back", _external=True)


def _refused(why: str, error: ProviderError | None = None, *, who: str = "") -> Answer:
    if error is not None:
        log.warning("sign-in by %s: %s", _provider().name, error)
    status = {
        "down": HTTPStatus.SERVICE_UNAVAILABLE, "too_many": HTTPStatus.TOO_MANY_REQUESTS,
        "unknown": HTTPStatus.FORBIDDEN,
    }.get(why, HTTPStatus.BAD_REQUEST)
    answer = make_response(people.login_page(provider_problem=why, who=who), status)
    answer.delete_cookie(_cookie(), path=url_for(".begin"))
    return answer


def _cookie() -> str:
    return f"{console().cookie}_provider"


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="sign-in by the provider")
