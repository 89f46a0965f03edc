"""The exchange of letters with one person about one ticket, and the addresses that belong to it.

A reply address carries a token of 128 bits for one person and one ticket. Only its hash is kept;
it is made of a random salt and a key of the node, so a copy of the database opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime
from typing import Final

from hub.actions.context import Hub
from hub.domain.letter import Address
from hub.errors import Unavailable
from hub.ids import TicketId
from hub.storage import audit, correspondences, letters
from hub.storage.correspondences import Correspondence
from hub.storage.database import Tx

REPLY: Final = "r"  # in an address: what comes there is a reply
RETURN: Final = "b"  # in an address: what comes there is a report about one letter of ours
_TOKEN: Final = re.compile(r"[^@\s]{1,200}\+([rb])\.([a-z2-7]{26})@[^@\s]{1,255}", re.IGNORECASE)
DEFAULT: Final = ""  # folder of the cursor that says which mailbox there is


def token_in(address: str) -> tuple[str, str] | None:
    """The kind and the token of one of our addresses; None where it is no such address."""
    found = _TOKEN.fullmatch(address.strip().strip("<>"))
    return None if found is None else (found.group(1).lower(), found.group(2).lower())


def with_token(mailbox: str, kind: str, token: str) -> str:
    """The mailbox's address with a token in it."""
    local, _at, domain = mailbox.rpartition("@")
    return f"{local}+{kind}.{token}@{domain}"


def _made(hub: Hub, purpose: bytes, text: str) -> str:
    key = hub.keys.secrets.derive(purpose)
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


def reply_token(hub: Hub, thread: Correspondence) -> str:
    """The token of the thread's reply address."""
    return _made(hub, b"hub reply addresses", thread.salt)


def return_token(hub: Hub, post_id: str) -> str:
    """The token of the address to which bounces of this letter of ours go."""
    return _made(hub, b"hub return addresses", post_id)


def act_token(hub: Hub, act_id: str) -> str:
    """The token of a link in a letter to a partner."""
    return _made(hub, b"hub acts in letters", act_id)


def mark(hub: Hub) -> str:
    """What every letter of this node carries, so that it knows it again."""
    return _made(hub, b"hub mark of letters", hub.account.node_id)


def begin(
    tx: Tx,
    hub: Hub,
    ticket_id: TicketId,
    mailbox: str,
    person: Address,
    *,
    language: str,
    subject: str,
    now: datetime,
    handoff_id: str = "",
) -> Correspondence:
    """The exchange with this person about the ticket: the one there is, else a new one.

    With a hand-off it is that with the partner without a node that it was offered to.
    """
    known = (
        correspondences.of_handoff(tx.connection, handoff_id)
        if handoff_id
        else correspondences.with_person(tx.connection, ticket_id, person.key)
    )
    if known is not None:
        return known
    salt = hub.entropy.bytes(16).hex()
    thread = Correspondence(
        id=hub.new_id("cor", now),
        ticket_id=ticket_id,
        mailbox=mailbox,
        address=person.key,
        name=person.name,
        language=language,
        subject=subject,
        salt=salt,
        token_hash=correspondences.hashed(_made(hub, b"hub reply addresses", salt)),
        newest_id=None,
        began_at=now,
        ended_at=None,
        handoff_id=handoff_id,
    )
    correspondences.add(tx, thread)
    return thread


async def opened(hub: Hub, mailboxes: list[str]) -> None:
    """Note which mailboxes this node works: the first is used where none is said."""

    def transaction(tx: Tx) -> None:
        for place, mailbox in enumerate(mailboxes):
            letters.keep_cursor(tx, mailbox, DEFAULT, uid=place)

    if mailboxes:
        await hub.db.write(transaction)


def first_mailbox(tx: Tx) -> str | None:
    """The mailbox from which letters go where no other is said; None: the node has none."""
    known = [one for one in letters.cursors(tx.connection) if one.folder == DEFAULT]
    return min(known, key=lambda one: one.uid).mailbox if known else None


def mailbox_to_write_from(tx: Tx) -> str:
    """The first mailbox. Raises Unavailable(mail_unavailable) where the node has none."""
    found = first_mailbox(tx)
    if found is None:
        raise Unavailable(
            "mail_unavailable", "This node has no mailbox, so it can write to nobody."
        )
    return found


async def end(hub: Hub, actor_ref: str, thread_id: str) -> None:
    """From now on the person has no part in the ticket: the reply address opens nothing."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        correspondences.change(tx, thread_id, ended_at=now)
        audit.append(
            tx, at=now, actor=actor_ref, event="correspondence.ended", correspondence=thread_id
        )

    await hub.db.write(transaction)
