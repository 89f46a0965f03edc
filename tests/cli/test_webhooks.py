"""`hub webhook`: from adding an address to seeing what it was told."""

from __future__ import annotations

from tests.cli.conftest import Node

URL = "https://desk.plus.example/hub-events"


def test_a_webhook_from_its_beginning_to_its_end(node: Node) -> None:
    added = node("webhook", "add", URL, "--event", "ticket.created")
    which = added["id"]
    node("ticket", "new", "--title", "Не печатает чек")
    node("webhook", "test", which)
    listed = node("webhook", "list")
    assert [(one["url"], one["waiting"]) for one in listed["webhooks"]] == [(URL, 2)]
    assert added["secret"] not in str(listed)
    calls = node("webhook", "calls", which, "--state", "waiting")
    assert [one["event"] for one in calls["calls"]] == ["webhook.test", "ticket.created"]
    again = node("webhook", "replay", which, "--call", calls["calls"][0]["id"])
    assert again == {"again": 1}
    renewed = node("webhook", "secret", which)
    assert renewed["secret"] != added["secret"]
    for verb, state in (("disable", "disabled"), ("enable", "enabled"), ("remove", "removed")):
        turned = node("webhook", verb, which)
        assert turned["state"] == state
    assert node("webhook", "list")["webhooks"] == []
    assert node("webhook", "test", which, fails=5)["code"] == "not_found"


def test_what_it_is_not_told_of_is_said(node: Node) -> None:
    refused = node("webhook", "add", URL, "--event", "everything", fails=4)
    assert refused["code"] == "event_unknown"
    assert "ticket.created" in refused["hint"]
