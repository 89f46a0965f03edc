"""Request Tracker 5's REST 2 as it was seen: errors as 200, everything is a transaction."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime

from connectors.conformance import Seen
from connectors.contract import Answer, Call
from tests.connectors.simulators.desk import (
    Asked,
    Attached,
    Desk,
    No,
    Remark,
    Ticket,
    coded,
    iso,
    made,
    route,
)

STATUSES = ("new", "open", "stalled", "resolved", "rejected", "deleted", "quarantine")


@dataclass
class Transaction:
    id: int
    ticket: str
    type: str
    by: str
    at: datetime
    about: int


class RequestTracker(Desk):
    name = "request-tracker"
    base = "https://rt.example"
    secrets = {"token": "1-31-0123456789abcdef0123456789abcdef", "webhook": "rt-shared-secret"}
    settings = {"queue": "Support", "user": "hub", "marker_field": "HubId"}
    words = {"new": "new", "in_progress": "open", "pending": "stalled", "resolved": "resolved",
             "cancelled": "rejected"}  # fmt: skip
    can = Desk.can | {"merge", "spoil", "hook", "signed"}

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Transaction] = []
        self.bodies: dict[int, str] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if asked.headers.get("authorization") == f"token {self.secrets['token']}":
            return None
        return made(401, {"message": "Unauthorized"})

    def touched(self, ticket: Ticket, kind: str, by: str, about: int = 0) -> None:
        super().touched(ticket, kind, by, about)
        now = self.second()
        self.log.append(Transaction(self.number(), ticket.id, kind, by, now, about))
        if kind in ("Create", "Correspond"):  # the notification RT sends, recorded with its body
            mail = self.number()
            self.log.append(Transaction(mail, ticket.id, "EmailRecord", "RT_System", now, 0))

    @route("GET", "/REST/2.0/rt")
    def version(self, asked: Asked) -> Answer:
        return made(200, {"Version": "5.0.3"})

    @route("GET", "/REST/2.0/user/hub")
    def user(self, asked: Asked) -> Answer:
        return made(200, {"Name": "hub", "id": "hub"})

    @route("GET", "/REST/2.0/queue/Support")
    def queue(self, asked: Asked) -> Answer:
        return made(200, {"id": 3, "Name": "Support"})

    def page(self, asked: Asked, found: list) -> Answer:
        size = min(int(asked.query.get("per_page", 20)), 100)
        page = int(asked.query.get("page", 1))
        items = found[(page - 1) * size : page * size]
        return made(200, {"items": items, "page": page, "per_page": size, "count": len(items),
                          "total": None, "pages": None})  # fmt: skip

    @route("GET", "/REST/2.0/transactions")
    def transactions(self, asked: Asked) -> Answer:
        since = int(
            re.fullmatch(r"TicketQueue = 'Support' AND id > (\d+)", asked.query["query"])[1]
        )
        found = [one for one in self.log if one.id > since]
        found.sort(key=lambda one: one.id, reverse=asked.query.get("order") == "DESC")
        return self.page(asked, [
            {"id": str(one.id), "Type": one.type, "ObjectId": one.ticket, "type": "transaction",
             "ObjectType": "RT::Ticket", "Creator": {"id": one.by, "type": "user"}}
            for one in found
        ])  # fmt: skip

    @route("GET", "/REST/2.0/tickets")
    def tickets_by(self, asked: Asked) -> Answer:
        query = asked.query["query"]
        if marker := re.fullmatch(r"CF\.\{HubId\} = '([^']*)'", query):
            found = [one for one in self.alive() if one.fields.get("HubId") == marker[1]]
        elif "__Active__" in query:
            found = [one for one in self.alive() if one.status in ("new", "open", "stalled")]
        else:
            raise No(400, {"message": "Unknown field"})
        return self.page(asked, [{"id": one.id, "type": "ticket"} for one in found])

    @route("GET", r"/REST/2.0/ticket/(\d+)")
    def show(self, asked: Asked) -> Answer:
        it = self.tickets.get(asked.match[1])
        if it is None:
            raise No(404, {"message": "Not Found"})
        it = self.tickets[it.merged] if it.merged else it
        fields = [{"id": "2", "name": "HubId", "type": "customfield",
                   "values": [it.fields["HubId"]] if "HubId" in it.fields else []}]  # fmt: skip
        queue = {"type": "queue", "id": "3"}
        if asked.query.get("fields[Queue]") == "Name":
            queue["Name"] = it.fields.get("Queue", "Support")
        return made(200, {
            "Queue": queue,
            "id": int(it.id), "Subject": it.title, "Status": "deleted" if it.deleted else it.status,
            "EffectiveId": {"id": it.id}, "Requestor": [{"id": it.by}],
            "Created": "вчера" if it.spoiled else iso(it.created), "LastUpdated": iso(it.updated),
            "CustomFields": fields, "Creator": {"id": it.by},
        })  # fmt: skip

    @route("GET", r"/REST/2.0/ticket/(\d+)/history")
    def history(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        return self.page(asked, [
            {"id": str(one.id), "Type": one.type, "Created": iso(one.at), "Content": "",
             "Creator": {"id": one.by}, "type": "transaction"}
            for one in self.log if one.ticket == it.id
        ])  # fmt: skip

    def texts(self, it: Ticket) -> list[tuple[int, str]]:
        """Transaction and body, notifications among them."""
        remarks = {one.id: one.text for one in it.remarks}
        found = []
        for one in self.log:
            if one.ticket == it.id and one.type in ("Create", "Correspond", "Comment"):
                found.append((one.id, it.text if one.type == "Create" else remarks[one.about]))
            elif one.ticket == it.id and one.type == "EmailRecord":
                found.append((one.id, "Уведомление: это письмо послал RT"))
        return found

    def transaction_of(self, about: int) -> str:
        return str(next(one.id for one in self.log if one.about == about))

    @route("GET", r"/REST/2.0/ticket/(\d+)/attachments")
    def attachments(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        found = [
            {"id": str(10**6 + number), "Filename": "", "ContentType": "text/plain",
             "TransactionId": str(number)}
            for number, _ in self.texts(it)
        ]  # fmt: skip
        for remark in it.remarks:
            found += [
                {"id": str(one.id), "Filename": one.name, "ContentType": one.type,
                 "TransactionId": self.transaction_of(remark.id)}
                for one in remark.files
            ]  # fmt: skip
        return self.page(asked, found)

    @route("GET", r"/REST/2.0/attachment/(\d+)")
    def attachment(self, asked: Asked) -> Answer:
        number = int(asked.match[1])
        for it in self.tickets.values():
            for transaction, text in self.texts(it):
                if transaction == number - 10**6:
                    return made(200, {"id": number, "Content": coded(text.encode())})
        return made(200, {"id": number, "Content": coded(self.file(number).content)})

    @route("POST", "/REST/2.0/ticket")
    def create(self, asked: Asked) -> Answer:
        said = asked.json
        if said["Queue"] != "Support":
            raise No(403, {"message": "No permission to create tickets in the queue"})
        it = self.add(said["Subject"], said.get("Content", ""), "hub")
        it.status = said.get("Status", "new")
        if "HubId" in said.get("CustomFields", {}):  # any other is ignored without a word
            it.fields["HubId"] = said["CustomFields"]["HubId"]
        return made(201, {"id": it.id, "type": "ticket"})

    @route("POST", r"/REST/2.0/ticket/(\d+)/(correspond|comment)")
    def say(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        said = json.loads(asked.parts["JSON"]) if asked.parts else asked.json
        if "ContentType" not in said:
            raise No(400, {"message": "ContentType is a required field for application/json"})
        remark = Remark(self.number(), said["Content"], asked.match[2] == "correspond", "hub",
                        self.second())  # fmt: skip
        if "Attachments" in asked.parts:
            name, content, kind = asked.parts["Attachments"]
            file = Attached(self.number(), name, content, kind, "hub", self.second())
            remark.files.append(file)
        it.remarks.append(remark)
        self.touched(it, "Correspond" if remark.public else "Comment", "hub", remark.id)
        self.woken(it, remark)
        return made(201, ["Correspondence added"])

    def woken(self, it: Ticket, remark: Remark) -> None:
        """RT does this by itself, whoever replies: a new ticket is open, an ended one is again."""
        if remark.public and it.status in ("new", "resolved", "rejected"):
            self.set(it, "open", "RT_System")

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        it = self.tickets[ticket]
        remark = self.remark(it, text, public, "petr")
        if it.status != "new":  # petr asked: his own words do not open what he waits for
            self.woken(it, remark)

    @route("PUT", r"/REST/2.0/ticket/(\d+)")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        told = []
        if "Status" in said:
            if said["Status"] in STATUSES[:5]:
                self.set(it, said["Status"], "hub")
            else:
                told.append("That isn't a valid status for this ticket.")
        it.title = said.get("Subject", it.title)
        return made(200, told)

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        it = self.tickets[ticket]
        remark = Remark(self.number(), "", True, "petr", self.second())
        kind = "application/octet-stream"
        remark.files.append(Attached(self.number(), name, content, kind, "petr", self.second()))
        it.remarks.append(remark)
        self.touched(it, "Correspond", "petr", remark.id)

    async def seen(self, ticket: str) -> Seen:
        seen = await super().seen(ticket)
        texts = tuple(one for one in seen.comments if one[0] != "схема.bin")
        return Seen(texts, seen.files, seen.status)

    async def hook(self, ticket: str) -> Call:
        body = json.dumps({"ticket": int(ticket), "transaction": 71, "type": "Status"}).encode()
        digest = hmac.new(self.secrets["webhook"].encode(), body, hashlib.sha256).hexdigest()
        return Call("POST", {"x-hub-signature-256": f"sha256={digest}"}, {}, body)
