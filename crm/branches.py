"""The service lines of 1022 and the queues behind them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Branch:
    """One service line. `queue` is where its callers wait for a person, if they do."""

    id: str
    vi: str
    en: str
    queue: str | None


BRANCHES = (
    Branch("emergency", "Cấp cứu", "Emergency", "emergency"),
    Branch("advice", "Tư vấn dịch bệnh, khám chữa bệnh", "Health advice", "advice"),
    Branch("testing", "Xét nghiệm", "Testing", "testing"),
    Branch("vaccine", "Tiêm chủng", "Vaccination", "vaccine"),
    Branch("relief", "Lương thực, chỗ ở", "Food and shelter", "relief"),
    Branch("report", "Phản ánh, báo tin giả", "Reports", "report"),
    Branch("lookup", "Tra cứu phản ánh", "Case status", "operator"),
    Branch("bulletin", "Bản tin", "Bulletin", None),
    Branch("general", "Điện thoại viên", "General enquiries", "operator"),
)
EMERGENCY = "emergency"  # the queue every agent is in, whatever they serve
# may have an incident of their own
TOLD_BRANCHES = tuple(one.id for one in BRANCHES if one.queue and one.id != EMERGENCY)
BY_ID = {branch.id: branch for branch in BRANCHES}
QUEUES = tuple(dict.fromkeys(branch.queue for branch in BRANCHES if branch.queue))


@dataclass(frozen=True)
class Language:
    """A language besides Vietnamese; the agents in the queue of its id speak it. `key` chooses it,
    once # was pressed."""

    id: str
    vi: str
    en: str
    key: str


LANGUAGES = (
    Language("muong", "Tiếng Mường", "Mường", "2"),
    Language("thai", "Tiếng Thái", "Thái", "3"),
    Language("hmong", "Tiếng Mông", "Hmong", "5"),
)
NAMING = ("lang_hint", "lang_line")  # recordings that name one: "press #", "press its key"
ALL_QUEUES = (*QUEUES, *(language.id for language in LANGUAGES))


@dataclass(frozen=True)
class Service:
    """An emergency service. `keys` ask for it once 4 was pressed."""

    id: str
    number: str
    vi: str
    keys: str


SERVICES = (
    Service("medical", "115", "Cấp cứu y tế", "14"),
    Service("fire", "114", "Cháy nổ", "2"),
    Service("police", "113", "Công an", "3"),
    Service("rescue", "112", "Thiên tai, cứu nạn", "5"),
)


@dataclass(frozen=True)
class HelpLine:
    """A line that agents call in as they do an emergency service, and whose it is."""

    vi: str
    en: str


HELP_LINES = {
    "111": HelpLine("Bảo vệ trẻ em", "Child protection"),
    "19009095": HelpLine("Đường dây nóng Bộ Y tế", "Health ministry's line"),
}
