"""The status of both tickets of a hand-off, and the lengths that let a ticket travel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.domain.agreement import DisclosureClass
from hub.domain.handoff import Party, State
from hub.domain.lengths import DATA_MAX, wire_size
from hub.domain.ticket import ChecklistItem, Contact, Field, TicketStatus, check, status_for
from hub.errors import Refused
from tests.domain.builders import a_direction, a_file, a_ticket, an_offer

CHILD = {
    "offered": "new",
    "accepted": "open",
    "in_progress": "in_progress",
    "pending": "pending",
    "rework": "in_progress",
    "resolved": "resolved",
    "confirmed": "resolved",
    "closed": "closed",
    "declined": "cancelled",
    "handed_back": "cancelled",
    "cancelled": "cancelled",
}


@pytest.mark.parametrize("state", State)
def test_the_child_ticket_follows_its_hand_off_in_every_state(state: State) -> None:
    assert status_for(state, Party.CONTRACTOR) is TicketStatus(CHILD[state.value])


PARENT = {
    "accepted": "in_progress",
    "in_progress": "in_progress",
    "rework": "in_progress",
    "confirmed": "resolved",
    "closed": "closed",
}


@pytest.mark.parametrize("state", State)
def test_the_parent_ticket_follows_while_work_goes_on_and_once_its_own_people_agreed(
    state: State,
) -> None:
    expected = PARENT.get(state.value)
    assert status_for(state, Party.PRINCIPAL) is (expected and TicketStatus(expected))


def test_an_ordinary_ticket_passes() -> None:
    check(a_ticket())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": "  "}, "title_missing"),
        ({"title": "x" * 501}, "text_too_long"),
        ({"description": "x" * 20_001}, "text_too_long"),
        ({"contact": Contact(name="x" * 201)}, "text_too_long"),
        ({"description": "half a pair \ud800"}, "text_invalid"),
        ({"fields": (Field("a", "b"),) * 101}, "list_too_long"),
        ({"checklist": (ChecklistItem("a", "b"),) * 201}, "list_too_long"),
        ({"fields": (Field("a", "x" * 20_000),) * 3}, "text_too_long"),
        # Each character takes six bytes on the wire.
        ({"description": "\x01" * 20_000}, "text_too_long"),
    ],
)
def test_a_ticket_that_could_not_travel_is_refused_at_once(
    changes: dict[str, object], code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        check(a_ticket(**changes))
    assert refusal.value.code == code


def test_the_largest_ticket_that_passes_fits_into_an_offer() -> None:
    ticket = a_ticket(
        description="я" * 15_000,
        checklist=tuple(ChecklistItem(f"{n:064d}", "я") for n in range(60)),
    )
    direction = a_direction(disclose=frozenset(DisclosureClass))
    while True:
        longer = replace(ticket, description=ticket.description + "я" * 50)
        try:
            check(longer)
        except Refused:
            break
        ticket = longer
    files = [a_file(n, name="я" * 255) for n in range(40)]
    assert 50_000 < wire_size(an_offer(ticket, direction, files).to_data()) <= DATA_MAX
