"""Roundup 2.6's REST API as it was seen: strict, ETags on every write, own date format."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from connectors.contract import Answer
from tests.connectors.simulators.desk import Asked, Attached, Desk, No, Remark, Ticket, made, route

STATUSES = ("unread", "deferred", "chatting", "need-eg", "in-progress", "testing", "done-cbb",
            "resolved", "quarantine")  # fmt: skip
USERS = {"hub": "3", "petr": "4"}


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d.%H:%M:%S")


class Roundup(Desk):
    name = "roundup"
    base = "https://roundup.example/desk"
    secrets = {"password": "hub-password-1"}
    settings = {"user": "hub", "origin": "https://roundup.example"}
    first_status = "unread"
    words = {"new": "unread", "open": "chatting", "in_progress": "in-progress",
             "pending": "deferred", "resolved": "resolved", "closed": "done-cbb"}  # fmt: skip
    can = frozenset({"reply", "move", "strange", "file", "delete", "merge", "spoil"})

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, Remark] = {}
        self.loose: dict[str, Attached] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        pair = base64.b64encode(f"hub:{self.secrets['password']}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {pair}":
            return Answer(401, {"content-type": "text/html"}, b"Invalid Login - Invalid login")
        if asked.method != "GET" and "x-requested-with" not in asked.headers:
            return made(400, {"error": {"status": 400, "msg": "Required Header Missing"}})
        return None

    def add(self, title: str, text: str, by: str, **more: object) -> Ticket:
        it = super().add(title, text, by, **more)
        if text:
            message = Remark(self.number(), text, True, by, self.second())
            self.messages[str(message.id)] = message
            it.remarks.append(message)
        return it

    def remark(self, ticket: Ticket, text: str, public: bool, by: str, **more: object) -> Remark:
        remark = super().remark(ticket, text, public, by, **more)
        self.messages[str(remark.id)] = remark
        self.woken(ticket)
        return remark

    def woken(self, it: Ticket) -> None:
        """Linking a message does this, whoever wrote it."""
        if it.status in ("unread", "resolved", "done-cbb"):
            it.status = "chatting"

    def page(self, asked: Asked, found: list[dict]) -> Answer:
        size = int(asked.query.get("@page_size", 10**6))
        index = int(asked.query.get("@page_index", 1))
        page = found[(index - 1) * size : index * size]
        return made(200, {"data": {"collection": page, "@total_size": len(found)}})

    @route("GET", "/rest/data/user")
    def users(self, asked: Asked) -> Answer:
        name = asked.query["username:"].removeprefix("=")
        return self.page(asked, [{"id": USERS[name], "username": name}])

    @route("GET", "/rest/data/issue")
    def index(self, asked: Asked) -> Answer:
        found = self.alive()
        if since := asked.query.get("activity"):
            start = datetime.strptime(since.rstrip(";"), "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC)
            found = [one for one in found if one.updated >= start]
        if marker := asked.query.get("hub_id:"):
            exact = marker.removeprefix("=")
            found = [one for one in found if one.fields.get("hub_id") == exact]
        if status := asked.query.get("status"):
            found = [one for one in found if one.status in status.split(",")]
        found.sort(key=lambda one: (one.updated, int(one.id)))
        listed = [{"id": one.id, "activity": stamp(one.updated)} for one in found]
        return self.page(asked, listed)

    def etag(self, it: Ticket) -> str:
        return f'"{it.version}-{len(it.remarks)}-{len(it.files)}"'

    @route("GET", r"/rest/data/issue/(\d+)")
    def show(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        creation = "вчера" if it.spoiled else stamp(it.created)
        return made(200, {"data": {"id": it.id, "type": "issue", "@etag": self.etag(it),
            "attributes": {
                "title": it.title, "status": {"id": "1", "name": it.status},
                "priority": {"id": "3", "name": it.fields.get("priority", "bug")},
                "messages": [{"id": str(one.id)} for one in it.remarks],
                "files": [{"id": str(one.id)} for one in it.files],
                "hub_id": it.fields.get("hub_id"), "activity": stamp(it.updated),
                "creation": creation, "creator": {"id": USERS[it.by], "username": it.by},
                "superseder": [{"id": it.merged}] if it.merged else [],
            }}})  # fmt: skip

    @route("GET", r"/rest/data/msg/(\d+)")
    def message(self, asked: Asked) -> Answer:
        one = self.messages[asked.match[1]]
        content = one.text.replace("\n", "\r\n")
        if asked.query.get("@verbose") != "3":  # only the very verbose hear the text itself
            content = {"link": f"{self.base}/msg{one.id}/"}
        author = {"id": USERS[one.by], "username": one.by} if one.by else None
        return made(200, {"data": {"id": str(one.id), "attributes": {
            "author": author, "date": stamp(one.at), "creation": stamp(one.at),
            "content": content,
        }}})  # fmt: skip

    def any_file(self, number: str) -> Attached:
        return self.loose[number] if number in self.loose else self.file(number)

    @route("GET", r"/rest/data/file/(\d+)")
    def file_meta(self, asked: Asked) -> Answer:
        one = self.any_file(asked.match[1])
        return made(200, {"data": {"id": str(one.id), "attributes": {
            "name": one.name, "type": one.type, "creator": {"id": USERS[one.by]}}}})  # fmt: skip

    @route("GET", r"/rest/data/file/(\d+)/binary_content")
    def file_bytes(self, asked: Asked) -> Answer:
        if "octet-stream" not in asked.headers.get("accept", ""):
            return made(200, {"data": {"id": asked.match[1]}})
        return Answer(200, {}, self.any_file(asked.match[1]).content)

    @route("POST", "/rest/data/msg")
    def new_message(self, asked: Asked) -> Answer:
        said = asked.json
        by = next((name for name, one in USERS.items() if one == said.get("author")), "")
        one = Remark(self.number(), said["content"], True, by, self.second())
        self.messages[str(one.id)] = one
        return made(201, {"data": {"id": str(one.id)}})

    @route("POST", "/rest/data/file")
    def new_file(self, asked: Asked) -> Answer:
        _, content, _ = asked.parts["content"]
        one = Attached(self.number(), asked.parts["name"], content, asked.parts["type"], "hub",
                       self.second())  # fmt: skip
        self.loose[str(one.id)] = one
        return made(201, {"data": {"id": str(one.id)}})

    @route("POST", "/rest/data/issue")
    def create(self, asked: Asked) -> Answer:
        said = asked.json
        self.known(said)
        it = self.add(said["title"], "", "hub")
        it.status = said.get("status", "unread")
        it.fields = {"hub_id": said.get("hub_id"), "priority": said.get("priority", "bug")}
        it.remarks += [self.messages[one] for one in said.get("messages", [])]
        return made(201, {"data": {"id": it.id}})

    def known(self, said: dict) -> None:
        if "status" in said and said["status"] not in STATUSES[:8]:
            raise No(400, {"error": {"status": 400, "msg": "is not a status."}})

    @route("PATCH", r"/rest/data/issue/(\d+)")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        if asked.headers.get("if-match") != self.etag(it):
            raise No(412, {"error": {"status": 412, "msg": "If-Match is missing"}})
        self.known(said)
        if said.get("@op") == "add":
            for number in said.get("messages", []):
                it.remarks.append(self.messages[number])
                self.woken(it)
            it.files += [self.loose.pop(one) for one in said.get("files", [])]
            self.touched(it, "Add", "hub")
        elif "status" in said:
            self.set(it, said["status"], "hub")
        it.title = said.get("title", it.title)
        return made(200, {"data": {"id": it.id}})
