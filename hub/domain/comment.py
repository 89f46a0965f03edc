"""What people say on a ticket, and who may ever read it.

A comment is internal unless a person said otherwise: forgetting to choose keeps it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.domain.lengths import TEXT_MAX, check_content, check_text
from hub.errors import Refused
from hub.ids import CommentId


class Visibility(StrEnum):
    """Who may read a comment or a file."""

    PUBLIC = "public"  # shared along hand-offs, and with the requester
    CLIENT = "client"  # for the requester; does not travel to peers
    INTERNAL = "internal"  # only us


DEFAULT_VISIBILITY = Visibility.INTERNAL


def may_travel(visibility: Visibility) -> bool:
    """Whether a peer may ever see it. The one place where this is decided."""
    return visibility is Visibility.PUBLIC


def may_reach_client(visibility: Visibility) -> bool:
    """Whether the requester may ever see it."""
    return visibility is not Visibility.INTERNAL


class Role(StrEnum):
    """What the author is in their company. A closed list, so that it carries no names."""

    AGENT = "agent"  # a person who works on the ticket
    REQUESTER = "requester"  # the person with the problem
    SYSTEM = "system"  # a rule or a program

    @classmethod
    def told(cls, text: str) -> Role:
        """The role a peer named; an agent where the peer knows a role that we do not."""
        try:
            return cls(text)
        except ValueError:
            return cls.AGENT


class BodyFormat(StrEnum):
    """How the body is written."""

    PLAIN = "plain"
    MARKDOWN = "markdown"  # the subset that the console renders


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it, as we know them. What a peer is told of it is decided in disclosure."""

    ref: str  # an opaque id, stable for one person; ours is the agent id
    display: str  # the name to show
    role: Role
    account: str  # the name of their company, as our records hold it


@dataclass(frozen=True, slots=True)
class Comment:
    """One revision of one comment."""

    comment_id: CommentId
    author: Author
    body: str
    at: datetime
    format: BodyFormat = BodyFormat.PLAIN
    visibility: Visibility = DEFAULT_VISIBILITY
    reply_to: CommentId | None = None
    rev: int = 1


def check_body(body: str, *, with_files: bool = False) -> None:
    """Return if this can be stored as a comment and sent on.

    Raises `Refused(comment_empty | text_too_long | text_invalid)`.
    """
    if not body.strip() and not with_files:
        raise Refused("comment_empty", "The comment is empty.")
    check_content(check_text("comment", body, TEXT_MAX))
