"""Two companies work a ticket through their APIs alone."""

from __future__ import annotations

from tests.api.conftest import Pair


async def test_from_offer_to_rating(pair: Pair) -> None:
    ours, theirs = pair.ours, pair.theirs
    ticket, handoff = await pair.offered()

    (line,) = (await theirs.get("/tickets", query="?status=new"))["items"]
    child = await theirs.get(f"/tickets/{line['id']}")
    (seen,) = child["handoffs"]
    assert (seen["id"], seen["role"], seen["peer_number"]) == (
        handoff,
        "contractor",
        ticket["number"],
    )
    assert seen["acts"] == ["accept", "decline"]

    promised = {"due_promised": "2026-11-24T15:00:00+03:00", "assignee": "Иван"}
    accepted = await theirs.post(f"/handoffs/{handoff}/accept", promised)
    assert accepted["state"] == "accepted"
    assert accepted["due_promised"] == "2026-11-24T12:00:00.000Z"
    await theirs.post(f"/handoffs/{handoff}/start")
    pending = await theirs.post(
        f"/handoffs/{handoff}/pend", {"reason": "awaiting_parts", "text": "Ждём головку"}
    )
    assert (pending["state"], pending["pend_reason"]) == ("pending", "awaiting_parts")
    await theirs.post(
        f"/handoffs/{handoff}/plan", {"stage": "в пути", "eta": "2026-11-24T09:00:00Z"}
    )
    await theirs.post(
        f"/handoffs/{handoff}/resolve", {"resolution": "Заменили головку", "effort_minutes": 40}
    )
    await pair.network.run_until_idle()

    here = await ours.get(f"/handoffs/{handoff}")
    assert (here["state"], here["stage"], here["acts"]) == (
        "resolved",
        "в пути",
        ["confirm", "return", "cancel"],
    )
    returned = await ours.post(f"/handoffs/{handoff}/return", {"reason": "Снова не печатает"})
    assert (returned["state"], returned["round"]) == ("rework", 1)
    await pair.network.run_until_idle()
    await theirs.post(f"/handoffs/{handoff}/resolve", {"resolution": "Заменили шлейф"})
    await pair.network.run_until_idle()
    confirmed = await ours.post(f"/handoffs/{handoff}/confirm", {"score": 4})
    assert (confirmed["state"], confirmed["rating"]["score"]) == ("confirmed", 4)
    rated = await ours.post(
        f"/handoffs/{handoff}/rate", {"score": 5, "text": "Быстро", "criteria": {"speed": 5}}
    )
    assert (rated["rating"]["score"], rated["rating"]["rev"]) == (5, 2)
    await pair.network.run_until_idle()
    await theirs.post(f"/handoffs/{handoff}/reply", {"text": "Спасибо!"})
    await pair.network.run_until_idle()
    closed = await ours.post(f"/handoffs/{handoff}/close")
    assert (closed["state"], closed["rating"]["reply"]) == ("closed", "Спасибо!")


async def test_the_preview_says_what_leaves_and_changes_nothing(pair: Pair) -> None:
    made = await pair.ticket(
        requester={"name": "Анна", "email": "anna@client.example"},
        contact={"name": "Пётр", "phone": "+7 900 000-00-00"},
        fields=[{"name": "наценка", "value": "30 %"}],
    )
    wish = {"peer": "Мастер-Юг", "withhold": ["contact"]}
    seen = await pair.ours.post(f"/tickets/{made['id']}/handoffs/preview", wish)
    assert {"label": "Title", "value": "Не печатает чек"} in seen["leaves"]
    assert "anna@client.example" not in str(seen["leaves"])
    assert {one["label"] for one in seen["stays"]} >= {"Contact", "Requester", "наценка"}
    assert (await pair.ours.get(f"/tickets/{made['id']}"))["handoffs"] == []


async def test_an_offer_may_be_declined_and_given_again(pair: Pair) -> None:
    ticket, handoff = await pair.offered()
    declined = await pair.theirs.post(
        f"/handoffs/{handoff}/decline", {"code": "capacity", "text": "Нет людей"}
    )
    assert declined["state"] == "declined"
    await pair.network.run_until_idle()
    again = await pair.ours.post(f"/tickets/{ticket['number']}/handoffs", {"peer": pair.link})
    assert again["state"] == "offered"


async def test_a_recall_before_acceptance(pair: Pair) -> None:
    _, handoff = await pair.offered()
    asked = await pair.ours.post(f"/handoffs/{handoff}/cancel", {"reason": "Уже работает"})
    assert asked["request"] == "cancel_request"
    await pair.network.run_until_idle()
    assert (await pair.ours.get(f"/handoffs/{handoff}"))["state"] == "cancelled"


async def test_nobody_refuses_a_request_that_was_not_made(pair: Pair) -> None:
    _, handoff = await pair.offered()
    said = await pair.theirs.call("POST", f"/handoffs/{handoff}/refuse-cancel", {"text": "Нет"})
    assert (said.status, said.code) == (409, "no_request")


async def test_hand_back_retract_and_detach(pair: Pair) -> None:
    _, first = await pair.offered()
    await pair.theirs.post(f"/handoffs/{first}/accept")
    back = await pair.theirs.post(f"/handoffs/{first}/hand-back", {"reason": "Нет запчастей"})
    assert back["state"] == "handed_back"

    _, second = await pair.offered()
    await pair.theirs.post(f"/handoffs/{second}/accept")
    await pair.theirs.post(f"/handoffs/{second}/resolve", {"resolution": "Готово"})
    await pair.network.run_until_idle()
    asked = await pair.theirs.post(f"/handoffs/{second}/retract", {"reason": "Рано"})
    assert asked["request"] == "retract_request"
    freed = await pair.ours.post(f"/handoffs/{second}/detach", {"reason": "Сделаем сами"})
    assert freed["detached"] is True


async def test_a_step_that_is_not_ours_now_is_a_conflict_and_changes_nothing(pair: Pair) -> None:
    _, handoff = await pair.offered()
    before = await pair.ours.get(f"/handoffs/{handoff}")
    for act, body in [
        ("accept", {}),
        ("decline", {}),
        ("start", {}),
        ("pend", {"reason": "no_access"}),
        ("resolve", {"resolution": "x"}),
        ("hand-back", {"reason": "x"}),
        ("confirm", {}),
        ("return", {"reason": "x"}),
        ("close", {}),
        ("retract", {"reason": "x"}),
        ("plan", {"stage": "x"}),
        ("rate", {"score": 5}),
        ("reply", {"text": "x"}),
    ]:
        said = await pair.ours.call("POST", f"/handoffs/{handoff}/{act}", body)
        assert (said.status, said.code) == (409, "wrong_pen"), act
    assert await pair.ours.get(f"/handoffs/{handoff}") == before


async def test_a_ticket_cannot_go_to_the_same_partner_twice(pair: Pair) -> None:
    ticket, _ = await pair.offered()
    said = await pair.ours.call("POST", f"/tickets/{ticket['id']}/handoffs", {"peer": "Мастер-Юг"})
    assert (said.status, said.code) == (409, "duplicate_offer")


async def test_an_unknown_partner_is_not_found(pair: Pair) -> None:
    ticket = await pair.ticket()
    said = await pair.ours.call("POST", f"/tickets/{ticket['id']}/handoffs", {"peer": "Нет таких"})
    assert (said.status, said.code) == (404, "peer_unknown")
