"""The manuals: Markdown below docs/manuals, as pages of the console and as pages of their own.

Each role is led to its own; whoever is signed in may read every one.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, redirect, render_template, send_from_directory, url_for
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from agent_console.door import Answer, needs, person
from crm import vietnamese
from crm.models import Role
from crm.rights import Right
from crm.settings import PROJECT

FOLDER = PROJECT / "docs" / "manuals"
PICTURES = "pictures"

blueprint = Blueprint("manuals", __name__, url_prefix="/manual")


@dataclass(frozen=True)
class Manual:
    """One manual; `roles` are those it is for."""

    name: str
    language: str
    roles: tuple[Role, ...] = ()

    @property
    def file(self) -> Path:
        return FOLDER / self.language / f"{self.name}.md"


MANUALS = (
    Manual("dien-thoai-vien", "vi", (Role.AGENT,)),
    Manual("truong-ca", "vi", (Role.LEAD, Role.SUPERVISOR)),
    Manual("dieu-phoi-vien", "vi", (Role.DISPATCHER,)),
    Manual("co-quan-xu-ly", "vi", (Role.OFFICER, Role.LEADER)),
    Manual("y-te", "vi", (Role.HEALTH, Role.EXPERT)),
    Manual("quan-tri", "vi", (Role.ADMIN,)),
    Manual("kiem-toan", "vi", (Role.AUDITOR,)),
    Manual("engineer", "en"),
)
BY_NAME = {manual.name: manual for manual in MANUALS}
BY_ROLE = {role: manual for manual in MANUALS for role in manual.roles}


@dataclass(frozen=True)
class Text:
    """A manual that has been read: its title, its chapters (anchor, heading), its body as HTML."""

    title: str
    chapters: tuple[tuple[str, str], ...]
    body: Markup


def parse(manual: Manual) -> list[Token]:
    """The manual's tokens; each heading has an anchor that its words make."""
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(
        manual.file.read_text(encoding="utf-8")
    )
    for opened, inline in itertools.pairwise(tokens):
        if opened.type == "heading_open":
            words = re.findall(r"[a-z0-9]+", vietnamese.folded(inline.content))
            opened.attrSet("id", "-".join(words))
    return tokens


@functools.cache
def read(manual: Manual) -> Text:
    """The manual as HTML; its pictures lie beside it."""
    tokens = parse(manual)
    headings = [
        (opened.tag, str(opened.attrGet("id")), inline.content)
        for opened, inline in itertools.pairwise(tokens) if opened.type == "heading_open"
    ]
    body = MarkdownIt("commonmark").renderer.render(tokens, MarkdownIt("commonmark").options, {})
    return Text(
        title=next(text for tag, _, text in headings if tag == "h1"),
        chapters=tuple((anchor, text) for tag, anchor, text in headings if tag == "h2"),
        body=Markup(body),  # noqa: S704  our own files, and HTML in them is shown as text
    )


@blueprint.get("")
@needs(Right.OWN)
def own() -> Answer:
    """The manual of whoever asks."""
    return redirect(url_for(".page", name=BY_ROLE[person().role].name))


@blueprint.get("/<name>")
@needs(Right.OWN)
def page(name: str) -> Answer:
    if (manual := BY_NAME.get(name)) is None:
        raise NotFound
    others = [(each, read(each).title) for each in MANUALS]
    return render_template("manual.html", manual=manual, text=read(manual), others=others)


@blueprint.get(f"/{PICTURES}/<name>")
@needs(Right.OWN)
def picture(name: str) -> Answer:
    return send_from_directory(FOLDER / "vi" / PICTURES, name, max_age=3600)
