"""Reports are papers in Vietnamese; on the English page their words are these."""

from __future__ import annotations

from flask_babel import get_locale  # type: ignore[import-untyped]

from crm.branches import BRANCHES, SERVICES
from crm.reports.glossary import NORM, NORM_DAYS, NORM_TRIALS, RATES
from crm.reports.measures import NORM_MS
from crm.reports.service import Norm

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
    "Đã chờ": "Had waited", "Bỏ máy": "Gave up", "Tỷ lệ": "Share", "Cộng dồn": "Cumulative",
    "Cách đo": "Measured on", "Cộng": "Total", "Chưa chọn nhánh": "No branch chosen",
}
_TITLES = {
    "Cuộc gọi": "Calls", "Xử lý cuộc gọi": "Handling", "Ca trực": "Shifts", "Kết quả": "Results",
    "Các đường dây đã gọi": "Lines that were rung",
    "Bỏ máy theo thời gian chờ": "Gave up, by how long they had waited",
    "Chuẩn trả lời trong 60 giây": "The norm of 60 seconds",
    "Không có gì trong thời gian này.": "Nothing in this time.",
    "Không ai bỏ máy khi chờ.": "Nobody gave up waiting.",
}
WORDS = {one.vi: one.en for one in RATES} | _COLUMNS | _TITLES
_NAMES = {one.vi: one.en for one in BRANCHES}
_BEGINNINGS = {
    "Trong ": "Within ", "đến ": "up to ", "hơn ": "more than ", "Bác sĩ ": "Doctor ",
    "Điện thoại trực ": "Duty telephone ", "Số ": "Number ", "Điện thoại di động ": "Mobile ",
    "Mọi cuộc gọi của ": "All calls of ", "Cuộc gọi thử trong các ngày đó": "Test calls of them",
    **{one.vi: en for one, en in zip(
        SERVICES, ("Medical emergency", "Fire", "Police", "Disaster, rescue"), strict=True
    )},
}
_ENDS = {" giây": " s", " ngày": " days"}


def told(text: str, *, name: bool = False) -> str:
    """A word of a report in the reader's language; `name`: it stands at the head of a row. Numbers
    and what is not known stay as they are."""
    if str(get_locale()) == "vi":
        return text
    known = _NAMES | WORDS if not name else WORDS | _NAMES
    if text in known:
        return known[text]
    for begins, english in _BEGINNINGS.items():
        if text.startswith(begins):
            rest = text.removeprefix(begins)
            for end, unit in _ENDS.items():
                if rest.endswith(end):
                    rest = rest.removesuffix(end) + unit
            return english + rest
    return text


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
