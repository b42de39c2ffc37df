"""Scripts: what an agent says when a call of a branch rings, or when something special happens.

A script is an article with a `scene`. Its body is made of steps with an empty line between them;
answers are lines that begin with -, and may lead to a step by its name, or end it (het):

    [hoi] Quý vị đang ở nơi an toàn không? Có hoặc không cũng được.
    - Có > tiep
    - Không > nguy

    [nguy] Tôi đang nối 113. Xin giữ máy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crm.branches import BRANCHES
from crm.errors import HotlineError

MOST_ANSWERS = 9  # each is chosen by a key
END = "het"
_NAME = re.compile(r"\[([a-z0-9_]{1,20})\]\s*(.*)")


@dataclass(frozen=True)
class Scene:
    """Where a script is read from: a branch, or something that happens in a call."""

    id: str
    vi: str
    en: str


SPECIAL = (
    Scene("silent", "Cuộc gọi im lặng", "Silent call"),
    Scene("child", "Người gọi là trẻ em", "A child calls"),
    Scene("suicide", "Có ý định tự tử", "Suicide"),
    Scene("violence", "Bạo lực, không nói được", "Violence, cannot speak freely"),
    Scene("abusive", "Người gọi xúc phạm", "Abusive caller"),
)
SCENES = (*SPECIAL, *(Scene(one.id, one.vi, one.en) for one in BRANCHES if one.queue))
_IDS = {one.id for one in SCENES}


class SceneError(HotlineError):
    """This text is no script; one sentence says why."""


@dataclass(frozen=True)
class Answer:
    """What the caller may answer; `to` is the place of the step that follows, None: the end."""

    text: str
    to: int | None


@dataclass(frozen=True)
class Step:
    """What the agent says or does, and the answers. Without answers the next step follows."""

    name: str
    lines: tuple[str, ...]
    answers: tuple[Answer, ...]


def is_scene(scene: str) -> bool:
    return scene in _IDS


def steps(body: str) -> list[Step]:
    """The steps of a script. Raises SceneError."""
    blocks = [
        [line.strip() for line in block.splitlines() if line.strip()]
        for block in re.split(r"\n\s*\n", body.strip()) if block.strip()
    ]
    named = [_named(block, number) for number, block in enumerate(blocks, start=1)]
    places = {name: place for place, (name, _) in enumerate(named)}
    if END in places:
        raise SceneError(f"{END} ends a script and names no step")
    if len(places) < len(named):
        raise SceneError("two steps have the same name")
    return [
        Step(
            name, tuple(line for line in lines if not line.startswith("- ")),
            tuple(_answers(lines, places, place)),
        )
        for place, (name, lines) in enumerate(named)
    ]


def _named(block: list[str], number: int) -> tuple[str, list[str]]:
    found = _NAME.fullmatch(block[0])
    name, lines = (found[1], [found[2], *block[1:]]) if found else (str(number), block)
    lines = [line for line in lines if line]
    if not lines or lines[0].startswith("- "):
        raise SceneError(f"step {name} says nothing")
    return name, lines


def _answers(lines: list[str], places: dict[str, int], place: int) -> Iterator[Answer]:
    written = [line[2:] for line in lines if line.startswith("- ")]
    if len(written) > MOST_ANSWERS:
        raise SceneError(f"a step has {MOST_ANSWERS} answers at most")
    for one in written:
        text, arrow, to = (part.strip() for part in one.partition(">"))
        if arrow and to != END and to not in places:
            raise SceneError(f"there is no step {to!r}")
        following = place + 1 if place + 1 < len(places) else None
        yield Answer(text, places.get(to) if arrow else following)
