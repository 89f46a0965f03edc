"""Foreign desks as people see them: health, lag, what waits and why, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.desk import DeskRole, PairState
from hub.errors import NotFound
from hub.i18n import gettext as _
from hub.ids import DeskId, PairId
from hub.storage import desk_tickets, desks, tickets
from hub.storage.database import Connection
from hub.storage.desk_tickets import Pair
from hub.storage.desks import Desk, DeskCall, UnknownWord


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong: the cause, and what to do."""

    code: str
    cause: str
    cure: str
    kind: str  # misconfigured | untrusted | refused | unavailable


@dataclass(frozen=True, slots=True)
class DeskView:
    """One desk and how it does."""

    id: DeskId
    name: str
    role: str
    template: str
    state: str  # draft | disabled | healthy | failing
    published: int | None
    looked_at: datetime | None  # the last reading that went well
    lag_s: int | None  # since then; null: it does not work
    next_at: datetime | None
    failing_since: datetime | None
    trouble: Trouble | None
    tickets: int
    waiting: int  # with something that is not told yet
    parked: int  # wait for a person, theirs and ours
    unknown: int  # words no table translates


@dataclass(frozen=True, slots=True)
class PairView:
    """Our ticket X is their ticket Y."""

    id: PairId
    ticket: str
    title: str
    there: str | None
    url: str
    state: str
    waiting: bool
    attempts: int
    next_at: datetime | None
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class LookView:
    """A ticket over there that cannot be read."""

    there: str
    parked: bool
    attempts: int
    next_at: datetime | None
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class VersionView:
    """One published state of a desk's files."""

    version: int
    at: datetime
    by: str
    state: str  # published | replaced | rolled_back


_TOLD: Final = {
    "misconfigured": "Look at the address, the account and its rights: hub connector check {name}",
    "untrusted": "Look at the secrets: hub connector secret {name} SECRET",
    "refused": "Look at the ticket over there and here, then: hub connector replay {name}",
    "unavailable": "It is tried again by itself. To try at once: hub connector replay {name}",
}
"""What helps, by the kind of error."""


def trouble(desk: str, error: Mapping[str, Any] | None) -> Trouble | None:
    """A kept error in words of the reader."""
    if error is None:
        return None
    facts = {name: str(value) for name, value in error["facts"].items()}
    cure = _(_TOLD.get(error["kind"], _TOLD["refused"])).format(name=desk)
    told = _(error["told"]).format_map(_Lenient(facts))
    return Trouble(error["code"], told, cure, error["kind"])


class _Lenient(dict[str, str]):
    """Places without a fact stay as they are: an old error must always be shown."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _known(connection: Connection, name: str) -> Desk:
    found = desks.find(connection, name)
    if found is None:
        raise NotFound(
            "not_found", "There is no desk {name}.", hint="hub connector list", name=name
        )
    return found


def called(connection: Connection, name: str) -> str:
    """The name of the desk with this name or id. Raises NotFound."""
    return _known(connection, name).name


def everyone(connection: Connection, now: datetime) -> list[DeskView]:
    """All desks, by name."""
    return [_view(connection, one, now) for one in desks.everyone(connection)]


def show(connection: Connection, name: str, now: datetime) -> DeskView:
    """One of them. Raises NotFound."""
    return _view(connection, _known(connection, name), now)


def _view(connection: Connection, one: Desk, now: datetime) -> DeskView:
    many = desk_tickets.count(connection, one.id)
    unread = [look for look in desks.looks_waiting(connection, one.id) if look.parked]
    return DeskView(
        id=one.id,
        name=one.name,
        role=one.role,
        template=one.template,
        state=_state(one),
        published=one.published,
        looked_at=one.looked_at,
        lag_s=None
        if not one.works or one.looked_at is None
        else max(0, int((now - one.looked_at).total_seconds())),
        next_at=one.next_at if one.works else None,
        failing_since=one.failing_since,
        trouble=trouble(one.name, one.error),
        tickets=sum(many.by_state.values()),
        waiting=many.waiting,
        parked=many.by_state.get(PairState.PARKED, 0) + len(unread),
        unknown=len(desks.unknown(connection, one.id)),
    )


def _state(one: Desk) -> str:
    if one.published is None:
        return "draft"
    if not one.enabled:
        return "disabled"
    return "healthy" if one.failing_since is None else "failing"


def pairs(
    connection: Connection,
    name: str,
    *,
    troubled: bool = False,
    before: str | None = None,
    limit: int = 50,
) -> list[PairView]:
    """Tickets that are on this desk, newest first. Raises NotFound."""
    desk = _known(connection, name)
    found = desk_tickets.page(connection, desk.id, troubled=troubled, before=before, limit=limit)
    return [_pair(connection, desk, one) for one in found]


def pair(connection: Connection, name: str, ticket_id: str) -> PairView:
    """A ticket of ours on one desk. Raises NotFound."""
    desk = _known(connection, name)
    found = desk_tickets.of_ours(connection, desk.id, ticket_id)
    if found is None:
        raise NotFound("not_found", "This ticket is not on this desk.")
    return _pair(connection, desk, found)


def of_ticket(connection: Connection, ticket_id: str) -> list[tuple[str, PairView]]:
    """Every desk that has this ticket, by name."""
    names = {one.id: one for one in desks.everyone(connection)}
    return [
        (names[one.desk_id].name, _pair(connection, names[one.desk_id], one))
        for one in desk_tickets.of_ticket(connection, ticket_id)
        if one.desk_id in names
    ]


def takers(connection: Connection, ticket_id: str) -> list[str]:
    """Names of working desks on which this ticket could be made."""
    has = {one.desk_id for one in desk_tickets.of_ticket(connection, ticket_id)}
    return [
        one.name
        for one in desks.everyone(connection)
        if one.works and one.role is not DeskRole.CUSTOMER and one.id not in has
    ]


def _pair(connection: Connection, desk: Desk, one: Pair) -> PairView:
    ticket = tickets.get(connection, one.ticket_id)
    return PairView(
        id=one.id,
        ticket=ticket.number,
        title=ticket.title,
        there=one.number or one.external_id,
        url=one.url,
        state=one.state,
        waiting=one.changed > one.told,
        attempts=one.attempts,
        next_at=one.next_at,
        trouble=trouble(desk.name, one.error),
    )


def unreadable(connection: Connection, name: str) -> list[LookView]:
    """Tickets over there that cannot be read now, oldest first. Raises NotFound."""
    desk = _known(connection, name)
    return [
        LookView(
            there=one.external_id,
            parked=one.parked,
            attempts=one.attempts,
            next_at=one.next_at,
            trouble=trouble(desk.name, one.error),
        )
        for one in desks.looks_waiting(connection, desk.id)
    ]


def unknown_words(connection: Connection, name: str) -> list[UnknownWord]:
    """Words over there that no table translates, newest first. Raises NotFound."""
    return desks.unknown(connection, _known(connection, name).id)


def versions(connection: Connection, name: str) -> list[VersionView]:
    """What was published, newest first. Raises NotFound."""
    desk = _known(connection, name)
    return [
        VersionView(
            one.n,
            one.at,
            one.by,
            "published"
            if one.n == desk.published
            else "replaced"
            if one.withdrawn_at is None
            else "rolled_back",
        )
        for one in desks.versions(connection, desk.id)
    ]


def calls(
    connection: Connection,
    name: str,
    *,
    failed: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[DeskCall]:
    """Requests to the desk, newest first. Raises NotFound."""
    desk = _known(connection, name)
    return desks.calls(connection, desk.id, before=before, failed=failed, limit=limit)


def secrets(connection: Connection, name: str) -> list[str]:
    """Names of the secrets that are kept. Raises NotFound."""
    return sorted(desks.secrets(connection, _known(connection, name).id))
