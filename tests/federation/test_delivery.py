"""Streams between nodes: what happens to a message, whatever the line, the peer or we do wrong.

What is not authentic is refused at the door and leaves no trace. What is authentic is stored,
its position is settled, and at most one `message.rejected` goes back. The next message of the
same peer is accepted in every case.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hub import faults
from hub.actions import comments, handoffs, inbox, incoming, links, outbox, tickets, timers
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.domain.comment import Visibility
from hub.domain.handoff import Act, State
from hub.errors import Refused, Unavailable
from hub.federation.door import Call, Reply
from hub.ids import HandoffId, LinkId
from hub.protocol.encoding import instant
from hub.protocol.keys import PrivateKey
from hub.protocol.message import MAX_TYPE, WireMessage
from hub.protocol.problems import MEDIA_TYPE, problem
from hub.queries import tickets as ticket_views
from hub.storage import audit, deliveries, streams
from hub.storage import comments as kept_comments
from hub.storage import handoffs as kept_handoffs
from hub.storage import inbox as kept_inbox
from hub.storage import links as kept_links
from hub.storage import outbox as kept_outbox
from hub.storage.audit import Alert
from hub.storage.deliveries import Delivery
from hub.storage.handoffs import Handoff
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.links import Link, LinkState
from hub.storage.outbox import OutboxRow
from hub.storage.tables import metadata
from tests.kit.clock import SeededEntropy
from tests.kit.fake_peer import Answered, FakePeer, types
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored


@pytest.fixture
async def network(quick_path: Path) -> AsyncIterator[Network]:
    made = Network(quick_path, seed="delivery")
    yield made
    await made.close()


@dataclass
class Pair:
    """A real company and a partner that is driven by hand."""

    network: Network
    a: Company
    b: FakePeer
    others: list[FakePeer] = field(default_factory=list)


@pytest.fixture
async def pair(network: Network) -> Pair:
    a = await network.company("Сервис Плюс")
    b = FakePeer.of(network, "Мастер-Юг")
    await b.link_with(a)
    return Pair(network, a, b)


def _scene(path: Path, seed: str) -> Iterator[Pair]:
    """A pair for many tests, each of which leaves it as able to work as it was."""

    async def made() -> Pair:
        network = Network(path, seed=seed)
        a = await network.company("Сервис Плюс")
        b = FakePeer.of(network, "Мастер-Юг")
        await b.link_with(a)
        return Pair(network, a, b)

    pair = asyncio.run(made())
    yield pair
    asyncio.run(pair.network.close())


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Where nothing has been said."""
    yield from _scene(tmp_path_factory.mktemp("quiet"), "quiet")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, Work]]:
    """Where a hand-off each way is at work."""
    for pair in _scene(tmp_path_factory.mktemp("busy"), "busy"):
        yield pair, asyncio.run(_work(pair))


# --- looking ----------------------------------------------------------------------------------


async def received(company: Company, link_id: str) -> list[InboxRow]:
    return await company.hub.db.read(lambda c: kept_inbox.log_from(c, link_id, 1, 10_000))


async def sent(company: Company, link_id: str) -> list[OutboxRow]:
    return await company.hub.db.read(lambda c: kept_outbox.after(c, link_id, 0, 10_000))


async def alerts(company: Company) -> list[Alert]:
    return await company.hub.db.read(audit.open_alerts)


async def kinds(company: Company) -> list[str]:
    return sorted(alert.kind for alert in await alerts(company))


async def link_of(company: Company, link_id: LinkId) -> Link:
    return await company.hub.db.read(lambda c: kept_links.get(c, link_id))


async def handoff_of(company: Company, handoff_id: HandoffId) -> Handoff:
    found = await company.hub.db.read(lambda c: kept_handoffs.find(c, handoff_id))
    assert found is not None
    return found


async def delivery_of(company: Company, link_id: LinkId) -> Delivery:
    return await company.hub.db.read(lambda c: deliveries.get(c, link_id))


async def forks(company: Company) -> list[tuple[int, str]]:
    return await company.hub.db.read(
        lambda c: [tuple(row) for row in c.execute(text("SELECT seq, env FROM forks ORDER BY id"))]
    )


async def bodies(company: Company, handoff_id: HandoffId) -> list[str]:
    found = await handoff_of(company, handoff_id)
    return [
        one.body
        for one in await company.hub.db.read(lambda c: kept_comments.of_ticket(c, found.ticket_id))
    ]


async def tickets_of(company: Company) -> int:
    return await company.hub.db.read(
        lambda c: c.execute(text("SELECT count(*) FROM tickets")).scalar_one()
    )


async def pass_time(network: Network, **how_far: float) -> None:
    """Let time pass in leaps from one delivery to the next: `run_for` without the timers."""
    end = network.clock.now() + timedelta(**how_far)
    while True:
        due, quiet, before = [], 0, -1
        while quiet < 2:  # once more when it is quiet: a turn does not know of its own failures
            quiet = quiet + 1 if before == len(network.wire.sent) else 0
            before = len(network.wire.sent)
            for company in network.companies.values():
                if company.settings.url not in network.wire.down:
                    due += [await crank.turn() for crank in company.cranks[:-1]]
        now = network.clock.now()
        following = min((at for at in due if at is not None and at > now), default=end)
        if now >= end:
            return
        # Nodes read their clock in whole milliseconds, rounded down.
        network.clock.move_to(min(following + timedelta(milliseconds=1), end))


# --- gaps, copies, forks ----------------------------------------------------------------------


async def test_a_gap_is_answered_by_a_receipt_that_tells_where_it_begins(pair: Pair) -> None:
    b = pair.b
    await b.ping()
    missing = b.message("x.org.example.ping", {}, must=False)
    later = b.message("x.org.example.ping", {}, must=False)
    before = await stored(pair.a.hub)
    said = await b.post(later)
    assert (said.status, b.receipt(said).upto) == (200, 1)
    assert changed(before, await stored(pair.a.hub)) == []
    said = await b.post(missing, later)
    assert b.receipt(said).upto == 3
    await b.ping()


async def test_a_gap_inside_a_batch_stores_what_comes_before_it(pair: Pair) -> None:
    b = pair.b
    one, two, three = (b.message("x.org.example.ping", {}, must=False) for _ in range(3))
    assert b.receipt(await b.post(one, three)).upto == 1
    assert b.receipt(await b.post(two, three)).upto == 3


async def test_a_second_copy_gets_the_same_receipt_byte_for_byte(pair: Pair) -> None:
    b = pair.b
    handoff_id = HandoffId(b.new_id("hnd"))
    batch = [
        b.message("handoff.offer", b.offer_data(), handoff=handoff_id),
        b.message("comment.add", b.comment_data(), handoff=handoff_id),
    ]
    first = await b.post(*batch)
    await pair.network.run_until_idle()
    before = await stored(pair.a.hub)
    for _ in range(3):
        pair.network.clock.advance(hours=1)
        again = await b.post(*batch)
        assert (again.status, again.members) == (200, first.members)
    assert changed(before, await stored(pair.a.hub)) == []
    assert await bodies(pair.a, handoff_id) == ["Выезжаем"]


async def test_no_receipt_leaves_where_the_commit_failed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt is a promise: it is signed before the commit and must not leave without it."""

    def strike(point: str) -> None:
        if point == "database.before_commit":
            raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    before = await stored(pair.a.hub)
    sealed = pair.b.message("x.org.example.ping", {}, must=False)
    with monkeypatch.context() as failing:
        failing.setattr(faults, "strike", strike)
        said = await pair.b.post(sealed)
    assert said.status == 503
    assert "receipt" not in said.members
    assert changed(before, await stored(pair.a.hub)) == []
    assert pair.b.receipt(await pair.b.post(sealed)).upto == sealed.envelope.seq


async def test_messages_are_applied_in_the_order_of_the_stream_whatever_their_ids_say(
    pair: Pair,
) -> None:
    """Ids begin with their sender's clock, which may go back; `seq` does not."""
    b = pair.b
    later, earlier = (f"msg_{n:032x}" for n in (2, 1))
    handoff_id = HandoffId(b.new_id("hnd"))
    batch = [
        b.message("handoff.offer", b.offer_data(), handoff=handoff_id, id=later),
        b.message("comment.add", b.comment_data("Следом"), handoff=handoff_id, id=earlier),
    ]
    assert (await b.post(*batch)).status == 200
    await pair.network.run_until_idle()
    assert "message.rejected" not in types(b.heard)
    assert await bodies(pair.a, handoff_id) == ["Следом"]


async def test_a_copy_of_the_beginning_with_something_new_behind_it_goes_on(pair: Pair) -> None:
    b = pair.b
    one, two = (b.message("x.org.example.ping", {}, must=False) for _ in range(2))
    await b.post(one)
    assert b.receipt(await b.post(one, two)).upto == 2
    assert len(await received(pair.a, b.link_id)) == 2


async def test_a_message_twice_in_one_batch_is_stored_once(pair: Pair) -> None:
    b = pair.b
    one, two = (b.message("x.org.example.ping", {}, must=False) for _ in range(2))
    assert b.receipt(await b.post(one, one, two, one, two)).upto == 2
    assert len(await received(pair.a, b.link_id)) == 2


async def test_a_batch_in_the_wrong_order_loses_nothing(pair: Pair) -> None:
    b = pair.b
    one, two = (b.message("x.org.example.ping", {}, must=False) for _ in range(2))
    assert (await b.post(two, one)).status == 200
    assert b.receipt(await b.post(one, two)).upto == 2


async def _other_text(b: FakePeer) -> Answered:
    """Another message for a position that is taken."""
    first = b.message("x.org.example.ping", {}, must=False, keep=False)
    second = b.message("x.org.example.ping", {}, must=False)
    await b.post(second)
    return await b.post(first)


async def _other_past(b: FakePeer) -> Answered:
    """The next position, after a message that is not the one stored."""
    await b.ping()
    other = b.message("x.org.example.ping", {}, must=False, prev=b.agreement.hash)  # type: ignore[union-attr]
    return await b.post(other)


async def _in_one_batch(b: FakePeer) -> Answered:
    """Both messages at once."""
    first = b.message("x.org.example.ping", {}, must=False, keep=False)
    return await b.post(first, b.message("x.org.example.ping", {}, must=False))


FORKS: dict[str, Callable[[FakePeer], Any]] = {
    "another text": _other_text,
    "another past": _other_past,
    "both in one batch": _in_one_batch,
}


@pytest.mark.parametrize("how", FORKS)
async def test_a_fork_freezes_the_link_keeps_both_messages_and_alarms(pair: Pair, how: str) -> None:
    said = await FORKS[how](pair.b)
    assert (said.status, said.code) == (409, "fork_detected")
    link = await link_of(pair.a, pair.b.link_id)
    assert (link.state, link.suspended_by_us) == (LinkState.SUSPENDED, True)
    assert await kinds(pair.a) == ["fork"]
    kept = await forks(pair.a)
    rows = await received(pair.a, pair.b.link_id)
    assert len(kept) == 1
    assert len(rows) == 1
    assert kept[0][1] != rows[0].env
    following = pair.b.message(
        "handoff.offer",
        pair.b.offer_data(),
        handoff=pair.b.new_id("hnd"),
        seq=2,
        prev=rows[0].hash,
    )
    said = await pair.b.post(following)
    assert (said.status, said.code) == (403, "link_suspended")


async def test_a_fork_repeated_is_kept_once(pair: Pair) -> None:
    first = pair.b.message("x.org.example.ping", {}, must=False, keep=False)
    await pair.b.ping()
    for _ in range(5):
        assert (await pair.b.post(first)).code == "fork_detected"
    assert len(await forks(pair.a)) == 1
    assert await kinds(pair.a) == ["fork"]


async def test_a_fork_does_not_reopen_a_closed_link(pair: Pair) -> None:
    first = pair.b.message("x.org.example.ping", {}, must=False, keep=False)
    await pair.b.ping()
    await links.close(pair.a.hub, pair.a.dispatcher, pair.b.link_id)
    assert (await pair.b.post(first)).code == "fork_detected"
    assert (await link_of(pair.a, pair.b.link_id)).state is LinkState.CLOSED


async def test_after_a_fork_people_can_let_the_link_go_on(pair: Pair) -> None:
    await _other_text(pair.b)
    await links.resume(pair.a.hub, pair.a.dispatcher, pair.b.link_id)
    assert await kinds(pair.a) == []
    await pair.b.ping()


# --- not authentic: refused at the door -------------------------------------------------------


def _forged(b: FakePeer, **members: Any) -> WireMessage:
    return b.sealed_members(b.message("x.org.example.ping", {}, must=False, keep=False), **members)


def _broken_signature(b: FakePeer) -> WireMessage:
    sealed = b.message("x.org.example.ping", {}, must=False, keep=False)
    head, _, signature = sealed.env.rpartition(".")
    return WireMessage(f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}", sealed.data)


def _other_data(b: FakePeer) -> WireMessage:
    sealed = b.message("x.org.example.ping", {}, must=False, keep=False)
    return WireMessage(sealed.env, sealed.data + " ")


def _no_data(b: FakePeer) -> WireMessage:
    return WireMessage(b.message("x.org.example.ping", {}, must=False, keep=False).env, None)


def _on_handoff(b: FakePeer, **other: Any) -> WireMessage:
    return b.message(
        "comment.add", b.comment_data(), handoff=b.new_id("hnd"), keep=False, **other
    ).wire


_HASH = "A" * 43
UNAUTHENTIC: dict[str, tuple[Callable[[Pair], WireMessage], str]] = {
    "signature broken": (lambda p: _broken_signature(p.b), "signature_invalid"),
    "signed by a stranger's key": (
        lambda p: (
            p.b.message(
                "x.a.b.c", {}, keep=False, signer=PrivateKey.generate(SeededEntropy("x"))
            ).wire
        ),
        "key_unknown",
    ),
    "signed by the http key": (
        lambda p: p.b.message("x.a.b.c", {}, keep=False, signer=p.b.keys.http).wire,
        "key_unknown",
    ),
    "signed by the identity key": (
        lambda p: p.b.message("x.a.b.c", {}, keep=False, signer=p.b.keys.identity).wire,
        "key_unknown",
    ),
    "signed by the node's own key": (
        lambda p: p.b.message("x.a.b.c", {}, keep=False, signer=p.a.hub.keys.message).wire,
        "key_unknown",
    ),
    "data changed": (lambda p: _other_data(p.b), "data_hash_mismatch"),
    "data left out": (lambda p: _no_data(p.b), "data_hash_mismatch"),
    "of another link": (lambda p: _forged(p.b, link="lnk_" + "0" * 32), "env_invalid"),
    "from another node": (lambda p: _forged(p.b, **{"from": _HASH}), "env_invalid"),
    "to another node": (lambda p: _forged(p.b, to=_HASH), "env_invalid"),
    "to its own sender": (lambda p: _forged(p.b, to=p.b.node_id), "env_invalid"),
    "of another version": (lambda p: _forged(p.b, v="2.0"), "env_invalid"),
    "of a later epoch": (lambda p: _forged(p.b, ep=2), "env_invalid"),
    "position zero": (lambda p: _forged(p.b, seq=0), "env_invalid"),
    "position negative": (lambda p: _forged(p.b, seq=-1), "env_invalid"),
    "position as text": (lambda p: _forged(p.b, seq="1"), "env_invalid"),
    "without an id": (lambda p: _forged(p.b, id=None), "env_invalid"),
    "with a number for an id": (lambda p: _forged(p.b, id=7), "env_invalid"),
    "with an id of another kind": (lambda p: _forged(p.b, id="tkt_" + "0" * 32), "env_invalid"),
    "must as text": (lambda p: _forged(p.b, must="yes"), "env_invalid"),
    "schema of another type": (lambda p: _forged(p.b, dt="handoff.offer/1"), "env_invalid"),
    "half a hand-off": (lambda p: _forged(p.b, hseq=1), "env_invalid"),
    "ack of nothing": (lambda p: _forged(p.b, ack=[0, _HASH]), "env_invalid"),
    "hand-off chain with a gap": (lambda p: _on_handoff(p.b, hseq=2), "env_invalid"),
    "hand-off chain of another past": (lambda p: _on_handoff(p.b, hprev=_HASH), "env_invalid"),
}


@pytest.mark.parametrize("how", UNAUTHENTIC)
async def test_what_is_not_authentic_is_refused_at_the_door_with_a_receipt_for_what_came_before(
    quiet: Pair, how: str
) -> None:
    pair = quiet
    make, code = UNAUTHENTIC[how]
    await pair.b.ping()
    start = pair.b.seq
    bad = make(pair)
    before = await stored(pair.a.hub)
    said = await pair.b.post(bad)
    assert said.code == code, said
    assert said.status in {400, 401}
    assert said.members["seq"] == start + 1
    assert pair.b.receipt(said).upto == start
    assert changed(before, await stored(pair.a.hub)) == []
    following = pair.b.message("x.org.example.ping", {}, must=False)
    said = await pair.b.post(following, _broken_signature(pair.b), bad)
    assert (said.status, pair.b.receipt(said).upto) == (401, start + 1)
    await pair.b.ping()
    assert await kinds(pair.a) == []


async def test_a_message_of_another_link_signed_by_its_own_partner_is_refused(pair: Pair) -> None:
    c = FakePeer.of(pair.network, "Север")
    await c.link_with(pair.a)
    theirs = c.message("x.org.example.ping", {}, must=False, keep=False)
    before = await stored(pair.a.hub)
    said = await pair.b.post(theirs)
    assert (said.status, said.code) == (401, "key_unknown")
    assert changed(before, await stored(pair.a.hub)) == []


async def test_a_message_refused_once_stays_refused_in_a_batch_and_after_a_restart(
    pair: Pair,
) -> None:
    bad = _other_data(pair.b)
    for _ in range(2):
        assert (await pair.b.post(bad)).code == "data_hash_mismatch"
    pair.network.wire.doors[pair.a.settings.url].forget_keys()
    good = pair.b.message("x.org.example.ping", {}, must=False)
    assert (await pair.b.post(bad, good)).code == "data_hash_mismatch"
    assert await received(pair.a, pair.b.link_id) == []
    assert pair.b.receipt(await pair.b.post(good)).upto == 1


async def test_a_message_of_an_epoch_that_was_superseded_is_passed_over(pair: Pair) -> None:
    before = await stored(pair.a.hub)
    said = await pair.b.post(_forged(pair.b, ep=0))
    assert (said.status, pair.b.receipt(said).upto) == (200, 0)
    assert changed(before, await stored(pair.a.hub)) == ["voided"]  # kept aside as evidence
    await pair.b.ping()


# --- authentic and unacceptable: one rejection, the stream goes on ----------------------------


@dataclass
class Work:
    """One hand-off each way, both at work, and what each side said there."""

    ours: HandoffId  # A is the principal
    theirs: HandoffId  # A is the contractor
    foreign: HandoffId  # of A's link with another partner
    our_comment: str  # A's own, sent to B
    their_comment: str


async def _work(pair: Pair) -> Work:
    a, b, network = pair.a, pair.b, pair.network
    c = FakePeer.of(network, "Север")
    await c.link_with(a)
    pair.others.append(c)
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    ours = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, b.link_id))
    theirs, foreign = await b.offer(), await c.offer()
    await comments.add(
        a.hub, a.dispatcher, comments.AddComment(ticket.id, "Срочно", Visibility.PUBLIC)
    )
    said = b.comment_data("Когда?")
    await b.say("comment.add", said, handoff=theirs)
    await network.run_until_idle()
    our_comment = b.told("comment.add")[0].data["comment_id"]
    return Work(ours, theirs, foreign, our_comment, said["comment_id"])


Say = Callable[[FakePeer, Work], dict[str, Any]]


def _file_of(b: FakePeer) -> dict[str, Any]:
    return {"sha256": _HASH[:-1] + "A", "size": 3, "media_type": "text/plain", "name": "a.txt",
            "attachment_id": b.new_id("att")}  # fmt: skip


def _edit(comment_id: str, b: FakePeer, rev: int = 2) -> dict[str, Any]:
    return {"comment_id": comment_id, "rev": rev, "body": "Нет", "format": "plain",
            "at": instant(b.now)}  # fmt: skip


POISON: dict[str, tuple[str, str, Say, str]] = {
    # schema
    "an offer without a title": (
        "handoff.offer", "new", lambda b, w: b.offer_data(title=""), "schema_invalid"),
    "an offer with a number for a title": (
        "handoff.offer", "new", lambda b, w: b.offer_data(title=7), "schema_invalid"),
    "an offer with 21 files": (
        "handoff.offer", "new", lambda b, w: b.offer_data(files=[_file_of(b)] * 21),
        "schema_invalid"),
    "an offer with a date that is none": (
        "handoff.offer", "new", lambda b, w: b.offer_data(valid_until="2026-02-30T00:00:00.000Z"),
        "schema_invalid"),
    "an offer with a title of 20,000 characters": (
        "handoff.offer", "new", lambda b, w: b.offer_data(title="x" * 20_000), "schema_invalid"),
    "a comment without words": (
        "comment.add", "theirs", lambda b, w: b.comment_data(body=""), "schema_invalid"),
    "a comment whose author is a text": (
        "comment.add", "theirs", lambda b, w: b.comment_data(author="me"), "schema_invalid"),
    "nothing at all in an update": ("handoff.update", "theirs", lambda b, w: {}, "schema_invalid"),
    # types
    "a type nobody knows, to be understood": (
        "x.org.example.magic", "theirs", lambda b, w: {}, "unsupported_type"),
    "a later version of a known type": (
        "comment.add/2", "theirs", lambda b, w: b.comment_data(), "unsupported_type"),
    "a message about a hand-off that names none": (
        "handoff.accept", "", lambda b, w: {"from": "offered", "number": "1"}, "schema_invalid"),
    # the pen
    "the principal accepts its own offer": (
        "handoff.accept", "theirs", lambda b, w: {"from": "offered", "number": "1"}, "wrong_pen"),
    "a step from a state that is not": (
        "handoff.start", "ours", lambda b, w: {"from": "accepted"}, "wrong_pen"),
    "a confirmation before there is work": (
        "handoff.confirm", "theirs", lambda b, w: {"from": "offered", "auto": False}, "wrong_pen"),
    "a confirmation by the contractor": (
        "handoff.confirm", "ours", lambda b, w: {"from": "offered", "auto": False}, "wrong_pen"),
    "the contractor closes": ("handoff.close", "ours", lambda b, w: {"from": "offered"},
                              "wrong_pen"),
    "the contractor changes the title": (
        "handoff.update", "ours", lambda b, w: {"title": "Моё"}, "wrong_pen"),
    "the principal plans": ("handoff.plan", "theirs", lambda b, w: {"stage": "x"}, "wrong_pen"),
    "the contractor asks to cancel": (
        "handoff.cancel_request", "ours",
        lambda b, w: {"request_id": b.new_id("req"), "reason": "x", "code": "cancel"},
        "wrong_pen"),
    "the principal asks for the resolution": (
        "handoff.retract_request", "theirs",
        lambda b, w: {"request_id": b.new_id("req"), "reason": "x"}, "wrong_pen"),
    # whose hand-off
    "a hand-off that does not exist": (
        "comment.add", "none", lambda b, w: b.comment_data(), "unknown_handoff"),
    "a comment on the hand-off of another link": (
        "comment.add", "foreign", lambda b, w: b.comment_data(), "unknown_handoff"),
    "an acceptance of the hand-off of another link": (
        "handoff.accept", "foreign", lambda b, w: {"from": "offered", "number": "1"},
        "unknown_handoff"),
    "an update of the hand-off of another link": (
        "handoff.update", "foreign", lambda b, w: {"title": "x"}, "unknown_handoff"),
    "a cancellation of the hand-off of another link": (
        "handoff.cancel_request", "foreign",
        lambda b, w: {"request_id": b.new_id("req"), "reason": "x", "code": "cancel"},
        "unknown_handoff"),
    "a file on the hand-off of another link": (
        "file.add", "foreign",
        lambda b, w: {"at": instant(b.now), "author": b.comment_data()["author"],
                      "files": [_file_of(b)]}, "unknown_handoff"),
    "a rating of the hand-off of another link": (
        "rating.set", "foreign", lambda b, w: {"score": 1, "rev": 1}, "unknown_handoff"),
    "a second offer under the same id": (
        "handoff.offer", "theirs", lambda b, w: b.offer_data(), "duplicate_id"),
    # whose comment, whose file
    "an edit of a comment that is ours": (
        "comment.edit", "ours", lambda b, w: _edit(w.our_comment, b), "scope_denied"),
    "a redaction of a comment that is ours": (
        "comment.redact", "ours",
        lambda b, w: {"comment_id": w.our_comment, "at": instant(b.now)}, "scope_denied"),
    "an edit of its comment along another hand-off": (
        "comment.edit", "ours", lambda b, w: _edit(w.their_comment, b), "scope_denied"),
    "an edit of a comment that is not there": (
        "comment.edit", "theirs", lambda b, w: _edit("cmt_" + "0" * 32, b), "scope_denied"),
    "an edit with an old revision": (
        "comment.edit", "theirs", lambda b, w: _edit(w.their_comment, b, rev=1), "schema_invalid"),
    "a comment under an id of ours": (
        "comment.add", "ours", lambda b, w: b.comment_data(comment_id=w.our_comment),
        "duplicate_id"),
    "a redaction of a file that is not there": (
        "file.redact", "theirs",
        lambda b, w: {"attachment_id": b.new_id("att"), "at": instant(b.now)}, "scope_denied"),
    # ratings
    "a rating of 0": ("rating.set", "theirs", lambda b, w: {"score": 0, "rev": 1},
                      "schema_invalid"),
    "a rating of 6": ("rating.set", "theirs", lambda b, w: {"score": 6, "rev": 1},
                      "schema_invalid"),
    "a rating as text": ("rating.set", "theirs", lambda b, w: {"score": "5", "rev": 1},
                         "schema_invalid"),
    "a rating before the work is confirmed": (
        "rating.set", "theirs", lambda b, w: {"score": 5, "rev": 1}, "wrong_pen"),
    "a rating by the contractor": (
        "rating.set", "ours", lambda b, w: {"score": 5, "rev": 1}, "wrong_pen"),
    "a reply to a rating by the principal": (
        "rating.reply", "theirs", lambda b, w: {"text": "x", "at": instant(b.now), "rev": 1},
        "wrong_pen"),
}  # fmt: skip


@pytest.fixture
async def work(pair: Pair) -> Work:
    return await _work(pair)


def _chosen(work: Work, which: str, b: FakePeer) -> str | None:
    return {
        "": None,
        "new": b.new_id("hnd"),
        "none": "hnd_" + "0" * 32,
        "ours": work.ours,
        "theirs": work.theirs,
        "foreign": work.foreign,
    }[which]


async def _rejected_once(pair: Pair, sealed: Any, code: str) -> None:
    """Exactly one rejection goes back; nothing but the streams has changed."""
    b = pair.b
    told = len(b.heard)
    await pair.network.run_until_idle()
    row = (await received(pair.a, b.link_id))[sealed.envelope.seq - 1]
    assert (row.state, row.attempts) == (InboxState.REFUSED, 0), row
    assert types(b.heard[told:]) == ["message.rejected"], row
    said = b.heard[-1]
    assert said.envelope.cause == sealed.envelope.id
    assert {
        name: said.data[name] for name in ("ref_seq", "ref_ep", "ref_mh", "ref_id", "code")
    } == {
        "ref_seq": sealed.envelope.seq,
        "ref_ep": 1,
        "ref_mh": sealed.hash,
        "ref_id": sealed.envelope.id,
        "code": code,
    }


@pytest.mark.parametrize("how", POISON)
async def test_a_poison_message_is_answered_by_exactly_one_rejection_and_the_stream_goes_on(
    busy: tuple[Pair, Work], how: str
) -> None:
    pair, work = busy
    type_, which, say, code = POISON[how]
    type_, _, version = type_.partition("/")
    b = pair.b
    before = await stored(pair.a.hub)
    sealed = await b.say(
        type_,
        say(b, work),
        handoff=_chosen(work, which, b),
        schema=f"{type_}/{version or 1}",
    )
    await _rejected_once(pair, sealed, code)
    assert set(changed(before, await stored(pair.a.hub))) <= {
        "inbox", "outbox", "streams", "handoff_streams", "receipts", "deliveries"
    }  # fmt: skip
    await b.say("comment.add", b.comment_data(how), handoff=work.theirs)
    await pair.network.run_until_idle()
    assert (await bodies(pair.a, work.theirs))[-1] == how
    assert await kinds(pair.a) == []


UNREADABLE = [
    "{",
    "[]",
    "null",
    " ",
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","title":"a","title":"b"}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","title":1.5}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","title":NaN}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","title":9007199254740992}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","title":"\\ud800"}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","Title":"x"}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","a":' + '{"a":' * 40 + "1" + "}" * 41,
    '{"a":' * 9_000,
    "[" * 60_000,
    '{"title":"without salt"}',
    '{"salt":"short","title":"x"}',
    '{"salt":"AAAAAAAAAAAAAAAAAAAAAA","title":"x"} ,',
    "\ufeff{}",
]


@pytest.mark.parametrize("data", UNREADABLE, ids=lambda data: repr(data[:60]))
async def test_a_payload_nobody_can_read_is_stored_and_rejected(
    busy: tuple[Pair, Work], data: str
) -> None:
    pair, work = busy
    sealed = await pair.b.say("handoff.update", data, handoff=work.theirs)
    await _rejected_once(pair, sealed, "schema_invalid")
    assert (await received(pair.a, pair.b.link_id))[sealed.envelope.seq - 1].data == data
    await pair.b.ping()


async def test_a_type_nobody_knows_is_ignored_where_it_need_not_be_understood(
    pair: Pair, work: Work
) -> None:
    before = len(pair.b.heard)
    for type_ in ("x.org.example.ping", "handoff.sing", "link.dance", "rating.set2"):
        await pair.b.say(type_, {"any": ["thing"]}, must=False)
    await pair.b.say(
        "comment.add", {"any": 1}, must=False, handoff=work.theirs, schema="comment.add/9"
    )
    await pair.network.run_until_idle()
    rows = await received(pair.a, pair.b.link_id)
    assert {row.state for row in rows} == {InboxState.DONE}
    assert len(pair.b.heard) == before


@pytest.mark.parametrize("length", [64, 65, 100])
async def test_a_type_of_any_length_the_protocol_allows_is_stored(pair: Pair, length: int) -> None:
    type_ = "x.a." + "b" * (length - 4)
    await pair.b.say(type_, {}, must=False)
    columns: Any = metadata.tables["inbox"].c
    assert columns["type"].type.length >= MAX_TYPE  # PostgreSQL enforces it, SQLite does not
    assert columns["schema"].type.length >= MAX_TYPE + 5


async def test_unknown_members_are_kept_and_ignored(pair: Pair) -> None:
    handoff_id = await pair.b.offer("С добавкой", flavour={"deep": [1, "a"]})
    await pair.network.run_until_idle()
    assert (await handoff_of(pair.a, handoff_id)).state is State.OFFERED
    row = (await received(pair.a, pair.b.link_id))[0]
    assert row.data is not None
    assert "flavour" in row.data


async def test_a_message_that_repeats_an_id_is_rejected(pair: Pair) -> None:
    first = await pair.b.offer()
    await pair.network.run_until_idle()
    row = (await received(pair.a, pair.b.link_id))[0]
    sealed = await pair.b.say("comment.add", pair.b.comment_data(), handoff=first, id=row.id)
    await _rejected_once(pair, sealed, "duplicate_id")
    assert await bodies(pair.a, first) == []


@pytest.mark.parametrize(
    ("score", "rev", "code"),
    [(5, 1, ""), (1, 2, ""), (3, 9, ""), (0, 1, "schema_invalid"), (6, 1, "schema_invalid"),
     (5, 0, "schema_invalid")],
)  # fmt: skip
async def test_a_confirmed_hand_off_takes_good_ratings_only(
    pair: Pair, score: int, rev: int, code: str
) -> None:
    handoff_id = await _confirmed(pair)
    sealed = await pair.b.say("rating.set", {"score": score, "rev": rev}, handoff=handoff_id)
    if code:
        await _rejected_once(pair, sealed, code)
    else:
        await pair.network.run_until_idle()
        assert (await handoff_of(pair.a, handoff_id)).score == score


async def _confirmed(pair: Pair) -> HandoffId:
    a, b = pair.a, pair.b
    handoff_id = await b.offer()
    await pair.network.run_until_idle()
    for act in (Act.ACCEPT, Act.START):
        await handoffs.act(a.hub, a.dispatcher, handoff_id, act)
    await handoffs.act(
        a.hub, a.dispatcher, handoff_id, Act.RESOLVE, Particulars(resolution="Готово")
    )
    await b.say("handoff.confirm", {"from": "resolved", "auto": False}, handoff=handoff_id)
    await pair.network.run_until_idle()
    assert (await handoff_of(a, handoff_id)).state is State.CONFIRMED
    return handoff_id


@pytest.mark.parametrize("rev", [1, 2])
async def test_an_old_revision_of_a_rating_is_rejected(pair: Pair, rev: int) -> None:
    handoff_id = await _confirmed(pair)
    await pair.b.say("rating.set", {"score": 2, "rev": 2}, handoff=handoff_id)
    await pair.network.run_until_idle()
    sealed = await pair.b.say("rating.set", {"score": 5, "rev": rev}, handoff=handoff_id)
    await _rejected_once(pair, sealed, "duplicate_id")
    assert (await handoff_of(pair.a, handoff_id)).score == 2


async def test_a_comment_edited_by_its_author_is_changed_and_an_old_edit_is_rejected(
    pair: Pair, work: Work
) -> None:
    b = pair.b
    await b.say("comment.edit", _edit(work.their_comment, b, rev=3), handoff=work.theirs)
    await pair.network.run_until_idle()
    assert await bodies(pair.a, work.theirs) == ["Нет"]
    sealed = await b.say("comment.edit", _edit(work.their_comment, b, rev=2), handoff=work.theirs)
    await _rejected_once(pair, sealed, "duplicate_id")


async def test_poison_after_poison_in_one_batch_is_rejected_one_by_one(
    pair: Pair, work: Work
) -> None:
    b = pair.b
    told = len(b.heard)
    batch = []
    for at in range(60):
        data = b.comment_data(f"{at}") if at % 3 == 0 else {"body": at}
        batch.append(b.message("comment.add", data, handoff=work.theirs))
    assert b.receipt(await b.post(*batch)).upto == b.seq
    await pair.network.run_until_idle()
    assert types(b.heard[told:]) == ["message.rejected"] * 40
    assert [one.data["ref_seq"] for one in b.heard[told:]] == [
        one.envelope.seq for at, one in enumerate(batch) if at % 3
    ]
    assert len(await bodies(pair.a, work.theirs)) == 1 + 20


async def test_an_offer_refused_by_a_rule_is_declined_not_rejected(pair: Pair) -> None:
    expired = await pair.b.offer(valid_until=instant(pair.b.now - timedelta(seconds=1)))
    number = pair.b.offer_data()["number"]
    await pair.b.offer(number=number)
    twice = await pair.b.offer(number=number)
    await pair.network.run_until_idle()
    declined = pair.b.told("handoff.decline")
    assert [(one.envelope.handoff, one.data["code"]) for one in declined] == [
        (expired, "expired_offer"),
        (twice, "duplicate_offer"),
    ]
    assert pair.b.told("message.rejected") == []


# --- rejections ------------------------------------------------------------------------------


async def _an_offer_of_ours(pair: Pair) -> HandoffId:
    a = pair.a
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, pair.b.link_id))
    await pair.network.run_until_idle()
    return handoff_id


def _rejection(pair: Pair, row: OutboxRow, **other: Any) -> dict[str, Any]:
    return {"ref_seq": row.seq, "ref_ep": row.epoch, "ref_mh": row.hash, "ref_id": row.id,
            "code": "scope_denied", **other}  # fmt: skip


async def test_a_message_of_ours_that_is_rejected_comes_before_people_and_can_be_sent_as_new(
    pair: Pair,
) -> None:
    await _an_offer_of_ours(pair)
    row = (await sent(pair.a, pair.b.link_id))[0]
    await pair.b.say("message.rejected", _rejection(pair, row, detail="Нет"), must=False)
    await pair.network.run_until_idle()
    row = (await sent(pair.a, pair.b.link_id))[0]
    assert (row.state, row.last_error) == ("failed", "scope_denied: Нет")
    assert await kinds(pair.a) == ["message_rejected"]
    await outbox.resend(pair.a.hub, row)
    await pair.network.run_until_idle()
    assert await kinds(pair.a) == []
    assert types(pair.b.heard) == ["handoff.offer", "handoff.offer"]
    assert pair.b.heard[0].data == pair.b.heard[1].data


async def test_a_refused_comment_that_is_sent_again_has_the_mark_of_the_new_message(
    pair: Pair,
) -> None:
    a = pair.a
    handoff_id = await _an_offer_of_ours(pair)
    ticket_id = await a.hub.db.read(lambda c: ticket_views.ticket_of(c, handoff_id))

    async def mark() -> tuple[str, str | None]:
        view = await a.hub.db.read(lambda c: ticket_views.show(c, ticket_id))
        ((one,),) = [comment.marks for comment in view.comments]
        return one.state, one.reason

    await comments.add(a.hub, a.dispatcher, comments.AddComment(ticket_id, "Ау", Visibility.PUBLIC))
    await pair.network.run_until_idle()
    assert await mark() == ("delivered", None)
    row = (await sent(a, pair.b.link_id))[-1]
    await pair.b.say("message.rejected", _rejection(pair, row, detail="Нет"), must=False)
    await pair.network.run_until_idle()
    assert await mark() == ("failed", "scope_denied: Нет")
    row = (await sent(a, pair.b.link_id))[-1]
    await outbox.resend(a.hub, row)
    assert await mark() == ("queued", None)
    await pair.network.run_until_idle()
    assert await mark() == ("delivered", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ref_id": "msg_" + "0" * 32},
        {"ref_mh": _HASH},
        {"ref_seq": 0},
        {"code": 7},
        {"code": None},
        {"ref_id": "x"},
    ],
)
async def test_a_wrong_rejection_is_never_answered_by_a_rejection(
    pair: Pair, wrong: dict[str, Any]
) -> None:
    await _an_offer_of_ours(pair)
    row = (await sent(pair.a, pair.b.link_id))[0]
    data = {
        name: value for name, value in _rejection(pair, row, **wrong).items() if value is not None
    }
    for must in (False, True):
        sealed = await pair.b.say("message.rejected", data, must=must)
    await pair.network.run_until_idle()
    assert types(pair.b.heard) == ["handoff.offer"]
    rows = await received(pair.a, pair.b.link_id)
    assert rows[sealed.envelope.seq - 1].state is InboxState.REFUSED
    assert (await sent(pair.a, pair.b.link_id))[0].state == "received"
    await pair.b.ping()


async def test_a_rejection_of_a_message_of_another_link_is_without_effect(pair: Pair) -> None:
    work = await _work(pair)
    c = pair.others[0]
    await handoffs.act(pair.a.hub, pair.a.dispatcher, work.foreign, Act.ACCEPT)
    await pair.network.run_until_idle()
    row = (await sent(pair.a, c.link_id))[0]
    await pair.b.say("message.rejected", _rejection(pair, row), must=False)
    await pair.network.run_until_idle()
    assert (await sent(pair.a, c.link_id))[0].state == "received"
    assert await kinds(pair.a) == []


async def test_two_nodes_that_reject_each_other_come_to_rest(network: Network) -> None:
    a, b = await network.company("А"), await network.company("Б")
    link_id = LinkId(await network.link(a, b))
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link_id))
    await network.run_until_idle()
    # Both now say something the other must refuse.
    for company in (a, b):
        await company.hub.db.write(
            lambda tx: tx.connection.execute(text("UPDATE handoffs SET state = 'resolved'"))
        )
    await a.hub.db.write(
        lambda tx: tx.connection.execute(text("UPDATE handoffs SET state = 'confirmed'"))
    )
    await handoffs.act(a.hub, a.dispatcher, handoff_id, Act.CLOSE)
    await network.run_until_idle()
    assert await kinds(a) == ["message_rejected"]
    assert await kinds(b) == []


# --- our side fails ---------------------------------------------------------------------------


class Bug(Exception):
    """Something nobody thought of."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Bodies of comments our code breaks at, after it has written something."""
    at: set[str] = set()
    right = incoming.ON_HANDOFF["comment.add"]

    def breaks(tx: Any, hub: Any, message: Any) -> None:
        right(tx, hub, message)
        if message.said["body"] in at:
            raise Bug(message.said["body"])

    monkeypatch.setitem(incoming.ON_HANDOFF, "comment.add", breaks)
    return at


async def _turn_for(pair: Pair, seconds: int) -> None:
    for _ in range(seconds):
        await pair.network.run_until_idle()
        pair.network.clock.advance(seconds=1)
    await pair.network.run_until_idle()


async def _comments(pair: Pair, *said: tuple[HandoffId, str]) -> None:
    b = pair.b
    batch = [b.message("comment.add", b.comment_data(body), handoff=to) for to, body in said]
    assert (await b.post(*batch)).status == 200


class DiskFull(sqlite3.OperationalError):
    """What SQLite says."""

    sqlite_errorcode = sqlite3.SQLITE_FULL


async def test_a_full_disk_is_not_held_against_the_message_that_was_being_applied(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await pair.b.offer("1")
    await pair.network.run_until_idle()
    left = [OperationalError("", {}, DiskFull("full"))] * pair.a.hub.limits.poison_tries

    def strike(point: str) -> None:
        if point == "inbox.applied_one" and left:
            raise left.pop()

    monkeypatch.setattr(faults, "strike", strike)
    await _comments(pair, (one, "kept"))
    await _turn_for(pair, 10)
    assert not left
    (row,) = (await received(pair.a, pair.b.link_id))[1:]
    assert (row.state, row.attempts) == (InboxState.DONE, 0)
    assert await bodies(pair.a, one) == ["kept"]
    assert await kinds(pair.a) == []


async def test_a_message_our_side_fails_at_is_tried_a_bounded_number_of_times_and_parked_whole(
    pair: Pair, broken: set[str]
) -> None:
    one, two = await pair.b.offer("1"), await pair.b.offer("2")
    await pair.network.run_until_idle()
    broken.add("poison")
    await _comments(pair, (one, "before"), (one, "poison"), (one, "after"), (two, "other"))
    await _turn_for(pair, 30)
    rows = (await received(pair.a, pair.b.link_id))[2:]
    assert [(row.state, row.attempts) for row in rows] == [
        (InboxState.DONE, 0),
        (InboxState.PARKED, pair.a.hub.limits.poison_tries),
        (InboxState.NEW, 0),
        (InboxState.DONE, 0),
    ]
    assert rows[1].data is not None
    assert "Bug" in (rows[1].last_error or "")
    assert await bodies(pair.a, one) == ["before"]
    assert await bodies(pair.a, two) == ["other"]
    assert await kinds(pair.a) == ["message_parked"]
    assert "message.rejected" not in types(pair.b.heard)
    # Later ones of other hand-offs flow, and nothing acknowledges what was not applied.
    await _comments(pair, (two, "more"), (one, "later"))
    await handoffs.act(pair.a.hub, pair.a.dispatcher, two, Act.ACCEPT)
    await _turn_for(pair, 2)
    assert await bodies(pair.a, two) == ["other", "more"]
    assert await bodies(pair.a, one) == ["before"]
    ack = pair.b.heard[-1].envelope.ack
    assert ack is not None
    assert ack[0] == rows[1].seq - 1


async def test_a_parked_message_replayed_after_the_repair_is_applied_before_what_waited_behind_it(
    pair: Pair, broken: set[str]
) -> None:
    one = await pair.b.offer()
    broken.add("poison")
    await _comments(pair, (one, "poison"), (one, "after"))
    await _turn_for(pair, 10)
    assert await bodies(pair.a, one) == []
    broken.clear()
    row = (await received(pair.a, pair.b.link_id))[1]
    await inbox.replay(pair.a.hub, row)
    await _turn_for(pair, 1)
    assert await bodies(pair.a, one) == ["poison", "after"]
    assert await kinds(pair.a) == []
    stream = await pair.a.hub.db.read(lambda c: streams.get(c, pair.b.link_id))
    assert stream is not None
    assert stream.applied_seq == stream.in_seq == 3


async def test_a_parked_message_replayed_before_the_repair_is_parked_again(
    pair: Pair, broken: set[str]
) -> None:
    one = await pair.b.offer()
    broken.add("poison")
    await _comments(pair, (one, "poison"))
    await _turn_for(pair, 10)
    row = (await received(pair.a, pair.b.link_id))[1]
    await inbox.replay(pair.a.hub, row)
    assert await kinds(pair.a) == []
    await _turn_for(pair, 10)
    assert await kinds(pair.a) == ["message_parked"]


async def test_a_parked_message_skipped_is_rejected_and_what_waited_behind_it_goes_on(
    pair: Pair, broken: set[str]
) -> None:
    one = await pair.b.offer()
    broken.add("poison")
    await _comments(pair, (one, "poison"), (one, "after"))
    await _turn_for(pair, 10)
    row = (await received(pair.a, pair.b.link_id))[1]
    await inbox.skip(pair.a.hub, row, pair.a.dispatcher.ref, "не нужно")
    await _turn_for(pair, 1)
    assert await bodies(pair.a, one) == ["after"]
    assert await kinds(pair.a) == []
    (rejected,) = pair.b.told("message.rejected")
    assert rejected.data["ref_id"] == row.id
    row = (await received(pair.a, pair.b.link_id))[1]
    assert (row.state, row.last_error) == (InboxState.SKIPPED, "не нужно")


async def test_a_failure_that_may_pass_is_never_parked(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await pair.b.offer()
    await pair.network.run_until_idle()
    right = incoming.ON_HANDOFF["comment.add"]

    def busy(*_: Any) -> None:
        raise Unavailable("database_unavailable", "Later.")

    monkeypatch.setitem(incoming.ON_HANDOFF, "comment.add", busy)
    await _comments(pair, (one, "hello"))
    await _turn_for(pair, 12)
    assert await kinds(pair.a) == []
    monkeypatch.setitem(incoming.ON_HANDOFF, "comment.add", right)
    await _turn_for(pair, 1)
    assert await bodies(pair.a, one) == ["hello"]


async def test_a_parked_message_about_the_link_stops_no_hand_off(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise Bug

    monkeypatch.setitem(incoming.ON_LINK, "link.resume", breaks)
    one = await pair.b.offer()
    await pair.b.say("link.resume", {})
    await _comments(pair, (one, "hello"))
    await _turn_for(pair, 10)
    assert await bodies(pair.a, one) == ["hello"]
    assert await kinds(pair.a) == ["message_parked"]


# --- lost and doubled calls between two real nodes ---------------------------------------------


async def _story(network: Network, a: Company, b: Company, link_id: LinkId) -> HandoffId:
    """A whole hand-off, each step as soon as the other side can have heard of the last."""
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link_id))
    await pass_time(network, hours=2)
    child = (await handoff_of(b, handoff_id)).ticket_id
    await handoffs.act(b.hub, b.dispatcher, handoff_id, Act.ACCEPT)
    for n in range(3):
        await comments.add(
            a.hub, a.dispatcher, comments.AddComment(ticket.id, f"a{n}", Visibility.PUBLIC)
        )
        await comments.add(
            b.hub, b.dispatcher, comments.AddComment(child, f"b{n}", Visibility.PUBLIC)
        )
    await handoffs.act(b.hub, b.dispatcher, handoff_id, Act.START)
    await handoffs.act(
        b.hub, b.dispatcher, handoff_id, Act.RESOLVE, Particulars(resolution="Готово")
    )
    await pass_time(network, hours=2)
    await handoffs.act(a.hub, a.dispatcher, handoff_id, Act.CONFIRM, Particulars(score=5))
    await handoffs.act(a.hub, a.dispatcher, handoff_id, Act.CLOSE)
    await pass_time(network, hours=2)
    return handoff_id


def _nth(every: int, what: str) -> Callable[[str, str, str], str | None]:
    seen = 0

    def fault(_caller: str, _method: str, _url: str) -> str | None:
        nonlocal seen
        seen += 1
        return None if seen % every == 0 else what

    return fault


FAULTS: dict[str, Callable[[], Callable[[str, str, str], str | None]]] = {
    "none": lambda: lambda *_: None,
    "every second request lost": lambda: _nth(2, "drop_request"),
    "three requests of four lost": lambda: _nth(4, "drop_request"),
    "every second answer lost": lambda: _nth(2, "drop_reply"),
    "three answers of four lost": lambda: _nth(4, "drop_reply"),
    "every call doubled": lambda: _nth(10**9, "duplicate"),
    "most calls doubled": lambda: _nth(3, "duplicate"),
    "everything at random": lambda: _mixed(),
}


def _mixed() -> Callable[[str, str, str], str | None]:
    random = SeededEntropy("mixed")
    what = ["drop_request", "drop_reply", "duplicate", None]
    return lambda *_: what[int(random.fraction() * 4)]


@pytest.mark.parametrize("how", FAULTS)
async def test_lost_and_doubled_calls_converge_to_exactly_one_effect(
    network: Network, how: str
) -> None:
    a, b = await network.company("А"), await network.company("Б")
    link_id = LinkId(await network.link(a, b))
    network.wire.fault = FAULTS[how]()
    handoff_id = await _story(network, a, b, link_id)
    for company in (a, b):
        assert (await handoff_of(company, handoff_id)).state is State.CLOSED
        assert sorted(await bodies(company, handoff_id)) == ["a0", "a1", "a2", "b0", "b1", "b2"]
        assert {row.state for row in await received(company, link_id)} == {InboxState.DONE}
        assert {str(row.state) for row in await sent(company, link_id)} == {"received"}
        assert await tickets_of(company) == 1
        assert await kinds(company) == []
    for here, there in ((a, b), (b, a)):
        assert [row.env for row in await sent(here, link_id)] == [
            row.env for row in await received(there, link_id)
        ]


# --- retrying ---------------------------------------------------------------------------------


async def test_a_failing_peer_is_tried_ever_more_seldom_and_people_hear_of_it(
    pair: Pair,
) -> None:
    pair.network.wire.down.add(pair.b.base_url)
    await _an_offer_of_ours(pair)
    await pass_time(pair.network, minutes=20)
    assert await kinds(pair.a) == []
    before = (await delivery_of(pair.a, pair.b.link_id)).failures
    assert 5 <= before <= 25
    await pass_time(pair.network, hours=4)
    assert await kinds(pair.a) == ["delivery_overdue"]
    # With a cap of 15 minutes and full jitter, about eight tries an hour.
    after = (await delivery_of(pair.a, pair.b.link_id)).failures
    assert 15 <= after - before <= 70
    pair.network.clock.advance(hours=70)
    await pass_time(pair.network, minutes=16)
    assert await kinds(pair.a) == ["delivery_overdue", "delivery_unreachable"]
    pair.network.wire.down.clear()
    await pass_time(pair.network, minutes=16)
    assert types(pair.b.heard) == ["handoff.offer"]
    done = await delivery_of(pair.a, pair.b.link_id)
    assert (done.failures, done.next_at, done.failing_since) == (0, None, None)


@pytest.mark.parametrize(
    ("status", "asked", "least", "most"),
    [
        (503, "120", 120, 145),
        (503, "0", 0, 3),
        (503, None, 0, 3),
        (503, "999999999", 3600, 4321),
        (503, "9" * 30, 0, 4321),
        (503, "9" * 5000, 0, 4321),
        (503, "-5", 0, 3),
        (503, "soon", 0, 3),
        (503, "٣", 0, 3),
        (429, "60", 60, 73),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("signed", [True, False])
async def test_retry_after_is_obeyed_up_to_an_hour(
    quiet: Pair, status: int, asked: str | None, least: int, most: int, *, signed: bool
) -> None:
    pair, heard = quiet, len(quiet.b.heard)
    headers = {} if asked is None else {"retry-after": asked}

    def busy(call: Call) -> Reply:
        if not signed:
            return Reply(status, headers, b"<html>busy</html>")
        code = "overloaded" if status == 503 else "rate_limited"
        refusal = pair.b.refusal(call, code)
        return replace(refusal, headers={**refusal.headers, **headers})

    pair.b.script = busy
    await _an_offer_of_ours(pair)
    how = await delivery_of(pair.a, pair.b.link_id)
    assert how.next_at is not None
    assert how.failures == 1
    wait = (how.next_at - pair.network.clock.now()).total_seconds()
    assert least <= wait <= most
    pair.b.script = lambda _call: None
    await pass_time(pair.network, seconds=most + 1)
    assert types(pair.b.heard[heard:]) == ["handoff.offer"]


@pytest.mark.parametrize("code", ["malformed", "link_suspended", "quota_exceeded", "fork_detected"])
async def test_a_peer_that_refuses_for_ever_with_a_receipt_is_not_hammered_and_people_hear_of_it(
    pair: Pair, code: str
) -> None:
    def refuses(call: Call) -> Reply:
        members = {**problem(code, "No."), "receipt": pair.b.own_receipt(), "seq": 1}
        return pair.b.reply(call, members["status"], members)

    pair.b.script = refuses
    await _an_offer_of_ours(pair)
    await pass_time(pair.network, hours=5)
    calls = len(pair.b.calls)
    assert calls <= 80
    how = await delivery_of(pair.a, pair.b.link_id)
    if code == "link_suspended":
        return  # then it is not tried at all until the partner resumes
    assert how.failures > 10
    assert await kinds(pair.a) == ["delivery_overdue"]


LIES: dict[str, Callable[[FakePeer, Call], Reply]] = {
    "an unsigned 410": lambda b, c: replace(
        b.refusal(c, "link_closed"), headers={"content-type": MEDIA_TYPE}
    ),
    "an unsigned 403 that we are suspended": lambda b, c: replace(
        b.refusal(c, "link_suspended"), headers={"content-type": MEDIA_TYPE}
    ),
    "an unsigned receipt": lambda b, c: Reply(
        200,
        {"content-type": "application/json"},
        b.reply(c, 200, {"receipt": b.take_batch(c)}).body,
    ),
    "a page of a proxy": lambda _b, _c: Reply(200, {"content-type": "text/html"}, b"<html>"),
    "nothing": lambda _b, _c: Reply(200, {}, b""),
    "a redirect": lambda _b, _c: Reply(302, {"location": "http://evil.example"}, b""),
    "a receipt of nothing": lambda b, c: b.reply(c, 200, {"receipt": b.own_receipt()}),
    "no receipt": lambda b, c: b.reply(c, 200, {}),
    "a number for a receipt": lambda b, c: b.reply(c, 200, {"receipt": 7}),
    "a receipt with another head": lambda b, c: b.reply(
        c, 200, {"receipt": b.own_receipt(upto=len(b.heard) + 1, head=_HASH)}
    ),
    "a receipt for more than was sent": lambda b, c: b.reply(
        c, 200, {"receipt": b.own_receipt(upto=len(b.heard) + 9, head=_HASH)}
    ),
    "a receipt of an older epoch": lambda b, c: b.reply(
        c, 200, {"receipt": b.own_receipt(upto=len(b.heard) + 1, epoch=0)}
    ),
    "a receipt for another link": lambda b, c: b.reply(
        c, 200, {"receipt": b.own_receipt(link=LinkId("lnk_" + "0" * 32))}
    ),
    "a receipt for its own stream": lambda b, c: b.reply(
        c, 200, {"receipt": b.own_receipt(of=b.node_id)}
    ),
    "a signed 500": lambda b, c: b.reply(c, 500, {"code": "oops"}),
    "a signed 404": lambda b, c: b.refusal(c, "not_found"),
    "a signed 410": lambda b, c: b.refusal(c, "link_closed"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_answer_that_proves_nothing_changes_nothing_and_the_message_is_tried_again(
    quiet: Pair, lie: str
) -> None:
    pair, heard = quiet, len(quiet.b.heard)
    pair.b.script = lambda call: LIES[lie](pair.b, call)
    await _an_offer_of_ours(pair)
    row = (await sent(pair.a, pair.b.link_id))[-1]
    assert (str(row.state), row.attempts) == ("sent", 1)
    link = await link_of(pair.a, pair.b.link_id)
    assert (link.state, link.suspended_by_peer) == (LinkState.ACTIVE, False)
    assert (await delivery_of(pair.a, pair.b.link_id)).failures == 1
    pair.b.script = lambda _call: None
    await pass_time(pair.network, seconds=5)
    assert (await sent(pair.a, pair.b.link_id))[-1].state == "received"
    told = [one for one in types(pair.b.heard[heard:]) if one != "link.epoch"]
    assert told == ["handoff.offer"]


@pytest.mark.parametrize("refused", [True, False])
async def test_a_receipt_for_the_beginning_of_a_batch_moves_on_and_the_rest_follows(
    pair: Pair, *, refused: bool
) -> None:
    def in_part(call: Call) -> Reply:
        receipt = pair.b.take_batch(call, upto=1)
        if not refused:
            return pair.b.reply(call, 200, {"receipt": receipt})
        members = {**problem("malformed", "No."), "receipt": receipt, "seq": 2}
        return pair.b.reply(call, 400, members)

    pair.network.wire.down.add(pair.b.base_url)
    for _ in range(3):
        await _an_offer_of_ours(pair)
    pair.network.wire.down.clear()
    pair.b.script = in_part
    await pass_time(pair.network, seconds=20)
    rows = await sent(pair.a, pair.b.link_id)
    assert [str(row.state) for row in rows] == ["received", "sent", "sent"]
    assert (await delivery_of(pair.a, pair.b.link_id)).failures > 0
    pair.b.script = lambda _call: None
    await pass_time(pair.network, minutes=5)
    told = [one for one in types(pair.b.heard) if one != "link.epoch"]
    assert told == ["handoff.offer"] * 3
    assert {row.state for row in await sent(pair.a, pair.b.link_id)} == {"received"}


async def test_a_call_of_the_peer_ends_the_waiting(pair: Pair) -> None:
    pair.network.wire.down.add(pair.b.base_url)
    await _an_offer_of_ours(pair)
    await pass_time(pair.network, hours=2)
    pair.network.wire.down.clear()
    pair.network.wire.doors[pair.a.settings.url].forget_keys()
    said = await pair.b.call("GET", f"{pair.b.path}/receipts?from=1")
    assert said.status == 200
    await pair.network.run_until_idle()
    assert types(pair.b.heard) == ["handoff.offer"]


# --- suspending -------------------------------------------------------------------------------


async def test_a_link_suspended_by_us_takes_control_messages_only(pair: Pair) -> None:
    b = pair.b
    await b.ping()
    await links.suspend(pair.a.hub, pair.a.dispatcher, b.link_id, "спор")
    await pair.network.run_until_idle()
    assert types(b.heard) == ["link.suspend"]
    control = b.message("link.suspend", {"reason": "тоже"})
    handoff_id = HandoffId(b.new_id("hnd"))
    content = b.message("handoff.offer", b.offer_data(), handoff=handoff_id)
    said = await b.post(control, content)
    assert (said.status, said.code, b.receipt(said).upto) == (403, "link_suspended", 2)
    await pair.network.run_until_idle()
    assert (await link_of(pair.a, b.link_id)).suspended_by_peer
    await links.resume(pair.a.hub, pair.a.dispatcher, b.link_id)
    assert (await link_of(pair.a, b.link_id)).state is LinkState.SUSPENDED
    said = await b.post(content, b.message("link.resume", {}))
    assert (said.status, b.receipt(said).upto) == (200, 4)
    await pair.network.run_until_idle()
    assert (await link_of(pair.a, b.link_id)).state is LinkState.ACTIVE
    assert await kinds(pair.a) == []


@dataclass
class Two:
    """Two real nodes with one hand-off at work."""

    network: Network
    a: Company
    b: Company
    link_id: LinkId
    handoff_id: HandoffId

    async def comment(self, company: Company, body: str) -> None:
        found = await handoff_of(company, self.handoff_id)
        await comments.add(
            company.hub,
            company.dispatcher,
            comments.AddComment(found.ticket_id, body, Visibility.PUBLIC),
        )

    async def states(self) -> list[LinkState]:
        return [(await link_of(one, self.link_id)).state for one in (self.a, self.b)]


@pytest.fixture
async def two(network: Network) -> Two:
    a, b = await network.company("А"), await network.company("Б")
    link_id = LinkId(await network.link(a, b))
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link_id))
    await network.run_until_idle()
    await handoffs.act(b.hub, b.dispatcher, handoff_id, Act.ACCEPT)
    await network.run_until_idle()
    return Two(network, a, b, link_id, handoff_id)


async def _all_settled(two: Two) -> None:
    for company in (two.a, two.b):
        assert {str(row.state) for row in await sent(company, two.link_id)} == {"received"}
        assert {row.state for row in await received(company, two.link_id)} == {InboxState.DONE}


async def test_a_suspended_link_holds_content_on_both_sides_and_resuming_flushes_it(
    two: Two,
) -> None:
    await links.suspend(two.a.hub, two.a.dispatcher, two.link_id)
    await two.network.run_until_idle()
    assert await two.states() == [LinkState.SUSPENDED, LinkState.SUSPENDED]
    assert await kinds(two.b) == ["link_suspended"]
    await two.comment(two.a, "from a")
    await two.comment(two.b, "from b")
    await pass_time(two.network, hours=1)
    assert await bodies(two.a, two.handoff_id) == ["from a"]
    assert await bodies(two.b, two.handoff_id) == ["from b"]
    await links.resume(two.a.hub, two.a.dispatcher, two.link_id)
    await pass_time(two.network, minutes=20)
    assert await two.states() == [LinkState.ACTIVE, LinkState.ACTIVE]
    for company in (two.a, two.b):
        assert sorted(await bodies(company, two.handoff_id)) == ["from a", "from b"]
        assert await kinds(company) == []
    await _all_settled(two)


async def test_a_link_suspended_by_both_flows_only_after_both_resumed(two: Two) -> None:
    for company in (two.a, two.b):
        await links.suspend(company.hub, company.dispatcher, two.link_id)
    await two.network.run_until_idle()
    await two.comment(two.b, "from b")
    await links.resume(two.a.hub, two.a.dispatcher, two.link_id)
    await pass_time(two.network, minutes=20)
    assert await two.states() == [LinkState.SUSPENDED, LinkState.SUSPENDED]
    assert await bodies(two.a, two.handoff_id) == []
    await links.resume(two.b.hub, two.b.dispatcher, two.link_id)
    await pass_time(two.network, minutes=20)
    assert await two.states() == [LinkState.ACTIVE, LinkState.ACTIVE]
    assert await bodies(two.a, two.handoff_id) == ["from b"]
    await _all_settled(two)


async def test_content_that_waits_before_a_suspension_arrives_after_the_resumption(
    two: Two,
) -> None:
    two.network.wire.down.add(two.b.settings.url)
    await two.comment(two.a, "waiting")
    await pass_time(two.network, minutes=1)
    await links.suspend(two.a.hub, two.a.dispatcher, two.link_id)
    two.network.wire.down.clear()
    await two.comment(two.b, "meanwhile")
    await pass_time(two.network, minutes=30)
    assert await bodies(two.a, two.handoff_id) == ["waiting"]
    await links.resume(two.a.hub, two.a.dispatcher, two.link_id)
    await pass_time(two.network, minutes=30)
    assert await two.states() == [LinkState.ACTIVE, LinkState.ACTIVE]
    for company in (two.a, two.b):
        assert sorted(await bodies(company, two.handoff_id)) == ["meanwhile", "waiting"]
    await _all_settled(two)


async def test_a_resumption_that_overtakes_a_refusal_does_not_leave_the_link_suspended(
    two: Two,
) -> None:
    """B's content is refused, and before B reads that, A resumes and says so."""
    await two.comment(two.b, "refused")
    await two.a.hub.db.write(
        lambda tx: kept_links.change(
            tx, two.link_id, state=LinkState.SUSPENDED, suspended_by_us=True
        )
    )
    door = two.network.wire.doors[two.a.settings.url]
    right = door.answer
    overtaken = False

    async def slow(call: Call) -> Reply:
        nonlocal overtaken
        reply = await right(call)
        if reply.status == 403 and not overtaken:
            overtaken = True
            await links.resume(two.a.hub, two.a.dispatcher, two.link_id)
            await two.a.turn()
            await two.b.cranks[3].turn()
        return reply

    door.answer = slow  # type: ignore[method-assign]
    await pass_time(two.network, minutes=20)
    assert overtaken
    assert await two.states() == [LinkState.ACTIVE, LinkState.ACTIVE]
    assert await bodies(two.a, two.handoff_id) == ["refused"]
    await _all_settled(two)


# --- closing ----------------------------------------------------------------------------------


async def test_closing_ends_hand_offs_where_the_pen_is_and_frees_parents(two: Two) -> None:
    back = await tickets.create(two.b.hub, two.b.dispatcher, tickets.NewTicket(title="Обратно"))
    other = await handoffs.offer(two.b.hub, two.b.dispatcher, OfferHandoff(back.id, two.link_id))
    await two.network.run_until_idle()
    await links.close(two.a.hub, two.a.dispatcher, two.link_id, "конец")
    await two.network.run_until_idle()
    assert await two.states() == [LinkState.CLOSED, LinkState.CLOSED]
    for company in (two.a, two.b):
        link = await link_of(company, two.link_id)
        assert link.closed_by_peer_at is not None
        assert (await handoff_of(company, two.handoff_id)).state is State.HANDED_BACK
        assert (await handoff_of(company, other)).state is State.DECLINED
    assert (await handoff_of(two.a, two.handoff_id)).detached_at is not None
    await _all_settled(two)


@pytest.mark.parametrize("how", ["drop_reply", "duplicate", "drop_request"])
async def test_a_closing_whose_answers_are_lost_still_ends_on_both_sides(
    two: Two, how: str
) -> None:
    await two.comment(two.a, "last words")
    await links.close(two.a.hub, two.a.dispatcher, two.link_id)
    two.network.wire.fault = _nth(2, how)
    await pass_time(two.network, hours=1)
    assert await two.states() == [LinkState.CLOSED, LinkState.CLOSED]
    await _all_settled(two)
    assert await bodies(two.b, two.handoff_id) == ["last words"]


async def test_after_both_closed_everything_new_is_410_and_copies_keep_their_receipt(
    pair: Pair,
) -> None:
    b = pair.b
    last = b.message("link.close", {"reason": "конец"})
    first = await b.post(last)
    await pair.network.run_until_idle()
    assert types(b.heard) == ["link.close"]
    again = await b.post(last)
    assert (again.status, again.members) == (200, first.members)
    before = await stored(pair.a.hub)
    for content in (
        b.message("handoff.offer", b.offer_data(), handoff=b.new_id("hnd"), keep=False),
        b.message("link.resume", {}, keep=False),
        b.message("x.org.example.ping", {}, must=False, keep=False),
    ):
        said = await b.post(content)
        assert (said.status, said.code) == (410, "link_closed")
    assert changed(before, await stored(pair.a.hub)) == []
    said = await b.call("GET", f"{b.path}/log?dir=out")
    assert len(said.members["messages"]) == 1
    pair.network.clock.advance(days=91)
    said = await b.call("GET", f"{b.path}/log?dir=out")
    assert (said.status, said.code) == (410, "link_closed")


async def test_closing_after_the_partner_closed_is_refused(pair: Pair) -> None:
    await pair.b.say("link.close", {})
    await pair.network.run_until_idle()
    for act in (links.close, links.suspend, links.resume):
        with pytest.raises(Refused, match="link_not_active"):
            await act(pair.a.hub, pair.a.dispatcher, pair.b.link_id)


async def test_nothing_is_said_after_the_closing_whatever_still_comes_in(
    pair: Pair, work: Work
) -> None:
    """Messages that crossed our closing: all settled, none answered, no orphan ticket."""
    a, b = pair.a, pair.b
    count = await tickets_of(a)
    await links.close(a.hub, a.dispatcher, b.link_id)
    await pair.network.run_until_idle()
    assert types(b.heard)[-1] == "link.close"
    told = len(b.heard)
    crossed = await b.offer("Разминулись")
    await b.say("handoff.update", {"title": 7}, handoff=work.theirs)
    await b.say("x.org.example.magic", {})
    await b.say(
        "handoff.cancel_request",
        {"request_id": b.new_id("req"), "reason": "x", "code": "cancel"},
        handoff=work.theirs,
    )
    await b.say("comment.add", b.comment_data("Успели"), handoff=work.theirs)
    await b.say("file.add", {"at": instant(b.now), "author": b.comment_data()["author"],
                             "files": [_file_of(b)]}, handoff=work.theirs)  # fmt: skip
    await b.say("link.close", {})
    await pass_time(pair.network, hours=5)
    assert types(b.heard[told:]) == []
    rows = await received(a, b.link_id)
    assert all(row.state in {InboxState.DONE, InboxState.REFUSED} for row in rows)
    assert await a.hub.db.read(lambda c: kept_handoffs.find(c, crossed)) is None
    assert await tickets_of(a) == count
    assert [kind for kind in await kinds(a) if kind.startswith("delivery")] == []
    pending = [row for row in await sent(a, b.link_id) if row.state != "received"]
    assert pending == []


async def test_an_offer_that_crossed_the_closing_leaves_the_partners_ticket_free(
    two: Two,
) -> None:
    back = await tickets.create(two.b.hub, two.b.dispatcher, tickets.NewTicket(title="Обратно"))
    two.network.wire.down.add(two.b.settings.url)
    crossed = await handoffs.offer(two.b.hub, two.b.dispatcher, OfferHandoff(back.id, two.link_id))
    await links.close(two.a.hub, two.a.dispatcher, two.link_id)
    await pass_time(two.network, minutes=1)
    two.network.wire.down.clear()
    await pass_time(two.network, hours=1)
    assert (await handoff_of(two.b, crossed)).detached_at is not None
    assert await tickets_of(two.a) == 1
    assert await two.states() == [LinkState.CLOSED, LinkState.CLOSED]
    for company in (two.a, two.b):
        assert {str(row.state) for row in await sent(company, two.link_id)} == {"received"}


async def test_a_link_closed_while_the_partner_suspended_it_stays_closed(two: Two) -> None:
    await links.suspend(two.b.hub, two.b.dispatcher, two.link_id)
    await two.comment(two.a, "waits")
    await links.close(two.a.hub, two.a.dispatcher, two.link_id)
    await pass_time(two.network, hours=1)
    assert (await link_of(two.a, two.link_id)).state is LinkState.CLOSED
    await links.resume(two.b.hub, two.b.dispatcher, two.link_id)
    await pass_time(two.network, hours=1)
    assert await two.states() == [LinkState.CLOSED, LinkState.CLOSED]


async def test_work_resolved_while_the_closing_was_on_its_way_stops_no_timer(two: Two) -> None:
    two.network.wire.down.add(two.b.settings.url)
    await handoffs.act(
        two.b.hub, two.b.dispatcher, two.handoff_id, Act.RESOLVE, Particulars(resolution="Готово")
    )
    await links.close(two.a.hub, two.a.dispatcher, two.link_id)
    two.network.wire.down.clear()
    await pass_time(two.network, hours=1)
    assert (await handoff_of(two.a, two.handoff_id)).state is State.RESOLVED
    before = len(await sent(two.a, two.link_id))
    two.network.clock.advance(days=60)
    await timers.run(two.a.hub)  # confirms by silence what can still be confirmed
    assert len(await sent(two.a, two.link_id)) == before
    assert await two.states() == [LinkState.CLOSED, LinkState.CLOSED]


async def test_both_close_at_once(two: Two) -> None:
    for company in (two.a, two.b):
        await links.close(company.hub, company.dispatcher, two.link_id)
    await pass_time(two.network, hours=1)
    assert await two.states() == [LinkState.CLOSED, LinkState.CLOSED]
    for company in (two.a, two.b):
        assert {str(row.state) for row in await sent(company, two.link_id)} == {"received"}
