"""What notices say: templates with typed variables, for SMS without accents and in one part, for
e-mail, Zalo and voice with them.

The SMS are those of the hotline's list of prompts. None tells what a case is about, a result of a
test, or why just this person is called: whoever holds the telephone may read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from crm.cases.codes import is_code
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.notices import sms
from crm.notices.models import Channel

SMS_LENGTH = sms.GSM_ONE
SHORTEST_NAME = 6


@dataclass(frozen=True)
class ByTheHour:
    """A moment that is told with its clock, where hours count."""

    at: datetime


Value = str | int | date | datetime | ByTheHour


class TextError(HotlineError):
    """A template is not known, or not filled with what it needs."""


class Kind(StrEnum):
    """What a variable may be."""

    CODE = "code"  # of a case: 48302915
    DAY = "day"  # a date or a moment: 17/02/2026; by the hour: 04:00 17/02/2026
    NAME = "name"  # of an agency or place; cut where an SMS has no room
    URL = "url"
    DIGITS = "digits"  # a one-time code
    NUMBER = "number"
    TEXT = "text"  # approved by somebody; it must fit


_VARIABLES = {
    "case_code": Kind.CODE, "due_date": Kind.DAY, "date": Kind.DAY, "agency": Kind.NAME,
    "place": Kind.NAME, "url": Kind.URL, "otp": Kind.DIGITS, "minutes": Kind.NUMBER,
    "count": Kind.NUMBER, "body": Kind.TEXT,
}


@dataclass(frozen=True)
class Template:
    """`sms`: without accents; `full`: with them; `subject`: of an e-mail."""

    sms: str
    full: str
    subject: str

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(re.findall(r"\{(\w+)\}", self.sms + self.full + self.subject))


_SIGNED = "Tổng đài 1022 Thanh Hóa, số gọi 02371022."
TEMPLATES: Mapping[str, Template] = {
    "case_received": Template(
        "1022 Thanh Hoa: Da tiep nhan phan anh ma {case_code}. Han tra loi {due_date}. "
        "Tra cuu: goi 02371022 phim 7.",
        f"Tổng đài đã tiếp nhận phản ánh mã {{case_code}}. Hạn trả lời: {{due_date}}. Để tra cứu, "
        f"xin gọi 02371022, bấm phím 7. {_SIGNED}",
        "Đã tiếp nhận phản ánh {case_code}",
    ),
    "case_assigned": Template(
        "1022 Thanh Hoa: Phan anh {case_code} da chuyen {agency} xu ly.",
        f"Phản ánh mã {{case_code}} đã được chuyển đến {{agency}} để xử lý. {_SIGNED}",
        "Phản ánh {case_code} đã được chuyển xử lý",
    ),
    "case_need_info": Template(
        "1022 Thanh Hoa: Phan anh {case_code} can bo sung thong tin. Xin goi 02371022 phim 7.",
        "Phản ánh mã {case_code} cần bổ sung thông tin. Xin quý vị gọi 02371022, bấm phím 7. "
        f"{_SIGNED}",
        "Phản ánh {case_code} cần bổ sung thông tin",
    ),
    "case_extended": Template(
        "1022 Thanh Hoa: Phan anh {case_code} duoc gia han den {due_date}. Nghe ly do: goi "
        "02371022 phim 7.",
        "Phản ánh mã {case_code} được gia hạn đến {due_date}. Để nghe lý do, xin gọi 02371022, "
        f"bấm phím 7. {_SIGNED}",
        "Phản ánh {case_code} được gia hạn",
    ),
    "case_resolved": Template(
        "1022 Thanh Hoa: Phan anh {case_code} da co ket qua. Nghe ket qua va danh gia: goi "
        "02371022 phim 7.",
        "Phản ánh mã {case_code} đã có kết quả. Để nghe kết quả và đánh giá, xin gọi 02371022, "
        f"bấm phím 7. {_SIGNED}",
        "Phản ánh {case_code} đã có kết quả",
    ),
    "case_rejected": Template(
        "1022 Thanh Hoa: Phan anh {case_code} khong thuoc dien tiep nhan. Nghe ly do va huong "
        "dan: goi 02371022 phim 7.",
        "Phản ánh mã {case_code} không thuộc diện tiếp nhận. Để nghe lý do và hướng dẫn, xin gọi "
        f"02371022, bấm phím 7. {_SIGNED}",
        "Phản ánh {case_code} không thuộc diện tiếp nhận",
    ),
    "case_reopened": Template(
        "1022 Thanh Hoa: Phan anh {case_code} da duoc mo lai. Han tra loi moi: {due_date}.",
        f"Phản ánh mã {{case_code}} đã được mở lại. Hạn trả lời mới: {{due_date}}. {_SIGNED}",
        "Phản ánh {case_code} đã được mở lại",
    ),
    "double_ended": Template(
        "1022 Thanh Hoa: Viec quy vi da bao ({case_code}) da co ket qua. Nghe: goi 02371022 phim "
        "7.",
        "Việc quý vị đã báo, mã {case_code}, đã có kết quả. Để nghe, xin gọi 02371022, bấm phím "
        f"7. {_SIGNED}",
        "Việc {case_code} đã có kết quả",
    ),
    "incident_closed": Template(
        "1022 Thanh Hoa: Su co quy vi da bao ({case_code}) da duoc khac phuc. Neu chua, goi "
        "02371022 phim 6.",
        "Sự cố quý vị đã báo, mã {case_code}, đã được khắc phục. Nếu chưa, xin gọi 02371022, bấm "
        f"phím 6. {_SIGNED}",
        "Sự cố {case_code} đã được khắc phục",
    ),
    "callback_queued": Template(
        "1022 Thanh Hoa: Da nhan yeu cau goi lai. Tong dai se goi tu so 02371022. Huy: goi "
        "02371022.",
        "Tổng đài đã nhận yêu cầu gọi lại và sẽ gọi từ số 02371022. Nếu muốn hủy, xin gọi "
        f"02371022. {_SIGNED}",
        "Đã nhận yêu cầu gọi lại",
    ),
    "callback_missed": Template(
        "1022 Thanh Hoa: Tong dai da goi lai nhung khong gap. Xin goi 02371022 khi can.",
        f"Tổng đài đã gọi lại nhưng không gặp quý vị. Xin gọi 02371022 khi cần. {_SIGNED}",
        "Tổng đài đã gọi lại",
    ),
    "missed_call": Template(
        "1022 Thanh Hoa: Tong dai chua kip nghe cuoc goi cua quy vi va se goi lai tu so 02371022. "
        "Cap cuu: goi 115.",
        "Tổng đài chưa kịp nghe cuộc gọi của quý vị và sẽ gọi lại từ số 02371022. Cấp cứu: gọi "
        f"115. {_SIGNED}",
        "Tổng đài sẽ gọi lại",
    ),
    "location": Template(
        "1022 Thanh Hoa: Mo {url} de gui vi tri cho xe cap cuu. Khong can ho tro thi bo qua tin "
        "nay. Khong nhap mat khau, ma OTP.",
        "Mở {url} để gửi vị trí cho xe cấp cứu. Nếu không cần hỗ trợ, xin bỏ qua tin này. Không "
        f"nhập mật khẩu, mã OTP. {_SIGNED}",
        "Gửi vị trí cho xe cấp cứu",
    ),
    "contact_points": Template(
        "1022 Thanh Hoa: {body} Hoi them: 02371022.", f"{{body}} {_SIGNED}", "Đầu mối liên hệ",
    ),
    "officer_new": Template(
        "1022 Thanh Hoa: Phan anh {case_code} da giao {agency}, han {due_date}. Xin dang nhap he "
        "thong dieu phoi de xu ly.",
        "Phản ánh mã {case_code} đã giao {agency}, hạn {due_date}. Xin đăng nhập hệ thống điều "
        f"phối để xử lý. {_SIGNED}",
        "Phản ánh {case_code} đã giao {agency}",
    ),
    "officer_link": Template(
        "1022 Thanh Hoa: Phan anh {case_code}, han {due_date}. Xem va xu ly: {url}",
        "Phản ánh mã {case_code}, hạn {due_date}. Xem và xử lý: {url} . Đường dẫn này chỉ dành "
        f"cho cán bộ được giao, xin không chuyển cho người khác. {_SIGNED}",
        "Phản ánh {case_code} chờ xử lý",
    ),
    "case_added": Template(
        "1022 Thanh Hoa: Nguoi dan da bo sung thong tin cho phan anh {case_code}. Xem: {url}",
        "Người dân đã bổ sung thông tin cho phản ánh mã {case_code}. Xem: {url} . Đường dẫn này "
        f"chỉ dành cho cán bộ được giao, xin không chuyển cho người khác. {_SIGNED}",
        "Phản ánh {case_code} có thông tin bổ sung",
    ),
    "one_time_code": Template(
        "1022 Thanh Hoa: Ma xac nhan {otp}, dung trong {minutes} phut. Khong cung cap ma nay cho "
        "bat ky ai.",
        "Mã xác nhận của quý vị là {otp}, dùng trong {minutes} phút. Không cung cấp mã này cho "
        f"bất kỳ ai, kể cả người tự nhận là nhân viên tổng đài. {_SIGNED}",
        "Mã xác nhận",
    ),
    "duty_reminder": Template(
        "1022 Thanh Hoa: Nhac lich truc ngay {date} tai {place}. Khong truc duoc, xin bao truong "
        "ca ngay.",
        "Nhắc lịch trực ngày {date} tại {place}. Nếu không trực được, xin báo trưởng ca ngay. "
        f"{_SIGNED}",
        "Nhắc lịch trực ngày {date}",
    ),
    "officer_approve": Template(
        "1022 Thanh Hoa: Tra loi phan anh {case_code} cho phe duyet, han {due_date}. Xem: {url}",
        "Trả lời phản ánh mã {case_code} chờ phê duyệt, hạn {due_date}. Xem và phê duyệt: {url} . "
        f"Đường dẫn này chỉ dành cho người phê duyệt. {_SIGNED}",
        "Trả lời phản ánh {case_code} chờ phê duyệt",
    ),
    "officer_rewrite": Template(
        "1022 Thanh Hoa: Tra loi phan anh {case_code} can viet lai, han {due_date}. Xem: {url}",
        "Trả lời phản ánh mã {case_code} cần viết lại, hạn {due_date}. Xem ý kiến: {url} . "
        f"Đường dẫn này chỉ dành cho cán bộ được giao. {_SIGNED}",
        "Trả lời phản ánh {case_code} cần viết lại",
    ),
    "case_nobody": Template(
        "1022 Thanh Hoa: {agency} chua co can bo nhan tin. Phan anh {case_code}, han {due_date}: "
        "xin goi dien.",
        "{agency} chưa có cán bộ nào nhận tin. Phản ánh mã {case_code}, hạn {due_date}: xin gọi "
        f"điện cho cơ quan này. {_SIGNED}",
        "{agency} chưa có cán bộ nhận phản ánh {case_code}",
    ),
    "case_undispatched": Template(
        "1022 Thanh Hoa: Phan anh {case_code} chua chuyen co quan nao, han chuyen {due_date}.",
        f"Phản ánh mã {{case_code}} chưa chuyển cơ quan nào, hạn chuyển {{due_date}}. {_SIGNED}",
        "Phản ánh {case_code} chưa được chuyển",
    ),
    "case_unopened": Template(
        "1022 Thanh Hoa: Phan anh {case_code}: {agency} chua tiep nhan, han {due_date}.",
        f"Phản ánh mã {{case_code}}: {{agency}} chưa tiếp nhận, hạn {{due_date}}. {_SIGNED}",
        "Phản ánh {case_code} chưa được tiếp nhận",
    ),
    "case_due_soon": Template(
        "1022 Thanh Hoa: Phan anh {case_code} giao {agency} den han {due_date}. Xin xu ly dung "
        "han.",
        "Phản ánh mã {case_code} giao {agency} đến hạn ngày {due_date}. Xin xử lý đúng hạn. "
        f"{_SIGNED}",
        "Phản ánh {case_code} sắp đến hạn",
    ),
    "case_overdue": Template(
        "1022 Thanh Hoa: Phan anh {case_code} giao {agency} da qua han {due_date}. Xin xu ly "
        "ngay.",
        "Phản ánh mã {case_code} giao {agency} đã quá hạn {due_date}. Xin xử lý ngay. "
        f"{_SIGNED}",
        "Phản ánh {case_code} đã quá hạn",
    ),
    "overdue_digest": Template(
        "1022 Thanh Hoa: {agency} co {count} phan anh qua han. Xin dang nhap he thong dieu phoi "
        "de xu ly.",
        "{agency} có {count} phản ánh quá hạn. Xin đăng nhập hệ thống điều phối để xử lý. "
        f"{_SIGNED}",
        "{count} phản ánh quá hạn",
    ),
    "bulletin": Template(
        "BCD phong chong dich Thanh Hoa: {body}",
        f"Ban Chỉ đạo phòng, chống dịch Thanh Hóa: {{body}} {_SIGNED}",
        "Thông báo của Ban Chỉ đạo phòng, chống dịch",
    ),
}


@dataclass(frozen=True)
class Text:
    subject: str
    body: str


def rendered(name: str, channel: Channel, values: Mapping[str, Value]) -> Text:
    """A notice's subject and body on a channel. An SMS is without accents and has one part; names
    of agencies are cut for that. Raises TextError."""
    template = TEMPLATES.get(name)
    if template is None:
        raise TextError(f"there is no text {name}")
    if set(values) != template.variables:
        raise TextError(f"{name} needs {', '.join(sorted(template.variables)) or 'nothing'}")
    shown = {key: _shown(_VARIABLES[key], key, value) for key, value in values.items()}
    subject = template.subject.format_map(shown)
    if channel is not Channel.SMS:
        return Text(subject, template.full.format_map(shown))
    plain = {key: sms.plain(value) for key, value in shown.items()}
    body = template.sms.format_map(plain)
    over = sms.size(body).units - SMS_LENGTH
    for key, value in list(plain.items()):
        if over > 0 and _VARIABLES[key] is Kind.NAME and len(value) - over >= SHORTEST_NAME:
            plain[key] = value[:len(value) - over - 1].rstrip() + "."
            body = template.sms.format_map(plain)
            over = sms.size(body).units - SMS_LENGTH
    if over > 0 or not sms.is_gsm(body):
        raise TextError(f"{name} is too long for one SMS, or has letters that an SMS has not")
    return Text(subject, body)


def _shown(kind: Kind, name: str, value: Value) -> str:
    """A variable as text. Raises TextError where it is of another kind."""
    if kind is Kind.DAY and isinstance(value, ByTheHour):
        return f"{value.at.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
    if kind is Kind.DAY and isinstance(value, datetime):
        return f"{value.astimezone(VIETNAM):%d/%m/%Y}"
    if kind is Kind.DAY and isinstance(value, date):
        return f"{value:%d/%m/%Y}"
    if kind is Kind.NUMBER and isinstance(value, int):
        return str(value)
    if isinstance(value, str) and {
        Kind.CODE: is_code(value),
        Kind.DIGITS: re.fullmatch(r"[0-9]{4,8}", value),
        Kind.URL: re.fullmatch(r"https?://[!-~]{3,100}", value),
        Kind.NAME: re.fullmatch(r"[^\x00-\x1f\x7f]{1,160}", value),
        Kind.TEXT: re.fullmatch(r"[^\x00-\x1f\x7f]{1,1000}", value),
    }.get(kind):
        return value
    raise TextError(f"{name} = {value!r} is no {kind}")
