"""Families B1, B3, B4, B8: what B may sign and nobody can use."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hub.domain import chain
from hub.ids import PREFIXES
from hub.protocol.message import WireMessage
from hub.protocol.payloads import TYPES, schema_directory
from hub.protocol.signing import SealedMessage
from hub.storage import handoffs as kept_handoffs
from tests.attacks.scene import Scene, nothing_remains, rejected
from tests.corpora import corpus
from tests.kit.fake_peer import FakePeer

SALT = "A" * 22

# --- B1: JSON that is none --------------------------------------------------------------------


@pytest.mark.parametrize(("which", "count"), [("n_", 188), ("i_", 35)])
async def test_no_json_of_the_test_suite_that_is_none_gets_past_the_door(
    scene: Scene, which: str, count: int
) -> None:
    """Signed by B all the same, as a whole body and as a member of a right one."""
    files = sorted(corpus("json-test-suite", "test_parsing").glob(f"{which}*.json"))
    assert len(files) == count
    path = f"{scene.b.path}/messages"
    async with nothing_remains(scene):
        for file in files:
            text = file.read_bytes()
            for body in (text, b'{"messages":[],"more":' + text + b"}"):
                said = await scene.b.call("POST", path, body)
                if said.status == 200:  # a text we take where the standard leaves the choice
                    assert (which, body[:12]) == ("i_", b'{"messages":'), file.name
                else:
                    assert (said.status, said.code) in {
                        (400, "malformed"),
                        (401, "signature_invalid"),  # of an empty body: a call without one
                    }, file.name


async def test_json_that_is_some_but_no_batch_is_refused(scene: Scene) -> None:
    files = sorted(corpus("json-test-suite", "test_parsing").glob("y_*.json"))
    assert len(files) == 95
    async with nothing_remains(scene):
        for file in files:
            said = await scene.b.call("POST", f"{scene.b.path}/messages", file.read_bytes())
            assert (said.status, said.code) == (400, "malformed"), file.name


HOSTILE_TEXTS = [
    "NaN", "Infinity", "-Infinity", "1e400", "1E5", "1.0", "-0.0", "9007199254740992",
    "-9007199254740992", "1" * 5000, '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\ufffe"',
    "[" * 10_000, '{"a":' * 10_000, "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "'text'", "0x10", "01",
    "+1", ".5", "tru", "undefined", '"\t"', '"\n"', "/*1*/1", "{}{}",
]  # fmt: skip


async def test_a_hostile_value_is_refused_in_the_body_and_rejected_in_a_payload(
    scene: Scene,
) -> None:
    b = scene.b
    async with nothing_remains(scene):
        for text in HOSTILE_TEXTS:
            body = f'{{"messages":[],"more":{text}}}'.encode()
            said = await b.call("POST", f"{b.path}/messages", body)
            assert (said.status, said.code) == (400, "malformed"), text[:40]
    for start in range(0, len(HOSTILE_TEXTS), 14):
        messages = [
            b.message(
                "handoff.update",
                f'{{"salt":"{SALT}","title":"x","more":{text}}}',
                handoff=scene.with_b.theirs,
            )
            for text in HOSTILE_TEXTS[start : start + 14]
        ]
        for answer in await rejected(scene, *messages):
            assert answer["code"] == "schema_invalid"


# --- B3: a page of nothing but what was refused -----------------------------------------------


async def test_a_history_of_nothing_but_refused_messages_is_read_to_its_end(scene: Scene) -> None:
    b = scene.b
    start = b.seq + 1
    for _ in range(3):
        poison = [
            b.message("rating.set", {"score": 9, "rev": 1}, handoff=scene.with_b.theirs)
            for _ in range(80)
        ]
        await rejected(scene, *poison)
    given, place = 0, start
    while place <= b.seq:
        said = await b.call("GET", f"{b.path}/log?dir=out&from={place}&limit=100")
        assert said.members["messages"], place
        given += len(said.members["messages"])
        place += len(said.members["messages"])
    assert given == b.seq - start + 1
    from hub.storage import streams

    await scene.network.run_until_idle()
    stream = await scene.a.hub.db.read(lambda c: streams.get(c, b.link_id))
    assert stream.applied_seq == b.seq


# --- B4: circles, depths, crowds --------------------------------------------------------------


async def test_a_chain_that_comes_back_or_is_too_long_is_declined_at_once(scene: Scene) -> None:
    a, b = scene.a, scene.b
    first = b.told("handoff.offer")[0].data
    circle = await b.offer("Круг", hops=[b.hop_token(), *first["hops"], b.hop_token()])
    long = await b.offer("Длинная", hops=[b.hop_token() for _ in range(3)], hop_limit=2)
    await scene.network.run_until_idle()
    for handoff_id, code in ((circle, "loop_detected"), (long, "hop_limit")):
        kept = await a.hub.db.read(lambda c, id_=handoff_id: kept_handoffs.find(c, id_))
        assert kept is not None
        assert kept.state == "declined"
        told = [one for one in b.told("handoff.decline") if one.envelope.handoff == handoff_id]
        assert [one.data["code"] for one in told] == [code]
    await b.ping()


CROWDS: dict[str, str] = {
    "html nested 3,600 deep": "<div>" * 2000 + "</div>" * 1600,
    "as many mentions as fit": "@a " * 6600,
    "an endless quote": "> " * 9900,
    "one letter with a thousand marks": "Z" + "\u0334" * 19_000,
    "links into one another": "[" * 9000 + "](" * 5000,
    "entities": "&amp;" * 3999,
}


@pytest.mark.parametrize("how", CROWDS)
async def test_words_made_to_be_slow_are_kept_as_words(scene: Scene, how: str) -> None:
    b, body = scene.b, CROWDS[how]
    assert len(body) <= 20_000
    began = time.process_time()
    data = b.comment_data(body, format="markdown")
    await b.say("comment.add", data, handoff=scene.with_b.theirs)
    await scene.network.run_until_idle()
    assert time.process_time() - began < 1
    await b.ping()


async def test_a_comment_that_answers_itself_makes_no_circle(scene: Scene) -> None:
    b = scene.b
    one, two = b.comment_data("Раз"), b.comment_data("Два")
    one["reply_to"], two["reply_to"] = two["comment_id"], one["comment_id"]
    itself = b.comment_data("Сам")
    itself["reply_to"] = itself["comment_id"]
    for data in (one, two, itself):
        await b.say("comment.add", data, handoff=scene.with_b.theirs)
    await scene.network.run_until_idle()
    await b.ping()


async def test_hops_below_that_stand_above_each_other_are_drawn_without_end(scene: Scene) -> None:
    """They come from a hostile contractor; whoever draws the chain must come to an end."""
    b = scene.b
    ids = [b.new_id("hop") for _ in range(3)]
    for n, hop in enumerate(ids):
        notice = {
            "hop": hop,
            "above": ids[n - 1],
            "level": 2,
            "role": "мастер",
            "status": "accepted",
            "since": b.comment_data()["at"],
        }
        await b.say("subcontract.notice", notice, handoff=scene.with_b.ours, must=False)
    await scene.network.run_until_idle()
    hops = await scene.a.hub.db.read(lambda c: kept_handoffs.hops_below(c, scene.with_b.ours))
    assert len(hops) <= 3
    from hub.queries import tickets as views

    found = await scene.a.hub.db.read(lambda c: kept_handoffs.find(c, scene.with_b.ours))
    assert found is not None
    began = time.process_time()
    await scene.a.hub.db.read(lambda c: views.show(c, found.ticket_id))
    assert time.process_time() - began < 1
    assert chain.LONGEST <= 16


# --- B8: every text too long, every list too full ---------------------------------------------

MILLION = 1_000_000
MANY = 100_000
FITS = 40_000  # beyond every limit of a schema, within that of a message


class Shapes:
    """Reads the published schemas, so that a new member is attacked without a word here."""

    def __init__(self) -> None:
        self.directory = schema_directory()
        self.defs = json.loads((self.directory / "defs.json").read_bytes())["$defs"]

    def of(self, type_: str) -> dict[str, Any]:
        schema: dict[str, Any] = json.loads((self.directory / f"{type_}.json").read_bytes())
        return schema

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = {**self.defs[name], **{k: v for k, v in schema.items() if k != "$ref"}}
        return schema

    def sample(self, schema: dict[str, Any], type_: str, path: str = "") -> Any:
        """Something the schema allows, with every member it knows."""
        schema = self.resolved(schema)
        if "enum" in schema:
            return schema["enum"][0]
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return {
                name: self.sample(member, type_, f"{path}.{name}")
                for name, member in schema.get("properties", {}).items()
            }
        if kind == "array":
            return [self.sample(schema["items"], type_, f"{path}[0]")]
        if kind == "integer":
            return max(schema.get("minimum", 1), 1)
        if kind == "boolean":
            return True
        return _fitting(schema)

    def members(
        self, schema: dict[str, Any], path: tuple[str | int, ...] = ()
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every place of a text or a list, and which of the two."""
        schema = self.resolved(schema)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            for name, member in schema.get("properties", {}).items():
                if name != "salt":
                    yield from self.members(member, (*path, name))
        elif kind == "array":
            yield path, "list"
            yield from self.members(schema["items"], (*path, 0))
        elif kind == "string" or "enum" in schema:
            yield path, "text"


def _fitting(schema: dict[str, Any]) -> str:
    """A text of this schema's kind."""
    if schema.get("format") == "date-time":
        return "2026-01-02T03:04:05.678Z"
    candidates = ["x", "text/plain", "A" * 22, "A" * 43, f"{'A' * 44}.{'A' * 44}.{'A' * 86}"]
    candidates += [f"{prefix}_{'0' * 12}7{'0' * 3}8{'0' * 15}" for prefix in PREFIXES]
    for text in candidates:
        if (
            schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", MILLION)
        ) and re.search(schema.get("pattern", ""), text):
            return text
    raise AssertionError(schema)


SHAPES = Shapes()
PLACES = [
    (type_, path, kind)
    for type_ in sorted(TYPES)
    for path, kind in SHAPES.members(SHAPES.of(type_))
    # Our own rejections are not answered with a rejection, so nobody is told of its flaws.
    if type_ != "message.rejected"
]


def _with(type_: str, path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    data: dict[str, Any] = SHAPES.sample(SHAPES.of(type_), type_)
    data.pop("salt")
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


def _spelled(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path)[1:]


def _message(scene: Scene, type_: str, data: dict[str, Any] | str, **how: Any) -> SealedMessage:
    on_handoff = TYPES[type_].on_handoff
    handoff = scene.with_b.theirs if on_handoff else None
    return scene.b.message(type_, data, handoff=handoff, **how)


def test_there_are_enough_places() -> None:
    assert len([one for one in PLACES if one[2] == "text"]) > 120
    assert len([one for one in PLACES if one[2] == "list"]) >= 9


async def test_every_text_of_a_million_and_every_list_of_a_hundred_thousand_stops_at_the_door(
    scene: Scene,
) -> None:
    b = scene.b
    seal = _message(scene, "link.resume", {}, keep=False)
    async with nothing_remains(scene):
        for type_, path, kind in PLACES:
            # A part of a message has its own limit, so the envelope does not matter.
            value: object = "x" * MILLION if kind == "text" else [0] * MANY
            data = json.dumps(_with(type_, path, value))
            said = await _post_raw(b, WireMessage(seal.env, data))
            assert (said.status, said.code) == (400, "malformed"), (type_, path)


async def _post_raw(b: FakePeer, wire: WireMessage) -> Any:
    body = json.dumps({"messages": [{"env": wire.env, "data": wire.data}]}).encode()
    return await b.call("POST", f"{b.path}/messages", body)


JUDGED_EARLIER = {
    "link.amend": ["agreement"],  # may be as long as a whole message: refused as an agreement
    "link.keys": ["key_set", "succession"],  # take effect as they are stored: tests of keys
}


@pytest.mark.parametrize("type_", sorted({one[0] for one in PLACES} - {"link.keys"}))
async def test_every_text_and_list_beyond_its_schema_is_rejected_by_its_name(
    scene: Scene, type_: str
) -> None:
    here = [
        (path, kind)
        for each, path, kind in PLACES
        if each == type_ and path[0] not in JUDGED_EARLIER.get(type_, [])
    ]
    for start in range(0, len(here), 20):
        part = here[start : start + 20]
        messages = [
            _message(
                scene,
                type_,
                _with(type_, path, "x" * FITS if kind == "text" else [0] * (FITS // 2)),
            )
            for path, kind in part
        ]
        answers = await rejected(scene, *messages)
        for (path, _), answer in zip(part, answers, strict=True):
            assert answer["code"] == "schema_invalid", (type_, path)
            assert f"'{_spelled(path)}'" in answer["detail"]
            assert len(answer["detail"]) < 300
