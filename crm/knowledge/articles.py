"""Articles: what agents tell citizens, with an owner, a day of review, and every version kept."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm import search
from crm.cases.categories import CategoryError, category_named
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.knowledge import scenes
from crm.knowledge.codes import CODE, code_for
from crm.knowledge.models import Article, ArticleVersion, State
from crm.models import User

COLUMNS = ("code", "category", "title", "body", "owner", "review_on", "state", "scene")
CONTENT = COLUMNS[1:]
LONGEST_BODY = 20_000
_LONGEST_TITLE = 200


class ArticleError(HotlineError):
    """An article cannot be saved; each of `faults` is (column, sentence)."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(sentence for _, sentence in faults))
        self.faults = tuple(faults)


class StaleArticleError(ArticleError):
    """Somebody has changed the article meanwhile: `changed` names the columns."""

    def __init__(self, changed: Sequence[str]) -> None:
        super().__init__([("stale", f"the article has changed meanwhile: {', '.join(changed)}")])
        self.changed = tuple(changed)


@dataclass(frozen=True)
class Parsed:
    """The values of an article that has no fault."""

    code: str
    values: dict[str, Any]


def parse(session: Session, row: Mapping[str, str]) -> Parsed:
    """A row of texts with the columns COLUMNS as values. An empty code is made from the title.
    Raises ArticleError: all faults."""
    given = {name: row.get(name, "").strip() for name in COLUMNS}
    given["title"] = " ".join(given["title"].split())
    given["body"] = "\n".join(line.rstrip() for line in given["body"].splitlines()).strip()
    faults = list(_faults(session, given))
    if faults:
        raise ArticleError(faults)
    return Parsed(given["code"], {
        **{name: given[name] for name in CONTENT},
        "review_on": date.fromisoformat(given["review_on"]),
    })


def save(
    session: Session, parsed: Parsed, *, by: str, now: datetime, article: Article | None = None,
    seen: int | None = None,
) -> Article:
    """Add an article, or a version to the one with its code (or to this `article`). `seen` is the
    version that whoever changes it has read. What is the same makes no version. Raises
    ArticleError, StaleArticleError."""
    known = article or by_code(session, parsed.code)
    if known is not None and seen is not None and known.version != seen:
        raise StaleArticleError(_changed_since(session, known, seen))
    if known is not None and all(getattr(known, name) == parsed.values[name] for name in CONTENT):
        return known
    if known is None:
        code = parsed.code or code_for(
            parsed.values["title"], lambda one: by_code(session, one) is not None
        )
        known = Article(code=code, version=1, changed_at=now, changed_by=by, **parsed.values)
    else:
        for name, value in parsed.values.items():
            setattr(known, name, value)
        known.version += 1
        known.changed_at, known.changed_by = now, by
    try:
        with session.begin_nested():
            session.add(known)
            session.flush()
            session.add(ArticleVersion(
                article_id=known.id, number=known.version, at=now, by=by, **parsed.values
            ))
    except IntegrityError as error:  # two people at the same moment
        raise ArticleError([("code", f"{known.code} is being changed by somebody else")]) from error
    search.put(
        session, search.Kind.ARTICLE, known.id, known.title,
        f"{category_named(known.category).vi} {known.body}",
    )
    return known


def by_code(session: Session, code: str) -> Article | None:
    return session.scalar(select(Article).where(Article.code == code)) if code else None


def listing(
    session: Session, *, category: str | None = None, published: bool = True,
    limit: int | None = None,
) -> list[Article]:
    """Articles by title: the published ones, or all."""
    found = select(Article).order_by(Article.title, Article.id)
    if published:
        found = found.where(Article.state == State.PUBLISHED)
    if category is not None:
        found = found.where(Article.category == category)
    return list(session.scalars(found.limit(limit) if limit else found))


def find(session: Session, query: str, *, published: bool = True, limit: int = 20) -> list[Article]:
    """Articles by words of title, category and body, accents or not."""
    ids = search.find(session, search.Kind.ARTICLE, query, limit * 4)  # some may be drafts
    known = {one.id: one for one in session.scalars(select(Article).where(Article.id.in_(ids)))}
    found = [known[id_] for id_ in ids if id_ in known]
    return [one for one in found if not published or one.state == State.PUBLISHED][:limit]


def to_review(session: Session, now: datetime) -> list[Article]:
    """Published articles whose day of review is past, the longest ago first."""
    found = select(Article).where(
        Article.state == State.PUBLISHED, Article.review_on < vietnam_day(now)
    ).order_by(Article.review_on, Article.id)
    return list(session.scalars(found))


def versions(session: Session, article: Article) -> list[ArticleVersion]:
    """All versions, the newest first."""
    found = select(ArticleVersion).where(ArticleVersion.article_id == article.id)
    return list(session.scalars(found.order_by(ArticleVersion.number.desc())))


def differences(before: ArticleVersion | None, after: ArticleVersion) -> list[tuple[str, str]]:
    """Lines of title and body as (sign, line): "+" came, "-" went, " " stayed."""
    old = [before.title, *before.body.splitlines()] if before else []
    lines = difflib.ndiff(old, [after.title, *after.body.splitlines()])
    return [(line[0], line[2:]) for line in lines if line[0] in "+- "]


def paragraphs(body: str) -> list[tuple[str, list[str]]]:
    """A body as ("text", lines) and ("list", items): lines that begin with - or • are items, an
    empty line ends a paragraph."""
    blocks: list[tuple[str, list[str]]] = []
    ended = True
    for line in map(str.strip, body.splitlines()):
        kind = "list" if line.startswith(("- ", "• ")) else "text"
        if not line:
            ended = True
            continue
        if ended or blocks[-1][0] != kind:
            blocks.append((kind, []))
        blocks[-1][1].append(line[2:].strip() if kind == "list" else line)
        ended = False
    return blocks


def as_row(article: Article) -> dict[str, str]:
    """The columns COLUMNS as text: what `parse` takes."""
    return {name: str(getattr(article, name)) for name in COLUMNS}


def _changed_since(session: Session, article: Article, seen: int) -> list[str]:
    old = session.scalar(select(ArticleVersion).where(
        ArticleVersion.article_id == article.id, ArticleVersion.number == seen
    ))
    return [
        name for name in CONTENT if old is None or getattr(old, name) != getattr(article, name)
    ]


def _faults(session: Session, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if given["code"] and not CODE.fullmatch(given["code"]):
        yield "code", f"{given['code']!r} is no code: 2 to 60 of a-z, 0-9 and -"
    try:
        category_named(given["category"])
    except CategoryError as error:
        yield "category", str(error)
    if not 1 <= len(given["title"]) <= _LONGEST_TITLE or not given["title"].isprintable():
        yield "title", f"a title has 1 to {_LONGEST_TITLE} letters"
    if not 1 <= len(given["body"]) <= LONGEST_BODY or "\x00" in given["body"]:
        yield "body", f"an article has 1 to {LONGEST_BODY} letters"
    if session.scalar(select(User.id).where(User.login == given["owner"])) is None:
        yield "owner", f"there is no account {given['owner']!r}"
    try:
        date.fromisoformat(given["review_on"])
    except ValueError:
        yield "review_on", f"review_on {given['review_on']!r} is no day (2026-07-01)"
    if given["state"] not in set(State):
        yield "state", f"there is no state {given['state']!r}; there are {', '.join(State)}"
    if given["scene"] and not scenes.is_scene(given["scene"]):
        yield "scene", f"there is no scene {given['scene']!r} of a script"
    elif given["scene"]:
        try:
            scenes.steps(given["body"])
        except scenes.SceneError as error:
            yield "steps", str(error)
