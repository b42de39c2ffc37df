"""The averages of evaluations as a document: every figure with how many it is of, and of which
version of its card. Another version asks something else: no mean is ever of two.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from crm.quality import evaluations
from crm.quality.cards import WHOLE
from crm.reports.document import Cell, Column, Document, Kind, Section, Table, moment
from crm.reports.spans import begin

ALL = "Tất cả"
TITLE = "Chất lượng cuộc gọi"


def document(session: Session, first: date, last: date, now: datetime) -> Document:
    """Of the calls that were judged from one day to another, both included."""
    rows: list[tuple[Cell, ...]] = [
        (f"{one.card} · {one.version}", one.agent or ALL, one.count, one.points / WHOLE,
         one.failed)
        for one in evaluations.averages(session, begin(first), begin(last + timedelta(days=1)))
    ]
    table = Table((
        Column("Phiếu · phiên bản", Kind.TEXT, 2.5), Column("Điện thoại viên", Kind.TEXT, 2),
        Column("Số cuộc được chấm"), Column("Điểm trung bình", Kind.SHARE),
        Column("Có lỗi nghiêm trọng"),
    ), tuple(rows))
    section = Section("quality", TITLE, TITLE, (), table, "Chưa chấm cuộc gọi nào.")
    return Document(
        heading=("TỔNG ĐÀI (0237) 1022 THANH HÓA",), number="", dated="", title=TITLE.upper(),
        subtitle=f"Từ ngày {first:%d/%m/%Y} đến ngày {last:%d/%m/%Y}", to=(), sections=(section,),
        closing=(), signers=("", ""), foot=f"Tổng đài (0237) 1022 · Số liệu lúc {moment(now)}",
    )
