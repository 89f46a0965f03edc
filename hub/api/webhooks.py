"""Webhooks: who is told what happens here, and what became of every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import webhooks
from hub.actions.context import Actor, Hub
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing
from hub.api.tickets import Cursor, Limit, check_cursor
from hub.api.views import Page, page_of
from hub.domain.permission import Permission
from hub.domain.webhook import TOLD_ALWAYS, URL_MAX, CallState, EventType
from hub.ids import EventId, WebhookId
from hub.queries import webhooks as shown
from hub.queries.webhooks import CallView, WebhookView

_KNOWN: Final = ", ".join(sorted(set(EventType) - TOLD_ALWAYS))


class NewWebhookForm(Form):
    """An address of a program of yours."""

    url: Annotated[str, Constraint(min_length=1, max_length=URL_MAX)]
    events: Annotated[
        list[str], Constraint(max_length=len(EventType), description=f"none: all of {_KNOWN}")
    ] = Constraint(default_factory=list)


class CallQuery(Form):
    """Which calls."""

    state: CallState | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


@dataclass(frozen=True, slots=True)
class SecretView:
    """A webhook, and the secret that signs its calls: this once."""

    id: WebhookId
    url: str
    events: list[str]
    state: str
    created_at: datetime
    secret: str


@dataclass(frozen=True, slots=True)
class ReplayView:
    """How many calls wait to be made again."""

    again: int


def _with_secret(one: WebhookView, secret: str) -> SecretView:
    return SecretView(one.id, one.url, one.events, one.state, one.created_at, secret)


async def _list(visit: Visit, form: Nothing) -> Page[WebhookView]:
    return Page(await visit.hub.db.read(shown.everyone))


async def _show(visit: Visit, form: Nothing) -> WebhookView:
    name = visit.params["webhook"]
    return await visit.hub.db.read(lambda connection: shown.show(connection, name))


async def _new(visit: Visit, form: NewWebhookForm) -> Effect[tuple[WebhookId, str]]:
    return Effect(
        lambda hub: webhooks.add(hub, visit.actor, form.url, form.events),
        lambda connection, made: _with_secret(shown.show(connection, made[0]), made[1]),
    )


async def _renew(visit: Visit, form: Nothing) -> Effect[str]:
    name = visit.params["webhook"]
    return Effect(
        lambda hub: webhooks.renew_secret(hub, visit.actor, name),
        lambda connection, secret: _with_secret(shown.show(connection, name), secret),
    )


async def _test(visit: Visit, form: Nothing) -> Effect[EventId]:
    name = visit.params["webhook"]
    return Effect(
        lambda hub: webhooks.try_out(hub, visit.actor, name),
        lambda connection, made: shown.call(connection, name, made),
    )


async def _calls(visit: Visit, form: CallQuery) -> Page[CallView]:
    name, before = visit.params["webhook"], check_cursor(form.cursor, "evt")

    def find(connection: Any) -> list[CallView]:
        return shown.calls(connection, name, state=form.state, before=before, limit=form.limit + 1)

    return page_of(await visit.hub.db.read(find), form.limit)


async def _replay_all(visit: Visit, form: Nothing) -> Effect[int]:
    name = visit.params["webhook"]
    return Effect(
        lambda hub: webhooks.replay(hub, visit.actor, name, None),
        lambda _connection, again: ReplayView(again),
    )


async def _replay(visit: Visit, form: Nothing) -> Effect[int]:
    name, event = visit.params["webhook"], visit.params["call"]
    return Effect(
        lambda hub: webhooks.replay(hub, visit.actor, name, event),
        lambda connection, _again: shown.call(connection, name, event),
    )


def _turn(
    name: str, summary: str, do: Callable[[Hub, Actor, str], Awaitable[None]]
) -> Route[Nothing]:
    async def handler(visit: Visit, form: Nothing) -> Effect[None]:
        which = visit.params["webhook"]
        return Effect(
            lambda hub: do(hub, visit.actor, which),
            lambda connection, _done: shown.show(connection, which),
        )

    return _post(f"{name}Webhook", f"/{name}", summary, handler, WebhookView)


def _post(
    name: str,
    path: str,
    summary: str,
    handler: Callable[[Visit, Nothing], Awaitable[object]],
    answer: Any,
) -> Route[Nothing]:
    return Route(
        name=name,
        method="POST",
        path=f"/webhooks/{{webhook}}{path}",
        scope=Permission.DESKS_WRITE,
        summary=summary,
        form=Nothing,
        takes=Takes.JSON,
        handler=handler,
        answer=answer,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listWebhooks",
        method="GET",
        path="/webhooks",
        scope=Permission.DESKS_WRITE,
        summary="Programs that are told what happens here",
        form=Nothing,
        handler=_list,
        answer=Page[WebhookView],
    ),
    Route(
        name="addWebhook",
        method="POST",
        path="/webhooks",
        scope=Permission.DESKS_WRITE,
        summary="Tell this address what happens from now on; the secret is shown once",
        form=NewWebhookForm,
        takes=Takes.JSON,
        handler=_new,
        answer=SecretView,
        status=201,
    ),
    Route(
        name="getWebhook",
        method="GET",
        path="/webhooks/{webhook}",
        scope=Permission.DESKS_WRITE,
        summary="One webhook, and how much waits for it",
        form=Nothing,
        handler=_show,
        answer=WebhookView,
    ),
    _turn("enable", "Tell it again what happens from now on", webhooks.enable),
    _turn("disable", "Tell it nothing for now; what waits is dropped", webhooks.disable),
    _turn("remove", "Tell it nothing any more", webhooks.remove),
    _post("renewWebhookSecret", "/secret", "Sign with another secret", _renew, SecretView),
    _post("testWebhook", "/test", "Send it a webhook.test", _test, CallView),
    Route(
        name="listWebhookCalls",
        method="GET",
        path="/webhooks/{webhook}/calls",
        scope=Permission.DESKS_WRITE,
        summary="What it was told, newest first",
        form=CallQuery,
        handler=_calls,
        answer=Page[CallView],
    ),
    _post("replayWebhook", "/replay", "Make every failed call again", _replay_all, ReplayView),
    _post("replayWebhookCall", "/calls/{call}/replay", "Make a call again", _replay, CallView),
)
