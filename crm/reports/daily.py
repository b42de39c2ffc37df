"""The daily report: the health department's figures of a day and the hotline's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy.orm import Session

from crm.areas import standing
from crm.branches import BRANCHES
from crm.cases.categories import CATEGORIES
from crm.clock import VIETNAM
from crm.models import Outcome
from crm.reports import calls, health, work
from crm.reports.calls import Count
from crm.reports.document import Cell, Column, Document, Kind, Section, Table, Value, moment
from crm.reports.models import HealthReport
from crm.reports.spans import begin
from crm.reports.template import Template, filled
from crm.users import names_of

CUT = time(17, 0)  # what is sent counts until then
FIGURES = {
    "new_cases": "Ca mắc mới", "recovered": "Khỏi bệnh", "deaths": "Tử vong (cộng dồn)",
    "under_treatment": "Đang điều trị (cuối ngày)", "tests": "Mẫu xét nghiệm",
    "doses": "Mũi vắc xin đã tiêm",
}
OUTCOMES = {
    Outcome.ANSWERED: "Gặp người", Outcome.TRANSFERRED: "Chuyển ngoài",
    Outcome.CALLBACK: "Hẹn gọi lại", Outcome.VOICEMAIL: "Để lời nhắn",
    Outcome.SELF_SERVED: "Tự tra cứu", Outcome.ABANDONED_QUEUE: "Bỏ khi chờ",
    Outcome.ABANDONED_MENU: "Bỏ ở menu", Outcome.REJECTED: "Từ chối", Outcome.LOST: "Sự cố",
}
NO_BRANCH = "Chưa chọn nhánh"
UNKNOWN_AREA = "Chưa rõ địa bàn"
BRANCH_NAMES = {branch.id: branch.vi for branch in BRANCHES}
CATEGORY_NAMES = {one.id: one.vi for one in CATEGORIES}


@dataclass(frozen=True)
class Daily:
    """All figures of a report. Calls and cases from `since` to before `until`; `calls_before`: of
    the whole day before."""

    day: date
    since: datetime
    until: datetime
    report: HealthReport | None
    approver: str
    today: dict[str, health.Figures]
    yesterday: dict[str, health.Figures] | None  # None: nothing is known
    calls: list[Count]
    calls_before: list[Count]
    agencies: list[work.AgencyDay]
    rising: list[work.Rising]


def cut(day: date) -> datetime:
    """17:00 of a day."""
    return datetime.combine(day, CUT, VIETNAM)


def gather(session: Session, day: date, until: datetime, *, draft: bool = False) -> Daily:
    """The figures of a day from its beginning to `until`; `draft`: with the health department's
    newest, approved or not."""
    since = begin(day)
    before = day - timedelta(days=1)
    report = health.of_day(session, day, approved=not draft)
    earlier = health.of_day(session, before)
    approver = report.approved_by or "" if report else ""
    return Daily(
        day=day, since=since, until=until, report=report,
        approver=names_of(session, [approver]).get(approver, approver),
        today=health.by_area(report), yesterday=health.by_area(earlier) if earlier else None,
        calls=calls.between(session, since, until),
        calls_before=calls.of_days(session, before, before),
        agencies=work.by_agency(session, since, until),
        rising=work.rising(session, day, until),
    )


def places(daily: Daily, edition: int) -> dict[str, str]:
    """What a template may name: crm.reports.template.PLACES."""
    report = daily.report
    return {
        "day": f"{daily.day:%d/%m/%Y}", "year": str(daily.day.year),
        "date_words": f"ngày {daily.day:%d} tháng {daily.day:%m} năm {daily.day.year}",
        "since": moment(daily.since), "until": moment(daily.until),
        "number": str(daily.day.timetuple().tm_yday),
        "edition": f" (bản đính chính lần {edition - 1})" if edition > 1 else "",
        "source": report.source if report else "chưa có số liệu được duyệt",
        "entered": moment(report.entered_at) if report else "–",
        "approved": moment(report.approved_at) if report and report.approved_at else "–",
        "approver": daily.approver or "–",
    }


def document(daily: Daily, template: Template, edition: int = 1) -> Document:
    """The figures as pages and sheets show them."""
    known = places(daily, edition)

    def text(line: str) -> str:
        return filled(line, known)

    makers = {
        "health": _health, "areas": _areas, "calls": _calls, "service": _service,
        "agencies": _agencies, "rising": _rising,
    }
    sections = []
    for name in template.order:
        sheet, table = makers[name](daily)
        texts = template.sections[name]
        sections.append(Section(
            id=name, name=sheet, title=text(texts.title),
            sentences=(text(texts.note),) if texts.note else (), table=table,
            empty=text(texts.empty),
        ))
    return Document(
        heading=tuple(map(text, template.heading)), number=text(template.number),
        dated=text(template.dated), title=text(template.title), subtitle=text(template.subtitle),
        to=tuple(map(text, template.to)), sections=tuple(sections),
        closing=tuple(map(text, template.closing)),
        signers=(text(template.signers[0]), text(template.signers[1])), foot=text(template.foot),
    )


def _health(daily: Daily) -> tuple[str, Table]:
    now = health.total(daily.today)
    before = health.total(daily.yesterday) if daily.yesterday is not None else None
    rows = []
    for name, label in FIGURES.items() if daily.report else ():
        value = getattr(now, name)
        was = getattr(before, name) if before is not None else None
        rows.append((label, value, was, None if was is None else value - was))
    return "Số liệu y tế", Table((
        Column("Chỉ tiêu", Kind.TEXT, 3), Column("Hôm nay"), Column("Hôm qua"),
        Column("So với hôm qua", Kind.CHANGE),
    ), tuple(rows))


def _areas(daily: Daily) -> tuple[str, Table]:
    names = {code: area.name for code, area in standing(daily.day).items()}
    names[health.PROVINCE] = UNKNOWN_AREA
    rows: list[tuple[Cell, ...]] = []
    divided = set(daily.today) - {health.PROVINCE}
    for area in sorted(daily.today, key=lambda one: (one == health.PROVINCE, one)):
        figures = daily.today[area]
        was = (daily.yesterday or {}).get(area)
        change = None if was is None else figures.new_cases - was.new_cases
        rows.append((
            names.get(area, area), figures.new_cases, change, figures.recovered, figures.deaths,
            figures.under_treatment, figures.tests, figures.doses,
        ))
    total = health.total(daily.today)
    change = (
        None if daily.yesterday is None
        else total.new_cases - health.total(daily.yesterday).new_cases
    )
    return "Theo địa bàn", Table(
        (
            Column("Xã, phường", Kind.TEXT, 2.6), Column("Ca mắc mới"),
            Column("So với hôm qua", Kind.CHANGE), Column("Khỏi bệnh"),
            Column("Tử vong (cộng dồn)"), Column("Đang điều trị"), Column("Xét nghiệm"),
            Column("Mũi tiêm"),
        ),
        tuple(rows) if divided else (),
        ("Cộng", total.new_cases, change, total.recovered, total.deaths, total.under_treatment,
         total.tests, total.doses),
    )


def _calls(daily: Daily) -> tuple[str, Table]:
    found = [one for one in daily.calls if one.direction == "in"]
    ways = [*OUTCOMES, ""]

    def numbers(branch: str | None) -> list[int]:
        mine = [one for one in found if branch is None or one.branch == branch]
        by = [sum(one.calls for one in mine if one.outcome == way) for way in ways]
        return [sum(by), *by]

    rows: list[tuple[Cell, ...]] = []
    others = sorted({one.branch for one in found} - {*BRANCH_NAMES, ""})
    for branch in [*BRANCH_NAMES, *others, ""]:
        by = numbers(branch)
        if by[0]:
            rows.append((BRANCH_NAMES.get(branch, branch) or NO_BRANCH, *by))
    return "Cuộc gọi", Table(
        (
            Column("Nhánh", Kind.TEXT, 2.9), Column("Tổng"),
            *(Column(name) for name in OUTCOMES.values()), Column("Đang gọi"),
        ),
        tuple(rows), ("Cộng", *numbers(None)),
    )


def _service(daily: Daily) -> tuple[str, Table]:
    def inbound(found: list[Count]) -> calls.Sums:
        return calls.sums(one for one in found if one.direction == "in")

    now, was = inbound(daily.calls), inbound(daily.calls_before)

    def out(found: list[Count]) -> int:
        return sum(one.calls for one in found if one.direction == "out")

    def wait(sums: calls.Sums) -> Value:
        return Value(sums.longest_wait_ms // 1000, Kind.DURATION)

    def share(part: float | None) -> Value | None:
        return None if part is None else Value(part, Kind.SHARE)

    norm = {True: "đạt", False: "chưa đạt", None: "–"}

    def kept(sums: calls.Sums) -> str:
        part = sums.in_time_share
        return norm[None if part is None else part > calls.NORM]

    rows: list[tuple[Cell, ...]] = [
        ("Cuộc gọi đến", now.calls, was.calls),
        ("Gặp người", now.answered, was.answered),
        ("Không được trả lời (bỏ khi chờ, từ chối, sự cố)", now.missed, was.missed),
        ("Cấp cứu không gặp được ai", now.unreached, was.unreached),
        ("Chờ lâu nhất (phút:giây)", wait(now), wait(was)),
        ("Cuộc gọi chờ gặp người", now.queued, was.queued),
        ("– gặp người trong 60 giây", now.in_time, was.in_time),
        ("– tỷ lệ trong 60 giây", share(now.in_time_share), share(was.in_time_share)),
        ("– định mức trên 80% trong 60 giây", kept(now), kept(was)),
        ("Cuộc gọi có đánh giá", now.rated, was.rated),
        ("– hài lòng và rất hài lòng", now.satisfied, was.satisfied),
        ("Cuộc gọi đi", out(daily.calls), out(daily.calls_before)),
    ]
    return "Chất lượng phục vụ", Table((
        Column("Chỉ tiêu", Kind.TEXT, 3), Column("Hôm nay"), Column("Hôm qua (trọn ngày)"),
    ), tuple(rows))


def _agencies(daily: Daily) -> tuple[str, Table]:
    rows = tuple(
        (one.agency or "Chưa chuyển cơ quan nào", one.received, one.resolved, one.overdue)
        for one in daily.agencies
    )
    return "Phản ánh", Table(
        (
            Column("Cơ quan", Kind.TEXT, 3.5), Column("Tiếp nhận"), Column("Đã trả lời"),
            Column("Đang quá hạn"),
        ),
        rows,
        ("Cộng", *(sum(getattr(one, name) for one in daily.agencies)
                   for name in ("received", "resolved", "overdue"))),
    )


def _rising(daily: Daily) -> tuple[str, Table]:
    names = {code: area.name for code, area in standing(daily.day).items()}
    return "Tăng nhanh", Table(
        (
            Column("Lĩnh vực", Kind.TEXT, 2.5), Column("Địa bàn", Kind.TEXT, 2.5),
            Column("Phản ánh"), Column("Trung bình 7 ngày trước", Kind.MEAN),
        ),
        tuple(
            (
                CATEGORY_NAMES.get(one.category, one.category) if one.category
                else "Mọi lĩnh vực",
                names.get(one.area, one.area) if one.area else "Toàn tỉnh", one.cases,
                round(one.usual, 1),
            )
            for one in daily.rising
        ),
    )
