"""Family D of the known attacks: what strangers try by letter, and what comes of it: nothing."""

from __future__ import annotations

import pytest

from hub.actions import correspondence
from hub.domain.comment import Visibility
from hub.storage import correspondences
from tests.mail.conftest import HELP, Desk, a_letter

pytestmark = pytest.mark.one_database


async def a_talk(desk: Desk, message_id: str = "a1@romashka.example") -> tuple[str, str, str]:
    """A ticket, the reply address of its requester, and the id of our last letter."""
    letter = await desk.arrives(a_letter(message_id=message_id))
    await desk.says(letter.ticket_id, "Мастер выехал.")
    said = desk.sent[-1].letter
    return letter.ticket_id, str(said["Reply-To"].addresses[0].addr_spec), str(said["Message-ID"])


TOKENS = ["guessed", "cut", "ended", "return address", "another person", "upper case of another"]


@pytest.mark.parametrize("how", TOKENS)
async def test_a_reply_address_opens_one_ticket_for_one_person_and_nothing_else(
    desk: Desk, how: str
):
    ticket_id, place, _ours = await a_talk(desk)
    token = place.split("+r.")[1].split("@")[0]
    (thread,) = await desk.hub.db.read(lambda c: correspondences.of_ticket(c, ticket_id))
    sender = "Анна <anna@romashka.example>"
    if how == "guessed":
        place = place.replace(token, "a" * 26)
    elif how == "cut":
        place = place.replace(token, token[:25])
    elif how == "ended":
        await correspondence.end(desk.hub, "system", thread.id)
    elif how == "return address":
        place = place.replace("+r.", "+b.")
    elif how == "another person":
        sender = "Mallory <mallory@evil.example>"
    else:
        place = place.replace(token, ("b" * 26).upper())
    raw = a_letter(
        "Закройте всё", sender=sender, message_id="x@evil.example", to=place, verdict=None
    )
    before = [
        one for one in await desk.comments(ticket_id) if one.visibility is not Visibility.INTERNAL
    ]
    sent = len(desk.sent)
    await desk.arrives(raw, place)
    after = [
        one for one in await desk.comments(ticket_id) if one.visibility is not Visibility.INTERNAL
    ]
    assert after == before
    assert all("mallory" not in one.recipients[0] for one in desk.sent)
    assert len(desk.sent) <= sent + (
        how == "cut"
    )  # a plain letter to our mailbox: a ticket of its own
    stored = str(await desk.hub.db.read(lambda c: correspondences.of_ticket(c, ticket_id)))
    assert token not in stored


async def test_a_letter_of_a_third_party_to_a_ticket_is_seen_by_nobody_outside(desk: Desk):
    ticket_id, place, _ours = await a_talk(desk)
    sent = len(desk.sent)
    letter = await desk.arrives(
        a_letter(
            "Your code is 123456",
            sender="no-reply@bigservice.example",
            message_id="v@bigservice.example",
            to=place,
            verdict="dmarc=pass",
        ),
        place,
    )
    assert letter.outcome == "note"
    assert (await desk.comments(ticket_id))[-1].visibility is Visibility.INTERNAL
    assert len(desk.sent) == sent


REFERENCES = [
    "In-Reply-To: {ours}",
    "References: {ours}",
    "References: <x@y> {ours}",
    "In-Reply-To: {ours}\r\nReferences: {ours}",
    "References: {ack}",
    "In-Reply-To: <a1@romashka.example>",
    "References:\r\n {ours}",
    "In-Reply-To: {ours} (said)",
]


@pytest.mark.parametrize("form", REFERENCES)
async def test_a_forged_reference_gives_no_power(desk: Desk, form: str):
    ticket_id, _place, ours = await a_talk(desk)
    ack = str(desk.sent[0].letter["Message-ID"])
    agent = "Диспетчер <admin@0.example>"
    for n, sender in enumerate((agent, "Анна <anna@romashka.example>")):
        letter = await desk.arrives(
            a_letter(
                "/close",
                sender=sender,
                message_id=f"f{n}@evil.example",
                verdict=None,
                lines=form.format(ours=ours, ack=ack).split("\r\n")
                if "\r\n " not in form
                else [form.format(ours=ours)],
            )
        )
        assert letter.state == "held"
    assert len(await desk.comments(ticket_id)) == 1
    assert (await desk.ticket(ticket_id)).status == "new"


async def test_many_letters_in_one_victims_name_bring_the_victim_one_letter(desk: Desk):
    for n in range(40):
        await desk.arrives(
            a_letter(f"Купите {n}", message_id=f"spam{n}@evil.example", verdict=None)
        )
    assert len(desk.sent) == 1
    assert "Купите" not in desk.sent[0].text()


async def test_two_hubs_that_write_to_each_other_stop_at_once(desk: Desk):
    first = await desk.arrives(a_letter())
    (ack,) = desk.sent
    # The other hub gets our acknowledgement and would acknowledge it: here it is us.
    other = ack.raw.replace(b"X-Hub-Loop: ", b"X-Hub-Loop: other").replace(
        b"help@plus.example", b"desk@other.example"
    )
    came = await desk.arrives(other.replace(b"anna@romashka.example", HELP.encode()))
    assert came.outcome in {"ticket", "note", "nothing", "held"}
    assert len(desk.sent) == 1
    assert first.ticket_id is not None


@pytest.mark.parametrize("hops", range(3, 6))
async def test_a_letter_that_went_through_many_hubs_is_held(desk: Desk, hops: int):
    assert (await desk.arrives(a_letter(lines=[f"X-Hub-Hops: {hops}"]))).state == "held"
    assert desk.sent == []
