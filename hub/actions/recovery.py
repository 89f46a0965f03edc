"""Re-applying our own messages after a restore: what we said makes our state again.

Each type of message has an "apply as receiver" (`incoming`) and, here, a "re-apply as author".
Re-applying repeats what the message recorded on our side, with the instants and ids it has, and
changes nothing where that is there already. It sends nothing that was sent before
(`effects`), and no mail. What a peer tells us a second time goes the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.actions import (
    amendments,
    comments,
    consents,
    erasures,
    files,
    outgoing,
    rebuilding,
    steps,
    terms,
    tickets,
)
from hub.actions.context import Hub
from hub.actions.effects import effect_key
from hub.actions.rebuilding import number_of, reserve_numbers
from hub.domain import chain
from hub.domain.agreement import DisclosureClass
from hub.domain.comment import Role, Visibility
from hub.domain.disclosure import link_view
from hub.domain.handoff import Act, Party, Request, State
from hub.domain.replay import rating_changes
from hub.errors import Refused
from hub.ids import CommentId, HandoffId
from hub.protocol import payloads, signing
from hub.protocol.encoding import parse_instant
from hub.storage import attachments, audit, handoffs, links, outbox
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.comments import Comment
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link, LinkState
from hub.storage.outbox import OutboxRow

__all__ = ["AGAIN", "effect_key", "number_of", "reapply", "reserve_numbers"]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of ours, as its re-application needs it."""

    link: Link
    row: OutboxRow
    data: dict[str, Any]
    at: datetime  # when we said it: the instant of its step, on both sides
    now: datetime


def reapply(tx: Tx, hub: Hub, link: Link, row: OutboxRow, now: datetime) -> None:
    """Make the effect on our side of a message we sent before a restore.

    Twice is as good as once. Raises `Refused(wrong_pen)` where our state does not fit it: then a
    person must look. Settling the row is part of it.
    """
    kind = payloads.TYPES.get(row.type)
    if kind is not None:
        rebuilding.tell_people(tx, hub, link, now)
        if row.data is None:
            _missing(tx, hub, link, now)
        else:
            data, at = signing.read_data(row.data), signing.stored_envelope(row.env).at
            AGAIN[row.type](tx, hub, Said(link, row, data, at, now))
    outbox.change(tx, link.id, row.seq, reapply=False, last_error=None)


def _missing(tx: Tx, hub: Hub, link: Link, now: datetime) -> None:
    outgoing.alarm(
        tx,
        hub,
        "recovery_incomplete",
        link.id,
        "Some of what was exchanged with {peer} since the backup is not kept by anybody any more: "
        "ask {peer} how its work stands.",
        now,
        peer=link.peer_name,
    )


def _known(tx: Tx, hub: Hub, said: Said) -> Handoff | None:
    """The hand-off it is about; None where nobody has the offer any more."""
    assert said.row.handoff_id is not None
    found = handoffs.find(tx.connection, said.row.handoff_id)
    if found is None or found.link_id != said.link.id:
        _missing(tx, hub, said.link, said.now)
        return None
    return handoffs.lock(tx, found.id)


def _is_done(tx: Tx, said: Said) -> bool:
    """Whether the history has this very message already."""
    assert said.row.handoff_id is not None
    return handoffs.event_of(tx.connection, said.row.handoff_id, said.row.id) is not None


def _record(tx: Tx, hub: Hub, said: Said, handoff: Handoff, **step: Any) -> None:
    handoffs.record(
        tx,
        handoff.id,
        at=said.at,
        party=handoff.party,
        actor=hub.account.name,  # who of our people it was, the message does not tell
        message_id=said.row.id,
        **({"event": said.row.type.removeprefix("handoff."), "facts": said.data} | step),
    )


# --- the offer ------------------------------------------------------------------------------


def _offer(tx: Tx, hub: Hub, said: Said) -> None:
    handoff_id = HandoffId(said.row.handoff_id or "")
    data = said.data
    if handoffs.find(tx.connection, handoff_id) is None:
        ticket, made = rebuilding.parent_ticket(tx, hub, said.link, handoff_id, data, said.at)
        handoffs.add(
            tx,
            id=handoff_id,
            link_id=said.link.id,
            ticket_id=ticket.id,
            party=Party.PRINCIPAL,
            state=State.OFFERED,
            since=said.at,
            round=0,
            withheld=sorted(_withheld(said)),
            hops=data["hops"],
            hop_limit=min(data["hop_limit"], chain.LONGEST),
            offered_at=said.at,
            valid_until=_instant(data.get("valid_until")),
            due_requested=_instant(data.get("due_requested")),
            work_started=False,
            rating_rev=0,
            rating_reply_rev=0,
        )
        if not handoffs.own_tokens(tx.connection, data["hops"][-1:]):
            handoffs.remember_token(tx, data["hops"][-1], handoff_id)
        offered = handoffs.lock(tx, handoff_id)
        _record(tx, hub, said, offered, event=Act.OFFER, after=State.OFFERED, facts={})
        audit.append(
            tx,
            at=said.now,
            actor="system",
            event="handoff.rebuilt",
            ticket=ticket.number,
            handoff=handoff_id,
            peer=said.link.peer_node_id,
        )
        if made:
            rebuilding.tell_people(tx, hub, said.link, said.now, ticket=ticket.number)
    files.take_back_in(
        tx, hub, handoffs.lock(tx, handoff_id), data["files"], said.at, comment_id=None
    )


_SHOWN_BY: Final[Mapping[DisclosureClass, str]] = {
    DisclosureClass.DESCRIPTION: "description",
    DisclosureClass.DUE: "due_requested",
    DisclosureClass.SITE: "site",
    DisclosureClass.CONTACT: "contact",
    DisclosureClass.ASSET: "asset",
    DisclosureClass.CHECKLIST: "checklist",
    DisclosureClass.FIELDS: "fields",
}
"""Which member of an offer shows that a class was not withheld."""

_NAMES: Final = frozenset({DisclosureClass.AUTHOR_NAMES, DisclosureClass.SUBCONTRACTOR_NAMES})


def _withheld(said: Said) -> set[DisclosureClass]:
    """What must be taken for withheld from this contractor: all of which the offer shows nothing.

    The offer does not name what was switched off for it. To show too little is told to us by
    the contractor's question; to show too much is never told.
    """
    agreed = terms.direction(said.link, Party.PRINCIPAL).disclose
    unseen = {name for name, member in _SHOWN_BY.items() if member not in said.data}
    return (unseen | _NAMES) & set(agreed)


# --- steps and requests ---------------------------------------------------------------------


def _step(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is None or _is_done(tx, said):
        return
    act = Act(said.row.type.removeprefix("handoff."))
    if said.data["from"] == handoff.state and not _twice(handoff, said):
        steps.take(
            tx,
            hub,
            handoff,
            act,
            handoff.party,
            said.data,
            at=said.at,
            now=said.now,
            actor=hub.account.name,
            message_id=said.row.id,
        )
    elif not _was_made_meanwhile(tx, handoff, act, said):
        raise Refused(
            "wrong_pen",
            "The hand-off is '{state}' here.",
            state=handoff.state,
        )
    files.take_back_in(tx, hub, handoff, said.data.get("files", []), said.at, comment_id=None)


def _twice(handoff: Handoff, said: Said) -> bool:
    return said.row.type == "handoff.return" and said.data["round"] != handoff.round + 1


def _was_made_meanwhile(tx: Tx, handoff: Handoff, act: Act, said: Said) -> bool:
    """The node made the step by itself before it was told that it had: let the instants be old."""
    for line in reversed(handoffs.history(tx.connection, handoff.id)):
        if (line.event, line.party, line.before) != (act, handoff.party, said.data["from"]):
            continue
        if line.message_id is not None and outbox.find(tx.connection, line.message_id) is not None:
            return False
        handoffs.change_event(tx, handoff.id, line.n, at=said.at, message_id=said.row.id)
        changes = steps.columns(act, said.data, said.at)
        since = said.at if handoff.since == line.at else handoff.since
        handoffs.change(tx, handoff.id, since=since, **changes)
        return True
    return False


def _request(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is None or _is_done(tx, said):
        return
    detached = said.data.get("code") == "detached"
    handoffs.change(
        tx,
        handoff.id,
        request=Request(said.row.type.removeprefix("handoff.")),
        request_id=said.data["request_id"],
        request_reason=said.data.get("reason"),
        request_at=said.at,
        detached_at=handoff.detached_at or (said.at if detached else None),
    )
    facts = {name: said.data[name] for name in ("reason", "code") if name in said.data}
    _record(tx, hub, said, handoff, facts=facts)
    if detached and handoff.detached_at is None:
        _record_detached(tx, hub, handoff, said)


def _record_detached(tx: Tx, hub: Hub, handoff: Handoff, said: Said) -> None:
    handoffs.record(
        tx,
        handoff.id,
        at=said.at,
        party=handoff.party,
        actor=hub.account.name,
        event="detached",
        facts={"reason": said.data.get("reason") or ""},
    )


def _answer(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is None or _is_done(tx, said):
        return
    if handoff.request_id == said.data["request_id"]:
        steps.close_request(tx, handoff, said.now)
    _record(tx, hub, said, handoff)


def _consent_asked(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is not None and not _is_done(tx, said):
        consents.asked(tx, handoff, said.data, said.at)
        _record(tx, hub, said, handoff)


def _consent_answered(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is not None and not _is_done(tx, said):
        consents.settle(tx, handoff, said.data, said.at, said.now)
        _record(tx, hub, said, handoff)


# --- plans, changes, ratings ----------------------------------------------------------------


def _plan(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is None or _is_done(tx, said):
        return
    data = said.data
    changes: dict[str, Any] = {
        name: parse_instant(data[name]) for name in ("eta", "due_promised") if name in data
    }
    changes |= {name: data[name] for name in ("assignee", "stage", "plan") if name in data}
    if changes:
        handoffs.change(tx, handoff.id, **changes)
    _record(tx, hub, said, handoff)


def _update(tx: Tx, hub: Hub, said: Said) -> None:
    """We changed the ticket, or passed a change on. Other contractors must know it as it is."""
    handoff = _known(tx, hub, said)
    if handoff is None:
        return
    before = stored_tickets.lock(tx, handoff.ticket_id)
    changes = tickets.members(said.data)
    if "fields" in changes:
        # Only fields that are agreed by name travelled: the others are as they were.
        agreed = terms.direction(said.link, Party.PRINCIPAL).fields
        kept = tuple(one for one in before.fields if one.name not in agreed)
        changes["fields"] = (*kept, *changes["fields"])
    changes = {name: value for name, value in changes.items() if getattr(before, name) != value}
    if "due_requested" in said.data:
        due = parse_instant(said.data["due_requested"])
        handoffs.change(tx, handoff.id, due_requested=due)
    if changes:
        stored_tickets.change(tx, before.id, updated_at=said.now, **changes)
        after = stored_tickets.get(tx.connection, before.id)
        tickets.tell_contractors(tx, hub, before, after, said.now, told=handoff.id)


def _rating(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is None or _is_done(tx, said):
        return
    if said.data["rev"] > handoff.rating_rev:
        handoffs.change(tx, handoff.id, **rating_changes(said.data, said.data["rev"]))
    _record(tx, hub, said, handoff)


def _rating_reply(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is None or _is_done(tx, said):
        return
    if said.data["rev"] > handoff.rating_reply_rev:
        handoffs.change(
            tx,
            handoff.id,
            rating_reply=said.data["text"],
            rating_reply_rev=said.data["rev"],
        )
    _record(tx, hub, said, handoff)


# --- comments and files ---------------------------------------------------------------------


def _comment(tx: Tx, hub: Hub, said: Said) -> None:
    """What we said, or passed on: who wrote that comes with the other link's message."""
    handoff = _known(tx, hub, said)
    if handoff is None:
        return
    data, id_ = said.data, CommentId(said.data["comment_id"])
    if stored_comments.find(tx.connection, id_) is None:
        author = data["author"]
        stored_comments.add(
            tx,
            Comment(
                id=id_,
                ticket_id=handoff.ticket_id,
                visibility=Visibility.PUBLIC,
                author_ref=author["ref"],
                author=author["display"],
                role=Role.told(author.get("role", "")),
                account=hub.account.name,
                body=data["body"],
                format=data["format"],
                at=parse_instant(data["at"]),
            ),
        )
        stored_tickets.change(tx, handoff.ticket_id, updated_at=said.now)
    if handoff.id in stored_comments.refs_of(tx.connection, "cmt", id_):
        stored_comments.told_by(tx, handoff.id, "cmt", id_, said.row.id)
    else:
        stored_comments.refer(
            tx,
            handoff.id,
            "cmt",
            remote_id=id_,
            local_id=id_,
            sent=True,
            message_id=said.row.id,
        )
    files.take_back_in(tx, hub, handoff, data["files"], said.at, comment_id=id_)


def _written_here(tx: Tx, said: Said) -> Comment | None:
    """The comment, where its words are ours to change: a passed-on one follows its author."""
    comment = stored_comments.find(tx.connection, said.data["comment_id"])
    if comment is None or comment.origin_handoff_id is not None:
        return None
    return comment if comment.redacted_at is None else None


def _comment_edit(tx: Tx, hub: Hub, said: Said) -> None:
    comment = _written_here(tx, said)
    if comment is not None and said.data["rev"] > comment.rev:
        stored_comments.change(
            tx,
            comment.id,
            body=said.data["body"],
            format=said.data["format"],
            rev=said.data["rev"],
            edited_at=parse_instant(said.data["at"]),
        )
        comments.spread_edit(tx, hub, comment.id, said.now)


def _comment_redact(tx: Tx, hub: Hub, said: Said) -> None:
    comment = _written_here(tx, said)
    if comment is not None:
        comments.withdraw(tx, comment, parse_instant(said.data["at"]), said.now)
        comments.spread_redaction(tx, hub, comment.id, said.data.get("reason", ""), said.now)


def _file(tx: Tx, hub: Hub, said: Said) -> None:
    handoff = _known(tx, hub, said)
    if handoff is not None:
        files.take_back_in(tx, hub, handoff, said.data["files"], said.at, comment_id=None)


def _file_redact(tx: Tx, hub: Hub, said: Said) -> None:
    row = attachments.find(tx.connection, said.data["attachment_id"])
    if row is not None and row.origin_handoff_id is None and row.redacted_at is None:
        attachments.change(tx, row.id, redacted_at=parse_instant(said.data["at"]))
        files.spread_redaction(tx, hub, row.id, said.data.get("reason", ""), said.now)


# --- the link -------------------------------------------------------------------------------


def _suspend(tx: Tx, _hub: Hub, said: Said) -> None:
    if said.link.state is not LinkState.CLOSED:
        links.change(tx, said.link.id, state=LinkState.SUSPENDED, suspended_by_us=True)


_PEOPLE_LOOK: Final = frozenset({"fork", "clone", "keys_revoked", "peer_keys_revoked"})
"""Alarms that stop a link: what was said before they were raised does not answer them."""


_OF_THE_LINK: Final = frozenset({"link.suspend", "link.resume", "link.close"})


def _resume(tx: Tx, hub: Hub, said: Said) -> None:
    link = said.link
    if link.state is LinkState.CLOSED or not link.suspended_by_us:
        return
    alerts = audit.open_alerts(tx.connection)
    if any(one.subject == link.id and one.kind in _PEOPLE_LOOK for one in alerts):
        return
    if not _is_overtaken(tx, said):
        # Once more: the peer may have heard since that the link is suspended, and waits for this.
        outgoing.send(tx, hub, link, link_view("link.resume", {}), now=said.now)
    state = LinkState.SUSPENDED if link.suspended_by_peer else LinkState.ACTIVE
    links.change(tx, link.id, state=state, suspended_by_us=False)


def _is_overtaken(tx: Tx, said: Said) -> bool:
    """Whether we said of the link itself something later, which is still to be re-applied."""
    later = outbox.to_reapply(tx.connection, said.link.id)
    return any(one.seq > said.row.seq and one.type in _OF_THE_LINK for one in later)


def _close(tx: Tx, hub: Hub, said: Said) -> None:
    """The hand-offs whose pen was ours were ended by messages of their own, before this one."""
    if said.link.closed_at is not None:
        return
    for handoff in handoffs.of_link(tx.connection, said.link.id, only_open=True):
        if handoff.detached_at is None:
            handoffs.change(tx, handoff.id, detached_at=said.at)
            _record_detached(tx, hub, handoff, said)
    links.change(tx, said.link.id, state=LinkState.CLOSED, closed_at=said.at, suspended_by_us=False)


def _amend(tx: Tx, _hub: Hub, said: Said) -> None:
    amendments.proposed_again(tx, said.link, said.row, said.data, said.at)


def _amended(tx: Tx, _hub: Hub, said: Said) -> None:
    amendments.accepted_again(tx, said.link, said.row, said.data, said.at)


def _amend_refused(tx: Tx, _hub: Hub, said: Said) -> None:
    amendments.refused_again(tx, said.link, said.data, said.at)


def _amend_withdrawn(tx: Tx, _hub: Hub, said: Said) -> None:
    amendments.withdrawn_again(tx, said.link, said.data)


def _of_no_effect(_tx: Tx, _hub: Hub, _said: Said) -> None:
    """It told the peer something and changed nothing here."""


def _erase(tx: Tx, hub: Hub, said: Said) -> None:
    """We asked for it: what the backup brought back goes again."""
    handoff = _known(tx, hub, said)
    if handoff is not None:
        erasures.asked_again(tx, hub, handoff, said.row.id, said.data, said.now)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


AGAIN: Final[Mapping[str, Callable[[Tx, Hub, Said], None]]] = {
    "handoff.offer": _offer,
    "handoff.accept": _step,
    "handoff.decline": _step,
    "handoff.start": _step,
    "handoff.pend": _step,
    "handoff.resolve": _step,
    "handoff.hand_back": _step,
    "handoff.confirm": _step,
    "handoff.return": _step,
    "handoff.close": _step,
    "handoff.cancel": _step,
    "handoff.cancelled": _step,
    "handoff.cancel_request": _request,
    "handoff.cancel_refused": _answer,
    "handoff.retract_request": _request,
    "handoff.retract_refused": _answer,
    "handoff.update": _update,
    "handoff.plan": _plan,
    "comment.add": _comment,
    "comment.edit": _comment_edit,
    "comment.redact": _comment_redact,
    "file.add": _file,
    "file.redact": _file_redact,
    "file.status": _of_no_effect,  # the file's own state follows from its bytes
    "rating.set": _rating,
    "rating.reply": _rating_reply,
    "subcontract.ask": _consent_asked,
    "subcontract.answer": _consent_answered,
    "subcontract.notice": _of_no_effect,  # the hop's id is made again when it is next told of
    "data.erase": _erase,
    "data.erased": _of_no_effect,  # the peer asks again, and it is done again
    "link.suspend": _suspend,
    "link.resume": _resume,
    "link.close": _close,
    "link.epoch": _of_no_effect,
    "link.skip": _of_no_effect,
    "link.amend": _amend,
    "link.amended": _amended,
    "link.amend_refused": _amend_refused,
    "link.amend_withdrawn": _amend_withdrawn,
    "link.checkpoint": _of_no_effect,
    "link.differences": _of_no_effect,
    "link.keys": _of_no_effect,  # counted from the moment it was taken back: `keyring`
    "message.rejected": _of_no_effect,  # what was refused is kept from being applied: `merging`
}
"""How each type of our own messages is re-applied."""
