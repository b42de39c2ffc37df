"""The rates that are made of measures: for each its numerator, its denominator and what it means.

The one place for pages, files and docs/figures.md, which is `markdown()`.
"""

from __future__ import annotations

from dataclasses import dataclass

from crm.reports.document import Kind
from crm.reports.measures import AGAIN, NORM_MS, PATIENCE_MS, Measures

NORM = 0.8  # of those who wait for a person
NORM_DAYS = 7
NORM_TRIALS = 250


@dataclass(frozen=True)
class Rate:
    """`over` and `of` are sums of measures; a mean (Kind.DURATION) is of milliseconds."""

    id: str
    vi: str
    en: str
    over: tuple[str, ...]
    of: tuple[str, ...]
    means_vi: str
    means_en: str
    kind: Kind = Kind.SHARE

    def numbers(self, measures: Measures) -> tuple[int, int]:
        """Numerator and denominator."""
        over, of = (sum(getattr(measures, name) for name in names)
                    for names in (self.over, self.of))
        return over, of

    def value(self, measures: Measures) -> float | None:
        """A share, or seconds; None: there is nothing to judge by."""
        over, of = self.numbers(measures)
        if not of:
            return None
        return over / of / (1000 if self.kind is Kind.DURATION else 1)


_PATIENCE, _NORM, _AGAIN = PATIENCE_MS // 1000, NORM_MS // 1000, AGAIN.days

RATES = (
    Rate(
        "service_level", "Mức dịch vụ", "Service level", ("in_time",), ("counted",),
        "Cuộc gặp được điện thoại viên trong thời gian cam kết ÷ (cuộc gặp được điện thoại viên + "
        f"bỏ máy sau khi chờ hơn {_PATIENCE} giây + bị từ chối vì quá tải + để lời nhắn vì không "
        "ai nhận). Ngày đã qua giữ thời gian cam kết của lúc đếm.",
        "Answered within the agreed seconds ÷ (answered + gave up after more than "
        f"{_PATIENCE} s of waiting + rejected + left a message because nobody came). Past days "
        "keep the agreed seconds of when they were counted.",
    ),
    Rate(
        "norm", f"Gặp người trong {_NORM} giây", f"A person within {_NORM} s", ("in_norm",),
        ("queued",),
        f"Cuộc gặp được người trong {_NORM} giây kể từ lúc vào hàng chờ ÷ mọi cuộc đã vào hàng "
        "chờ, kể cả cuộc bỏ máy.",
        f"A person within {_NORM} s from the first queue on ÷ all who came into a queue, those who "
        "gave up too.",
    ),
    Rate(
        "reached", "Gặp được người", "Reached a person", ("reached",), ("calls",),
        "Cuộc nói chuyện được với điện thoại viên, bác sĩ hoặc cơ quan cấp cứu ÷ mọi cuộc gọi đến, "
        "kể cả cuộc bỏ máy ở menu hoặc tự tra cứu xong.",
        "Spoke with an agent, a doctor or an emergency service ÷ all who called, also those who "
        "hung up in the menus or got what they wanted there.",
    ),
    Rate(
        "abandoned", "Bỏ máy khi chờ", "Gave up waiting", ("abandoned",), ("queued",),
        "Cuộc gác máy trong hàng chờ ÷ mọi cuộc đã vào hàng chờ.",
        "Hung up in a queue ÷ all who came into a queue.",
    ),
    Rate(
        "asa", "Chờ trung bình (ASA)", "Average speed of answer", ("waited_ms",), ("waited",),
        "Tổng thời gian từ lúc vào hàng chờ đến khi gặp người ÷ số cuộc điện thoại viên đã trả "
        "lời.",
        "Time from the first queue to a person ÷ answered calls that had waited.", Kind.DURATION,
    ),
    Rate(
        "aht", "Xử lý trung bình (AHT)", "Average handling time",
        ("talk_ms", "hold_ms", "wrapup_ms"), ("handled",),
        "Thời gian nói chuyện + cho khách chờ nghe nhạc + làm nốt sau cuộc gọi ÷ số lượt một điện "
        "thoại viên nói chuyện với một người gọi. Cuộc được chuyển máy là hai lượt, mỗi lượt của "
        "người của mình.",
        "Talk + hold + wrap-up ÷ talks of one agent with one caller. A call that was led on is two "
        "of them, each of its own agent.", Kind.DURATION,
    ),
    Rate(
        "occupancy", "Mức bận", "Occupancy", ("busy_ms",), ("staffed_ms",),
        "Thời gian điện thoại viên làm việc với cuộc gọi (nói, giữ máy, hỏi đồng nghiệp, làm nốt) "
        "÷ thời gian đó cộng thời gian sẵn sàng. Ca trực lấy từ sổ: vào hàng đợi, tạm nghỉ, ra về "
        "như đã bấm; điện thoại mất kết nối không được ghi. Ai quên ra về được tính tối đa 16 giờ.",
        "Time at work with calls (talk, hold, asking a colleague, wrap-up) ÷ that and the time "
        "ready. Shifts are those of the journal: signed in, paused, out, as commanded; a phone "
        "that lost its connection is not noted. Whoever forgets to sign out counts 16 hours at "
        "most.",
    ),
    Rate(
        "missed", "Đổ chuông không nhận", "Rung and not taken", ("unanswered", "refused"),
        ("offers",),
        "Lượt đổ chuông không ai nhấc máy hoặc bị từ chối (máy bận, nhấc máy mà không nhận) ÷ mọi "
        "lượt đổ chuông, không tính lượt mà người gọi đã gác máy hoặc đồng nghiệp đã nhận trước.",
        "Phones that rang in vain, or were refused (busy, or answered and not taken on) ÷ phones "
        "that rang, without those whose caller had gone or that a colleague was faster for.",
    ),
    Rate(
        "transfers", "Chuyển máy thành công", "Transfers that came through", ("transfers_done",),
        ("transfers",),
        "Lượt chuyển máy, hỏi trước hoặc mời thêm người mà sau đó người ấy nói chuyện với người "
        "gọi ÷ mọi lượt như vậy.",
        "Transfers, consultations and invitations after which somebody else spoke with the caller "
        "÷ all of them.",
    ),
    Rate(
        "resolved", "Xong ngay lần đầu", "Resolved at the first call", ("not_again",),
        ("again_counted",),
        f"Cuộc đã trả lời mà số đó không gọi lại cùng nhánh đến hết {_AGAIN} ngày sau ÷ mọi cuộc "
        f"đã trả lời có hiện số; chỉ tính khi đã qua {_AGAIN} ngày.",
        f"Answered calls whose number did not call the same branch again until the end of the "
        f"{_AGAIN}th day after ÷ answered calls with a number; counted once those days are over.",
    ),
    Rate(
        "satisfied", "Hài lòng", "Satisfied", ("satisfied",), ("rated",),
        "Người gọi bấm 1 (rất hài lòng) hoặc 2 (hài lòng) sau cuộc gọi ÷ mọi người đã bấm.",
        "Pressed 1 (very good) or 2 (good) after the call ÷ all who pressed a key.",
    ),
    Rate(
        "told_right", "Báo đúng thời gian chờ", "Told waits that were right", ("told_right",),
        ("told",),
        "Người gọi gặp được người trong khoảng thời gian đã dự đoán ÷ mọi người được dự đoán và "
        "đã gặp người.",
        "Reached a person within the predicted interval ÷ all with a prediction who reached one.",
    ),
    Rate(
        "told_off", "Sai lệch thời gian chờ", "Error of the told wait", ("told_off_ms",),
        ("told",),
        "Khoảng cách trung bình từ thời gian chờ thật đến khoảng đã dự đoán; 0 nếu nằm trong.",
        "Mean distance of the real wait from the predicted interval; 0 for those within.",
        Kind.DURATION,
    ),
)
RATE = {one.id: one for one in RATES}


def markdown() -> str:
    """All rates for docs/figures.md."""
    lines = ["# Figures and what they mean", "",
             "Measures: `crm/reports/measures.py`. Every rate is shown with both numbers.", ""]
    for one in RATES:
        lines += [
            f"## {one.en} · {one.vi}", "",
            f"`({' + '.join(one.over)}) / ({' + '.join(one.of)})`", "", one.means_en, "",
            one.means_vi, "",
        ]
    return "\n".join(lines)

