"""What programs of this account are told of, and how often a call to them is repeated.

A webhook tells *that* something happened and the ids of what it happened to, never the words:
whoever calls back with a token sees exactly what that token may see.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from typing import Final

from yarl import URL

from hub.errors import Refused


class EventType(StrEnum):
    """Something that happened on this node."""

    TICKET_CREATED = "ticket.created"  # by our people, or handed to us
    TICKET_CHANGED = "ticket.changed"  # its fields or its status
    COMMENT_ADDED = "comment.added"  # ours or a partner's; the visibility is told
    COMMENT_CHANGED = "comment.changed"  # edited or taken back
    FILE_ADDED = "file.added"  # to a ticket itself; those of a comment come with the comment
    HANDOFF_OFFERED = "handoff.offered"  # by us or to us
    HANDOFF_CHANGED = "handoff.changed"  # a step of its life, told with both states
    HANDOFF_RATED = "handoff.rated"  # a rating, a revision of it, or a reply to it
    LINK_CHANGED = "link.changed"  # suspended, resumed or closed, by either side
    ALERT_RAISED = "alert.raised"  # a person must look
    NODE_RESTORED = "node.restored"  # what was told since the backup is not told again: look
    TEST = "webhook.test"  # somebody asked for it


class WebhookState(StrEnum):
    """Whether a webhook is called."""

    ENABLED = "enabled"
    DISABLED = "disabled"  # by a person, or since it failed for days; nothing is kept for it
    REMOVED = "removed"  # only its past is shown


class CallState(StrEnum):
    """How far one call is."""

    WAITING = "waiting"  # not answered well yet; it will be tried (again)
    DONE = "done"  # answered with 2xx
    FAILED = "failed"  # tried for days; a person may send it again
    DROPPED = "dropped"  # the webhook was disabled or removed, or a restore came between


TOLD_ALWAYS: Final = frozenset({EventType.TEST, EventType.NODE_RESTORED})
"""Whatever a webhook asked for, it is told these."""

URL_MAX: Final = 2_000
_STEPS: Final = tuple(
    timedelta(seconds=one)
    for one in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Waits between attempts, three days and a bit in all.

After https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""


def next_wait(attempts: int, fraction: float) -> timedelta | None:
    """How long to wait after so many attempts failed; None: it has failed for good.

    Up to a tenth longer, by `fraction` in [0, 1): many calls that failed together do not come
    back in one second.
    """
    if attempts > len(_STEPS):
        return None
    step = _STEPS[attempts - 1]
    return step + step * fraction / 10


def check_url(text: str) -> str:
    """The address as it will be called. Raises Refused(url_invalid)."""
    try:
        url = URL(text.strip())
    except ValueError:
        url = URL()
    good = url.scheme in {"https", "http"} and url.host and len(text) <= URL_MAX
    if not good or url.user is not None or url.password is not None or url.raw_fragment:
        raise Refused(
            "url_invalid",
            "'{url}' is not an address that can be called.",
            hint="https://desk.company.example/hub-events",
            url=text[:100],
        )
    return str(url)


def check_types(wanted: Collection[str]) -> list[EventType]:
    """What it wants to be told of, sorted; nothing said means everything.

    Raises Refused(event_unknown).
    """
    known = {str(one) for one in EventType} - TOLD_ALWAYS
    if unknown := sorted(set(wanted) - known):
        raise Refused(
            "event_unknown",
            "There is no event '{name}'.",
            hint="Events: {known}",
            name=unknown[0][:100],
            known=" ".join(sorted(known)),
        )
    return sorted(EventType(one) for one in set(wanted))


def wants(asked: Collection[str], event: EventType) -> bool:
    """Whether who asked for these is told of this."""
    return not asked or event in TOLD_ALWAYS or event in asked
