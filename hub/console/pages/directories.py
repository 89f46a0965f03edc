"""Directories: customers with their sites, equipment and people."""

from __future__ import annotations

from typing import Any, Final

from hub.actions import directories
from hub.actions.directories import AssetWish, ContactWish, CustomerWish, SiteWish
from hub.console import ticket_words
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.words import ZONES
from hub.domain.permission import Permission
from hub.errors import HubError, Refused
from hub.i18n import gettext as _
from hub.queries import directories as views

_ROWS: Final = 100

_CUSTOMER: Final = ("name", "legal_entity", "tax_id", "time_zone", "note")
_SITE: Final = ("name", "parent_id", "address", "legal_entity", "time_zone", "note")
_ASSET: Final = ("name", "site_id", "model", "inventory_number", "serial_number", "note")
_CONTACT: Final = ("name", "site_id", "phone", "email", "note")


async def _said(visit: Visit, names: tuple[str, ...]) -> dict[str, Any]:
    """The members of a wish as the form says them; a place that was not chosen is none."""
    said: dict[str, Any] = {name: (await visit.word(name)).replace("\r\n", "\n") for name in names}
    for name in ("parent_id", "site_id"):
        if name in said:
            said[name] = said[name] or None
    return said


# --- customers ------------------------------------------------------------------------------


async def _list(visit: Visit) -> Answer:
    return await _customers(visit)


async def _customers(visit: Visit, error: HubError | None = None) -> Shown:
    after, archived = visit.query("after") or None, visit.query("archived") == "1"
    found = await visit.hub.db.read(
        lambda connection: views.customers(
            connection, after=after, limit=_ROWS + 1, archived=archived
        )
    )
    said = CustomerWish("") if error is None else CustomerWish(**await _said(visit, _CUSTOMER))
    facts = {
        "customers": found[:_ROWS],
        "more": found[_ROWS - 1].id if len(found) > _ROWS else "",
        "archived": archived,
        "zones": ZONES,
        "said": said,
        "error": error,
    }
    return Shown("customers.html", facts, 422 if error else 200)


async def _add(visit: Visit) -> Answer:
    try:
        made = await directories.add_customer(
            visit.hub, visit.actor, CustomerWish(**await _said(visit, _CUSTOMER))
        )
    except Refused as error:
        return await _customers(visit, error)
    return _to(visit, made.id, _("The customer is in the directory."))


async def _show(visit: Visit) -> Answer:
    return await _customer(visit)


async def _customer(
    visit: Visit, error: HubError | None = None, which: str = "", contact: str = ""
) -> Shown:
    """`contact` is the person who could not be changed as the form says."""
    which, archived = which or visit.param("customer"), visit.query("archived") == "1"
    found = await visit.hub.db.read(
        lambda connection: views.customer(connection, which, archived=archived)
    )
    used = [one for one in found.sites if not one.archived]
    nobody = ContactWish("")
    places = [("", "—"), *((one.id, one.path) for one in used)]
    facts = {
        "archived": archived,
        "contact": contact,
        "nobody": nobody,
        "said": ContactWish(**await _said(visit, _CONTACT)) if contact else nobody,
        "roof": {one.id: one.path for one in found.sites},
        "customer": found,
        "places": places,
        "blank": AssetWish(""),
        "zones": ZONES,
        "error": error,
    }
    return Shown("customer.html", facts, 422 if error else 200)


async def _change(visit: Visit) -> Answer:
    which, wish = visit.param("customer"), CustomerWish(**await _said(visit, _CUSTOMER))
    try:
        await directories.change_customer(visit.hub, visit.actor, which, wish)
    except Refused as error:
        return await _customer(visit, error)
    return _to(visit, which, _("Saved."))


async def _archive(visit: Visit) -> Answer:
    which, url = visit.param("customer"), visit.context.renderer.url
    await directories.archive_customer(visit.hub, visit.actor, which)
    undo = url("restore_customer", customer=which)
    told = Toast(_("The customer is offered no more; its tickets keep it."), undo)
    return Redirect(url("customers"), told)


async def _restore(visit: Visit) -> Answer:
    which = visit.param("customer")
    await directories.restore_customer(visit.hub, visit.actor, which)
    return _to(visit, which, _("The customer is offered again."))


# --- what a customer has --------------------------------------------------------------------


async def _add_site(visit: Visit) -> Answer:
    which, wish = visit.param("customer"), SiteWish(**await _said(visit, _SITE))
    try:
        await directories.add_site(visit.hub, visit.actor, which, wish)
    except Refused as error:
        return await _customer(visit, error)
    return _to(visit, which, _("The site is in the directory."))


async def _add_asset(visit: Visit) -> Answer:
    which, wish = visit.param("customer"), AssetWish(**await _said(visit, _ASSET))
    try:
        await directories.add_asset(visit.hub, visit.actor, which, wish)
    except Refused as error:
        return await _customer(visit, error)
    return _to(visit, which, _("The equipment is in the directory."))


async def _add_contact(visit: Visit) -> Answer:
    which, wish = visit.param("customer"), ContactWish(**await _said(visit, _CONTACT))
    try:
        await directories.add_contact(visit.hub, visit.actor, which, wish)
    except Refused as error:
        return await _customer(visit, error)
    return _to(visit, which, _("The person is in the directory."))


async def _change_contact(visit: Visit) -> Answer:
    which, wish = visit.param("contact"), ContactWish(**await _said(visit, _CONTACT))
    try:
        changed = await directories.change_contact(visit.hub, visit.actor, which, wish)
    except Refused as error:
        if error.code == "not_yours":
            raise
        owner = await visit.hub.db.read(
            lambda connection: views.contact(connection, which).customer_id
        )
        return await _customer(visit, error, owner, which)
    return _to(visit, changed.customer_id, _("Saved."))


async def _remove_contact(visit: Visit) -> Answer:
    which = visit.param("contact")
    owner = await visit.hub.db.read(lambda connection: views.contact(connection, which).customer_id)
    await directories.remove_contact(visit.hub, visit.actor, which)
    return _to(visit, owner, _("Nothing of this person is in the directory any more."))


async def _show_site(visit: Visit) -> Answer:
    return await _site(visit)


async def _site(visit: Visit, error: HubError | None = None) -> Shown:
    which = visit.param("site")

    def look(connection: Any) -> dict[str, Any]:
        site = views.site(connection, which)
        owner = views.customer(connection, site.customer_id, archived=True)
        return {"site": site, "customer": owner}

    facts = await visit.hub.db.read(look)
    here = next((one for one in facts["customer"].sites if one.id == which), None)
    facts["here"] = here
    facts["places"] = [
        ("", "—"),
        *(
            (one.id, one.path)
            for one in facts["customer"].sites
            if one.id != which and (not one.archived or one.id == facts["site"].parent_id)
        ),
    ]
    facts |= {"zones": ZONES, "error": error}
    return Shown("site.html", facts, 422 if error else 200)


async def _change_site(visit: Visit) -> Answer:
    which, wish = visit.param("site"), SiteWish(**await _said(visit, _SITE))
    try:
        changed = await directories.change_site(visit.hub, visit.actor, which, wish)
    except Refused as error:
        return await _site(visit, error)
    return _to(visit, changed.customer_id, _("Saved."))


async def _archive_site(visit: Visit) -> Answer:
    which = visit.param("site")
    gone = await directories.archive_site(visit.hub, visit.actor, which)
    undo = visit.context.renderer.url("restore_site", site=which)
    told = _("The site and all inside of it are offered no more; tickets keep them.")
    return _to(visit, gone.customer_id, told, undo)


async def _restore_site(visit: Visit) -> Answer:
    back = await directories.restore_site(visit.hub, visit.actor, visit.param("site"))
    return _to(visit, back.customer_id, _("The site is offered again."))


async def _archive_asset(visit: Visit) -> Answer:
    which = visit.param("asset")
    gone = await directories.archive_asset(visit.hub, visit.actor, which)
    undo = visit.context.renderer.url("restore_asset", asset=which)
    return _to(visit, gone.customer_id, _("It is offered no more; tickets keep it."), undo)


async def _restore_asset(visit: Visit) -> Answer:
    back = await directories.restore_asset(visit.hub, visit.actor, visit.param("asset"))
    return _to(visit, back.customer_id, _("It is offered again."))


async def _show_asset(visit: Visit) -> Answer:
    return await _asset(visit)


async def _asset(visit: Visit, error: HubError | None = None) -> Shown:
    which = visit.param("asset")

    def look(connection: Any) -> dict[str, Any]:
        asset = views.asset(connection, which)
        return {
            "piece": asset,
            "customer": views.customer(connection, asset.customer_id, archived=True),
            "history": views.asset_history(connection, which),
        }

    facts = await visit.hub.db.read(look)
    facts["history"] = [
        (one.at, one.actor, ticket_words.asset_event(one.event, one.facts))
        for one in reversed(facts["history"])
    ]
    # Where it stands stays to be chosen, though nothing new is put there any more.
    stands = facts["piece"].site_id
    facts["places"] = [
        ("", "—"),
        *(
            (one.id, one.path)
            for one in facts["customer"].sites
            if not one.archived or one.id == stands
        ),
    ]
    return Shown("asset.html", {**facts, "error": error}, 422 if error else 200)


async def _change_asset(visit: Visit) -> Answer:
    which, wish = visit.param("asset"), AssetWish(**await _said(visit, _ASSET))
    try:
        await directories.change_asset(visit.hub, visit.actor, which, wish)
    except Refused as error:
        return await _asset(visit, error)
    return Redirect(visit.context.renderer.url("asset", asset=which), Toast(_("Saved.")))


def _to(visit: Visit, customer: str, text: str, undo: str = "") -> Redirect:
    return Redirect(visit.context.renderer.url("customer", customer=customer), Toast(text, undo))


_look: Final = page_for(Permission.DIRECTORIES_READ)
_keep: Final = page_for(Permission.DIRECTORIES_WRITE)

PAGES: Final = (
    _look("customers", "GET", "/settings/customers", _list),
    _keep("add_customer", "POST", "/settings/customers", _add),
    _look("customer", "GET", "/settings/customers/{customer}", _show),
    _keep("change_customer", "POST", "/settings/customers/{customer}", _change),
    _keep("archive_customer", "POST", "/settings/customers/{customer}/archive", _archive),
    _keep("restore_customer", "POST", "/settings/customers/{customer}/restore", _restore),
    _keep("add_site", "POST", "/settings/customers/{customer}/sites", _add_site),
    _keep("add_asset", "POST", "/settings/customers/{customer}/assets", _add_asset),
    _keep("add_contact", "POST", "/settings/customers/{customer}/contacts", _add_contact),
    _keep("change_contact", "POST", "/settings/contacts/{contact}", _change_contact),
    _keep("remove_contact", "POST", "/settings/contacts/{contact}/remove", _remove_contact),
    _look("site", "GET", "/settings/sites/{site}", _show_site),
    _keep("change_site", "POST", "/settings/sites/{site}", _change_site),
    _keep("archive_site", "POST", "/settings/sites/{site}/archive", _archive_site),
    _keep("restore_site", "POST", "/settings/sites/{site}/restore", _restore_site),
    _look("asset", "GET", "/settings/assets/{asset}", _show_asset),
    _keep("change_asset", "POST", "/settings/assets/{asset}", _change_asset),
    _keep("archive_asset", "POST", "/settings/assets/{asset}/archive", _archive_asset),
    _keep("restore_asset", "POST", "/settings/assets/{asset}/restore", _restore_asset),
)
