"""What a ticket says of itself: its state in one sentence, its history in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.console.words import word
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries.inside import InsideView
from hub.queries.tickets import HandoffView, TicketView

_ENDED: Final = frozenset({"declined", "handed_back", "cancelled", "closed"})

_PRINCIPAL: Final = {
    "offered": N_("{peer} has not accepted it yet."),
    "accepted": N_("{peer} accepted it and has not begun."),
    "in_progress": N_("{peer} is working on it."),
    "pending": N_("{peer} waits: {why}."),
    "resolved": N_("{peer} says it is done. Check it and confirm."),
    "rework": N_("It went back to {peer} for rework."),
    "confirmed": N_("{peer} did it and you confirmed it."),
    "declined": N_("{peer} declined it. Offer it to another partner or do it yourselves."),
    "handed_back": N_("{peer} gave it back. Offer it to another partner or do it yourselves."),
}
_CONTRACTOR: Final = {
    "offered": N_("{peer} offers it to you. Accept or decline."),
    "accepted": N_("You accepted it from {peer}. Begin the work."),
    "in_progress": N_("You are working on it for {peer}."),
    "pending": N_("You paused it for {peer}: {why}."),
    "resolved": N_("You did it; {peer} is to confirm it."),
    "rework": N_("{peer} sent it back: it is not done yet."),
    "confirmed": N_("{peer} confirmed your work."),
    "declined": N_("You declined it; {peer} knows."),
    "handed_back": N_("You gave it back to {peer}."),
    "cancelled": N_("{peer} withdrew it."),
    "closed": N_("{peer} closed it."),
}
_OWN: Final = {
    "new": N_("Nobody has taken it yet."),
    "open": N_("It is taken; the work has not begun."),
    "in_progress": N_("We are working on it."),
    "pending": N_("It waits."),
    "resolved": N_("It is done and waits to be closed."),
    "closed": N_("It is closed."),
    "cancelled": N_("It was cancelled."),
}


def leading(ticket: TicketView) -> HandoffView | None:
    """The hand-off that says where the work is: below us before above us, the newest first."""
    current = [one for one in reversed(ticket.handoffs) if not one.detached]
    for one in current:
        if one.role == "principal" and one.state not in _ENDED:
            return one
    for one in current:
        if one.role == "contractor":
            return one
    return current[0] if current and current[0].state != "cancelled" else None


def sentence(ticket: TicketView) -> str:
    """Where the ticket stands, in one sentence."""
    if ticket.status in {"closed", "cancelled"}:
        return _(_OWN[ticket.status])
    one = leading(ticket)
    said = None
    if one is not None:
        said = (_PRINCIPAL if one.role == "principal" else _CONTRACTOR).get(one.state)
    if one is None or said is None:
        return _(_OWN[ticket.status])
    why = word(one.pend_reason) if one.pend_reason else ""
    return _(said).format(peer=one.peer, why=why)


def audience(ticket: TicketView) -> list[str]:
    """The companies that read a public word said now."""
    over = {"declined", "handed_back", "cancelled"}
    return sorted(
        {one.peer for one in ticket.handoffs if one.state not in over and not one.detached}
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the history."""

    at: datetime
    who: str
    text: str


_FIELDS: Final = {
    "title": N_("title"),
    "description": N_("description"),
    "status": N_("state"),
    "priority": N_("priority"),
    "due_at": N_("deadline"),
    "assignee": N_("assignee"),
    "team": N_("team"),
    "tags": N_("tags"),
    "customer": N_("customer"),
    "at_site": N_("site"),
    "of_asset": N_("equipment"),
    "site": N_("place"),
    "asset": N_("equipment"),
    "contact": N_("contact"),
    "requester": N_("requester"),
    "fields": N_("custom fields"),
    "checklist": N_("checklist"),
    "visit_at": N_("visit"),
}
_CODES: Final = frozenset({"status", "priority"})


def history(ticket: TicketView, inside: InsideView, when: Any) -> list[Told]:
    """Everything that happened to the ticket, newest first; `when` writes an instant."""
    found = [Told(one.at, one.actor, _noted(one.event, one.facts, when)) for one in inside.notes]
    for event in ticket.history:
        after = word(event.after) if event.after else ""
        text = f"{event.peer}: {word(event.event)}" + (f" → {after}" if after else "")
        found.append(Told(event.at, event.actor, text))
    return sorted(found, key=lambda one: one.at, reverse=True)


def _noted(event: str, facts: dict[str, Any], when: Any) -> str:
    match event:
        case "created":
            return _("took the ticket in")
        case "visit":
            return _("visit: {stage}").format(stage=word((facts.get("stage") or [""])[0]))
        case "tied" | "untied":
            other = (facts.get("other") or [""])[0]
            said = _("tied it to {number}") if event == "tied" else _("untied it from {number}")
            return said.format(number=other)
        case "client_rated":
            score = (facts.get("score") or [""])[0]
            return _("the requester rated the work: {score} of 5").format(score=score)
    parts = [_changed(name, values, when) for name, values in facts.items()]
    return "; ".join(parts) or _("changed the ticket")


def _changed(name: str, values: Sequence[Any], when: Any) -> str:
    label = _(_FIELDS.get(name, name))
    shown = [_value(name, value, when) for value in values]
    return f"{label}: {' → '.join(shown)}" if shown else label


def _value(name: str, value: Any, when: Any) -> str:
    if value in {"", None}:
        return "—"
    if name in _CODES:
        return word(str(value))
    if name.endswith("_at"):
        return str(when(datetime.fromisoformat(str(value))))
    return str(value)


_OF_ASSETS: Final = {
    "name": N_("name"),
    "model": N_("model"),
    "inventory_number": N_("inventory number"),
    "serial_number": N_("serial number"),
    "note": N_("note"),
    "site": N_("site"),
}


def asset_event(event: str, facts: Mapping[str, Any]) -> str:
    """One line of the history of a piece of equipment."""
    if event == "added":
        return _("entered it into the directory")
    if event == "archived":
        return _("put it into the archive")
    if event == "restored":
        return _("took it out of the archive")
    parts = []
    for name, values in facts.items():
        shown = " → ".join(str(value) or "—" for value in values)
        parts.append(f"{_(_OF_ASSETS.get(name, name))}: {shown}")
    return "; ".join(parts)
