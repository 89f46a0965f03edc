"""A partner that keeps to no rule: a permanent member of every world.

It has a link with one company and real keys. What it says honestly is taken; everything else it
tries must change nothing anywhere. Its lies carry a mark that must never be found in a ticket.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from hub.federation.door import Call, Reply
from hub.ids import LinkId
from hub.protocol.encoding import instant
from hub.protocol.keys import PrivateKey
from hub.protocol.signing import SealedMessage
from hub.protocol.sync import Place
from hub.storage import attachments, links
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored_handoffs
from tests.kit.fake_peer import FakePeer

if TYPE_CHECKING:
    from tests.kit.network import Company
    from tests.simulation.world import World

FLOOD = 40
_Ids = tuple[list[str], list[str], list[str], list[str]]


@dataclass
class Hostile:
    """What it knows, what it was told, and what it may know."""

    world: World
    peer: FakePeer
    victim: Company
    mark: str
    entitled: set[str] = field(default_factory=set)  # tickets it was offered
    own: list[str] = field(default_factory=list)  # hand-offs it offered
    history: list[Call] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    fetched: set[str] = field(default_factory=set)
    refused: int = 0
    taken: int = 0

    @classmethod
    async def beside(cls, world: World, victim: Company) -> Hostile:
        """Linked with this company like any partner."""
        peer = FakePeer.of(world.network, "Чужой")
        made = cls(world, peer, victim, f"яд-{world.seed:08x}")
        peer.script = made._answer
        await peer.link_with(victim)
        return made

    def _answer(self, call: Call) -> Reply | None:
        self.seen.append(call.body)
        try:
            path = call.target.partition("?")[0]
            if path.endswith("/messages"):
                return self.peer.reply(call, 200, {"receipt": self.peer.take_batch(call)})
            if path.endswith("/sync"):
                return self.peer.reply(call, 200, self.peer.take_sync(call))
        except Exception:  # noqa: BLE001 - it understands little: after a change of keys nothing
            return Reply(500, {"content-type": "text/html"}, b"<h1>Oops</h1>")
        return None

    async def may_hear_of(self, company: Company, ticket_id: str) -> None:
        """Note it down if this ticket is shared with it by now, on this copy of the node."""

        def body(connection: Any) -> bool:
            held = stored_handoffs.of_link(connection, self.peer.link_id, only_open=False)
            return any(one.ticket_id == ticket_id for one in held)

        if company.name == self.victim.name:
            with self.world.unharmed():
                if await company.hub.db.read(body):
                    self.entitled.add(ticket_id)

    async def act(self) -> str:
        """One thing it tries; what it was and the answer."""
        chance = self.world.chance
        what: Callable[[], Awaitable[int]] = chance.choice(
            (
                self.be_honest,
                self.be_honest,
                self.say_again,
                self.sign_wrongly,
                self.speak_for_another,
                self.write_elsewhere,
                self.use_a_foreign_pen,
                self.leave_a_gap,
                self.fork,
                self.lie_about_places,
                self.read_what_is_not_its_own,
                self.talk_nonsense,
                self.flood,
            )
        )
        await self._catch_up()
        status = await what()
        return f"{what.__name__} {status}"

    # --- ways ---------------------------------------------------------------------------

    async def _send(self, call: Call, *, good: bool = False) -> Reply | None:
        self.history.append(call)
        reply = await self.world.knock_for(self.victim.settings.url, call)
        if reply is None:
            return None
        self.seen.append(reply.body)
        if reply.status < 300 and good:
            self.taken += 1
        elif reply.status >= 400:
            self.refused += 1
        return reply

    async def _post(self, *messages: SealedMessage, good: bool = False) -> int:
        reply = await self._send(self.peer.batch(*messages), good=good)
        return reply.status if reply is not None else 0

    async def _catch_up(self) -> None:
        """Where our stream stands over there: the node may have been restored."""
        call = self.peer.signed("POST", f"{self.peer.path}/sync", self.peer.sync_body())
        reply = await self.world.knock_for(self.victim.settings.url, call)
        if reply is not None and reply.status == 200:
            held = json.loads(reply.body)["held"]
            if held["seq"] != self.peer.seq:
                self.peer.seq, self.peer.head = held["seq"], held["head"]
                self.peer.chains.clear()

    async def _foreign(self) -> _Ids:
        """Ids it could only know by a leak: links, hand-offs, comments, digests of others."""

        def body(connection: Any) -> _Ids:
            others = [one for one in links.everyone(connection) if one.id != self.peer.link_id]
            held = [
                one
                for link in others
                for one in stored_handoffs.of_link(connection, link.id, only_open=False)
            ]
            said = [
                one.id for h in held for one in stored_comments.of_ticket(connection, h.ticket_id)
            ]
            known = [
                one.sha256 for h in held for one in attachments.of_ticket(connection, h.ticket_id)
            ]
            return [one.id for one in others], [one.id for one in held], said, known

        with self.world.unharmed():
            return cast("_Ids", await self.victim.hub.db.read(body))

    def _lie(self) -> dict[str, Any]:
        return self.peer.comment_data(f"{self.mark} {self.world.words()}")

    # --- acts ---------------------------------------------------------------------------

    async def be_honest(self) -> int:
        """An offer, or a comment on one: after all the rest, this must be taken."""
        handoff = self.peer.new_id("hnd")
        title = f"Чужая заявка {self.world.words()}"
        said = self.peer.message(
            "handoff.offer", self.peer.offer_data(title), handoff=handoff, keep=False
        )
        status = await self._post(said, good=True)
        if status == 200:
            self.own.append(handoff)
        return status

    async def say_again(self) -> int:
        """Word for word what was said before."""
        if not self.history:
            return 0
        reply = await self._send(self.world.chance.choice(self.history))
        return reply.status if reply is not None else 0

    async def sign_wrongly(self) -> int:
        """In its own name, by a key nobody knows."""
        stranger = PrivateKey.generate(self.peer.entropy)
        return await self._post(
            self.peer.message(
                "comment.add", self._lie(), handoff=self._some_own(), keep=False, signer=stranger
            )
        )

    async def speak_for_another(self) -> int:
        """Into the link of two others."""
        foreign, handoffs, _said, _known = await self._foreign()
        link = self.world.chance.choice(foreign)
        said = self.peer.message(
            "comment.add",
            self._lie(),
            handoff=self.world.chance.choice(handoffs or [self._some_own()]),
            keep=False,
            link=LinkId(link),
        )
        body = json.dumps({"messages": [{"env": said.env, "data": said.data}]}).encode()
        reply = await self._send(self.peer.signed("POST", f"/txp/v1/links/{link}/messages", body))
        return reply.status if reply is not None else 0

    async def write_elsewhere(self) -> int:
        """About hand-offs and comments that are others'."""
        _foreign, handoffs, said, _known = await self._foreign()
        if not handoffs:
            return 0
        chance = self.world.chance
        type_, data = chance.choice(
            (
                ("comment.add", self._lie()),
                ("comment.redact", {"comment_id": chance.choice(said or ["cmt_" + "0" * 32])}),
                (
                    "comment.edit",
                    {
                        "comment_id": chance.choice(said or ["cmt_" + "0" * 32]),
                        "rev": 2,
                        "body": self.mark,
                        "format": "plain",
                        "at": instant(self.peer.now),
                    },
                ),
                ("handoff.accept", {"number": self.mark}),
                ("handoff.cancelled", {"reason": self.mark}),
                ("data.erase", {"reason": self.mark}),
            )
        )
        return await self._post(
            self.peer.message(type_, data, handoff=chance.choice(handoffs), keep=False)
        )

    async def use_a_foreign_pen(self) -> int:
        """What only the other side may say about its own offer."""
        chance = self.world.chance
        type_, data = chance.choice(
            (
                ("handoff.accept", {"number": self.mark}),
                ("handoff.resolve", {"resolution": self.mark}),
                ("rating.reply", {"rev": 1, "text": self.mark}),
                ("handoff.plan", {"stage": self.mark}),
            )
        )
        return await self._post(
            self.peer.message(type_, data, handoff=self._some_own(), keep=False)
        )

    async def leave_a_gap(self) -> int:
        """A place nobody expects yet."""
        return await self._post(
            self.peer.message(
                "comment.add",
                self._lie(),
                handoff=self._some_own(),
                keep=False,
                seq=self.peer.seq + self.world.chance.randint(2, 1000),
            )
        )

    async def fork(self) -> int:
        """Another message for a place that is taken: the link stops until people resume it."""
        if self.peer.seq == 0 or self.world.chance.random() < 0.7:
            return 0
        return await self._post(
            self.peer.message(
                "comment.add",
                self._lie(),
                handoff=self._some_own(),
                keep=False,
                seq=self.peer.seq,
                prev="A" * 43,
            )
        )

    async def lie_about_places(self) -> int:
        """It claims to hold, or to have sent, what never was."""
        far = self.world.chance.randint(1, 500)
        what = self.world.chance.choice(("held", "sent"))
        body = self.peer.sync_body(**{what: Place(far, "A" * 43)})
        reply = await self._send(self.peer.signed("POST", f"{self.peer.path}/sync", body))
        return reply.status if reply is not None else 0

    async def read_what_is_not_its_own(self) -> int:
        """Logs, receipts and files of others, by every id it could guess."""
        foreign, _handoffs, _said, known = await self._foreign()
        link = self.world.chance.choice(foreign)
        targets = [f"/txp/v1/links/{link}/log?dir={way}&from=1" for way in ("in", "out")]
        targets += [f"/txp/v1/links/{link}/receipts?from=1", f"/txp/v1/links/{link}"]
        targets += [f"/txp/v1/links/{link}/blobs/{digest}" for digest in known[:3]]
        targets += [f"{self.peer.path}/blobs/{digest}" for digest in known[:3]]
        status = 0
        for target in targets:
            reply = await self._send(self.peer.signed("GET", target))
            if reply is None:
                return 0
            status = max(status, reply.status)
            if reply.status < 300:
                self.fetched.add(target)
        return status

    async def talk_nonsense(self) -> int:
        """Bytes."""
        noise = self.peer.entropy.bytes(self.world.chance.randint(1, 400))
        route = self.world.chance.choice(("messages", "sync", "keys", "agreement"))
        body = self.world.chance.choice((noise, b"{}", b"[" * 3000, b'{"messages": [1]}'))
        reply = await self._send(self.peer.signed("POST", f"{self.peer.path}/{route}", body))
        return reply.status if reply is not None else 0

    async def flood(self) -> int:
        """Much of it."""
        status = 0
        for _ in range(FLOOD):
            reply = await self._send(
                self.peer.signed("POST", f"{self.peer.path}/messages", b'{"messages": []}')
            )
            status = reply.status if reply is not None else status
        return status

    def _some_own(self) -> str:
        return self.world.chance.choice(self.own) if self.own else self.peer.new_id("hnd")

    # --- the end ------------------------------------------------------------------------

    async def problems(self) -> list[str]:
        """What it learned that it has no right to."""

        def rights(connection: Any) -> tuple[set[str], set[str]]:
            held = stored_handoffs.of_link(connection, self.peer.link_id, only_open=False)
            shown = self.entitled | {one.ticket_id for one in held}
            return shown, {
                one.sha256 for ticket in shown for one in attachments.of_ticket(connection, ticket)
            }

        tickets, digests = await self.victim.hub.db.read(rights)
        seen = b"\n".join(self.seen)
        told = [
            f"{self.peer.name} was told {words!r}"
            for words, (author, ticket) in self.world.told_in.items()
            if author == self.victim.name and ticket not in tickets
            # The end of the words is written in one way only, however the rest is escaped.
            if words.removeprefix("слова").encode() in seen
        ]
        foreign = [
            f"{self.peer.name} read {target}"
            for target in self.fetched
            if self.peer.link_id not in target or target.rpartition("/")[2] not in digests
        ]
        return told + foreign
