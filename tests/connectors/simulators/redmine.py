"""Redmine 5.0's REST API as it was seen (shared notes, A2): silent about most of our mistakes."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from connectors.contract import Answer
from tests.connectors.simulators.desk import Asked, Attached, Desk, No, Ticket, iso, made, route

STATUSES = {"1": "New", "2": "In Progress", "3": "Resolved", "4": "Feedback", "5": "Closed",
            "6": "Rejected", "99": "Quarantine"}  # fmt: skip
CLOSED = {"5", "6"}


class Redmine(Desk):
    name = "redmine"
    base = "https://redmine.example"
    secrets = {"api_key": "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"}
    settings = {"project": "support", "tracker_id": 3, "marker_field": 1}
    first_status = "1"
    words = {"new": "1", "in_progress": "2", "resolved": "3", "pending": "4", "closed": "5",
             "cancelled": "6"}  # fmt: skip
    strange_status = "99"
    can = Desk.can | {"spoil"}

    def __init__(self) -> None:
        super().__init__()
        self.uploads: dict[str, bytes] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if asked.headers.get("x-redmine-api-key") == self.secrets["api_key"]:
            return None
        if path == "/users/current.json":
            return made(401)
        # A wrong key is an anonymous visitor, who sees an empty desk.
        if path == "/issues.json" and asked.method == "GET":
            return made(200, {"issues": [], "total_count": 0, "offset": 0, "limit": 25})
        return made(404)

    @route("GET", "/users/current.json")
    def me(self, asked: Asked) -> Answer:
        return made(200, {"user": {"id": 5, "login": "hub"}})

    @route("GET", "/projects/support.json")
    def project(self, asked: Asked) -> Answer:
        return made(200, {"project": {"id": 1, "identifier": "support"}})

    @route("GET", "/issue_statuses.json")
    def statuses(self, asked: Asked) -> Answer:
        listed = [{"id": int(one), "name": name} for one, name in STATUSES.items()]
        return made(200, {"issue_statuses": listed})

    @route("GET", "/issues.json")
    def index(self, asked: Asked) -> Answer:
        found = self.alive()
        if asked.query.get("status_id", "open") == "open":
            found = [one for one in found if one.status not in CLOSED]
        if marker := asked.query.get("cf_1"):
            found = [one for one in found if one.fields.get("HubId") == marker]
        if since := asked.query.get("updated_on"):
            if not since.endswith("Z"):
                raise No(422, {"errors": ["Updated is invalid"]})
            start = datetime.fromisoformat(since.removeprefix(">="))
            found = [one for one in found if one.updated >= start]
        if asked.query.get("sort", "").startswith("updated_on"):
            found.sort(key=lambda one: (one.updated, int(one.id)))
        limit = min(int(asked.query.get("limit", 25)), 100)
        offset = int(asked.query.get("offset", 0))
        page = [self.issue(one) for one in found[offset : offset + limit]]
        return made(
            200, {"issues": page, "total_count": len(found), "offset": offset, "limit": limit}
        )

    def issue(self, it: Ticket) -> dict:
        return {
            "id": int(it.id), "project": {"id": 1, "name": "Support"},
            "status": {"id": int(it.status), "name": STATUSES[it.status]},
            "priority": {"id": it.priority, "name": "x"},
            "author": {"id": 5 if it.by == "hub" else 6, "name": it.by},
            "subject": it.title, "description": it.text,
            "custom_fields": [{"id": 1, "name": "HubId", "value": it.fields.get("HubId", "")}],
            "created_on": iso(it.created), "updated_on": iso(it.updated),
        }  # fmt: skip

    @route("GET", r"/issues/(\d+).json")
    def show(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        if it.spoiled:
            return made(200, {"issue": {**self.issue(it), "created_on": "вчера"}})
        return made(200, {"issue": {
            **self.issue(it),
            "attachments": [self.attachment(one) for one in it.files],
            "allowed_statuses": [{"id": int(one), "name": name} for one, name in STATUSES.items()],
            "journals": [
                {"id": one.id, "user": {"id": 5 if one.by == "hub" else 6, "name": one.by},
                 "notes": one.text, "private_notes": not one.public, "created_on": iso(one.at),
                 "details": []}
                for one in it.remarks
            ],
        }})  # fmt: skip

    def attachment(self, one: Attached) -> dict:
        return {
            "id": one.id, "filename": one.name, "filesize": len(one.content),
            "content_type": one.type, "author": {"id": 5 if one.by == "hub" else 6},
            "content_url": f"{self.base}/attachments/download/{one.id}/{quote(one.name)}",
        }  # fmt: skip

    @route("GET", r"/attachments/download/(\d+)/.*")
    def bytes(self, asked: Asked) -> Answer:
        one = self.file(asked.match[1])
        return Answer(200, {"content-type": one.type}, one.content)

    @route("POST", "/issues.json")
    def create(self, asked: Asked) -> Answer:
        said = asked.json["issue"]
        if not said.get("subject") or len(said["subject"]) > 255:
            raise No(422, {"errors": ["Subject cannot be blank"]})
        it = self.add(said["subject"], said.get("description", ""), "hub")
        it.priority = int(said.get("priority_id") or 2)
        self.custom(it, said)
        return made(201, {"issue": self.issue(it)})

    def custom(self, it: Ticket, said: dict) -> None:
        for one in said.get("custom_fields", []):
            if one["id"] == 1:  # any other is ignored without a word
                it.fields["HubId"] = one["value"]

    @route("PUT", r"/issues/(\d+).json")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json["issue"]
        for upload in said.get("uploads", []):
            content = self.uploads.pop(upload["token"], None)
            if content is None:
                raise No(422, {"errors": ["1 file(s) could not be saved."]})
            self.put(it, upload["filename"], content, "hub", upload["content_type"])
        if said.get("notes"):
            self.remark(it, said["notes"], not said.get("private_notes"), "hub")
        if str(said.get("status_id")) in STATUSES:  # any other: 204 and nothing done
            self.set(it, str(said["status_id"]), "hub")
        it.title = said.get("subject", it.title)
        self.custom(it, said)
        return made(204)

    @route("POST", "/uploads.json")
    def upload(self, asked: Asked) -> Answer:
        if asked.headers.get("content-type") != "application/octet-stream":
            raise No(400)
        token = f"{self.number()}.abcdef"
        self.uploads[token] = asked.raw
        return made(201, {"upload": {"id": 1, "token": token}})
