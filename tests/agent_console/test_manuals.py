"""The manuals within the console."""

from __future__ import annotations

import re

from flask import Flask

from agent_console import manuals
from tests.agent_console.conftest import Browser


def test_the_head_of_every_page_leads_people_to_the_manual_of_their_role(
    agent: Browser, admin: Browser
) -> None:
    for person, home, name in (
        (agent, "/agent", "dien-thoai-vien"), (admin, "/users", "quan-tri"),
    ):
        page = person.client.get(home).get_data(as_text=True)
        assert re.search(r'<a [^>]*href="/manual"[^>]*>\?</a>', page)
        assert person.client.get("/manual").location == f"/manual/{name}"
        read = person.client.get(f"/manual/{name}").get_data(as_text=True)
        assert manuals.read(manuals.BY_NAME[name]).title in read


def test_a_manual_comes_with_its_chapters_pictures_and_the_way_to_the_others(
    agent: Browser
) -> None:
    page = agent.client.get("/manual/dien-thoai-vien").get_data(as_text=True)
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert "nhan-cuoc-goi" in anchors
    assert all(f'id="{anchor}"' in page for anchor in anchors)
    pictures = re.findall(r'src="(pictures/[^"]+)"', page)
    assert len(pictures) > 5
    for picture in pictures:
        answer = agent.client.get(f"/manual/{picture}")
        assert (answer.status_code, answer.mimetype) == (200, "image/png"), picture
    assert 'href="/manual/engineer"' in page
    assert agent.client.get("/manual/engineer").status_code == 200


def test_what_is_no_manual_is_not_found(agent: Browser) -> None:
    for path in ("/manual/nothing", "/manual/pictures/nothing.png",
                 "/manual/pictures/..%2Fdien-thoai-vien.md"):
        assert agent.client.get(path).status_code == 404


def test_strangers_read_no_manual(app: Flask, people: None) -> None:
    for path in ("/manual", "/manual/engineer", "/manual/pictures/phim-tat.png"):
        assert app.test_client().get(path).location.startswith("/login")
