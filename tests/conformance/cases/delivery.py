"""C3: lost, doubled, late, missing and disordered; and the node as a sender that never gives up."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.conformance.implementation import Ability
from tests.conformance.peer import Peer, comment_data, wire
from tests.conformance.runner import World, case

PING = "x.org.example.ping"


@case("C3")
async def copies(world: World) -> None:
    """A second copy, a late one and an empty batch get the same receipt"""
    async with world.peer() as peer:
        one = peer.seal(PING, {}, must=False)
        first = await peer.post(one)
        assert peer.receipt(first)["upto"] == 1
        for _ in range(3):
            again = await peer.post(one)
            assert (again.status, again.members) == (200, first.members)
            world.count()
        two = peer.seal(PING, {}, must=False)
        assert peer.receipt(await peer.post(one, two))["upto"] == 2
        assert peer.receipt(await peer.post(one, two, one, two))["upto"] == 2
        late = await peer.post(one)
        assert peer.receipt(late)["upto"] == 2
        empty = await peer.post()
        assert peer.receipt(empty)["upto"] == 2
        world.count(4)


@case("C3")
async def gaps(world: World) -> None:
    """A gap is answered by a receipt that tells where it begins, and order is restored"""
    async with world.peer() as peer:
        await peer.ping()
        batch = [peer.seal(PING, {}, must=False) for _ in range(4)]
        assert peer.receipt(await peer.post(batch[1]))["upto"] == 1
        assert peer.receipt(await peer.post(batch[0], batch[2], batch[3]))["upto"] == 2
        assert peer.receipt(await peer.post(*reversed(batch)))["upto"] >= 2
        assert peer.receipt(await peer.post(*batch))["upto"] == 5
        world.count(4)


@case("C3")
async def not_authentic(world: World) -> None:
    """What is not authentic is refused, with a receipt for what came before it"""
    async with world.peer() as peer:
        good = peer.seal(PING, {}, must=False)
        bad = peer.seal(PING, {}, must=False, keep=False)
        head, _, signature = bad["env"].rpartition(".")
        flipped = ("A" if signature[5] != "A" else "B").join((signature[:5], signature[6:]))
        broken = {**bad, "env": f"{head}.{flipped}"}
        said = await peer.post(good, broken)
        assert (said.status, said.code, said.members["seq"]) == (401, "signature_invalid", 2)
        assert peer.receipt(said)["upto"] == 1
        said = await peer.post({**bad, "data": bad["data"] + " "})
        assert (said.status, said.code) == (400, "data_hash_mismatch")
        for other in ({"link": wire.new_id("lnk")}, {"to": peer.id}, {"from": peer.hub["id"]},
                      {"ep": 99}, {"v": "2.0"}, {"seq": 0}):  # fmt: skip
            said = await peer.post(peer.seal(PING, {}, must=False, keep=False, **other))
            assert said.status in {400, 409}, (other, said)
            world.count()
        await peer.ping()
        world.count(2)


@case("C3", Ability.CONTRACT)
async def one_effect(world: World) -> None:
    """An offer that comes five times is one offer"""
    async with world.peer() as peer:
        handoff = wire.new_id("hnd")
        from tests.conformance.peer import offer_data

        message = peer.seal("handoff.offer", offer_data("Пять раз"), handoff)
        for _ in range(5):
            assert (await peer.post(message)).status == 200
        await peer.ping()
        told = [one for one in peer.heard if one.envelope.get("handoff") == handoff]
        ids = [one.envelope["id"] for one in told]
        assert len(ids) == len(set(ids))
        accepted = [one for one in told if one.type == "handoff.accept"]
        assert len(accepted) <= 1
        world.count(5)


@case("C3", Ability.CONTRACT)
async def node_repeats(world: World) -> None:
    """The node repeats what was not receipted, the same bytes, and goes on after a loss"""
    async with world.peer() as peer:
        seen: list[bytes] = []
        fails = 3

        async def losing(peer: Peer, request: web.Request, body: bytes) -> web.Response | None:
            nonlocal fails
            if not request.path.endswith("/messages") or not wire.parse(body)["messages"]:
                return None
            seen.append(body)
            if fails == 0:
                return None
            fails -= 1
            if fails == 1:  # stored, and the answer lost
                peer.take_batch(body)
            return web.Response(status=500, body=b"the line broke")

        peer.script = losing
        await peer.offer("Повтор")
        await peer.until(lambda: fails == 0 and len(peer.heard) >= 1 and len(seen) > 3, "a repeat")
        firsts = {wire.dump(wire.parse(body)["messages"][0]) for body in seen[:3]}
        assert len(firsts) == 1, "the repeated message is another one"
        world.count(3)
        peer.script = _plain
        ids = [one.envelope["id"] for one in peer.heard]
        assert len(ids) == len(set(ids))


async def _plain(_peer: Peer, _request: web.Request, _body: bytes) -> None:
    return None


@case("C3", Ability.HAND_OFF)
async def unsigned_answers(world: World) -> None:
    """Answers nobody signed, refusals of proxies and redirects change nothing"""
    answers = [
        (200, b'{"receipt":"a.b.c"}'), (410, b"Gone"), (404, b"Not Found"), (307, b""),
        (200, b"<html>hotel wi-fi</html>"), (403, b'{"code":"link_closed"}'),
    ]  # fmt: skip
    async with world.peer() as peer:
        left = list(answers)

        async def lying(_peer: Peer, request: web.Request, _body: bytes) -> web.Response | None:
            if not request.path.endswith("/messages") or not left:
                return None
            status, text = left.pop(0)
            headers = {"Location": "http://127.0.0.1:9/"} if status == 307 else {}
            return web.Response(status=status, body=text, headers=headers)

        peer.script = lying
        handoff = await world.node.hand_off(peer.link, "Сквозь чужие ответы")
        heard = await peer.hear("handoff.offer", handoff)
        assert heard.data["title"] == "Сквозь чужие ответы"
        assert not left
        world.count(len(answers))


@case("C3", Ability.HAND_OFF)
async def part_of_a_batch(world: World) -> None:
    """After a receipt for the beginning of a batch the rest follows"""
    async with world.peer() as peer:
        handoff = await world.node.hand_off(peer.link, "Частями")
        await peer.hear("handoff.offer", handoff)

        async def half(peer: Peer, request: web.Request, body: bytes) -> web.Response | None:
            if not request.path.endswith("/messages"):
                return None
            peer.take_batch(body, upto=len(peer.heard) + 1)
            return peer.reply(request, body, 200, {"receipt": peer.own_receipt()})

        peer.script = half
        for n in range(10):
            await world.node.comment(handoff, f"Слово {n}", public=True)
        await peer.until(
            lambda: len([one for one in peer.heard if one.type == "comment.add"]) == 10, "all ten"
        )
        words = [one.data["body"] for one in peer.heard if one.type == "comment.add"]
        assert words == [f"Слово {n}" for n in range(10)]
        world.count(10)


@case("C3", Ability.CONTRACT, Ability.FULL)
async def poison(world: World) -> None:
    """A message that nobody can use is rejected in-band and stops nothing"""
    async with world.peer() as peer:
        handoff = await peer.offer()
        after = len(peer.heard)
        for data in ("{", "[]", '{"title":"no salt"}', '{"salt":"short"}', "\ufeff{}"):
            await peer.say("handoff.update", data, handoff)
        found = await peer.rejections(5, after)
        assert {one["code"] for one in found} == {"schema_invalid"}
        assert [one["ref_seq"] for one in found] == sorted(one["ref_seq"] for one in found)
        await peer.say("comment.add", comment_data(peer.name, "Дальше"), handoff)
        for _ in range(200):
            if "Дальше" in (await world.node.ticket(handoff))["comments"]:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the stream stands still")
        world.count(5)


@case("C3", Ability.READ)
async def reading_again(world: World) -> None:
    """Logs and receipts can be read again, as they were signed"""
    async with world.peer() as peer:
        for _ in range(3):
            await peer.ping()
        log = await peer.call("GET", f"{peer.path}/log?dir=out&from=1&limit=2")
        assert log.proven
        assert log.members["messages"] == [one for one, _ in peer.sent[:2]]
        rest = await peer.call("GET", f"{peer.path}/log?dir=out&from=3")
        assert rest.members["messages"] == [one for one, _ in peer.sent[2:]]
        given = await peer.call("GET", f"{peer.path}/receipts?from=1")
        last = wire.unsign("rcpt", given.members["receipts"][-1], peer.hub["msg"])
        assert last["upto"] == 3
        for query in ("", "?dir=up", "?dir=in&from=x", "?dir=in&from=-1"):
            said = await peer.call("GET", f"{peer.path}/log{query}")
            assert said.status == 400
            world.count()
        world.count(3)
