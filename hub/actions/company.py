"""The company's own card: what requesters are told beside their ticket.

Its name and address are no part of it: partners signed those, so they do not change.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.lengths import SHORT_MAX, check_text
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.storage import audit, nodes
from hub.storage.database import Tx
from hub.storage.nodes import Card


@dataclass(frozen=True, slots=True)
class CardWish:
    """The card as it is to be; empty: not told."""

    phone: str = ""
    email: str = ""
    hours: str = ""


async def change_card(hub: Hub, actor: Actor, wish: CardWish) -> Card:
    """Tell requesters this from now on. Raises Refused(email_invalid | text_too_long)."""
    permits.require(actor, Permission.ADMIN)
    values = {name: value.strip() for name, value in asdict(wish).items()}
    for name, value in values.items():
        check_text(name, value, SHORT_MAX)
    if values["email"] and values["email"].count("@") != 1:
        raise Refused("email_invalid", "This is no e-mail address.")
    after = replace(Card(), **values)

    def transaction(tx: Tx) -> Card:
        if nodes.card(tx.connection) != after:
            nodes.change(tx, **values)
            audit.append(tx, at=hub.now(), actor=actor.ref, event="company.changed", **values)
        return after

    return await hub.db.write(transaction)
