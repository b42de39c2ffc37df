"""Who agreed to what, and on which ground the rest is kept."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from crm.calls import record as calls
from crm.database import Database
from crm.models import Base
from crm.privacy import consents, erasure
from crm.privacy.consent_models import Consent
from crm.privacy.consents import BASES, GROUNDS, NOTICE, ConsentError, Ground, Purpose
from prompts.catalogue import Catalogue
from tests.crm.cases.factory import NOW
from tests.journals import Asterisk

NUMBER = "0912345678"


def test_what_was_said_last_holds_and_all_of_it_is_kept(database: Database) -> None:
    with database.transaction() as session:
        for day, said in enumerate(("given", "ended", "given")):
            assert not consents.agreed(session, NUMBER, Purpose.CONTACT) or said != "given"
            consents.write_down(
                session, NUMBER, "contact", said, version="2026-01", channel="call",
                evidence=f"cuộc gọi {day}", by="lan", now=NOW + timedelta(days=day),
            )
        assert consents.agreed(session, NUMBER, Purpose.CONTACT)
        assert not consents.agreed(session, NUMBER, Purpose.PUBLISH)  # silence is none
        (last,) = consents.standing(session, NUMBER)
        assert (last.said, last.evidence) == ("given", "cuộc gọi 2")
        assert session.query(Consent).count() == 3


@pytest.mark.parametrize(("told", "code"), [
    ({"purpose": "emergency"}, "purpose"), ({"purpose": "x"}, "purpose"),
    ({"said": "perhaps"}, "channel"), ({"channel": "rumour"}, "channel"),
    ({"evidence": " "}, "evidence"),
])
def test_no_consent_without_evidence_or_for_what_needs_none(
    sqlite: Database, told: dict[str, str], code: str
) -> None:
    known = {"purpose": "contact", "said": "given", "channel": "call", "evidence": "cuộc gọi"}
    given = known | told
    with sqlite.transaction() as session, pytest.raises(ConsentError) as refused:
        consents.write_down(
            session, NUMBER, given["purpose"], given["said"], version="1",
            channel=given["channel"], evidence=given["evidence"], by="lan", now=NOW,
        )
    assert refused.value.code == code


def test_every_table_that_an_erasure_reaches_has_its_purpose_and_that_its_ground() -> None:
    reached = {*erasure._TABLES, *(table for table, _ in erasure._OF_NUMBERS)}
    assert reached <= BASES.keys()
    assert BASES.keys() <= Base.metadata.tables.keys()
    assert GROUNDS.keys() == set(Purpose)
    assert GROUNDS[consents.of_call(emergency=True)] is Ground.LIFE  # 4 waits for no consent


def test_what_a_caller_did_at_the_notice_is_a_consent_with_its_call_as_evidence(
    database: Database,
) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued(number=NUMBER)
    caller.note("HL_NOTICE", result="heard", text=NOTICE)
    caller.note("HL_RECORDING", file=f"{caller.id}.wav")
    caller.end()
    with database.transaction() as session:
        calls.apply(session, asterisk.events)
        (told,) = consents.standing(session, NUMBER)
        assert (told.purpose, told.said, told.version) == (Purpose.RECORD, "given", NOTICE)
        assert told.evidence == f"{caller.id} · {caller.id}.wav"
        assert session.query(Consent).count() == 0  # the call says it, nothing else
        assert consents.agreed(session, NUMBER, Purpose.RECORD)
        # what is written down later holds, until the next call
        consents.write_down(
            session, NUMBER, "record", "ended", version="2026-01", channel="letter",
            evidence="thư 12", by="lan", now=told.at + timedelta(hours=1),
        )
        assert not consents.agreed(session, NUMBER, Purpose.RECORD)
    for result, said in (("cut", "unheard"), ("refused", "refused")):
        asterisk.wait(86_400)
        again = asterisk.queued(number=NUMBER)
        again.note("HL_NOTICE", result=result, text=NOTICE)
        again.end()
        with database.transaction() as session:
            calls.apply(session, asterisk.events)
            (told,) = consents.standing(session, NUMBER)
            assert (told.said, told.evidence) == (said, again.id)
            assert not consents.agreed(session, NUMBER, Purpose.RECORD)


def test_the_version_of_the_notice_is_that_of_its_words() -> None:
    prompt, _, digest = NOTICE.partition(".")
    words = Catalogue.load().files()[prompt].text
    assert digest == hashlib.sha256(words.encode()).hexdigest()[:10], (
        "whoever changes the words of the notice gives it a new version"
    )
