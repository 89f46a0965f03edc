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
    # of a check
    "ok": Look(N_("in order"), "circle-check", "green"),
    "warning": Look(N_("look at it"), "alert-triangle", "yellow"),
    "failed": Look(N_("failed"), "circle-x", "red"),
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
