"""Reports on the service over a period, by day, hour, branch, agent or line outside, and the norm.

Made of the kept measures alone, so that a year costs what a month does. Each rate stands beside its
numerator and denominator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from crm.clock import vietnam_day
from crm.reports import calls, kept, parties
from crm.reports.daily import BRANCH_NAMES, NO_BRANCH
from crm.reports.document import Cell, Column, Document, Kind, Section, Table, moment
from crm.reports.glossary import NORM, NORM_DAYS, NORM_TRIALS, RATE, RATES, Rate
from crm.reports.measures import NONE, NORM_MS, WITHIN_S, By, Found, Measures
from crm.reports.period import LONGEST, PeriodError
from crm.users import names_of

TITLES = {
    By.DAY: "Theo ngày", By.HOUR: "Theo giờ trong ngày", By.BRANCH: "Theo nhánh",
    By.AGENT: "Theo điện thoại viên", By.PARTY: "Theo đường dây cơ quan, bác sĩ",
}
_KEYS = {By.DAY: "Ngày", By.HOUR: "Giờ", By.BRANCH: "Nhánh", By.AGENT: "Điện thoại viên",
         By.PARTY: "Đường dây"}
EMPTY = "Không có gì trong thời gian này."
_Get = Callable[[Measures], Cell]


@dataclass(frozen=True)
class Norm:
    """How many of those who waited for a person met one within the norm's time; `trials`: of test
    calls, which may be made where a week's calls are not counted."""

    first: date
    last: date
    within: int
    of: int
    trials_within: int
    trials: int

    @property
    def share(self) -> float | None:
        return self.within / self.of if self.of else None

    @property
    def is_kept(self) -> bool | None:
        """None: there is nothing to judge by."""
        return None if self.share is None else self.share >= NORM


def document(
    session: Session, by: By, first: date, last: date, now: datetime, service_level_s: int,
    read: dict[date, Found] | None = None,
) -> Document:
    """What began from one day to another (both included); `read` as in crm.reports.kept. Raises
    PeriodError."""
    read = {} if read is None else read
    if first > last or last - first > LONGEST or last > vietnam_day(now):
        raise PeriodError("a period begins before it ends, ends by today, and has a year at most")
    found = kept.of_days(session, by, first, last, now, service_level_s, read)
    called = names(session, by, found, last)
    sections = [
        _section(name, title, by, columns, called, found)
        for name, (title, columns) in _sections(by, service_level_s).items()
    ]
    if by is By.DAY:
        sections += [_waits(found), _norm(norm(session, last, now, service_level_s, read))]
    title = f"Chất lượng phục vụ · {TITLES[by]}"
    return Document(
        heading=("TỔNG ĐÀI (0237) 1022 THANH HÓA",), number="", dated="", title=title.upper(),
        subtitle=f"Từ ngày {first:%d/%m/%Y} đến ngày {last:%d/%m/%Y}", to=(),
        sections=(*sections, _glossary()), closing=(), signers=("", ""),
        foot=f"Tổng đài (0237) 1022 · Số liệu lúc {moment(now)}",
    )


def norm(
    session: Session, last: date, now: datetime, service_level_s: int,
    read: dict[date, Found] | None = None,
) -> Norm:
    """The norm over the seven whole days that end with `last`, or with yesterday if that is today:
    all citizens' calls, and test calls apart."""
    last = min(last, vietnam_day(now) - timedelta(days=1))
    first = last - timedelta(days=NORM_DAYS - 1)
    days = kept.of_days(session, By.DAY, first, last, now, service_level_s, read)
    total = sum(days.values(), NONE)
    made, good = calls.trials(session, first, last)
    return Norm(first, last, total.in_norm, total.queued, good, made)


def _sections(by: By, agreed_s: int) -> dict[str, tuple[str, list[tuple[Column, _Get]]]]:
    calls = [
        _count("Gọi đến", "calls"), _count("Gặp điện thoại viên", "answered"),
        _count("Nối ra ngoài", "transferred"), _count("Hẹn gọi lại", "callback"),
        _count("Lời nhắn", "voicemail"), _count("Tự tra cứu", "self_served"),
        _count("Bỏ khi chờ", "abandoned"), _count("Bỏ ở menu", "left_menu"),
        _count("Từ chối", "rejected"), _count("Sự cố", "lost"),
    ]
    waits = [
        *_rate(RATE["service_level"], f"Trong {agreed_s} giây", "Được tính"),
        *_rate(RATE["norm"], "Trong 60 giây", "Chờ gặp người"),
        *_rate(RATE["asa"], "", ""), _longest(),
        *_rate(RATE["told_right"], "Báo đúng", "Được báo"), *_rate(RATE["told_off"], "", ""),
    ]
    work = [
        *_rate(RATE["aht"], "", "Lượt xử lý"), _minutes("Nói chuyện", "talk_ms"),
        _minutes("Giữ máy", "hold_ms"), _minutes("Làm nốt", "wrapup_ms"),
        _minutes("Đồng nghiệp hỏi", "consult_ms"),
        *_rate(RATE["transfers"], "Thành công", "Chuyển máy"),
    ]
    occupied = [*_rate(RATE["occupancy"], "Bận (phút)", "Có mặt, không nghỉ (phút)"),
                _minutes("Trong ca (phút)", "signed_ms"), _minutes("Tạm nghỉ (phút)", "paused_ms")]
    rung = [_count("Đổ chuông", "offers"), _count("Nhận", "taken"),
            _count("Không nhấc máy", "unanswered"), _count("Từ chối, bận", "refused"),
            *_rate(RATE["missed"], "", "")]
    content = [*_rate(RATE["resolved"], "Không gọi lại", "Được tính"),
               *_rate(RATE["satisfied"], "Số người hài lòng", "Có đánh giá")]
    match by:
        case By.PARTY:
            return {"lines": ("Các đường dây đã gọi", [*rung, _minutes("Nói chuyện", "talk_ms")])}
        case By.AGENT:
            return {"work": ("Xử lý cuộc gọi", work), "rung": ("Đổ chuông", rung),
                    "occupancy": ("Ca trực", occupied), "content": ("Kết quả", content)}
        case By.BRANCH:
            rest = {"work": ("Xử lý cuộc gọi", work), "content": ("Kết quả", content)}
        case _:
            rest = {"work": ("Xử lý cuộc gọi", work), "occupancy": ("Ca trực", occupied),
                    "content": ("Kết quả", content)}
    return {"calls": ("Cuộc gọi", calls), "waits": ("Chờ gặp người", waits), **rest}


def _section(
    id_: str, title: str, by: By, columns: list[tuple[Column, _Get]],
    names: Mapping[str, str], found: Mapping[str, Measures],
) -> Section:
    def row(name: str, one: Measures) -> tuple[Cell, ...]:
        return (name, *(get(one) for _, get in columns))

    rows = [(names[key], found[key]) for key in names]
    shown_rows = tuple(row(name, one) for name, one in rows if _has(one, columns))
    return Section(
        id_, title, title, (), Table(
            (Column(_KEYS[by], Kind.TEXT, 1.8), *(column for column, _ in columns)),
            shown_rows, row("Cộng", sum(found.values(), NONE)),
        ), EMPTY,
    )


def _has(one: Measures, columns: list[tuple[Column, _Get]]) -> bool:
    return any(get(one) for _, get in columns)


def _count(title: str, name: str) -> tuple[Column, _Get]:
    return Column(title), lambda one: getattr(one, name)


def _minutes(title: str, name: str) -> tuple[Column, _Get]:
    return Column(title, Kind.DURATION), lambda one: getattr(one, name) // 1000


def _longest() -> tuple[Column, _Get]:
    return Column("Chờ lâu nhất", Kind.DURATION), lambda one: one.longest_wait_ms // 1000


def _rate(rate: Rate, over: str, of: str) -> list[tuple[Column, _Get]]:
    """The columns of a rate: its numbers, where they have no column of their own, and itself."""
    are_times = rate.over[0].endswith("_ms") and rate.of[0].endswith("_ms")
    kind, by = (Kind.DURATION, 1000) if are_times else (Kind.NUMBER, 1)
    columns: list[tuple[Column, _Get]] = []
    if over:
        columns.append((Column(over, kind), lambda one: rate.numbers(one)[0] // by))
    if of:
        columns.append((Column(of, kind), lambda one: rate.numbers(one)[1] // by))
    return [*columns, (Column(rate.vi, rate.kind, 1.2), rate.value)]


def _waits(found: Mapping[str, Measures]) -> Section:
    """When people who gave up in the queue did so."""
    total = sum(found.values(), NONE)
    names = [*(f"ab_{most}" for most in WITHIN_S), "ab_more"]
    labels = [*(f"đến {most} giây" for most in WITHIN_S), f"hơn {WITHIN_S[-1]} giây"]
    rows: list[tuple[Cell, ...]] = []
    until = 0
    for name, label in zip(names, labels, strict=True):
        number = getattr(total, name)
        until += number
        rows.append((label, number, number / total.abandoned if total.abandoned else None,
                     until / total.abandoned if total.abandoned else None))
    table = Table((
        Column("Đã chờ", Kind.TEXT, 2), Column("Bỏ máy"), Column("Tỷ lệ", Kind.SHARE),
        Column("Cộng dồn", Kind.SHARE),
    ), tuple(rows) if total.abandoned else ())
    return Section("patience", "Bỏ máy theo thời gian chờ", "Bỏ máy theo thời gian chờ", (), table,
                   "Không ai bỏ máy khi chờ.")


def _norm(found: Norm) -> Section:
    verdict = {True: "ĐẠT", False: "KHÔNG ĐẠT", None: "chưa có cuộc gọi để đánh giá"}
    enough = found.trials >= NORM_TRIALS
    sentences = (
        f"Chuẩn: ít nhất {NORM:.0%} cuộc gọi hỗ trợ gặp được người trong {NORM_MS // 1000} giây. "
        f"Đo trên mọi cuộc gọi của {NORM_DAYS} ngày ({found.first:%d/%m}–{found.last:%d/%m/%Y}), "
        f"hoặc trên ít nhất {NORM_TRIALS} cuộc gọi thử.",
        f"Mọi cuộc gọi: {verdict[found.is_kept]}. Cuộc gọi thử: "
        + (verdict[found.trials_within / found.trials >= NORM] if enough else
           f"mới có {found.trials}, cần {NORM_TRIALS}") + ".",
    )
    rows: tuple[tuple[Cell, ...], ...] = (
        (f"Mọi cuộc gọi của {NORM_DAYS} ngày", found.within, found.of, found.share),
        ("Cuộc gọi thử trong các ngày đó", found.trials_within, found.trials,
         found.trials_within / found.trials if found.trials else None),
    )
    return Section("norm", "Chuẩn 60 giây", "Chuẩn trả lời trong 60 giây", sentences, Table((
        Column("Cách đo", Kind.TEXT, 2.4), Column("Trong 60 giây"), Column("Chờ gặp người"),
        Column("Tỷ lệ", Kind.SHARE),
    ), rows))


def _glossary() -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple((one.vi, one.means_vi) for one in RATES)
    return Section("glossary", "Cách tính", "Cách tính", (), Table((
        Column("Chỉ số", Kind.TEXT, 1), Column("Nghĩa là", Kind.TEXT, 4),
    ), rows))


def names(
    session: Session, by: By, found: Mapping[str, Measures], day: date
) -> dict[str, str]:
    """The keys in the order in which they stand, and how they are called on that day."""
    match by:
        case By.DAY:
            return {key: f"{date.fromisoformat(key):%d/%m/%Y}" for key in sorted(found)}
        case By.HOUR:
            return {key: f"{key}:00–{key}:59" for key in sorted(found)}
        case By.BRANCH:
            known = [key for key in BRANCH_NAMES if key in found]
            others = sorted(set(found) - set(known))
            return {key: BRANCH_NAMES.get(key, key) or NO_BRANCH for key in [*known, *others]}
        case By.AGENT:
            people = names_of(session, set(found))
            named = {key: f"{people[key]} ({key})" if key in people else key for key in found}
            return dict(sorted(named.items(), key=lambda one: one[1]))
        case _:
            return parties.names(session, found, day)
