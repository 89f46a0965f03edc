"""Okdesk's API as documented: the token in every address, lists without an envelope."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.contract import Answer, Call
from tests.connectors.simulators.desk import Asked, Attached, Desk, No, Ticket, made, route

ZONE = ZoneInfo("Europe/Moscow")


def stamp(at: datetime) -> str:
    return at.astimezone(ZONE).isoformat(timespec="milliseconds")


class Okdesk(Desk):
    name = "okdesk"
    base = "https://company.okdesk.ru"
    secrets = {"token": "0123456789abcdef-okdesk"}
    settings = {"user": 5}
    first_status = "opened"
    words = {"new": "opened", "in_progress": "in_progress", "pending": "delayed",
             "resolved": "completed", "closed": "closed"}  # fmt: skip
    can = Desk.can | {"spoil", "hook"}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if asked.query.get("api_token") == self.secrets["token"]:
            return None
        return made(401, {"errors": "Неверный токен"})

    @route("GET", "/api/v1/issues/statuses")
    def statuses(self, asked: Asked) -> Answer:
        return made(200, [{"code": one} for one in self.words.values()])

    def shown(self, it: Ticket) -> dict:
        return {
            "id": int(it.id), "title": it.title, "description": it.text,
            "status": {"code": it.status}, "priority": {"code": "normal"},
            "contact": {"id": 7, "name": "Иван"},
            "created_at": "вчера" if it.spoiled else stamp(it.created),
            "updated_at": stamp(it.updated),
            "parameters": [{"code": "hub_id", "value": it.fields.get("hub_id")}],
        }  # fmt: skip

    @route("GET", "/api/v1/issues/list")
    def index(self, asked: Asked) -> Answer:
        found = self.alive()
        if since := asked.query.get("updated_since[from]"):
            start = datetime.strptime(since, "%d-%m-%Y %H:%M").replace(tzinfo=ZONE)
            found = [one for one in found if one.updated >= start]
        if marker := asked.query.get("custom_parameters[hub_id]"):
            found = [one for one in found if one.fields.get("hub_id") == marker]
        found.sort(key=lambda one: (one.updated, int(one.id)))
        size, page = int(asked.query.get("page[size]", 10)), int(asked.query.get("page[number]", 1))
        listed = [self.shown(one) for one in found[(page - 1) * size : page * size]]
        for one, it in zip(listed, found[(page - 1) * size :], strict=False):
            one["created_at"] = stamp(it.created)
        return made(200, listed)

    @route("GET", r"/api/v1/issues/(\d+)")
    def show(self, asked: Asked) -> Answer:
        return made(200, self.shown(self.there(asked.match[1])))

    @route("GET", r"/api/v1/issues/(\d+)/comments")
    def comments(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        return made(200, [
            {"id": one.id, "content": one.text, "public": one.public, "published_at": stamp(one.at),
             "author": {"id": 5 if one.by == "hub" else 6, "name": one.by, "type": "employee"},
             "attachments": [
                 {"id": file.id, "attachment_file_name": file.name, "is_public": one.public,
                  "attachment_file_size": len(file.content),
                  "attachment_url": f"{self.base}/attachments/{file.id}"} for file in one.files]}
            for one in it.remarks
        ])  # fmt: skip

    @route("GET", r"/attachments/(\d+)")
    def bytes(self, asked: Asked) -> Answer:
        return Answer(200, {}, self.file(asked.match[1]).content)

    @route("POST", "/api/v1/issues")
    def create(self, asked: Asked) -> Answer:
        said = asked.json["issue"]
        it = self.add(said["title"], said.get("description", ""), "hub")
        it.fields["hub_id"] = said["custom_parameters"]["hub_id"]
        return made(200, self.shown(it))

    @route("POST", r"/api/v1/issues/(\d+)/comments")
    def say(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        if asked.parts:
            public = asked.parts["comment[public]"] == "true"
            one = self.remark(it, asked.parts["comment[content]"], public, "hub")
            name, content, kind = asked.parts["comment[attachments][0][attachment]"]
            file = Attached(self.number(), name, content, kind, "hub", self.second())
            one.files.append(file)
        else:
            said = asked.json["comment"]
            one = self.remark(it, said["content"], said["public"], "hub")
        return made(200, {"id": one.id})

    @route("POST", r"/api/v1/issues/(\d+)/statuses")
    def go(self, asked: Asked) -> Answer:
        it, code = self.there(asked.match[1]), asked.json["code"]
        if code not in self.words.values():
            raise No(422, {"errors": {"code": ["неизвестен"]}})
        self.set(it, code, "hub")
        return made(200, self.shown(it))

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        one = self.remark(self.tickets[ticket], "файл", True, "petr")
        kind = "application/octet-stream"
        one.files.append(Attached(self.number(), name, content, kind, "petr", self.second()))

    async def hook(self, ticket: str) -> Call:
        body = json.dumps({"event": {"event_type": "new_comment"}, "issue": {"id": int(ticket)}})
        return Call("POST", {}, {}, body.encode())
