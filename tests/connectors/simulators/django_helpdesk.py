"""django-helpdesk 2.6's REST API as it was seen: no filters, a follow-up renames the ticket."""

from __future__ import annotations

import json

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


class DjangoHelpdesk(Desk):
    name = "django-helpdesk"
    base = "https://helpdesk.example"
    secrets = {"token": "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"}
    settings = {"queue": 1, "user": 1, "email": "hub@exchange.example"}
    first_status = "1"
    words = {"new": "1", "open": "2", "resolved": "3", "closed": "4"}
    strange_status = "9"
    can = Desk.can | {"merge", "spoil", "hook"}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if asked.headers.get("authorization") == f"Token {self.secrets['token']}":
            return None
        return made(401, {"detail": "Invalid token."})

    def add(self, title: str, text: str, by: str, **more: object) -> Ticket:
        it = super().add(title, text, by, **more)
        it.remarks.append(Remark(self.number(), text, True, by, self.second(), kind="opened"))
        it.priority = 3
        return it

    def followup(self, it: Ticket, one: Remark) -> dict:
        return {
            "id": one.id, "ticket": int(it.id), "user": 1 if one.by == "hub" else 2,
            "title": "Ticket Opened" if one.kind == "opened" else "Comment",
            "comment": one.text, "public": one.public, "new_status": None,
            "date": "вчера" if it.spoiled else iso(one.at),
            "followupattachment_set": [
                {"id": file.id, "followup": one.id, "filename": file.name, "size": len(file.content),
                 "mime_type": file.type, "file": f"{self.base}/media/attachments/{file.id}/x"}
                for file in one.files
            ],
        }  # fmt: skip

    def shown(self, it: Ticket) -> dict:
        return {
            "id": int(it.id), "queue": it.fields.get("queue", 1), "title": it.title, "description": it.text,
            "submitter_email": "ivan@customer.example", "status": int(it.status),
            "on_hold": False, "priority": it.priority,
            "merged_to": int(it.merged) if it.merged else None,
            "followup_set": [self.followup(it, one) for one in it.remarks],
            "custom_hub_id": it.fields.get("hub_id"),
        }  # fmt: skip

    @route("GET", "/api/tickets/")
    def index(self, asked: Asked) -> Answer:
        found = self.alive()
        if status := asked.query.get("status"):
            found = [one for one in found if one.status in status.split(",")]
        size, page = int(asked.query.get("page_size", 25)), int(asked.query.get("page", 1))
        more = len(found) > page * size
        following = f"{self.base}/api/tickets/?page={page + 1}&page_size={size}" if more else None
        listed = [self.shown(one) for one in found[(page - 1) * size : page * size]]
        return made(200, {"count": len(found), "next": following, "results": listed})

    @route("GET", r"/api/tickets/(\d+)/")
    def show(self, asked: Asked) -> Answer:
        return made(200, self.shown(self.there(asked.match[1])))

    @route("POST", "/api/tickets/")
    def create(self, asked: Asked) -> Answer:
        said = asked.json
        it = self.add(said["title"], said.get("description", ""), "hub")
        it.fields["hub_id"] = said.get("custom_hub_id")
        it.priority = said.get("priority", 3)
        return made(201, self.shown(it))

    @route("PATCH", r"/api/tickets/(\d+)/")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        if "status" in said:
            if said["status"] not in (1, 2, 3, 4, 5):
                raise No(400, {"status": ["is not a valid choice."]})
            self.set(it, str(said["status"]), "hub")
        it.title = said.get("title", it.title)
        return made(200, self.shown(it))

    @route("POST", "/api/followups/")
    def say(self, asked: Asked) -> Answer:
        said = asked.parts or asked.json
        it = self.there(said["ticket"])
        it.title = said["title"]  # a follow-up's title renames the ticket
        public = said.get("public") in (True, "true")
        one = self.remark(it, said.get("comment", ""), public, "hub")
        if "attachments" in said:
            name, content, kind = said["attachments"]
            file = Attached(self.number(), name, content, kind, "hub", self.second())
            one.files.append(file)
        return made(201, self.followup(it, one))

    @route("GET", r"/media/attachments/(\d+)/x")
    def bytes(self, asked: Asked) -> Answer:
        return Answer(200, {}, self.file(asked.match[1]).content)

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        it = self.tickets[ticket]
        one = self.remark(it, "файл", True, "petr")
        kind = "application/octet-stream"
        one.files.append(Attached(self.number(), name, content, kind, "petr", self.second()))

    async def hook(self, ticket: str) -> Call:
        body = json.dumps({"ticket": self.shown(self.tickets[ticket]), "queue_slug": "support"})
        return Call("POST", {"content-type": "application/json"}, {}, body.encode())
