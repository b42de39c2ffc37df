"""Quality: score cards, the draw of a week, calls judged; what an agent sees and says of theirs."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import words
from agent_console.asked import day_of, whole
from agent_console.door import Answer, console, needs, person, utc_now
from crm.clock import vietnam_day
from crm.models import Call, User
from crm.quality import averages, cards, draws, evaluations
from crm.quality.cards import CardError
from crm.quality.draws import DrawError
from crm.quality.evaluations import EvaluationError
from crm.quality.models import CardVersion, QualityPick, ScoreCard
from crm.reports import schedule, xlsx
from crm.reports.document import shown
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("quality", __name__, url_prefix="/quality")
MONTH = timedelta(days=30)
LONGEST = timedelta(days=366)
ROWS = 12  # of questions on an empty form; a card with more shows all and some to add


@blueprint.get("")
@needs(Right.QUALITY_SEE)
def page() -> Answer:
    return _page()


@blueprint.get("/averages.<kind>")
@needs(Right.QUALITY_SEE)
def averages_file(kind: str) -> Answer:
    first, last = _days()
    with console().database.reading() as session:
        paper = averages.document(session, first, last, utc_now())
    if kind == "csv":
        body, mimetype = xlsx.as_csv(paper.sections[0]).encode(), "text/csv"
    elif kind == "xlsx":
        body, mimetype = xlsx.render(paper), schedule.XLSX_TYPE
    else:
        raise NotFound()
    answer = Response(body, mimetype=mimetype)
    answer.headers.set(
        "Content-Disposition", "attachment",
        filename=f"1022-quality-{first:%Y%m%d}-{last:%Y%m%d}.{kind}",
    )
    return answer


@blueprint.post("/draw")
@needs(Right.QUALITY_KEEP)
def draw() -> Answer:
    """Draw the calls of a week that is over."""
    week, each = request.form.get("week", ""), request.form.get("each", "")
    try:
        with console().database.transaction() as session:
            made = draws.draw(
                session, week, _whole(each), by=person().login, now=utc_now(),
            )
            audit.warning("%s draws %s calls of each agent of %s from %d, seed %s",
                          person().login, made.per_agent, made.week, made.pool, made.seed)
    except DrawError as error:
        return _page(_("Nothing was drawn: %(why)s", why=error))
    return redirect(url_for(".page"))


@blueprint.get("/cards/new")
@needs(Right.QUALITY_KEEP)
def new_card() -> Answer:
    return _card_form("", [], 0)


@blueprint.get("/cards/<int:version_id>")
@needs(Right.QUALITY_SEE)
def card(version_id: int) -> Answer:
    with console().database.reading() as session:
        found, version = _card(session, version_id)
        return _card_form(
            found.name, [(one.text, one.kind.value, str(one.weight), one.fatal)
                         for one in cards.questions_of(version)], version.number,
        )


@blueprint.post("/cards")
@needs(Right.QUALITY_KEEP)
def save_card() -> Answer:
    """A new version of a card; rows without a text are none."""
    form = request.form
    written = [
        (form.get(f"text{row}", ""), form.get(f"kind{row}", ""), form.get(f"weight{row}", ""),
         f"fatal{row}" in form)
        for row in range(cards.MOST_QUESTIONS) if form.get(f"text{row}", "").strip()
    ]
    seen = _whole(form.get("seen", ""))
    try:
        with console().database.transaction() as session:
            made = cards.save(
                session, form.get("name", ""),
                [(text, kind, _whole(weight), fatal)
                 for text, kind, weight, fatal in written],
                by=person().login, now=utc_now(), seen=seen,
            )
            audit.warning("%s makes version %d of card %s", person().login, made.number,
                          form.get("name", ""))
    except CardError as error:
        return _card_form(form.get("name", ""), written, seen,
                          _("This card cannot be kept: %(why)s", why=error))
    flash(_("Version %(number)s holds from now on.", number=made.number))
    return redirect(url_for(".page"))


@blueprint.get("/picks/<int:pick_id>")
@needs(Right.QUALITY_KEEP)
def judge_page(pick_id: int) -> Answer:
    return _judge_form(pick_id)


@blueprint.post("/picks/<int:pick_id>")
@needs(Right.QUALITY_KEEP)
def judge(pick_id: int) -> Answer:
    form = request.form
    answers = {key: _whole(value) for key, value in form.items()
               if key.startswith("q") and value.isdecimal()}
    try:
        with console().database.transaction() as session:
            made = evaluations.judge(
                session, pick_id, _whole(form.get("version", "")), answers,
                form.get("note", ""), by=person().login, now=utc_now(),
            )
            audit.info("%s judges call of pick %d: %d", person().login, pick_id, made.score)
            score = made.score
    except (EvaluationError, CardError) as error:
        return _judge_form(pick_id, _("This cannot be kept: %(why)s", why=error))
    flash(_("Kept: %(score)s", score=words.score(score)))
    return redirect(url_for(".page"))


@blueprint.get("/mine")
@needs(Right.CALLS_TAKE)
def mine() -> Answer:
    return _mine()


@blueprint.post("/mine/<int:evaluation_id>")
@needs(Right.CALLS_TAKE)
def reply(evaluation_id: int) -> Answer:
    try:
        with console().database.transaction() as session:
            evaluations.reply(session, evaluation_id, request.form.get("reply", ""),
                              by=person().login, now=utc_now())
    except EvaluationError as error:
        return _mine(_("This cannot be kept: %(why)s", why=error))
    return redirect(url_for(".mine"))


def _page(problem: str = "") -> Answer:
    first, last = _days()
    with console().database.reading() as session:
        return render_template(
            "quality.html", problem=problem, first=first, last=last, shown=shown,
            waiting=evaluations.to_judge(session, person().login),
            drawn=draws.latest(session, 12), cards=cards.newest(session),
            paper=averages.document(session, first, last, utc_now()),
            judged=evaluations.latest(session), names=_names(session),
            week=request.form.get("week") or draws.week_before(utc_now()),
            each=request.form.get("each", "3"),
        ), 400 if problem else 200


def _card_form(
    name: str, rows: list[tuple[str, str, str, bool]], seen: int, problem: str = ""
) -> Answer:
    more = min(cards.MOST_QUESTIONS, max(ROWS, len(rows) + 4)) - len(rows)
    return render_template(
        "quality_card.html", name=name, rows=rows + [("", "scale", "1", False)] * more,
        seen=seen, problem=problem,
    ), 400 if problem else 200


def _judge_form(pick_id: int, problem: str = "") -> Answer:
    with console().database.reading() as session:
        pick = session.get(QualityPick, pick_id)
        if pick is None:
            raise NotFound()
        known = cards.newest(session)
        wanted = request.values.get("version", "")
        chosen = next((pair for pair in known if str(pair[1].id) == wanted), None)
        chosen = chosen or (known[0] if known else None)
        return render_template(
            "quality_judge.html", pick=pick, call=session.get(Call, pick.call_id), cards=known,
            chosen=chosen, questions=cards.questions_of(chosen[1]) if chosen else [],
            problem=problem, names=_names(session),
        ), 400 if problem else 200


def _whole(written: str) -> int:
    """0, which nothing is, for what is no number."""
    try:
        return whole(written)
    except ValueError:
        return 0


def _mine(problem: str = "") -> Answer:
    with console().database.transaction() as session:
        return render_template(
            "quality_mine.html", problem=problem, questions_of=cards.questions_of,
            judged=evaluations.of_agent(session, person().login, utc_now()),
        ), 400 if problem else 200


def _card(session: Session, version_id: int) -> tuple[ScoreCard, CardVersion]:
    try:
        return cards.with_card(session, version_id)
    except CardError as error:
        raise NotFound() from error


def _names(session: Session) -> dict[str, str]:
    return dict(session.execute(select(User.login, User.name)).all())


def _days() -> tuple[date, date]:
    """The days whose evaluations are counted, the last month where none are named."""
    today = vietnam_day(utc_now())
    last = day_of(request.args.get("last"), today)
    first = day_of(request.args.get("first"), last - MONTH)
    if not timedelta(0) <= last - first <= LONGEST:
        raise BadRequest()
    return first, last
