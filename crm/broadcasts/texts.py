"""What a broadcast says, and what it may not say.

A text to everybody in an area may name testing or vaccination: two people have read it. Chosen
persons may be patients, and whoever sees the message on their telephone must not learn so: they get
one fixed sentence, in which nothing but the name of the commune's health station changes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from urllib.parse import urlsplit

from crm.areas import standing
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Audience
from crm.notices import sms
from crm.notices.models import Channel
from crm.settings import Settings

SIGNED = "1022 Thanh Hoa: "
OPT_OUT_SMS = " Tu choi: soan TUCHOI."
OPT_OUT_VOICE = " Không muốn nhận cuộc gọi thông báo, xin bấm phím 9."
CHOSEN_SMS = "Tram Y te {place} de nghi quy vi goi so 02371022."
CHOSEN_VOICE = "Trạm Y tế {place} đề nghị quý vị gọi số 0237 1022."
SHORTEST, LONGEST_SPOKEN = 15, 800  # letters
LETTERS_A_SECOND = 13  # as the embedded voice reads Vietnamese
_LINK = re.compile(r"https?://\S+|\bwww\.\S+|\b[\w-]+\.(?:com|vn|net|org|info|xyz|top|ly|me)\b\S*")
_STEERING = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_HOSTS = (".gov.vn",)


@dataclass(frozen=True)
class Cost:
    """What it takes to tell one person, and all of them. `coding`: gsm | ucs2, of an SMS;
    `segments`: parts, of an SMS; `seconds`: of a call; `dong`: None where no price is set."""

    coding: str
    units: int
    segments: int
    seconds: int
    total: int  # parts or minutes, of all recipients
    dong: int | None


def composed(
    settings: Settings, channel: Channel, audience: Audience, asked: str, areas: Sequence[str],
    day: date,
) -> str:
    """The text as everybody gets it. Raises BroadcastError."""
    if audience is Audience.CHOSEN:
        return _chosen(settings, channel, asked, areas, day)
    text = " ".join(unicodedata.normalize("NFC", asked).split())
    if _STEERING.search(text) or len(text) < SHORTEST:
        raise BroadcastError("text", f"a text has {SHORTEST} letters at least, and no signs that "
                                     "nobody sees")
    for link in _LINK.findall(text):
        host = urlsplit(link if "//" in link else f"//{link}").hostname or ""
        own = urlsplit(settings.public_url or "").hostname
        if not (host.rstrip(".,;").endswith(_HOSTS) or host == own):
            raise BroadcastError("link", f"{host} is no address of an authority (.gov.vn)")
    return _finished(settings, channel, text)


def cost(settings: Settings, channel: Channel, text: str, recipients: int) -> Cost:
    """What it costs to send a text as `composed` to so many."""
    if channel is Channel.VOICE:
        seconds = ceil(len(text) / LETTERS_A_SECOND) + 5
        minutes = ceil(seconds / 60) * recipients
        dong = None if settings.voice_price is None else settings.voice_price * minutes
        return Cost("", len(text), 0, seconds, minutes, dong)
    size = sms.size(text)
    total = size.segments * recipients
    dong = None if settings.sms_price is None else settings.sms_price * total
    return Cost(size.coding, size.units, size.segments, 0, total, dong)


def _chosen(
    settings: Settings, channel: Channel, asked: str, areas: Sequence[str], day: date
) -> str:
    units = standing(day)
    if asked.strip():
        raise BroadcastError("chosen_text", "chosen persons are never told why: they get the fixed "
                                            "sentence and no other text")
    if len(areas) != 1 or areas[0] not in units:
        raise BroadcastError("chosen_area", "chosen persons are asked to call by the health "
                                            "station of one commune: name that one")
    place = units[areas[0]].name
    fixed = CHOSEN_VOICE if channel is Channel.VOICE else CHOSEN_SMS
    return _finished(settings, channel, fixed.format(place=place))


def _finished(settings: Settings, channel: Channel, text: str) -> str:
    if channel is Channel.VOICE:
        whole = text + OPT_OUT_VOICE
        if len(whole) > LONGEST_SPOKEN:
            raise BroadcastError("long", f"a spoken text has {LONGEST_SPOKEN} letters at most")
        return whole
    if channel is not Channel.SMS:
        raise BroadcastError("channel", "a broadcast is sent by sms or voice")
    whole = SIGNED + text.removeprefix(SIGNED) + OPT_OUT_SMS
    if settings.sms_accents == "strip":
        whole = sms.plain(whole)
    needed = sms.size(whole).segments
    if needed > settings.sms_segments:
        raise BroadcastError("long", f"the text takes {needed} parts, SMS may have "
                                     f"{settings.sms_segments}")
    return whole
