"""The suite's own peer: it speaks TXP/1, and says whatever a case wants.

It has nothing of the hub. What is signed and hashed is done by examples/minimal-peer/peer.py,
which stands on `cryptography` and `http-message-signatures` alone; this file adds what a suite
needs: both sides of the handshake, serving logs and files, and errors on purpose.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas" / "v1"
_PATH = ROOT / "examples" / "minimal-peer" / "peer.py"
_spec = importlib.util.spec_from_file_location("minimal_peer", _PATH)
assert _spec is not None
assert _spec.loader is not None
wire: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wire)

Json = dict[str, Any]
JSON = "application/json"
PROBLEM = "application/problem+json"

SCOPES: Json = {
    "as_principal": {
        "hand_off": True, "services": [], "max_open": 100_000,
        "disclose": ["asset", "author_names", "contact", "description", "due", "files", "priority",
                     "site"],
        "fields": [], "max_file_bytes": 1024 * 1024, "max_files": 20,
        "messages_per_minute": 1_000_000, "subcontracting": "notice",
        "auto_accept_after_hours": 0, "relay_comments": True, "hop_limit": 5},
    "as_contractor": {
        "hand_off": True, "services": [], "max_open": 100_000,
        "disclose": ["author_names", "files"], "max_file_bytes": 1024 * 1024, "max_files": 20,
        "messages_per_minute": 1_000_000, "subcontracting": "notice", "cancel": "auto",
        "cancel_assess_hours": 24, "warranty_days": 14},
}  # fmt: skip


@dataclass
class Said:
    """What a node answered."""

    status: int
    members: Json
    headers: Mapping[str, str]
    body: bytes
    proven: bool  # signed by the node for this very call

    @property
    def code(self) -> str:
        return str(self.members.get("code", ""))


@dataclass
class Heard:
    """One message of the node, verified."""

    env: str
    text: str
    envelope: Json
    data: Json

    @property
    def type(self) -> str:
        return str(self.envelope["type"])


Script = Callable[["Peer", web.Request, bytes], Awaitable[web.StreamResponse | None]]


async def _nothing(_peer: Peer, _request: web.Request, _body: bytes) -> None:
    return None


@dataclass
class Peer:
    """One partner of the node under test, with at most one link."""

    name: str
    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    msg: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    http: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    base: str = ""
    hub: Json = field(default_factory=dict)  # the node: id, base, name, pinned keys
    link: str = ""
    start: str = ""  # the hash of the agreement
    agreement: str = ""
    versions: Sequence[str] = ("1.0",)
    # our stream
    sent: list[tuple[Json, str]] = field(default_factory=list)  # (wire message, hash)
    chains: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    # theirs
    heard: list[Heard] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=dict)
    bytes_in: list[bytes] = field(default_factory=list)  # everything the node ever sent us
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what the node did that it must not
    secrets: dict[str, bytes] = field(default_factory=dict)
    alter: Callable[[Json], None] = lambda _members: None
    script: Script = _nothing
    synced: bool = True
    offer_other: Json = field(default_factory=dict)
    outbound_only: bool = False  # it tells nobody its address

    def __post_init__(self) -> None:
        self.id = wire.kid(self.identity.public_key())
        self.run, self.instance = secrets.token_hex(16), secrets.token_hex(16)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._moved = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(20), connector=aiohttp.TCPConnector(force_close=True)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._session.close()
        await self._runner.cleanup()

    # --- who we are -----------------------------------------------------------------------

    def key_set(self) -> str:
        valid = {
            "not_before": wire.instant(-timedelta(minutes=5)),
            "not_after": wire.instant(timedelta(days=30)),
        }
        keys = [
            {"kid": wire.kid(key.public_key()), "jwk": wire.jwk(key.public_key()), "use": use,
             **valid}
            for use, key in (("msg", self.msg), ("http", self.http))
        ]  # fmt: skip
        said: Json = {"node_id": self.id, "version": 1, "identity_version": 1, "keys": keys}
        said |= {"revoked": [], "issued_at": wire.instant(), "expires": valid["not_after"]}
        return str(wire.sign("keys", said, self.identity))

    def document(self) -> Json:
        said = {"node_id": self.id, "identity": wire.jwk(self.identity.public_key())}
        said |= {"key_set": self.key_set(), "base_url": self.base, "name": self.name}
        said |= {"versions": list(self.versions), "capabilities": ["files"], "limits": {}}
        said |= {"contact": "", "valid_until": wire.instant(timedelta(days=1))}
        return {"document": wire.sign("node", said, self.http)}

    def offer_text(self) -> str:
        said = {"name": self.name, "base_url": self.base, "versions": list(self.versions)}
        said |= {"capabilities": ["files"], "limits": {}, "scopes": SCOPES, **self.offer_other}
        if self.outbound_only:
            said["capabilities"] = ["files", "poll"]
            del said["base_url"]
        return str(wire.dump(said))

    # --- calls ----------------------------------------------------------------------------

    def sign(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        *,
        key: Ed25519PrivateKey | None = None,
        at: datetime | None = None,
        life: timedelta = timedelta(seconds=300),
        cover: Sequence[str] = (),
        tag: str = "txp-1",
        content_type: str = JSON,
    ) -> dict[str, str]:
        """The headers of a signed call."""
        key = key or self.http
        headers = {"Content-Type": content_type} if body else {}
        asked = wire.Http(method=method, url=url, headers=headers)
        me = wire.kid(key.public_key())
        at = at or datetime.now(UTC)
        parts = tuple(cover) or (*wire.REQUEST, *(("content-type",) if body else ()))
        keys = MappingKeyResolver(public_keys={}, private_keys={me: key})
        HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=keys).sign(
            asked,
            key_id=me,
            created=at,
            expires=at + life,
            tag=tag,
            include_alg=False,
            covered_component_ids=parts,
            **({"body": body} if body else {}),
        )
        return dict(asked.headers)

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Said:
        """Make this very call."""
        assert self._session is not None
        async with self._session.request(
            method,
            url,
            data=body or None,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Content-Type", "Accept-Encoding"),
        ) as answer:
            text = await answer.read()
            self.bytes_in.append(repr(dict(answer.headers)).encode() + text)
            is_json = answer.headers.get("Content-Type", "").partition(";")[0] in {JSON, PROBLEM}
            members = json.loads(text) if is_json and text else {}
            asked = wire.Http(method=method, url=url, headers=dict(headers))
            return Said(
                answer.status,
                members,
                answer.headers,
                text,
                self._proven(answer, text, asked),
            )

    def _proven(self, answer: aiohttp.ClientResponse, text: bytes, asked: Any) -> bool:
        got = wire.Http(status_code=answer.status, headers=answer.headers, request=asked)
        try:
            wire.check_http(got, text, wire.RESPONSE, self.hub)
        except (wire.Wrong, KeyError):
            return False
        return True

    async def call(self, method: str, path: str, members: Json | None = None, **how: Any) -> Said:
        """A call signed by our http key, or as `how` says."""
        body = wire.dump(members).encode() if members is not None else b""
        url = self.hub["base"] + path
        return await self.send(method, url, self.sign(method, url, body, **how), body)

    @property
    def path(self) -> str:
        return f"/txp/v1/links/{self.link}"

    # --- linking --------------------------------------------------------------------------

    async def discover(self, code: str) -> Json:
        raw = wire.unb64(code.strip().rpartition("#")[2].removeprefix("txp1."))
        assert hashlib.sha256(raw[:-4]).digest()[:4] == raw[-4:]
        invitation: Json = wire.parse(raw[:-4])
        base = invitation["base"]
        assert self._session is not None
        async with self._session.get(f"{base}/.well-known/txp", allow_redirects=False) as answer:
            assert answer.status == 200
            text = wire.parse(await answer.read())["document"]
        unproven = wire.parse(wire.unb64(text.split(".")[1]))
        identity = Ed25519PublicKey.from_public_bytes(wire.unb64(unproven["identity"]["x"]))
        assert wire.sha(identity.public_bytes_raw()) == invitation["identity"]
        self._pin(identity, unproven["key_set"], base)
        node = wire.unsign("node", text, [identity, *self.hub["http"]])
        assert node["base_url"] == base
        assert {node["node_id"]} == {self.hub["id"]}
        return invitation

    def _pin(self, identity: Ed25519PublicKey, key_set: str, base: str) -> None:
        keys = wire.unsign("keys", key_set, [identity])
        assert keys["node_id"] == wire.kid(identity)
        self.hub = {"id": wire.kid(identity), "base": base, "identity": identity}
        self.hub |= {"http": wire.keys_of(keys, "http"), "msg": wire.keys_of(keys, "msg")}

    def link_request(self, invitation: Json, *, secret: bytes | None = None) -> Json:
        offer, nonce = self.offer_text(), secrets.token_bytes(16)
        secret = wire.unb64(invitation["secret"]) if secret is None else secret
        proof = _proof(self.hub["id"], self.id, offer, nonce)
        said = {"invitation": invitation["id"], "identity": wire.jwk(self.identity.public_key())}
        said |= {"key_set": self.key_set(), "offer": offer, "nonce": wire.b64(nonce)}
        said["mac"] = wire.b64(_mac(secret, proof))
        return {"request": wire.sign("link", said, self.identity)}

    async def request(self, invitation: Json, **how: Any) -> Said:
        return await self.call(
            "POST", "/txp/v1/link-requests", self.link_request(invitation, **how)
        )

    async def accept(self, code: str) -> None:
        """Take an invitation of the node, until both have signed."""
        said = await self.request(await self.discover(code))
        assert said.status == 202, said
        self.take(said.members["agreement"])
        for _ in range(100):
            given = await self.call("PUT", f"{self.path}/agreement", self.own_signature())
            if given.status == 200:
                return
            assert given.status == 202, given
            await asyncio.sleep(0.1)
        raise AssertionError("the node never signed")

    def take(self, agreement: str) -> None:
        """Go on under this agreement."""
        self.agreement, self.start = agreement, wire.sha(agreement)
        self.link = wire.parse(agreement)["link"]

    def own_signature(self) -> Json:
        said = {"agreement_hash": self.start, "link": self.link, "node_id": self.id}
        return {"signature": wire.sign("agr", said, self.identity)}

    def invite(self) -> str:
        """A code of ours."""
        secret = secrets.token_bytes(16)
        invitation = {"base": self.base, "id": wire.new_id("inv"), "secret": wire.b64(secret)}
        invitation["identity"] = wire.sha(self.identity.public_key().public_bytes_raw())
        invitation["expires"] = wire.instant(timedelta(days=3))
        self.secrets[invitation["id"]] = secret
        body = wire.dump(invitation).encode()
        return "txp1." + str(wire.b64(body + hashlib.sha256(body).digest()[:4]))

    def _compose(self, request: Json) -> Json:
        unproven = wire.parse(wire.unb64(request["request"].split(".")[1]))
        identity = Ed25519PublicKey.from_public_bytes(wire.unb64(unproven["identity"]["x"]))
        said = wire.unsign("link", request["request"], [identity])
        theirs, ours = wire.parse(said["offer"]), self.offer_text()
        secret = self.secrets[said["invitation"]]
        proof = _proof(self.id, wire.kid(identity), said["offer"], wire.unb64(said["nonce"]))
        assert wire.unb64(said["mac"]) == _mac(secret, proof), "the MAC is not right"
        self._pin(identity, said["key_set"], theirs["base_url"])
        mine, other = wire.parse(ours), theirs
        members: Json = {
            "link": wire.new_id("lnk"),
            "revision": 1,
            "made_at": wire.instant(),
            "inviter": self._party(mine, self.identity.public_key()),
            "invitee": self._party(other, identity),
            "offers": {"inviter": ours, "invitee": said["offer"]},
            "terms": terms(mine, other),
            "legal": wire.sha(""),
        }
        self.alter(members)
        self.take(wire.dump(members))
        return {
            "rid": self.link,
            "state": "requested",
            "agreement": self.agreement,
            **self.own_signature(),
        }

    @staticmethod
    def _party(offer: Json, identity: Ed25519PublicKey) -> Json:
        said = {"node_id": wire.kid(identity), "name": offer["name"]}
        said |= {"base_url": offer["base_url"], "identity": wire.jwk(identity)}
        return {**said, "key_set_version": 1}

    # --- what we say ----------------------------------------------------------------------

    @property
    def head(self) -> str:
        return self.sent[-1][1] if self.sent else self.start

    def seal(
        self,
        type_: str,
        data: Json | str,
        handoff: str = "",
        *,
        keep: bool = True,
        must: bool = True,
        version: int = 1,
        key: Ed25519PrivateKey | None = None,
        **other: Any,
    ) -> Json:
        """The next message of our stream; with `keep=False` the stream does not move on."""
        text = (
            data
            if isinstance(data, str)
            else wire.dump({"salt": wire.b64(secrets.token_bytes(16)), **data})
        )
        envelope: Json = {"v": "1.0", "id": wire.new_id("msg"), "link": self.link, "from": self.id}
        envelope |= {"to": self.hub["id"], "ep": 1, "seq": len(self.sent) + 1, "agr": 1}
        envelope |= {"prev": self.head, "type": type_, "dt": f"{type_}/{version}"}
        envelope |= {"ts": wire.instant(), "must": must, "dh": wire.sha(text)}
        place, before = self.chains.get(("out", handoff), (0, self.start))
        if handoff:
            envelope |= {"handoff": handoff, "hseq": place + 1, "hprev": before}
        envelope |= other
        env = wire.sign("msg", envelope, key or self.msg)
        message = {"env": env, "data": text}
        if keep:
            digest = wire.message_hash(env)
            self.sent.append((message, digest))
            if handoff:
                self.chains["out", handoff] = (place + 1, digest)
        return message

    async def post(self, *messages: Json, **how: Any) -> Said:
        """These messages in one batch."""
        return await self.call("POST", f"{self.path}/messages", {"messages": list(messages)}, **how)

    def receipt(self, said: Said) -> Json:
        """The receipt of an answer, which must be the node's and about our stream."""
        assert said.proven, said
        receipt: Json = wire.unsign("rcpt", said.members["receipt"], self.hub["msg"])
        assert (receipt["link"], receipt["of"], receipt["stored"]) == (self.link, self.id, True)
        upto = receipt["upto"]
        head = self.sent[upto - 1][1] if upto else self.start
        if upto <= len(self.sent):
            assert receipt["head"] == head
        return receipt

    async def say(self, type_: str, data: Json | str, handoff: str = "", **how: Any) -> Json:
        """Say it, and see it stored."""
        message = self.seal(type_, data, handoff, **how)
        said = await self.post(message)
        assert said.status == 200, said
        assert self.receipt(said)["upto"] == len(self.sent)
        return message

    async def ping(self) -> None:
        """Say something that means nothing; it must be stored."""
        await self.say("x.org.example.ping", {}, must=False)

    async def offer(self, title: str = "Не печатает чек", **other: Any) -> str:
        """Hand a ticket of ours to the node; the hand-off's id."""
        handoff = str(wire.new_id("hnd"))
        await self.say("handoff.offer", offer_data(title, **other), handoff)
        return handoff

    # --- what we hear ---------------------------------------------------------------------

    async def until(self, look: Callable[[], Any], what: str, seconds: float = 40) -> Any:
        """What `look` finds, as soon as it does."""
        try:
            async with asyncio.timeout(seconds):
                while not (found := look()):
                    assert not self.faults, self.faults[0]
                    self._moved.clear()
                    await self._moved.wait()
                return found
        except TimeoutError:
            told = [one.type for one in self.heard[-5:]]
            raise AssertionError(f"never heard: {what}; last heard {told}") from None

    async def hear(self, type_: str, handoff: str = "", after: int = 0) -> Heard:
        """The first message of this type, about this hand-off, behind this many messages."""
        found: Heard = await self.until(
            lambda: next(
                (
                    one
                    for one in self.heard[after:]
                    if one.type == type_ and (not handoff or one.envelope.get("handoff") == handoff)
                ),
                None,
            ),
            f"{type_} {handoff}",
        )
        return found

    async def rejections(self, count: int, after: int) -> list[Json]:
        """What the node rejected, once it is this many messages."""

        def look() -> list[Json] | None:
            found = [one.data for one in self.heard[after:] if one.type == "message.rejected"]
            return found if len(found) >= count else None

        return list(await self.until(look, f"{count} rejections"))

    def own_receipt(self) -> str:
        upto = len(self.heard)
        last = self.heard[-1].envelope["ep"] if self.heard else 1
        said: Json = {"link": self.link, "of": self.hub["id"], "ep": last, "upto": upto}
        said |= {"head": self.heads[-1] if upto else self.start, "handoffs": {}}
        return str(wire.sign("rcpt", {**said, "at": wire.instant(), "stored": True}, self.msg))

    def take_batch(self, body: bytes, upto: int | None = None) -> None:
        """Keep what continues the node's stream. What breaks the protocol fails the case."""
        for message in wire.parse(body)["messages"]:
            envelope = wire.unsign("msg", message["env"], self.hub["msg"])
            seq, text = envelope["seq"], message["data"]
            assert (envelope["link"], envelope["from"], envelope["to"]) == (
                self.link, self.hub["id"], self.id)  # fmt: skip
            assert wire.sha(text) == envelope["dh"]
            expected = max((e for e, s in self.epochs.items() if s <= seq), default=1)
            if envelope["ep"] < expected:
                continue  # superseded
            assert envelope["ep"] == expected, "an epoch nobody announced"
            if seq <= len(self.heard):
                assert self.heads[seq - 1] == wire.message_hash(message["env"]), "a fork"
                continue
            if seq > len(self.heard) + 1 or (upto is not None and seq > upto):
                return
            assert envelope["prev"] == (self.heads[-1] if self.heads else self.start)
            handoff = envelope.get("handoff", "")
            if handoff:
                place, before = self.chains.get(("in", handoff), (0, self.start))
                assert (envelope["hseq"], envelope["hprev"]) == (place + 1, before)
                self.chains["in", handoff] = (place + 1, wire.message_hash(message["env"]))
            self.heads.append(wire.message_hash(message["env"]))
            self.heard.append(Heard(message["env"], text, envelope, wire.parse(text)))
        self._moved.set()

    # --- our door -------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.bytes_in.append(f"{request.method} {request.raw_path} ".encode() + body)
        self.asked.append((request.method, request.raw_path, request.headers))
        try:
            return await self._reply_to(request, body)
        except Exception:
            self.faults.append(traceback.format_exc(limit=-3))
            raise
        finally:
            self._moved.set()

    async def _reply_to(self, request: web.Request, body: bytes) -> web.StreamResponse:
        scripted = await self.script(self, request, body)
        if scripted is not None:
            return scripted
        path = request.path
        if path == "/.well-known/txp":
            return web.Response(body=wire.dump(self.document()).encode(), content_type=JSON)
        if path == "/txp/v1/link-requests":
            return self.reply(request, body, 202, self._compose(wire.parse(body)))
        if path.endswith("/agreement"):
            return self.reply(request, body, 200, {"state": "active", **self.own_signature()})
        if path.endswith("/messages"):
            self.take_batch(body)
            return self.reply(request, body, 200, {"receipt": self.own_receipt()})
        if path.endswith("/sync"):
            return self.reply(request, body, 200, self.standing(wire.parse(body)))
        if path.endswith("/log"):
            return self.reply(request, body, 200, self._log(request))
        if path.endswith("/receipts"):
            return self.reply(request, body, 200, {"receipts": [self.own_receipt()]})
        if "/blobs/" in path and (found := self.blobs.get(path.rpartition("/")[2])) is not None:
            return self.file(request, found)
        return self.problem(request, body, 404, "not_found")

    def reply(
        self, request: web.Request, body: bytes, status: int, members: Json, kind: str = JSON
    ) -> web.Response:
        """A signed answer."""
        text = wire.dump(members).encode()
        url = self.base + request.raw_path
        asked = wire.Http(method=request.method, url=url, headers=request.headers)
        answer = wire.Http(status_code=status, headers={"Content-Type": kind}, request=asked)
        wire.sign_http(answer, text, wire.RESPONSE, self.http)
        return web.Response(status=status, body=text, headers=answer.headers)

    def problem(self, request: web.Request, body: bytes, status: int, code: str) -> web.Response:
        """A signed refusal."""
        said = {"type": f"urn:txp:problem:{code}", "title": "No.", "status": status, "code": code}
        return self.reply(request, body, status, said, PROBLEM)

    def file(self, request: web.Request, content: bytes) -> web.Response:
        """A file, or the rest of it that was asked for."""
        status, start, headers = self._file_headers(request, content)
        return web.Response(status=status, body=content[start:], headers=headers)

    async def broken_file(
        self, request: web.Request, content: bytes, cut: int
    ) -> web.StreamResponse:
        """The same, on a line that breaks after so many bytes of the file."""
        status, start, headers = self._file_headers(request, content)
        headers["Content-Length"] = str(len(content) - start)
        answer = web.StreamResponse(status=status, headers=headers)
        await answer.prepare(request)
        await answer.write(content[start:cut])
        await asyncio.sleep(0.1)  # else the abort overtakes what was written
        assert request.transport is not None
        request.transport.abort()
        return answer

    def _file_headers(
        self, request: web.Request, content: bytes
    ) -> tuple[int, int, dict[str, str]]:
        asked = request.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        status = 206 if start else 200
        headers = {"Content-Type": "application/octet-stream"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        call = wire.Http(
            method=request.method, url=self.base + request.raw_path, headers=request.headers
        )
        answer = wire.Http(status_code=status, headers=headers, request=call)
        me, now = wire.kid(self.http.public_key()), datetime.now(UTC)
        keys = MappingKeyResolver(public_keys={}, private_keys={me: self.http})
        HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=keys).sign(
            answer,
            key_id=me,
            created=now,
            expires=now + timedelta(seconds=300),
            tag="txp-1",
            include_alg=False,
            covered_component_ids=(*wire.RESPONSE, "content-type"),
        )
        return status, start, dict(answer.headers)

    def standing(self, asked: Json | None = None) -> Json:
        """Where we stand, and, where the node begins an epoch, that we have noted it down."""
        begin = (asked or {}).get("begin")
        if begin:
            assert begin["base"]["seq"] == len(self.heard)
            assert begin["start_seq"] > len(self.heard)
            assert begin["epoch"] > max(self.epochs, default=1)
            self.epochs[begin["epoch"]] = begin["start_seq"]
        return {
            "instance": self.instance,
            "run": self.run,
            "synced": self.synced,
            "sent": {"seq": len(self.sent), "head": self.head},
            "held": {"seq": len(self.heard), "head": self.heads[-1] if self.heads else self.start},
            "sent_epochs": [],
            "held_epochs": [list(one) for one in sorted(self.epochs.items())],
        }

    def _log(self, request: web.Request) -> Json:
        start = int(request.query.get("from", "1"))
        limit = min(int(request.query.get("limit", "100")), 200)
        ours = [one for one, _ in self.sent]
        theirs = [{"env": one.env, "data": one.text} for one in self.heard]
        chosen = ours if request.query["dir"] == "in" else theirs
        return {"messages": chosen[start - 1 : start - 1 + limit]}


def _proof(inviter: str, invitee: str, offer: str, nonce: bytes) -> bytes:
    said = b"txp-link-v1" + inviter.encode() + invitee.encode()
    return said + hashlib.sha256(offer.encode()).digest() + nonce


def _mac(secret: bytes, proof: bytes) -> bytes:
    import hmac

    return hmac.digest(hashlib.sha256(secret).digest(), proof, "sha256")


def offer_data(title: str = "Не печатает чек", **other: Any) -> Json:
    """The data of an offer."""
    return {
        "title": title,
        "number": f"P-{secrets.token_hex(3)}",
        "handed_off_at": wire.instant(),
        "priority": "normal",
        "hops": [wire.b64(secrets.token_bytes(16))],
        "hop_limit": 5,
        "files": [],
        **other,
    }


def comment_data(name: str, body: str, **other: Any) -> Json:
    """The data of a comment."""
    author = {"ref": "agent-1", "display": "Мастер", "account": name}
    return {
        "comment_id": wire.new_id("cmt"),
        "author": author,
        "body": body,
        "format": "plain",
        "at": wire.instant(),
        "files": [],
        **other,
    }


def terms(inviter: Json, invitee: Json) -> Json:
    """What follows from two offers (linking.md, 5)."""
    common = sorted(set(inviter["capabilities"]) & set(invitee["capabilities"]))
    limits = {
        name: min(inviter["limits"][name], invitee["limits"][name])
        for name in sorted(set(inviter["limits"]) & set(invitee["limits"]))
    }
    one, two = inviter["scopes"], invitee["scopes"]
    directions = {
        "inviter_to_invitee": _direction(one["as_principal"], two["as_contractor"]),
        "invitee_to_inviter": _direction(two["as_principal"], one["as_contractor"]),
    }
    version = max(set(inviter["versions"]) & set(invitee["versions"]))
    return {
        "version": version,
        "capabilities": common,
        "limits": limits,
        "directions": directions,
    }


STRICTNESS = ["forbidden", "consent", "notice", "allowed"]


def _direction(p: Json, c: Json) -> Json:
    if p["services"] and c["services"]:
        services = sorted(set(p["services"]) & set(c["services"]))
        common = bool(services)
    else:
        services, common = sorted(p["services"] or c["services"]), True
    said: Json = {
        "hand_off": p["hand_off"] and c["hand_off"] and common,
        "services": services,
        "subcontracting": min(p["subcontracting"], c["subcontracting"], key=STRICTNESS.index),
        "contractor_discloses": sorted(c["disclose"]),
    }
    for name in ("max_open", "max_file_bytes", "max_files", "messages_per_minute"):
        said[name] = min(p[name], c[name])
    for name in ("auto_accept_after_hours", "relay_comments", "hop_limit"):
        said[name] = p[name]
    for name in ("disclose", "fields"):
        said[name] = sorted(p[name])
    for name in ("cancel", "cancel_assess_hours", "warranty_days"):
        said[name] = c[name]
    return said
