"""Reports over a period: by branch, channel, field, agency, area. Small numbers of an area are told
only together."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from crm.areas import standing
from crm.cases.models import Case
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.reports import calls, work
from crm.reports.daily import BRANCH_NAMES, CATEGORY_NAMES, NO_BRANCH, UNKNOWN_AREA
from crm.reports.document import Cell, Column, Document, Kind, Section, Table, moment

LONGEST = timedelta(days=366)
CHANNELS = {
    "call": "Điện thoại", "voicemail": "Lời nhắn thoại", "hand": "Điện thoại viên nhập",
    "web": "Trang web", "email": "Thư điện tử", "zalo": "Zalo", "api": "Hệ thống khác",
    "counter": "Tại quầy", "letter": "Thư, công văn", "facebook": "Facebook", "press": "Báo, đài",
    "portal": "Cổng thông tin", "open311": "Open311",
}
FEW = f"Các địa bàn dưới {work.SMALL} phản ánh"


class PeriodError(HotlineError):
    """A period that cannot be reported on; one sentence."""


class By(StrEnum):
    """What a report is divided by."""

    BRANCH = "branch"
    CHANNEL = "channel"
    CATEGORY = "category"
    AGENCY = "agency"
    AREA = "area"


_COLUMNS = {By.CHANNEL: Case.channel, By.CATEGORY: Case.category, By.AGENCY: Case.agency_id,
            By.AREA: Case.area}
TITLES = {
    By.BRANCH: "Cuộc gọi theo nhánh", By.CHANNEL: "Phản ánh theo kênh tiếp nhận",
    By.CATEGORY: "Phản ánh theo lĩnh vực", By.AGENCY: "Phản ánh theo cơ quan xử lý",
    By.AREA: "Phản ánh theo địa bàn",
}


def document(session: Session, by: By, first: date, last: date, now: datetime) -> Document:
    """What began from one day to another (both included), as it stands at `now`.

    Raises PeriodError.
    """
    if first > last or last - first > LONGEST or last > vietnam_day(now):
        raise PeriodError("a period begins before it ends, ends by today, and has a year at most")
    if by is By.BRANCH:
        table = _branches(calls.of_days(session, first, last))
    else:
        table = _cases(work.of_days(session, _COLUMNS[by], first, last, now), by, last)
    empty = "Không có gì trong thời gian này."
    section = Section(by.value, TITLES[by], TITLES[by], (), table, empty)
    return Document(
        heading=("TỔNG ĐÀI (0237) 1022 THANH HÓA",), number="", dated="", title=TITLES[by].upper(),
        subtitle=f"Từ ngày {first:%d/%m/%Y} đến ngày {last:%d/%m/%Y}", to=(), sections=(section,),
        closing=(), signers=("", ""), foot=f"Tổng đài (0237) 1022 · Số liệu lúc {moment(now)}",
    )


def _branches(found: list[calls.Count]) -> Table:
    inbound = [one for one in found if one.direction == "in"]

    def row(name: str, sums: calls.Sums) -> tuple[Cell, ...]:
        return (
            name, sums.calls, sums.answered, sums.missed, sums.queued, sums.in_time,
            sums.in_time_share, sums.unreached, sums.longest_wait_ms // 1000, sums.rated,
            sums.satisfied_share,
        )

    rows = []
    others = sorted({one.branch for one in inbound} - {*BRANCH_NAMES, ""})
    for branch in [*BRANCH_NAMES, *others, ""]:
        sums = calls.sums(one for one in inbound if one.branch == branch)
        if sums.calls:
            rows.append(row(BRANCH_NAMES.get(branch, branch) or NO_BRANCH, sums))
    return Table(
        (
            Column("Nhánh", Kind.TEXT, 2.8), Column("Gọi đến"), Column("Gặp người"),
            Column("Không được trả lời"), Column("Chờ gặp người"), Column("Trong 60 giây"),
            Column("Tỷ lệ trong 60 giây", Kind.SHARE), Column("Cấp cứu không gặp ai"),
            Column("Chờ lâu nhất", Kind.DURATION), Column("Có đánh giá"),
            Column("Hài lòng", Kind.SHARE),
        ),
        tuple(rows), row("Cộng", calls.sums(inbound)),
    )


def _cases(found: list[work.Cases], by: By, last: date) -> Table:
    areas = {code: area.name for code, area in standing(last).items()}

    def name(one: work.Cases) -> str:
        match by:
            case By.CHANNEL:
                return CHANNELS.get(one.value or "", one.value or "")
            case By.CATEGORY:
                return CATEGORY_NAMES.get(one.value or "", one.value or "Chưa phân loại")
            case By.AGENCY:
                return one.value or "Chưa chuyển cơ quan nào"
            case _ if one.received < work.SMALL:
                return FEW
            case _:
                return areas.get(one.value, one.value) if one.value else UNKNOWN_AREA

    groups: dict[str, work.Cases] = {}
    for one in found:
        groups[name(one)] = groups.get(name(one), work.Cases(None)) + one

    def row(label: str, one: work.Cases) -> tuple[Cell, ...]:
        ended = one.on_time + one.late
        return (
            label, one.received, one.on_time, one.late, one.overdue, one.open, one.other,
            one.on_time / ended if ended else None, one.rated,
            one.content / one.rated if one.rated else None,
        )

    return Table(
        (
            Column({By.CHANNEL: "Kênh", By.CATEGORY: "Lĩnh vực", By.AGENCY: "Cơ quan"}
                   .get(by, "Địa bàn"), Kind.TEXT, 3),
            Column("Tiếp nhận"), Column("Trả lời đúng hạn"), Column("Trả lời trễ hạn"),
            Column("Đang quá hạn"), Column("Đang xử lý"), Column("Từ chối, trùng"),
            Column("Tỷ lệ đúng hạn", Kind.SHARE), Column("Có đánh giá"),
            Column("Hài lòng", Kind.SHARE),
        ),
        tuple(row(label, one) for label, one in groups.items()),
        row("Cộng", sum(groups.values(), work.Cases(None))),
    )
