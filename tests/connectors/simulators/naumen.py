"""Naumen Service Desk's REST services as seen in public clients: answers of two shapes."""

from __future__ import annotations

import html
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.conformance import Seen
from connectors.contract import Answer
from tests.connectors.simulators.desk import Asked, Desk, No, made, route

ZONE = ZoneInfo("Europe/Moscow")
STATES = ("registered", "inprogress", "wait", "resolved", "closed")


def stamp(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y.%m.%d %H:%M:%S")


class Naumen(Desk):
    name = "naumen"
    base = "https://sd.customer.example"
    secrets = {"key": "b1946ac9-2481-4cc0-9d3f-naumen"}
    settings = {"employee": "employee$5", "team": "team$3", "agreement": "agreement$1",
                "client": "employee$9", "kind": "serviceCall"}  # fmt: skip
    first_status = "registered"
    words = {"new": "registered", "in_progress": "inprogress", "pending": "wait",
             "resolved": "resolved", "closed": "closed"}  # fmt: skip
    can = Desk.can | {"spoil"}

    def __init__(self) -> None:
        super().__init__()
        self.odd = False

    def new_id(self) -> str:
        return f"serviceCall${self.number()}"

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if asked.query.get("accessKey") == self.secrets["key"]:
            return None
        return Answer(401, {"content-type": "text/plain"}, b"Access key is not valid")

    def listed(self, found: list[dict]) -> Answer:
        """An array this time, an envelope the next."""
        self.odd = not self.odd
        return made(200, found if self.odd else {"value": found})

    @route("GET", r"/sd/services/rest/get/employee\$5")
    def employee(self, asked: Asked) -> Answer:
        return made(200, {"UUID": "employee$5", "title": "Hub"})

    @route("GET", r"/sd/services/rest/get/(serviceCall\$\d+)")
    def show(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        return made(200, {
            "UUID": it.id, "number": it.id.split("$")[1], "shortDescr": it.title,
            "descriptionRTF": it.text, "state": it.status, "client": {"UUID": "employee$9"},
            "creationDate": "вчера" if it.spoiled else stamp(it.created),
            "lastModifiedDate": stamp(it.updated), "sourceMesId": it.fields.get("sourceMesId"),
        })  # fmt: skip

    @route("POST", "/sd/services/rest/find/serviceCall")
    def calls(self, asked: Asked) -> Answer:
        said, found = asked.json, self.alive()
        if "sourceMesId" in said:
            found = [one for one in found if one.fields.get("sourceMesId") == said["sourceMesId"]]
        rows = [{"UUID": one.id, "lastModifiedDate": stamp(one.updated), "remarks": one.version,
                 "sourceMesId": one.fields.get("sourceMesId")} for one in found]  # fmt: skip
        return self.listed(rows) if "sourceMesId" in said else made(200, rows)

    def person(self, by: str) -> dict:
        return {"UUID": "employee$5" if by == "hub" else "employee$6", "title": by}

    @route("POST", "/sd/services/rest/find/comment")
    def comments(self, asked: Asked) -> Answer:
        it = self.there(asked.json["source"])
        return self.listed([
            {"UUID": f"comment${one.id}", "text": one.text, "author": self.person(one.by),
             "creationDate": stamp(one.at), "private": not one.public} for one in it.remarks
        ])  # fmt: skip

    @route("POST", "/sd/services/rest/find/file")
    def files(self, asked: Asked) -> Answer:
        it = self.there(asked.json["source"])
        return self.listed([
            {"UUID": f"file${one.id}", "title": one.name, "fileSize": len(one.content),
             "mimeType": one.type, "author": self.person(one.by)} for one in it.files
        ])  # fmt: skip

    @route("GET", r"/sd/services/rest/get-file/file\$(\d+)")
    def bytes(self, asked: Asked) -> Answer:
        return Answer(200, {}, self.file(asked.match[1]).content)

    @route("POST", r"/sd/services/rest/create-m2m/serviceCall\$serviceCall")
    def create(self, asked: Asked) -> Answer:
        said = asked.json
        if said.get("agreement") != "agreement$1":
            raise No(500, {"message": "agreement"})
        it = self.add(said["shortDescr"], said["descriptionRTF"], "hub")
        it.fields["sourceMesId"] = said["sourceMesId"]
        return made(200, {"UUID": it.id, "number": it.id.split("$")[1]})

    @route("POST", "/sd/services/rest/create-m2m/comment")
    def say(self, asked: Asked) -> Answer:
        said = asked.json
        one = self.remark(self.there(said["source"]), said["text"], not said["private"], "hub")
        return made(200, {"UUID": f"comment${one.id}"})

    @route("POST", r"/sd/services/rest/add-file/(serviceCall\$\d+)")
    def attach(self, asked: Asked) -> Answer:
        name, content, kind = asked.parts["file"]
        self.put(self.there(asked.match[1]), name, content, "hub", kind)
        return Answer(200, {"content-type": "text/plain"}, b"")

    @route("POST", r"/sd/services/rest/edit-m2m/(serviceCall\$\d+)")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        if said.get("state", "closed") not in STATES:
            raise No(500, {"message": "state"})
        self.set(it, said.get("state", it.status), "hub")
        return made(200, {"UUID": it.id})

    async def seen(self, ticket: str) -> Seen:
        seen = await super().seen(ticket)
        plain = [(_plain(text), public) for text, public in seen.comments]
        return Seen(tuple(plain), seen.files, seen.status)


def _plain(text: str) -> str:
    return html.unescape(text.replace("<br>", "\n"))
