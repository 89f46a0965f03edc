"""ServiceNow's Table and Attachment API as documented: everything is text, comments a journal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from connectors.contract import Answer
from tests.connectors.simulators.desk import Asked, Desk, No, Ticket, made, route


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


class ServiceNow(Desk):
    name = "servicenow"
    base = "https://company.service-now.com"
    secrets = {"client_secret": "sn-client-secret-0123"}
    settings = {"user": "hub", "group": "g" * 32, "caller": "c" * 32, "client_id": "hub-client",
                "close_code": "Solved (Permanently)"}  # fmt: skip
    first_status = "1"
    words = {"new": "1", "in_progress": "2", "pending": "3", "resolved": "6", "closed": "7",
             "cancelled": "8"}  # fmt: skip
    strange_status = "-40"
    can = Desk.can | {"spoil"}

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, int] = {}

    def new_id(self) -> str:
        return f"{self.number():032x}"

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        if path == "/oauth_token.do":
            return None
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        left = self.tokens.get(token, 0)
        self.tokens[token] = left - 1
        # Tokens end in the middle of a batch.
        return None if left > 0 else made(401, {"error": {"message": "User Not Authenticated"}})

    @route("POST", "/oauth_token.do")
    def token(self, asked: Asked) -> Answer:
        said = dict(parse_qsl(asked.raw.decode()))
        if said["client_secret"] != self.secrets["client_secret"]:
            raise No(401, {"error": "access_denied"})
        token = f"token-{self.number()}-0123456789"
        self.tokens[token] = 9
        return made(200, {"access_token": token, "token_type": "Bearer", "expires_in": 1799})

    def page(self, asked: Asked, found: list[dict]) -> Answer:
        start = int(asked.query.get("sysparm_offset", 0))
        size = int(asked.query.get("sysparm_limit", 10000))
        return made(200, {"result": found[start : start + size]})

    @route("GET", "/api/now/table/sys_user")
    def users(self, asked: Asked) -> Answer:
        return self.page(asked, [{"user_name": "hub", "sys_id": "u" * 32}])

    @route("GET", "/api/now/table/incident")
    def incidents(self, asked: Asked) -> Answer:
        found = self.alive()
        for clause in asked.query["sysparm_query"].split("^"):
            if clause.startswith("sys_updated_on>="):
                start = datetime.strptime(clause[16:], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                found = [one for one in found if one.updated >= start]
            elif clause.startswith("sys_idIN"):
                found = [one for one in found if one.id in clause[8:].split(",")]
            elif clause.startswith("correlation_id="):
                found = [one for one in found if one.fields.get("correlation_id") == clause[15:]]
            elif clause == "active=true":
                found = [one for one in found if one.status not in ("7", "8")]
            elif not re.match(r"ORDERBY|assignment_group=g+$", clause):
                raise No(400, {"error": {"message": f"Invalid query {clause}"}})
        found.sort(key=lambda one: (one.updated, one.id))
        return self.page(asked, [self.shown(one) for one in found])

    def shown(self, it: Ticket) -> dict:
        return {
            "sys_id": it.id, "number": f"INC{int(it.id, 16):07d}", "short_description": it.title,
            "description": it.text, "state": it.status, "priority": "3",
            "caller_id": {"value": "c" * 32}, "correlation_id": it.fields.get("correlation_id", ""),
            "sys_created_on": "вчера" if it.spoiled else stamp(it.created),
            "sys_updated_on": stamp(it.updated),
        }  # fmt: skip

    @route("GET", "/api/now/table/sys_journal_field")
    def journal(self, asked: Asked) -> Answer:
        query = asked.query.get("sysparm_query", "element_idIN")
        wanted = query.split("^")[0].removeprefix("element_idIN").split(",")
        return self.page(asked, [
            {"sys_id": f"{remark.id:032x}", "element_id": it.id, "value": remark.text,
             "element": "comments" if remark.public else "work_notes",
             "sys_created_by": remark.by, "sys_created_on": stamp(remark.at)}
            for it in self.alive() if it.id in wanted for remark in it.remarks
        ])  # fmt: skip

    @route("GET", "/api/now/attachment")
    def attachments(self, asked: Asked) -> Answer:
        wanted = asked.query["sysparm_query"].split("table_sys_idIN")[1].split(",")
        return self.page(asked, [
            {"sys_id": f"{one.id:032x}", "file_name": one.name, "content_type": one.type,
             "size_bytes": str(len(one.content)), "table_sys_id": it.id, "sys_created_by": one.by}
            for it in self.alive() if it.id in wanted for one in it.files
        ])  # fmt: skip

    @route("GET", r"/api/now/attachment/([0-9a-f]{32})/file")
    def bytes(self, asked: Asked) -> Answer:
        return Answer(200, {}, self.file(int(asked.match[1], 16)).content)

    @route("POST", "/api/now/table/incident")
    def create(self, asked: Asked) -> Answer:
        said = asked.json
        if said.get("caller_id") != "c" * 32:
            raise No(403, {"error": {"message": "Operation Failed"}})
        it = self.add(said["short_description"], said.get("description", ""), "hub")
        it.fields["correlation_id"] = said.get("correlation_id", "")
        it.status = said.get("state", "1")
        return made(201, {"result": self.shown(it)})

    @route("PATCH", r"/api/now/table/incident/([0-9a-f]{32})")
    def update(self, asked: Asked) -> Answer:
        it, said = self.there(asked.match[1]), asked.json
        if said.get("state") in ("6", "7") and not said.get("close_code"):
            raise No(403, {"error": {"message": "Data Policy Exception: close_code"}})
        for name in ("comments", "work_notes"):
            if said.get(name):
                self.remark(it, said[name], name == "comments", "hub")
        if "state" in said:
            self.set(it, said["state"], "hub")
        return made(200, {"result": self.shown(it)})

    @route("POST", "/api/now/attachment/file")
    def attach(self, asked: Asked) -> Answer:
        it = self.there(asked.query["table_sys_id"])
        kind = asked.headers["content-type"]
        one = self.put(it, asked.query["file_name"], asked.raw, "hub", kind)
        return made(201, {"result": {"sys_id": f"{one.id:032x}"}})
