"""A partner that is no node of ours: it has keys and a link, and says whatever a test wants.

It goes through the real handshake and signs with its real keys, so everything it sends is
authentic unless a test makes it otherwise. It keeps what it was sent and gives receipts for it,
unless its `script` says something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from hub.actions import invitations, nodes
from hub.domain.agreement import Offer, combine, default_offer
from hub.federation.door import JSON, Call, Door, Reply
from hub.ids import HandoffId, InvitationId, LinkId, MessageId, new
from hub.protocol import agreement as agreements
from hub.protocol import (
    http_signatures,
    jws,
    linking,
    node_document,
    receipts,
    signing,
    strict_json,
    versions,
)
from hub.protocol import invitation as codes
from hub.protocol.agreement import Agreement, AgreementParty
from hub.protocol.encoding import instant, sha256_b64
from hub.protocol.http_signatures import HttpRequest, HttpResponse
from hub.protocol.invitation import Invitation
from hub.protocol.keys import PrivateKey, Signer, seal_key_set
from hub.protocol.message import (
    Envelope,
    WireMessage,
    dump_batch,
    parse_batch,
    read_messages,
)
from hub.protocol.problems import MEDIA_TYPE, problem
from hub.protocol.receipts import Receipt
from hub.protocol.signing import SealedMessage, VerifiedMessage
from hub.protocol.sync import (
    NewEpoch,
    Place,
    Standing,
    dump_sync,
    expected_epoch,
    parse_sync,
)
from hub.storage.keystore import NodeKeys
from tests.kit.clock import SeededEntropy

if TYPE_CHECKING:
    from tests.kit.network import Company, Network


@dataclass(frozen=True, slots=True)
class Answered:
    """What a node answered to a call."""

    status: int
    members: dict[str, Any]
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of a refusal, or an empty text."""
        return str(self.members.get("code", ""))


Script = Callable[[Call], Reply | None]


@dataclass
class FakePeer:
    """One partner, driven by a test. Linked with one company at most."""

    network: Network
    name: str
    base_url: str
    keys: NodeKeys
    entropy: SeededEntropy
    company: Company | None = None
    link_id: LinkId = field(default=LinkId(""))
    agreement: Agreement | None = None
    # our stream
    seq: int = 0
    head: str = ""
    chains: dict[str, tuple[int, str]] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=lambda: {1: 1})
    run: str = "the-only-run"
    # what came
    heard_epochs: dict[int, int] = field(default_factory=lambda: {1: 1})
    heard: list[VerifiedMessage] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    script: Script = lambda _call: None
    files: dict[str, bytes] = field(default_factory=dict)
    # as an inviter
    alter: Callable[[dict[str, Any]], None] = lambda _members: None
    sign_as_inviter: bool = True
    secrets: dict[str, bytes] = field(default_factory=dict)
    made: int = 0  # ids so far

    @classmethod
    def of(cls, network: Network, name: str, *, outbound_only: bool = False) -> FakePeer:
        """A partner with an address on this network's wire, or one that nobody can call."""
        entropy = SeededEntropy(f"{network.seed}/fake/{name}")
        keys = NodeKeys(
            identity=PrivateKey.generate(entropy),
            message=PrivateKey.generate(entropy),
            http=PrivateKey.generate(entropy),
            secrets=PrivateKey.generate(entropy),
            instance=entropy.bytes(16).hex(),
            created_at=network.clock.now(),
            unprotected=True,
        )
        base_url = f"http://127.0.0.1:{20000 + len(network.wire.doors)}"
        made = cls(network, name, "" if outbound_only else base_url, keys, entropy)
        if not outbound_only:
            network.wire.doors[made.base_url] = cast("Door", made)
        return made

    # --- who we are ---------------------------------------------------------------------

    @property
    def node_id(self) -> str:
        return self.keys.identity.kid

    @property
    def now(self) -> datetime:
        now = self.network.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    @property
    def node(self) -> Company:
        """The company we are linked with."""
        assert self.company is not None
        return self.company

    @property
    def key_set_jws(self) -> str:
        made = nodes.first_key_set(self.keys, self.keys.created_at)
        return seal_key_set(made, self.keys.identity)

    def new_id(self, prefix: str) -> str:
        """A fresh id, behind our earlier ones and behind a node's of the same millisecond."""
        self.made += 1
        made = new(prefix, self.now, self.entropy)
        return f"{made[:17]}{0x800 | self.made & 0x7FF:03x}{made[20:]}"

    def document(self, **other: Any) -> bytes:
        """What we say of ourselves at the well-known address."""
        document = node_document.NodeDocument(
            node_id=self.node_id,
            identity=self.keys.identity.public,
            key_set_jws=self.key_set_jws,
            key_set=nodes.first_key_set(self.keys, self.keys.created_at),
            base_url=self.base_url,
            name=self.name,
            versions=versions.SUPPORTED,
            capabilities=invitations.CAPABILITIES,
            limits={"message_batch": 100, "file_bytes": 1024 * 1024},
            contact="",
            valid_until=self.now + node_document.MAX_VALIDITY,
        )
        return node_document.seal(replace(document, **other), self.keys.http).encode()

    def offer_text(self, offer: Offer | None = None, **other: Any) -> str:
        """What we offer for a link."""
        return strict_json.dump(
            {
                "name": self.name,
                **({"base_url": self.base_url} if self.base_url else {}),
                "versions": list(versions.SUPPORTED),
                "capabilities": list(invitations.CAPABILITIES),
                "limits": {"message_batch": 100, "file_bytes": 1024 * 1024},
                "scopes": (offer or default_offer()).to_data(),
                **other,
            }
        )

    # --- calls --------------------------------------------------------------------------

    def signed(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        base: str = "",
        signer: Signer | None = None,
        at: datetime | None = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """A call to the node, signed by our http key unless told otherwise."""
        base = base or self.node.settings.url
        given = dict(headers or {})
        if body:
            given["content-type"] = content_type
        request = HttpRequest(method, base + target, given, body)
        made = http_signatures.sign_request(request, signer or self.keys.http, at or self.now)
        return Call(method, target, {**given, **made}, body)

    async def send(self, call: Call, company: Company | None = None) -> Answered:
        """Knock at the node's door with this very call."""
        door = self.network.wire.doors[(company or self.node).settings.url]
        reply = await door.answer(call)
        is_json = reply.headers.get("content-type", "") in {JSON, MEDIA_TYPE}
        members = json.loads(reply.body) if is_json and reply.body else {}
        return Answered(reply.status, members, reply.headers, reply.body)

    async def call(self, method: str, target: str, body: bytes = b"", **how: Any) -> Answered:
        """Sign a call and make it."""
        return await self.send(self.signed(method, target, body, **how))

    # --- the handshake ------------------------------------------------------------------

    def link_request(self, code: str, *, wrong_secret: bool = False, **other: Any) -> bytes:
        """The body by which we ask to be linked, holding this code."""
        invitation = codes.decode(code)
        inviter = other.pop("inviter_id")
        secret = bytes(16) if wrong_secret else invitation.secret
        offer_text = other.pop("offer_text", None) or self.offer_text(other.pop("offer", None))
        nonce = self.entropy.bytes(codes.NONCE_BYTES)
        text = linking.seal_link_request(
            invitation_id=invitation.id,
            key_set_jws=self.key_set_jws,
            offer_text=offer_text,
            nonce=nonce,
            mac=codes.mac(codes.secret_hash(secret), inviter, self.node_id, offer_text, nonce),
            identity=self.keys.identity,
        )
        return strict_json.dump({"request": text}).encode()

    async def ask(self, company: Company, code: str, **how: Any) -> Answered:
        """POST our request to be linked."""
        body = self.link_request(code, inviter_id=company.hub.account.node_id, **how)
        call = self.signed("POST", "/txp/v1/link-requests", body, base=company.settings.url)
        return await self.send(call, company)

    async def link_with(self, company: Company, **how: Any) -> LinkId:
        """Become linked with this company: it invites, we accept."""
        invited = await invitations.invite(
            company.hub, company.dispatcher, self.name, offer=how.pop("node_offer", None)
        )
        said = await self.ask(company, invited.code, **how)
        assert said.status == 202, said
        self.take(company, said.members["agreement"])
        given = await self.call("PUT", f"{self.path}/agreement", self.own_signature())
        assert given.status == 200, given
        return self.link_id

    def take(self, company: Company, agreement: str) -> None:
        """Take this agreement for ours."""
        self.company = company
        self.agreement = agreements.parse(agreement)
        self.link_id = self.agreement.link
        self.head = self.agreement.hash

    def own_signature(self) -> bytes:
        """The body that gives our signature of the agreement."""
        assert self.agreement is not None
        signature = agreements.sign(self.agreement, self.keys.identity)
        return strict_json.dump({"signature": signature}).encode()

    @property
    def path(self) -> str:
        """The node's address of our link."""
        return f"/txp/v1/links/{self.link_id}"

    def invite(self, **other: Any) -> str:
        """A code of ours."""
        secret = self.entropy.bytes(codes.SECRET_BYTES)
        invitation = Invitation(
            base_url=self.base_url,
            id=InvitationId(self.new_id("inv")),
            secret=secret,
            identity_hash=sha256_b64(self.keys.identity.public.raw),
            expires_at=self.now.replace(year=self.now.year + 1),
        )
        invitation = replace(invitation, **other)
        self.secrets[invitation.id] = secret
        return codes.encode(invitation)

    # --- what we say --------------------------------------------------------------------

    def message(
        self,
        type_: str,
        data: dict[str, Any] | str,
        *,
        handoff: str | None = None,
        keep: bool = True,
        signer: Signer | None = None,
        **other: Any,
    ) -> SealedMessage:
        """The next message of our stream. With `keep=False` the stream does not move on."""
        assert self.agreement is not None
        hseq, hprev = self.chains.get(handoff or "", (0, self.agreement.hash))
        envelope = Envelope(
            id=MessageId(self.new_id("msg")),
            link=self.link_id,
            sender=self.node_id,
            receiver=self.node.hub.account.node_id,
            epoch=max(self.epochs),
            seq=self.seq + 1,
            prev=self.head,
            agreement=1,
            type=type_,
            must=True,
            schema=f"{type_}/1",
            handoff=None if handoff is None else HandoffId(handoff),
            hseq=None if handoff is None else hseq + 1,
            hprev=None if handoff is None else hprev,
            at=self.now,
        )
        envelope = replace(envelope, **other)
        by = signer or self.keys.message
        sealed = (
            signing.seal_text(envelope, data, by)
            if isinstance(data, str)
            else signing.seal(envelope, data, self.entropy.bytes(16), by)
        )
        if keep:
            self.seq, self.head = sealed.envelope.seq, sealed.hash
            if handoff is not None:
                self.chains[handoff] = (hseq + 1, sealed.hash)
        return sealed

    def sealed_members(self, sealed: SealedMessage, **other: Any) -> WireMessage:
        """The same message with other members in its envelope, signed by us all the same."""
        members = strict_json.parse(jws.peek(sealed.env).payload, max_bytes=8192)
        members |= other
        members = {name: value for name, value in members.items() if value is not None}
        payload = strict_json.dump(members).encode()
        return WireMessage(jws.sign(jws.Typ.MSG, payload, self.keys.message), sealed.data)

    def batch(self, *messages: SealedMessage | WireMessage) -> Call:
        """The signed call that carries these messages."""
        wires = [one.wire if isinstance(one, SealedMessage) else one for one in messages]
        return self.signed("POST", f"{self.path}/messages", dump_batch(wires))

    async def post(self, *messages: SealedMessage | WireMessage) -> Answered:
        """Send these messages in one batch."""
        return await self.send(self.batch(*messages))

    async def say(self, type_: str, data: dict[str, Any] | str, **how: Any) -> SealedMessage:
        """Send one message, and see it stored."""
        sealed = self.message(type_, data, **how)
        said = await self.post(sealed)
        assert said.status == 200, said
        assert self.receipt(said).upto == sealed.envelope.seq
        return sealed

    async def ping(self) -> SealedMessage:
        """Say something that is stored and means nothing here."""
        return await self.say("x.org.example.ping", {}, must=False)

    async def offer(self, title: str = "Не печатает чек", **other: Any) -> HandoffId:
        """Hand a ticket of ours to the node."""
        handoff_id = HandoffId(self.new_id("hnd"))
        await self.say("handoff.offer", self.offer_data(title, **other), handoff=handoff_id)
        return handoff_id

    def offer_data(self, title: object = "Не печатает чек", **other: Any) -> dict[str, Any]:
        """The data of an offer."""
        return {
            "title": title,
            "number": f"P-{self.entropy.bytes(4).hex()}",
            "handed_off_at": instant(self.now),
            "priority": "normal",
            "hops": [self.hop_token()],
            "hop_limit": 5,
            "files": [],
            **other,
        }

    def hop_token(self) -> str:
        from hub.domain.chain import new_hop_token

        return new_hop_token(self.entropy)

    def comment_data(self, body: str = "Выезжаем", **other: Any) -> dict[str, Any]:
        """The data of a comment."""
        return {
            "comment_id": self.new_id("cmt"),
            "author": {"ref": "agt-1", "display": "Мастер", "account": self.name},
            "body": body,
            "format": "plain",
            "at": instant(self.now),
            "files": [],
            **other,
        }

    def receipt(self, said: Answered) -> Receipt:
        """The receipt in an answer, verified."""
        hub = self.node.hub
        return receipts.open_receipt(
            said.members["receipt"],
            hub.keys.message.public,
            link=self.link_id,
            of=self.node_id,
        )

    def move_to(self, said: Answered) -> None:
        """Go on where this answer says that our stream stands."""
        receipt = self.receipt(said)
        self.seq, self.head = receipt.upto, receipt.head

    # --- what we are told ---------------------------------------------------------------

    def told(self, type_: str) -> list[VerifiedMessage]:
        """What the node said of this type, oldest first."""
        return [one for one in self.heard if one.envelope.type == type_]

    def forget_keys(self) -> None:
        """Like a node's door."""

    async def answer(self, call: Call) -> Reply:
        """Our own door."""
        self.calls.append(call)
        scripted = self.script(call)
        if scripted is not None:
            return scripted
        path = call.target.partition("?")[0]
        if path == "/.well-known/txp":
            return Reply(200, {"content-type": JSON}, self.document())
        if path == "/txp/v1/link-requests":
            return self.reply(call, 202, self._compose(call))
        if path.endswith("/agreement"):
            return self.reply(call, 200, {"state": "active", **json.loads(self.own_signature())})
        if path.endswith("/messages"):
            return self.reply(call, 200, {"receipt": self.take_batch(call)})
        if path.endswith("/sync"):
            return self.reply(call, 200, self.take_sync(call))
        return self.refusal(call, "not_found")

    def reply(self, call: Call, status: int, members: dict[str, Any], **headers: str) -> Reply:
        """A signed answer to this call."""
        plain = {
            "content-type": JSON if status < 300 else MEDIA_TYPE,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = strict_json.dump(members).encode()
        request = HttpRequest(call.method, self.base_url + call.target, call.headers, call.body)
        made = http_signatures.sign_response(
            HttpResponse(status, plain, body), request, self.keys.http, self.now
        )
        return Reply(status, {**plain, **made}, body)

    def refusal(self, call: Call, code: str, **headers: str) -> Reply:
        """A signed refusal of this call."""
        members = problem(code, "No.")
        return self.reply(call, members["status"], members, **headers)

    def take_batch(self, call: Call, upto: int | None = None) -> str:
        """Keep what continues the node's stream (up to here); our receipt for all we have."""
        self.hear(parse_batch(call.body), upto)
        return self.own_receipt()

    def hear(self, wires: Sequence[WireMessage], upto: int | None = None) -> None:
        """Keep of these what continues the node's stream (up to here)."""
        hub = self.node.hub
        for wire in wires:
            one = signing.open_sealed(
                wire,
                hub.keys.message.public,
                link=self.link_id,
                sender=hub.account.node_id,
                receiver=self.node_id,
            )
            seq = one.envelope.seq
            if one.envelope.epoch < expected_epoch(self.heard_epochs, seq):
                continue  # superseded: answered like a copy, never applied
            if seq == len(self.heard) + 1 and (upto is None or seq <= upto):
                assert one.envelope.prev == self.heard_head
                self.heard.append(one)

    # --- as one that nobody can call ----------------------------------------------------

    async def collect(self, *, start: int | None = None, query: str = "") -> Answered:
        """Ask what is for us, and keep it; no receipt yet."""
        start = len(self.heard) + 1 if start is None else start
        said = await self.call("GET", f"{self.path}/log?dir=in&from={start}{query}")
        if said.status == 200:
            self.hear(read_messages(said.members))
        return said

    async def hand_in(self, receipt: str | None = None, **more: Any) -> Answered:
        """Give our receipt for what we have."""
        body = {"receipt": receipt or self.own_receipt(), **more}
        return await self.call("POST", f"{self.path}/receipts", strict_json.dump(body).encode())

    def standing(self, **other: Any) -> Standing:
        """Where we stand, as we tell it."""
        assert self.agreement is not None
        made = Standing(
            instance=self.keys.instance,
            run=self.run,
            synced=True,
            sent=Place(self.seq, self.head),
            held=Place(len(self.heard), self.heard_head),
            sent_epochs=dict(self.epochs),
            held_epochs=dict(self.heard_epochs),
        )
        return replace(made, **other)

    def sync_body(self, begin: NewEpoch | None = None, **other: Any) -> bytes:
        """A sync call of ours."""
        return strict_json.dump(dump_sync(self.standing(**other), begin)).encode()

    def take_sync(self, call: Call) -> dict[str, Any]:
        """Note the epoch the node begins; where we stand then."""
        theirs, begin = parse_sync(call.body)
        self.heard_epochs |= theirs.sent_epochs
        if begin is not None:
            self.heard_epochs[begin.epoch] = begin.start_seq
        return dump_sync(self.standing())

    @property
    def heard_head(self) -> str:
        assert self.agreement is not None
        return self.heard[-1].hash if self.heard else self.agreement.hash

    def own_receipt(self, **other: Any) -> str:
        """Our receipt for what we have."""
        made = Receipt(
            link=self.link_id,
            of=self.node.hub.account.node_id,
            epoch=self.heard[-1].envelope.epoch if self.heard else 1,
            upto=len(self.heard),
            head=self.heard_head,
            handoffs={},
            at=self.now,
        )
        return receipts.seal_receipt(replace(made, **other), self.keys.message)

    def _compose(self, call: Call) -> dict[str, Any]:
        """The inviter's half: the agreement two offers make, then altered as the test wants."""
        request = linking.open_link_request(json.loads(call.body)["request"])
        theirs = json.loads(request.offer_text)
        ours = json.loads(self.offer_text())
        members: dict[str, Any] = {
            "link": LinkId(self.new_id("lnk")),
            "made_at": self.now,
            "inviter": AgreementParty(
                node_id=self.node_id,
                name=self.name,
                base_url=self.base_url,
                identity=self.keys.identity.public,
                key_set_version=1,
            ),
            "invitee": AgreementParty(
                node_id=request.key_set.node_id,
                name=theirs["name"],
                base_url=theirs.get("base_url", ""),
                identity=request.identity,
                key_set_version=request.key_set.version,
            ),
            "inviter_offer": self.offer_text(),
            "invitee_offer": request.offer_text,
            "terms": {
                "version": "1.0",
                "capabilities": sorted(set(ours["capabilities"]) & set(theirs["capabilities"])),
                "limits": {
                    name: min(ours["limits"][name], theirs["limits"][name])
                    for name in ours["limits"]
                },
                "directions": combine(
                    Offer.from_data(ours["scopes"]), Offer.from_data(theirs["scopes"])
                ),
            },
            "legal": invitations.LEGAL_HASH,
        }
        self.alter(members)
        made = agreements.compose(**members)
        for company in self.network.companies.values():
            if company.hub.account.node_id == made.invitee.node_id:
                self.take(company, made.text)
        said: dict[str, Any] = {"rid": made.link, "state": "requested", "agreement": made.text}
        if self.sign_as_inviter:
            said["signature"] = agreements.sign(made, self.keys.identity)
        return said


def types(messages: Sequence[VerifiedMessage]) -> list[str]:
    """What kinds of messages these are."""
    return [one.envelope.type for one in messages]
