"""What was recorded of calls: found, heard with every hearing written down, and noted on."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import IO, cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wsgi import wrap_file

from agent_console import catalogues, words
from agent_console.door import Answer, console, language, needs, person, utc_now
from crm.calls import history
from crm.citizens import numbers
from crm.citizens.numbers import NumberError
from crm.clock import vietnam_day
from crm.models import Call, Outcome, Role, User
from crm.recordings import hearing, listing, moments, store, waves
from crm.recordings.hearing import Act, NoteError
from crm.recordings.listing import SearchError, Wanted
from crm.recordings.models import Kind, Sound
from crm.recordings.sealed import SealedSound, SoundError
from crm.recordings.store import GoneError
from crm.recordings.waves import PlainSound
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("recordings", __name__)


LISTED_DAYS = 7


@blueprint.get("/recordings")
@needs(Right.RECORDINGS)
def search() -> Answer:
    """Recordings by anything that is known of their calls."""
    asked, today = request.args, vietnam_day(utc_now())
    problem, found = "", None
    try:
        wanted = _wanted(asked, today)
        with console().database.reading() as session:
            found = listing.find(session, wanted, asked.get("after", ""))
    except (ValueError, SearchError, NumberError) as error:
        problem = _("This cannot be searched: %(why)s", why=error)
    with console().database.reading() as session:
        agents = dict(session.execute(
            select(User.login, User.name).where(User.role == Role.AGENT.value).order_by(User.name)
        ).all())
    return render_template(
        "recordings.html", asked=asked, found=found, problem=problem, agents=agents,
        since=asked.get("since") or (today - timedelta(days=LISTED_DAYS - 1)).isoformat(),
        until=asked.get("until") or today.isoformat(), outcomes=words.outcomes(),
        branches=words.branches(),
        following={key: value for key, value in asked.items() if value and key != "after"},
    )


@blueprint.get("/recordings/<call_id>")
@needs(Right.RECORDINGS)
def page(call_id: str) -> Answer:
    return _page(call_id)


@blueprint.post("/recordings/<call_id>/notes")
@needs(Right.RECORDINGS_NOTE)
def add_note(call_id: str) -> Answer:
    """Note something at a moment: `at` in seconds."""
    try:
        at_ms = round(float(request.form.get("at", "").replace(",", ".")) * 1000)
        with console().database.transaction() as session:
            hearing.note(session, _recorded(session, call_id)[1], at_ms,
                         request.form.get("text", ""), person().login, utc_now())
    except (ValueError, OverflowError, NoteError) as error:
        said = error if isinstance(error, NoteError) else _("This is no moment of the recording.")
        return _page(call_id, str(said))
    return redirect(url_for(".page", call_id=call_id))


@blueprint.post("/recordings/<call_id>/notes/<int:note_id>/drop")
@needs(Right.RECORDINGS_NOTE)
def drop_note(call_id: str, note_id: int) -> Answer:
    with console().database.transaction() as session:
        if not hearing.drop_note(session, note_id, person().login):
            raise NotFound()
    return redirect(url_for(".page", call_id=call_id))


@blueprint.post("/recordings/<call_id>/download")
@needs(Right.RECORDINGS_DOWNLOAD)
def download(call_id: str) -> Answer:
    """The whole recording as a file, for a reason."""
    try:
        with console().database.transaction() as session:
            call, name = _recorded(session, call_id)
            sound = _opened(Kind.RECORDINGS, name)
            hearing.note_use(session, call, name, Act.DOWNLOAD, person().login, utc_now(),
                             request.form.get("why", ""))
    except NoteError:
        return _page(call_id, _("A download needs a reason."))
    audit.warning("%s downloads the recording of call %s: %s", person().login, call_id,
                  request.form.get("why", "")[:hearing.LONGEST_REASON])
    response = _streamed(sound)
    response.headers.set(
        "Content-Disposition", "attachment", filename=f"{Path(name).stem}.wav"
    )
    return response


def _page(call_id: str, problem: str = "") -> Answer:
    with console().database.reading() as session:
        call = session.get(Call, call_id)
        if call is None or (call.recording is None and call.recording_notice != "refused"):
            raise NotFound()
        name = call.recording
        sound = session.get(Sound, name) if name else None
        length_ms = sound.length_ms if sound is not None and sound.sealed_at else call.talk_ms
        notes = hearing.notes(session, name) if name else []
        missing = moments.stretches(call, length_ms)
        used = hearing.uses(session, name) if name else []
        of_call = history.of_call(session, call)
    return render_template(
        "recording.html", call=call, sound=sound, notes=notes, missing=missing, uses=used,
        record=of_call, length_ms=length_ms, problem=problem, outcomes=words.outcomes(),
        whys=words.recording_pauses() | words.recording_discards(), waves=_drawn(sound),
        given={"texts": catalogues.script_texts(language())},
    ), 400 if problem else 200


def _drawn(sound: Sound | None) -> list[str]:
    """Each channel's outline, as the points of an SVG polygon 1000 wide and 100 high."""
    if sound is None or not sound.peaks:
        return []
    return [
        " ".join(
            f"{place * 1000 / max(1, len(levels) - 1):.1f},{50 + sign * (0.5 + level * 49):.1f}"
            for sign, side in ((-1, enumerate(levels)), (1, reversed(list(enumerate(levels)))))
            for place, level in side
        )
        for levels in waves.read_outline(sound.peaks)
    ]


def _recorded(session: Session, call_id: str) -> tuple[Call, str]:
    call = session.get(Call, call_id)
    if call is None or call.recording is None:
        raise NotFound()
    return call, call.recording


def _wanted(asked: Mapping[str, str], today: date) -> Wanted:
    """Raises ValueError, NumberError."""
    hours = asked.get("from", ""), asked.get("to", "")
    number = asked.get("number", "").strip()
    scores = asked.get("satisfaction", "")
    return Wanted(
        since=date.fromisoformat(asked.get("since") or str(today - timedelta(LISTED_DAYS - 1))),
        until=date.fromisoformat(asked.get("until") or str(today)),
        hours=(_whole(hours[0], 23) or 0, _whole(hours[1], 24) or 24) if any(hours) else None,
        number=numbers.parse(number).dialled if number else "", agent=asked.get("agent", ""),
        branch=asked.get("branch", ""), satisfaction=_whole(scores, 5),
        outcome=Outcome(asked["outcome"]) if asked.get("outcome") else None,
        least_s=_whole(asked.get("least", ""), 7200), most_s=_whole(asked.get("most", ""), 7200),
        code=re.sub(r"\s", "", asked.get("code", "")), words=asked.get("words", "")[:200],
        refused={"yes": True, "no": False}.get(asked.get("refused", "")),
    )


def _whole(written: str, most: int) -> int | None:
    if not written.strip():
        return None
    if not written.strip().isdecimal() or int(written) > most:
        raise ValueError(_("a whole number, %(most)s at most", most=most))
    return int(written)


@blueprint.get("/calls/<call_id>/recording")
@needs(Right.RECORDINGS)
def recording(call_id: str) -> Answer:
    return _heard(call_id, Kind.RECORDINGS)


@blueprint.get("/calls/<call_id>/voicemail")
@needs(Right.VOICEMAIL)
def voicemail(call_id: str) -> Answer:
    return _heard(call_id, Kind.VOICEMAIL)


def _heard(call_id: str, kind: Kind) -> Answer:
    """Stream what the call's row names, whole or the part that is asked for. A hearing is written
    down when its beginning is asked for, before anything is heard."""
    with console().database.transaction() as session:
        call = session.get(Call, call_id)
        name = _name_of(call, kind)
        if call is None or name is None:
            raise NotFound()
        sound = _opened(kind, name)
        if _from_the_beginning():
            hearing.note_use(session, call, name, Act.PLAY, person().login, utc_now())
            audit.info("%s listens to the %s of call %s", person().login, _word(kind), call_id)
    return _streamed(sound)


def _name_of(call: Call | None, kind: Kind) -> str | None:
    if call is None:
        return None
    return call.recording if kind is Kind.RECORDINGS else call.voicemail


def _word(kind: Kind) -> str:
    return "recording" if kind is Kind.RECORDINGS else "voicemail"


def _from_the_beginning() -> bool:
    asked = request.range
    return asked is None or not asked.ranges or asked.ranges[0][0] == 0


def _opened(kind: Kind, name: str) -> PlainSound | SealedSound:
    """A sound of which what is asked for was found as it was sealed: the whole of it when it begins
    to be heard."""
    try:
        sound = store.opened(console().settings.home, kind, name)
        if isinstance(sound, SealedSound):
            _check(sound)
    except GoneError as error:
        raise NotFound() from error
    except SoundError as error:
        audit.error("%s cannot be heard: %s", name, error)
        raise Conflict(
            _("This recording is not as it was sealed, and is not played: %(why)s", why=error)
        ) from error
    return sound


def _check(sound: SealedSound) -> None:
    if _from_the_beginning():
        sound.digest()
        return
    found = request.range.range_for_length(sound.size) if request.range else None
    if found is not None:
        sound.seek(found[0])
        sound.read(found[1] - found[0])
        sound.seek(0)


def _streamed(sound: PlainSound | SealedSound) -> Response:
    response = Response(
        wrap_file(request.environ, cast(IO[bytes], sound)), mimetype="audio/wav",
        direct_passthrough=True,
    )
    response.content_length = sound.size
    response.cache_control.no_store = True
    response.make_conditional(request, accept_ranges=True, complete_length=sound.size)
    return response
