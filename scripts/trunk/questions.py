"""The worksheet that goes to each carrier: what to answer in writing, and what is set here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crm.carriers import Carrier
from crm.settings import Settings

_Set = Callable[[Settings, Carrier], str]


@dataclass(frozen=True)
class Question:
    """What to ask, in both languages, and what the settings say of it."""

    vi: str
    en: str
    setting: str  # TRUNK stands for the carrier's own prefix
    value: _Set = lambda _settings, _carrier: ""


def _nothing(_: Settings, __: Carrier) -> str:
    return ""


QUESTIONS = (
    Question(
        "Ai trả cước cuộc gọi đến? Người dân gọi có miễn phí ở mọi mạng, cả khi gọi từ ngoài tỉnh "
        "không?",
        "Who pays for calls in? Is the line free for callers of every network, from outside the "
        "province too?", "", _nothing,
    ),
    Question(
        "Gọi được bằng cả hai cách quay số (1022 và 0237 1022) từ di động và cố định không? 1022 "
        "quay từ ngoài tỉnh về đâu?",
        "Do both dial forms (1022 and 0237 1022) work from mobiles and landlines? Where does 1022 "
        "lead from outside the province?", "NUMBERS", lambda s, _: ", ".join(s.numbers),
    ),
    Question(
        "Thuê bao hết tiền, bị khóa một chiều có gọi được không?",
        "Can callers without credit, or barred from calling out, reach the number?", "", _nothing,
    ),
    Question(
        "Khi mất trung tâm (mất điện, mất mạng), chuyển hướng cuộc gọi về số nào, ai yêu cầu, "
        "trong bao lâu? Chuyển tự động khi không trả lời OPTIONS được không?",
        "When the site is lost, to which number are calls forwarded, at whose word, how fast? Also "
        "by itself when OPTIONS are not answered?", "", _nothing,
    ),
    Question(
        "Xác thực: theo địa chỉ IP hay đăng ký (REGISTER)? Nếu đăng ký: tên, mật khẩu, thời hạn.",
        "Authentication: by address or by registration? If registered: user, password, expiry.",
        "TRUNK_USER", lambda _, c: f"REGISTER ({c.user})" if c.user else "IP",
    ),
    Question(
        "Địa chỉ và cổng SBC (chính, dự phòng); địa chỉ báo hiệu và thoại khi gọi đến.",
        "Addresses and ports of the SBCs (main, standby); signalling and media addresses of calls "
        "in.", "TRUNK_SERVER, TRUNK_MATCH",
        lambda _, c: f"{c.server or '—'}; {', '.join(c.match)}",
    ),
    Question(
        "Truyền tải: UDP, TCP hay TLS? Thoại có mã hóa SRTP không? Chứng thư của ai?",
        "Transport: UDP, TCP or TLS? Media by SRTP? Whose certificate?",
        "TRUNK_TRANSPORT, TRUNK_CA", lambda _, c: c.transport.upper(),
    ),
    Question(
        "Dạng số gửi đến và nhận đi: 0…, 84… hay +84…? Số gọi, số bị gọi có cùng dạng không?",
        "Form of numbers in and out: 0…, 84… or +84…? The same for caller and called?",
        "TRUNK_FORM", lambda _, c: f"{c.form}…",
    ),
    Question(
        "Số người gọi nằm ở From, P-Asserted-Identity hay Remote-Party-ID? Khi chuyển tiếp cấp cứu "
        "(115, 114, 113, 112) có giữ số người gọi không?",
        "Is the caller's number in From, P-Asserted-Identity or Remote-Party-ID? Is it kept when a "
        "call is led on to an emergency service?", "TRUNK_IDENTITY", lambda _, c: c.identity,
    ),
    Question(
        "Gọi ra 115, 114, 113, 112 qua kênh này: về trung tâm nào, có được phép không?",
        "Calls to 115, 114, 113, 112 over this line: which centre do they reach, are they allowed?",
        "EMERGENCY_…",
        lambda s, _: ", ".join(
            f"{name}: {'/'.join(numbers) or '—'}" for name, numbers in s.emergency_targets.items()
        ),
    ),
    Question(
        "Bộ mã hóa thoại theo thứ tự ưu tiên; thời gian gói.",
        "Codecs in order of preference; packet time.", "TRUNK_CODECS",
        lambda _, c: f"{', '.join(c.codecs)}; 20 ms",
    ),
    Question(
        "Phím bấm (DTMF): RFC 4733, SIP INFO hay trong băng? Mã payload?",
        "Keys (DTMF): RFC 4733, SIP INFO or in band? Payload type?", "TRUNK_DTMF",
        lambda _, c: c.dtmf,
    ),
    Question(
        "Có âm báo sớm (183 kèm SDP) không? Khi máy bận, ngoài vùng phủ sóng báo bằng mã hay bằng "
        "lời?",
        "Early media (183 with SDP)? Are busy and out of reach told by a code or by a voice?", "",
        _nothing,
    ),
    Question(
        "Hẹn giờ phiên (RFC 4028): bắt buộc không, bao nhiêu giây, bên nào làm mới?",
        "Session timers (RFC 4028): required, how many seconds, who refreshes?", "TRUNK_TIMERS",
        lambda _, c: c.timers,
    ),
    Question(
        "Số cuộc gọi đồng thời tối đa, số cuộc gọi mới mỗi giây; vượt thì trả mã nào?",
        "Cap of concurrent calls and of new calls a second; which code beyond it?",
        "TRUNK_CHANNELS",
        lambda _, c: f"{c.channels} ({c.reserve} kept for calls out)" if c.channels else "—",
    ),
    Question(
        "OPTIONS: có trả lời không, có gửi không, cách bao lâu, sau mấy lần thì coi là mất?",
        "OPTIONS: are they answered, are they sent, how often, after how many is a side given up?",
        "TRUNK_OPTIONS_S", lambda _, c: f"{c.options_s} s" if c.options_s else "—",
    ),
    Question(
        "Số hiển thị được phép khi gọi ra; quy định chống gọi rác.",
        "Numbers that may be shown on calls out; rules against unwanted calls.", "NUMBERS",
        lambda s, _: next((one for one in s.numbers if one.startswith("02")), s.numbers[0]),
    ),
    Question(
        "Bản ghi cước (CDR) hằng tháng để đối soát: dạng nào, gửi khi nào?",
        "Monthly call records to compare with: in which form, when?", "", _nothing,
    ),
    Question(
        "Đầu mối kỹ thuật trực 24/7: tên, số điện thoại, thư điện tử.",
        "Technical contact round the clock: name, telephone, e-mail.", "", _nothing,
    ),
)


def worksheet(settings: Settings) -> str:
    """Markdown: a table of questions for each carrier that is set, to be answered in writing."""
    parts = [
        "# Câu hỏi gửi nhà mạng · Questions for the carrier",
        "",
        f"Tổng đài (0237) 1022 Thanh Hóa · số · numbers: {', '.join(settings.numbers)}",
    ]
    for carrier in settings.carriers:
        parts += [
            "", f"## {carrier.index}. {carrier.server or ', '.join(carrier.match)}", "",
            "| # | Câu hỏi · Question | Đang đặt · Set here | Trả lời · Answer |",
            "|---|---|---|---|",
        ]
        for number, one in enumerate(QUESTIONS, 1):
            value = one.value(settings, carrier)
            names = one.setting.replace("TRUNK", carrier.setting.upper())
            shown = " ".join(part for part in (value, f"({names})" if names else "") if part)
            parts.append(f"| {number} | {one.vi}<br>{one.en} | {shown} | |")
    return "\n".join(parts) + "\n"
