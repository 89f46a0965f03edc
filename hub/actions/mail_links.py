"""Mail links: a partner that has only a mailbox, and what it is written about its hand-offs.

Whatever our node would send to the partner's becomes a letter here, made of the very payload that
was disclosed and sealed: nothing else can get into it. One hand-off is one thread of letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hub.actions import correspondence, custody, permits, posts
from hub.actions.context import Actor, Hub
from hub.actions.custody import FoundLink
from hub.domain.agreement import Offer, default_offer
from hub.domain.handoff import State
from hub.domain.letter import Address
from hub.domain.mail_act import LASTS, MailAct, offered_in
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.i18n import LANGUAGES
from hub.ids import HandoffId, LinkId
from hub.storage import correspondences, custodies, mail_links, tickets
from hub.storage.correspondences import Correspondence
from hub.storage.custodies import Custody
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link, LinkKind
from hub.storage.mail_links import ActLink, Testimony

ADDRESS_MAX: Final = 254  # RFC 5321 §4.5.3.1.3

NOTED: Final = "noted"  # what a letter is about: the partner did something by a page

_WITH_BUTTONS: Final = frozenset(
    {"handoff.offer", "handoff.update", "handoff.return", "comment.add", "message.rejected", NOTED}
)
"""What the partner is told together with what it can do now."""


async def invite(
    hub: Hub,
    actor: Actor,
    address: str,
    *,
    name: str = "",
    language: str = "",
    offer: Offer | None = None,
) -> Link:
    """Begin to work with a partner that has a mailbox and no node; its link, active at once.

    Raises Refused(address_invalid | no_mailbox | outbound_only | language_unknown),
    Conflict(already_linked).
    """
    permits.require(actor, Permission.LINKS_WRITE)
    place = _checked(address)
    spoken = language or hub.account.language
    if spoken not in LANGUAGES:
        raise Refused("language_unknown", "There is no language '{name}' here.", name=spoken)

    def transaction(tx: Tx) -> Link:
        if correspondence.first_mailbox(tx) is None:
            raise Refused(
                "no_mailbox",
                "This node has no mailbox, so it can write to nobody.",
                hint="docs/howto/mail.md",
            )
        wish = FoundLink(
            kind=LinkKind.MAIL,
            name=name.strip() or place,
            address=place,
            language=spoken,
            offer=offer or default_offer(),
        )
        return custody.found_in(tx, hub, actor, wish, hub.now())

    return await hub.db.write(transaction)


def _checked(address: str) -> str:
    """The address in the spelling under which it is one. Raises Refused(address_invalid)."""
    found = address.strip().lower()
    local, at, domain = found.rpartition("@")
    good = (
        bool(at and local and "." in domain.strip("."))
        and len(found) <= ADDRESS_MAX
        and found.isascii()
        and found.isprintable()
        and not set(found) & set(' <>,;:"()[]\\')
        and "@" not in local
    )
    if not good:
        raise Refused(
            "address_invalid", "'{address}' is no address to write to.", address=address[:200]
        )
    return found


# --- what the partner is written --------------------------------------------------------------


def vouch(
    tx: Tx,
    link_id: LinkId,
    handoff_id: str,
    message_id: str,
    way: str,
    facts: dict[str, Any],
    now: datetime,
    letter_id: str | None = None,
) -> None:
    """Keep on the strength of what a message of the partner was sealed."""
    mail_links.testify(tx, Testimony(message_id, link_id, handoff_id, way, letter_id, facts, now))


def write(
    tx: Tx,
    hub: Hub,
    link: Link,
    handoff: Handoff,
    what: str,
    said: Mapping[str, Any],
    now: datetime,
    *,
    said_id: str | None = None,
    state: State | None = None,
) -> None:
    """Queue one letter in the thread of this hand-off. Raises Unavailable without a mailbox.

    `state` is where the hand-off stands, if not where our records have it yet.
    """
    kept = custodies.get(tx.connection, link.id)
    thread = _thread(tx, hub, link, kept, handoff, said, now)
    acts: Sequence[MailAct] = ()
    if what in _WITH_BUTTONS or what.startswith("reminder."):
        acts = offered_in(state or handoff.state)
    elif what == "data.erase":
        acts = (MailAct.ERASED,)
    facts = {
        "what": what,
        "said": {name: value for name, value in said.items() if name != "files"},
        "peer": link.peer_name,
        "from": hub.account.name,
        "number": number_of(tx, handoff),
        "due": _instant(handoff.due_requested),
        "state": str(state or handoff.state),
        "acts": [
            [
                str(one),
                act_link(tx, hub, link, kept, one, now, cause_id=said_id, handoff_id=handoff.id),
            ]
            for one in acts
        ],
        "files": [
            [one["name"], one["media_type"], one["sha256"], one["size"]]
            for one in said.get("files", ())
        ],
    }
    posts.queue(
        tx,
        hub,
        posts.PARTNER,
        thread,
        facts,
        now,
        comment_id=said.get("comment_id") if what == "comment.add" else None,
        said_id=said_id,
    )


def number_of(tx: Tx, handoff: Handoff) -> str:
    """Our number of the work, by which the partner knows it."""
    return tickets.get(tx.connection, handoff.ticket_id).number


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _thread(
    tx: Tx,
    hub: Hub,
    link: Link,
    kept: Custody,
    handoff: Handoff,
    said: Mapping[str, Any],
    now: datetime,
) -> Correspondence:
    known = correspondences.of_handoff(tx.connection, handoff.id)
    if known is not None:
        return known
    return correspondence.begin(
        tx,
        hub,
        handoff.ticket_id,
        correspondence.mailbox_to_write_from(tx),
        Address(kept.address, link.peer_name),
        language=kept.language,
        subject=str(said.get("title", "")),
        now=now,
        handoff_id=handoff.id,
    )


def act_link(
    tx: Tx,
    hub: Hub,
    link: Link,
    kept: Custody,
    act: MailAct,
    now: datetime,
    *,
    cause_id: str | None,
    handoff_id: str = "",
) -> str:
    """The id of a new link in a letter; its token is made of it when the letter is composed.

    Without a hand-off it is about the link with the partner itself.
    """
    act_id = hub.new_id("mac", now)
    mail_links.add_act(
        tx,
        ActLink(
            id=act_id,
            token_hash=correspondences.hashed(correspondence.act_token(hub, act_id)),
            link_id=link.id,
            handoff_id=HandoffId(handoff_id),
            act=act,
            address=kept.address,
            cause_id=cause_id,
            made_at=now,
            expires_at=now + LASTS,
            used_at=None,
            message_id=None,
        ),
    )
    return act_id
