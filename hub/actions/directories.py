"""Customers, their sites, equipment and people; and the custom fields of our tickets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.actions import permits
from hub.actions.context import Actor, Hub
from hub.domain.lengths import SHORT_MAX, TEXT_MAX, TITLE_MAX, check_text
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.ids import AssetId, ContactId, CustomerId, DefinitionId, SiteId
from hub.storage import audit, directories
from hub.storage.database import Connection, Tx
from hub.storage.directories import (
    Customer,
    CustomerAsset,
    CustomerContact,
    CustomerSite,
    FieldDefinition,
)

DEPTH_MAX: Final = 8  # of sites within sites
KINDS: Final = ("text", "number", "date", "choice", "yes_no")
_LIMITS: Final = {"note": TEXT_MAX, "address": TITLE_MAX}


@dataclass(frozen=True, slots=True)
class CustomerWish:
    """A customer as it is to be."""

    name: str
    legal_entity: str = ""
    tax_id: str = ""
    time_zone: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SiteWish:
    """A site as it is to be."""

    name: str
    parent_id: str | None = None
    address: str = ""
    legal_entity: str = ""
    time_zone: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class AssetWish:
    """A piece of equipment as it is to be."""

    name: str
    site_id: str | None = None
    model: str = ""
    inventory_number: str = ""
    serial_number: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ContactWish:
    """A person as we are to know them."""

    name: str
    site_id: str | None = None
    phone: str = ""
    email: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class FieldWish:
    """A custom field as it is to be."""

    name: str
    kind: str = "text"
    choices: Sequence[str] = ()
    required: bool = False
    position: int = 0


def _checked(wish: Any) -> dict[str, Any]:
    """The members of the wish, trimmed. Raises Refused(name_missing | text_too_long | …)."""
    values = {name: getattr(wish, name) for name in type(wish).__dataclass_fields__}
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = value.strip()
            check_text(name, values[name], _LIMITS.get(name, SHORT_MAX))
    if not values["name"]:
        raise Refused("name_missing", "A name is needed.")
    if zone := values.get("time_zone"):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Refused(
                "time_zone_unknown", "There is no time zone '{name}'.", name=zone
            ) from None
    return values


async def add_customer(hub: Hub, actor: Actor, wish: CustomerWish) -> Customer:
    """Enter a customer into the directory."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> Customer:
        now = hub.now()
        made = Customer(
            CustomerId(hub.new_id("cus", now)), **values, archived_at=None, created_at=now
        )
        directories.add(tx, made)
        return made

    return await hub.db.write(transaction)


async def change_customer(hub: Hub, actor: Actor, customer_id: str, wish: CustomerWish) -> Customer:
    """Make the customer what the wish says. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> Customer:
        before = directories.customer(tx.connection, customer_id)
        directories.change(tx, Customer, customer_id, **values)
        return replace(before, **values)

    return await hub.db.write(transaction)


async def archive_customer(hub: Hub, actor: Actor, customer_id: str) -> None:
    """The customer is offered no more; its tickets keep it. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> None:
        directories.customer(tx.connection, customer_id)
        directories.change(tx, Customer, customer_id, archived_at=hub.now())

    await hub.db.write(transaction)


async def restore_customer(hub: Hub, actor: Actor, customer_id: str) -> None:
    """The customer is offered again. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> None:
        directories.customer(tx.connection, customer_id)
        directories.change(tx, Customer, customer_id, archived_at=None)

    await hub.db.write(transaction)


async def archive_site(hub: Hub, actor: Actor, site_id: str) -> CustomerSite:
    """The site and all inside of it are offered no more; tickets keep them. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> CustomerSite:
        now = hub.now()
        site = directories.site(tx.connection, site_id)
        everywhere = directories.sites_of(tx.connection, site.customer_id)
        going = {site_id}
        for _ in range(DEPTH_MAX):
            going |= {one.id for one in everywhere if one.parent_id in going}
        for one in everywhere:
            if one.id in going and one.archived_at is None:
                directories.change(tx, CustomerSite, one.id, archived_at=now)
        return site

    return await hub.db.write(transaction)


async def restore_site(hub: Hub, actor: Actor, site_id: str) -> CustomerSite:
    """The site is offered again, and so is every one it is inside of. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> CustomerSite:
        site = directories.site(tx.connection, site_id)
        above: str | None = site_id
        for _ in range(DEPTH_MAX):
            if above is None:
                break
            directories.change(tx, CustomerSite, above, archived_at=None)
            above = directories.site(tx.connection, above).parent_id
        return site

    return await hub.db.write(transaction)


async def add_site(hub: Hub, actor: Actor, customer_id: str, wish: SiteWish) -> CustomerSite:
    """Enter a site of a customer. Raises NotFound; Refused(not_of_customer | too_deep)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> CustomerSite:
        now = hub.now()
        directories.customer(tx.connection, customer_id)
        _check_above(tx.connection, None, values["parent_id"], customer_id)
        made = CustomerSite(
            SiteId(hub.new_id("sit", now)),
            CustomerId(customer_id),
            **values,
            archived_at=None,
            created_at=now,
        )
        directories.add(tx, made)
        return made

    return await hub.db.write(transaction)


async def change_site(hub: Hub, actor: Actor, site_id: str, wish: SiteWish) -> CustomerSite:
    """Make the site what the wish says. Raises NotFound; Refused(not_of_customer | too_deep)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> CustomerSite:
        before = directories.site(tx.connection, site_id)
        _check_above(tx.connection, site_id, values["parent_id"], before.customer_id)
        directories.change(tx, CustomerSite, site_id, **values)
        return replace(before, **values)

    return await hub.db.write(transaction)


def _check_above(
    connection: Connection, site_id: str | None, parent_id: str | None, customer_id: str
) -> None:
    """Return if the site may stand there: within its customer, in no circle, not too deep."""
    for _ in range(DEPTH_MAX):
        if parent_id is None:
            return
        above = directories.site(connection, parent_id)
        if above.customer_id != customer_id:
            raise Refused("not_of_customer", "It belongs to another customer.")
        if above.id == site_id:
            raise Refused("site_circle", "A site cannot be inside itself.")
        parent_id = above.parent_id
    raise Refused("too_deep", "Sites are nested at most {limit} deep.", limit=DEPTH_MAX)


async def add_asset(hub: Hub, actor: Actor, customer_id: str, wish: AssetWish) -> CustomerAsset:
    """Enter a piece of equipment. Raises NotFound; Refused(not_of_customer)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> CustomerAsset:
        now = hub.now()
        directories.customer(tx.connection, customer_id)
        _check_site(tx.connection, values["site_id"], customer_id)
        made = CustomerAsset(
            AssetId(hub.new_id("ast", now)),
            CustomerId(customer_id),
            **values,
            archived_at=None,
            created_at=now,
        )
        directories.add(tx, made)
        directories.record(tx, made.id, at=now, actor=actor.display, event="added", facts={})
        return made

    return await hub.db.write(transaction)


async def change_asset(hub: Hub, actor: Actor, asset_id: str, wish: AssetWish) -> CustomerAsset:
    """Make it what the wish says; its history says what changed. Raises NotFound; Refused."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> CustomerAsset:
        before = directories.asset(tx.connection, asset_id)
        _check_site(tx.connection, values["site_id"], before.customer_id)
        after = replace(before, **values)
        facts = {
            name: [getattr(before, name) or "", value or ""]
            for name, value in values.items()
            if getattr(before, name) != value and name != "site_id"
        }
        if before.site_id != after.site_id:
            facts["site"] = [_called(tx, before.site_id), _called(tx, after.site_id)]
        if facts:
            directories.change(tx, CustomerAsset, asset_id, **values)
            directories.record(
                tx, asset_id, at=hub.now(), actor=actor.display, event="changed", facts=facts
            )
        return after

    return await hub.db.write(transaction)


async def archive_asset(hub: Hub, actor: Actor, asset_id: str) -> CustomerAsset:
    """It is offered no more; tickets keep it, and so does its history. Raises NotFound."""
    return await _set_archived(hub, actor, asset_id, archived=True)


async def restore_asset(hub: Hub, actor: Actor, asset_id: str) -> CustomerAsset:
    """It is offered again. Raises NotFound."""
    return await _set_archived(hub, actor, asset_id, archived=False)


async def _set_archived(hub: Hub, actor: Actor, asset_id: str, *, archived: bool) -> CustomerAsset:
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> CustomerAsset:
        now = hub.now()
        before = directories.asset(tx.connection, asset_id)
        if (before.archived_at is not None) == archived:
            return before
        directories.change(tx, CustomerAsset, asset_id, archived_at=now if archived else None)
        event = "archived" if archived else "restored"
        directories.record(tx, asset_id, at=now, actor=actor.display, event=event, facts={})
        return before

    return await hub.db.write(transaction)


def _called(tx: Tx, site_id: str | None) -> str:
    return "" if site_id is None else directories.site(tx.connection, site_id).name


def _check_site(connection: Connection, site_id: str | None, customer_id: str) -> None:
    if site_id is not None and directories.site(connection, site_id).customer_id != customer_id:
        raise Refused("not_of_customer", "It belongs to another customer.")


async def add_contact(
    hub: Hub, actor: Actor, customer_id: str, wish: ContactWish
) -> CustomerContact:
    """Enter a person. Raises NotFound; Refused(not_of_customer)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> CustomerContact:
        now = hub.now()
        directories.customer(tx.connection, customer_id)
        _check_site(tx.connection, values["site_id"], customer_id)
        made = CustomerContact(
            ContactId(hub.new_id("con", now)), CustomerId(customer_id), **values, created_at=now
        )
        directories.add(tx, made)
        return made

    return await hub.db.write(transaction)


async def change_contact(
    hub: Hub, actor: Actor, contact_id: str, wish: ContactWish
) -> CustomerContact:
    """Make the person what the wish says. Raises NotFound; Refused(not_of_customer)."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)
    values = _checked(wish)

    def transaction(tx: Tx) -> CustomerContact:
        before = directories.contact(tx.connection, contact_id)
        _check_site(tx.connection, values["site_id"], before.customer_id)
        directories.change(tx, CustomerContact, contact_id, **values)
        return replace(before, **values)

    return await hub.db.write(transaction)


async def remove_contact(hub: Hub, actor: Actor, contact_id: str) -> None:
    """Forget a person: nothing of them stays in the directory. Raises NotFound."""
    permits.require(actor, Permission.DIRECTORIES_WRITE)

    def transaction(tx: Tx) -> None:
        directories.contact(tx.connection, contact_id)
        directories.remove(tx, CustomerContact, contact_id)

    await hub.db.write(transaction)


async def define_field(hub: Hub, actor: Actor, wish: FieldWish) -> FieldDefinition:
    """Ask for a custom field from now on. Raises Refused(field_known | kind_unknown | …)."""
    permits.require(actor, Permission.RULES_WRITE)
    values = _checked(wish)
    values["choices"] = [one for one in dict.fromkeys(map(str.strip, wish.choices)) if one]
    if values["kind"] not in KINDS:
        raise Refused("kind_unknown", "There is no kind of field '{name}'.", name=values["kind"])
    if values["kind"] == "choice" and not values["choices"]:
        raise Refused("choices_missing", "Say what can be chosen.")

    def transaction(tx: Tx) -> FieldDefinition:
        now = hub.now()
        if any(one.name == values["name"] for one in directories.definitions(tx.connection)):
            raise Refused("field_known", "There is a field '{name}' already.", name=values["name"])
        made = FieldDefinition(DefinitionId(hub.new_id("fld", now)), **values, retired_at=None)
        directories.add(tx, made)
        audit.append(tx, at=now, actor=actor.ref, event="field.defined", field=made.id)
        return made

    return await hub.db.write(transaction)


async def retire_field(hub: Hub, actor: Actor, definition_id: str) -> None:
    """Ask for it no more; tickets keep what they have. Raises NotFound."""
    permits.require(actor, Permission.RULES_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        gone = directories.definition(tx.connection, definition_id)
        # Its name is free again.
        name = f"{gone.name[:150]} ({gone.id})"
        directories.change(tx, FieldDefinition, definition_id, retired_at=now, name=name)
        audit.append(tx, at=now, actor=actor.ref, event="field.retired", field=definition_id)

    await hub.db.write(transaction)
