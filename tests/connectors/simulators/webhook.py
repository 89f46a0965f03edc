"""Somebody's own system: takes our events once by their key, sends its own, signed."""

from __future__ import annotations

import hashlib
import hmac
import json

from connectors.contract import Answer, Call
from tests.connectors.simulators.desk import Asked, Desk, iso, made, route


class Receiver(Desk):
    name = "webhook"
    base = "https://erp.example/hub"
    secrets = {"token": "erp-token-0123456789", "webhook": "erp-webhook-secret"}
    words = {"new": "new", "open": "open", "resolved": "resolved"}
    can = frozenset({"hook", "signed", "dated"})

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, dict] = {}

    def authenticate(self, asked: Asked, path: str) -> Answer | None:
        right = f"Bearer {self.secrets['token']}"
        return None if asked.headers.get("authorization") == right else made(401)

    @route("POST", "/events")
    def event(self, asked: Asked) -> Answer:
        said, key = asked.json, asked.headers.get("idempotency-key", "")
        if key and key in self.keys:
            return made(200, self.keys[key])
        if said["event"] == "ticket.created":
            it = self.add(said["title"], said.get("description", ""), "hub")
            it.fields["marker"] = said["key"]
            answer = {"id": it.id, "number": f"ERP-{it.id}"}
        elif said["event"] == "ticket.commented":
            one = self.remark(self.there(said["id"]), said["body"], said["public"], "hub")
            answer = {"id": str(one.id)}
        else:
            self.set(self.there(said["id"]), said.get("status", "new"), "hub")
            answer = {}
        if key:
            self.keys[key] = answer
        return made(200, answer)

    async def hook(self, ticket: str) -> Call:
        it = self.tickets[ticket]
        body = json.dumps({
            "id": it.id, "delivery": "d-1", "title": it.title, "description": it.text,
            "status": it.status, "at": iso(it.updated),
        }).encode()  # fmt: skip
        stamp = str(int(self.clock.now().timestamp()))
        digest = hmac.new(self.secrets["webhook"].encode(), stamp.encode() + body, hashlib.sha256)
        headers = {"x-signature-256": f"sha256={digest.hexdigest()}", "x-timestamp": stamp}
        return Call("POST", headers, {}, body)
