"""Whom we serve: customers, their nested sites, equipment and people; and our custom fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from hub.errors import NotFound
from hub.ids import AssetId, ContactId, CustomerId, DefinitionId, SiteId
from hub.storage import tables
from hub.storage.database import Tx


@dataclass(frozen=True, slots=True)
class Customer:
    """A company whom we serve."""

    id: CustomerId
    name: str
    legal_entity: str
    tax_id: str
    time_zone: str  # empty: the node's
    note: str
    archived_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerSite:
    """A place of a customer, perhaps inside another."""

    id: SiteId
    customer_id: CustomerId
    parent_id: SiteId | None
    name: str
    address: str
    legal_entity: str  # empty: that of the place above, or of the customer
    time_zone: str  # the same
    note: str
    archived_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerAsset:
    """A piece of equipment of a customer."""

    id: AssetId
    customer_id: CustomerId
    site_id: SiteId | None
    name: str
    model: str
    inventory_number: str
    serial_number: str
    note: str
    archived_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerContact:
    """A person at a customer."""

    id: ContactId
    customer_id: CustomerId
    site_id: SiteId | None
    name: str
    phone: str
    email: str
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A custom field that our tickets have."""

    id: DefinitionId
    name: str
    kind: str
    choices: list[str]
    required: bool
    position: int
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class AssetEvent:
    """One line of the history of a piece of equipment."""

    asset_id: AssetId
    n: int
    at: datetime
    actor: str
    event: str
    facts: dict[str, Any]


Entry: TypeAlias = Customer | CustomerSite | CustomerAsset | CustomerContact | FieldDefinition

_TABLES: Final[Mapping[type[Any], Table]] = {
    Customer: tables.customers,
    CustomerSite: tables.sites,
    CustomerAsset: tables.assets,
    CustomerContact: tables.contacts,
    FieldDefinition: tables.field_definitions,
}


def add(tx: Tx, entry: Entry) -> None:
    """Store a new entry."""
    values = {name: getattr(entry, name) for name in type(entry).__dataclass_fields__}
    tx.connection.execute(insert(_TABLES[type(entry)]).values(**values))


def change(tx: Tx, kind: type[Any], entry_id: str, **values: Any) -> None:
    """Set these members of the entry."""
    table = _TABLES[kind]
    tx.connection.execute(update(table).where(table.c.id == entry_id).values(**values))


def remove(tx: Tx, kind: type[Any], entry_id: str) -> None:
    """Drop the entry."""
    table = _TABLES[kind]
    tx.connection.execute(delete(table).where(table.c.id == entry_id))


def _get(connection: Connection, kind: type[Any], entry_id: str) -> Any:
    table = _TABLES[kind]
    row = connection.execute(select(table).where(table.c.id == entry_id)).one_or_none()
    if row is None:
        raise NotFound("not_found", "There is no such entry in the directory.")
    return kind(**row._mapping)


def customer(connection: Connection, entry_id: str) -> Customer:
    """The customer. Raises NotFound."""
    found: Customer = _get(connection, Customer, entry_id)
    return found


def customer_named(connection: Connection, name: str) -> Customer | None:
    """The customer in use of exactly this name, the oldest one of several; or None."""
    table = tables.customers
    query = select(table).where(table.c.archived_at.is_(None), table.c.name == name)
    row = connection.execute(query.order_by(table.c.id).limit(1)).first()
    return None if row is None else Customer(**row._mapping)


def site(connection: Connection, entry_id: str) -> CustomerSite:
    """The site. Raises NotFound."""
    found: CustomerSite = _get(connection, CustomerSite, entry_id)
    return found


def asset(connection: Connection, entry_id: str) -> CustomerAsset:
    """The piece of equipment. Raises NotFound."""
    found: CustomerAsset = _get(connection, CustomerAsset, entry_id)
    return found


def contact(connection: Connection, entry_id: str) -> CustomerContact:
    """The person. Raises NotFound."""
    found: CustomerContact = _get(connection, CustomerContact, entry_id)
    return found


def definition(connection: Connection, entry_id: str) -> FieldDefinition:
    """The definition. Raises NotFound."""
    found: FieldDefinition = _get(connection, FieldDefinition, entry_id)
    return found


def customers(
    connection: Connection, after: tuple[str, str] | None, most: int, *, archived: bool = False
) -> list[Customer]:
    """Customers by name, from behind this (name, id); those in use, or archived ones too."""
    table = tables.customers
    query = select(table).order_by(table.c.name, table.c.id).limit(most)
    if not archived:
        query = query.where(table.c.archived_at.is_(None))
    if after is not None:
        name, entry_id = after
        query = query.where(
            (table.c.name > name) | ((table.c.name == name) & (table.c.id > entry_id))
        )
    return [Customer(**row._mapping) for row in connection.execute(query)]


def names(connection: Connection, kind: type[Any], ids: Collection[str]) -> dict[str, str]:
    """What these entries are called, by id."""
    table = _TABLES[kind]
    query = select(table.c.id, table.c.name).where(table.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query)}


def sites_of(connection: Connection, customer_id: str) -> list[CustomerSite]:
    """All sites of a customer by name."""
    return _of(connection, CustomerSite, customer_id)


def assets_of(connection: Connection, customer_id: str) -> list[CustomerAsset]:
    """All equipment of a customer by name."""
    return _of(connection, CustomerAsset, customer_id)


def contacts_of(connection: Connection, customer_id: str) -> list[CustomerContact]:
    """All people at a customer by name."""
    return _of(connection, CustomerContact, customer_id)


def _of(connection: Connection, kind: type[Any], customer_id: str) -> list[Any]:
    table = _TABLES[kind]
    query = select(table).where(table.c.customer_id == customer_id)
    return [
        kind(**row._mapping) for row in connection.execute(query.order_by(table.c.name, table.c.id))
    ]


def definitions(connection: Connection) -> list[FieldDefinition]:
    """All custom fields in use, in their order."""
    table = tables.field_definitions
    query = select(table).where(table.c.retired_at.is_(None)).order_by(table.c.position, table.c.id)
    return [FieldDefinition(**row._mapping) for row in connection.execute(query)]


def record(
    tx: Tx, asset_id: str, *, at: datetime, actor: str, event: str, facts: Mapping[str, Any]
) -> None:
    """Append a line to the history of a piece of equipment."""
    table = tables.asset_events
    last = select(func.coalesce(func.max(table.c.n), 0)).where(table.c.asset_id == asset_id)
    n = tx.connection.execute(last).scalar_one() + 1
    values = {"asset_id": asset_id, "n": n, "at": at, "actor": actor, "event": event}
    tx.connection.execute(insert(table).values(**values, facts=dict(facts)))


def history(connection: Connection, asset_id: str) -> list[AssetEvent]:
    """The history of a piece of equipment, oldest first."""
    table = tables.asset_events
    query = select(table).where(table.c.asset_id == asset_id).order_by(table.c.n)
    return [AssetEvent(**row._mapping) for row in connection.execute(query)]
