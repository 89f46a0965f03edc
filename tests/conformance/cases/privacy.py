"""C9: four nodes in a row: the suite plays three, the node under test is the second."""

from __future__ import annotations

import json
import secrets

from tests.conformance.implementation import Ability
from tests.conformance.peer import Peer, comment_data, wire
from tests.conformance.runner import World, case


def _seen(peer: Peer) -> bytes:
    """Everything the node ever sent this peer, texts inside messages unfolded."""
    parts = list(peer.bytes_in)
    for one in peer.heard:
        parts += [one.text.encode(), json.dumps(one.envelope).encode(),
                  json.dumps(one.data, ensure_ascii=False).encode()]  # fmt: skip
    return b"\n".join(parts)


@case("C9", Ability.CHAIN, Ability.CONTRACT, Ability.HAND_OFF)
async def chain(world: World) -> None:
    """Nobody sees internal words, nor who stands two steps away"""
    top_name, third_name, last_name = "Вершина", "Третий", f"Четвёртый {secrets.token_hex(6)}"
    async with world.peer(top_name) as top, world.peer(third_name) as third:
        marks = {name: secrets.token_hex(16) for name in
                 ("internal", "for the top", "for the third", "plan")}  # fmt: skip
        upper = await top.offer("Касса", description="Не печатает чек",
                                contact={"name": "Анна", "phone": "+7 900 000-00-00"})  # fmt: skip
        await world.reached(upper, "offered")
        await world.node.act(upper, "accept")
        lower = await world.node.hand_on(upper, third.link)
        offer = await third.hear("handoff.offer", lower)
        assert offer.data["title"] == "Касса"
        assert len(offer.data["hops"]) == 2
        await world.node.comment(upper, f"internal {marks['internal']}", public=False)
        await third.say("handoff.accept", {"from": "offered", "number": "Т-1"}, lower)
        await third.say(
            "comment.add", comment_data(third.name, f"Выезжаем {marks['for the top']}"), lower
        )
        await top.say(
            "comment.add", comment_data(top.name, f"Код 12 {marks['for the third']}"), upper
        )
        # The third hands on to a fourth, and says so.
        notice = {"hop": wire.new_id("hop"), "level": 2, "role": "инженер", "status": "accepted",
                  "since": wire.instant(), "display": last_name}  # fmt: skip
        await third.say("subcontract.notice", notice, lower, must=False)
        up = await top.until(
            lambda: next((o for o in top.heard if marks["for the top"] in o.text), None), "words"
        )
        down = await third.until(
            lambda: next((o for o in third.heard if marks["for the third"] in o.text), None), "it"
        )
        await top.until(
            lambda: [o for o in top.heard if o.type == "subcontract.notice"
                     and o.data["level"] == 3], "a notice of the third level")  # fmt: skip
        assert third.name not in up.data["author"]["account"]
        assert top.name not in down.data["author"]["account"]
        for mark in (marks["internal"],):
            assert mark.encode() not in _seen(top) + _seen(third)
        for peer, hidden in ((top, (third_name, third.id, third.link, lower, last_name)),
                             (third, (top_name, top.id, top.link, upper))):  # fmt: skip
            seen = _seen(peer)
            for word in hidden:
                assert word.encode() not in seen, (peer.name, word)
                world.count()
        assert offer.data.get("number") != json.loads(top.sent[0][0]["data"])["number"]
        world.count(6)


@case("C9", Ability.HAND_OFF)
async def nothing_internal(world: World) -> None:
    """Internal words of a ticket handed off never leave, whatever happens to it"""
    async with world.peer() as peer:
        mark = secrets.token_hex(16)
        handoff = await world.node.hand_off(peer.link, "Касса")
        await peer.hear("handoff.offer", handoff)
        for n in range(5):
            await world.node.comment(handoff, f"internal {mark} {n}", public=False)
            await world.node.comment(handoff, f"public {n}", public=True)
        await peer.until(lambda: "public 4" in peer.heard[-1].text, "the last words")
        await peer.say("handoff.decline", {"from": "offered", "code": "other"}, handoff)
        await world.reached(handoff, "declined")
        await world.node.comment(handoff, f"after {mark}", public=True)
        await peer.ping()
        assert mark.encode() not in _seen(peer)
        world.count(6)
