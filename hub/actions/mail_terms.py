"""Changing what was agreed with a partner that has only a mailbox: a letter, and a page to answer.

Our proposal becomes one letter, with what is and what would be. A link in it opens a page; sending
that page is the partner's word, by which our node signs the new revision in its name or refuses it
(decision 61). A partner by mail proposes nothing itself: it says so in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from hub.actions import correspondence, custody, inbox, mail_links, posts
from hub.actions.context import Hub
from hub.actions.mail_acts import Witness
from hub.domain.amendment import AmendmentState, Change, changes
from hub.domain.lengths import TEXT_MAX, check_text
from hub.domain.mail_act import OF_TERMS, MailAct
from hub.errors import Conflict, NotFound, Refused
from hub.ids import HandoffId, LinkId, MessageId
from hub.protocol import agreement as agreements
from hub.storage import agreements as stored
from hub.storage import custodies, ground, links
from hub.storage import mail_links as stored_acts
from hub.storage.agreements import Amendment
from hub.storage.database import Connection, Tx
from hub.storage.links import Link, LinkState
from hub.storage.mail_links import ActLink

PROPOSED: Final = "link.amend"
WITHDRAWN: Final = "link.amend_withdrawn"
ANSWERED: Final = "terms.answered"
"""What a letter about the terms is about."""
TOLD: Final = frozenset({PROPOSED, WITHDRAWN})
"""Messages of ours that are told so."""

_NO_HANDOFF: Final = HandoffId("")


@dataclass(frozen=True, slots=True)
class OpenedTerms:
    """A link that answers a proposal, and what its page shows."""

    act: MailAct
    peer: str
    used_at: datetime | None
    possible: bool  # the proposal still waits for an answer
    moved: bool  # the partner has a node of its own now
    changes: Sequence[Change]


# --- what the partner is written --------------------------------------------------------------


def tell(
    tx: Tx,
    hub: Hub,
    link: Link,
    what: str,
    said: Mapping[str, Any],
    message_id: MessageId,
    now: datetime,
) -> None:
    """Queue the letter about a proposal, or about its end; answer for the partner what ends it.

    Raises Unavailable without a mailbox.
    """
    if what == PROPOSED:
        after = agreements.parse(said["agreement"])
        before = stored.newest(tx.connection, link).text
        found = changes(agreements.parse(before).terms, after.terms)
        facts = {"changes": [asdict(one) for one in found]}
        _write(tx, hub, link, what, facts, now, acts=OF_TERMS, said_id=message_id)
        return
    proposal = stored.waiting(tx.connection, link.id, by_us=True)
    answers = None if proposal is None else proposal.id
    _write(tx, hub, link, what, {}, now, said_id=message_id, about=answers)
    if proposal is not None:
        refusal = {"agreement_hash": proposal.hash, "code": "withdrawn"}
        said_no = custody.say(
            tx, hub, link.id, "link.amend_refused", refusal, now=now, cause=message_id
        )
        rule = {"rule": "withdrawn"}
        mail_links.vouch(tx, link.id, _NO_HANDOFF, said_no, "rule", rule, now)


def _write(
    tx: Tx,
    hub: Hub,
    link: Link,
    what: str,
    said: Mapping[str, Any],
    now: datetime,
    *,
    acts: Sequence[MailAct] = (),
    said_id: MessageId | None = None,
    about: MessageId | None = None,
) -> None:
    """Queue one letter; with the proposal it is `about`, below the letter that brought that."""
    mailbox = correspondence.mailbox_to_write_from(tx)
    kept = custodies.get(tx.connection, link.id)
    facts = {
        "what": what,
        "said": dict(said),
        "language": kept.language,
        "peer": link.peer_name,
        "from": hub.account.name,
        "acts": [
            [str(one), mail_links.act_link(tx, hub, link, kept, one, now, cause_id=said_id)]
            for one in acts
        ],
    }
    posts.queue_to_partner(
        tx, hub, mailbox, kept.address, facts, now, said_id=said_id, answers=about
    )


# --- what the partner says --------------------------------------------------------------------


def enter(connection: Connection, hub: Hub, token: str) -> OpenedTerms | None:
    """What this token opens, if it is about terms. Changes nothing."""
    found = stored_acts.by_token(connection, token)
    if found is None or found.act not in OF_TERMS or found.expires_at <= hub.now():
        return None
    link = links.get(connection, found.link_id)
    proposal = _proposal(connection, found)
    kept = custodies.get(connection, link.id)
    return OpenedTerms(
        act=found.act,
        peer=link.peer_name,
        used_at=found.used_at,
        possible=_open(proposal) and link.closed_at is None,
        moved=kept.successor_id is not None,
        changes=_changes(connection, link, proposal),
    )


def _proposal(connection: Connection, found: ActLink) -> Amendment:
    everything = stored.proposals(connection, found.link_id)
    return next(one for one in everything if one.id == found.cause_id)


def _open(proposal: Amendment) -> bool:
    return proposal.state is AmendmentState.OPEN and proposal.settled_at is None


def _changes(connection: Connection, link: Link, proposal: Amendment) -> list[Change]:
    """What it changes against the revision before it."""
    before = next(
        one.text
        for one in stored.revisions(connection, link)
        if one.number == proposal.revision - 1
    )
    return changes(agreements.parse(before).terms, agreements.parse(proposal.text).terms)


async def answer(hub: Hub, token: str, text: str, witness: Witness) -> None:
    """Agree or refuse, as the link says, once.

    Raises NotFound(guest_link_ended); Conflict(already_done | not_possible_now | partner_moved);
    Refused(text_too_long | link_suspended), Unavailable; then nothing was said.
    """
    check_text("text", text, TEXT_MAX)

    def transaction(tx: Tx) -> LinkId:
        now = hub.now()
        known = stored_acts.by_token(tx.connection, token)
        if known is None or enter(tx.connection, hub, token) is None:
            raise NotFound("guest_link_ended", "This address does not open anything any more.")
        ground.of_handoffs(tx, beside=[known.link_id])
        link = links.lock(tx, known.link_id)
        found = stored_acts.lock_act(tx, known.id)
        proposal = _proposal(tx.connection, found)
        _check(tx, found, link, proposal)
        said: dict[str, Any] = {"agreement_hash": proposal.hash}
        if found.act is MailAct.AGREE:
            type_ = "link.amended"
            said["sig"] = custody.sign(tx, hub, link.id, agreements.parse(proposal.text))
        else:
            type_ = "link.amend_refused"
            said |= {"code": "refused", **({"reason": text.strip()} if text.strip() else {})}
        message_id = custody.say(tx, hub, link.id, type_, said, now=now, cause=proposal.id)
        facts = {
            "act": str(found.act),
            "address": found.address,
            "token": found.token_hash,
            "text": text.strip(),
            "network": witness.network,
            "browser": witness.browser[:200],
        }
        mail_links.vouch(tx, link.id, _NO_HANDOFF, message_id, "page", facts, now)
        stored_acts.used(tx, found.id, now, message_id)
        noted = {"act": str(found.act), "text": text.strip()}
        _write(tx, hub, link, ANSWERED, noted, now, about=proposal.id)
        return link.id

    link_id = await hub.db.write(transaction)
    await inbox.apply_some(hub, link_id)


def _check(tx: Tx, found: ActLink, link: Link, proposal: Amendment) -> None:
    if custodies.get(tx.connection, link.id).successor_id is not None:
        raise Conflict("partner_moved", "This partner has a node of its own now.")
    if found.used_at is not None:
        raise Conflict("already_done", "This was done already; nothing more has happened now.")
    if link.state is LinkState.SUSPENDED:
        raise Refused("link_suspended", "The exchange is paused. Try again later.")
    if not _open(proposal) or link.closed_at is not None:
        raise Conflict("not_possible_now", "This proposal waits for no answer any more.")
