"""The console on a fresh database, with a telephony that obeys and remembers what it was told."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

from agent_console import catalogues
from agent_console.app import create_app, feed_of
from crm import settings as settings_room
from crm import users
from crm.database import Database
from crm.models import Role, Seat
from crm.secrets import Secrets
from crm.settings import Settings
from ivr.commands import Outcome, RecordingAct, Result
from tests.accounts import PASSWORD, hash_quickly

SECRETS = Secrets(ami_events="e", ami_command="c", console_key="k" * 32,
                  privacy_key="p" * 32, journal_key="j" * 32, phones={})


class ObedientPhones:
    """Stands in for `ivr.commands.Commands`; answers `outcome` to everything."""

    def __init__(self) -> None:
        self.outcome = Outcome.DONE
        self.told: list[tuple[object, ...]] = []

    def _tell(self, *words: object) -> Result:
        self.told.append(words)
        return Result(self.outcome)

    def sign_in(
        self, interface: str, login: str, skills: Mapping[str, int], *, paused: bool
    ) -> Result:
        return self._tell("sign_in", interface, login, tuple(skills), paused)

    def sign_out(self, interface: str) -> Result:
        return self._tell("sign_out", interface)

    def pause(self, interface: str, reason: str | None) -> Result:
        return self._tell("pause", interface, reason)

    def end_wrapup(self, interface: str, login: str, skills: Mapping[str, int]) -> Result:
        return self._tell("end_wrapup", interface, login, tuple(skills))

    def set_skills(self, interface: str, login: str, skills: Mapping[str, int]) -> Result:
        return self._tell("set_skills", interface, login, dict(skills))

    def set_switch(self, name: str, value: str) -> Result:
        return self._tell("set_switch", name, value)

    def set_switches(self, switches: Mapping[str, str]) -> Result:
        return self._tell("set_switches", dict(switches))

    def consult(self, call: str, interface: str, target: str, login: str = "") -> Result:
        return self._tell("consult", call, interface, target, login)

    def invite(self, call: str, interface: str, target: str, login: str = "") -> Result:
        return self._tell("invite", call, interface, target, login)

    def bring_together(self, call: str, interface: str) -> Result:
        return self._tell("bring_together", call, interface)

    def take_back(self, call: str, interface: str) -> Result:
        return self._tell("take_back", call, interface)

    def hand_over(self, call: str, interface: str) -> Result:
        return self._tell("hand_over", call, interface)

    def transfer(
        self, call: str, interface: str, kind: str, target: str, login: str = ""
    ) -> Result:
        return self._tell("transfer", call, interface, kind, target, login)

    def listen(
        self, call: str, agent: str, own: str, how: str, by: str, *, recorded: bool
    ) -> Result:
        return self._tell("listen", call, agent, own, how, by, recorded)

    def take_over(self, call: str, agent: str, own: str, by: str, *, recorded: bool) -> Result:
        return self._tell("take_over", call, agent, own, by, recorded)

    def move(self, call: str, branch: str) -> Result:
        return self._tell("move", call, branch)

    def record(
        self, call: str, interface: str, act: RecordingAct, why: str, by: str
    ) -> Result:
        return self._tell("record", call, interface, act, why, by)

    def ring_out(self, interface: str, number: str, call: str = "") -> Result:
        return self._tell("ring_out", interface, number, call)


class Browser:
    """A person at the console, as the test client sees it: forms and scripts, with their tokens."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def token(self) -> str:
        page = self.client.get("/login").get_data(as_text=True)
        found = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert found
        return found[1]

    def submit(self, path: str, **form: object):  # type: ignore[no-untyped-def]
        return self.client.post(path, data={"csrf_token": self.token(), **form})

    def ask(self, method: str, path: str, body: object = None):  # type: ignore[no-untyped-def]
        return self.client.open(path, method=method, json=body, headers={
            "X-CSRFToken": self.token(), "Accept": "application/json",
        })

    def sign_in(self, login: str, password: str = PASSWORD):  # type: ignore[no-untyped-def]
        return self.submit("/login", login=login, password=password)


@pytest.fixture(scope="session", autouse=True)
def _catalogues() -> None:
    catalogues.compile_catalogues()


class Compiled(BytecodeCache):
    """What pages were compiled to."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (known := self._pages.get((bucket.key, bucket.checksum))) is not None:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._pages[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Each test has a console of its own; its pages and addresses, a third of the work, are
    compiled for the first one alone."""
    compile_builder, builders = Rule._compile_builder, {}

    def builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in builders:
            builders[key] = compile_builder(rule, append_unknown)
        return builders[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Rule, "_compile_builder", builder)
        patched.setattr(Flask, "jinja_options", {"bytecode_cache": Compiled()})
        yield


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({"HOTLINE_HOME": str(tmp_path)})


@pytest.fixture
def phones() -> ObedientPhones:
    return ObedientPhones()


@pytest.fixture
def app(settings: Settings, sqlite: Database, phones: ObedientPhones) -> Iterator[Flask]:
    made = create_app(settings, sqlite, phones, SECRETS)
    yield made
    feed_of(made).close()


@pytest.fixture
def people(sqlite: Database) -> None:
    """lan and minh (agents), huy (supervisor), quan (administrator), and some phones."""
    add_people(sqlite)


def add_people(database: Database) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        for login, role in (
            ("lan", Role.AGENT), ("minh", Role.AGENT),
            ("huy", Role.SUPERVISOR), ("quan", Role.ADMIN), ("yte", Role.HEALTH),
        ):
            users.create_user(
                session, login=login, name=login.title(), role=role, password=PASSWORD, now=now,
                queues=("vaccine", "operator") if role is Role.AGENT else (),
            )
        for name in ("seat-001", "seat-002", "desk-01"):
            kind = "desk" if name.startswith("desk") else "webrtc"
            session.add(Seat(name=name, node="th1", kind=kind, secret=f"secret of {name}"))


@pytest.fixture
def browser(app: Flask, people: None) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def agent(browser: Browser) -> Browser:
    browser.sign_in("lan")
    return browser


@pytest.fixture
def supervisor(app: Flask, people: None) -> Browser:
    browser = Browser(app.test_client())
    browser.sign_in("huy")
    return browser


@pytest.fixture
def admin(app: Flask, people: None) -> Browser:
    browser = Browser(app.test_client())
    browser.sign_in("quan")
    return browser


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What the audit log is told."""
    told: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    log, listener = logging.getLogger("hotline.audit"), Listener()
    log.addHandler(listener)
    with caplog.at_level(logging.INFO, "hotline.audit"):
        yield told
    log.removeHandler(listener)
