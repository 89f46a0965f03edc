"""Saved views, macros and drafts of the agent of the token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import personal
from hub.actions.personal import QUERY_MAX, MacroWish
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing, Short, Text
from hub.api.tickets import Tags, ticket_id
from hub.api.views import Page
from hub.domain.comment import Visibility
from hub.domain.permission import Permission
from hub.domain.ticket import Priority, TicketStatus
from hub.queries import inside
from hub.queries import personal as shown
from hub.queries.inside import InsideView
from hub.queries.personal import Macro, SavedView


class ViewForm(Form):
    """A list of tickets under a name."""

    name: Short
    query: Annotated[Text, Constraint(max_length=QUERY_MAX)]
    shared: bool = False


class MacroForm(Form):
    """Words and changes that are often needed together."""

    name: Short
    body: Text = ""
    visibility: Visibility = Visibility.INTERNAL
    status: TicketStatus | None = None
    priority: Priority | None = None
    tags: Tags = ()
    take: bool = False


class DraftForm(Form):
    """What was begun; empty: nothing."""

    body: Text
    visibility: Visibility = Visibility.INTERNAL


@dataclass(frozen=True, slots=True)
class DraftView:
    """What was begun."""

    body: str
    visibility: str


async def _views(visit: Visit, form: Nothing) -> Page[SavedView]:
    who = visit.actor.ref
    return Page(await visit.hub.db.read(lambda connection: shown.views(connection, who)))


async def _save_view(visit: Visit, form: ViewForm) -> Effect[SavedView]:
    return Effect(
        lambda hub: personal.save_view(hub, visit.actor, form.name, form.query, shared=form.shared),
        lambda _connection, made: made,
    )


async def _remove_view(visit: Visit, form: Nothing) -> Effect[None]:
    which = visit.params["view"]
    return Effect(
        lambda hub: personal.remove_view(hub, visit.actor, which), lambda _connection, _done: None
    )


async def _macros(visit: Visit, form: Nothing) -> Page[Macro]:
    return Page(await visit.hub.db.read(shown.macros))


async def _add_macro(visit: Visit, form: MacroForm) -> Effect[Macro]:
    wish = MacroWish(**{name: getattr(form, name) for name in type(form).model_fields})
    return Effect(
        lambda hub: personal.add_macro(hub, visit.actor, wish), lambda _connection, made: made
    )


async def _change_macro(visit: Visit, form: MacroForm) -> Effect[Macro]:
    which = visit.params["macro"]
    wish = MacroWish(**{name: getattr(form, name) for name in type(form).model_fields})
    return Effect(
        lambda hub: personal.change_macro(hub, visit.actor, which, wish),
        lambda _connection, made: made,
    )


async def _remove_macro(visit: Visit, form: Nothing) -> Effect[None]:
    which = visit.params["macro"]
    return Effect(
        lambda hub: personal.remove_macro(hub, visit.actor, which), lambda _connection, _done: None
    )


async def _use_macro(visit: Visit, form: Nothing) -> Effect[None]:
    which, macro = await ticket_id(visit), visit.params["macro"]
    return Effect(
        lambda hub: personal.use_macro(hub, visit.actor, macro, which),
        lambda connection, _done: inside.by_name(connection, which),
        one_transaction=False,
    )


async def _draft(visit: Visit, form: Nothing) -> DraftView:
    which, who = await ticket_id(visit), visit.actor.ref
    found = await visit.hub.db.read(lambda connection: shown.draft(connection, who, which))
    return (
        DraftView("", Visibility.INTERNAL)
        if found is None
        else DraftView(found.body, found.visibility)
    )


async def _keep_draft(visit: Visit, form: DraftForm) -> Effect[None]:
    which = await ticket_id(visit)
    return Effect(
        lambda hub: personal.keep_draft(hub, visit.actor, which, form.body, form.visibility),
        lambda _connection, _done: DraftView(form.body, form.visibility),
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listViews",
        method="GET",
        path="/views",
        scope=Permission.TICKETS_READ,
        summary="Saved lists of tickets: own and shared ones",
        form=Nothing,
        handler=_views,
        answer=Page[SavedView],
    ),
    Route(
        name="saveView",
        method="POST",
        path="/views",
        scope=Permission.TICKETS_READ,
        summary="Keep a list of tickets under a name",
        form=ViewForm,
        takes=Takes.JSON,
        handler=_save_view,
        answer=SavedView,
        status=201,
    ),
    Route(
        name="removeView",
        method="DELETE",
        path="/views/{view}",
        scope=Permission.TICKETS_READ,
        summary="Drop a view of one's own",
        form=Nothing,
        handler=_remove_view,
        answer=Sends.NOTHING,
        status=204,
    ),
    Route(
        name="listMacros",
        method="GET",
        path="/macros",
        scope=Permission.DIRECTORIES_READ,
        summary="Macros and canned answers",
        form=Nothing,
        handler=_macros,
        answer=Page[Macro],
    ),
    Route(
        name="addMacro",
        method="POST",
        path="/macros",
        scope=Permission.DIRECTORIES_WRITE,
        summary="Keep words and changes for everybody",
        form=MacroForm,
        takes=Takes.JSON,
        handler=_add_macro,
        answer=Macro,
        status=201,
    ),
    Route(
        name="changeMacro",
        method="PUT",
        path="/macros/{macro}",
        scope=Permission.DIRECTORIES_WRITE,
        summary="What the macro is to be",
        form=MacroForm,
        takes=Takes.JSON,
        handler=_change_macro,
        answer=Macro,
    ),
    Route(
        name="removeMacro",
        method="DELETE",
        path="/macros/{macro}",
        scope=Permission.DIRECTORIES_WRITE,
        summary="Drop a macro",
        form=Nothing,
        handler=_remove_macro,
        answer=Sends.NOTHING,
        status=204,
    ),
    Route(
        name="useMacro",
        method="POST",
        path="/tickets/{ticket}/macros/{macro}",
        scope=Permission.TICKETS_WORK,
        summary="Do to the ticket what the macro says",
        form=Nothing,
        takes=Takes.JSON,
        handler=_use_macro,
        answer=InsideView,
    ),
    Route(
        name="getDraft",
        method="GET",
        path="/tickets/{ticket}/draft",
        scope=Permission.TICKETS_READ,
        summary="What the agent of the token began to say",
        form=Nothing,
        handler=_draft,
        answer=DraftView,
    ),
    Route(
        name="keepDraft",
        method="PUT",
        path="/tickets/{ticket}/draft",
        scope=Permission.TICKETS_WORK,
        summary="Keep what was begun; an empty text keeps nothing",
        form=DraftForm,
        takes=Takes.JSON,
        handler=_keep_draft,
        answer=DraftView,
    ),
)
