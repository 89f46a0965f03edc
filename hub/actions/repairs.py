"""Healing a hand-off that is not what its messages make it.

The signed messages of both directions are the truth both sides hold. What our tables say of the
shared part is computed anew from them, and what differs is written; nothing is sent, and what
only we know (status, assignee, internal comments, what was detached) is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.actions import checkpoints, files, permits
from hub.actions.context import Actor, Hub
from hub.domain.comment import Role, Visibility
from hub.domain.handoff import Party, State
from hub.domain.permission import Permission
from hub.domain.replay import CONTENT, Fields, Said
from hub.domain.ticket import Asset, Contact, Priority, Site
from hub.ids import AttachmentId, CommentId, HandoffId, LinkId
from hub.protocol.encoding import parse_instant
from hub.storage import attachments, audit, comments, ground, handoffs, links, shared, tickets
from hub.storage import checkpoints as stored
from hub.storage.attachments import Attachment, FileState
from hub.storage.comments import Comment
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff

_INSTANTS: Final = frozenset(
    {
        *("since", "offered_at", "valid_until", "due_requested", "due_promised", "eta"),
        *("pend_until", "request_at", "resolved_at", "confirmed_at", "closed_at"),
    }
)
_UNSAID: Final[Mapping[str, Any]] = {"hops": [], "rating_rev": 0, "rating_reply_rev": 0}
"""What a column says where the shared part has nothing and null is not possible."""

_PARTS: Final[Mapping[str, Callable[..., Any]]] = {
    "contact": Contact,
    "site": Site,
    "asset": Asset,
    "priority": Priority,
}


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was written anew in one hand-off."""

    handoff_id: HandoffId
    ticket: str
    fields: tuple[str, ...]  # empty: nothing of ours was wrong
    possible: bool  # False: payloads of its messages were erased


async def repair(hub: Hub, actor: Actor, link_id: LinkId) -> list[Repaired]:
    """Replay every hand-off that the last comparison with this peer found to differ."""
    permits.require(actor, Permission.LINKS_WRITE)

    def transaction(tx: Tx) -> list[Repaired]:
        differing = _differing(tx, link_id)
        ground.of_handoffs(tx, *differing, beside=[link_id])
        return [
            _repair(tx, hub, actor, handoffs.lock(tx, handoff_id))
            for handoff_id in _differing(tx, link_id)
            if handoff_id in differing  # what was found only now is healed the next time
        ]

    return await hub.db.write(transaction)


def _differing(tx: Tx, link_id: LinkId) -> list[str]:
    found = stored.differences_of(tx.connection, link_id=link_id)
    return sorted({one.handoff_id for one in found})


def _repair(tx: Tx, hub: Hub, actor: Actor, handoff: Handoff) -> Repaired:
    now = hub.now()
    number = tickets.get(tx.connection, handoff.ticket_id).number
    right = shared.replayed(tx.connection, handoff)
    if right is None or not right:
        return Repaired(handoff.id, number, (), possible=False)
    ours = shared.projection(tx.connection, handoff)
    wrong = {name for name in ours.keys() | right if ours.get(name) != right.get(name)}
    columns = _columns(handoff, wrong, right)
    if columns:
        handoffs.change(tx, handoff.id, **columns)
    _content(tx, handoff, wrong, right, now)
    log = shared.spoken(tx.connection, handoff)
    for name in sorted(wrong):
        if name.startswith("cmt_"):
            _comment(tx, hub, handoff, name, right.get(name), log)
    for name in sorted(wrong):
        if name.startswith("att_"):
            _file(tx, hub, handoff, name, right.get(name), log)
    healed = handoffs.lock(tx, handoff.id)
    after = shared.projection(tx.connection, healed)
    done = tuple(sorted(name for name in wrong if after.get(name) == right.get(name)))
    if done:
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="handoff.repaired",
            handoff=handoff.id,
            ticket=number,
            fields=list(done),
        )
        handoffs.record(
            tx,
            handoff.id,
            at=now,
            party=handoff.party,
            actor=actor.display,
            event="repaired",
            facts={"fields": list(done)},
        )
    checkpoints.settled_here(tx, healed, after, now)
    return Repaired(handoff.id, number, done, possible=True)


def _columns(handoff: Handoff, wrong: set[str], right: Fields) -> dict[str, Any]:
    """The hand-off's own columns, as the messages make them."""
    found: dict[str, Any] = {}
    for name in shared.COLUMNS:
        if name in wrong:
            value = right.get(name, _UNSAID.get(name))
            found[name] = parse_instant(value) if name in _INSTANTS and value else value
    if "state" in found:
        found["state"] = State(found["state"])
    if found.get("rating_criteria", ()) is None and right.get("score") is not None:
        found["rating_criteria"] = {}
    theirs = "number_contractor" if handoff.party is Party.PRINCIPAL else "number_principal"
    if theirs in wrong:
        found["peer_number"] = right.get(theirs)
    return found


def _content(tx: Tx, handoff: Handoff, wrong: set[str], right: Fields, now: datetime) -> None:
    """What the principal told of its ticket, in the contractor's."""
    if handoff.party is not Party.CONTRACTOR:
        return  # read off our own messages: it cannot be wrong
    changes: dict[str, Any] = {}
    for name in CONTENT:
        if name not in wrong:
            continue
        value = right.get(name)
        if name in {"title", "description", "service"}:
            changes[name] = value or ""
        elif name == "priority":
            changes[name] = Priority(str(value))
        else:
            changes[name] = _PARTS[name](**value) if value else None
    if changes:
        tickets.change(tx, handoff.ticket_id, updated_at=now, **changes)


def _comment(
    tx: Tx, hub: Hub, handoff: Handoff, name: str, right: Fields | None, log: list[Said]
) -> None:
    local_id = comments.local_of(tx.connection, handoff.id, "cmt", name)
    if right is None:
        comments.unrefer(tx, handoff.id, "cmt", name)  # it never went along: it stays ours
        return
    sent = right["by"] == handoff.party
    values: dict[str, Any] = {
        "body": right.get("body", ""),
        "format": right["format"],
        "rev": right["rev"],
        "at": parse_instant(right["at"]),
        "edited_at": _instant(right.get("edited_at")),
        "redacted_at": _instant(right.get("redacted_at")),
    }
    here = None if local_id is None else comments.find(tx.connection, local_id)
    if here is None and sent:
        here = comments.find(tx.connection, name)
    if here is not None and local_id == here.id:
        comments.change(tx, here.id, **values)
        comments.mark_sent(tx, handoff.id, "cmt", name, sent=sent)
        return
    said = next(one for one in log if one.said.get("comment_id") == name)
    if local_id is not None:
        comments.unrefer(tx, handoff.id, "cmt", name)
    if here is None:
        author = said.said["author"]
        peer = links.get(tx.connection, handoff.link_id).peer_name
        here = Comment(
            id=CommentId(name if sent else hub.new_id("cmt", hub.now())),
            ticket_id=handoff.ticket_id,
            visibility=Visibility.PUBLIC,
            author_ref=author["ref"],
            author=author["display"],
            role=Role.told(author.get("role", "")),
            account=hub.account.name if sent else peer,
            origin_handoff_id=None if sent else handoff.id,
            **values,
        )
        comments.put_back(tx, here)
    else:
        comments.change(tx, here.id, **values)
    comments.refer(
        tx,
        handoff.id,
        "cmt",
        remote_id=name,
        local_id=here.id,
        sent=sent,
        message_id=said.id if sent else None,
    )


def _file(
    tx: Tx, hub: Hub, handoff: Handoff, name: str, right: Fields | None, log: list[Said]
) -> None:
    local_id = comments.local_of(tx.connection, handoff.id, "att", name)
    if right is None:
        comments.unrefer(tx, handoff.id, "att", name)
        return
    sent, now = right["by"] == handoff.party, hub.now()
    here = attachments.find(tx.connection, local_id or (name if sent else ""))
    values: dict[str, Any] = {
        "sha256": right["sha256"],
        "size": right["size"],
        "media_type": right["media_type"],
        "name": files.clean_name(right["name"]),
        "redacted_at": (here and here.redacted_at) or now if right["redacted"] else None,
    }
    if not sent and (here is None or here.sha256 != right["sha256"]):
        values |= _bytes_of(tx, hub, handoff, right)
    if here is not None:
        attachments.change(tx, here.id, **values)
    else:
        said = next(
            one
            for one in log
            if any(file["attachment_id"] == name for file in one.said.get("files", ()))
        )
        comment = said.said.get("comment_id")
        here = Attachment(
            id=AttachmentId(name if sent else hub.new_id("att", now)),
            ticket_id=handoff.ticket_id,
            comment_id=None
            if comment is None
            else CommentId(comments.local_of(tx.connection, handoff.id, "cmt", comment) or ""),
            visibility=Visibility.PUBLIC,
            at=now,
            origin_handoff_id=None if sent else handoff.id,
            **{"state": FileState.AVAILABLE, "reason": None, **values},
        )
        attachments.add(tx, here)
    if local_id is None or local_id != here.id:
        comments.unrefer(tx, handoff.id, "att", name)
        comments.refer(tx, handoff.id, "att", remote_id=name, local_id=here.id, sent=sent)
    else:
        comments.mark_sent(tx, handoff.id, "att", name, sent=sent)


def _bytes_of(tx: Tx, hub: Hub, handoff: Handoff, right: Fields) -> dict[str, Any]:
    """Whether the file that was announced is here; else it is pulled again."""
    link_id, sha256 = handoff.link_id, right["sha256"]
    ground.of_contents(tx, sha256)
    if attachments.was_fetched(tx.connection, link_id, sha256) and hub.blobs.has(sha256):
        return {"state": FileState.AVAILABLE, "reason": None}
    attachments.want(tx, link_id, sha256, right["size"])
    attachments.change_fetch(tx, link_id, sha256, state=FileState.ANNOUNCED, next_at=None)
    tx.wake(files.FETCH_TOPIC)
    return {"state": FileState.ANNOUNCED, "reason": None}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
