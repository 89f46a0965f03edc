"""Links begin, rest and end through the API; messages on their way can be seen and moved."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.conftest import NAMES, Network, Pair
from tests.kit.program import Program, program


@pytest.fixture
async def strangers(network: Network) -> AsyncIterator[tuple[Program, Program]]:
    """A company, and one that it is not linked with."""
    a, _, b = [await network.company(name) for name in (*NAMES, "Север")]
    async with program(a) as ours, program(b) as theirs:
        yield ours, theirs


def forget(network: Network) -> None:
    for door in network.wire.doors.values():
        door.forget_keys()


async def test_from_invitation_to_active(
    network: Network, strangers: tuple[Program, Program]
) -> None:
    ours, theirs = strangers
    invited = await ours.post("/invitations", {"peer": "Север"})
    assert invited["url"].endswith("#" + invited["code"])
    (waiting,) = (await ours.get("/invitations"))["items"]
    assert (waiting["id"], waiting["peer"]) == (invited["id"], "Север")

    prepared = await theirs.call("POST", "/links", {"code": invited["code"]})
    assert (prepared.status, prepared.said["state"]) == (201, "requested")
    link = prepared.said["id"]
    active = await theirs.post(f"/links/{link}/confirm")
    assert (active["state"], active["peer"]["name"]) == ("active", NAMES[0])
    forget(network)
    here = await ours.get(f"/links/{link}")
    assert (here["state"], here["digits"]) == ("active", active["digits"])
    assert (await ours.get("/invitations"))["items"] == []
    again = await theirs.call("POST", "/links", {"code": invited["code"]})
    assert (again.status, again.code) == (409, "already_linked")


async def test_accepted_and_agreed_in_one_request_with_own_terms(
    network: Network, strangers: tuple[Program, Program]
) -> None:
    ours, theirs = strangers
    invited = await ours.post("/invitations", {"peer": "Север"})
    body = {
        "code": invited["code"],
        "confirm": True,
        "scopes": {"as_contractor": {"cancel": "assess"}},
    }
    linked = await theirs.post("/links", body, key="k")
    assert linked["state"] == "active"
    assert await theirs.post("/links", body, key="k") == linked
    forget(network)

    ticket = await ours.post("/tickets", {"title": "Не печатает чек"})
    offer = await ours.post(f"/tickets/{ticket['id']}/handoffs", {"peer": "север"})
    handoff = f"/handoffs/{offer['id']}"
    await network.run_until_idle()
    await theirs.post(f"{handoff}/accept")
    await theirs.post(f"{handoff}/start")
    await network.run_until_idle()
    await ours.post(f"{handoff}/cancel", {"reason": "Передумали"})
    await network.run_until_idle()
    assert (await theirs.get(handoff))["request_reason"] == "Передумали"
    refused = await theirs.post(f"{handoff}/refuse-cancel", {"text": "Почти готово"})
    assert (refused["state"], refused["request"]) == ("in_progress", None)
    await network.run_until_idle()
    await ours.post(f"{handoff}/cancel", {"reason": "Всё же не нужно"})
    await network.run_until_idle()
    granted = await theirs.post(f"{handoff}/cancel", {"reason": "Хорошо"})
    assert granted["state"] == "cancelled"


async def test_compared_digits_come_before_our_own_signature(
    network: Network, strangers: tuple[Program, Program]
) -> None:
    ours, theirs = strangers
    invited = await ours.post("/invitations", {"peer": "Север", "compare": True})
    linked = await theirs.post("/links", {"code": invited["code"], "confirm": True})
    assert linked["state"] == "awaiting_confirmation"
    (alert,) = (await ours.get("/alerts"))["items"]
    assert (alert["kind"], alert["text"]) == (
        "compare_digits",
        "Север accepted the invitation: compare the digits and confirm.",
    )
    forget(network)
    assert (await ours.get(f"/links/{linked['id']}"))["digits"] == linked["digits"]
    assert (await ours.post(f"/links/{linked['id']}/confirm"))["state"] == "active"
    assert (await ours.get("/alerts"))["items"] == []


@pytest.mark.parametrize("code", ["txp1.abc", "nonsense", "https://partner.example/i#txp1.x"])
async def test_a_code_that_is_none_is_refused(pair: Pair, code: str) -> None:
    said = await pair.ours.call("POST", "/links", {"code": code})
    assert said.status == 422 and said.code.startswith("invite_")


async def test_a_partner_that_does_not_answer_is_asked_again_later(
    network: Network, strangers: tuple[Program, Program]
) -> None:
    ours, theirs = strangers
    invited = await ours.post("/invitations", {"peer": "Север"})
    network.wire.down.add(ours.company.settings.url)
    said = await theirs.call("POST", "/links", {"code": invited["code"]})
    assert (said.status, said.code) == (503, "peer_unreachable")
    assert int(said.headers["Retry-After"]) > 0
    network.wire.down.clear()
    assert (await theirs.post("/links", {"code": invited["code"]}))["state"] == "requested"


async def test_scopes_that_are_misspelled_are_refused(pair: Pair) -> None:
    body = {"peer": "Север", "scopes": {"as_principal": {"hand_of": True}}}
    said = await pair.ours.call("POST", "/invitations", body)
    assert (said.status, said.code) == (422, "scopes_invalid")
    assert "hand_off" in said.raw.decode()


async def test_suspend_resume_and_close(pair: Pair) -> None:
    path = f"/links/{pair.link}"
    assert (await pair.ours.post(f"{path}/suspend", {"reason": "Аудит"}))["state"] == "suspended"
    ticket = await pair.ticket()
    offer = {"peer": pair.link}
    said = await pair.ours.call("POST", f"/tickets/{ticket['id']}/handoffs", offer)
    assert (said.status, said.code) == (409, "link_not_active")
    assert (await pair.ours.post(f"{path}/resume"))["state"] == "active"
    said = await pair.ours.call("POST", f"{path}/resume", {})
    assert (said.status, said.code) == (409, "not_suspended")
    assert (await pair.ours.post(f"{path}/close", {"reason": "Конец договора"}))[
        "state"
    ] == "closed"
    await pair.network.run_until_idle()
    assert [one["state"] for one in (await pair.theirs.get("/links"))["items"]] == ["closed"]


# --- deliveries -----------------------------------------------------------------------------


async def test_messages_on_their_way_come_in_pages(pair: Pair) -> None:
    ticket, _ = await pair.offered()
    pair.network.wire.down.add(pair.theirs.company.settings.url)
    for n in range(3):
        pair.network.clock.advance(seconds=1)
        await pair.ours.post(
            f"/tickets/{ticket['id']}/comments", {"body": f"Слово {n}", "visibility": "public"}
        )
    whole = (await pair.ours.get("/deliveries"))["items"]
    assert [one["type"] for one in whole] == [
        *["comment.add"] * 3,
        "handoff.offer",
        "link.epoch",  # of the start
    ]
    first = await pair.ours.get("/deliveries", query="?limit=3&state=queued")
    assert (first["items"], first["next"]) == (whole[:3], None)
    page = await pair.ours.get("/deliveries", query="?limit=3")
    rest = await pair.ours.get("/deliveries", query=f"?limit=3&cursor={page['next']}")
    assert page["items"] + rest["items"] == whole and rest["next"] is None
    one = await pair.ours.get(f"/deliveries/{whole[0]['id']}")
    assert (one["line"], one["payload"]["body"]) == (whole[0], "Слово 2")
    by_peer = await pair.ours.get("/deliveries", query=f"?peer={pair.link}")
    assert by_peer["items"] == whole


async def test_a_message_that_waits_is_tried_at_once(pair: Pair) -> None:
    ticket = await pair.ticket()
    pair.network.wire.down.add(pair.theirs.company.settings.url)
    await pair.ours.post(f"/tickets/{ticket['id']}/handoffs", {"peer": pair.link})
    await pair.network.run_until_idle()
    line, _epoch_of_the_start = (await pair.ours.get("/deliveries"))["items"]
    assert line["next_at"] is not None
    pair.network.wire.down.clear()
    replayed = await pair.ours.post(f"/deliveries/{line['id']}/replay")
    assert replayed["line"]["id"] == line["id"]
    await pair.network.run_until_idle()
    assert (await pair.ours.get(f"/deliveries/{line['id']}"))["line"]["state"] == "received"
    for act, body in (("replay", {}), ("skip", {"reason": "x"})):
        said = await pair.ours.call("POST", f"/deliveries/{line['id']}/{act}", body)
        assert said.status == 409


async def test_a_parked_message_is_tried_again_or_skipped(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.actions import incoming

    def broken(*_args: object, **_named: object) -> None:
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr(incoming, "apply", broken)
        _, first = await pair.offered()
        _, second = await pair.offered()
        for _ in range(20):
            await pair.theirs.company.turn()
    parked = (await pair.theirs.get("/deliveries", query="?state=parked"))["items"]
    assert {one["direction"] for one in parked} == {"in"} and len(parked) == 2
    assert {one["kind"] for one in (await pair.theirs.get("/alerts"))["items"]} == {
        "message_parked"
    }
    later, earlier = parked
    await pair.theirs.post(f"/deliveries/{earlier['id']}/replay")
    skipped = await pair.theirs.post(f"/deliveries/{later['id']}/skip", {"reason": "Не нужно"})
    assert skipped["line"]["state"] == "skipped"
    await pair.network.run_until_idle()
    assert (await pair.theirs.get(f"/handoffs/{first}"))["state"] == "offered"
    assert (await pair.theirs.call("GET", f"/handoffs/{second}")).status == 404
    said = await pair.theirs.call("POST", f"/deliveries/{earlier['id']}/replay", {})
    assert (said.status, said.code) == (409, "nothing_to_replay")
