"""What of the daily report the operator may replace: its heading, titles, sections and sentences.

The shipped template is `data/daily_report.yaml`; one in HOTLINE_HOME/templates stands instead of
it. A template is text: `{day}` and the other names of PLACES are replaced, and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from crm.errors import HotlineError

NAME = "daily_report.yaml"
SHIPPED = Path(__file__).parent / "data" / NAME
PLACES = {
    "day": "the day of the report, 24/11/2026", "date_words": "ngày 24 tháng 11 năm 2026",
    "since": "from when calls are counted", "until": "until when", "year": "its year",
    "number": "number of the day in its year", "edition": "which edition: empty for the first",
    "source": "of the health department's figures", "entered": "when they were entered",
    "approved": "when they were approved", "approver": "by whom",
}
SECTIONS = ("health", "areas", "calls", "service", "agencies", "rising")
LARGEST = 64 * 1024


class TemplateError(HotlineError):
    """A template cannot be used; one sentence for each fault."""


def _known(text: str) -> str:
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in PLACES:
            raise ValueError(f"there is no {{{name}}}; there are {', '.join(PLACES)}")
    return text


Line = Annotated[str, Field(max_length=600), AfterValidator(_known)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SectionTexts(_Part):
    """`title` stands above the table, `note` between them, `empty` where there is nothing."""

    title: Line
    note: Line = ""
    empty: Line = ""


class Template(_Part):
    """A template as it was checked. `order` names the sections that are shown."""

    heading: tuple[Line, ...] = Field(min_length=1, max_length=4)
    number: Line
    dated: Line
    title: Line
    subtitle: Line
    to: tuple[Line, ...] = Field(max_length=12)
    order: tuple[str, ...] = Field(min_length=1)
    sections: Mapping[str, SectionTexts]
    closing: tuple[Line, ...] = Field(max_length=12)
    signers: tuple[Line, Line]
    foot: Line
    mail_subject: Line
    mail_text: Line


def load(home: Path) -> Template:
    """The operator's template if there is one, else the shipped one. Raises TemplateError."""
    own = home / "templates" / NAME
    return read(own if own.exists() else SHIPPED)


def read(file: Path) -> Template:
    """Raises TemplateError with all that is wrong."""
    try:
        if file.stat().st_size > LARGEST:
            raise TemplateError(f"{file}: larger than {LARGEST} bytes")
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise TemplateError(f"{file}: cannot be read: {why}") from error
    try:
        made = Template.model_validate(told)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, one['loc'])) or 'all'}: "
            f"{one['msg'].removeprefix('Value error, ')}" for one in error.errors()
        ]
        raise TemplateError(f"{file}: {'; '.join(faults)}") from error
    faults = [f"order: there is no section {name}; there are {', '.join(SECTIONS)}"
              for name in made.order if name not in SECTIONS]
    faults += [f"sections.{name}: missing, though order names it"
               for name in made.order if name in SECTIONS and name not in made.sections]
    faults += [f"sections.{name}: there is no such section"
               for name in made.sections if name not in SECTIONS]
    if len(set(made.order)) != len(made.order):
        faults.append("order: a section stands there twice")
    if faults:
        raise TemplateError(f"{file}: {'; '.join(faults)}")
    return made


def filled(line: str, places: Mapping[str, str]) -> str:
    """A line with its places replaced, once: what is put in is not looked at again."""
    return re.sub(r"\{([^{}]*)\}", lambda match: places.get(match[1], match[0]), line)
