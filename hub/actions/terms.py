"""The agreed terms of a link, as the rules want them."""

from __future__ import annotations

from functools import lru_cache

from hub.domain.agreement import Direction, DisclosureClass, direction_of
from hub.domain.disclosure import Withheld
from hub.domain.handoff import Party
from hub.errors import Refused
from hub.protocol import agreement as agreements
from hub.storage.handoffs import Handoff, Side
from hub.storage.links import Link


@lru_cache(maxsize=1024)
def _direction(agreement: str, inviter_is: Party) -> Direction:
    return direction_of(agreements.parse(agreement).terms["directions"], inviter_is=inviter_is)


def direction(link: Link, our_party: Party, agreement: str | None = None) -> Direction:
    """The terms of the direction in which we are this party.

    Those in force in our stream; with `agreement`, those of that text: what a peer wrote is
    judged by the revision in force where it stands. Raises Refused before an agreement.
    """
    agreement = agreement or link.in_force or link.agreement
    if agreement is None:
        raise Refused(
            "link_not_active",
            "The link with {peer} has no agreement yet.",
            peer=link.peer_name,
        )
    return _direction(agreement, our_party if link.inviter else our_party.other)


def withheld(handoff: Handoff | Side) -> Withheld:
    """The disclosure classes switched off for this hand-off."""
    return frozenset(DisclosureClass(name) for name in handoff.withheld)
