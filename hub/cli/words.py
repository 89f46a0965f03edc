"""Our closed lists in words: states, roles, reasons. And click's own words, for translation."""

from __future__ import annotations

from typing import Final

from hub.cli.grammar import N_, NN_
from hub.i18n import gettext as _

_WORDS: Final = {
    "new": N_("new"),
    "open": N_("open"),
    "in_progress": N_("in progress"),
    "pending": N_("pending"),
    "resolved": N_("resolved"),
    "closed": N_("closed"),
    "cancelled": N_("cancelled"),
    "offered": N_("offered"),
    "accepted": N_("accepted"),
    "rework": N_("rework"),
    "confirmed": N_("confirmed"),
    "declined": N_("declined"),
    "handed_back": N_("handed back"),
    "low": N_("low"),
    "normal": N_("normal"),
    "high": N_("high"),
    "urgent": N_("urgent"),
    "principal": N_("principal"),
    "contractor": N_("contractor"),
    "public": N_("public"),
    "client": N_("client"),
    "internal": N_("internal"),
    "requested": N_("requested"),
    "awaiting_confirmation": N_("awaiting confirmation"),
    "active": N_("active"),
    "suspended": N_("suspended"),
    "void": N_("given up"),
    "fork": N_("two messages for one place"),
    "replay": N_("nothing new in a batch"),
    "flood": N_("more than agreed"),
    "bad_signature": N_("a signature that does not fit"),
    "unknown_key": N_("an unknown key"),
    "bad_clock": N_("signed at another time"),
    "foreign_envelope": N_("signed for another place"),
    "foreign_id": N_("what is not on this link"),
    "wrong_pen": N_("a step out of turn"),
    "beyond_scope": N_("not within the agreement"),
    "wrong_code": N_("a wrong invitation code"),
    "malformed": N_("breaks the protocol"),
    "queued": N_("queued"),
    "sent": N_("sent"),
    "received": N_("received"),
    "failed": N_("failed"),
    "parked": N_("parked"),
    "healthy": N_("healthy"),
    "delayed": N_("delayed"),
    "overdue": N_("overdue"),
    "unreachable": N_("unreachable"),
    "available": N_("here"),
    "announced": N_("announced"),
    "fetching": N_("on its way"),
    "refused": N_("refused"),
    "gone": N_("gone"),
    "in": N_("in"),
    "out": N_("out"),
    "awaiting_principal": N_("waits for the principal"),
    "awaiting_client": N_("waits for the client"),
    "awaiting_vendor": N_("waits for the vendor"),
    "awaiting_parts": N_("waits for parts"),
    "no_access": N_("no access"),
    "scheduled": N_("scheduled"),
    "enabled": N_("enabled"),
    "identity": N_("identity"),
    "msg": N_("messages"),
    "http": N_("calls"),
    "current": N_("current"),
    "earlier": N_("earlier"),
    "overlap": N_("valid for a while"),
    "revoked": N_("revoked"),
    "same": N_("the same"),
    "succeeded": N_("followed by a new one, vouched for by the old"),
    "different": N_("another one"),
    "disabled": N_("disabled"),
    "admin": N_("admin"),
    "dispatcher": N_("dispatcher"),
    "engineer": N_("engineer"),
    "lead": N_("lead"),
    "integrator": N_("integrator"),
    "read_only": N_("only looks"),
    "crossed": N_("gave way to another"),
    "withdrawn": N_("taken back"),
    "agreed": N_("agreed"),
    "forbidden": N_("forbidden"),
    "consent": N_("with consent"),
    "notice": N_("with notice"),
    "allowed": N_("allowed"),
    "auto": N_("granted at once"),
    "assess": N_("decided by people"),
    "yes": N_("yes"),
    "no": N_("no"),
}

SPANS: Final = (
    (86_400, N_("{n} d ago"), N_("in {n} d")),
    (3_600, N_("{n} h ago"), N_("in {n} h")),
    (60, N_("{n} min ago"), N_("in {n} min")),
)
"""Seconds from which a span is said in this unit; the phrase before now and after it."""

PREVIEW_LABELS: Final = (
    N_("Title"),
    N_("Requester"),
    N_("Assignee"),
    N_("Internal comments"),
)
"""Labels of a preview that are no disclosure class; translated where they are shown."""

CLICK: Final = (
    N_("Usage:"),
    N_("Options"),
    N_("Commands"),
    N_("Positional arguments"),
    N_("Error: {message}"),
    N_("Try '{command} {option}' for help."),
    N_("Show this message and exit."),
    N_("Show the version and exit."),
    N_("Aborted!"),
    N_("Missing command."),
    N_("Missing argument"),
    N_("Missing option"),
    N_("Missing parameter"),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("No such option {name!r}."),
    N_("No such command {name!r}."),
    N_("Option {name!r} does not take a value."),
    N_("Choose from:\n\t{choices}"),
    N_("{value!r} is not a valid {number_type}."),
    N_("{value} is not in the range {range}."),
    N_("{name} {filename!r} does not exist."),
    N_("{name} {filename!r} is a directory."),
    N_("{name} {filename!r} is not readable."),
    N_("file"),
    N_("directory"),
    N_("path"),
    N_("File"),
    N_("Error: invalid input"),
    N_("default: {default}"),
    N_("required"),
    N_("env var: {var}"),
)
"""What click itself says and our people may see."""

CLICK_COUNTED: Final = (
    NN_("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    NN_("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    NN_("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    NN_("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
)
"""The same, with a plural."""


def say(word: str) -> str:
    """The word in the reader's language; an unknown one as it is."""
    known = _WORDS.get(word)
    return word.replace("_", " ") if known is None else _(known)
