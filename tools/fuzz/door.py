"""The door to peers as a target: any call, and calls a linked peer has rightly signed.

An input is JSON: `how` it is made, `method`, `target` (with `{lid}` and `{digest}` to be filled
in), `headers` and `body`. Whatever is missing is as in an ordinary call.

- `raw`: nothing is added;
- `signed`: rightly signed by the peer, whatever is in it;
- `overlaid`: rightly signed, and then these headers put over those of the signature;
- `message`: the body's `data` sealed by the peer as its next message of `type`, with `members`
  put over the envelope's before it is signed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from hub.actions import files, handoffs, tickets
from hub.actions.handoffs import OfferHandoff
from hub.domain.comment import Visibility
from hub.errors import HubError
from hub.federation.door import JSON, ROUTES, Call, Door, Reply
from hub.protocol.message import dump_batch
from hub.protocol.problems import MEDIA_TYPE, STATUS
from hub.protocol.sync import Place, Standing, dump_sync
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network

RUNS_OF_A_SCENE: Final = 2000
_FINE: Final = frozenset({200, 202, 206})
_OFTEN: Final = {
    "stranger_calls_per_minute": 1_000_000,
    "link_requests_per_minute": 1_000_000,
    "calls_per_minute_per_link": 1_000_000,
}


class DoorTarget:
    """One node, linked with one peer that says anything."""

    prefix = 0
    node: Company
    peer: FakePeer
    door: Door
    digest: str
    handoff: str

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._folder = Path(tempfile.mkdtemp(prefix="hub-door-"))
        self._network: Network | None = None
        self._scenes = 0
        self._left = 0
        self.prepare()

    def prepare(self) -> None:
        """A new scene every so often: what was said before changes what may be said now."""
        if self._left == 0:
            self._loop.run_until_complete(self._scene())
            self._left = RUNS_OF_A_SCENE
        self._left -= 1

    def close(self) -> None:
        """Let everything go."""
        if self._network is not None:
            self._loop.run_until_complete(self._network.close())
        self._loop.close()
        shutil.rmtree(self._folder)

    async def _scene(self) -> None:
        if self._network is not None:
            await self._network.close()
            shutil.rmtree(self._network.root)
        self._scenes += 1
        network = self._network = Network(self._folder / str(self._scenes), seed="door")
        node = self.node = await network.company("Сервис Плюс", **_OFTEN)
        peer = self.peer = FakePeer.of(network, "Мастер-Юг")
        await peer.link_with(node)
        ticket = await tickets.create(node.hub, node.dispatcher, tickets.NewTicket(title="Дисплей"))
        new = files.store(node.hub, "act.txt", "text/plain", BytesIO(b"words " * 99))
        await files.add(node.hub, node.dispatcher, ticket.id, [new], Visibility.PUBLIC)
        self.digest = new.sha256
        await handoffs.offer(node.hub, node.dispatcher, OfferHandoff(ticket.id, peer.link_id))
        await network.run_until_idle()
        self.handoff = await peer.offer()
        await network.run_until_idle()
        self.door = network.wire.doors[node.settings.url]

    def seeds(self) -> Iterable[bytes]:
        """A right call to each route in each manner, and messages."""
        place = Place(self.peer.seq, self.peer.head)
        standing = dump_sync(Standing(
            instance="an-instance",
            run="the-only-run",
            synced=True,
            sent=place,
            held=place,
            sent_epochs={1: 1},
            held_epochs={1: 1},
        ))  # fmt: skip
        bodies: dict[str, Any] = {
            "agreement": {"signature": json.loads(self.peer.own_signature())["signature"]},
            "messages": {"messages": []},
            "sync": standing,
            "keys": {"key_set": self.peer.key_set_jws},
            "link-requests": {"request": "a.b.c"},
        }
        queries = {"log": "?dir=in&from=1&limit=5", "receipts": "?from=1"}
        for route in ROUTES:
            last = route.path.rpartition("/")[2]
            call = {
                "method": route.method,
                "target": route.path + queries.get(last, ""),
                "headers": {"range": "bytes=1-9"} if last == "{digest}" else {},
                "body": bodies.get(last, "") if route.max_body else "",
            }
            for how in ("signed", "raw", "overlaid"):
                yield json.dumps({"how": how, **call}).encode()
            yield json.dumps(
                {
                    **call,
                    "how": "overlaid",
                    "headers": {"signature-input": "{signature-input}, b=()", "signature": "a=:b:"},
                }
            ).encode()
        for type_, data in (
            ("comment.add", self.peer.comment_data()),
            ("handoff.offer", self.peer.offer_data()),
            ("link.keys", {"key_set": self.peer.key_set_jws}),
            ("link.epoch", {}),
            ("x.org.example.ping", {}),
        ):
            body: dict[str, Any] = {"type": type_, "data": data}
            if not type_.startswith(("link.", "x.")):
                body["handoff"] = self.handoff
            for members in ({}, {"must": False}, {"seq": 1}, {"ack": [1, "A" * 43]}):
                yield json.dumps(
                    {"how": "message", "body": {**body, "members": members}},
                    ensure_ascii=False,
                ).encode()

    def run(self, data: bytes) -> None:
        """Knock, and check what is answered."""
        try:
            said = json.loads(data.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            said = {"how": "signed", "target": "/txp/v1/links/{lid}/messages", "body": None}
        if not isinstance(said, dict):
            said = {"how": "signed", "body": said}
        self.peer.network.clock.advance(seconds=0.1)
        call = self._call(said, data)
        if call is not None:
            self._loop.run_until_complete(self._knock(call))

    async def _knock(self, call: Call) -> None:
        try:
            await self.door.knock(call)
        except HubError as error:
            _check(self.door.problem(error))
        _check(reply := await self.door.answer(call))
        if reply.status == 200 and call.target == f"{self.peer.path}/messages":
            receipt = json.loads(reply.body)["receipt"]
            moved = self.peer.receipt(await self.peer.send(call))
            assert receipt, "a batch that was taken has a receipt"
            self.peer.seq, self.peer.head = moved.upto, moved.head

    def _call(self, said: dict[str, Any], data: bytes) -> Call | None:
        how = said.get("how")
        method = _text(said.get("method") or "POST")
        target = _text(said.get("target") or "/txp/v1/links/{lid}/messages")
        target = target.replace("{lid}", self.peer.link_id).replace("{digest}", self.digest)
        given = said.get("headers")
        headers = (
            {_text(name).lower(): _text(value) for name, value in given.items()}
            if isinstance(given, dict)
            else {}
        )
        body = data if said.get("body") is None else _body(said["body"])
        if how == "raw":
            return Call(method, target, headers, body)
        if how == "message":
            made = self._message(said.get("body"))
            return made and self.peer.signed("POST", f"{self.peer.path}/messages", made)
        try:
            signed = self.peer.signed(method, target, body, headers=headers)
        except Exception:  # noqa: BLE001 - nobody can sign this: it is sent as it is
            return Call(method, target, {"content-type": JSON, **headers}, body)
        if how != "overlaid":
            return signed
        laid = {
            name: value.replace("{signature-input}", signed.headers["signature-input"]).replace(
                "{signature}", signed.headers["signature"]
            )
            for name, value in headers.items()
        }
        return Call(method, target, {**signed.headers, **laid}, body)

    def _message(self, body: object) -> bytes | None:
        if not isinstance(body, dict):
            return None
        data = body.get("data")
        if isinstance(data, dict):
            data = {"salt": "AAAAAAAAAAAAAAAAAAAAAA", **data}
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        members = body.get("members")
        try:
            sealed = self.peer.message(
                _text(body.get("type")), text, handoff=body.get("handoff"), keep=False
            )
            wire = (
                self.peer.sealed_members(sealed, **members)
                if isinstance(members, dict) and members
                else sealed.wire
            )
            return dump_batch([wire])
        except (ValueError, TypeError, HubError, RecursionError):
            return None  # not even the peer's own library writes this


def _check(reply: Reply) -> None:
    if reply.status in _FINE:
        return
    members = json.loads(reply.body)
    assert reply.headers["content-type"] == MEDIA_TYPE, reply
    assert STATUS[members["code"]] == reply.status == members["status"], reply


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _body(value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
