"""Reports on the service: by day, hour, branch, agent or line, as page and as files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import charts, report_words
from agent_console.asked import day_of
from agent_console.charts import Chart
from agent_console.door import Answer, console, language, needs, utc_now
from crm.clock import vietnam_day
from crm.reports import kept, schedule, service, xlsx
from crm.reports.document import shown
from crm.reports.glossary import RATES
from crm.reports.measures import NONE, WITHIN_S, By, Found, Measures
from crm.reports.period import PeriodError
from crm.rights import Right

blueprint = Blueprint("service_reports", __name__, url_prefix="/reports/service")


@blueprint.get("")
@needs(Right.REPORTS_SEE)
def page() -> Answer:
    return _made("html")


@blueprint.get("/file.<kind>")
@needs(Right.REPORTS_SEE)
def file(kind: str) -> Answer:
    if kind not in ("csv", "xlsx", "pdf"):
        raise NotFound()
    return _made(kind)


def _made(kind: str) -> Answer:
    now, settings = utc_now(), console().settings
    today = vietnam_day(now)
    first = day_of(request.args.get("from"), today - timedelta(days=6))
    last = day_of(request.args.get("to"), today)
    try:
        by = By(request.args.get("by", By.DAY))
    except ValueError as error:
        raise BadRequest() from error
    problem, paper, norm = None, None, None
    drawn: list[Chart] = []
    read: dict[date, Found] = {}
    with console().database.reading() as session:
        try:
            paper = service.document(session, by, first, last, now, settings.service_level_s, read)
            found = kept.of_days(session, by, first, last, now, settings.service_level_s, read)
            drawn = _charts(by, found, service.names(session, by, found, last))
            norm = service.norm(session, last, now, settings.service_level_s, read)
        except PeriodError:
            problem = _("A period ends by today, begins before it ends, and has a year at most.")
    if paper is not None and kind != "html":
        paper = report_words.paper(paper, norm)
        match kind:
            case "csv":
                content, media = "\n".join(map(xlsx.as_csv, paper.sections)).encode(), "text/csv"
            case "xlsx":
                content, media = xlsx.render(paper), schedule.XLSX_TYPE
            case _:
                from crm.reports import pdf

                content, media = pdf.render(paper, now, language()), "application/pdf"
        answer = Response(content, mimetype=media)
        name = f"1022-phuc-vu-{by}-{first:%Y%m%d}-{last:%Y%m%d}.{kind}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer
    return render_template(
        "reports_service.html", paper=paper, problem=problem, by=by, first=first, last=last,
        today=today, now=now, kinds=_kinds(), shown=shown, told=report_words.told, norm=norm,
        in_words=report_words.norm, rates=RATES,
        drawn=drawn,
    ), 400 if problem else 200


def _kinds() -> dict[By, str]:
    return {
        By.DAY: _("By day"), By.HOUR: _("By hour of the day"), By.BRANCH: _("By branch"),
        By.AGENT: _("By agent"), By.PARTY: _("By line of agencies and doctors"),
    }


def _charts(by: By, found: Mapping[str, Measures], called: Mapping[str, str]) -> list[Chart]:
    """`called`: the keys in their order, with the names that the tables give them."""
    match by:
        case By.AGENT:
            title = _("Time with calls")
            parts = (_("Talk (min)"), _("Hold (min)"), _("Wrap-up (min)"))
        case By.PARTY:
            title = _("Lines outside")
            parts = (_("Taken"), _("Not answered"), _("Refused or busy"))
        case _:
            title = _("Calls")
            parts = (_("Answered"), _("Gave up waiting"), _("Others"))
    made = [charts.bars(title, parts, [
        (_short(by, key, name), _bar(by, found[key])) for key, name in called.items()
    ])]
    total = sum(found.values(), NONE)
    if by is By.DAY:
        labels = [*(f"≤{most} s" for most in WITHIN_S), f">{WITHIN_S[-1]} s"]
        values = [getattr(total, f"ab_{most}") for most in (*WITHIN_S, "more")]
        made.append(charts.bars(_("Gave up, by how long they had waited"), (_("Gave up waiting"),),
                                [(label, [value]) for label, value in
                                 zip(labels, values, strict=True)]))
    return [one for one in made if one is not None]


def _bar(by: By, one: Measures) -> list[int]:
    match by:
        case By.AGENT:
            return [ms // 60_000 for ms in (one.talk_ms, one.hold_ms, one.wrapup_ms)]
        case By.PARTY:
            return [one.taken, one.unanswered, one.refused]
        case _:
            return [one.answered, one.abandoned, one.calls - one.answered - one.abandoned]


def _short(by: By, key: str, name: str) -> str:
    match by:
        case By.DAY:
            return f"{date.fromisoformat(key):%d/%m}"
        case By.HOUR:
            return key
        case _:
            return report_words.told(name, name=True)
