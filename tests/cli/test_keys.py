"""Keys are changed from the command line while the node is being served by another process."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Node

pytestmark = pytest.mark.one_database  # what is kept of keys: tests/federation/test_keys.py


def newest(node: Node, use: str) -> str:
    """The current key of this use."""
    found = [
        one["kid"]
        for one in node("key", "list")["keys"]
        if (one["use"], one["state"]) == (use, "current")
    ]
    assert len(found) == 1
    return str(found[0])


def test_a_served_node_goes_on_with_keys_that_a_command_made(pair: tuple[Node, Node]) -> None:
    ours, theirs = pair
    before = {use: newest(ours, use) for use in ("msg", "http", "identity")}
    told = ours("key", "rotate", "--use", "msg")
    assert told["version"] == 2
    assert newest(ours, "msg") != before["msg"]
    assert newest(ours, "http") == before["http"]
    ours("key", "rotate")
    assert newest(ours, "http") != before["http"]
    states = {one["kid"]: one["state"] for one in ours("key", "list")["keys"]}
    assert states[before["msg"]] == "earlier"
    assert states[before["http"]] == "overlap"
    told = ours("key", "identity-rotate")
    assert (told["version"], told["identity_version"]) == (4, 2)
    ours.until(("key", "list"), lambda said: said["links"][0]["knows"] == 4)
    theirs.until(("key", "list"), lambda said: said["links"][0]["peer_version"] == 4)
    number = ours("ticket", "new", "--title", "Касса")["number"]
    ours("ticket", "handoff", number, "--to", theirs.name)
    theirs.until(("ticket", "list"), lambda said: len(said["tickets"]) == 1)
    assert theirs("link", "check-keys", ours.name)["verdict"] == "same"


def test_a_revoked_key_stops_the_link_until_both_sides_resume(pair: tuple[Node, Node]) -> None:
    ours, theirs = pair
    kid = newest(ours, "msg")
    said = ours("key", "revoke", kid, "--reason", "Ноутбук украден", "--yes")
    gone = next(one for one in said["keys"] if one["kid"] == kid)
    assert (gone["state"], gone["reason"]) == ("revoked", "Ноутбук украден")
    assert ours("key", "revoke", kid, "--reason", "ещё раз", "--yes", fails=7)["code"] == (
        "already_revoked"
    )
    ours.until(("key", "list"), lambda found: not found["links"][0]["call_due"])
    for one, other in ((ours, theirs), (theirs, ours)):
        assert one("link", "show", other.name)["state"] == "suspended"
        assert one("link", "resume", other.name)["state"] == "active"
    number = theirs("ticket", "new", "--title", "Встречная")["number"]
    theirs("ticket", "handoff", number, "--to", ours.name)
    ours.until(
        ("ticket", "list"),
        lambda found: "Встречная" in [one["title"] for one in found["tickets"]],
    )


def test_what_cannot_be_revoked_is_told(node: Node) -> None:
    identity = newest(node, "identity")
    assert (
        node("key", "revoke", identity, "--reason", "x", "--yes", fails=4)["code"]
        == "identity_compromised"
    )
    assert node("key", "revoke", "A" * 43, "--reason", "x", "--yes", fails=5)["code"] == (
        "key_unknown"
    )
    # One name in 64 begins with a dash: it must not be taken for an option when it is urgent.
    for dashed in ("-u" + "A" * 41, "--" + "A" * 41):
        for order in ((dashed, "--reason", "x"), ("--reason", "x", dashed)):
            assert node("key", "revoke", *order, "--yes", fails=5)["code"] == "key_unknown"
    assert node("key", "revoke", newest(node, "msg"), "--reason", " ", "--yes", fails=4)[
        "code"
    ] == ("reason_missing")
    assert "Ключи на диске" not in node.say("key", "list").out
