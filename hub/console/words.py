"""The words of the console for what the program calls by codes, and how each of them looks.

Never a colour alone: a word, an icon and a colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hub.i18n import gettext

LANGUAGES: Final = (("ru", "Русский"), ("en", "English"))
"""Each language in itself: whoever cannot read this one finds theirs."""


DECLINES: Final = ("capacity", "out_of_scope", "other")
"""Reasons a person gives for declining; the others are what the node itself finds."""


def N_(text: str) -> str:  # noqa: N802 - as gettext calls it
    """Mark a message id that is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Look:
    """How a code is shown."""

    text: str  # a message id
    icon: str
    colour: str  # of Tabler


_LOOKS: Final[dict[str, Look]] = {
    # of a ticket
    "new": Look(N_("new"), "sun", "blue"),
    "in_progress": Look(N_("in progress"), "player-play", "teal"),
    "pending": Look(N_("waiting"), "clock-pause", "yellow"),
    "resolved": Look(N_("done"), "circle-check", "green"),
    "cancelled": Look(N_("cancelled"), "circle-x", "secondary"),
    "low": Look(N_("low"), "arrow-back", "secondary"),
    "normal": Look(N_("normal"), "point", "secondary"),
    "high": Look(N_("high"), "flag", "orange"),
    "urgent": Look(N_("urgent"), "flame", "red"),
    # of a hand-off
    "offered": Look(N_("offered"), "hourglass", "yellow"),
    "accepted": Look(N_("accepted"), "check", "blue"),
    "rework": Look(N_("rework"), "arrow-back-up", "orange"),
    "confirmed": Look(N_("confirmed"), "checks", "green"),
    "declined": Look(N_("declined"), "circle-x", "red"),
    "handed_back": Look(N_("given back"), "arrow-back", "orange"),
    # what was done in one
    "offer": Look(N_("offered"), "arrow-forward", "secondary"),
    "accept": Look(N_("accepted"), "check", "secondary"),
    "decline": Look(N_("declined"), "x", "secondary"),
    "start": Look(N_("began"), "player-play", "secondary"),
    "pend": Look(N_("paused"), "player-pause", "secondary"),
    "resolve": Look(N_("done"), "circle-check", "secondary"),
    "hand_back": Look(N_("given back"), "arrow-back", "secondary"),
    "confirm": Look(N_("confirmed"), "checks", "secondary"),
    "return": Look(N_("sent back for rework"), "arrow-back-up", "secondary"),
    "close": Look(N_("closed"), "lock", "secondary"),
    "cancel": Look(N_("cancelled"), "x", "secondary"),
    "cancel_request": Look(N_("asked to cancel"), "x", "secondary"),
    "cancel_refused": Look(N_("does not cancel"), "x", "secondary"),
    "retract_request": Look(N_("asked for it back"), "arrow-back", "secondary"),
    "retract_refused": Look(N_("does not give it back"), "x", "secondary"),
    "plan": Look(N_("plan"), "calendar", "secondary"),
    "rating": Look(N_("rated"), "star", "secondary"),
    # of a visit
    "planned": Look(N_("planned"), "calendar", "blue"),
    "on_way": Look(N_("on the way"), "truck", "indigo"),
    "on_site": Look(N_("on site"), "map-pin", "teal"),
    "done": Look(N_("done"), "circle-check", "green"),
    # who reads it
    "public": Look(N_("public"), "world", "green"),
    "client": Look(N_("to the client"), "user-circle", "blue"),
    "internal": Look(N_("only us"), "lock", "secondary"),
    # how far a comment is
    "mark-queued": Look(N_("on its way"), "hourglass", "secondary"),
    "mark-sent": Look(N_("on its way"), "hourglass", "secondary"),
    "mark-received": Look(N_("delivered"), "checks", "green"),
    "mark-failed": Look(N_("not delivered yet, tried again"), "alert-circle", "red"),
    "mark-parked": Look(N_("put aside: a person must look"), "alert-circle", "red"),
    # where a deadline comes from, and filters by it
    "due-person": Look(N_("set by us"), "user", "secondary"),
    "due-principal": Look(N_("asked for by the partner"), "building", "secondary"),
    "due-rule": Look(N_("by our rules"), "ruler", "secondary"),
    "late": Look(N_("overdue"), "flame", "red"),
    "soon": Look(N_("within a day"), "clock", "yellow"),
    "any": Look(N_("any state"), "point", "secondary"),
    "filter-assignee": Look(N_("assignee"), "user", "secondary"),
    "filter-peer": Look(N_("partner"), "building", "secondary"),
    "filter-customer": Look(N_("customer"), "users", "secondary"),
    "related": Look(N_("belongs together"), "link", "secondary"),
    "duplicate": Look(N_("duplicate of"), "copy", "secondary"),
    "duplicated": Look(N_("has the duplicate"), "copy", "secondary"),
    # why a partner does not take it, and what one waits for
    "capacity": Look(N_("no free people"), "users", "secondary"),
    "out_of_scope": Look(N_("not our kind of work"), "tools", "secondary"),
    "awaiting_principal": Look(N_("an answer of the partner"), "building", "secondary"),
    "awaiting_client": Look(N_("an answer of the client"), "user", "secondary"),
    "awaiting_vendor": Look(N_("the vendor"), "truck", "secondary"),
    "awaiting_parts": Look(N_("parts"), "tools", "secondary"),
    "no_access": Look(N_("no way in"), "lock", "secondary"),
    "scheduled": Look(N_("the agreed time"), "calendar", "secondary"),
    "other": Look(N_("another reason"), "dots", "secondary"),
    # of an agent
    "admin": Look(N_("admin"), "shield-lock", "purple"),
    "dispatcher": Look(N_("dispatcher"), "headset", "blue"),
    "engineer": Look(N_("engineer"), "tool", "cyan"),
    "lead": Look(N_("lead"), "star", "indigo"),
    "integrator": Look(N_("integrator"), "plug", "teal"),
    "read_only": Look(N_("only looks"), "eye", "secondary"),
    "enabled": Look(N_("enabled"), "circle-check", "green"),
    "disabled": Look(N_("disabled"), "circle-x", "secondary"),
    "invited": Look(N_("invited"), "send", "yellow"),
    # what somebody may
    "profile": Look(N_("their own profile"), "user", "secondary"),
    "tickets:read": Look(N_("see tickets"), "eye", "secondary"),
    "tickets:work": Look(N_("work on tickets"), "tool", "secondary"),
    "tickets:write": Look(N_("take in and change tickets"), "edit", "secondary"),
    "handoffs:write": Look(N_("hand off and answer partners"), "arrow-forward", "secondary"),
    "links:read": Look(N_("see partners"), "building", "secondary"),
    "links:write": Look(N_("link with partners and change terms"), "link", "secondary"),
    "deliveries:read": Look(N_("see deliveries"), "send", "secondary"),
    "deliveries:write": Look(N_("replay and skip deliveries"), "repeat", "secondary"),
    "directories:read": Look(N_("see directories"), "book", "secondary"),
    "directories:write": Look(N_("keep directories"), "book", "secondary"),
    "rules:write": Look(N_("make rules for everybody"), "adjustments", "secondary"),
    "desks:write": Look(N_("connect desks, mail and webhooks"), "plug", "secondary"),
    "reports:read": Look(N_("see reports"), "chart-bar", "secondary"),
    "health:read": Look(N_("see the health of the node"), "heartbeat", "secondary"),
    "audit:read": Look(N_("read the audit log"), "history", "secondary"),
    # of a token
    "revoked": Look(N_("revoked"), "x", "secondary"),
    "expired": Look(N_("expired"), "clock", "secondary"),
    # of a link
    "requested": Look(N_("requested"), "hourglass", "yellow"),
    "awaiting_confirmation": Look(N_("awaiting confirmation"), "hourglass", "yellow"),
    "active": Look(N_("active"), "link", "green"),
    "suspended": Look(N_("suspended"), "player-pause", "orange"),
    "closed": Look(N_("closed"), "unlink", "secondary"),
    "void": Look(N_("given up"), "x", "secondary"),
    # of delivery
    "healthy": Look(N_("healthy"), "heartbeat", "green"),
    "delayed": Look(N_("delayed"), "clock", "yellow"),
    "overdue": Look(N_("overdue"), "alarm", "orange"),
    "unreachable": Look(N_("unreachable"), "link-off", "red"),
    "queued": Look(N_("queued"), "hourglass", "secondary"),
    "sent": Look(N_("sent"), "arrow-up", "blue"),
    "received": Look(N_("received"), "checks", "green"),
    "failed": Look(N_("failed"), "circle-x", "red"),
    "parked": Look(N_("parked"), "archive", "orange"),
    "in": Look(N_("in"), "arrow-left", "secondary"),
    "out": Look(N_("out"), "arrow-right", "secondary"),
    # of a proposal
    "open": Look(N_("open"), "circle-dot", "yellow"),
    "agreed": Look(N_("agreed"), "circle-check", "green"),
    "refused": Look(N_("refused"), "x", "red"),
    "withdrawn": Look(N_("taken back"), "arrow-back", "secondary"),
    "crossed": Look(N_("gave way to another"), "arrow-back", "secondary"),
    # of terms
    "forbidden": Look(N_("forbidden"), "x", "secondary"),
    "consent": Look(N_("with consent"), "check", "secondary"),
    "notice": Look(N_("with notice"), "bell", "secondary"),
    "allowed": Look(N_("allowed"), "check", "secondary"),
    "auto": Look(N_("granted at once"), "bolt", "secondary"),
    "assess": Look(N_("decided by people"), "user", "secondary"),
    "yes": Look(N_("yes"), "check", "secondary"),
    "no": Look(N_("no"), "x", "secondary"),
    # what was refused of a partner
    "fork": Look(N_("two messages for one place"), "alert-triangle", "red"),
    "replay": Look(N_("nothing new in a batch"), "repeat", "secondary"),
    "flood": Look(N_("more than agreed"), "flame", "orange"),
    "bad_signature": Look(N_("a signature that does not fit"), "shield-lock", "red"),
    "unknown_key": Look(N_("an unknown key"), "key", "red"),
    "bad_clock": Look(N_("signed at another time"), "clock", "orange"),
    "foreign_envelope": Look(N_("signed for another place"), "mail", "red"),
    "foreign_id": Look(N_("what is not on this link"), "id", "red"),
    "wrong_pen": Look(N_("a step out of turn"), "pencil", "orange"),
    "beyond_scope": Look(N_("not within the agreement"), "lock", "orange"),
    "wrong_code": Look(N_("a wrong invitation code"), "hash", "orange"),
    "malformed": Look(N_("breaks the protocol"), "alert-triangle", "orange"),
    # of a step
    "waits": Look(N_("not tried"), "circle-dashed", "secondary"),
    # of a check
    "ok": Look(N_("in order"), "circle-check", "green"),
    "warning": Look(N_("look at it"), "alert-triangle", "yellow"),
}


def look(code: str) -> Look:
    """How this code looks; one that has no entry is shown as it is."""
    return _LOOKS.get(code) or Look(code, "point", "secondary")


def word(code: str) -> str:
    """The word for this code, in the reader's language."""
    return gettext(look(code).text)


def options(codes: Iterable[str]) -> list[tuple[str, str]]:
    """These codes with their words, as a form offers them."""
    return [(str(code), word(code)) for code in codes]
