"""`hub webhook add | list | …`: programs of ours that are told what happens on this node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hub.actions import webhooks
from hub.actions.context import Actor, Hub
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, one_of, option, verb
from hub.cli.output import Facts, Table, Word
from hub.cli.session import Session
from hub.domain.webhook import CallState
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import webhooks as views
from hub.queries.webhooks import CallView, WebhookView

_which = argument("webhook", metavar="ID")


@verb(
    N_("Tell a program what happens here. The secret that signs every call is shown once."),
    "hub webhook add https://desk.plus.example/hub-events",
    "hub webhook add https://desk.plus.example/hub-events --event handoff.changed",
)
@argument("url", metavar="URL")
@option(
    "--event",
    "events",
    multiple=True,
    metavar="NAME",
    help=N_("Only this; may be repeated. None: everything."),
)
def add(manner: Manner, url: str, events: tuple[str, ...]) -> None:
    """Add a webhook."""

    async def body(here: Session) -> None:
        made, secret = await webhooks.add(here.hub, here.actor, url, events)
        _show_secret(
            manner, await here.read(lambda connection: views.show(connection, made)), secret
        )
        output.done(
            manner,
            _("Keep the secret safe: it is not shown again."),
            f"hub webhook test {made}",
        )

    session.run(manner, body)


def _show_secret(manner: Manner, one: WebhookView, secret: str) -> None:
    output.show(
        manner,
        {"id": one.id, "url": one.url, "events": one.events, "secret": secret},
        Facts([(N_("Id"), one.id), (N_("Address"), one.url), (N_("Secret"), secret)]),
    )


@verb(N_("Sign the calls to it with another secret from now on."), "hub webhook secret whk_0192…")
@_which
def secret(manner: Manner, webhook: str) -> None:
    """Renew the secret."""

    async def body(here: Session) -> None:
        made = await webhooks.renew_secret(here.hub, here.actor, webhook)
        _show_secret(
            manner, await here.read(lambda connection: views.show(connection, webhook)), made
        )
        output.done(
            manner,
            _("Keep the secret safe: it is not shown again."),
            f"hub webhook test {webhook}",
        )

    session.run(manner, body)


@verb(N_("All webhooks, and how much waits for each."), "hub webhook list")
def list_(manner: Manner) -> None:
    """List webhooks."""

    async def body(here: Session) -> None:
        found = await here.read(views.everyone)
        output.show(
            manner,
            {"webhooks": [_document(one) for one in found]},
            Table(
                (
                    N_("Address"),
                    N_("State"),
                    N_("Waiting"),
                    N_("Failed"),
                    N_("Failing since"),
                    N_("Id"),
                ),
                [
                    (one.url, Word(one.state), one.waiting, one.failed, one.failing_since, one.id)
                    for one in found
                ],
                _("No webhooks yet. Add one:  hub webhook add URL"),
            ),
        )

    session.run(manner, body)


def _document(one: WebhookView) -> dict[str, object]:
    return {
        "id": one.id,
        "url": one.url,
        "events": one.events,
        "state": one.state,
        "created_at": one.created_at,
        "failing_since": one.failing_since,
        "next_at": one.next_at,
        "waiting": one.waiting,
        "failed": one.failed,
    }


@verb(
    N_("What a webhook was told, newest first."),
    "hub webhook calls whk_0192…",
    "hub webhook calls whk_0192… --state failed",
)
@_which
@option("--state", metavar="STATE", type=one_of(CallState), help=N_("Only calls in this state."))
@option("--limit", metavar="N", type=int, default=50, help=N_("At most so many."))
def calls(manner: Manner, webhook: str, state: str | None, limit: int) -> None:
    """List calls."""

    async def body(here: Session) -> None:
        wanted = None if state is None else CallState(state)
        found = await here.read(
            lambda connection: views.calls(connection, webhook, state=wanted, limit=limit)
        )
        output.show(
            manner,
            {"calls": [_call_document(one) for one in found]},
            Table(
                (
                    N_("At"),
                    N_("Event"),
                    N_("State"),
                    N_("Attempts"),
                    N_("Answer"),
                    N_("Next attempt"),
                    N_("Id"),
                ),
                [
                    (
                        one.at,
                        one.event,
                        Word(one.state),
                        one.attempts,
                        one.status or one.error,
                        one.next_at,
                        one.id,
                    )
                    for one in found
                ],
                _("It was told nothing yet. Try it:  hub webhook test ID"),
            ),
        )

    session.run(manner, body)


def _call_document(one: CallView) -> dict[str, object]:
    return {
        "id": one.id,
        "event": one.event,
        "state": one.state,
        "at": one.at,
        "attempts": one.attempts,
        "tried_at": one.tried_at,
        "next_at": one.next_at,
        "status": one.status,
        "error": one.error,
        "body": one.body,
    }


@verb(N_("Send it a webhook.test."), "hub webhook test whk_0192…")
@_which
def test(manner: Manner, webhook: str) -> None:
    """Try a webhook out."""

    async def body(here: Session) -> None:
        made = await webhooks.try_out(here.hub, here.actor, webhook)
        output.show(manner, {"id": made})
        output.done(
            manner,
            _("It will be called as soon as a worker runs."),
            f"hub webhook calls {webhook}",
        )

    session.run(manner, body)


@verb(
    N_("Make failed calls again: all of them, or one, whatever became of it."),
    "hub webhook replay whk_0192…",
    "hub webhook replay whk_0192… --call evt_0192…",
)
@_which
@option("--call", metavar="ID", help=N_("Only this one."))
def replay(manner: Manner, webhook: str, call: str | None) -> None:
    """Make calls again."""

    async def body(here: Session) -> None:
        again = await webhooks.replay(here.hub, here.actor, webhook, call)
        output.show(manner, {"again": again})
        output.done(
            manner,
            _("Calls that will be made again: {count}.").format(count=again),
            f"hub webhook calls {webhook}",
        )

    session.run(manner, body)


def _turn(
    manner: Manner, webhook: str, do: Callable[[Hub, Actor, str], Awaitable[None]], text: str
) -> None:
    async def body(here: Session) -> None:
        await do(here.hub, here.actor, webhook)
        shown = await here.read(lambda connection: views.show(connection, webhook))
        output.show(manner, {"id": shown.id, "state": shown.state})
        output.done(manner, text, "hub webhook list")

    session.run(manner, body)


@verb(N_("Tell it again what happens from now on."), "hub webhook enable whk_0192…")
@_which
def enable(manner: Manner, webhook: str) -> None:
    """Enable a webhook."""
    _turn(manner, webhook, webhooks.enable, _("The webhook is enabled."))


@verb(N_("Tell it nothing for now; what waits is dropped."), "hub webhook disable whk_0192…")
@_which
def disable(manner: Manner, webhook: str) -> None:
    """Disable a webhook."""
    _turn(manner, webhook, webhooks.disable, _("The webhook is disabled."))


@verb(N_("Tell it nothing any more."), "hub webhook remove whk_0192…")
@_which
def remove(manner: Manner, webhook: str) -> None:
    """Remove a webhook."""
    _turn(manner, webhook, webhooks.remove, _("The webhook is removed."))
