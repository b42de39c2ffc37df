"""What callers are told of their cases: from the database to the sounds that say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from crm.cases import life, lookup, questions
from crm.cases.lookup import Found, Locked, NotFound, TailNeeded
from crm.database import Database
from crm.settings import Settings
from ivr import provision
from ivr.live_facts import Asked
from prompts.catalogue import Catalogue
from prompts.phrases import Phrases
from prompts.said import Said

DATABASE_PATIENCE_S = 1.5


def replies(settings: Settings) -> Callable[[Asked], str]:
    """A function that answers one question as the dialplan reads it: fields between |, sounds
    between &.

        count|2|SOUNDS          of that number; the sounds say so, and ask for four digits
        locked                  too many wrong codes
        tail                    type the last four digits of your number too
        none|SOUNDS             nothing fits
        found|CODE|KEYS|ANSWER OR QUESTION|STATUS SOUNDS|SOUNDS THAT NAME THE KEYS|rate, where
                                the citizen is asked after the answer whether they are satisfied

    It raises SQLAlchemyError where the database does not answer in time.
    """
    database = Database.of(settings, pool_size=2, patience_s=DATABASE_PATIENCE_S)
    phrases = Phrases(
        Catalogue.load(), Said(provision.sounds(settings.home), settings.cache)
    )

    def reply(asked: Asked) -> str:
        now = datetime.now(UTC)
        with database.reading() as session:
            if asked.what == "count":
                if lookup.is_locked(session, asked.caller, now):
                    return "locked"
                count = lookup.count(session, asked.caller)
                return f"count|{count}|{_sounds(phrases.case_count(count))}"
            found = lookup.look_up(session, asked.caller, asked.digits, asked.tail, now)
            asked_of = {one.id: questions.asked(session, one) for one in found.cases} if (
                isinstance(found, Found)) else {}
        match found:
            case Locked():
                return "locked"
            case TailNeeded():
                return "tail"
            case NotFound():
                if not found.slip:
                    with database.transaction() as session:  # counted before it is told
                        lookup.note_miss(session, asked.caller, found.code, now)
                return f"none|{_sounds(phrases.code_unknown(asked.digits))}"
            case Found(those):
                number = min(max(asked.index, 1), len(those))
                one = those[number - 1]
                question = asked_of[one.id]
                keys, named = phrases.case_keys(
                    one, is_last=number == len(those), question=question
                )
                status = phrases.case_status(one, number, len(those), now)
                return "|".join((
                    "found", one.code, keys, phrases.told(one, question) or "",
                    _sounds(status),
                    _sounds(named), "rate" if life.is_to_be_rated(one) else "",
                ))

    return reply


def _sounds(files: Sequence[str]) -> str:
    return "&".join(files)
