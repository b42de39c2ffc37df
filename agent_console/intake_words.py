"""What people read of files, fields of cases and how cases came."""

from __future__ import annotations

from flask_babel import gettext as _  # type: ignore[import-untyped]

from crm.cases.attachments import AT_ONCE, LARGEST, MOST, Giver
from crm.intake.forms import FakeNews, Fields, Platform, Wrong
from crm.intake.hand import Channel

FILE_ENDINGS = ".jpg,.jpeg,.png,.webp,.pdf,.docx,.xlsx,.mp3,.wav,.m4a,.mp4"


def platforms() -> dict[str, str]:
    return {
        Platform.FACEBOOK.value: "Facebook", Platform.ZALO.value: "Zalo",
        Platform.TIKTOK.value: "TikTok", Platform.YOUTUBE.value: "YouTube",
        Platform.SITE.value: _("A website"), Platform.MESSAGE.value: _("SMS or another message"),
        Platform.OTHER.value: _("Elsewhere"),
    }


def wrongs() -> dict[str, str]:
    return {
        Wrong.MISSING.value: _("A dose is missing"), Wrong.DATE.value: _("The date of a dose"),
        Wrong.VACCINE.value: _("The vaccine or its lot"),
        Wrong.PERSON.value: _("Name, date of birth or identity papers"),
        Wrong.DOUBLE.value: _("A dose stands there twice"), Wrong.OTHER.value: _("Something else"),
    }


def details(fields: Fields | None) -> list[tuple[str, str]]:
    """The fields of a case that are filled in: what they are called, and what they say."""
    if isinstance(fields, FakeNews):
        found = [(_("Where it is spread"), platforms()[fields.platform]),
                 (_("Addresses where it stands"), "\n".join(fields.links))]
    elif fields is not None:
        day = fields.given_on
        found = [
            (_("What is wrong in the record"), wrongs()[fields.wrong]),
            (_("Dose"), str(fields.dose or "")), (_("Vaccine"), fields.vaccine),
            (_("Day of the dose"), f"{day:%d/%m/%Y}" if day else ""),
            (_("Where it was given"), fields.clinic), (_("Lot number"), fields.lot),
        ]
    else:
        return []
    return [(str(label), value) for label, value in found if value]


def givers() -> dict[str, str]:
    return {
        Giver.CITIZEN.value: _("Citizen"), Giver.DESK.value: _("Hotline"),
        Giver.OFFICER.value: _("Agency"),
    }


def by(name: str) -> str:
    """Who did something to a case: a name or login stands for itself."""
    return str({
        "citizen": _("Citizen"), "system": _("System"), "email": _("E-mail"), "zalo": "Zalo",
    }.get(name, name))


def channels() -> dict[str, str]:
    """How a case came, of those that are entered by hand."""
    return {
        Channel.HAND.value: _("Told to an agent"), Channel.COUNTER.value: _("At the counter"),
        Channel.LETTER.value: _("Letter"), Channel.VOICEMAIL.value: _("Voice message"),
        Channel.EMAIL.value: _("E-mail"), Channel.FACEBOOK.value: "Facebook",
        Channel.ZALO.value: "Zalo", Channel.PRESS.value: _("Newspaper, radio, television"),
        Channel.PORTAL.value: _("Another portal"),
    }


def came_by(channel: str) -> str:
    """How a case came, of all."""
    others = {
        "call": _("Telephone"), "web": _("Hotline's page"), "api": _("Another program"),
        "open311": "Open311",
    }
    return str((channels() | others).get(channel, channel))


def file_problem(code: str, name: str) -> str:
    """Why a file is not taken (the codes of crm.cases.attachments.AttachmentError)."""
    sentences: dict[str, str] = {
        "empty": _("%(name)s is empty.", name=name),
        "large": _("%(name)s is larger than %(size)s MB.", name=name, size=LARGEST // 1024 ** 2),
        "kind": _("%(name)s is not taken: only pictures (JPG, PNG, WEBP), PDF, DOCX, XLSX, MP3, "
                  "WAV, M4A and MP4.", name=name),
        "differs": _("%(name)s is not what its name says.", name=name),
        "broken": _("%(name)s is broken and cannot be read.", name=name),
        "bomb": _("%(name)s holds far more than its size says.", name=name),
        "macros": _("%(name)s holds programs or other files in it.", name=name),
        "many": _("At most %(num)s files at a time, and %(most)s in all.", num=AT_ONCE, most=MOST),
        "full": _("No files can be taken at the moment. Please send the text without them."),
        "gone": _("The content of %(name)s is not there any more.", name=name),
    }
    return sentences[code]


def field_problem(code: str) -> str:
    """What is wrong with a field that some cases have (crm.intake.forms.FieldError)."""
    sentences: dict[str, str] = {
        "links": _("Give the address where it stands (it begins with http, 5 at most), or add a "
                   "screenshot."),
        "platform": _("Choose where it is spread."),
        "wrong": _("Choose what is wrong in the record."),
        "dose": _("A dose is a number from 1 to 9."),
        "given_on": _("The day of the dose is no day, or in the future."),
    }
    return sentences[code]


def size(bytes_: int) -> str:
    return f"{bytes_ / 1024 ** 2:.1f} MB" if bytes_ >= 1024 ** 2 else f"{-(-bytes_ // 1024)} kB"


def satisfaction(score: int) -> str:
    """What the citizen says of the result."""
    return str({1: _("Satisfied"), 2: _("Fair"), 3: _("Not satisfied")}.get(score, ""))
