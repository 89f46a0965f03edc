"""Where the attacks happen: company A at work with B and with C, each driven by hand.

`nothing_remains` and `rejected` are the rule above the table of attacks: what is not authentic
leaves no row and sends nothing, what is authentic and unacceptable is answered by one
`message.rejected` and changes nothing else; in both cases the next right message is taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from hub.actions import comments, files, handoffs, tickets
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.ids import AttachmentId, CommentId, HandoffId, TicketId
from hub.protocol.signing import SealedMessage
from hub.storage import inbox as kept_inbox
from hub.storage.inbox import InboxState
from tests.kit.fake_peer import FakePeer, types
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored

STREAMS = {"inbox", "outbox", "streams", "handoff_streams", "receipts", "deliveries"}
"""What moves when a message is stored and refused: the streams, and nothing of the tickets."""


@dataclass
class Shared:
    """What A and one partner have between them: a hand-off each way, words and files on them."""

    ours: HandoffId  # A is the principal
    theirs: HandoffId  # A is the contractor
    ticket: TicketId  # of A, handed off in `ours`
    our_comment: CommentId
    their_comment: CommentId
    our_file: str  # digest
    our_attachment: AttachmentId
    their_attachment: AttachmentId
    request: str  # A's request to cancel `ours`


@dataclass
class Scene:
    """Company A and its partners."""

    network: Network
    a: Company
    b: FakePeer
    c: FakePeer
    with_b: Shared
    with_c: Shared


async def scene(network: Network) -> Scene:
    """Two partners, each with the same things shared."""
    # Refusals are what these tests are made of: that people hear of them is shown elsewhere.
    a = await network.company(
        "Сервис Плюс", suspicions_alert=100_000, pending_links_per_domain=1000
    )
    partners = [FakePeer.of(network, name) for name in ("Мастер-Юг", "Север")]
    for peer in partners:
        await peer.link_with(a)
    shared = [await share(network, a, peer) for peer in partners]
    return Scene(network, a, *partners, *shared)


async def share(network: Network, a: Company, peer: FakePeer) -> Shared:
    """A hand-off each way at work, a comment and a file of each side, a request of ours."""
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    ours = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, peer.link_id))
    theirs = await peer.offer()
    await peer.say("handoff.accept", {"from": "offered", "number": "M-1"}, handoff=ours)
    words = f"Акт для {peer.name}".encode()
    act = files.store(a.hub, "act.txt", "text/plain", BytesIO(words))
    (our_attachment,) = await files.add(a.hub, a.dispatcher, ticket.id, [act], Visibility.PUBLIC)
    our_comment = await comments.add(
        a.hub, a.dispatcher, comments.AddComment(ticket.id, "Срочно", Visibility.PUBLIC)
    )
    await network.run_until_idle()
    await handoffs.act(a.hub, a.dispatcher, theirs, Act.ACCEPT)
    said = peer.comment_data("Когда?", files=[descriptor(peer)])
    await peer.say("comment.add", said, handoff=theirs)
    await handoffs.cancel(a.hub, a.dispatcher, ours, "Уже не нужно")
    await network.run_until_idle()
    (asked,) = peer.told("handoff.cancel_request")
    return Shared(
        ours=ours,
        theirs=theirs,
        ticket=ticket.id,
        our_comment=our_comment,
        their_comment=CommentId(said["comment_id"]),
        our_file=act.sha256,
        our_attachment=our_attachment,
        their_attachment=AttachmentId(said["files"][0]["attachment_id"]),
        request=asked.data["request_id"],
    )


def descriptor(peer: FakePeer, **other: Any) -> dict[str, Any]:
    """A file as a message names it."""
    return {
        "sha256": "A" * 43,
        "size": 3,
        "media_type": "text/plain",
        "name": "a.txt",
        "attachment_id": peer.new_id("att"),
        **other,
    }


async def confirmed(scene: Scene) -> HandoffId:
    """A hand-off of B that A has resolved and B has confirmed."""
    a, b = scene.a, scene.b
    handoff_id = await b.offer()
    await scene.network.run_until_idle()
    for act in (Act.ACCEPT, Act.START):
        await handoffs.act(a.hub, a.dispatcher, handoff_id, act)
    done = Particulars(resolution="Готово")
    await handoffs.act(a.hub, a.dispatcher, handoff_id, Act.RESOLVE, done)
    await b.say("handoff.confirm", {"from": "resolved", "auto": False}, handoff=handoff_id)
    await scene.network.run_until_idle()
    return handoff_id


@asynccontextmanager
async def nothing_remains(scene: Scene) -> AsyncIterator[None]:
    """What happens inside stores nothing, sends nothing, and the next right message is taken."""
    before, sent = await stored(scene.a.hub), len(scene.network.wire.sent)
    yield
    assert changed(before, await stored(scene.a.hub)) == []
    await scene.a.turn()
    assert len(scene.network.wire.sent) == sent
    await scene.b.ping()


async def rejected(scene: Scene, *messages: SealedMessage) -> list[dict[str, Any]]:
    """What A said of these messages of B, sent in one batch: one rejection for each, no more."""
    b = scene.b
    before, told = await stored(scene.a.hub), len(b.heard)
    said = await b.post(*messages)
    assert said.status == 200, said
    assert b.receipt(said).upto == messages[-1].envelope.seq
    await scene.network.run_until_idle()
    answers = b.heard[told:]
    assert types(answers) == ["message.rejected"] * len(messages)
    for sealed, answer in zip(messages, answers, strict=True):
        assert (answer.data["ref_id"], answer.data["ref_mh"]) == (sealed.envelope.id, sealed.hash)
    await _were_refused(scene, messages)
    assert set(changed(before, await stored(scene.a.hub))) <= STREAMS
    await b.ping()
    return [dict(answer.data) for answer in answers]


async def _were_refused(scene: Scene, messages: Sequence[SealedMessage]) -> None:
    first, last = messages[0].envelope.seq, messages[-1].envelope.seq
    rows = await scene.a.hub.db.read(
        lambda c: kept_inbox.log_from(c, scene.b.link_id, first, last - first + 1)
    )
    assert {row.state for row in rows} == {InboxState.REFUSED}
