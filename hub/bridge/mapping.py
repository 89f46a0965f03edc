"""Between the words of connectors and ours: what they hand over, and what they are handed."""

from __future__ import annotations

import hashlib
import html
import re
from base64 import urlsafe_b64encode
from typing import Any, Final

import nh3

from connectors.contract import (
    Author,
    Change,
    DeskError,
    ForeignComment,
    ForeignFile,
    ForeignTicket,
    NewComment,
    NewTicket,
)
from hub.actions.desk_gaps import Make, Say, Tell
from hub.domain.agreement import DisclosureClass
from hub.domain.desk import TheirComment, TheirFile, TheirTicket
from hub.domain.disclosure import LABELS
from hub.domain.ticket import Priority, TicketStatus
from hub.i18n import gettext as _

_BREAKS: Final = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6]|blockquote|pre)>", re.IGNORECASE)
_BLANKS: Final = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def plain(text: str, *, is_html: bool) -> str:
    """The text without markup, controls and halves of characters."""
    if is_html:
        text = _BREAKS.sub("\n", text)
        # Nothing of it is left as markup: the words, and no script among them.
        text = html.unescape(nh3.clean(text, tags=set(), clean_content_tags={"script", "style"}))
        text = _BLANKS.sub("\n\n", text)
    return _NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


# --- theirs ---------------------------------------------------------------------------------


def theirs(found: ForeignTicket) -> TheirTicket:
    """A ticket over there as actions see it."""
    return TheirTicket(
        id=found.id[:200],
        number=found.number,
        url=found.url if found.url.startswith(("https://", "http://")) else "",
        title=plain(found.title, is_html=False),
        description=plain(found.description, is_html=found.html),
        status=None if found.status is None else TicketStatus(found.status),
        status_there=found.status_there,
        priority=None if found.priority is None else Priority(found.priority),
        assigned=found.assigned,
        requester_id=found.requester.id,
        requester_name=plain(found.requester.name, is_html=False),
        requester_email=plain(found.requester.email, is_html=False),
        marker=found.marker,
        merged_into=found.merged_into[:200],
        updated_at=found.updated_at,
        comments=tuple(_comment(one) for one in found.comments),
        files=tuple(_file(one) for one in found.files),
        unknown=tuple((one.field, one.value) for one in found.unknown),
        every_comment=found.every_comment,
        print=print_of(found),
    )


def print_of(found: ForeignTicket) -> str:
    """A text that differs whenever anything of the ticket does."""
    digest = hashlib.sha256(repr(found).encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _comment(one: ForeignComment) -> TheirComment:
    return TheirComment(
        id=one.id[:200],
        body=plain(one.body, is_html=one.html),
        at=one.at,
        author=plain(one.author.name or "", is_html=False),
        author_id=one.author.id,
        by_us=one.author.by_us,
        public=one.public,
        files=tuple(_file(file) for file in one.files),
    )


def _file(one: ForeignFile) -> TheirFile:
    return TheirFile(
        id=one.id[:200],
        name=one.name,
        ref=one.ref,
        size=one.size,
        media_type=one.content_type,
        public=one.public,
        by_us=one.author.by_us,
    )


# --- ours -----------------------------------------------------------------------------------


def new_ticket(step: Make, url: str) -> NewTicket:
    """The wish for a ticket over there."""
    said: dict[str, Any] = step.view.to_data()
    return NewTicket(
        marker=step.marker,
        title=said["title"],
        description=_described(said),
        status=said["status"],
        priority=said["priority"],
        number=said["number"],
        url=url,
        requester=Author(),
    )


_PARTS: Final = (
    ("site", DisclosureClass.SITE),
    ("contact", DisclosureClass.CONTACT),
    ("asset", DisclosureClass.ASSET),
)


def _described(said: dict[str, Any]) -> str:
    """The description, with where it is, whom to call and what it is about."""
    lines = [said["description"]]
    for member, label in _PARTS:
        if found := said.get(member):
            lines.append(f"{_(LABELS[label])}: {', '.join(found.values())}")
    if items := said.get("checklist"):
        lines.append(_(LABELS[DisclosureClass.CHECKLIST]) + ":")
        lines += [f"[{'x' if one['done'] else ' '}] {one['text']}" for one in items]
    return "\n\n".join(line for line in lines if line)


def text_of(step: Say, company: str) -> str:
    """What is written: who says it stands before it, where that is not simply us."""
    said: dict[str, Any] = step.view.to_data()
    author = "" if said["author"] == company else f"{said['author']}:\n\n"
    return f"{author}{step.prefix}{said['body']}"


def new_comment(step: Say, company: str, pair_id: str) -> NewComment:
    """The wish for a comment over there; its key belongs to this pair alone."""
    said: dict[str, Any] = step.view.to_data()
    return NewComment(
        body=text_of(step, company),
        public=said["public"],
        author=said["author"],
        key=f"{pair_id}.{step.local_id}",
    )


def change(step: Tell) -> Change:
    """The wish for other values over there."""
    return Change(
        status=step.values.get("status"),
        priority=step.values.get("priority"),
        title=step.values.get("title"),
    )


def reason_of(error: DeskError) -> dict[str, Any]:
    """An error of a desk, to be kept and shown."""
    return {
        "code": error.code,
        "told": error.message_id,
        "facts": {name: str(value)[:300] for name, value in error.facts.items()},
        "kind": type(error).__name__.lower(),
    }
