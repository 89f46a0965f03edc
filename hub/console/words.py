"""The words of the console for what the program calls by codes, and how each of them looks.

Never a colour alone: a word, an icon and a colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import available_timezones

from hub.i18n import N_, gettext

LANGUAGES: Final = (("ru", "Русский"), ("en", "English"))
"""Each language in itself: whoever cannot read this one finds theirs."""


ZONES: Final = sorted(one for one in available_timezones() if "/" in one and "Etc/" not in one)
"""What a field for a time zone offers."""

DECLINES: Final = ("capacity", "out_of_scope", "other")
"""Reasons a person gives for declining; the others are what the node itself finds."""


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
    "subcontract.ask": Look(N_("asked to hand it on"), "arrow-forward", "secondary"),
    "subcontract.answer": Look(N_("answered about handing it on"), "check", "secondary"),
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
    "mark-late": Look(N_("not delivered yet, tried again"), "alert-circle", "orange"),
    "mark-delivered": Look(N_("delivered"), "check", "green"),
    "mark-seen": Look(N_("delivered, taken in by their system"), "checks", "green"),
    "mark-failed": Look(N_("not delivered"), "circle-x", "red"),
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
    "filter-team": Look(N_("team"), "users-group", "secondary"),
    "filter-asset": Look(N_("equipment"), "device-desktop", "secondary"),
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
    # of a letter
    "stored": Look(N_("not read yet"), "hourglass", "secondary"),
    "held": Look(N_("waits for a person"), "hourglass", "orange"),
    "dropped": Look(N_("set aside"), "x", "secondary"),
    "skipped": Look(N_("set aside"), "x", "secondary"),
    "bounced": Look(N_("came back"), "arrow-back", "red"),
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
    # what a message to a partner, or from one, says
    "msg-comment.add": Look(N_("a comment"), "message", "secondary"),
    "msg-comment.edit": Look(N_("a comment is changed"), "pencil", "secondary"),
    "msg-comment.redact": Look(N_("a comment is taken back"), "eye-off", "secondary"),
    "msg-data.erase": Look(N_("asks to erase personal data"), "trash", "secondary"),
    "msg-data.erased": Look(N_("personal data are erased"), "trash", "secondary"),
    "msg-file.add": Look(N_("a file"), "paperclip", "secondary"),
    "msg-file.redact": Look(N_("a file is taken back"), "eye-off", "secondary"),
    "msg-file.status": Look(N_("a file has arrived"), "download", "secondary"),
    "msg-handoff.offer": Look(N_("hands a ticket off"), "arrow-forward", "secondary"),
    "msg-handoff.accept": Look(N_("accepts"), "check", "secondary"),
    "msg-handoff.decline": Look(N_("declines"), "x", "secondary"),
    "msg-handoff.start": Look(N_("begins the work"), "player-play", "secondary"),
    "msg-handoff.pend": Look(N_("pauses the work"), "player-pause", "secondary"),
    "msg-handoff.plan": Look(N_("tells the plan of the work"), "calendar", "secondary"),
    "msg-handoff.resolve": Look(N_("says it is done"), "circle-check", "secondary"),
    "msg-handoff.hand_back": Look(N_("gives the ticket back"), "arrow-back", "secondary"),
    "msg-handoff.confirm": Look(N_("confirms the work"), "checks", "secondary"),
    "msg-handoff.return": Look(N_("sends it back for rework"), "arrow-back-up", "secondary"),
    "msg-handoff.close": Look(N_("closes the hand-off"), "lock", "secondary"),
    "msg-handoff.cancel": Look(N_("withdraws the ticket"), "x", "secondary"),
    "msg-handoff.cancel_request": Look(N_("asks to cancel"), "x", "secondary"),
    "msg-handoff.cancelled": Look(N_("agrees to cancel"), "check", "secondary"),
    "msg-handoff.cancel_refused": Look(N_("goes on with the work"), "x", "secondary"),
    "msg-handoff.retract_request": Look(
        N_("asks to have the work back"), "arrow-back", "secondary"
    ),
    "msg-handoff.retract_refused": Look(N_("does not give the work back"), "x", "secondary"),
    "msg-handoff.update": Look(N_("the ticket changed"), "edit", "secondary"),
    "msg-link.amend": Look(N_("proposes other terms"), "file-text", "secondary"),
    "msg-link.amended": Look(N_("other terms are agreed"), "check", "secondary"),
    "msg-link.amend_refused": Look(N_("other terms are refused"), "x", "secondary"),
    "msg-link.amend_withdrawn": Look(N_("takes its proposal back"), "arrow-back", "secondary"),
    "msg-link.checkpoint": Look(N_("compares what both sides have"), "scale", "secondary"),
    "msg-link.differences": Look(N_("tells what differs"), "scale", "secondary"),
    "msg-link.epoch": Look(N_("begins its stream anew"), "refresh", "secondary"),
    "msg-link.keys": Look(N_("tells its new keys"), "key", "secondary"),
    "msg-link.suspend": Look(N_("suspends the link"), "player-pause", "secondary"),
    "msg-link.resume": Look(N_("resumes the link"), "player-play", "secondary"),
    "msg-link.close": Look(N_("closes the link"), "unlink", "secondary"),
    "msg-link.skip": Look(N_("leaves a message out"), "player-skip-forward", "secondary"),
    "msg-message.rejected": Look(N_("refuses a message"), "circle-x", "secondary"),
    "msg-rating.set": Look(N_("rates the work"), "star", "secondary"),
    "msg-rating.reply": Look(N_("answers a rating"), "message-2", "secondary"),
    "msg-subcontract.ask": Look(N_("asks to hand the work on"), "users", "secondary"),
    "msg-subcontract.answer": Look(N_("answers whether to hand the work on"), "users", "secondary"),
    "msg-subcontract.notice": Look(N_("tells of a subcontractor"), "users", "secondary"),
    # of a custom field
    "field-text": Look(N_("text"), "forms", "secondary"),
    "field-number": Look(N_("number"), "hash", "secondary"),
    "field-date": Look(N_("date"), "calendar", "secondary"),
    "field-choice": Look(N_("one of several"), "list", "secondary"),
    "field-yes_no": Look(N_("yes or no"), "check", "secondary"),
    # what a webhook is told of, and how far a call is
    "event-ticket.created": Look(N_("a ticket came"), "ticket", "secondary"),
    "event-ticket.changed": Look(N_("a ticket changed"), "ticket", "secondary"),
    "event-comment.added": Look(N_("a comment was written"), "message", "secondary"),
    "event-comment.changed": Look(N_("a comment changed"), "message", "secondary"),
    "event-file.added": Look(N_("a file was added"), "paperclip", "secondary"),
    "event-handoff.offered": Look(N_("a ticket was handed off"), "arrow-forward", "secondary"),
    "event-handoff.changed": Look(N_("a hand-off moved on"), "arrow-forward", "secondary"),
    "event-handoff.rated": Look(N_("work was rated"), "star", "secondary"),
    "event-link.changed": Look(N_("a link changed"), "link", "secondary"),
    "event-alert.raised": Look(N_("a person must look"), "alarm", "secondary"),
    "event-node.restored": Look(N_("the node was restored"), "refresh", "secondary"),
    "event-webhook.test": Look(N_("trial call"), "send", "secondary"),
    "call-waiting": Look(N_("waits"), "hourglass", "secondary"),
    "call-done": Look(N_("taken"), "checks", "green"),
    "call-failed": Look(N_("failed"), "circle-x", "red"),
    "call-dropped": Look(N_("dropped"), "x", "secondary"),
    "removed": Look(N_("removed"), "x", "secondary"),
    # of a foreign desk
    "customers_desk": Look(N_("customer's desk"), "users", "secondary"),
    "own_desk": Look(N_("our own desk"), "home", "secondary"),
    "vendors_desk": Look(N_("contractor's desk"), "truck", "secondary"),
    "draft": Look(N_("draft"), "pencil", "secondary"),
    "failing": Look(N_("does not work"), "alert-circle", "red"),
    "mirror-none": Look(N_("only those a person sends"), "x", "secondary"),
    "mirror-handoffs": Look(N_("what partners hand to us"), "arrow-forward", "secondary"),
    "mirror-all": Look(N_("all"), "checks", "secondary"),
    "notes-none": Look(N_("none"), "x", "secondary"),
    "notes-in": Look(N_("theirs become ours"), "arrow-left", "secondary"),
    "notes-out": Look(N_("ours are written over there"), "arrow-right", "secondary"),
    "notes-both": Look(N_("both"), "checks", "secondary"),
    "published": Look(N_("at work"), "circle-check", "green"),
    "replaced": Look(N_("replaced"), "history", "secondary"),
    "rolled_back": Look(N_("rolled back"), "arrow-back-up", "secondary"),
    "pair-live": Look(N_("goes to and fro"), "circle-check", "green"),
    "pair-waiting": Look(N_("waits to be told"), "hourglass", "yellow"),
    "pair-parked": Look(N_("waits for a person"), "archive", "orange"),
    "pair-gone": Look(N_("deleted over there"), "trash", "red"),
    "pair-away": Look(N_("not ours any more over there"), "arrow-back", "secondary"),
    "pair-merged": Look(N_("merged over there"), "link", "secondary"),
    "pair-cut": Look(N_("cut off"), "unlink", "secondary"),
    "sent-ticket": Look(N_("the ticket itself"), "ticket", "secondary"),
    "sent-fields": Look(N_("fields"), "forms", "secondary"),
    "sent-comment": Look(N_("a comment"), "message", "secondary"),
    "sent-file": Look(N_("a file"), "paperclip", "secondary"),
    "field-of-title": Look(N_("Subject"), "forms", "secondary"),
    "field-of-description": Look(N_("Description"), "forms", "secondary"),
    "field-of-status": Look(N_("State"), "forms", "secondary"),
    "field-of-priority": Look(N_("Priority"), "forms", "secondary"),
    "tried-real": Look(N_("the real software"), "check", "secondary"),
    "tried-simulator": Look(N_("a simulator"), "check", "secondary"),
    "tried-documentation": Look(N_("its documentation"), "book", "secondary"),
    "archived": Look(N_("in the archive"), "archive", "secondary"),
    "secret-kept": Look(N_("kept"), "lock", "green"),
    "secret-missing": Look(N_("missing"), "alert-circle", "orange"),
    "error": Look(N_("does not work"), "circle-x", "red"),
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
