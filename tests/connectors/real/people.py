"""Colleagues in real desks: they use the desk's own API with an account that is not ours."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
from aiohttp import web

from connectors.conformance import Rig, Seen
from connectors.contract import Call, Host
from connectors.registry import template
from connectors.rest.connector import RestConnector
from connectors.rest.description import Description
from connectors.rest.loading import load
from tests.connectors.real.transport import RealClock, RealTransport
from tests.connectors.simulators.desk import Vault


@cache
def _in_small_pages(name: str) -> Description:
    """The template, whose polls turn pages of eight: a list of a hundred takes too long to make."""
    before, poll, after = template(name).partition("\npoll:")
    return load(before + poll + after.replace("size: 100,", "size: 8,", 1), f"{name}.yaml")


@dataclass
class Colleagues:
    """Somebody with an account of their own, and the rig around them."""

    base: str
    folder: Path
    hook_port: int = 0  # where the desk sends webhooks, if it was told to
    name: ClassVar[str]
    can: ClassVar[frozenset[str]]
    words: ClassVar[dict[str, str]]
    files_come_with_words: ClassVar[bool] = False  # a file belongs to a comment, not to the ticket
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

    async def every(self) -> list[str]:
        """The ids of all tickets where this colleague works, at least the last hundred."""
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
        description = _in_small_pages(self.name)

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

    async def every(self) -> list[str]:
        found = await self.ask("GET", "/rest/data/issue?@fields=id")
        return [one["id"] for one in found["data"]["collection"]]

    async def delete(self, ticket: str) -> None:
        """Nobody may retire an issue by default; what it was found by goes."""
        await self.edit(ticket, {"hub_id": "gone"})


@dataclass
class DjangoHelpdesk(Colleagues):
    """A second member of staff of a django-helpdesk."""

    queue: int = 1
    files_come_with_words = True
    name = "django-helpdesk"
    can = frozenset({"reply", "private", "move", "file", "delete"})
    words = {"new": "1", "open": "2", "resolved": "3", "closed": "4"}

    def keys(self) -> dict[str, str]:
        return {"Authorization": f"Token {(self.folder / 'token-petr').read_text().strip()}"}

    def secrets(self) -> dict[str, str]:
        return {"token": (self.folder / "token").read_text().strip()}

    def settings(self) -> dict[str, Any]:
        return {"url": self.base, "queue": self.queue, "user": 1, "email": "hub@exchange.test"}

    async def open_ticket(self, title: str, text: str) -> str:
        said = {"queue": self.queue, "title": title, "description": text, "priority": 3,
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
        title = (await self.shown(ticket))["title"]  # a follow-up's title renames the ticket
        for key, value in (("ticket", ticket), ("title", title), ("comment", "файл")):
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
        return [str(one["id"]) for one in await self.everything() if one["custom_hub_id"] == marker]

    async def everything(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        path = "/api/tickets/?page_size=100"
        while path:
            page = await self.ask("GET", path)
            found += page["results"]
            path = page["next"]
        return found

    async def every(self) -> list[str]:
        return [str(one["id"]) for one in await self.everything() if one["queue"] == self.queue]

    async def delete(self, ticket: str) -> None:
        await self.ask("DELETE", f"/api/tickets/{ticket}/")


def _file_form(content: bytes, name: str, **fields: str) -> aiohttp.FormData:
    """The fields are JSON, as Request Tracker wants them."""
    form = aiohttp.FormData(quote_fields=False)
    for key, value in fields.items():
        form.add_field(key, value, content_type="application/json")
    form.add_field("Attachments", content, filename=name, content_type="application/octet-stream")
    return form


@dataclass
class RequestTracker(Colleagues):
    """petr, a colleague who may delete tickets, which we may not."""

    queue: str = "Support"
    name = "request-tracker"
    can = frozenset({"reply", "private", "move", "strange", "file", "delete", "merge", "hook",
                     "signed"})  # fmt: skip
    words = {"new": "new", "in_progress": "open", "pending": "stalled", "resolved": "resolved",
             "cancelled": "rejected"}  # fmt: skip

    def tokens(self) -> list[str]:
        return (self.folder / "tokens").read_text().split()

    def keys(self) -> dict[str, str]:
        return {"Authorization": f"token {self.tokens()[1]}"}

    def secrets(self) -> dict[str, str]:
        return {"token": self.tokens()[0], "webhook": "rt-shared-secret"}

    def settings(self) -> dict[str, Any]:
        return {"url": self.base, "queue": self.queue, "user": "hub", "marker_field": "HubId"}

    async def rest(self, method: str, path: str, said: Any = None, **more: Any) -> Any:
        return await self.ask(method, f"/REST/2.0{path}", said, **more)

    async def open_ticket(self, title: str, text: str) -> str:
        said = {"Queue": self.queue, "Subject": title, "ContentType": "text/plain", "Content": text}
        return str((await self.rest("POST", "/ticket", said))["id"])

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        said = {"ContentType": "text/plain", "Content": text}
        await self.rest("POST", f"/ticket/{ticket}/{'correspond' if public else 'comment'}", said)

    async def set(self, ticket: str, **said: Any) -> None:
        await self.rest("PUT", f"/ticket/{ticket}", said)

    async def move(self, ticket: str, status: str) -> None:
        await self.set(ticket, Status=self.words[status])

    async def strange(self, ticket: str) -> str:
        await self.set(ticket, Status="quarantine")
        return "quarantine"

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        said = json.dumps({"ContentType": "text/plain", "Content": "файл"})
        await self.rest("POST", f"/ticket/{ticket}/correspond",
                        form=_file_form(content, name, JSON=said))  # fmt: skip

    async def delete(self, ticket: str) -> None:
        await self.set(ticket, Status="deleted")

    async def merge(self, ticket: str, into: str) -> None:
        await self.set(ticket, MergeInto=int(into))

    async def seen(self, ticket: str) -> Seen:
        fields = "fields=Type&per_page=100"
        history = (await self.rest("GET", f"/ticket/{ticket}/history?{fields}"))["items"]
        kinds = {one["id"]: one["Type"] for one in history}
        fields = "fields=Filename,ContentType,TransactionId&per_page=100"
        attached = (await self.rest("GET", f"/ticket/{ticket}/attachments?{fields}"))["items"]
        comments, files = [], []
        for one in attached:
            kind = kinds.get(str(one["TransactionId"]))
            if kind not in ("Correspond", "Comment") or one["ContentType"].startswith("multipart"):
                continue
            whole = await self.rest("GET", f"/attachment/{one['id']}")
            content = base64.b64decode(whole["Content"])
            if one["Filename"]:
                files.append((one["Filename"], content))
            else:
                comments.append((content.decode().replace("\r\n", "\n"), kind == "Correspond"))
        status = (await self.rest("GET", f"/ticket/{ticket}"))["Status"]
        return Seen(tuple(comments), tuple(files), status)

    async def marked(self, marker: str) -> list[str]:
        query = f"CF.{{HubId}} = '{marker}'"
        url = f"/tickets?query={query.replace(' ', '%20')}"
        return [str(one["id"]) for one in (await self.rest("GET", url))["items"]]

    async def every(self) -> list[str]:
        url = f"/tickets?query=Queue='{self.queue}'&per_page=100&orderby=id&order=DESC"
        return [str(one["id"]) for one in (await self.rest("GET", url))["items"]]

    async def hook(self, ticket: str) -> Call:
        """A colleague writes; what the scrip sends about it."""
        came: asyncio.Queue[Call] = asyncio.Queue()

        async def taken(request: web.Request) -> web.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            came.put_nowait(Call("POST", headers, {}, await request.read()))
            return web.Response()

        app = web.Application()
        app.router.add_post("/", taken)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.hook_port).start()
            await self.reply(ticket, "позвоните", public=False)  # a reply would reopen it
            async with asyncio.timeout(20):
                while True:
                    call = await came.get()
                    if json.loads(call.body)["ticket"] == int(ticket):
                        return call
        finally:
            await runner.cleanup()


@dataclass
class Redmine(Colleagues):
    """petr, of the same project."""

    project: str = "support"
    name = "redmine"
    can = frozenset({"reply", "private", "move", "strange", "file", "delete"})
    words = {"new": "1", "in_progress": "2", "resolved": "3", "pending": "4", "closed": "5",
             "cancelled": "6"}  # fmt: skip

    def tokens(self) -> list[str]:
        return (self.folder / "tokens").read_text().split()

    def keys(self) -> dict[str, str]:
        return {"X-Redmine-API-Key": self.tokens()[1]}

    def secrets(self) -> dict[str, str]:
        return {"api_key": self.tokens()[0]}

    def settings(self) -> dict[str, Any]:
        return {"url": self.base, "project": self.project, "tracker_id": 3, "marker_field": 1}

    async def open_ticket(self, title: str, text: str) -> str:
        said = {"project_id": self.project, "tracker_id": 3, "priority_id": 2,
                "subject": title, "description": text}  # fmt: skip
        return str((await self.ask("POST", "/issues.json", {"issue": said}))["issue"]["id"])

    async def set(self, ticket: str, **said: Any) -> None:
        # Redmine has whole seconds and tells no time of its own. Polls are minutes apart, by a clock
        # that the tests turn; over there it may still be the second in which both of them were.
        await asyncio.sleep(1.05 - time.time() % 1)
        await self.ask("PUT", f"/issues/{ticket}.json", {"issue": said})

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        await self.set(ticket, notes=text, private_notes=not public)

    async def move(self, ticket: str, status: str) -> None:
        await self.set(ticket, status_id=int(self.words[status]))

    async def strange(self, ticket: str) -> str:
        every = (await self.ask("GET", "/issue_statuses.json"))["issue_statuses"]
        found = next(one["id"] for one in every if one["name"] == "Quarantine")
        await self.set(ticket, status_id=found)
        return str(found)

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        kind = "application/octet-stream"
        async with (
            aiohttp.ClientSession(headers={**self.keys(), "Content-Type": kind}) as session,
            session.post(
                f"{self.base}/uploads.json", params={"filename": name}, data=content
            ) as it,
        ):
            token = (await it.json())["upload"]["token"]
        await self.set(ticket, uploads=[{"token": token, "filename": name, "content_type": kind}])

    async def delete(self, ticket: str) -> None:
        await self.ask("DELETE", f"/issues/{ticket}.json")

    async def seen(self, ticket: str) -> Seen:
        shown = await self.ask("GET", f"/issues/{ticket}.json?include=journals,attachments")
        it = shown["issue"]
        comments = tuple(
            (one["notes"].replace("\r\n", "\n"), not one["private_notes"])
            for one in it["journals"] if one["notes"]
        )  # fmt: skip
        files = [
            (one["filename"], await self.ask("GET", one["content_url"]))
            for one in it["attachments"]
        ]
        return Seen(comments, tuple(files), str(it["status"]["id"]))

    async def marked(self, marker: str) -> list[str]:
        found = await self.ask("GET", f"/issues.json?cf_1={marker}&status_id=*")
        return [str(one["id"]) for one in found["issues"]]

    async def every(self) -> list[str]:
        url = f"/issues.json?project_id={self.project}&status_id=*&limit=100&sort=id:desc"
        return [str(one["id"]) for one in (await self.ask("GET", url))["issues"]]
