"""The administrator's page of tokens and webhooks: each secret is shown once, when it is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console.door import Answer, console, needs, person, utc_now
from crm.api import tokens, webhooks
from crm.api.tokens import Scope, TokenError
from crm.api.webhooks import WebhookError
from crm.clock import VIETNAM
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("api_keys", __name__, url_prefix="/api-keys")


@blueprint.get("")
@needs(Right.API_KEYS_SEE)
def page() -> Answer:
    return _page()


def _page(
    status: int = 200, *, problem: str | None = None, shown: str | None = None,
    shown_of: str | None = None,
) -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        return render_template(
            "api_keys.html", tokens=tokens.all_tokens(session), scopes=Scope, now=now,
            is_good=tokens.is_good, webhooks=webhooks.all_webhooks(session),
            events=webhooks.EVENTS, problem=problem, shown=shown, shown_of=shown_of,
        ), status


@blueprint.post("/tokens")
@needs(Right.API_KEYS)
def create_token() -> Answer:
    form, now = request.form, utc_now()
    name = form.get("name", "").strip()
    try:
        day = date.fromisoformat(form["expires"]) if form.get("expires") else None
    except ValueError as error:
        raise BadRequest() from error
    ends = datetime.combine(day + timedelta(days=1), time(), VIETNAM) if day else None
    try:
        with console().database.transaction() as session:
            token = tokens.create(
                session, name=name, scopes=form.getlist("scopes"), by=person().login, now=now,
                expires_at=ends,
            )
    except TokenError as error:
        return _page(400, problem=error.code)
    audit.warning("%s makes the API token %s", person().login, name)
    return _page(201, shown=token, shown_of=name)


@blueprint.post("/tokens/<name>/revoke")
@needs(Right.API_KEYS)
def revoke_token(name: str) -> Answer:
    try:
        with console().database.transaction() as session:
            tokens.revoke(session, name, utc_now())
    except TokenError as error:
        raise NotFound() from error
    audit.warning("%s revokes the API token %s", person().login, name)
    return redirect(url_for(".page"))


@blueprint.post("/webhooks")
@needs(Right.API_KEYS)
def create_webhook() -> Answer:
    try:
        with console().database.transaction() as session:
            made = webhooks.subscribe(
                session, url=request.form.get("url", "").strip(), by=person().login,
                now=utc_now(), events=request.form.getlist("events"),
            )
            secret, url = made.secret, made.url
    except WebhookError as error:
        return _page(400, problem=error.code)
    audit.warning("%s adds a webhook", person().login)
    return _page(201, shown=secret, shown_of=url)


@blueprint.post("/webhooks/<int:webhook>/end")
@needs(Right.API_KEYS)
def end_webhook(webhook: int) -> Answer:
    return _changed(lambda session, now: webhooks.end(session, webhook, now))


@blueprint.post("/webhooks/<int:webhook>/resume")
@needs(Right.API_KEYS)
def resume_webhook(webhook: int) -> Answer:
    return _changed(lambda session, now: webhooks.resume(session, webhook, now))


def _changed(change: Callable[[Session, datetime], object]) -> Answer:
    try:
        with console().database.transaction() as session:
            change(session, utc_now())
    except WebhookError as error:
        raise NotFound() from error
    return redirect(url_for(".page"))
