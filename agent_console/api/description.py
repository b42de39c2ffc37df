"""The OpenAPI 3.1 document, made from the operations and their shapes, and a page to read it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, jsonify, render_template
from pydantic.json_schema import models_json_schema

from agent_console.api import views
from agent_console.api.operations import KEY, OPERATIONS, Operation
from agent_console.api.shapes import ProblemTold
from agent_console.door import Answer, public
from crm.api.tokens import Scope

blueprint = Blueprint("api_description", __name__, url_prefix="/api/v1")

VERSION = "1.0"
_REF = "#/components/schemas/{model}"
_PARTS = {"code": "^[0-9]{8}$", "call_id": "^[A-Za-z0-9][A-Za-z0-9.-]{0,79}$"}
_PROBLEMS = {
    "400": "The request is malformed", "404": "There is none such",
    "405": "This address does not do that", "413": "Too long", "422": "Not as described",
    "429": "Too many requests; Retry-After says when", "500": "A fault of the server",
    "503": "The database does not answer",
}
_OF_TOKENS = {"401": "No token, or none that is good", "403": "The token lacks the scope"}
_OF_BODIES = {"409": "It does not fit how things stand now", "415": "Not application/json"}


@blueprint.get("/openapi.json")
@public
def openapi() -> Answer:
    return jsonify(document())


@blueprint.get("/docs")
@public
def docs() -> Answer:
    return render_template("api.html", operations=OPERATIONS, scopes=Scope, version=VERSION)


@functools.cache
def document() -> dict[str, Any]:
    """The description of all operations of `views`."""
    shapes = {
        one for operation in OPERATIONS
        for one in (operation.query, operation.body, operation.answer) if one
    } | {ProblemTold}
    ordered = sorted(shapes, key=lambda one: one.__name__)
    _, defined = models_json_schema(
        [(one, "validation") for one in ordered], ref_template=_REF
    )
    schemas = defined["$defs"]
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _described(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hotline 1022 Thanh Hóa", "version": VERSION,
            "description": views.__doc__, "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(one: Operation, schemas: Mapping[str, Any]) -> dict[str, Any]:
    problems = _PROBLEMS | (_OF_TOKENS if one.scope else {}) | (_OF_BODIES if one.body else {})
    told: dict[str, Any] = {
        "operationId": one.name, "summary": one.summary,
        "security": [{"token": []}] if one.scope else [],
        "parameters": [*_path(one), *_query(one, schemas), *_key(one)],
        "responses": {
            str(one.status): {
                "description": one.summary,
                "content": {"application/json": {"schema": _ref(one.answer)}},
            },
            **{
                code: {
                    "description": why,
                    "content": {"application/problem+json": {"schema": _ref(ProblemTold)}},
                } for code, why in sorted(problems.items())
            },
        },
    }
    if one.scope:
        told["description"] = f"Needs a token with the scope `{one.scope}`."
    if one.body:
        told["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": _ref(one.body)}},
        }
    return told


def _ref(model: type) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _path(one: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True,
         "schema": {"type": "string", "pattern": _PARTS[name]}}
        for name in re.findall(r"{(\w+)}", one.path)
    ]


def _query(one: Operation, schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    shape = schemas[one.query.__name__]
    told = []
    for name, schema in shape["properties"].items():
        # what may be left out is not sent as null in a query
        some = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
        kept = {key: value for key, value in schema.items()
                if key not in ("anyOf", "default", "title")}
        told.append({
            "name": name, "in": "query", "required": name in shape.get("required", []),
            "schema": kept | (some[0] if some else {}),
        })
    return told


def _key(one: Operation) -> list[dict[str, Any]]:
    if not one.repeats:
        return []
    return [{
        "name": "Idempotency-Key", "in": "header", "required": True,
        "description": "Of your making, for two days: the same request with the same key is done "
                       "once, and answered as the first time",
        "schema": {"type": "string", "pattern": f"^{KEY}$"},
    }]
