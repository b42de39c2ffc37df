"""For what personal data is used, on which ground, and who has agreed to what.

Each table that holds something of citizens has its purpose in `BASES`; a purpose whose ground is
consent is one that somebody must have agreed to, with evidence: silence is none. What is kept to
protect life, or to do what somebody asked for, needs no consent (Law 91/2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.models import Call
from crm.privacy.consent_models import Consent

CHANNELS = ("web", "call", "counter", "letter")
# the prompt that tells callers of the recording, and a digest of its words: a test keeps it true
NOTICE = "consent_recording_short.5f7d76167b"
UNHEARD = "unheard"  # the notice was cut short, and nothing recorded
_OF_NOTICE = {"heard": "given", "refused": "refused", "cut": UNHEARD}


class ConsentError(HotlineError):
    """A consent cannot be written down. `code`: purpose, channel, evidence."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class Ground(StrEnum):
    """Why it may be done."""

    REQUEST = "request"  # whoever it is about asked for it
    LIFE = "life"  # life and health, in an emergency
    DUTY = "duty"  # a task of the authorities by law
    CONSENT = "consent"


class Purpose(StrEnum):
    """What personal data is used for."""

    ANSWER = "answer"  # calls and cases
    EMERGENCY = "emergency"
    RECORD = "record"  # recordings of calls
    PUBLISH = "publish"  # results on the public page
    CONTACT = "contact"  # to be rung or written to beyond what was asked for
    TRACE = "trace"
    PROTECT = "protect"  # the line against misuse, the data itself


GROUNDS: Mapping[Purpose, Ground] = {
    Purpose.ANSWER: Ground.REQUEST, Purpose.EMERGENCY: Ground.LIFE,
    Purpose.RECORD: Ground.CONSENT, Purpose.PUBLISH: Ground.CONSENT,
    Purpose.CONTACT: Ground.CONSENT, Purpose.TRACE: Ground.DUTY, Purpose.PROTECT: Ground.DUTY,
}
BASES: Mapping[str, Purpose] = {  # by table; calls for help are EMERGENCY (see of_call)
    "call": Purpose.ANSWER, "leg": Purpose.ANSWER, "callback": Purpose.ANSWER,
    "call_note": Purpose.ANSWER, "live_call": Purpose.ANSWER, "live_agent": Purpose.ANSWER,
    "citizen_case": Purpose.ANSWER, "case_event": Purpose.ANSWER, "case_details": Purpose.ANSWER,
    "draft": Purpose.ANSWER, "notice": Purpose.ANSWER, "arrival": Purpose.ANSWER,
    "attachment": Purpose.ANSWER, "open311_request": Purpose.ANSWER, "affected": Purpose.ANSWER,
    "api_answer": Purpose.ANSWER, "webhook_delivery": Purpose.ANSWER, "citizen": Purpose.ANSWER,
    "citizen_event": Purpose.ANSWER,
    "missed_caller": Purpose.ANSWER, "ring_out": Purpose.ANSWER, "call_segment": Purpose.ANSWER,
    "rescue_call": Purpose.EMERGENCY, "handover": Purpose.ANSWER,
    "sound": Purpose.RECORD, "sound_note": Purpose.RECORD, "sound_use": Purpose.PROTECT,
    "stray_receipt": Purpose.ANSWER, "broadcast": Purpose.CONTACT,
    "broadcast_event": Purpose.CONTACT, "broadcast_file": Purpose.CONTACT,
    "opt_out": Purpose.CONTACT, "consent": Purpose.PROTECT, "lookup_miss": Purpose.PROTECT,
    "restriction": Purpose.PROTECT, "journal_gap": Purpose.PROTECT, "legal_hold": Purpose.PROTECT,
    "privacy_request": Purpose.PROTECT, "trace_request": Purpose.TRACE,
}


@dataclass(frozen=True)
class Standing:
    """What somebody said last about a purpose."""

    purpose: Purpose
    said: str
    at: datetime
    version: str
    channel: str
    evidence: str


def of_call(*, emergency: bool) -> Purpose:
    return Purpose.EMERGENCY if emergency else Purpose.ANSWER


def write_down(
    session: Session, phone: str, purpose: str, said: str, *, version: str, channel: str,
    evidence: str, by: str, now: datetime,
) -> Consent:
    """What somebody said, with how it can be shown. Raises ConsentError."""
    if purpose not in set(Purpose) or GROUNDS[Purpose(purpose)] is not Ground.CONSENT:
        raise ConsentError(f"{purpose} is nothing that needs a consent", "purpose")
    if said not in ("given", "refused", "ended") or channel not in CHANNELS:
        raise ConsentError("say what was said, and how", "channel")
    if not 2 <= len(evidence.strip()) <= 200:
        raise ConsentError("a consent has its evidence: a call, a form, a letter", "evidence")
    made = Consent(
        phone=phone, purpose=purpose, said=said, version=version, channel=channel,
        evidence=evidence.strip(), at=now, by=by,
    )
    session.add(made)
    session.flush()
    return made


def standing(session: Session, phone: str) -> list[Standing]:
    """What holds today for each purpose of which something was said: written down, or by key at the
    notice of the recording."""
    last: dict[Purpose, Standing] = {}
    for one in session.scalars(
        select(Consent).where(Consent.phone == phone).order_by(Consent.id)
    ):
        purpose = Purpose(one.purpose)
        last[purpose] = Standing(purpose, one.said, one.at, one.version, one.channel, one.evidence)
    heard = _of_notice(session, phone)
    if heard and (Purpose.RECORD not in last or last[Purpose.RECORD].at < heard.at):
        last[Purpose.RECORD] = heard
    return list(last.values())


def _of_notice(session: Session, phone: str) -> Standing | None:
    """What the number's last caller did at the notice of the recording. The call itself is the
    record: nothing is written a second time."""
    call = session.scalar(
        select(Call).where(Call.caller == phone, Call.recording_notice.is_not(None))
        .order_by(Call.started_at.desc()).limit(1)
    )
    if call is None or call.recording_notice not in _OF_NOTICE:
        return None
    _at, _result, *text = (call.facts or {}).get("notice", (0, ""))
    evidence = " · ".join(filter(None, (call.id, call.recording)))
    return Standing(
        Purpose.RECORD, _OF_NOTICE[call.recording_notice], call.started_at,
        (text and text[0]) or NOTICE.partition(".")[0], "call", evidence,
    )


def agreed(session: Session, phone: str, purpose: Purpose) -> bool:
    """Whether somebody has agreed, and not ended it since. Silence is no consent."""
    return any(one.purpose is purpose and one.said == "given" for one in standing(session, phone))
