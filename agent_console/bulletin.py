"""The live bulletin for everybody: JSON, RSS, plain text, and sound for commune loudspeakers."""

from __future__ import annotations

from email.utils import format_datetime
from pathlib import Path

from flask import Blueprint, Response, render_template, request, send_file
from werkzeug.exceptions import NotFound

from agent_console.door import Answer, console, public
from crm import bulletins
from crm.models import Bulletin

blueprint = Blueprint("bulletin", __name__)


def _sound(bulletin: Bulletin) -> Path:
    return console().settings.home / "bulletins" / f"{bulletin.id}.wav"


def _live() -> Bulletin:
    with console().database.reading() as session:
        found = bulletins.live(session)
    if found is None:
        raise NotFound()
    return found


@blueprint.get("/bulletin.json")
@public
def as_json() -> Answer:
    told = bulletins.as_json(_live())
    del told["approved_by"], told["withdrawn_at"]
    return told, 200


@blueprint.get("/bulletin.txt")
@public
def as_text() -> Answer:
    return Response(f"{bulletins.spoken(_live())}\n", mimetype="text/plain")


@blueprint.get("/bulletin.rss")
@public
def as_rss() -> Answer:
    """RSS 2.0; without a live bulletin a channel with no item, which readers understand."""
    with console().database.reading() as session:
        found = bulletins.live(session)
    sound = _sound(found) if found else None
    page = render_template(
        "bulletin.rss", bulletin=found, root=request.url_root.rstrip("/"),
        bytes=sound.stat().st_size if sound and sound.is_file() else 0,
        published=format_datetime(found.approved_at) if found else "",
    )
    return Response(page, mimetype="application/rss+xml")


@blueprint.get("/bulletin.wav")
@public
def as_sound() -> Answer:
    file = _sound(_live())
    if not file.is_file():
        raise NotFound()
    return send_file(file, mimetype="audio/wav", max_age=60)
