"""Scripts: steps and answers, the ones that come with the hotline, approval of a version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from crm import users
from crm.database import Database
from crm.knowledge import articles, scenes, scripts
from crm.knowledge.articles import ArticleError
from crm.knowledge.scenes import SCENES, SceneError
from crm.models import Role, User

NOW = datetime(2026, 5, 4, 5, tzinfo=UTC)
BODY = """[hoi] Có ai bị thương không?
- Có > y_te
- Không
- Nhầm số > het

Ghi nơi ở.

[y_te] Nối 115.
Giữ máy.
"""


def taken_in(database: Database) -> int:
    with database.transaction() as session:
        if session.scalar(select(User.id)) is None:
            users.create_user(
                session, login="huy", name="Huy", role=Role.SUPERVISOR, password="x" * 12, now=NOW
            )
        return scripts.take_in(session, "huy", NOW)


def test_answers_lead_to_steps_or_on_or_to_the_end() -> None:
    asked, place, help_ = scenes.steps(BODY)
    assert asked.lines == ("Có ai bị thương không?",)
    assert [(one.text, one.to) for one in asked.answers] == [
        ("Có", 2), ("Không", 1), ("Nhầm số", None),
    ]
    assert place.lines == ("Ghi nơi ở.",)
    assert help_.lines == ("Nối 115.", "Giữ máy.")
    assert help_.answers == ()


@pytest.mark.parametrize("body", [
    "Hỏi.\n- Có > nowhere", "[a] Một.\n\n[a] Hai.", "- Có", "[a]\n- Có", "[het] Hết.",
    "Hỏi.\n" + "\n".join(f"- {n}" for n in range(10)),
])
def test_what_leads_nowhere_is_no_script(body: str) -> None:
    with pytest.raises(SceneError):
        scenes.steps(body)


def test_every_scene_has_a_script_in_which_every_step_can_be_reached(database: Database) -> None:
    assert taken_in(database) == len(SCENES)
    assert taken_in(database) == 0  # what is there stays as it is
    with database.reading() as session:
        found = scripts.published(session)
        assert set(found) == {one.id for one in SCENES}
        for scene, article in found.items():
            assert not scripts.is_approved(article)
            steps = scenes.steps(article.body)
            reached, wave = set(), {0}
            while wave:
                reached |= wave
                wave = {
                    to for place in wave for to in (
                        [one.to for one in steps[place].answers] or [place + 1]
                    ) if to is not None and to < len(steps)
                } - reached
            assert reached == set(range(len(steps))), scene


def test_an_approval_is_for_one_version(database: Database) -> None:
    taken_in(database)
    with database.transaction() as session:
        article = scripts.published(session)["child"]
        with pytest.raises(SceneError):
            scripts.approve(session, article, " ", NOW)
        scripts.approve(session, article, "Sở Y tế, công văn 12/SYT", NOW)
        assert scripts.is_approved(article)
        row = articles.as_row(article) | {"body": article.body + "\n\nThêm một bước."}
        articles.save(session, articles.parse(session, row), by="huy", now=NOW)
        assert not scripts.is_approved(article)
        with pytest.raises(ArticleError) as refused:
            articles.parse(session, row | {"body": "Hỏi.\n- Có > nowhere"})
        assert [column for column, _ in refused.value.faults] == ["steps"]
        with pytest.raises(ArticleError):
            articles.parse(session, row | {"scene": "party"})
