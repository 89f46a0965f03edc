"""A contractor that speaks TXP/1, in one file and without the hub: see README.md beside it.

    python peer.py CODE --listen 127.0.0.1:9901 --name "Мини"

It takes the invitation, receives hand-offs, does the work at once, and ends when one of them was
confirmed. Everything it does it says on standard output, one JSON object a line. Numbers in
brackets are sections of docs/protocol/bytes.md.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import signal
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace as Http
from typing import Any, NoReturn

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519

Json = dict[str, Any]

# What we offer: to work, for one kind of link. An offer names everything (linking.md).
SCOPES = json.loads("""{
  "as_principal": {"hand_off": false, "services": [], "max_open": 0, "disclose": [], "fields": [],
    "max_file_bytes": 0, "max_files": 0, "messages_per_minute": 600, "hop_limit": 1,
    "subcontracting": "forbidden", "auto_accept_after_hours": 0, "relay_comments": false},
  "as_contractor": {"hand_off": true, "services": [], "max_open": 10, "disclose": ["author_names"],
    "max_file_bytes": 0, "max_files": 0, "messages_per_minute": 600, "warranty_days": 0,
    "subcontracting": "forbidden", "cancel": "assess", "cancel_assess_hours": 1}}""")


class Wrong(Exception):  # noqa: N818 - what is the case
    """What came breaks the protocol; `code` is what the other side is told."""

    def __init__(self, code: str, why: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {why}")
        self.code, self.status = code, status


# What we know and need not act on.
IGNORED = {"comment.add", "link.suspend", "link.resume", "link.close", "message.rejected"}
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def tell(did: str, **what: object) -> None:
    print(json.dumps({"did": did, **what}, ensure_ascii=False), flush=True)


# --- bytes: one spelling each [1] -----------------------------------------------------------


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(raw) != text:
        raise ValueError("not the one spelling")
    return raw


def sha(text: bytes | str) -> str:
    return b64(hashlib.sha256(text.encode() if isinstance(text, str) else text).digest())


def instant(ahead: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds")[:-6] + "Z"


def new_id(prefix: str) -> str:
    stamp, noise = int(time.time() * 1000), secrets.token_hex(9)
    return f"{prefix}_{stamp:012x}7{noise[:3]}8{noise[3:18]}"  # a UUIDv7


def dump(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parse(text: bytes | str) -> Json:
    """Strict JSON; the README says which of its rules are left out."""

    def members(pairs: list[tuple[str, Any]]) -> Json:
        if not all(re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) for name, _ in pairs):
            raise ValueError("a member name")
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a member twice")
        return dict(pairs)

    def never(number: str) -> NoReturn:
        raise ValueError(f"{number[:20]} is no integer")

    text = text.decode() if isinstance(text, bytes) else text
    read = json.loads(text, object_pairs_hook=members, parse_float=never, parse_constant=never)
    if not isinstance(read, dict):
        raise ValueError("no object")  # noqa: TRY004 - all that is unreadable is one thing
    return read


# --- keys and signed texts [2, 3] -----------------------------------------------------------


def jwk(key: Ed25519PublicKey) -> Json:
    return {"crv": "Ed25519", "kty": "OKP", "x": b64(key.public_bytes_raw())}


def kid(key: Ed25519PublicKey) -> str:
    return sha(dump(jwk(key)))  # RFC 7638: these members, in this order, without spaces


def sign(typ: str, payload: Json, key: Ed25519PrivateKey) -> str:
    header = {"alg": "Ed25519", "kid": kid(key.public_key()), "typ": f"txp-{typ}+jws"}
    signed = f"{b64(dump(header).encode())}.{b64(dump(payload).encode())}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


def unsign(typ: str, text: str, keys: Iterable[Ed25519PublicKey]) -> Json:
    """What one of these keys, and no other that the text may name, has signed as this `typ`."""
    if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]{86}", text, re.ASCII):
        raise Wrong("malformed", "not a signed text")
    header, payload, signature = text.split(".")
    said = parse(unb64(header))
    key = {kid(one): one for one in keys}.get(said["kid"])
    if said != {"alg": "Ed25519", "kid": said["kid"], "typ": f"txp-{typ}+jws"}:
        raise Wrong("malformed", f"not signed as {typ}")
    if key is None:
        raise Wrong("key_unknown", typ, 401)
    try:
        key.verify(unb64(signature), f"{header}.{payload}".encode())
    except InvalidSignature:
        raise Wrong("signature_invalid", typ, 401) from None
    return parse(unb64(payload))


def message_hash(env: str) -> str:
    return sha(env.rpartition(".")[0])  # of what was signed, without the signature


def keys_of(key_set: Json, use: str) -> list[Ed25519PublicKey]:
    gone = {one["kid"] for one in key_set["revoked"]}
    return [
        Ed25519PublicKey.from_public_bytes(unb64(one["jwk"]["x"]))
        for one in key_set["keys"]
        if one["use"] == use and one["kid"] not in gone
    ]


# --- signed calls [11] ----------------------------------------------------------------------

REQUEST = ("@method", "@target-uri")
RESPONSE = ("@status", '"@method";req', '"@target-uri";req')
LIFE = timedelta(seconds=300)


class Verifier(HTTPMessageVerifier):
    max_clock_skew = LIFE


def sign_http(message: Http, body: bytes, parts: tuple[str, ...], key: Ed25519PrivateKey) -> None:
    """Add the headers. The library adds and covers the digest; a body here is never empty."""
    me, now = kid(key.public_key()), datetime.now(UTC)
    keys = MappingKeyResolver(public_keys={}, private_keys={me: key})
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=keys).sign(
        message,
        key_id=me,
        created=now,
        expires=now + LIFE,
        tag="txp-1",
        include_alg=False,
        covered_component_ids=(*parts, "content-type"),
        body=body,
    )


def check_http(message: Http, body: bytes, parts: tuple[str, ...], hub: Json) -> None:
    """Demand all of the profile: what the library is not told to require, it does not."""
    keys = MappingKeyResolver(public_keys={kid(one): one for one in hub["http"]}, private_keys={})
    required = (*parts, "content-type", "content-digest")
    try:
        found = Verifier(signature_algorithm=ED25519, key_resolver=keys).verify(
            message,
            max_age=timedelta(0),  # and the skew on top of it
            expect_tag="txp-1",
            require_components=required,
            body=body,
        )
    except HTTPMessageSignaturesException as error:
        raise Wrong("signature_invalid", str(error), 401) from error
    said: Json = found[0].parameters
    if len(found) != 1 or not 0 < said.get("expires", 0) - said["created"] <= LIFE.seconds:
        raise Wrong("signature_invalid", "more than one, or it lives too long", 401)


# --- the peer -------------------------------------------------------------------------------


class Peer:
    """One node with at most one link, from its invitation to its first confirmed hand-off."""

    session: aiohttp.ClientSession
    base: str  # our public address
    hub: Json  # the other side: id, base, name, and the keys we pinned
    out_head: str
    in_head: str
    receipt: str  # the last one we gave

    def __init__(self, name: str, log: Path) -> None:
        self.name, self.log = name, log.open("a", encoding="utf-8")
        self.identity, self.msg, self.http = (Ed25519PrivateKey.generate() for _ in range(3))
        self.id = kid(self.identity.public_key())
        self.link = self.start = ""  # link id and agreement hash, once both have signed
        self.hashes: list[str] = []  # of what came, in the order of its stream
        self.chains: dict[tuple[str, str], tuple[int, str]] = {}  # (direction, hand-off): head
        self.applied = 0
        self.outbox: list[Json] = []
        self.delivered = 0
        self.states: dict[str, str] = {}  # where each hand-off stands
        self.wake, self.done = asyncio.Event(), asyncio.Event()

    # Who we are

    def key_set(self) -> str:
        """Which of our keys is for what, by our identity [7]."""
        valid = {"not_before": instant(-LIFE), "not_after": instant(timedelta(days=30))}
        uses = {"msg": self.msg.public_key(), "http": self.http.public_key()}
        keys = [{"kid": kid(key), "jwk": jwk(key), "use": u, **valid} for u, key in uses.items()]
        said: Json = {"node_id": self.id, "version": 1, "identity_version": 1, "keys": keys}
        said |= {"revoked": [], "issued_at": instant(), "expires": valid["not_after"]}
        return sign("keys", said, self.identity)

    async def document(self, _: web.Request) -> web.Response:
        """Who we are, for whoever asks [10]."""
        said = {"node_id": self.id, "identity": jwk(self.identity.public_key())}
        said |= {"key_set": self.key_set(), "base_url": self.base, "name": self.name}
        said |= {"versions": ["1.0"], "capabilities": [], "limits": {}, "contact": ""}
        said["valid_until"] = instant(timedelta(days=1))
        return web.json_response({"document": sign("node", said, self.http)})

    async def call(self, method: str, path: str, members: Json) -> tuple[int, Json]:
        """A signed call and its answer; only one that the hub signed for this call is one."""
        body, url = dump(members).encode(), self.hub["base"] + path
        asked = Http(method=method, url=url, headers={"Content-Type": "application/json"})
        sign_http(asked, body, REQUEST, self.http)
        async with self.session.request(
            method, url, data=body, headers=asked.headers, allow_redirects=False
        ) as answer:
            text = await answer.read()
            got = Http(status_code=answer.status, headers=answer.headers, request=asked)
            check_http(got, text, RESPONSE, self.hub)
            return answer.status, parse(text)

    # The handshake, from the pasted code to an active link (linking.md)

    async def accept(self, code: str) -> None:
        raw = unb64(code.strip().rpartition("#")[2].removeprefix("txp1."))
        if hashlib.sha256(raw[:-4]).digest()[:4] != raw[-4:]:
            raise Wrong("malformed", "the code has a typing error")
        invitation = parse(raw[:-4])
        await self.discover(invitation)
        about = {"name": self.name, "base_url": self.base, "versions": ["1.0"], "capabilities": []}
        offer = dump({**about, "limits": {}, "scopes": SCOPES})
        nonce = secrets.token_bytes(16)
        key = hashlib.sha256(unb64(invitation["secret"])).digest()
        proof = b"txp-link-v1" + self.hub["id"].encode() + self.id.encode()
        proof += hashlib.sha256(offer.encode()).digest() + nonce
        request = {"invitation": invitation["id"], "identity": jwk(self.identity.public_key())}
        request |= {"key_set": self.key_set(), "offer": offer, "nonce": b64(nonce)}
        request["mac"] = b64(hmac.digest(key, proof, "sha256"))  # the secret itself stays here
        body = {"request": sign("link", request, self.identity)}
        status, said = await self.call("POST", "/txp/v1/link-requests", body)
        if status != 202:
            raise Wrong(said["code"], said["title"])
        await self.agree(said["agreement"], offer)

    async def discover(self, invitation: Json) -> None:
        """The inviter's document, believed because the code names its identity [10]."""
        base = invitation["base"]
        async with self.session.get(f"{base}/.well-known/txp", allow_redirects=False) as answer:
            text = parse(await answer.read())["document"]
        unproven = parse(unb64(text.split(".")[1]))
        identity = Ed25519PublicKey.from_public_bytes(unb64(unproven["identity"]["x"]))
        if sha(identity.public_bytes_raw()) != invitation["identity"]:
            raise Wrong("signature_invalid", "this is not the node that made the invitation")
        keys = unsign("keys", unproven["key_set"], [identity])
        node = unsign("node", text, [identity, *keys_of(keys, "http")])
        if {node["node_id"], keys["node_id"]} != {kid(identity)} or node["base_url"] != base:
            raise Wrong("malformed", "the document does not hold together")
        self.hub = {"id": kid(identity), "base": base, "name": node["name"], "identity": identity}
        self.hub |= {"http": keys_of(keys, "http"), "msg": keys_of(keys, "msg")}
        tell("found", name=node["name"], node_id=node["node_id"])

    async def agree(self, text: str, offer: str) -> None:
        """Sign the agreement, and ask until the inviter has signed it too [9]."""
        said = parse(text)
        us = [self.id, self.base, jwk(self.identity.public_key())]
        them = [self.hub["id"], self.hub["base"], jwk(self.hub["identity"])]
        for role, expected in (("invitee", us), ("inviter", them)):
            if [said[role][name] for name in ("node_id", "base_url", "identity")] != expected:
                raise Wrong("agreement_mismatch", role)
        if said["offers"]["invitee"] != offer or said["terms"]["version"] != "1.0":
            raise Wrong("agreement_mismatch", "not what we offered")
        number = int.from_bytes(hashlib.sha256(b"txp-sas" + text.encode()).digest(), "big")
        tell("agreed", digits=re.sub(r"(\d{5})(?=\d)", r"\1 ", f"{number % 10**40:040d}"))
        signed = {"agreement_hash": sha(text), "link": said["link"]}
        ours = {"signature": sign("agr", {**signed, "node_id": self.id}, self.identity)}
        wait, path = 1, f"/txp/v1/links/{said['link']}/agreement"
        status, answer = await self.call("PUT", path, ours)
        while status == 202:  # their people have not confirmed yet
            await asyncio.sleep(wait := min(2 * wait, 60))
            status, answer = await self.call("PUT", path, ours)
        if status != 200:
            raise Wrong(answer["code"], answer["title"])
        theirs = unsign("agr", answer["signature"], [self.hub["identity"]])
        if theirs != {**signed, "node_id": self.hub["id"]}:
            raise Wrong("agreement_mismatch", "they signed something else")
        self.link, self.start = said["link"], sha(text)  # with it both streams begin
        self.out_head = self.in_head = self.start
        tell("linked", link=self.link, peer=self.hub["name"])

    # What we say

    def say(self, type_: str, data: Json, handoff: str = "", cause: str = "") -> None:
        """Seal one message and queue it [4, 5]."""
        text = dump({"salt": b64(secrets.token_bytes(16)), **data})
        envelope: Json = {"v": "1.0", "id": new_id("msg"), "link": self.link, "from": self.id}
        envelope |= {"to": self.hub["id"], "ep": 1, "seq": len(self.outbox) + 1, "agr": 1}
        envelope |= {"prev": self.out_head, "type": type_, "dt": f"{type_}/1", "ts": instant()}
        envelope |= {"must": type_ != "message.rejected", "dh": sha(text)}
        if self.applied:
            envelope["ack"] = [self.applied, self.hashes[self.applied - 1]]
        if cause:
            envelope["cause"] = cause
        place, head = self.chains.get(("out", handoff), (0, self.start))
        if handoff:  # every hand-off has a chain of its own, so that it can be shown alone
            envelope |= {"handoff": handoff, "hseq": place + 1, "hprev": head}
        env = sign("msg", envelope, self.msg)
        self.out_head = message_hash(env)
        if handoff:
            self.chains["out", handoff] = (place + 1, self.out_head)
        self.outbox.append({"env": env, "data": text})
        self.wake.set()
        tell("said", seq=envelope["seq"], type=type_, handoff=handoff)

    async def deliver(self) -> None:
        """Send what waits, one batch at a time, until a receipt covers it; never give up."""
        wait, path = 1, f"/txp/v1/links/{self.link}/messages"
        while await self.wake.wait():
            self.wake.clear()
            while batch := self.outbox[self.delivered : self.delivered + 10]:  # below 1 MiB
                try:
                    _, said = await self.call("POST", path, {"messages": batch})
                    if not self.take_receipt(said.get("receipt", "")):
                        raise Wrong(said.get("code", "not_stored"))
                    wait = 1
                except (Wrong, aiohttp.ClientError, TimeoutError, *UNREADABLE) as error:
                    tell("not delivered", why=str(error))
                    await asyncio.sleep(wait := min(2 * wait, 900))

    def take_receipt(self, text: str) -> bool:
        """Whether it covers more than the last one [6]."""
        said, before = unsign("rcpt", text, self.hub["msg"]), self.delivered
        head = message_hash(self.outbox[said["upto"] - 1]["env"]) if said["upto"] else self.start
        about = (said["link"], said["of"], said["ep"], said["head"], said["stored"])
        if about != (self.link, self.id, 1, head, True):
            raise Wrong("malformed", "a receipt for something else")
        self.delivered = max(before, said["upto"])
        tell("delivered", upto=self.delivered)
        return self.delivered > before

    # What we are told

    async def messages(self, request: web.Request) -> web.Response:
        """A batch of the hub: first who calls, then what it says (delivery.md)."""
        body, url = await request.read(), self.base + request.raw_path  # never from Host
        asked = Http(method=request.method, url=url, headers=request.headers)
        status, kind, wrong = 200, "application/json", None
        said: Json = {}
        try:
            if request.match_info["lid"] != self.link:  # also before our link is active
                raise Wrong("key_unknown", "no such link", 401)
            check_http(asked, body, REQUEST, self.hub)
            batch = parse(body)["messages"]
            if not isinstance(batch, list):
                raise Wrong("malformed", "no list of messages")
            wrong = self.take_batch(batch)
            said = {"receipt": self.receipt}  # also beside a refusal: for what came before it
        except Wrong as error:
            wrong = error
        except UNREADABLE as error:
            wrong = Wrong("malformed", str(error))
        if wrong is not None:
            status, kind = wrong.status, "application/problem+json"
            said |= {"type": f"urn:txp:problem:{wrong.code}", "title": "This was refused."}
            said |= {"status": status, "code": wrong.code, "seq": len(self.hashes) + 1}
        text = dump(said).encode()
        reply = Http(status_code=status, headers={"Content-Type": kind}, request=asked)
        sign_http(reply, text, RESPONSE, self.http)
        return web.Response(status=status, body=text, headers=reply.headers)

    def take_batch(self, batch: list[Json]) -> Wrong | None:
        """Store what continues the stream, sign a receipt for it, and only then act.

        What it returns is wrong with the first message that could not be taken.
        """
        fresh, touched, wrong = [], {}, None
        for message in batch:
            try:
                said = self.open(message["env"], message["data"])
            except (Wrong, *UNREADABLE) as error:
                wrong = error if isinstance(error, Wrong) else Wrong("env_invalid", str(error))
                break
            if said["seq"] <= len(self.hashes):
                continue  # a second copy
            if said["seq"] > len(self.hashes) + 1:
                break  # a gap: our receipt tells where it begins
            self.in_head = message_hash(message["env"])
            self.hashes.append(self.in_head)
            if "handoff" in said:
                self.chains["in", said["handoff"]] = (said["hseq"], self.in_head)
                touched[said["handoff"]] = [said["hseq"], self.in_head]
            self.log.write(dump(message) + "\n")
            fresh.append((said, message["data"]))
        if fresh or not self.hashes:
            self.log.flush()
            os.fsync(self.log.fileno())  # "stored" must be true before we sign it [6]
            receipt: Json = {
                "link": self.link,
                "of": self.hub["id"],
                "ep": 1,
                "upto": len(self.hashes),
            }
            receipt |= {"head": self.in_head, "handoffs": touched, "at": instant(), "stored": True}
            self.receipt = sign("rcpt", receipt, self.msg)
            tell("receipted", upto=len(self.hashes))
        for said, text in fresh:
            self.apply(said, text)
        return wrong

    def open(self, env: str, text: str) -> Json:
        """The envelope, proven, and found to continue or to repeat what we have [5]."""
        if len(env) > 4096 or len(text.encode()) > 65536:
            raise Wrong("malformed", "too large")
        said = unsign("msg", env, self.hub["msg"])
        about = [said[name] for name in ("v", "link", "from", "to")]
        if about != ["1.0", self.link, self.hub["id"], self.id]:
            raise Wrong("env_invalid", "addressed otherwise")
        if type(said["seq"]) is not int or said["seq"] < 1:
            raise Wrong("env_invalid", "no place in a stream")
        if sha(text) != said["dh"]:
            raise Wrong("data_hash_mismatch")
        known = self.hashes[: said["seq"]][-1:] if said["seq"] <= len(self.hashes) else []
        if known and known != [message_hash(env)]:
            raise Wrong("fork_detected", "two messages for one position", 409)
        if said["seq"] == len(self.hashes) + 1:
            place, head = self.chains.get(("in", said.get("handoff", "")), (0, self.start))
            if said["prev"] != self.in_head:
                raise Wrong("fork_detected", "it continues something else", 409)
            if said["ep"] != 1 or ("handoff" in said and said["hseq"] != place + 1):
                raise Wrong("env_invalid", "an unknown epoch, or out of place")
            if "handoff" in said and said["hprev"] != head:
                raise Wrong("env_invalid", "it breaks the chain of its hand-off")
        return said

    def apply(self, said: Json, text: str) -> None:
        """Do what an authentic message says; what we cannot accept is answered in-band."""
        handoff, type_, id_ = said.get("handoff", ""), said["type"], said["id"]
        tell("received", seq=said["seq"], type=type_, handoff=handoff)
        code = ""
        try:
            if said["dt"] != f"{type_}/1":
                raise Wrong("unsupported_type")
            self.act(type_, handoff, parse(text), id_)
        except Wrong as error:
            code = error.code
        except UNREADABLE:
            code = "schema_invalid"
        if code and said["must"]:
            refused = {"ref_seq": said["seq"], "ref_ep": said["ep"], "ref_id": id_, "code": code}
            refused["ref_mh"] = self.hashes[said["seq"] - 1]
            self.say("message.rejected", refused, cause=id_)
        self.applied = said["seq"]

    def act(self, type_: str, handoff: str, data: Json, id_: str) -> None:
        """The contractor's straight road through docs/protocol/handoff-states.md."""
        state = self.states.get(handoff)
        if type_ == "handoff.offer":
            if state is not None:
                raise Wrong("duplicate_id")
            tell("offered", handoff=handoff, number=data["number"], title=data["title"])
            accepted = {"from": "offered", "number": f"M-{len(self.states) + 1}"}
            author = {"ref": "peer", "display": self.name, "account": self.name}
            comment: Json = {
                "comment_id": new_id("cmt"),
                "author": author,
                "body": "Принято, начинаем.",
            }
            comment |= {"format": "plain", "at": instant(), "files": []}
            done: Json = {"from": "in_progress", "resolution": "Сделано.", "effort_minutes": 1}
            self.say("handoff.accept", accepted, handoff, id_)
            self.say("comment.add", comment, handoff)
            self.say("handoff.start", {"from": "accepted"}, handoff)
            self.say("handoff.resolve", {**done, "files": []}, handoff)
            self.states[handoff] = "resolved"
        elif type_ == "handoff.confirm" and state is None:
            raise Wrong("unknown_handoff")
        elif type_ == "handoff.confirm":
            if data["from"] != state:
                raise Wrong("wrong_pen")
            self.states[handoff] = "confirmed"
            tell("confirmed", handoff=handoff, rating=data.get("rating"))
            self.done.set()
        elif type_ not in IGNORED:
            raise Wrong("unsupported_type")


async def main() -> None:
    read = argparse.ArgumentParser(description="A contractor that speaks TXP/1, in one file.")
    read.add_argument("code", help="the invitation: txp1.…, or the link that ends in it")
    read.add_argument("--listen", default="127.0.0.1:9901", help="host:port; also our address")
    read.add_argument("--name", default="Мини", help="what the partner sees")
    read.add_argument("--log", type=Path, default=Path("peer-log.ndjson"), help="what we received")
    given = read.parse_args()
    peer = Peer(given.name, given.log)
    app = web.Application(client_max_size=1024 * 1024)
    app.router.add_get("/.well-known/txp", peer.document)
    app.router.add_post("/txp/v1/links/{lid}/messages", peer.messages)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = given.listen.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    peer.base = f"http://{host}:{runner.addresses[0][1]}"
    tell("listening", base=peer.base, node_id=peer.id)

    async def live() -> None:
        await peer.accept(given.code)
        await peer.deliver()

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as peer.session:
        living = asyncio.create_task(live())
        living.add_done_callback(lambda _: peer.done.set())  # it ends by itself only in trouble
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, peer.done.set)
        await peer.done.wait()
        await runner.cleanup()  # lets an answer that is on its way out
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living
    tell("ended")


if __name__ == "__main__":
    asyncio.run(main())
