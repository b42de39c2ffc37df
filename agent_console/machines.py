"""HTTP for programs: the event stream of open pages, health, metrics."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ServiceUnavailable

from agent_console.door import Answer, Console, console, local, needs, person, public, utc_now
from agent_console.feed import EVERYBODY, LISTENER_SILENT
from crm import users, wallboard
from crm.calls import history
from crm.database import DatabaseError
from crm.models import AgentState, ListenerState
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
def metrics() -> Answer:
    registry = CollectorRegistry()
    registry.register(_Figures(console()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures:
    """What Prometheus reads, taken from the feed and one query by index."""

    def __init__(self, here: Console) -> None:
        self._here = here

    def collect(self) -> list[Metric]:
        documents = self._here.feed.documents()
        since = history.day_start(utc_now())
        with self._here.database.reading() as session:
            outcomes = wallboard.outcomes(session, since)
        by_outcome = GaugeMetricFamily(
            "hotline_calls_today", "Inbound calls since midnight by outcome", labels=["outcome"]
        )
        for outcome, number in outcomes.items():
            by_outcome.add_metric([outcome or "open"], number)
        waiting = GaugeMetricFamily(
            "hotline_waiting", "Callers waiting for a person", labels=["queue"]
        )
        agents = dict.fromkeys((state.value for state in AgentState), 0)
        listeners = GaugeMetricFamily(
            "hotline_listener_connected", "Listener connected to Asterisk", labels=["node"]
        )
        for key, value in documents.items():
            kind, _, name = key.partition(":")
            if kind == "queue":
                waiting.add_metric([name], value["waiting"])
            elif kind == "agent":
                agents[value["state"]] = agents.get(value["state"], 0) + 1
            elif kind == "listener":
                listeners.add_metric([name], value["connected"])
        by_state = GaugeMetricFamily("hotline_agents", "Agents by state", labels=["state"])
        for state, number in agents.items():
            by_state.add_metric([state], number)
        return [
            by_outcome, waiting, by_state, listeners,
            GaugeMetricFamily(
                "hotline_console_streams", "Open pages", value=self._here.feed.subscribers
            ),
            GaugeMetricFamily(
                "hotline_calls_in_menus", "Calls in menus now",
                value=documents.get("menus", {}).get("calls", 0),
            ),
        ]
