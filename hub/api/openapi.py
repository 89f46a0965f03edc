"""The description of this door (OpenAPI 3.1.1), read off the table of routes and its forms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from hub.api.door import Open, Route, Sends, Takes
from hub.api.examples import EXAMPLES
from hub.api.forms import Nothing
from hub.api.problems import MEDIA_TYPE, TITLES
from hub.api.views import Page
from hub.domain.permission import SCOPES

VERSION: Final = "1.0"
_NAME_MAX: Final = 1000  # as the door takes it
_REF: Final = "#/components/schemas/{model}"
_BINARY: Final[dict[str, Any]] = {"application/octet-stream": {}}

_DESCRIPTION: Final = """\
Every request but this description needs `Authorization: Bearer hub_…` with the scope named at
the operation. Errors are problem details (RFC 9457) with a stable `code`; their texts follow
`Accept-Language`. Whatever changes something takes an `Idempotency-Key`: the same request with
the same key gets the same answer and is not done again. Lists come in pages: pass `next` as
`cursor` until it is null. Instants are ISO 8601 in UTC.
"""

_PARAMS: Final[Mapping[str, str]] = {
    "agent": "id or e-mail address of one of our people",
    "token": "id of an API token",
    "ticket": "id or number",
    "comment": "id",
    "file": "id or name",
    "handoff": "id",
    "link": "id, name or node id of the peer",
    "letter": "id",
    "message": "id",
    "other": "id or number of the other ticket",
    "item": "id of an item of the checklist",
    "customer": "id",
    "site": "id",
    "asset": "id",
    "contact": "id",
    "field": "id",
    "view": "id",
    "macro": "id",
    "team": "id",
    "webhook": "id of a webhook",
    "desk": "name or id of a foreign desk",
    "call": "id of a call to it",
}

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable; for programs"},
        "detail": {"type": "string", "description": "for people"},
        "hint": {"type": "string"},
        "incident": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "member, RFC 6901"},
                    "parameter": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

_PROBLEM_STATUSES: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)


def document(routes: Sequence[Route[Any]], base_url: str) -> dict[str, Any]:
    """The whole description of these routes, at this address."""
    return {**_described(tuple(routes)), "servers": [{"url": base_url}]}


@cache
def _described(routes: tuple[Route[Any], ...]) -> dict[str, Any]:
    schemas = _schemas(routes)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.full_path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Ticket exchange hub",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "scopes: " + " ".join(SCOPES),
                }
            },
        },
    }


def _operation(route: Route[Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    is_open = route.scope is Open.TO_ALL
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.split("/")[1].partition(".")[0]],
        "security": [] if is_open else [{"token": [str(route.scope)]}],
        "parameters": _parameters(route, schemas),
        "responses": {
            str(route.status): _answer(route),
            **{str(status): _problem(status) for status in _PROBLEM_STATUSES},
            **({"416": _problem(416)} if route.answer is Sends.FILE else {}),
        },
    }
    body = _body(route)
    if body is not None:
        operation["requestBody"] = body
    return operation


def _parameters(route: Route[Any], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMS[name],
            "schema": {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.takes in {Takes.QUERY, Takes.FILES} and route.form is not Nothing:
        for name, schema in schemas[route.form.__name__].get("properties", {}).items():
            found.append({"name": name, "in": "query", "schema": schema})
    if route.takes is Takes.FILES:
        found.append(
            {
                "name": "name",
                "in": "query",
                "description": "of the file, where the body is one file as it is; "
                "what stands behind its first 255 characters is cut off",
                "schema": {"type": "string", "minLength": 1, "maxLength": _NAME_MAX},
            }
        )
    if route.method != "GET":
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "of your choice, for one request and its repetitions",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    if route.answer is Sends.STREAM:
        found.append({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}})
    if route.answer is Sends.FILE:
        found.append({"name": "Range", "in": "header", "schema": {"type": "string"}})
    return found


def _body(route: Route[Any]) -> dict[str, Any] | None:
    reference = {"$ref": _REF.format(model=route.form.__name__)}
    as_json: dict[str, Any] = {"schema": reference}
    if route.name in EXAMPLES:
        as_json["example"] = EXAMPLES[route.name]
    parts = {
        "multipart/form-data": {
            "schema": {
                "allOf": [reference],
                "properties": {
                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
            }
        }
    }
    match route.takes:
        case Takes.QUERY:
            return None
        case Takes.JSON:
            required = any(one.is_required() for one in route.form.model_fields.values())
            return {"required": required, "content": {"application/json": as_json}}
        case Takes.JSON_OR_PARTS:
            return {"required": True, "content": {"application/json": as_json, **parts}}
        case Takes.FILES:
            return {"required": True, "content": {**parts, **_BINARY}}


def _answer(route: Route[Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"description": "Done." if route.method != "GET" else "Found."}
    match route.answer:
        case Sends.NOTHING:
            return said
        case Sends.FILE:
            said["content"] = _BINARY
        case Sends.STREAM:
            said["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
        case Sends.DOCUMENT:
            said["content"] = {"application/json": {"schema": {"type": "object"}}}
        case _:
            said["content"] = {"application/json": {"schema": _reference(route.answer)}}
    return said


def _problem(status: int) -> dict[str, Any]:
    reference = {"$ref": _REF.format(model="Problem")}
    return {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": reference}}}


def _reference(answer: Any) -> dict[str, Any]:
    if get_origin(answer) is Page:
        (line,) = get_args(answer)
        return {
            "type": "object",
            "required": ["items", "next"],
            "additionalProperties": False,
            "properties": {
                "items": {"type": "array", "items": _reference(line)},
                "next": {"type": ["string", "null"], "description": "`cursor` of the next page"},
            },
        }
    return {"$ref": _REF.format(model=answer.__name__)}


def _schemas(routes: Sequence[Route[Any]]) -> dict[str, Any]:
    """Every form and every view; two of one name would be a bug of ours, and fail here."""
    forms: dict[str, type[BaseModel]] = _by_name(route.form for route in routes)
    views = _by_name(
        line
        for route in routes
        if not isinstance(route.answer, Sends)
        for line in (get_args(route.answer) or (route.answer,))
    )
    _, asked = models_json_schema(
        [(form, "validation") for form in forms.values()], ref_template=_REF
    )
    _, given = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(view)) for name, view in views.items()],
        ref_template=_REF,
    )
    found: dict[str, Any] = {"Problem": _PROBLEM}
    for defined in (asked["$defs"], given["$defs"]):
        for name, schema in defined.items():
            if name in found and found[name] != schema:
                raise AssertionError(f"two different schemas are called {name}")
            found[name] = _tidy(schema)
    return dict(sorted(found.items()))


def _by_name(classes: Iterable[type[Any]]) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    for one in classes:
        if found.setdefault(one.__name__, one) is not one:
            raise AssertionError(f"two different classes are called {one.__name__}")
    return found


def _tidy(schema: Any) -> Any:
    """Without titles that repeat names, and without null as the default of what cannot be null."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {inner: _tidy(one) for inner, one in member.items()}
        if name in {"properties", "$defs"}
        else _tidy(member)
        for name, member in schema.items()
        if not (name == "title" and isinstance(member, str))
        and not (name == "default" and member is None)
    }
