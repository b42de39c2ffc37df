"""Articles: versions, stale changes, review, what agents find."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm.database import Database
from crm.knowledge import articles
from crm.knowledge.articles import ArticleError, StaleArticleError
from tests.crm.cases.factory import NOW
from tests.crm.knowledge.factory import ARTICLE, article, owner


def test_dau_hong_finds_the_published_article_about_a_sore_throat(database: Database) -> None:
    with database.transaction() as session:
        owner(session)
        throat = article(session)
        article(session, title="Đau họng kéo dài", state="draft")
        assert throat.code == "khi-bi-dau-hong"
        assert articles.find(session, "dau hong") == [throat]
        assert len(articles.find(session, "dau hong", published=False)) == 2
        assert articles.listing(session) == articles.listing(session, category="care") == [throat]


def test_every_version_is_kept_and_the_same_again_is_none(database: Database) -> None:
    with database.transaction() as session:
        owner(session)
        throat = article(session)
        assert article(session, code=throat.code).version == 1
        article(session, code=throat.code, body="Uống nước ấm.\n\n- Nghỉ ngơi")
        newer, first = articles.versions(session, throat)
        assert (newer.number, first.number, throat.version) == (2, 1, 2)
        assert first.body == ARTICLE["body"]
        assert [line for line in articles.differences(first, newer) if line[0] != " "] == [
            ("-", "- Đeo khẩu trang")
        ]
        assert articles.find(session, "khau trang") == []


def test_a_change_of_what_somebody_else_has_changed_is_refused_and_says_what(
    database: Database,
) -> None:
    with database.transaction() as session:
        owner(session)
        throat = article(session)
        article(session, code=throat.code, title="Đau họng")
        mine = articles.parse(session, ARTICLE | {"body": "Khác"})
        with pytest.raises(StaleArticleError) as error:
            articles.save(session, mine, by="lan", now=NOW, article=throat, seen=1)
        assert error.value.changed == ("title",)
        articles.save(session, mine, by="lan", now=NOW, article=throat, seen=2)
        assert throat.version == 3


def test_an_article_is_to_be_reviewed_after_its_day(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        owner(session)
        due = article(session, review_on="2026-03-10")
        article(session, title="Nháp", review_on="2026-01-01", state="draft")
        assert articles.to_review(session, NOW) == []
        assert articles.to_review(session, NOW + timedelta(days=1)) == [due]


def test_all_faults_of_an_article_are_told_at_once(sqlite: Database) -> None:
    wrong = {
        "code": "Đau", "category": "x", "title": " ", "body": "", "owner": "nobody",
        "review_on": "2026-13-01", "state": "new",
    }
    with sqlite.transaction() as session, pytest.raises(ArticleError) as error:
        articles.parse(session, wrong)
    assert [column for column, _ in error.value.faults] == list(wrong)


def test_a_body_is_paragraphs_and_lists() -> None:
    body = "Một\nhai\n\nba\n- bốn\n• năm\nsáu\n\n\n- bảy"
    assert articles.paragraphs(body) == [
        ("text", ["Một", "hai"]), ("text", ["ba"]), ("list", ["bốn", "năm"]), ("text", ["sáu"]),
        ("list", ["bảy"]),
    ]
