"""Erasing what the hotline has of a number: in the database, in the journal, as sound, in the logs.

Calls and cases themselves stay, without anything of whoever they were with, so that what is counted
stays true. In files that others write to, the number is overwritten in its place with as many other
signs, so that whoever reads on from an offset reads on. What was erased is kept as a keyed hash, by
which a backup that is brought back loses it again.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from sqlalchemy import (
    JSON,
    Column,
    String,
    Table,
    Text,
    delete,
    or_,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from crm import search
from crm.agencies.models import Draft
from crm.agents.models import RescueCall
from crm.broadcasts.models import BroadcastFile
from crm.calls.rows import iso
from crm.cases import words as case_words
from crm.cases.models import Case, CaseEvent, Identity
from crm.cases.words import GONE, is_sealed
from crm.database import Database
from crm.errors import HotlineError
from crm.field_keys import MARK, SealedSecret, Secret
from crm.intake.models import Arrival, Attachment, CaseDetails
from crm.models import Base, Call, CallNote, CallSegment
from crm.notices.models import Notice, NoticeFile
from crm.privacy import resealing, sealing
from crm.privacy.models import Erased, LegalHold, PrivacyRequest
from crm.quality.models import Evaluation, QualityPick
from crm.recordings import models as sounds_models
from crm.recordings import store
from crm.reports.measures import By
from crm.reports.models import MEASURE_DAY
from crm.secrets import Secrets

log = logging.getLogger(__name__)

SIGN = "x"
SEALED = ".sealed"
# what citizens' numbers may stand in; officers' and agencies' own are kept for their work
_TABLES = (
    "call", "leg", "callback", "call_note", "live_call", "live_agent", "api_answer",
    "webhook_delivery", "citizen_case", "draft", "notice", "open311_request", "stray_receipt",
    "journal_gap", "trace_request", "legal_hold", "arrival", "case_details",
    "broadcast", "broadcast_event", "sound_use",
)
_OF_NUMBERS = (  # rows that mean nothing without the number
    ("citizen", "phone"), ("citizen_event", "phone"), ("citizen_event", "other"),
    ("opt_out", "recipient"), ("restriction", "number"),
    ("affected", "number"), ("lookup_miss", "caller"), ("consent", "phone"),
    ("missed_caller", "number"), ("ring_out", "number"),
)
_LOGS = ("journal", "log", "asterisk/log")
_DONE = "erased-here.json"  # when which number was erased that this node's files are without
_ANY = re.compile(rb"(?<!\d)(?:00)?(0[1-9]\d{8,9}|84[1-9]\d{8,9})(?!\d)")


class HeldError(HotlineError):
    """A legal hold keeps what should be erased."""


@dataclass
class Counts:
    """How many of what were erased."""

    calls: int = 0
    cases: int = 0
    notices: int = 0
    places: int = 0  # where else the number stood

    def as_json(self) -> dict[str, int]:
        return dict(vars(self))


def key_of(secret: str, phone: str) -> str:
    """A number as it is kept after its erasure."""
    return hmac.new(secret.encode(), phone.encode(), "sha256").hexdigest()


def forms_of(phone: str) -> tuple[str, ...]:
    """The number as the network and programs write it: 0912345678, and 84912345678 behind + or 00.
    """
    return (phone, f"84{phone[1:]}") if phone.startswith("0") else (phone,)


def held(session: Session, phone: str, now: datetime) -> LegalHold | None:
    return session.scalar(select(LegalHold).where(
        LegalHold.phone == phone, LegalHold.until > now, LegalHold.ended_at.is_(None)
    ).limit(1))


def sounds_of(session: Session, phone: str) -> list[str]:
    """The names of recordings and messages of a number. Files are erased before rows: whatever dies
    in between, the rows still say what is to be done."""
    found = session.execute(select(Call.recording, Call.voicemail).where(Call.caller == phone))
    return [name for pair in found for name in pair if name]


def erase_rows(
    session: Session, phone: str, secret: str, now: datetime, archived: Sequence[str] = ()
) -> Counts:
    """Erase a number, and what its owner said, from the database; `archived`: calls of its that
    stand in the archive alone. Raises HeldError."""
    if (hold := held(session, phone, now)) is not None:
        raise HeldError(f"kept by order: {hold.reason}")
    counts = Counts()
    own_calls = list(session.scalars(select(Call).where(Call.caller == phone)))
    own_cases = list(session.scalars(select(Case).where(Case.phone == phone)))
    ids = sorted({*(one.id for one in own_calls), *archived})
    counts.calls, counts.cases = len(ids), len(own_cases)
    store.forget(session, sounds_of(session, phone))
    for call in own_calls:
        call.caller, call.recording, call.voicemail = None, None, None
    for some in _portions(ids):
        session.execute(update(CallNote).where(CallNote.call_id.in_(some)).values(text=""))
        session.execute(update(RescueCall).where(RescueCall.call_id.in_(some)).values(address=""))
        judged = select(QualityPick.id).where(QualityPick.call_id.in_(some))
        session.execute(
            update(Evaluation).where(Evaluation.pick_id.in_(judged)).values(note="", reply=None)
        )
    for case in own_cases:
        _empty(session, case)
    session.flush()
    counts.notices = _drop_notices(session, phone, [one.id for one in own_cases])
    for table, column in _OF_NUMBERS:
        of = Base.metadata.tables[table]
        session.execute(delete(of).where(of.c[column].in_(forms_of(phone))))
    named = list(session.scalars(select(Case).where(or_(*(
        column.contains(form) for column in (Case.summary, Case.answer)
        for form in forms_of(phone)
    )))))
    counts.places = _sweep(session, phone)
    for made in session.scalars(select(BroadcastFile)):  # handed to carriers, and kept as proof
        made.content = _signed(made.content, phone)[0]
    for case in named:  # of others, who spoke of the number
        session.refresh(case)
        case_words.index(session, case)
    session.execute(update(PrivacyRequest).where(PrivacyRequest.phone == phone).values(
        phone=None, requester=GONE, checked=""
    ))
    session.merge(Erased(phone_key=key_of(secret, phone), at=now, counts=counts.as_json()))
    session.flush()
    return counts


def erase_files(
    home: Path, phone: str, sounds: Iterable[str], journal_key: str
) -> tuple[int, int]:
    """Delete the sounds, overwrite the number in journal and logs, and forget it in Asterisk's own
    database; how many sounds, and places. What another program removes meanwhile is gone as well.
    Raises SealError where a sealed segment does not open."""
    removed = 0
    for name in sounds:
        removed += sum(store.remove(home, kind, name) for kind in sounds_models.Kind)
    places = sum(_overwrite(file, phone) for file in logs_of(home))
    for file in sealed_of(home):
        places += sealing.rewrite(file, journal_key, lambda content: _signed(content, phone)[0])
    return removed, places + _forget_in_asterisk(home, phone)


def catch_up(database: Database, home: Path, made: Secrets) -> int:
    """Of several nodes: take out of this one's own files what others have erased since it last
    looked; how many numbers. Raises SealError."""
    mark = home / _DONE
    with database.reading() as session:
        every = {key: iso(at) for key, at in erased(session).items()}
        # at first none: whoever was erased long since may have called again
        known = json.loads(mark.read_text()) if mark.exists() else every
        new = {key for key, at in every.items() if known.get(key) != at}
        for plain in store.unnamed(session, home) if new else ():
            plain.unlink(missing_ok=True)
    found = [phone for phone in sorted(numbers_in(home, made.journal_key) if new else ())
             if key_of(made.privacy_key, phone) in new]
    for phone in found:
        erase_files(home, phone, (), made.journal_key)
    if new or not mark.exists():
        draft = mark.with_name(f"{_DONE}.new")
        draft.write_text(json.dumps(every))
        draft.replace(mark)
    return len(found)


def logs_of(home: Path) -> Iterator[Path]:
    """The files that numbers may stand in as text."""
    for folder in _LOGS:
        for file in sorted((home / folder).rglob("*")):
            if file.is_file() and not file.is_symlink() and SEALED not in file.name:
                yield file


def sealed_of(home: Path) -> list[Path]:
    """The journal's sealed segments, oldest first."""
    return sorted((home / "journal").glob(f"*{SEALED}"))


def scrub(database: Database) -> None:
    """Overwrite what the database still has of deleted rows in its files."""
    if database.is_sqlite:
        connection = sqlite3.connect(str(database.url.database), timeout=120, isolation_level=None)
        try:
            connection.execute("INSERT INTO search_text (search_text) VALUES ('optimize')")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        for table in (*_TABLES, "search_text"):
            server.execute(text(f'VACUUM "{table}"'))


def numbers_of(session: Session) -> set[str]:
    """Every number that the database has of citizens."""
    found: set[str] = set()
    for column in (Call.caller, Case.phone, Notice.recipient):
        found.update(one for one in session.scalars(select(column).distinct()) if one)
    return found


def _empty(session: Session, case: Case) -> None:
    """Leave of a case what is counted. Its chain of events stays whole without the notes."""
    case.phone, case.identity = None, Identity.ANONYMOUS
    case.summary, case.answer, case.public_text = GONE, GONE if case.answer else None, None
    session.execute(update(CaseEvent).where(CaseEvent.case_id == case.id).values(
        note="", salt=None
    ))
    session.execute(update(Draft).where(Draft.case_id == case.id).values(text=GONE))
    # the content of files goes with the next clean-up of what no row names
    session.execute(delete(Attachment).where(Attachment.case_id == case.id))
    session.execute(delete(CaseDetails).where(CaseDetails.case_id == case.id))
    session.execute(update(Arrival).where(Arrival.case_id == case.id).values(
        sender=None, reference=None, link=None
    ))
    search.remove(session, search.Kind.CASE, case.id)


def _drop_notices(session: Session, phone: str, cases: list[int]) -> int:
    """Messages to the number, and those about its cases to anybody."""
    found = set(session.scalars(select(Notice.id).where(Notice.recipient.in_(forms_of(phone)))))
    for some in _portions(cases):
        found.update(session.scalars(select(Notice.id).where(Notice.case_id.in_(some))))
    for batch in _portions(sorted(found)):
        session.execute(delete(NoticeFile).where(NoticeFile.notice_id.in_(batch)))
        session.execute(delete(Notice).where(Notice.id.in_(batch)))
    return len(found)


def _sweep(session: Session, phone: str) -> int:
    """Overwrite the number wherever else it stands in a citizen's table; in how many rows."""
    places = 0
    for name in _TABLES:
        table = Base.metadata.tables[name]
        for column in table.columns:
            if _is_text(column):
                places += sum(_replace(session, table, column, form) for form in forms_of(phone))
    for table, column in resealing.columns():
        if table.name != "case_event":
            places += _replace_sealed(session, table, column, phone)
    places += _forget_line(session, phone)
    for form in forms_of(phone):  # notes of other cases: the chain allows an erased note
        session.execute(update(CaseEvent).where(CaseEvent.note.contains(form)).values(
            note="", salt=None
        ))
    for event in session.scalars(select(CaseEvent).where(is_sealed(CaseEvent.note))):
        if any(form in event.note for form in forms_of(phone)):
            event.note, event.salt = "", None
    session.flush()
    return places


def _forget_line(session: Session, phone: str) -> int:
    """A telephone that a call was led to (crm.calls.segments) has another name from now on."""
    unnamed, places = f"line:*{token_hex(6)}", 0
    for form in forms_of(phone):
        segments = update(CallSegment).where(CallSegment.party == f"line:{form}")
        days = update(MEASURE_DAY).where(
            MEASURE_DAY.c.by == By.PARTY.value, MEASURE_DAY.c["key"] == f"line:{form}"
        )
        for change in (segments.values(party=unnamed), days.values(key=unnamed)):
            places += session.execute(change).rowcount  # type: ignore[attr-defined]
    return places


def _is_text(column: Column[object]) -> bool:
    return isinstance(column.type, String | JSON | SealedSecret) and not column.foreign_keys


def _replace(session: Session, table: Table, column: Column[object], form: str) -> int:
    """In the database, whatever the column's type: as text and back."""
    bind = session.get_bind()
    kind = column.type.compile(bind.dialect)
    as_text = f'CAST("{column.name}" AS TEXT)'
    done = session.execute(text(
        f'UPDATE "{table.name}" SET "{column.name}" ='  # noqa: S608 - names of our own tables
        + (f" CAST(replace({as_text}, :form, :signs) AS {kind})" if bind.dialect.name != "sqlite"
           else f' replace("{column.name}", :form, :signs)')
        + f" WHERE {as_text} LIKE :like"
    ), {"form": form, "signs": SIGN * len(form), "like": f"%{form}%"})
    return int(done.rowcount)  # type: ignore[attr-defined]


def _replace_sealed(
    session: Session, table: Table, column: Column[object], phone: str
) -> int:
    """The database cannot see into sealed fields: each is opened here."""
    (key,) = table.primary_key.columns
    places = 0
    wanted = select(key, column).where(column.is_not(None))
    if isinstance(column.type, SealedSecret):  # the others were seen above
        wanted = wanted.where(type_coerce(column, Text).like(f"{MARK}%"))
    for id_, value in session.execute(wanted).all():
        before = json.dumps(value, ensure_ascii=False)
        written = without(before, phone)
        if written != before:
            changed = json.loads(written)
            session.execute(update(table).where(key == id_).values(
                {column.name: Secret(changed) if isinstance(value, Secret) else changed}
            ))
            places += 1
    return places


def _overwrite(file: Path, phone: str) -> int:
    """As many other signs in place of the number, where it stands by itself."""
    try:
        with file.open("r+b") as opened:
            _content, places = _signed(opened.read(), phone)
            for start, length in places:
                opened.seek(start)
                opened.write(SIGN.encode() * length)
    except FileNotFoundError:
        return 0
    return len(places)


def _signed(content: bytes, phone: str) -> tuple[bytes, list[tuple[int, int]]]:
    """A text with other signs in place of a number, and where they begin and how many."""
    forms = b"|".join(re.escape(one.encode()) for one in forms_of(phone))
    wanted = re.compile(rb"(?<!\d)(?:00)?(" + forms + rb")(?!\d)")
    places = [(found.start(1), len(found[1])) for found in wanted.finditer(content)]
    changed = bytearray(content)
    for start, length in places:
        changed[start:start + length] = SIGN.encode() * length
    return bytes(changed), places


def _astdb(home: Path) -> Iterator[Path]:
    return (home / "asterisk").rglob("astdb.sqlite3")


def _forget_in_asterisk(home: Path, phone: str) -> int:
    """Places that are kept, and blocks, in Asterisk's own small database."""
    places = 0
    for file in _astdb(home):
        connection = sqlite3.connect(file, timeout=10)
        try:
            with connection:
                for form in forms_of(phone):
                    places += connection.execute(
                        "DELETE FROM astdb WHERE key LIKE ? OR value LIKE ?",
                        (f"%{form}%", f"%{form}%"),
                    ).rowcount
            connection.execute("VACUUM")
        finally:
            connection.close()
    return places


def _portions(ids: list[str] | list[int]) -> Iterator[list[str] | list[int]]:
    for start in range(0, len(ids), 500):
        yield ids[start:start + 500]


def erased(session: Session) -> dict[str, datetime]:
    """When which number was erased, by its key."""
    return {one.phone_key: one.at for one in session.scalars(select(Erased))}


def without(text: str, phone: str) -> str:
    """A text with other signs in place of a number, wherever it stands."""
    for form in forms_of(phone):
        text = text.replace(form, SIGN * len(form))
    return text


def numbers_of_text(content: bytes) -> Iterator[str]:
    """Every number that stands in a text, as it is dialled at home."""
    for match in _ANY.finditer(content):
        digits = match[1].decode()
        yield f"0{digits[2:]}" if digits.startswith("84") else digits


def numbers_in(home: Path, journal_key: str) -> set[str]:
    """Every number that stands in journal, logs and AstDB, as it is dialled at home."""
    found: set[str] = set()
    contents = [
        *(file.read_bytes() for file in _astdb(home)),
        *(file.read_bytes() for file in logs_of(home)),
        *(sealing.opened(file, journal_key) for file in sealed_of(home)),
    ]
    for content in contents:
        found.update(numbers_of_text(content))
    return found
