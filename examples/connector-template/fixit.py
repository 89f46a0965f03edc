"""Fixit, simulated: its API, its people and its clock, in memory and without sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.conformance import Seen
from connectors.contract import Answer, Call, Download, Request

KEY = "fixit-key-0123456789"


class Clock:
    """Time that passes when somebody says so."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    async def advance(self, by: timedelta) -> None:
        self._now += by


class Vault:
    """Secrets of one desk."""

    def __init__(self, key: str) -> None:
        self.values = {"key": key}

    def read(self, name: str) -> str | None:
        return self.values.get(name)

    async def write(self, name: str, value: str) -> None:
        self.values[name] = value


class Fixit:
    """The API (`send`) and the people (everything `People` asks for)."""

    can = frozenset({"reply", "private", "move", "strange", "delete", "spoil"})

    def __init__(self) -> None:
        self.clock = Clock()
        self.jobs: dict[str, dict[str, Any]] = {}
        self._ids = 0

    # ------------------------------------------------------------ the API

    async def send(self, request: Request, *, max_bytes: int) -> Answer:  # noqa: ARG002 - all is short
        parts = urlsplit(request.url)
        body = json.loads(request.body) if isinstance(request.body, bytes) else {}
        path = [unquote(one) for one in parts.path.removeprefix("/api/").split("/")]
        if request.headers.get("X-Key") == KEY:
            status, said = self._answer(request.method, path, dict(parse_qsl(parts.query)), body)
        else:
            status, said = 401, {"error": "who are you?"}
        headers = {"content-type": "application/json"}
        headers["date"] = format_datetime(self.clock.now(), usegmt=True)
        return Answer(status, headers, json.dumps(said).encode())

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Download]:  # noqa: ARG002
        raise NotImplementedError("Fixit has no files")
        yield

    def _answer(
        self, method: str, path: list[str], query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        if path == ["whoami"]:
            return 200, {"name": "hub"}
        if path == ["jobs"] and method == "GET":
            return 200, {"jobs": self._page(query)}
        if path == ["jobs"]:
            return 201, self._new(body["what"], body["details"], body["state"], body["reference"])
        job = self.jobs.get(path[1])
        if job is None:
            return 404, {"error": "no such job"}
        if path[2:] == ["notes"]:
            self._note(job, body["text"], body["for"], "hub")
            return 201, {}
        if method == "PATCH":
            job |= {key: value for key, value in body.items() if key in ("state", "what")}
            self._changed(job)
        return 200, job

    def _page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        found = sorted(self.jobs.values(), key=lambda job: (job["changed"], int(job["id"])))
        if "reference" in query:
            return [job for job in found if job["reference"] == query["reference"]]
        found = [job for job in found if job["changed"] >= query["changed_from"]]
        size, page = int(query["size"]), int(query["page"])
        return found[(page - 1) * size : page * size]

    def _new(self, what: str, details: str, state: str, reference: str) -> dict[str, Any]:
        self._ids += 1
        job = {"id": str(self._ids), "what": what, "details": details, "state": state,
               "reference": reference, "notes": [], "opened": self._now()}  # fmt: skip
        self.jobs[job["id"]] = job
        self._changed(job)
        return job

    def _note(self, job: dict[str, Any], text: str, whom: str, by: str) -> None:
        self._ids += 1
        note = {"id": self._ids, "text": text, "for": whom, "by": by, "at": self._now()}
        job["notes"].append(note)
        self._changed(job)

    def _changed(self, job: dict[str, Any]) -> None:
        job["changed"] = self._now()

    def _now(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # ------------------------------------------------------------ its people

    async def open_ticket(self, title: str, text: str) -> str:
        return self._new(title, text, "waiting", "")["id"]

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        self._note(self.jobs[ticket], text, "everybody" if public else "staff", "petr")

    async def move(self, ticket: str, status: str) -> None:
        words = {"new": "waiting", "in_progress": "fixing", "resolved": "fixed"}
        self.jobs[ticket]["state"] = words[status]
        self._changed(self.jobs[ticket])

    async def strange(self, ticket: str) -> str:
        self.jobs[ticket]["state"] = "haunted"
        return "haunted"

    async def delete(self, ticket: str) -> None:
        del self.jobs[ticket]

    async def spoil(self, ticket: str) -> None:
        self.jobs[ticket]["opened"] = "yesterday"

    async def seen(self, ticket: str) -> Seen:
        job = self.jobs[ticket]
        notes = tuple((note["text"], note["for"] == "everybody") for note in job["notes"])
        return Seen(notes, (), job["state"])

    async def marked(self, marker: str) -> list[str]:
        return [job["id"] for job in self.jobs.values() if job["reference"] == marker]

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        raise NotImplementedError

    async def merge(self, ticket: str, into: str) -> None:
        raise NotImplementedError

    async def hook(self, ticket: str) -> Call:
        raise NotImplementedError
