"""Every page that anybody may see, in a real browser, in both languages: no fault of accessibility
that a program can tell, and nothing beyond the edge of a narrow screen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Error, Page
from werkzeug.serving import make_server

from agent_console.app import create_app, feed_of
from crm.models import Role
from scripts.bench import generate, pages
from scripts.bench.desks import History
from tests.accounts import hash_quickly
from tests.agent_console.conftest import SECRETS, ObedientPhones
from tests.agent_console.test_browser import PATIENCE_MS, WCAG, chromium  # noqa: F401
from tests.databases import Databases

WIDE = 1280
NARROW = {WIDE // 2: "200 %", 390: "a telephone"}  # WCAG 1.4.4, 1.4.10
LANGUAGES = ("vi", "en")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


def signed_in(chromium: Chromium, address: str, role: Role | None, language: str) -> Page:  # noqa: F811
    context = chromium.new_context(base_url=address, viewport={"width": WIDE, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/login")
    if role:
        page.fill("[name=login]", f"bench.{role}")
        page.fill("[name=password]", pages.PASSWORD)
        page.click("button.primary")
        page.wait_for_url(lambda url: "/login" not in url)
    if page.evaluate("document.documentElement.lang") != language:
        page.locator("form[action*=language] button").first.click()
        page.wait_for_function(f"document.documentElement.lang === '{language}'")
    return page


def faults_of(page: Page, path: str) -> Iterator[str]:
    try:
        answer = page.goto(path)
    except Error as error:
        if "Download is starting" not in str(error):
            raise
        return  # a file
    if answer is None or "text/html" not in answer.headers.get("content-type", ""):
        return
    if answer.status >= 500:
        yield f"{path}: {answer.status}"
    if page.locator("html[lang]").count() == 0:
        return  # a part that a page fetches
    page.wait_for_timeout(150)  # the feed fills it
    for fault in Axe().run(page, options=WCAG).response["violations"]:
        for node in fault["nodes"]:
            yield f"{path}: {fault['id']} {node['target']}"
    for width, what in NARROW.items():
        page.set_viewport_size({"width": width, "height": 900})
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if beyond > 0:
            yield f"{path}: {beyond} px beyond the edge at {what}"
    page.set_viewport_size({"width": WIDE, "height": 900})


@pytest.mark.full
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_shuts_anybody_out_nor_is_cut_off_on_a_narrow_screen(
    chromium: Chromium, databases: Databases, tmp_path: Path, language: str  # noqa: F811
) -> None:
    database = generate.opened(f"sqlite:///{tmp_path / 'a.db'}", 120)
    generate.fill(database, History(600, datetime.now(UTC), timedelta(days=3)), lambda _: None)
    app = create_app(pages.settings_of(database, tmp_path), database, ObedientPhones(), SECRETS)
    with database.transaction() as session:
        known, _ = pages.prepare(session)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    feed_of(app).start()
    opened: dict[Role | None, Page] = {}
    seen: set[str] = set()
    found: list[str] = []
    try:
        for one in pages.pages_of(app, known):
            if one.path in seen or one.path.startswith(("/api/", "/open311")):
                continue
            seen.add(one.path)
            if one.role not in opened:
                opened[one.role] = signed_in(
                    chromium, f"http://127.0.0.1:{server.port}", one.role, language
                )
            found += faults_of(opened[one.role], one.path)
    finally:
        for page in opened.values():
            page.context.close()
        feed_of(app).close()
        server.shutdown()
        serving.join()
    assert len(seen) > 100
    assert not found, "\n".join(found)
