"""The OpenAPI document holds: schemathesis asks every operation, rightly and wrongly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from agent_console.api.description import document
from agent_console.api.operations import OPERATIONS
from crm.api.tokens import Scope
from crm.cases import life
from crm.cases.models import Identity
from crm.database import Database
from tests.agent_console.factories import add_call
from tests.agent_console.programs import token
from tests.crm.cases.factory import opened, with_agencies

EXAMPLES = 30


@pytest.fixture
def seeded(sqlite: Database) -> Database:
    now = datetime.now(UTC)
    add_call(sqlite, outcome="answered", branch="vaccine")
    add_call(sqlite, path=[{"menu": "main", "key": "3", "at": "2026-03-10T03:00:00.000Z"}])
    with sqlite.transaction() as session:
        with_agencies(session)
        opened(session, now=now)
        life.classify(session, opened(session, now=now, identity=Identity.HIDDEN), "vaccine",
                       by="lan", now=now)
    return sqlite


def test_every_operation_is_described_with_its_scope_and_problems() -> None:
    described = [
        (method, path) for path, one in document()["paths"].items() for method in one
    ]
    assert sorted(described) == sorted((one.method.lower(), one.path) for one in OPERATIONS)


@pytest.mark.parametrize(("name", "mode"), [
    (one.name, mode) for one in OPERATIONS for mode in GenerationMode
    # nothing can be wrong where nothing is asked
    if mode is GenerationMode.POSITIVE or one.query or one.body or "{" in one.path
])
def test_the_document_holds(
    app: Flask, seeded: Database, name: str, mode: GenerationMode
) -> None:
    app.config["RATELIMIT_ENABLED"] = False
    app.extensions["limiter"].pop().enabled = False
    shown = f"Bearer {token(seeded, *Scope)}"
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operation = schema.find_operation_by_id(name)
    has_token = bool(operation.definition.raw["security"])

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers={"Authorization": shown} if has_token else None)

    holds()
