"""What people are told of cases by SMS. Never what a case is about: only its code, agency, dates.

SMS go out without accents where the setting says so; an SMS of one part has 160 letters then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from crm.case_models import Case, Status
from crm.categories import category_named
from crm.clock import VIETNAM
from crm.deadlines import Clock
from crm.steps import Series, Step

HEAD = "1022 Thanh Hóa: "
LOOK = "Tra cứu: gọi 02371022 phím 7."
LONGEST_NAME = 40  # letters of an agency's name

OfLink = Callable[[Case, str], str]
"""A text to an officer with the address of their link."""


def received(case: Case) -> str:
    return f"{HEAD}Đã tiếp nhận phản ánh mã {case.code}. Hạn trả lời {due(case)}. {LOOK}"


def of_move(case: Case, to: Status) -> str | None:
    """To the citizen; None: nothing that they wait for."""
    listen = "gọi 02371022 phím 7."
    texts: Mapping[Status, str] = {
        Status.ASSIGNED: f"Phản ánh {case.code} đã chuyển {_agency(case)} xử lý.",
        Status.NEED_INFO: f"Phản ánh {case.code} cần bổ sung thông tin. Xin {listen}",
        Status.EXTENDED:
            f"Phản ánh {case.code} được gia hạn đến {due(case)}. Nghe lý do: {listen}",
        Status.RESOLVED:
            f"Phản ánh {case.code} đã có kết quả. Nghe kết quả và đánh giá: {listen}",
        Status.REJECTED:
            f"Phản ánh {case.code} không thuộc diện tiếp nhận. Nghe lý do: {listen}",
        Status.REOPENED: f"Phản ánh {case.code} đã được mở lại. Hạn trả lời mới: {due(case)}.",
    }
    return HEAD + texts[to] if to in texts else None


def of_double(case: Case) -> str:
    """To whose case was joined to one that has ended now."""
    return f"{HEAD}Việc quý vị đã báo ({case.code}) đã có kết quả. Nghe: gọi 02371022 phím 7."


def by_mail(case: Case, text: str) -> str:
    """The same for whoever wrote by e-mail, who cannot ask by key 7: with the result itself."""
    told = text.removesuffix(f" {LOOK}").partition(" Nghe ")[0]
    if case.answer and case.resolved_at and not case.sensitive:
        told += f"\n\nKết quả: {case.answer}"
    return f"{told}\n\nĐể bổ sung, xin trả lời thư này và giữ mã {case.code} trong tiêu đề."


def handed_over(case: Case, link: str) -> str:
    return f"{HEAD}Phản ánh {case.code} giao {_agency(case)}, hạn {due(case)}. Xử lý: {link}"


def to_approve(case: Case, link: str) -> str:
    return f"{HEAD}Trả lời phản ánh {case.code} chờ phê duyệt, hạn {due(case)}. Xem: {link}"


def sent_back(case: Case, link: str) -> str:
    return f"{HEAD}Trả lời phản ánh {case.code} cần viết lại, hạn {due(case)}. Xem: {link}"


def nobody_there(case: Case) -> str:
    return (
        f"{HEAD}{_agency(case)} chưa có cán bộ nào nhận tin. Phản ánh {case.code}, hạn {due(case)}:"
        " xin gọi điện."
    )


def login_code(code: str) -> str:
    return f"{HEAD}Mã vào vụ việc là {code}, dùng trong 10 phút. Không đưa mã cho người khác."


def reminder(case: Case, step: Step, now: datetime) -> str:
    """To whoever should do something."""
    what = {
        Series.DISPATCH: f"chưa chuyển cơ quan nào, hạn chuyển {clock(case.dispatch_due_at)}",
        Series.UNOPENED: f"{_agency(case)} chưa tiếp nhận, hạn {due(case)}",
        Series.BEFORE: f"sắp đến hạn {due(case)}, {_agency(case)} đang xử lý",
        Series.OVERDUE: f"ĐÃ QUÁ HẠN {due(case)}, {_agency(case)} đang xử lý",
    }[step.series]
    times = f" Nhắc lần {step.number + 1}." if step.number else ""
    return f"{HEAD}Phản ánh {case.code} {what}.{times}"


def due(case: Case) -> str:
    """By when, with the clock where it counts hours."""
    by_hours = case.category and category_named(case.category).deadline.clock is Clock.HOURS
    day = f"{case.due_at.astimezone(VIETNAM):%d/%m/%Y}"
    return f"{clock(case.due_at)} {day}" if by_hours else day


def clock(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%H:%M}"


def _agency(case: Case) -> str:
    name = case.agency.name if case.agency else "cơ quan xử lý"
    return name if len(name) <= LONGEST_NAME else case.agency.code  # type: ignore[union-attr]
