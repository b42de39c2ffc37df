"""The pages of knowledge: articles with their versions, and what the agent's desk looks up."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound

from agent_console import words
from agent_console.asked import whole
from agent_console.door import Answer, console, needs, person, utc_now
from crm.cases.categories import CATEGORIES
from crm.clock import vietnam_day
from crm.knowledge import articles, points, scripts
from crm.knowledge.articles import ArticleError, StaleArticleError
from crm.knowledge.models import Article, State
from crm.knowledge.scenes import SceneError
from crm.models import User
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("knowledge", __name__, url_prefix="/knowledge")

LISTED = 200
AT_DESK = 5  # of each, on the agent's desk


@blueprint.get("")
@needs(Right.KNOWLEDGE_READ)
def listing() -> Answer:
    """Articles that fit the words (`q`) or are of a category; all, for whoever edits them."""
    asked, category = request.args.get("q", "").strip(), request.args.get("category") or None
    with console().database.reading() as session:
        if asked:
            found = articles.find(session, asked, published=not _edits(), limit=LISTED)
        else:
            found = articles.listing(
                session, category=category, published=not _edits(), limit=LISTED
            )
        overdue = articles.to_review(session, utc_now()) if _edits() else []
    return render_template(
        "knowledge.html", articles=found, overdue=overdue, asked=asked, category=category,
        categories=CATEGORIES, listed=LISTED, today=vietnam_day(utc_now()), edits=_edits(),
    )


@blueprint.get("/search")
@needs(Right.KNOWLEDGE_READ)
def search() -> Answer:
    """The first articles and contact points that fit the words `q`, for the agent's desk."""
    asked, now = request.args.get("q", ""), utc_now()
    with console().database.reading() as session:
        return {
            "articles": [{
                "title": one.title, "page": url_for(".page", code=one.code),
                "category": words.category(one.category),
                "blocks": articles.paragraphs(one.body),
            } for one in articles.find(session, asked, limit=AT_DESK) if not one.scene],
            "points": [{
                "code": one.code, "name": one.name, "kind": words.point_kinds()[one.kind],
                "address": f"{one.address}, {points.commune(one, now)}", "hours": one.hours,
                "phones": one.phones, "open": points.open_now(one, now), "note": one.note,
            } for one in points.find(session, asked, now, limit=AT_DESK)],
        }, 200


@blueprint.get("/new")
@needs(Right.KNOWLEDGE_WRITE)
def new() -> Answer:
    with console().database.reading() as session:
        return _form(session, None, {"owner": person().login, "state": State.DRAFT.value})


@blueprint.post("")
@needs(Right.KNOWLEDGE_WRITE)
def create() -> Answer:
    return _save(None)


@blueprint.get("/<code>")
@needs(Right.KNOWLEDGE_READ)
def page(code: str) -> Answer:
    with console().database.reading() as session:
        article = _article(session, code)
    return render_template(
        "article.html", article=article, blocks=articles.paragraphs(article.body), edits=_edits(),
        overdue=article.review_on < vietnam_day(utc_now()), approved=scripts.is_approved(article),
    )


@blueprint.post("/<code>/approval")
@needs(Right.KNOWLEDGE_WRITE)
def approve(code: str) -> Answer:
    """The department that answers for a script has approved the version that was `seen`."""
    department, now = request.form.get("department", ""), utc_now()
    try:
        with console().database.transaction() as session:
            article = _article(session, code)
            if not article.scene or request.form.get("seen", type=whole) != article.version:
                raise Conflict(_("It has changed meanwhile: please read it again."))
            scripts.approve(session, article, department, now)
            version = article.version
    except SceneError as error:
        raise Conflict(_("Say which department approved it, and by which letter.")) from error
    audit.warning("%s: version %s of script %s approved by %s", person().login, version, code,
                  " ".join(department.split()))
    flash(_("Saved."))
    return redirect(url_for(".page", code=code))


@blueprint.get("/<code>/edit")
@needs(Right.KNOWLEDGE_WRITE)
def edit(code: str) -> Answer:
    with console().database.reading() as session:
        article = _article(session, code)
        return _form(session, article, articles.as_row(article))


@blueprint.post("/<code>")
@needs(Right.KNOWLEDGE_WRITE)
def change(code: str) -> Answer:
    return _save(code)


@blueprint.get("/<code>/versions")
@needs(Right.KNOWLEDGE_HISTORY)
def versions(code: str) -> Answer:
    """All versions, each with what it changed."""
    with console().database.reading() as session:
        article = _article(session, code)
        found = articles.versions(session, article)
    changes = [
        (one, earlier, articles.differences(earlier, one))
        for one, earlier in zip(found, [*found[1:], None], strict=True)
    ]
    return render_template("article_versions.html", article=article, changes=changes)


def _save(code: str | None) -> Answer:
    given = {name: request.form.get(name, "") for name in articles.COLUMNS}
    try:
        with console().database.transaction() as session:
            article = _article(session, code) if code else None
            given["code"] = article.code if article else ""
            saved = articles.save(
                session, articles.parse(session, given), by=person().login, now=utc_now(),
                article=article, seen=request.form.get("seen", 0, type=whole) if article else None,
            )
            at = saved.code
    except ArticleError as error:
        with console().database.reading() as session:
            return _form(session, _article(session, code) if code else None, given, error)
    flash(_("Saved."))
    return redirect(url_for(".page", code=at))


def _form(
    session: Session, article: Article | None, given: Mapping[str, Any],
    error: ArticleError | None = None,
) -> Answer:
    stale = error if isinstance(error, StaleArticleError) else None
    accounts = select(User).where(User.active.is_(True)).order_by(User.name)
    return render_template(
        "article_form.html", article=article, given=given, categories=CATEGORIES, stale=stale,
        problems=[words.article_problem(column) for column, _sentence in error.faults]
        if error and not stale else [],
        people=list(session.scalars(accounts)), longest=articles.LONGEST_BODY,
    ), 409 if stale else 400 if error else 200


def _article(session: Session, code: str) -> Article:
    """An article that this person may read."""
    found = articles.by_code(session, code)
    if found is None or not (_edits() or found.state == State.PUBLISHED):
        raise NotFound()
    return found


def _edits() -> bool:
    return person().may(Right.KNOWLEDGE_HISTORY)
