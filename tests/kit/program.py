"""A program that uses the API of one company, and holds every answer against its description."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator, FormatChecker
from yarl import URL

from hub import app
from hub.actions import tokens
from hub.api.door import PREFIX, Route
from hub.api.openapi import document
from hub.api.problems import MEDIA_TYPE
from hub.api.routes import ROUTES
from hub.domain.permission import SCOPES
from tests.kit.network import Company


@dataclass(frozen=True)
class Answered:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        return self.said["code"]


@cache
def described() -> dict[str, Any]:
    """The description of the API."""
    return document(ROUTES, "http://127.0.0.1")


@cache
def _validator(path: str, method: str, status: str, media_type: str) -> Draft202012Validator:
    schema = described()["paths"][path][method]["responses"][status]["content"][media_type][
        "schema"
    ]
    whole = {**schema, "components": described()["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def route_of(method: str, path: str) -> Route[Any] | None:
    """The route this request goes to."""
    for route in ROUTES:
        if route.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), path):
            return route
    return None


@dataclass
class Program:
    """One token at one company's door."""

    company: Company
    client: TestClient[Any, Any]
    token: str | None
    language: str = "en"
    headers: dict[str, str] = field(default_factory=dict)

    def with_token(self, token: str | None) -> Program:
        return replace(self, token=token)

    async def token_for(self, *scopes: str, expires_at: datetime | None = None) -> Program:
        """The same with a fresh token of these scopes."""
        hub, admin = self.company.hub, self.company.dispatcher
        _, plain = await tokens.new(hub, admin, admin.ref, "test", scopes, expires_at)  # type: ignore[arg-type]
        return self.with_token(plain)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] = {},
        key: str | None = None,
        query: str = "",
    ) -> Answered:
        """One request. The answer fits the description, or this fails."""
        sent = {"Accept-Language": self.language, **self.headers, **headers}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if key is not None:
            sent["Idempotency-Key"] = key
        url = URL(PREFIX + path + query, encoded=True)
        how = {"json": body} if body is not None else {"data": data}
        async with self.client.request(method, url, headers=sent, **how) as response:
            answered = Answered(response.status, response.headers, await response.read())
            self._check(method, path, response, answered)
            return answered

    async def get(self, path: str, **how: Any) -> Any:
        return await self._must("GET", path, None, **how)

    async def post(self, path: str, body: Any = None, **how: Any) -> Any:
        return await self._must("POST", path, {} if body is None else body, **how)

    async def patch(self, path: str, body: Any, **how: Any) -> Any:
        return await self._must("PATCH", path, body, **how)

    async def delete(self, path: str, **how: Any) -> None:
        await self._must("DELETE", path, None, **how)

    async def _must(self, method: str, path: str, body: Any, **how: Any) -> Any:
        answered = await self.call(method, path, body, **how)
        assert answered.status < 300, answered.raw.decode()
        return answered.said if answered.raw else None

    def _check(self, method: str, path: str, response: ClientResponse, got: Answered) -> None:
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in got.headers
        if got.status >= 400:
            assert response.content_type == MEDIA_TYPE
            assert got.said["status"] == got.status
        route = route_of(method, path)
        if route is None or not got.raw or response.content_type == "application/octet-stream":
            return
        if route.name == "getFile" and got.status < 400:
            return
        _validator(
            route.full_path, method.lower(), str(got.status), response.content_type
        ).validate(got.said)


@contextlib.asynccontextmanager
async def program(company: Company) -> AsyncIterator[Program]:
    """A program that may do everything at this company."""
    made = app.web_app(company.hub, company.settings, company.transport)
    async with TestClient(TestServer(made)) as client:
        yield await Program(company, client, None).token_for(*SCOPES)
