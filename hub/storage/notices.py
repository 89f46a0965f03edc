"""What waits for each of our people, what they were told of it, and what they want to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, literal, or_, select, update

from hub.domain.notice import Choices, Digest, Kind, Way
from hub.ids import AgentId, TicketId
from hub.storage import statements
from hub.storage.database import Tx, for_update
from hub.storage.statements import Query, itself, one_of
from hub.storage.tables import agents, notice_choices, notices, seen, tickets
from hub.storage.ticket_lists import OPEN


class Mail(StrEnum):
    """How far the letter about a notice is."""

    NONE = "none"  # none is wanted
    WAITS = "waits"
    SENT = "sent"  # it is on its way, or arrived


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that waits for one person."""

    id: str
    agent_id: AgentId
    kind: Kind
    subject: str
    ticket_id: TicketId | None
    at: datetime
    shown: bool
    mail: Mail
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person wants, and where telling them stands."""

    choices: Choices
    looked_at: datetime | None
    mailed_at: datetime | None


def standing(connection: Connection, agent_id: str) -> Standing:
    """What this person wants; the usual where they never chose."""
    query = select(notice_choices).where(notice_choices.c.agent_id == agent_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return Standing(Choices(), None, None)
    choices = Choices(
        frozenset((Kind(kind), Way(way)) for kind, way in row.off),
        Digest(row.digest),
        row.quiet_from,
        row.quiet_to,
    )
    return Standing(choices, row.looked_at, row.mailed_at)


def keep(tx: Tx, agent_id: str, choices: Choices, **times: datetime | None) -> None:
    """Keep what a person wants, and these columns."""
    values: dict[str, Any] = {
        "off": sorted([str(kind), str(way)] for kind, way in choices.off),
        "digest": choices.digest,
        "quiet_from": choices.quiet_from,
        "quiet_to": choices.quiet_to,
        **times,
    }
    if statements.change(tx, notice_choices, {"agent_id": agent_id}, values) == 0:
        tx.connection.execute(insert(notice_choices).values(agent_id=agent_id, **values))


def lock(tx: Tx, agent_id: str) -> None:
    """Let nobody else tell this person anything until the commit."""
    tx.connection.execute(for_update(tx, select(agents.c.id).where(agents.c.id == agent_id)))


def looked(tx: Tx, agent_ids: Collection[AgentId], now: datetime) -> None:
    """It was looked for these people just now."""
    for agent_id in agent_ids:
        if statements.change(tx, notice_choices, {"agent_id": agent_id}, {"looked_at": now}) == 0:
            keep(tx, agent_id, Choices(), looked_at=now)


_TO_LOOK: Final = Query(
    select(agents.c.id)
    .outerjoin(notice_choices, notice_choices.c.agent_id == agents.c.id)
    .where(
        agents.c.disabled_at.is_(None),
        or_(
            notice_choices.c.looked_at.is_(None),
            notice_choices.c.looked_at < bindparam("before", type_=notice_choices.c.looked_at.type),
        ),
    )
    .order_by(agents.c.id),
    AgentId,
)
_UNOPENED: Final[Query[str]] = Query(
    select(tickets.c.id)
    .outerjoin(
        seen, (seen.c.ticket_id == tickets.c.id) & (seen.c.agent_id == bindparam("agent_id"))
    )
    .where(
        tickets.c.assignee_id == bindparam("agent_id"),
        one_of(tickets.c.status, OPEN),
        seen.c.agent_id.is_(None),
    )
    .order_by(tickets.c.id.desc())
    .limit(bindparam("most")),
    itself,
)


def to_look(connection: Connection, before: datetime) -> list[AgentId]:
    """Our people for whom nobody looked since then."""
    return _TO_LOOK.all(connection, before=before)


def unopened(connection: Connection, agent_id: str, most: int) -> list[str]:
    """Open tickets that became this person's and that they have never looked at."""
    return _UNOPENED.all(connection, agent_id=agent_id, most=most)


def told(connection: Connection, agent_id: str, subjects: Collection[str]) -> set[tuple[str, str]]:
    """Those of these (kind, subject) of which this person was told."""
    if not subjects:
        return set()
    query = select(notices.c.kind, notices.c.subject).where(
        notices.c.agent_id == agent_id, notices.c.subject.in_(sorted(subjects))
    )
    return {(row.kind, row.subject) for row in connection.execute(query)}


def add(tx: Tx, made: Iterable[Notice]) -> None:
    """Store new ones."""
    rows = [{name: getattr(one, name) for name in Notice.__dataclass_fields__} for one in made]
    if rows:
        tx.connection.execute(insert(notices), rows)


def _notice(row: Any) -> Notice:
    values = dict(row._mapping)
    return Notice(**{**values, "kind": Kind(values["kind"]), "mail": Mail(values["mail"])})


_TO_MAIL: Final = Query(
    select(notices.c.agent_id).where(notices.c.mail == literal(Mail.WAITS)).distinct(), AgentId
)


def to_mail(connection: Connection) -> list[AgentId]:
    """Whom a letter waits for."""
    return _TO_MAIL.all(connection)


def waiting(connection: Connection, agent_id: str, most: int) -> list[Notice]:
    """What the next letter to this person is about, oldest first."""
    query = (
        select(notices)
        .where(notices.c.agent_id == agent_id, notices.c.mail == Mail.WAITS)
        .order_by(notices.c.id)
        .limit(most)
    )
    return [_notice(row) for row in connection.execute(query)]


def mailed(tx: Tx, agent_id: str, kinds: Collection[Kind] | None = None) -> None:
    """No letter about what waits is wanted any more: of these kinds, or of all."""
    change = update(notices).where(notices.c.agent_id == agent_id, notices.c.mail == Mail.WAITS)
    if kinds is not None:
        change = change.where(notices.c.kind.in_(sorted(kinds)))
    tx.connection.execute(change.values(mail=Mail.SENT if kinds is None else Mail.NONE))


def shown(connection: Connection, agent_id: str, most: int) -> list[Notice]:
    """What this person is told in the console, newest first."""
    query = (
        select(notices)
        .where(notices.c.agent_id == agent_id, notices.c.shown.is_(True))
        .order_by(notices.c.id.desc())
        .limit(most)
    )
    return [_notice(row) for row in connection.execute(query)]


def read(tx: Tx, agent_id: str, now: datetime) -> None:
    """All of them were seen by this person."""
    tx.connection.execute(
        update(notices)
        .where(notices.c.agent_id == agent_id, notices.c.read_at.is_(None))
        .values(read_at=now)
    )


def forget_before(tx: Tx, before: datetime) -> None:
    """What people were told before then."""
    tx.connection.execute(delete(notices).where(notices.c.at < before))
