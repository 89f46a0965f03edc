"""Customers, sites, equipment, people and custom fields as people and programs see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.storage import directories
from hub.storage.database import Connection
from hub.storage.directories import Customer
from hub.storage.directories import CustomerAsset as CustomerAsset  # noqa: PLC0414 - shown as is
from hub.storage.directories import CustomerContact as CustomerContact  # noqa: PLC0414 - as is
from hub.storage.directories import CustomerSite as CustomerSite  # noqa: PLC0414 - shown as is
from hub.storage.directories import FieldDefinition as FieldDefinition  # noqa: PLC0414 - shown as is


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """A customer in a list."""

    id: str
    name: str
    legal_entity: str
    tax_id: str
    time_zone: str
    note: str
    archived: bool


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site, with what it takes over from above."""

    id: str
    parent: str | None
    name: str
    path: str  # names from the customer's own sites down to this one
    depth: int
    address: str
    legal_entity: str
    time_zone: str
    note: str
    archived: bool


@dataclass(frozen=True, slots=True)
class AssetView:
    """A piece of equipment."""

    id: str
    site: str | None
    site_name: str
    name: str
    model: str
    inventory_number: str
    serial_number: str
    note: str
    archived: bool


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person at a customer."""

    id: str
    site: str | None
    name: str
    phone: str
    email: str
    note: str


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer with everything in the directory."""

    id: str
    name: str
    legal_entity: str
    tax_id: str
    time_zone: str
    note: str
    archived: bool
    sites: Sequence[SiteView]
    assets: Sequence[AssetView]
    contacts: Sequence[PersonView]


@dataclass(frozen=True, slots=True)
class AssetHistory:
    """One line of the history of a piece of equipment."""

    at: datetime
    actor: str
    event: str
    facts: dict[str, Any]


def customers(
    connection: Connection, *, after: str | None = None, limit: int = 50, archived: bool = False
) -> list[CustomerLine]:
    """Customers by name, from behind the one with this id; archived ones only on request."""
    start = None
    if after is not None:
        start = (directories.customer(connection, after).name, after)
    found = directories.customers(connection, start, limit, archived=archived)
    return [_line(one) for one in found]


def _line(one: Customer) -> CustomerLine:
    return CustomerLine(
        *(one.id, one.name, one.legal_entity, one.tax_id, one.time_zone, one.note),
        archived=one.archived_at is not None,
    )


def customer(connection: Connection, customer_id: str, *, archived: bool = False) -> CustomerView:
    """The customer with sites as a tree, equipment and people; what is archived on request.

    Raises NotFound.
    """
    found = directories.customer(connection, customer_id)
    sites = directories.sites_of(connection, customer_id)
    named = {one.id: one.name for one in sites}
    return CustomerView(
        *(found.id, found.name, found.legal_entity, found.tax_id, found.time_zone, found.note),
        archived=found.archived_at is not None,
        sites=_tree(found, [one for one in sites if archived or one.archived_at is None]),
        assets=[
            _asset(one, named.get(one.site_id, "") if one.site_id else "")
            for one in directories.assets_of(connection, customer_id)
            if archived or one.archived_at is None
        ],
        contacts=[_person(one) for one in directories.contacts_of(connection, customer_id)],
    )


def _tree(owner: Customer, sites: Sequence[CustomerSite]) -> list[SiteView]:
    """Every site below the one it is in; time zone and legal entity come from above."""
    below: dict[str | None, list[CustomerSite]] = {}
    known = {one.id for one in sites}
    for one in sites:
        above = one.parent_id if one.parent_id in known else None
        below.setdefault(above, []).append(one)
    found: list[SiteView] = []

    def walk(above: str | None, path: tuple[str, ...], entity: str, zone: str) -> None:
        for one in below.get(above, ()):
            here = (*path, one.name)
            view = SiteView(
                id=one.id,
                parent=one.parent_id,
                name=one.name,
                path=" / ".join(here),
                depth=len(path),
                address=one.address,
                legal_entity=one.legal_entity or entity,
                time_zone=one.time_zone or zone,
                note=one.note,
                archived=one.archived_at is not None,
            )
            found.append(view)
            walk(one.id, here, view.legal_entity, view.time_zone)

    walk(None, (), owner.legal_entity, owner.time_zone)
    return found


def _asset(one: CustomerAsset, site_name: str) -> AssetView:
    return AssetView(
        one.id,
        one.site_id,
        site_name,
        one.name,
        one.model,
        one.inventory_number,
        one.serial_number,
        one.note,
        archived=one.archived_at is not None,
    )


def _person(one: CustomerContact) -> PersonView:
    return PersonView(one.id, one.site_id, one.name, one.phone, one.email, one.note)


def site(connection: Connection, site_id: str) -> CustomerSite:
    """The site as it was entered, without what it takes over from above. Raises NotFound."""
    return directories.site(connection, site_id)


def asset(connection: Connection, asset_id: str) -> CustomerAsset:
    """The piece of equipment as it was entered. Raises NotFound."""
    return directories.asset(connection, asset_id)


def contact(connection: Connection, contact_id: str) -> CustomerContact:
    """The person as they were entered. Raises NotFound."""
    return directories.contact(connection, contact_id)


def asset_history(connection: Connection, asset_id: str) -> list[AssetHistory]:
    """What became of a piece of equipment, oldest first. Raises NotFound."""
    directories.asset(connection, asset_id)
    return [
        AssetHistory(one.at, one.actor, one.event, one.facts)
        for one in directories.history(connection, asset_id)
    ]


def definitions(connection: Connection) -> list[FieldDefinition]:
    """Custom fields our tickets are asked for."""
    return directories.definitions(connection)
