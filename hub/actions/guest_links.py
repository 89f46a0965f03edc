"""Addresses that open a ticket to its requester without a login: what they open, and for how long.

An address in a letter is made of the correspondence's salt and a key of the node, so that a letter
can be composed again; like any other, only its SHA-256 is kept, and it ends and is revoked alike.
"""

from __future__ import annotations

import base64
import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from hub.actions.context import Hub
from hub.storage import guests
from hub.storage.correspondences import Correspondence
from hub.storage.database import Tx
from hub.storage.guests import GuestLink

LASTS: Final = timedelta(days=90)


class Purpose(StrEnum):
    """What an address opens."""

    FOLLOW = "follow"  # see the ticket, reply, send files
    RATE = "rate"  # say what one thinks of the work


def digest(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def of_letters(hub: Hub, thread: Correspondence, purpose: Purpose) -> str:
    """The token in letters to this person about this ticket: 256 bits, always the same."""
    key = hub.keys.secrets.derive(b"hub guest links in letters")
    made = hmac.new(key, f"{purpose}.{thread.salt}".encode(), sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode("ascii")


def stand(tx: Tx, hub: Hub, thread: Correspondence, purpose: Purpose, now: datetime) -> bool:
    """Let that token open the ticket from now on; False where somebody revoked it."""
    kept = digest(of_letters(hub, thread, purpose))
    known = guests.find(tx.connection, kept)
    if known is None:
        ends = now + LASTS
        guests.add(tx, GuestLink(kept, thread.ticket_id, purpose, None, now, ends, None))
        return True
    if known.revoked_at is None:
        guests.extend(tx, kept, now + LASTS)
    return known.revoked_at is None
