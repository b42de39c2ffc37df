"""A hotline's history of any size, for measuring:

    python -m scripts.bench.generate URL [--calls N] [--days N]

Calls over five years, unless other days are told, a fifth as many cases with what happened to them,
messages to citizens, the full-text index; the province's agencies, routes and communes; what the
agents' work left behind (scripts.bench.desks), and the counts that are kept of each day. The same
numbers make the same rows. The database must be empty. Nothing in it is of real people; the chain
over what happened to cases is not made, which takes longer than all the rest.
"""

from __future__ import annotations

import argparse
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from crm import areas, search
from crm.agencies import register
from crm.cases import routing
from crm.cases import words as case_words
from crm.cases.categories import CATEGORIES
from crm.cases.codes import check_digit
from crm.cases.models import Case
from crm.clock import vietnam_day
from crm.database import Database
from crm.field_keys import FieldKeys, Secret
from crm.models import Base
from crm.reports import calls as counts
from scripts.bench import desks
from scripts.bench.desks import History

CASES_OF_CALLS = 5  # one case for so many calls
REPEATER = "0912345678"  # rings all the time
OPEN_EVERY = 40  # one case in so many is not at its end
_TOLD = (
    "đau họng, ho và sốt hai ngày, hỏi nơi khám", "nhà bị ngập, cần lương thực và nước uống",
    "cống tắc gây mùi hôi ở ngõ", "đèn đường hỏng nhiều ngày", "hỏi lịch tiêm mũi nhắc lại",
    "dữ liệu tiêm chủng sai ngày", "giá khẩu trang tăng bất thường", "bãi rác tự phát ở đầu cầu",
    "cán bộ trả hồ sơ chậm", "mất điện cả thôn từ đêm qua", "tin giả về dịch trên mạng",
    "đường sạt lở sau mưa lớn",
)
_SERVICE_LEVEL_S = 20
_LARGE = (  # tables whose indexes are made when they are full
    "call", "leg", "call_segment", "call_note", "callback", "line_quality", "sound", "sound_use",
    "citizen_case", "case_event", "case_call", "notice",
)
_KEY = b64encode(b"nothing in it is of real people.").decode()  # of sealed fields


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url", help="an empty database")
    options.add_argument("--calls", type=int, default=5_000_000)
    options.add_argument("--days", type=int, default=5 * 365)
    given = options.parse_args()
    history = History(given.calls, datetime.now(UTC), timedelta(days=given.days))
    fill(opened(given.url, 3600), history, print)


def opened(url: str, patience_s: float) -> Database:
    """A database of this program, whose sealed fields open by a key that everybody may know."""
    keys = FieldKeys(lambda: (_KEY,), lambda: 0)
    return Database(url, keys=keys, patience_s=patience_s)


def fill(database: Database, history: History, progress: Callable[[str], object]) -> None:
    """The calls and what follows from them, the last ones just now."""
    database.migrate()

    def done(name: str, step: _Step) -> None:
        started = time.monotonic()
        step(database, history)
        progress(f"{name}: {time.monotonic() - started:.0f} s")

    with _without_indexes(database, progress):
        for name, step in (
            ("agencies", _agencies), ("calls", _calls), ("agents' work", desks.fill),
            ("cases", _cases), ("what happened to cases", _events), ("messages", _notices),
            ("full-text index", _index),
        ):
            done(name, step)
    database.analyze()
    if not database.is_sqlite:  # as autovacuum would soon
        with database.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    done("quality", desks.judge)
    done("counts of the days", _count_days)


_Step = Callable[[Database, History], None]


@contextmanager
def _without_indexes(
    database: Database, progress: Callable[[str], object]
) -> Iterator[None]:
    """Make the indexes of large tables at the end, which takes a small part of the time."""
    indexes = [one for name in _LARGE for one in sorted(
        Base.metadata.tables[name].indexes, key=lambda one: str(one.name))]
    with database.engine.begin() as connection:
        for index in indexes:
            index.drop(connection)
    yield
    started = time.monotonic()
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        for index in indexes:
            index.create(connection)
    progress(f"indexes: {time.monotonic() - started:.0f} s")


def _count_days(database: Database, history: History) -> None:
    """As the scheduler does (scripts.reports.count_days)."""
    with database.reading() as session:
        days = counts.due(session, history.now, 10_000)
    for day in days:
        with database.transaction() as session:
            counts.count(session, day, history.now, _SERVICE_LEVEL_S)


def _agencies(database: Database, history: History) -> None:
    with database.transaction() as session:
        register.take_in(session, register.read(register.PROVINCE))
        session.flush()
        routing.take_in(session, routing.read(routing.PROVINCE), history.now)


class _Words:
    """How this database says what the rows are made of."""

    def __init__(self, database: Database, history: History) -> None:
        number, first = history.calls, history.now - history.span
        step = history.span.total_seconds() / number
        if database.is_sqlite:
            self.series = (
                "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < "  # noqa: S608
                f"{number - 1})"
            )
            moment = f"'{first:%Y-%m-%d %H:%M:%S}', '+' || (n * {step}) || ' seconds'"
            self.at = f"strftime('%Y-%m-%d %H:%M:%f', {moment}) || '000'"
            self.number = "'09' || printf('%08d', (n * 7919) % 1000003)"
            self.yes, self.no = "1", "0"
        else:
            self.series = f"WITH s AS (SELECT generate_series(0, {number - 1}) AS n)"
            self.at = f"'{first.isoformat()}'::timestamptz + n * {step} * interval '1 second'"
            self.number = "'09' || lpad(((n::bigint * 7919) % 1000003)::text, 8, '0')"
            self.yes, self.no = "true", "false"


def _calls(database: Database, history: History) -> None:
    said, number = _Words(database, history), history.calls
    caller = f"CASE WHEN n % 1000 = 0 THEN '{REPEATER}' ELSE {said.number} END"
    with database.engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO call (id, node, boot, direction, kind, caller, dialled, started_at, "  # noqa: S608
            "queued_at, answered_at, ended_at, outcome, branch, queue, agent, wait_ms, talk_ms, "
            "emergency, unreached, satisfaction, voicemail, message_done, recording_notice, "
            f"recording, wait_from_s, wait_to_s, path) {said.series} "
            f"SELECT 'th1.b1-' || n || '.1', 'th1', 'b1', 'in', 'citizen', {caller}, '1022', "
            f"{said.at}, "
            f"{said.at}, CASE WHEN n % 3 = 0 THEN {said.at} END, {said.at}, "
            "CASE n % 6 WHEN 0 THEN 'answered' WHEN 3 THEN 'answered' WHEN 1 THEN "
            "'abandoned_queue' WHEN 2 THEN 'self_served' WHEN 4 THEN 'callback' ELSE 'voicemail' "
            "END, CASE n % 4 WHEN 0 THEN 'advice' WHEN 1 THEN 'vaccine' WHEN 2 THEN 'relief' ELSE "
            "'report' END, 'operator', CASE WHEN n % 3 = 0 THEN 'agent' || (1 + n % 40) END, "
            f"n % 120000, 60000, {said.no}, CASE WHEN n % 50000 = 0 THEN {said.yes} ELSE {said.no} "
            "END, CASE WHEN n % 9 = 0 THEN 1 + n % 2 END, CASE WHEN n % 6 = 5 THEN "
            f"'th1.b1-' || n || '.1.wav' END, CASE WHEN n < {number - number // 900} THEN "
            f"{said.yes} ELSE {said.no} END, CASE WHEN n % 3 = 0 THEN CASE WHEN n % 99 = 0 THEN "
            "'refused' ELSE 'heard' END END, CASE WHEN n % 3 = 0 AND n % 99 <> 0 THEN 'th1.b1-' "
            "|| n || '.1.raw' END, CASE WHEN n % 2 = 0 THEN 30 END, CASE WHEN n % 2 = 0 THEN 90 "
            "END, '[{\"menu\":\"main\",\"key\":\"3\",\"at\":\"\"}]' FROM s"
        ))
        connection.execute(text(  # voice messages have been dealt with, but for the last ones
            "INSERT INTO message_task (call_id, taken_by, taken_at, done_at) SELECT id, 'lan', "
            "started_at, started_at FROM call WHERE voicemail IS NOT NULL AND started_at < :late"
        ), {"late": _stored(database, history.now - timedelta(days=2))})


def _stored(database: Database, at: datetime) -> object:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if database.is_sqlite else at


def _cases(database: Database, history: History) -> None:
    desks.put(database, Case, case_rows(history))


def case_rows(history: History) -> Iterator[dict[str, Any]]:
    """Columns of cases, those of the last days more often open."""
    now = history.now
    count = max(1, history.calls // CASES_OF_CALLS)
    places = list(areas.standing(vietnam_day(now)))
    step = history.span / count
    for n in range(count):
        at = now - history.span + n * step
        is_open = n % OPEN_EVERY == 0 and now - at < timedelta(days=400)
        category = CATEGORIES[n % len(CATEGORIES)]
        kept = Secret if category.private or n % 100 == 0 else str
        digits = f"{(n * 7_654_321 + 1_234_567) % 10_000_000:07d}"
        at_desk = is_open and n % (OPEN_EVERY * 10) == 0 and now - at < timedelta(days=30)
        has_agency = not at_desk
        yield {
            "code": digits + check_digit(digits),
            "status": "classified" if at_desk else "assigned" if is_open else "closed",
            "identity": "hidden" if n % 30 == 0 else "shown", "sensitive": n % 100 == 0,
            "phone": REPEATER if n % 2000 == 0 else f"09{n * 7919 % 1_000_003:08d}",
            "channel": ("call", "web", "hand", "api")[n % 4], "kind": "report",
            "summary": kept(f"{_TOLD[n % len(_TOLD)]} {digits}"),
            "category": category.id, "area": places[n % len(places)],
            "agency_id": 1 + n % len(places) % 150 if has_agency else None, "opened_at": at,
            "dispatch_due_at": at + timedelta(minutes=5),
            "assigned_at": at + timedelta(minutes=4) if has_agency else None,
            "due_at": at + timedelta(days=4),
            "resolved_at": None if is_open else at + timedelta(days=2),
            "answer": None if is_open else kept("Đã xử lý xong."), "public": n % 2 == 0,
            "public_text": None if is_open or n % 2 else "Đã xử lý xong.",
            "satisfaction": None if is_open or n % 3 else 1 + n % 9 // 3,
            "next_step_at": at + timedelta(days=3650) if is_open else None, "followed": 0,
        }


def _events(database: Database, _history: History) -> None:
    columns = "case_id, at, by, what, before, after, note, salt, note_hash, digest"
    with database.engine.begin() as connection:
        for what, before, after, at in (
            ("opened", "NULL", "'new'", "opened_at"),
            ("moved", "'new'", "'assigned'", "assigned_at"),
            ("moved", "'assigned'", "'resolved'", "resolved_at"),
            ("moved", "'resolved'", "'closed'", "resolved_at"),
        ):
            details = "'{\"agency\":\"SYT\"}'" if after == "'assigned'" else "NULL"
            connection.execute(text(
                f"INSERT INTO case_event ({columns}, details) SELECT id, {at}, 'lan', "  # noqa: S608
                f"'{what}', {before}, {after}, '', '', '', '', {details} FROM citizen_case "
                f"WHERE {at} IS NOT NULL"
            ))
        connection.execute(text(
            "INSERT INTO case_call (case_id, call_id, at) SELECT id, 'th1.b1-' || "  # noqa: S608
            f"((id - 1) * {CASES_OF_CALLS}) || '.1', opened_at FROM citizen_case"
        ))


def _notices(database: Database, history: History) -> None:
    said = _Words(database, history)
    with database.engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO notice (channel, purpose, recipient, subject, body, key, case_id, urgent, "  # noqa: S608
            "personal, state, attempts, next_attempt_at, created_at, sent_at, ended_at, provider, "
            "provider_id) SELECT 'sms', 'case', phone, '', 'Da tiep nhan', 'gen:' || id, id, "
            f"{said.no}, {said.yes}, CASE WHEN id % 500 = 0 THEN 'failed' ELSE 'delivered' END, 1, "
            "opened_at, opened_at, opened_at, opened_at, 'gateway', 'p' || id FROM citizen_case"
        ))


def _index(database: Database, history: History) -> None:
    """The words of each case, as crm.cases.words.index writes them."""
    for portion in desks.portions(enumerate(case_rows(history), start=1)):
        with database.transaction() as session:
            search.put_all(session, search.Kind.CASE, [
                (id_, row["code"], case_words.searched(
                    "" if isinstance(row["summary"], Secret) else row["summary"], row["category"],
                    None if isinstance(row["summary"], Secret) else row["answer"],
                ))
                for id_, row in portion
            ])


if __name__ == "__main__":
    main()
