"""Customers, their sites, equipment and people; custom fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from pydantic import Field as Constraint

from hub.actions import directories
from hub.actions.context import Actor, Hub
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, FieldWish, SiteWish
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing, Short, Text, Title
from hub.api.tickets import Cursor, Limit, check_cursor
from hub.api.views import Page, page_of
from hub.domain.permission import Permission
from hub.queries import directories as shown
from hub.queries.directories import AssetHistory, CustomerLine, CustomerView, FieldDefinition


class CustomerForm(Form):
    """A customer as it is to be."""

    name: Short
    legal_entity: Short = ""
    tax_id: Short = ""
    time_zone: Short = ""
    note: Text = ""


class CustomersQuery(Form):
    """Which page."""

    archived: Annotated[bool, Constraint(description="archived ones too")] = False
    cursor: Cursor | None = None
    limit: Limit = 50


class CustomerQuery(Form):
    """How much of the customer."""

    archived: Annotated[bool, Constraint(description="archived sites and equipment too")] = False


class CustomerSiteForm(Form):
    """A site as it is to be."""

    name: Short
    parent_id: Short | None = None
    address: Title = ""
    legal_entity: Short = ""
    time_zone: Short = ""
    note: Text = ""


class CustomerAssetForm(Form):
    """A piece of equipment as it is to be."""

    name: Short
    site_id: Short | None = None
    model: Short = ""
    inventory_number: Short = ""
    serial_number: Short = ""
    note: Text = ""


class PersonForm(Form):
    """A person at the customer."""

    name: Short
    site_id: Short | None = None
    phone: Short = ""
    email: Short = ""
    note: Text = ""


class DefinitionForm(Form):
    """A custom field that tickets are asked for."""

    name: Short
    kind: Literal["text", "number", "date", "choice", "yes_no"] = "text"
    choices: Annotated[tuple[Short, ...], Constraint(max_length=100)] = ()
    required: bool = False
    position: Annotated[int, Constraint(ge=0, le=1000)] = 0


def _said(form: Form) -> dict[str, Any]:
    return {name: getattr(form, name) for name in type(form).model_fields}


async def _list(visit: Visit, form: CustomersQuery) -> Page[CustomerLine]:
    after = check_cursor(form.cursor, "cus")
    found = await visit.hub.db.read(
        lambda connection: shown.customers(
            connection, after=after, limit=form.limit + 1, archived=form.archived
        )
    )
    return page_of(found, form.limit)


def _whole(customer_id: str) -> Any:
    return lambda connection, _done: shown.customer(connection, customer_id)


async def _add(visit: Visit, form: CustomerForm) -> Effect[Any]:
    wish = CustomerWish(**_said(form))
    return Effect(
        lambda hub: directories.add_customer(hub, visit.actor, wish),
        lambda connection, made: shown.customer(connection, made.id),
    )


async def _show(visit: Visit, form: CustomerQuery) -> CustomerView:
    which = visit.params["customer"]
    return await visit.hub.db.read(
        lambda connection: shown.customer(connection, which, archived=form.archived)
    )


async def _change(visit: Visit, form: CustomerForm) -> Effect[Any]:
    which, wish = visit.params["customer"], CustomerWish(**_said(form))
    return Effect(
        lambda hub: directories.change_customer(hub, visit.actor, which, wish), _whole(which)
    )


async def _archive(visit: Visit, form: Nothing) -> Effect[None]:
    which = visit.params["customer"]
    return Effect(
        lambda hub: directories.archive_customer(hub, visit.actor, which),
        lambda _connection, _done: None,
    )


async def _add_site(visit: Visit, form: CustomerSiteForm) -> Effect[Any]:
    which, wish = visit.params["customer"], SiteWish(**_said(form))
    return Effect(lambda hub: directories.add_site(hub, visit.actor, which, wish), _whole(which))


async def _change_site(visit: Visit, form: CustomerSiteForm) -> Effect[Any]:
    which, wish = visit.params["site"], SiteWish(**_said(form))
    return Effect(
        lambda hub: directories.change_site(hub, visit.actor, which, wish),
        lambda connection, site: shown.customer(connection, site.customer_id),
    )


async def _add_asset(visit: Visit, form: CustomerAssetForm) -> Effect[Any]:
    which, wish = visit.params["customer"], AssetWish(**_said(form))
    return Effect(lambda hub: directories.add_asset(hub, visit.actor, which, wish), _whole(which))


async def _change_asset(visit: Visit, form: CustomerAssetForm) -> Effect[Any]:
    which, wish = visit.params["asset"], AssetWish(**_said(form))
    return Effect(
        lambda hub: directories.change_asset(hub, visit.actor, which, wish),
        lambda connection, asset: shown.customer(connection, asset.customer_id),
    )


async def _history(visit: Visit, form: Nothing) -> Page[AssetHistory]:
    which = visit.params["asset"]
    return Page(await visit.hub.db.read(lambda connection: shown.asset_history(connection, which)))


async def _add_contact(visit: Visit, form: PersonForm) -> Effect[Any]:
    which, wish = visit.params["customer"], ContactWish(**_said(form))
    return Effect(lambda hub: directories.add_contact(hub, visit.actor, which, wish), _whole(which))


async def _change_contact(visit: Visit, form: PersonForm) -> Effect[Any]:
    which, wish = visit.params["contact"], ContactWish(**_said(form))
    return Effect(
        lambda hub: directories.change_contact(hub, visit.actor, which, wish),
        lambda connection, made: shown.customer(connection, made.customer_id),
    )


def _archiving(
    name: str, kind: str, do: Callable[[Hub, Actor, str], Awaitable[Any]], summary: str
) -> Route[Any]:
    """A route that archives an entry, or takes it out again."""

    async def handler(visit: Visit, form: Nothing) -> Effect[Any]:
        which = visit.params[kind]
        return Effect(lambda hub: do(hub, visit.actor, which), lambda _connection, _done: None)

    out = name.startswith("restore")
    return Route(
        name=name,
        method="POST" if out else "DELETE",
        path=f"/{kind}s/{{{kind}}}" + ("/restore" if out else ""),
        scope=Permission.DIRECTORIES_WRITE,
        summary=summary,
        form=Nothing,
        takes=Takes.JSON if out else Takes.QUERY,
        handler=handler,
        answer=Sends.NOTHING,
        status=204,
    )


async def _remove_contact(visit: Visit, form: Nothing) -> Effect[None]:
    which = visit.params["contact"]
    return Effect(
        lambda hub: directories.remove_contact(hub, visit.actor, which),
        lambda _connection, _done: None,
    )


async def _fields(visit: Visit, form: Nothing) -> Page[FieldDefinition]:
    return Page(await visit.hub.db.read(shown.definitions))


async def _define(visit: Visit, form: DefinitionForm) -> Effect[FieldDefinition]:
    wish = FieldWish(**_said(form))
    return Effect(
        lambda hub: directories.define_field(hub, visit.actor, wish), lambda _connection, made: made
    )


async def _retire(visit: Visit, form: Nothing) -> Effect[None]:
    which = visit.params["field"]
    return Effect(
        lambda hub: directories.retire_field(hub, visit.actor, which),
        lambda _connection, _done: None,
    )


def _route(
    name: str,
    method: str,
    path: str,
    summary: str,
    form: type[Form],
    handler: Any,
    answer: Any,
    scope: Permission = Permission.DIRECTORIES_WRITE,
) -> Route[Any]:
    statuses = {"POST": 201, "DELETE": 204}
    return Route(
        name=name,
        method=method,
        path=path,
        scope=scope,
        summary=summary,
        form=form,
        takes=Takes.JSON if method in {"POST", "PUT"} else Takes.QUERY,
        handler=handler,
        answer=answer,
        status=statuses.get(method, 200),
    )


_READ: Final = Permission.DIRECTORIES_READ

ROUTES: Final[tuple[Route[Any], ...]] = (
    _route(
        "listCustomers",
        "GET",
        "/customers",
        "Customers by name",
        CustomersQuery,
        _list,
        Page[CustomerLine],
        _READ,
    ),
    _route(
        "addCustomer", "POST", "/customers", "Enter a customer", CustomerForm, _add, CustomerView
    ),
    _route(
        "getCustomer",
        "GET",
        "/customers/{customer}",
        "A customer with sites, equipment and people",
        CustomerQuery,
        _show,
        CustomerView,
        _READ,
    ),
    _route(
        "changeCustomer",
        "PUT",
        "/customers/{customer}",
        "What the customer is to be",
        CustomerForm,
        _change,
        CustomerView,
    ),
    _route(
        "archiveCustomer",
        "DELETE",
        "/customers/{customer}",
        "Offer the customer no more",
        Nothing,
        _archive,
        Sends.NOTHING,
    ),
    _archiving(
        "restoreCustomer", "customer", directories.restore_customer, "Offer the customer again"
    ),
    _archiving(
        "archiveSite", "site", directories.archive_site, "Offer it and all inside of it no more"
    ),
    _archiving("restoreSite", "site", directories.restore_site, "Offer the site again"),
    _archiving("archiveAsset", "asset", directories.archive_asset, "Offer it no more"),
    _archiving("restoreAsset", "asset", directories.restore_asset, "Offer it again"),
    _route(
        "addSite",
        "POST",
        "/customers/{customer}/sites",
        "Enter a site, perhaps inside another",
        CustomerSiteForm,
        _add_site,
        CustomerView,
    ),
    _route(
        "changeSite",
        "PUT",
        "/sites/{site}",
        "What the site is to be",
        CustomerSiteForm,
        _change_site,
        CustomerView,
    ),
    _route(
        "addAsset",
        "POST",
        "/customers/{customer}/assets",
        "Enter a piece of equipment",
        CustomerAssetForm,
        _add_asset,
        CustomerView,
    ),
    _route(
        "changeAsset",
        "PUT",
        "/assets/{asset}",
        "What the piece of equipment is to be",
        CustomerAssetForm,
        _change_asset,
        CustomerView,
    ),
    _route(
        "getAssetHistory",
        "GET",
        "/assets/{asset}/history",
        "What became of a piece of equipment",
        Nothing,
        _history,
        Page[AssetHistory],
        _READ,
    ),
    _route(
        "addContact",
        "POST",
        "/customers/{customer}/contacts",
        "Enter a person",
        PersonForm,
        _add_contact,
        CustomerView,
    ),
    _route(
        "changeContact",
        "PUT",
        "/contacts/{contact}",
        "What we are to know of the person",
        PersonForm,
        _change_contact,
        CustomerView,
    ),
    _route(
        "removeContact",
        "DELETE",
        "/contacts/{contact}",
        "Forget a person",
        Nothing,
        _remove_contact,
        Sends.NOTHING,
    ),
    _route(
        "listFields",
        "GET",
        "/fields",
        "Custom fields tickets are asked for",
        Nothing,
        _fields,
        Page[FieldDefinition],
        _READ,
    ),
    _route(
        "defineField",
        "POST",
        "/fields",
        "Ask for a custom field from now on",
        DefinitionForm,
        _define,
        FieldDefinition,
        Permission.RULES_WRITE,
    ),
    _route(
        "retireField",
        "DELETE",
        "/fields/{field}",
        "Ask for it no more",
        Nothing,
        _retire,
        Sends.NOTHING,
        Permission.RULES_WRITE,
    ),
)
