"""Colleagues in real desks: they use the desk's own API with an account that is not ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import aiohttp

from connectors.conformance import Rig, Seen
from connectors.contract import Call, Host
from connectors.registry import template
from connectors.rest.connector import RestConnector
from connectors.rest.loading import load
from tests.connectors.real.transport import RealClock, RealTransport


@dataclass
class Vault:
    values: dict[str, str]

    def read(self, name: str) -> str | None:
        return self.values.get(name)

    async def write(self, name: str, value: str) -> None:
        self.values[name] = value


@dataclass
class Colleagues:
    """Somebody with an account of their own, and the rig around them."""

    base: str
    folder: Path
    name: ClassVar[str]
    can: ClassVar[frozenset[str]]
    words: ClassVar[dict[str, str]]
    hub: dict[str, Any] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, said: Any = None, form: Any = None, **headers: str
    ) -> Any:
        url = path if "://" in path else self.base + path
        async with (
            aiohttp.ClientSession(headers={**self.keys(), **headers}) as session,
            session.request(method, url, json=said, data=form) as answer,
        ):
            body = await answer.read()
            assert answer.status < 400, (method, path, answer.status, body[:300])
            return json.loads(body) if "json" in answer.content_type else body

    def keys(self) -> dict[str, str]:
        raise NotImplementedError

    def secrets(self) -> dict[str, str]:
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        raise NotImplementedError

    async def hook(self, ticket: str) -> Call:
        raise NotImplementedError

    async def spoil(self, ticket: str) -> None:
        raise NotImplementedError

    async def strange(self, ticket: str) -> str:
        raise NotImplementedError

    async def delete(self, ticket: str) -> None:
        raise NotImplementedError

    async def merge(self, ticket: str, into: str) -> None:
        raise NotImplementedError

    def rig(self) -> Rig:
        description = load(template(self.name), f"{self.name}.yaml")

        def make(host: Host) -> RestConnector:
            return RestConnector(description, host)

        return Rig(
            make=make,
            transport=RealTransport(),
            clock=RealClock(),
            vault=Vault(self.secrets()),
            wrong_vault=Vault(dict.fromkeys(self.secrets(), "wrong-" + "x" * 20)),
            settings=self.settings(),
            people=self,  # type: ignore[arg-type]
            statuses=frozenset(self.words),
            long_lists=12,
        )


@dataclass
class Roundup(Colleagues):
    """petr, in the tracker's own API."""

    name = "roundup"
    can = frozenset({"reply", "move", "file"})
    words = {"new": "unread", "open": "chatting", "in_progress": "in-progress",
             "pending": "deferred", "resolved": "resolved", "closed": "done-cbb"}  # fmt: skip

    def keys(self) -> dict[str, str]:
        auth = aiohttp.encode_basic_auth("petr", "petr-password-1")
        return {"Authorization": auth, "X-Requested-With": "rest", "Origin": self.origin(),
                "Referer": self.base + "/"}  # fmt: skip

    def origin(self) -> str:
        return self.base.rsplit("/", 1)[0]

    def secrets(self) -> dict[str, str]:
        return {"password": "hub-password-1"}

    def settings(self) -> dict[str, Any]:
        return {"url": self.base, "user": "hub", "origin": self.origin()}

    async def message(self, text: str) -> str:
        date = datetime.now(UTC).strftime("%Y-%m-%d.%H:%M:%S")
        said = {"content": text, "author": "4", "date": date}
        made = await self.ask("POST", "/rest/data/msg", said)
        return str(made["data"]["id"])

    async def open_ticket(self, title: str, text: str) -> str:
        message = await self.message(text)
        said = {"title": title, "status": "unread", "priority": "bug", "messages": [message]}
        return str((await self.ask("POST", "/rest/data/issue", said))["data"]["id"])

    async def edit(self, ticket: str, said: dict[str, Any]) -> None:
        now = await self.ask("GET", f"/rest/data/issue/{ticket}")
        etag = now["data"]["@etag"]
        await self.ask("PATCH", f"/rest/data/issue/{ticket}", said, **{"If-Match": etag})

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        await self.edit(ticket, {"@op": "add", "messages": [await self.message(text)]})

    async def move(self, ticket: str, status: str) -> None:
        await self.edit(ticket, {"status": self.words[status]})

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("name", name)
        form.add_field("type", "application/octet-stream")
        form.add_field(
            "content", content, filename="x.bin", content_type="application/octet-stream"
        )
        made = await self.ask("POST", "/rest/data/file", form=form)
        await self.edit(ticket, {"@op": "add", "files": [made["data"]["id"]]})

    async def seen(self, ticket: str) -> Seen:
        got = await self.ask("GET", f"/rest/data/issue/{ticket}?@verbose=2")
        shown = got["data"]["attributes"]
        comments, files = [], []
        for one in shown["messages"]:
            message = await self.ask("GET", f"/rest/data/msg/{one['id']}")
            text = message["data"]["attributes"]["content"]
            if isinstance(text, dict):
                text = await self.ask("GET", f"/rest/data/msg/{one['id']}/content")
                text = text["data"]["data"]
            comments.append((text.replace("\r\n", "\n"), True))
        for one in shown["files"]:
            meta = await self.ask("GET", f"/rest/data/file/{one['id']}")
            content = await self.ask("GET", f"/rest/data/file/{one['id']}/binary_content",
                                     Accept="application/octet-stream, */*;q=0.1")  # fmt: skip
            files.append((meta["data"]["attributes"]["name"], content))
        return Seen(tuple(comments), tuple(files), shown["status"]["name"])

    async def marked(self, marker: str) -> list[str]:
        found = await self.ask("GET", f"/rest/data/issue?hub_id:={marker}&@fields=hub_id")
        return [one["id"] for one in found["data"]["collection"] if one["hub_id"] == marker]

    async def delete(self, ticket: str) -> None:
        """Nobody may retire an issue by default; what it was found by goes."""
        await self.edit(ticket, {"hub_id": "gone"})


@dataclass
class DjangoHelpdesk(Colleagues):
    """A second member of staff of a django-helpdesk."""

    name = "django-helpdesk"
    can = frozenset({"reply", "private", "move", "file", "delete"})
    words = {"new": "1", "open": "2", "resolved": "3", "closed": "4"}

    def keys(self) -> dict[str, str]:
        return {"Authorization": f"Token {(self.folder / 'token-petr').read_text().strip()}"}

    def secrets(self) -> dict[str, str]:
        return {"token": (self.folder / "token").read_text().strip()}

    def settings(self) -> dict[str, Any]:
        return {"url": self.base, "queue": 1, "user": 1, "email": "hub@exchange.test"}

    async def open_ticket(self, title: str, text: str) -> str:
        said = {"queue": 1, "title": title, "description": text, "priority": 3,
                "submitter_email": "ivan@customer.test"}  # fmt: skip
        return str((await self.ask("POST", "/api/tickets/", said))["id"])

    async def shown(self, ticket: str) -> Any:
        return await self.ask("GET", f"/api/tickets/{ticket}/")

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        title = (await self.shown(ticket))["title"]
        said = {"ticket": int(ticket), "title": title, "comment": text, "public": public}
        await self.ask("POST", "/api/followups/", said)

    async def move(self, ticket: str, status: str) -> None:
        await self.ask("PATCH", f"/api/tickets/{ticket}/", {"status": int(self.words[status])})

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        form = aiohttp.FormData(quote_fields=False)
        for key, value in (("ticket", ticket), ("title", "x"), ("comment", "файл")):
            form.add_field(key, value)
        form.add_field("public", "true")
        form.add_field("attachments", content, filename=name,
                       content_type="application/octet-stream")  # fmt: skip
        await self.ask("POST", "/api/followups/", form=form)

    async def seen(self, ticket: str) -> Seen:
        it = await self.shown(ticket)
        comments = tuple(
            (one["comment"].replace("\r\n", "\n"), one["public"])
            for one in it["followup_set"] if one["title"] != "Ticket Opened"
        )  # fmt: skip
        files = [
            (file["filename"], await self.ask("GET", file["file"]))
            for one in it["followup_set"] for file in one["followupattachment_set"]
        ]  # fmt: skip
        return Seen(comments, tuple(files), str(it["status"]))

    async def marked(self, marker: str) -> list[str]:
        found, path = [], "/api/tickets/?page_size=100"
        while path:
            page = await self.ask("GET", path)
            found += [str(one["id"]) for one in page["results"] if one["custom_hub_id"] == marker]
            path = page["next"]
        return found

    async def delete(self, ticket: str) -> None:
        await self.ask("DELETE", f"/api/tickets/{ticket}/")
