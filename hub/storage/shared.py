"""The shared part of a hand-off: as our tables have it, and as the signed messages make it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from hub.domain.delivery import DeliveryState
from hub.domain.handoff import Party
from hub.domain.replay import CONTENT, Fields, Said, fold, in_causal_order, plain
from hub.protocol import checkpoint, signing
from hub.protocol.encoding import instant, unb64url
from hub.storage import tickets
from hub.storage.handoffs import Handoff
from hub.storage.inbox import InboxState
from hub.storage.statements import Query
from hub.storage.tables import attachments, comments, inbox, item_refs, outbox

COLUMNS: Final = (
    *("state", "since", "round", "hops", "hop_limit", "offered_at", "valid_until"),
    *("due_requested", "due_promised", "eta", "assignee", "stage", "plan"),
    *("pend_reason", "pend_until", "stops_clock"),
    *("resolution", "resolution_code", "effort_minutes", "reason", "work_started"),
    *("request", "request_id", "request_reason", "request_at"),
    *("consent", "consent_id", "consent_text", "consent_at"),
    *("resolved_at", "confirmed_at", "closed_at"),
    *("score", "rating_criteria", "rating_text", "rating_rev", "rating_reply", "rating_reply_rev"),
)
"""Columns of a hand-off that are the same on both sides, under the names of the shared fields."""

_COMMENTS: Final[Query[tuple[Any, ...]]] = Query(
    select(
        item_refs.c.remote_id,
        item_refs.c.sent,
        comments.c.rev,
        comments.c.format,
        comments.c.body,
        comments.c.at,
        comments.c.edited_at,
        comments.c.redacted_at,
    )
    .join(comments, comments.c.id == item_refs.c.local_id)
    .where(item_refs.c.handoff_id == bindparam("handoff_id"), item_refs.c.kind == "cmt"),
    lambda *row: row,
)
_FILES: Final[Query[tuple[Any, ...]]] = Query(
    select(
        item_refs.c.remote_id,
        item_refs.c.sent,
        attachments.c.sha256,
        attachments.c.size,
        attachments.c.media_type,
        attachments.c.name,
        attachments.c.redacted_at,
    )
    .join(attachments, attachments.c.id == item_refs.c.local_id)
    .where(item_refs.c.handoff_id == bindparam("handoff_id"), item_refs.c.kind == "att"),
    lambda *row: row,
)
_SENT: Final[Query[tuple[Any, ...]]] = Query(
    select(outbox.c.id, outbox.c.type, outbox.c.seq, outbox.c.env, outbox.c.data)
    .where(
        outbox.c.handoff_id == bindparam("handoff_id"),
        outbox.c.link_id == bindparam("link_id"),
        outbox.c.state != DeliveryState.FAILED,  # the peer refused it: no effect there
    )
    .order_by(outbox.c.seq),
    lambda *row: row,
)
_RECEIVED: Final[Query[tuple[Any, ...]]] = Query(
    select(inbox.c.id, inbox.c.type, inbox.c.seq, inbox.c.env, inbox.c.data)
    .where(
        inbox.c.handoff_id == bindparam("handoff_id"),
        inbox.c.link_id == bindparam("link_id"),
        inbox.c.state == InboxState.DONE,
    )
    .order_by(inbox.c.seq),
    lambda *row: row,
)


def _of(handoff: Handoff) -> dict[str, str]:
    return {"handoff_id": handoff.id, "link_id": handoff.link_id}


def projection(connection: Connection, handoff: Handoff) -> Fields:
    """What our tables say of what both sides share; in its one spelling."""
    fields: Fields = {name: _plain(getattr(handoff, name)) for name in COLUMNS}
    ticket = tickets.get(connection, handoff.ticket_id)
    ours, theirs = ticket.number, handoff.peer_number
    if handoff.party is Party.PRINCIPAL:
        fields |= {
            "number_principal": ours,
            "number_contractor": theirs,
            **_told(connection, handoff),
        }
    else:
        fields |= {"number_principal": theirs, "number_contractor": ours}
        for name in CONTENT:
            value = getattr(ticket, name)
            if name in {"contact", "site", "asset"} and value is not None:
                value = {key: text for key, text in asdict(value).items() if text}
            fields[name] = _plain(value)
    by = {True: handoff.party.value, False: handoff.party.other.value}
    for remote_id, sent, rev, format_, body, at, edited_at, redacted_at in _COMMENTS.all(
        connection, handoff_id=handoff.id
    ):
        fields[remote_id] = plain(
            {
                "by": by[bool(sent)],
                "rev": rev,
                "format": format_,
                "body": body,
                "at": _plain(at),
                "edited_at": _plain(edited_at),
                "redacted_at": _plain(redacted_at),
            }
        )
    for remote_id, sent, sha256, size, media_type, name, redacted_at in _FILES.all(
        connection, handoff_id=handoff.id
    ):
        fields[remote_id] = {
            "by": by[bool(sent)],
            "sha256": sha256,
            "size": size,
            "media_type": media_type,
            "name": name,
            "redacted": redacted_at is not None,
        }
    return plain(checkpoint.clean(fields))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return str(value) if isinstance(value, str) else value


def _told(connection: Connection, handoff: Handoff) -> Fields:
    """What we told the contractor of our ticket: read off our own messages.

    The ticket itself may say more (what is withheld) or other things (what is not told any
    more); it is our own record.
    """
    said = [
        one
        for one in _messages(_SENT.all(connection, **_of(handoff)), handoff.party) or []
        if one.type in {"handoff.offer", "handoff.update"}
    ]
    found = fold(said)
    return {name: found[name] for name in CONTENT if name in found}


def replayed(connection: Connection, handoff: Handoff) -> Fields | None:
    """What follows from both sides' signed messages alone; None where payloads were erased."""
    sent = _messages(_SENT.all(connection, **_of(handoff)), handoff.party)
    received = _messages(
        _RECEIVED.all(connection, handoff_id=handoff.id, link_id=handoff.link_id),
        handoff.party.other,
    )
    if sent is None or received is None:
        return None
    both = (sent, received) if handoff.party is Party.PRINCIPAL else (received, sent)
    return plain(fold(in_causal_order(*both)))


def spoken(connection: Connection, handoff: Handoff) -> list[Said]:
    """Both sides' messages in causal order; those whose payload was erased are left out."""
    found: dict[Party, list[Said]] = {}
    for party, rows in (
        (handoff.party, _SENT.all(connection, **_of(handoff))),
        (
            handoff.party.other,
            _RECEIVED.all(connection, handoff_id=handoff.id, link_id=handoff.link_id),
        ),
    ):
        found[party] = _messages([row for row in rows if row[4] is not None], party) or []
    return in_causal_order(found[Party.PRINCIPAL], found[Party.CONTRACTOR])


def _messages(rows: list[tuple[Any, ...]], by: Party) -> list[Said] | None:
    found = []
    for id_, type_, seq, env, data in rows:
        if data is None:
            return None
        envelope: Mapping[str, Any] = json.loads(unb64url(env.split(".")[1]))
        found.append(
            Said(
                id=id_,
                by=by,
                type=type_,
                at=envelope["ts"],
                said=signing.read_data(data),
                seq=seq,
                acked=envelope.get("ack", [0])[0],
                cause=envelope.get("cause"),
            )
        )
    return found
