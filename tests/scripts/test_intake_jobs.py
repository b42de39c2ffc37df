"""What the scheduler does for what comes in from outside."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from crm import settings as settings_room
from crm.cases import attachments
from crm.database import Database
from crm.notices.models import Notice
from scripts.scheduler import Jobs
from tests.crm.cases.factory import NOW
from tests.crm.intake import files


def jobs(home: Path, database: Database, **more: str) -> Jobs:
    settings = settings_room.load({"HOTLINE_HOME": str(home), **more})
    return Jobs(settings, database, threading.Event(), lambda: NOW)


def test_a_mailbox_that_cannot_be_read_alarms_once_in_a_while(
    tmp_path: Path, sqlite: Database
) -> None:
    made = jobs(
        tmp_path, sqlite, HOTLINE_IMAP_SERVER="127.0.0.1:1", HOTLINE_IMAP_SECURITY="none",
        HOTLINE_IMAP_USER="a", HOTLINE_IMAP_PASSWORD="b", HOTLINE_ALARM_PHONES="0912345678",
    )
    made.read_mail()
    made.read_mail()
    with sqlite.reading() as session:
        (notice,) = session.scalars(select(Notice))
    assert "mailbox" in notice.body


def test_files_of_no_case_are_deleted_at_night(tmp_path: Path, sqlite: Database) -> None:
    kept = attachments.take(tmp_path, "a.pdf", files.pdf())
    file = attachments.path_of(tmp_path, kept.sha256)
    old = (NOW - timedelta(days=2)).timestamp()
    os.utime(file, (old, old))
    jobs(tmp_path, sqlite).forget_files()
    assert not file.exists()
