"""Jira Service Management as documented: minutes, own zones, a search that is late, transitions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.contract import Answer, Call
from tests.connectors.simulators.desk import Asked, Desk, No, Ticket, made, route

ZONE = ZoneInfo("Europe/Moscow")
NAMES = ("Waiting for support", "In progress", "Waiting for customer", "Resolved", "Closed",
         "Canceled")  # fmt: skip


def stamp(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S.000%z")


class Jira(Desk):
    name = "jira-service-management"
    base = "https://company.atlassian.net"
    secrets = {"token": "ATATT3xFfGF0_0123456789", "webhook": "jira-hook-secret"}
    settings = {"email": "hub@exchange.example", "zone": "Europe/Moscow", "project": "SUP",
                "service_desk": "4", "request_type": "11",
                "marker_field": "customfield_10042"}  # fmt: skip
    first_status = "Waiting for support"
    words = {"new": NAMES[0], "in_progress": NAMES[1], "pending": NAMES[2], "resolved": NAMES[3],
             "closed": NAMES[4], "cancelled": NAMES[5]}  # fmt: skip
    strange_status = "Quarantine"
    can = Desk.can | {"spoil", "hook", "signed"}
    late = timedelta(seconds=45)  # until the search sees what was written

    def __init__(self) -> None:
        super().__init__()
        self.temporary: dict[str, tuple[str, bytes, str]] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        pair = base64.b64encode(f"hub@exchange.example:{self.secrets['token']}".encode()).decode()
        if asked.headers.get("authorization") == f"Basic {pair}":
            return None
        return made(401, {"message": "Client must be authenticated to access this resource."})

    @route("GET", "/rest/api/2/myself")
    def me(self, asked: Asked) -> Answer:
        return made(200, {"accountId": "5b10ac8d82e05b22cc7d4ef5"})

    @route("GET", "/rest/api/2/project/SUP")
    def project(self, asked: Asked) -> Answer:
        return made(200, {"id": "10000", "key": "SUP"})

    def user(self, by: str) -> dict:
        known = "5b10ac8d82e05b22cc7d4ef5" if by == "hub" else f"acc-{by}"
        return {"accountId": known, "displayName": by}

    def shown(self, it: Ticket) -> dict:
        return {"id": it.id, "key": f"SUP-{it.id}", "fields": {
            "summary": it.title, "description": it.text, "status": {"name": it.status},
            "priority": {"name": "Medium"}, "reporter": self.user(it.by),
            "created": "вчера" if it.spoiled else stamp(it.created), "updated": stamp(it.updated),
            "customfield_10042": it.fields.get("marker")}}  # fmt: skip

    @route("GET", "/rest/api/3/search/jql")
    def search(self, asked: Asked) -> Answer:
        jql, found = asked.query["jql"], self.alive()
        late = self.clock.now() - self.late
        if since := re.search(r'updated >= "([^"]*)"', jql):
            start = datetime.strptime(since[1], "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
            found = [one for one in found if start <= one.updated <= late]
        elif marker := re.search(r'cf\[10042\] ~ "\\"([^"\\]*)\\""', jql):
            # A text search: finds those that begin alike, too.
            found = [one for one in found if (one.fields.get("marker") or "").startswith(marker[1])]
            found = [one for one in found if one.created <= late]
        elif "statusCategory" not in jql:
            raise No(400, {"errorMessages": ["Error in the JQL Query"]})
        found.sort(key=lambda one: (one.updated, int(one.id)))
        start = int(asked.query.get("nextPageToken", 0))
        size = int(asked.query.get("maxResults", 50))
        page = {"issues": [self.shown(one) for one in found[start : start + size]]}
        if start + size < len(found):
            page["nextPageToken"] = str(start + size)
        return made(200, page)

    @route("GET", r"/rest/api/2/issue/(\d+)")
    def show(self, asked: Asked) -> Answer:
        return made(200, self.shown(self.there(asked.match[1])))

    def values(self, asked: Asked, found: list[dict]) -> Answer:
        start, size = int(asked.query.get("start", 0)), min(int(asked.query.get("limit", 50)), 50)
        last = start + size >= len(found)
        return made(200, {"values": found[start : start + size], "isLastPage": last})

    @route("GET", r"/rest/servicedeskapi/request/(\d+)/comment")
    def comments(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        return self.values(asked, [
            {"id": str(one.id), "body": one.text, "public": one.public, "author": self.user(one.by),
             "created": {"iso8601": stamp(one.at)}} for one in it.remarks
        ])  # fmt: skip

    @route("GET", r"/rest/servicedeskapi/request/(\d+)/attachment")
    def attachments(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        return self.values(asked, [
            {"filename": one.name, "size": len(one.content), "mimeType": one.type,
             "author": self.user(one.by), "_links": {
                 "jiraRest": f"{self.base}/rest/api/2/attachment/{one.id}",
                 "content": f"{self.base}/rest/api/2/attachment/content/{one.id}"}}
            for one in it.files
        ])  # fmt: skip

    @route("GET", r"/rest/api/2/attachment/content/(\d+)")
    def bytes(self, asked: Asked) -> Answer:
        return Answer(200, {}, self.file(asked.match[1]).content)

    @route("POST", "/rest/servicedeskapi/request")
    def create(self, asked: Asked) -> Answer:
        said = asked.json["requestFieldValues"]
        it = self.add(said["summary"], said.get("description", ""), "hub")
        it.fields["marker"] = said.get("customfield_10042")
        return made(201, {"issueId": it.id, "issueKey": f"SUP-{it.id}"})

    @route("POST", r"/rest/servicedeskapi/request/(\d+)/comment")
    def say(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        one = self.remark(it, said["body"], said["public"], "hub")
        return made(201, {"id": str(one.id)})

    @route("POST", "/rest/servicedeskapi/servicedesk/4/attachTemporaryFile")
    def temporary_file(self, asked: Asked) -> Answer:
        if asked.headers.get("x-atlassian-token") != "no-check":
            raise No(403, "XSRF check failed")
        token = f"temp{self.number()}"
        self.temporary[token] = asked.parts["file"]
        return made(201, {"temporaryAttachments": [{"temporaryAttachmentId": token}]})

    @route("POST", r"/rest/servicedeskapi/request/(\d+)/attachment")
    def attach(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        for token in asked.json["temporaryAttachmentIds"]:
            name, content, kind = self.temporary.pop(token)
            self.put(it, name, content, "hub", kind)
        return made(201, {})

    @route("GET", r"/rest/api/2/issue/(\d+)/transitions")
    def ways(self, asked: Asked) -> Answer:
        self.there(asked.match[1])
        ways = [{"id": str(n), "name": f"To {one}", "to": {"name": one}}
                for n, one in enumerate(NAMES, 11)]  # fmt: skip
        return made(200, {"transitions": ways})

    @route("POST", r"/rest/api/2/issue/(\d+)/transitions")
    def go(self, asked: Asked) -> Answer:
        it = self.there(asked.match[1])
        self.set(it, NAMES[int(asked.json["transition"]["id"]) - 11], "hub")
        return made(204)

    async def hook(self, ticket: str) -> Call:
        body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": ticket}}).encode()
        digest = hmac.new(self.secrets["webhook"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature": f"sha256={digest}", "x-atlassian-webhook-identifier": "w-1"}
        return Call("POST", headers, {}, body)
