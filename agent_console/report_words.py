"""Reports are papers in Vietnamese; on the English page, and in files that are taken from it, their
words are these."""

from __future__ import annotations

import re
from dataclasses import replace

from flask_babel import get_locale  # type: ignore[import-untyped]

from crm.branches import BRANCHES, HELP_LINES, SERVICES
from crm.cases.categories import CATEGORIES
from crm.reports import period
from crm.reports.document import Cell, Document, Section, Table
from crm.reports.glossary import NORM, NORM_DAYS, NORM_TRIALS, RATES
from crm.reports.measures import NORM_MS
from crm.reports.service import Norm
from crm.reports.work import SMALL

_COLUMNS = {
    "Ngày": "Day", "Giờ": "Hour", "Nhánh": "Branch", "Điện thoại viên": "Agent",
    "Đường dây": "Line", "Gọi đến": "Calls", "Gặp điện thoại viên": "Answered",
    "Nối ra ngoài": "Put through outside", "Hẹn gọi lại": "Calls back", "Lời nhắn": "Messages",
    "Tự tra cứu": "Self-served", "Bỏ khi chờ": "Gave up waiting", "Bỏ ở menu": "Left in the menu",
    "Từ chối": "Rejected", "Sự cố": "Lost", "Được tính": "Counted",
    "Trong 60 giây": "Within 60 s", "Chờ gặp người": "Waited for a person",
    "Báo đúng": "Told right", "Được báo": "Told", "Chờ lâu nhất": "Longest wait",
    "Lượt xử lý": "Handled", "Nói chuyện": "Talk", "Giữ máy": "Hold", "Làm nốt": "Wrap-up",
    "Đồng nghiệp hỏi": "Asked by colleagues", "Thành công": "Succeeded",
    "Chuyển máy": "Transfers", "Bận (phút)": "Busy (min)",
    "Có mặt, không nghỉ (phút)": "There, not on a pause (min)", "Trong ca (phút)": "Shift (min)",
    "Tạm nghỉ (phút)": "Pauses (min)", "Đổ chuông": "Rung", "Nhận": "Taken",
    "Không nhấc máy": "Not answered", "Từ chối, bận": "Refused, busy",
    "Không gọi lại": "Not called again", "Hài lòng": "Satisfied", "Có đánh giá": "Rated",
    "Số người hài lòng": "Satisfied callers", "Chỉ số": "Rate", "Nghĩa là": "Meaning",
    "Đã chờ": "Had waited", "Bỏ máy": "Gave up", "Tỷ lệ": "Share", "Cộng dồn": "Cumulative",
    "Cách đo": "Measured on", "Cộng": "Total", "Chưa chọn nhánh": "No branch chosen",
}
_TITLES = {
    "Cuộc gọi": "Calls", "Xử lý cuộc gọi": "Handling", "Ca trực": "Shifts", "Kết quả": "Results",
    "Các đường dây đã gọi": "Lines that were rung", "Chuẩn 60 giây": "Norm of 60 s",
    "Cách tính": "What the rates mean", "Chất lượng phục vụ": "Quality of service",
    "Theo ngày": "By day", "Theo giờ trong ngày": "By hour of the day", "Theo nhánh": "By branch",
    "Theo điện thoại viên": "By agent",
    "Theo đường dây cơ quan, bác sĩ": "By line of agencies and doctors",
    "TỔNG ĐÀI (0237) 1022 THANH HÓA": "HOTLINE (0237) 1022 THANH HÓA",
    "Bỏ máy theo thời gian chờ": "Gave up, by how long they had waited",
    "Chuẩn trả lời trong 60 giây": "The norm of 60 seconds",
    "Không có gì trong thời gian này.": "Nothing in this time.",
    "Không ai bỏ máy khi chờ.": "Nobody gave up waiting.",
}
_PERIOD = {
    "Cuộc gọi theo nhánh": "Calls by branch",
    "Phản ánh theo kênh tiếp nhận": "Cases by channel",
    "Phản ánh theo lĩnh vực": "Cases by field", "Phản ánh theo cơ quan xử lý": "Cases by agency",
    "Phản ánh theo địa bàn": "Cases by area", "Gặp người": "Spoke with a person",
    "Không được trả lời": "Not answered", "Tỷ lệ trong 60 giây": "Share within 60 s",
    "Cấp cứu không gặp ai": "Emergencies that reached nobody", "Kênh": "Channel",
    "Lĩnh vực": "Field", "Cơ quan": "Agency", "Địa bàn": "Area", "Tiếp nhận": "Received",
    "Trả lời đúng hạn": "Answered in time", "Trả lời trễ hạn": "Answered late",
    "Đang quá hạn": "Overdue", "Đang xử lý": "Being handled", "Từ chối, trùng": "Refused, doubles",
    "Tỷ lệ đúng hạn": "Share in time", "Chưa phân loại": "Not classified",
    "Chưa chuyển cơ quan nào": "Sent to no agency", "Chưa rõ địa bàn": "Area not known",
    "Điện thoại": "Telephone", "Lời nhắn thoại": "Voice message",
    "Điện thoại viên nhập": "Entered by an agent", "Trang web": "Web page",
    "Thư điện tử": "E-mail", "Hệ thống khác": "Other systems", "Tại quầy": "At the counter",
    "Thư, công văn": "Letter", "Báo, đài": "Press", "Cổng thông tin": "Portal",
    period.FEW: f"Areas with fewer than {SMALL} cases",
}
_DAILY = {
    "Ca mắc mới": "New cases", "Khỏi bệnh": "Recovered",
    "Tử vong (cộng dồn)": "Deaths (all so far)",
    "Đang điều trị (cuối ngày)": "Under treatment (end of the day)",
    "Đang điều trị": "Under treatment", "Mẫu xét nghiệm": "Tests",
    "Mũi vắc xin đã tiêm": "Vaccine doses", "Mũi tiêm": "Doses", "Chỉ tiêu": "Figure",
    "Hôm nay": "Today", "Hôm qua": "Yesterday", "So với hôm qua": "Against yesterday",
    "Hôm qua (trọn ngày)": "Yesterday (whole day)", "Xã, phường": "Commune", "Tổng": "All",
    "Chuyển ngoài": "Put through outside", "Để lời nhắn": "Left a message", "Đang gọi": "Go on",
    "Cuộc gọi đến": "Calls in",
    "Không được trả lời (bỏ khi chờ, từ chối, sự cố)":
        "Not answered (gave up waiting, rejected, lost)",
    "Cấp cứu không gặp được ai": "Emergencies that reached nobody",
    "Chờ lâu nhất (phút:giây)": "Longest wait (min:s)",
    "Cuộc gọi chờ gặp người": "Calls that waited for a person",
    "– gặp người trong 60 giây": "– reached one within 60 s",
    "– tỷ lệ trong 60 giây": "– share within 60 s",
    "– định mức trên 80% trong 60 giây": "– norm: more than 80% within 60 s",
    "Cuộc gọi có đánh giá": "Rated calls",
    "– hài lòng và rất hài lòng": "– content or very content",
    "Cuộc gọi đi": "Calls out", "đạt": "kept", "chưa đạt": "not kept",
    "Đã trả lời": "Answered", "Phản ánh": "Cases",
    "Trung bình 7 ngày trước": "Mean of the 7 days before", "Mọi lĩnh vực": "All fields",
    "Toàn tỉnh": "Whole province",
}
WORDS = {one.vi: one.en for one in RATES} | _COLUMNS | _TITLES | _PERIOD | _DAILY
_MEANINGS = {one.means_vi: one.means_en for one in RATES}
_HEADS = {vi.upper(): en.upper() for vi, en in WORDS.items()}
_NAMES = (
    {one.vi: one.en for one in CATEGORIES} | {one.vi: one.en for one in BRANCHES}
    | {one.vi: one.en for one in HELP_LINES.values()}
)
# sentences of papers, with what stands in them; those that the operator's own template has instead
# stay as they were written
_SENTENCES = {
    "Số liệu y tế trong ngày": "Health figures of the day",
    "Nguồn: {source}. Nhập lúc {entered}; duyệt lúc {approved}.":
        "Source: {source}. Entered {entered}; approved {approved}.",
    "Số liệu y tế theo địa bàn": "Health figures by area",
    "Tử vong là số cộng dồn đến hết ngày; đang điều trị là số cuối ngày.":
        "Deaths are all until the end of the day; under treatment are those at its end.",
    "Số liệu không chia theo xã, phường.": "The figures are not divided by commune.",
    "Cuộc gọi đến theo nhánh và kết quả": "Calls in, by branch and outcome",
    "Tính từ {since} đến {until}. Mỗi cuộc gọi có đúng một kết quả.":
        "Counted from {since} to {until}. Each call has exactly one outcome.",
    "Không có cuộc gọi đến.": "No calls came in.",
    "Tính từ {since} đến {until}; cột hôm qua tính trọn ngày.":
        "Counted from {since} to {until}; yesterday is the whole day.",
    "Phản ánh theo cơ quan xử lý": "Cases by agency",
    "Tính từ {since} đến {until}; quá hạn tính tại thời điểm {until}.":
        "Counted from {since} to {until}; overdue at {until}.",
    "Không có phản ánh nào.": "No cases.",
    "Vấn đề và địa bàn tăng nhanh": "Subjects and areas that rise fast",
    "So với trung bình 7 ngày trước đến cùng giờ; không nêu khi dưới 5 phản ánh.":
        "Against the mean of the 7 days before until the same hour; not told below 5 cases.",
    "Không có vấn đề nào tăng nhanh.": "Nothing rises fast.",
    "Từ ngày {first} đến ngày {last}": "From {first} to {last}",
    "Tổng đài (0237) 1022 · Số liệu lúc {at}": "Hotline (0237) 1022 · figures of {at}",
    "chưa có số liệu được duyệt": "no figures are approved yet",
    "{clock} ngày {day}": "{clock} on {day}",
}
_BEGINNINGS = {
    "Trong ": "Within ", "đến ": "up to ", "hơn ": "more than ", "Bác sĩ ": "Doctor ",
    "Điện thoại trực ": "Duty telephone ", "Số ": "Number ", "Điện thoại di động ": "Mobile ",
    "Mọi cuộc gọi của ": "All calls of ", "Cuộc gọi thử trong các ngày đó": "Test calls of them",
    **{one.vi: en for one, en in zip(
        SERVICES, ("Medical emergency", "Fire", "Police", "Disaster, rescue"), strict=True
    )},
}


def _pattern(sentence: str) -> re.Pattern[str]:
    """What fits a sentence with anything in its places, in the same place the same."""
    seen: set[str] = set()
    parts = []
    for place, part in enumerate(re.split(r"\{(\w+)\}", sentence)):
        if place % 2 == 0:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>.+?)")
            seen.add(part)
    return re.compile("".join(parts))


_PATTERNS = [(_pattern(sentence), english) for sentence, english in _SENTENCES.items()]
_LINES = {f"{one.vi} (": f"{one.en} (" for one in HELP_LINES.values()}
_ENDS = {" giây": " s", " ngày": " days"}


def said(text: str) -> str:
    """A sentence of a paper in the reader's language; one that is not known stays as it is."""
    if str(get_locale()) == "vi":
        return text
    for pattern, english in _PATTERNS:
        if match := pattern.fullmatch(text):
            parts = {name: said(part) for name, part in match.groupdict().items()}
            return str(english.format(**parts))
    return told(text)


def told(text: str, *, name: bool = False) -> str:
    """A word of a report in the reader's language; `name`: it stands at the head of a row. Numbers
    and what is not known stay as they are."""
    if str(get_locale()) == "vi":
        return text
    known = _NAMES | WORDS if not name else WORDS | _NAMES
    if english := known.get(text) or _MEANINGS.get(text):
        return english
    for begins, word in {**_BEGINNINGS, **_LINES}.items():
        if text.startswith(begins):
            rest = text.removeprefix(begins)
            for end, unit in _ENDS.items():
                if rest.endswith(end):
                    rest = rest.removesuffix(end) + unit
            return word + rest
    return text


def paper(document: Document, found: Norm | None = None) -> Document:
    """A report in the reader's language, for a file; `found`: the norm, if it tells of it. Numbers
    are written as in Vietnam."""
    if str(get_locale()) == "vi":
        return document

    def row(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return tuple(told(one, name=True) if isinstance(one, str) else one for one in cells)

    def section(one: Section) -> Section:
        columns = tuple(replace(column, title=told(column.title)) for column in one.table.columns)
        return replace(
            one, name=told(one.name), title=told(one.title), empty=told(one.empty),
            sentences=norm(found, one.sentences) if found and one.id == "norm" else one.sentences,
            table=Table(columns, tuple(map(row, one.table.rows)),
                        row(one.table.total) if one.table.total else None),
        )

    return replace(
        document, heading=tuple(map(told, document.heading)), subtitle=said(document.subtitle),
        title=" · ".join(_HEADS.get(part, part) for part in document.title.split(" · ")),
        sections=tuple(map(section, document.sections)), foot=said(document.foot),
    )


def norm(found: Norm, written: tuple[str, ...]) -> tuple[str, ...]:
    """What the report says of the norm, `written` in Vietnamese, in the reader's language."""
    if str(get_locale()) == "vi":
        return written
    verdict = {True: "KEPT", False: "NOT KEPT", None: "no call yet to judge by"}
    trials = (
        verdict[found.trials_within / found.trials >= NORM] if found.trials >= NORM_TRIALS
        else f"{found.trials} so far, {NORM_TRIALS} are needed"
    )
    return (
        f"The norm: at least {NORM:.0%} of the calls for help reach a person within "
        f"{NORM_MS // 1000} s. Measured on all calls of {NORM_DAYS} days "
        f"({found.first:%d/%m}–{found.last:%d/%m/%Y}), or on at least {NORM_TRIALS} test calls.",
        f"All calls: {verdict[found.is_kept]}. Test calls: {trials}.",
    )
