"""The door to peers: every route, who may knock at it, and what it answers.

The door does not know the server: it takes a `Call` and gives a `Reply`, so networks of nodes
in tests use the very same code without sockets. Order of checks: route, size, is the caller's
key pinned for this very link, signature over the raw body; only then is anything parsed.

What a caller can cost us is bounded before it has proven who it is: strangers by their network,
calls in the name of a peer by how many are worked on at a time. Only a proven call takes from
what its link may have, so nobody can use up what is another's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from hub.actions import (
    collecting,
    invitations,
    keyring,
    outbox,
    peer_keys,
    peers,
    suspicions,
    syncing,
    turns,
)
from hub.actions import keys as own_keys
from hub.actions.context import Hub
from hub.domain.limits import Buckets, Places
from hub.errors import HubError, Refused, Unavailable, Untrusted
from hub.federation import receive
from hub.federation.polls import Polls
from hub.federation.problems import problem_for
from hub.ids import LinkId
from hub.protocol import (
    http_signatures,
    linking,
    node_document,
    strict_json,
    sync,
    versions,
)
from hub.protocol.http_signatures import HttpRequest, HttpResponse
from hub.protocol.keys import MAX_KEYS_CALL, KeySet, KeyUse, PublicKey
from hub.protocol.members import Members
from hub.protocol.message import MAX_BATCH, MAX_BATCH_BYTES, parse_batch, read_messages
from hub.protocol.problems import MEDIA_TYPE, STATUS
from hub.protocol.receipts import MAX_RECEIPT

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
MAX_PART: Final = 1024 * 1024  # of a file that a peer pushes
DOCUMENT_VALIDITY: Final = timedelta(days=1)
_KEYS_FOR_S: Final = 5.0  # how long pinned keys are remembered without looking again
_BODIES_OF_ONE: Final = 2  # bodies read at a time of one link and network
_KEYID: Final = re.compile(r'keyid="(?P<kid>[A-Za-z0-9_-]{43})"')
_RANGE: Final = re.compile(r"bytes=(?P<start>\d{1,15})-(?P<end>\d{0,15})")


class Caller(StrEnum):
    """Who may use a route."""

    ANYBODY = "anybody"
    REQUESTER = "requester"  # signed by the http key of the key set it brings along
    TELLER = "teller"  # signed by an http key of a set that the pinned identity signed
    PEER = "peer"  # signed by an http key pinned for the link in the path


@dataclass(frozen=True, slots=True)
class Call:
    """A request, with its raw body. Header names are in lower case."""

    method: str
    target: str  # path and query as they came
    headers: Mapping[str, str]
    body: bytes = b""
    network: str = ""  # where it came from; empty: from this very process


@dataclass(frozen=True, slots=True)
class FileBody:
    """Part of a file, to be streamed."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: FileBody | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """The pinned keys of one link, as they were a moment ago."""

    keys: peers.PeerKeys | None
    at: float


@dataclass(frozen=True, slots=True)
class Visit:
    """A call after its caller is known."""

    call: Call
    params: Mapping[str, str]
    keys: peers.PeerKeys | None  # of the peer; None for others


Handler = Callable[["Door", Visit], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path."""

    method: str
    path: str  # with {names}
    caller: Caller
    max_body: int
    handler: Handler
    media_type: str = JSON  # of the body

    @property
    def pattern(self) -> re.Pattern[str]:
        """The path as a pattern."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[A-Za-z0-9_-]{1,64})", self.path))


class Door:
    """Answers calls of peers for one node."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._known: dict[str, _Known] = {}
        self._strangers = Buckets(hub.limits.networks_remembered)
        self._disproved = Buckets(hub.limits.networks_remembered)
        self._rates = Buckets(hub.limits.networks_remembered)
        self._places = Places()
        self._polls = Polls(hub)
        self._routes = [(route, route.pattern) for route in ROUTES]

    @property
    def hub(self) -> Hub:
        """The node behind the door."""
        return self._hub

    @property
    def polls(self) -> Polls:
        """The calls that wait for news."""
        return self._polls

    def alone(self, *key: str) -> contextlib.AbstractContextManager[None]:
        """The only place for this. Raises Unavailable(overloaded)."""
        return self._places.hold(key, 1)

    def find(self, method: str, target: str) -> tuple[Route, Mapping[str, str]]:
        """The route of a call. Raises Refused(not_found)."""
        path = target.partition("?")[0]
        for route, pattern in self._routes:
            found = pattern.fullmatch(path)
            if found is not None and route.method == method:
                return route, found.groupdict()
        raise Refused("not_found", "There is nothing here.")

    async def knock(self, call: Call) -> Route:
        """The route, if this caller may send its body at all. `call.body` is not read.

        Raises Untrusted(key_unknown) for a stranger: cheap, and before any of the body;
        Unavailable(rate_limited) for one of a network whose strangers come too often.
        """
        try:
            route, params = self.find(call.method, call.target)
            if route.caller is Caller.PEER:
                found = _KEYID.search(call.headers.get("signature-input", ""))
                keys = await self._keys(params["lid"])
                if found is None or keys is None or found["kid"] not in keys.http:
                    raise _stranger()
                self._check_disproved(params["lid"], call.network)
                return route
            if route.caller is not Caller.ANYBODY and "signature-input" not in call.headers:
                raise Untrusted("signature_invalid", "The call is not signed as it must be.")
            if route.caller is Caller.TELLER and await self._keys(params["lid"]) is None:
                raise _stranger()
        except HubError:
            self._meet_stranger(call.network)
            raise
        self._meet_stranger(call.network)
        if route.caller is Caller.REQUESTER:
            self._take("link-requests", self._hub.limits.link_requests_per_minute)
        return route

    @contextmanager
    def place(self, call: Call, route: Route) -> Iterator[None]:
        """Room to read this call's body and to work on it.

        Raises Unavailable(overloaded) where the caller has no more, or nobody has: a caller
        that sends slowly holds its own places and not those of others.
        """
        limits = self._hub.limits
        params = self.find(call.method, call.target)[1]
        who = (params.get("lid"), call.network)
        with self._places.hold(who, limits.calls_at_once_per_link):
            if not route.max_body:
                yield
                return
            with (
                self._places.hold(("bodies", *who), _BODIES_OF_ONE),
                self._places.hold("bodies", limits.bodies_at_once),
            ):
                yield

    def disproved(self, call: Call, link_id: str) -> None:
        """Count a call in the name of a peer that proved nothing.

        What costs most is to find that out: the body is read and its signature tried. A network
        from which many such calls come is answered before that, in the name of this one link.
        """
        if call.network:
            limit = self._hub.limits.unproven_calls_per_minute_per_link
            now = self._hub.clock.monotonic()
            self._disproved.take((link_id, call.network), limit, now)

    def _check_disproved(self, link_id: str, network: str) -> None:
        limit, now = (
            self._hub.limits.unproven_calls_per_minute_per_link,
            self._hub.clock.monotonic(),
        )
        wait = self._disproved.wait((link_id, network), limit, now)
        if wait:
            raise _too_often(wait)

    @contextmanager
    def giving_a_file(self) -> Iterator[None]:
        """Room to give a file. Raises Unavailable(overloaded)."""
        with self._places.hold("files", self._hub.limits.file_answers_at_once):
            yield

    def _meet_stranger(self, network: str) -> None:
        """Count a call nobody has proven to make. Raises Unavailable(rate_limited)."""
        if not network:
            return
        per_minute = self._hub.limits.stranger_calls_per_minute
        wait = self._strangers.take(network, per_minute, self._hub.clock.monotonic())
        if wait:
            raise _too_often(wait)

    def _take(self, key: str, per_minute: int) -> None:
        wait = self._rates.take(key, per_minute, self._hub.clock.monotonic())
        if wait:
            raise _too_often(wait)

    async def answer(self, call: Call) -> Reply:
        """The answer to a call, signed where the caller is a peer."""
        keys: peers.PeerKeys | None = None  # of a caller that has proven to be the peer
        claimed: str | None = None  # the link it speaks of, where there is such a link
        try:
            route, params = self.find(call.method, call.target)
            if len(call.body) > route.max_body:
                raise Refused("too_large", "The request is too large.")
            if call.body and call.headers.get("content-type") != route.media_type:
                raise Refused("unsupported_media_type", "Send {wanted}.", wanted=route.media_type)
            if route.caller is not Caller.PEER:
                reply = await route.handler(self, Visit(call, params, None))
            else:
                # Whoever cannot prove it gets the same bytes for a link of others as for none.
                pinned = await self._keys(params["lid"])
                claimed = None if pinned is None else pinned.link_id
                keys = self._checked(call, pinned)
                reply = await self._serve(Visit(call, params, keys), route)
        except HubError as error:
            self._hub.metrics.refused.labels("federation", error.code).inc()
            suspicions.note(self._hub, error.code, claimed, came_from=call.network)
            if claimed is not None and keys is None:
                self.disproved(call, claimed)
            reply = self.problem(error)
        except RecursionError:
            suspicions.note(self._hub, "malformed", claimed, came_from=call.network)
            reply = self.problem(Untrusted("malformed", "The request is too deeply nested."))
        return self._signed(call, reply, keys.told) if keys is not None else reply

    async def _serve(self, visit: Visit, route: Route) -> Reply:
        """What a peer gets that has proven to be the peer."""
        assert visit.keys is not None
        link_id = visit.keys.link_id
        self._take(link_id, self._hub.limits.calls_per_minute_per_link)
        if visit.keys.failing:
            await outbox.sign_of_life(self._hub, link_id)
        if route.handler is not _messages:
            return await route.handler(self, visit)
        with self._places.hold(("batch", link_id), 1):
            return await route.handler(self, visit)

    def problem(self, error: HubError) -> Reply:
        """An error as the peer is told it."""
        told = problem_for(error, self._hub.now())
        headers = {"content-type": MEDIA_TYPE, **told.headers}
        return Reply(told.status, headers, strict_json.dump(told.members).encode())

    def forget_keys(self) -> None:
        """Look pinned keys up anew from now on."""
        self._known.clear()

    async def fresh_keys(self, link_id: str) -> peers.PeerKeys:
        """The keys of a peer that has proven itself, looked up anew."""
        self._known.pop(link_id, None)
        keys = await self._keys(link_id)
        if keys is None:
            raise _stranger()
        return keys

    async def _keys(self, link_id: str) -> peers.PeerKeys | None:
        known = self._known.get(link_id)
        now = self._hub.clock.monotonic()
        if known is None or now - known.at > _KEYS_FOR_S:
            known = _Known(await peers.keys(self._hub, LinkId(link_id)), now)
            if len(self._known) > 10_000:
                self._known.clear()
            if known.keys is not None:  # a link may begin any moment
                self._known[link_id] = known
        return known.keys

    def _request(self, call: Call) -> HttpRequest:
        # Never from Host or X-Forwarded-*: those are the caller's words.
        url = self._hub.account.base_url + call.target
        return HttpRequest(call.method, url, call.headers, call.body)

    def _checked(self, call: Call, keys: peers.PeerKeys | None) -> peers.PeerKeys:
        """The keys, if one of them signed this call."""
        if keys is None:
            raise _stranger()
        now = self._hub.now()
        http_signatures.verify_request(
            self._request(call), lambda kid: keys.http_key(kid, now), now
        )
        return keys

    def check_requester(self, call: Call, request: linking.LinkRequest) -> None:
        """Return if the call is signed by an http key of the key set in the request."""
        now = self._hub.now()

        def find(kid: str) -> PublicKey | None:
            entry = request.key_set.find(kid, KeyUse.HTTP)
            return entry.key if entry is not None and entry.in_force(now) else None

        http_signatures.verify_request(self._request(call), find, now)

    def check_teller(self, call: Call, announced: KeySet) -> None:
        """Return if the call is signed by an http key of the key set it tells."""
        now = self._hub.now()

        def find(kid: str) -> PublicKey | None:
            entry = announced.find(kid, KeyUse.HTTP)
            return entry.key if entry is not None and entry.in_force(now) else None

        http_signatures.verify_request(self._request(call), find, now)

    def _signed(self, call: Call, reply: Reply, told: int) -> Reply:
        signed = http_signatures.sign_response(
            HttpResponse(reply.status, reply.headers, reply.body),
            self._request(call),
            keyring.http_key(self._hub, told),
            self._hub.now(),
        )
        return Reply(reply.status, {**reply.headers, **signed}, reply.body, reply.file)

    def signed_for_requester(self, call: Call, reply: Reply) -> Reply:
        """The reply, signed for a caller that is not pinned yet: it has just read our document."""
        return self._signed(call, reply, self._hub.key_set.version)

    def signed_for_teller(self, call: Call, reply: Reply, told: int) -> Reply:
        """The reply, signed for a peer that tells us its keys and may know only old ones."""
        return self._signed(call, reply, told)


def _too_often(wait_s: float) -> Unavailable:
    return Unavailable(
        "rate_limited", "Too many calls come from there.", after=timedelta(seconds=wait_s)
    )


def _stranger() -> Untrusted:
    return Untrusted("key_unknown", "The call is signed by an unknown key.")


def _json(status: int, members: dict[str, Any]) -> Reply:
    return Reply(status, {"content-type": JSON}, strict_json.dump(members).encode())


# --- handlers -------------------------------------------------------------------------------


async def _node_document(door: Door, visit: Visit) -> Reply:
    hub = door.hub
    await own_keys.refresh(hub)  # another process may have rotated them
    document = node_document.NodeDocument(
        node_id=hub.account.node_id,
        identity=hub.keys.identity.public,
        key_set_jws=hub.key_set_jws,
        key_set=hub.key_set,
        base_url=hub.account.base_url,
        name=hub.account.name,
        versions=versions.SUPPORTED,
        capabilities=invitations.CAPABILITIES,
        limits={
            "message_batch": hub.limits.message_batch,
            "file_bytes": hub.limits.file_bytes,
        },
        contact="",
        valid_until=hub.now() + DOCUMENT_VALIDITY,
        succession=hub.keys.succession,
    )
    body = node_document.seal(document, hub.keys.http).encode()
    return Reply(200, {"content-type": JSON, "cache-control": "max-age=300"}, body)


async def _link_request(door: Door, visit: Visit) -> Reply:
    parsed = strict_json.parse(visit.call.body, max_bytes=linking.MAX_LINK_REQUEST)
    text = parsed.get("request")
    if not isinstance(text, str):
        raise Untrusted("malformed", "The request does not follow the protocol.")
    request = linking.open_link_request(text)
    door.check_requester(visit.call, request)
    await own_keys.refresh(door.hub)
    try:
        answered = await invitations.receive_request(door.hub, request)
    except HubError as error:
        # Signed like a yes: a caller believes no other no, and its people must be told why.
        door.hub.metrics.refused.labels("federation", error.code).inc()
        suspicions.note(door.hub, error.code, came_from=visit.call.network)
        return door.signed_for_requester(visit.call, door.problem(error))
    door.forget_keys()
    members = {
        "rid": answered.link.id,
        "state": answered.link.state.value,
        "agreement": answered.agreement,
    }
    if answered.signature is not None:
        members["signature"] = answered.signature
    return door.signed_for_requester(visit.call, _json(202, members))


async def _link_status(door: Door, visit: Visit) -> Reply:
    link = await peers.link(door.hub, LinkId(visit.params["lid"]))
    members: dict[str, Any] = {"rid": link.id, "state": link.state.value}
    if link.agreement is not None:
        members["agreement"] = link.agreement
    if link.our_signature is not None:
        members["signature"] = link.our_signature
    return _json(200, members)


async def _agreement(door: Door, visit: Visit) -> Reply:
    parsed = strict_json.parse(visit.call.body, max_bytes=linking.MAX_LINK_REQUEST)
    signature = parsed.get("signature")
    if not isinstance(signature, str):
        raise Untrusted("malformed", "The request does not follow the protocol.")
    link = await invitations.receive_signature(door.hub, LinkId(visit.params["lid"]), signature)
    if link.our_signature is None:
        return _json(202, {"state": link.state.value})
    return _json(200, {"state": link.state.value, "signature": link.our_signature})


async def _messages(door: Door, visit: Visit) -> Reply:
    assert visit.keys is not None
    hub, keys = door.hub, visit.keys
    link_id = LinkId(visit.params["lid"])
    batch = parse_batch(visit.call.body)
    received = await receive.take(hub, keys, batch, lambda: door.fresh_keys(link_id))
    accepted = received.accepted
    if received.new_keys:
        door.forget_keys()
    if received.replayed:
        suspicions.note(hub, "replay", link_id, came_from=visit.call.network)
    if accepted.stopped is None:
        return _json(200, {"receipt": accepted.receipt})
    told = problem_for(accepted.stopped, hub.now())
    members = {**told.members, "receipt": accepted.receipt, "seq": accepted.upto + 1}
    hub.metrics.refused.labels("federation", accepted.stopped.code).inc()
    suspicions.note(hub, accepted.stopped.code, link_id, came_from=visit.call.network)
    headers = {"content-type": MEDIA_TYPE, **told.headers}
    return Reply(told.status, headers, strict_json.dump(members).encode())


async def _sync(door: Door, visit: Visit) -> Reply:
    link_id = LinkId(visit.params["lid"])
    said = strict_json.parse(visit.call.body, max_bytes=sync.MAX_SYNC, what="sync")
    theirs, begin = sync.read_sync(said)
    assert visit.keys is not None
    if not visit.keys.collects:
        ours = await syncing.answer(door.hub, link_id, theirs, begin)
        return _json(200, sync.dump_sync(ours))
    if said.get("refused") == "clone_detected":
        await syncing.held_as_clone(door.hub, link_id)
    if (noted := sync.read_noted(said)) is not None:
        await turns.noted(door.hub, link_id, theirs, noted)
    ours = await syncing.answer(door.hub, link_id, theirs, begin)
    turn = await turns.turn(door.hub, link_id, theirs)
    return _json(200, sync.dump_sync(ours) | ({} if turn is None else sync.dump_turn(turn)))


async def _handed_back(door: Door, visit: Visit) -> Reply:
    """A peer that cannot be called hands back a page of our own log."""
    said = strict_json.parse(visit.call.body, max_bytes=MAX_BATCH_BYTES, what="log")
    following = await turns.take_page(door.hub, LinkId(visit.params["lid"]), read_messages(said))
    return _json(200, {"from": following})


async def _keys(door: Door, visit: Visit) -> Reply:
    """A peer tells its keys beside the stream: they prove themselves, whatever was stolen."""
    hub = door.hub
    known = await door.fresh_keys(visit.params["lid"])
    said = strict_json.parse(visit.call.body, max_bytes=MAX_KEYS_CALL)
    try:
        made = peer_keys.proven(known.identity, known.peer_node_id, said)
    except Untrusted as error:
        if error.code == "signature_invalid":  # keys in its name that are not its own
            await peer_keys.refused_call(hub, known.link_id, error)
        raise
    door.check_teller(visit.call, made.key_set)
    try:
        taken = await peer_keys.receive_call(hub, known.link_id, said)
    except HubError as error:
        hub.metrics.refused.labels("federation", error.code).inc()
        return door.signed_for_teller(visit.call, door.problem(error), known.told)
    door.forget_keys()
    members = {
        "version": taken.version,
        "receipt": taken.receipt,
        "contested": taken.contested,
    }
    return door.signed_for_teller(visit.call, _json(200, members), known.told)


async def _our_keys(door: Door, visit: Visit) -> Reply:
    """Our keys, for a peer that asks: it cannot be called, or cannot believe us without them."""
    assert visit.keys is not None
    said = await own_keys.telling(door.hub, visit.keys.link_id, asked=True)
    if said is None:
        raise Refused("not_found", "There is nothing to tell.")
    return _json(200, {**said.members, "version": said.version})


async def _hand_in(door: Door, visit: Visit) -> Reply:
    assert visit.keys is not None
    link_id = visit.keys.link_id
    said = Members(strict_json.parse(visit.call.body, max_bytes=MAX_BATCH_BYTES), "receipts")
    if not visit.keys.collects and not said.has("keys"):
        raise Refused("not_found", "Receipts are answers to messages here.")
    if said.has("receipts"):
        texts = [str(one) for one in said.array("receipts", peers.RECEIPTS_AT_ONCE)]
        await syncing.keep_receipts(door.hub, link_id, texts)
    if said.has("receipt"):
        receipt = said.text("receipt", MAX_RECEIPT)
        if said.has("keys"):
            taken = Members(said.nested("keys"), "receipts")
            await collecting.keys_taken(
                door.hub,
                link_id,
                receipt,
                version=taken.number("version", 1),
                upto=taken.number("upto"),
                contested=taken.number("contested"),
            )
            door.forget_keys()
        else:
            stopped = said.text("stopped", 64) if said.has("stopped") else None
            if stopped is not None and stopped not in STATUS:
                raise said.flaw("stopped")
            await collecting.hand_in(door.hub, link_id, receipt, stopped)
    return _json(200, {})


async def _receipts(door: Door, visit: Visit) -> Reply:
    upto = _number(visit.call, "from", 1)
    found = await peers.issued_receipts(door.hub, LinkId(visit.params["lid"]), upto)
    return _json(200, {"receipts": found})


async def _log(door: Door, visit: Visit) -> Reply:
    query = _query(visit.call)
    if query.get("dir") not in {"in", "out"}:
        raise Refused("malformed", "Say dir=in or dir=out.")
    assert visit.keys is not None
    if visit.keys.collects and query["dir"] == "in":
        return await _collect(door, visit)
    found = await peers.log(
        door.hub,
        LinkId(visit.params["lid"]),
        # Named from the caller's side: what it calls `in` is what we sent.
        ours=query["dir"] == "in",
        start=_number(visit.call, "from", 1),
        limit=min(_number(visit.call, "limit", MAX_BATCH), MAX_BATCH),
    )
    return _json(200, {"messages": [{"env": one.env, "data": one.data} for one in found]})


async def _collect(door: Door, visit: Visit) -> Reply:
    """What is for a peer that we cannot call; where there is nothing, the answer may wait."""
    hub, link_id = door.hub, LinkId(visit.params["lid"])
    start = max(1, _number(visit.call, "from", 1))
    limit = min(_number(visit.call, "limit", MAX_BATCH), MAX_BATCH)
    with_files = _query(visit.call).get("files") != "no"
    await collecting.seen(hub, link_id)

    async def look() -> collecting.Waiting:
        return await collecting.waiting(hub, link_id, start, limit, with_files=with_files)

    found = await door.polls.first(link_id, look, _number(visit.call, "wait", 0))
    members: dict[str, Any] = {
        "messages": [{"env": one.env, "data": one.data} for one in found.messages]
    }
    if found.keys:
        members["keys"] = True
    if found.files:
        members["files"] = [
            {"sha256": one.sha256, "size": one.size, "have": one.have} for one in found.files
        ]
    return _json(200, members)


async def _push(door: Door, visit: Visit) -> Reply:
    link_id, digest = LinkId(visit.params["lid"]), visit.params["digest"]
    start = _number(visit.call, "from", 0)
    with door.alone("push", link_id, digest):
        done = await collecting.take_part(door.hub, link_id, digest, start, visit.call.body)
    return _json(201 if done.whole else 200, {"have": done.have})


async def _not_there(door: Door, visit: Visit) -> Reply:
    await collecting.not_there(door.hub, LinkId(visit.params["lid"]), visit.params["digest"])
    return _json(200, {})


async def _blob(door: Door, visit: Visit) -> Reply:
    digest = visit.params["digest"]
    size = await peers.readable_file(door.hub, LinkId(visit.params["lid"]), digest)
    start, end = 0, size - 1
    asked = visit.call.headers.get("range")
    etag = f'"{digest}"'
    if asked is not None and visit.call.headers.get("if-range", etag) == etag:
        found = _RANGE.fullmatch(asked)
        if found is not None and int(found["start"]) < size:
            start = int(found["start"])
            end = min(int(found["end"] or end), end)
            if end < start:
                start, end = 0, size - 1
    partial = (start, end) != (0, size - 1)
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(end - start + 1),
        "accept-ranges": "bytes",
        "etag": etag,
        "repr-digest": f"sha-256=:{_standard_base64(digest)}:",
    }
    if partial:
        headers["content-range"] = f"bytes {start}-{end}/{size}"
    body = (
        None
        if visit.call.method == "HEAD"
        else FileBody(door.hub.blobs.path(digest), start, end - start + 1)
    )
    return Reply(206 if partial else 200, headers, file=body)


def _standard_base64(digest: str) -> str:
    return digest.replace("-", "+").replace("_", "/") + "="


def _query(call: Call) -> dict[str, str]:
    pairs = (part.partition("=") for part in call.target.partition("?")[2].split("&") if part)
    return {name: value for name, _, value in pairs}


def _number(call: Call, name: str, default: int) -> int:
    text = _query(call).get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refused("malformed", "'{name}' is a number.", name=name)
    return int(text)


_SMALL: Final = 0
_HANDSHAKE: Final = linking.MAX_LINK_REQUEST + 1024

ROUTES: Final = (
    Route("GET", "/.well-known/txp", Caller.ANYBODY, _SMALL, _node_document),
    Route("POST", "/txp/v1/link-requests", Caller.REQUESTER, _HANDSHAKE, _link_request),
    Route("GET", "/txp/v1/link-requests/{lid}", Caller.PEER, _SMALL, _link_status),
    Route("PUT", "/txp/v1/links/{lid}/agreement", Caller.PEER, _HANDSHAKE, _agreement),
    Route("POST", "/txp/v1/links/{lid}/messages", Caller.PEER, MAX_BATCH_BYTES, _messages),
    Route("POST", "/txp/v1/links/{lid}/sync", Caller.PEER, sync.MAX_SYNC, _sync),
    Route("POST", "/txp/v1/links/{lid}/keys", Caller.TELLER, MAX_KEYS_CALL, _keys),
    Route("GET", "/txp/v1/links/{lid}/keys", Caller.PEER, _SMALL, _our_keys),
    Route("GET", "/txp/v1/links/{lid}/log", Caller.PEER, _SMALL, _log),
    Route("POST", "/txp/v1/links/{lid}/log", Caller.PEER, MAX_BATCH_BYTES, _handed_back),
    Route("GET", "/txp/v1/links/{lid}/receipts", Caller.PEER, _SMALL, _receipts),
    Route("POST", "/txp/v1/links/{lid}/receipts", Caller.PEER, MAX_BATCH_BYTES, _hand_in),
    Route("GET", "/txp/v1/links/{lid}/blobs/{digest}", Caller.PEER, _SMALL, _blob),
    Route("HEAD", "/txp/v1/links/{lid}/blobs/{digest}", Caller.PEER, _SMALL, _blob),
    Route("PUT", "/txp/v1/links/{lid}/blobs/{digest}", Caller.PEER, MAX_PART, _push, BYTES),
    Route("DELETE", "/txp/v1/links/{lid}/blobs/{digest}", Caller.PEER, _SMALL, _not_there),
)
"""Every route of the door. A test classifies each by its caller."""
