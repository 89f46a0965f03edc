"""Zendesk's Support API as documented: a cursor that leaves out the last minute, safe updates."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

from connectors.contract import Answer, Call
from tests.connectors.simulators.desk import (
    Asked,
    Attached,
    Desk,
    No,
    Remark,
    Ticket,
    iso,
    made,
    route,
)


class Zendesk(Desk):
    name = "zendesk"
    base = "https://company.zendesk.com"
    secrets = {
        "token": "zd-0123456789abcdefghij",
        "webhook": "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmc=",
    }
    settings = {"email": "hub@exchange.example"}
    words = {"new": "new", "in_progress": "open", "pending": "pending", "resolved": "solved"}
    can = Desk.can | {"spoil", "hook", "signed", "dated"}

    def __init__(self) -> None:
        super().__init__()
        self.uploads: dict[str, tuple[str, bytes, str]] = {}
        self.keys: dict[str, str] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        pair = base64.b64encode(f"hub@exchange.example/token:{self.secrets['token']}".encode())
        if asked.headers.get("authorization") == f"Basic {pair.decode()}":
            return None
        if path.endswith("/users/me.json"):  # a stranger is nobody, not refused
            return made(200, {"user": {"id": None, "name": "Anonymous user"}})
        return made(401, {"error": "Couldn't authenticate you"})

    def add(self, title: str, text: str, by: str, **more: object) -> Ticket:
        it = super().add(title, text, by, **more)
        it.remarks.append(Remark(self.number(), text, True, by, self.second(), kind="first"))
        it.priority = None
        return it

    @route("GET", "/api/v2/users/me.json")
    def me(self, asked: Asked) -> Answer:
        return made(200, {"user": {"id": 900, "name": "Hub"}})

    def shown(self, it: Ticket) -> dict:
        return {
            "id": int(it.id), "subject": it.title, "description": it.text,
            "status": "deleted" if it.deleted else it.status, "priority": it.priority,
            "external_id": it.fields.get("external_id"), "requester_id": 901,
            "created_at": "вчера" if it.spoiled else iso(it.created), "updated_at": iso(it.updated),
        }  # fmt: skip

    @route("GET", "/api/v2/incremental/tickets/cursor.json")
    def export(self, asked: Asked) -> Answer:
        after = asked.query.get("cursor")
        if after is None:
            start = (float(asked.query["start_time"]), 0)
            if start[0] > self.clock.now().timestamp() - 60:
                raise No(422, {"error": "StartTimeTooRecent"})
        else:
            at, number = base64.b64decode(after).decode().split("|")
            start = (float(at), int(number))
        late = self.clock.now() - timedelta(seconds=60)
        found = sorted(
            (one.updated.timestamp(), int(one.id))
            for one in self.tickets.values()
            if one.updated < late
        )
        page = [one for one in found if one > start][:100]
        last = page[-1] if page else start
        cursor = base64.b64encode(f"{last[0]}|{last[1]}".encode()).decode()
        return made(200, {"tickets": [self.shown(self.tickets[str(n)]) for _, n in page],
                          "after_cursor": cursor, "end_of_stream": len(page) < 100})  # fmt: skip

    @route("GET", "/api/v2/tickets.json")
    def by_marker(self, asked: Asked) -> Answer:
        wanted = asked.query["external_id"]
        found = [one for one in self.alive() if one.fields.get("external_id") == wanted]
        return made(200, {"tickets": [self.shown(one) for one in found], "next_page": None})

    @route("GET", r"/api/v2/tickets/(\d+).json")
    def show(self, asked: Asked) -> Answer:
        return made(200, {"ticket": self.shown(self.there(asked.match[1]))})

    @route("GET", r"/api/v2/tickets/(\d+)/comments.json")
    def comments(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        page = int(asked.query.get("page", 1))
        following = f"{self.base}/api/v2/tickets/{it.id}/comments.json?page={page + 1}"
        more = len(it.remarks) > page * 3  # short pages, so that they are turned
        return made(200, {"next_page": following if more else None, "comments": [
            {"id": one.id, "author_id": 900 if one.by == "hub" else 902, "body": one.text,
             "public": one.public, "created_at": iso(one.at), "attachments": [
                 {"id": file.id, "file_name": file.name, "size": len(file.content),
                  "content_type": file.type, "content_url": f"{self.base}/attachments/{file.id}"}
                 for file in one.files]}
            for one in it.remarks[(page - 1) * 3 : page * 3]
        ]})  # fmt: skip

    @route("GET", r"/attachments/(\d+)")
    def bytes(self, asked: Asked) -> Answer:
        return Answer(200, {}, self.file(asked.match[1]).content)

    @route("POST", "/api/v2/tickets.json")
    def create(self, asked: Asked) -> Answer:
        said = asked.json["ticket"]
        it = self.add(said["subject"], said["comment"]["body"], "hub")
        it.fields["external_id"] = said.get("external_id")
        it.status = said.get("status", "new")
        return made(201, {"ticket": self.shown(it)})

    @route("PUT", r"/api/v2/tickets/(\d+).json")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json["ticket"]
        if said.get("safe_update") and said["updated_stamp"] != iso(it.updated):
            raise No(409, {"error": "UpdateConflict"})
        if it.status == "closed":
            raise No(422, {"error": "RecordInvalid"})
        if "comment" in said:
            comment = said["comment"]
            one = self.remark(it, comment["body"], comment.get("public", True), "hub")
            for token in comment.get("uploads", []):
                name, content, kind = self.uploads.pop(token)
                file = Attached(self.number(), name, content, kind, "hub", self.second())
                one.files.append(file)
        if "status" in said:
            self.set(it, said["status"], "hub")
        return made(200, {"ticket": self.shown(it)})

    @route("POST", "/api/v2/uploads.json")
    def upload(self, asked: Asked) -> Answer:
        token = f"tok{self.number()}"
        kind = asked.headers["content-type"]
        self.uploads[token] = (asked.query["filename"], asked.raw, kind)
        return made(201, {"upload": {"token": token}})

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        one = self.remark(self.tickets[ticket], "файл", True, "petr")
        kind = "application/octet-stream"
        one.files.append(Attached(self.number(), name, content, kind, "petr", self.second()))

    async def hook(self, ticket: str) -> Call:
        body = json.dumps({"id": "01H", "detail": {"id": ticket}}).encode()
        stamp = iso(self.clock.now())
        digest = hmac.new(self.secrets["webhook"].encode(), stamp.encode() + body, hashlib.sha256)
        return Call("POST", {
            "x-zendesk-webhook-signature": base64.b64encode(digest.digest()).decode(),
            "x-zendesk-webhook-signature-timestamp": stamp,
        }, {}, body)  # fmt: skip
