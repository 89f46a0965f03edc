"""Znuny's GenericTicketConnectorREST as documented: sessions, errors inside of good answers."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from connectors.contract import Answer
from tests.connectors.simulators.desk import (
    Asked,
    Attached,
    Desk,
    Remark,
    Ticket,
    coded,
    made,
    route,
)

STATES = ("new", "open", "pending reminder", "closed successful", "closed unsuccessful")


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def error(code: str) -> Answer:
    return made(200, {"Error": {"ErrorCode": code, "ErrorMessage": code}})


class Znuny(Desk):
    name = "znuny"
    base = "https://otrs.example/otrs/nph-genericinterface.pl/Webservice/GenericTicketConnectorREST"
    secrets = {"password": "znuny-password-1"}
    settings = {"user": "hub", "user_id": 12, "queue": "Support", "customer": "hub@exchange.example",
                "zone": "UTC"}  # fmt: skip
    words = {"new": "new", "in_progress": "open", "pending": "pending reminder",
             "resolved": "closed successful", "cancelled": "closed unsuccessful"}  # fmt: skip
    can = Desk.can | {"spoil"}

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, int] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if path == "/Session":
            return None
        session = asked.query.get("SessionID", "")
        left = self.sessions.get(session, 0)
        self.sessions[session] = left - 1
        return None if left > 0 else error("TicketGet.AuthFail")  # with status 200

    @route("POST", "/Session")
    def login(self, asked: Asked) -> Answer:
        if asked.json != {"UserLogin": "hub", "Password": self.secrets["password"]}:
            return error("SessionCreate.AuthFail")
        session = f"session-{self.number()}-0123456789"
        self.sessions[session] = 11
        return made(200, {"SessionID": session})

    def add(self, title: str, text: str, by: str, **more: object) -> Ticket:
        it = super().add(title, text, by, **more)
        it.remarks.append(Remark(self.number(), text, True, by, self.second(), kind="first"))
        return it

    @route("GET", "/Ticket")
    def search(self, asked: Asked) -> Answer:
        found = self.alive()
        if since := asked.query.get("TicketLastChangeTimeNewerDate"):
            start = datetime.strptime(since, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            found = [one for one in found if one.updated >= start]
        if marker := asked.query.get("DynamicField_HubId"):
            wanted = json.loads(marker)["Equals"]
            found = [one for one in found if one.fields.get("HubId") == wanted]
        ids = [one.id for one in found][: int(asked.query.get("Limit", 500))]
        return made(200, {"TicketID": ids} if ids else {})

    @route("GET", r"/Ticket/(\d+)")
    def show(self, asked: Asked) -> Answer:
        it = self.tickets.get(asked.match[1])
        if it is None or it.deleted:
            return error("TicketGet.AccessDenied")
        contents = asked.query.get("GetAttachmentContents") == "1"
        return made(200, {"Ticket": [{
            "TicketID": it.id, "TicketNumber": f"20261122{it.id}", "Title": it.title,
            "State": it.status, "Priority": "3 normal", "CustomerUserID": "ivan@customer.example",
            "Created": "вчера" if it.spoiled else stamp(it.created), "Changed": stamp(it.updated),
            "DynamicField": [{"Name": "HubId", "Value": it.fields.get("HubId")}],
            "Article": [self.article(one, contents) for one in it.remarks],
        }]})  # fmt: skip

    def article(self, one: Remark, contents: bool) -> dict:
        shown = {
            "ArticleID": str(one.id), "Body": one.text, "CreateTime": stamp(one.at),
            "CreateBy": "12" if one.by == "hub" else "13", "From": one.by,
            "IsVisibleForCustomer": "1" if one.public else "0",
        }  # fmt: skip
        if one.files:
            shown["Attachment"] = [
                {"FileID": str(place), "Filename": file.name, "ContentType": file.type,
                 "FilesizeRaw": str(len(file.content)),
                 **({"Content": coded(file.content)} if contents else {})}
                for place, file in enumerate(one.files, 1)
            ]  # fmt: skip
        return shown

    @route("POST", "/Ticket")
    def create(self, asked: Asked) -> Answer:
        said = asked.json
        it = self.add(said["Ticket"]["Title"], said["Article"]["Body"], "hub")
        it.status = said["Ticket"]["State"]
        for one in said.get("DynamicField", []):
            it.fields[one["Name"]] = one["Value"]
        return made(200, {"TicketID": it.id, "TicketNumber": f"20261122{it.id}"})

    @route("PATCH", r"/Ticket/(\d+)")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        ticket = said.get("Ticket", {})
        if "State" in ticket:
            if ticket["State"] not in STATES:
                return error("TicketUpdate.InvalidParameter")
            if ticket["State"].startswith("pending") and "PendingTime" not in ticket:
                return error("TicketUpdate.MissingParameter")
            self.set(it, ticket["State"], "hub")
        if article := said.get("Article"):
            public = bool(article["IsVisibleForCustomer"])
            one = self.remark(it, article["Body"], public, "hub")
            for file in said.get("Attachment", []):
                content = base64.b64decode(file["Content"])
                kind, name = file["ContentType"], file["Filename"]
                one.files.append(Attached(self.number(), name, content, kind, "hub", self.second()))
        return made(200, {"TicketID": it.id})

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        one = self.remark(self.tickets[ticket], "файл", True, "petr")
        kind = "application/octet-stream"
        one.files.append(Attached(self.number(), name, content, kind, "petr", self.second()))
