"""Reports: the figures of the day, the report of 17:00 with its approval, reports over a period."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import report_words, words
from agent_console.asked import day_of, whole
from agent_console.door import Answer, console, long_body, needs, person, utc_now
from crm import areas
from crm.clock import vietnam_day
from crm.reports import daily, health, period, schedule, template, upload, xlsx
from crm.reports.document import grouped, shown
from crm.reports.health import NAMES, PROVINCE, Figures, HealthError
from crm.reports.spans import begin
from crm.reports.upload import UploadError
from crm.rights import Right

blueprint = Blueprint("reports", __name__, url_prefix="/reports")
LISTED = timedelta(days=31)
EMPTY_ROWS = 4
_MOST_ROWS = 300


class _FormError(Exception):
    """What was typed cannot be read; `code` as of HealthError."""

    def __init__(self, code: str, where: str) -> None:
        self.code, self.where = code, where


@blueprint.get("")
@needs(Right.REPORTS_SEE)
def listing() -> Answer:
    """The last days: what was entered, approved and sent."""
    today = vietnam_day(utc_now())
    with console().database.reading() as session:
        found = health.versions(session, today - LISTED, today)
        sent = schedule.issues(session, today - LISTED, today)
    newest = {one.day: one for one in reversed(found)}
    days = sorted({today, *newest, *sent}, reverse=True)
    return render_template(
        "reports.html", days=days, newest=newest, sent=sent, today=today,
        recipients=console().settings.report_recipients,
    )


@blueprint.get("/figures")
@needs(Right.FIGURES_SEE)
def figures() -> Answer:
    day = day_of(request.args.get("day"))
    with console().database.reading() as session:
        newest = health.of_day(session, day, approved=False)
        source = newest.source if newest else ""
        return _figures(day, health.by_area(newest), source)


@blueprint.post("/figures")
@needs(Right.FIGURES_ENTER)
def enter() -> Answer:
    form, now = request.form, utc_now()
    day = day_of(form.get("day"))
    try:
        typed = _typed(form, day)
    except _FormError as error:
        problem = f"{words.report_problem(error.code)} ({error.where})"
        return _figures(day, {}, form.get("source", ""), problem=problem, given=form)
    try:
        with console().database.transaction() as session:
            made = health.enter(
                session, day, typed, source=form.get("source", ""), by=person().login, now=now,
                confirmed=form.get("confirmed") == "yes",
            )
            version = made.version
    except HealthError as error:
        return _figures(
            day, typed, form.get("source", ""), problem=words.report_problem(error.code),
            doubts=error.doubts,
        )
    flash(_("Version %(version)s is saved. Another person approves it.", version=version))
    return redirect(url_for(".figures", day=day.isoformat()))


@blueprint.get("/figures/form.xlsx")
@needs(Right.FIGURES_SEE)
def empty_form() -> Answer:
    return _file(upload.form(vietnam_day(utc_now())), schedule.XLSX_TYPE, "so-lieu-y-te.xlsx")


@blueprint.post("/figures/upload")
@needs(Right.FIGURES_ENTER)
@long_body(upload.LARGEST_FILE + 4096)
def take_in() -> Answer:
    """The figures of a file, shown in the form: nothing is saved yet."""
    day = day_of(request.form.get("day"))
    file = request.files.get("file")
    try:
        read = upload.read(file.read(upload.LARGEST_FILE + 1) if file else b"", day)
    except UploadError as error:
        return _figures(
            day, {}, request.form.get("source", ""), problem=words.report_problem(error.code),
            cells=error.cells,
        )
    flash(_("The file is read. Look at the figures, then save them."))
    return _figures(day, read, request.form.get("source", ""), unsaved=True)


@blueprint.get("/daily/<day>")
@needs(Right.REPORTS_SEE)
def one_day(day: str) -> Answer:
    return _one_day(day_of(day))


@blueprint.get("/daily/<day>/report.<kind>")
@needs(Right.REPORTS_SEE)
def one_file(day: str, kind: str) -> Answer:
    """The report as it was sent, or as it would be now."""
    from crm.reports import pdf

    if kind not in ("pdf", "xlsx"):
        raise NotFound()
    of = day_of(day)
    with console().database.reading() as session:
        sent = schedule.issues(session, of, of).get(of)
        if sent is not None:
            content = sent.pdf if kind == "pdf" else sent.xlsx
        else:
            found = daily.gather(session, of, _until(of), draft=True)
            paper = daily.document(found, template.load(console().settings.home))
            content = pdf.render(paper, utc_now()) if kind == "pdf" else xlsx.render(paper)
    media = "application/pdf" if kind == "pdf" else schedule.XLSX_TYPE
    return _file(content, media, f"bao-cao-1022-{of:%Y%m%d}.{kind}")


@blueprint.post("/daily/<day>/approve")
@needs(Right.REPORTS_APPROVE)
def approve(day: str) -> Answer:
    of = day_of(day)
    try:
        with console().database.transaction() as session:
            health.approve(
                session, of, request.form.get("version", 0, type=whole), by=person().login,
                now=utc_now(),
            )
    except HealthError as error:
        return _one_day(of, words.report_problem(error.code))
    flash(_("Approved. The report goes out at 17:00, or at once if it is later."))
    return redirect(url_for(".one_day", day=day))


@blueprint.post("/daily/<day>/resend")
@needs(Right.REPORTS_APPROVE)
def resend(day: str) -> Answer:
    of = day_of(day)
    try:
        with console().database.transaction() as session:
            issue = schedule.send_again(session, console().settings, of, now=utc_now())
            edition = issue.edition
    except schedule.IssueError:
        return _one_day(of, _("This report has not been sent yet."))
    flash(_("Edition %(edition)s is being sent to all recipients.", edition=edition))
    return redirect(url_for(".one_day", day=day))


@blueprint.get("/period")
@needs(Right.REPORTS_SEE)
def over() -> Answer:
    return _period("html")


@blueprint.get("/period.<kind>")
@needs(Right.REPORTS_SEE)
def over_file(kind: str) -> Answer:
    if kind not in ("csv", "xlsx"):
        raise NotFound()
    return _period(kind)


def _period(kind: str) -> Answer:
    today = vietnam_day(utc_now())
    first = day_of(request.args.get("from"), today.replace(day=1))
    last = day_of(request.args.get("to"), today)
    try:
        by = period.By(request.args.get("by", period.By.BRANCH))
    except ValueError as error:
        raise BadRequest() from error
    problem = paper = None
    with console().database.reading() as session:
        try:
            paper = period.document(session, by, first, last, utc_now())
        except period.PeriodError:
            problem = _("A period ends by today, begins before it ends, and has a year at most.")
    name = f"1022-{by}-{first:%Y%m%d}-{last:%Y%m%d}.{kind}"
    if paper is not None and kind in ("csv", "xlsx"):
        paper = report_words.paper(paper)
        if kind == "xlsx":
            return _file(xlsx.render(paper), schedule.XLSX_TYPE, name)
        return _file(xlsx.as_csv(paper.sections[0]).encode(), "text/csv", name)
    return render_template(
        "reports_period.html", paper=paper, problem=problem, by=by, first=first, last=last,
        today=today, kinds=period.TITLES, shown=shown, told=report_words.told,
        said=report_words.said,
    ), 400 if problem else 200


def _one_day(day: date, problem: str | None = None) -> Answer:
    with console().database.reading() as session:
        versions = health.versions(session, day, day)
        sent = schedule.issues(session, day, day).get(day)
        found = daily.gather(session, day, _until(day), draft=True)
    try:
        paper = daily.document(found, template.load(console().settings.home))
    except template.TemplateError as error:
        paper, problem = None, _("The template of the report cannot be used: %(why)s", why=error)
    newest = versions[0] if versions else None
    return render_template(
        "reports_daily.html", day=day, versions=versions, newest=newest, sent=sent, paper=paper,
        problem=problem, shown=shown, told=report_words.told, said=report_words.said,
        own=newest is not None and newest.entered_by == person().login,
    ), 400 if problem else 200


def _figures(
    day: date, by_area: Mapping[str, Figures], source: str, *, problem: str | None = None,
    doubts: tuple[health.Doubt, ...] = (), cells: tuple[upload.BadCell, ...] = (),
    given: Mapping[str, str] | None = None, unsaved: bool = False,
) -> Answer:
    """The form: a row for the province, for each area with figures today or yesterday, and some
    empty ones."""
    with console().database.reading() as session:
        versions = health.versions(session, day, day)
        yesterday = health.by_area(health.of_day(session, day - timedelta(days=1)))
    known = areas.standing(day)
    codes = [PROVINCE, *sorted(({*by_area, *yesterday} & set(known)) - {PROVINCE})]
    rows = [
        {
            "place": known[code].name if code else "", "whole": not code,
            "values": [getattr(by_area[code], name) for name in NAMES] if code in by_area else
            [""] * len(NAMES),
            "before": [getattr(yesterday[code], name) for name in NAMES] if code in yesterday
            else None,
        }
        for code in codes
    ] + [{"place": "", "whole": False, "values": [""] * len(NAMES), "before": None}
         for _number in range(EMPTY_ROWS)]
    if given is not None:
        rows = [
            {"place": given.get(f"place{number}", ""), "whole": number == 0, "before": None,
             "values": [given.get(f"{name}{number}", "") for name in NAMES]}
            for number in range(_rows(given))
        ]
    return render_template(
        "reports_figures.html", day=day, rows=rows, source=source, versions=versions,
        total=health.total(yesterday) if yesterday else None, names=NAMES, problem=problem,
        doubts=doubts, cells=cells, unsaved=unsaved, today=vietnam_day(utc_now()),
        places=sorted({area.name for area in known.values()}), known=known,
        grouped=grouped,
    ), 400 if problem else 200


def _typed(form: Mapping[str, str], day: date) -> dict[str, Figures]:
    """The figures of the form; rows without any are left out. Raises _FormError."""
    found: dict[str, Figures] = {}
    for number in range(_rows(form)):
        place = form.get(f"place{number}", "").strip()
        values = [re.sub(r"[\s.]", "", form.get(f"{name}{number}", "")) for name in NAMES]
        if not any(values):
            continue
        area = PROVINCE if number == 0 else _area(place, day)
        if area in found:
            raise _FormError("twice", place)
        wrong = [one for one in values if one and not re.fullmatch(r"\d{1,7}", one, re.ASCII)]
        if wrong:
            raise _FormError("number", f"{place} {wrong[0]}".strip()[:60])
        found[area] = Figures(*(int(one or 0) for one in values))
    return found


def _area(place: str, day: date) -> str:
    matches = [one for one in areas.find(place, day) if one.named.stands(day)]
    exact = [one for one in matches if one.named.name == place] or matches
    if len(exact) != 1:
        raise _FormError("area", place[:60])
    return exact[0].named.code


def _rows(form: Mapping[str, str]) -> int:
    count = form.get("rows", "")
    return min(int(count), _MOST_ROWS) if re.fullmatch(r"\d{1,3}", count, re.ASCII) else 1


def _until(day: date) -> datetime:
    """Until when a report of this day counts: 17:00, or now before that."""
    return min(daily.cut(day), max(utc_now(), begin(day)))


def _file(content: bytes, media: str, name: str) -> Response:
    answer = Response(content, mimetype=media)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
