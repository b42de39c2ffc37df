"""What `hotline doctor` says of notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from crm.database import Database
from ivr import doctor
from tests.crm.notices.factory import deliver, settings, written
from tests.crm.notices.test_delivery import refused
from tests.ivr.patients import patient


def test_the_doctor_sees_what_does_not_arrive(sqlite: Database, tmp_path: Path) -> None:
    def status(**values: str) -> tuple[str, str]:
        [check] = doctor.examine(patient(
            settings(tmp_path, database_url=str(sqlite.url), quiet_hours="off", **values)
        ), only={"notices"})
        return check.status, check.detail

    assert status() == ("warning", "alarm_phones is set, and nobody takes SMS")
    assert status(alarm_phones="")[0] == "ok"
    long_ago = datetime.now(UTC) - timedelta(hours=6)
    written(sqlite, long_ago)
    assert status() == ("failure", "1 wait for more than 10 minutes")
    now = long_ago
    for _ in range(12):
        deliver(sqlite, refused, now)
        now += timedelta(minutes=30)
    assert status() == ("warning", "1 failed in the last week")
    broken = settings(tmp_path, database_url=f"sqlite:///{tmp_path}/none/x.db")
    [check] = doctor.examine(patient(broken), only={"notices"})
    assert check.status == "failure"
