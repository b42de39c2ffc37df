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
BY_ID = {branch.id: branch for branch in BRANCHES}
QUEUES = tuple(dict.fromkeys(branch.queue for branch in BRANCHES if branch.queue))
