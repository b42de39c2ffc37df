"""HTTP for programs: the event stream of open pages, health, metrics."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ServiceUnavailable

from agent_console import metrics
from agent_console.door import Answer, Console, console, local, needs, person, public, utc_now
from agent_console.feed import EVERYBODY, LISTENER_SILENT
from crm import users
from crm.database import DatabaseError
from crm.models import ListenerState
from crm.rights import Right

blueprint = Blueprint("machines", __name__)
MOST_STREAMS = 400


@blueprint.get("/events")
@needs(Right.LIVE)
def events() -> Answer:
    """The live documents that this person may see, as server-sent events (see feed)."""
    feed, me = console().feed, person()
    page_id = request.args.get("page", "")[:40]
    topics = None
    if not me.may(Right.FLOOR_SEE):
        topics = frozenset(
            (EVERYBODY, f"agent:{me.login}", *(f"queue:{queue}" for queue in me.skills))
        )
    subscriber = feed.subscribe(topics, users.token_hash(me.token), page_id)
    if feed.subscribers > MOST_STREAMS:
        feed.unsubscribe(subscriber)
        raise ServiceUnavailable()

    def stream() -> Any:
        try:
            yield from subscriber.stream()
        finally:
            feed.unsubscribe(subscriber)

    return Response(
        stream(), mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@blueprint.get("/healthz")
@public
def healthz() -> Answer:
    """The process answers."""
    return {"alive": True}, 200


@blueprint.get("/readyz")
@public
def readyz() -> Answer:
    """Whether the whole hotline can be used, part by part."""
    parts = _parts(console())
    ready = all(parts.values())
    return {"ready": ready, **parts}, 200 if ready else 503


def _parts(here: Console) -> dict[str, bool]:
    parts = {"database": False, "schema": False, "listener": False}
    try:
        here.database.ping()
        parts["database"] = True
        parts["schema"] = here.database.schema_is_current()
        with here.database.reading() as session:
            listener = session.get(ListenerState, here.settings.node)
    except (DatabaseError, SQLAlchemyError):
        return parts
    parts["listener"] = bool(
        listener and listener.connected and utc_now() - listener.seen_at < LISTENER_SILENT
    )
    return parts


@blueprint.get("/metrics")
@local
def figures() -> Answer:
    """What Prometheus reads (scripts/monitoring: alarms and a board made of it)."""
    return Response(metrics.exposed(console(), utc_now()), content_type=metrics.CONTENT_TYPE)
