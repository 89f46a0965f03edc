"""What people call things: a peer by name, a ticket by number, a hand-off by ticket and peer.

A name that fits several things is an error that lists them: guessing would act on the wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.domain.handoff import FINAL, Act, Party, Request, State, check_request, possible
from hub.domain.ticket import Ticket
from hub.errors import Conflict, NotFound, Refused
from hub.storage import handoffs, links, tickets
from hub.storage.database import Connection
from hub.storage.handoffs import Handoff
from hub.storage.links import Link, LinkState

_LIVE = frozenset(LinkState) - {LinkState.CLOSED, LinkState.VOID}


def link(connection: Connection, name: str) -> Link:
    """The link with this peer: by its name, our label for it, its node id, or the link id.

    Live links win over ended ones. Raises NotFound; Conflict naming the candidates.
    """
    wanted = name.strip()
    found = [
        one
        for one in links.everyone(connection)
        if wanted in {one.id, one.peer_node_id}
        or wanted.casefold() in {n.casefold() for n in _names(connection, one)}
    ]
    live = [one for one in found if one.state in _LIVE] or found
    if not live:
        raise NotFound(
            "peer_unknown",
            "There is no partner '{name}'.",
            hint="hub link list",
            name=wanted,
        )
    if len(live) > 1:
        raise Conflict(
            "peer_ambiguous",
            "'{name}' fits several links: {candidates}.",
            hint="Name one of them by its link id.",
            name=wanted,
            candidates=", ".join(f"{one.id} ({one.peer_name}, {one.state})" for one in live),
        )
    return live[0]


def _names(connection: Connection, one: Link) -> set[str]:
    label = links.invitation_label(connection, one.invitation_id) if one.inviter else None
    return {one.peer_name} | ({label} if label else set())


def ticket(connection: Connection, name: str) -> Ticket:
    """The ticket with this number or id. Raises NotFound."""
    return tickets.named(connection, name)


def handoff_to_act(
    connection: Connection, ticket_name: str, act: Act, peer: str | None = None
) -> Handoff:
    """The hand-off of the ticket on which this act is meant.

    With several, the one on which the act is possible. Raises NotFound; Conflict naming the
    peers; Refused(wrong_pen), by the rule, where there is one and it cannot.
    """
    return _choose(
        connection,
        _candidates(connection, ticket_name, peer),
        lambda one: act in possible(one.party, one.state),
        {Party.CONTRACTOR, Party.PRINCIPAL}
        if act is Act.CANCELLED
        else {row for row in Party if _ever(act, row)},
    )


def _ever(act: Act, party: Party) -> bool:
    return any(act in possible(party, state) for state in State)


def handoff_to_ask(
    connection: Connection, ticket_name: str, request: Request, peer: str | None = None
) -> Handoff:
    """The hand-off on which this request (or, for cancel, its answer) is meant. Raises as above."""

    def can(one: Handoff) -> bool:
        if request is Request.CANCEL and one.party is Party.CONTRACTOR:
            return one.request == Request.CANCEL
        if request is Request.CANCEL and one.state is State.RESOLVED:
            return one.party is Party.PRINCIPAL
        try:
            check_request(request, one.party, one.state)
        except Refused:
            return False
        return True

    parties = set(Party) if request is Request.CANCEL else {Party.CONTRACTOR}
    return _choose(connection, _candidates(connection, ticket_name, peer), can, parties)


def handoff_with(
    connection: Connection, ticket_name: str, party: Party, peer: str | None = None
) -> Handoff:
    """The hand-off of the ticket in which we are this party and that is not final."""
    return _choose(
        connection,
        _candidates(connection, ticket_name, peer),
        lambda one: one.state not in FINAL and one.detached_at is None,
        {party},
    )


def _candidates(connection: Connection, ticket_name: str, peer: str | None) -> list[Handoff]:
    found = handoffs.of_ticket(connection, ticket(connection, ticket_name).id)
    if peer is None:
        return found
    link_id = link(connection, peer).id
    return [one for one in found if one.link_id == link_id]


def _choose(
    connection: Connection,
    found: Sequence[Handoff],
    can: Callable[[Handoff], bool],
    parties: set[Party],
) -> Handoff:
    ours = [one for one in found if one.party in parties]
    able = [one for one in ours if can(one)]
    if len(able) == 1:
        return able[0]
    if not able and ours:
        return ours[-1]  # the rule itself will say why not
    if not ours:
        raise NotFound(
            "no_handoff",
            "This ticket has no hand-off for that.",
            hint="hub ticket show",
        )
    peers = {one.id: links.get(connection, one.link_id).peer_name for one in able}
    raise Conflict(
        "handoff_ambiguous",
        "This ticket is with several partners: {peers}.",
        hint="Say which one with --peer.",
        peers=", ".join(sorted(peers.values())),
    )
