"""A hotline's history of any size, for measuring: python -m scripts.bench.generate URL [--calls N]

Calls over five years, a fifth as many cases with what happened to them, messages to citizens, the
full-text index; the province's agencies, routes and communes. The same numbers make the same rows.
The database must be empty. Nothing in it is of real people; the chain over what happened to cases
is not made, which takes longer than all the rest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from crm import areas, search
from crm.agencies import register
from crm.cases import routing
from crm.cases import words as case_words
from crm.cases.categories import CATEGORIES
from crm.cases.codes import check_digit
from crm.cases.models import Case
from crm.clock import vietnam_day
from crm.database import Database
from crm.field_keys import Secret

YEARS = timedelta(days=5 * 365)
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
_PORTION = 20_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url", help="an empty database")
    options.add_argument("--calls", type=int, default=5_000_000)
    given = options.parse_args()
    fill(Database(given.url, patience_s=3600), given.calls, datetime.now(UTC), print)


def fill(
    database: Database, number: int, now: datetime, progress: Callable[[str], object]
) -> None:
    """`number` calls and what follows from them, the last ones just before `now`."""
    database.migrate()
    for name, step in (
        ("agencies", _agencies), ("calls", _calls), ("cases", _cases),
        ("what happened to cases", _events), ("messages", _notices), ("index", _index),
    ):
        started = time.monotonic()
        step(database, number, now)
        progress(f"{name}: {time.monotonic() - started:.0f} s")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _agencies(database: Database, _number: int, now: datetime) -> None:
    with database.transaction() as session:
        register.take_in(session, register.read(register.PROVINCE))
        session.flush()
        routing.take_in(session, routing.read(routing.PROVINCE), now)


class _Words:
    """How this database says what the rows are made of."""

    def __init__(self, database: Database, number: int, now: datetime) -> None:
        step, first = YEARS.total_seconds() / number, now - YEARS
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


def _calls(database: Database, number: int, now: datetime) -> None:
    said = _Words(database, number, now)
    caller = f"CASE WHEN n % 1000 = 0 THEN '{REPEATER}' ELSE {said.number} END"
    with database.engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO call (id, node, boot, direction, kind, caller, dialled, started_at, "  # noqa: S608
            "queued_at, answered_at, ended_at, outcome, branch, queue, agent, wait_ms, talk_ms, "
            f"emergency, unreached, satisfaction, voicemail, message_done, path) {said.series} "
            f"SELECT 'th1.b1-' || n, 'th1', 'b1', 'in', 'citizen', {caller}, '1022', {said.at}, "
            f"{said.at}, CASE WHEN n % 3 = 0 THEN {said.at} END, {said.at}, "
            "CASE n % 6 WHEN 0 THEN 'answered' WHEN 3 THEN 'answered' WHEN 1 THEN "
            "'abandoned_queue' WHEN 2 THEN 'self_served' WHEN 4 THEN 'callback' ELSE 'voicemail' "
            "END, CASE n % 4 WHEN 0 THEN 'advice' WHEN 1 THEN 'vaccine' WHEN 2 THEN 'relief' ELSE "
            "'report' END, 'operator', CASE WHEN n % 3 = 0 THEN 'agent' || (1 + n % 40) END, "
            f"n % 120000, 60000, {said.no}, CASE WHEN n % 50000 = 0 THEN {said.yes} ELSE {said.no} "
            "END, CASE WHEN n % 3 = 0 THEN 1 + n % 3 END, CASE WHEN n % 6 = 5 THEN 'x' || n || "
            f"'.wav' END, CASE WHEN n < {number - number // 900} THEN {said.yes} ELSE {said.no} "
            "END, '[{\"menu\":\"main\",\"key\":\"3\",\"at\":\"\"}]' FROM s"
        ))
        connection.execute(text(  # voice messages have been dealt with, but for the last ones
            "INSERT INTO message_task (call_id, taken_by, taken_at, done_at) SELECT id, 'lan', "
            "started_at, started_at FROM call WHERE voicemail IS NOT NULL AND started_at < :late"
        ), {"late": _stored(database, now - timedelta(days=2))})


def _stored(database: Database, at: datetime) -> object:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if database.is_sqlite else at


def _cases(database: Database, number: int, now: datetime) -> None:
    for portion in _portions(case_rows(number, now)):
        with database.engine.begin() as connection:
            connection.execute(insert(Case), portion)


def case_rows(number: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Columns of cases, those of the last days more often open."""
    count = max(1, number // CASES_OF_CALLS)
    places = list(areas.standing(vietnam_day(now)))
    step = YEARS / count
    for n in range(count):
        at = now - YEARS + n * step
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


def _events(database: Database, _number: int, _now: datetime) -> None:
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
            f"((id - 1) * {CASES_OF_CALLS}), opened_at FROM citizen_case"
        ))


def _notices(database: Database, number: int, now: datetime) -> None:
    said = _Words(database, number, now)
    with database.engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO notice (channel, purpose, recipient, subject, body, key, case_id, urgent, "  # noqa: S608
            "personal, state, attempts, next_attempt_at, created_at, sent_at, ended_at, provider, "
            "provider_id) SELECT 'sms', 'case', phone, '', 'Da tiep nhan', 'gen:' || id, id, "
            f"{said.no}, {said.yes}, CASE WHEN id % 500 = 0 THEN 'failed' ELSE 'delivered' END, 1, "
            "opened_at, opened_at, opened_at, opened_at, 'gateway', 'p' || id FROM citizen_case"
        ))


def _index(database: Database, number: int, now: datetime) -> None:
    """The words of each case, as crm.cases.words.index writes them."""
    for portion in _portions(enumerate(case_rows(number, now), start=1)):
        with database.transaction() as session:
            search.put_all(session, search.Kind.CASE, [
                (id_, row["code"], case_words.searched(
                    "" if isinstance(row["summary"], Secret) else row["summary"], row["category"],
                    None if isinstance(row["summary"], Secret) else row["answer"],
                ))
                for id_, row in portion
            ])


def _portions(rows: Iterator[Any]) -> Iterator[list[Any]]:
    portion: list[Any] = []
    for row in rows:
        portion.append(row)
        if len(portion) == _PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


if __name__ == "__main__":
    main()
