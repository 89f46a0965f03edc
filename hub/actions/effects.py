"""When two messages of ours are one and the same, though their ids differ.

After a restore a node meets what it said before: in the peer's log, and again as the consequence
of messages it is sent a second time. Ids cannot tell, they are random. The effect key can.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hub.protocol import signing
from hub.storage import outbox
from hub.storage.database import Connection
from hub.storage.outbox import OutboxRow
from hub.storage.streams import Stream

_ALL: Final = ("*",)  # every member says what the effect is

MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "handoff.offer": (),  # a hand-off is offered once
    "handoff.accept": ("from",),
    "handoff.decline": ("from",),
    "handoff.start": ("from",),
    "handoff.pend": ("from", "reason", "until"),
    "handoff.resolve": ("from", "resolution"),
    "handoff.hand_back": ("from",),
    "handoff.confirm": ("from",),
    "handoff.return": ("from", "round"),
    "handoff.close": ("from",),
    "handoff.cancel": ("from",),
    "handoff.cancelled": ("from",),
    "handoff.cancel_request": ("code",),  # the request id is made anew each time
    "handoff.cancel_refused": ("request_id",),
    "handoff.retract_request": (),
    "handoff.retract_refused": ("request_id",),
    "handoff.update": _ALL,
    "handoff.plan": _ALL,
    "comment.add": ("comment_id",),
    "comment.edit": ("comment_id", "rev"),
    "comment.redact": ("comment_id",),
    "file.add": ("files",),
    "file.redact": ("attachment_id",),
    "file.status": ("sha256", "attachment_id", "status"),
    "rating.set": ("rev",),
    "rating.reply": ("rev",),
    "subcontract.ask": (),  # the request id is made anew each time
    "subcontract.answer": ("request_id",),
    "subcontract.notice": ("hop", "status", "since"),
    "data.erase": ("at",),  # the same along the whole chain
    "data.erased": ("ref_id", "held"),
    "link.suspend": (),
    "link.resume": (),
    "link.close": (),
    "link.epoch": ("epoch",),
    "link.skip": ("id",),
    "link.amend": ("agreement",),
    "link.amended": ("agreement_hash",),
    "link.amend_refused": ("agreement_hash",),
    "link.amend_withdrawn": ("agreement_hash",),
    "link.checkpoint": _ALL,
    "link.differences": _ALL,
    "link.keys": ("key_set",),
    "message.rejected": ("ref_id",),
}
"""Which members of each type make its effect what it is, together with the hand-off."""

ONCE: Final = frozenset(
    {
        "comment.add",
        "comment.edit",
        "comment.redact",
        "file.add",
        "file.redact",
        "file.status",
        "subcontract.notice",
        "data.erase",
        "data.erased",
        "link.amend_refused",
        "message.rejected",
    }
)
"""Types whose key names one thing for ever: a second message of that key says nothing new."""


EACH: Final = frozenset({"link.suspend", "link.resume"})
"""Types whose every message counts: a later one of the same words answers what came between."""


def effect_key(type_: str, handoff_id: str | None, data: Mapping[str, Any]) -> str:
    """What makes two messages of ours the same effect; `data` with or without its salt."""
    names = MADE_OF.get(type_, _ALL)
    if names == _ALL:
        told = {name: value for name, value in data.items() if name != "salt"}
    else:
        told = {name: data[name] for name in names if name in data}
    if "files" in told:
        told["files"] = [one["attachment_id"] for one in told["files"]]
    return json.dumps([type_, handoff_id, told], sort_keys=True, ensure_ascii=False)


def _name(type_: str, data: Mapping[str, Any]) -> str:
    """The id that stands in every message of this key: what the database looks for first."""
    named: object = data[MADE_OF[type_][0]]
    return named[0]["attachment_id"] if isinstance(named, list) else str(named)


def key_of(row: OutboxRow) -> str | None:
    """The effect key of a stored message; None where its payload was erased."""
    if row.data is None:
        return None
    return effect_key(row.type, row.handoff_id, signing.read_data(row.data))


def said_before(
    connection: Connection,
    stream: Stream,
    type_: str,
    handoff_id: str | None,
    data: Mapping[str, Any],
) -> OutboxRow | None:
    """The message of ours by which this was said before a restore, or None.

    While own messages are being re-applied, any of them that waits for its turn; afterwards,
    on a link that took some back, what can be said only once.
    """
    if type_ in EACH or not (stream.reapplying or (stream.taken_back and type_ in ONCE)):
        return None
    key = effect_key(type_, handoff_id, data)
    once = type_ in ONCE
    found = outbox.said(
        connection,
        stream.link_id,
        type_,
        handoff_id,
        pending=not once,
        holding=_name(type_, data) if once else "",
    )
    for row in found:
        if key_of(row) == key:
            return row
    return None
