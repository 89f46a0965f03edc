"""The schemas, their examples and our code say the same thing, and so does the reference."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from hub.domain import handoff
from hub.errors import Refused
from hub.protocol import payloads

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas" / "v1"
KEYWORDS = {
    *("$schema", "$id", "$ref", "$defs", "title", "description"),
    *("type", "enum", "const", "format", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "minItems", "maxItems", "items"),
    *("required", "properties", "maxProperties", "propertyNames", "additionalProperties"),
    *("anyOf", "if", "then"),
}


@cache
def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_bytes())
    return found


@cache
def reference(name: str) -> Draft202012Validator:
    defs = schema("defs")
    registry = Registry().with_resource(defs["$id"], Resource.from_contents(defs))
    return Draft202012Validator(schema(name), format_checker=FormatChecker(), registry=registry)


def refusal(name: str, data: Any, *, salted: bool = True) -> Refused | None:
    try:
        payloads.check(payloads.TYPES[name].schema_id, data, salted=salted)
    except Refused as refused:
        return refused
    return None


def cases(folder: str, name: str) -> Iterator[tuple[str, Any]]:
    """The examples or counter-examples of a type. A loop, not a test each: a second saved."""
    for file in sorted((SCHEMAS / folder / name).glob("*.json")):
        yield file.name, json.loads(file.read_bytes())


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the values of an example are, containers included, the whole excluded."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for step, child in children:
        yield (*path, step)
        if isinstance(child, dict | list):
            yield from leaves(child, (*path, step))


def changed(data: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(data)
    place: Any = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copied


def schemas_within(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and every schema inside it."""
    yield node
    for keyword in ("properties", "$defs"):
        for child in node.get(keyword, {}).values():
            yield from schemas_within(child)
    for keyword in ("items", "additionalProperties", "propertyNames", "if", "then"):
        if keyword in node:
            yield from schemas_within(node[keyword])
    for child in node.get("anyOf", []):
        yield from schemas_within(child)


# -- examples and counter-examples -------------------------------------------------------------


@pytest.mark.parametrize("name", payloads.TYPES)
def test_examples_are_accepted_by_the_reference_and_by_us(name: str) -> None:
    for file, data in cases("examples", name):
        assert list(reference(name).iter_errors(data)) == [], file
        assert refusal(name, data) is None, file


@pytest.mark.parametrize("name", payloads.TYPES)
def test_counter_examples_are_refused_by_the_reference_and_by_us(name: str) -> None:
    for file, case in cases("counter-examples", name):
        assert set(case) == {"why", "data"}, file
        assert case["why"], file
        assert not reference(name).is_valid(case["data"]), file
        refused = refusal(name, case["data"])
        assert refused is not None, file
        assert refused.code == "schema_invalid", file


@pytest.mark.parametrize("name", payloads.TYPES)
def test_every_type_has_examples_and_counter_examples(name: str) -> None:
    assert len(list(cases("examples", name))) >= 2
    assert len(list(cases("counter-examples", name))) >= 4


def test_examples_exist_only_for_types() -> None:
    for folder in ("examples", "counter-examples"):
        assert {entry.name for entry in (SCHEMAS / folder).iterdir()} == set(payloads.TYPES)


@pytest.mark.parametrize("name", payloads.TYPES)
def test_the_examples_show_every_member(name: str) -> None:
    shown = {member for _, data in cases("examples", name) for member in data}
    assert set(schema(name)["properties"]) <= shown


@pytest.mark.parametrize("name", payloads.TYPES)
def test_both_validators_agree_on_spoiled_examples(name: str) -> None:
    """Small damage to every member of the richest example: refused or not, but by both."""
    _, data = max(cases("examples", name), key=lambda case: len(list(leaves(case[1]))))
    verdicts = {True: 0, False: 0}
    for path in leaves(data):
        if any(isinstance(step, int) and step > 0 for step in path):
            continue  # one item of a list speaks for all
        place: Any = data
        for step in path:
            place = place[step]
        line_break = f"{place}\n" if isinstance(place, str) else [place]
        for value in (line_break, None, "", -1):
            spoiled = changed(data, path, value)
            accepted = reference(name).is_valid(spoiled)
            assert (refusal(name, spoiled) is None) is accepted, (path, value)
            verdicts[accepted] += 1
    assert verdicts[False] > 0


@pytest.mark.parametrize("name", payloads.TYPES)
def test_unknown_members_are_accepted_at_every_depth(name: str) -> None:
    for file, data in cases("examples", name):
        for path in [(), *leaves(data)]:
            if path and path[-1] in {"criteria", "fields"}:
                continue  # every name there is one of its own, none is unknown
            place: Any = data
            for step in path:
                place = place[step]
            if isinstance(place, dict):
                place["invented_later"] = {"deep": [1, {"x": "y"}]}
        assert reference(name).is_valid(data), file
        assert refusal(name, data) is None, file


# -- the schemas themselves --------------------------------------------------------------------


def test_every_type_has_a_schema_and_every_schema_a_type() -> None:
    assert {file.stem for file in SCHEMAS.glob("*.json")} - {"defs"} == set(payloads.TYPES)


def test_the_reference_checks_dates() -> None:
    assert "date-time" in FormatChecker.checkers  # it silently does not without its extra


@pytest.mark.parametrize("name", ["defs", *payloads.TYPES])
def test_every_schema_is_valid_2020_12_and_says_what_it_is(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert jsonschema_rs.meta.is_valid(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(name)["$id"] == f"urn:txp:schema:{name}:1"
    assert schema(name)["title"]
    assert schema(name)["description"].endswith(".")


@pytest.mark.parametrize("name", ["defs", *payloads.TYPES])
def test_no_schema_has_an_unknown_keyword(name: str) -> None:
    """A misspelt keyword would pass silently: 2020-12 takes it for an annotation."""
    for inner in schemas_within(schema(name)):
        assert set(inner) <= KEYWORDS


@pytest.mark.parametrize("name", ["defs", *payloads.TYPES])
def test_every_member_has_a_description(name: str) -> None:
    top = schema(name)
    for inner in schemas_within({**top, "if": {}, "then": {}}):
        for member, described in inner.get("properties", {}).items():
            assert described.get("description", "").endswith("."), member


@pytest.mark.parametrize("name", payloads.TYPES)
def test_every_message_carries_a_salt(name: str) -> None:
    assert "salt" in schema(name)["required"]


def test_the_closed_lists_are_those_of_the_hand_off_table() -> None:
    defs = schema("defs")["$defs"]
    codes = {name: schema(f"handoff.{name}")["properties"] for name in ("decline", "pend")}
    assert defs["state"]["enum"] == list(handoff.State)
    assert codes["decline"]["code"]["enum"] == list(handoff.DeclineCode)
    assert codes["pend"]["reason"]["enum"] == list(handoff.PendReason)
    assert schema("handoff.return")["properties"]["cause"]["enum"] == list(handoff.ReturnCause)


def test_every_act_and_request_of_the_table_has_a_type() -> None:
    for act in (*handoff.Act, *handoff.Request):
        assert payloads.TYPES[f"handoff.{act}"].on_handoff


# -- check -------------------------------------------------------------------------------------


def offer() -> dict[str, Any]:
    path = SCHEMAS / "examples" / "handoff.offer" / "cash-register.json"
    data: dict[str, Any] = json.loads(path.read_bytes())
    return data


@pytest.mark.parametrize(
    ("path", "value", "member", "rule"),
    [
        (("title",), 7, "title", "type string"),
        (("number",), "", "number", "minLength 1"),
        (("priority",), "asap", "priority", "enum low | normal | high | urgent"),
        (("handed_off_at",), "2026-02-30T10:00:00.000Z", "handed_off_at", "format date-time"),
        (("hop_limit",), 17, "hop_limit", "maximum 16"),
        (("files", 1, "name"), "x" * 256, "files[1].name", "maxLength 255"),
        (("contact", "phone"), None, "contact.phone", "type string"),
        (("checklist", 0), {"text": "", "done": True}, "checklist[0].item_id", "required"),
    ],
)
def test_a_refusal_names_the_member_and_the_rule(
    path: tuple[str | int, ...], value: Any, member: str, rule: str
) -> None:
    refused = refusal("handoff.offer", changed(offer(), path, value))
    assert refused is not None
    assert refused.facts == {"member": member, "schema": "handoff.offer/1", "rule": rule}
    assert f"'{member}'" in refused.told
    assert f"'{rule}'" in refused.told


def test_a_refusal_names_the_members_of_which_one_is_needed() -> None:
    refused = refusal("handoff.plan", {"salt": "A" * 22})
    assert refused is not None
    assert refused.facts["member"] == "data"
    assert refused.facts["rule"] == "anyOf eta | assignee | number | due_promised | stage | plan"


@pytest.mark.parametrize("name", payloads.TYPES)
def test_a_refusal_repeats_nothing_of_the_data(name: str) -> None:
    ours = json.dumps([schema(name), schema("defs")])
    for file, case in cases("counter-examples", name):
        refused = refusal(name, case["data"])
        assert refused is not None, file
        assert refused.__cause__ is None
        assert refused.__suppress_context__
        for path in leaves(case["data"]):
            place: Any = case["data"]
            for step in path:
                place = place[step]
            if isinstance(place, str) and len(place) > 3 and place not in ours:
                assert place not in str(refused), file


@pytest.mark.parametrize("criterion", ["<script>alert(1)</script>", "Иванова", "x" * 65])
def test_a_refusal_does_not_repeat_a_foreign_member_name(criterion: str) -> None:
    for score in (3, 9):
        data = {"salt": "A" * 22, "score": 5, "rev": 1, "criteria": {criterion: score}}
        refused = refusal("rating.set", data)
        assert refused is not None
        assert refused.facts["member"] in {"criteria", "criteria.?"}
        assert criterion not in str(refused)


@pytest.mark.parametrize(
    "dt", ["handoff.offer/2", "handoff.offer", "terms.propose/1", "", "defs/1"]
)
def test_an_unknown_schema_is_an_unsupported_type(dt: str) -> None:
    with pytest.raises(Refused) as caught:
        payloads.check(dt, {"salt": "A" * 22})
    assert caught.value.code == "unsupported_type"
    if dt:
        assert dt not in str(caught.value)


def test_data_can_be_checked_before_the_salt_is_on() -> None:
    data = offer()
    del data["salt"]
    assert refusal("handoff.offer", data) is not None
    assert refusal("handoff.offer", data, salted=False) is None
    assert "salt" not in data
    del data["title"]
    refused = refusal("handoff.offer", data, salted=False)
    assert refused is not None
    assert refused.facts["member"] == "title"


@pytest.mark.parametrize(
    ("type_", "vendor"),
    [
        ("x.ru.example.sla", True),
        ("x.com.my-company.desk.work_order", True),
        ("x.ru.example", False),
        ("x.example", False),
        ("x.ru.example.Sla", False),
        ("x.ru.-bad.sla", False),
        ("x.ru..sla", False),
        ("x.ru.example.sla\n", False),
        ("y.ru.example.sla", False),
        ("handoff.offer", False),
        ("", False),
        ("x.ru." + "a" * 130, False),
    ],
)
def test_a_vendor_type_is_known_by_its_name(type_: str, vendor: bool) -> None:
    assert payloads.is_vendor(type_) is vendor


def test_no_type_of_ours_looks_like_a_vendor_type() -> None:
    assert not any(payloads.is_vendor(name) for name in payloads.TYPES)


def test_what_the_contract_says_about_types() -> None:
    for name, kind in payloads.TYPES.items():
        family = name.partition(".")[0]
        assert kind.schema_id == f"{name}/1"
        assert kind.on_handoff is (family not in {"link", "message"})
        assert kind.control is (family in {"link", "message"})
        compares = name in {"link.checkpoint", "link.differences"}
        if family in {"handoff", "comment", "link"}:
            assert kind.must is not compares
        if family in {"rating", "message"} or name in {"file.status", "subcontract.notice"}:
            assert not kind.must


# -- the page made from the schemas ------------------------------------------------------------


def test_the_documentation_page_is_up_to_date() -> None:
    command = [sys.executable, "-m", "tools.payload_docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
