"""A case that a citizen writes on the hotline's page.

The text that a citizen agrees to (Law 91/2025/QH15) has a version, which is kept with the case:
whoever changes the text gives it a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from crm.cases import attachments, life
from crm.cases import words as case_words
from crm.cases.attachments import Giver, Kept
from crm.cases.categories import CATEGORIES, Category
from crm.cases.deadlines import Deadline
from crm.cases.models import Case, Identity
from crm.intake import arrivals, forms
from crm.intake.forms import Fields
from crm.privacy import consents
from crm.privacy.consents import Purpose

CONSENT = "2026-01"
CONSENT_TEXT = (
    "Tôi đồng ý để Tổng đài 1022 tỉnh Thanh Hóa lưu và xử lý nội dung, số điện thoại và tệp đính "
    "kèm của tôi nhằm tiếp nhận, chuyển cơ quan có thẩm quyền giải quyết và trả lời phản ánh này, "
    "theo Luật Bảo vệ dữ liệu cá nhân (Luật số 91/2025/QH15). Dữ liệu được lưu trong nước, không "
    "dùng vào việc khác. Tôi có quyền xem, sửa, rút lại đồng ý hoặc yêu cầu xóa bằng cách gọi 1022."
)
OFFICIALS = "officials"
# who is in danger must not write a form: the page names the telephone instead
CHOICES: tuple[Category, ...] = tuple(one for one in CATEGORIES if one.id != "danger")


@dataclass(frozen=True)
class Report:
    """What was filled in, parsed. `key` is of the page that was filled in: sent twice, it makes one
    case."""

    key: str
    summary: str
    place: str  # in words, besides the area
    category: str | None
    area: str | None  # code of a commune or ward of today
    identity: Identity
    public: bool
    phone: str | None
    fields: Fields | None
    files: Sequence[Kept]


def take_in(session: Session, report: Report, now: datetime, general: Deadline) -> Case:
    """The case of a report, which is a new one where it has not come before. Raises CaseError,
    CategoryError, AreaError, AttachmentError."""
    summary = f"{report.summary}\nĐịa điểm: {report.place}" if report.place else report.summary
    # whoever goes back and changes the text means another case
    key = f"{report.key}:{hashlib.sha256(summary.encode()).hexdigest()}"
    arrival = arrivals.first(session, arrivals.WEB, key, now, consent=CONSENT)
    if arrival is None:
        known = arrivals.earlier(session, arrivals.WEB, key)
        return session.get_one(Case, known.case_id if known else None)
    case = life.open_case(
        session, summary=summary, by=life.CITIZEN, now=now, phone=report.phone, channel="web",
        identity=report.identity, public=report.public,
        sensitive=report.category == OFFICIALS,  # which agency it is about, the desk finds out
        private=case_words.is_private(report.category),
    )
    arrival.case_id = case.id
    if report.phone and report.public:
        consents.write_down(
            session, report.phone, Purpose.PUBLISH, "given", version=CONSENT, channel="web",
            evidence=case.code, by=life.CITIZEN, now=now,
        )
    if report.category:
        life.classify(
            session, case, report.category, by=life.CITIZEN, now=now, area=report.area,
            general=general,
        )
    elif report.area:
        case.area = report.area
    if report.fields is not None:
        forms.put(session, case, report.fields, by=life.CITIZEN, now=now)
    for kept in report.files:
        attachments.add(session, case, kept, giver=Giver.CITIZEN, by=life.CITIZEN, now=now)
    return case
