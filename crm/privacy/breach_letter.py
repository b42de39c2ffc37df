"""The letter by which the authority is told of an incident with personal data, to be signed; its
points are those of the form of decree 356/2025.
"""

from __future__ import annotations

from datetime import datetime

from crm.clock import vietnam_day
from crm.privacy.breach_models import Breach
from crm.privacy.breaches import due_at
from crm.reports.document import Document, Section, Table, grouped, moment

_NONE = Table((), ())
_OPEN = "…" * 180


def letter(breach: Breach, now: datetime) -> Document:
    """As it stands now; what is not known yet is left open to be filled in by hand."""
    day = vietnam_day(now)
    people = grouped(breach.people) if breach.people is not None else "Chưa xác định được"
    told = (
        ("Bên kiểm soát dữ liệu cá nhân",
         "Tổng đài dịch vụ công (0237) 1022 tỉnh Thanh Hóa.", "Đầu mối liên hệ: " + _OPEN[:145]),
        ("Thời điểm phát hiện", f"{moment(breach.discovered_at)}.",
         f"Hạn thông báo (72 giờ): {moment(due_at(breach))}."),
        ("Mô tả sự việc", *_lines(breach.what)),
        ("Loại dữ liệu và chủ thể dữ liệu", *_lines(breach.data)),
        ("Số người bị ảnh hưởng", f"{people}."),
        ("Biện pháp đã và đang thực hiện", *_lines(breach.measures)),
        ("Hậu quả có thể xảy ra và kiến nghị", _OPEN, _OPEN),
    )
    late = now > due_at(breach)
    return Document(
        heading=("ỦY BAN NHÂN DÂN TỈNH THANH HÓA", "TỔNG ĐÀI DỊCH VỤ CÔNG 1022"),
        number=f"Số: {breach.notice_number or '………/TB-TĐ1022'}",
        dated=f"Thanh Hóa, ngày {day:%d} tháng {day:%m} năm {day:%Y}",
        title="THÔNG BÁO VI PHẠM QUY ĐỊNH VỀ BẢO VỆ DỮ LIỆU CÁ NHÂN",
        subtitle="(Luật số 91/2025/QH15 và Nghị định số 356/2025/NĐ-CP)",
        to=("Kính gửi: Cơ quan chuyên trách bảo vệ dữ liệu cá nhân.",),
        sections=tuple(
            Section(f"p{number}", title[:31], title, tuple(sentences), _NONE)
            for number, (title, *sentences) in enumerate(told, 1)
        ),
        closing=(
            *(("Lý do thông báo sau 72 giờ: " + _OPEN[:130],) if late else ()),
            "Tổng đài cam kết các nội dung nêu trên là đúng và sẽ bổ sung khi có thêm thông tin.",
        ),
        signers=("NGƯỜI LẬP", "NGƯỜI ĐẠI DIỆN"),
        foot=f"Sự cố dữ liệu số {breach.id} · Tổng đài 1022 Thanh Hóa",
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line.strip()) or (_OPEN,)
