"""The description and the door say the same."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub import app
from hub.api.door import PREFIX, Open, Takes
from hub.api.examples import EXAMPLES
from hub.api.routes import ROUTES
from tests.api.conftest import Desk


async def test_the_description_is_valid_openapi(desk: Desk) -> None:
    said = await desk.ours.get("/openapi.json")
    assert list(OpenAPIV31SpecValidator(said).iter_errors()) == []
    assert said["openapi"] == "3.1.1"
    assert said["servers"] == [{"url": desk.ours.company.settings.url}]


async def test_every_route_is_described_and_everything_described_is_a_route(desk: Desk) -> None:
    company = desk.ours.company
    made = app.web_app(company.hub, company.settings, company.transport)
    served = {
        (route.method, route.resource.canonical)
        for route in made.router.routes()
        if route.resource is not None and route.resource.canonical.startswith(PREFIX)
    }
    said = await desk.ours.get("/openapi.json")
    told = {(method.upper(), path) for path, methods in said["paths"].items() for method in methods}
    assert served == told


async def test_what_is_said_of_a_route_is_what_it_does(desk: Desk) -> None:
    said = await desk.ours.get("/openapi.json")
    names = [
        operation["operationId"]
        for methods in said["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names)) == len(ROUTES)
    for route in ROUTES:
        operation = said["paths"][route.full_path][route.method.lower()]
        scopes = [] if route.scope is Open.TO_ALL else [{"token": [str(route.scope)]}]
        assert operation["security"] == scopes
        in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", route.path))
        assert ("requestBody" in operation) == (route.takes is not Takes.QUERY)


async def test_no_form_takes_what_it_does_not_name(desk: Desk) -> None:
    schemas: dict[str, Any] = (await desk.ours.get("/openapi.json"))["components"]["schemas"]
    for route in ROUTES:
        assert schemas.get(route.form.__name__, {}).get("additionalProperties") is False, route.name


async def test_whoever_needs_a_body_is_shown_one_that_is_right(desk: Desk) -> None:
    said = await desk.ours.get("/openapi.json")
    shown = set()
    for route in ROUTES:
        body = said["paths"][route.full_path][route.method.lower()].get("requestBody", {})
        about = body.get("content", {}).get("application/json")
        if about is None:
            continue
        whole = {**about["schema"], "components": said["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        if "example" in about:
            validator.validate(about["example"])
            shown.add(route.name)
        else:
            assert validator.is_valid({}), f"{route.name}: no example in hub/api/examples.py"
    assert shown == EXAMPLES.keys()
