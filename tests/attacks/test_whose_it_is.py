"""Families A4 to A11: B is a good partner on its own link, and asks for what is not its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hub.actions import comments, consents, handoffs, links
from hub.actions.comments import AddComment
from hub.domain.comment import Visibility
from hub.federation.door import Call, Door
from hub.ids import HandoffId
from hub.protocol.encoding import instant
from hub.protocol.message import WireMessage
from hub.protocol.payloads import TYPES, schema_directory
from hub.protocol.signing import SealedMessage
from hub.storage import handoffs as kept_handoffs
from tests.attacks.scene import (
    Scene,
    Shared,
    confirmed,
    nothing_remains,
    rejected,
    scene,
)
from tests.kit.fake_peer import Answered, FakePeer
from tests.kit.network import Network
from tests.kit.rows import changed, stored

NOWHERE = {"hnd": "hnd_" + "0" * 32, "cmt": "cmt_" + "0" * 32, "att": "att_" + "0" * 32,
           "req": "req_" + "0" * 32}  # fmt: skip


def _example(type_: str) -> dict[str, Any]:
    first = min((schema_directory() / "examples" / type_).glob("*.json"))
    data: dict[str, Any] = json.loads(first.read_bytes())
    return {name: value for name, value in data.items() if name != "salt"}


def _told(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["code"], answer.get("detail", "")


# --- A4: things of the link of A and C --------------------------------------------------------

ON_HANDOFF = sorted(t.name for t in TYPES.values() if t.on_handoff and t.name != "handoff.offer")


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("type_", ON_HANDOFF)
async def test_a_hand_off_of_others_is_the_same_as_none_to_every_message(
    scene: Scene, type_: str, side: str
) -> None:
    b = scene.b
    foreign = getattr(scene.with_c, side)
    messages = [
        b.message(type_, _example(type_), handoff=which, keep=True)
        for which in (foreign, b.new_id("hnd"))
    ]
    of_others, of_nothing = await rejected(scene, *messages)
    assert of_others["code"] == "unknown_handoff"
    assert _told(of_others) == _told(of_nothing)


def _at(b: FakePeer) -> dict[str, str]:
    return {"at": instant(b.now)}


THINGS: dict[str, tuple[str, str, str, Callable[[FakePeer, str], dict[str, Any]]]] = {
    # verb, which hand-off of B it names, what of C it names, data
    "edit a comment of C": ("comment.edit", "theirs", "their_comment", lambda b, x: {
        "comment_id": x, "rev": 2, "body": "Нет", "format": "plain", **_at(b)}),
    "edit a comment A made to C": ("comment.edit", "ours", "our_comment", lambda b, x: {
        "comment_id": x, "rev": 2, "body": "Нет", "format": "plain", **_at(b)}),
    "take back a comment of C": ("comment.redact", "theirs", "their_comment", lambda b, x: {
        "comment_id": x, **_at(b)}),
    "take back a comment A made to C": ("comment.redact", "ours", "our_comment", lambda b, x: {
        "comment_id": x, **_at(b)}),
    "take back a file of C": ("file.redact", "theirs", "their_attachment", lambda b, x: {
        "attachment_id": x, **_at(b)}),
    "take back a file A gave to C": ("file.redact", "ours", "our_attachment", lambda b, x: {
        "attachment_id": x, **_at(b)}),
    "refuse the request A made to C": ("handoff.cancel_refused", "ours", "request", lambda b, x: {
        "request_id": x, "code": "other"}),
    "refuse to give back what C asked for": (
        "handoff.retract_refused", "theirs", "request", lambda b, x: {"request_id": x}),
}  # fmt: skip


@pytest.mark.parametrize("how", THINGS)
async def test_a_thing_of_others_is_the_same_as_none_along_a_hand_off_of_bs_own(
    scene: Scene, how: str
) -> None:
    type_, side, what, data = THINGS[how]
    b, named = scene.b, getattr(scene.with_c, what)
    handoff = getattr(scene.with_b, side)
    messages = [
        b.message(type_, data(b, which), handoff=handoff) for which in (named, NOWHERE[named[:3]])
    ]
    of_others, of_nothing = await rejected(scene, *messages)
    assert _told(of_others) == _told(of_nothing)


# --- A5: the right paper for the wrong ticket -------------------------------------------------


async def _cs_signature(s: Scene) -> Answered:
    return await s.b.call("PUT", f"{s.b.path}/agreement", s.c.own_signature())


async def _cs_message(s: Scene) -> Answered:
    return await s.b.post(s.c.message("x.org.example.ping", {}, must=False, keep=False))


async def _cs_message_relabelled(s: Scene) -> Answered:
    sealed = s.c.message("x.org.example.ping", {}, must=False, keep=False, link=s.b.link_id)
    return await s.b.post(sealed)


async def _own_message_for_c(s: Scene) -> Answered:
    return await s.b.post(
        s.b.message("x.org.example.ping", {}, must=False, keep=False, link=s.c.link_id)
    )


async def _payload_of_another(s: Scene) -> Answered:
    one = s.b.message("handoff.update", {"title": "Раз"}, handoff=s.with_b.theirs, keep=False)
    two = s.b.message("handoff.update", {"title": "Два"}, handoff=s.with_b.theirs, keep=False)
    return await s.b.post(WireMessage(one.env, two.data))


async def _status_of_c(s: Scene) -> Answered:
    return await s.b.call("GET", f"/txp/v1/link-requests/{s.c.link_id}")


async def _cs_key_on_bs_link(s: Scene) -> Answered:
    return await s.b.call("GET", f"{s.b.path}/log?dir=in", signer=s.c.keys.http)


PAPERS: dict[str, tuple[Callable[[Scene], Awaitable[Answered]], set[str]]] = {
    "C's signature of its agreement": (_cs_signature, {"signature_invalid", "agreement_mismatch",
                                                       "key_unknown"}),
    "a message of C": (_cs_message, {"key_unknown"}),
    "a message of C with B's link on it": (_cs_message_relabelled, {"key_unknown"}),
    "a message of B's with C's link on it": (_own_message_for_c, {"env_invalid"}),
    "the payload of another message": (_payload_of_another, {"data_hash_mismatch"}),
    "the state of C's request": (_status_of_c, {"key_unknown"}),
    "C's key": (_cs_key_on_bs_link, {"key_unknown"}),
}  # fmt: skip


@pytest.mark.parametrize("how", PAPERS)
async def test_a_paper_for_one_link_is_none_for_another(scene: Scene, how: str) -> None:
    present, codes = PAPERS[how]
    async with nothing_remains(scene):
        said = await present(scene)
        assert said.status in {400, 401, 409}, said
        assert said.code in codes


ANSWERS: dict[str, str] = {
    "handoff.cancel_refused": "code",
    "handoff.cancelled": "from",
}


@pytest.mark.parametrize("type_", ANSWERS)
async def test_an_answer_to_a_request_about_another_ticket_answers_nothing(
    scene: Scene, type_: str
) -> None:
    """B answers on its second hand-off what A asked about the first."""
    handoff = await _second(scene)
    b = scene.b
    data = {**_example(type_), "request_id": scene.with_b.request}
    if type_ == "handoff.cancelled":
        data["from"] = "accepted"
    (answer,) = await rejected(scene, b.message(type_, data, handoff=handoff))
    assert answer["code"] in {"wrong_pen", "scope_denied"}


async def _second(scene: Scene) -> HandoffId:
    from hub.actions import tickets
    from hub.actions.handoffs import OfferHandoff

    a, b = scene.a, scene.b
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Весы"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, b.link_id))
    await scene.network.run_until_idle()
    return handoff_id


# --- A6: what A wrote -------------------------------------------------------------------------

OURS: dict[str, tuple[str, Callable[[FakePeer, Shared], dict[str, Any]]]] = {
    "edit": ("comment.edit", lambda b, w: {
        "comment_id": w.our_comment, "rev": 2, "body": "Не срочно", "format": "plain", **_at(b)}),
    "take back": ("comment.redact", lambda b, w: {"comment_id": w.our_comment, **_at(b)}),
    "take back the file": ("file.redact", lambda b, w: {
        "attachment_id": w.our_attachment, **_at(b)}),
    "write over": ("comment.add", lambda b, w: b.comment_data(
        "Не срочно", comment_id=w.our_comment)),
}  # fmt: skip


# A comment is named within its hand-off: on another one the same id names something else.
ALONG = [(verb, along) for verb in OURS for along in ("ours", "theirs")]
ALONG.remove(("write over", "theirs"))


@pytest.mark.parametrize(("verb", "along"), ALONG)
async def test_b_changes_nothing_that_a_wrote(scene: Scene, verb: str, along: str) -> None:
    type_, data = OURS[verb]
    handoff = getattr(scene.with_b, along)
    sealed = scene.b.message(type_, data(scene.b, scene.with_b), handoff=handoff)
    (answer,) = await rejected(scene, sealed)
    assert answer["code"] in {"scope_denied", "duplicate_id"}


# --- A7: a yes in our name --------------------------------------------------------------------


async def _consent(s: Scene, handoff: HandoffId) -> tuple[str | None, str | None]:
    found = await s.a.hub.db.read(lambda c: kept_handoffs.find(c, handoff))
    assert found is not None
    return found.consent, found.consent_id


async def test_a_contractor_does_not_consent_for_its_principal(scene: Scene) -> None:
    b, handoff = scene.b, scene.with_b.ours
    yes = {"request_id": b.new_id("req"), "granted": True}
    (refused,) = await rejected(scene, b.message("subcontract.answer", yes, handoff=handoff))
    assert refused["code"] == "wrong_pen"
    asked = {"request_id": yes["request_id"], "reason": "Никого нет"}
    await b.say("subcontract.ask", asked, handoff=handoff)
    await scene.network.run_until_idle()
    (refused,) = await rejected(scene, b.message("subcontract.answer", yes, handoff=handoff))
    assert refused["code"] == "wrong_pen"
    assert await _consent(scene, handoff) == ("asked", yes["request_id"])


async def test_a_principal_answers_the_question_it_was_asked_and_no_other(scene: Scene) -> None:
    b, handoff = scene.b, scene.with_b.theirs

    def answer(request_id: str) -> SealedMessage:
        said = {"request_id": request_id, "granted": True}
        return b.message("subcontract.answer", said, handoff=handoff)

    (refused,) = await rejected(scene, answer(b.new_id("req")))
    assert refused["code"] == "scope_denied"
    await consents.ask(scene.a.hub, scene.a.dispatcher, handoff, "Никого нет")
    await scene.network.run_until_idle()
    (question,) = b.told("subcontract.ask")
    (refused,) = await rejected(scene, answer(b.new_id("req")))
    assert refused["code"] == "scope_denied"
    assert (await _consent(scene, handoff))[0] == "asked"
    said = {"request_id": question.data["request_id"], "granted": True}
    await b.say("subcontract.answer", said, handoff=handoff)
    await scene.network.run_until_idle()
    assert (await _consent(scene, handoff))[0] == "granted"


# --- A8: ratings ------------------------------------------------------------------------------

SALT = '"salt":"AAAAAAAAAAAAAAAAAAAAAA"'
RATINGS: dict[str, dict[str, Any] | str] = {
    "0": {"score": 0, "rev": 2},
    "6": {"score": 6, "rev": 2},
    "-1": {"score": -1, "rev": 2},
    "a text": {"score": "5", "rev": 2},
    "true": {"score": True, "rev": 2},
    "nothing": {"rev": 2},
    "not a number": f'{{{SALT},"score":NaN,"rev":2}}',
    "a fraction": f'{{{SALT},"score":4.5,"rev":2}}',
    "beyond all numbers": f'{{{SALT},"score":1e400,"rev":2}}',
    "the revision again": {"score": 1, "rev": 1},
    "revision zero": {"score": 1, "rev": 0},
    "without a revision": {"score": 1},
    "a criterion of 6": {"score": 5, "rev": 2, "criteria": {"speed": 6}},
}


async def test_no_bad_rating_replaces_a_good_one(scene: Scene) -> None:
    handoff_id = await confirmed(scene)
    b = scene.b
    await b.say("rating.set", {"score": 4, "rev": 1}, handoff=handoff_id)
    await scene.network.run_until_idle()
    messages = [b.message("rating.set", data, handoff=handoff_id) for data in RATINGS.values()]
    answers = await rejected(scene, *messages)
    assert {one["code"] for one in answers} <= {"schema_invalid", "duplicate_id"}
    kept = await scene.a.hub.db.read(lambda c: kept_handoffs.find(c, handoff_id))
    assert kept is not None
    assert kept.score == 4


# --- A9, A10: refused once, and through others ------------------------------------------------


def _broken(b: FakePeer) -> WireMessage:
    sealed = b.message("x.org.example.ping", {}, must=False, keep=False)
    return WireMessage(sealed.env, sealed.data + " ")


@pytest.fixture
async def own(quick_path: Path) -> Any:
    """A scene for one test, which leaves it changed."""
    network = Network(quick_path, seed="own")
    made = await scene_of(network)
    yield made
    await network.close()


scene_of = scene  # the fixture of the same name hides it


async def test_what_was_refused_once_is_refused_by_every_way(own: Scene) -> None:
    bad, b = _broken(own.b), own.b
    good = b.message("x.org.example.ping", {}, must=False, keep=False)
    async with nothing_remains(own):
        assert (await b.post(bad)).code == "data_hash_mismatch"
        assert (await b.post(bad, good)).code == "data_hash_mismatch"  # inside a batch
        assert (await own.c.post(bad)).status == 401  # through C
        own.network.wire.doors[own.a.settings.url] = Door(own.a.hub)  # after a restart
        assert (await b.post(bad)).code == "data_hash_mismatch"


async def test_a_poison_message_stays_refused_when_it_comes_again(own: Scene) -> None:
    """Alone, in a batch, after a restart: the same receipt and no second rejection."""
    b = own.b
    sealed = b.message("rating.set", {"score": 6, "rev": 1}, handoff=own.with_b.theirs)
    await rejected(own, sealed)
    await own.network.run_until_idle()
    before, told = await stored(own.a.hub), len(b.heard)
    for _ in range(2):
        assert (await b.post(sealed)).status == 200
        own.network.wire.doors[own.a.settings.url] = Door(own.a.hub)
    await own.network.run_until_idle()
    assert changed(before, await stored(own.a.hub)) == []
    assert len(b.heard) == told


AWAY: dict[str, Callable[[Scene], Awaitable[Any]]] = {
    "suspended": lambda s: links.suspend(s.a.hub, s.a.dispatcher, s.c.link_id),
    "closed": lambda s: links.close(s.a.hub, s.a.dispatcher, s.c.link_id),
}
"""How A parts with C."""


@pytest.mark.parametrize("how", AWAY)
async def test_what_a_partner_we_left_says_does_not_come_back_through_a_good_one(
    own: Scene, how: str
) -> None:
    b, c = own.b, own.c
    await AWAY[how](own)
    await own.network.run_until_idle()
    words = c.comment_data("Пустите")
    direct = c.message("comment.add", words, handoff=own.with_c.theirs, keep=False)
    for_b = c.message("comment.add", words, handoff=own.with_b.theirs, keep=False, link=b.link_id)
    before = await stored(own.a.hub)
    # By itself: nothing but control messages, and after the closing nothing at all.
    said = await c.post(direct)
    if how == "suspended":
        assert (said.status, said.code) == (403, "link_suspended")
        assert changed(before, await stored(own.a.hub)) == []
    async with nothing_remains(own):
        assert (await b.post(direct)).status == 401  # in B's envelope
        assert (await b.post(for_b)).status == 401  # relabelled for B's link
        fake = b.sealed_members(direct, link=b.link_id, **{"from": c.node_id})
        assert (await b.post(fake)).code == "env_invalid"  # signed by B in C's name
    # An offer makes nothing: with the closing everything between A and C was brought to its end.
    if how == "closed":
        handoff_id = HandoffId(c.new_id("hnd"))
        c.move_to(said)
        await c.post(c.message("handoff.offer", c.offer_data("Пустите"), handoff=handoff_id))
        await own.network.run_until_idle()
        assert await own.a.hub.db.read(lambda x: kept_handoffs.find(x, handoff_id)) is None


# --- A11: asking for what one may not see -----------------------------------------------------


def _asks(peer: FakePeer, s: Scene) -> dict[str, Call]:
    """Questions about C's hand-offs, signed by this peer; and about nothing, in the same words."""
    base = s.a.settings.url
    link, digest = s.c.link_id, s.with_c.our_file
    return {
        "ticket": peer.signed("GET", f"/txp/v1/links/{link}/log?dir=in&from=1", base=base),
        "history": peer.signed("GET", f"/txp/v1/links/{link}/log?dir=out&from=1", base=base),
        "members": peer.signed("GET", f"/txp/v1/link-requests/{link}", base=base),
        "receipts": peer.signed("GET", f"/txp/v1/links/{link}/receipts?from=1", base=base),
        "file": peer.signed("GET", f"/txp/v1/links/{link}/blobs/{digest}", base=base),
        "existence": peer.signed("HEAD", f"/txp/v1/links/{link}/blobs/{digest}", base=base),
    }


def _of_nothing(peer: FakePeer, call: Call, s: Scene) -> Call:
    target = call.target.replace(s.c.link_id, "lnk_" + "0" * 32)
    return peer.signed(call.method, target, base=s.a.settings.url)


WHO: dict[str, Callable[[Scene], FakePeer]] = {
    "never a partner": lambda s: FakePeer.of(s.network, "Никто"),
    "partner on another link": lambda s: s.b,
}
QUESTIONS = ["ticket", "history", "members", "receipts", "file", "existence"]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("who", WHO)
async def test_what_is_not_ones_own_cannot_be_told_from_nothing(
    scene: Scene, who: str, question: str
) -> None:
    peer = WHO[who](scene)
    call = _asks(peer, scene)[question]
    async with nothing_remains(scene):
        of_c = await peer.send(call, scene.a)
        of_nothing = await peer.send(_of_nothing(peer, call, scene), scene.a)
        assert of_c.status == of_nothing.status == 401
        assert (of_c.body, dict(of_c.headers)) == (of_nothing.body, dict(of_nothing.headers))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_of_others_on_ones_own_link_cannot_be_told_from_nothing(
    scene: Scene, method: str
) -> None:
    b = scene.b
    async with nothing_remains(scene):
        said = [
            await b.call(method, f"{b.path}/blobs/{digest}")
            for digest in (scene.with_c.our_file, "A" * 43)
        ]
        assert [one.status for one in said] == [404, 404]
        assert said[0].body == said[1].body


async def _decline(s: Scene) -> None:
    handed_back = {"from": "accepted", "reason": "Не можем"}
    await s.c.say("handoff.hand_back", handed_back, handoff=s.with_c.ours)


async def _detach(s: Scene) -> None:
    await handoffs.detach(s.a.hub, s.a.dispatcher, s.with_c.ours, "Сделаем сами")


async def _take_back(s: Scene) -> None:
    from hub.actions import files

    await comments.redact(s.a.hub, s.a.dispatcher, s.with_c.our_comment)
    await files.redact(s.a.hub, s.a.dispatcher, s.with_c.our_attachment)


PARTED: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "handed back": _decline,
    "detached": _detach,
    "link closed": lambda s: _closed(s),
}


async def _closed(s: Scene) -> None:
    await links.close(s.a.hub, s.a.dispatcher, s.c.link_id)


@pytest.mark.parametrize("how", PARTED)
async def test_after_parting_not_a_byte_more_of_the_ticket_is_sent(own: Scene, how: str) -> None:
    await PARTED[how](own)
    await own.network.run_until_idle()
    sent, ticket = len(own.network.wire.sent), own.with_c.ticket
    secret = "после расставания"
    await comments.add(own.a.hub, own.a.dispatcher, AddComment(ticket, secret, Visibility.PUBLIC))
    from hub.actions import tickets

    await tickets.change(
        own.a.hub, own.a.dispatcher, ticket, tickets.TicketChanges(title="Тайный заголовок")
    )
    await own.network.run_until_idle()
    later = b"\n".join(own.network.wire.sent[sent:])
    assert secret.encode() not in later
    assert "Тайный".encode() not in later
    if how != "link closed":  # its log stays readable, but holds nothing newer
        log = await own.c.call("GET", f"{own.c.path}/log?dir=in&from=1&limit=200")
        assert secret not in json.dumps(log.members, ensure_ascii=False)


async def test_what_was_taken_back_is_gone_for_the_partner_too(own: Scene) -> None:
    got = await own.c.call("GET", f"{own.c.path}/blobs/{own.with_c.our_file}")
    assert got.status == 200
    await _take_back(own)
    await own.network.run_until_idle()
    gone, nothing = [
        await own.c.call("GET", f"{own.c.path}/blobs/{digest}")
        for digest in (own.with_c.our_file, "A" * 43)
    ]
    assert gone.status in {404, 410}
    if gone.status == 404:
        assert gone.body == nothing.body
