"""The one dispatch table: from the type of a peer's message to what it does here.

Whatever is refused by a rule goes back in-band as `message.rejected`: the message was
authentic and is stored, so its stream goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from hub.actions import (
    amendments,
    checkpoints,
    comments,
    consents,
    erasures,
    files,
    links,
    outgoing,
    peer_keys,
    received_handoffs,
    suspicions,
)
from hub.actions.context import Hub
from hub.actions.received_handoffs import Handler, Received
from hub.domain.delivery import DeliveryState
from hub.domain.disclosure import link_view
from hub.errors import Refused, Unavailable, Untrusted
from hub.ids import HandoffId
from hub.protocol import payloads, signing
from hub.protocol.encoding import unb64url
from hub.protocol.problems import REJECTS
from hub.storage import agreements, inbox, outbox
from hub.storage.database import Tx
from hub.storage.inbox import InboxRow, InboxState
from hub.storage.links import Link


def _comment(tx: Tx, hub: Hub, message: Received) -> None:
    handoff = received_handoffs.known(tx, message)
    direction = message.direction(handoff.party)
    comments.receive(tx, hub, handoff, message.said, message.link.peer_name, message.now, direction)


def _comment_edit(tx: Tx, hub: Hub, message: Received) -> None:
    handoff = received_handoffs.known(tx, message)
    comments.receive_edit(tx, hub, handoff, message.said, message.now)


def _comment_redact(tx: Tx, hub: Hub, message: Received) -> None:
    handoff = received_handoffs.known(tx, message)
    comments.receive_redaction(tx, hub, handoff, message.said, message.now)


def _file(tx: Tx, hub: Hub, message: Received) -> None:
    handoff = received_handoffs.known(tx, message)
    direction = message.direction(handoff.party)
    files.receive(tx, hub, handoff, message.said, message.link.peer_name, message.now, direction)


def _file_redact(tx: Tx, hub: Hub, message: Received) -> None:
    handoff = received_handoffs.known(tx, message)
    files.receive_redaction(tx, hub, handoff, message.said, message.now)


def _file_status(tx: Tx, hub: Hub, message: Received) -> None:
    handoff = received_handoffs.known(tx, message)
    files.receive_status(tx, handoff, message.said, message.link.peer_name, message.now)


ON_HANDOFF: Final[Mapping[str, Handler]] = {
    "handoff.offer": received_handoffs.offer,
    "handoff.accept": received_handoffs.step,
    "handoff.decline": received_handoffs.step,
    "handoff.start": received_handoffs.step,
    "handoff.pend": received_handoffs.step,
    "handoff.resolve": received_handoffs.step,
    "handoff.hand_back": received_handoffs.step,
    "handoff.confirm": received_handoffs.step,
    "handoff.return": received_handoffs.step,
    "handoff.close": received_handoffs.step,
    "handoff.cancel": received_handoffs.step,
    "handoff.cancelled": received_handoffs.step,
    "handoff.cancel_request": received_handoffs.cancel_request,
    "handoff.cancel_refused": received_handoffs.cancel_refused,
    "handoff.retract_request": received_handoffs.retract_request,
    "handoff.retract_refused": received_handoffs.retract_refused,
    "handoff.update": received_handoffs.update,
    "handoff.plan": received_handoffs.plan,
    "comment.add": _comment,
    "comment.edit": _comment_edit,
    "comment.redact": _comment_redact,
    "file.add": _file,
    "file.redact": _file_redact,
    "file.status": _file_status,
    "rating.set": received_handoffs.rating,
    "rating.reply": received_handoffs.rating_reply,
    "subcontract.notice": received_handoffs.notice,
    "subcontract.ask": consents.receive_ask,
    "subcontract.answer": consents.receive_answer,
    "data.erase": erasures.receive,
    "data.erased": erasures.receive_answer,
}
"""Messages about a hand-off."""


def _of_no_effect(tx: Tx, hub: Hub, link: Link, said: Mapping[str, Any], now: datetime) -> None:
    """Stored as part of the stream; positions and epochs are the door's matter."""


def receive_rejection(tx: Tx, hub: Hub, link: Link, said: Mapping[str, Any], now: datetime) -> None:
    """The peer refused one of our messages: a person must look at it."""
    row = outbox.find(tx.connection, said["ref_id"])
    if row is None or row.link_id != link.id or row.hash != said["ref_mh"]:
        raise Refused("scope_denied", "There is no such message of ours.")
    outbox.change(
        tx,
        link.id,
        row.seq,
        state=DeliveryState.FAILED,
        settled_at=now,
        last_error=f"{said['code']}: {said.get('detail', '')}".strip(": "),
    )
    outgoing.alarm(
        tx,
        hub,
        "message_rejected",
        row.id,
        "{peer} refused a message of ours ({code}).",
        now,
        peer=link.peer_name,
        code=said["code"],
        type=row.type,
    )
    amendments.rejected(tx, hub, link, row.id, said["code"], now)


ON_LINK: Final[Mapping[str, Callable[[Tx, Hub, Link, Mapping[str, Any], datetime], None]]] = {
    "link.suspend": links.receive_suspend,
    "link.resume": links.receive_resume,
    "link.close": links.receive_close,
    "link.epoch": _of_no_effect,
    "link.skip": _of_no_effect,
    "message.rejected": receive_rejection,
}
"""Messages about the link itself."""

AT_PLACE: Final[
    Mapping[str, Callable[[Tx, Hub, Link, InboxRow, Mapping[str, Any], datetime], None]]
] = {
    "link.amend": amendments.receive_proposal,
    "link.amended": amendments.receive_acceptance,
    "link.amend_refused": amendments.receive_refusal,
    "link.amend_withdrawn": amendments.receive_withdrawal,
    "link.checkpoint": checkpoints.receive,
    "link.differences": checkpoints.receive_differences,
    "link.keys": peer_keys.receive,
}
"""Messages about the link whose place in the stream matters."""


def changes_link(type_: str) -> bool:
    """Whether such a message may change what later ones of the same link are judged by."""
    return type_ in ON_LINK or type_ in AT_PLACE


def apply(tx: Tx, hub: Hub, link: Link, row: InboxRow, now: datetime, *, repeated: bool) -> None:
    """Do what a stored message says; settling its row is the caller's.

    `repeated` says that an earlier message of this link carries the same id. Raises `Rejected`
    where a rule refuses it: it is settled by `reject`. Anything else that is raised means that
    our side failed. In both cases the caller rolls back first.
    """
    try:
        _dispatch(tx, hub, link, row, now, repeated=repeated)
    except Refused as error:
        # Nothing of the refused message may stay: the savepoint of the caller is rolled back
        # by it before the refusal is written.
        raise Rejected(error) from error


class Rejected(Exception):  # noqa: N818 - what happened
    """A rule refused the message; carries the refusal to whoever rolls back and tells."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _dispatch(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, now: datetime, *, repeated: bool
) -> None:
    if repeated:
        raise Refused("duplicate_id", "A message with this id is already here.")
    kind = payloads.TYPES.get(row.type)
    if kind is None or kind.schema_id != row.schema:
        if row.must:
            raise Refused("unsupported_type", "This node does not know messages of this type.")
        return  # stored, and of no effect here
    if row.data is None:
        raise Refused("erased", "The payload of this message was erased.")
    said = _read(row.data)
    payloads.check(row.schema, said, salted=False)
    if row.type in AT_PLACE:
        AT_PLACE[row.type](tx, hub, link, row, said, now)
        return
    if not kind.on_handoff:
        ON_LINK[row.type](tx, hub, link, said, now)
        return
    if row.handoff_id is None:
        raise Refused("schema_invalid", "A message of this type names its hand-off.")
    envelope = json.loads(unb64url(row.env.split(".")[1]))
    message = Received(
        link=link,
        handoff_id=HandoffId(row.handoff_id),
        message_id=row.id,
        type=row.type,
        said=said,
        envelope=envelope,
        agreement=_agreement_of(tx, link, row, envelope),
        now=now,
    )
    ON_HANDOFF[row.type](tx, hub, message)


def was_refused(tx: Tx, row: InboxRow) -> bool:
    """Whether we refused this message before a restore: its sender knows it as refused."""
    return bool(
        outbox.said(
            tx.connection, row.link_id, "message.rejected", None, pending=True, holding=row.id
        )
    )


def _agreement_of(tx: Tx, link: Link, row: InboxRow, envelope: Mapping[str, Any]) -> str | None:
    """The revision in force where this message stands, if that is the one it names.

    None: the founding one. Messages about the link are under no terms, and are not judged so.
    """
    written = envelope["agr"]
    if link.revision == 1 and link.amended_seq is None:
        number, text = 1, None  # nothing was ever amended
    else:
        found = agreements.at_peers_place(tx.connection, link, row.seq, envelope.get("ack"))
        number, text = found.number, found.text
    if written == number:
        return text
    if written > number and inbox.is_parked(tx.connection, link.id, "link.amended"):
        # Our own failure: what brought that revision waits here for a person.
        raise Unavailable("overloaded", "An amendment before it was put aside here.")
    raise Refused(
        "wrong_revision",
        "It names revision {written} of the agreement; {number} is in force where it stands.",
        written=written,
        number=number,
    )


def _read(text: str) -> dict[str, Any]:
    try:
        return signing.read_data(text)
    except Untrusted as error:
        raise Refused(
            "schema_invalid", "The payload cannot be read.", because=error.because
        ) from error


def reject(tx: Tx, hub: Hub, link: Link, row: InboxRow, refusal: Refused, now: datetime) -> None:
    """Tell the sender that its message was stored and refused, and settle the row.

    A refusal is never answered with a refusal: that would go on for ever.
    """
    code = refusal.code if refusal.code in REJECTS else "scope_denied"
    inbox.settle(tx, link.id, row.seq, InboxState.REFUSED, now, f"{refusal.code}: {refusal}")
    hub.metrics.rejected.labels(code).inc()
    suspicions.note(hub, refusal.code, link.id)
    if row.type == "message.rejected" or link.closed_at is not None:
        return  # a link we closed has heard our last word
    outgoing.send(
        tx,
        hub,
        link,
        link_view(
            "message.rejected",
            {
                "ref_seq": row.seq,
                "ref_ep": row.epoch,
                "ref_mh": row.hash,
                "ref_id": row.id,
                "code": code,
                "detail": refusal.told[:200],
            },
        ),
        now=now,
        cause=row.id,
    )
