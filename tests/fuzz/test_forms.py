"""Every form of the console and every link that asks for something, as each role that sees it,
filled with what nobody would write: it is refused or taken, and never breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_console.app import create_app, feed_of
from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.models import Role
from scripts.bench import generate, pages
from scripts.bench.desks import History
from tests.accounts import hash_quickly
from tests.agent_console.conftest import ObedientPhones
from tests.fuzz.strategies import text

CALLS, EXAMPLES = 300, 4000
NOT_SENT = re.compile("/log(in|out)|.*/bench[.]")  # whoever is signed out sends nothing more


@dataclass
class Form:
    method: str  # post | get
    path: str
    fields: dict[str, list[str]] = field(default_factory=dict)  # name → values that it offers


class _Forms(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.found: list[Form] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form" and told.get("method") in ("post", "get"):
            self._open = Form(told["method"], told.get("action") or self.page.partition("?")[0])
            self.found.append(self._open)
        elif tag == "a" and "?" in told.get("href", ""):
            asked = urlsplit(urljoin(self.page, told["href"]))
            if not asked.netloc:
                names = {name: [value] for name, value in parse_qsl(asked.query)}
                self.found.append(Form("get", asked.path, names))
        elif self._open is None:
            return
        elif tag in ("input", "textarea", "select", "button") and told.get("name"):
            self._select = told["name"]
            values = self._open.fields.setdefault(told["name"], [])
            if tag != "select":
                values.append(told.get("value", ""))
        elif tag == "option":
            self._open.fields[self._select].append(told.get("value", ""))

    def found_in(self, text: str) -> list[Form]:
        self.feed(text)
        return self.found

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


@pytest.fixture
def clients(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[Role | None, FlaskClient], list[tuple[Role | None, Form]]]]:
    """People of each role, and the forms that they see."""
    hash_quickly(monkeypatch)
    generate.fill(database, History(CALLS, datetime.now(UTC), timedelta(days=3)), lambda _: None)
    made = configuration.load({
        "HOTLINE_HOME": str(tmp_path),
        "HOTLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
    })
    app = create_app(made, database, ObedientPhones(), secrets.ensure(tmp_path, []))
    app.config["WTF_CSRF_ENABLED"] = False
    app.config["RATELIMIT_ENABLED"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with database.transaction() as session:
        known, _ = pages.prepare(session)
    people: dict[Role | None, FlaskClient] = {role: pages._signed_in(app, role) for role in Role}
    people[None] = app.test_client()
    found: dict[tuple[Role | None, str], Form] = {}
    for page in pages.pages_of(app, known):
        answer = people[page.role].get(page.path)
        if answer.status_code != 200 or "html" not in answer.content_type:
            continue
        for form in _Forms(page.path).found_in(answer.get_data(as_text=True)):
            if not NOT_SENT.match(form.path):
                alike = form.path if form.method == "post" else re.sub(r"\d+", "1", form.path)
                names = " ".join(sorted(form.fields))
                found.setdefault((page.role, f"{form.method} {alike} {names}"), form)
    try:
        yield people, [(role, form) for (role, _), form in found.items()]
    finally:
        feed_of(app).close()


@pytest.mark.full
def test_no_form_breaks_whatever_is_written_into_it(
    clients: tuple[dict[Role | None, FlaskClient], list[tuple[Role | None, Form]]],
) -> None:
    people, forms = clients
    for method, most in (("post", 40), ("get", 12)):
        paths = {form.path for _, form in forms if form.method == method}
        assert len(paths) > most, "the forms are found"

    broken: dict[str, str] = {}

    @settings(max_examples=EXAMPLES, suppress_health_check=[
        HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        role, form = data.draw(st.sampled_from(forms))
        filled = {
            name: data.draw(text if not values else st.sampled_from(values) | text, label=name)
            for name, values in form.fields.items()
        }
        sent = {
            name: value.encode("utf-8", "replace").decode() for name, value in filled.items()
        }
        try:
            if form.method == "post":
                answer = people[role].post(form.path, data=sent)
            else:
                answer = people[role].get(form.path, query_string=sent)
            assert answer.status_code < 500, answer.status_code
        except Exception as error:  # all of them are told at the end
            broken.setdefault(f"{form.path}: {error!r:.200}", f"as {role}: {sent!r:.500}")

    holds()
    assert not broken, "\n".join(f"{what}\n    {how}" for what, how in broken.items())
